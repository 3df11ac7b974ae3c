// Binary convolution to float, AVX2: sums by table lookup (avx2_lookup.h), then
//   y = (2 * acc + offset) * multiplier + bias and the fused steps of kernel.h, eight channels at
// a time. The common case, a multiply and an add alone, has its own loop.
#include "kernels/avx2_lookup_run.h"
#include "kernels/avx2_transform.h"

namespace lce {
namespace {

bool Accepts(const BconvShape* shape) { return LookupAccepts(shape); }
size_t PackedBytes(const BconvShape* shape) { return LookupPackedBytes(shape); }
void Pack(const BconvShape* shape, const uint32_t* weights, void* packed) {
  LookupPack(shape, weights, packed);
}

bool IsPlain(const BconvTransform* t) {
  return t->simple && !t->pixel_class && !t->pre_clamp && !t->residual && !t->post_clamp &&
         !t->bits;
}

LCE_INLINE void StorePlain(const BconvArgs* args, const uint16_t* sums, int32_t pixel,
                           int32_t block) {
  const BconvTransform* t = &args->transform;
  const int32_t first = block * kLookupBlock;
  const int32_t count = MinInt(kLookupBlock, args->out_channels - first);
  float* output = static_cast<float*>(args->output) +
                  static_cast<size_t>(pixel) * args->out_stride + first;
  int32_t c = 0;
  for (; c + 8 <= count; c += 8) {
    _mm256_storeu_ps(output + c, MultiplyAdd(t, LoadSums(sums + c), first + c));
  }
  if (c < count) StorePart(output + c, MultiplyAdd(t, LoadSums(sums + c), first + c), count - c);
}

LCE_INLINE __m256 Fuse(const BconvTransform* t, __m256 y, const float* residual, int32_t count) {
  if (t->pre_clamp) y = ClampLanes(y, _mm256_set1_ps(t->pre_min), _mm256_set1_ps(t->pre_max));
  if (residual) {
    const __m256 other = count >= 8 ? _mm256_loadu_ps(residual) : LoadPart(residual, count);
    y = _mm256_add_ps(y, other);
  }
  if (t->post_clamp) y = ClampLanes(y, _mm256_set1_ps(t->post_min), _mm256_set1_ps(t->post_max));
  return y;
}

LCE_INLINE void StoreFused(const BconvArgs* args, const uint16_t* sums, int32_t pixel,
                           int32_t block) {
  const BconvTransform* t = &args->transform;
  const PixelClass row = FindClass(t, pixel);
  const int32_t first = block * kLookupBlock;
  const size_t at = static_cast<size_t>(pixel) * args->out_stride + first;
  float* output = args->output ? static_cast<float*>(args->output) + at : nullptr;
  const float* residual = t->residual ? t->residual + at : nullptr;
  uint32_t* bits = nullptr;
  if (t->bits) bits = t->bits + static_cast<size_t>(pixel) * t->bits_stride + first / 32;
  const int32_t count = MinInt(kLookupBlock, args->out_channels - first);
  for (int32_t word = 0; word < count; word += 32) {
    uint32_t signs = 0;
    for (int32_t c = word; c < word + 32 && c < count; c += 8) {
      const __m256 affine = Affine(t, sums + c, first + c, row);
      const __m256 y = Fuse(t, affine, residual ? residual + c : nullptr, count - c);
      if (output) {
        if (c + 8 <= count) {
          _mm256_storeu_ps(output + c, y);
        } else {
          StorePart(output + c, y, count - c);
        }
      }
      signs |= SignBits(y) << (c - word);
    }
    if (bits) bits[word / 32] = signs & LowBits(count - word);
  }
}

void Run(const BconvArgs* args, int32_t pixel_begin, int32_t pixel_end, int32_t block_begin,
         int32_t block_end) {
  const bool plain = IsPlain(&args->transform);
  LookupRun(args, pixel_begin, pixel_end, block_begin, block_end,
            [plain](const BconvArgs* a, const uint16_t* sums, int32_t pixel, int32_t block) {
              if (plain) {
                StorePlain(a, sums, pixel, block);
              } else {
                StoreFused(a, sums, pixel, block);
              }
            });
}

}  // namespace

extern const BconvKernel lce_bconv_f32_6x64_avx2 = {
    "lce_bconv_f32_6x64_avx2", Isa::kAvx2, OutputKind::kFloat, InputForm::kNibbles,
    kLookupPixels, kLookupBlock, Accepts, PackedBytes, Pack, Run};

}  // namespace lce

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

void StorePlain(const BconvArgs* args, const LookupSums* sums, int32_t pixel, int32_t pixels,
                int32_t block) {
  const BconvTransform* t = &args->transform;
  const int32_t first = block * kLookupBlock;
  const int32_t count = MinInt(kLookupBlock, args->out_channels - first);
  float* output =
      static_cast<float*>(args->output) + static_cast<size_t>(pixel) * args->out_stride + first;
  for (int32_t i = 0; i < pixels; ++i, output += args->out_stride) {
    const uint16_t* sum = sums->sum[i];
    int32_t c = 0;
    for (; c + 8 <= count; c += 8) {
      _mm256_storeu_ps(output + c, MultiplyAdd(t, LoadSums(sum + c), first + c));
    }
    if (c < count) StorePart(output + c, MultiplyAdd(t, LoadSums(sum + c), first + c), count - c);
  }
}

// Bounds of the fused clamps; infinite ones change nothing, not even NaN or -0.0.
struct Bounds {
  __m256 pre_lo, pre_hi, post_lo, post_hi;
};

LCE_INLINE Bounds MakeBounds(const BconvTransform* t) {
  const float inf = __builtin_inff();
  return Bounds{_mm256_set1_ps(t->pre_clamp ? t->pre_min : -inf),
                _mm256_set1_ps(t->pre_clamp ? t->pre_max : inf),
                _mm256_set1_ps(t->post_clamp ? t->post_min : -inf),
                _mm256_set1_ps(t->post_clamp ? t->post_max : inf)};
}

// One word of channels of one pixel: pointers are to channel `first`.
struct Row {
  const uint16_t* sums;
  const float* multiplier;
  const float* bias;
  const int32_t* class_add;      // or null
  const float* class_add_float;  // or null
  const float* residual;         // or null
  float* output;                 // or null
};

template <bool kSimple, bool kWhole>
LCE_INLINE uint32_t FuseEight(const BconvTransform* t, const Row& row, const Bounds& bounds,
                              int32_t c, int32_t count) {
  __m256i x = LoadSums(row.sums + c);
  if (!kSimple) x = Correct(t, x, row.class_add ? row.class_add + c : nullptr);
  __m256 y = _mm256_mul_ps(_mm256_cvtepi32_ps(x), _mm256_loadu_ps(row.multiplier + c));
  y = _mm256_add_ps(y, _mm256_loadu_ps(row.bias + c));
  if (row.class_add_float) y = _mm256_add_ps(y, _mm256_loadu_ps(row.class_add_float + c));
  y = ClampLanes(y, bounds.pre_lo, bounds.pre_hi);
  if (row.residual) {
    const float* residual = row.residual + c;
    y = _mm256_add_ps(y, kWhole ? _mm256_loadu_ps(residual) : LoadPart(residual, count - c));
  }
  y = ClampLanes(y, bounds.post_lo, bounds.post_hi);
  if (row.output && kWhole) _mm256_storeu_ps(row.output + c, y);
  if (row.output && !kWhole) StorePart(row.output + c, y, count - c);
  return SignBits(y) << c;
}

// Signs of `count` <= 32 channels.
template <bool kSimple>
LCE_INLINE uint32_t FuseWord(const BconvTransform* t, const Row& row, const Bounds& bounds,
                             int32_t count) {
  uint32_t signs = 0;
  int32_t c = 0;
  for (; c + 8 <= count; c += 8) signs |= FuseEight<kSimple, true>(t, row, bounds, c, count);
  if (c < count) signs |= FuseEight<kSimple, false>(t, row, bounds, c, count);
  return signs & LowBits(count);
}

template <bool kSimple>
void StoreFused(const BconvArgs* args, const LookupSums* sums, int32_t pixel, int32_t pixels,
                int32_t block) {
  const BconvTransform* t = &args->transform;
  const Bounds bounds = MakeBounds(t);
  const int32_t begin = block * kLookupBlock;
  const int32_t end = MinInt(begin + kLookupBlock, args->out_channels);
  for (int32_t i = 0; i < pixels; ++i, ++pixel) {
    const PixelClass number = FindClass(t, pixel);
    const size_t at = static_cast<size_t>(pixel) * args->out_stride;
    for (int32_t first = begin; first < end; first += 32) {
      Row row;
      row.sums = sums->sum[i] + (first - begin);
      row.multiplier = t->multiplier + first;
      row.bias = t->bias + first;
      row.class_add = number.add ? number.add + first : nullptr;
      row.class_add_float = number.add_float ? number.add_float + first : nullptr;
      row.residual = t->residual ? t->residual + at + first : nullptr;
      row.output = args->output ? static_cast<float*>(args->output) + at + first : nullptr;
      const uint32_t signs = FuseWord<kSimple>(t, row, bounds, MinInt(end - first, 32));
      if (t->bits) t->bits[static_cast<size_t>(pixel) * t->bits_stride + first / 32] = signs;
    }
  }
}

void Run(const BconvArgs* args, int32_t pixel_begin, int32_t pixel_end, int32_t block_begin,
         int32_t block_end) {
  LookupRun(args, pixel_begin, pixel_end, block_begin, block_end,
            IsPlain(&args->transform) ? StorePlain
            : args->transform.simple  ? StoreFused<true>
                                      : StoreFused<false>);
}

}  // namespace

extern const BconvKernel lce_bconv_f32_6x64_avx2 = {"lce_bconv_f32_6x64_avx2",
                                                    Isa::kAvx2,
                                                    OutputKind::kFloat,
                                                    InputForm::kNibbles,
                                                    kLookupPixels,
                                                    kLookupBlock,
                                                    Accepts,
                                                    PackedBytes,
                                                    Pack,
                                                    Run};

}  // namespace lce

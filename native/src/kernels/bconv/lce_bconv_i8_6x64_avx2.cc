// Binary convolution to int8, AVX2: sums by table lookup (avx2_lookup.h), then
//   y = (2 * acc + offset) * multiplier + bias, rounded half away from zero and saturated,
// eight channels at a time and 32 to a store.
#include "kernels/avx2_lookup_run.h"
#include "kernels/avx2_transform.h"

namespace lce {
namespace {

bool Accepts(const BconvShape* shape) { return LookupAccepts(shape); }
size_t PackedBytes(const BconvShape* shape) { return LookupPackedBytes(shape); }
void Pack(const BconvShape* shape, const uint32_t* weights, void* packed) {
  LookupPack(shape, weights, packed);
}

// Channels o and on, kVectors * 8 of them.
template <int kVectors>
LCE_INLINE __m256i Bytes(const BconvTransform* t, const uint16_t* sums, int32_t o, PixelClass row) {
  __m256i y[4] = {};
  Repeat<kVectors>(LCE_LAMBDA(i) { y[i] = RoundToInt(Affine(t, sums + 8 * i, o + 8 * i, row)); });
  // Packing works in halves of a register and leaves groups of four channels in the order
  // 0 8 16 24 4 12 20 28.
  const __m256i bytes =
      _mm256_packs_epi16(_mm256_packs_epi32(y[0], y[1]), _mm256_packs_epi32(y[2], y[3]));
  return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

void Store(const BconvArgs* args, const LookupSums* sums, int32_t pixel, int32_t pixels,
           int32_t block) {
  const BconvTransform* t = &args->transform;
  const int32_t first = block * kLookupBlock;
  const int32_t count = MinInt(kLookupBlock, args->out_channels - first);
  for (int32_t i = 0; i < pixels; ++i, ++pixel) {
    const PixelClass row = FindClass(t, pixel);
    int8_t* output =
        static_cast<int8_t*>(args->output) + static_cast<size_t>(pixel) * args->out_stride + first;
    int32_t c = 0;
    for (; count - c > 16; c += 32) {
      StoreBytes(output + c, Bytes<4>(t, sums->sum[i] + c, first + c, row), count - c);
    }
    if (c < count) {
      StoreBytes(output + c, Bytes<2>(t, sums->sum[i] + c, first + c, row), count - c);
    }
  }
}

void Run(const BconvArgs* args, int32_t pixel_begin, int32_t pixel_end, int32_t block_begin,
         int32_t block_end) {
  LookupRun(args, pixel_begin, pixel_end, block_begin, block_end, Store);
}

}  // namespace

extern const BconvKernel lce_bconv_i8_6x64_avx2 = {"lce_bconv_i8_6x64_avx2",
                                                   Isa::kAvx2,
                                                   OutputKind::kInt8,
                                                   InputForm::kNibbles,
                                                   kLookupPixels,
                                                   kLookupBlock,
                                                   Accepts,
                                                   PackedBytes,
                                                   Pack,
                                                   Run};

}  // namespace lce

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

void Store(const BconvArgs* args, const uint16_t* sums, int32_t pixel, int32_t block) {
  const BconvTransform* t = &args->transform;
  const PixelClass row = FindClass(t, pixel);
  const int32_t first = block * kLookupBlock;
  const int32_t count = MinInt(kLookupBlock, args->out_channels - first);
  int8_t* output = static_cast<int8_t*>(args->output) +
                   static_cast<size_t>(pixel) * args->out_stride + first;
  for (int32_t c = 0; c < count; c += 32) {
    __m256i y[4];
#pragma GCC unroll 4
    for (int32_t i = 0; i < 4; ++i) {
      y[i] = RoundToInt(Affine(t, sums + c + 8 * i, first + c + 8 * i, row));
    }
    // Packing works in halves of a register and leaves groups of four channels in the order
    // 0 8 16 24 4 12 20 28.
    const __m256i bytes =
        _mm256_packs_epi16(_mm256_packs_epi32(y[0], y[1]), _mm256_packs_epi32(y[2], y[3]));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    StoreBytes(output + c, _mm256_permutevar8x32_epi32(bytes, order), count - c);
  }
}

void Run(const BconvArgs* args, int32_t pixel_begin, int32_t pixel_end, int32_t block_begin,
         int32_t block_end) {
  LookupRun(args, pixel_begin, pixel_end, block_begin, block_end, Store);
}

}  // namespace

extern const BconvKernel lce_bconv_i8_6x64_avx2 = {
    "lce_bconv_i8_6x64_avx2", Isa::kAvx2, OutputKind::kInt8, InputForm::kNibbles, kLookupPixels,
    kLookupBlock, Accepts, PackedBytes, Pack, Run};

}  // namespace lce

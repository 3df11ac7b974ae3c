// Binary convolution to bits, AVX2: sums by table lookup (avx2_lookup.h), then
//   bit = (acc > threshold) xor invert, eight channels at a time. Thresholds past the last
// channel are INT32_MAX, so their bits are 0.
#include "kernels/avx2_lookup_run.h"
#include "kernels/avx2_transform.h"

namespace lce {
namespace {

bool Accepts(const BconvShape* shape) { return LookupAccepts(shape); }
size_t PackedBytes(const BconvShape* shape) { return LookupPackedBytes(shape); }
void Pack(const BconvShape* shape, const uint32_t* weights, void* packed) {
  LookupPack(shape, weights, packed);
}

LCE_INLINE uint32_t Word(const uint16_t* sums, const int32_t* threshold) {
  uint32_t word = 0;
  Repeat<4>(LCE_LAMBDA(i) {
    const __m256i above = _mm256_cmpgt_epi32(LoadSums(sums + 8 * i), LoadInts(threshold + 8 * i));
    word |= static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(above))) << (8 * i);
  });
  return word;
}

void Store(const BconvArgs* args, const LookupSums* sums, int32_t pixel, int32_t pixels,
           int32_t block) {
  const BconvTransform* t = &args->transform;
  const int32_t first = block * kLookupBlock;
  const int32_t count = MinInt(kLookupBlock, args->out_channels - first);
  for (int32_t i = 0; i < pixels; ++i, ++pixel) {
    const size_t row = t->pixel_class ? t->pixel_class[pixel] : 0;
    const int32_t* threshold = t->threshold + row * t->class_stride + first;
    uint32_t* output = static_cast<uint32_t*>(args->output) +
                       static_cast<size_t>(pixel) * args->out_stride + first / 32;
    for (int32_t c = 0; c < count; c += 32) {
      const uint32_t invert = t->invert ? t->invert[(first + c) / 32] : 0;
      output[c / 32] = Word(sums->sum[i] + c, threshold + c) ^ invert;
    }
  }
}

void Run(const BconvArgs* args, int32_t pixel_begin, int32_t pixel_end, int32_t block_begin,
         int32_t block_end) {
  LookupRun(args, pixel_begin, pixel_end, block_begin, block_end, Store);
}

}  // namespace

extern const BconvKernel lce_bconv_bits_6x64_avx2 = {"lce_bconv_bits_6x64_avx2",
                                                     Isa::kAvx2,
                                                     OutputKind::kBits,
                                                     InputForm::kNibbles,
                                                     kLookupPixels,
                                                     kLookupBlock,
                                                     Accepts,
                                                     PackedBytes,
                                                     Pack,
                                                     Run};

}  // namespace lce

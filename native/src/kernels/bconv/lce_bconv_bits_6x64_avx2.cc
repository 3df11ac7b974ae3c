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

void Store(const BconvArgs* args, const uint16_t* sums, int32_t pixel, int32_t block) {
  const BconvTransform* t = &args->transform;
  const int32_t first = block * kLookupBlock;
  const size_t row = t->pixel_class ? t->pixel_class[pixel] : 0;
  const int32_t* threshold = t->threshold + row * t->class_stride + first;
  uint32_t* output = static_cast<uint32_t*>(args->output) +
                     static_cast<size_t>(pixel) * args->out_stride + first / 32;
  for (int32_t c = 0; c < kLookupBlock && first + c < args->out_channels; c += 32) {
    uint32_t word = t->invert ? t->invert[(first + c) / 32] : 0;
#pragma GCC unroll 4
    for (int32_t i = 0; i < 32; i += 8) {
      const __m256i above =
          _mm256_cmpgt_epi32(LoadSums(sums + c + i), LoadInts(threshold + c + i));
      word ^= static_cast<uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(above))) << i;
    }
    output[c / 32] = word;
  }
}

void Run(const BconvArgs* args, int32_t pixel_begin, int32_t pixel_end, int32_t block_begin,
         int32_t block_end) {
  LookupRun(args, pixel_begin, pixel_end, block_begin, block_end, Store);
}

}  // namespace

extern const BconvKernel lce_bconv_bits_6x64_avx2 = {
    "lce_bconv_bits_6x64_avx2", Isa::kAvx2, OutputKind::kBits, InputForm::kNibbles,
    kLookupPixels, kLookupBlock, Accepts, PackedBytes, Pack, Run};

}  // namespace lce

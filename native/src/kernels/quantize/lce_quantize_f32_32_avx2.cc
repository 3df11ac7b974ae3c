// Float to bits, AVX2: bit = x < 0 by an ordered compare, so that -0.0 and NaN give 0. Four
// compares of eight floats are packed to bytes, whose signs are one word. Whole words need no row
// structure and are taken as one stream.
#include "kernels/avx2_tail.h"

namespace lce {
namespace {

LCE_INLINE __m256i Negative(const float* x) {
  const __m256 below = _mm256_cmp_ps(_mm256_loadu_ps(x), _mm256_setzero_ps(), _CMP_LT_OQ);
  return _mm256_castps_si256(below);
}

LCE_INLINE uint32_t FullWord(const float* x) {
  const __m256i low = _mm256_packs_epi32(Negative(x), Negative(x + 8));
  const __m256i high = _mm256_packs_epi32(Negative(x + 16), Negative(x + 24));
  // Packing works in halves of a register; this brings groups of four into order.
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
  return static_cast<uint32_t>(_mm256_movemask_epi8(bytes));
}

LCE_INLINE uint32_t LastWord(const float* x, int32_t count) {
  uint32_t word = 0;
  for (int32_t i = 0; i < count; i += 8) word |= SignBits(LoadPart(x + i, count - i)) << i;
  return word;
}

void Run(const void* input, uint32_t* output, size_t pixels, int32_t channels, int32_t) {
  const float* x = static_cast<const float*>(input);
  const size_t full = static_cast<size_t>(channels) / 32;
  const int32_t rest = channels % 32;
  if (rest == 0) {
    const size_t words = pixels * full;
    for (size_t i = 0; i < words; ++i) output[i] = FullWord(x + 32 * i);
    return;
  }
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    for (size_t i = 0; i < full; ++i, x += 32) *output++ = FullWord(x);
    *output++ = LastWord(x, rest);
    x += rest;
  }
}

}  // namespace

extern const QuantizeKernel lce_quantize_f32_32_avx2 = {"lce_quantize_f32_32_avx2", Isa::kAvx2,
                                                        kElementFloat, Run};

}  // namespace lce

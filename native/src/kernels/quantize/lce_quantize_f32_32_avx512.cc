// Float to bits, AVX-512: bit = x < 0 by an ordered compare into a mask register, so that -0.0
// and NaN give 0; two masks of 16 are one word. Whole words need no row structure and are taken
// as one stream.
#include "kernels/avx512_tail.h"

namespace lce {
namespace {

LCE_INLINE uint32_t Signs(__m512 low, __m512 high) {
  const __m512 zero = _mm512_setzero_ps();
  const uint32_t low_bits = _mm512_cmp_ps_mask(low, zero, _CMP_LT_OQ);
  const uint32_t high_bits = _mm512_cmp_ps_mask(high, zero, _CMP_LT_OQ);
  return low_bits | (high_bits << 16);
}

LCE_INLINE uint32_t FullWord(const float* x) {
  return Signs(_mm512_loadu_ps(x), _mm512_loadu_ps(x + 16));
}

LCE_INLINE uint32_t LastWord(const float* x, uint32_t mask) {
  // The second address may lie past the buffer only where its mask is empty.
  return Signs(_mm512_maskz_loadu_ps(LowHalf(mask), x),
               _mm512_maskz_loadu_ps(HighHalf(mask), x + 16));
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
  const uint32_t mask = LowBits32(rest);
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    for (size_t i = 0; i < full; ++i, x += 32) *output++ = FullWord(x);
    *output++ = LastWord(x, mask);
    x += rest;
  }
}

}  // namespace

extern const QuantizeKernel lce_quantize_f32_32_avx512 = {"lce_quantize_f32_32_avx512",
                                                          Isa::kAvx512, kElementFloat, Run};

}  // namespace lce

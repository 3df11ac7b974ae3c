// Loads and stores of the AVX2 kernels for the last values of a row: a masked access touches no
// byte outside its mask, so buffers need no room behind them. Clamps and signs as in kernel.h.
#ifndef LCE_KERNELS_AVX2_TAIL_H_
#define LCE_KERNELS_AVX2_TAIL_H_

#include <immintrin.h>

#include "kernels/scalar_math.h"

namespace lce {

// Lanes 0 .. count - 1 are all ones; any count.
LCE_INLINE __m256i LaneMask(int32_t count) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane);
}

LCE_INLINE __m256 LoadPart(const float* x, int32_t count) {
  return _mm256_maskload_ps(x, LaneMask(count));
}

LCE_INLINE void StorePart(float* x, __m256 y, int32_t count) {
  _mm256_maskstore_ps(x, LaneMask(count), y);
}

// The bounds are the first operands of max and min: these instructions return the second one for
// NaN and for two zeros, which is what std::min(std::max(y, lo), hi) does.
LCE_INLINE __m256 ClampLanes(__m256 y, __m256 lo, __m256 hi) {
  return _mm256_min_ps(hi, _mm256_max_ps(lo, y));
}

// Bit i = y[i] < 0; -0.0 and NaN give 0.
LCE_INLINE uint32_t SignBits(__m256 y) {
  const __m256 negative = _mm256_cmp_ps(y, _mm256_setzero_ps(), _CMP_LT_OQ);
  return static_cast<uint32_t>(_mm256_movemask_ps(negative));
}

LCE_INLINE uint32_t LowBits(int32_t count) { return count >= 32 ? ~0u : (1u << count) - 1; }

}  // namespace lce

#endif  // LCE_KERNELS_AVX2_TAIL_H_

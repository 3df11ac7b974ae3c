// Masks of the AVX-512 kernels for the last values of a row: a masked load touches no byte
// outside its mask, so buffers need no room behind them.
#ifndef LCE_KERNELS_AVX512_TAIL_H_
#define LCE_KERNELS_AVX512_TAIL_H_

// GCC 12 warns about the undefined registers inside its own header (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

#include "kernels/scalar_math.h"

namespace lce {

// The lowest `count` bits, 0 <= count <= 32.
LCE_INLINE uint32_t LowBits32(int32_t count) {
  return static_cast<uint32_t>((uint64_t{1} << count) - 1);
}

// 0 <= count <= 64.
LCE_INLINE uint64_t LowBits64(int32_t count) {
  return count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
}

LCE_INLINE __mmask16 LowHalf(uint32_t mask) { return static_cast<__mmask16>(mask); }
LCE_INLINE __mmask16 HighHalf(uint32_t mask) { return static_cast<__mmask16>(mask >> 16); }

}  // namespace lce

#endif  // LCE_KERNELS_AVX512_TAIL_H_

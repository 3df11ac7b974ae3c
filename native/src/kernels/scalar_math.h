// Arithmetic shared by the portable kernels, written once so that they cannot disagree.
#ifndef LCE_KERNELS_SCALAR_MATH_H_
#define LCE_KERNELS_SCALAR_MATH_H_

#include "kernels/kernel.h"

#define LCE_INLINE static inline __attribute__((always_inline))

namespace lce {

LCE_INLINE int32_t MinInt(int32_t a, int32_t b) { return a < b ? a : b; }

LCE_INLINE int32_t ClampInt(int32_t x, int32_t lo, int32_t hi) {
  x = x < lo ? lo : x;
  return x > hi ? hi : x;
}

// NaN stays NaN and -0.0 passes a bound of 0, as with std::min(std::max(x, lo), hi).
LCE_INLINE float ClampFloat(float x, float lo, float hi) {
  x = x < lo ? lo : x;
  return hi < x ? hi : x;
}

// Half away from zero, saturated. |y| <= 128 after saturation, so trunc and the difference are
// exact, which floor(y + 0.5) is not. NaN gives 0.
LCE_INLINE int8_t RoundToInt8(float y) {
  if (!(y == y)) return 0;
  y = ClampFloat(y, -128.0f, 127.0f);
  int32_t t = static_cast<int32_t>(y);
  const float d = y - static_cast<float>(t);
  if (d >= 0.5f) ++t;
  if (d <= -0.5f) --t;
  return static_cast<int8_t>(t);
}

}  // namespace lce

#endif  // LCE_KERNELS_SCALAR_MATH_H_

// Bits of 32-bit words.
#ifndef LCE_CORE_BITS_H_
#define LCE_CORE_BITS_H_

#include <stdint.h>

namespace lce {

// Not __builtin_popcount: where the base instruction set has none, that is a call of a compiler
// library that we do not link.
inline int32_t PopCount(uint32_t x) {
  x -= x >> 1 & 0x55555555u;
  x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
  x = (x + (x >> 4)) & 0x0f0f0f0fu;
  return static_cast<int32_t>(x * 0x01010101u >> 24);
}

}  // namespace lce

#endif  // LCE_CORE_BITS_H_

// Signs to bits, NEON: comparisons give bytes of all ones or all zeros; AND leaves in each byte
// its bit, 1 << (channel % 8), and three pairwise additions of bytes make 32 bytes a word.
//
// Everything here is always inlined: no function is shared between instruction sets.
#ifndef LCE_KERNELS_NEON_SIGNS_H_
#define LCE_KERNELS_NEON_SIGNS_H_

#include <arm_neon.h>

#include "kernels/neon_inner_loop.h"

namespace lce {
namespace neon {

// Bit i of the word is set where byte i of low, high (16 each) is all ones.
LCE_NEON_INLINE uint32_t MasksToWord(uint8x16_t low, uint8x16_t high) {
  static const uint8_t kBits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  const uint8x16_t bits = vld1q_u8(kBits);
  uint8x16_t sum = vpaddq_u8(vandq_u8(low, bits), vandq_u8(high, bits));
  sum = vpaddq_u8(sum, sum);
  sum = vpaddq_u8(sum, sum);
  return vgetq_lane_u32(vreinterpretq_u32_u8(sum), 0);
}

// Where 16 values are below zero; not where they are -0.0 or NaN.
LCE_NEON_INLINE uint8x16_t Negative(float32x4_t x0, float32x4_t x1, float32x4_t x2,
                                    float32x4_t x3) {
  const uint16x8_t low =
      vuzp1q_u16(vreinterpretq_u16_u32(vcltzq_f32(x0)), vreinterpretq_u16_u32(vcltzq_f32(x1)));
  const uint16x8_t high =
      vuzp1q_u16(vreinterpretq_u16_u32(vcltzq_f32(x2)), vreinterpretq_u16_u32(vcltzq_f32(x3)));
  return vuzp1q_u8(vreinterpretq_u8_u16(low), vreinterpretq_u8_u16(high));
}

// The lowest `count` bits, 0 <= count < 32.
LCE_NEON_INLINE uint32_t LowBits(int32_t count) { return (uint32_t{1} << count) - 1; }

}  // namespace neon
}  // namespace lce

#endif  // LCE_KERNELS_NEON_SIGNS_H_

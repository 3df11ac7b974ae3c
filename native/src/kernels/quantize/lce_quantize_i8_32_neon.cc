// Int8 to bits, NEON, 32 channels at a time: bit = q < zero_point; see neon_signs.h.
//
// Any int32 is a valid zero point, and 128 (all bits 1) is no int8: the comparison is
// q <= limit with limit = zero_point - 1, clamped to int8, and nothing where zero_point <= -128.
#include <string.h>

#include "kernels/neon_signs.h"

namespace lce {
namespace {

using namespace neon;

struct Limit {
  int8x16_t value;
  uint8x16_t keep;
};

LCE_NEON_INLINE uint32_t FullWord(const int8_t* x, Limit limit) {
  const uint8x16_t low = vcleq_s8(vld1q_s8(x), limit.value);
  const uint8x16_t high = vcleq_s8(vld1q_s8(x + 16), limit.value);
  return MasksToWord(vandq_u8(low, limit.keep), vandq_u8(high, limit.keep));
}

void Run(const void* input, uint32_t* output, size_t pixels, int32_t channels, int32_t zero_point) {
  const int8_t* x = static_cast<const int8_t*>(input);
  const int32_t zero = zero_point < -127 ? -127 : zero_point > 128 ? 128 : zero_point;
  const Limit limit = {vdupq_n_s8(static_cast<int8_t>(zero - 1)),
                       vdupq_n_u8(zero_point > -128 ? 255 : 0)};
  const int32_t rest = channels % 32;
  const size_t full = static_cast<size_t>(channels) / 32;
  for (size_t pixel = 0; pixel < pixels; ++pixel, x += rest) {
    for (size_t i = 0; i < full; ++i, x += 32) *output++ = FullWord(x, limit);
    if (rest > 0) {
      int8_t last[32] = {0};
      memcpy(last, x, static_cast<size_t>(rest));
      *output++ = FullWord(last, limit) & LowBits(rest);
    }
  }
}

}  // namespace

extern const QuantizeKernel lce_quantize_i8_32_neon = {"lce_quantize_i8_32_neon", Isa::kNeon,
                                                       kElementInt8, Run};

}  // namespace lce

// Float to bits, NEON, 32 channels at a time: bit = x < 0 by FCMLT, so that -0.0 and NaN give 0;
// see neon_signs.h.
#include <string.h>

#include "kernels/neon_signs.h"

namespace lce {
namespace {

using namespace neon;

LCE_NEON_INLINE uint8x16_t Negative16(const float* x) {
  return Negative(vld1q_f32(x), vld1q_f32(x + 4), vld1q_f32(x + 8), vld1q_f32(x + 12));
}

LCE_NEON_INLINE uint32_t FullWord(const float* x) {
  return MasksToWord(Negative16(x), Negative16(x + 16));
}

// 0 < count < 32 values; what is missing of the last 16 is read as 0.0.
LCE_NEON_INLINE uint32_t LastWord(const float* x, int32_t count) {
  uint8x16_t low = vdupq_n_u8(0);
  const bool half = count >= 16;
  if (half) low = Negative16(x);
  if (count == 16) return MasksToWord(low, vdupq_n_u8(0));
  float rest[16] = {0};
  const int32_t done = half ? 16 : 0;
  memcpy(rest, x + done, static_cast<size_t>(count - done) * sizeof(float));
  const uint8x16_t last = Negative16(rest);
  return half ? MasksToWord(low, last) : MasksToWord(last, low);
}

void Run(const void* input, uint32_t* output, size_t pixels, int32_t channels, int32_t) {
  const float* x = static_cast<const float*>(input);
  const int32_t rest = channels % 32;
  const size_t full = static_cast<size_t>(channels) / 32;
  if (rest == 0) {  // one stream of words
    for (size_t i = 0; i < pixels * full; ++i) output[i] = FullWord(x + 32 * i);
    return;
  }
  for (size_t pixel = 0; pixel < pixels; ++pixel, x += rest) {
    for (size_t i = 0; i < full; ++i, x += 32) *output++ = FullWord(x);
    *output++ = LastWord(x, rest);
  }
}

}  // namespace

extern const QuantizeKernel lce_quantize_f32_32_neon = {"lce_quantize_f32_32_neon", Isa::kNeon,
                                                        kElementFloat, Run};

}  // namespace lce

// Bits to float, NEON, 32 channels at a time: bit 0 -> `plus`, bit 1 -> `minus`. A word is copied
// to four lanes, each tests its bit, four bits further on with each vector.
#include <string.h>

#include "kernels/neon_signs.h"

namespace lce {
namespace {

using namespace neon;

LCE_NEON_INLINE void FullWord(uint32_t word, float* y, float32x4_t plus, float32x4_t minus) {
  static const uint32_t kBits[4] = {1, 2, 4, 8};
  const uint32x4_t words = vdupq_n_u32(word);
  uint32x4_t bits = vld1q_u32(kBits);
  for (int i = 0; i < 32; i += 4) {
    vst1q_f32(y + i, vbslq_f32(vtstq_u32(words, bits), minus, plus));
    bits = vshlq_n_u32(bits, 4);
  }
}

void Run(const uint32_t* input, void* output, size_t pixels, int32_t channels, const void* plus,
         const void* minus) {
  const float32x4_t zero = vld1q_dup_f32(static_cast<const float*>(plus));
  const float32x4_t one = vld1q_dup_f32(static_cast<const float*>(minus));
  const int32_t rest = channels % 32;
  const size_t full = static_cast<size_t>(channels) / 32;
  float* y = static_cast<float*>(output);
  for (size_t pixel = 0; pixel < pixels; ++pixel, y += rest) {
    for (size_t i = 0; i < full; ++i, y += 32) FullWord(*input++, y, zero, one);
    if (rest > 0) {
      float last[32];
      FullWord(*input++, last, zero, one);
      memcpy(y, last, static_cast<size_t>(rest) * sizeof(float));
    }
  }
}

}  // namespace

extern const DequantizeKernel lce_dequantize_f32_32_neon = {"lce_dequantize_f32_32_neon",
                                                            Isa::kNeon, kElementFloat, Run};

}  // namespace lce

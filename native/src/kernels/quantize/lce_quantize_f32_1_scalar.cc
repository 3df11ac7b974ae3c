// Float to bits, portable: bit = x < 0, so that -0.0 and NaN count as +1 (bit 0).
#include "kernels/scalar_math.h"

namespace lce {
namespace {

void Run(const void* input, uint32_t* output, size_t pixels, int32_t channels, int32_t) {
  const float* x = static_cast<const float*>(input);
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    for (int32_t first = 0; first < channels; first += 32) {
      const int32_t count = MinInt(32, channels - first);
      uint32_t word = 0;
      for (int32_t i = 0; i < count; ++i) word |= static_cast<uint32_t>(x[i] < 0.0f) << i;
      *output++ = word;
      x += count;
    }
  }
}

}  // namespace

extern const QuantizeKernel lce_quantize_f32_1_scalar = {"lce_quantize_f32_1_scalar", Isa::kScalar,
                                                         kElementFloat, Run};

}  // namespace lce

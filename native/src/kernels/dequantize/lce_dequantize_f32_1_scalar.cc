// Bits to float, portable: bit 0 -> `plus`, bit 1 -> `minus`.
#include "kernels/scalar_math.h"

namespace lce {
namespace {

void Run(const uint32_t* input, void* output, size_t pixels, int32_t channels, const void* plus,
         const void* minus) {
  const float value[2] = {*static_cast<const float*>(plus), *static_cast<const float*>(minus)};
  float* y = static_cast<float*>(output);
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    for (int32_t first = 0; first < channels; first += 32) {
      const int32_t count = MinInt(32, channels - first);
      const uint32_t word = *input++;
      for (int32_t i = 0; i < count; ++i) *y++ = value[(word >> i) & 1u];
    }
  }
}

}  // namespace

extern const DequantizeKernel lce_dequantize_f32_1_scalar = {"lce_dequantize_f32_1_scalar",
                                                             Isa::kScalar, kElementFloat, Run};

}  // namespace lce

// Bits to int8, portable: bit 0 -> `plus`, bit 1 -> `minus`.
#include "kernels/scalar_math.h"

namespace lce {
namespace {

void Run(const uint32_t* input, void* output, size_t pixels, int32_t channels, const void* plus,
         const void* minus) {
  const int8_t value[2] = {*static_cast<const int8_t*>(plus), *static_cast<const int8_t*>(minus)};
  int8_t* y = static_cast<int8_t*>(output);
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    for (int32_t first = 0; first < channels; first += 32) {
      const int32_t count = MinInt(32, channels - first);
      const uint32_t word = *input++;
      for (int32_t i = 0; i < count; ++i) *y++ = value[(word >> i) & 1u];
    }
  }
}

}  // namespace

extern const DequantizeKernel lce_dequantize_i8_1_scalar = {"lce_dequantize_i8_1_scalar",
                                                            Isa::kScalar, kElementInt8, Run};

}  // namespace lce

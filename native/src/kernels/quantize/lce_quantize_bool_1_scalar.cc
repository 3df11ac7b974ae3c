// Bool to bits, portable: true is +1 (bit 0), false is -1 (bit 1).
#include "kernels/scalar_math.h"

namespace lce {
namespace {

void Run(const void* input, uint32_t* output, size_t pixels, int32_t channels, int32_t) {
  const uint8_t* x = static_cast<const uint8_t*>(input);
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    for (int32_t first = 0; first < channels; first += 32) {
      const int32_t count = MinInt(32, channels - first);
      uint32_t word = 0;
      for (int32_t i = 0; i < count; ++i) word |= static_cast<uint32_t>(x[i] == 0) << i;
      *output++ = word;
      x += count;
    }
  }
}

}  // namespace

extern const QuantizeKernel lce_quantize_bool_1_scalar = {"lce_quantize_bool_1_scalar",
                                                          Isa::kScalar, kElementBool, Run};

}  // namespace lce

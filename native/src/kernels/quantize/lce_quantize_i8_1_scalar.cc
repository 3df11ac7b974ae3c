// Int8 to bits, portable: bit = q < zero_point; any int32 is a valid zero point.
#include "kernels/scalar_math.h"

namespace lce {
namespace {

void Run(const void* input, uint32_t* output, size_t pixels, int32_t channels, int32_t zero_point) {
  const int8_t* x = static_cast<const int8_t*>(input);
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    for (int32_t first = 0; first < channels; first += 32) {
      const int32_t count = MinInt(32, channels - first);
      uint32_t word = 0;
      for (int32_t i = 0; i < count; ++i) word |= static_cast<uint32_t>(x[i] < zero_point) << i;
      *output++ = word;
      x += count;
    }
  }
}

}  // namespace

extern const QuantizeKernel lce_quantize_i8_1_scalar = {"lce_quantize_i8_1_scalar", Isa::kScalar,
                                                        kElementInt8, Run};

}  // namespace lce

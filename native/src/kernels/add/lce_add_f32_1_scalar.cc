// Fused addition, portable: y = min(max(a + b, min), max), bit = y < 0.
#include "kernels/scalar_math.h"

namespace lce {
namespace {

void Run(const AddArgs* args, size_t pixel_begin, size_t pixel_end) {
  const int32_t channels = args->channels;
  const size_t words = (static_cast<size_t>(channels) + 31) / 32;
  for (size_t pixel = pixel_begin; pixel < pixel_end; ++pixel) {
    const float* a = args->a + pixel * channels;
    const float* b = args->b + pixel * channels;
    float* output = args->output ? args->output + pixel * channels : nullptr;
    uint32_t* bits = args->bits ? args->bits + pixel * words : nullptr;
    for (int32_t first = 0; first < channels; first += 32) {
      const int32_t end = MinInt(first + 32, channels);
      uint32_t word = 0;
      for (int32_t c = first; c < end; ++c) {
        const float y = ClampFloat(a[c] + b[c], args->min, args->max);
        if (output) output[c] = y;
        word |= static_cast<uint32_t>(y < 0.0f) << (c - first);
      }
      if (bits) bits[first / 32] = word;
    }
  }
}

}  // namespace

extern const AddKernel lce_add_f32_1_scalar = {"lce_add_f32_1_scalar", Isa::kScalar, Run};

}  // namespace lce

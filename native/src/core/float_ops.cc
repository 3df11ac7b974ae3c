#include "core/float_ops.h"

#include "core/memory.h"

namespace lce {

void AffineClamp(const float* input, float* output, size_t pixels, int32_t channels,
                 const float* multiply, const float* add, int32_t constants, float min, float max) {
  for (size_t p = 0; p < pixels; ++p) {
    for (int32_t c = 0; c < channels; ++c) {
      const int32_t i = constants == 1 ? 0 : c;
      float y = *input++;
      if (multiply != nullptr) y = y * multiply[i];
      if (add != nullptr) y = y + add[i];
      *output++ = Min(Max(y, min), max);
    }
  }
}

void MaxPool(const float* input, float* output, const Axis& rows, const Axis& columns,
             int64_t batch, int32_t channels, float min, float max) {
  const size_t image = static_cast<size_t>(rows.input) * columns.input * channels;
  for (int64_t n = 0; n < batch; ++n, input += image) {
    for (int32_t y = 0; y < rows.output; ++y) {
      const int32_t top = Max(y * rows.stride - rows.pad_before, 0);
      const int32_t bottom = Min(y * rows.stride - rows.pad_before + rows.kernel, rows.input);
      for (int32_t x = 0; x < columns.output; ++x) {
        const int32_t left = Max(x * columns.stride - columns.pad_before, 0);
        const int32_t right =
            Min(x * columns.stride - columns.pad_before + columns.kernel, columns.input);
        for (int32_t c = 0; c < channels; ++c) {
          float best = -__builtin_inff();
          for (int32_t iy = top; iy < bottom; ++iy) {
            for (int32_t ix = left; ix < right; ++ix) {
              best =
                  Max(best, input[(static_cast<size_t>(iy) * columns.input + ix) * channels + c]);
            }
          }
          *output++ = Min(Max(best, min), max);
        }
      }
    }
  }
}

}  // namespace lce

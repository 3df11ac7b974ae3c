// Plain float operators, for the rare case that one was claimed and could not be merged with its
// neighbours (see docs/native/how_it_works.md).
#ifndef LCE_CORE_FLOAT_OPS_H_
#define LCE_CORE_FLOAT_OPS_H_

#include <stddef.h>
#include <stdint.h>

#include "core/geometry.h"

namespace lce {

// output[i] = clamp(input[i] * multiply + add); constants per channel, or one for all if
// `constants` is 1, or null for none. `input` may be `output`.
void AffineClamp(const float* input, float* output, size_t pixels, int32_t channels,
                 const float* multiply, const float* add, int32_t constants, float min, float max);

// Maximum over the part of each window that lies in the image, then clamp.
void MaxPool(const float* input, float* output, const Axis& rows, const Axis& columns,
             int64_t batch, int32_t channels, float min, float max);

}  // namespace lce

#endif  // LCE_CORE_FLOAT_OPS_H_

// Windows sliding over images, as TensorFlow defines them.
#ifndef LCE_CORE_GEOMETRY_H_
#define LCE_CORE_GEOMETRY_H_

#include <stdint.h>

#include "core/error.h"

namespace lce {

// One axis (height or width) of a convolution or pooling.
struct Axis {
  int32_t input, kernel, stride, dilation;
  int32_t output;      // positions of the window
  int32_t pad_before;  // positions outside the image before it
  int32_t window;      // extent of the dilated kernel: (kernel - 1) * dilation + 1
  int32_t extent;      // what all windows together cover: (output - 1) * stride + window

  // Taps of the window at `position` that lie before and after the image. Both at most
  // `kernel`.
  void Outside(int32_t position, int32_t* before, int32_t* after) const;
};

// SAME: output = ceil(input / stride), the padding that this takes is split with the smaller
// half first. VALID: no padding, output = floor((input - window) / stride) + 1.
//
// Fails if a value is out of range or no window fits into the image.
bool MakeAxis(const char* name, int64_t input, int64_t kernel, int64_t stride, int64_t dilation,
              bool same, Axis* axis, Error* error);

}  // namespace lce

#endif  // LCE_CORE_GEOMETRY_H_

#include "core/geometry.h"

#include "core/memory.h"

namespace lce {

void Axis::Outside(int32_t position, int32_t* before, int32_t* after) const {
  const int32_t first = position * stride - pad_before;
  *before = first >= 0 ? 0 : Min(kernel, DivideUp(-first, dilation));
  const int32_t past = first + window - input;  // positions past the image's end
  *after = past <= 0 ? 0 : Min(kernel, DivideUp(past, dilation));
}

bool MakeAxis(const char* name, int64_t input, int64_t kernel, int64_t stride, int64_t dilation,
              bool same, Axis* axis, Error* error) {
  constexpr int64_t kMax = 1 << 24;  // keeps every product below within 64 bits
  if (input < 1 || input > kMax) {
    return error->Set("input %s must be 1 to %lld, got %lld", name, (long long)kMax,
                      (long long)input);
  }
  if (kernel < 1 || kernel > kMax) {
    return error->Set("filter %s must be 1 to %lld, got %lld", name, (long long)kMax,
                      (long long)kernel);
  }
  if (stride < 1 || stride > kMax) {
    return error->Set("stride_%s must be 1 to %lld, got %lld", name, (long long)kMax,
                      (long long)stride);
  }
  if (dilation < 1 || dilation > kMax) {
    return error->Set("dilation_%s_factor must be 1 to %lld, got %lld", name, (long long)kMax,
                      (long long)dilation);
  }
  const int64_t window = (kernel - 1) * dilation + 1;
  if (!same && window > input) {
    return error->Set("a window of %s %lld does not fit into an image of %s %lld", name,
                      (long long)window, name, (long long)input);
  }
  const int64_t output = same ? (input + stride - 1) / stride : (input - window) / stride + 1;
  const int64_t extent = (output - 1) * stride + window;
  if (extent > kMax) {
    return error->Set("a window of %s %lld is too large", name, (long long)window);
  }
  const int64_t padding = same && extent > input ? extent - input : 0;
  axis->input = static_cast<int32_t>(input);
  axis->kernel = static_cast<int32_t>(kernel);
  axis->stride = static_cast<int32_t>(stride);
  axis->dilation = static_cast<int32_t>(dilation);
  axis->output = static_cast<int32_t>(output);
  axis->pad_before = static_cast<int32_t>(padding / 2);
  axis->window = static_cast<int32_t>(window);
  axis->extent = static_cast<int32_t>(extent);
  return true;
}

}  // namespace lce

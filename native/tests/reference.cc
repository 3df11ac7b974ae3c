#include "reference.h"

#include <string.h>
#include <algorithm>
#include <limits>

#include "core/denormals.h"
#include "core/flexbuffer.h"

namespace lce {
namespace testing {
namespace {

int Words(int channels) { return (channels + 31) / 32; }

size_t Elements(const Dims& dims) {
  size_t count = 1;
  for (const int size : dims) count *= size;
  return count;
}

size_t Pixels(const Dims& dims) {
  size_t count = 1;
  for (size_t i = 0; i + 1 < dims.size(); ++i) count *= dims[i];
  return count;
}

template <typename T>
T* As(const View& view) {
  return reinterpret_cast<T*>(view.data);
}

template <typename Params>
Params Read(const ModelNode& node) {
  Params params;
  memset(&params, 0, sizeof params);
  memcpy(&params, node.options.data(), std::min(sizeof params, node.options.size()));
  return params;
}

bool ReadOptions(const ModelNode& node, const IntMap& names, std::vector<int64_t>* values) {
  NamedInt wanted[8];
  for (size_t i = 0; i < names.size(); ++i) wanted[i] = {names[i].first, 0, false};
  Error error;
  if (!ReadIntMap(node.options.data(), node.options.size(), wanted, names.size(), &error)) {
    return false;
  }
  for (size_t i = 0; i < names.size(); ++i) values->push_back(wanted[i].value);
  return true;
}

bool ReadConv(const ModelNode& node, ConvOptions* o) {
  std::vector<int64_t> v;
  if (!ReadOptions(node, o->Map(), &v)) return false;
  *o = {v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]};
  return true;
}

bool ReadPool(const ModelNode& node, PoolOptions* o) {
  if (node.builtin == tfl::kMaxPool2d) {
    const tfl::PoolParams p = Read<tfl::PoolParams>(node);
    *o = {p.padding == tfl::kPaddingSame ? 0 : 1, p.stride_height, p.stride_width, p.filter_height,
          p.filter_width};
    return true;
  }
  std::vector<int64_t> v;
  if (!ReadOptions(node, o->Map(), &v)) return false;
  *o = {v[0], v[1], v[2], v[3], v[4]};
  return true;
}

// TensorFlow's rule; `before` is the padding in front.
bool Slide(int input, int64_t filter, int64_t stride, int64_t dilation, bool same, int* output,
           int* before) {
  const int64_t window = (filter - 1) * dilation + 1;
  *before = 0;
  if (same) {
    const int64_t count = (input + stride - 1) / stride;
    *output = static_cast<int>(count);
    *before = static_cast<int>(std::max<int64_t>((count - 1) * stride + window - input, 0) / 2);
    return true;
  }
  if (window > input) return false;
  *output = static_cast<int>((input - window) / stride + 1);
  return true;
}

void Range(int activation, float* min, float* max) {
  const float infinity = std::numeric_limits<float>::infinity();
  *min = activation == tfl::kActRelu || activation == tfl::kActRelu6 ? 0 : -infinity;
  *max = activation == tfl::kActRelu6 ? 6 : infinity;
  if (activation == tfl::kActReluN1To1) *min = -1, *max = 1;
}

float Clamp(float x, float min, float max) { return std::min(std::max(x, min), max); }

int8_t RoundHalfAway(float y) {
  if (y != y) return 0;
  const double clamped = Clamp(y, -128, 127);
  return static_cast<int8_t>(clamped < 0 ? -static_cast<int>(0.5 - clamped)
                                         : static_cast<int>(clamped + 0.5));
}

void Quantize(const View& in, View* out) {
  const int channels = in.dims.back(), words = Words(channels);
  if (Elements(out->dims) > 0) memset(out->data, 0, 4 * Elements(out->dims));
  for (size_t i = 0; i < Elements(in.dims); ++i) {
    bool bit = false;
    if (in.type == tfl::kFloat32) bit = As<float>(in)[i] < 0;
    if (in.type == tfl::kInt8) bit = As<int8_t>(in)[i] < in.zero_point;
    if (in.type == tfl::kBool) bit = in.data[i] == 0;
    const size_t c = i % channels;
    if (bit) As<uint32_t>(*out)[i / channels * words + c / 32] |= 1u << c % 32;
  }
}

void Dequantize(const View& in, View* out) {
  const int channels = out->dims.back(), words = Words(channels);
  // Of a number from 1 to 256; past that the values saturate.
  const double inverse = std::min(1.0f / out->scale + 0.5f, 512.0f);
  const int64_t one = static_cast<int64_t>(inverse);
  const auto saturate = [](int64_t v) {
    return static_cast<int8_t>(std::min<int64_t>(127, std::max<int64_t>(-128, v)));
  };
  for (size_t i = 0; i < Elements(out->dims); ++i) {
    const size_t c = i % channels;
    const bool bit = As<uint32_t>(in)[i / channels * words + c / 32] >> c % 32 & 1;
    if (out->type == tfl::kFloat32) As<float>(*out)[i] = bit ? -1.0f : 1.0f;
    if (out->type == tfl::kInt8) {
      As<int8_t>(*out)[i] = saturate(bit ? out->zero_point - one : out->zero_point + one);
    }
    if (out->type == tfl::kBool) out->data[i] = !bit;
  }
}

void BinaryPool(const View& in, const PoolOptions& o, View* out) {
  int height, width, top, left;
  Slide(in.dims[1], o.filter_height, o.stride_height, 1, o.padding == 0, &height, &top);
  Slide(in.dims[2], o.filter_width, o.stride_width, 1, o.padding == 0, &width, &left);
  const int words = in.dims[3];
  for (size_t i = 0; i < Elements(out->dims); ++i) {
    const int w = static_cast<int>(i % words), x = static_cast<int>(i / words % width);
    const int y = static_cast<int>(i / words / width % height);
    const size_t n = i / words / width / height;
    uint32_t all = ~0u;
    for (int fy = 0; fy < o.filter_height; ++fy) {
      for (int fx = 0; fx < o.filter_width; ++fx) {
        const int64_t iy = y * o.stride_height - top + fy, ix = x * o.stride_width - left + fx;
        if (iy < 0 || ix < 0 || iy >= in.dims[1] || ix >= in.dims[2]) continue;
        all &= As<uint32_t>(in)[((n * in.dims[1] + iy) * in.dims[2] + ix) * words + w];
      }
    }
    As<uint32_t>(*out)[i] = all;
  }
}

void FloatPool(const View& in, const PoolOptions& o, int activation, View* out) {
  int height, width, top, left;
  Slide(in.dims[1], o.filter_height, o.stride_height, 1, o.padding == 0, &height, &top);
  Slide(in.dims[2], o.filter_width, o.stride_width, 1, o.padding == 0, &width, &left);
  float min, max;
  Range(activation, &min, &max);
  const int channels = in.dims[3];
  for (size_t i = 0; i < Elements(out->dims); ++i) {
    const int c = static_cast<int>(i % channels), x = static_cast<int>(i / channels % width);
    const int y = static_cast<int>(i / channels / width % height);
    const size_t n = i / channels / width / height;
    float best = -std::numeric_limits<float>::infinity();
    for (int fy = 0; fy < o.filter_height; ++fy) {
      for (int fx = 0; fx < o.filter_width; ++fx) {
        const int64_t iy = y * o.stride_height - top + fy, ix = x * o.stride_width - left + fx;
        if (iy < 0 || ix < 0 || iy >= in.dims[1] || ix >= in.dims[2]) continue;
        best =
            std::max(best, As<float>(in)[((n * in.dims[1] + iy) * in.dims[2] + ix) * channels + c]);
      }
    }
    As<float>(*out)[i] = Clamp(best, min, max);
  }
}

// One output channel's part in float and int8 output.
struct Affine {
  float multiplier, bias;
};

void Conv(const ConvOptions& o, const std::vector<View>& inputs, bool keras, View* out) {
  const View& in = inputs[0];
  const View& weights = inputs[1];
  const int out_channels = weights.dims[0], kh = weights.dims[1], kw = weights.dims[2];
  const int group_words = weights.dims[3], words = in.dims[3], groups = words / group_words;
  const int group_in = static_cast<int>(o.channels_in) / groups;
  const int group_out = out_channels / groups;
  const bool same = o.padding == 0, zero = same && o.pad_values == 0;
  int height, width, top, left;
  Slide(in.dims[1], kh, o.stride_height, o.dilation_height, same, &height, &top);
  Slide(in.dims[2], kw, o.stride_width, o.dilation_width, same, &width, &left);
  const int bits = kh * kw * group_in;  // K
  int low = -bits, high = bits;
  if (o.activation == 1 || o.activation == 3) low = 0;
  if (o.activation == 3) high = std::min(high, 6);
  if (o.activation == 2) low = std::max(low, -1), high = std::min(high, 1);
  const bool small =
      in.dims[1] < (kh - 1) * o.dilation_height + 1 || in.dims[2] < (kw - 1) * o.dilation_width + 1;
  // LCE's fast kernels add what zero padding takes away to the float; where LCE does not compute
  // a case, or wrongly, the integers are right.
  const bool in_floats =
      zero && out->type == tfl::kFloat32 && o.activation == 0 && !small && !keras;
  const bool is_int8 = out->type == tfl::kInt8, is_bits = out->type == tfl::kInt32;
  const double scale = is_int8 ? out->scale : 1.0, zero_point = is_int8 ? out->zero_point : 0.0;
  std::vector<Affine> affine(is_bits ? 0 : out_channels);
  for (size_t c = 0; c < affine.size(); ++c) {
    const double g = As<float>(inputs[2])[c], b = As<float>(inputs[3])[c];
    affine[c].multiplier = static_cast<float>(-1 * g / scale);
    affine[c].bias = static_cast<float>((b + (keras ? 0.0 : bits) * g) / scale + zero_point);
  }
  if (is_bits && Elements(out->dims) > 0) memset(out->data, 0, 4 * Elements(out->dims));
  const size_t pixels = static_cast<size_t>(in.dims[0]) * height * width;
  for (size_t p = 0; p < pixels; ++p) {
    const int x = static_cast<int>(p % width), y = static_cast<int>(p / width % height);
    const size_t n = p / width / height;
    for (int c = 0; c < out_channels; ++c) {
      const int group = c / group_out;
      int acc = 0, outside = 0;  // outside: sum of the weights there
      bool border = false;
      for (int tap = 0; tap < kh * kw; ++tap) {
        const int64_t iy = y * o.stride_height - top + tap / kw * o.dilation_height;
        const int64_t ix = x * o.stride_width - left + tap % kw * o.dilation_width;
        const bool inside = iy >= 0 && ix >= 0 && iy < in.dims[1] && ix < in.dims[2];
        const uint32_t* w =
            As<uint32_t>(weights) + (static_cast<size_t>(c) * kh * kw + tap) * group_words;
        const uint32_t* image = As<uint32_t>(in);
        if (inside) {
          image += ((n * in.dims[1] + iy) * in.dims[2] + ix) * words + group * group_words;
        }
        int different = 0;
        for (int i = 0; i < group_words; ++i) {
          different += __builtin_popcount(w[i] ^ (inside ? image[i] : 0));
        }
        acc += different;
        if (!inside) border = true, outside += group_in - 2 * different;
      }
      if (!zero) outside = 0;
      if (is_bits) {
        const int32_t threshold = As<int32_t>(inputs[4])[c];
        // acc + outside / 2 > threshold
        bool bit = 2 * int64_t{acc} + outside > 2 * int64_t{threshold};
        if (threshold == INT32_MIN || threshold == INT32_MAX) bit = threshold == INT32_MIN;
        if (bit) As<uint32_t>(*out)[p * Words(out_channels) + c / 32] |= 1u << c % 32;
        continue;
      }
      int t = 2 * acc + (in_floats ? 0 : outside);
      t = std::min(std::max(t, bits - high), bits - low);
      if (keras) t -= bits;
      float result = static_cast<float>(t) * affine[c].multiplier;
      result = result + affine[c].bias;
      if (in_floats && border) {
        result = result + -As<float>(inputs[2])[c] * static_cast<float>(outside);
      }
      const size_t at = p * out_channels + c;
      if (is_int8) {
        As<int8_t>(*out)[at] = RoundHalfAway(result);
      } else {
        As<float>(*out)[at] = result;
      }
    }
  }
}

void AddOrMultiply(const ModelNode& node, const std::vector<View>& inputs, View* out) {
  float min, max;
  Range(Read<tfl::ActivationParams>(node).activation, &min, &max);
  // Either of the output's shape, or one value per channel, or one value.
  const auto at = [&](const View& view, size_t i) {
    const size_t count = Elements(view.dims);
    return As<float>(view)[count == Elements(out->dims) ? i : i % count];
  };
  for (size_t i = 0; i < Elements(out->dims); ++i) {
    const float a = at(inputs[0], i), b = at(inputs[1], i);
    const float y = node.builtin == tfl::kMul ? a * b : a + b;
    As<float>(*out)[i] = Clamp(y, min, max);
  }
}

}  // namespace

bool InferShape(const ModelNode& node, const std::vector<View>& inputs, const View& declared,
                Dims* dims) {
  if (inputs.empty()) return false;
  *dims = inputs[0].dims;
  int before;
  if (node.builtin == tfl::kAdd || node.builtin == tfl::kMul) {
    const Dims& other = inputs[1].dims;
    const size_t count_a = Elements(*dims), count_b = Elements(other);
    if (other.size() > dims->size() || (other.size() == dims->size() && count_b > count_a)) {
      *dims = other;
    }
    const size_t channels = dims->empty() ? 1 : static_cast<size_t>(dims->back());
    for (const View& input : inputs) {
      const size_t count = Elements(input.dims);
      const bool fits = count == 1 || count == channels;
      if (input.dims != *dims && !fits) return false;
    }
    return true;
  }
  if (node.builtin == tfl::kMaxPool2d || node.custom == "LceBMaxPool2d") {
    PoolOptions o;
    return dims->size() == 4 && ReadPool(node, &o) &&
           Slide(inputs[0].dims[1], o.filter_height, o.stride_height, 1, o.padding == 0,
                 &(*dims)[1], &before) &&
           Slide(inputs[0].dims[2], o.filter_width, o.stride_width, 1, o.padding == 0, &(*dims)[2],
                 &before);
  }
  if (node.builtin != tfl::kCustom) return true;
  if (node.custom == "LceQuantize") dims->back() = Words(dims->back());
  if (node.custom == "LceDequantize") dims->back() = declared.dims.back();
  if (node.custom != "LceBconv2d") return true;
  ConvOptions o;
  if (dims->size() != 4 || !ReadConv(node, &o)) return false;
  const Dims& w = inputs[1].dims;
  (*dims)[3] = declared.type == tfl::kInt32 ? Words(w[0]) : w[0];
  return Slide(inputs[0].dims[1], w[1], o.stride_height, o.dilation_height, o.padding == 0,
               &(*dims)[1], &before) &&
         Slide(inputs[0].dims[2], w[2], o.stride_width, o.dilation_width, o.padding == 0,
               &(*dims)[2], &before);
}

bool Evaluate(const ModelNode& node, const std::vector<View>& inputs, bool keras,
              std::vector<View>* outputs) {
  const FlushDenormals flush;
  View& out = (*outputs)[0];
  switch (node.builtin) {
    case kCopy:
      for (View& copy : *outputs) {
        const size_t bytes = TensorBytes(copy.type, copy.dims);
        if (bytes > 0) memcpy(copy.data, inputs[0].data, bytes);  // 0: no addresses
      }
      return true;
    case tfl::kAdd:
    case tfl::kMul:
      AddOrMultiply(node, inputs, &out);
      return true;
    case tfl::kRelu:
    case tfl::kRelu6:
    case tfl::kReluN1To1: {
      float min, max;
      Range(node.builtin == tfl::kRelu    ? tfl::kActRelu
            : node.builtin == tfl::kRelu6 ? tfl::kActRelu6
                                          : tfl::kActReluN1To1,
            &min, &max);
      for (size_t i = 0; i < Elements(out.dims); ++i) {
        As<float>(out)[i] = Clamp(As<float>(inputs[0])[i], min, max);
      }
      return true;
    }
    case tfl::kMaxPool2d: {
      PoolOptions o;
      ReadPool(node, &o);
      FloatPool(inputs[0], o, Read<tfl::PoolParams>(node).activation, &out);
      return true;
    }
    default:
      break;
  }
  if (node.custom == "LceQuantize") return Quantize(inputs[0], &out), true;
  if (node.custom == "LceDequantize") return Dequantize(inputs[0], &out), true;
  if (node.custom == "LceBMaxPool2d") {
    PoolOptions o;
    if (!ReadPool(node, &o)) return false;
    BinaryPool(inputs[0], o, &out);
    return true;
  }
  ConvOptions o;
  if (node.custom != "LceBconv2d" || !ReadConv(node, &o)) return false;
  Conv(o, inputs, keras, &out);
  return true;
}

double Cost(const ModelNode& node, const std::vector<View>& inputs, const Dims& output) {
  double cost = static_cast<double>(Elements(output));
  if (node.custom == "LceBconv2d") {
    cost = static_cast<double>(Pixels(output)) * static_cast<double>(Elements(inputs[1].dims));
  }
  PoolOptions o;
  if (node.builtin == tfl::kMaxPool2d || node.custom == "LceBMaxPool2d") {
    if (ReadPool(node, &o)) cost *= static_cast<double>(o.filter_height * o.filter_width);
  }
  return cost;
}

Reference::Reference(const Model& model, bool keras)
    : model_(model), keras_(keras), views_(model.tensors.size()), data_(model.tensors.size()) {
  for (size_t i = 0; i < views_.size(); ++i) {
    const ModelTensor& tensor = model.tensors[i];
    views_[i] = {tensor.type, tensor.dims, nullptr, tensor.scale, tensor.zero_point};
    // Evaluate only reads constants.
    views_[i].data = const_cast<uint8_t*>(tensor.data.data());
  }
}

void Reference::SetInput(int tensor, const Dims& dims, const void* data, size_t bytes) {
  const uint8_t* begin = static_cast<const uint8_t*>(data);
  data_[tensor].assign(begin, begin + bytes);
  views_[tensor].dims = dims;
  views_[tensor].data = data_[tensor].data();
}

Reference::Result Reference::Run(double max_cost) {
  double cost = 0;
  for (const ModelNode& node : model_.nodes) {
    std::vector<View> inputs, outputs;
    for (const int i : node.inputs) inputs.push_back(i < 0 ? View() : views_[i]);
    for (const int i : node.outputs) {
      View& view = views_[i];
      const View declared = view;
      if (!InferShape(node, inputs, declared, &view.dims)) return Result::kImpossible;
      cost += Cost(node, inputs, view.dims);
      if (cost > max_cost) return Result::kTooExpensive;
      data_[i].resize(TensorBytes(view.type, view.dims));
      view.data = data_[i].data();
      outputs.push_back(view);
    }
    if (!Evaluate(node, inputs, keras_, &outputs)) return Result::kImpossible;
  }
  return Result::kDone;
}

}  // namespace testing
}  // namespace lce

#include "random_model.h"

#include <string.h>
#include <algorithm>

namespace lce {
namespace testing {
namespace {

class Builder {
 public:
  Builder(Choices* choices, const Limits& limits)
      : c_(*choices), limits_(limits), contents_(choices->Contents()) {}

  Model Build() {
    Start();
    const int layers = c_.Int(1, limits_.max_layers);
    for (int i = 0; i < layers; ++i) AddLayer();
    std::vector<int> uses(model_.tensors.size());
    for (const ModelNode& node : model_.nodes) {
      for (const int t : node.inputs) {
        if (t >= 0) ++uses[t];
      }
    }
    for (const int t : made_) {
      if (uses[t] == 0 || c_.OneIn(12)) model_.outputs.push_back(t);
    }
    return std::move(model_);
  }

 private:
  const ModelTensor& At(int t) const { return model_.tensors[t]; }
  bool IsPacked(int t) const { return At(t).packed_channels > 0; }
  bool IsFloat(int t) const { return At(t).type == tfl::kFloat32; }
  bool IsImage(int t) const { return At(t).dims.size() == 4; }
  int Channels(int t) const { return IsPacked(t) ? At(t).packed_channels : At(t).dims.back(); }

  int AnyChannels() {
    if (c_.OneIn(3)) return std::min(32 * c_.Int(1, 4), limits_.max_channels);
    return c_.Int(1, c_.OneIn(3) ? limits_.max_channels : std::min(40, limits_.max_channels));
  }
  Dims AnyDims() {
    if (c_.OneIn(12)) {  // any rank
      Dims dims(static_cast<size_t>(c_.Int(1, 8)));
      for (int& size : dims) size = c_.Int(1, dims.size() > 4 ? 2 : 3);
      dims.back() = AnyChannels();
      return dims;
    }
    const int height = c_.Int(1, limits_.max_size), width = c_.Int(1, limits_.max_size);
    return {c_.OneIn(4) ? c_.Int(2, 3) : 1, height, width, AnyChannels()};
  }

  void Start() {
    const Dims dims = AnyDims();
    const uint32_t kind = c_.Below(8);
    int input;
    if (kind < 4) {
      input = model_.AddPacked(dims);
    } else {
      input = model_.Add(kind == 4 ? tfl::kInt8 : kind == 5 ? tfl::kBool : tfl::kFloat32, dims);
      if (kind == 4) Quantization(input);
    }
    model_.inputs.push_back(input);
    live_.push_back(input);
  }

  void Quantization(int t) {
    static const float scales[] = {1.0f, 0.5f, 0.0625f, 3.0f, 0.001f, 1e-30f, 1e30f};
    model_.tensors[t].scale = scales[c_.Below(7)];
    model_.tensors[t].zero_point = c_.OneIn(3) ? c_.Int(-200, 200) : c_.Int(-2, 2);
  }

  int Result(int type, Dims dims) { return Live(model_.Add(type, std::move(dims))); }
  int Live(int t) {
    live_.push_back(t);
    made_.push_back(t);
    return t;
  }

  void AddLayer() {
    // The last one, most of the time: graphs are mostly chains.
    const int t = c_.OneIn(4) ? live_[c_.Below(static_cast<uint32_t>(live_.size()))] : live_.back();
    if (IsPacked(t)) {
      const uint32_t kind = c_.Below(8);
      if (kind == 7 || !IsImage(t)) return AddDequantize(t);
      return kind == 6 ? AddBinaryPool(t) : AddConv(t);
    }
    if (!IsFloat(t)) return AddQuantize(t);
    switch (c_.Below(10)) {
      case 0:
      case 1:
        return AddClamp(t);
      case 2:
        return AddConstantOperator(t, tfl::kMul);
      case 3:
        return AddConstantOperator(t, tfl::kAdd);
      case 4:
      case 5:
        return AddAddition(t);
      case 6:
        return IsImage(t) ? AddFloatPool(t) : AddQuantize(t);
      case 7:
        return c_.OneIn(3) ? AddCopy(t) : AddQuantize(t);
      default:
        return AddQuantize(t);
    }
  }

  void AddQuantize(int t) {
    model_.AddNode("LceQuantize", {t}, -1, {});
    model_.nodes.back().outputs = {Live(model_.AddPacked(At(t).dims))};
  }

  void AddDequantize(int t) {
    Dims dims = At(t).dims;
    dims.back() = Channels(t);
    const int types[] = {tfl::kFloat32, tfl::kInt8, tfl::kBool};
    const int result = Result(types[c_.Below(3)], dims);
    if (At(result).type == tfl::kInt8) Quantization(result);
    model_.AddNode("LceDequantize", {t}, result, {});
  }

  static int Window(int kernel, int dilation) { return (kernel - 1) * dilation + 1; }

  // A filter and padding that fit the image.
  int Filter(int size, int dilation, bool same) {
    int filter = c_.Int(1, limits_.max_kernel);
    while (!same && Window(filter, dilation) > size) --filter;
    return filter;
  }
  static int Slide(int size, int window, int64_t stride, bool same) {
    const int64_t positions = same ? size + stride - 1 : size - window + stride;
    return static_cast<int>(positions / stride);
  }

  void AddBinaryPool(int t) {
    PoolOptions o;
    const bool same = c_.OneIn(2);
    o.padding = same ? 0 : 1;
    o.stride_height = c_.Int(1, 3);
    o.stride_width = c_.Int(1, 3);
    Dims dims = At(t).dims;
    o.filter_height = Filter(dims[1], 1, same);
    o.filter_width = Filter(dims[2], 1, same);
    dims[1] = Slide(dims[1], static_cast<int>(o.filter_height), o.stride_height, same);
    dims[2] = Slide(dims[2], static_cast<int>(o.filter_width), o.stride_width, same);
    dims[3] = Channels(t);
    const int result = Live(model_.AddPacked(dims));
    model_.AddNode("LceBMaxPool2d", {t}, result, FlexbufferMap(o.Map()));
  }

  void AddConv(int t) {
    ConvOptions o;
    const bool same = c_.OneIn(2);
    o.channels_in = Channels(t);
    o.padding = same ? 0 : 1;
    o.pad_values = c_.OneIn(2);
    o.stride_height = c_.OneIn(3) ? c_.Int(2, 3) : 1;
    o.stride_width = c_.OneIn(3) ? c_.Int(2, 3) : 1;
    o.dilation_height = c_.OneIn(5) ? c_.Int(2, 3) : 1;
    o.dilation_width = c_.OneIn(5) ? c_.Int(2, 3) : 1;
    o.activation = c_.OneIn(4) ? c_.Int(1, 3) : 0;
    Dims dims = At(t).dims;
    const int dilation_y = static_cast<int>(o.dilation_height);
    const int dilation_x = static_cast<int>(o.dilation_width);
    const int kh = Filter(dims[1], dilation_y, same), kw = Filter(dims[2], dilation_x, same);
    dims[1] = Slide(dims[1], Window(kh, dilation_y), o.stride_height, same);
    dims[2] = Slide(dims[2], Window(kw, dilation_x), o.stride_width, same);
    const int words = dims[3];
    int groups = 1, out = AnyChannels();
    if (Channels(t) % 32 == 0 && words > 1 && c_.OneIn(2)) {
      groups = words % 2 == 0 && c_.OneIn(2) ? 2 : words;
      out = groups * c_.Int(1, std::max(1, std::min(40, limits_.max_channels / groups)));
    }
    const int group_words = words / groups;
    std::vector<uint32_t> bits(static_cast<size_t>(out) * kh * kw * group_words);
    const int tail = Channels(t) % 32;
    for (size_t i = 0; i < bits.size(); ++i) {
      bits[i] = static_cast<uint32_t>(contents_.Next());
      if (tail != 0 && (i + 1) % group_words == 0) bits[i] &= (1u << tail) - 1;
    }
    const int weights = model_.AddConstant(tfl::kInt32, {out, kh, kw, group_words}, bits);
    const int window_bits = kh * kw * Channels(t) / groups;
    const uint32_t kind = c_.Below(8);
    dims[3] = out;
    int multiplier = -1, bias = -1, threshold = -1, result;
    if (kind < 2) {
      std::vector<int32_t> thresholds(static_cast<size_t>(out));
      for (int32_t& value : thresholds) {
        value = contents_.Int(-2, window_bits + 2);
        if (contents_.OneIn(2)) value = window_bits / 2 + contents_.Int(-3, 3);
        if (contents_.OneIn(16)) value = contents_.OneIn(2) ? INT32_MIN : INT32_MAX;
        if (contents_.OneIn(64)) value = static_cast<int32_t>(contents_.Next());
      }
      threshold = model_.AddConstant(tfl::kInt32, {out}, thresholds);
      result = Live(model_.AddPacked(dims));
    } else {
      const bool odd = limits_.odd_values;
      multiplier = model_.AddConstant(tfl::kFloat32, {out}, Floats(out, 1.0f, odd));
      bias = model_.AddConstant(tfl::kFloat32, {out},
                                Floats(out, static_cast<float>(window_bits), odd));
      result = Result(kind == 2 ? tfl::kInt8 : tfl::kFloat32, dims);
      if (kind == 2) Quantization(result);
    }
    const Bytes options =
        c_.OneIn(4) ? FlexbufferMap(o.Map(), 1 << c_.Int(1, 3)) : FlexbufferMap(o.Map());
    model_.AddNode("LceBconv2d", {t, weights, multiplier, bias, threshold}, result, options);
  }

  std::vector<float> Floats(int count, float range, bool odd) {
    std::vector<float> values(static_cast<size_t>(count));
    const bool round = contents_.OneIn(2);  // ties and zeros become likely
    for (float& value : values) {
      value = round ? static_cast<float>(contents_.Int(-4, 4)) * 0.25f * range
                    : contents_.Float(-range, range);
      if (odd && contents_.OneIn(256)) value = contents_.Value(range, true);
      if (odd && contents_.OneIn(256)) value = 1e-42f;
    }
    return values;
  }

  int Activation() { return c_.OneIn(3) ? c_.Int(1, 3) : 0; }

  void AddClamp(int t) {
    const int codes[] = {tfl::kRelu, tfl::kReluN1To1, tfl::kRelu6};
    const int code = codes[c_.Below(3)];
    model_.AddBuiltin(code, {t}, {Result(tfl::kFloat32, Dims(At(t).dims))}, 0);
  }

  void AddConstantOperator(int t, int code) {
    const int channels = c_.OneIn(3) ? 1 : Channels(t);
    Dims dims = {channels};
    if (channels == 1 && c_.OneIn(2)) dims = {};
    while (c_.OneIn(4) && dims.size() < At(t).dims.size()) dims.insert(dims.begin(), 1);
    const int constant =
        model_.AddConstant(tfl::kFloat32, dims, Floats(channels, 4.0f, limits_.odd_values));
    std::vector<int> inputs = {t, constant};
    if (c_.OneIn(4)) std::swap(inputs[0], inputs[1]);
    const int result = Result(tfl::kFloat32, Dims(At(t).dims));
    model_.AddBuiltin(code, inputs, {result}, tfl::ActivationParams{Activation()});
  }

  void AddAddition(int t) {
    std::vector<int> others;
    for (const int other : live_) {
      if (IsFloat(other) && At(other).dims == At(t).dims) others.push_back(other);
    }
    int other = others[c_.Below(static_cast<uint32_t>(others.size()))];
    if (!limits_.one_input && c_.OneIn(3)) {
      other = model_.Add(tfl::kFloat32, Dims(At(t).dims));
      model_.inputs.push_back(other);
      live_.insert(live_.begin(), other);
    }
    std::vector<int> inputs = {t, other};
    if (c_.OneIn(2)) std::swap(inputs[0], inputs[1]);
    const int result = Result(tfl::kFloat32, Dims(At(t).dims));
    model_.AddBuiltin(tfl::kAdd, inputs, {result}, tfl::ActivationParams{Activation()});
  }

  void AddFloatPool(int t) {
    tfl::PoolParams p;
    const bool same = c_.OneIn(2);
    Dims dims = At(t).dims;
    p.padding = same ? tfl::kPaddingSame : tfl::kPaddingValid;
    p.stride_width = c_.Int(1, 3);
    p.stride_height = c_.Int(1, 3);
    p.filter_width = Filter(dims[2], 1, same);
    p.filter_height = Filter(dims[1], 1, same);
    p.activation = Activation();
    dims[1] = Slide(dims[1], p.filter_height, p.stride_height, same);
    dims[2] = Slide(dims[2], p.filter_width, p.stride_width, same);
    model_.AddBuiltin(tfl::kMaxPool2d, {t}, {Result(tfl::kFloat32, dims)}, p);
  }

  void AddCopy(int t) {
    const int extra = c_.OneIn(2) ? 6 : 1;  // more inputs than the delegate looks at
    std::vector<int> outputs = {Result(tfl::kFloat32, Dims(At(t).dims))};
    if (c_.OneIn(2)) outputs.push_back(Result(tfl::kFloat32, Dims(At(t).dims)));
    std::vector<int> inputs = {t};
    const int filler =
        extra == 1 ? 0 : model_.AddConstant(tfl::kFloat32, {1}, Floats(1, 1.0f, false));
    while (static_cast<int>(inputs.size()) < extra) inputs.push_back(filler);
    model_.AddBuiltin(kCopy, inputs, outputs, 0);
  }

  Choices& c_;
  const Limits limits_;
  Random contents_;
  Model model_;
  std::vector<int> live_, made_;
};

}  // namespace

Model RandomModel(Choices* choices, const Limits& limits) {
  return Builder(choices, limits).Build();
}

void FillInputs(const Model& model, Random random, bool odd_values, Host* host) {
  for (const int t : model.inputs) {
    const tfl::Tensor& tensor = host->tensor(t);
    if (tensor.data == nullptr) continue;
    uint8_t* bytes = static_cast<uint8_t*>(tensor.data);
    if (tensor.type == tfl::kFloat32) {
      for (size_t i = 0; i < tensor.bytes / 4; ++i) {
        const uint64_t bits = random.Next();
        const int32_t low = static_cast<int32_t>(bits & 0xffffff) - 0x800000;
        float value = static_cast<float>(low) / 2097152.0f;
        if (odd_values && bits >> 58 == 0) value = random.Value(8.0f, true);
        memcpy(bytes + 4 * i, &value, 4);  // a damaged file may have it anywhere
      }
      continue;
    }
    size_t i = 0;
    for (; i + 8 <= tensor.bytes; i += 8) {
      const uint64_t bits = random.Next();
      memcpy(bytes + i, &bits, 8);
    }
    for (; i < tensor.bytes; ++i) bytes[i] = static_cast<uint8_t>(random.Next());
    if (tensor.type == tfl::kBool) {
      for (i = 0; i < tensor.bytes; ++i) bytes[i] &= 1;
    }
    const int tail = model.tensors[t].packed_channels % 32;
    if (tail == 0) continue;
    const size_t words = static_cast<size_t>(model.tensors[t].packed_channels + 31) / 32;
    for (i = words; i <= tensor.bytes / 4; i += words) {
      uint32_t word;
      memcpy(&word, bytes + 4 * (i - 1), 4);
      word &= (1u << tail) - 1;
      memcpy(bytes + 4 * (i - 1), &word, 4);
    }
  }
}

void Damage(Choices* choices, int count, Model* model) {
  Choices& c = *choices;
  const auto any_int = [&c]() {
    static const int values[] = {0,
                                 -1,
                                 1,
                                 2,
                                 3,
                                 7,
                                 31,
                                 32,
                                 33,
                                 64,
                                 255,
                                 1 << 16,
                                 1 << 24,
                                 1 << 30,
                                 -2,
                                 65536,
                                 INT32_MAX,
                                 INT32_MIN,
                                 INT32_MAX - 31,
                                 -31,
                                 -32,
                                 46341};
    return values[c.Below(sizeof values / sizeof values[0])];
  };
  const auto tensor_count = static_cast<uint32_t>(model->tensors.size());
  while (count-- > 0) {
    ModelTensor& tensor = model->tensors[c.Below(tensor_count)];
    ModelNode& node = model->nodes[c.Below(static_cast<uint32_t>(model->nodes.size()))];
    const auto any_tensor = [&]() {
      return c.OneIn(8) ? any_int() : c.Int(-1, static_cast<int>(tensor_count) - 1);
    };
    switch (c.Below(18)) {
      case 0:
      case 1:
        if (!tensor.dims.empty()) {
          tensor.dims[c.Below(static_cast<uint32_t>(tensor.dims.size()))] =
              c.OneIn(2) ? any_int() : c.Int(1, 12);
        }
        break;
      case 2:
        if (c.OneIn(2) && !tensor.dims.empty())
          tensor.dims.pop_back();
        else
          tensor.dims.insert(tensor.dims.begin(), c.Int(0, 2));
        break;
      case 3: {
        const int types[] = {0, 1, 2, 4, 6, 9};
        tensor.type = types[c.Below(6)];
        break;
      }
      case 4:
        tensor.no_dims = true;
        break;
      case 5:
        tensor.misalignment = c.Int(1, 3);
        break;
      case 6:
        tensor.no_data = true;
        break;
      case 7:
        if (c.OneIn(2))
          tensor.constant = !tensor.constant;
        else
          tensor.variable = true;
        break;
      case 8:
        tensor.data.resize(c.OneIn(4) ? 0 : c.Below(64));
        break;
      case 9:
        tensor.scale = c.OneIn(2) ? 0.0f : c.OneIn(2) ? -1.0f : __builtin_nanf("");
        tensor.zero_point = any_int();
        break;
      case 10:
      case 11:
        if (!node.inputs.empty()) {
          node.inputs[c.Below(static_cast<uint32_t>(node.inputs.size()))] = any_tensor();
        }
        break;
      case 12:
        if (c.OneIn(2) && !node.inputs.empty())
          node.inputs.pop_back();
        else
          node.inputs.push_back(any_tensor());
        break;
      case 13:
        if (c.OneIn(3))
          node.outputs.push_back(any_tensor());
        else if (!node.outputs.empty() && c.OneIn(8))
          node.outputs.pop_back();
        else if (!node.outputs.empty())
          node.outputs[0] = any_tensor();
        break;
      case 14:
        if (!node.options.empty()) {
          node.options[c.Below(static_cast<uint32_t>(node.options.size()))] =
              static_cast<uint8_t>(c.Below(256));
        }
        break;
      case 15:
        tensor.allocation = c.Int(0, 6);
        break;
      case 16:
        tensor.signature = tensor.dims;
        if (c.OneIn(4)) tensor.signature.resize(c.Below(6));
        for (int& size : tensor.signature) size = c.OneIn(2) ? -1 : size;
        break;
      default:
        // Those of builtins are structs that the interpreter itself makes.
        if (node.builtin == tfl::kCustom) {
          node.options.resize(c.Below(static_cast<uint32_t>(node.options.size()) + 4));
        }
        break;
    }
  }
}

}  // namespace testing
}  // namespace lce

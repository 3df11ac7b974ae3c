#include "harness.h"

#include "lce_delegate/lce_delegate.h"
#include "random_model.h"

namespace lce {
namespace testing {
namespace {

// report_error has no context of its own.
thread_local TestDelegate* asking = nullptr;

void ReportError(const char* text) {
  asking->error = text;
  ++asking->error_calls;
}

// NaNs are equal, whatever their bits.
bool SameBytes(int type, const Bytes& a, const Bytes& b, size_t* at) {
  if (a.size() != b.size()) {
    *at = 0;
    return false;
  }
  if (type != tfl::kFloat32) {
    for (*at = 0; *at < a.size(); ++*at) {
      if (a[*at] != b[*at]) return false;
    }
    return true;
  }
  for (*at = 0; *at + 4 <= a.size(); *at += 4) {
    float x, y;
    memcpy(&x, a.data() + *at, 4);
    memcpy(&y, b.data() + *at, 4);
    if (!Same(x, y)) return false;
  }
  return true;
}

}  // namespace

TestDelegate::TestDelegate(const Settings& settings) {
  std::vector<const char*> keys, values;
  for (const auto& setting : settings) {
    keys.push_back(setting.first);
    values.push_back(setting.second);
  }
  asking = this;
  delegate_ = tflite_plugin_create_delegate(keys.data(), values.data(), keys.size(), ReportError);
  asking = nullptr;
}

void TestDelegate::Destroy() {
  tflite_plugin_destroy_delegate(delegate_);
  delegate_ = nullptr;
}

bool Ready(const TestDelegate& delegate, Host* host, Subsets subsets) {
  return delegate.get() != nullptr && host->Apply(delegate.get(), subsets) && host->Allocate();
}

std::string RunAndCompare(const Model& model, Random contents, bool odd_values, bool keras,
                          Host* host, double max_cost) {
  FillInputs(model, contents, odd_values, host);
  Reference reference(model, keras);
  for (const int t : model.inputs) {
    const Bytes bytes = host->Contents(t);
    reference.SetInput(t, host->dims(t), bytes.data(), bytes.size());
  }
  if (!host->Invoke()) return "refused";
  const Reference::Result result = reference.Run(max_cost);
  if (result == Reference::Result::kTooExpensive) return "";
  if (result == Reference::Result::kImpossible) return "not refused";
  for (const int t : model.outputs) {
    char text[160];
    const Dims got = host->dims(t), wanted = reference.dims(t);
    if (got != wanted) {
      snprintf(text, sizeof text, "tensor %d has the wrong shape", t);
      return text;
    }
    const Bytes bytes = host->Contents(t);
    size_t at;
    if (SameBytes(model.tensors[t].type, bytes, reference.data(t), &at)) continue;
    uint32_t a = 0, b = 0;
    const size_t size = ElementSize(model.tensors[t].type);
    if (at + size <= bytes.size()) memcpy(&a, bytes.data() + at, size);
    if (at + size <= reference.data(t).size()) memcpy(&b, reference.data(t).data() + at, size);
    snprintf(text, sizeof text, "tensor %d: bits of element %zu of %zu are %x, expected %x", t,
             at / size, bytes.size() / size, a, b);
    return text;
  }
  return "";
}

bool Refused(const Model& model, const char* text, const Settings& settings, Subsets subsets) {
  TestDelegate delegate(settings);
  LCE_CHECK(delegate.get() != nullptr, "%s", delegate.error.c_str());
  Host host(model);
  bool ran = Ready(delegate, &host, subsets);
  if (ran) {
    FillInputs(model, Random(1), false, &host);
    ran = host.Invoke();
  }
  LCE_CHECK(!ran, "expected a text with: %s", text);
  LCE_CHECK(host.errors.find(text) != std::string::npos, "expected: %s\n  got: %s", text,
            host.errors.c_str());
  return true;
}

Model ConvModel(const ConvCase& c, Random* random) {
  Model model;
  const int words = (c.channels + 31) / 32, group_words = words / c.groups;
  ConvOptions o = c.options;
  o.channels_in = c.channels;
  const int window_y = (c.kernel - 1) * static_cast<int>(o.dilation_height) + 1;
  const int window_x = (c.kernel - 1) * static_cast<int>(o.dilation_width) + 1;
  const auto slide = [&](int size, int window, int64_t stride) {
    return static_cast<int>((o.padding == 0 ? size + stride - 1 : size - window + stride) / stride);
  };
  const int input = model.AddPacked({c.batch, c.height, c.width, c.channels});
  std::vector<uint32_t> bits(static_cast<size_t>(c.out) * c.kernel * c.kernel * group_words);
  for (size_t i = 0; i < bits.size(); ++i) {
    bits[i] = static_cast<uint32_t>(random->Next());
    if (c.channels % 32 != 0 && (i + 1) % group_words == 0) {
      bits[i] &= (1u << c.channels % 32) - 1;
    }
  }
  const int window = c.kernel * c.kernel * c.channels / c.groups;
  std::vector<float> multiplier(c.out), bias(c.out);
  std::vector<int32_t> threshold(c.out);
  for (int i = 0; i < c.out; ++i) {
    multiplier[i] = random->Float(-1, 1);
    bias[i] = random->Float(-4, 4);
    threshold[i] = window / 2 + random->Int(-4, 4);
  }
  model.AddConstant(tfl::kInt32, {c.out, c.kernel, c.kernel, group_words}, bits);
  model.AddConstant(tfl::kFloat32, {c.out}, multiplier);
  model.AddConstant(tfl::kFloat32, {c.out}, bias);
  model.AddConstant(tfl::kInt32, {c.out}, threshold);
  const Dims dims = {c.batch, slide(c.height, window_y, o.stride_height),
                     slide(c.width, window_x, o.stride_width), c.out};
  const bool packed = c.output == tfl::kInt32;
  const int output = packed ? model.AddPacked(dims) : model.Add(c.output, dims);
  if (c.output == tfl::kInt8) {
    model.tensors[output].scale = 0.5f;
    model.tensors[output].zero_point = 3;
  }
  model.AddNode("LceBconv2d",
                {input, kConvWeights, packed ? -1 : kConvMultiplier, packed ? -1 : kConvBias,
                 packed ? kConvThreshold : -1},
                output, FlexbufferMap(o.Map()));
  model.inputs = {input};
  model.outputs = {output};
  return model;
}

}  // namespace testing
}  // namespace lce

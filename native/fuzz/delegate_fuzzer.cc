// libFuzzer target: the whole delegate through its C functions, in the host of tests/host.h.
//
// The input is read from its front as choices: what kind of execution, the delegate's options, a
// graph, contents of tensors, resizes. Four kinds:
//   valid      a graph that the delegate has to run; results are compared with plain loops
//   damaged    the same with one to four things wrong: any end is right that is no crash
//   raw        one operator whose options are the rest of the input
//   settings   keys and values of the delegate are the rest of the input
// In all of them every allocation has to be freed, a refusal has to come with a text, and, where
// the choices say so, an allocation fails on the way.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/memory.h"
#include "harness.h"
#include "host.h"
#include "lce_delegate/lce_delegate.h"
#include "random_model.h"

namespace lce {
namespace testing {

char reproduce[256] = "the fuzzer's input";
int failures = 0;

namespace {

const Model* current_model = nullptr;

[[noreturn]] void Wrong(const char* what, const std::string& detail = "") {
  fprintf(stderr, "WRONG: %s: %s\n", what, detail.c_str());
  if (current_model != nullptr) fprintf(stderr, "%s", Describe(*current_model).c_str());
  abort();
}

class ByteChoices final : public Choices {
 public:
  ByteChoices(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  uint32_t Below(uint32_t bound) override {
    if (bound < 2 || size_ == 0) return 0;
    uint32_t value = Byte();
    if (bound > 256) value |= static_cast<uint32_t>(Byte()) << 8;
    return value % bound;
  }
  Random Contents() override {
    const uint64_t low = Byte();
    return Random(low | static_cast<uint64_t>(Byte()) << 8);
  }
  Bytes Rest() {
    Bytes rest(data_, data_ + size_);
    size_ = 0;
    return rest;
  }

 private:
  uint8_t Byte() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  const uint8_t* data_;
  size_t size_;
};

struct Setup {
  Settings settings;
  bool keras = false;
  bool must_work = true;  // no fault was asked for
  std::string fault;
  Subsets subsets = Subsets::kAsTflite;
};

Setup ReadSetup(Choices* choices) {
  Setup s;
  const uint32_t bits = choices->Below(256);
  static const char* const kernels[] = {"auto", "auto", "avx2", "scalar"};
  static const bool supported = TestDelegate{{"kernel", "avx2"}}.get() != nullptr;
  const char* kernel = kernels[bits & 3];
  s.settings.push_back({"kernel", kernel[1] == 'v' && !supported ? "auto" : kernel});
  if (bits & 4) s.settings.push_back({"fusion", "0"});
  if (bits & 8) s.settings.push_back({"profiling", "1"});
  s.keras = (bits & 0x30) == 0x30;
  if (s.keras) s.settings.push_back({"exactness", "keras"});
  if ((bits & 0xc0) == 0x40) s.subsets = Subsets::kOnePerNode;
  if ((bits & 0xc0) != 0xc0) return s;
  switch (choices->Below(16)) {
    case 0:
      s.settings.push_back({"fault", "prepare"});
      s.must_work = false;
      break;
    case 1:
      s.settings.push_back({"fault", "invoke"});
      s.must_work = false;
      break;
    case 2:
      s.settings.push_back({"num_threads", "2"});
      break;
    case 3:
      s.subsets = Subsets::kAllInOne;
      break;
    default:
      s.fault = "allocation:" + std::to_string(choices->Int(1, 250));
      s.must_work = false;
      break;
  }
  return s;
}

void CheckTexts(const TestDelegate& delegate, Choices* choices) {
  char info[64], profile[4096];
  const size_t size = choices->Below(sizeof info + 1);
  const size_t length = lce_delegate_info(info, size);
  if (size > 0 && strlen(info) != std::min(length, size - 1)) Wrong("info", info);
  const size_t profile_length = lce_delegate_profile(delegate.get(), profile, sizeof profile);
  if (strlen(profile) != std::min(profile_length, sizeof profile - 1)) Wrong("profile", profile);
  lce_delegate_reset_profile(delegate.get());
}

enum class Kind { kValid, kDamaged, kRaw };

void Execute(Kind kind, const Model& model, const Setup& setup, Choices* choices) {
  current_model = &model;
  Settings settings = setup.settings;
  if (!setup.fault.empty()) settings.push_back({"fault", setup.fault.c_str()});
  TestDelegate delegate(settings);
  if (delegate.get() == nullptr) Wrong("valid settings", delegate.error);
  const bool valid = kind == Kind::kValid;
  const double max_cost = choices->OneIn(16) ? 100000 : 3000;
  Host host(model);
  host.max_tensor_bytes = 1 << 20;
  host.inert_builtins = !valid;
  host.misalignment = choices->Int(0, 3);
  host.tensors_to_add = choices->OneIn(4) ? choices->Int(1, 40) : 0;
  const bool destroy_first = choices->OneIn(4);
  // All in one kernel is an order that only damaged files can have.
  const bool all = valid && setup.subsets == Subsets::kAllInOne;
  if (!host.Apply(delegate.get(), all ? Subsets::kAsTflite : setup.subsets)) {
    if (host.errors.empty()) Wrong("apply without a text");
    if (valid && setup.must_work) Wrong("apply", host.errors);
    return;
  }
  if (destroy_first) delegate.Destroy();
  const int rounds = choices->OneIn(2) ? choices->Int(1, 3) : 1;
  bool resized = false;
  for (int round = 0; round < rounds; ++round) {
    if (round > 0 && model.inputs.size() == 1 && model.inputs[0] >= 0 && choices->OneIn(2)) {
      const int input = model.inputs[0];
      Dims dims = model.tensors[input].dims;
      for (size_t i = 0; i + 1 < dims.size(); ++i) dims[i] = choices->Int(0, 6);
      resized = host.ResizeInput(input, dims);
    }
    host.errors.clear();
    if (!host.Allocate()) {
      if (host.errors.empty()) Wrong("prepare without a text");
      if (valid && setup.must_work && !resized) Wrong("prepare", host.errors);
      continue;
    }
    const Random contents = choices->Contents();
    if (!valid) {
      FillInputs(model, contents, true, &host);
      if (!host.Invoke() && host.errors.empty()) Wrong("invoke without a text");
      continue;
    }
    const std::string difference =
        RunAndCompare(model, contents, true, setup.keras, &host, max_cost);
    if (difference == "refused" && host.errors.empty()) Wrong("invoke without a text");
    if (difference == "refused" && !setup.must_work) continue;
    if (!difference.empty()) Wrong(difference.c_str(), host.errors);
  }
  if (!destroy_first) CheckTexts(delegate, choices);
  current_model = nullptr;
}

Limits ReadLimits(Choices* choices) {
  Limits limits;
  limits.max_layers = 4;
  limits.max_size = 4;
  limits.max_kernel = 3;
  limits.max_channels = choices->OneIn(8) ? 130 : 36;
  limits.one_input = choices->OneIn(2);
  return limits;
}

Dims AnyShape(Choices* choices) {
  Dims dims(choices->OneIn(8) ? choices->Below(6) : 4);
  for (int& size : dims) size = choices->Int(choices->OneIn(16) ? -1 : 1, 6);
  return dims;
}

// One operator on tensors of any shape.
Model RawModel(ByteChoices* choices) {
  static const char* const names[] = {"LceBconv2d", "LceBMaxPool2d", "LceQuantize",
                                      "LceDequantize"};
  const char* name = names[choices->Below(4)];
  Model model;
  const int types[] = {tfl::kInt32, tfl::kFloat32, tfl::kInt8, tfl::kBool};
  std::vector<int> inputs = {
      model.Add(types[choices->OneIn(8) ? choices->Below(4) : 0], AnyShape(choices))};
  model.inputs = inputs;
  const int output = model.Add(types[choices->Below(4)], AnyShape(choices));
  model.tensors[output].scale = 0.5f;
  model.outputs = {output};
  if (name == names[0]) {
    const int out = choices->Int(1, 40), kh = choices->Int(1, 3), kw = choices->Int(1, 3);
    const int words = choices->Int(1, 2);
    const std::vector<uint32_t> zeros(static_cast<size_t>(out) * kh * kw * words);
    inputs.push_back(model.AddConstant(tfl::kInt32, {out, kh, kw, words}, zeros));
    for (int i = 0; i < 2; ++i) {
      inputs.push_back(model.AddConstant(tfl::kFloat32, {out},
                                         std::vector<float>(zeros.size() ? out : 0, 0.5f)));
    }
    inputs.push_back(model.AddConstant(tfl::kInt32, {out}, std::vector<int32_t>(out, 3)));
  }
  model.AddNode(name, inputs, output, choices->Rest());
  return model;
}

std::string last_error;
int error_calls = 0;
void KeepError(const char* text) {
  last_error = text;
  ++error_calls;
}

// Lines "key=value"; a line without "=" has no value.
void ExecuteSettings(ByteChoices* choices) {
  const bool listen = !choices->OneIn(4);
  const Bytes rest = choices->Rest();
  std::vector<std::string> texts;
  std::vector<bool> given;
  std::string line;
  const auto finish = [&]() {
    const size_t equals = line.find('=');
    texts.push_back(line.substr(0, equals).c_str());
    texts.push_back(equals == std::string::npos ? "" : line.substr(equals + 1).c_str());
    given.push_back(equals != std::string::npos);
    line.clear();
  };
  for (const uint8_t byte : rest) {
    if (byte == '\n' && texts.size() < 32)
      finish();
    else
      line += static_cast<char>(byte);
  }
  finish();
  std::vector<const char*> keys, values;
  for (size_t i = 0; i < given.size(); ++i) {
    keys.push_back(texts[2 * i].c_str());
    values.push_back(given[i] ? texts[2 * i + 1].c_str() : nullptr);
  }
  error_calls = 0;
  void* delegate = tflite_plugin_create_delegate(keys.data(), values.data(), keys.size(),
                                                 listen ? KeepError : nullptr);
  if (error_calls != (listen && delegate == nullptr)) Wrong("calls of report_error");
  if (error_calls == 1) {
    if (last_error.rfind("lce_delegate: ", 0) != 0 || last_error.size() < 20) {
      Wrong("text of report_error", last_error);
    }
    for (const char c : last_error) {
      if (static_cast<unsigned char>(c) < ' ') Wrong("not one line", last_error);
    }
  }
  if (delegate != nullptr) lce_delegate_profile(delegate, nullptr, 0);
  tflite_plugin_destroy_delegate(delegate);
}

void Run(const uint8_t* data, size_t size) {
  ByteChoices choices(data, size);
  const uint32_t kind = choices.Below(16);
  if (kind == 15) return ExecuteSettings(&choices);
  const Setup setup = ReadSetup(&choices);
  if (kind >= 13) {
    const Model model = RawModel(&choices);
    Execute(Kind::kRaw, model, setup, &choices);
    return;
  }
  const Limits limits = ReadLimits(&choices);
  Model model = RandomModel(&choices, limits);
  const bool damaged = kind >= 8;
  if (damaged) Damage(&choices, choices.Int(1, 4), &model);
  Execute(damaged ? Kind::kDamaged : Kind::kValid, model, setup, &choices);
}

}  // namespace
}  // namespace testing
}  // namespace lce

extern "C" const char* __asan_default_options() {
  // A damaged file may ask for any amount of memory: that is an allocation that fails.
  return "allocator_may_return_null=1:max_allocation_size_mb=32";
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const int64_t live = lce::LiveAllocations();
  lce::testing::Run(data, size);
  lce::FailAllocation(0);
  if (lce::LiveAllocations() != live) lce::testing::Wrong("allocations are left");
  return 0;
}

// The C functions of include/lce_delegate/lce_delegate.h: the only place with `extern "C"` and
// text options.
#include "lce_delegate/lce_delegate.h"

#include "delegate/delegate.h"
#include "delegate/json.h"
#include "dispatch/cpu.h"

namespace {

const char* Architecture() {
#if defined(__x86_64__)
  return "x86_64";
#elif defined(__aarch64__)
  return "aarch64";
#elif defined(__arm__)
  return "arm";
#else
  return "other";
#endif
}

}  // namespace

extern "C" {

const char* lce_delegate_version(void) { return LCE_DELEGATE_VERSION; }

size_t lce_delegate_info(char* buffer, size_t size) {
  using lce::Json;
  Json json(buffer, size);
  char features[128];
  lce::CpuFeatures(features, sizeof features);
  const lce::KernelSet* sets;
  const size_t count = lce::KernelSets(&sets);
  lce::Options options;  // what a delegate without options would use, so LCE_FORCE_KERNEL counts
  lce::Error error;
  const bool valid = lce::ParseOptions(nullptr, nullptr, 0, &options, &error);
  json.Begin('{');
  json.Text("version", LCE_DELEGATE_VERSION);
  json.Text("architecture", Architecture());
  json.Text("cpu_features", features);
  json.Key("kernel_sets");
  json.Begin('[');
  for (size_t i = 0; i < count; ++i) {
    json.Begin('{');
    json.Text("name", sets[i].name);
    json.Text("description", sets[i].description);
    json.Bool("supported", sets[i].supported);
    json.Bool("selected", valid && &sets[i] == options.kernel_set);
    json.End('}');
  }
  json.End(']');
  json.Key("kernels");
  json.Begin('[');
  const auto visit = [](void* context, const char* name, lce::Isa) {
    static_cast<Json*>(context)->Text(nullptr, name);
  };
  lce::VisitKernels(visit, &json);
  json.End(']');
  json.Key("scalar_only");
  json.Begin('[');
  json.Text(nullptr, "LceQuantize of bool, LceDequantize to int8 and bool");
  json.Text(nullptr, "LceBconv2d with a window of 65535 bits or more, except with avx512");
  json.Text(nullptr, "MUL, ADD, RELU and MAX_POOL_2D that were claimed but could not be merged");
  json.End(']');
  json.End('}');
  return json.length();
}

size_t lce_delegate_profile(const void* delegate, char* buffer, size_t size) {
  lce::DelegateState* state = lce::DelegateState::Find(delegate);
  if (state != nullptr) return state->WriteProfile(buffer, size);
  lce::Json(buffer, size);  // an empty text
  return 0;
}

void lce_delegate_reset_profile(const void* delegate) {
  lce::DelegateState* state = lce::DelegateState::Find(delegate);
  if (state != nullptr) state->ResetProfile();
}

void* tflite_plugin_create_delegate(const char* const* keys, const char* const* values,
                                    size_t count, void (*report_error)(const char*)) {
  lce::Options options;
  lce::Error error;
  lce::DelegateState* state = nullptr;
  if (count > 0 && (keys == nullptr || values == nullptr)) {
    error.Set("options without keys or values");
  } else if (lce::ParseOptions(keys, values, count, &options, &error)) {
    state = lce::DelegateState::Create(options);
    if (state == nullptr) error.OutOfMemory();
  }
  if (state != nullptr) return &state->tfl;
  if (report_error != nullptr) {
    lce::Error line;
    line.Set("lce_delegate: %s", error.text);
    for (char* c = line.text; *c != 0; ++c) {  // one line, whatever the user's text was
      if (static_cast<unsigned char>(*c) < ' ' || *c == 0x7f) *c = '?';
    }
    report_error(line.text);
  }
  return nullptr;
}

void tflite_plugin_destroy_delegate(void* delegate) {
  if (delegate == nullptr) return;
  lce::DelegateState::From(static_cast<lce::tfl::Delegate*>(delegate))->Release();
}

}  // extern "C"

// The C functions: options of the delegate, good and bad, and the two JSON texts.
#include "lce_delegate/lce_delegate.h"

#include <stdlib.h>

#include "harness.h"
#include "random_model.h"
#include "runner.h"

namespace lce {
namespace testing {
namespace {

bool Contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

// Refused with one printable line that has all the parts.
bool IsRefused(const Settings& settings, const std::vector<const char*>& parts) {
  const TestDelegate delegate(settings);
  const std::string& line = delegate.error;
  LCE_CHECK(delegate.get() == nullptr, "%s=%s", settings[0].first, settings[0].second);
  LCE_CHECK(delegate.error_calls == 1, "%d calls", delegate.error_calls);
  LCE_CHECK(line.rfind("lce_delegate: ", 0) == 0, "%s", line.c_str());
  for (const char c : line) {
    LCE_CHECK(static_cast<unsigned char>(c) >= ' ' && c != 0x7f, "%s", line.c_str());
  }
  for (const char* part : parts) LCE_CHECK(Contains(line, part), "%s: %s", part, line.c_str());
  return true;
}

bool IsAccepted(const Settings& settings) {
  const TestDelegate delegate(settings);
  LCE_CHECK(delegate.get() != nullptr, "%s", delegate.error.c_str());
  LCE_CHECK(delegate.error_calls == 0, "%s", delegate.error.c_str());
  return true;
}

bool TestGoodOptions(Random*) {
  const Settings good[] = {
      {},
      {{"num_threads", "0"}},
      {{"num_threads", "1"}},
      {{"num_threads", "32"}},
      {{"num_threads", "007"}},
      {{"kernel", "auto"}},
      {{"kernel", "scalar"}},
      {{"fusion", "0"}},
      {{"fusion", "1"}},
      {{"fusion", "true"}},
      {{"fusion", "false"}},
      {{"exactness", "lce"}},
      {{"exactness", "keras"}},
      {{"profiling", "0"}},
      {{"profiling", "1"}},
      {{"fault", "prepare"}},
      {{"fault", "invoke"}},
      {{"kernel", "scalar"}, {"num_threads", "2"}, {"fusion", "0"}, {"profiling", "1"}},
      {{"kernel", "nonsense"}, {"kernel", "scalar"}},  // the last one counts
  };
  for (const Settings& settings : good) {
    if (!IsAccepted(settings)) return false;
  }
  return true;
}

bool TestBadValues(Random*) {
  const char* const numbers[] = {"",          " ",   "-1",  "+1", "33",   "65",
                                 "1.0",       "0x1", "one", "1 ", "1\n2", "9999999999999999999",
                                 "4294967296"};
  for (const char* value : numbers) {
    if (!IsRefused({{"num_threads", value}}, {"option num_threads", "accepted", "0", "32"})) {
      return false;
    }
  }
  for (const char* key : {"fusion", "profiling"}) {
    for (const char* value : {"", "2", "yes", "TRUE", "on", "01", " 1"}) {
      if (!IsRefused({{key, value}}, {key, value, "accepted: 1, 0"})) return false;
    }
  }
  for (const char* value : {"", "LCE", "lce2", "larq", "keras "}) {
    if (!IsRefused({{"exactness", value}}, {"option exactness", value, "accepted: lce, keras"})) {
      return false;
    }
  }
  for (const char* value : {"", "AUTO", "sse", "avx1024", "scalar,avx2"}) {
    if (!IsRefused({{"kernel", value}}, {"option kernel", value, "accepted: auto", "scalar"})) {
      return false;
    }
  }
  for (const char* value : {"", "never", "allocation", "allocation:", "allocation:0",
                            "allocation:-1", "allocation:x", "allocation:1000001"}) {
    if (!IsRefused({{"fault", value}}, {"option fault", value, "allocation:N"})) return false;
  }
  return true;
}

bool TestBadKeys(Random*) {
  for (const char* key : {"", " ", "threads", "NUM_THREADS", "num_threads ", "allocation"}) {
    if (!IsRefused({{key, "1"}}, {"unknown option", key, "num_threads, kernel, fusion"})) {
      return false;
    }
  }
  return IsRefused({{nullptr, "1"}}, {"unknown option", "''"}) &&
         IsRefused({{"fusion", nullptr}}, {"option fusion", "''"}) &&
         IsRefused({{"kernel", nullptr}}, {"option kernel", "''"}) &&
         // One bad among good ones.
         IsRefused({{"fusion", "1"}, {"num_threads", "1"}, {"profiling", "no"}}, {"profiling"});
}

// Long and unprintable texts still make one line of bounded length.
bool TestHostileTexts(Random* random) {
  std::string text;
  const int length = random->OneIn(3) ? random->Int(0, 2000) : random->Int(0, 60);
  for (int i = 0; i < length; ++i) text += static_cast<char>(random->Int(1, 255));
  const char* any = text.c_str();
  const char* const keys[] = {any,         "num_threads", "kernel", "fusion",
                              "exactness", "profiling",   "fault"};
  const char* key = keys[random->Int(0, 6)];
  if (!IsRefused({{key, key == any ? "1" : any}}, {"accepted: "})) return false;
  const TestDelegate delegate{{key, any}};
  LCE_CHECK(delegate.error.size() < 400, "%zu", delegate.error.size());
  return true;
}

bool TestEnvironment(Random*) {
  const char* const name = "LCE_FORCE_KERNEL";
  const char* const before = getenv(name);
  const std::string saved = before == nullptr ? "" : before;
  setenv(name, "no\nsuch", 1);
  bool ok = IsRefused({{"fusion", "1"}}, {name, "accepted: auto"}) &&
            IsAccepted({{"kernel", "scalar"}});  // asked for by option: not consulted
  setenv(name, "scalar", 1);
  ok = ok && IsAccepted({});
  setenv(name, "", 1);
  ok = ok && IsAccepted({});
  before == nullptr ? unsetenv(name) : setenv(name, saved.c_str(), 1);
  return ok;
}

bool TestNullPointers(Random*) {
  LCE_CHECK(tflite_plugin_create_delegate(nullptr, nullptr, 1, nullptr) == nullptr, "created");
  const char* const key = "no such key";
  LCE_CHECK(tflite_plugin_create_delegate(&key, &key, 1, nullptr) == nullptr, "created");
  const char* const fusion = "fusion";
  LCE_CHECK(tflite_plugin_create_delegate(&fusion, nullptr, 1, nullptr) == nullptr, "created");
  void* delegate = tflite_plugin_create_delegate(nullptr, nullptr, 0, nullptr);
  LCE_CHECK(delegate != nullptr, "refused");
  tflite_plugin_destroy_delegate(delegate);
  tflite_plugin_destroy_delegate(nullptr);
  lce_delegate_reset_profile(nullptr);
  LCE_CHECK(lce_delegate_profile(nullptr, nullptr, 0) == 0, "a profile");
  char text[] = "previous";
  LCE_CHECK(lce_delegate_profile(nullptr, text, sizeof text) == 0 && text[0] == 0, "%s", text);
  return true;
}

// ---------------------------------------------------------------------------------------------

// A check of the form only: brackets, quotes, commas.
bool IsJson(const char* p, const char** end) {
  const auto skip_text = [&p]() {
    if (*p != '"') return false;
    for (++p; *p != '"'; ++p) {
      if (*p == 0 || *p == '\\' || static_cast<unsigned char>(*p) < ' ') return false;
    }
    ++p;
    return true;
  };
  if (*p == '[' || *p == '{') {
    const bool object = *p++ == '{';
    const char close = object ? '}' : ']';
    for (bool first = true; *p != close; first = false) {
      if (!first && *p++ != ',') return false;
      if (object && (!skip_text() || *p++ != ':')) return false;
      if (!IsJson(p, &p)) return false;
    }
    *end = p + 1;
    return true;
  }
  if (*p == '"') {
    const bool ok = skip_text();
    *end = p;
    return ok;
  }
  for (const char* word : {"true", "false"}) {
    if (strncmp(p, word, strlen(word)) == 0) {
      *end = p + strlen(word);
      return true;
    }
  }
  const char* start = p;
  if (*p == '-') ++p;
  while (*p >= '0' && *p <= '9') ++p;
  *end = p;
  return p > start;
}

// `write(buffer, size)` for every size: the same text, cut, terminated, never past the end.
template <typename Write>
bool CheckText(Write&& write, std::string* whole) {
  const size_t length = write(nullptr, 0);
  Buffer<char> exact(length + 1);
  LCE_CHECK(write(exact.data(), length + 1) == length, "%zu", length);
  LCE_CHECK(exact[length] == 0, "not terminated");
  *whole = exact.data();
  LCE_CHECK(whole->size() == length, "%zu of %zu", whole->size(), length);
  const char* end;
  LCE_CHECK(IsJson(whole->c_str(), &end) && *end == 0, "%s", whole->c_str());
  for (size_t size = 1; size <= length + 3; size = size < 70 ? size + 1 : size + size / 9) {
    Buffer<char> buffer(size);
    LCE_CHECK(write(buffer.data(), size) == length, "size %zu", size);
    const size_t kept = size - 1 < length ? size - 1 : length;
    LCE_CHECK(strlen(buffer.data()) == kept, "size %zu: %zu", size, strlen(buffer.data()));
    LCE_CHECK(memcmp(buffer.data(), whole->data(), kept) == 0, "size %zu", size);
  }
  return true;
}

bool TestInfo(Random*) {
  std::string text;
  if (!CheckText([](char* buffer, size_t size) { return lce_delegate_info(buffer, size); },
                 &text)) {
    return false;
  }
  LCE_CHECK(Contains(text, "\"name\":\"scalar\""), "%s", text.c_str());
  LCE_CHECK(Contains(text, std::string("\"version\":\"").append(lce_delegate_version()).c_str()),
            "%s", text.c_str());
  const size_t first = text.find("\"selected\":true");
  LCE_CHECK(first != std::string::npos, "%s", text.c_str());
  LCE_CHECK(text.find("\"selected\":true", first + 1) == std::string::npos, "%s", text.c_str());
  return true;
}

bool TestProfile(Random* random) {
  ConvCase c;
  const Model model = ConvModel(c, random);
  for (const char* profiling : {"0", "1"}) {
    const TestDelegate delegate{{"profiling", profiling}};
    const auto write = [&](char* buffer, size_t size) {
      return lce_delegate_profile(delegate.get(), buffer, size);
    };
    std::string text;
    if (!CheckText(write, &text)) return false;
    LCE_CHECK(text == "[]", "%s", text.c_str());
    {
      Host host(model), second(model);
      LCE_CHECK(host.Apply(delegate.get()) && second.Apply(delegate.get()), "%s",
                host.errors.c_str());
      if (!CheckText(write, &text)) return false;  // before any preparation
      LCE_CHECK(host.Allocate() && second.Allocate(), "%s", host.errors.c_str());
      for (int i = 0; i < 3; ++i) LCE_CHECK_RUNS(model, Random(1), host);
      if (!CheckText(write, &text)) return false;
      const bool on = profiling[0] == '1';
      LCE_CHECK(Contains(text, "\"op\":\"LceBconv2d\""), "%s", text.c_str());
      LCE_CHECK(Contains(text, "\"output_shape\":[1,3,3,33]"), "%s", text.c_str());
      LCE_CHECK(Contains(text, "\"binary_macs\":106920"), "%s", text.c_str());  // 3*3*33*9*40
      LCE_CHECK(Contains(text, "\"calls\":3") == on, "%s", text.c_str());
      lce_delegate_reset_profile(delegate.get());
      if (!CheckText(write, &text)) return false;
      LCE_CHECK(!Contains(text, "\"calls\":3"), "%s", text.c_str());
    }
    if (!CheckText(write, &text)) return false;  // the interpreters are gone
    LCE_CHECK(text == "[]", "%s", text.c_str());
  }
  return true;
}

bool TestProfileAfterFailure(Random* random) {
  ConvCase c;
  Model model = ConvModel(c, random);
  model.tensors[kConvWeights].data.pop_back();
  const TestDelegate delegate;
  Host host(model);
  LCE_CHECK(!Ready(delegate, &host), "ran");
  std::string text;
  return CheckText(
      [&](char* buffer, size_t size) { return lce_delegate_profile(delegate.get(), buffer, size); },
      &text);
}

const Test kTests[] = {
    {"good_options", TestGoodOptions, 1},
    {"bad_values", TestBadValues, 1},
    {"bad_keys", TestBadKeys, 1},
    {"hostile_texts", TestHostileTexts, 300},
    {"environment", TestEnvironment, 1},
    {"null_pointers", TestNullPointers, 1},
    {"info", TestInfo, 1},
    {"profile", TestProfile, 3},
    {"profile_after_failure", TestProfileAfterFailure, 1},
};

}  // namespace
}  // namespace testing
}  // namespace lce

int main(int argc, char** argv) { return lce::testing::RunTests(argc, argv, lce::testing::kTests); }

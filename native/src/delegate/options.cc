#include "delegate/options.h"

#include <stdlib.h>
#include <string.h>

namespace lce {
namespace {

bool ParseInt(const char* text, int64_t low, int64_t high, int64_t* value) {
  // Digits only: strtol would take blanks and signs.
  int64_t result = 0;
  const char* p = text;
  for (; *p >= '0' && *p <= '9' && p - text < 10; ++p) result = 10 * result + (*p - '0');
  if (p == text || *p != 0 || result < low || result > high) return false;
  *value = result;
  return true;
}

bool ParseSwitch(const char* text, bool* value) {
  if (strcmp(text, "1") == 0 || strcmp(text, "true") == 0) {
    *value = true;
  } else if (strcmp(text, "0") == 0 || strcmp(text, "false") == 0) {
    *value = false;
  } else {
    return false;
  }
  return true;
}

bool ChooseKernelSet(const char* source, const char* name, Options* options, Error* error) {
  const bool automatic = strcmp(name, "auto") == 0;
  options->kernel_set = FindKernelSet(automatic ? nullptr : name);
  if (options->kernel_set != nullptr && options->kernel_set->supported) return true;
  char accepted[96] = "auto";
  const KernelSet* sets;
  const size_t count = KernelSets(&sets);
  for (size_t i = 0; i < count; ++i) {
    if (!sets[i].supported) continue;
    strncat(accepted, ", ", sizeof accepted - strlen(accepted) - 1);
    strncat(accepted, sets[i].name, sizeof accepted - strlen(accepted) - 1);
  }
  if (options->kernel_set != nullptr) {
    return error->Set("%s: this CPU does not support %s, accepted: %s", source, name, accepted);
  }
  return error->Set("%s: unknown kernel set '%.40s', accepted: %s", source, name, accepted);
}

}  // namespace

bool ParseOptions(const char* const* keys, const char* const* values, size_t count,
                  Options* options, Error* error) {
  const char* kernel = "auto";
  for (size_t i = 0; i < count; ++i) {
    const char* key = keys[i] == nullptr ? "" : keys[i];
    const char* value = values[i] == nullptr ? "" : values[i];
    const auto bad = [&](const char* accepted) {
      return error->Set("option %s: got '%.40s', accepted: %s", key, value, accepted);
    };
    int64_t number;
    if (strcmp(key, "num_threads") == 0) {
      if (!ParseInt(value, 0, ThreadPool::kMaxThreads, &number)) {
        return bad("0 (follow the interpreter) to 32");
      }
      options->num_threads = static_cast<int32_t>(number);
    } else if (strcmp(key, "kernel") == 0) {
      kernel = value;
    } else if (strcmp(key, "fusion") == 0) {
      if (!ParseSwitch(value, &options->fusion)) return bad("1, 0");
    } else if (strcmp(key, "profiling") == 0) {
      if (!ParseSwitch(value, &options->profiling)) return bad("1, 0");
    } else if (strcmp(key, "exactness") == 0) {
      if (strcmp(value, "lce") == 0) {
        options->exactness = Exactness::kLce;
      } else if (strcmp(value, "keras") == 0) {
        options->exactness = Exactness::kKeras;
      } else {
        return bad("lce, keras");
      }
    } else if (strcmp(key, "fault") == 0) {
      if (strcmp(value, "prepare") == 0) {
        options->fail_prepare = true;
      } else if (strcmp(value, "invoke") == 0) {
        options->fail_invoke = true;
      } else if (strncmp(value, "allocation:", 11) == 0 &&
                 ParseInt(value + 11, 1, 1000000, &number)) {
        options->fail_allocation = number;
      } else {
        return bad("prepare, invoke, allocation:N");
      }
    } else {
      return error->Set(
          "unknown option '%.40s', accepted: num_threads, kernel, fusion, exactness, "
          "profiling",
          key);
    }
  }
  if (strcmp(kernel, "auto") != 0) {
    return ChooseKernelSet("option kernel", kernel, options, error);
  }
  const char* forced = getenv("LCE_FORCE_KERNEL");
  if (forced != nullptr && forced[0] != 0) {
    return ChooseKernelSet("environment variable LCE_FORCE_KERNEL", forced, options, error);
  }
  return ChooseKernelSet("option kernel", "auto", options, error);
}

}  // namespace lce

// Options of the delegate: names, accepted values, defaults.
#ifndef LCE_DELEGATE_OPTIONS_H_
#define LCE_DELEGATE_OPTIONS_H_

#include <stddef.h>
#include <stdint.h>

#include "core/bconv.h"
#include "core/error.h"
#include "dispatch/table.h"

namespace lce {

struct Options {
  int32_t num_threads = 0;  // 0: those of the interpreter
  const KernelSet* kernel_set = nullptr;
  bool fusion = true;
  Exactness exactness = Exactness::kLce;
  bool profiling = false;
  // For tests of error paths: "prepare", "invoke" or "allocation:N", the N-th allocation from
  // the creation of the delegate on.
  bool fail_prepare = false, fail_invoke = false;
  int64_t fail_allocation = 0;
};

// False, with one line that names key, value and what is accepted, for anything unknown.
bool ParseOptions(const char* const* keys, const char* const* values, size_t count,
                  Options* options, Error* error);

}  // namespace lce

#endif  // LCE_DELEGATE_OPTIONS_H_

#include "core/memory.h"

#include <stdlib.h>

namespace lce {
namespace {

int64_t fail_after = 0;
int64_t live = 0;

}  // namespace

void* Allocate(size_t bytes) {
  if (__atomic_load_n(&fail_after, __ATOMIC_RELAXED) > 0 &&
      __atomic_sub_fetch(&fail_after, 1, __ATOMIC_RELAXED) == 0) {
    return nullptr;
  }
  void* memory = nullptr;
  if (bytes > SIZE_MAX / 2 || posix_memalign(&memory, 64, bytes == 0 ? 1 : bytes) != 0) {
    return nullptr;
  }
  memset(memory, 0, bytes);
  __atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
  return memory;
}

void Free(void* memory) {
  if (memory == nullptr) return;
  __atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
  free(memory);
}

void FailAllocation(int64_t count) { __atomic_store_n(&fail_after, count, __ATOMIC_RELAXED); }

int64_t LiveAllocations() { return __atomic_load_n(&live, __ATOMIC_RELAXED); }

}  // namespace lce

// Which instruction sets this CPU has, for tests and benchmarks of kernels alone. Written apart
// from dispatch/ on purpose: the two must agree.
#ifndef LCE_TESTS_CPU_H_
#define LCE_TESTS_CPU_H_

#include "kernels/kernel.h"

namespace lce {
namespace testing {

inline bool CpuHas(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return true;
#if defined(__x86_64__)
    case Isa::kAvx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
    case Isa::kAvx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
             __builtin_cpu_supports("avx512vpopcntdq");
#elif defined(__aarch64__)
    case Isa::kNeon:
      return true;
#endif
    default:
      return false;
  }
}

}  // namespace testing
}  // namespace lce

#endif  // LCE_TESTS_CPU_H_

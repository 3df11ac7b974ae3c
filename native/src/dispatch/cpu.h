// What this CPU can do, read from the CPU and the kernel by hand: the compilers' helpers need
// libraries that we do not link.
#ifndef LCE_DISPATCH_CPU_H_
#define LCE_DISPATCH_CPU_H_

#include <stddef.h>

#include "kernels/kernel.h"

namespace lce {

// Whether instructions of `isa` may be executed: the CPU has them and the system saves their
// registers.
bool CpuSupports(Isa isa);

// Names of the features found that matter here, e.g. "avx2 popcnt avx512f"; cut off at `size`
// bytes. Returns the length.
size_t CpuFeatures(char* text, size_t size);

}  // namespace lce

#endif  // LCE_DISPATCH_CPU_H_

// Declarations of all kernels of this architecture, made from the one list.
#ifndef LCE_KERNELS_KERNELS_H_
#define LCE_KERNELS_KERNELS_H_

#include "kernels/kernel.h"

namespace lce {

#define LCE_KERNEL(type, name, isa) extern const type name;
#include "kernels/kernels.inc"
#undef LCE_KERNEL

}  // namespace lce

#endif  // LCE_KERNELS_KERNELS_H_

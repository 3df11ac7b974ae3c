// Kernel sets, and the kernels of one.
#ifndef LCE_DISPATCH_TABLE_H_
#define LCE_DISPATCH_TABLE_H_

#include <stddef.h>
#include <stdint.h>

#include "kernels/kernel.h"

namespace lce {

// A kernel set is named after the newest instruction set that its kernels use. Where it has no
// kernel of its own it uses those of the sets it implies, at last the portable ones.
struct KernelSet {
  const char* name;
  const char* description;
  Isa isa;
  bool supported;  // by this CPU
};

// Those of this architecture, best first; the last is "scalar". They exist even where this CPU
// does not support them.
size_t KernelSets(const KernelSet** sets);

// The best supported set, or the one called `name`; null if there is none of that name.
const KernelSet* FindKernelSet(const char* name);

// The kernels that a set uses.
struct KernelTable {
  static constexpr size_t kMaxBconv = 48;

  const KernelSet* set;
  const BconvKernel* bconv[kMaxBconv];  // in order of preference
  size_t bconv_count;
  const ExpandKernel* expand;
  const QuantizeKernel* quantize[3];  // by ElementType
  const DequantizeKernel* dequantize[3];
  const BmaxpoolKernel* bmaxpool;
  const AddKernel* add;
};

void MakeKernelTable(const KernelSet* set, KernelTable* table);

// Calls visit(context, name, isa) for every kernel of this architecture, in the order of
// kernels.inc.
void VisitKernels(void (*visit)(void* context, const char* name, Isa isa), void* context);

}  // namespace lce

#endif  // LCE_DISPATCH_TABLE_H_

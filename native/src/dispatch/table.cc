#include "dispatch/table.h"

#include <string.h>

#include "dispatch/cpu.h"
#include "kernels/kernels.h"

namespace lce {
namespace {

// The compiler picks the overload by the row's type.
void Add(KernelTable* table, const BconvKernel* kernel) {
  if (table->bconv_count < KernelTable::kMaxBconv) table->bconv[table->bconv_count++] = kernel;
}
void Add(KernelTable* table, const ExpandKernel* kernel) {
  if (table->expand == nullptr) table->expand = kernel;
}
void Add(KernelTable* table, const QuantizeKernel* kernel) {
  if (table->quantize[kernel->type] == nullptr) table->quantize[kernel->type] = kernel;
}
void Add(KernelTable* table, const DequantizeKernel* kernel) {
  if (table->dequantize[kernel->type] == nullptr) table->dequantize[kernel->type] = kernel;
}
void Add(KernelTable* table, const BmaxpoolKernel* kernel) {
  if (table->bmaxpool == nullptr) table->bmaxpool = kernel;
}
void Add(KernelTable* table, const AddKernel* kernel) {
  if (table->add == nullptr) table->add = kernel;
}

// The set that `isa` falls back to; scalar's is itself.
Isa Implied(Isa isa) {
  switch (isa) {
    case Isa::kAvx512:
      return Isa::kAvx2;
    default:
      return Isa::kScalar;
  }
}

}  // namespace

size_t KernelSets(const KernelSet** sets) {
  // Filled in by whoever comes first, always with the same values.
  static KernelSet list[] = {
#if defined(__x86_64__)
      {"avx512", "AVX-512 with VPOPCNTDQ, BW, DQ and VL", Isa::kAvx512, false},
      {"avx2", "AVX2, table lookup by VPSHUFB", Isa::kAvx2, false},
#elif defined(__aarch64__)
      {"neon", "NEON", Isa::kNeon, false},
#endif
      {"scalar", "portable C++", Isa::kScalar, false},
  };
  static int32_t ready = 0;
  if (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE)) {
    for (KernelSet& set : list) {
      const bool supported = CpuSupports(set.isa);
      __atomic_store_n(&set.supported, supported, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
  }
  *sets = list;
  return sizeof list / sizeof list[0];
}

const KernelSet* FindKernelSet(const char* name) {
  const KernelSet* sets;
  const size_t count = KernelSets(&sets);
  for (size_t i = 0; i < count; ++i) {
    if (name == nullptr ? sets[i].supported : strcmp(sets[i].name, name) == 0) return &sets[i];
  }
  return nullptr;
}

void MakeKernelTable(const KernelSet* set, KernelTable* table) {
  memset(table, 0, sizeof *table);
  table->set = set;
  for (Isa isa = set->isa;; isa = Implied(isa)) {
#define LCE_KERNEL(type, name, kernel_isa) \
  if (Isa::kernel_isa == isa) Add(table, &name);
#include "kernels/kernels.inc"
#undef LCE_KERNEL
    if (isa == Isa::kScalar) return;
  }
}

void VisitKernels(void (*visit)(void* context, const char* name, Isa isa), void* context) {
#define LCE_KERNEL(type, name, isa) visit(context, #name, Isa::isa);
#include "kernels/kernels.inc"
#undef LCE_KERNEL
}

}  // namespace lce

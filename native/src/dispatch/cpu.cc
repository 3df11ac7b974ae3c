#include "dispatch/cpu.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace lce {
namespace {

struct Feature {
  const char* name;
  bool present;
};

#if defined(__x86_64__)

// Registers that the system saves: 0x6 = SSE and AVX, 0xe6 = those and AVX-512's.
uint64_t SavedRegisters() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<uint64_t>(high) << 32 | low;
}

enum { kAvx2, kPopcnt, kF, kBw, kDq, kVl, kVpopcntdq, kCount };

struct Features {
  Feature list[kCount] = {{"avx2", false},           {"popcnt", false},   {"avx512f", false},
                          {"avx512bw", false},       {"avx512dq", false}, {"avx512vl", false},
                          {"avx512vpopcntdq", false}};

  Features() {
    uint32_t a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return;
    list[kPopcnt].present = c >> 23 & 1;
    const bool osxsave = c >> 27 & 1, avx = c >> 28 & 1;
    if (!osxsave || !avx || (SavedRegisters() & 0x6) != 0x6) return;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return;
    list[kAvx2].present = b >> 5 & 1;
    if ((SavedRegisters() & 0xe6) != 0xe6) return;
    list[kF].present = b >> 16 & 1;
    list[kDq].present = b >> 17 & 1;
    list[kBw].present = b >> 30 & 1;
    list[kVl].present = b >> 31 & 1;
    list[kVpopcntdq].present = c >> 14 & 1;
  }
  bool Supports(Isa isa) const {
    if (isa == Isa::kAvx2) return list[kAvx2].present && list[kPopcnt].present;
    if (isa != Isa::kAvx512) return false;
    for (const Feature& feature : list) {
      if (!feature.present) return false;
    }
    return true;
  }
};

#elif defined(__aarch64__)

enum { kNeon, kCount };

struct Features {
  Feature list[kCount] = {{"asimd", true}};

  bool Supports(Isa isa) const { return isa == Isa::kNeon; }  // part of the architecture
};

#else

enum { kCount = 1 };

struct Features {
  Feature list[kCount] = {{"none", false}};
  bool Supports(Isa) const { return false; }
};

#endif

}  // namespace

bool CpuSupports(Isa isa) { return isa == Isa::kScalar || Features().Supports(isa); }

size_t CpuFeatures(char* text, size_t size) {
  const Features features;
  size_t length = 0;
  if (size > 0) text[0] = 0;
  for (const Feature& feature : features.list) {
    const size_t needed = strlen(feature.name) + (length > 0);
    if (!feature.present || length + needed >= size) continue;
    if (length > 0) text[length++] = ' ';
    memcpy(text + length, feature.name, strlen(feature.name) + 1);
    length += strlen(feature.name);
  }
  return length;
}

}  // namespace lce

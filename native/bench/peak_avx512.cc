// The rate at which this CPU can xor, count bits and add with 512-bit vectors in registers: no
// binary convolution that counts with VPOPCNTD can be faster.
#include <immintrin.h>
#include <stdint.h>

namespace lce {
namespace bench {

constexpr int kChains = 12;  // independent sums: more than latency times throughput

// Binary multiply-adds done.
double RunPeakAvx512(int64_t iterations) {
  __m512i sums[kChains];
#pragma GCC unroll 12
  for (int j = 0; j < kChains; ++j) sums[j] = _mm512_setzero_si512();
  const __m512i x = _mm512_set1_epi32(0x12345678), w = _mm512_set1_epi32(0x0f0f1234);
  for (int64_t i = 0; i < iterations; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kChains; ++j) {
      // Assembly, or the compiler would move the constant popcount out of the loop.
      __asm__ volatile(
          "vpxord %1, %2, %%zmm31\n"
          "vpopcntd %%zmm31, %%zmm31\n"
          "vpaddd %%zmm31, %0, %0"
          : "+v"(sums[j])
          : "v"(x), "v"(w)
          : "xmm31");
    }
  }
  // Used, so that they stay in registers.
  __m512i all = _mm512_setzero_si512();
#pragma GCC unroll 12
  for (int j = 0; j < kChains; ++j) all = _mm512_or_si512(all, sums[j]);
  __asm__ volatile("" ::"v"(all));
  return 512.0 * kChains * static_cast<double>(iterations);
}

}  // namespace bench
}  // namespace lce

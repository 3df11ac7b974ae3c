// The inner loop of the NEON binary convolutions: groups of 4 words of depth of one segment, 7
// pixels against 8 channels; see neon_popcount.h for the arithmetic.
//
// Assembly, because the loop needs all 32 registers and both GCC and Clang, given intrinsics,
// move the EORs of all pixels to the front and then spill. A pixel's adds are a chain; they are
// interleaved with the work on the next pixel, which costs nothing on a core that reorders and
// saves most of the waiting on one that does not (Cortex-A53, A55).
//
//   v0-v7 weights   v8 input   v16-v23, v24-v31 counts of this and of the pixel before
//
// Everything here is always inlined: no function is shared between instruction sets.
#ifndef LCE_KERNELS_NEON_INNER_LOOP_H_
#define LCE_KERNELS_NEON_INNER_LOOP_H_

#include <arm_neon.h>

#include "kernels/kernel.h"

#define LCE_NEON_METHOD inline __attribute__((always_inline))
#define LCE_NEON_INLINE static LCE_NEON_METHOD
// Makes the compiler compute the integer `x` as written, in a general register.
#define LCE_NEON_KEEP(x) __asm__("" : "+r"(x))

#define LCE_NEON_INPUT(p) "ldr q8, [%[pixel" #p "], %[at]]\n\t"
#define LCE_NEON_EOR(t, w) "eor v" #t ".16b, v8.16b, v" #w ".16b\n\t"
#define LCE_NEON_CNT(t) "cnt v" #t ".16b, v" #t ".16b\n\t"
#define LCE_NEON_ADDP(a, b) "addp v" #a ".16b, v" #a ".16b, v" #b ".16b\n\t"
#define LCE_NEON_ACC(p, t) "uadalp %[acc" #p "].8h, v" #t ".16b\n\t"

#define LCE_NEON_LOW 16, 17, 18, 19, 20, 21, 22, 23
#define LCE_NEON_HIGH 24, 25, 26, 27, 28, 29, 30, 31
#define LCE_NEON_EXPAND(macro, ...) macro(__VA_ARGS__)

// clang-format off: one line per stage, which it cannot know.

// The first pixel: counts into n0..n7.
#define LCE_NEON_FIRST(next, n0, n1, n2, n3, n4, n5, n6, n7)                                    \
  LCE_NEON_EOR(n0, 0) LCE_NEON_EOR(n1, 1) LCE_NEON_EOR(n2, 2) LCE_NEON_EOR(n3, 3)               \
  LCE_NEON_EOR(n4, 4) LCE_NEON_EOR(n5, 5) LCE_NEON_EOR(n6, 6) LCE_NEON_EOR(n7, 7)               \
  LCE_NEON_INPUT(next)                                                                          \
  LCE_NEON_CNT(n0) LCE_NEON_CNT(n1) LCE_NEON_CNT(n2) LCE_NEON_CNT(n3)                           \
  LCE_NEON_CNT(n4) LCE_NEON_CNT(n5) LCE_NEON_CNT(n6) LCE_NEON_CNT(n7)

// Counts into n0..n7; sums t0..t7, the counts of pixel `p`. `load` loads the input after next.
// Of the orders tried this one has the fewest cycles in llvm-mca's models of Cortex-A53, A55 and
// A510 together; to the models of cores that reorder, all are the same.
#define LCE_NEON_NEXT(p, load, n0, n1, n2, n3, n4, n5, n6, n7, t0, t1, t2, t3, t4, t5, t6, t7)  \
  LCE_NEON_ADDP(t0, t1) LCE_NEON_ADDP(t2, t3) LCE_NEON_ADDP(t4, t5) LCE_NEON_ADDP(t6, t7)       \
  LCE_NEON_EOR(n0, 0) LCE_NEON_EOR(n1, 1) LCE_NEON_EOR(n2, 2) LCE_NEON_EOR(n3, 3)               \
  LCE_NEON_EOR(n4, 4) LCE_NEON_EOR(n5, 5) LCE_NEON_EOR(n6, 6) LCE_NEON_EOR(n7, 7)               \
  load                                                                                          \
  LCE_NEON_ADDP(t0, t2) LCE_NEON_ADDP(t4, t6)                                                   \
  LCE_NEON_CNT(n0) LCE_NEON_CNT(n1) LCE_NEON_CNT(n2) LCE_NEON_CNT(n3) LCE_NEON_CNT(n4)          \
  LCE_NEON_ADDP(t0, t4)                                                                         \
  LCE_NEON_CNT(n5) LCE_NEON_CNT(n6) LCE_NEON_CNT(n7)                                            \
  LCE_NEON_ACC(p, t0)

// Sums the counts of the last pixel.
#define LCE_NEON_LAST(p, t0, t1, t2, t3, t4, t5, t6, t7)                                        \
  LCE_NEON_ADDP(t0, t1) LCE_NEON_ADDP(t2, t3) LCE_NEON_ADDP(t4, t5) LCE_NEON_ADDP(t6, t7)       \
  LCE_NEON_ADDP(t0, t2) LCE_NEON_ADDP(t4, t6) LCE_NEON_ADDP(t0, t4) LCE_NEON_ACC(p, t0)

// clang-format on

namespace lce {
namespace neon {

// `groups` > 0 groups of 4 words at pixel[p] + *at; moves *at and *weights behind them.
LCE_NEON_INLINE void InnerLoop(const uint8_t* const (&pixel)[7], int32_t groups, ptrdiff_t* at,
                               const uint8_t** weights, uint16x8_t* acc) {
  __asm__ volatile(
      "1:\n\t"
      LCE_NEON_INPUT(0)
      "ldp q0, q1, [%[weights]], #128\n\t"
      "ldp q2, q3, [%[weights], #-96]\n\t"
      "ldp q4, q5, [%[weights], #-64]\n\t"
      "ldp q6, q7, [%[weights], #-32]\n\t"
      "subs %w[groups], %w[groups], #1\n\t"
      LCE_NEON_EXPAND(LCE_NEON_FIRST, 1, LCE_NEON_LOW)
      LCE_NEON_EXPAND(LCE_NEON_NEXT, 0, LCE_NEON_INPUT(2), LCE_NEON_HIGH, LCE_NEON_LOW)
      LCE_NEON_EXPAND(LCE_NEON_NEXT, 1, LCE_NEON_INPUT(3), LCE_NEON_LOW, LCE_NEON_HIGH)
      LCE_NEON_EXPAND(LCE_NEON_NEXT, 2, LCE_NEON_INPUT(4), LCE_NEON_HIGH, LCE_NEON_LOW)
      LCE_NEON_EXPAND(LCE_NEON_NEXT, 3, LCE_NEON_INPUT(5), LCE_NEON_LOW, LCE_NEON_HIGH)
      LCE_NEON_EXPAND(LCE_NEON_NEXT, 4, LCE_NEON_INPUT(6), LCE_NEON_HIGH, LCE_NEON_LOW)
      LCE_NEON_EXPAND(LCE_NEON_NEXT, 5, , LCE_NEON_LOW, LCE_NEON_HIGH)
      "add %[at], %[at], #16\n\t"
      LCE_NEON_EXPAND(LCE_NEON_LAST, 6, LCE_NEON_LOW)
      "b.ne 1b\n\t"
      : [at] "+&r"(*at), [weights] "+&r"(*weights), [groups] "+&r"(groups),
        [acc0] "+&w"(acc[0]), [acc1] "+&w"(acc[1]), [acc2] "+&w"(acc[2]), [acc3] "+&w"(acc[3]),
        [acc4] "+&w"(acc[4]), [acc5] "+&w"(acc[5]), [acc6] "+&w"(acc[6])
      : [pixel0] "r"(pixel[0]), [pixel1] "r"(pixel[1]), [pixel2] "r"(pixel[2]),
        [pixel3] "r"(pixel[3]), [pixel4] "r"(pixel[4]), [pixel5] "r"(pixel[5]),
        [pixel6] "r"(pixel[6])
      : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v16", "v17", "v18",
        "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31");
}

template <int kVectors>
LCE_NEON_INLINE uint8x16_t CountTree(uint8x16_t input, const uint8_t* weights) {
  if constexpr (kVectors == 1) {
    return vcntq_u8(veorq_u8(input, vld1q_u8(weights)));
  } else {
    return vpaddq_u8(CountTree<kVectors / 2>(input, weights),
                     CountTree<kVectors / 2>(input, weights + 8 * kVectors));
  }
}

// The same for the pixels that do not fill a tile, one by one; here registers abound.
LCE_NEON_INLINE void InnerLoop(const uint8_t* const (&pixel)[1], int32_t groups, ptrdiff_t* at,
                               const uint8_t** weights, uint16x8_t* acc) {
  for (; groups > 0; --groups, *at += 16, *weights += 128) {
    acc[0] = vpadalq_u8(acc[0], CountTree<8>(vld1q_u8(pixel[0] + *at), *weights));
  }
}

}  // namespace neon
}  // namespace lce

#endif  // LCE_KERNELS_NEON_INNER_LOOP_H_

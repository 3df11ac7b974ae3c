// Int8 to bits, AVX-512: bit = q < zero_point by a compare of 64 bytes into a mask register, two
// words at a time. A zero point outside of int8 makes all bits equal: the compare runs against it
// clamped to [-128, 127], and the one case this changes, all values below, is or-ed in.
#include <string.h>

#include "kernels/avx512_tail.h"

namespace lce {
namespace {

struct Limit {
  __m512i value;
  uint64_t all;
};

LCE_INLINE void FullWords(const int8_t* x, uint32_t* output, Limit limit) {
  const uint64_t bits = _mm512_cmplt_epi8_mask(_mm512_loadu_si512(x), limit.value) | limit.all;
  memcpy(output, &bits, sizeof(bits));
}

// 1 <= count <= 64; one word up to 32, else two.
LCE_INLINE void LastWords(const int8_t* x, uint32_t* output, int32_t count, Limit limit) {
  const uint64_t mask = LowBits64(count);
  const __m512i q = _mm512_maskz_loadu_epi8(mask, x);
  const uint64_t bits = (_mm512_cmplt_epi8_mask(q, limit.value) | limit.all) & mask;
  output[0] = static_cast<uint32_t>(bits);
  if (count > 32) output[1] = static_cast<uint32_t>(bits >> 32);
}

void Run(const void* input, uint32_t* output, size_t pixels, int32_t channels, int32_t zero_point) {
  const int8_t* x = static_cast<const int8_t*>(input);
  const int32_t clamped = ClampInt(zero_point, INT8_MIN, INT8_MAX);
  const Limit limit = {_mm512_set1_epi8(static_cast<char>(clamped)),
                       zero_point > INT8_MAX ? ~uint64_t{0} : 0};
  // Whole words need no row structure and are taken as one stream.
  const bool one_row = channels % 32 == 0;
  const size_t rows = one_row ? 1 : pixels;
  const size_t count = static_cast<size_t>(channels) * (one_row ? pixels : 1);
  for (size_t row = 0; row < rows; ++row) {
    size_t i = 0;
    for (; i + 64 <= count; i += 64, x += 64, output += 2) FullWords(x, output, limit);
    if (i == count) continue;
    const int32_t rest = static_cast<int32_t>(count - i);
    LastWords(x, output, rest, limit);
    x += rest;
    output += rest > 32 ? 2 : 1;
  }
}

}  // namespace

extern const QuantizeKernel lce_quantize_i8_64_avx512 = {"lce_quantize_i8_64_avx512", Isa::kAvx512,
                                                         kElementInt8, Run};

}  // namespace lce

// Int8 to bits, AVX2: bit = q < zero_point, 32 values to a word. A zero point outside of int8
// makes all bits equal: the compare runs against it clamped to [-128, 127], and the one case this
// changes, all values below, is or-ed in. The last part of a row, and all rows of less than 32
// channels, are left to scalar code: AVX2 has no masked loads of bytes.
#include "kernels/avx2_tail.h"

namespace lce {
namespace {

void Run(const void* input, uint32_t* output, size_t pixels, int32_t channels, int32_t zero_point) {
  const int8_t* x = static_cast<const int8_t*>(input);
  const __m256i limit =
      _mm256_set1_epi8(static_cast<char>(ClampInt(zero_point, INT8_MIN, INT8_MAX)));
  const uint32_t all = zero_point > INT8_MAX ? ~0u : 0;
  const int32_t rest = channels % 32;
  // Whole words need no row structure and are taken as one stream.
  const size_t rows = rest == 0 ? 1 : pixels;
  const size_t full = static_cast<size_t>(channels) / 32 * (rest == 0 ? pixels : 1);
  for (size_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < full; ++i, x += 32) {
      const __m256i q = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
      const __m256i below = _mm256_cmpgt_epi8(limit, q);
      *output++ = static_cast<uint32_t>(_mm256_movemask_epi8(below)) | all;
    }
    if (rest == 0) continue;
    uint32_t word = 0;
    for (int32_t c = 0; c < rest; ++c) word |= static_cast<uint32_t>(x[c] < zero_point) << c;
    *output++ = word;
    x += rest;
  }
}

}  // namespace

extern const QuantizeKernel lce_quantize_i8_32_avx2 = {"lce_quantize_i8_32_avx2", Isa::kAvx2,
                                                       kElementInt8, Run};

}  // namespace lce

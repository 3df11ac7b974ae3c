// Bits to float, AVX2: eight lanes test one bit each of a broadcast word and choose between the
// two values.
#include "kernels/avx2_tail.h"

namespace lce {
namespace {

struct Values {
  __m256 plus, minus;
};

// Lane i is the value of bit i of `word`.
LCE_INLINE __m256 Choose(uint32_t word, Values values) {
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i set =
      _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int32_t>(word)), bit), bit);
  return _mm256_blendv_ps(values.plus, values.minus, _mm256_castsi256_ps(set));
}

LCE_INLINE float* StoreWord(float* y, uint32_t word, int32_t count, Values values) {
  int32_t c = 0;
  for (; c + 8 <= count; c += 8) _mm256_storeu_ps(y + c, Choose(word >> c, values));
  if (c < count) StorePart(y + c, Choose(word >> c, values), count - c);
  return y + count;
}

void Run(const uint32_t* input, void* output, size_t pixels, int32_t channels, const void* plus,
         const void* minus) {
  float* y = static_cast<float*>(output);
  const Values values = {_mm256_set1_ps(*static_cast<const float*>(plus)),
                         _mm256_set1_ps(*static_cast<const float*>(minus))};
  const int32_t full = channels / 32, rest = channels % 32;
  for (size_t pixel = 0; pixel < pixels; ++pixel) {
    for (int32_t i = 0; i < full; ++i) y = StoreWord(y, *input++, 32, values);
    if (rest > 0) y = StoreWord(y, *input++, rest, values);
  }
}

}  // namespace

extern const DequantizeKernel lce_dequantize_f32_32_avx2 = {"lce_dequantize_f32_32_avx2",
                                                            Isa::kAvx2, kElementFloat, Run};

}  // namespace lce

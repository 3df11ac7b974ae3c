// Max pooling of bits, AVX2: the AND of the words of the window, eight or four words at a time,
// single ones at the end of a pixel.
#include <immintrin.h>

#include "kernels/bmaxpool/bmaxpool_window.h"

namespace lce {
namespace {

LCE_INLINE void PoolEight(const PoolWindow& window, int32_t word, uint32_t* output) {
  __m256i all = _mm256_set1_epi32(-1);
  const uint32_t* row = window.input + word;
  for (int32_t y = 0; y < window.rows; ++y, row += window.row_words) {
    for (int32_t x = 0; x < window.columns; ++x) {
      const void* at = row + x * window.words;
      all = _mm256_and_si256(all, _mm256_loadu_si256(static_cast<const __m256i*>(at)));
    }
  }
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(output + word), all);
}

LCE_INLINE void PoolFour(const PoolWindow& window, int32_t word, uint32_t* output) {
  __m128i all = _mm_set1_epi32(-1);
  const uint32_t* row = window.input + word;
  for (int32_t y = 0; y < window.rows; ++y, row += window.row_words) {
    for (int32_t x = 0; x < window.columns; ++x) {
      const void* at = row + x * window.words;
      all = _mm_and_si128(all, _mm_loadu_si128(static_cast<const __m128i*>(at)));
    }
  }
  _mm_storeu_si128(reinterpret_cast<__m128i*>(output + word), all);
}

void Run(const BmaxpoolArgs* args, int32_t row_begin, int32_t row_end) {
  ForEachWindow(args, row_begin, row_end, [](const PoolWindow& window, uint32_t* output) {
    int32_t w = 0;
    for (; w + 8 <= window.words; w += 8) PoolEight(window, w, output);
    for (; w + 4 <= window.words; w += 4) PoolFour(window, w, output);
    for (; w < window.words; ++w) output[w] = PoolWord(window, w);
  });
}

}  // namespace

extern const BmaxpoolKernel lce_bmaxpool_bits_8_avx2 = {"lce_bmaxpool_bits_8_avx2", Isa::kAvx2,
                                                        Run};

}  // namespace lce

// Max pooling of bits, AVX-512: the AND of the words of the window, sixteen at a time under a
// mask, so that any number of words takes one path.
#include "kernels/avx512_tail.h"
#include "kernels/bmaxpool/bmaxpool_window.h"

namespace lce {
namespace {

LCE_INLINE void PoolMasked(const PoolWindow& window, int32_t word, uint32_t* output) {
  const __mmask16 mask = LowHalf(LowBits32(MinInt(16, window.words - word)));
  __m512i all = _mm512_set1_epi32(-1);
  const uint32_t* row = window.input + word;
  for (int32_t y = 0; y < window.rows; ++y, row += window.row_words) {
    for (int32_t x = 0; x < window.columns; ++x) {
      all = _mm512_and_si512(all, _mm512_maskz_loadu_epi32(mask, row + x * window.words));
    }
  }
  _mm512_mask_storeu_epi32(output + word, mask, all);
}

void Run(const BmaxpoolArgs* args, int32_t row_begin, int32_t row_end) {
  ForEachWindow(args, row_begin, row_end, [](const PoolWindow& window, uint32_t* output) {
    for (int32_t w = 0; w < window.words; w += 16) PoolMasked(window, w, output);
  });
}

}  // namespace

extern const BmaxpoolKernel lce_bmaxpool_bits_16_avx512 = {"lce_bmaxpool_bits_16_avx512",
                                                           Isa::kAvx512, Run};

}  // namespace lce

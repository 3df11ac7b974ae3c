// Binary convolution to int8: rounds half away from zero and saturates.
#include "kernels/avx512_bconv.h"

namespace lce {
namespace {

LCE_INLINE __m512i RoundToInt(__m512 y) {
  // A NaN becomes 0, as in LCE. Past the ends of int8 only the side matters.
  y = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(y, y, _CMP_ORD_Q), y);
  y = _mm512_min_ps(_mm512_max_ps(y, _mm512_set1_ps(-200.0f)), _mm512_set1_ps(200.0f));
  const __m512 whole = _mm512_roundscale_ps(y, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC);
  const __m512 rest = _mm512_sub_ps(y, whole);  // exact
  const __mmask16 up = _mm512_cmp_ps_mask(rest, _mm512_set1_ps(0.5f), _CMP_GE_OQ);
  const __mmask16 down = _mm512_cmp_ps_mask(rest, _mm512_set1_ps(-0.5f), _CMP_LE_OQ);
  const __m512i one = _mm512_set1_epi32(1);
  __m512i result = _mm512_cvttps_epi32(whole);
  result = _mm512_mask_add_epi32(result, up, result, one);
  return _mm512_mask_sub_epi32(result, down, result, one);
}

template <int kVectors>
LCE_INLINE void Int8Tile(const BconvArgs& args, int32_t pixel, int32_t pixel_end, int32_t block) {
  using avx512::kPixels;
  avx512::Tile tile;
  __m512 y[kPixels][kVectors];
  avx512::Accumulate<kVectors>(args, pixel, pixel_end, block, &tile);
  avx512::Transform<kVectors>(args, block, tile, y);
#pragma GCC unroll 7
  for (int i = 0; i < kPixels; ++i) {
    int8_t* output = static_cast<int8_t*>(args.output) +
                     static_cast<size_t>(tile.pixel[i]) * args.out_stride +
                     block * avx512::kChannels;
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      const __m128i bytes = _mm512_cvtsepi32_epi8(RoundToInt(y[i][j]));
      _mm_mask_storeu_epi8(output + 16 * j, avx512::Lanes(args, block, j), bytes);
    }
  }
}

LCE_AVX512_TILES(Int8Tile)

}  // namespace

extern const BconvKernel lce_bconv_i8_7x32_avx512 = {
    "lce_bconv_i8_7x32_avx512",
    Isa::kAvx512,
    OutputKind::kInt8,
    InputForm::kWords,
    avx512::kPixels,
    avx512::kChannels,
    avx512::Accepts,
    avx512::PackedBytes,
    avx512::Pack,
    Run,
};

}  // namespace lce

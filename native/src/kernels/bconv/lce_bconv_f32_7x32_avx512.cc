// Binary convolution to floats, optionally with clamps, a residual and sign bits.
#include "kernels/avx512_bconv.h"

namespace lce {
namespace {

template <int kVectors>
LCE_INLINE void FloatTile(const BconvArgs& args, int32_t pixel, int32_t pixel_end, int32_t block) {
  using avx512::kPixels;
  avx512::Tile tile;
  __m512 y[kPixels][kVectors];
  avx512::Accumulate<kVectors>(args, pixel, pixel_end, block, &tile);
  avx512::Transform<kVectors>(args, block, tile, y);

  const BconvTransform& t = args.transform;
  const int32_t first = block * avx512::kChannels;
  const auto clamp = [&y](float low_value, float high_value) {
    // Of two equal values, and where one is no number, both instructions return their second
    // operand: a NaN stays one, and -0.0 passes a bound of 0.
    const __m512 low = _mm512_set1_ps(low_value), high = _mm512_set1_ps(high_value);
#pragma GCC unroll 7
    for (int i = 0; i < kPixels; ++i) {
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) {
        y[i][j] = _mm512_min_ps(high, _mm512_max_ps(low, y[i][j]));
      }
    }
  };
  __mmask16 lanes[kVectors];
#pragma GCC unroll 2
  for (int j = 0; j < kVectors; ++j) lanes[j] = avx512::Lanes(args, block, j);
  const bool full = lanes[kVectors - 1] == 0xffff;

  if (t.pre_clamp) clamp(t.pre_min, t.pre_max);
  if (t.residual != nullptr) {
#pragma GCC unroll 7
    for (int i = 0; i < kPixels; ++i) {
      const float* residual =
          t.residual + static_cast<size_t>(tile.pixel[i]) * args.out_stride + first;
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) {
        const __m512 r = full ? _mm512_loadu_ps(residual + 16 * j)
                              : _mm512_maskz_loadu_ps(lanes[j], residual + 16 * j);
        y[i][j] = _mm512_add_ps(y[i][j], r);
      }
    }
  }
  if (t.post_clamp) clamp(t.post_min, t.post_max);
  if (args.output != nullptr) {
#pragma GCC unroll 7
    for (int i = 0; i < kPixels; ++i) {
      float* output = static_cast<float*>(args.output) +
                      static_cast<size_t>(tile.pixel[i]) * args.out_stride + first;
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) {
        if (full) {
          _mm512_storeu_ps(output + 16 * j, y[i][j]);
        } else {
          _mm512_mask_storeu_ps(output + 16 * j, lanes[j], y[i][j]);
        }
      }
    }
  }
  if (t.bits != nullptr) {
    const __m512 zero = _mm512_setzero_ps();
#pragma GCC unroll 7
    for (int i = 0; i < kPixels; ++i) {
      uint32_t word = 0;
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) {
        const uint32_t negative = _mm512_mask_cmp_ps_mask(lanes[j], y[i][j], zero, _CMP_LT_OQ);
        word |= negative << 16 * j;
      }
      t.bits[static_cast<size_t>(tile.pixel[i]) * t.bits_stride + block] = word;
    }
  }
}

LCE_AVX512_TILES(FloatTile)

}  // namespace

extern const BconvKernel lce_bconv_f32_7x32_avx512 = {
    "lce_bconv_f32_7x32_avx512",
    Isa::kAvx512,
    OutputKind::kFloat,
    InputForm::kWords,
    avx512::kPixels,
    avx512::kChannels,
    avx512::Accepts,
    avx512::PackedBytes,
    avx512::Pack,
    Run,
};

}  // namespace lce

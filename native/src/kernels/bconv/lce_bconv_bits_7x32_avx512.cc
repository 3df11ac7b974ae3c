// Binary convolution to bits: one comparison with a threshold per output.
#include "kernels/avx512_bconv.h"

namespace lce {
namespace {

template <int kVectors>
LCE_INLINE void BitsTile(const BconvArgs& args, int32_t pixel, int32_t pixel_end, int32_t block) {
  using avx512::kPixels;
  avx512::Tile tile;
  avx512::Accumulate<kVectors>(args, pixel, pixel_end, block, &tile);
  const BconvTransform& t = args.transform;
  const uint32_t invert = t.invert == nullptr ? 0 : t.invert[block];
  // Thresholds past the last channel are INT32_MAX: bits there are 0.
  const int32_t* threshold = t.threshold + block * avx512::kChannels;
  uint32_t* output = static_cast<uint32_t*>(args.output) + block;
#pragma GCC unroll 7
  for (int i = 0; i < kPixels; ++i) {
    const int32_t* row = threshold;
    if (t.pixel_class != nullptr) {
      row += static_cast<size_t>(t.pixel_class[tile.pixel[i]]) * t.class_stride;
    }
    uint32_t word = 0;
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) {
      const uint32_t above =
          _mm512_cmpgt_epi32_mask(tile.acc[i][j], _mm512_loadu_si512(row + 16 * j));
      word |= above << 16 * j;
    }
    output[static_cast<size_t>(tile.pixel[i]) * args.out_stride] = word ^ invert;
  }
}

LCE_AVX512_TILES(BitsTile)

}  // namespace

extern const BconvKernel lce_bconv_bits_7x32_avx512 = {
    "lce_bconv_bits_7x32_avx512",
    Isa::kAvx512,
    OutputKind::kBits,
    InputForm::kWords,
    avx512::kPixels,
    avx512::kChannels,
    avx512::Accepts,
    avx512::PackedBytes,
    avx512::Pack,
    Run,
};

}  // namespace lce

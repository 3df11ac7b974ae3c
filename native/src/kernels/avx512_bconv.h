// Binary convolution with AVX-512 VPOPCNTDQ: a tile of 7 pixels by 32 output channels.
//
// One 32-bit lane is one output channel. For every word of the window the tile loads 2 vectors
// of weights and broadcasts one input word per pixel:
//   acc[i][j] += popcount(broadcast(input[i]) xor weights[j])      3 operations per 512 bits
// 14 accumulators, 2 vectors of weights and a broadcast fit 32 registers, and 7 divides the
// 49, 196, 784 and 3136 pixels of the usual layers. Pixels past the end repeat the last one:
// they are computed and stored twice with equal results.
//
// Weights are packed [block of 32 channels][word of the window][32], missing channels are 0.
//
// Only for translation units compiled for AVX-512.
#ifndef LCE_KERNELS_AVX512_BCONV_H_
#define LCE_KERNELS_AVX512_BCONV_H_

#include <immintrin.h>

#include "kernels/kernel.h"

namespace lce {
namespace avx512 {

constexpr int32_t kPixels = 7;
constexpr int32_t kChannels = 32;

#define LCE_INLINE static inline __attribute__((always_inline))

struct Tile {
  __m512i acc[kPixels][2];
  int32_t pixel[kPixels];
};

LCE_INLINE bool Accepts(const BconvShape*) { return true; }

LCE_INLINE int32_t Blocks(const BconvShape* shape) {
  return (shape->out_channels + kChannels - 1) / kChannels;
}

LCE_INLINE size_t PackedBytes(const BconvShape* shape) {
  return size_t{4} * kChannels * Blocks(shape) * shape->segments * shape->segment_words;
}

LCE_INLINE void Pack(const BconvShape* shape, const uint32_t* weights, void* packed) {
  const size_t words = static_cast<size_t>(shape->segments) * shape->segment_words;
  uint32_t* out = static_cast<uint32_t*>(packed);
  for (int32_t block = 0; block < Blocks(shape); ++block) {
    for (int32_t c = 0; c < kChannels; ++c) {
      const int32_t channel = block * kChannels + c;
      const uint32_t* in = weights + channel * words;
      const bool exists = channel < shape->out_channels;
      for (size_t k = 0; k < words; ++k) out[k * kChannels + c] = exists ? in[k] : 0;
    }
    out += words * kChannels;
  }
}

// Accumulators of the tile's `kVectors` times 16 channels.
template <int kVectors>
LCE_INLINE void Accumulate(const BconvArgs& args, int32_t pixel, int32_t pixel_end, int32_t block,
                           Tile* tile) {
  const uint32_t* input[kPixels];
#pragma GCC unroll 7
  for (int i = 0; i < kPixels; ++i) {
    tile->pixel[i] = pixel + i < pixel_end ? pixel + i : pixel_end - 1;
    input[i] = static_cast<const uint32_t*>(args.input) + args.pixel_offset[tile->pixel[i]];
  }
  __m512i acc[kPixels][kVectors];
#pragma GCC unroll 7
  for (int i = 0; i < kPixels; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) acc[i][j] = _mm512_setzero_si512();
  }
  // One loop over all words: short loops over segments cost a misprediction each.
  const int32_t words = args.segments * args.segment_elements;
  const int32_t* offset = args.element_offset;
  const uint32_t* weights =
      static_cast<const uint32_t*>(args.weights) + static_cast<size_t>(block) * words * kChannels;
  for (int32_t k = 0; k < words; ++k) {
    const int64_t at = offset[k];
    __m512i w[kVectors];
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) w[j] = _mm512_load_si512(weights + 16 * j);
#pragma GCC unroll 7
    for (int i = 0; i < kPixels; ++i) {
      const __m512i x = _mm512_set1_epi32(static_cast<int32_t>(input[i][at]));
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) {
        acc[i][j] = _mm512_add_epi32(acc[i][j], _mm512_popcnt_epi32(_mm512_xor_si512(x, w[j])));
      }
    }
    weights += kChannels;
  }
#pragma GCC unroll 7
  for (int i = 0; i < kPixels; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kVectors; ++j) tile->acc[i][j] = acc[i][j];
  }
}

// Lanes of vector `j` of a block that are output channels.
LCE_INLINE __mmask16 Lanes(const BconvArgs& args, int32_t block, int j) {
  const int32_t left = args.out_channels - block * kChannels - 16 * j;
  return left >= 16 ? 0xffff : left <= 0 ? 0 : static_cast<__mmask16>((1 << left) - 1);
}

// y of kernel.h before the fused steps.
template <int kVectors>
LCE_INLINE void Transform(const BconvArgs& args, int32_t block, const Tile& tile,
                          __m512 y[kPixels][kVectors]) {
  const BconvTransform& t = args.transform;
  const int32_t first = block * kChannels;
  __m512 multiplier[kVectors], bias[kVectors];
#pragma GCC unroll 2
  for (int j = 0; j < kVectors; ++j) {
    multiplier[j] = _mm512_loadu_ps(t.multiplier + first + 16 * j);
    bias[j] = _mm512_loadu_ps(t.bias + first + 16 * j);
  }
  if (t.simple) {
#pragma GCC unroll 7
    for (int i = 0; i < kPixels; ++i) {
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) {
        const __m512 x = _mm512_cvtepi32_ps(tile.acc[i][j]);
        y[i][j] = _mm512_add_ps(_mm512_mul_ps(x, multiplier[j]), bias[j]);
      }
    }
  } else {
    const __m512i offset = _mm512_set1_epi32(t.offset);
    const __m512i low = _mm512_set1_epi32(t.clamp_min), high = _mm512_set1_epi32(t.clamp_max);
#pragma GCC unroll 7
    for (int i = 0; i < kPixels; ++i) {
      const int32_t* add =
          t.class_add == nullptr
              ? nullptr
              : t.class_add + static_cast<size_t>(t.pixel_class[tile.pixel[i]]) * t.class_stride;
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) {
        __m512i x = _mm512_add_epi32(_mm512_slli_epi32(tile.acc[i][j], 1), offset);
        if (add != nullptr) x = _mm512_add_epi32(x, _mm512_loadu_si512(add + first + 16 * j));
        x = _mm512_max_epi32(_mm512_min_epi32(x, high), low);
        y[i][j] = _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(x), multiplier[j]), bias[j]);
      }
    }
  }
  if (t.class_add_float != nullptr) {
#pragma GCC unroll 7
    for (int i = 0; i < kPixels; ++i) {
      const int32_t c = t.pixel_class[tile.pixel[i]];
      if (c == 0) continue;
      const float* add = t.class_add_float + static_cast<size_t>(c) * t.class_stride + first;
#pragma GCC unroll 2
      for (int j = 0; j < kVectors; ++j) {
        y[i][j] = _mm512_add_ps(y[i][j], _mm512_loadu_ps(add + 16 * j));
      }
    }
  }
}

// Calls tile(args, pixel, pixel_end, block) for both widths of the last block.
#define LCE_AVX512_TILES(function)                                               \
  static void Run(const BconvArgs* args, int32_t pixel_begin, int32_t pixel_end, \
                  int32_t block_begin, int32_t block_end) {                      \
    for (int32_t block = block_begin; block < block_end; ++block) {              \
      const bool wide = args->out_channels - block * avx512::kChannels > 16;     \
      for (int32_t p = pixel_begin; p < pixel_end; p += avx512::kPixels) {       \
        if (wide) {                                                              \
          function<2>(*args, p, pixel_end, block);                               \
        } else {                                                                 \
          function<1>(*args, p, pixel_end, block);                               \
        }                                                                        \
      }                                                                          \
    }                                                                            \
  }

}  // namespace avx512
}  // namespace lce

#endif  // LCE_KERNELS_AVX512_BCONV_H_

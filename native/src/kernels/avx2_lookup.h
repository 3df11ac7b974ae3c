// Binary convolution with AVX2 by table lookup: a tile of 6 pixels by 64 output channels.
//
// AVX2 has no vector popcount; xor, two shuffles, and, shift, two adds and a sum of bytes take 8
// operations for 256 bits. Instead the xor and the count of 4 channels are one lookup: with the
// four activation bits a and the four weight bits w,
//   table[a][w] = popcount(a xor w),   16 rows of 16 bytes
// a row is one shuffle operand. Input comes as nibbles a << 4, the offset of the row, and for
// each nibble of the window and each pixel
//   row = broadcast(table + nibble);   sum[j] += shuffle(row, weights[j])      j = 0, 1
// one byte is one output channel: 2 operations for 128 bits, and one load per 256.
//
// A byte holds 63 steps (63 * 4 = 252), then the sums are added to 16-bit ones on the stack,
// which holds windows of less than 65536 bits. 6 * 2 sums, 2 weights, a row and a product are
// the 16 registers. Shuffle controls are 0..15, so their high bit, which means zero, is clear.
//
// Packed weights: [half block of 32 channels][nibble of the window][32] bytes. Byte order within
// the 32 is such that unpacking bytes to 16 bits, which works in halves of a register, gives
// channels in order: 0-7 16-23 | 8-15 24-31. Missing channels are 0.
#ifndef LCE_KERNELS_AVX2_LOOKUP_H_
#define LCE_KERNELS_AVX2_LOOKUP_H_

#include "kernels/avx2_tail.h"

namespace lce {

constexpr int32_t kLookupPixels = 6;
constexpr int32_t kLookupBlock = 64;
constexpr int32_t kLookupHalf = 32;
constexpr int32_t kByteSteps = 63;

struct alignas(64) LookupTable {
  uint8_t row[16][16];
  constexpr LookupTable() : row() {
    for (int a = 0; a < 16; ++a) {
      for (int w = 0; w < 16; ++w) {
        const int x = a ^ w;
        row[a][w] = static_cast<uint8_t>((x & 1) + (x >> 1 & 1) + (x >> 2 & 1) + (x >> 3));
      }
    }
  }
};
static constexpr LookupTable kLookupTable;

// Sums of one tile, in order of channels.
struct alignas(32) LookupSums {
  uint16_t sum[kLookupPixels][kLookupBlock];
};

LCE_INLINE bool LookupAccepts(const BconvShape* shape) { return shape->bits < 65536; }

LCE_INLINE size_t LookupHalfBytes(int32_t segments, int32_t segment_elements) {
  return static_cast<size_t>(segments) * segment_elements * kLookupHalf;
}

LCE_INLINE size_t LookupPackedBytes(const BconvShape* shape) {
  const size_t halves = (static_cast<size_t>(shape->out_channels) + kLookupHalf - 1) / kLookupHalf;
  return halves * LookupHalfBytes(shape->segments, shape->segment_elements);
}

LCE_INLINE int32_t LookupByte(int32_t channel) {
  const int32_t eight = channel >> 3;
  return (channel & 7) + 8 * (eight == 1 ? 2 : eight == 2 ? 1 : eight);
}

LCE_INLINE void LookupPack(const BconvShape* shape, const uint32_t* weights, void* packed) {
  const size_t words = static_cast<size_t>(shape->segments) * shape->segment_words;
  const size_t taps = words / shape->word_group;
  const size_t half_bytes = LookupHalfBytes(shape->segments, shape->segment_elements);
  uint8_t* half = static_cast<uint8_t*>(packed);
  for (int32_t first = 0; first < shape->out_channels; first += kLookupHalf, half += half_bytes) {
    for (int32_t c = 0; c < kLookupHalf; ++c) {
      const bool exists = first + c < shape->out_channels;
      const uint32_t* tap = weights + (first + c) * words;
      uint8_t* out = half + LookupByte(c);
      for (size_t t = 0; t < taps; ++t) {
        for (int32_t j = 0; j < shape->nibble_group; ++j, out += kLookupHalf) {
          *out = exists ? tap[t * shape->word_group + j / 8] >> (j % 8 * 4) & 15 : 0;
        }
      }
    }
  }
}

// Brings the byte sums of 32 channels into 16-bit sums in memory, which they are added to unless
// they are the first, and clears them.
LCE_INLINE void LookupWiden(__m256i* bytes, uint16_t* sum, bool first) {
  const __m256i zero = _mm256_setzero_si256();
  __m256i low = _mm256_unpacklo_epi8(*bytes, zero);
  __m256i high = _mm256_unpackhi_epi8(*bytes, zero);
  __m256i* memory = reinterpret_cast<__m256i*>(sum);
  if (!first) {
    low = _mm256_add_epi16(low, _mm256_load_si256(memory));
    high = _mm256_add_epi16(high, _mm256_load_si256(memory + 1));
  }
  _mm256_store_si256(memory, low);
  _mm256_store_si256(memory + 1, high);
  *bytes = zero;
}

template <int kPixels, int kHalves>
LCE_INLINE void LookupWidenTile(__m256i bytes[kPixels][kHalves], LookupSums* sums, bool first) {
#pragma GCC unroll 8
  for (int i = 0; i < kPixels; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kHalves; ++j) LookupWiden(&bytes[i][j], sums->sum[i] + 32 * j, first);
  }
  // The 16-bit sums stay in memory: compilers would hold them in registers across the loops,
  // that is, spill all the 16 there are.
  __asm__ volatile("" ::: "memory");
}

// One run of at most 63 nibbles.
template <int kPixels, int kHalves>
LCE_INLINE void LookupSteps(const uint8_t* const input[kPixels], int32_t steps,
                            const uint8_t* weights, size_t half_bytes,
                            __m256i bytes[kPixels][kHalves]) {
  for (int32_t k = 0; k < steps; ++k, weights += kLookupHalf) {
    __m256i w[kHalves];
#pragma GCC unroll 2
    for (int j = 0; j < kHalves; ++j) {
      w[j] = _mm256_load_si256(reinterpret_cast<const __m256i*>(weights + j * half_bytes));
    }
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) {
      const uint8_t* row = &kLookupTable.row[0][0] + input[i][k];
      const __m256i counts = _mm256_broadcastsi128_si256(
          _mm_load_si128(reinterpret_cast<const __m128i*>(row)));
#pragma GCC unroll 2
      for (int j = 0; j < kHalves; ++j) {
        bytes[i][j] = _mm256_add_epi8(bytes[i][j], _mm256_shuffle_epi8(counts, w[j]));
      }
    }
  }
}

// Sums of pixels pixel .. pixel + kPixels - 1 and kHalves * 32 channels. Segments are not cut
// where bytes are full but widened before, so that inner loops are few and of equal length.
template <int kPixels, int kHalves>
static __attribute__((noinline)) void LookupTile(const BconvArgs* args, int32_t pixel,
                                                 const uint8_t* weights, LookupSums* sums) {
  const int32_t elements = args->segment_elements;
  const size_t half_bytes = LookupHalfBytes(args->segments, elements);
  const int32_t runs = (elements + kByteSteps - 1) / kByteSteps;
  const int32_t run = (elements + runs - 1) / runs;
  __m256i bytes[kPixels][kHalves];
#pragma GCC unroll 8
  for (int i = 0; i < kPixels; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < kHalves; ++j) bytes[i][j] = _mm256_setzero_si256();
  }
  int32_t room = kByteSteps;
  bool first = true;
  for (int32_t s = 0; s < args->segments; ++s) {
    const uint8_t* input[kPixels];
    const uint8_t* segment =
        static_cast<const uint8_t*>(args->input) + args->segment_offset[s];
#pragma GCC unroll 8
    for (int i = 0; i < kPixels; ++i) input[i] = segment + args->pixel_offset[pixel + i];
    for (int32_t left = elements; left > 0; left -= run) {
      const int32_t steps = MinInt(run, left);
      if (steps > room) {
        LookupWidenTile<kPixels, kHalves>(bytes, sums, first);
        first = false;
        room = kByteSteps;
      }
      LookupSteps<kPixels, kHalves>(input, steps, weights, half_bytes, bytes);
      room -= steps;
      weights += steps * kLookupHalf;
#pragma GCC unroll 8
      for (int i = 0; i < kPixels; ++i) input[i] += steps;
    }
  }
  LookupWidenTile<kPixels, kHalves>(bytes, sums, first);
}

// Sums of `pixels` <= kLookupPixels.
template <int kHalves>
LCE_INLINE void LookupAnyTile(const BconvArgs* args, int32_t pixel, int32_t pixels,
                              const uint8_t* weights, LookupSums* sums) {
  switch (pixels) {
    case 1: return LookupTile<1, kHalves>(args, pixel, weights, sums);
    case 2: return LookupTile<2, kHalves>(args, pixel, weights, sums);
    case 3: return LookupTile<3, kHalves>(args, pixel, weights, sums);
    case 4: return LookupTile<4, kHalves>(args, pixel, weights, sums);
    case 5: return LookupTile<5, kHalves>(args, pixel, weights, sums);
    default: return LookupTile<kLookupPixels, kHalves>(args, pixel, weights, sums);
  }
}

// Calls store(args, sums, pixel, pixels, block) for every tile.
template <typename Store>
LCE_INLINE void LookupRun(const BconvArgs* args, int32_t pixel_begin, int32_t pixel_end,
                          int32_t block_begin, int32_t block_end, Store store) {
  const size_t half_bytes = LookupHalfBytes(args->segments, args->segment_elements);
  for (int32_t block = block_begin; block < block_end; ++block) {
    const uint8_t* weights = static_cast<const uint8_t*>(args->weights) + 2 * block * half_bytes;
    const bool narrow = args->out_channels - block * kLookupBlock <= kLookupHalf;
    for (int32_t pixel = pixel_begin; pixel < pixel_end; pixel += kLookupPixels) {
      const int32_t pixels = MinInt(kLookupPixels, pixel_end - pixel);
      LookupSums sums;
      if (narrow) {
        LookupAnyTile<1>(args, pixel, pixels, weights, &sums);
      } else {
        LookupAnyTile<2>(args, pixel, pixels, weights, &sums);
      }
      for (int32_t i = 0; i < pixels; ++i) store(args, sums.sum[i], pixel + i, block);
    }
  }
}

}  // namespace lce

#endif  // LCE_KERNELS_AVX2_LOOKUP_H_

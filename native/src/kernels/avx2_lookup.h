// Binary convolution with AVX2 by table lookup: the arithmetic, and how weights are packed.
//
// AVX2 has no vector popcount; xor, two shuffles, shift, two ands, two adds take 8 operations for
// 256 bits. Here the input comes as nibbles, four channels in a byte, and a shuffle counts them:
// with activation bits a and weight bits w, popcount(a xor w) is a table of 16 rows and columns.
//
// Blocks of 17 to 64 channels: one byte is one output channel. The row of an activation is the
// shuffle's table and weights are its control. A nibble in the upper half of a byte is the offset
// of its 16-byte row:
//   row = broadcast(table + a);   bytes[j] += shuffle(row, weights[j])      j = 0, 1
// 2 operations and half a load for 128 bits, for each pixel.
//
// Blocks of up to 16 channels (if segments are multiples of four nibbles) would leave half of a
// register empty. There four bytes are one output channel, for four nibbles of the window:
//   x = broadcast(4 bytes of activations) >> 4;   bytes[j] += shuffle(counts, x xor weights[j])
//
// A byte holds 63 steps (63 * 4 = 252); then bytes are added to 16-bit sums in memory, which
// hold windows of less than 65536 bits. Controls are 0..15: bit 7, which means zero, is clear.
//
// Packed weights, one byte a nibble, 0 for missing channels:
//   wide    [half block of 32 channels][nibble of the window][32], in the order 0-7 16-23 | 8-15
//           24-31: unpacking to 16 bits works in halves of a register and restores 0, 1, .. 31
//   narrow  [four nibbles of the window][16][4]
#ifndef LCE_KERNELS_AVX2_LOOKUP_H_
#define LCE_KERNELS_AVX2_LOOKUP_H_

#include "kernels/avx2_tail.h"

namespace lce {

constexpr int32_t kLookupPixels = 6;
constexpr int32_t kLookupBlock = 64;
constexpr int32_t kLookupHalf = 32;
constexpr int32_t kLookupNarrow = 16;
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

LCE_INLINE bool LookupAccepts(const BconvShape* shape) { return shape->bits < 65536; }

// Whether a block with this many channels left is packed as a narrow one.
LCE_INLINE bool LookupIsNarrow(int32_t channels, int32_t segment_elements) {
  return channels <= kLookupNarrow && segment_elements % 4 == 0;
}

// Of 32 channels.
LCE_INLINE size_t LookupHalfBytes(int32_t segments, int32_t segment_elements) {
  return static_cast<size_t>(segments) * segment_elements * kLookupHalf;
}

LCE_INLINE size_t LookupPackedBytes(const BconvShape* shape) {
  const size_t half = LookupHalfBytes(shape->segments, shape->segment_elements);
  const int32_t last = (shape->out_channels - 1) % kLookupBlock + 1;
  const size_t blocks = static_cast<size_t>(shape->out_channels - last) / kLookupBlock;
  const bool narrow = LookupIsNarrow(last, shape->segment_elements);
  return blocks * 2 * half + (narrow ? half / 2 : last > kLookupHalf ? 2 * half : half);
}

// Weight nibbles of one channel, tap by tap: calls put(index, nibble).
template <typename Put>
LCE_INLINE void ForEachNibble(const BconvShape* shape, const uint32_t* tap, Put put) {
  const int32_t taps = shape->segments * (shape->segment_words / shape->word_group);
  size_t index = 0;
  for (int32_t t = 0; t < taps; ++t, tap += shape->word_group) {
    for (int32_t j = 0; j < shape->nibble_group; ++j, ++index) {
      put(index, static_cast<uint8_t>(tap[j / 8] >> (j % 8 * 4) & 15));
    }
  }
}

LCE_INLINE void LookupPack(const BconvShape* shape, const uint32_t* weights, void* packed) {
  const size_t words = static_cast<size_t>(shape->segments) * shape->segment_words;
  const size_t half_bytes = LookupHalfBytes(shape->segments, shape->segment_elements);
  __builtin_memset(packed, 0, LookupPackedBytes(shape));
  for (int32_t o = 0; o < shape->out_channels; ++o) {
    const int32_t first = o / kLookupBlock * kLookupBlock;
    uint8_t* half = static_cast<uint8_t*>(packed) + o / kLookupHalf * half_bytes;
    if (LookupIsNarrow(shape->out_channels - first, shape->segment_elements)) {
      uint8_t* out = half + 4 * (o - first);
      ForEachNibble(shape, weights + o * words, [out](size_t index, uint8_t nibble) {
        out[index / 4 * (4 * kLookupNarrow) + index % 4] = nibble;
      });
    } else {
      const int32_t eight = o / 8 % 4;
      uint8_t* out = half + o % 8 + 8 * (eight == 1 ? 2 : eight == 2 ? 1 : eight);
      ForEachNibble(shape, weights + o * words,
                    [out](size_t index, uint8_t nibble) { out[index * kLookupHalf] = nibble; });
    }
  }
}

}  // namespace lce

#endif  // LCE_KERNELS_AVX2_LOOKUP_H_

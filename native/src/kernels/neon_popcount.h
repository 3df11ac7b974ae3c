// Accumulation of the NEON binary convolutions: acc[pixel][channel] += popcount(input ^ weight).
//
// A unit is 128 bits of one pixel against one channel: an EOR and a CNT, which leave 16 counts of
// at most 8. Whatever adds them up merges two vectors into one, so with the last sum one adding
// instruction a unit is the least, and three vector instructions in all. What can be chosen is
// where the sums end. Blocks of 8 channels shrink 8 vectors to one by pairwise adds, the last of
// which widens into the accumulator, a u16 per channel (4 words of depth):
//
//   8 x EOR + CNT                    16 bytes a channel, each <= 8
//   4 x ADDP, 2 x ADDP, 1 x ADDP      8, 4, 2 bytes a channel, each <= 16, 32, 64
//   UADALP                           acc.u16[channel] += sum of the channel's 2 bytes
//
// 24 instructions for 8 units, in the order of the channels and with nothing to flush below 65536
// bits. What a segment has left goes through the same tree from a later step: 2 words are loaded
// twice into one vector and meet 4 vectors of 2 channels, 1 word is loaded four times and meets
// 2 vectors of 4 channels.
//
// The 8 weight vectors are loaded once for a tile of 7 pixels, which divides the layers of
// networks for 224 x 224 images (49, 196, 784, 3136 pixels): 32 registers are 8 weights, 7
// accumulators, the input and two sets of 8 temporaries.
#ifndef LCE_KERNELS_NEON_POPCOUNT_H_
#define LCE_KERNELS_NEON_POPCOUNT_H_

#include <arm_neon.h>
#include <string.h>

#include "kernels/neon_inner_loop.h"

namespace lce {
namespace neon {

constexpr int32_t kTile = 7;
constexpr int32_t kBlock = 8;
// Pixels that a block of weights meets before the next block has its turn: enough to make reading
// the weights again cheap, few enough for their output to stay in the cache until it is complete.
constexpr int32_t kChunk = 8 * kTile;

// The accumulators hold 65535; one less leaves a threshold that is never exceeded.
LCE_NEON_INLINE bool FitsAccumulator(const BconvShape* shape) { return shape->bits < 65535; }

LCE_NEON_INLINE size_t PackedBytes(const BconvShape* shape) {
  const int32_t step = shape->output == OutputKind::kBits ? 32 : kBlock;
  const size_t channels = static_cast<size_t>((shape->out_channels + step - 1) / step) * step;
  return channels * static_cast<size_t>(shape->segments) *
         static_cast<size_t>(shape->segment_words) * sizeof(uint32_t);
}

// [block][segment][group of 4, 4, .., 2, 1 words][channel of the block][word of the group], 0 past
// the last channel.
LCE_NEON_INLINE void PackWeights(const BconvShape* shape, const uint32_t* weights, void* packed) {
  const size_t depth = static_cast<size_t>(shape->segments) * shape->segment_words;
  const size_t end = PackedBytes(shape) / sizeof(uint32_t) / (depth > 0 ? depth : 1);
  uint32_t* to = static_cast<uint32_t*>(packed);
  for (size_t first = 0; first < end; first += kBlock) {
    for (int32_t segment = 0; segment < shape->segments; ++segment) {
      int32_t group = 0;
      for (int32_t word = 0; word < shape->segment_words; word += group) {
        const int32_t left = shape->segment_words - word;
        group = left >= 4 ? 4 : left >= 2 ? 2 : 1;
        for (size_t channel = first; channel < first + kBlock; ++channel, to += group) {
          const size_t bytes = static_cast<size_t>(group) * sizeof(uint32_t);
          const size_t from =
              channel * depth + static_cast<size_t>(segment) * shape->segment_words + word;
          if (channel < static_cast<size_t>(shape->out_channels)) {
            memcpy(to, weights + from, bytes);
          } else {
            memset(to, 0, bytes);
          }
        }
      }
    }
  }
}

// What a segment has left: kWords (2 or 1) words of depth of kPixels pixels. The recursion, not a
// loop, is what lets the compiler see constant indices early enough to keep `acc` in registers.
template <int kWords, int kPixels>
LCE_NEON_INLINE void AddRest(const uint8_t* const* pixel, ptrdiff_t at, const uint8_t* weights,
                             uint16x8_t* acc) {
  if constexpr (kPixels > 0) {
    AddRest<kWords, kPixels - 1>(pixel, at, weights, acc);
    const uint8_t* from = pixel[kPixels - 1] + at;
    // LD1R has no address of two registers, and an LDR and a DUP instead would take longer. A
    // pixel that starts after the one before the last is finished needs no spilled registers.
    if constexpr (kPixels > 2) {
      __asm__("" : "+r"(from), "+w"(acc[kPixels - 3]));
    } else {
      LCE_NEON_KEEP(from);
    }
    uint8x16_t input;
    if constexpr (kWords == 2) {
      uint64_t words;
      memcpy(&words, from, sizeof(words));
      input = vreinterpretq_u8_u64(vdupq_n_u64(words));
    } else {
      uint32_t word;
      memcpy(&word, from, sizeof(word));
      input = vreinterpretq_u8_u32(vdupq_n_u32(word));
    }
    acc[kPixels - 1] = vpadalq_u8(acc[kPixels - 1], CountTree<2 * kWords>(input, weights));
  }
}

// What does not change within a call, out of reach of what the inner loop may write.
struct Window {
  const uint8_t* input;
  const int32_t* pixel_offset;
  const int32_t* segment_offset;
  int32_t segments, segment_words;
};

template <int kPixels>
LCE_NEON_INLINE void StartPixels(const Window& window, int32_t first, const uint8_t** pixel,
                                 uint16x8_t* acc) {
  if constexpr (kPixels > 0) {
    StartPixels<kPixels - 1>(window, first, pixel, acc);
    ptrdiff_t offset = window.pixel_offset[first + kPixels - 1];
    LCE_NEON_KEEP(offset);  // or it is computed in vectors, which takes longer
    pixel[kPixels - 1] = window.input + offset * 4;
    acc[kPixels - 1] = vdupq_n_u16(0);
  }
}

// `kPixels` pixels from `first` on against one block of weights. `kRest`: segments are not a
// multiple of 4 words.
template <bool kRest, int kPixels>
LCE_NEON_INLINE void Accumulate(const Window& window, int32_t first, const uint8_t* weights,
                                uint16x8_t* acc) {
  const uint8_t* pixel[kPixels];
  StartPixels<kPixels>(window, first, pixel, acc);
  for (int32_t s = 0; s < window.segments; ++s) {
    ptrdiff_t at = static_cast<ptrdiff_t>(window.segment_offset[s]) * 4;
    if (!kRest || window.segment_words >= 4) {
      InnerLoop(pixel, window.segment_words / 4, &at, &weights, acc);
    }
    if (kRest && (window.segment_words & 2)) {
      AddRest<2, kPixels>(pixel, at, weights, acc);
      at += 8;
      weights += 64;
    }
    if (kRest && (window.segment_words & 1)) {
      AddRest<1, kPixels>(pixel, at, weights, acc);
      weights += 32;
    }
  }
}

// To memory, for a function that is not inlined: `acc` itself must stay in registers.
template <int kPixels>
LCE_NEON_INLINE void CopyAccumulators(const uint16x8_t* acc, uint16x8_t* to) {
  if constexpr (kPixels > 0) {
    CopyAccumulators<kPixels - 1>(acc, to);
    to[kPixels - 1] = acc[kPixels - 1];
  }
}

// Pixels [pixel, end) against one block.
template <bool kRest, typename Epilogue>
LCE_NEON_INLINE void RunBlock(const Window& window, const Epilogue& epilogue,
                              const uint8_t* weights, int32_t pixel, int32_t end) {
  for (; pixel + kTile <= end; pixel += kTile) {
    uint16x8_t acc[kTile];
    Accumulate<kRest, kTile>(window, pixel, weights, acc);
    epilogue.template Store<kTile>(acc, pixel);
  }
  for (; pixel < end; ++pixel) {
    uint16x8_t acc[1];
    Accumulate<kRest, 1>(window, pixel, weights, acc);
    epilogue.template Store<1>(acc, pixel);
  }
}

// Runs tiles of pixels against blocks of channels. `Epilogue(args, block)` prepares a block,
// `Store<kPixels>(acc, first pixel)` transforms and stores its accumulators.
template <typename Epilogue>
LCE_NEON_INLINE void RunTiles(const BconvArgs* args, int32_t pixel_begin, int32_t pixel_end,
                              int32_t block_begin, int32_t block_end) {
  // Not const, nor filled by a constructor: GCC 12 would keep it in memory.
  Window window = {static_cast<const uint8_t*>(args->input), args->pixel_offset,
                   args->segment_offset, args->segments, args->segment_elements};
  const size_t block_bytes =
      static_cast<size_t>(args->segments) * args->segment_elements * kBlock * sizeof(uint32_t);
  for (int32_t chunk = pixel_begin; chunk < pixel_end; chunk += kChunk) {
    const int32_t end = pixel_end - chunk < kChunk ? pixel_end : chunk + kChunk;
    for (int32_t block = block_begin; block < block_end; ++block) {
      const Epilogue epilogue(args, block);
      const uint8_t* weights = static_cast<const uint8_t*>(args->weights) + block * block_bytes;
      if (window.segment_words % 4 == 0) {
        RunBlock<false>(window, epilogue, weights, chunk, end);
      } else {
        RunBlock<true>(window, epilogue, weights, chunk, end);
      }
    }
  }
}

}  // namespace neon
}  // namespace lce

#endif  // LCE_KERNELS_NEON_POPCOUNT_H_

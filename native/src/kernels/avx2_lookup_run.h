// Binary convolution with AVX2 by table lookup (see avx2_lookup.h): tiles of 6 pixels by a block.
//
// For 64 channels 6 * 2 byte sums, 2 weights, a row and a product are the 16 registers.
#ifndef LCE_KERNELS_AVX2_LOOKUP_RUN_H_
#define LCE_KERNELS_AVX2_LOOKUP_RUN_H_

#include <string.h>

#include "kernels/avx2_lookup.h"

namespace lce {

// Byte sums have one type from the first to the last use. As __m256i, GCC 12 would keep every sum
// twice, as that and as the bytes that additions are made of, and half of them on the stack.
typedef uint8_t ByteSums __attribute__((vector_size(32)));

// Sums of one tile, in order of channels.
struct alignas(32) LookupSums {
  uint16_t sum[kLookupPixels][kLookupBlock];
};

// How a window is walked: `segments` whole segments at a time, or parts of one, so that bytes can
// hold the sums; of equal length as far as possible.
struct LookupWindow {
  size_t half_bytes;
  int32_t segments;  // in a run
  int32_t segment_steps;
  int32_t part_steps;  // of a segment in a run
};

LCE_INLINE int32_t EqualParts(int32_t whole, int32_t most) {
  const int32_t parts = (whole + most - 1) / most;
  return (whole + parts - 1) / parts;
}

LCE_INLINE LookupWindow MakeWindow(const BconvArgs* args, int32_t step_elements) {
  LookupWindow window;
  window.half_bytes = LookupHalfBytes(args->segments, args->segment_elements);
  window.segment_steps = args->segment_elements / step_elements;
  window.part_steps = EqualParts(window.segment_steps, kByteSteps);
  const bool whole = window.part_steps == window.segment_steps;
  window.segments = whole ? EqualParts(args->segments, kByteSteps / window.segment_steps) : 1;
  return window;
}

// The same part of some segments.
struct LookupPart {
  const int32_t* segment_offset;
  int32_t segments;
  int32_t start;  // in elements
  int32_t steps;
};

// f(0), f(1), .. f(kCount - 1), unrolled in the front end: arrays indexed by these stay in
// registers whatever an optimizer thinks of loops.
#define LCE_LAMBDA(i) [&](int i) __attribute__((always_inline))
template <int kCount, typename Function>
LCE_INLINE void Repeat(Function f) {
  if constexpr (kCount > 0) {
    Repeat<kCount - 1>(f);
    f(kCount - 1);
  }
}

// Adds to 16-bit sums in memory, unless these are the first to be stored.
LCE_INLINE void StoreSums(uint16_t* memory, __m256i sums, bool first) {
  __m256i* to = reinterpret_cast<__m256i*>(memory);
  _mm256_store_si256(to, first ? sums : _mm256_add_epi16(sums, _mm256_load_si256(to)));
}

// kHalves * 32 channels, one byte each.
template <int kHalves>
struct WideStep {
  static constexpr int kRegisters = kHalves;
  static constexpr int kElements = 1;
  static constexpr size_t kWeightBytes = kLookupHalf;

  // Adds one step of all pixels to their bytes.
  template <int kPixels>
  LCE_INLINE void Add(const uint8_t* const* input, ptrdiff_t at, const uint8_t* weights,
                      size_t half_bytes, ByteSums (*bytes)[kHalves]) {
    __m256i w[kHalves];
    Repeat<kHalves>(LCE_LAMBDA(j) {
      w[j] = _mm256_load_si256(reinterpret_cast<const __m256i*>(weights + j * half_bytes));
    });
    Repeat<kPixels>(LCE_LAMBDA(i) {
      const uint8_t* row = &kLookupTable.row[0][0] + input[i][at];
      const __m256i counts =
          _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(row)));
      Repeat<kHalves>(LCE_LAMBDA(j) {
        bytes[i][j] += reinterpret_cast<ByteSums>(_mm256_shuffle_epi8(counts, w[j]));
      });
    });
  }

  LCE_INLINE void Widen(const ByteSums* bytes, uint16_t* sums, bool first) {
    const __m256i zero = _mm256_setzero_si256();
    Repeat<kHalves>(LCE_LAMBDA(j) {
      const __m256i x = reinterpret_cast<__m256i>(bytes[j]);
      StoreSums(sums + 32 * j, _mm256_unpacklo_epi8(x, zero), first);
      StoreSums(sums + 32 * j + 16, _mm256_unpackhi_epi8(x, zero), first);
    });
  }
};

// 16 channels, four bytes each.
struct NarrowStep {
  static constexpr int kRegisters = 2;
  static constexpr int kElements = 4;
  static constexpr size_t kWeightBytes = 4 * kLookupNarrow;

  template <int kPixels>
  LCE_INLINE void Add(const uint8_t* const* input, ptrdiff_t at, const uint8_t* weights, size_t,
                      ByteSums (*bytes)[2]) {
    const __m256i counts =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    Repeat<kPixels>(LCE_LAMBDA(i) {
      int32_t four;
      memcpy(&four, input[i] + at, sizeof(four));
      // The lower halves are 0, so that nothing moves from one byte to the next.
      const __m256i x = _mm256_srli_epi16(_mm256_set1_epi32(four), 4);
      // Weights are read again for every pixel: held in registers they would be one too many.
      const __m256i* w = reinterpret_cast<const __m256i*>(weights);
      __asm__ volatile("" : "+r"(w));
      Repeat<2>(LCE_LAMBDA(j) {
        const __m256i differ = _mm256_xor_si256(x, _mm256_load_si256(w + j));
        bytes[i][j] += reinterpret_cast<ByteSums>(_mm256_shuffle_epi8(counts, differ));
      });
    });
  }

  LCE_INLINE void Widen(const ByteSums* bytes, uint16_t* sums, bool first) {
    __m256i four[2];
    Repeat<2>(LCE_LAMBDA(j) {
      const __m256i x = reinterpret_cast<__m256i>(bytes[j]);
      const __m256i two = _mm256_maddubs_epi16(x, _mm256_set1_epi8(1));
      four[j] = _mm256_madd_epi16(two, _mm256_set1_epi16(1));
    });
    // Packing works in halves of a register: quarters come out as 0 2 1 3.
    const __m256i packed = _mm256_packus_epi32(four[0], four[1]);
    StoreSums(sums, _mm256_permute4x64_epi64(packed, 0xd8), first);
  }
};

// One run for kPixels pixels, into 16-bit sums. A function of its own, for compilers to have
// little to fit into 16 registers.
template <int kPixels, typename Step>
static __attribute__((noinline)) const uint8_t* LookupSteps(const uint8_t* const* pixel_input,
                                                            const LookupPart* part,
                                                            const uint8_t* weights,
                                                            size_t half_bytes, LookupSums* sums,
                                                            bool first) {
  const uint8_t* input[kPixels];
  ByteSums bytes[kPixels][Step::kRegisters];
  Repeat<kPixels>(LCE_LAMBDA(i) {
    input[i] = pixel_input[i];
    Repeat<Step::kRegisters>(LCE_LAMBDA(j) { bytes[i][j] = ByteSums{}; });
  });
  for (int32_t s = 0; s < part->segments; ++s) {
    ptrdiff_t at = part->segment_offset[s] + part->start;
    for (const ptrdiff_t end = at + part->steps * Step::kElements; at != end;
         at += Step::kElements, weights += Step::kWeightBytes) {
      Step::template Add<kPixels>(input, at, weights, half_bytes, bytes);
    }
  }
  Repeat<kPixels>(LCE_LAMBDA(i) { Step::Widen(bytes[i], sums->sum[i], first); });
  return weights;
}

// Sums of pixels pixel .. pixel + kPixels - 1.
template <int kPixels, typename Step>
static void LookupTile(const BconvArgs* args, const LookupWindow* window, int32_t pixel,
                       const uint8_t* weights, LookupSums* sums) {
  const uint8_t* input[kPixels];
  for (int32_t i = 0; i < kPixels; ++i) {
    input[i] = static_cast<const uint8_t*>(args->input) + args->pixel_offset[pixel + i];
  }
  LookupPart part;
  for (int32_t s = 0; s < args->segments; s += window->segments) {
    part.segment_offset = args->segment_offset + s;
    part.segments = MinInt(window->segments, args->segments - s);
    for (int32_t start = 0; start < window->segment_steps; start += window->part_steps) {
      part.start = start * Step::kElements;
      part.steps = MinInt(window->part_steps, window->segment_steps - start);
      const bool first = s == 0 && start == 0;
      weights = LookupSteps<kPixels, Step>(input, &part, weights, window->half_bytes, sums, first);
    }
  }
}

// Sums of as many of `left` pixels as one tile takes; returns how many. Tiles of 2 and 1 are for
// the last pixels.
template <typename Step>
static int32_t LookupNext(const BconvArgs* args, const LookupWindow* window, int32_t pixel,
                          int32_t left, const uint8_t* weights, LookupSums* sums) {
  if (left >= kLookupPixels) {
    LookupTile<kLookupPixels, Step>(args, window, pixel, weights, sums);
    return kLookupPixels;
  }
  if (left >= 2) {
    LookupTile<2, Step>(args, window, pixel, weights, sums);
    return 2;
  }
  LookupTile<1, Step>(args, window, pixel, weights, sums);
  return 1;
}

// Calls store(args, sums, pixel, pixels, block) for every tile.
template <typename Store>
LCE_INLINE void LookupRun(const BconvArgs* args, int32_t pixel_begin, int32_t pixel_end,
                          int32_t block_begin, int32_t block_end, Store store) {
  for (int32_t block = block_begin; block < block_end; ++block) {
    const int32_t channels = args->out_channels - block * kLookupBlock;
    const bool narrow = LookupIsNarrow(channels, args->segment_elements);
    const auto next = narrow                    ? LookupNext<NarrowStep>
                      : channels <= kLookupHalf ? LookupNext<WideStep<1>>
                                                : LookupNext<WideStep<2>>;
    const LookupWindow window =
        MakeWindow(args, narrow ? NarrowStep::kElements : WideStep<2>::kElements);
    const uint8_t* weights =
        static_cast<const uint8_t*>(args->weights) + 2 * block * window.half_bytes;
    for (int32_t pixel = pixel_begin; pixel < pixel_end;) {
      LookupSums sums;
      const int32_t pixels = next(args, &window, pixel, pixel_end - pixel, weights, &sums);
      store(args, &sums, pixel, pixels, block);
      pixel += pixels;
    }
  }
}

}  // namespace lce

#endif  // LCE_KERNELS_AVX2_LOOKUP_RUN_H_

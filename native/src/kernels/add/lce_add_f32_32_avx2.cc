// Fused addition, AVX2: y = min(max(a + b, min), max), bit = y < 0, 32 values to a word of bits.
#include "kernels/avx2_tail.h"

namespace lce {
namespace {

struct Bounds {
  __m256 lo, hi;
};

LCE_INLINE uint32_t AddFull(const float* a, const float* b, float* output, Bounds bounds) {
  uint32_t word = 0;
#pragma GCC unroll 4
  for (int32_t i = 0; i < 32; i += 8) {
    const __m256 sum = _mm256_add_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
    const __m256 y = ClampLanes(sum, bounds.lo, bounds.hi);
    if (output) _mm256_storeu_ps(output + i, y);
    word |= SignBits(y) << i;
  }
  return word;
}

LCE_INLINE uint32_t AddLast(const float* a, const float* b, float* output, int32_t count,
                            Bounds bounds) {
  uint32_t word = 0;
  for (int32_t i = 0; i < count; i += 8) {
    const int32_t left = count - i;
    const bool whole = left >= 8;  // masked stores are slow, and 8 or 16 channels common
    const __m256 x = whole ? _mm256_loadu_ps(a + i) : LoadPart(a + i, left);
    const __m256 z = whole ? _mm256_loadu_ps(b + i) : LoadPart(b + i, left);
    const __m256 y = ClampLanes(_mm256_add_ps(x, z), bounds.lo, bounds.hi);
    if (output && whole) _mm256_storeu_ps(output + i, y);
    if (output && !whole) StorePart(output + i, y, left);
    word |= SignBits(y) << i;
  }
  // The clamp may have made the lanes past the end negative.
  return word & LowBits(count);
}

// One row of `count` values; a whole range of rows is one row where no word of bits is partial.
LCE_INLINE void AddRow(const float* a, const float* b, float* output, uint32_t* bits, size_t count,
                       Bounds bounds) {
  size_t i = 0;
  for (; i + 32 <= count; i += 32) {
    const uint32_t word = AddFull(a + i, b + i, output ? output + i : nullptr, bounds);
    if (bits) *bits++ = word;
  }
  if (i < count) {
    const int32_t left = static_cast<int32_t>(count - i);
    const uint32_t word = AddLast(a + i, b + i, output ? output + i : nullptr, left, bounds);
    if (bits) *bits = word;
  }
}

void Run(const AddArgs* args, size_t pixel_begin, size_t pixel_end) {
  const size_t channels = static_cast<size_t>(args->channels);
  const size_t words = (channels + 31) / 32;
  const Bounds bounds = {_mm256_set1_ps(args->min), _mm256_set1_ps(args->max)};
  const bool one_row = channels % 32 == 0 || !args->bits;
  const size_t rows = one_row ? 1 : pixel_end - pixel_begin;
  const size_t count = one_row ? (pixel_end - pixel_begin) * channels : channels;
  for (size_t row = 0; row < rows; ++row) {
    const size_t at = (pixel_begin + row) * channels;
    AddRow(args->a + at, args->b + at, args->output ? args->output + at : nullptr,
           args->bits ? args->bits + (pixel_begin + row) * words : nullptr, count, bounds);
  }
}

}  // namespace

extern const AddKernel lce_add_f32_32_avx2 = {"lce_add_f32_32_avx2", Isa::kAvx2, Run};

}  // namespace lce

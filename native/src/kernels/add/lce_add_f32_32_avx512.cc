// Fused addition, AVX-512: y = min(max(a + b, min), max), bit = y < 0.
// The bounds are the first operands of max and min: these instructions return the second one for
// NaN and for two zeros, which is what std::min(std::max(y, lo), hi) does.
#include "kernels/avx512_tail.h"

namespace lce {
namespace {

struct Bounds {
  __m512 lo, hi;
};

LCE_INLINE __m512 ClampSum(__m512 a, __m512 b, Bounds bounds) {
  return _mm512_min_ps(bounds.hi, _mm512_max_ps(bounds.lo, _mm512_add_ps(a, b)));
}

LCE_INLINE uint32_t Signs(__m512 low, __m512 high) {
  const __m512 zero = _mm512_setzero_ps();
  const uint32_t low_bits = _mm512_cmp_ps_mask(low, zero, _CMP_LT_OQ);
  const uint32_t high_bits = _mm512_cmp_ps_mask(high, zero, _CMP_LT_OQ);
  return low_bits | (high_bits << 16);
}

LCE_INLINE uint32_t AddFull(const float* a, const float* b, float* output, Bounds bounds) {
  const __m512 low = ClampSum(_mm512_loadu_ps(a), _mm512_loadu_ps(b), bounds);
  const __m512 high = ClampSum(_mm512_loadu_ps(a + 16), _mm512_loadu_ps(b + 16), bounds);
  if (output) {
    _mm512_storeu_ps(output, low);
    _mm512_storeu_ps(output + 16, high);
  }
  return Signs(low, high);
}

LCE_INLINE uint32_t AddLast(const float* a, const float* b, float* output, uint32_t mask,
                            Bounds bounds) {
  const __mmask16 m0 = LowHalf(mask), m1 = HighHalf(mask);
  const __m512 low = ClampSum(_mm512_maskz_loadu_ps(m0, a), _mm512_maskz_loadu_ps(m0, b), bounds);
  const __m512 high =
      ClampSum(_mm512_maskz_loadu_ps(m1, a + 16), _mm512_maskz_loadu_ps(m1, b + 16), bounds);
  if (output) {
    _mm512_mask_storeu_ps(output, m0, low);
    _mm512_mask_storeu_ps(output + 16, m1, high);
  }
  // The clamp may have made the lanes outside the mask negative.
  return Signs(low, high) & mask;
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
    const uint32_t mask = LowBits32(static_cast<int32_t>(count - i));
    const uint32_t word = AddLast(a + i, b + i, output ? output + i : nullptr, mask, bounds);
    if (bits) *bits = word;
  }
}

void Run(const AddArgs* args, size_t pixel_begin, size_t pixel_end) {
  const size_t channels = static_cast<size_t>(args->channels);
  const size_t words = (channels + 31) / 32;
  const Bounds bounds = {_mm512_set1_ps(args->min), _mm512_set1_ps(args->max)};
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

extern const AddKernel lce_add_f32_32_avx512 = {"lce_add_f32_32_avx512", Isa::kAvx512, Run};

}  // namespace lce

// The output transform of kernel.h for eight channels of one pixel, from 16-bit sums.
#ifndef LCE_KERNELS_AVX2_TRANSFORM_H_
#define LCE_KERNELS_AVX2_TRANSFORM_H_

#include "kernels/avx2_tail.h"

namespace lce {

// Rows of the class tables for one pixel; null where there is nothing to add.
struct PixelClass {
  const int32_t* add;
  const float* add_float;
};

LCE_INLINE PixelClass FindClass(const BconvTransform* t, int32_t pixel) {
  PixelClass row = {nullptr, nullptr};
  const int32_t number = t->pixel_class ? t->pixel_class[pixel] : 0;
  if (number > 0) {
    const size_t at = static_cast<size_t>(number) * t->class_stride;
    if (t->class_add) row.add = t->class_add + at;
    if (t->class_add_float) row.add_float = t->class_add_float + at;
  }
  return row;
}

LCE_INLINE __m256i LoadSums(const uint16_t* sums) {
  return _mm256_cvtepu16_epi32(_mm_load_si128(reinterpret_cast<const __m128i*>(sums)));
}

LCE_INLINE __m256i LoadInts(const int32_t* x) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x));
}

LCE_INLINE __m256 MultiplyAdd(const BconvTransform* t, __m256i x, int32_t o) {
  const __m256 product = _mm256_mul_ps(_mm256_cvtepi32_ps(x), _mm256_loadu_ps(t->multiplier + o));
  return _mm256_add_ps(product, _mm256_loadu_ps(t->bias + o));
}

// The integer part of the transform where it is not `simple`; `add` may be null.
LCE_INLINE __m256i Correct(const BconvTransform* t, __m256i x, const int32_t* add) {
  x = _mm256_add_epi32(_mm256_slli_epi32(x, 1), _mm256_set1_epi32(t->offset));
  if (add) x = _mm256_add_epi32(x, LoadInts(add));
  x = _mm256_max_epi32(x, _mm256_set1_epi32(t->clamp_min));
  return _mm256_min_epi32(x, _mm256_set1_epi32(t->clamp_max));
}

// y of channels o .. o + 7 before the fused steps; `sums` are those of channel o and on.
LCE_INLINE __m256 Affine(const BconvTransform* t, const uint16_t* sums, int32_t o, PixelClass row) {
  __m256i x = LoadSums(sums);
  if (!t->simple) x = Correct(t, x, row.add ? row.add + o : nullptr);
  __m256 y = MultiplyAdd(t, x, o);
  if (row.add_float) y = _mm256_add_ps(y, _mm256_loadu_ps(row.add_float + o));
  return y;
}

// Half away from zero, saturated to [-128, 127]; NaN gives 0. Adding the largest float below 0.5
// and truncating is exact: from n + 0.5 on the sum rounds to n + 1 or more, and from the float
// before it to less. Adding 0.5 itself would round 0.49999997 to 1.
LCE_INLINE __m256i RoundToInt(__m256 y) {
  y = _mm256_and_ps(y, _mm256_cmp_ps(y, y, _CMP_ORD_Q));
  y = ClampLanes(y, _mm256_set1_ps(-128.0f), _mm256_set1_ps(127.0f));
  const __m256 sign = _mm256_and_ps(y, _mm256_set1_ps(-0.0f));
  const __m256 half = _mm256_or_ps(sign, _mm256_set1_ps(0.49999997f));
  return _mm256_cvttps_epi32(_mm256_add_ps(y, half));
}

// The first `count` bytes, at least 1.
LCE_INLINE void StoreBytes(int8_t* output, __m256i bytes, int32_t count) {
  if (count >= 32) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(output), bytes);
    return;
  }
  __m128i left = _mm256_castsi256_si128(bytes);
  if (count & 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(output), left);
    left = _mm256_extracti128_si256(bytes, 1);
    output += 16;
  }
  if (count & 8) {
    _mm_storel_epi64(reinterpret_cast<__m128i*>(output), left);
    left = _mm_unpackhi_epi64(left, left);
    output += 8;
  }
  uint64_t last = static_cast<uint64_t>(_mm_cvtsi128_si64(left));
  for (int32_t i = 0; i < (count & 7); ++i, last >>= 8) output[i] = static_cast<int8_t>(last);
}

}  // namespace lce

#endif  // LCE_KERNELS_AVX2_TRANSFORM_H_

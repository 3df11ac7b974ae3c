// From accumulators to outputs, 8 channels of one pixel at a time; the arithmetic is that of
// BconvTransform in kernel.h. Multiplication and addition are two instructions with a rounding
// each, never FMLA.
//
// Everything here is always inlined: no function is shared between instruction sets.
#ifndef LCE_KERNELS_NEON_TRANSFORM_H_
#define LCE_KERNELS_NEON_TRANSFORM_H_

#include <arm_neon.h>
#include <string.h>

#include "kernels/neon_inner_loop.h"

namespace lce {
namespace neon {

// One value per channel of a block.
struct Float8 {
  float32x4_t lo, hi;
};

LCE_NEON_INLINE Float8 LoadFloat8(const float* from) {
  return {vld1q_f32(from), vld1q_f32(from + 4)};
}

LCE_NEON_INLINE void StoreFloat8(float* to, Float8 x) {
  vst1q_f32(to, x.lo);
  vst1q_f32(to + 4, x.hi);
}

// `count` < 8 channels exist; memory past them belongs to someone else.
LCE_NEON_INLINE Float8 LoadPart(const float* from, int32_t count) {
  float all[8] = {0};
  memcpy(all, from, static_cast<size_t>(count) * sizeof(float));
  return LoadFloat8(all);
}

LCE_NEON_INLINE void StorePart(float* to, Float8 x, int32_t count) {
  float all[8];
  StoreFloat8(all, x);
  memcpy(to, all, static_cast<size_t>(count) * sizeof(float));
}

LCE_NEON_INLINE Float8 Add(Float8 a, Float8 b) {
  return {vaddq_f32(a.lo, b.lo), vaddq_f32(a.hi, b.hi)};
}

LCE_NEON_INLINE Float8 Multiply(Float8 a, Float8 b) {
  return {vmulq_f32(a.lo, b.lo), vmulq_f32(a.hi, b.hi)};
}

// Not FMAX and FMIN, which turn a -0.0 at a bound of 0 into 0.0: std::min(std::max(x, lo), hi).
LCE_NEON_INLINE float32x4_t Clamp(float32x4_t x, float32x4_t lo, float32x4_t hi) {
  x = vbslq_f32(vcltq_f32(x, lo), lo, x);
  return vbslq_f32(vcltq_f32(hi, x), hi, x);
}

LCE_NEON_INLINE Float8 Clamp(Float8 x, float min, float max) {
  const float32x4_t lo = vdupq_n_f32(min), hi = vdupq_n_f32(max);
  return {Clamp(x.lo, lo, hi), Clamp(x.hi, lo, hi)};
}

// The bit of each channel in the byte of a block.
LCE_NEON_INLINE uint16x8_t ChannelBits() {
  static const uint16_t kBits[8] = {1, 2, 4, 8, 16, 32, 64, 128};
  return vld1q_u16(kBits);
}

// Bit i is set where channel i is below zero.
LCE_NEON_INLINE uint8_t SignByte(Float8 x, uint16x8_t channel_bits) {
  const uint16x8_t negative =
      vuzp1q_u16(vreinterpretq_u16_u32(vcltzq_f32(x.lo)), vreinterpretq_u16_u32(vcltzq_f32(x.hi)));
  return static_cast<uint8_t>(vaddvq_u16(vandq_u16(negative, channel_bits)));
}

// float(acc); exact.
LCE_NEON_INLINE Float8 ToFloat(uint16x8_t acc) {
  return {vcvtq_f32_u32(vmovl_u16(vget_low_u16(acc))), vcvtq_f32_u32(vmovl_high_u16(acc))};
}

// float(min(max(2 * acc + offset + class_add, clamp_min), clamp_max)).
LCE_NEON_INLINE Float8 ClampedToFloat(const BconvTransform& t, uint16x8_t acc,
                                      const int32_t* class_add) {
  const int32x4_t offset = vdupq_n_s32(t.offset);
  int32x4_t lo = vreinterpretq_s32_u32(vshll_n_u16(vget_low_u16(acc), 1));
  int32x4_t hi = vreinterpretq_s32_u32(vshll_high_n_u16(acc, 1));
  lo = vaddq_s32(lo, offset);
  hi = vaddq_s32(hi, offset);
  if (class_add) {
    lo = vaddq_s32(lo, vld1q_s32(class_add));
    hi = vaddq_s32(hi, vld1q_s32(class_add + 4));
  }
  const int32x4_t min = vdupq_n_s32(t.clamp_min), max = vdupq_n_s32(t.clamp_max);
  lo = vminq_s32(vmaxq_s32(lo, min), max);
  hi = vminq_s32(vmaxq_s32(hi, min), max);
  return {vcvtq_f32_s32(lo), vcvtq_f32_s32(hi)};
}

// Where the tables have the class of `pixel`.
LCE_NEON_INLINE size_t ClassRow(const BconvTransform& t, int32_t pixel) {
  return t.pixel_class ? static_cast<size_t>(t.pixel_class[pixel]) * t.class_stride : 0;
}

// What float and int8 output have in common. Row 0 of the class tables is zero and is not added:
// -0.0 + 0.0 would not be -0.0.
LCE_NEON_INLINE Float8 Affine(const BconvTransform& t, uint16x8_t acc, Float8 multiplier,
                              Float8 bias, int32_t pixel, int32_t channel) {
  const size_t row = ClassRow(t, pixel);
  Float8 y;
  if (t.simple) {
    y = ToFloat(acc);
  } else {
    y = ClampedToFloat(t, acc, row > 0 && t.class_add ? t.class_add + row + channel : nullptr);
  }
  y = Add(Multiply(y, multiplier), bias);
  if (row > 0 && t.class_add_float) y = Add(y, LoadFloat8(t.class_add_float + row + channel));
  return y;
}

}  // namespace neon
}  // namespace lce

#endif  // LCE_KERNELS_NEON_TRANSFORM_H_

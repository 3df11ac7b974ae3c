// Fused addition, NEON, 32 channels at a time: y = min(max(a + b, min), max), bit = y < 0; see
// neon_transform.h for the clamp and neon_signs.h for the bits.
#include "kernels/neon_signs.h"
#include "kernels/neon_transform.h"

namespace lce {
namespace {

using namespace neon;

struct Bounds {
  float32x4_t lo, hi;
};

LCE_NEON_INLINE float32x4_t Add4(const float* a, const float* b, float* output, Bounds bounds) {
  const float32x4_t y = Clamp(vaddq_f32(vld1q_f32(a), vld1q_f32(b)), bounds.lo, bounds.hi);
  if (output) vst1q_f32(output, y);
  return y;
}

LCE_NEON_INLINE uint8x16_t Add16(const float* a, const float* b, float* output, Bounds bounds) {
  const float32x4_t y0 = Add4(a, b, output, bounds);
  const float32x4_t y1 = Add4(a + 4, b + 4, output ? output + 4 : nullptr, bounds);
  const float32x4_t y2 = Add4(a + 8, b + 8, output ? output + 8 : nullptr, bounds);
  const float32x4_t y3 = Add4(a + 12, b + 12, output ? output + 12 : nullptr, bounds);
  return Negative(y0, y1, y2, y3);
}

// 0 < count < 16 values.
LCE_NEON_INLINE uint8x16_t AddPart(const float* a, const float* b, float* output, int32_t count,
                                   Bounds bounds) {
  const size_t bytes = static_cast<size_t>(count) * sizeof(float);
  float part_a[16] = {0}, part_b[16] = {0}, y[16];
  memcpy(part_a, a, bytes);
  memcpy(part_b, b, bytes);
  const uint8x16_t negative = Add16(part_a, part_b, y, bounds);
  if (output) memcpy(output, y, bytes);
  return negative;
}

// Up to 32 values.
LCE_NEON_INLINE uint32_t AddWord(const float* a, const float* b, float* output, int32_t count,
                                 Bounds bounds) {
  uint8x16_t low, high = vdupq_n_u8(0);
  if (count < 16) {
    low = AddPart(a, b, output, count, bounds);
  } else {
    low = Add16(a, b, output, bounds);
    float* output_high = output ? output + 16 : nullptr;
    if (count >= 32) {
      high = Add16(a + 16, b + 16, output_high, bounds);
    } else if (count > 16) {
      high = AddPart(a + 16, b + 16, output_high, count - 16, bounds);
    }
  }
  // The clamp may have made what is not there negative.
  return count < 32 ? MasksToWord(low, high) & LowBits(count) : MasksToWord(low, high);
}

void Run(const AddArgs* args, size_t pixel_begin, size_t pixel_end) {
  const int32_t channels = args->channels;
  const Bounds bounds = {vdupq_n_f32(args->min), vdupq_n_f32(args->max)};
  const size_t begin = pixel_begin * static_cast<size_t>(channels);
  const size_t words = (static_cast<size_t>(channels) + 31) / 32;
  const float* a = args->a + begin;
  const float* b = args->b + begin;
  float* output = args->output ? args->output + begin : nullptr;
  uint32_t* bits = args->bits ? args->bits + pixel_begin * words : nullptr;
  for (size_t pixel = pixel_begin; pixel < pixel_end; ++pixel) {
    for (int32_t left = channels; left > 0; left -= 32) {
      const int32_t count = left < 32 ? left : 32;
      const uint32_t word = AddWord(a, b, output, count, bounds);
      if (bits) *bits++ = word;
      a += count;
      b += count;
      if (output) output += count;
    }
  }
}

}  // namespace

extern const AddKernel lce_add_f32_32_neon = {"lce_add_f32_32_neon", Isa::kNeon, Run};

}  // namespace lce

// The portable binary convolution: one pixel times eight output channels.
//
//   x = activation word xor weight word, then in steps of twice the width
//   x = x - ((x >> 1) & 0x5555..)              counts of 2 bits, 0..2
//   x = (x & 0x3333..) + ((x >> 2) & 0x3333..) counts of 4 bits, 0..4
//   x = (x + (x >> 4)) & 0x0f0f..              counts of bytes, 0..8
// Byte counts of up to 31 words fit a byte (31 * 8 = 248); only then are they added up to words.
//
// Vectors of the compiler (not of one instruction set) keep the eight accumulators in registers:
// two SSE2 or NEON registers where these are part of the base architecture, plain words elsewhere.
// No __builtin_popcount: without the instruction it is a call into libgcc.
//
// Packed weights: [ceil(out_channels / 8)][segments * segment_words][8] words, zeros at the end.
#ifndef LCE_KERNELS_BCONV_BCONV_SCALAR_H_
#define LCE_KERNELS_BCONV_BCONV_SCALAR_H_

#include <string.h>

#include "kernels/scalar_math.h"

namespace lce {

constexpr int32_t kScalarBlock = 32;  // channels; a word of bits
constexpr int32_t kScalarLanes = 8;
constexpr int32_t kScalarByteWords = 31;

typedef uint32_t ScalarVector __attribute__((vector_size(16)));

LCE_INLINE bool ScalarAccepts(const BconvShape*) { return true; }

LCE_INLINE size_t ScalarPackedBytes(const BconvShape* shape) {
  const size_t groups =
      (static_cast<size_t>(shape->out_channels) + kScalarLanes - 1) / kScalarLanes;
  const size_t words = static_cast<size_t>(shape->segments) * shape->segment_words;
  return groups * words * kScalarLanes * sizeof(uint32_t);
}

LCE_INLINE void ScalarPack(const BconvShape* shape, const uint32_t* weights, void* packed) {
  uint32_t* out = static_cast<uint32_t*>(packed);
  const size_t words = static_cast<size_t>(shape->segments) * shape->segment_words;
  for (int32_t first = 0; first < shape->out_channels; first += kScalarLanes) {
    for (size_t k = 0; k < words; ++k) {
      for (int32_t o = first; o < first + kScalarLanes; ++o) {
        *out++ = o < shape->out_channels ? weights[o * words + k] : 0;
      }
    }
  }
}

LCE_INLINE ScalarVector ScalarByteCounts(ScalarVector x) {
  x = x - ((x >> 1) & 0x55555555u);
  x = (x & 0x33333333u) + ((x >> 2) & 0x33333333u);
  return (x + (x >> 4)) & 0x0f0f0f0fu;
}

LCE_INLINE ScalarVector ScalarSumBytes(ScalarVector x) {
  x = (x & 0x00ff00ffu) + ((x >> 8) & 0x00ff00ffu);
  return (x & 0xffffu) + (x >> 16);
}

// acc[0..7] of channels first .. first + 7, `first` a multiple of 8.
LCE_INLINE void ScalarAccumulate(const BconvArgs* args, int32_t pixel, int32_t first,
                                 int32_t* acc) {
  const size_t words = static_cast<size_t>(args->segments) * args->segment_elements;
  const uint32_t* weights = static_cast<const uint32_t*>(args->weights) + first * words;
  const uint32_t* input = static_cast<const uint32_t*>(args->input) + args->pixel_offset[pixel];
  ScalarVector sum0 = {}, sum1 = {}, bytes0 = {}, bytes1 = {};
  int32_t room = kScalarByteWords;
  for (int32_t s = 0; s < args->segments; ++s) {
    const uint32_t* x = input + args->segment_offset[s];
    const uint32_t* const segment_end = x + args->segment_elements;
    while (x != segment_end) {
      const int32_t left = static_cast<int32_t>(segment_end - x);
      const int32_t run = MinInt(left, room);
      for (const uint32_t* const end = x + run; x != end; ++x, weights += kScalarLanes) {
        ScalarVector w0, w1;
        memcpy(&w0, weights, sizeof(w0));
        memcpy(&w1, weights + 4, sizeof(w1));
        bytes0 += ScalarByteCounts(w0 ^ *x);
        bytes1 += ScalarByteCounts(w1 ^ *x);
      }
      room -= run;
      if (room == 0) {
        sum0 += ScalarSumBytes(bytes0);
        sum1 += ScalarSumBytes(bytes1);
        bytes0 = ScalarVector{};
        bytes1 = ScalarVector{};
        room = kScalarByteWords;
      }
    }
  }
  sum0 += ScalarSumBytes(bytes0);
  sum1 += ScalarSumBytes(bytes1);
  memcpy(acc, &sum0, sizeof(sum0));
  memcpy(acc + 4, &sum1, sizeof(sum1));
}

// The first half of the output transform, up to the correction of border pixels.
LCE_INLINE float ScalarAffine(const BconvTransform* t, int32_t acc, int32_t pixel_class,
                              int32_t o) {
  const size_t at = static_cast<size_t>(pixel_class) * t->class_stride + o;
  float x;
  if (t->simple) {
    x = static_cast<float>(acc);
  } else {
    int32_t v = 2 * acc + t->offset;
    if (t->class_add) v += t->class_add[at];
    x = static_cast<float>(ClampInt(v, t->clamp_min, t->clamp_max));
  }
  const float product = x * t->multiplier[o];
  float y = product + t->bias[o];
  if (pixel_class > 0 && t->class_add_float) y = y + t->class_add_float[at];
  return y;
}

LCE_INLINE int32_t ScalarClass(const BconvTransform* t, int32_t pixel) {
  return t->pixel_class ? t->pixel_class[pixel] : 0;
}

}  // namespace lce

#endif  // LCE_KERNELS_BCONV_BCONV_SCALAR_H_

// Binary convolution to float, NEON: tiles of 7 pixels times 8 channels; see neon_popcount.h for
// the sums and neon_transform.h for
//   y = float(2 * acc + offset, clamped) * multiplier + bias
// and the fused steps. There are three ways to store a tile, chosen once for a block of channels:
//   plain   multiply, add, store; inlined
//   usual   what blocks of networks need: border classes, shortcut, clamp behind it, signs
//   any     the rest: integer clamps, a clamp before the shortcut, missing channels
#include "kernels/neon_popcount.h"
#include "kernels/neon_transform.h"

namespace lce {
namespace {

using namespace neon;

enum class Way { kPlain, kUsual, kAny };

struct Block {
  const BconvArgs* args;
  int32_t channel, count;  // the first, and how many of the 8 exist
  int32_t clear;           // bytes of the last word of signs that have no block
  Way way;
  Float8 multiplier, bias;
  // For the usual way: infinite bounds if there is no clamp; pointers at the channel or null.
  float32x4_t min, max;
  float* output;
  const float* residual;
  uint8_t* bits;
  uint16x8_t channel_bits;
};

Way ChooseWay(const BconvArgs* args, int32_t count) {
  const BconvTransform* t = &args->transform;
  if (!t->simple || t->pre_clamp || count < kBlock) return Way::kAny;
  const bool fused = t->pixel_class || t->residual || t->post_clamp || t->bits || !args->output;
  return fused ? Way::kUsual : Way::kPlain;
}

// The byte of a block, and zeros in the 0 .. 3 that have no block; a loop would become a call.
LCE_NEON_INLINE void StoreBits(uint8_t* to, uint8_t byte, int32_t clear) {
  to[0] = byte;
  if (clear == 0) return;
  to[1] = 0;
  if (clear > 1) to[2] = 0;
  if (clear > 2) to[3] = 0;
}

// Not inlined, so that it does not crowd the plain way.
__attribute__((noinline)) void StoreUsual(const Block* block, const uint16x8_t* acc, int32_t pixel,
                                          int32_t pixels) {
  const BconvTransform* t = &block->args->transform;
  const ptrdiff_t stride = block->args->out_stride, bits_stride = t->bits_stride * 4;
  const Float8 multiplier = block->multiplier, bias = block->bias;
  const float32x4_t min = block->min, max = block->max;
  const uint16x8_t channel_bits = block->channel_bits;
  const uint16_t* pixel_class = t->class_add_float ? t->pixel_class : nullptr;
  float* output = block->output;
  const float* residual = block->residual;
  uint8_t* bits = block->bits;
  const int32_t clear = block->clear;
  ptrdiff_t at = pixel * stride, bits_at = pixel * bits_stride;
  for (const int32_t end = pixel + pixels; pixel < end; ++pixel, ++acc) {
    Float8 y = Add(Multiply(ToFloat(*acc), multiplier), bias);
    if (pixel_class && pixel_class[pixel] > 0) {
      y = Add(y, LoadFloat8(t->class_add_float + ClassRow(*t, pixel) + block->channel));
    }
    if (residual) y = Add(y, LoadFloat8(residual + at));
    y.lo = Clamp(y.lo, min, max);
    y.hi = Clamp(y.hi, min, max);
    if (output) StoreFloat8(output + at, y);
    if (bits) StoreBits(bits + bits_at, SignByte(y, channel_bits), clear);
    at += stride;
    bits_at += bits_stride;
  }
}

__attribute__((noinline)) void StoreAny(const Block* block, const uint16x8_t* acc, int32_t pixel,
                                        int32_t pixels) {
  const BconvTransform* t = &block->args->transform;
  const bool whole = block->count == kBlock;
  const ptrdiff_t stride = block->args->out_stride, bits_stride = t->bits_stride * 4;
  for (const int32_t end = pixel + pixels; pixel < end; ++pixel, ++acc) {
    Float8 y = Affine(*t, *acc, block->multiplier, block->bias, pixel, block->channel);
    if (t->pre_clamp) y = Clamp(y, t->pre_min, t->pre_max);
    if (block->residual) {
      const float* residual = block->residual + pixel * stride;
      y = Add(y, whole ? LoadFloat8(residual) : LoadPart(residual, block->count));
    }
    if (t->post_clamp) y = Clamp(y, t->post_min, t->post_max);
    if (block->output) {
      float* output = block->output + pixel * stride;
      if (whole) {
        StoreFloat8(output, y);
      } else {
        StorePart(output, y, block->count);
      }
    }
    if (block->bits) {
      const uint32_t byte = SignByte(y, block->channel_bits) & ((1u << block->count) - 1);
      StoreBits(block->bits + pixel * bits_stride, static_cast<uint8_t>(byte), block->clear);
    }
  }
}

// Leaves `output` at the pixel after the last.
template <int kPixels>
LCE_NEON_INLINE void StorePlain(Float8 multiplier, Float8 bias, const uint16x8_t* acc,
                                ptrdiff_t stride, float** output) {
  if constexpr (kPixels > 0) {
    StorePlain<kPixels - 1>(multiplier, bias, acc, stride, output);
    StoreFloat8(*output, Add(Multiply(ToFloat(acc[kPixels - 1]), multiplier), bias));
    *output += stride;
    LCE_NEON_KEEP(*output);  // one address for both halves: one STP
  }
}

struct Epilogue {
  Block block;

  LCE_NEON_METHOD Epilogue(const BconvArgs* args, int32_t index) {
    const BconvTransform* t = &args->transform;
    const int32_t channel = index * kBlock;
    block.args = args;
    block.channel = channel;
    block.count = args->out_channels - channel < kBlock ? args->out_channels - channel : kBlock;
    block.clear = channel + kBlock < args->out_channels ? 0 : ~index & 3;
    block.way = ChooseWay(args, block.count);
    block.multiplier = LoadFloat8(t->multiplier + channel);
    block.bias = LoadFloat8(t->bias + channel);
    block.min = vdupq_n_f32(t->post_clamp ? t->post_min : -__builtin_inff());
    block.max = vdupq_n_f32(t->post_clamp ? t->post_max : __builtin_inff());
    block.output = args->output ? static_cast<float*>(args->output) + channel : nullptr;
    block.residual = t->residual ? t->residual + channel : nullptr;
    block.bits = t->bits ? reinterpret_cast<uint8_t*>(t->bits) + index : nullptr;
    block.channel_bits = ChannelBits();
  }

  template <int kPixels>
  LCE_NEON_METHOD void Store(const uint16x8_t* acc, int32_t pixel) const {
    if (block.way == Way::kPlain) {
      const ptrdiff_t stride = block.args->out_stride;
      float* output = block.output + pixel * stride;
      StorePlain<kPixels>(block.multiplier, block.bias, acc, stride, &output);
      return;
    }
    uint16x8_t copy[kPixels];
    CopyAccumulators<kPixels>(acc, copy);
    if (block.way == Way::kUsual) {
      StoreUsual(&block, copy, pixel, kPixels);
    } else {
      StoreAny(&block, copy, pixel, kPixels);
    }
  }
};

bool Accepts(const BconvShape* shape) { return FitsAccumulator(shape); }
size_t Bytes(const BconvShape* shape) { return PackedBytes(shape); }
void Pack(const BconvShape* shape, const uint32_t* weights, void* packed) {
  PackWeights(shape, weights, packed);
}
void Run(const BconvArgs* args, int32_t pixel_begin, int32_t pixel_end, int32_t block_begin,
         int32_t block_end) {
  RunTiles<Epilogue>(args, pixel_begin, pixel_end, block_begin, block_end);
}

}  // namespace

extern const BconvKernel lce_bconv_f32_7x8_neon = {"lce_bconv_f32_7x8_neon",
                                                   Isa::kNeon,
                                                   OutputKind::kFloat,
                                                   InputForm::kWords,
                                                   kTile,
                                                   kBlock,
                                                   Accepts,
                                                   Bytes,
                                                   Pack,
                                                   Run};

}  // namespace lce

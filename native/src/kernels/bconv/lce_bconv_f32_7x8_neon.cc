// Binary convolution to float, NEON: tiles of 7 pixels times 8 channels; see neon_popcount.h for
// the sums and neon_transform.h for
//   y = float(2 * acc + offset, clamped) * multiplier + bias
// and the fused steps. Convolutions without any of these take a path of 9 instructions a pixel.
#include "kernels/neon_popcount.h"
#include "kernels/neon_transform.h"

namespace lce {
namespace {

using namespace neon;

struct Block {
  const BconvArgs* args;
  int32_t channel, count;  // the first, and how many of the 8 exist
  bool plain;
  Float8 multiplier, bias;
};

bool IsPlain(const BconvArgs* args) {
  const BconvTransform* t = &args->transform;
  return t->simple && !t->pixel_class && !t->pre_clamp && !t->residual && !t->post_clamp &&
         !t->bits && args->output;
}

// The byte of this block; the last block also clears what is left of the word.
LCE_NEON_INLINE void StoreBits(uint8_t* to, const Block& block, Float8 y) {
  const uint8_t byte = SignByte(y);
  if (block.channel + kBlock < block.args->out_channels) {
    *to = byte;
    return;
  }
  *to++ = static_cast<uint8_t>(byte & ((1u << block.count) - 1));
  for (int32_t at = block.channel / 8 + 1; at % 4 != 0; ++at) *to++ = 0;
}

// Any transform. Not inlined, so that it does not crowd the plain path. Everything is copied out
// of reach of the stores first, or it would be loaded again for each pixel.
__attribute__((noinline)) void StoreFused(const Block* from, const uint16x8_t* acc, int32_t pixel,
                                          int32_t pixels) {
  Block block = *from;
  BconvTransform t = block.args->transform;
  const bool whole = block.count == kBlock;
  const ptrdiff_t stride = block.args->out_stride, bits_stride = t.bits_stride * 4;
  const ptrdiff_t at = pixel * stride + block.channel;
  float* output = block.args->output ? static_cast<float*>(block.args->output) + at : nullptr;
  const float* residual = t.residual ? t.residual + at : nullptr;
  uint8_t* bits = t.bits ? reinterpret_cast<uint8_t*>(t.bits) + pixel * bits_stride +
                               block.channel / 8
                         : nullptr;
  for (const int32_t end = pixel + pixels; pixel < end; ++pixel, ++acc) {
    Float8 y = Affine(t, *acc, block.multiplier, block.bias, pixel, block.channel);
    if (t.pre_clamp) y = Clamp(y, t.pre_min, t.pre_max);
    if (residual) {
      y = Add(y, whole ? LoadFloat8(residual) : LoadPart(residual, block.count));
      residual += stride;
    }
    if (t.post_clamp) y = Clamp(y, t.post_min, t.post_max);
    if (output) {
      if (whole) {
        StoreFloat8(output, y);
      } else {
        StorePart(output, y, block.count);
      }
      output += stride;
    }
    if (bits) {
      StoreBits(bits, block, y);
      bits += bits_stride;
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
    block.args = args;
    block.channel = index * kBlock;
    block.count = args->out_channels - block.channel;
    if (block.count > kBlock) block.count = kBlock;
    block.plain = block.count == kBlock && IsPlain(args);
    block.multiplier = LoadFloat8(args->transform.multiplier + block.channel);
    block.bias = LoadFloat8(args->transform.bias + block.channel);
  }

  template <int kPixels>
  LCE_NEON_METHOD void Store(const uint16x8_t* acc, int32_t pixel) const {
    if (block.plain) {
      const ptrdiff_t stride = block.args->out_stride;
      float* output = static_cast<float*>(block.args->output) + pixel * stride + block.channel;
      StorePlain<kPixels>(block.multiplier, block.bias, acc, stride, &output);
    } else {
      uint16x8_t copy[kPixels];
      CopyAccumulators<kPixels>(acc, copy);
      StoreFused(&block, copy, pixel, kPixels);
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

extern const BconvKernel lce_bconv_f32_7x8_neon = {
    "lce_bconv_f32_7x8_neon", Isa::kNeon, OutputKind::kFloat, InputForm::kWords, kTile, kBlock,
    Accepts, Bytes, Pack, Run};

}  // namespace lce

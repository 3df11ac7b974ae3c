// Binary convolution to int8, NEON: tiles of 7 pixels times 8 channels; see neon_popcount.h for
// the sums and neon_transform.h for
//   y = float(2 * acc + offset, clamped) * multiplier + bias
// FCVTAS rounds half away from zero (NaN to 0) and saturates to int32, two SQXTN to int8.
#include "kernels/neon_popcount.h"
#include "kernels/neon_transform.h"

namespace lce {
namespace {

using namespace neon;

struct Block {
  const BconvArgs* args;
  int32_t channel, count;  // the first, and how many of the 8 exist
  Float8 multiplier, bias;
};

LCE_NEON_INLINE int8x8_t Round(Float8 y) {
  return vqmovn_s16(vqmovn_high_s32(vqmovn_s32(vcvtaq_s32_f32(y.lo)), vcvtaq_s32_f32(y.hi)));
}

// Not inlined, so that it does not crowd the accumulation. Everything is copied out of reach of
// the stores first, or it would be loaded again for each pixel.
__attribute__((noinline)) void StorePixels(const Block* from, const uint16x8_t* acc, int32_t pixel,
                                           int32_t pixels) {
  Block block = *from;
  BconvTransform t = block.args->transform;
  const ptrdiff_t stride = block.args->out_stride;
  int8_t* output = static_cast<int8_t*>(block.args->output) + pixel * stride + block.channel;
  for (const int32_t end = pixel + pixels; pixel < end; ++pixel, ++acc, output += stride) {
    const int8x8_t y = Round(Affine(t, *acc, block.multiplier, block.bias, pixel, block.channel));
    if (block.count == kBlock) {
      vst1_s8(output, y);
    } else {
      int8_t all[kBlock];
      vst1_s8(all, y);
      memcpy(output, all, static_cast<size_t>(block.count));
    }
  }
}

struct Epilogue {
  Block block;

  LCE_NEON_METHOD Epilogue(const BconvArgs* args, int32_t index) {
    block.args = args;
    block.channel = index * kBlock;
    block.count = args->out_channels - block.channel;
    if (block.count > kBlock) block.count = kBlock;
    block.multiplier = LoadFloat8(args->transform.multiplier + block.channel);
    block.bias = LoadFloat8(args->transform.bias + block.channel);
  }

  template <int kPixels>
  LCE_NEON_METHOD void Store(const uint16x8_t* acc, int32_t pixel) const {
    uint16x8_t copy[kPixels];
    CopyAccumulators<kPixels>(acc, copy);
    StorePixels(&block, copy, pixel, kPixels);
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

extern const BconvKernel lce_bconv_i8_7x8_neon = {"lce_bconv_i8_7x8_neon",
                                                  Isa::kNeon,
                                                  OutputKind::kInt8,
                                                  InputForm::kWords,
                                                  kTile,
                                                  kBlock,
                                                  Accepts,
                                                  Bytes,
                                                  Pack,
                                                  Run};

}  // namespace lce

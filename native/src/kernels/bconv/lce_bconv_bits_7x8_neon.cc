// Binary convolution to bits, NEON: tiles of 7 pixels times 8 channels; see neon_popcount.h for
// the sums. A block is one byte of a word of output; blocks past the last channel have thresholds
// of INT32_MAX and store zeros.
//
// acc > threshold is done in 16 bits: with acc in 0 .. 65534 it is the same as acc >= limit where
//   limit = min(max(threshold + 1, 0), 65535)
// since 0 is always reached and 65535 never. threshold + 1 saturates (SQADD), then SQXTUN.
#include "kernels/neon_popcount.h"
#include "kernels/neon_transform.h"

namespace lce {
namespace {

using namespace neon;

LCE_NEON_INLINE uint16x8_t Limit(const int32_t* threshold) {
  const int32x4_t one = vdupq_n_s32(1);
  return vqmovun_high_s32(vqmovun_s32(vqaddq_s32(vld1q_s32(threshold), one)),
                          vqaddq_s32(vld1q_s32(threshold + 4), one));
}

// The byte of a block, bits 0 .. 7, to lanes of all ones or all zeros.
LCE_NEON_INLINE uint16x8_t ByteToMask(uint8_t byte) {
  return vtstq_u16(vdupq_n_u16(byte), ChannelBits());
}

// One block of channels.
struct Block {
  const BconvTransform* transform;
  uint8_t* output;
  ptrdiff_t stride;  // bytes
  int32_t channel;
  uint16x8_t limit, invert, channel_bits;
};

LCE_NEON_INLINE uint8_t Byte(uint16x8_t acc, uint16x8_t limit, uint16x8_t invert,
                             uint16x8_t channel_bits) {
  const uint16x8_t mask = veorq_u16(vcgeq_u16(acc, limit), invert);
  return static_cast<uint8_t>(vaddvq_u16(vandq_u16(mask, channel_bits)));
}

// Pixels of which some may be at the border. Not inlined, so that it does not crowd the rest.
__attribute__((noinline)) void StoreBorder(const Block* block, const uint16x8_t* acc, int32_t pixel,
                                           int32_t pixels) {
  const BconvTransform* t = block->transform;
  const uint16_t* pixel_class = t->pixel_class;
  const uint16x8_t inner = block->limit, invert = block->invert, bits = block->channel_bits;
  const ptrdiff_t stride = block->stride;
  uint8_t* output = block->output + pixel * stride;
  for (const int32_t end = pixel + pixels; pixel < end; ++pixel, ++acc, output += stride) {
    uint16x8_t limit = inner;
    if (pixel_class[pixel] > 0) limit = Limit(t->threshold + ClassRow(*t, pixel) + block->channel);
    *output = Byte(*acc, limit, invert, bits);
  }
}

// Leaves `output` at the pixel after the last.
template <int kPixels>
LCE_NEON_INLINE void StorePlain(const uint16x8_t* acc, uint16x8_t limit, uint16x8_t invert,
                                uint16x8_t channel_bits, ptrdiff_t stride, uint8_t** output) {
  if constexpr (kPixels > 0) {
    StorePlain<kPixels - 1>(acc, limit, invert, channel_bits, stride, output);
    **output = Byte(acc[kPixels - 1], limit, invert, channel_bits);
    *output += stride;
  }
}

struct Epilogue {
  Block block;

  LCE_NEON_METHOD Epilogue(const BconvArgs* args, int32_t index) {
    const BconvTransform* t = &args->transform;
    block.transform = t;
    block.output = static_cast<uint8_t*>(args->output) + index;
    block.stride = static_cast<ptrdiff_t>(args->out_stride) * 4;
    block.channel = index * kBlock;
    block.limit = Limit(t->threshold + block.channel);
    block.invert = ByteToMask(t->invert ? reinterpret_cast<const uint8_t*>(t->invert)[index] : 0);
    block.channel_bits = ChannelBits();
  }

  template <int kPixels>
  LCE_NEON_METHOD void Store(const uint16x8_t* acc, int32_t pixel) const {
    if (block.transform->pixel_class) {
      uint16x8_t copy[kPixels];
      CopyAccumulators<kPixels>(acc, copy);
      StoreBorder(&block, copy, pixel, kPixels);
    } else {
      uint8_t* output = block.output + pixel * block.stride;
      StorePlain<kPixels>(acc, block.limit, block.invert, block.channel_bits, block.stride,
                          &output);
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

extern const BconvKernel lce_bconv_bits_7x8_neon = {"lce_bconv_bits_7x8_neon",
                                                    Isa::kNeon,
                                                    OutputKind::kBits,
                                                    InputForm::kWords,
                                                    kTile,
                                                    kBlock,
                                                    Accepts,
                                                    Bytes,
                                                    Pack,
                                                    Run};

}  // namespace lce

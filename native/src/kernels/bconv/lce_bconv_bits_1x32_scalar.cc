// Binary convolution to bits, portable: see bconv_scalar.h for the sums;
//   bit = (acc > threshold) xor invert, and 0 past the last channel.
#include "kernels/bconv/bconv_scalar.h"

namespace lce {
namespace {

bool Accepts(const BconvShape* shape) { return ScalarAccepts(shape); }
size_t PackedBytes(const BconvShape* shape) { return ScalarPackedBytes(shape); }
void Pack(const BconvShape* shape, const uint32_t* weights, void* packed) {
  ScalarPack(shape, weights, packed);
}

void RunPixel(const BconvArgs* args, int32_t pixel, int32_t block) {
  const BconvTransform* t = &args->transform;
  const int32_t* threshold =
      t->threshold + static_cast<size_t>(ScalarClass(t, pixel)) * t->class_stride;
  const int32_t begin = block * kScalarBlock;
  const int32_t end = MinInt(begin + kScalarBlock, args->out_channels);
  uint32_t word = 0;
  for (int32_t first = begin; first < end; first += kScalarLanes) {
    int32_t acc[kScalarLanes];
    ScalarAccumulate(args, pixel, first, acc);
    const int32_t count = MinInt(kScalarLanes, end - first);
    for (int32_t i = 0; i < count; ++i) {
      const int32_t o = first + i;
      word |= static_cast<uint32_t>(acc[i] > threshold[o]) << (o - begin);
    }
  }
  if (t->invert) word ^= t->invert[block];
  uint32_t* output =
      static_cast<uint32_t*>(args->output) + static_cast<size_t>(pixel) * args->out_stride;
  output[block] = word;
}

void Run(const BconvArgs* args, int32_t pixel_begin, int32_t pixel_end, int32_t block_begin,
         int32_t block_end) {
  for (int32_t block = block_begin; block < block_end; ++block) {
    for (int32_t pixel = pixel_begin; pixel < pixel_end; ++pixel) RunPixel(args, pixel, block);
  }
}

}  // namespace

extern const BconvKernel lce_bconv_bits_1x32_scalar = {"lce_bconv_bits_1x32_scalar",
                                                       Isa::kScalar,
                                                       OutputKind::kBits,
                                                       InputForm::kWords,
                                                       1,
                                                       kScalarBlock,
                                                       Accepts,
                                                       PackedBytes,
                                                       Pack,
                                                       Run};

}  // namespace lce

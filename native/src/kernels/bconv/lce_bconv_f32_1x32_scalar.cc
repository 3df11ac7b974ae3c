// Binary convolution to float, portable: see bconv_scalar.h for the sums and kernel.h for
//   y = (2 * acc + offset) * multiplier + bias, then the fused steps, each rounded by itself.
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
  const int32_t pixel_class = ScalarClass(t, pixel);
  const size_t row = static_cast<size_t>(pixel) * args->out_stride;
  const float* residual = t->residual ? t->residual + row : nullptr;
  float* output = args->output ? static_cast<float*>(args->output) + row : nullptr;
  const int32_t begin = block * kScalarBlock;
  const int32_t end = MinInt(begin + kScalarBlock, args->out_channels);
  uint32_t word = 0;
  for (int32_t first = begin; first < end; first += kScalarLanes) {
    int32_t acc[kScalarLanes];
    ScalarAccumulate(args, pixel, first, acc);
    const int32_t count = MinInt(kScalarLanes, end - first);
    for (int32_t i = 0; i < count; ++i) {
      const int32_t o = first + i;
      float y = ScalarAffine(t, acc[i], pixel_class, o);
      if (t->pre_clamp) y = ClampFloat(y, t->pre_min, t->pre_max);
      if (residual) y = y + residual[o];
      if (t->post_clamp) y = ClampFloat(y, t->post_min, t->post_max);
      if (output) output[o] = y;
      word |= static_cast<uint32_t>(y < 0.0f) << (o - begin);
    }
  }
  if (t->bits) t->bits[static_cast<size_t>(pixel) * t->bits_stride + block] = word;
}

void Run(const BconvArgs* args, int32_t pixel_begin, int32_t pixel_end, int32_t block_begin,
         int32_t block_end) {
  for (int32_t block = block_begin; block < block_end; ++block) {
    for (int32_t pixel = pixel_begin; pixel < pixel_end; ++pixel) RunPixel(args, pixel, block);
  }
}

}  // namespace

extern const BconvKernel lce_bconv_f32_1x32_scalar = {"lce_bconv_f32_1x32_scalar",
                                                      Isa::kScalar,
                                                      OutputKind::kFloat,
                                                      InputForm::kWords,
                                                      1,
                                                      kScalarBlock,
                                                      Accepts,
                                                      PackedBytes,
                                                      Pack,
                                                      Run};

}  // namespace lce

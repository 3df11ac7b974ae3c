// Max pooling of bits, portable. Bit 0 is +1, so the maximum is +1 if any bit is 0: the AND of
// the words of the window. Positions outside the image do not take part.
#include "kernels/scalar_math.h"

namespace lce {
namespace {

void Run(const BmaxpoolArgs* args, int32_t row_begin, int32_t row_end) {
  const int32_t words = args->words;
  uint32_t* out = args->output + static_cast<size_t>(row_begin) * args->out_width * words;
  for (int32_t oy = row_begin; oy < row_end; ++oy) {
    const int32_t top = oy * args->stride_height - args->pad_top;
    const int32_t y0 = top < 0 ? 0 : top;
    const int32_t y1 = MinInt(top + args->filter_height, args->height);
    for (int32_t ox = 0; ox < args->out_width; ++ox, out += words) {
      const int32_t left = ox * args->stride_width - args->pad_left;
      const int32_t x0 = left < 0 ? 0 : left;
      const int32_t x1 = MinInt(left + args->filter_width, args->width);
      for (int32_t w = 0; w < words; ++w) {
        uint32_t all = ~0u;
        for (int32_t y = y0; y < y1; ++y) {
          const uint32_t* in =
              args->input + (static_cast<size_t>(y) * args->width + x0) * words + w;
          for (int32_t x = x0; x < x1; ++x, in += words) all &= *in;
        }
        out[w] = all;
      }
    }
  }
}

}  // namespace

extern const BmaxpoolKernel lce_bmaxpool_bits_1_scalar = {"lce_bmaxpool_bits_1_scalar",
                                                          Isa::kScalar, Run};

}  // namespace lce

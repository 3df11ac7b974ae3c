// Max pooling of bits, NEON, 128 channels at a time. Bit 0 is +1, so the maximum is the AND of the
// words of the window. Positions outside the image do not take part.
#include <arm_neon.h>

#include "kernels/neon_inner_loop.h"

namespace lce {
namespace {

// The part of a window that lies in the image.
struct Window {
  const uint32_t* first;
  int32_t rows, columns;
  ptrdiff_t row_words, column_words;
};

LCE_NEON_INLINE uint32x4_t And4(const Window& window, int32_t word) {
  uint32x4_t all = vdupq_n_u32(~uint32_t{0});
  const uint32_t* row = window.first + word;
  for (int32_t y = 0; y < window.rows; ++y, row += window.row_words) {
    const uint32_t* in = row;
    for (int32_t x = 0; x < window.columns; ++x, in += window.column_words) {
      all = vandq_u32(all, vld1q_u32(in));
    }
  }
  return all;
}

LCE_NEON_INLINE uint32_t And1(const Window& window, int32_t word) {
  uint32_t all = ~uint32_t{0};
  const uint32_t* row = window.first + word;
  for (int32_t y = 0; y < window.rows; ++y, row += window.row_words) {
    const uint32_t* in = row;
    for (int32_t x = 0; x < window.columns; ++x, in += window.column_words) all &= *in;
  }
  return all;
}

LCE_NEON_INLINE int32_t Max(int32_t a, int32_t b) { return a > b ? a : b; }
LCE_NEON_INLINE int32_t Min(int32_t a, int32_t b) { return a < b ? a : b; }

void Run(const BmaxpoolArgs* args, int32_t row_begin, int32_t row_end) {
  const int32_t words = args->words;
  const ptrdiff_t row_words = static_cast<ptrdiff_t>(args->width) * words;
  uint32_t* output = args->output + static_cast<ptrdiff_t>(row_begin) * args->out_width * words;
  for (int32_t oy = row_begin; oy < row_end; ++oy) {
    const int32_t top = oy * args->stride_height - args->pad_top;
    const int32_t y0 = Max(top, 0), y1 = Min(top + args->filter_height, args->height);
    for (int32_t ox = 0; ox < args->out_width; ++ox, output += words) {
      const int32_t left = ox * args->stride_width - args->pad_left;
      const int32_t x0 = Max(left, 0), x1 = Min(left + args->filter_width, args->width);
      const Window window = {args->input + y0 * row_words + static_cast<ptrdiff_t>(x0) * words,
                             y1 - y0, x1 - x0, row_words, words};
      int32_t word = 0;
      for (; word + 4 <= words; word += 4) vst1q_u32(output + word, And4(window, word));
      for (; word < words; ++word) output[word] = And1(window, word);
    }
  }
}

}  // namespace

extern const BmaxpoolKernel lce_bmaxpool_bits_128_neon = {"lce_bmaxpool_bits_128_neon", Isa::kNeon,
                                                          Run};

}  // namespace lce

// The walk over windows that all bmaxpool kernels share.
#ifndef LCE_KERNELS_BMAXPOOL_BMAXPOOL_WINDOW_H_
#define LCE_KERNELS_BMAXPOOL_BMAXPOOL_WINDOW_H_

#include "kernels/scalar_math.h"

namespace lce {

// The part of one window that lies in the image: `rows` rows of `columns` pixels.
struct PoolWindow {
  const uint32_t* input;  // its first word
  size_t row_words;       // from one row to the next
  int32_t rows, columns, words;
};

// Calls pool(window, output) for every output pixel of the rows.
template <typename Pool>
LCE_INLINE void ForEachWindow(const BmaxpoolArgs* args, int32_t row_begin, int32_t row_end,
                              Pool pool) {
  const int32_t words = args->words;
  const size_t row_words = static_cast<size_t>(args->width) * words;
  uint32_t* out = args->output + static_cast<size_t>(row_begin) * args->out_width * words;
  for (int32_t oy = row_begin; oy < row_end; ++oy) {
    const int32_t top = oy * args->stride_height - args->pad_top;
    const int32_t y0 = top < 0 ? 0 : top;
    const int32_t y1 = MinInt(top + args->filter_height, args->height);
    for (int32_t ox = 0; ox < args->out_width; ++ox, out += words) {
      const int32_t left = ox * args->stride_width - args->pad_left;
      const int32_t x0 = left < 0 ? 0 : left;
      const int32_t x1 = MinInt(left + args->filter_width, args->width);
      const uint32_t* input = args->input + y0 * row_words + static_cast<size_t>(x0) * words;
      pool(PoolWindow{input, row_words, y1 - y0, x1 - x0, words}, out);
    }
  }
}

LCE_INLINE uint32_t PoolWord(const PoolWindow& window, int32_t word) {
  uint32_t all = ~0u;
  const uint32_t* row = window.input + word;
  for (int32_t y = 0; y < window.rows; ++y, row += window.row_words) {
    for (int32_t x = 0; x < window.columns; ++x) all &= row[x * window.words];
  }
  return all;
}

}  // namespace lce

#endif  // LCE_KERNELS_BMAXPOOL_BMAXPOOL_WINDOW_H_

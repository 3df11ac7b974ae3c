// Max pooling of bits, portable. Bit 0 is +1, so the maximum is +1 if any bit is 0: the AND of
// the words of the window. Positions outside the image do not take part.
#include "kernels/bmaxpool/bmaxpool_window.h"

namespace lce {
namespace {

void Run(const BmaxpoolArgs* args, int32_t row_begin, int32_t row_end) {
  ForEachWindow(args, row_begin, row_end, [](const PoolWindow& window, uint32_t* output) {
    for (int32_t w = 0; w < window.words; ++w) output[w] = PoolWord(window, w);
  });
}

}  // namespace

extern const BmaxpoolKernel lce_bmaxpool_bits_1_scalar = {"lce_bmaxpool_bits_1_scalar",
                                                          Isa::kScalar, Run};

}  // namespace lce

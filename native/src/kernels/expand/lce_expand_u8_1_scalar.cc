// Words to nibbles, portable: nibble j of a pixel is bits 4j .. 4j + 3 of its words, and is
// written to the upper half of byte j, where it is an offset into a table of 16-byte rows.
#include "kernels/scalar_math.h"

namespace lce {
namespace {

void Run(const uint32_t* words, uint8_t* nibbles, int32_t pixels, int32_t words_per_pixel,
         int32_t nibbles_per_pixel) {
  for (int32_t pixel = 0; pixel < pixels; ++pixel) {
    for (int32_t j = 0; j < nibbles_per_pixel; ++j) {
      const uint32_t nibble = (words[j >> 3] >> (4 * (j & 7))) & 15u;
      nibbles[j] = static_cast<uint8_t>(nibble << 4);
    }
    words += words_per_pixel;
    nibbles += nibbles_per_pixel;
  }
}

}  // namespace

extern const ExpandKernel lce_expand_u8_1_scalar = {"lce_expand_u8_1_scalar", Isa::kScalar, Run};

}  // namespace lce

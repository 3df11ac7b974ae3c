// How many pixels a kernel is given at a time.
#ifndef LCE_CORE_CHUNK_H_
#define LCE_CORE_CHUNK_H_

#include <stddef.h>
#include <stdint.h>

namespace lce {

// A kernel goes through all blocks of channels for some pixels, then for the next. With few
// pixels, their input and output stay in the first-level cache; with more, weights that do not
// fit there are read less often. A whole number of tiles. (56 and 196: rows and images of the
// usual layers; measured with kernel_bench on Zen 4, 2026-11-23.)
inline int32_t ChunkPixels(size_t packed_bytes, int32_t pixel_tile) {
  const int32_t pixels = packed_bytes <= 16384 ? 56 : 196;
  return (pixels + pixel_tile - 1) / pixel_tile * pixel_tile;
}

}  // namespace lce

#endif  // LCE_CORE_CHUNK_H_

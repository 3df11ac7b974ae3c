// Words to nibbles, AVX2. A byte b of a word becomes the two bytes  b << 4  and  b & 0xf0  (in
// this order). Pixels whose nibbles fill their words are one stream of bytes; pixels of 4 nibbles
// (16 channels, half a word) are taken eight at a time; others pixel by pixel, with a part of the
// last word.
#include <immintrin.h>
#include <string.h>

#include "kernels/scalar_math.h"

namespace lce {
namespace {

// Four bytes to eight; the spread in steps keeps one byte per two.
LCE_INLINE uint64_t ExpandWord(uint32_t word) {
  uint64_t x = word;
  x = (x | x << 16) & 0x0000ffff0000ffffu;
  x = (x | x << 8) & 0x00ff00ff00ff00ffu;
  return (x << 4 & 0x00f000f000f000f0u) | (x << 8 & 0xf000f000f000f000u);
}

LCE_INLINE void Store(uint8_t* to, __m256i x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x);
}

void ExpandStream(const uint32_t* words, uint8_t* nibbles, size_t count) {
  const __m256i high = _mm256_set1_epi8(static_cast<char>(0xf0));
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    // Unpacking works in halves of a register: quarters 0 and 2 go into the lower half's place.
    const __m256i x = _mm256_permute4x64_epi64(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + i)), 0xd8);
    const __m256i first = _mm256_and_si256(_mm256_slli_epi16(x, 4), high);
    const __m256i second = _mm256_and_si256(x, high);
    Store(nibbles + 8 * i, _mm256_unpacklo_epi8(first, second));
    Store(nibbles + 8 * i + 32, _mm256_unpackhi_epi8(first, second));
  }
  for (; i < count; ++i) {
    const uint64_t x = ExpandWord(words[i]);
    memcpy(nibbles + 8 * i, &x, sizeof(x));
  }
}

// One word a pixel, of which the lower 16 bits become four bytes.
void ExpandHalfWords(const uint32_t* words, uint8_t* nibbles, size_t pixels) {
  size_t i = 0;
  for (; i + 8 <= pixels; i += 8) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + i));
    const __m256i low = _mm256_and_si256(x, _mm256_set1_epi32(0x00ff));
    const __m256i high = _mm256_slli_epi32(_mm256_and_si256(x, _mm256_set1_epi32(0xff00)), 8);
    const __m256i bytes = _mm256_or_si256(low, high);
    const __m256i mask = _mm256_set1_epi16(0xf0);
    const __m256i first = _mm256_and_si256(_mm256_slli_epi16(bytes, 4), mask);
    const __m256i second = _mm256_slli_epi16(_mm256_and_si256(bytes, mask), 8);
    Store(nibbles + 4 * i, _mm256_or_si256(first, second));
  }
  for (; i < pixels; ++i) {
    const uint32_t x = static_cast<uint32_t>(ExpandWord(words[i]));
    memcpy(nibbles + 4 * i, &x, sizeof(x));
  }
}

void Run(const uint32_t* words, uint8_t* nibbles, int32_t pixels, int32_t words_per_pixel,
         int32_t nibbles_per_pixel) {
  const size_t count = static_cast<size_t>(pixels);
  if (nibbles_per_pixel == 8 * words_per_pixel) {
    ExpandStream(words, nibbles, count * words_per_pixel);
    return;
  }
  if (nibbles_per_pixel == 4 && words_per_pixel == 1) {
    ExpandHalfWords(words, nibbles, count);
    return;
  }
  const size_t full = static_cast<size_t>(nibbles_per_pixel) / 8;
  const int32_t rest = nibbles_per_pixel % 8;
  for (size_t pixel = 0; pixel < count; ++pixel) {
    ExpandStream(words, nibbles, full);
    uint64_t last = rest > 0 ? ExpandWord(words[full]) : 0;
    nibbles += 8 * full;
    for (int32_t j = 0; j < rest; ++j, last >>= 8) *nibbles++ = static_cast<uint8_t>(last);
    words += words_per_pixel;
  }
}

}  // namespace

extern const ExpandKernel lce_expand_u8_32_avx2 = {"lce_expand_u8_32_avx2", Isa::kAvx2, Run};

}  // namespace lce

// What the tests share: checks, seeded randomness and buffers that end where they should.
#ifndef LCE_TESTS_TESTING_H_
#define LCE_TESTS_TESTING_H_

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace lce {
namespace testing {

// Printed before the first failed check: the flags that reproduce it.
extern char reproduce[256];
extern int failures;

// A failed check of a round ends the round; the caller returns.
#define LCE_CHECK(condition, ...)                                              \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: %s is false: ", __FILE__, __LINE__, #condition); \
      fprintf(stderr, __VA_ARGS__);                                            \
      fprintf(stderr, "\n  reproduce with: %s\n", ::lce::testing::reproduce);  \
      ++::lce::testing::failures;                                              \
      return false;                                                            \
    }                                                                          \
  } while (false)

// splitmix64: small, and any seed is a good seed.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // Both ends included.
  int32_t Int(int32_t low, int32_t high) {
    return static_cast<int32_t>(low + static_cast<int64_t>(Next() % (uint64_t)(high - low + 1ll)));
  }
  bool OneIn(int32_t n) { return Int(1, n) == 1; }
  float Float(float low, float high) {
    return low + (high - low) * static_cast<float>(Next() >> 40) / 16777216.0f;
  }
  // Now and then one of the values that comparisons and bounds get wrong.
  float Value(float range, bool with_nan) {
    if (OneIn(8)) return Int(0, 1) != 0 ? 0.0f : -0.0f;
    if (OneIn(32)) return Int(0, 1) != 0 ? 3e38f : -3e38f;
    if (with_nan && OneIn(32)) return Int(0, 1) != 0 ? __builtin_nanf("") : -__builtin_nanf("");
    if (with_nan && OneIn(32)) return Int(0, 1) != 0 ? __builtin_inff() : -__builtin_inff();
    return Float(-range, range);
  }

 private:
  uint64_t state_;
};

// Exactly `size` values at the very end of a heap block, so that the address sanitizer sees an
// access past them. `shift` values before them vary the alignment and are checked by Intact().
template <typename T>
class Buffer {
 public:
  explicit Buffer(size_t size, int32_t shift = 0) : size_(size), shift_(shift) {
    block_ = static_cast<T*>(malloc((size + shift) * sizeof(T)));
    if (block_ == nullptr) abort();
    memset(static_cast<void*>(block_), kFill, (size + shift) * sizeof(T));
  }
  ~Buffer() { free(block_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  T* data() { return block_ + shift_; }
  const T* data() const { return block_ + shift_; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return block_[shift_ + i]; }
  const T& operator[](size_t i) const { return block_[shift_ + i]; }
  bool Intact() const {
    const unsigned char* bytes = reinterpret_cast<const unsigned char*>(block_);
    for (size_t i = 0; i < shift_ * sizeof(T); ++i) {
      if (bytes[i] != kFill) return false;
    }
    return true;
  }
  void CopyFrom(const Buffer& other) {
    memcpy(static_cast<void*>(data()), other.data(), size_ * sizeof(T));
  }

 private:
  static constexpr unsigned char kFill = 0xa5;
  size_t size_, shift_;
  T* block_;
};

// Same bits, or both not a number.
inline bool Same(float a, float b) {
  if (a != a || b != b) return a != a && b != b;
  return memcmp(&a, &b, sizeof(a)) == 0;
}
inline bool Same(int32_t a, int32_t b) { return a == b; }
inline bool Same(uint32_t a, uint32_t b) { return a == b; }
inline bool Same(int8_t a, int8_t b) { return a == b; }
inline bool Same(uint8_t a, uint8_t b) { return a == b; }

// The first index at which they differ, or -1.
template <typename T>
int64_t FirstDifference(const Buffer<T>& a, const Buffer<T>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (!Same(a[i], b[i])) return static_cast<int64_t>(i);
  }
  return -1;
}

}  // namespace testing
}  // namespace lce

#endif  // LCE_TESTS_TESTING_H_

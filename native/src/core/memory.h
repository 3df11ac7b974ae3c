// The library's only source of memory: aligned, owned by Array, and able to fail on demand.
#ifndef LCE_CORE_MEMORY_H_
#define LCE_CORE_MEMORY_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

namespace lce {

// 64-byte aligned zeroed memory, or null. The size may be 0.
void* Allocate(size_t bytes);
void Free(void* memory);

// For tests of error paths: the `count`-th allocation from now fails (1 is the next); 0 switches
// this off. Not for use while other threads allocate.
void FailAllocation(int64_t count);
// Allocations that are alive.
int64_t LiveAllocations();

// a * b, or false if it does not fit.
inline bool Multiply(size_t a, size_t b, size_t* product) {
  return !__builtin_mul_overflow(a, b, product);
}

inline int32_t DivideUp(int32_t a, int32_t b) { return a / b + (a % b != 0); }
inline int32_t RoundUp(int32_t a, int32_t multiple) { return DivideUp(a, multiple) * multiple; }
template <typename T>
T Min(T a, T b) {
  return b < a ? b : a;
}
template <typename T>
T Max(T a, T b) {
  return a < b ? b : a;
}

// Owned memory for plain types.
template <typename T>
class Array {
 public:
  Array() = default;
  ~Array() { Free(data_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  // `size` zeroed elements; the old ones are gone. False, and empty, if there is no memory.
  bool Reset(size_t size) {
    Free(data_);
    data_ = nullptr;
    size_ = capacity_ = 0;
    size_t bytes;
    if (!Multiply(size, sizeof(T), &bytes)) return false;
    data_ = static_cast<T*>(Allocate(bytes));
    if (data_ == nullptr) return false;
    size_ = capacity_ = size;
    return true;
  }
  // Adds one element at the end, or returns false.
  bool Push(const T& value) {
    if (size_ == capacity_) {
      const size_t capacity = Max<size_t>(8, 2 * size_);
      T* data = static_cast<T*>(Allocate(capacity * sizeof(T)));
      if (data == nullptr) return false;
      if (size_ > 0) memcpy(static_cast<void*>(data), data_, size_ * sizeof(T));
      Free(data_);
      data_ = data;
      capacity_ = capacity;
    }
    data_[size_++] = value;
    return true;
  }
  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }

 private:
  T* data_ = nullptr;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// Placement new without the C++ standard library.
struct Placement {};

}  // namespace lce

inline void* operator new(size_t, void* memory, lce::Placement) noexcept { return memory; }

namespace lce {

// An object in memory from Allocate, or null.
template <typename T>
T* New() {
  void* memory = Allocate(sizeof(T));
  return memory == nullptr ? nullptr : new (memory, Placement{}) T();
}
template <typename T>
void Delete(T* object) {
  if (object == nullptr) return;
  object->~T();
  Free(object);
}

}  // namespace lce

#endif  // LCE_CORE_MEMORY_H_

// LCE's interpreter computes with numbers below 2^-126 taken as 0, in and out (ruy's
// ScopedSuppressDenormals around every inference). The sign of such a number, and with it a bit,
// depends on that; other runtimes do not do it. It is also faster.
#ifndef LCE_CORE_DENORMALS_H_
#define LCE_CORE_DENORMALS_H_

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace lce {

// While it lives, this thread flushes denormals.
class FlushDenormals {
 public:
  FlushDenormals() : saved_(Get()) { Set(saved_ | kFlush); }
  ~FlushDenormals() { Set(saved_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__x86_64__)
  using Word = uint32_t;
  static constexpr Word kFlush = 0x8040;  // flush to zero, denormals are zero
  static Word Get() { return _mm_getcsr(); }
  static void Set(Word word) { _mm_setcsr(word); }
#elif defined(__aarch64__)
  using Word = uint64_t;
  static constexpr Word kFlush = Word{1} << 24;  // FZ
  static Word Get() {
    Word word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static void Set(Word word) { __asm__ volatile("msr fpcr, %0" ::"r"(word)); }
#elif defined(__arm__) && defined(__ARM_FP)
  using Word = uint32_t;
  static constexpr Word kFlush = Word{1} << 24;  // FZ
  static Word Get() {
    Word word;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(word));
    return word;
  }
  static void Set(Word word) { __asm__ volatile("vmsr fpscr, %0" ::"r"(word)); }
#else
  using Word = uint32_t;
  static constexpr Word kFlush = 0;
  static Word Get() { return 0; }
  static void Set(Word) {}
#endif

  Word saved_;
};

}  // namespace lce

#endif  // LCE_CORE_DENORMALS_H_

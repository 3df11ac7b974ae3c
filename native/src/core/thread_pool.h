// A few threads that share out the units of one job at a time.
#ifndef LCE_CORE_THREAD_POOL_H_
#define LCE_CORE_THREAD_POOL_H_

#include <stdint.h>

namespace lce {

class ThreadPool {
 public:
  static constexpr int32_t kMaxThreads = 32;
  static constexpr int32_t kMaxUnits = 32;
  static constexpr int32_t kUnitsPerThread = 16;

  ThreadPool() = default;
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Takes part with `threads` threads from now on, the caller of Run included; fewer if the
  // system gives no more. Not while Run runs; needed before Run in the child of a fork.
  void Resize(int32_t threads);
  int32_t threads() const { return workers_ + 1; }
  // How to share out `count` equal parts of a job that is worth at most `most` units: parts per
  // unit. Several units a thread if that leaves them even, since cores differ in speed and may have
  // other work; one for all if there is one thread. count >= 1.
  int32_t PartsPerUnit(int32_t count, int32_t most) const;

  // Calls work(context, unit) once for every unit in [0, units), in any order, and returns when
  // all are done. Units are shared out in order, the first ones to the caller, so that the same
  // core works on the same part of a tensor in layer after layer; who is done helps the others.
  // units <= kMaxUnits.
  // If another thread is inside Run, the caller does all units itself.
  void Run(void (*work)(void* context, int32_t unit), void* context, int32_t units);

 private:
  struct State;
  struct Worker;
  static void* WorkerMain(void* argument);
  void Stop();

  State* state_ = nullptr;
  int32_t workers_ = 0;
  int32_t asked_ = 1;  // threads that Resize was asked for
};

}  // namespace lce

#endif  // LCE_CORE_THREAD_POOL_H_

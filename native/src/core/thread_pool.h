// A few threads that share out the units of one job at a time.
#ifndef LCE_CORE_THREAD_POOL_H_
#define LCE_CORE_THREAD_POOL_H_

#include <stdint.h>

namespace lce {

class ThreadPool {
 public:
  static constexpr int32_t kMaxThreads = 64;
  static constexpr int32_t kMaxUnits = 1 << 16;

  ThreadPool() = default;
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Takes part with `threads` threads from now on, the caller of Run included; fewer if the
  // system gives no more. Not while Run runs.
  void Resize(int32_t threads);
  int32_t threads() const { return workers_ + 1; }

  // Calls work(context, unit) once for every unit in [0, units), in any order, on any thread,
  // and returns when all are done. units <= kMaxUnits. If another thread is inside Run, the
  // caller does all units itself.
  void Run(void (*work)(void* context, int32_t unit), void* context, int32_t units);

 private:
  struct State;
  static void* Worker(void* argument);
  void Stop();

  State* state_ = nullptr;
  int32_t workers_ = 0;
};

}  // namespace lce

#endif  // LCE_CORE_THREAD_POOL_H_

// The job is one 64-bit word: a generation and a bit for each unit that nobody has taken. A
// thread takes a unit by compare-and-swap of the whole word, so a thread that wakes up late can
// never mix the units of one job with the function of another: while a unit is taken and not
// done, Run does not return and the job's function and context stay as they are.
//
// Workers look for work for 1 ms after a job before they sleep. Waking a sleeping thread takes
// as long as half a layer (30 us measured on a virtual x86 machine), and between two layers of
// ours the interpreter may run some of its own.
#include "core/thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include "core/denormals.h"
#include "core/glibc_compat.h"
#include "core/memory.h"

namespace lce {
namespace {

constexpr int kUnitBits = ThreadPool::kMaxUnits;
constexpr uint64_t kUnitMask = (uint64_t{1} << kUnitBits) - 1;
constexpr int64_t kSpinNanoseconds = 1000000;
constexpr int kSpinsBetweenLooksAtClock = 64;
constexpr int kSpinsBeforeYield = 2000;

// The next of its own units for thread `number`, else the last one of all: another thread is at
// the other end of those. `units` are not empty.
int32_t NextUnit(uint32_t units, int32_t first, int32_t end) {
  const uint64_t below_end = (uint64_t{1} << end) - 1;
  const uint32_t own = static_cast<uint32_t>(units & below_end) >> first << first;
  return own != 0 ? __builtin_ctz(own) : 31 - __builtin_clz(units);
}

int64_t Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

void Pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");  // `yield` is a no-op on most cores
#elif defined(__arm__) && __ARM_ARCH >= 7
  __asm__ volatile("yield" ::: "memory");
#endif
}

}  // namespace

struct ThreadPool::Worker {
  State* state;
  int32_t number;
  pthread_t thread;
};

struct ThreadPool::State {
  uint64_t job;
  int32_t done;
  int32_t sleepers;
  int32_t stop;
  int32_t busy;
  int32_t units_per_thread;
  void (*work)(void*, int32_t);
  void* context;
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  pid_t process;
  Worker workers[kMaxThreads];

  // Does units of the current job, those of thread `number` first, until none is left.
  void Help(int32_t number) {
    uint64_t seen = __atomic_load_n(&job, __ATOMIC_ACQUIRE);
    while ((seen & kUnitMask) != 0) {
      const int32_t per_thread = __atomic_load_n(&units_per_thread, __ATOMIC_RELAXED);
      const int32_t first = Min(number * per_thread, kMaxUnits);
      const int32_t unit = NextUnit(static_cast<uint32_t>(seen & kUnitMask), first,
                                    Min(first + per_thread, kMaxUnits));
      const uint64_t taken = seen & ~(uint64_t{1} << unit);
      if (!__atomic_compare_exchange_n(&job, &seen, taken, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE)) {
        continue;
      }
      work(context, unit);
      __atomic_add_fetch(&done, 1, __ATOMIC_RELEASE);
      seen = __atomic_load_n(&job, __ATOMIC_ACQUIRE);
    }
  }
  bool HasWork() const {
    return (__atomic_load_n(&job, __ATOMIC_SEQ_CST) & kUnitMask) != 0 ||
           __atomic_load_n(&stop, __ATOMIC_SEQ_CST) != 0;
  }
};

void* ThreadPool::WorkerMain(void* argument) {
  const Worker& worker = *static_cast<Worker*>(argument);
  State& state = *worker.state;
  const FlushDenormals flush;  // as the caller of Run does
  while (!__atomic_load_n(&state.stop, __ATOMIC_ACQUIRE)) {
    state.Help(worker.number);
    const int64_t give_up = Now() + kSpinNanoseconds;
    while (!state.HasWork() && Now() < give_up) {
      for (int i = 0; i < kSpinsBetweenLooksAtClock && !state.HasWork(); ++i) Pause();
    }
    if (state.HasWork()) continue;
    pthread_mutex_lock(&state.mutex);
    __atomic_add_fetch(&state.sleepers, 1, __ATOMIC_SEQ_CST);
    while (!state.HasWork()) pthread_cond_wait(&state.wake, &state.mutex);
    __atomic_sub_fetch(&state.sleepers, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&state.mutex);
  }
  return nullptr;
}

ThreadPool::~ThreadPool() { Stop(); }

void ThreadPool::Stop() {
  if (state_ == nullptr) return;
  if (state_->process != getpid()) {
    // A child of a fork has no threads but its own, and a worker may have held the mutex.
    Free(state_);
    state_ = nullptr;
    workers_ = 0;
    return;
  }
  pthread_mutex_lock(&state_->mutex);
  __atomic_store_n(&state_->stop, 1, __ATOMIC_SEQ_CST);
  pthread_cond_broadcast(&state_->wake);
  pthread_mutex_unlock(&state_->mutex);
  for (int32_t i = 0; i < workers_; ++i) pthread_join(state_->workers[i].thread, nullptr);
  pthread_cond_destroy(&state_->wake);
  pthread_mutex_destroy(&state_->mutex);
  Free(state_);
  state_ = nullptr;
  workers_ = 0;
}

void ThreadPool::Resize(int32_t threads) {
  threads = Min(Max(threads, 1), kMaxThreads);
  const bool forked = state_ != nullptr && state_->process != getpid();
  if (threads == asked_ && !forked) return;
  Stop();
  asked_ = threads;
  if (threads == 1) return;
  state_ = static_cast<State*>(Allocate(sizeof(State)));
  if (state_ == nullptr) return;
  if (pthread_mutex_init(&state_->mutex, nullptr) != 0) {
    Free(state_);
    state_ = nullptr;
    return;
  }
  if (pthread_cond_init(&state_->wake, nullptr) != 0) {
    pthread_mutex_destroy(&state_->mutex);
    Free(state_);
    state_ = nullptr;
    return;
  }
  state_->process = getpid();
  while (workers_ + 1 < threads) {
    Worker& worker = state_->workers[workers_];
    worker.state = state_;
    worker.number = workers_ + 1;
    if (pthread_create(&worker.thread, nullptr, WorkerMain, &worker) != 0) return;
    ++workers_;
  }
}

int32_t ThreadPool::PartsPerUnit(int32_t count, int32_t most) const {
  const int32_t threads = workers_ + 1;
  int32_t best = DivideUp(count, threads);
  int32_t best_load = best;  // parts of the thread with the most
  for (int32_t each = 2; each <= kUnitsPerThread && each * threads <= kMaxUnits; ++each) {
    const int32_t parts = DivideUp(count, each * threads);
    const int32_t load = DivideUp(DivideUp(count, parts), threads) * parts;
    if (each * threads > most || load > best_load) continue;
    best = parts;
    best_load = load;
  }
  return threads == 1 ? count : best;
}

void ThreadPool::Run(void (*work)(void*, int32_t), void* context, int32_t units) {
  int32_t free = 0;
  if (workers_ == 0 || units < 2 ||
      !__atomic_compare_exchange_n(&state_->busy, &free, 1, false, __ATOMIC_ACQUIRE,
                                   __ATOMIC_RELAXED)) {
    for (int32_t unit = 0; unit < units; ++unit) work(context, unit);
    return;
  }
  State& state = *state_;
  state.work = work;
  state.context = context;
  __atomic_store_n(&state.done, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&state.units_per_thread, DivideUp(units, workers_ + 1), __ATOMIC_RELAXED);
  // The generation is for the reader of a dump: an old word that comes back is still a true one.
  const uint64_t old = __atomic_load_n(&state.job, __ATOMIC_RELAXED);
  const uint64_t generation = (old >> kUnitBits) + 1;
  const uint64_t all = kUnitMask >> (kUnitBits - units);
  __atomic_store_n(&state.job, generation << kUnitBits | all, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&state.sleepers, __ATOMIC_SEQ_CST) > 0) {
    pthread_mutex_lock(&state.mutex);
    pthread_cond_broadcast(&state.wake);
    pthread_mutex_unlock(&state.mutex);
  }
  state.Help(0);
  for (int i = 0; __atomic_load_n(&state.done, __ATOMIC_ACQUIRE) < units; ++i) {
    if (i < kSpinsBeforeYield) {
      Pause();
    } else {
      sched_yield();
    }
  }
  __atomic_store_n(&state.busy, 0, __ATOMIC_RELEASE);
}

}  // namespace lce

// Threads: the pool alone, and interpreters that share a delegate or only the process. Run it
// under the thread sanitizer, too.
#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "core/memory.h"
#include "core/thread_pool.h"
#include "harness.h"
#include "lce_delegate/lce_delegate.h"
#include "random_model.h"
#include "runner.h"

namespace lce {
namespace testing {
namespace {

constexpr int kUnits = ThreadPool::kMaxUnits;

struct Job {
  int calls[kUnits] = {};  // plain: units of one job must not race, nor the next job with it
};

void CountUnit(void* context, int32_t unit) { ++static_cast<Job*>(context)->calls[unit]; }

bool TestPool(Random* random) {
  ThreadPool pool;
  Job job;
  int wanted[kUnits] = {};
  for (int round = 0; round < 8; ++round) {
    pool.Resize(random->Int(1, 6));
    for (int run = 0; run < 40; ++run) {
      const int units = random->Int(0, kUnits);
      pool.Run(CountUnit, &job, units);
      for (int i = 0; i < kUnits; ++i) {
        wanted[i] += i < units;
        LCE_CHECK(job.calls[i] == wanted[i], "unit %d ran %d times instead of %d", i, job.calls[i],
                  wanted[i]);
      }
    }
  }
  return true;
}

bool TestPartsPerUnit(Random* random) {
  ThreadPool pool;
  const int threads = random->Int(1, ThreadPool::kMaxThreads);
  pool.Resize(threads);
  for (int i = 0; i < 200; ++i) {
    const int count = random->OneIn(2) ? random->Int(1, 100) : random->Int(1, 100000);
    const int most = random->Int(0, kUnits), parts = pool.PartsPerUnit(count, most);
    const int units = (count + parts - 1) / parts, even = (count + threads - 1) / threads;
    LCE_CHECK(parts >= 1 && units <= kUnits, "%d parts of %d are %d units", parts, count, units);
    LCE_CHECK(units <= std::max(most, threads), "%d units, at most %d", units, most);
    LCE_CHECK((units + threads - 1) / threads * parts <= even, "%d parts a thread instead of %d",
              (units + threads - 1) / threads * parts, even);
  }
  return true;
}

bool TestPoolOfSeveralCallers(Random*) {
  constexpr int kCallers = 3, kRuns = 200;
  ThreadPool pool;
  pool.Resize(3);
  Job jobs[kCallers];
  std::vector<std::thread> callers;
  for (Job& job : jobs) {
    callers.emplace_back([&pool, &job] {
      for (int run = 0; run < kRuns; ++run) pool.Run(CountUnit, &job, kUnits);
    });
  }
  for (std::thread& caller : callers) caller.join();
  for (const Job& job : jobs) {
    for (const int calls : job.calls) LCE_CHECK(calls == kRuns, "%d runs", calls);
  }
  return true;
}

// Some interpreters in threads of their own, with one delegate for all, which goes first.
bool TestInterpreters(Random* random) {
  const int count = random->Int(2, 4);
  const int64_t live = LiveAllocations();
  RandomChoices choices(random);
  Limits limits;
  limits.max_layers = 4;
  std::vector<Model> models;
  std::vector<uint64_t> contents;
  for (int i = 0; i < count; ++i) {
    models.push_back(RandomModel(&choices, limits));
    contents.push_back(random->Next());
  }
  {
    const bool one = random->OneIn(2);
    std::vector<std::unique_ptr<TestDelegate>> delegates;
    for (int i = 0; i < (one ? 1 : count); ++i) {
      delegates.emplace_back(new TestDelegate{{"profiling", "1"}});
    }
    std::atomic<int> ready(0);
    std::atomic<bool> stop(false);
    std::vector<std::string> wrong(count);
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
      TestDelegate& delegate = *delegates[one ? 0 : i];
      threads.emplace_back([&, i, one] {
        Host host(models[i]);
        host.set_threads(1 + i % 3);
        if (!Ready(delegate, &host)) wrong[i] = "not ready: " + host.errors;
        ++ready;
        while (one && ready < count + 1) std::this_thread::yield();  // the delegate is gone
        for (int run = 0; run < 4 && wrong[i].empty(); ++run) {
          wrong[i] = RunAndCompare(models[i], Random(contents[i]), true, false, &host);
        }
      });
    }
    std::thread reader([&] {
      char text[256];
      while (!stop) lce_delegate_info(text, sizeof text);
    });
    if (one) {
      while (ready < count) std::this_thread::yield();
      delegates[0]->Destroy();
      ++ready;
    }
    for (std::thread& thread : threads) thread.join();
    stop = true;
    reader.join();
    for (const std::string& text : wrong) LCE_CHECK(text.empty(), "%s", text.c_str());
  }
  LCE_CHECK(LiveAllocations() == live, "allocations are left");
  return true;
}

const Test kTests[] = {
    {"pool", TestPool, 40},
    {"parts_per_unit", TestPartsPerUnit, 8},
    {"pool_of_several_callers", TestPoolOfSeveralCallers, 10},
    {"interpreters", TestInterpreters, 100},
};

}  // namespace
}  // namespace testing
}  // namespace lce

int main(int argc, char** argv) { return lce::testing::RunTests(argc, argv, lce::testing::kTests); }

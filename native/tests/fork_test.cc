// A process that forks between two inferences, as servers do. A program of its own, since neither
// sanitizers nor QEMU's user mode are made for threads in the child of a threaded process.
#include <sys/wait.h>
#include <unistd.h>

#include "core/thread_pool.h"
#include "harness.h"
#include "runner.h"

namespace lce {
namespace testing {
namespace {

constexpr int kUnits = ThreadPool::kMaxUnits;

void Count(void* context, int32_t unit) { ++static_cast<int*>(context)[unit]; }

int StatusOf(pid_t child) {
  int status = -1;
  return waitpid(child, &status, 0) == child ? status : -1;
}

// The child has the pool and none of its threads.
bool TestPool(Random*) {
  ThreadPool pool;
  pool.Resize(3);
  int calls[kUnits] = {};
  pool.Run(Count, calls, kUnits);
  const pid_t child = fork();
  LCE_CHECK(child >= 0, "no child");
  if (child == 0) {
    alarm(20);
    pool.Resize(3);
    pool.Run(Count, calls, kUnits);
    pool.Resize(2);
    pool.Run(Count, calls, kUnits);
    pool.Resize(1);
    _exit(calls[0] == 3 && calls[kUnits - 1] == 3 ? 0 : 1);
  }
  const int status = StatusOf(child);
  LCE_CHECK(status == 0, "status %d of the child", status);
  return true;
}

bool TestInterpreter(Random* random) {
  ConvCase c;
  c.height = c.width = 20;
  c.channels = c.out = 64;
  const Model model = ConvModel(c, random);
  const TestDelegate delegate;
  Host host(model);
  host.set_threads(3);
  LCE_CHECK(Ready(delegate, &host), "%s", host.errors.c_str());
  const Random contents(random->Next());
  LCE_CHECK_RUNS(model, contents, host);
  const pid_t child = fork();
  LCE_CHECK(child >= 0, "no child");
  if (child == 0) {
    alarm(20);
    bool right = RunAndCompare(model, contents, true, false, &host).empty();
    host.set_threads(2);
    right = right && RunAndCompare(model, contents, true, false, &host).empty();
    {
      Host another(model);
      right = right && Ready(delegate, &another) &&
              RunAndCompare(model, contents, true, false, &another).empty();
    }
    _exit(right ? 0 : 1);
  }
  const int status = StatusOf(child);
  LCE_CHECK(status == 0, "status %d of the child", status);
  LCE_CHECK_RUNS(model, contents, host);
  return true;
}

const Test kTests[] = {
    {"pool", TestPool, 30},
    {"interpreter", TestInterpreter, 30},
};

}  // namespace
}  // namespace testing
}  // namespace lce

int main(int argc, char** argv) { return lce::testing::RunTests(argc, argv, lce::testing::kTests); }

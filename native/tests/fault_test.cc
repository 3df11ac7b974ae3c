// Every allocation fails once, and preparation and invocation fail on demand: the interpreter gets
// an error with a text, nothing leaks, and the next attempt works.
#include "core/memory.h"
#include "harness.h"
#include "lce_delegate/lce_delegate.h"
#include "random_model.h"
#include "runner.h"

namespace lce {
namespace testing {
namespace {

Limits Small() {
  Limits limits;
  limits.max_layers = 4;
  limits.max_size = 5;
  limits.max_channels = 70;
  limits.max_kernel = 3;
  return limits;
}

// A graph with work for the delegate.
Model SmallModel(Random* random) {
  for (;;) {
    RandomChoices choices(random);
    Model model = RandomModel(&choices, Small());
    for (const ModelNode& node : model.nodes) {
      if (node.builtin == tfl::kCustom) return model;
    }
  }
}

// Whether the failure that was asked for with `count` is still to come.
bool StillToCome(int count) {
  bool failed = false;
  for (int i = 0; i < count && !failed; ++i) {
    void* memory = Allocate(1);
    failed = memory == nullptr;
    Free(memory);
  }
  FailAllocation(0);
  return failed;
}

// One life of a delegate and an interpreter in which allocation `count` fails. `*failed` is
// whether anybody noticed.
bool LifeWithFailure(const Model& model, int count, int threads, Random random, bool* failed) {
  const std::string fault = "allocation:" + std::to_string(count);
  TestDelegate delegate{{"fault", fault.c_str()}, {"profiling", count % 2 == 0 ? "1" : "0"}};
  LCE_CHECK(delegate.get() != nullptr, "%s", delegate.error.c_str());
  Host host(model);
  host.set_threads(threads);
  *failed = true;
  if (!host.Apply(delegate.get())) {
    LCE_CHECK(!host.errors.empty(), "Apply failed without a text, %s", fault.c_str());
    return true;
  }
  if (!host.Allocate()) {
    LCE_CHECK(!host.errors.empty(), "Allocate failed without a text, %s", fault.c_str());
    LCE_CHECK(!host.Invoke(), "invoked without memory, %s", fault.c_str());
    host.errors.clear();
    // What failed while nodes were replaced stays failed: the interpreter calls `init` once.
    if (!host.Allocate()) {
      LCE_CHECK(!host.errors.empty(), "Allocate failed again without a text, %s", fault.c_str());
      return true;
    }
  } else {
    *failed = false;
  }
  LCE_CHECK_RUNS(model, random, host);
  char text[512];
  lce_delegate_profile(delegate.get(), text, sizeof text);
  return true;
}

bool TestAllocations(Random* random) {
  const Model model = SmallModel(random);
  const int threads = random->Int(1, 3);
  const uint64_t contents = random->Next();
  const int64_t live = LiveAllocations();
  int failures = 0;
  bool more = true;
  for (int count = 1; more; ++count) {
    LCE_CHECK(count < 5000, "the delegate never runs without a failure");
    bool failed;
    const bool right = LifeWithFailure(model, count, threads, Random(contents), &failed);
    more = !StillToCome(count);
    if (!right) return false;
    failures += failed;
    LCE_CHECK(LiveAllocations() == live, "%d allocations are left after allocation:%d",
              static_cast<int>(LiveAllocations() - live), count);
  }
  LCE_CHECK(failures >= 5, "only %d allocations made anything fail", failures);
  return true;
}

// The delegate's own memory: no delegate, and a text.
bool TestCreation(Random*) {
  const int64_t live = LiveAllocations();
  for (int count = 1; count < 100; ++count) {
    FailAllocation(count);
    TestDelegate delegate;
    const bool more = !StillToCome(count);
    if (delegate.get() == nullptr) {
      LCE_CHECK(delegate.error.find("memory") != std::string::npos, "%s", delegate.error.c_str());
    }
    delegate.Destroy();
    LCE_CHECK(LiveAllocations() == live, "allocation %d", count);
    if (!more) {
      LCE_CHECK(count > 1, "no memory was asked for");
      return true;
    }
  }
  LCE_CHECK(false, "never succeeds");
  return false;
}

bool TestFaultSwitches(Random* random) {
  const Model model = SmallModel(random);
  const int64_t live = LiveAllocations();
  for (const char* fault : {"prepare", "invoke"}) {
    const std::string text = std::string("fault=") + fault;
    if (!Refused(model, text.c_str(), {{"fault", fault}})) return false;
    LCE_CHECK(LiveAllocations() == live, "%s leaves memory", fault);
  }
  return true;
}

const Test kTests[] = {
    {"allocations", TestAllocations, 60},
    {"creation", TestCreation, 1},
    {"fault_switches", TestFaultSwitches, 60},
};

}  // namespace
}  // namespace testing
}  // namespace lce

int main(int argc, char** argv) { return lce::testing::RunTests(argc, argv, lce::testing::kTests); }

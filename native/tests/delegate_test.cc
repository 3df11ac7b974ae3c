// The delegate in a host: results of random graphs, merged or not, in one kernel or one per
// operator, and what happens to them when inputs change their size.
#include "harness.h"
#include "random_model.h"
#include "runner.h"

namespace lce {
namespace testing {
namespace {

const char* AnyKernelSet(Random* random) {
  static const char* const sets[] = {
      "auto", "auto",   "scalar",
#if defined(__x86_64__)
      "avx2", "avx512",
#elif defined(__aarch64__)
                                     "neon",
#endif
  };
  const char* name = sets[random->Int(0, sizeof sets / sizeof sets[0] - 1)];
  const TestDelegate probe{{"kernel", name}};
  return probe.get() == nullptr ? "auto" : name;  // not on this CPU
}

Subsets AnySubsets(Random* random) {
  return random->OneIn(4) ? Subsets::kOnePerNode : Subsets::kAsTflite;
}

bool TestRandomGraphs(Random* random) {
  RandomChoices choices(random);
  const Model model = RandomModel(&choices, Limits());
  const bool keras = random->OneIn(4);
  const TestDelegate delegate{{"kernel", AnyKernelSet(random)},
                              {"fusion", random->OneIn(4) ? "0" : "1"},
                              {"profiling", random->OneIn(4) ? "1" : "0"},
                              {"exactness", keras ? "keras" : "lce"}};
  Host host(model);
  host.misalignment = random->Int(0, 3);
  host.tensors_to_add = random->OneIn(2) ? random->Int(1, 20) : 0;
  LCE_CHECK(Ready(delegate, &host, AnySubsets(random)), "%s", host.errors.c_str());
  for (int run = 0; run < 2; ++run) {
    const std::string difference = RunAndCompare(model, Random(random->Next()), true, keras, &host);
    LCE_CHECK(difference.empty(), "%s; %s", difference.c_str(), host.errors.c_str());
  }
  return true;
}

// Larger than one unit of work, so that threads share it.
bool TestThreads(Random* random) {
  ConvCase c;
  c.height = random->Int(1, 40);
  c.width = random->Int(1, 40);
  c.channels = random->Int(1, 130);
  c.out = random->Int(1, 130);
  c.options.padding = random->Int(0, 1);
  c.kernel = c.options.padding == 0 ? random->Int(1, 3) : 1;
  const int outputs[] = {tfl::kFloat32, tfl::kInt8, tfl::kInt32};
  c.output = outputs[random->Int(0, 2)];
  const Model model = ConvModel(c, random);
  const TestDelegate delegate;
  Host host(model);
  LCE_CHECK(Ready(delegate, &host), "%s", host.errors.c_str());
  const Random contents(random->Next());
  for (const int threads : {1, 4, 2, 7, -1}) {
    host.set_threads(threads);
    LCE_CHECK_RUNS(model, contents, host);
  }
  return true;
}

bool TestResize(Random* random) {
  RandomChoices choices(random);
  Limits limits;
  limits.one_input = true;
  const Model model = RandomModel(&choices, limits);
  const int input = model.inputs[0];
  const TestDelegate delegate{{"kernel", AnyKernelSet(random)}};
  Host host(model);
  LCE_CHECK(Ready(delegate, &host, AnySubsets(random)), "%s", host.errors.c_str());
  const Dims original = model.tensors[input].dims;
  for (int round = 0; round < 6; ++round) {
    Dims dims = original;
    if (round % 3 != 0) {
      for (size_t i = 0; i + 1 < dims.size(); ++i) {
        if (random->OneIn(2)) dims[i] = random->Int(1, 12);
      }
    }
    LCE_CHECK(host.ResizeInput(input, dims), "%s", host.errors.c_str());
    const bool ready = host.Allocate();
    if (ready) {
      LCE_CHECK_RUNS(model, Random(random->Next()), host);
      continue;
    }
    // Right only if a window does not fit.
    Reference reference(model);
    const Bytes zeros(TensorBytes(model.tensors[input].type, dims));
    reference.SetInput(input, dims, zeros.data(), zeros.size());
    LCE_CHECK(reference.Run() == Reference::Result::kImpossible, "%s", host.errors.c_str());
    LCE_CHECK(!host.Invoke(), "ran without preparation");
  }
  return true;
}

bool TestConstantsThatAreNotRead(Random*) {
  // Builtin operators alone are none of the delegate's business.
  Model model;
  const int x = model.Add(tfl::kFloat32, {1, 2, 2, 3}), y = model.Add(tfl::kFloat32, {1, 2, 2, 3});
  model.AddBuiltin(tfl::kRelu, {x}, {y}, 0);
  model.inputs = {x};
  model.outputs = {y};
  const TestDelegate delegate;
  Host host(model);
  LCE_CHECK(Ready(delegate, &host), "%s", host.errors.c_str());
  LCE_CHECK(host.delegated() == 0, "%zu", host.delegated());
  return true;
}

const Test kTests[] = {
    {"random_graphs", TestRandomGraphs, 3000},
    {"threads", TestThreads, 60},
    {"resize", TestResize, 300},
    {"only_builtins", TestConstantsThatAreNotRead, 1},
};

}  // namespace
}  // namespace testing
}  // namespace lce

int main(int argc, char** argv) { return lce::testing::RunTests(argc, argv, lce::testing::kTests); }

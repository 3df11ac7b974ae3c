// A test program: a list of functions, each run for several seeds.
//   NAME [--seed N] [--rounds N] [--test NAME]
// Round r of seed s is round 0 of seed s + r, so a failure is reproduced by one number.
#ifndef LCE_TESTS_RUNNER_H_
#define LCE_TESTS_RUNNER_H_

#include <stddef.h>
#include <stdint.h>

#include "testing.h"

namespace lce {
namespace testing {

struct Test {
  const char* name;
  bool (*run)(Random* random);
  int rounds;  // unless --rounds is given; 1 for tests that use no randomness
};

int RunTests(int argc, char** argv, const Test* tests, size_t count);

template <size_t kCount>
int RunTests(int argc, char** argv, const Test (&tests)[kCount]) {
  return RunTests(argc, argv, tests, kCount);
}

// Fewer rounds where everything is slow: sanitizers and emulation. From LCE_TEST_EFFORT, a
// percentage.
int Rounds(int rounds);

}  // namespace testing
}  // namespace lce

#endif  // LCE_TESTS_RUNNER_H_

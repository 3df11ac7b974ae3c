#include "runner.h"

#include "core/memory.h"

namespace lce {
namespace testing {

char reproduce[256];
int failures = 0;

int Rounds(int rounds) {
  const char* effort = getenv("LCE_TEST_EFFORT");
  const long percent = effort == nullptr ? 100 : strtol(effort, nullptr, 10);
  const long scaled = rounds * percent / 100;
  return rounds <= 1 ? rounds : scaled < 2 ? 2 : static_cast<int>(scaled);
}

int RunTests(int argc, char** argv, const Test* tests, size_t count) {
  uint64_t first_seed = 1;
  int asked_rounds = 0;
  const char* only = nullptr;
  for (int i = 1; i < argc; i += 2) {
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (value != nullptr && strcmp(argv[i], "--seed") == 0) {
      first_seed = strtoull(value, nullptr, 10);
    } else if (value != nullptr && strcmp(argv[i], "--rounds") == 0) {
      asked_rounds = static_cast<int>(strtol(value, nullptr, 10));
    } else if (value != nullptr && strcmp(argv[i], "--test") == 0) {
      only = value;
    } else {
      fprintf(stderr, "usage: %s [--seed N] [--rounds N] [--test NAME]\n", argv[0]);
      return 2;
    }
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);  // in order with stderr
  printf("seed %llu\n", static_cast<unsigned long long>(first_seed));
  int passed = 0, failed = 0;
  for (size_t t = 0; t < count; ++t) {
    if (only != nullptr && strcmp(only, tests[t].name) != 0) continue;
    const int rounds = asked_rounds > 0 ? asked_rounds : Rounds(tests[t].rounds);
    bool ok = true;
    int round = 0;
    for (; round < rounds && ok; ++round) {
      const uint64_t seed = first_seed + static_cast<uint64_t>(round);
      snprintf(reproduce, sizeof reproduce, "%s --test %s --seed %llu --rounds 1", argv[0],
               tests[t].name, static_cast<unsigned long long>(seed));
      Random random(seed);
      const int64_t live = LiveAllocations();
      const int failures_before = failures;
      ok = tests[t].run(&random) && failures == failures_before;
      FailAllocation(0);
      if (ok && LiveAllocations() != live) {
        fprintf(stderr, "%lld allocations are left\n  reproduce with: %s\n",
                static_cast<long long>(LiveAllocations() - live), reproduce);
        ok = false;
      }
    }
    printf("%s %s: %d rounds\n", ok ? "passed" : "FAILED", tests[t].name, round);
    ok ? ++passed : ++failed;
  }
  if (passed + failed == 0) {
    fprintf(stderr, "no test is named %s\n", only);
    return 2;
  }
  printf("%d tests passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace testing
}  // namespace lce

// One delegate and one graph: run, and compare with plain loops.
#ifndef LCE_TESTS_HARNESS_H_
#define LCE_TESTS_HARNESS_H_

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "host.h"
#include "model.h"
#include "testing.h"

namespace lce {
namespace testing {

using Settings = std::vector<std::pair<const char*, const char*>>;

// A delegate from the library's C function; null, with `error`, if it refused.
class TestDelegate {
 public:
  TestDelegate() : TestDelegate(Settings()) {}
  TestDelegate(std::initializer_list<Settings::value_type> settings)
      : TestDelegate(Settings(settings)) {}
  explicit TestDelegate(const Settings& settings);
  ~TestDelegate() { Destroy(); }
  TestDelegate(const TestDelegate&) = delete;
  TestDelegate& operator=(const TestDelegate&) = delete;
  void* get() const { return delegate_; }
  void Destroy();

  std::string error;
  int error_calls = 0;

 private:
  void* delegate_;
};

// Applies, allocates, and that is all.
bool Ready(const TestDelegate& delegate, Host* host, Subsets subsets = Subsets::kAsTflite);

// Fills the inputs, invokes, and compares every output of the graph with the reference.
// Returns what differs, or an empty text. Says "refused" if the reference can run what the host
// did not. A reference that would take more than `max_cost` is left out.
std::string RunAndCompare(const Model& model, Random contents, bool odd_values, bool keras,
                          Host* host, double max_cost = 1e9);

// What LCE_CHECK wants: the check, with everything that the host reported.
#define LCE_CHECK_RUNS(model, random, host)                                                \
  do {                                                                                     \
    const std::string lce_difference = RunAndCompare(model, random, true, false, &(host)); \
    LCE_CHECK(lce_difference.empty(), "%s; host: %s", lce_difference.c_str(),              \
              (host).errors.c_str());                                                      \
  } while (false)

// The graph must be refused when it is applied, allocated or run, with one of the lines that the
// host got containing `text`.
bool Refused(const Model& model, const char* text, const Settings& settings = {},
             Subsets subsets = Subsets::kAsTflite);

// A model with one LceBconv2d on [batch, size, size, channels], for tests that then change it.
struct ConvCase {
  int batch = 1, height = 5, width = 5, channels = 40, out = 33, kernel = 3;
  int groups = 1;
  int output = tfl::kFloat32;
  ConvOptions options;  // channels_in is filled in
};
Model ConvModel(const ConvCase& c, Random* random);
// Its tensors.
enum : int { kConvInput, kConvWeights, kConvMultiplier, kConvBias, kConvThreshold, kConvOutput };

}  // namespace testing
}  // namespace lce

#endif  // LCE_TESTS_HARNESS_H_

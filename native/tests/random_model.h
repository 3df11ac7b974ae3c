// Random small graphs of the delegate's operators and their neighbours, for tests (a seeded
// source of choices) and for the fuzzer (choices come from its input).
#ifndef LCE_TESTS_RANDOM_MODEL_H_
#define LCE_TESTS_RANDOM_MODEL_H_

#include <stdint.h>

#include "host.h"
#include "model.h"
#include "testing.h"

namespace lce {
namespace testing {

// Where choices come from.
class Choices {
 public:
  // 0 .. bound - 1.
  virtual uint32_t Below(uint32_t bound) = 0;
  // Both ends included.
  int Int(int low, int high) {
    return low + static_cast<int>(Below(static_cast<uint32_t>(high - low) + 1));
  }
  // False more often than not, and false where a source has run out.
  bool OneIn(uint32_t n) { return Below(n) == n - 1; }
  // Contents of tensors: many cheap numbers from few choices.
  virtual Random Contents() = 0;

 protected:
  ~Choices() = default;
};

class RandomChoices final : public Choices {
 public:
  explicit RandomChoices(Random* random) : random_(random) {}
  uint32_t Below(uint32_t bound) override {
    return bound < 2 ? 0 : static_cast<uint32_t>(random_->Next() % bound);
  }
  Random Contents() override { return Random(random_->Next()); }

 private:
  Random* random_;
};

struct Limits {
  int max_layers = 6;
  int max_size = 9;  // of images
  int max_channels = 130;
  int max_kernel = 5;
  // Every tensor follows from the one input, so that the input can be resized.
  bool one_input = false;
  bool odd_values = true;  // infinite multipliers, NaN in inputs
};

// Valid in every respect, so that the delegate has to run it.
Model RandomModel(Choices* choices, const Limits& limits);

// What an interpreter's input may hold; nothing where it has no memory.
void FillInputs(const Model& model, Random random, bool odd_values, Host* host);

// Something that is not as it should be, `count` times.
void Damage(Choices* choices, int count, Model* model);

}  // namespace testing
}  // namespace lce

#endif  // LCE_TESTS_RANDOM_MODEL_H_

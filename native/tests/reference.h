// Every operator in plain loops, one after another, nothing merged: what a graph means.
//
// Written from the format's description (docs, section "Ops"), not from the library's code; it
// shares only the reader of options and the switch for denormals with it.
#ifndef LCE_TESTS_REFERENCE_H_
#define LCE_TESTS_REFERENCE_H_

#include "model.h"

namespace lce {
namespace testing {

// A tensor while a graph runs.
struct View {
  int type = tfl::kNoType;  // kNoType: an absent input
  Dims dims;
  uint8_t* data = nullptr;
  float scale = 0;
  int32_t zero_point = 0;
};

// The shape of the node's outputs; false if there is none. `declared` is what the file says.
bool InferShape(const ModelNode& node, const std::vector<View>& inputs, const View& declared,
                Dims* dims);

// The node's outputs, which have their shape and memory. False for operators not known here.
bool Evaluate(const ModelNode& node, const std::vector<View>& inputs, bool keras,
              std::vector<View>* outputs);

// Rough number of word operations that Evaluate takes.
double Cost(const ModelNode& node, const std::vector<View>& inputs, const Dims& output);

// A whole graph.
class Reference {
 public:
  explicit Reference(const Model& model, bool keras = false);
  void SetInput(int tensor, const Dims& dims, const void* data, size_t bytes);
  // Stops without a result if that takes more than `max_cost`.
  enum class Result { kDone, kImpossible, kTooExpensive };
  Result Run(double max_cost = 1e9);
  const Dims& dims(int tensor) const { return views_[tensor].dims; }
  const Bytes& data(int tensor) const { return data_[tensor]; }

 private:
  const Model& model_;
  const bool keras_;
  std::vector<View> views_;
  std::vector<Bytes> data_;
};

}  // namespace testing
}  // namespace lce

#endif  // LCE_TESTS_REFERENCE_H_

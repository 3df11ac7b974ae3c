// The interpreter's graph as the delegate sees it: which operators are ours, who makes and who
// uses each tensor, and which neighbours of a binary convolution can be merged with it.
#ifndef LCE_DELEGATE_GRAPH_H_
#define LCE_DELEGATE_GRAPH_H_

#include <stdint.h>

#include "core/error.h"
#include "core/memory.h"
#include "delegate/tfl_abi.h"

namespace lce {

enum class Op : int32_t {
  kForeign,  // not ours
  kQuantize,
  kDequantize,
  kBconv,
  kBmaxpool,
  // Builtin float operators that can be merged:
  kAddTensors,  // clamp(a + b)
  kAffine,      // clamp(x), clamp(x * constant) or clamp(x + constant)
  kMaxPool,
};

const char* OpName(Op op);

// LCE's own operators.
inline bool IsBinary(Op op) {
  return op == Op::kQuantize || op == Op::kDequantize || op == Op::kBconv || op == Op::kBmaxpool;
}

struct OpNode {
  static constexpr int kMaxInputs = 5;

  Op op = Op::kForeign;
  int index = -1;          // in the interpreter
  int inputs[kMaxInputs];  // tensors, -1 if absent; for kAffine [0] is x
  int input_count = 0;
  int output = -1;
  int constant = -1;       // kAffine: tensor, -1 for none
  bool multiply = false;   // kAffine with a constant: x * constant, else x + constant
  bool clamped = false;    // has an activation
  float min = 0, max = 0;  // its range
  tfl::PoolParams pool;    // kMaxPool
  const uint8_t* options = nullptr;
  size_t options_size = 0;
};

// In the file, with the same value for ever.
inline bool IsConstant(const tfl::Tensor& t) {
  return t.allocation == tfl::kMmapRo && t.data != nullptr && !t.is_variable;
}

// Whether the file leaves a size to whoever resizes the inputs. It then says 1.
inline bool IsUnknown(const tfl::Tensor& t, int dimension) {
  return t.dims_signature != nullptr && dimension < t.dims_signature->size &&
         t.dims_signature->data[dimension] < 0;
}

class Graph {
 public:
  // Reads the nodes with the given indices. `outputs` are tensors that others need, or null if
  // that is not known.
  bool Build(tfl::Context* context, const tfl::IntArray* indices, const tfl::IntArray* outputs,
             Error* error);

  const Array<OpNode>& nodes() const { return nodes_; }
  tfl::Context* context() const { return context_; }
  int producer(int tensor) const { return tensor < 0 ? -1 : producer_[tensor]; }
  int uses(int tensor) const { return uses_[tensor]; }
  bool external(int tensor) const { return external_[tensor] != 0; }
  // Made by one of `nodes`, used once, by one of `nodes`.
  bool IsPrivate(int tensor) const {
    return producer(tensor) >= 0 && uses(tensor) == 1 && !external(tensor);
  }
  // The only user of a private tensor, a position in nodes(); -1 if it is an operator whose
  // inputs are not kept, since nothing can be merged with it.
  int User(int tensor) const;

  // conv -> chain -> LceQuantize, where the chain consists of kAffine and at most one kMaxPool
  // and nobody else sees what is between. Fills `chain` with positions in execution order and
  // returns the convolution's position, or -1 if there is no such chain.
  int FindSignChain(int quantize, Array<int>* chain) const;

  // The kAddTensors that can be computed by the convolution at `conv`, whose output may pass
  // through the kAffine at `*clamp` (a position, -1 if there is none) first; -1 if there is no
  // such addition.
  int FindAddition(int conv, int* clamp) const;

 private:
  OpNode Read(int index, tfl::Node* node, const tfl::Registration* registration) const;
  bool ReadBuiltin(const tfl::Node* node, int32_t code, OpNode* result) const;
  bool IsFloatConv(int position) const;
  bool LeaveSeveralWriters(Error* error);

  static constexpr int kSeveral = -2;  // a producer, until LeaveSeveralWriters

  tfl::Context* context_ = nullptr;
  Array<OpNode> nodes_;
  Array<int> producer_, uses_;
  Array<uint8_t> external_;
};

}  // namespace lce

#endif  // LCE_DELEGATE_GRAPH_H_

#include "delegate/graph.h"

#include <string.h>

namespace lce {
namespace {

// Two sizes that are not known yet count as the same. If they turn out to differ, that is an error
// in Program::Prepare.
bool SameShape(const tfl::Tensor& a, const tfl::Tensor& b) {
  if (a.dims == nullptr || b.dims == nullptr || a.dims->size != b.dims->size) return false;
  for (int i = 0; i < a.dims->size; ++i) {
    if (a.dims->data[i] != b.dims->data[i] || IsUnknown(a, i) != IsUnknown(b, i)) return false;
  }
  return true;
}

// The range of a fused activation; false for those that are no clamp.
bool ActivationRange(int activation, OpNode* node) {
  const float infinity = __builtin_inff();
  node->clamped = activation != tfl::kActNone;
  switch (activation) {
    case tfl::kActNone:
      node->min = -infinity, node->max = infinity;
      return true;
    case tfl::kActRelu:
      node->min = 0, node->max = infinity;
      return true;
    case tfl::kActReluN1To1:
      node->min = -1, node->max = 1;
      return true;
    case tfl::kActRelu6:
      node->min = 0, node->max = 6;
      return true;
    default:
      return false;
  }
}

}  // namespace

const char* OpName(Op op) {
  switch (op) {
    case Op::kQuantize:
      return "LceQuantize";
    case Op::kDequantize:
      return "LceDequantize";
    case Op::kBconv:
      return "LceBconv2d";
    case Op::kBmaxpool:
      return "LceBMaxPool2d";
    case Op::kAddTensors:
      return "ADD";
    case Op::kAffine:
      return "MUL/ADD/RELU";
    case Op::kMaxPool:
      return "MAX_POOL_2D";
    case Op::kForeign:
      break;
  }
  return "other";
}

bool Graph::ReadBuiltin(const tfl::Node* node, int32_t code, OpNode* result) const {
  const bool relu = code == tfl::kRelu || code == tfl::kReluN1To1 || code == tfl::kRelu6;
  if (!relu && code != tfl::kAdd && code != tfl::kMul && code != tfl::kMaxPool2d) return false;
  for (int i = 0; i < result->input_count; ++i) {
    if (result->inputs[i] < 0) return false;
    if (context_->tensors[result->inputs[i]].type != tfl::kFloat32) return false;
  }
  if (context_->tensors[result->output].type != tfl::kFloat32) return false;
  const tfl::Tensor& out = context_->tensors[result->output];
  if (relu) {
    result->op = Op::kAffine;
    const int activation = code == tfl::kRelu        ? tfl::kActRelu
                           : code == tfl::kReluN1To1 ? tfl::kActReluN1To1
                                                     : tfl::kActRelu6;
    return result->input_count == 1 && ActivationRange(activation, result);
  }
  if (node->builtin_data == nullptr) return false;
  if (code == tfl::kMaxPool2d) {
    memcpy(&result->pool, node->builtin_data, sizeof result->pool);
    result->op = Op::kMaxPool;
    const bool known =
        result->pool.padding == tfl::kPaddingSame || result->pool.padding == tfl::kPaddingValid;
    return known && result->input_count == 1 && out.dims != nullptr && out.dims->size == 4 &&
           ActivationRange(result->pool.activation, result);
  }
  tfl::ActivationParams params;
  memcpy(&params, node->builtin_data, sizeof params);
  if (result->input_count != 2 || !ActivationRange(params.activation, result)) return false;
  const bool first = IsConstant(context_->tensors[result->inputs[0]]);
  const bool second = IsConstant(context_->tensors[result->inputs[1]]);
  if (first != second) {
    // One value for all, or one per channel in the last dimension.
    if (first) {
      const int x = result->inputs[1];
      result->inputs[1] = result->inputs[0];
      result->inputs[0] = x;
    }
    const tfl::Tensor& x = context_->tensors[result->inputs[0]];
    const tfl::Tensor& c = context_->tensors[result->inputs[1]];
    if (!SameShape(x, out) || x.dims->size < 1 || c.dims == nullptr) return false;
    const int channels = x.dims->data[x.dims->size - 1];
    int elements = 1;
    for (int i = 0; i < c.dims->size; ++i) {
      if (c.dims->data[i] != 1 && i + 1 < c.dims->size) return false;
      elements *= c.dims->data[i];
    }
    if (c.dims->size > x.dims->size || (elements != 1 && elements != channels) ||
        c.bytes != sizeof(float) * elements ||
        reinterpret_cast<uintptr_t>(c.data) % sizeof(float) != 0) {
      return false;
    }
    result->op = Op::kAffine;
    result->constant = result->inputs[1];
    result->multiply = code == tfl::kMul;
    return true;
  }
  result->op = Op::kAddTensors;
  const tfl::Tensor& a = context_->tensors[result->inputs[0]];
  const tfl::Tensor& b = context_->tensors[result->inputs[1]];
  return code == tfl::kAdd && !first && SameShape(a, b) && SameShape(a, out) && a.dims->size > 0;
}

OpNode Graph::Read(int index, tfl::Node* node, const tfl::Registration* registration) const {
  OpNode result;
  result.index = index;
  if (node->delegate != nullptr || node->inputs == nullptr || node->outputs == nullptr ||
      node->outputs->size != 1 || node->inputs->size > OpNode::kMaxInputs) {
    return result;
  }
  // -1 is an absent input, and some interpreters let an output be absent, too.
  const auto is_tensor = [this](int tensor) {
    return tensor >= 0 && static_cast<size_t>(tensor) < producer_.size();
  };
  if (!is_tensor(node->outputs->data[0])) return result;
  for (int i = 0; i < node->inputs->size; ++i) {
    const int tensor = node->inputs->data[i];
    if (tensor != -1 && !is_tensor(tensor)) return result;
    result.inputs[i] = tensor;
  }
  result.input_count = node->inputs->size;
  result.output = node->outputs->data[0];
  if (registration->builtin_code == tfl::kCustom && registration->custom_name != nullptr) {
    constexpr Op kOurs[] = {Op::kQuantize, Op::kDequantize, Op::kBconv, Op::kBmaxpool};
    for (const Op op : kOurs) {
      if (strcmp(registration->custom_name, OpName(op)) == 0) result.op = op;
    }
    result.options = static_cast<const uint8_t*>(node->custom_initial_data);
    result.options_size = result.options == nullptr || node->custom_initial_data_size < 0
                              ? 0
                              : static_cast<size_t>(node->custom_initial_data_size);
    return result;
  }
  if (!ReadBuiltin(node, registration->builtin_code, &result)) result.op = Op::kForeign;
  return result;
}

bool Graph::Build(tfl::Context* context, const tfl::IntArray* indices, const tfl::IntArray* outputs,
                  Error* error) {
  context_ = context;
  const size_t tensors = context->tensor_count;
  if (!producer_.Reset(tensors) || !uses_.Reset(tensors) || !external_.Reset(tensors)) {
    return error->OutOfMemory();
  }
  for (int& producer : producer_) producer = -1;
  for (int i = 0; outputs != nullptr && i < outputs->size; ++i) {
    const int tensor = outputs->data[i];
    if (tensor >= 0 && static_cast<size_t>(tensor) < tensors) external_[tensor] = 1;
  }
  bool several = false;
  for (int i = 0; i < indices->size; ++i) {
    tfl::Node* node;
    tfl::Registration* registration;
    if (context->GetNodeAndRegistration(context, indices->data[i], &node, &registration) !=
        tfl::kOk) {
      return error->Set("the interpreter has no node %d", indices->data[i]);
    }
    for (int j = 0; node->inputs != nullptr && j < node->inputs->size; ++j) {
      const int tensor = node->inputs->data[j];
      if (tensor >= 0 && static_cast<size_t>(tensor) < tensors) ++uses_[tensor];
    }
    for (int j = 0; node->outputs != nullptr && j < node->outputs->size; ++j) {
      const int tensor = node->outputs->data[j];
      if (tensor < 0 || static_cast<size_t>(tensor) >= tensors) continue;
      if (producer_[tensor] != -1) several = true;
      producer_[tensor] = producer_[tensor] == -1 ? static_cast<int>(nodes_.size()) : kSeveral;
    }
    if (!nodes_.Push(Read(indices->data[i], node, registration))) return error->OutOfMemory();
  }
  return !several || LeaveSeveralWriters(error);
}

// Which of two values a reader sees depends on the order of operators. That is the interpreter's
// affair, unless one of the writers is ours.
bool Graph::LeaveSeveralWriters(Error* error) {
  for (OpNode& node : nodes_) {
    if (node.output < 0 || producer_[node.output] != kSeveral) continue;
    if (IsBinary(node.op)) {
      return error->Set("tensor %d is written by two operators, node %d is one of them",
                        node.output, node.index);
    }
    node.op = Op::kForeign;
  }
  for (int& producer : producer_) {
    if (producer == kSeveral) producer = -1;
  }
  return true;
}

int Graph::User(int tensor) const {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    for (int j = 0; j < nodes_[i].input_count; ++j) {
      if (nodes_[i].inputs[j] == tensor) return static_cast<int>(i);
    }
  }
  return -1;
}

bool Graph::IsFloatConv(int position) const {
  return position >= 0 && nodes_[position].op == Op::kBconv &&
         context_->tensors[nodes_[position].output].type == tfl::kFloat32;
}

int Graph::FindSignChain(int quantize, Array<int>* chain) const {
  chain->Reset(0);
  int tensor = nodes_[quantize].inputs[0];
  bool pooled = false;
  while (IsPrivate(tensor)) {
    const int position = producer(tensor);
    const OpNode& node = nodes_[position];
    if (IsFloatConv(position)) {
      // Found from the end; wanted from the start.
      for (size_t i = 0; i < chain->size() / 2; ++i) {
        const int last = (*chain)[chain->size() - 1 - i];
        (*chain)[chain->size() - 1 - i] = (*chain)[i];
        (*chain)[i] = last;
      }
      return position;
    }
    if (node.op != Op::kAffine && (node.op != Op::kMaxPool || pooled)) return -1;
    pooled = pooled || node.op == Op::kMaxPool;
    if (!chain->Push(position)) return -1;
    tensor = node.inputs[0];
  }
  return -1;
}

int Graph::FindAddition(int conv, int* clamp) const {
  *clamp = -1;
  int tensor = nodes_[conv].output;
  if (!IsFloatConv(conv) || !IsPrivate(tensor)) return -1;
  int user = User(tensor);
  if (user >= 0 && nodes_[user].op == Op::kAffine && nodes_[user].constant < 0) {
    *clamp = user;
    tensor = nodes_[user].output;
    if (!IsPrivate(tensor)) return -1;
    user = User(tensor);
  }
  return user >= 0 && nodes_[user].op == Op::kAddTensors ? user : -1;
}

}  // namespace lce

// From nodes of the graph to steps.
#include <string.h>

#include "core/denormals.h"
#include "core/flexbuffer.h"
#include "delegate/program.h"

namespace lce {
namespace {

// A constant with these dimensions (0: any size of at least 1) and enough bytes.
bool CheckConstant(const tfl::Context* context, int index, const char* name, int type, int rank,
                   const int* dims, Error* error) {
  if (index < 0 || static_cast<size_t>(index) >= context->tensor_count) {
    return error->Set("%s are missing", name);
  }
  const tfl::Tensor& t = context->tensors[index];
  if (t.type != type) return error->Set("%s have type %d, must be %d", name, t.type, type);
  if (!IsConstant(t)) return error->Set("%s must be constant", name);
  if (reinterpret_cast<uintptr_t>(t.data) % 4 != 0) return error->Set("%s are not aligned", name);
  if (t.dims == nullptr || t.dims->size != rank) {
    return error->Set("%s must have %d dimensions, got %d", name, rank,
                      t.dims == nullptr ? 0 : t.dims->size);
  }
  size_t bytes = 4;  // float and int32
  for (int i = 0; i < rank; ++i) {
    const int size = t.dims->data[i];
    if (size < 1 || (dims[i] != 0 && size != dims[i])) {
      return error->Set("%s must have %d elements in dimension %d, got %d", name, dims[i], i, size);
    }
    if (!Multiply(bytes, size, &bytes)) return error->Set("%s are too large", name);
  }
  if (t.bytes != bytes) {
    return error->Set("%s hold %zu bytes, their shape takes %zu", name, t.bytes, bytes);
  }
  return true;
}

bool CheckRange(const char* name, int64_t value, int64_t low, int64_t high, Error* error) {
  if (value >= low && value <= high) return true;
  return error->Set("option %s must be %lld to %lld, got %lld", name, (long long)low,
                    (long long)high, (long long)value);
}

}  // namespace

bool AtNode(Op op, int node, Error* error) {
  char text[sizeof error->text];
  memcpy(text, error->text, sizeof text);
  return error->Set("%s (node %d): %s", OpName(op), node, text);
}

Program::~Program() {
  for (BconvPlan* conv : convs_) Delete(conv);
  for (uint32_t* flip : flips_) Free(flip);
}

void Program::Init(tfl::Context* context, const tfl::DelegateParams* params) {
  context_ = context;
  const FlushDenormals flush;  // LCE derives its constants during the first inference
  failed_ = !graph_.Build(context, params->nodes, params->outputs, &init_error_) ||
            !Build(params, &init_error_);
}

int Program::NewSlot() {
  Slot slot;
  memset(&slot, 0, sizeof slot);
  return slots_.Push(slot) ? static_cast<int>(slots_.size()) - 1 : -1;
}

bool Program::Build(const tfl::DelegateParams* params, Error* error) {
  (void)params;
  const Array<OpNode>& nodes = graph_.nodes();
  const int count = static_cast<int>(nodes.size());
  Array<Plan> plans;
  if (!slots_.Reset(context_->tensor_count) || !plans.Reset(count)) return error->OutOfMemory();
  foreign_slots_ = static_cast<int>(slots_.size());
  for (Plan& plan : plans) plan = Plan();
  for (int i = 0; i < count; ++i) {
    const OpNode& node = nodes[i];
    if (IsBinary(node.op) && (node.input_count < 1 || node.inputs[0] < 0 ||
                              (node.op != Op::kBconv && node.input_count != 1))) {
      return error->Set("wrong number of inputs"), AtNode(node.op, node.index, error);
    }
    for (int j = 0; j < node.input_count; ++j) {
      if (graph_.producer(node.inputs[j]) < i) continue;
      error->Set("tensor %d is read before it is written", node.inputs[j]);
      return AtNode(node.op, node.index, error);
    }
    if (!CheckDeclared(node, error)) return AtNode(node.op, node.index, error);
    if (node.op == Op::kBconv && !ReadConv(node, &plans[i], error)) {
      return AtNode(node.op, node.index, error);
    }
  }
  if (options_.fusion) {
    for (int i = 0; i < count; ++i) {
      if (nodes[i].op == Op::kQuantize && !FuseSign(i, &plans, error)) return false;
    }
    for (int i = 0; i < count; ++i) {
      Plan& plan = plans[i];
      if (nodes[i].op != Op::kBconv || plan.quantize >= 0) continue;
      const int addition = graph_.FindAddition(i, &plan.clamp);
      if (plan.clamp >= 0) plans[plan.clamp].done = true;
      if (addition < 0 || plans[addition].added >= 0) continue;
      plan.addition = addition;
      plans[addition].added = i;
    }
  }
  for (int i = 0; i < count; ++i) {
    if (!plans[i].done && !Emit(i, &plans, error))
      return AtNode(nodes[i].op, nodes[i].index, error);
  }
  return true;
}

// Shapes that the file states must be those that follow from its inputs, unless it leaves the size
// of the image open.
bool Program::CheckDeclared(const OpNode& node, Error* error) const {
  if (node.op == Op::kForeign) return error->Set("cannot be run by this delegate");
  const tfl::Tensor& in = context_->tensors[node.inputs[0]];
  const tfl::Tensor& out = context_->tensors[node.output];
  if (in.dims == nullptr || out.dims == nullptr) return error->Set("a tensor has no shape");
  if (out.allocation == tfl::kMmapRo) return error->Set("output is constant");
  const int rank = in.dims->size;
  if (rank < 1 || rank > Slot::kMaxRank || out.dims->size != rank) {
    return error->Set("input has %d dimensions and output %d, must be equal and 1 to %d", rank,
                      out.dims->size, Slot::kMaxRank);
  }
  const int64_t in_last = in.dims->data[rank - 1], out_last = out.dims->data[rank - 1];
  int64_t expected = out_last;
  if (node.op == Op::kQuantize) expected = (in_last + 31) / 32;
  if (node.op == Op::kBmaxpool || node.op == Op::kMaxPool) expected = in_last;
  if (out_last != expected) {
    return error->Set("output has %lld %s a pixel, must be %lld", (long long)out_last,
                      node.op == Op::kMaxPool ? "channels" : "words", (long long)expected);
  }
  if (node.op == Op::kDequantize && in_last != (out_last + 31) / 32) {
    return error->Set("input has %lld words a pixel, %lld channels take %lld", (long long)in_last,
                      (long long)out_last, (long long)((out_last + 31) / 32));
  }
  if (node.op == Op::kQuantize || node.op == Op::kDequantize) {
    const bool quantize = node.op == Op::kQuantize;
    const int packed = quantize ? out.type : in.type, type = quantize ? in.type : out.type;
    if (packed != tfl::kInt32) {
      return error->Set("packed tensor has type %d, must be int32", packed);
    }
    if (type != tfl::kFloat32 && type != tfl::kInt8 && type != tfl::kBool) {
      return error->Set("tensor has type %d, must be float32, int8 or bool", type);
    }
    if (!quantize && type == tfl::kInt8 && !(out.params.scale > 0)) {
      return error->Set("int8 output must have a positive scale");
    }
  }
  if (node.op != Op::kBconv && node.op != Op::kBmaxpool && node.op != Op::kMaxPool) return true;
  if (rank != 4) return error->Set("input must have 4 dimensions, got %d", rank);
  Step window;
  if (!ReadWindow(node, &window, error)) return false;
  for (int i = 1; i <= 2; ++i) {
    if (IsUnknown(in, i) || IsUnknown(out, i)) return true;  // Prepare will see
  }
  if (!MakeAxes(in.dims->data[1], in.dims->data[2], &window, error)) return false;
  if (window.rows.output != out.dims->data[1] || window.columns.output != out.dims->data[2]) {
    return error->Set("output is %d x %d in the file, options and input make it %d x %d",
                      out.dims->data[1], out.dims->data[2], window.rows.output,
                      window.columns.output);
  }
  return true;
}

bool Program::MakeAxes(int64_t height, int64_t width, Step* step, Error* error) {
  return MakeAxis("height", height, step->filter_height, step->stride_height, step->dilation_height,
                  step->same, &step->rows, error) &&
         MakeAxis("width", width, step->filter_width, step->stride_width, step->dilation_width,
                  step->same, &step->columns, error);
}

// Options of the sliding window.
bool Program::ReadWindow(const OpNode& node, Step* step, Error* error) const {
  int64_t padding;
  if (node.op == Op::kMaxPool) {
    step->filter_height = node.pool.filter_height;
    step->filter_width = node.pool.filter_width;
    step->stride_height = node.pool.stride_height;
    step->stride_width = node.pool.stride_width;
    padding = node.pool.padding == tfl::kPaddingSame ? 0 : 1;
  } else if (node.op == Op::kBmaxpool) {
    NamedInt options[] = {{"padding", 0, false},
                          {"stride_width", 0, false},
                          {"stride_height", 0, false},
                          {"filter_width", 0, false},
                          {"filter_height", 0, false}};
    if (!ReadIntMap(node.options, node.options_size, options, 5, error)) return false;
    padding = options[0].value;
    step->stride_width = options[1].value;
    step->stride_height = options[2].value;
    step->filter_width = options[3].value;
    step->filter_height = options[4].value;
  } else {
    NamedInt options[] = {{"padding", 0, false},
                          {"stride_width", 0, false},
                          {"stride_height", 0, false},
                          {"dilation_width_factor", 0, false},
                          {"dilation_height_factor", 0, false}};
    if (!ReadIntMap(node.options, node.options_size, options, 5, error)) return false;
    padding = options[0].value;
    step->stride_width = options[1].value;
    step->stride_height = options[2].value;
    step->dilation_width = options[3].value;
    step->dilation_height = options[4].value;
    const int any[4] = {0, 0, 0, 0};
    if (!CheckConstant(context_, node.input_count > 1 ? node.inputs[1] : -1, "weights", tfl::kInt32,
                       4, any, error)) {
      return false;
    }
    step->filter_height = context_->tensors[node.inputs[1]].dims->data[1];
    step->filter_width = context_->tensors[node.inputs[1]].dims->data[2];
  }
  if (!CheckRange("padding", padding, 0, 1, error)) return false;
  step->same = padding == 0;
  return true;
}

bool Program::ReadConv(const OpNode& node, Plan* plan, Error* error) {
  NamedInt options[] = {{"channels_in", 0, false},
                        {"stride_height", 0, false},
                        {"stride_width", 0, false},
                        {"dilation_height_factor", 0, false},
                        {"dilation_width_factor", 0, false},
                        {"padding", 0, false},
                        {"pad_values", 0, false},
                        {"fused_activation_function", 0, false}};
  if (!ReadIntMap(node.options, node.options_size, options, 8, error)) return false;
  if (!CheckRange("pad_values", options[6].value, 0, 1, error)) return false;
  if (node.input_count != 5) return error->Set("must have 5 inputs, got %d", node.input_count);
  const tfl::Tensor& in = context_->tensors[node.inputs[0]];
  const tfl::Tensor& out = context_->tensors[node.output];
  const tfl::Tensor& weights = context_->tensors[node.inputs[1]];
  if (in.type != tfl::kInt32) return error->Set("input has type %d, must be int32", in.type);
  BconvOp op;
  memset(static_cast<void*>(&op), 0, sizeof op);
  op.channels_in = options[0].value;
  op.stride_height = options[1].value;
  op.stride_width = options[2].value;
  op.dilation_height = options[3].value;
  op.dilation_width = options[4].value;
  op.same = options[5].value == 0;
  op.pad_one = options[6].value == 1;
  op.activation = options[7].value;
  op.out_channels = weights.dims->data[0];
  op.kernel_height = weights.dims->data[1];
  op.kernel_width = weights.dims->data[2];
  op.group_words = weights.dims->data[3];
  op.weights = static_cast<const uint32_t*>(weights.data);
  const int channels[1] = {op.out_channels};
  const int words = DivideUp(op.out_channels, 32);
  int expected = op.out_channels;
  if (out.type == tfl::kInt32) {
    op.output = OutputKind::kBits;
    expected = words;
    if (!CheckConstant(context_, node.inputs[4], "thresholds", tfl::kInt32, 1, channels, error)) {
      return false;
    }
    op.threshold = static_cast<const int32_t*>(context_->tensors[node.inputs[4]].data);
  } else if (out.type == tfl::kFloat32 || out.type == tfl::kInt8) {
    op.output = out.type == tfl::kInt8 ? OutputKind::kInt8 : OutputKind::kFloat;
    if (!CheckConstant(context_, node.inputs[2], "multipliers", tfl::kFloat32, 1, channels,
                       error) ||
        !CheckConstant(context_, node.inputs[3], "biases", tfl::kFloat32, 1, channels, error)) {
      return false;
    }
    op.multiplier = static_cast<const float*>(context_->tensors[node.inputs[2]].data);
    op.bias = static_cast<const float*>(context_->tensors[node.inputs[3]].data);
    op.scale = out.params.scale;
    op.zero_point = out.params.zero_point;
    if (op.output == OutputKind::kInt8 && !(op.scale > 0)) {
      return error->Set("int8 output has scale %g, must be positive", op.scale);
    }
  } else {
    return error->Set("output has type %d, must be float32, int8 or int32", out.type);
  }
  if (out.dims->data[3] != expected || in.dims->data[0] != out.dims->data[0]) {
    return error->Set(
        "output has shape [%d, .., .., %d], weights and input make it [%d, .., .., "
        "%d]",
        out.dims->data[0], out.dims->data[3], in.dims->data[0], expected);
  }
  plan->conv = New<BconvPlan>();
  if (plan->conv == nullptr || !convs_.Push(plan->conv)) {
    if (convs_.size() == 0 || convs_[convs_.size() - 1] != plan->conv) Delete(plan->conv);
    return error->OutOfMemory();
  }
  return plan->conv->Init(op, options_.exactness, kernels_.bconv, kernels_.bconv_count,
                          kernels_.expand, error);
}

// conv -> chain -> sign becomes a convolution that compares with thresholds (and a pooling of
// bits): nothing is written but bits.
bool Program::FuseSign(int quantize, Array<Plan>* plans, Error* error) {
  const Array<OpNode>& nodes = graph_.nodes();
  Array<int> chain;
  const int position = graph_.FindSignChain(quantize, &chain);
  if (position < 0) return true;
  Plan& plan = (*plans)[position];
  Array<SignStep> steps;
  const auto push = [&steps](SignStep::Kind kind, float min, float max, const float* constant,
                             bool per_channel) {
    return steps.Push({kind, min, max, constant, per_channel});
  };
  int pool = -1;
  bool pushed = true;
  for (const int i : chain) {
    const OpNode& node = nodes[i];
    if (node.op == Op::kMaxPool) {
      pool = i;
      pushed = pushed && push(SignStep::kMaxPool, 0, 0, nullptr, false);
    } else if (node.constant >= 0) {
      const tfl::Tensor& constant = context_->tensors[node.constant];
      pushed = pushed && push(node.multiply ? SignStep::kMultiply : SignStep::kAdd, 0, 0,
                              static_cast<const float*>(constant.data), constant.bytes > 4);
    }
    if (node.clamped) pushed = pushed && push(SignStep::kClamp, node.min, node.max, nullptr, false);
  }
  if (!pushed) return error->OutOfMemory();
  uint32_t* flip = nullptr;
  if (pool >= 0) {
    flip = static_cast<uint32_t*>(Allocate(4 * DivideUp(plan.conv->out_channels(), 32)));
    if (flip == nullptr) return error->OutOfMemory();
    if (!flips_.Push(flip)) {
      Free(flip);
      return error->OutOfMemory();
    }
  }
  if (!plan.conv->FuseSign(steps.data(), steps.size(), kernels_.bconv, kernels_.bconv_count, flip,
                           error)) {
    // Without a message: constants that cannot be merged.
    return error->text[0] == 0 || AtNode(nodes[position].op, nodes[position].index, error);
  }
  plan.quantize = quantize;
  plan.pool = pool;
  plan.flip = flip;
  plan.chain = chain.size() > 0 ? chain[0] : -1;
  for (const int i : chain) (*plans)[i].done = true;
  (*plans)[quantize].done = true;
  return true;
}

void Program::AbsorbQuantize(Step* step, int tensor, Array<Plan>* plans) {
  const Array<OpNode>& nodes = graph_.nodes();
  if (!options_.fusion) return;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (nodes[i].op != Op::kQuantize || nodes[i].inputs[0] != tensor || (*plans)[i].done) continue;
    (*plans)[i].done = true;
    step->bits = nodes[i].output;
    step->fused[step->fused_count++] = OpName(Op::kQuantize);
    if (graph_.IsPrivate(tensor)) step->output = -1;
    return;
  }
}

bool Program::AddSteps(const Step& step, const Plan& plan, Error* error) {
  Step first = step;
  if (plan.pool < 0) return steps_.Push(first) || error->OutOfMemory();
  const OpNode& pool = graph_.nodes()[plan.pool];
  Step second;
  second.op = Op::kBmaxpool;
  second.node = pool.index;
  second.output = first.output;
  second.flip = plan.flip;
  second.kernel_name = kernels_.bmaxpool->name;
  if (!ReadWindow(pool, &second, error)) return false;
  first.output = second.input = NewSlot();
  return (first.output >= 0 && steps_.Push(first) && steps_.Push(second)) || error->OutOfMemory();
}

bool Program::Emit(int position, Array<Plan>* plans, Error* error) {
  const Array<OpNode>& nodes = graph_.nodes();
  const OpNode* node = &nodes[position];
  Plan* plan = &(*plans)[position];
  if (plan->addition >= 0) return true;  // computed at its addition
  Step step;
  step.op = node->op;
  step.node = node->index;
  step.input = node->inputs[0];
  step.output = node->output;
  const auto fuse = [&step](Op op) {
    if (step.fused_count < Step::kMaxFused) step.fused[step.fused_count++] = OpName(op);
  };
  const auto clamp_to = [&step](const OpNode& source) {
    step.clamped = source.clamped;
    step.min = source.min;
    step.max = source.max;
  };
  clamp_to(*node);
  if (node->op == Op::kAddTensors) {
    step.other = node->inputs[1];
    step.kernel_name = kernels_.add->name;
    if (plan->added >= 0) {
      const OpNode& conv = nodes[plan->added];
      const int addition_output = step.output;
      plan = &(*plans)[plan->added];
      const int summand = plan->clamp >= 0 ? nodes[plan->clamp].output : conv.output;
      step.other = node->inputs[node->inputs[0] == summand ? 1 : 0];
      step.op = Op::kBconv;
      step.node = conv.index;
      step.input = conv.inputs[0];
      step.output = addition_output;
      if (plan->clamp >= 0) fuse(Op::kAffine);
      fuse(Op::kAddTensors);
    }
  }
  if (step.op == Op::kBconv) {
    step.conv = plan->conv;
    step.kernel_name = plan->conv->kernel()->name;
    if (plan->clamp >= 0) {
      const OpNode& clamp = nodes[plan->clamp];
      step.pre_clamp = true;
      step.pre_min = clamp.min;
      step.pre_max = clamp.max;
      if (plan->addition < 0) {
        step.output = clamp.output;
        fuse(Op::kAffine);
      }
    }
    if (plan->quantize >= 0) {
      step.output = nodes[plan->quantize].output;
      for (int i = plan->chain; i >= 0 && nodes[i].op != Op::kQuantize;
           i = graph_.User(nodes[i].output)) {
        fuse(nodes[i].op);
      }
      fuse(Op::kQuantize);
      return AddSteps(step, *plan, error);
    }
  }
  switch (step.op) {
    case Op::kQuantize:
    case Op::kDequantize: {
      const bool quantize = step.op == Op::kQuantize;
      const int type = context_->tensors[quantize ? step.input : step.output].type;
      const int element = type == tfl::kFloat32 ? kElementFloat
                          : type == tfl::kInt8  ? kElementInt8
                                                : kElementBool;
      step.kernel_name =
          quantize ? kernels_.quantize[element]->name : kernels_.dequantize[element]->name;
      break;
    }
    case Op::kBmaxpool:
      if (context_->tensors[step.input].type != tfl::kInt32 ||
          context_->tensors[step.output].type != tfl::kInt32) {
        return error->Set("input and output must be int32");
      }
      if (!ReadWindow(*node, &step, error)) return false;
      step.kernel_name = kernels_.bmaxpool->name;
      break;
    case Op::kMaxPool:
      if (!ReadWindow(*node, &step, error)) return false;
      step.kernel_name = "plain loops";
      break;
    case Op::kAffine:
      step.constant = node->constant;
      step.multiply = node->multiply;
      step.kernel_name = "plain loops";
      break;
    case Op::kBconv:
    case Op::kAddTensors:
      if (step.op == Op::kAddTensors || step.conv->can_write_bits()) {
        if (context_->tensors[step.output].type == tfl::kFloat32) {
          AbsorbQuantize(&step, step.output, plans);
        }
      }
      break;
    case Op::kForeign:
      break;
  }
  return steps_.Push(step) || error->OutOfMemory();
}

}  // namespace lce

// Shapes and memory.
#include <stdlib.h>
#include <string.h>

#include "core/denormals.h"
#include "delegate/program.h"

namespace lce {
namespace {

constexpr size_t kAlignment = 64;

size_t ElementBytes(int type) { return type == tfl::kInt8 || type == tfl::kBool ? 1 : 4; }

}  // namespace

void Program::Shape(const Step& step, int64_t* dims, int32_t* rank) const {
  const Slot& slot = slots_[step.output >= 0 ? step.output : step.bits];
  *rank = slot.rank;
  memcpy(dims, slot.dims, sizeof slot.dims);
}

void Program::ResetProfile() {
  for (Step& step : steps_) step.calls = step.total_ns = step.min_ns = 0;
}

// The shape of an interpreter's tensor that none of our steps makes.
bool Program::ReadShape(int index, Error* error) {
  Slot& slot = slots_[index];
  if (slot.used) return true;  // made by an earlier step
  const tfl::Tensor& tensor = context_->tensors[index];
  if (tensor.dims == nullptr || tensor.dims->size < 1 || tensor.dims->size > Slot::kMaxRank) {
    return error->Set("input must have 1 to %d dimensions", Slot::kMaxRank);
  }
  slot.rank = tensor.dims->size;
  slot.bytes = ElementBytes(tensor.type);
  slot.type = tensor.type;
  for (int i = 0; i < slot.rank; ++i) {
    slot.dims[i] = tensor.dims->data[i];
    if (slot.dims[i] < 1) return error->Set("input has an empty dimension %d", i);
    if (!Multiply(slot.bytes, slot.dims[i], &slot.bytes)) return error->Set("input is too large");
  }
  return true;
}

bool Program::SetShape(int index, const int64_t* dims, int32_t rank, Error* error) {
  Slot& slot = slots_[index];
  const bool ours = index >= foreign_slots_;
  slot.type = ours ? static_cast<int32_t>(tfl::kInt32) : context_->tensors[index].type;
  slot.owned = ours || !graph_.external(index);
  slot.used = true;
  slot.rank = rank;
  slot.bytes = ElementBytes(slot.type);
  for (int i = 0; i < rank; ++i) {
    slot.dims[i] = dims[i];
    if (dims[i] < 1 || dims[i] > INT32_MAX || !Multiply(slot.bytes, dims[i], &slot.bytes)) {
      return error->Set("output is too large");
    }
  }
  if (slot.owned) return true;
  // Also if nothing changed: the call decides where the interpreter puts the tensor.
  tfl::IntArray* array = static_cast<tfl::IntArray*>(malloc(sizeof(int) * (rank + 1)));
  if (array == nullptr) return error->OutOfMemory();
  array->size = rank;
  for (int i = 0; i < rank; ++i) array->data[i] = static_cast<int>(dims[i]);
  if (context_->ResizeTensor(context_, &context_->tensors[index], array) != tfl::kOk) {
    return error->Set("the interpreter cannot resize the output");
  }
  return true;
}

// The same number of words does not mean the same number of channels.
bool Program::CheckChannels(const Slot& packed, int64_t channels, Error* error) {
  if (packed.channels == 0 || packed.channels == channels) return true;
  return error->Set("input has %lld channels, must have %lld channels", (long long)packed.channels,
                    (long long)channels);
}

bool Program::Propagate(Step* step, Error* error) {
  if (!ReadShape(step->input, error)) return false;
  if (step->other >= 0 && !ReadShape(step->other, error)) return false;
  const Slot in = slots_[step->input];  // by value: SetShape may write to the same array
  int64_t dims[Slot::kMaxRank];
  memcpy(dims, in.dims, sizeof dims);
  const int last = in.rank - 1;
  const auto words = [](int64_t channels) { return (channels + 31) / 32; };
  int64_t channels = 0;  // of a packed output
  switch (step->op) {
    case Op::kQuantize:
      channels = dims[last];
      dims[last] = words(channels);
      break;
    case Op::kDequantize: {
      const tfl::IntArray* declared = context_->tensors[step->output].dims;
      dims[last] = declared->data[declared->size - 1];
      if (words(dims[last]) != in.dims[last]) {
        return error->Set("input has %lld words a pixel, %lld channels take %lld",
                          (long long)in.dims[last], (long long)dims[last],
                          (long long)words(dims[last]));
      }
      if (!CheckChannels(in, dims[last], error)) return false;
      break;
    }
    case Op::kBconv:
      if (in.rank != 4) return error->Set("input must have 4 dimensions, got %d", in.rank);
      if (!step->conv->Resize(in.dims, error)) return false;
      if (!CheckChannels(in, step->conv->channels_in(), error)) return false;
      channels = step->conv->out_channels();
      memcpy(dims, step->conv->output_shape(), 4 * sizeof dims[0]);
      break;
    case Op::kBmaxpool:
    case Op::kMaxPool:
      if (in.rank != 4) return error->Set("input must have 4 dimensions, got %d", in.rank);
      if (!MakeAxes(in.dims[1], in.dims[2], step, error)) return false;
      channels = in.channels;
      dims[1] = step->rows.output;
      dims[2] = step->columns.output;
      break;
    case Op::kAddTensors:
    case Op::kAffine:
    case Op::kForeign:
      break;
  }
  if (dims[last] > INT32_MAX) return error->Set("too many channels");
  if (step->other >= 0) {
    const Slot& other = slots_[step->other];
    if (other.rank != in.rank || memcmp(other.dims, dims, in.rank * sizeof dims[0]) != 0) {
      return error->Set("the shapes of the two summands differ");
    }
  }
  if (step->output >= 0) {
    if (!SetShape(step->output, dims, in.rank, error)) return false;
    Slot& output = slots_[step->output];
    output.channels = output.type == tfl::kInt32 ? channels : 0;
  }
  if (step->bits >= 0) {
    channels = dims[last];
    dims[last] = words(channels);
    if (!SetShape(step->bits, dims, in.rank, error)) return false;
    slots_[step->bits].channels = channels;
  }
  return true;
}

// Gives every tensor of ours the lowest place that is free while it lives. An addition writes
// over a summand that nobody needs afterwards: its lines are in the cache.
bool Program::PlanMemory(Error* error) {
  Array<int> placed;
  const int count = static_cast<int>(steps_.size());
  for (Slot& slot : slots_) slot.first = slot.last = -1;
  for (int i = 0; i < count; ++i) {
    const Step& step = steps_[i];
    const int written[] = {step.output, step.bits};
    const int read[] = {step.input, step.other};
    for (const int slot : written) {
      if (slot >= 0) slots_[slot].first = slots_[slot].last = i;
    }
    for (const int slot : read) {
      if (slot >= 0) slots_[slot].last = i;
    }
  }
  size_t total = 0;
  constexpr size_t kMaxBytes = SIZE_MAX / 4;  // so that no sum below overflows
  const auto place = [&](int index) {
    Slot& slot = slots_[index];
    slot.offset = 0;
    if (slot.bytes > kMaxBytes) return false;
    // At most one round per placed slot: each moves the offset past one of them.
    for (bool moved = true; moved;) {
      moved = false;
      for (const int other_index : placed) {
        const Slot& other = slots_[other_index];
        const bool alive = other.last >= slot.first && slot.last >= other.first;
        if (!alive || slot.offset >= other.offset + other.bytes ||
            other.offset >= slot.offset + slot.bytes) {
          continue;
        }
        slot.offset = (other.offset + other.bytes + kAlignment - 1) / kAlignment * kAlignment;
        moved = true;
      }
    }
    total = Max(total, slot.offset + slot.bytes);
    return slot.offset <= kMaxBytes && placed.Push(index);
  };
  for (int i = 0; i < count; ++i) {
    Step& step = steps_[i];
    step.in_place = false;
    if (step.output >= 0 && step.other >= 0 && slots_[step.output].owned) {
      Slot& other = slots_[step.other];
      Slot& output = slots_[step.output];
      if (other.used && other.owned && other.last == i && step.other != step.input &&
          other.bytes == output.bytes) {
        step.in_place = true;
        output.offset = other.offset;
        output.first = other.first;  // for all later placements the two are one
        if (!placed.Push(step.output)) return error->OutOfMemory();
      }
    }
    if (step.output >= 0 && slots_[step.output].owned && !step.in_place && !place(step.output)) {
      return error->OutOfMemory();
    }
    if (step.bits >= 0 && slots_[step.bits].owned && !place(step.bits)) {
      return error->OutOfMemory();
    }
  }
  size_t scratch = 0;
  for (const Step& step : steps_) {
    if (step.conv != nullptr) scratch = Max(scratch, step.conv->scratch_bytes());
  }
  if ((memory_.data() == nullptr || memory_.size() < total) && !memory_.Reset(total)) {
    return error->OutOfMemory();
  }
  if ((scratch_.data() == nullptr || scratch_.size() < scratch) && !scratch_.Reset(scratch)) {
    return error->OutOfMemory();
  }
  return true;
}

bool Program::Prepare(tfl::Context* context, Error* error) {
  context_ = context;
  const FlushDenormals flush;  // thresholds of fused signs come from the same arithmetic
  prepared_ = false;
  if (failed_) {
    *error = init_error_;
    return false;
  }
  if (options_.fail_prepare) return error->Set("failure asked for by option fault=prepare");
  for (Slot& slot : slots_) {
    slot.used = false;
    slot.channels = 0;
  }
  for (Step& step : steps_) {
    if (!Propagate(&step, error)) return AtNode(step.op, step.node, error);
  }
  prepared_ = PlanMemory(error);
  return prepared_;
}

}  // namespace lce

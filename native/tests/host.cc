#include "host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <algorithm>

namespace lce {
namespace testing {
namespace {

constexpr int kArena = 2;  // a tensor that moves

void* Block(size_t bytes) {
  void* block = malloc(bytes);
  if (block == nullptr) abort();
  return block;
}

tfl::IntArray* MakeArray(const std::vector<int>& values) {
  const size_t bytes = sizeof(int) * (values.size() + 1);
  tfl::IntArray* array = static_cast<tfl::IntArray*>(Block(bytes));
  array->size = static_cast<int>(values.size());
  if (!values.empty()) memcpy(array->data, values.data(), sizeof(int) * values.size());
  return array;
}

size_t BytesOf(const tfl::Tensor& tensor) {
  const tfl::IntArray* dims = tensor.dims;
  if (dims == nullptr) return 0;
  return TensorBytes(tensor.type, Dims(dims->data, dims->data + dims->size));
}

}  // namespace

Host::Host(const Model& model) : model_(model) {
  memset(&context_, 0, sizeof context_);
  context_.unused_impl = this;
  context_.GetExecutionPlan = GetExecutionPlan;
  context_.ResizeTensor = ResizeTensor;
  context_.ReportError = ReportError;
  context_.GetNodeAndRegistration = GetNodeAndRegistration;
  context_.ReplaceNodeSubsetsWithDelegateKernels = ReplaceNodeSubsets;
  context_.recommended_num_threads = -1;
  const size_t count = model.tensors.size();
  context_.tensor_count = count;
  context_.tensors = static_cast<tfl::Tensor*>(Block(count * sizeof(tfl::Tensor)));
  memset(static_cast<void*>(context_.tensors), 0, count * sizeof(tfl::Tensor));
  blocks_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const ModelTensor& source = model.tensors[i];
    tfl::Tensor& tensor = context_.tensors[i];
    tensor.type = source.type;
    tensor.name = "tensor";
    tensor.params = {source.scale, source.zero_point};
    tensor.is_variable = source.variable;
    if (!source.no_dims) tensor.dims = MakeArray(source.dims);
    tensor.allocation = source.constant ? source.allocation : kArena;
    if (!source.signature.empty()) tensor.dims_signature = MakeArray(source.signature);
    tensor.bytes = source.constant ? source.data.size() : BytesOf(tensor);
    if (!source.constant || source.no_data) continue;
    const size_t shift = static_cast<size_t>(source.misalignment);
    blocks_[i] = static_cast<uint8_t*>(Block(source.data.size() + shift));
    tensor.data = blocks_[i] + shift;
    if (!source.data.empty()) memcpy(tensor.data, source.data.data(), source.data.size());
  }
  for (size_t i = 0; i < model.nodes.size(); ++i) {
    const ModelNode& source = model.nodes[i];
    Entry* entry = NewEntry();
    entry->file = &source;
    entry->node.inputs = MakeArray(source.inputs);
    entry->node.outputs = MakeArray(source.outputs);
    entry->registration.builtin_code = source.builtin;
    entry->registration.version = 1;
    // A copy of its own, so that a read past the end is seen.
    void* options = nullptr;
    if (!source.options.empty()) {
      options = Block(source.options.size());
      memcpy(options, source.options.data(), source.options.size());
    }
    if (source.builtin == tfl::kCustom) {
      entry->registration.custom_name = source.custom.c_str();
      entry->node.custom_initial_data = options;
      entry->node.custom_initial_data_size = static_cast<int>(source.options.size());
    } else {
      entry->node.builtin_data = options;
    }
    plan_.push_back(static_cast<int>(i));
  }
}

Host::~Host() {
  for (Entry* entry : entries_) {
    if (entry->registration.free != nullptr) {
      entry->registration.free(&context_, entry->node.user_data);
    }
    free(const_cast<void*>(entry->node.custom_initial_data));
    free(entry->node.builtin_data);
    free(entry->node.inputs);
    free(entry->node.outputs);
    free(entry);
  }
  free(plan_array_);
  for (size_t i = 0; i < context_.tensor_count; ++i) {
    free(context_.tensors[i].dims);
    free(const_cast<tfl::IntArray*>(context_.tensors[i].dims_signature));
    free(blocks_[i]);
  }
  free(context_.tensors);
}

Host::Entry* Host::NewEntry() {
  Entry* entry = static_cast<Entry*>(Block(sizeof(Entry)));
  memset(static_cast<void*>(entry), 0, sizeof(Entry));
  entries_.push_back(entry);
  return entry;
}

bool Host::Fail(const char* text) {
  errors += text;
  errors += '\n';
  return false;
}

Dims Host::dims(int index) const {
  const tfl::IntArray* dims = tensor(index).dims;
  return dims == nullptr ? Dims() : Dims(dims->data, dims->data + dims->size);
}

Bytes Host::Contents(int index) const {
  const uint8_t* data = static_cast<const uint8_t*>(tensor(index).data);
  return data == nullptr ? Bytes() : Bytes(data, data + tensor(index).bytes);
}

size_t Host::delegated() const {
  return std::count_if(plan_.begin(), plan_.end(),
                       [this](int i) { return entries_[i]->file == nullptr; });
}

// ---------------------------------------------------------------------------------------------
// What the delegate calls.

int Host::GetExecutionPlan(tfl::Context* context, tfl::IntArray** plan) {
  Host* host = From(context);
  free(host->plan_array_);
  host->plan_array_ = MakeArray(host->plan_);
  *plan = host->plan_array_;
  return tfl::kOk;
}

int Host::GetNodeAndRegistration(tfl::Context* context, int index, tfl::Node** node,
                                 tfl::Registration** registration) {
  Host* host = From(context);
  if (index < 0 || static_cast<size_t>(index) >= host->entries_.size()) return tfl::kFailed;
  *node = &host->entries_[index]->node;
  *registration = &host->entries_[index]->registration;
  return tfl::kOk;
}

int Host::ResizeTensor(tfl::Context* context, tfl::Tensor* tensor, tfl::IntArray* dims) {
  Host* host = From(context);
  const ptrdiff_t index = tensor - context->tensors;
  if (index < 0 || static_cast<size_t>(index) >= context->tensor_count) abort();
  if (tensor->allocation != kArena) {
    free(dims);
    host->Fail("Attempting to resize a fixed-size tensor.");
    return tfl::kFailed;
  }
  free(tensor->dims);
  tensor->dims = dims;
  tensor->bytes = BytesOf(*tensor);
  tensor->data = nullptr;
  free(host->blocks_[index]);
  host->blocks_[index] = nullptr;
  host->ready_ = false;
  return tfl::kOk;
}

void Host::ReportError(tfl::Context* context, const char* format, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  From(context)->Fail(text);
}

int Host::ReplaceNodeSubsets(tfl::Context* context, tfl::Registration registration,
                             const tfl::IntArray* nodes, tfl::Delegate* delegate) {
  Host* host = From(context);
  std::vector<char> claimed(host->entries_.size());
  for (int i = 0; i < nodes->size; ++i) claimed[nodes->data[i]] = 1;
  std::vector<std::vector<int>> subsets;
  if (host->subsets_ == Subsets::kAsTflite) {
    host->Partition(claimed, &subsets);
  } else {
    std::vector<int> all;
    for (const int i : host->plan_) {
      const bool alone = host->subsets_ == Subsets::kOnePerNode || !claimed[i];
      if (alone) subsets.push_back({i});
      if (!alone) all.push_back(i);
    }
    if (!all.empty()) subsets.insert(subsets.begin(), all);
  }
  host->plan_.clear();
  for (const std::vector<int>& subset : subsets) {
    if (claimed[subset[0]]) {
      host->AddKernel(subset, registration, delegate);
    } else {
      host->plan_.insert(host->plan_.end(), subset.begin(), subset.end());
    }
  }
  return tfl::kOk;
}

// As TensorFlow Lite: takes operators whose inputs are there, as long as they are all claimed or
// all not. Operators whose inputs never are there are dropped.
void Host::Partition(const std::vector<char>& claimed,
                     std::vector<std::vector<int>>* subsets) const {
  std::vector<char> missing(context_.tensor_count), done(entries_.size());
  const auto valid = [&](int t) {
    return t >= 0 && static_cast<size_t>(t) < context_.tensor_count;
  };
  for (const int i : plan_) {
    for (const int t : entries_[i]->file->outputs) {
      if (valid(t)) missing[t] = 1;
    }
  }
  while (true) {
    std::vector<int> subset;
    for (bool more = true; more;) {
      more = false;
      for (const int i : plan_) {
        const ModelNode& file = *entries_[i]->file;
        const bool ready = std::none_of(file.inputs.begin(), file.inputs.end(),
                                        [&](int t) { return valid(t) && missing[t]; });
        if (done[i] || !ready || (!subset.empty() && claimed[i] != claimed[subset[0]])) continue;
        subset.push_back(i);
        done[i] = 1;
        more = true;
        for (const int t : file.outputs) {
          if (valid(t)) missing[t] = 0;
        }
      }
    }
    if (subset.empty()) return;
    subsets->push_back(subset);
  }
}

// Tensors that the subset takes from outside, and those of its own that others see.
void Host::FindInterface(const std::vector<int>& subset, std::vector<int>* inputs,
                         std::vector<int>* outputs) const {
  std::vector<char> made(context_.tensor_count), seen(context_.tensor_count), in_subset;
  in_subset.resize(entries_.size());
  const auto valid = [&](int t) {
    return t >= 0 && static_cast<size_t>(t) < context_.tensor_count;
  };
  for (const int i : subset) {
    in_subset[i] = 1;
    for (const int t : entries_[i]->file->outputs) {
      if (valid(t)) made[t] = 1;
    }
  }
  for (const int t : model_.outputs) seen[t] = 1;
  for (const Entry* entry : entries_) {
    if (entry->file == nullptr) continue;
    const size_t index = static_cast<size_t>(entry->file - model_.nodes.data());
    for (const int t : entry->file->inputs) {
      if (!valid(t)) continue;
      if (!in_subset[index]) seen[t] = 1;
      if (in_subset[index] && !made[t]) inputs->push_back(t);
    }
  }
  for (size_t t = 0; t < made.size(); ++t) {
    if (made[t] && seen[t]) outputs->push_back(static_cast<int>(t));
  }
}

void Host::AddKernel(const std::vector<int>& subset, const tfl::Registration& registration,
                     tfl::Delegate* delegate) {
  std::vector<int> inputs, outputs;
  FindInterface(subset, &inputs, &outputs);
  Entry* entry = NewEntry();
  plan_.push_back(static_cast<int>(entries_.size()) - 1);
  entry->registration = registration;
  entry->node.inputs = MakeArray(inputs);
  entry->node.outputs = MakeArray(outputs);
  entry->node.delegate = delegate;
  tfl::DelegateParams* params = static_cast<tfl::DelegateParams*>(Block(sizeof *params));
  *params = {delegate, MakeArray(subset), MakeArray(inputs), MakeArray(outputs)};
  entry->node.user_data = registration.init(&context_, reinterpret_cast<const char*>(params), 0);
  free(params->nodes);
  free(params->inputs);
  free(params->outputs);
  free(params);
}

// ---------------------------------------------------------------------------------------------
// What the program calls.

bool Host::Apply(void* delegate, Subsets subsets) {
  tfl::Delegate* interface = static_cast<tfl::Delegate*>(delegate);
  subsets_ = subsets;
  ready_ = false;
  if (interface->flags != tfl::kAllowDynamicTensors) return Fail("wrong delegate flags");
  return interface->Prepare(&context_, interface) == tfl::kOk;
}

bool Host::ResizeInput(int index, const Dims& dims) {
  return ResizeTensor(&context_, &tensor(index), MakeArray(dims)) == tfl::kOk;
}

void Host::AddTensors() {
  const size_t old_count = context_.tensor_count, count = old_count + tensors_to_add;
  tfl::Tensor* tensors = static_cast<tfl::Tensor*>(Block(count * sizeof(tfl::Tensor)));
  memset(static_cast<void*>(tensors), 0, count * sizeof(tfl::Tensor));
  memcpy(static_cast<void*>(tensors), context_.tensors, old_count * sizeof(tfl::Tensor));
  for (size_t i = old_count; i < count; ++i) {
    tensors[i].type = tfl::kInt8;
    tensors[i].allocation = kArena;
  }
  free(context_.tensors);
  context_.tensors = tensors;
  context_.tensor_count = count;
  blocks_.resize(count);
  tensors_to_add = 0;
}

bool Host::Allocate() {
  ready_ = false;
  if (tensors_to_add > 0) AddTensors();
  for (const int i : plan_) {
    Entry* entry = entries_[i];
    const bool ok = entry->file != nullptr
                        ? PrepareBuiltin(entry)
                        : entry->registration.prepare(&context_, &entry->node) == tfl::kOk;
    if (!ok) return false;
  }
  std::vector<char> used(context_.tensor_count);
  const auto use = [&](int t) {
    if (t >= 0 && static_cast<size_t>(t) < used.size()) used[t] = 1;
  };
  for (const int t : model_.inputs) use(t);
  for (const int t : model_.outputs) use(t);
  for (const int i : plan_) {
    const tfl::Node& node = entries_[i]->node;
    for (int j = 0; j < node.inputs->size; ++j) use(node.inputs->data[j]);
    for (int j = 0; j < node.outputs->size; ++j) use(node.outputs->data[j]);
  }
  for (size_t t = 0; t < used.size(); ++t) {
    tfl::Tensor& tensor = context_.tensors[t];
    if (tensor.allocation != kArena) continue;
    free(blocks_[t]);
    blocks_[t] = nullptr;
    tensor.data = nullptr;
    if (!used[t]) continue;
    tensor.bytes = BytesOf(tensor);
    if (tensor.bytes > max_tensor_bytes) return Fail("no memory for a tensor");
    const size_t shift = static_cast<size_t>(misalignment) * 16 % 64;
    blocks_[t] = static_cast<uint8_t*>(malloc(tensor.bytes + shift));
    if (blocks_[t] == nullptr) return Fail("no memory for a tensor");
    tensor.data = blocks_[t] + shift;
    memset(blocks_[t], 0xa5, tensor.bytes + shift);
  }
  ready_ = true;
  return true;
}

bool Host::Invoke() {
  if (!ready_) return Fail("Invoke called on model that is not ready.");
  for (const int i : plan_) {
    Entry* entry = entries_[i];
    const bool ok = entry->file != nullptr
                        ? InvokeBuiltin(entry)
                        : entry->registration.invoke(&context_, &entry->node) == tfl::kOk;
    if (!ok) return false;
  }
  return true;
}

// ---------------------------------------------------------------------------------------------
// Operators that stayed with the interpreter.

View Host::ViewOf(int index) const {
  if (index < 0) return View();
  const tfl::Tensor& t = tensor(index);
  return {t.type, dims(index), static_cast<uint8_t*>(t.data), t.params.scale, t.params.zero_point};
}

bool Host::PrepareBuiltin(Entry* entry) {
  if (entry->registration.builtin_code == tfl::kCustom) {
    return Fail(("Encountered unresolved custom op: " + entry->file->custom).c_str());
  }
  if (inert_builtins) return true;
  std::vector<View> inputs;
  for (const int t : entry->file->inputs) inputs.push_back(ViewOf(t));
  for (const int t : entry->file->outputs) {
    if (t < 0) return Fail("an output is missing");
    Dims result;
    if (!InferShape(*entry->file, inputs, ViewOf(t), &result)) return Fail("impossible shapes");
    tfl::Tensor* output = &tensor(t);
    if (ResizeTensor(&context_, output, MakeArray(result)) != tfl::kOk) return false;
  }
  return true;
}

bool Host::InvokeBuiltin(Entry* entry) {
  if (inert_builtins) return true;
  std::vector<View> inputs, outputs;
  for (const int t : entry->file->inputs) inputs.push_back(ViewOf(t));
  for (const int t : entry->file->outputs) outputs.push_back(ViewOf(t));
  return Evaluate(*entry->file, inputs, false, &outputs) || Fail("unknown operator");
}

}  // namespace testing
}  // namespace lce

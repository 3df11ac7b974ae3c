#include "delegate/delegate.h"

#include <stdlib.h>
#include <string.h>

#include "delegate/json.h"

namespace lce {
namespace {

// Python's interpreter puts its own text right behind ours.
void Report(tfl::Context* context, const Error& error) {
  context->ReportError(context, "lce_delegate: %s. ", error.text);
}

int PrepareDelegate(tfl::Context* context, tfl::Delegate* delegate) {
  return DelegateState::From(delegate)->Prepare(context);
}

// All delegates, so that a foreign pointer can be told from one of ours.
pthread_mutex_t alive_mutex = PTHREAD_MUTEX_INITIALIZER;
DelegateState* alive = nullptr;

}  // namespace

DelegateState* DelegateState::Create(const Options& options) {
  void* memory = Allocate(sizeof(DelegateState));  // zeroed
  if (memory == nullptr) return nullptr;
  DelegateState* state = static_cast<DelegateState*>(memory);
  if (pthread_mutex_init(&state->mutex_, nullptr) != 0) {
    Free(memory);
    return nullptr;
  }
  state->options_ = options;
  MakeKernelTable(options.kernel_set, &state->kernels_);
  state->references_ = 1;
  state->tfl.data = state;
  state->tfl.Prepare = PrepareDelegate;
  state->tfl.flags = tfl::kAllowDynamicTensors;
  pthread_mutex_lock(&alive_mutex);
  state->next_alive_ = alive;
  alive = state;
  pthread_mutex_unlock(&alive_mutex);
  if (options.fail_allocation > 0) FailAllocation(options.fail_allocation);
  return state;
}

DelegateState* DelegateState::From(tfl::Delegate* delegate) {
  return static_cast<DelegateState*>(delegate->data);
}

DelegateState* DelegateState::Find(const void* delegate) {
  pthread_mutex_lock(&alive_mutex);
  DelegateState* state = alive;
  while (state != nullptr && &state->tfl != delegate) state = state->next_alive_;
  pthread_mutex_unlock(&alive_mutex);
  return state;
}

void DelegateState::Release() {
  pthread_mutex_lock(&mutex_);
  const int left = --references_;
  pthread_mutex_unlock(&mutex_);
  if (left > 0) return;
  pthread_mutex_lock(&alive_mutex);
  DelegateState** link = &alive;
  while (*link != this) link = &(*link)->next_alive_;
  *link = next_alive_;
  pthread_mutex_unlock(&alive_mutex);
  pthread_mutex_destroy(&mutex_);
  Free(this);
}

// ---------------------------------------------------------------------------------------------

bool DelegateState::Claim(tfl::Context* context, tfl::IntArray** claimed, Error* error) {
  tfl::IntArray* plan;
  if (context->GetExecutionPlan(context, &plan) != tfl::kOk) {
    return error->Set("the interpreter has no execution plan");
  }
  Graph graph;
  if (!graph.Build(context, plan, nullptr, error)) return false;
  const Array<OpNode>& nodes = graph.nodes();
  Array<uint8_t> ours;
  if (!ours.Reset(nodes.size())) return error->OutOfMemory();
  Array<int> chain;
  for (int i = 0; i < static_cast<int>(nodes.size()); ++i) {
    const Op op = nodes[i].op;
    if (!IsBinary(op)) continue;
    ours[i] = 1;
    if (!options_.fusion) continue;
    if (op == Op::kQuantize && nodes[i].input_count == 1 && graph.FindSignChain(i, &chain) >= 0) {
      for (const int position : chain) ours[position] = 1;
    }
    if (op == Op::kBconv) {
      int clamp;
      const int addition = graph.FindAddition(i, &clamp);
      if (clamp >= 0) ours[clamp] = 1;
      if (addition >= 0) ours[addition] = 1;
    }
  }
  *claimed = static_cast<tfl::IntArray*>(Allocate(sizeof(int) * (nodes.size() + 1)));
  if (*claimed == nullptr) return error->OutOfMemory();
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (ours[i]) (*claimed)->data[(*claimed)->size++] = nodes[i].index;
  }
  return true;
}

int DelegateState::Prepare(tfl::Context* context) {
  Error error;
  tfl::IntArray* claimed = nullptr;
  if (!Claim(context, &claimed, &error) || claimed == nullptr) {
    Report(context, error);
    return tfl::kFailed;
  }
  int status = tfl::kOk;
  if (claimed->size > 0) {
    tfl::Registration registration;
    memset(&registration, 0, sizeof registration);
    registration.init = KernelInit;
    registration.free = KernelFree;
    registration.prepare = KernelPrepare;
    registration.invoke = KernelInvoke;
    registration.builtin_code = tfl::kDelegate;
    registration.custom_name = "LceDelegate";
    registration.version = 1;
    status = context->ReplaceNodeSubsetsWithDelegateKernels(context, registration, claimed, &tfl);
  }
  Free(claimed);
  return status;
}

// ---------------------------------------------------------------------------------------------

DelegateState::Kernel* DelegateState::Add(tfl::Context* context) {
  pthread_mutex_lock(&mutex_);
  Session* session = sessions_;
  while (session != nullptr && session->context != context) session = session->next;
  if (session == nullptr && (session = New<Session>()) != nullptr) {
    session->context = context;
    session->users = 0;
    session->next = sessions_;
    sessions_ = session;
  }
  Kernel* kernel = nullptr;
  if (session != nullptr) {
    void* memory = Allocate(sizeof(Kernel));
    if (memory != nullptr) kernel = new (memory, Placement{}) Kernel(this, session);
  }
  if (kernel != nullptr) {
    kernel->next = programs_;
    programs_ = kernel;
    ++session->users;
    ++references_;
  } else if (session != nullptr && session->users == 0) {
    sessions_ = session->next;  // it was made just now, so it is the first
    Delete(session);
  }
  pthread_mutex_unlock(&mutex_);
  return kernel;
}

void DelegateState::Remove(Kernel* kernel) {
  pthread_mutex_lock(&mutex_);
  for (Kernel** k = &programs_; *k != nullptr; k = &(*k)->next) {
    if (*k == kernel) {
      *k = kernel->next;
      break;
    }
  }
  Session* session = nullptr;
  if (--kernel->session->users == 0) {
    session = kernel->session;
    for (Session** s = &sessions_; *s != nullptr; s = &(*s)->next) {
      if (*s == session) {
        *s = session->next;
        break;
      }
    }
  }
  pthread_mutex_unlock(&mutex_);
  Delete(session);  // joins threads
  Delete(kernel);
  Release();
}

void* DelegateState::KernelInit(tfl::Context* context, const char* buffer, size_t) {
  const tfl::DelegateParams* params = reinterpret_cast<const tfl::DelegateParams*>(buffer);
  Kernel* kernel = From(params->delegate)->Add(context);
  if (kernel != nullptr) kernel->program.Init(context, params);
  return kernel;  // null: KernelPrepare fails
}

void DelegateState::KernelFree(tfl::Context*, void* user_data) {
  Kernel* kernel = static_cast<Kernel*>(user_data);
  if (kernel != nullptr) kernel->state->Remove(kernel);
}

int DelegateState::KernelPrepare(tfl::Context* context, tfl::Node* node) {
  Error error;
  Kernel* kernel = static_cast<Kernel*>(node->user_data);
  if (kernel == nullptr) {
    error.OutOfMemory();
  } else if (kernel->program.Prepare(context, &error)) {
    return tfl::kOk;
  }
  Report(context, error);
  return tfl::kFailed;
}

int DelegateState::KernelInvoke(tfl::Context* context, tfl::Node* node) {
  Kernel* kernel = static_cast<Kernel*>(node->user_data);
  const Options& options = kernel->state->options_;
  const int32_t threads =
      options.num_threads > 0 ? options.num_threads : context->recommended_num_threads;
  kernel->session->pool.Resize(threads);
  Error error;
  if (kernel->program.Invoke(context, &kernel->session->pool, &error)) return tfl::kOk;
  Report(context, error);
  return tfl::kFailed;
}

// ---------------------------------------------------------------------------------------------

size_t DelegateState::WriteProfile(char* buffer, size_t size) {
  Json json(buffer, size);
  json.Begin('[');
  pthread_mutex_lock(&mutex_);
  // New programs are put in front of the list; the file's order is the other way round.
  Array<const Kernel*> kernels;
  for (const Kernel* kernel = programs_; kernel != nullptr; kernel = kernel->next) {
    if (!kernels.Push(kernel)) break;
  }
  for (size_t k = kernels.size(); k-- > 0;) {
    const Program& program = kernels[k]->program;
    for (const Step& step : program.steps()) {
      int64_t dims[Slot::kMaxRank];
      int32_t rank;
      program.Shape(step, dims, &rank);
      json.Begin('{');
      json.Int("node", step.node);
      json.Text("op", OpName(step.op));
      json.Text("kernel", step.kernel_name);
      json.Key("output_shape");
      json.Begin('[');
      for (int32_t i = 0; i < rank; ++i) json.Int(nullptr, dims[i]);
      json.End(']');
      const bool ready = step.conv != nullptr && rank > 0;
      json.Int("binary_macs", ready ? step.conv->binary_macs() : 0);
      json.Int("calls", step.calls);
      json.Int("total_ns", step.total_ns);
      json.Int("min_ns", step.min_ns);
      json.Key("fused");
      json.Begin('[');
      for (int i = 0; i < step.fused_count; ++i) json.Text(nullptr, step.fused[i]);
      json.End(']');
      json.End('}');
    }
  }
  pthread_mutex_unlock(&mutex_);
  json.End(']');
  return json.length();
}

void DelegateState::ResetProfile() {
  pthread_mutex_lock(&mutex_);
  for (Kernel* kernel = programs_; kernel != nullptr; kernel = kernel->next) {
    kernel->program.ResetProfile();
  }
  pthread_mutex_unlock(&mutex_);
}

}  // namespace lce

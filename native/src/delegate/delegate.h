// The delegate object: options, kernels, and the programs and threads of the interpreters that
// use it.
#ifndef LCE_DELEGATE_DELEGATE_H_
#define LCE_DELEGATE_DELEGATE_H_

#include <pthread.h>
#include <stddef.h>

#include "core/thread_pool.h"
#include "delegate/options.h"
#include "delegate/program.h"
#include "delegate/tfl_abi.h"
#include "dispatch/table.h"

namespace lce {

// Several interpreters, each on its own thread, may share one delegate: `mutex` guards the two
// lists, all else is constant after creation or belongs to one interpreter.
//
// Every program holds a reference, so a delegate that is destroyed before its interpreters, the
// wrong order, stays alive until the last of them is gone.
class DelegateState {
 public:
  // The object's first member is the interface that interpreters see.
  tfl::Delegate tfl;

  // Null if there is no memory. The options' kernel set must be supported.
  static DelegateState* Create(const Options& options);
  static DelegateState* From(tfl::Delegate* delegate);
  // The same for a pointer from outside; null if it is none of ours that is alive.
  static DelegateState* Find(const void* delegate);
  void Release();

  const Options& options() const { return options_; }

  // Claims nodes of a graph.
  int Prepare(tfl::Context* context);

  // Writes the profile of all programs, see lce_delegate.h.
  size_t WriteProfile(char* buffer, size_t size);
  void ResetProfile();

 private:
  // One per interpreter's graph: programs of a graph run one after another and share threads.
  struct Session {
    tfl::Context* context;
    ThreadPool pool;
    int users;
    Session* next;
  };
  struct Kernel {
    DelegateState* state;
    Session* session;
    Program program;
    Kernel* next;
    Kernel(DelegateState* delegate, Session* s)
        : state(delegate), session(s), program(delegate->options_, delegate->kernels_) {}
  };

  static void* KernelInit(tfl::Context* context, const char* buffer, size_t length);
  static void KernelFree(tfl::Context* context, void* user_data);
  static int KernelPrepare(tfl::Context* context, tfl::Node* node);
  static int KernelInvoke(tfl::Context* context, tfl::Node* node);
  bool Claim(tfl::Context* context, tfl::IntArray** claimed, Error* error);
  Kernel* Add(tfl::Context* context);
  void Remove(Kernel* kernel);

  Options options_;
  KernelTable kernels_;
  pthread_mutex_t mutex_;
  Session* sessions_;
  Kernel* programs_;
  int references_;
  DelegateState* next_alive_;
};

}  // namespace lce

#endif  // LCE_DELEGATE_DELEGATE_H_

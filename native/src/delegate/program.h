// What the delegate runs in place of one group of nodes: a list of steps over tensors that are
// partly the interpreter's, partly its own.
//
// Init reads nodes and weights and decides what is merged. Prepare does all that depends on
// shapes and reserves memory; Invoke reserves none and reads the interpreter's tensor pointers
// afresh.
#ifndef LCE_DELEGATE_PROGRAM_H_
#define LCE_DELEGATE_PROGRAM_H_

#include <stdint.h>

#include "core/bconv.h"
#include "core/error.h"
#include "core/geometry.h"
#include "core/memory.h"
#include "core/thread_pool.h"
#include "delegate/graph.h"
#include "delegate/options.h"
#include "delegate/tfl_abi.h"
#include "dispatch/table.h"

namespace lce {

// A tensor of a program. The first slots have the numbers that tensors had in the interpreter
// when the program was made; those made by splitting an operator come after.
struct Slot {
  static constexpr int kMaxRank = 8;

  int32_t type;
  bool owned;  // in our memory, unknown to the interpreter
  bool used;
  int32_t rank;
  int64_t dims[kMaxRank];
  int64_t channels;  // of a packed tensor that one of our steps makes, else 0: not known
  size_t bytes;
  size_t offset;        // in our memory
  int32_t first, last;  // steps that write first and read last
};

struct Step {
  static constexpr int kMaxFused = 8;

  Op op;
  int node;               // in the interpreter
  int input = -1;         // slot
  int other = -1;         // second operand of an addition
  int output = -1;        // -1 if only `bits` are wanted
  int bits = -1;          // sign bits of the output, -1 for none
  bool in_place = false;  // output shares the memory of `other`
  BconvPlan* conv = nullptr;
  bool pre_clamp = false;
  float pre_min = 0, pre_max = 0;
  float min = 0, max = 0;  // of the result
  bool clamped = false;
  int constant = -1;
  bool multiply = false;
  // Pooling.
  int64_t filter_height = 1, filter_width = 1, stride_height = 1, stride_width = 1;
  int64_t dilation_height = 1, dilation_width = 1;
  bool same = false;
  Axis rows, columns;
  uint32_t* flip = nullptr;  // bits of a pixel to invert after pooling
  const char* fused[kMaxFused];
  int fused_count = 0;

  const char* kernel_name = "";
  int64_t calls = 0, total_ns = 0, min_ns = 0;
};

class Program {
 public:
  Program(const Options& options, const KernelTable& kernels)
      : options_(options), kernels_(kernels) {}
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // An error is kept and reported by Prepare, since the interpreter's `init` cannot fail.
  void Init(tfl::Context* context, const tfl::DelegateParams* params);
  bool Prepare(tfl::Context* context, Error* error);
  bool Invoke(tfl::Context* context, ThreadPool* pool, Error* error);

  const Array<Step>& steps() const { return steps_; }
  void Shape(const Step& step, int64_t* dims, int32_t* rank) const;
  void ResetProfile();

 private:
  // Per node, by its position in the graph.
  struct Plan {
    bool done = false;          // nothing to do at this node
    BconvPlan* conv = nullptr;  // kBconv
    int weights = -1;
    int quantize = -1, pool = -1;   // a conv that ends in the sign of a chain; its MAX_POOL_2D
    uint32_t* flip = nullptr;       // for that pool
    int chain = -1;                 // first node of the chain, for names
    int addition = -1, clamp = -1;  // a conv that is computed at its addition
    int added = -1;                 // an addition: its conv
  };

  // program_build.cc
  bool Build(const tfl::DelegateParams* params, Error* error);
  bool CheckDeclared(const OpNode& node, Error* error) const;
  bool ReadConv(const OpNode& node, Plan* plan, Error* error);
  bool ReadWindow(const OpNode& node, Step* step, Error* error) const;
  static bool MakeAxes(int64_t height, int64_t width, Step* step, Error* error);
  bool FuseSign(int quantize, Array<Plan>* plans, Error* error);
  bool Emit(int position, Array<Plan>* plans, Error* error);
  void AbsorbQuantize(Step* step, int tensor, Array<Plan>* plans);
  bool AddSteps(const Step& step, const Plan& plan, Error* error);
  int NewSlot();

  // program_prepare.cc
  bool Propagate(Step* step, Error* error);
  bool SetShape(int slot, const int64_t* dims, int32_t rank, Error* error);
  bool ReadShape(int slot, Error* error);
  static bool CheckChannels(const Slot& packed, int64_t channels, Error* error);
  bool PlanMemory(Error* error);

  // program_run.cc
  bool Execute(const Step& step, ThreadPool* pool, Error* error) const;
  void* Data(int slot) const;

  const Options& options_;
  const KernelTable& kernels_;
  tfl::Context* context_ = nullptr;
  Graph graph_;
  Array<Slot> slots_;
  int foreign_slots_ = 0;  // the interpreter may add tensors later, so it cannot be asked again
  Array<Step> steps_;
  Array<BconvPlan*> convs_;
  Array<uint32_t*> flips_;
  Array<uint8_t> memory_, scratch_;
  Error init_error_;
  bool failed_ = false;
  bool prepared_ = false;
};

// "LceBconv2d (node 12): text", kept in `error`; returns false.
bool AtNode(Op op, int node, Error* error);

}  // namespace lce

#endif  // LCE_DELEGATE_PROGRAM_H_

// An interpreter small enough to read: the side of tfl_abi.h that TensorFlow Lite plays.
//
// It keeps the promises of TensorFlow Lite that a delegate relies on, and no more: every array,
// node and tensor has its own heap block of exactly its size, memory of tensors moves with every
// allocation, parameters of `init` are gone after it, and tensors that no remaining operator
// uses have no memory. So the address sanitizer sees any access past an end or past a lifetime.
#ifndef LCE_TESTS_HOST_H_
#define LCE_TESTS_HOST_H_

#include <memory>
#include <string>
#include <vector>

#include "model.h"
#include "reference.h"

namespace lce {
namespace testing {

// Operators of the delegate that one delegate kernel gets.
enum class Subsets {
  kAsTflite,  // as many as possible
  kOnePerNode,
  kAllInOne,  // all, in the file's order, even if that order is impossible
};

class Host {
 public:
  // The model must outlive the host.
  explicit Host(const Model& model);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // Each returns whether it worked, and if not, `errors` has a text.
  bool Apply(void* delegate, Subsets subsets = Subsets::kAsTflite);
  bool ResizeInput(int tensor, const Dims& dims);
  bool Allocate();
  bool Invoke();

  tfl::Tensor& tensor(int index) { return context_.tensors[index]; }
  const tfl::Tensor& tensor(int index) const { return context_.tensors[index]; }
  Dims dims(int index) const;
  Bytes Contents(int index) const;
  const Model& model() const { return model_; }
  // Operators in the plan, and how many of them are the delegate's.
  size_t plan_size() const { return plan_.size(); }
  size_t delegated() const;

  std::string errors;
  // As an operator of the interpreter may do while it prepares (CONV_2D does): tensors of type
  // int8 that are added by the next Allocate before it asks the first operator.
  int tensors_to_add = 0;
  void set_threads(int threads) { context_.recommended_num_threads = threads; }
  // Operators that stay with the interpreter do nothing, whatever their tensors look like: for
  // damaged files, whose meaning for them is not our concern.
  bool inert_builtins = false;
  // Larger tensors get no memory, and Allocate fails.
  size_t max_tensor_bytes = SIZE_MAX;
  // The interpreter's tensors do not always start at multiples of 64 bytes.
  int misalignment = 0;

 private:
  struct Entry {  // one operator; `file` is null for the delegate's
    tfl::Node node;
    tfl::Registration registration;
    const ModelNode* file;
  };

  static Host* From(tfl::Context* context) { return static_cast<Host*>(context->unused_impl); }
  static int GetExecutionPlan(tfl::Context* context, tfl::IntArray** plan);
  static int ResizeTensor(tfl::Context* context, tfl::Tensor* tensor, tfl::IntArray* dims);
  static void ReportError(tfl::Context* context, const char* format, ...)
      __attribute__((format(printf, 2, 3)));
  static int GetNodeAndRegistration(tfl::Context* context, int index, tfl::Node** node,
                                    tfl::Registration** registration);
  static int ReplaceNodeSubsets(tfl::Context* context, tfl::Registration registration,
                                const tfl::IntArray* nodes, tfl::Delegate* delegate);
  bool Fail(const char* text);
  Entry* NewEntry();
  void Partition(const std::vector<char>& claimed, std::vector<std::vector<int>>* subsets) const;
  void AddKernel(const std::vector<int>& subset, const tfl::Registration& registration,
                 tfl::Delegate* delegate);
  void FindInterface(const std::vector<int>& subset, std::vector<int>* inputs,
                     std::vector<int>* outputs) const;
  void AddTensors();
  View ViewOf(int index) const;
  bool PrepareBuiltin(Entry* entry);
  bool InvokeBuiltin(Entry* entry);
  void ReleaseMemory();

  const Model& model_;
  tfl::Context context_;
  std::vector<Entry*> entries_;
  std::vector<int> plan_;
  tfl::IntArray* plan_array_ = nullptr;  // what the delegate last got
  std::vector<uint8_t*> blocks_;         // memory of each tensor, from malloc
  Subsets subsets_ = Subsets::kAsTflite;
  bool ready_ = false;
};

}  // namespace testing
}  // namespace lce

#endif  // LCE_TESTS_HOST_H_

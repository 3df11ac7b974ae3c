// The part of TensorFlow Lite's C interface that a delegate touches, declared in our own words.
//
// No package ships the headers, and the layout of these structs has not changed since 2020:
// fields are only ever added at the end. Checked with tflite-runtime 2.14, LiteRT 1.0 to 2.3 and
// TensorFlow 2.19 (docs/native/how_it_works.md). Fields that we pass over are named `unused`.
// Functions that LiteRT 2.3 leaves null (GetTensor, ResizeTensorExplicit,
// AllocatePersistentBuffer, RequestScratchBufferInArena) are not declared, so nobody can call
// them.
#ifndef LCE_DELEGATE_TFL_ABI_H_
#define LCE_DELEGATE_TFL_ABI_H_

#include <stddef.h>
#include <stdint.h>

namespace lce {
namespace tfl {

extern "C" {

enum Status : int { kOk = 0, kFailed = 1 };

enum Type : int { kNoType = 0, kFloat32 = 1, kInt32 = 2, kBool = 6, kInt8 = 9 };

// Where a tensor's memory comes from. Only what is in the file never changes: other read-only
// tensors (5) may be computed again, and dynamic ones (4) are another run's.
enum Allocation : int { kMmapRo = 1 };

// Operators of the file format.
enum Builtin : int {
  kAdd = 0,
  kMaxPool2d = 17,
  kMul = 18,
  kRelu = 19,
  kReluN1To1 = 20,
  kRelu6 = 21,
  kCustom = 32,
  kDelegate = 51,
};

enum Activation : int { kActNone = 0, kActRelu = 1, kActReluN1To1 = 2, kActRelu6 = 3 };
enum Padding : int { kPaddingSame = 1, kPaddingValid = 2 };

struct IntArray {
  int size;
  int data[];
};

struct Quantization {
  float scale;
  int32_t zero_point;
};

struct Tensor {
  int type;
  void* data;
  IntArray* dims;
  Quantization params;
  int allocation;
  size_t bytes;
  const void* unused_allocation;
  const char* name;
  void* unused_delegate;
  int unused_buffer_handle;
  bool unused_data_is_stale;
  bool is_variable;
  struct {
    int type;
    void* params;
  } unused_quantization;
  void* unused_sparsity;
  const IntArray* dims_signature;
};

struct Node {
  IntArray* inputs;
  IntArray* outputs;
  IntArray* unused_intermediates;
  IntArray* unused_temporaries;
  void* user_data;
  void* builtin_data;
  const void* custom_initial_data;
  int custom_initial_data_size;
  void* delegate;
  bool unused_side_effect;
};

struct Context;

struct Registration {
  void* (*init)(Context*, const char* buffer, size_t length);
  void (*free)(Context*, void* user_data);
  int (*prepare)(Context*, Node*);
  int (*invoke)(Context*, Node*);
  const char* (*profiling_string)(const Context*, const Node*);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* unused_external;
  void* unused_async_kernel;
  uint64_t unused_inplace_operator;
#if defined(__LP64__)
  // Passed by value, in memory: zeros for a host whose struct is longer. 32-bit ARM passes it
  // partly in registers, where a longer struct would shift the arguments after it.
  uint64_t padding[4];
#endif
};

struct Delegate;

struct Context {
  size_t tensor_count;
  int (*GetExecutionPlan)(Context*, IntArray** plan);
  Tensor* tensors;
  void* unused_impl;
  // Takes ownership of `dims`, which comes from malloc.
  int (*ResizeTensor)(Context*, Tensor*, IntArray* dims);
  void (*ReportError)(Context*, const char* format, ...);
  int (*unused_add_tensors)(Context*, int, int*);
  int (*GetNodeAndRegistration)(Context*, int index, Node**, Registration**);
  int (*ReplaceNodeSubsetsWithDelegateKernels)(Context*, Registration, const IntArray* nodes,
                                               Delegate*);
  int recommended_num_threads;
  // More follows that we do not use.
};

struct Delegate {
  void* data;
  int (*Prepare)(Context*, Delegate*);
  void* unused_copy_from;
  void* unused_copy_to;
  void* unused_free_handle;
  int64_t flags;
  void* unused_builder;
  uint64_t padding[4];
};

// What `init` of a delegate's kernel receives in place of a buffer.
struct DelegateParams {
  Delegate* delegate;
  IntArray* nodes;
  IntArray* inputs;
  IntArray* outputs;
};

struct ActivationParams {  // ADD, MUL
  int activation;
};

struct PoolParams {
  int padding;
  int stride_width, stride_height;
  int filter_width, filter_height;
  int activation;
};

}  // extern "C"

// Lets custom operators that nobody registered through to us. Must be exactly 1: with 0 and 3
// LiteRT prepares the graph first and stops at the unknown operator.
constexpr int64_t kAllowDynamicTensors = 1;

}  // namespace tfl
}  // namespace lce

#endif  // LCE_DELEGATE_TFL_ABI_H_

// What a file says, for the host (host.h), the reference (reference.h) and whoever damages it.
#ifndef LCE_TESTS_MODEL_H_
#define LCE_TESTS_MODEL_H_

#include <stdint.h>

#include <string>
#include <utility>
#include <vector>

#include "delegate/tfl_abi.h"

namespace lce {
namespace testing {

using Bytes = std::vector<uint8_t>;
using Dims = std::vector<int>;

// An operator of the host that no delegate knows: every output is a copy of the first input.
constexpr int kCopy = 99;

struct ModelTensor {
  int type = tfl::kFloat32;
  Dims dims;
  float scale = 0;
  int32_t zero_point = 0;
  int packed_channels = 0;  // bits in the last dimension, so that contents can be made valid

  bool constant = false;
  Bytes data;      // of a constant
  Dims signature;  // the shape with -1 for sizes that are not fixed; empty if all are
  // Where the interpreter says a constant is, if not in the file.
  int allocation = tfl::kMmapRo;
  // Ways of being wrong:
  int misalignment = 0;  // bytes by which the constant's data is off
  bool no_data = false;  // a constant without data
  bool no_dims = false;
  bool variable = false;
};

struct ModelNode {
  int builtin = tfl::kCustom;
  std::string custom;  // name, if builtin is kCustom
  std::vector<int> inputs, outputs;
  Bytes options;  // flexbuffer, or the parameter struct of a builtin
};

struct Model {
  std::vector<ModelTensor> tensors;
  std::vector<ModelNode> nodes;
  std::vector<int> inputs, outputs;

  // Each returns the tensor's number.
  int Add(int type, Dims dims) {
    ModelTensor tensor;
    tensor.type = type;
    tensor.dims = std::move(dims);
    tensors.push_back(std::move(tensor));
    return static_cast<int>(tensors.size()) - 1;
  }
  int AddPacked(Dims dims_in_channels);
  template <typename T>
  int AddConstant(int type, Dims dims, const std::vector<T>& values) {
    const int index = Add(type, std::move(dims));
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(values.data());
    tensors[index].data.assign(bytes, bytes + values.size() * sizeof(T));
    tensors[index].constant = true;
    return index;
  }
  void AddNode(const char* custom, std::vector<int> node_inputs, int output, Bytes options);
  // ADD, MUL, RELU, .., MAX_POOL_2D and kCopy.
  template <typename Params>
  void AddBuiltin(int code, std::vector<int> node_inputs, std::vector<int> node_outputs,
                  const Params& params) {
    AddNode("", std::move(node_inputs), -1, {});
    nodes.back().builtin = code;
    nodes.back().outputs = std::move(node_outputs);
    const uint8_t* bytes = reinterpret_cast<const uint8_t*>(&params);
    nodes.back().options.assign(bytes, bytes + sizeof params);
  }
};

// Of a type that the delegate knows.
inline size_t ElementSize(int type) { return type == tfl::kInt8 || type == tfl::kBool ? 1 : 4; }

// The bytes of a tensor; 0 if a dimension is negative or they do not fit into size_t.
size_t TensorBytes(int type, const Dims& dims);

// A flexbuffer map of integers, every value `width` (1, 2, 4 or 8) bytes wide.
using IntMap = std::vector<std::pair<const char*, int64_t>>;
Bytes FlexbufferMap(IntMap entries, int width);
// With the smallest width that holds all values, as the converter writes it.
Bytes FlexbufferMap(IntMap entries);

// One line per operator and per tensor, for whoever looks at a failure.
std::string Describe(const Model& model);

// The options of LceBconv2d and LceBMaxPool2d.
struct ConvOptions {
  int64_t channels_in = 1;
  int64_t stride_height = 1, stride_width = 1;
  int64_t dilation_height = 1, dilation_width = 1;
  int64_t padding = 1;     // 0 SAME, 1 VALID
  int64_t pad_values = 0;  // 0 zero, 1 one
  int64_t activation = 0;
  IntMap Map() const;
};
struct PoolOptions {
  int64_t padding = 1;
  int64_t stride_height = 1, stride_width = 1;
  int64_t filter_height = 1, filter_width = 1;
  IntMap Map() const;
};

}  // namespace testing
}  // namespace lce

#endif  // LCE_TESTS_MODEL_H_

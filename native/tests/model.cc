#include "model.h"

#include <string.h>
#include <algorithm>

namespace lce {
namespace testing {

int Model::AddPacked(Dims dims) {
  const int channels = dims.back();
  dims.back() = (channels + 31) / 32;
  const int index = Add(tfl::kInt32, std::move(dims));
  tensors[index].packed_channels = channels;
  return index;
}

void Model::AddNode(const char* custom, std::vector<int> node_inputs, int output, Bytes options) {
  ModelNode node;
  node.custom = custom;
  node.inputs = std::move(node_inputs);
  node.outputs = {output};
  node.options = std::move(options);
  nodes.push_back(std::move(node));
}

size_t TensorBytes(int type, const Dims& dims) {
  size_t bytes = ElementSize(type);
  for (const int size : dims) {
    if (size < 0 || __builtin_mul_overflow(bytes, static_cast<size_t>(size), &bytes)) return 0;
  }
  return bytes;
}

// Layout: the keys' texts, the vector of keys (length, then distances backwards to the texts),
// the map (distance to the vector of keys, its width, length, values, one type byte a value),
// the root (distance to the map), the root's type, the root's width.
Bytes FlexbufferMap(IntMap entries, int width) {
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return strcmp(a.first, b.first) < 0; });
  Bytes out;
  const auto put = [&out](uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out.push_back(static_cast<uint8_t>(value >> 8 * i));
  };
  std::vector<size_t> texts;
  for (const auto& entry : entries) {
    texts.push_back(out.size());
    out.insert(out.end(), entry.first, entry.first + strlen(entry.first) + 1);
  }
  const int key_width = out.size() > 180 ? 2 : 1;
  put(entries.size(), key_width);
  const size_t keys = out.size();
  for (const size_t text : texts) put(out.size() - text, key_width);
  while (out.size() % width != 0) out.push_back(0);
  put(out.size() - keys, width);
  put(key_width, width);
  put(entries.size(), width);
  const size_t values = out.size();
  int log_width = 0;
  while (1 << log_width < width) ++log_width;
  for (const auto& entry : entries) put(static_cast<uint64_t>(entry.second), width);
  for (size_t i = 0; i < entries.size(); ++i) put(1 << 2 | log_width, 1);  // Int
  const size_t distance = out.size() - values;
  const int root_width = distance > 255 ? 2 : 1;
  put(distance, root_width);
  put(9 << 2 | log_width, 1);  // Map
  put(root_width, 1);
  return out;
}

Bytes FlexbufferMap(IntMap entries) {
  int width = 1;
  for (const auto& entry : entries) {
    const int64_t v = entry.second;
    const int needed = v == static_cast<int8_t>(v)    ? 1
                       : v == static_cast<int16_t>(v) ? 2
                       : v == static_cast<int32_t>(v) ? 4
                                                      : 8;
    width = std::max(width, needed);
  }
  return FlexbufferMap(std::move(entries), width);
}

std::string Describe(const Model& model) {
  std::string text;
  const auto list = [&text](const char* name, const std::vector<int>& values) {
    text += name;
    for (const int value : values) text += ' ' + std::to_string(value);
  };
  for (const ModelNode& node : model.nodes) {
    text += node.builtin == tfl::kCustom ? node.custom : std::to_string(node.builtin);
    list(": in", node.inputs);
    list(", out", node.outputs);
    text += ", options";
    for (const uint8_t byte : node.options) text += ' ' + std::to_string(byte);
    text += '\n';
  }
  for (size_t i = 0; i < model.tensors.size(); ++i) {
    const ModelTensor& tensor = model.tensors[i];
    text += "tensor " + std::to_string(i) + ": type " + std::to_string(tensor.type);
    list(", shape", tensor.dims);
    if (tensor.scale != 0) {
      text += ", scale " + std::to_string(tensor.scale) + ' ' + std::to_string(tensor.zero_point);
    }
    if (tensor.constant) text += ", constant of " + std::to_string(tensor.data.size()) + " bytes";
    text += '\n';
  }
  list("inputs", model.inputs);
  list(", outputs", model.outputs);
  return text + '\n';
}

IntMap ConvOptions::Map() const {
  return {{"channels_in", channels_in},
          {"stride_height", stride_height},
          {"stride_width", stride_width},
          {"dilation_height_factor", dilation_height},
          {"dilation_width_factor", dilation_width},
          {"padding", padding},
          {"pad_values", pad_values},
          {"fused_activation_function", activation}};
}

IntMap PoolOptions::Map() const {
  return {{"padding", padding},
          {"stride_height", stride_height},
          {"stride_width", stride_width},
          {"filter_height", filter_height},
          {"filter_width", filter_width}};
}

}  // namespace testing
}  // namespace lce

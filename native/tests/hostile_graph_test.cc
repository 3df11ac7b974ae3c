// Files that no converter writes: every one is refused with a text that says why, or still means
// something. The buffers of the host end where they should, so that the address sanitizer sees
// what a refusal comes too late for.
#include "harness.h"
#include "random_model.h"
#include "runner.h"

namespace lce {
namespace testing {
namespace {

// input -> LceBconv2d -> what the caller adds at kConvOutput, [1, 4, 4, 64].
Model ConvStart() {
  Random random(1);
  ConvCase c;
  c.height = c.width = 4;
  c.channels = c.out = 64;
  c.kernel = 1;
  Model model = ConvModel(c, &random);
  model.outputs.clear();
  return model;
}

int AddFloatPool(Model* model, int input, Dims output) {
  const int result = model->Add(tfl::kFloat32, std::move(output));
  model->AddBuiltin(tfl::kMaxPool2d, {input}, {result},
                    tfl::PoolParams{tfl::kPaddingValid, 2, 2, 2, 2, tfl::kActNone});
  return result;
}

int AddQuantize(Model* model, int input) {
  const int result = model->AddPacked(Dims(model->tensors[input].dims));
  model->AddNode("LceQuantize", {input}, result, {});
  return result;
}

bool Runs(const Model& model) {
  const TestDelegate delegate;
  Host host(model);
  LCE_CHECK(Ready(delegate, &host), "%s", host.errors.c_str());
  LCE_CHECK_RUNS(model, Random(1), host);
  return true;
}

// ---------------------------------------------------------------------------------------------
// Neighbours.

bool TestUserWithManyInputs(Random*) {
  Model model = ConvStart();
  const int filler = model.AddConstant(tfl::kFloat32, {1}, std::vector<float>{1});
  const int result = model.Add(tfl::kFloat32, {1, 4, 4, 64});
  model.AddBuiltin(kCopy, {kConvOutput, filler, filler, filler, filler, filler}, {result}, 0);
  model.outputs = {result};
  return Runs(model);
}

bool TestUserWithTwoOutputs(Random*) {
  Model model = ConvStart();
  const int first = model.Add(tfl::kFloat32, {1, 4, 4, 64});
  const int second = model.Add(tfl::kFloat32, {1, 4, 4, 64});
  model.AddBuiltin(kCopy, {kConvOutput}, {first, second}, 0);
  model.outputs = {first, second};
  return Runs(model);
}

bool TestUserBehindClampWithTwoOutputs(Random*) {
  Model model = ConvStart();
  const int clamped = model.Add(tfl::kFloat32, {1, 4, 4, 64});
  const int first = model.Add(tfl::kFloat32, {1, 4, 4, 64});
  const int second = model.Add(tfl::kFloat32, {1, 4, 4, 64});
  model.AddBuiltin(tfl::kRelu, {kConvOutput}, {clamped}, 0);
  model.AddBuiltin(kCopy, {clamped}, {first, second}, 0);
  model.outputs = {first, second};
  return Runs(model);
}

// CONV_2D and others add tensors while they prepare, after the delegate counted them.
bool TestTensorsAddedLater(Random*) {
  Model model = ConvStart();
  const int pooled = AddFloatPool(&model, kConvOutput, {1, 2, 2, 64});
  model.outputs = {AddQuantize(&model, pooled)};
  for (const int added : {1, 2, 100}) {
    const TestDelegate delegate;
    Host host(model);
    host.tensors_to_add = added;
    LCE_CHECK(Ready(delegate, &host), "%s", host.errors.c_str());
    LCE_CHECK_RUNS(model, Random(1), host);
  }
  return true;
}

bool TestOutputThatIsNoTensor(Random*) {
  for (const int bad : {-1, 1000}) {
    Model model = ConvStart();
    model.nodes[0].outputs = {bad};
    if (!Refused(model, "LceBconv2d")) return false;
    Model quantize;
    quantize.inputs = {quantize.Add(tfl::kFloat32, {1, 2, 2, 3})};
    quantize.AddNode("LceQuantize", {0}, bad, {});
    if (!Refused(quantize, "LceQuantize")) return false;
    Model builtin = ConvStart();
    builtin.AddBuiltin(tfl::kRelu, {kConvOutput}, {bad}, 0);
    builtin.outputs = {kConvOutput};
    const TestDelegate delegate;
    Host host(builtin);
    host.inert_builtins = true;
    LCE_CHECK(Ready(delegate, &host), "%s", host.errors.c_str());
  }
  return true;
}

bool TestInputThatIsNoTensor(Random*) {
  for (const int bad : {-1, -2, 1000}) {
    Model model = ConvStart();
    model.nodes[0].inputs[0] = bad;
    if (!Refused(model, "LceBconv2d")) return false;
    for (const int place : {1, 2, 3}) {
      model = ConvStart();
      model.nodes[0].inputs[static_cast<size_t>(place)] = bad;
      if (!Refused(model, "LceBconv2d")) return false;
    }
    Model quantize;
    quantize.inputs = {quantize.Add(tfl::kFloat32, {1, 2, 2, 3})};
    quantize.AddNode("LceQuantize", {bad}, quantize.AddPacked({1, 2, 2, 3}), {});
    if (!Refused(quantize, "LceQuantize")) return false;
  }
  return true;
}

// ---------------------------------------------------------------------------------------------
// Types and shapes behind merged operators.

bool TestTypeOfMergedQuantize(Random*) {
  for (const int type : {int{tfl::kInt8}, int{tfl::kBool}, int{tfl::kFloat32}}) {
    Model merged = ConvStart();
    const int bits = AddQuantize(&merged, kConvOutput);
    merged.tensors[bits].type = type;
    merged.outputs = {bits};
    if (!Refused(merged, "LceQuantize")) return false;
    merged.outputs = {bits, kConvOutput};  // written beside the floats
    if (!Refused(merged, "LceQuantize")) return false;
    Model pooled = ConvStart();
    const int last = AddQuantize(&pooled, AddFloatPool(&pooled, kConvOutput, {1, 2, 2, 64}));
    pooled.tensors[last].type = type;
    pooled.outputs = {last};
    if (!Refused(pooled, "LceQuantize")) return false;
  }
  return true;
}

// The pool's output claims fewer channels than it has; the constant has as many as it claims.
bool TestChannelsBehindPool(Random*) {
  Model model = ConvStart();
  const int pooled = AddFloatPool(&model, kConvOutput, {1, 2, 2, 2});
  const int constant = model.AddConstant(tfl::kFloat32, {2}, std::vector<float>{1, 2});
  const int scaled = model.Add(tfl::kFloat32, {1, 2, 2, 2});
  model.AddBuiltin(tfl::kMul, {pooled, constant}, {scaled}, tfl::ActivationParams{0});
  model.outputs = {AddQuantize(&model, scaled)};
  return Refused(model, "MAX_POOL_2D") && Refused(model, "", {}, Subsets::kOnePerNode);
}

bool TestMisalignedConstantOfMergedOperator(Random*) {
  for (const int code : {int{tfl::kMul}, int{tfl::kAdd}}) {
    for (const int misalignment : {1, 2, 3}) {
      Model model = ConvStart();
      const int constant = model.AddConstant(tfl::kFloat32, {64}, std::vector<float>(64, 0.5f));
      model.tensors[constant].misalignment = misalignment;
      const int scaled = model.Add(tfl::kFloat32, {1, 4, 4, 64});
      model.AddBuiltin(code, {kConvOutput, constant}, {scaled}, tfl::ActivationParams{0});
      model.outputs = {AddQuantize(&model, scaled)};
      const TestDelegate delegate;
      Host host(model);
      host.inert_builtins = true;  // not merged: the operator is the host's
      LCE_CHECK(Ready(delegate, &host), "%s", host.errors.c_str());
      FillInputs(model, Random(1), false, &host);
      LCE_CHECK(host.Invoke(), "%s", host.errors.c_str());
    }
  }
  return true;
}

// ---------------------------------------------------------------------------------------------
// Graphs that are no graphs.

bool TestTwoWritersOfOneTensor(Random*) {
  Model model;
  const int large = model.Add(tfl::kFloat32, {1, 8, 8, 64});
  const int small = model.Add(tfl::kFloat32, {1, 2, 2, 64});
  const int bits = model.AddPacked({1, 2, 2, 64});
  const int values = model.Add(tfl::kFloat32, {1, 2, 2, 64});
  model.AddNode("LceQuantize", {large}, bits, {});
  model.AddNode("LceQuantize", {small}, bits, {});
  model.AddNode("LceDequantize", {bits}, values, {});
  model.inputs = {large, small};
  model.outputs = {values};
  if (!Refused(model, "tensor 2 is written by two operators")) return false;
  model.outputs = {values, bits};
  return Refused(model, "tensor 2 is written by two operators", {}, Subsets::kAllInOne);
}

bool TestReaderBeforeWriter(Random*) {
  Model model;
  const int input = model.Add(tfl::kFloat32, {4, 8, 8, 64});
  const int bits = model.AddPacked({4, 8, 8, 64});
  const int values = model.Add(tfl::kFloat32, {4, 8, 8, 64});
  model.AddNode("LceDequantize", {bits}, values, {});
  model.AddNode("LceQuantize", {input}, bits, {});
  model.inputs = {input};
  model.outputs = {values};
  if (!Refused(model, "LceDequantize", {}, Subsets::kAllInOne)) return false;
  const TestDelegate delegate;  // TensorFlow Lite brings them into order
  Host host(model);
  LCE_CHECK(Ready(delegate, &host), "%s", host.errors.c_str());
  FillInputs(model, Random(1), false, &host);
  LCE_CHECK(host.Invoke(), "%s", host.errors.c_str());
  return true;
}

bool TestOperatorThatReadsItsOutput(Random*) {
  Random random(1);
  ConvCase c;
  c.channels = c.out = 32;
  c.output = tfl::kInt32;
  c.options.padding = 0;
  Model model = ConvModel(c, &random);
  model.nodes[0].outputs = {kConvInput};
  model.outputs = {kConvInput};
  return Refused(model, "LceBconv2d", {}, Subsets::kAllInOne);
}

// Numbers of TensorFlow Lite's enum, written here a second time on purpose.
bool TestWeightsThatAreNotInTheFile(Random*) {
  Random random(1);
  constexpr int kDynamic = 4, kPersistentReadOnly = 5, kArenaPersistent = 3;
  for (const int tensor : {kConvWeights, kConvMultiplier, kConvBias}) {
    for (const int allocation : {kDynamic, kPersistentReadOnly, kArenaPersistent}) {
      Model model = ConvModel(ConvCase(), &random);
      model.tensors[tensor].allocation = allocation;
      if (!Refused(model, "must be constant")) return false;
    }
  }
  return true;
}

// Its value may differ in the next run, so it has no place in a threshold.
bool TestOperandThatIsNotInTheFile(Random*) {
  Model model = ConvStart();
  const int operand = model.AddConstant(tfl::kFloat32, {64}, std::vector<float>(64, 100.0f));
  model.tensors[operand].allocation = 4;  // dynamic
  const int sum = model.Add(tfl::kFloat32, {1, 4, 4, 64});
  model.AddBuiltin(tfl::kAdd, {kConvOutput, operand}, {sum}, tfl::ActivationParams{0});
  model.outputs = {AddQuantize(&model, sum)};
  const TestDelegate delegate;
  Host host(model);
  LCE_CHECK(host.Apply(delegate.get()), "%s", host.errors.c_str());
  LCE_CHECK(host.plan_size() == 3, "%zu", host.plan_size());  // the addition stays
  return true;
}

bool TestConstantOutput(Random*) {
  Random random(1);
  Model model = ConvModel(ConvCase(), &random);
  ModelTensor& output = model.tensors[kConvOutput];
  output.constant = true;
  output.data.resize(TensorBytes(output.type, output.dims));
  return Refused(model, "output is constant");
}

// Not ours, so none of our business.
bool TestTwoForeignWriters(Random*) {
  for (const bool ours : {false, true}) {
    Model model;
    const int x = model.Add(tfl::kFloat32, {1, 2, 2, 32});
    const int y = model.Add(tfl::kFloat32, {1, 2, 2, 32});
    model.AddBuiltin(tfl::kRelu, {x}, {y}, 0);
    model.AddBuiltin(tfl::kRelu6, {x}, {y}, 0);
    model.inputs = {x};
    model.outputs = {y};
    if (ours) model.outputs = {AddQuantize(&model, y)};
    if (!Runs(model)) return false;
  }
  return true;
}

// As many words, and another number of channels in them.
bool TestChannelsOfPackedTensors(Random*) {
  Random random(1);
  ConvCase c;
  c.channels = 64;
  for (const int channels : {64, 63, 33}) {
    Model conv = ConvModel(c, &random);
    const int values = conv.Add(tfl::kFloat32, {1, 5, 5, channels});
    conv.AddNode("LceQuantize", {values}, kConvInput, {});
    std::swap(conv.nodes[0], conv.nodes[1]);
    conv.inputs = {values};
    Model back;
    const int x = back.Add(tfl::kFloat32, {1, 2, 2, channels});
    const int bits = back.AddPacked({1, 2, 2, channels});
    const int y = back.Add(tfl::kFloat32, {1, 2, 2, 64});
    back.AddNode("LceQuantize", {x}, bits, {});
    back.AddNode("LceDequantize", {bits}, y, {});
    back.inputs = {x};
    back.outputs = {y};
    for (const Model& model : {conv, back}) {
      if (channels == 64 ? !Runs(model) : !Refused(model, "64 channels")) return false;
    }
  }
  return true;
}

// The converter writes 1 for a size that is not known.
bool TestUnknownImageSize(Random* random) {
  ConvCase c;
  c.height = c.width = 3;
  c.channels = c.out = 32;
  c.options.padding = 1;
  Model model = ConvModel(c, random);
  for (const int t : {kConvInput, kConvOutput}) {
    ModelTensor& tensor = model.tensors[t];
    tensor.signature = {-1, -1, -1, tensor.dims[3]};
    tensor.dims = {1, 1, 1, tensor.dims[3]};
  }
  const TestDelegate delegate;
  Host host(model);
  LCE_CHECK(host.Apply(delegate.get()), "%s", host.errors.c_str());
  LCE_CHECK(!host.Allocate(), "a window of 3 does not fit into an image of 1");
  LCE_CHECK(host.ResizeInput(kConvInput, {2, 7, 5, 1}), "%s", host.errors.c_str());
  LCE_CHECK(host.Allocate(), "%s", host.errors.c_str());
  LCE_CHECK_RUNS(model, Random(random->Next()), host);
  return true;
}

// Two tensors of the same shape in the file that will not have the same shape later.
bool TestAdditionOfUnknownSizes(Random*) {
  Model model = ConvStart();
  const int other = model.Add(tfl::kFloat32, {1, 4, 4, 64});
  const int sum = model.Add(tfl::kFloat32, {1, 4, 4, 64});
  model.AddBuiltin(tfl::kAdd, {kConvOutput, other}, {sum}, tfl::ActivationParams{0});
  model.inputs.push_back(other);
  model.outputs = {sum};
  for (const bool alike : {true, false}) {
    for (const int t : {+kConvInput, +kConvOutput, other, sum}) {
      const Dims& dims = model.tensors[t].dims;
      model.tensors[t].signature = {-1, -1, -1, dims[3]};
    }
    if (!alike) model.tensors[other].signature.clear();
    const TestDelegate delegate;
    Host host(model);
    LCE_CHECK(host.Apply(delegate.get()), "%s", host.errors.c_str());
    LCE_CHECK(host.plan_size() == (alike ? 1 : 2), "%zu", host.plan_size());
  }
  return true;
}

const Test kTests[] = {
    {"weights_that_are_not_in_the_file", TestWeightsThatAreNotInTheFile, 1},
    {"operand_that_is_not_in_the_file", TestOperandThatIsNotInTheFile, 1},
    {"constant_output", TestConstantOutput, 1},
    {"two_foreign_writers", TestTwoForeignWriters, 1},
    {"channels_of_packed_tensors", TestChannelsOfPackedTensors, 1},
    {"unknown_image_size", TestUnknownImageSize, 20},
    {"addition_of_unknown_sizes", TestAdditionOfUnknownSizes, 1},
    {"user_with_many_inputs", TestUserWithManyInputs, 1},
    {"user_with_two_outputs", TestUserWithTwoOutputs, 1},
    {"user_behind_clamp_with_two_outputs", TestUserBehindClampWithTwoOutputs, 1},
    {"tensors_added_later", TestTensorsAddedLater, 1},
    {"output_that_is_no_tensor", TestOutputThatIsNoTensor, 1},
    {"input_that_is_no_tensor", TestInputThatIsNoTensor, 1},
    {"type_of_merged_quantize", TestTypeOfMergedQuantize, 1},
    {"channels_behind_pool", TestChannelsBehindPool, 1},
    {"misaligned_constant_of_merged_operator", TestMisalignedConstantOfMergedOperator, 1},
    {"two_writers_of_one_tensor", TestTwoWritersOfOneTensor, 1},
    {"reader_before_writer", TestReaderBeforeWriter, 1},
    {"operator_that_reads_its_output", TestOperatorThatReadsItsOutput, 1},
};

}  // namespace
}  // namespace testing
}  // namespace lce

int main(int argc, char** argv) { return lce::testing::RunTests(argc, argv, lce::testing::kTests); }

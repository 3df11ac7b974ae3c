// Runs one layer with one kernel a number of times, for counting instructions under emulation
// (tools/arm_report.py) or timing by hand. Built from kernel files only, statically:
//
//   aarch64-linux-gnu-g++ -std=c++17 -O3 -static -Isrc -ffp-contract=off bench/arm_static.cc
//       src/kernels/bconv/*_neon.cc -o arm_static                            (in one line)
//   qemu-aarch64-static arm_static lce_bconv_f32_7x8_neon 28x28x128 1
//
// A layer is a 3x3 convolution of stride 1 with a border of +1 and as many output as input
// channels; a fourth number is another window, 1x1 for 28x28x128x1. `fused` as the last argument
// adds what an IR-Net block needs behind a convolution: the shortcut, the clamp and the signs.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernel.h"

#define LCE_ARM_KERNELS(row) \
  row(lce_bconv_f32_7x8_neon) row(lce_bconv_i8_7x8_neon) row(lce_bconv_bits_7x8_neon)

namespace lce {
#define LCE_DECLARE(name) extern const BconvKernel name;
LCE_ARM_KERNELS(LCE_DECLARE)
#undef LCE_DECLARE
}  // namespace lce

namespace {

using namespace lce;

#define LCE_ADDRESS(name) &name,
const BconvKernel* const kKernels[] = {LCE_ARM_KERNELS(LCE_ADDRESS)};
#undef LCE_ADDRESS

constexpr int32_t kRoom = 64;  // values behind arrays per channel, more than any block

template <typename T>
T* Allocate(size_t count) {
  void* memory = aligned_alloc(64, (count * sizeof(T) + 127) / 64 * 64);
  if (!memory) exit(2);
  memset(memory, 0, count * sizeof(T));
  return static_cast<T*>(memory);
}

void FillRandom(uint32_t* to, size_t count) {
  uint32_t x = 2463534242u;  // Marsaglia's xorshift; the values only have to look random
  for (size_t i = 0; i < count; ++i) {
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    to[i] = x;
  }
}

struct Layer {
  int32_t height, width, channels, window;
};

// Everything a kernel needs; memory is left to the end of the process.
BconvArgs MakeArgs(const BconvKernel* kernel, const Layer& layer, bool fused) {
  const int32_t words = (layer.channels + 31) / 32, border = layer.window - 1;
  const int32_t row_words = (layer.width + border) * words;
  const size_t pixels = static_cast<size_t>(layer.height) * layer.width;
  const size_t input_words = static_cast<size_t>(layer.height + border) * row_words;
  const BconvShape shape = {layer.channels,
                            layer.window,
                            layer.window * words,
                            layer.window * words,
                            words,
                            layer.channels / 4,
                            layer.window * layer.window * layer.channels,
                            kernel->output};
  if (!kernel->accepts(&shape)) {
    fprintf(stderr, "%s does not accept this layer\n", kernel->name);
    exit(2);
  }
  BconvArgs args = {};
  uint32_t* input = Allocate<uint32_t>(input_words);
  FillRandom(input, input_words);
  args.input = input;
  int32_t* pixel_offset = Allocate<int32_t>(pixels);
  for (size_t p = 0; p < pixels; ++p) {
    pixel_offset[p] = static_cast<int32_t>(p) / layer.width * row_words +
                      static_cast<int32_t>(p) % layer.width * words;
  }
  args.pixel_offset = pixel_offset;
  int32_t* segment_offset = Allocate<int32_t>(static_cast<size_t>(layer.window));
  for (int32_t s = 0; s < layer.window; ++s) segment_offset[s] = s * row_words;
  args.segment_offset = segment_offset;
  args.segments = layer.window;
  args.segment_elements = shape.segment_elements;
  const size_t weight_words =
      static_cast<size_t>(layer.channels) * shape.segments * shape.segment_words;
  uint32_t* weights = Allocate<uint32_t>(weight_words);
  FillRandom(weights, weight_words);
  void* packed = Allocate<uint8_t>(kernel->packed_bytes(&shape));
  kernel->pack(&shape, weights, packed);
  args.weights = packed;
  args.out_channels = layer.channels;
  args.out_stride = kernel->output == OutputKind::kBits ? words : layer.channels;
  args.output = Allocate<float>(pixels * static_cast<size_t>(layer.channels));

  BconvTransform* t = &args.transform;
  const size_t room = static_cast<size_t>(layer.channels + kRoom);
  float* multiplier = Allocate<float>(room);
  float* bias = Allocate<float>(room);
  int32_t* threshold = Allocate<int32_t>(room);
  for (size_t c = 0; c < room; ++c) {
    multiplier[c] = -0.01f;
    bias[c] = 0.005f * static_cast<float>(shape.bits);
    threshold[c] = c < static_cast<size_t>(layer.channels) ? shape.bits / 2 : INT32_MAX;
  }
  t->multiplier = multiplier;
  t->bias = bias;
  t->threshold = threshold;
  t->simple = 1;
  t->clamp_min = INT32_MIN;
  t->clamp_max = INT32_MAX;
  if (fused) {
    t->residual = static_cast<const float*>(args.output);
    t->post_clamp = 1;
    t->post_min = -1.0f;
    t->post_max = 1.0f;
    t->bits = Allocate<uint32_t>(pixels * static_cast<size_t>(words));
    t->bits_stride = words;
  }
  return args;
}

uint32_t Checksum(const void* data, size_t words) {
  uint32_t sum = 2166136261u;  // FNV-1a, a word at a time
  for (size_t i = 0; i < words; ++i) {
    uint32_t word;
    memcpy(&word, static_cast<const char*>(data) + 4 * i, sizeof(word));
    sum = (sum ^ word) * 16777619u;
  }
  return sum;
}

}  // namespace

int main(int argc, char** argv) {
  Layer layer = {0, 0, 0, 3};
  if (argc < 4 || sscanf(argv[2], "%dx%dx%dx%d", &layer.height, &layer.width, &layer.channels,
                         &layer.window) < 3) {
    fprintf(stderr, "usage: arm_static KERNEL HEIGHTxWIDTHxCHANNELS[xWINDOW] TIMES [fused]\n");
    return 2;
  }
  const BconvKernel* kernel = nullptr;
  for (const BconvKernel* candidate : kKernels) {
    if (strcmp(candidate->name, argv[1]) == 0) kernel = candidate;
  }
  if (!kernel) {
    fprintf(stderr, "no kernel named %s\n", argv[1]);
    return 2;
  }
  const bool fused = argc > 4 && strcmp(argv[4], "fused") == 0;
  const BconvArgs args = MakeArgs(kernel, layer, fused);
  const int32_t pixels = layer.height * layer.width;
  const int32_t unit = kernel->output == OutputKind::kBits ? 32 : kernel->block_channels;
  const int32_t blocks = (layer.channels + unit - 1) / unit * unit / kernel->block_channels;
  const int32_t times = atoi(argv[3]);
  for (int32_t i = 0; i < times; ++i) kernel->run(&args, 0, pixels, 0, blocks);
  const size_t output_bytes =
      static_cast<size_t>(pixels) * args.out_stride * (kernel->output == OutputKind::kInt8 ? 1 : 4);
  printf("%08x\n", Checksum(args.output, output_bytes / 4));
  return 0;
}

// What a kernel is: plain functions over plain structs. No allocation, no state, no threads.
//
// This header is all that a kernel file may include besides intrinsics, so that no inline
// function compiled for one instruction set can be linked into the path of another.
#ifndef LCE_KERNELS_KERNEL_H_
#define LCE_KERNELS_KERNEL_H_

#include <stddef.h>
#include <stdint.h>

namespace lce {

// Instruction sets that kernels are written for. A kernel set named like one of these prefers
// its kernels, then those of the sets it implies (see dispatch/table.cc), then scalar.
enum class Isa : int32_t { kScalar, kAvx2, kAvx512, kNeon };

enum class OutputKind : int32_t { kFloat, kInt8, kBits };

// How a convolution kernel wants its input.
enum class InputForm : int32_t {
  kWords,    // 32 channels a word, as in the file; one element is one uint32_t
  kNibbles,  // 4 channels a byte, in the upper half (0x00, 0x10, .. 0xf0); one element is one byte
};

// ---------------------------------------------------------------------------------------------
// Binary convolution.
//
// A convolution is computed in groups; everything below describes one group. The driver
// (core/bconv.cc) brings the input of one image into a buffer with its border filled with +1
// (bit 0) if there is any, so a kernel never tests for the border: the first tap of output pixel
// `p` is at `input + pixel_offset[p]`, and the window is `segments` runs of `segment_elements`
// elements at `segment_offset[s]` from there. The accumulator is
//   acc[p][o] = sum of popcount(input xor weight) over the window.

// What packing depends on.
struct BconvShape {
  int32_t out_channels;      // of this group
  int32_t segments;          // kernel rows, or taps where a row is not contiguous
  int32_t segment_words;     // words of a segment, in the file's form
  int32_t segment_elements;  // the same run in the kernel's input form
  int32_t word_group;        // words of one tap: ceil(input channels of the group / 32)
  int32_t nibble_group;      // nibbles of one tap: ceil(input channels of the group / 4)
  int32_t bits;              // kernel height * width * input channels of the group (K)
  OutputKind output;
};

// Float and int8 output:   t = 2 * acc + offset + class_add[class][o]
//                          t = min(max(t, clamp_min), clamp_max)
//                          y = float(t) * multiplier[o] + bias[o]      (two roundings, no FMA)
//                          y = y + class_add_float[class][o]           (pixels of class > 0)
// With `simple` set the first two lines are known to be t = 2 * acc and the multiplier is given
// twice as large, so that  y = float(acc) * multiplier[o] + bias[o].
// Bitpacked output: bit = (acc > threshold[class][o]) xor invert.
//
// All arrays per output channel have room for a whole number of blocks (see `block_channels`);
// what lies past the last channel is 0, or INT32_MAX for thresholds.
struct BconvTransform {
  const float* multiplier;
  const float* bias;
  int32_t simple;
  int32_t offset;
  int32_t clamp_min, clamp_max;

  // Border pixels with zero padding have classes 1, 2, ..; class 0 has no correction.
  // `pixel_class` is null if every pixel is of class 0. Row `c` of the tables starts at
  // c * class_stride; row 0 exists in all of them and is 0 in the first two.
  const uint16_t* pixel_class;
  int32_t class_stride;
  const int32_t* class_add;      // or null; never with `simple`
  const float* class_add_float;  // or null
  const int32_t* threshold;      // bitpacked output; row 0 where pixel_class is null
  const uint32_t* invert;        // bitpacked output: ceil(out_channels / 32) words, or null

  // Fused steps of float output, in this order.
  float pre_min, pre_max;  // y = clamp(y); used if `pre_clamp`
  int32_t pre_clamp;
  const float* residual;     // y = y + residual[pixel][o], or null; may be the output
  float post_min, post_max;  // y = clamp(y); used if `post_clamp`
  int32_t post_clamp;
  uint32_t* bits;       // also write bit = y < 0, or null
  int32_t bits_stride;  // words per pixel
};

struct BconvArgs {
  const void* input;              // elements of the kernel's input form
  const int32_t* pixel_offset;    // elements; one per output pixel of an image
  const int32_t* segment_offset;  // elements; `segments` of them
  int32_t segments, segment_elements;
  // The same window element by element: segment_offset[s] + k at s * segment_elements + k.
  const int32_t* element_offset;
  const void* weights;   // packed by the kernel
  int32_t out_channels;  // of this group
  // First output channel of the group, in the layout of its output: pixel p starts at
  // output + p * out_stride (floats, int8 or words). Null for float output that only feeds
  // `bits`.
  void* output;
  int32_t out_stride;
  BconvTransform transform;
};

struct BconvKernel {
  const char* name;
  Isa isa;
  OutputKind output;
  InputForm input_form;
  int32_t pixel_tile;      // the driver cuts work at multiples of it
  int32_t block_channels;  // output channels of one block of packed weights
  // Whether the kernel can compute this shape; rows are asked in the order of kernels.inc.
  bool (*accepts)(const BconvShape* shape);
  size_t (*packed_bytes)(const BconvShape* shape);
  // `weights`: [out_channels][segments][segment_words] words, as in the file. `packed` is
  // 64-byte aligned.
  void (*pack)(const BconvShape* shape, const uint32_t* weights, void* packed);
  // Pixels [pixel_begin, pixel_end) of one image, blocks [block_begin, block_end) of channels.
  // The number of blocks is ceil(out_channels / block_channels), for bitpacked output
  // ceil(32 * ceil(out_channels / 32) / block_channels): all bits of a word are written.
  void (*run)(const BconvArgs* args, int32_t pixel_begin, int32_t pixel_end, int32_t block_begin,
              int32_t block_end);
};

// Words to nibbles: `pixels` times `words` words become `pixels` times `nibbles` bytes,
// (w & 15) << 4 and so on upwards. Only kernels with InputForm::kNibbles need it.
struct ExpandKernel {
  const char* name;
  Isa isa;
  void (*run)(const uint32_t* words, uint8_t* nibbles, int32_t pixels, int32_t words_per_pixel,
              int32_t nibbles_per_pixel);
};

// ---------------------------------------------------------------------------------------------
// Sign to bits. `channels` values become ceil(channels / 32) words; bit = value < 0
// (value < zero_point for int8, false for bool); unused bits are 0.

struct QuantizeKernel {
  const char* name;
  Isa isa;
  int32_t type;  // ElementType below
  void (*run)(const void* input, uint32_t* output, size_t pixels, int32_t channels,
              int32_t zero_point);
};

enum ElementType : int32_t { kElementFloat, kElementInt8, kElementBool };

// Bits to values: bit 0 -> `plus`, bit 1 -> `minus`.
struct DequantizeKernel {
  const char* name;
  Isa isa;
  int32_t type;
  // `plus` and `minus` point to one float, int8_t or uint8_t.
  void (*run)(const uint32_t* input, void* output, size_t pixels, int32_t channels,
              const void* plus, const void* minus);
};

// ---------------------------------------------------------------------------------------------
// Max pooling of bits: AND of all words in the window that lie in the image.

struct BmaxpoolArgs {
  const uint32_t* input;  // one image
  uint32_t* output;
  int32_t height, width, words;
  int32_t out_height, out_width;
  int32_t filter_height, filter_width, stride_height, stride_width;
  int32_t pad_top, pad_left;
};

struct BmaxpoolKernel {
  const char* name;
  Isa isa;
  void (*run)(const BmaxpoolArgs* args, int32_t row_begin, int32_t row_end);
};

// ---------------------------------------------------------------------------------------------
// y = clamp(a + b); bit = y < 0. Any of `output` (may be a or b) and `bits` may be null.

struct AddArgs {
  const float* a;
  const float* b;
  float* output;
  uint32_t* bits;
  int32_t channels;
  float min, max;  // -inf and inf for none
};

struct AddKernel {
  const char* name;
  Isa isa;
  void (*run)(const AddArgs* args, size_t pixel_begin, size_t pixel_end);
};

}  // namespace lce

#endif  // LCE_KERNELS_KERNEL_H_

// Binary convolution: from the operator's options to calls of a kernel.
//
// Arithmetic (K = window bits of one group, acc = popcount of input xor weights):
//   sum = K - 2 * acc                                    the convolution of +1 and -1
//   y   = clamp(sum) * g + b                             the operator
// computed as LCE computes it, with  m = -g / s  and  b' = (b + K * g) / s + z  rounded once
// (s = 1, z = 0 for float output):
//   y = float(clamp'(2 * acc)) * m + b',  two roundings
// or integer-first (Exactness::kKeras), which keeps the low bits of b:
//   y = float(clamp(2 * acc - K)) * m + (b / s + z)
//
// Zero padding: taps outside of the image count as +1 (bit 0) in acc. What they contributed to
// `sum` is S[o] = sum of their weights; it depends on the pixel only through which taps are
// outside, its class. Subtracting S:
//   integers  2 * acc + S                                any output
//   floats    y + fl(-g * S), a third rounding           what LCE's fast kernels do
#ifndef LCE_CORE_BCONV_H_
#define LCE_CORE_BCONV_H_

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/geometry.h"
#include "core/memory.h"
#include "core/thread_pool.h"
#include "kernels/kernel.h"

namespace lce {

enum class Exactness : int32_t { kLce, kKeras };

// The operator as the file states it.
struct BconvOp {
  int64_t channels_in;
  int64_t stride_height, stride_width;
  int64_t dilation_height, dilation_width;
  bool same;           // else VALID
  bool pad_one;        // taps outside of the image are +1, else 0
  int64_t activation;  // 0 none, 1 relu, 2 relu_n1_to_1, 3 relu6
  // Weights [out, height, width, words].
  int32_t out_channels, kernel_height, kernel_width, group_words;
  const uint32_t* weights;
  OutputKind output;
  const float* multiplier;  // float and int8 output
  const float* bias;
  const int32_t* threshold;  // bitpacked output
  float scale;               // int8 output
  int32_t zero_point;
};

// One step that a sign convolution (see BconvPlan::FuseSign) absorbs. All are monotone.
struct SignStep {
  enum Kind { kClamp, kMultiply, kAdd, kMaxPool } kind;
  float min, max;         // kClamp
  const float* constant;  // kMultiply, kAdd: per channel, or one value for all
  bool per_channel;
};

// Fused steps of float output, set before a run.
struct BconvFusion {
  bool pre_clamp = false;
  float pre_min = 0, pre_max = 0;
  const float* residual = nullptr;
  bool post_clamp = false;
  float post_min = 0, post_max = 0;
  uint32_t* bits = nullptr;
};

class BconvPlan {
 public:
  // Checks the operator and packs its weights for one of `kernels` (in order of preference).
  // Pointers in `op` must stay valid. Independent of the image's size.
  bool Init(const BconvOp& op, Exactness exactness, const BconvKernel* const* kernels,
            size_t kernel_count, const ExpandKernel* expand, Error* error);

  // Turns float output into bitpacked output of sign(steps(y)). Called at most once, after Init
  // and before Resize. False without `error` if constants are not finite: nothing is changed
  // then. Bits of channels in `pool_flip` have to be inverted after pooling (they decrease with
  // the pooled value); it has ceil(out_channels / 32) words and may be null without kMaxPool.
  bool FuseSign(const SignStep* steps, size_t count, const BconvKernel* const* kernels,
                size_t kernel_count, uint32_t* pool_flip, Error* error);

  // Everything that depends on the shape [batch, height, width, words] of the input.
  bool Resize(const int64_t* input_shape, Error* error);

  // [batch, height, width, channels or words].
  const int64_t* output_shape() const { return output_shape_; }
  // Bytes that Run may scribble on.
  size_t scratch_bytes() const { return scratch_bytes_; }
  const BconvKernel* kernel() const { return kernel_; }
  int64_t binary_macs() const;
  int64_t channels_in() const { return op_.channels_in; }
  int32_t out_channels() const { return op_.out_channels; }
  // Whether Run can write bits beside float output.
  bool can_write_bits() const { return groups_ == 1 || group_out_ % 32 == 0; }

  void Run(const uint32_t* input, void* output, const BconvFusion& fusion, void* scratch,
           ThreadPool* pool) const;

 private:
  struct Job;
  static void CopyRows(void* job, int32_t unit);
  static void Compute(void* job, int32_t unit);
  bool CheckOp(Error* error);
  bool ChooseKernel(const BconvKernel* const* kernels, size_t count, Error* error);
  bool MakeTransform(Error* error);
  bool MakeOffsets(Error* error);
  bool MakeClasses(Error* error);
  bool FillClasses(Error* error);
  bool IsNegative(int32_t acc, int32_t channel, int32_t sum_outside, bool border) const;
  int32_t SignThreshold(int32_t channel, int32_t sum_outside, bool border) const;
  void MergeBits(const uint32_t* groups, uint32_t* output) const;
  int32_t Index(int32_t channel) const {
    return channel / group_out_ * padded_out_ + channel % group_out_;
  }

  BconvOp op_;
  Exactness exactness_;
  const BconvKernel* kernel_ = nullptr;
  const ExpandKernel* expand_ = nullptr;
  BconvShape shape_;
  int32_t words_, groups_, group_in_, group_out_;
  int32_t blocks_;       // blocks of output channels in a group
  int32_t padded_out_;   // channels of a group, rounded up to whole blocks
  size_t packed_bytes_;  // per group
  Array<uint8_t> packed_;
  // Per output channel, each group padded to `padded_out_`. Those of classes: one row a class.
  Array<float> multiplier_, multiplier_twice_, bias_, class_add_float_;
  Array<int32_t> threshold_, class_add_;
  Array<uint32_t> invert_;
  bool unclamped_, simple_, integer_classes_;
  int32_t offset_, clamp_min_, clamp_max_;
  Array<SignStep> steps_;
  Array<uint8_t> decreases_;  // the fused sign's argument decreases with acc
  bool fused_sign_ = false;

  Axis rows_, columns_;
  int64_t batch_, output_shape_[4];
  bool direct_;  // the kernel reads the tensor itself
  int32_t pixel_elements_, row_elements_;
  size_t buffer_bytes_, scratch_bytes_;
  Array<int32_t> pixel_offset_, segment_offset_, element_offset_;
  Array<uint16_t> pixel_class_;
  struct Outside {
    int32_t top, bottom, left, right;  // taps outside of the image
  };
  Array<Outside> classes_;  // 0: none
};

}  // namespace lce

#endif  // LCE_CORE_BCONV_H_

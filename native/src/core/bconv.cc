#include "core/bconv.h"

#include <string.h>

#include "core/bits.h"
#include "core/chunk.h"

namespace lce {
namespace {

// Of an image with its border: 2 GiB of words, which 32-bit systems can count, too. A filter
// that reaches far past a small image would otherwise take any amount of memory.
constexpr int64_t kMaxElements = int64_t{1} << 29;

// Some microseconds: less is not worth the sharing.
constexpr int64_t kMinUnitMacs = 4 << 20;

// floor(value / 2), saturated.
int32_t HalfSaturated(int64_t value) {
  const int64_t half = value >> 1;
  return static_cast<int32_t>(Min<int64_t>(Max<int64_t>(half, INT32_MIN), INT32_MAX));
}

bool IsFinite(float value) { return value - value == 0.0f; }

// Finite, and 0 or at least 2^-126: what is not flushed (see denormals.h).
bool IsNormal(float value) {
  return IsFinite(value) && (value == 0 || __builtin_fabsf(value) >= 0x1p-126f);
}

}  // namespace

bool BconvPlan::CheckOp(Error* error) {
  const BconvOp& op = op_;
  if (op.channels_in < 1 || op.channels_in > (1 << 20)) {
    return error->Set("channels_in must be 1 to 1048576, got %lld", (long long)op.channels_in);
  }
  if (op.activation < 0 || op.activation > 3) {
    return error->Set(
        "fused_activation_function must be 0 (none), 1 (relu), 2 (relu_n1_to_1) or "
        "3 (relu6), got %lld",
        (long long)op.activation);
  }
  if (op.out_channels < 1 || op.kernel_height < 1 || op.kernel_width < 1 || op.group_words < 1) {
    return error->Set("weights have an empty shape [%d, %d, %d, %d]", op.out_channels,
                      op.kernel_height, op.kernel_width, op.group_words);
  }
  const int32_t channels = static_cast<int32_t>(op.channels_in);
  words_ = DivideUp(channels, 32);
  groups_ = words_ / op.group_words;
  if (groups_ * op.group_words != words_) {
    return error->Set(
        "weights have %d words a tap, which does not divide the %d words of %d "
        "input channels",
        op.group_words, words_, channels);
  }
  if (groups_ > 1 && (channels % groups_ != 0 || channels / groups_ % 32 != 0)) {
    return error->Set("%d input channels in %d groups are not a multiple of 32 each", channels,
                      groups_);
  }
  if (op.out_channels % groups_ != 0) {
    return error->Set("%d output channels cannot be split into %d groups", op.out_channels,
                      groups_);
  }
  group_in_ = channels / groups_;
  group_out_ = op.out_channels / groups_;
  const int64_t bits = int64_t{op.kernel_height} * op.kernel_width * group_in_;
  if (int64_t{op.kernel_height} * op.kernel_width > (1 << 24) || bits > (1 << 29)) {
    return error->Set("a window of %d x %d x %d is too large", op.kernel_height, op.kernel_width,
                      group_in_);
  }
  if (group_in_ % 32 != 0) {
    const int64_t taps = int64_t{op.out_channels} * op.kernel_height * op.kernel_width;
    for (int64_t tap = 0; tap < taps; ++tap) {
      if (op.weights[(tap + 1) * op.group_words - 1] >> (group_in_ % 32) != 0) {
        return error->Set("weights have bits set past channel %d", group_in_);
      }
    }
  }
  return true;
}

bool BconvPlan::Init(const BconvOp& op, Exactness exactness, const BconvKernel* const* kernels,
                     size_t kernel_count, const ExpandKernel* expand, Error* error) {
  op_ = op;
  exactness_ = exactness;
  expand_ = expand;
  if (!CheckOp(error)) return false;
  const bool contiguous = groups_ == 1 && op.dilation_width == 1;
  shape_.out_channels = group_out_;
  shape_.segments = contiguous ? op.kernel_height : op.kernel_height * op.kernel_width;
  shape_.word_group = op.group_words;
  shape_.nibble_group = DivideUp(group_in_, 4);
  shape_.segment_words = contiguous ? op.kernel_width * op.group_words : op.group_words;
  shape_.bits = op.kernel_height * op.kernel_width * group_in_;
  shape_.output = op.output;
  return ChooseKernel(kernels, kernel_count, error) && MakeTransform(error);
}

bool BconvPlan::ChooseKernel(const BconvKernel* const* kernels, size_t count, Error* error) {
  kernel_ = nullptr;
  for (size_t i = 0; i < count && kernel_ == nullptr; ++i) {
    const BconvKernel& kernel = *kernels[i];
    if (kernel.output != shape_.output) continue;
    const bool nibbles = kernel.input_form == InputForm::kNibbles;
    if (nibbles && expand_ == nullptr) continue;
    const int32_t taps = shape_.segment_words / shape_.word_group;
    shape_.segment_elements = nibbles ? taps * shape_.nibble_group : shape_.segment_words;
    if (kernel.accepts(&shape_)) kernel_ = &kernel;
  }
  if (kernel_ == nullptr) return error->Set("no kernel computes this shape");
  const int32_t covered = shape_.output == OutputKind::kBits ? RoundUp(group_out_, 32) : group_out_;
  blocks_ = DivideUp(covered, kernel_->block_channels);
  padded_out_ = blocks_ * kernel_->block_channels;
  packed_bytes_ = (kernel_->packed_bytes(&shape_) + 63) / 64 * 64;
  size_t bytes;
  if (!Multiply(packed_bytes_, groups_, &bytes) || !packed_.Reset(bytes)) {
    return error->OutOfMemory();
  }
  const size_t group_weights =
      static_cast<size_t>(group_out_) * shape_.segments * shape_.segment_words;
  for (int32_t g = 0; g < groups_; ++g) {
    kernel_->pack(&shape_, op_.weights + g * group_weights, packed_.data() + g * packed_bytes_);
  }
  return true;
}

bool BconvPlan::MakeTransform(Error* error) {
  const int32_t bits = shape_.bits;
  int32_t low = -bits, high = bits;
  if (op_.activation == 1) low = 0;
  if (op_.activation == 2) low = Max(low, -1), high = Min(high, 1);
  if (op_.activation == 3) low = 0, high = Min(high, 6);
  unclamped_ = op_.activation == 0;
  offset_ = exactness_ == Exactness::kKeras ? -bits : 0;
  clamp_min_ = bits + offset_ - high;
  clamp_max_ = bits + offset_ - low;
  if (op_.output == OutputKind::kBits) return true;
  const size_t size = static_cast<size_t>(groups_) * padded_out_;
  if (!multiplier_.Reset(size) || !multiplier_twice_.Reset(size) || !bias_.Reset(size)) {
    return error->OutOfMemory();
  }
  const bool int8 = op_.output == OutputKind::kInt8;
  const double scale = int8 ? op_.scale : 1.0;
  const double zero_point = int8 ? op_.zero_point : 0.0;
  const double back = exactness_ == Exactness::kKeras ? 0.0 : bits;
  for (int32_t o = 0; o < op_.out_channels; ++o) {
    const double g = op_.multiplier[o];
    const int32_t i = Index(o);
    multiplier_[i] = static_cast<float>(-1 * g / scale);
    multiplier_twice_[i] = 2 * multiplier_[i];
    bias_[i] = static_cast<float>((op_.bias[o] + back * g) / scale + zero_point);
    // Twice the multiplier gives the same products unless only one of the two is out of range.
    unclamped_ = unclamped_ && IsNormal(multiplier_[i]) && IsNormal(multiplier_twice_[i]);
  }
  return true;
}

bool BconvPlan::FuseSign(const SignStep* steps, size_t count, const BconvKernel* const* kernels,
                         size_t kernel_count, uint32_t* pool_flip, Error* error) {
  // Nothing may overflow on the way, or the chain of steps would not be monotone.
  for (int32_t o = 0; o < op_.out_channels; ++o) {
    double bound = 2.0 * __builtin_fabs(multiplier_[Index(o)]) * shape_.bits +
                   __builtin_fabs(bias_[Index(o)]) +
                   __builtin_fabs(op_.multiplier[o]) * shape_.bits;
    for (size_t s = 0; s < count; ++s) {
      const float c =
          steps[s].constant == nullptr ? 0 : steps[s].constant[steps[s].per_channel ? o : 0];
      if (steps[s].kind == SignStep::kMultiply) bound *= __builtin_fabs(c);
      if (steps[s].kind == SignStep::kAdd) bound += __builtin_fabs(c);
      if (!(bound < 1e37) || !IsFinite(c)) return false;
    }
  }
  if (!steps_.Reset(count) || !decreases_.Reset(op_.out_channels) ||
      !invert_.Reset(static_cast<size_t>(groups_) * DivideUp(group_out_, 32))) {
    return error->OutOfMemory();
  }
  for (size_t s = 0; s < count; ++s) steps_[s] = steps[s];
  // The kernel for bits may have other blocks, and with them another padding of the arrays.
  shape_.output = OutputKind::kBits;
  if (!ChooseKernel(kernels, kernel_count, error) || !MakeTransform(error)) return false;
  for (int32_t o = 0; o < op_.out_channels; ++o) {
    bool decreases = multiplier_[Index(o)] < 0, flip = false;
    for (const SignStep& step : steps_) {
      if (step.kind == SignStep::kMaxPool) flip = false;
      if (step.kind != SignStep::kMultiply) continue;
      const bool negative = step.constant[step.per_channel ? o : 0] < 0;
      decreases ^= negative;
      flip ^= negative;
    }
    const int32_t in_group = o % group_out_;
    const int32_t word = o / group_out_ * DivideUp(group_out_, 32) + in_group / 32;
    if (pool_flip == nullptr) flip = false;
    if (flip) pool_flip[o / 32] |= 1u << o % 32;
    // If the result grows with acc it is negative, and its bit 1, for small acc.
    decreases_[o] = decreases;
    if (!decreases != flip) invert_[word] |= 1u << in_group % 32;
  }
  fused_sign_ = true;
  return true;
}

bool BconvPlan::Resize(const int64_t* shape, Error* error) {
  if (shape[3] != words_) {
    return error->Set("input has %lld words a pixel, %lld channels take %d", (long long)shape[3],
                      (long long)op_.channels_in, words_);
  }
  if (shape[0] < 1 || shape[0] >= kMaxElements) {
    return error->Set("batch must be at least 1, got %lld", (long long)shape[0]);
  }
  if (!MakeAxis("height", shape[1], op_.kernel_height, op_.stride_height, op_.dilation_height,
                op_.same, &rows_, error) ||
      !MakeAxis("width", shape[2], op_.kernel_width, op_.stride_width, op_.dilation_width, op_.same,
                &columns_, error)) {
    return false;
  }
  batch_ = shape[0];
  output_shape_[0] = batch_;
  output_shape_[1] = rows_.output;
  output_shape_[2] = columns_.output;
  output_shape_[3] =
      shape_.output == OutputKind::kBits ? DivideUp(op_.out_channels, 32) : op_.out_channels;
  return MakeOffsets(error) && MakeClasses(error) && FillClasses(error);
}

bool BconvPlan::MakeOffsets(Error* error) {
  const bool nibbles = kernel_->input_form == InputForm::kNibbles;
  const int32_t group_elements = nibbles ? shape_.nibble_group : shape_.word_group;
  pixel_elements_ = group_elements * groups_;
  direct_ = !nibbles && rows_.pad_before == 0 && columns_.pad_before == 0 &&
            rows_.extent <= rows_.input && columns_.extent <= columns_.input;
  const int64_t width = direct_ ? columns_.input : columns_.extent;
  const int64_t height = direct_ ? rows_.input : rows_.extent;
  const int64_t pixels = int64_t{rows_.output} * columns_.output;
  // Products of two factors up to 2^24 and one up to 2^20 may not fit 64 bits: step by step.
  if (width * height >= kMaxElements || width * height * pixel_elements_ >= kMaxElements ||
      pixels * output_shape_[3] >= kMaxElements) {
    return error->Set("an image of %d x %d is too large", rows_.input, columns_.input);
  }
  row_elements_ = static_cast<int32_t>(width) * pixel_elements_;
  buffer_bytes_ = 0;
  if (!direct_) {
    buffer_bytes_ = static_cast<size_t>(height) * row_elements_ * (nibbles ? 1 : 4);
    buffer_bytes_ = (buffer_bytes_ + 63) / 64 * 64;
  }
  scratch_bytes_ = buffer_bytes_;
  if (shape_.output == OutputKind::kBits && !can_write_bits()) {
    const int64_t group_bits = pixels * groups_ * DivideUp(group_out_, 32);
    if (group_bits >= kMaxElements / 2) {
      return error->Set("an image of %d x %d is too large", rows_.input, columns_.input);
    }
    scratch_bytes_ += static_cast<size_t>(group_bits) * 4;
  }
  if (!pixel_offset_.Reset(static_cast<size_t>(pixels)) ||
      !segment_offset_.Reset(shape_.segments) ||
      !element_offset_.Reset(static_cast<size_t>(shape_.segments) * shape_.segment_elements)) {
    return error->OutOfMemory();
  }
  int32_t* next = pixel_offset_.data();
  for (int32_t y = 0; y < rows_.output; ++y) {
    for (int32_t x = 0; x < columns_.output; ++x) {
      *next++ = y * rows_.stride * row_elements_ + x * columns_.stride * pixel_elements_;
    }
  }
  const int32_t per_row = shape_.segments / op_.kernel_height;  // 1, or one per tap
  for (int32_t s = 0; s < shape_.segments; ++s) {
    segment_offset_[s] = s / per_row * rows_.dilation * row_elements_ +
                         s % per_row * columns_.dilation * pixel_elements_;
    for (int32_t k = 0; k < shape_.segment_elements; ++k) {
      element_offset_[static_cast<size_t>(s) * shape_.segment_elements + k] =
          segment_offset_[s] + k;
    }
  }
  return true;
}

// Numbers the different sets of taps that are outside of the image, pixel by pixel.
bool BconvPlan::MakeClasses(Error* error) {
  pixel_class_.Reset(0);
  if (!classes_.Reset(0) || !classes_.Push({0, 0, 0, 0})) return error->OutOfMemory();
  if (!op_.same || op_.pad_one) return true;
  Array<Outside> by_row, by_column;
  Array<int32_t> row_kind, column_kind;
  const auto number = [](const Axis& axis, Array<int32_t>* kind, Array<Outside>* kinds) {
    if (!kind->Reset(axis.output) || !kinds->Push({0, 0, 0, 0})) return false;
    for (int32_t p = 0; p < axis.output; ++p) {
      int32_t before, after;
      axis.Outside(p, &before, &after);
      size_t k = 0;
      while (k < kinds->size() && ((*kinds)[k].top != before || (*kinds)[k].bottom != after)) ++k;
      if (k == kinds->size() && !kinds->Push({before, after, 0, 0})) return false;
      (*kind)[p] = static_cast<int32_t>(k);
    }
    return true;
  };
  if (!number(rows_, &row_kind, &by_row) || !number(columns_, &column_kind, &by_column)) {
    return error->OutOfMemory();
  }
  const size_t count = by_row.size() * by_column.size();
  if (count == 1) return true;  // the window never leaves the image
  if (count > 65535) return error->Set("the border has %zu kinds of pixels", count);
  if (!classes_.Reset(count) || !pixel_class_.Reset(pixel_offset_.size())) {
    return error->OutOfMemory();
  }
  for (size_t r = 0; r < by_row.size(); ++r) {
    for (size_t c = 0; c < by_column.size(); ++c) {
      classes_[r * by_column.size() + c] = {by_row[r].top, by_row[r].bottom, by_column[c].top,
                                            by_column[c].bottom};
    }
  }
  uint16_t* next = pixel_class_.data();
  for (int32_t y = 0; y < rows_.output; ++y) {
    for (int32_t x = 0; x < columns_.output; ++x) {
      *next++ = static_cast<uint16_t>(row_kind[y] * by_column.size() + column_kind[x]);
    }
  }
  return true;
}

// The tables of corrections and thresholds, one row a class.
bool BconvPlan::FillClasses(Error* error) {
  const bool bits = shape_.output == OutputKind::kBits;
  const bool small_image = rows_.input < rows_.window || columns_.input < columns_.window;
  // LCE's fast kernels, which correct in floats, take neither of these.
  integer_classes_ = op_.output != OutputKind::kFloat || exactness_ == Exactness::kKeras ||
                     op_.activation != 0 || small_image;
  simple_ = unclamped_ && offset_ == 0 && (classes_.size() == 1 || !integer_classes_);
  const size_t stride = static_cast<size_t>(groups_) * padded_out_;
  size_t size;
  if (!Multiply(stride, classes_.size(), &size)) return error->OutOfMemory();
  const bool corrected = classes_.size() > 1 && !bits;
  if (!threshold_.Reset(bits ? size : 0) ||
      !class_add_.Reset(corrected && integer_classes_ ? size : 0) ||
      !class_add_float_.Reset(corrected && !integer_classes_ ? size : 0)) {
    return error->OutOfMemory();
  }
  if (!bits && !corrected) return true;
  for (int32_t& threshold : threshold_) threshold = INT32_MAX;
  const int32_t height = op_.kernel_height, width = op_.kernel_width, words = op_.group_words;
  // before[y][x]: sum of the weights of all taps above y and left of x.
  Array<int32_t> before;
  const size_t row = static_cast<size_t>(width) + 1;
  if (!before.Reset((static_cast<size_t>(height) + 1) * row)) return error->OutOfMemory();
  for (int32_t o = 0; o < op_.out_channels; ++o) {
    if (classes_.size() > 1) {
      const uint32_t* w = op_.weights + static_cast<size_t>(o) * height * width * words;
      for (int32_t y = 0; y < height; ++y) {
        int32_t line = 0;
        for (int32_t x = 0; x < width; ++x) {
          line += group_in_;
          for (int32_t i = 0; i < words; ++i) line -= 2 * PopCount(*w++);
          before[(y + 1) * row + x + 1] = before[y * row + x + 1] + line;
        }
      }
    }
    for (size_t c = 0; c < classes_.size(); ++c) {
      const Outside& outside = classes_[c];
      int32_t sum = 0;
      if (c > 0) {
        const int32_t top = outside.top, bottom = height - outside.bottom;
        const int32_t left = outside.left, right = width - outside.right;
        sum = before[height * row + width];
        if (top < bottom && left < right) {
          sum -= before[bottom * row + right] - before[top * row + right] -
                 before[bottom * row + left] + before[top * row + left];
        }
      }
      const size_t i = c * stride + Index(o);
      if (bits && fused_sign_) {
        threshold_[i] = SignThreshold(o, sum, c > 0);
      } else if (bits) {
        const int32_t given = op_.threshold[o];
        const bool constant = given == INT32_MIN || given == INT32_MAX;
        threshold_[i] = constant ? given : HalfSaturated(2 * int64_t{given} - sum);
      } else if (integer_classes_) {
        class_add_[i] = sum;
      } else if (c > 0) {
        class_add_float_[i] = -op_.multiplier[o] * static_cast<float>(sum);
      }
    }
  }
  return true;
}

// Whether steps(y) < 0, computed exactly as the kernel and the absorbed operators would.
bool BconvPlan::IsNegative(int32_t acc, int32_t channel, int32_t sum_outside, bool border) const {
  int32_t t = 2 * acc + offset_ + (integer_classes_ ? sum_outside : 0);
  t = Max(Min(t, clamp_max_), clamp_min_);
  float y = static_cast<float>(t) * multiplier_[Index(channel)];
  y = y + bias_[Index(channel)];
  if (border && !integer_classes_) {
    y = y + -op_.multiplier[channel] * static_cast<float>(sum_outside);
  }
  for (const SignStep& step : steps_) {
    const float c = step.constant == nullptr ? 0 : step.constant[step.per_channel ? channel : 0];
    switch (step.kind) {
      case SignStep::kClamp:
        y = Min(Max(y, step.min), step.max);
        break;
      case SignStep::kMultiply:
        y = y * c;
        break;
      case SignStep::kAdd:
        y = y + c;
        break;
      case SignStep::kMaxPool:
        break;  // a monotone function's sign can be pooled instead
    }
  }
  return y < 0;
}

// The largest acc for which the kernel's comparison has to be false. Both the steps and their
// roundings are monotone, so there is one; found by bisection instead of algebra, which would
// have to reproduce the roundings.
int32_t BconvPlan::SignThreshold(int32_t channel, int32_t sum_outside, bool border) const {
  const auto above = [&](int32_t acc) {
    return IsNegative(acc, channel, sum_outside, border) == (decreases_[channel] != 0);
  };
  int32_t below_end = 0, above_end = shape_.bits;
  if (!above(above_end)) return INT32_MAX;
  if (above(below_end)) return INT32_MIN;
  while (above_end - below_end > 1) {
    const int32_t middle = below_end + (above_end - below_end) / 2;
    (above(middle) ? above_end : below_end) = middle;
  }
  return below_end;
}

int64_t BconvPlan::binary_macs() const {
  return batch_ * rows_.output * columns_.output * op_.out_channels * shape_.bits;
}

// ---------------------------------------------------------------------------------------------

struct BconvPlan::Job {
  const BconvPlan* plan;
  const uint32_t* image;
  uint8_t* buffer;
  BconvArgs args;
  int32_t rows_per_unit;
  int32_t pixels, pixels_per_unit, pixel_units, blocks_per_unit;
};

// Brings rows of the image into the buffer, with +1 (zero bits) around.
void BconvPlan::CopyRows(void* context, int32_t unit) {
  const Job& job = *static_cast<const Job*>(context);
  const BconvPlan& plan = *job.plan;
  const bool nibbles = plan.kernel_->input_form == InputForm::kNibbles;
  const size_t size = nibbles ? 1 : 4;
  const int32_t top = plan.rows_.pad_before, left = plan.columns_.pad_before;
  const int32_t inside = Min(plan.columns_.input, plan.columns_.extent - left);
  const int32_t right = plan.columns_.extent - left - inside;
  const int32_t end = Min(plan.rows_.extent, (unit + 1) * job.rows_per_unit);
  for (int32_t y = unit * job.rows_per_unit; y < end; ++y) {
    uint8_t* row = job.buffer + size * y * plan.row_elements_;
    if (y < top || y - top >= plan.rows_.input) {
      memset(row, 0, size * plan.row_elements_);
      continue;
    }
    const uint32_t* source =
        job.image + static_cast<size_t>(y - top) * plan.columns_.input * plan.words_;
    uint8_t* begin = row + size * left * plan.pixel_elements_;
    memset(row, 0, begin - row);
    if (nibbles) {
      plan.expand_->run(source, begin, inside, plan.words_, plan.pixel_elements_);
    } else {
      memcpy(begin, source, size_t{4} * inside * plan.words_);
    }
    memset(begin + size * inside * plan.pixel_elements_, 0, size * right * plan.pixel_elements_);
  }
}

void BconvPlan::Compute(void* context, int32_t unit) {
  const Job& job = *static_cast<const Job*>(context);
  const BconvPlan& plan = *job.plan;
  const int32_t pixel_begin = unit % job.pixel_units * job.pixels_per_unit;
  const int32_t pixel_end = Min(job.pixels, pixel_begin + job.pixels_per_unit);
  const int32_t block_begin = unit / job.pixel_units * job.blocks_per_unit;
  const int32_t block_end = Min(plan.blocks_, block_begin + job.blocks_per_unit);
  const int32_t step = ChunkPixels(plan.packed_bytes_, plan.kernel_->pixel_tile);
  for (int32_t p = pixel_begin; p < pixel_end; p += step) {
    plan.kernel_->run(&job.args, p, Min(pixel_end, p + step), block_begin, block_end);
  }
}

void BconvPlan::Run(const uint32_t* input, void* output, const BconvFusion& fusion, void* scratch,
                    ThreadPool* pool) const {
  const bool bits = shape_.output == OutputKind::kBits;
  const bool merge = bits && !can_write_bits();
  const int32_t threads = pool->threads();
  const int32_t group_out_words = DivideUp(group_out_, 32);
  const int32_t out_words = DivideUp(op_.out_channels, 32);
  const size_t element = op_.output == OutputKind::kInt8 ? 1 : 4;
  const size_t image_in = static_cast<size_t>(rows_.input) * columns_.input * words_;

  Job job;
  job.plan = this;
  job.buffer = static_cast<uint8_t*>(scratch);
  job.pixels = rows_.output * columns_.output;
  uint32_t* group_bits = reinterpret_cast<uint32_t*>(job.buffer + buffer_bytes_);

  // Share out pixels or blocks of channels, whichever is more even.
  const int32_t tiles = DivideUp(job.pixels, kernel_->pixel_tile);
  const double pixel_load = 1.0 * DivideUp(tiles, threads) / tiles;
  const double block_load = 1.0 * DivideUp(blocks_, threads) / blocks_;
  const bool by_pixel = pixel_load <= block_load + 1e-9;
  const int64_t worth = binary_macs() / (batch_ * groups_) / kMinUnitMacs;
  const int32_t most = static_cast<int32_t>(Min<int64_t>(worth, ThreadPool::kMaxUnits));
  job.pixels_per_unit =
      by_pixel ? pool->PartsPerUnit(tiles, most) * kernel_->pixel_tile : job.pixels;
  job.pixel_units = DivideUp(job.pixels, job.pixels_per_unit);
  job.blocks_per_unit = by_pixel ? blocks_ : pool->PartsPerUnit(blocks_, most);
  const int32_t units = job.pixel_units * DivideUp(blocks_, job.blocks_per_unit);
  job.rows_per_unit = buffer_bytes_ < 32768 ? rows_.extent : DivideUp(rows_.extent, threads);

  BconvArgs& args = job.args;
  memset(&args, 0, sizeof args);
  args.pixel_offset = pixel_offset_.data();
  args.segment_offset = segment_offset_.data();
  args.element_offset = element_offset_.data();
  args.segments = shape_.segments;
  args.segment_elements = shape_.segment_elements;
  args.out_channels = group_out_;
  BconvTransform& transform = args.transform;
  transform.simple = simple_;
  transform.offset = offset_;
  transform.clamp_min = clamp_min_;
  transform.clamp_max = clamp_max_;
  transform.pixel_class = classes_.size() > 1 ? pixel_class_.data() : nullptr;
  transform.class_stride = groups_ * padded_out_;
  transform.pre_clamp = fusion.pre_clamp;
  transform.pre_min = fusion.pre_min;
  transform.pre_max = fusion.pre_max;
  transform.post_clamp = fusion.post_clamp;
  transform.post_min = fusion.post_min;
  transform.post_max = fusion.post_max;
  transform.bits_stride = out_words;
  args.out_stride = merge ? group_out_words : bits ? out_words : op_.out_channels;

  const size_t image_out = static_cast<size_t>(job.pixels) * (bits ? out_words : op_.out_channels);
  for (int64_t n = 0; n < batch_; ++n) {
    job.image = input + n * image_in;
    if (!direct_) pool->Run(CopyRows, &job, DivideUp(rows_.extent, job.rows_per_unit));
    uint8_t* image_output =
        output == nullptr ? nullptr : static_cast<uint8_t*>(output) + element * n * image_out;
    uint32_t* image_bits = fusion.bits == nullptr
                               ? nullptr
                               : fusion.bits + static_cast<size_t>(n) * job.pixels * out_words;
    if (image_bits != nullptr && group_out_ % 32 != 0) {
      // Kernels with narrow blocks write only the bytes of their own channels.
      memset(image_bits, 0, size_t{4} * job.pixels * out_words);
    }
    for (int32_t g = 0; g < groups_; ++g) {
      const int32_t first = g * group_out_;
      const int32_t padded = g * padded_out_;
      const size_t input_offset = static_cast<size_t>(g) * (pixel_elements_ / groups_);
      if (direct_) {
        args.input = job.image + input_offset;
      } else if (kernel_->input_form == InputForm::kNibbles) {
        args.input = job.buffer + input_offset;
      } else {
        args.input = reinterpret_cast<const uint32_t*>(job.buffer) + input_offset;
      }
      args.weights = packed_.data() + g * packed_bytes_;
      const auto at = [padded](const auto& array) {
        return array.size() == 0 ? nullptr : array.data() + padded;
      };
      transform.multiplier = at(simple_ ? multiplier_twice_ : multiplier_);
      transform.bias = at(bias_);
      transform.class_add = at(class_add_);
      transform.class_add_float = at(class_add_float_);
      transform.threshold = at(threshold_);
      transform.invert = invert_.size() == 0 ? nullptr : invert_.data() + g * group_out_words;
      if (merge) {
        args.output = group_bits + static_cast<size_t>(g) * job.pixels * group_out_words;
      } else if (bits) {
        args.output = image_output + 4 * (first / 32);
      } else {
        args.output = image_output == nullptr ? nullptr : image_output + element * first;
        if (fusion.residual != nullptr) {
          transform.residual = fusion.residual + n * image_out + first;
        }
        if (image_bits != nullptr) transform.bits = image_bits + first / 32;
      }
      pool->Run(Compute, &job, units);
    }
    if (merge) MergeBits(group_bits, reinterpret_cast<uint32_t*>(image_output));
  }
}

// Groups whose channels do not fill whole words, brought together.
void BconvPlan::MergeBits(const uint32_t* groups, uint32_t* output) const {
  const size_t pixels = static_cast<size_t>(rows_.output) * columns_.output;
  const int32_t group_words = DivideUp(group_out_, 32), words = DivideUp(op_.out_channels, 32);
  memset(output, 0, 4 * pixels * words);
  for (int32_t o = 0; o < op_.out_channels; ++o) {
    const int32_t in_group = o % group_out_;
    const uint32_t* source = groups + o / group_out_ * pixels * group_words + in_group / 32;
    for (size_t p = 0; p < pixels; ++p) {
      output[p * words + o / 32] |= (source[p * group_words] >> in_group % 32 & 1) << o % 32;
    }
  }
}

}  // namespace lce

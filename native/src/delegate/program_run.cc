// One inference.
#include <time.h>

#include "core/denormals.h"
#include "core/float_ops.h"
#include "delegate/program.h"

namespace lce {
namespace {

// Fewer values than this are not worth waking another thread for.
constexpr size_t kMinParallel = 65536;

int64_t Now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

// Calls run(begin, end) for parts of [0, count).
template <typename F>
void Parallel(ThreadPool* pool, size_t count, size_t work, F&& run) {
  struct Job {
    F* run;
    size_t count, per_unit;
  } job{&run, count, count};
  int32_t units = 1;
  if (work >= kMinParallel && pool->threads() > 1) {
    job.per_unit = (count + pool->threads() - 1) / pool->threads();
    units = static_cast<int32_t>((count + job.per_unit - 1) / job.per_unit);
  }
  const auto unit = [](void* context, int32_t i) {
    const Job& j = *static_cast<Job*>(context);
    const size_t begin = i * j.per_unit;
    (*j.run)(begin, Min(j.count, begin + j.per_unit));
  };
  pool->Run(unit, &job, units);
}

}  // namespace

void* Program::Data(int index) const {
  const Slot& slot = slots_[index];
  if (slot.used && slot.owned) return const_cast<uint8_t*>(memory_.data()) + slot.offset;
  const tfl::Tensor& tensor = context_->tensors[index];
  return tensor.bytes < slot.bytes ? nullptr : tensor.data;
}

bool Program::Execute(const Step& step, ThreadPool* pool, Error* error) const {
  const Slot& in = slots_[step.input];
  const void* x = Data(step.input);
  void* y = step.output < 0 ? nullptr : Data(step.output);
  uint32_t* bits = step.bits < 0 ? nullptr : static_cast<uint32_t*>(Data(step.bits));
  const void* other = step.other < 0 ? nullptr : Data(step.other);
  if (x == nullptr || (y == nullptr && step.output >= 0) || (bits == nullptr && step.bits >= 0) ||
      (other == nullptr && step.other >= 0)) {
    return error->Set("a tensor has no memory, or less than its shape takes");
  }
  size_t pixels = 1;
  for (int i = 0; i + 1 < in.rank; ++i) pixels *= in.dims[i];
  const int32_t in_channels = static_cast<int32_t>(in.dims[in.rank - 1]);
  switch (step.op) {
    case Op::kQuantize: {
      const int element = in.type == tfl::kFloat32 ? kElementFloat
                          : in.type == tfl::kInt8  ? kElementInt8
                                                   : kElementBool;
      const size_t size = in.type == tfl::kFloat32 ? 4 : 1;
      const int32_t words = DivideUp(in_channels, 32);
      const int32_t zero_point = context_->tensors[step.input].params.zero_point;
      Parallel(pool, pixels, pixels * in_channels, [&](size_t begin, size_t end) {
        kernels_.quantize[element]->run(static_cast<const uint8_t*>(x) + begin * in_channels * size,
                                        static_cast<uint32_t*>(y) + begin * words, end - begin,
                                        in_channels, zero_point);
      });
      return true;
    }
    case Op::kDequantize: {
      const Slot& out = slots_[step.output];
      const tfl::Quantization& quantization = context_->tensors[step.output].params;
      const int32_t channels = static_cast<int32_t>(out.dims[out.rank - 1]);
      const float one = 1, minus_one = -1;
      uint8_t plus_byte = 1, minus_byte = 0;  // of bool
      int element = out.type == tfl::kFloat32 ? kElementFloat : kElementBool;
      if (out.type == tfl::kInt8) {
        element = kElementInt8;
        // Past 255 the values saturate whatever the zero point is.
        const int32_t offset = static_cast<int32_t>(Min(1.0f / quantization.scale + 0.5f, 512.0f));
        const int64_t zero_point = quantization.zero_point;
        plus_byte =
            static_cast<uint8_t>(Min<int64_t>(127, Max<int64_t>(zero_point + offset, -128)));
        minus_byte =
            static_cast<uint8_t>(Max<int64_t>(-128, Min<int64_t>(zero_point - offset, 127)));
      }
      const bool is_float = element == kElementFloat;
      kernels_.dequantize[element]->run(
          static_cast<const uint32_t*>(x), y, pixels, channels,
          is_float ? static_cast<const void*>(&one) : &plus_byte,
          is_float ? static_cast<const void*>(&minus_one) : &minus_byte);
      return true;
    }
    case Op::kBconv: {
      BconvFusion fusion;
      fusion.pre_clamp = step.pre_clamp;
      fusion.pre_min = step.pre_min;
      fusion.pre_max = step.pre_max;
      fusion.residual = static_cast<const float*>(other);
      fusion.post_clamp = step.clamped;
      fusion.post_min = step.min;
      fusion.post_max = step.max;
      fusion.bits = bits;
      step.conv->Run(static_cast<const uint32_t*>(x), y, fusion,
                     const_cast<uint8_t*>(scratch_.data()), pool);
      return true;
    }
    case Op::kBmaxpool: {
      BmaxpoolArgs args;
      args.height = step.rows.input;
      args.width = step.columns.input;
      args.words = in_channels;
      args.out_height = step.rows.output;
      args.out_width = step.columns.output;
      args.filter_height = step.rows.kernel;
      args.filter_width = step.columns.kernel;
      args.stride_height = step.rows.stride;
      args.stride_width = step.columns.stride;
      args.pad_top = step.rows.pad_before;
      args.pad_left = step.columns.pad_before;
      const size_t image_in = static_cast<size_t>(args.height) * args.width * args.words;
      const size_t image_out = static_cast<size_t>(args.out_height) * args.out_width * args.words;
      for (int64_t n = 0; n < in.dims[0]; ++n) {
        args.input = static_cast<const uint32_t*>(x) + n * image_in;
        args.output = static_cast<uint32_t*>(y) + n * image_out;
        kernels_.bmaxpool->run(&args, 0, args.out_height);
        for (size_t i = 0; step.flip != nullptr && i < image_out; ++i) {
          args.output[i] ^= step.flip[i % args.words];
        }
      }
      return true;
    }
    case Op::kAddTensors: {
      AddArgs args;
      args.a = static_cast<const float*>(x);
      args.b = static_cast<const float*>(other);
      args.output = static_cast<float*>(y);
      args.bits = bits;
      args.channels = in_channels;
      args.min = step.min;
      args.max = step.max;
      Parallel(pool, pixels, pixels * in_channels,
               [&](size_t begin, size_t end) { kernels_.add->run(&args, begin, end); });
      return true;
    }
    case Op::kAffine: {
      const tfl::Tensor* tensor = step.constant < 0 ? nullptr : &context_->tensors[step.constant];
      const float* constant = tensor == nullptr ? nullptr : static_cast<const float*>(tensor->data);
      const int32_t constants = tensor == nullptr ? 0 : static_cast<int32_t>(tensor->bytes / 4);
      if (tensor != nullptr && constants != 1 && constants != in_channels) {
        return error->Set("a constant does not fit the channels");
      }
      AffineClamp(static_cast<const float*>(x), static_cast<float*>(y), pixels, in_channels,
                  step.multiply ? constant : nullptr, step.multiply ? nullptr : constant, constants,
                  step.min, step.max);
      return true;
    }
    case Op::kMaxPool:
      MaxPool(static_cast<const float*>(x), static_cast<float*>(y), step.rows, step.columns,
              in.dims[0], in_channels, step.min, step.max);
      return true;
    case Op::kForeign:
      break;
  }
  return error->Set("cannot be run by this delegate");
}

bool Program::Invoke(tfl::Context* context, ThreadPool* pool, Error* error) {
  context_ = context;
  const FlushDenormals flush;
  if (!prepared_) return error->Set("invoked without a successful preparation");
  if (options_.fail_invoke) return error->Set("failure asked for by option fault=invoke");
  for (Step& step : steps_) {
    const int64_t begin = options_.profiling ? Now() : 0;
    if (!Execute(step, pool, error)) return AtNode(step.op, step.node, error);
    if (!options_.profiling) continue;
    const int64_t time = Now() - begin;
    step.min_ns = step.calls == 0 ? time : Min(step.min_ns, time);
    step.total_ns += time;
    ++step.calls;
  }
  return true;
}

}  // namespace lce

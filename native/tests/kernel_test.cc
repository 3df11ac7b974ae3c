// Every kernel of kernels.inc that this CPU can run, against plain loops, on random cases.
//   kernel_test [--seed N] [--rounds N] [--kernel NAME]
// Round r of seed s is round 0 of seed s + r, so a failure is reproduced by one number. Kernels
// that cannot run here are named as skipped; the last line counts.
#include "kernel_test.h"

#include "cpu.h"
#include "kernels/kernels.h"

namespace lce {
namespace testing {

char reproduce[256];
int failures = 0;

namespace {

bool TestKernel(const BconvKernel& kernel, Random* random, Tally* tally) {
  return TestBconv(kernel, random, tally);
}

bool TestKernel(const ExpandKernel& kernel, Random* random, Tally* tally) {
  ++tally->ran;
  const int32_t pixels = random->Int(0, 40), nibbles = random->Int(1, random->OneIn(2) ? 9 : 140);
  const int32_t words = (nibbles + 7) / 8;
  Buffer<uint32_t> input(static_cast<size_t>(pixels) * words, random->Int(0, 15));
  for (size_t i = 0; i < input.size(); ++i) input[i] = static_cast<uint32_t>(random->Next());
  const size_t size = static_cast<size_t>(pixels) * nibbles;
  Buffer<uint8_t> output(size, random->Int(0, 63)), expected(size);
  for (size_t i = 0; i < size; ++i) {
    const size_t j = i % nibbles;
    expected[i] = static_cast<uint8_t>((input[i / nibbles * words + j / 8] >> j % 8 * 4) << 4);
  }
  kernel.run(input.data(), output.data(), pixels, words, nibbles);
  const int64_t at = FirstDifference(output, expected);
  LCE_CHECK(at < 0, "byte %d of %d pixels of %d is %x, expected %x", (int)at, pixels, nibbles,
            output[at], expected[at]);
  LCE_CHECK(output.Intact(), "written before the output");
  return true;
}

bool TestKernel(const QuantizeKernel& kernel, Random* random, Tally* tally) {
  ++tally->ran;
  const int32_t pixels = random->Int(0, 40);
  int32_t channels = random->Int(1, random->OneIn(2) ? 40 : 300);
  if (random->OneIn(3)) channels = (channels + 31) / 32 * 32;
  int32_t zero_point = random->Int(-130, 130);
  if (random->OneIn(8)) zero_point = random->OneIn(2) ? INT32_MIN : INT32_MAX;
  const size_t count = static_cast<size_t>(pixels) * channels, words = (channels + 31) / 32;
  Buffer<float> floats(count, random->Int(0, 15));
  Buffer<int8_t> bytes(count, random->Int(0, 63));
  Buffer<uint32_t> output(pixels * words, random->Int(0, 15)), expected(pixels * words);
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = 0;
  for (size_t i = 0; i < count; ++i) {
    floats[i] = random->Value(1.0f, true);
    bytes[i] = static_cast<int8_t>(random->Int(-128, 127));
    bool bit = floats[i] < 0;
    if (kernel.type == kElementInt8) bit = bytes[i] < zero_point;
    if (kernel.type == kElementBool) bytes[i] &= 1, bit = bytes[i] == 0;
    const size_t c = i % channels;
    expected[i / channels * words + c / 32] |= static_cast<uint32_t>(bit) << c % 32;
  }
  const void* input = bytes.data();
  if (kernel.type == kElementFloat) input = floats.data();
  kernel.run(input, output.data(), pixels, channels, zero_point);
  const int64_t at = FirstDifference(output, expected);
  LCE_CHECK(at < 0, "word %d of %d pixels of %d channels is %x, expected %x", (int)at, pixels,
            channels, output[at], expected[at]);
  LCE_CHECK(output.Intact(), "written before the output");
  return true;
}

template <typename T>
bool TestDequantize(const DequantizeKernel& kernel, T plus, T minus, Random* random) {
  const int32_t pixels = random->Int(0, 40), channels = random->Int(1, random->OneIn(2) ? 40 : 300);
  const size_t count = static_cast<size_t>(pixels) * channels, words = (channels + 31) / 32;
  Buffer<uint32_t> input(pixels * words, random->Int(0, 15));
  for (size_t i = 0; i < input.size(); ++i) input[i] = static_cast<uint32_t>(random->Next());
  Buffer<T> output(count, random->Int(0, 15)), expected(count);
  for (size_t i = 0; i < count; ++i) {
    const size_t c = i % channels;
    const bool bit = input[i / channels * words + c / 32] >> c % 32 & 1;
    expected[i] = bit ? minus : plus;
  }
  kernel.run(input.data(), output.data(), pixels, channels, &plus, &minus);
  const int64_t at = FirstDifference(output, expected);
  LCE_CHECK(at < 0, "value %d of %d pixels of %d channels", (int)at, pixels, channels);
  LCE_CHECK(output.Intact(), "written before the output");
  return true;
}

bool TestKernel(const DequantizeKernel& kernel, Random* random, Tally* tally) {
  ++tally->ran;
  const int32_t a = random->Int(-128, 127), b = random->Int(-128, 127);
  switch (kernel.type) {
    case kElementFloat:
      return TestDequantize<float>(kernel, random->Value(2, true), random->Value(2, true), random);
    case kElementInt8:
      return TestDequantize<int8_t>(kernel, static_cast<int8_t>(a), static_cast<int8_t>(b), random);
    default:
      return TestDequantize<uint8_t>(kernel, a & 1, b & 1, random);
  }
}

bool TestKernel(const BmaxpoolKernel& kernel, Random* random, Tally* tally) {
  BmaxpoolArgs a;
  a.words = random->Int(1, random->OneIn(2) ? 4 : 40);
  a.height = random->Int(1, 12);
  a.width = random->Int(1, 12);
  a.filter_height = random->Int(1, 4);
  a.filter_width = random->Int(1, 4);
  a.stride_height = random->Int(1, 3);
  a.stride_width = random->Int(1, 3);
  const bool same = random->OneIn(2);
  if (same) {
    a.out_height = (a.height + a.stride_height - 1) / a.stride_height;
    a.out_width = (a.width + a.stride_width - 1) / a.stride_width;
    const int32_t pad_y = (a.out_height - 1) * a.stride_height + a.filter_height - a.height;
    const int32_t pad_x = (a.out_width - 1) * a.stride_width + a.filter_width - a.width;
    a.pad_top = pad_y > 0 ? pad_y / 2 : 0;
    a.pad_left = pad_x > 0 ? pad_x / 2 : 0;
  } else {
    if (a.height < a.filter_height || a.width < a.filter_width) return true;
    a.out_height = (a.height - a.filter_height) / a.stride_height + 1;
    a.out_width = (a.width - a.filter_width) / a.stride_width + 1;
    a.pad_top = a.pad_left = 0;
  }
  ++tally->ran;
  Buffer<uint32_t> input(static_cast<size_t>(a.height) * a.width * a.words, random->Int(0, 15));
  for (size_t i = 0; i < input.size(); ++i) {
    input[i] = static_cast<uint32_t>(random->Next() | random->Next());
  }
  const size_t size = static_cast<size_t>(a.out_height) * a.out_width * a.words;
  Buffer<uint32_t> output(size, random->Int(0, 15)), expected(size);
  const int32_t begin = random->OneIn(2) ? 0 : random->Int(0, a.out_height - 1);
  const int32_t end = random->OneIn(2) ? a.out_height : random->Int(begin, a.out_height);
  const size_t row = static_cast<size_t>(a.out_width) * a.words;
  for (size_t i = begin * row; i < end * row; ++i) {
    const int32_t oy = static_cast<int32_t>(i / row);
    const int32_t ox = static_cast<int32_t>(i % row / a.words);
    uint32_t all = ~0u;
    for (int32_t f = 0; f < a.filter_height * a.filter_width; ++f) {
      const int32_t y = oy * a.stride_height - a.pad_top + f / a.filter_width;
      const int32_t x = ox * a.stride_width - a.pad_left + f % a.filter_width;
      if (y < 0 || x < 0 || y >= a.height || x >= a.width) continue;
      all &= input[(static_cast<size_t>(y) * a.width + x) * a.words + i % a.words];
    }
    expected[i] = all;
  }
  a.input = input.data();
  a.output = output.data();
  kernel.run(&a, begin, end);
  const int64_t at = FirstDifference(output, expected);
  LCE_CHECK(at < 0, "word %d of rows %d..%d, %d words a pixel, is %x, expected %x", (int)at, begin,
            end, a.words, output[at], expected[at]);
  LCE_CHECK(output.Intact(), "written before the output");
  return true;
}

bool TestKernel(const AddKernel& kernel, Random* random, Tally* tally) {
  ++tally->ran;
  const int32_t pixels = random->Int(0, 30);
  int32_t channels = random->Int(1, random->OneIn(2) ? 40 : 200);
  if (random->OneIn(3)) channels = (channels + 15) / 16 * 16;
  const size_t count = static_cast<size_t>(pixels) * channels, words = (channels + 31) / 32;
  const size_t begin = random->OneIn(2) ? 0 : random->Int(0, pixels);
  const size_t end = random->OneIn(2) ? pixels : random->Int(static_cast<int32_t>(begin), pixels);
  Buffer<float> a(count, random->Int(0, 15)), b(count, random->Int(0, 15));
  Buffer<float> output(count, random->Int(0, 15)), expected(count);
  Buffer<uint32_t> bits(pixels * words, random->Int(0, 15)), expected_bits(pixels * words);
  for (size_t i = 0; i < count; ++i) {
    a[i] = random->Value(2.0f, true);
    b[i] = random->OneIn(16) ? -a[i] : random->Value(2.0f, true);
  }
  AddArgs args = {a.data(), b.data(), output.data(), bits.data(), channels, 0, 0};
  args.min = random->OneIn(2) ? -__builtin_inff() : random->Float(-1.0f, 0.5f);
  args.max = random->OneIn(2) ? __builtin_inff() : random->Float(0.5f, 1.0f);
  if (random->OneIn(4)) args.min = 0.0f;
  if (random->OneIn(4)) args.max = -0.5f, args.min = -1.0f;
  if (random->OneIn(3)) args.output = nullptr;
  if (random->OneIn(3)) args.bits = nullptr;
  Buffer<float>* written = &output;
  if (args.output != nullptr && random->OneIn(3)) {
    written = random->OneIn(2) ? &a : &b;
    args.output = written->data();
  }
  expected.CopyFrom(*written);
  for (size_t i = begin * channels; i < end * channels; ++i) {
    float y = a[i] + b[i];
    if (y < args.min) y = args.min;
    if (y > args.max) y = args.max;
    if (args.output != nullptr) expected[i] = y;
    const size_t c = i % channels, at = i / channels * words + c / 32;
    if (args.bits == nullptr) continue;
    if (c % 32 == 0) expected_bits[at] = 0;
    expected_bits[at] |= static_cast<uint32_t>(y < 0) << c % 32;
  }
  kernel.run(&args, begin, end);
  const int64_t at = FirstDifference(*written, expected);
  LCE_CHECK(at < 0, "value %d of %d channels is %a, expected %a", (int)at, channels, (*written)[at],
            expected[at]);
  const int64_t bit_at = FirstDifference(bits, expected_bits);
  LCE_CHECK(bit_at < 0, "word %d of %d channels is %x, expected %x", (int)bit_at, channels,
            bits[bit_at], expected_bits[bit_at]);
  LCE_CHECK(a.Intact() && b.Intact() && output.Intact() && bits.Intact(), "written before");
  return true;
}

struct Options {
  uint64_t seed = 1;
  int32_t rounds = 300;
  const char* kernel = nullptr;
};

struct Summary {
  int32_t matched = 0, passed = 0, failed = 0, skipped = 0;
};

template <typename Kernel>
void TestRow(const Kernel& kernel, Isa isa, const char* row, const Options& options,
             Summary* summary) {
  if (options.kernel != nullptr && strcmp(options.kernel, row) != 0) return;
  ++summary->matched;
  if (strcmp(kernel.name, row) != 0 || kernel.isa != isa) {
    fprintf(stderr, "FAILED  %s: the kernel says %s, isa %d\n", row, kernel.name,
            static_cast<int>(kernel.isa));
    ++summary->failed;
    return;
  }
  if (!CpuHas(isa)) {
    printf("SKIPPED %s: this CPU cannot run it\n", row);
    ++summary->skipped;
    return;
  }
  Tally tally;
  bool ok = true;
  for (int32_t round = 0; round < options.rounds && ok; ++round) {
    const uint64_t seed = options.seed + round;
    snprintf(reproduce, sizeof(reproduce), "--seed %llu --rounds 1 --kernel %s",
             static_cast<unsigned long long>(seed), row);
    Random random(seed);
    ok = TestKernel(kernel, &random, &tally);
  }
  // One round may well be a refused one; a kernel that refuses all of many is not tested.
  ok = ok && (tally.ran > 0 || options.rounds < 10);
  ok ? ++summary->passed : ++summary->failed;
  printf("%s %s: %d cases, %d refused\n", ok ? "passed " : "FAILED ", row, tally.ran,
         tally.refused);
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (value != nullptr && strcmp(argv[i], "--seed") == 0) {
      options.seed = strtoull(value, nullptr, 10);
    } else if (value != nullptr && strcmp(argv[i], "--rounds") == 0) {
      options.rounds = static_cast<int32_t>(strtol(value, nullptr, 10));
    } else if (value != nullptr && strcmp(argv[i], "--kernel") == 0) {
      options.kernel = value;
    } else {
      fprintf(stderr, "usage: kernel_test [--seed N] [--rounds N] [--kernel NAME]\n");
      return 2;
    }
  }
  printf("seed %llu, %d rounds\n", static_cast<unsigned long long>(options.seed), options.rounds);
  Summary summary;
#define LCE_KERNEL(type, name, isa) TestRow<type>(name, Isa::isa, #name, options, &summary);
#include "kernels/kernels.inc"
#undef LCE_KERNEL
  if (summary.matched == 0) {
    fprintf(stderr, "no kernel is named %s\n", options.kernel);
    return 2;
  }
  printf("%d kernels passed, %d failed, %d skipped\n", summary.passed, summary.failed,
         summary.skipped);
  return summary.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace testing
}  // namespace lce

int main(int argc, char** argv) { return lce::testing::Main(argc, argv); }

// One round of a binary convolution kernel: a random shape, buffers of exactly the size that
// kernel.h grants, and the transform of kernel.h written as plain loops.
#include "kernel_test.h"

namespace lce {
namespace testing {
namespace {

constexpr size_t kPackedAlignment = 64;

int32_t DivideUp(int32_t a, int32_t b) { return (a + b - 1) / b; }

// Half away from zero, by the definition: the nearest integer, of two the larger in magnitude.
int8_t RoundReference(float y) {
  if (y != y) return 0;
  if (y >= 127.0f) return 127;
  if (y <= -128.0f) return -128;
  int best = -128;
  for (int i = -128; i <= 127; ++i) {
    const double now = __builtin_fabs(static_cast<double>(y) - i);
    const double before = __builtin_fabs(static_cast<double>(y) - best);
    if (now < before || (now == before && __builtin_abs(i) > __builtin_abs(best))) best = i;
  }
  return static_cast<int8_t>(best);
}

float ClampReference(float y, float lo, float hi) {
  if (y < lo) y = lo;
  if (y > hi) y = hi;
  return y;
}

struct Setup {
  BconvShape shape;
  int32_t taps;       // of a segment
  int32_t channels;   // of a tap
  int32_t positions;  // taps in the input
  int32_t pixels, padded_out, words_out;
  int32_t pixel_begin, pixel_end, block_begin, block_end;
};

Setup RandomSetup(const BconvKernel& kernel, Random* random) {
  Setup s;
  const bool long_window = random->OneIn(16);  // counts beyond 16 bits, or just below
  s.shape.out_channels = long_window ? random->Int(1, 9) : random->Int(1, 130);
  if (random->OneIn(3)) s.shape.out_channels = (s.shape.out_channels + 15) & ~15;
  s.shape.word_group = long_window ? 16 : random->Int(1, random->OneIn(2) ? 16 : 3);
  s.channels = s.shape.word_group * 32 - (random->OneIn(2) ? 0 : random->Int(0, 31));
  s.shape.nibble_group = DivideUp(s.channels, 4);
  s.shape.segments = random->Int(1, 9);
  s.taps = random->Int(1, 5);
  if (long_window) {
    s.shape.segments = 1;
    s.taps = random->Int(126, 129);
  }
  s.shape.segment_words = s.taps * s.shape.word_group;
  const bool nibbles = kernel.input_form == InputForm::kNibbles;
  s.shape.segment_elements = nibbles ? s.taps * s.shape.nibble_group : s.shape.segment_words;
  s.shape.bits = s.shape.segments * s.taps * s.channels;
  s.shape.output = kernel.output;
  s.words_out = DivideUp(s.shape.out_channels, 32);
  const int32_t covered =
      kernel.output == OutputKind::kBits ? 32 * s.words_out : s.shape.out_channels;
  const int32_t blocks = DivideUp(covered, kernel.block_channels);
  s.padded_out = blocks * kernel.block_channels;
  s.pixels = random->Int(1, long_window ? 9 : 33);
  s.pixel_begin = random->OneIn(2) ? 0 : random->Int(0, s.pixels - 1);
  s.pixel_end = random->OneIn(2) ? s.pixels : random->Int(s.pixel_begin, s.pixels);
  s.block_begin = random->OneIn(2) ? 0 : random->Int(0, blocks - 1);
  s.block_end = random->OneIn(2) ? blocks : random->Int(s.block_begin, blocks);
  s.positions = 0;
  return s;
}

// Random bits, or all the same: then every count is 0 or the largest possible.
void FillWords(uint32_t* words, int32_t taps, const Setup& s, int32_t kind, Random* random) {
  const int32_t group = s.shape.word_group;
  for (int32_t i = 0; i < taps * group; ++i) {
    words[i] = kind == 0 ? static_cast<uint32_t>(random->Next()) : kind == 1 ? 0u : ~0u;
    const int32_t used = s.channels - i % group * 32;
    if (used < 32) words[i] &= (1u << used) - 1;
  }
}

void ReferenceSums(const Setup& s, const uint32_t* input, const int32_t* pixel_position,
                   const int32_t* segment_position, const uint32_t* weights,
                   Buffer<int32_t>* sums) {
  const int32_t run = s.shape.segment_words;
  for (int32_t p = 0; p < s.pixels; ++p) {
    for (int32_t o = 0; o < s.shape.out_channels; ++o) {
      int32_t sum = 0;
      for (int32_t k = 0; k < s.shape.segments; ++k) {
        const uint32_t* x = input + (pixel_position[p] + segment_position[k]) * s.shape.word_group;
        const uint32_t* w = weights + (static_cast<size_t>(o) * s.shape.segments + k) * run;
        for (int32_t i = 0; i < run; ++i) sum += __builtin_popcount(x[i] ^ w[i]);
      }
      (*sums)[static_cast<size_t>(p) * s.shape.out_channels + o] = sum;
    }
  }
}

float AffineReference(const BconvTransform& t, int32_t acc, int32_t pixel_class, int32_t o) {
  const size_t at = static_cast<size_t>(pixel_class) * t.class_stride + o;
  volatile float y;  // every step is rounded to float
  if (t.simple) {
    y = static_cast<float>(acc);
  } else {
    int32_t v = 2 * acc + t.offset + (t.class_add != nullptr ? t.class_add[at] : 0);
    if (v < t.clamp_min) v = t.clamp_min;
    if (v > t.clamp_max) v = t.clamp_max;
    y = static_cast<float>(v);
  }
  y = y * t.multiplier[o];
  y = y + t.bias[o];
  if (pixel_class > 0 && t.class_add_float != nullptr) y = y + t.class_add_float[at];
  return y;
}

float FusedReference(const BconvTransform& t, float y, float residual) {
  if (t.pre_clamp) y = ClampReference(y, t.pre_min, t.pre_max);
  if (t.residual != nullptr) y = y + residual;
  if (t.post_clamp) y = ClampReference(y, t.post_min, t.post_max);
  return y;
}

void RandomBounds(Random* random, float* lo, float* hi) {
  *lo = random->OneIn(4) ? -__builtin_inff() : random->OneIn(3) ? 0.0f : -random->Float(0, 9);
  *hi = random->OneIn(4) ? __builtin_inff() : random->OneIn(8) ? 0.0f : random->Float(0, 9);
  if (random->OneIn(8)) *lo = -5.0f, *hi = -1.0f;
}

template <typename T>
void SetPixelBits(Buffer<T>* bits, size_t at, int32_t bit, bool value) {
  uint32_t word = (*bits)[at];
  word &= ~(1u << bit);
  (*bits)[at] = word | static_cast<uint32_t>(value) << bit;
}

// One of the two floats beside `x`, which is not 0.
float NextTo(float x, Random* random) {
  int32_t bits;
  memcpy(&bits, &x, sizeof(bits));
  bits += random->OneIn(2) ? 1 : -1;
  memcpy(&x, &bits, sizeof(bits));
  return x;
}

// Tables of one transform, each of exactly the size that kernel.h grants.
struct Tables {
  Tables(const Setup& s, int32_t class_count, int32_t stride, Random* random)
      : multiplier(s.padded_out, random->Int(0, 3)),
        bias(s.padded_out, random->Int(0, 3)),
        pixel_class(s.pixels, random->Int(0, 3)),
        class_add((class_count - 1) * stride + s.padded_out, random->Int(0, 3)),
        class_add_float(class_add.size(), random->Int(0, 3)),
        threshold(class_add.size(), random->Int(0, 3)),
        invert(s.words_out, random->Int(0, 3)) {}

  Buffer<float> multiplier, bias;
  Buffer<uint16_t> pixel_class;
  Buffer<int32_t> class_add;
  Buffer<float> class_add_float;
  Buffer<int32_t> threshold;
  Buffer<uint32_t> invert;
};

void FillTables(const Setup& s, int32_t class_count, int32_t stride, Tables* tables,
                Random* random) {
  const bool ties = random->OneIn(2);  // values that lie on half integers
  const float range = 300.0f / static_cast<float>(s.shape.bits);
  for (int32_t o = 0; o < s.padded_out; ++o) {
    const bool used = o < s.shape.out_channels;
    float m = random->Value(range, random->OneIn(4)), b = random->Value(100.0f, true);
    if (ties) m = 0.5f * random->Int(-2, 2), b = 0.5f * random->Int(-s.shape.bits, s.shape.bits);
    if (ties && random->OneIn(4)) m = 0.0f, b = NextTo(0.5f + random->Int(-130, 130), random);
    tables->multiplier[o] = used ? m : 0.0f;
    tables->bias[o] = used ? b : 0.0f;
  }
  for (int32_t p = 0; p < s.pixels; ++p) {
    tables->pixel_class[p] = static_cast<uint16_t>(random->Int(0, class_count - 1));
  }
  for (size_t i = 0; i < tables->class_add.size(); ++i) {
    const bool used = static_cast<int32_t>(i % stride) < s.shape.out_channels;
    const bool corrects = used && static_cast<int32_t>(i) >= stride;
    tables->class_add[i] = corrects ? random->Int(-s.shape.bits, s.shape.bits) : 0;
    tables->class_add_float[i] = corrects ? random->Float(-50.0f, 50.0f) : 0.0f;
    tables->threshold[i] = random->Int(-1, s.shape.bits);
    if (random->OneIn(2)) tables->threshold[i] = s.shape.bits / 2 + random->Int(-9, 9);
    if (random->OneIn(16)) tables->threshold[i] = random->OneIn(2) ? INT32_MIN : INT32_MAX;
    if (!used) tables->threshold[i] = INT32_MAX;
  }
  for (int32_t i = 0; i < s.words_out; ++i) {
    const int32_t used = s.shape.out_channels - 32 * i;
    tables->invert[i] = static_cast<uint32_t>(random->Next());
    if (used < 32) tables->invert[i] &= (1u << used) - 1;
  }
}

BconvTransform RandomTransform(const Setup& s, const Tables& tables, int32_t stride, bool classes,
                               Random* random) {
  BconvTransform t;
  memset(&t, 0, sizeof(t));
  t.simple = random->OneIn(2);
  t.multiplier = tables.multiplier.data();
  t.bias = tables.bias.data();
  t.pixel_class = classes ? tables.pixel_class.data() : nullptr;
  t.class_stride = stride;
  t.class_add_float = classes && random->OneIn(2) ? tables.class_add_float.data() : nullptr;
  t.threshold = tables.threshold.data();
  t.invert = random->OneIn(2) ? tables.invert.data() : nullptr;
  t.clamp_min = INT32_MIN;
  t.clamp_max = INT32_MAX;
  if (!t.simple) {
    t.class_add = classes && random->OneIn(2) ? tables.class_add.data() : nullptr;
    t.offset = random->OneIn(2) ? 0 : -s.shape.bits;
    if (random->OneIn(2)) t.clamp_min = random->Int(-s.shape.bits, s.shape.bits);
    if (random->OneIn(2)) {
      t.clamp_max = random->Int(t.clamp_min < 0 ? 0 : t.clamp_min, 3 * s.shape.bits);
    }
  }
  t.pre_clamp = random->OneIn(3);
  RandomBounds(random, &t.pre_min, &t.pre_max);
  t.post_clamp = random->OneIn(3);
  RandomBounds(random, &t.post_min, &t.post_max);
  return t;
}

bool RunFloat(const BconvKernel& kernel, const Setup& s, BconvArgs* args,
              const Buffer<int32_t>& sums, Random* random) {
  BconvTransform* t = &args->transform;
  const int32_t out = s.shape.out_channels;
  args->out_stride = out + (random->OneIn(2) ? 0 : random->Int(1, 20));
  const size_t size = static_cast<size_t>(s.pixels - 1) * args->out_stride + out;
  Buffer<float> output(size, random->Int(0, 15)), expected(size), residual(size);
  for (size_t i = 0; i < size; ++i) residual[i] = random->Value(20.0f, true);
  t->bits_stride = s.words_out + random->Int(0, 2);
  const size_t bits_size = static_cast<size_t>(s.pixels - 1) * t->bits_stride + s.words_out;
  Buffer<uint32_t> bits(bits_size, random->Int(0, 3)), expected_bits(bits_size);
  t->bits = random->OneIn(2) ? bits.data() : nullptr;
  const bool write = t->bits == nullptr || !random->OneIn(3);
  args->output = write ? output.data() : nullptr;
  if (random->OneIn(2)) {
    const bool in_place = write && random->OneIn(2);
    if (in_place) output.CopyFrom(residual), expected.CopyFrom(residual);
    t->residual = in_place ? output.data() : residual.data();
  }
  for (int32_t p = s.pixel_begin; p < s.pixel_end; ++p) {
    const int32_t pixel_class = t->pixel_class != nullptr ? t->pixel_class[p] : 0;
    const int32_t first = s.block_begin * kernel.block_channels;
    int32_t end = s.block_end * kernel.block_channels;
    // Whoever computes the last channel fills up the last word with zeros.
    if (first < end && end >= out) end = 32 * s.words_out;
    for (int32_t o = first; o < end; ++o) {
      float y = 0;
      if (o < out) {
        const size_t at = static_cast<size_t>(p) * args->out_stride + o;
        y = AffineReference(*t, sums[static_cast<size_t>(p) * out + o], pixel_class, o);
        y = FusedReference(*t, y, residual[at]);
        if (write) expected[at] = y;
      }
      if (t->bits != nullptr) {
        SetPixelBits(&expected_bits, static_cast<size_t>(p) * t->bits_stride + o / 32, o % 32,
                     y < 0);
      }
    }
  }
  kernel.run(args, s.pixel_begin, s.pixel_end, s.block_begin, s.block_end);
  const int64_t at = FirstDifference(output, expected);
  LCE_CHECK(at < 0, "pixel %d channel %d is %a, expected %a", (int)(at / args->out_stride),
            (int)(at % args->out_stride), output[at], expected[at]);
  const int64_t bit_at = FirstDifference(bits, expected_bits);
  LCE_CHECK(bit_at < 0, "bits of word %d are %x, expected %x", (int)bit_at, bits[bit_at],
            expected_bits[bit_at]);
  LCE_CHECK(output.Intact() && bits.Intact(), "written before the output");
  return true;
}

bool RunInt8(const BconvKernel& kernel, const Setup& s, BconvArgs* args,
             const Buffer<int32_t>& sums, Random* random) {
  const BconvTransform& t = args->transform;
  const int32_t out = s.shape.out_channels;
  args->out_stride = out + (random->OneIn(2) ? 0 : random->Int(1, 20));
  const size_t size = static_cast<size_t>(s.pixels - 1) * args->out_stride + out;
  Buffer<int8_t> output(size, random->Int(0, 63)), expected(size);
  args->output = output.data();
  for (int32_t p = s.pixel_begin; p < s.pixel_end; ++p) {
    const int32_t pixel_class = t.pixel_class != nullptr ? t.pixel_class[p] : 0;
    const int32_t end = s.block_end * kernel.block_channels;
    for (int32_t o = s.block_begin * kernel.block_channels; o < end && o < out; ++o) {
      const float y = AffineReference(t, sums[static_cast<size_t>(p) * out + o], pixel_class, o);
      expected[static_cast<size_t>(p) * args->out_stride + o] = RoundReference(y);
    }
  }
  kernel.run(args, s.pixel_begin, s.pixel_end, s.block_begin, s.block_end);
  const int64_t at = FirstDifference(output, expected);
  LCE_CHECK(at < 0, "pixel %d channel %d is %d, expected %d", (int)(at / args->out_stride),
            (int)(at % args->out_stride), output[at], expected[at]);
  LCE_CHECK(output.Intact(), "written before the output");
  return true;
}

bool RunBits(const BconvKernel& kernel, const Setup& s, BconvArgs* args,
             const Buffer<int32_t>& sums, Random* random) {
  const BconvTransform& t = args->transform;
  const int32_t out = s.shape.out_channels;
  args->out_stride = s.words_out + (random->OneIn(2) ? 0 : random->Int(1, 3));
  const size_t size = static_cast<size_t>(s.pixels - 1) * args->out_stride + s.words_out;
  Buffer<uint32_t> output(size, random->Int(0, 15)), expected(size);
  args->output = output.data();
  for (int32_t p = s.pixel_begin; p < s.pixel_end; ++p) {
    const size_t row = t.pixel_class != nullptr ? t.pixel_class[p] : 0;
    const int32_t first = s.block_begin * kernel.block_channels;
    const int32_t end = s.block_end * kernel.block_channels;
    for (int32_t o = first; o < end && o < 32 * s.words_out; ++o) {
      bool bit = false;
      if (o < out) {
        bit = sums[static_cast<size_t>(p) * out + o] > t.threshold[row * t.class_stride + o];
        if (t.invert != nullptr) bit ^= t.invert[o / 32] >> o % 32 & 1;
      }
      SetPixelBits(&expected, static_cast<size_t>(p) * args->out_stride + o / 32, o % 32, bit);
    }
  }
  kernel.run(args, s.pixel_begin, s.pixel_end, s.block_begin, s.block_end);
  const int64_t at = FirstDifference(output, expected);
  LCE_CHECK(at < 0, "pixel %d word %d is %x, expected %x", (int)(at / args->out_stride),
            (int)(at % args->out_stride), output[at], expected[at]);
  LCE_CHECK(output.Intact(), "written before the output");
  return true;
}

}  // namespace

bool TestBconv(const BconvKernel& kernel, Random* random, Tally* tally) {
  Setup s = RandomSetup(kernel, random);
  if (!kernel.accepts(&s.shape)) {
    ++tally->refused;
    return true;
  }
  ++tally->ran;
  const BconvShape& shape = s.shape;
  // Where the window of each pixel starts, in taps; the last one ends at the end of the input.
  Buffer<int32_t> pixel_position(s.pixels), segment_position(shape.segments);
  int32_t last_pixel = 0, last_segment = 0;
  for (size_t p = 0; p < pixel_position.size(); ++p) {
    pixel_position[p] = random->Int(0, 40);
    if (pixel_position[p] > last_pixel) last_pixel = pixel_position[p];
  }
  for (size_t k = 0; k < segment_position.size(); ++k) {
    segment_position[k] = random->Int(0, 30);
    if (segment_position[k] > last_segment) last_segment = segment_position[k];
  }
  s.positions = last_pixel + last_segment + s.taps;

  const bool nibbles = kernel.input_form == InputForm::kNibbles;
  const int32_t group = nibbles ? shape.nibble_group : shape.word_group;
  const int32_t kind = random->OneIn(s.taps > 100 ? 1 : 4) ? random->Int(1, 2) : 0;
  Buffer<uint32_t> words(static_cast<size_t>(s.positions) * shape.word_group, random->Int(0, 15));
  FillWords(words.data(), s.positions, s, kind, random);
  Buffer<uint8_t> bytes(static_cast<size_t>(s.positions) * shape.nibble_group, random->Int(0, 63));
  for (size_t i = 0; i < bytes.size(); ++i) {
    const size_t tap = i / shape.nibble_group, j = i % shape.nibble_group;
    const uint32_t word = words[tap * shape.word_group + j / 8];
    bytes[i] = static_cast<uint8_t>((word >> (j % 8 * 4) & 15u) * 16u);
  }
  const size_t row = static_cast<size_t>(shape.segments) * shape.segment_words;
  Buffer<uint32_t> weights(shape.out_channels * row, random->Int(0, 3));
  const int32_t weight_kind = kind == 0 ? 0 : random->OneIn(3) ? kind : 3 - kind;
  FillWords(weights.data(), shape.out_channels * shape.segments * s.taps, s, weight_kind, random);

  const size_t packed_bytes = kernel.packed_bytes(&shape);
  void* packed = nullptr;
  if (posix_memalign(&packed, kPackedAlignment, packed_bytes) != 0) abort();
  memset(packed, 0x5a, packed_bytes);
  kernel.pack(&shape, weights.data(), packed);

  Buffer<int32_t> sums(static_cast<size_t>(s.pixels) * shape.out_channels);
  ReferenceSums(s, words.data(), pixel_position.data(), segment_position.data(), weights.data(),
                &sums);
  for (size_t p = 0; p < pixel_position.size(); ++p) pixel_position[p] *= group;
  for (size_t k = 0; k < segment_position.size(); ++k) segment_position[k] *= group;

  const bool classes = random->OneIn(2);
  const int32_t class_count = classes ? random->Int(1, 5) : 1;
  const int32_t stride = s.padded_out * random->Int(1, 3);
  Tables tables(s, class_count, stride, random);
  FillTables(s, class_count, stride, &tables, random);
  BconvArgs args;
  memset(&args, 0, sizeof(args));
  args.input = nibbles ? static_cast<const void*>(bytes.data()) : words.data();
  args.pixel_offset = pixel_position.data();
  args.segment_offset = segment_position.data();
  Buffer<int32_t> element_position(static_cast<size_t>(shape.segments) * shape.segment_elements,
                                   random->Int(0, 3));
  for (size_t e = 0; e < element_position.size(); ++e) {
    element_position[e] = segment_position[e / shape.segment_elements] +
                          static_cast<int32_t>(e % shape.segment_elements);
  }
  args.element_offset = element_position.data();
  args.segments = shape.segments;
  args.segment_elements = shape.segment_elements;
  args.weights = packed;
  args.out_channels = shape.out_channels;
  args.transform = RandomTransform(s, tables, stride, classes, random);
  bool ok = false;
  switch (kernel.output) {
    case OutputKind::kFloat:
      ok = RunFloat(kernel, s, &args, sums, random);
      break;
    case OutputKind::kInt8:
      ok = RunInt8(kernel, s, &args, sums, random);
      break;
    case OutputKind::kBits:
      ok = RunBits(kernel, s, &args, sums, random);
      break;
  }
  free(packed);
  if (!ok) {
    fprintf(stderr,
            "  out_channels %d, segments %d, taps %d, channels %d, pixels %d..%d of %d, "
            "blocks %d..%d, simple %d, classes %d\n",
            shape.out_channels, shape.segments, s.taps, s.channels, s.pixel_begin, s.pixel_end,
            s.pixels, s.block_begin, s.block_end, args.transform.simple, class_count);
  }
  return ok;
}

}  // namespace testing
}  // namespace lce

// Speed of the binary convolution kernels alone, one thread: every row of kernels.inc that this
// CPU can run, on 3x3 layers with a border, in billions of binary multiply-adds a second.
//   kernel_bench [--kernel TEXT] [--layer TEXT] [--rounds N] [--mode plain|fused]
// TEXT selects the names that contain it; --kernel may be given several times. Kernels take turns
// within a round, so that a change of the clock hits all of them; medians over the rounds and
// their spread (half the distance of the quartiles, in percent) are printed, and the best round:
// measurements are short, so that on a shared machine some of many rounds are undisturbed.
// With AVX-512 the peak of its three instructions is measured in the same rounds.
// The input of a kernel for nibbles is expanded outside of the measured time: see the rows of
// expand kernels for that.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../tests/cpu.h"
#include "core/chunk.h"
#include "kernels/kernels.h"

namespace lce {
namespace bench {
double RunPeakAvx512(int64_t iterations);  // peak_avx512.cc
}
namespace {

constexpr int kMaxNames = 16, kMaxKernels = 64, kMaxRounds = 1000;

struct Layer {
  int32_t size, channels;
};
constexpr Layer kLayers[] = {{56, 64}, {28, 128}, {14, 256}, {7, 512}, {32, 16}, {16, 32}, {8, 64}};

struct Options {
  const char* kernels[kMaxNames];
  int kernel_count = 0;
  const char* layer = "";
  int rounds = 101;
  bool fused = false;
};

uint64_t random_state = 1;
uint32_t RandomWord() {
  random_state = random_state * 6364136223846793005u + 1442695040888963407u;
  return static_cast<uint32_t>(random_state >> 32);
}

double Seconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <typename T>
T* Allocate(size_t count) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 64, count * sizeof(T) + 64) != 0) abort();
  memset(memory, 0, count * sizeof(T) + 64);
  return static_cast<T*>(memory);
}

int CompareDoubles(const void* a, const void* b) {
  const double x = *static_cast<const double*>(a), y = *static_cast<const double*>(b);
  return x < y ? -1 : x > y;
}

// One kernel on one layer, ready to run. Buffers live until the program ends.
struct Case {
  const BconvKernel* kernel;
  BconvArgs args;
  int32_t pixels, blocks, repeats;
  double seconds[kMaxRounds];

  int32_t chunk;

  void Run() const {
    for (int32_t p = 0; p < pixels; p += chunk) {
      kernel->run(&args, p, p + chunk < pixels ? p + chunk : pixels, 0, blocks);
    }
  }
};

bool MakeCase(const BconvKernel& kernel, const Layer& layer, bool fused, Case* c) {
  const bool nibbles = kernel.input_form == InputForm::kNibbles;
  const bool bits = kernel.output == OutputKind::kBits;
  const int32_t channels = layer.channels, words = (channels + 31) / 32;
  BconvShape shape;
  shape.out_channels = channels;
  shape.segments = 3;
  shape.word_group = words;
  shape.nibble_group = (channels + 3) / 4;
  shape.segment_words = 3 * words;
  const int32_t group = nibbles ? shape.nibble_group : words;
  shape.segment_elements = 3 * group;
  shape.bits = 9 * channels;
  shape.output = kernel.output;
  if (!kernel.accepts(&shape)) return false;

  c->kernel = &kernel;
  c->pixels = layer.size * layer.size;
  c->chunk = ChunkPixels(kernel.packed_bytes(&shape), kernel.pixel_tile);
  const int32_t covered = bits ? 32 * words : channels;
  c->blocks = (covered + kernel.block_channels - 1) / kernel.block_channels;
  const int32_t padded = c->blocks * kernel.block_channels;
  const int32_t width = layer.size + 2;
  const uint32_t mask = channels < 32 ? (1u << channels) - 1 : ~0u;
  uint32_t* input = Allocate<uint32_t>(static_cast<size_t>(width) * width * words);
  for (int32_t i = 0; i < width * width * words; ++i) input[i] = RandomWord() & mask;
  uint8_t* expanded = Allocate<uint8_t>(static_cast<size_t>(width) * width * group);
  if (nibbles) lce_expand_u8_1_scalar.run(input, expanded, width * width, words, group);
  int32_t* pixel_offset = Allocate<int32_t>(c->pixels);
  for (int32_t p = 0; p < c->pixels; ++p) {
    pixel_offset[p] = (p / layer.size * width + p % layer.size) * group;
  }
  int32_t* segment_offset = Allocate<int32_t>(3);
  for (int32_t s = 0; s < 3; ++s) segment_offset[s] = s * width * group;
  uint32_t* weights = Allocate<uint32_t>(static_cast<size_t>(channels) * 9 * words);
  for (int32_t i = 0; i < channels * 9 * words; ++i) weights[i] = RandomWord() & mask;
  uint8_t* packed = Allocate<uint8_t>(kernel.packed_bytes(&shape));
  kernel.pack(&shape, weights, packed);
  float* multiplier = Allocate<float>(padded);
  float* bias = Allocate<float>(padded);
  int32_t* threshold = Allocate<int32_t>(padded);
  for (int32_t o = 0; o < padded; ++o) {
    multiplier[o] = -0.25f;
    bias[o] = 0.125f * static_cast<float>(shape.bits);
    threshold[o] = o < channels ? shape.bits / 2 : INT32_MAX;
  }
  memset(&c->args, 0, sizeof(c->args));
  c->args.input = nibbles ? static_cast<const void*>(expanded) : input;
  c->args.pixel_offset = pixel_offset;
  c->args.segment_offset = segment_offset;
  int32_t* element_offset = Allocate<int32_t>(static_cast<size_t>(3) * shape.segment_elements);
  for (int32_t e = 0; e < 3 * shape.segment_elements; ++e) {
    element_offset[e] = segment_offset[e / shape.segment_elements] + e % shape.segment_elements;
  }
  c->args.element_offset = element_offset;
  c->args.segments = 3;
  c->args.segment_elements = shape.segment_elements;
  c->args.weights = packed;
  c->args.out_channels = channels;
  c->args.output = Allocate<float>(static_cast<size_t>(c->pixels) * channels);
  c->args.out_stride = bits ? words : channels;
  BconvTransform* t = &c->args.transform;
  t->simple = 1;
  t->multiplier = multiplier;
  t->bias = bias;
  t->threshold = threshold;
  if (fused && kernel.output == OutputKind::kFloat) {  // the second half of a residual block
    t->residual = Allocate<float>(static_cast<size_t>(c->pixels) * channels);
    t->post_clamp = 1;
    t->post_min = -1.0f;
    t->post_max = 1.0f;
    t->bits = Allocate<uint32_t>(static_cast<size_t>(c->pixels) * words);
    t->bits_stride = words;
  }
  // About half a millisecond a measurement.
  c->repeats = 1;
  c->Run();
  for (double took = 0; took < 4e-4 && c->repeats < (1 << 20); c->repeats *= 2) {
    const double start = Seconds();
    for (int32_t i = 0; i < c->repeats; ++i) c->Run();
    took = Seconds() - start;
  }
  return true;
}

bool Contains(const Options& options, const char* name) {
  for (int i = 0; i < options.kernel_count; ++i) {
    if (strstr(name, options.kernels[i]) != nullptr) return true;
  }
  return options.kernel_count == 0;
}

template <typename Kernel>
void Consider(const Kernel&, const Options&, const BconvKernel**, int*) {}
void Consider(const BconvKernel& kernel, const Options& options, const BconvKernel** list,
              int* count) {
  if (!Contains(options, kernel.name)) return;
  if (!testing::CpuHas(kernel.isa)) {
    printf("skipped %s: this CPU cannot run it\n", kernel.name);
  } else if (*count < kMaxKernels) {
    list[(*count)++] = &kernel;
  }
}

void BenchLayer(const Layer& layer, const Options& options, const BconvKernel** kernels,
                int count) {
  char name[32];
  snprintf(name, sizeof(name), "%dx%dx%d", layer.size, layer.size, layer.channels);
  if (strstr(name, options.layer) == nullptr) return;
  static Case cases[kMaxKernels];
  int used = 0;
  for (int i = 0; i < count; ++i) {
    if (MakeCase(*kernels[i], layer, options.fused, &cases[used])) ++used;
  }
  static double peak[kMaxRounds];
  bool measured_peak = false;
  for (int r = 0; r < options.rounds; ++r) {
#if defined(__x86_64__)
    if (testing::CpuHas(Isa::kAvx512)) {
      constexpr int64_t kIterations = 200000;  // about 1 ms
      const double start = Seconds();
      const double macs_done = bench::RunPeakAvx512(kIterations);
      peak[r] = macs_done / (Seconds() - start);
      measured_peak = true;
    }
#endif
    for (int i = 0; i < used; ++i) {
      const double start = Seconds();
      for (int32_t k = 0; k < cases[i].repeats; ++k) cases[i].Run();
      cases[i].seconds[r] = (Seconds() - start) / cases[i].repeats;
    }
  }
  const double macs =
      9.0 * layer.size * layer.size * static_cast<double>(layer.channels) * layer.channels;
  for (int i = 0; i < used; ++i) {
    qsort(cases[i].seconds, options.rounds, sizeof(double), CompareDoubles);
    const double median = cases[i].seconds[options.rounds / 2];
    const double quartiles =
        cases[i].seconds[options.rounds * 3 / 4] - cases[i].seconds[options.rounds / 4];
    printf("%-10s %-28s %8.1f GMAC/s %9.2f us +- %.1f %%, best %.1f GMAC/s\n", name,
           cases[i].kernel->name, macs / median * 1e-9, median * 1e6, 50.0 * quartiles / median,
           macs / cases[i].seconds[0] * 1e-9);
  }
  if (measured_peak) {
    qsort(peak, options.rounds, sizeof(double), CompareDoubles);
    printf("%-10s %-28s %8.1f GMAC/s, best %.1f GMAC/s\n", name, "peak of xor, vpopcntd, add",
           peak[options.rounds / 2] * 1e-9, peak[options.rounds - 1] * 1e-9);
  }
  fflush(stdout);
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (strcmp(argv[i], "--kernel") == 0 && options.kernel_count < kMaxNames && *value != 0) {
      options.kernels[options.kernel_count++] = value;
    } else if (strcmp(argv[i], "--layer") == 0 && *value != 0) {
      options.layer = value;
    } else if (strcmp(argv[i], "--rounds") == 0 && atoi(value) >= 1 && atoi(value) <= kMaxRounds) {
      options.rounds = atoi(value);
    } else if (strcmp(argv[i], "--mode") == 0 &&
               (strcmp(value, "plain") == 0 || strcmp(value, "fused") == 0)) {
      options.fused = strcmp(value, "fused") == 0;
    } else {
      fprintf(stderr,
              "usage: kernel_bench [--kernel TEXT] [--layer TEXT] [--rounds 1..%d] "
              "[--mode plain|fused]\n",
              kMaxRounds);
      return 2;
    }
  }
  static const BconvKernel* kernels[kMaxKernels];
  int count = 0;
#define LCE_KERNEL(type, name, isa) Consider(name, options, kernels, &count);
#include "kernels/kernels.inc"
#undef LCE_KERNEL
  if (count == 0) {
    fprintf(stderr, "no kernel to run\n");
    return 2;
  }
  for (const Layer& layer : kLayers) BenchLayer(layer, options, kernels, count);
  return 0;
}

}  // namespace
}  // namespace lce

int main(int argc, char** argv) { return lce::Main(argc, argv); }

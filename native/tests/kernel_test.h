// The parts of kernel_test: one function per kind of kernel, one random case per call.
#ifndef LCE_TESTS_KERNEL_TEST_H_
#define LCE_TESTS_KERNEL_TEST_H_

#include "kernels/kernel.h"
#include "testing.h"

namespace lce {
namespace testing {

struct Tally {
  int32_t ran = 0;
  int32_t refused = 0;  // shapes that the kernel does not accept
};

bool TestBconv(const BconvKernel& kernel, Random* random, Tally* tally);

}  // namespace testing
}  // namespace lce

#endif  // LCE_TESTS_KERNEL_TEST_H_

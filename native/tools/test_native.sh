#!/usr/bin/env bash
# Builds and runs the tests of native/ in every way this machine can: release, address and undefined
# behaviour sanitizers with both compilers, thread sanitizer, 64- and 32-bit ARM under emulation,
# and a short fuzz run. Prints what ran, and what was skipped for want of which program.
#   native/tools/test_native.sh [FOLDER]     builds below FOLDER, or a temporary one
#   LCE_FUZZ_RUNS=N                          executions of the fuzzer, default 20000
set -euo pipefail
source=$(cd "$(dirname "$0")/.." && pwd)
if [ $# -gt 0 ]; then
  mkdir -p "$1"
  folder=$(cd "$1" && pwd)
else
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
fuzz_runs=${LCE_FUZZ_RUNS:-20000}
jobs=$(nproc)
summary=()

has() { # name of the configuration, then programs
  local name=$1 program
  shift
  for program in "$@"; do
    if ! command -v "$program" >/dev/null; then
      summary+=("skipped: $name: $program is not installed")
      return 1
    fi
  done
}

build() { # folder, options for cmake
  local log=$folder/$1.log build=$folder/$1
  shift
  if ! { cmake -S "$source" -B "$build" -DLCE_DELEGATE_TESTS=ON "$@" &&
    cmake --build "$build" --parallel "$jobs"; } >"$log" 2>&1; then
    grep -E "error|Error" "$log" | head -40 || tail -40 "$log"
    echo "FAILED to build $build; the log is $log"
    trap - EXIT
    exit 1
  fi
}

tests() { # folder, effort in percent, then options for ctest
  local build=$folder/$1 effort=$2
  shift 2
  (cd "$build" && LCE_TEST_EFFORT=$effort ctest --output-on-failure --no-tests=error \
    --parallel "$jobs" --timeout 900 "$@")
}

configuration() { # name, function
  local begun=$SECONDS
  echo "== native: $1"
  "$2"
  summary+=("ran: $1 ($((SECONDS - begun)) s)")
}

release() {
  build release
  tests release 100
}

sanitize_gcc() {
  build asan-gcc -DCMAKE_CXX_COMPILER=g++ -DLCE_DELEGATE_SANITIZE=address,undefined
  tests asan-gcc 20 --exclude-regex fork_test
}

sanitize_clang() {
  build asan-clang -DCMAKE_CXX_COMPILER=clang++ -DLCE_DELEGATE_SANITIZE=address,undefined
  tests asan-clang 20 --exclude-regex fork_test
}

threads() {
  build tsan -DCMAKE_CXX_COMPILER=clang++ -DLCE_DELEGATE_SANITIZE=thread
  tests tsan 20 --tests-regex 'sharing_test|delegate_test'
}

aarch64() {
  build aarch64 -DCMAKE_TOOLCHAIN_FILE="$source/cmake/aarch64-linux-gnu.cmake" \
    "-DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64;-L;/usr/aarch64-linux-gnu"
  tests aarch64 10 --exclude-regex fork_test
}

armhf() {
  build armhf -DCMAKE_TOOLCHAIN_FILE="$source/cmake/arm-linux-gnueabihf.cmake" \
    "-DCMAKE_CROSSCOMPILING_EMULATOR=qemu-arm;-L;/usr/arm-linux-gnueabihf"
  tests armhf 10 --exclude-regex fork_test
}

fuzz() {
  build fuzz -DCMAKE_CXX_COMPILER=clang++ -DLCE_DELEGATE_FUZZ=ON
  local corpus=$folder/corpus
  mkdir -p "$corpus"
  (cd "$folder" && ./fuzz/fuzz/delegate_fuzzer -dict="$source/fuzz/delegate.dict" -max_len=200 \
    -verbosity=0 -print_final_stats=1 -runs="$fuzz_runs" "$corpus" "$source/fuzz/corpus")
}

has release cmake c++ && configuration release release
has "address and undefined behaviour sanitizers, g++" cmake g++ &&
  configuration "address and undefined behaviour sanitizers, g++" sanitize_gcc
has "address and undefined behaviour sanitizers, clang++" cmake clang++ &&
  configuration "address and undefined behaviour sanitizers, clang++" sanitize_clang
has "thread sanitizer" cmake clang++ && configuration "thread sanitizer" threads
has "aarch64, emulated" cmake aarch64-linux-gnu-g++ qemu-aarch64 &&
  configuration "aarch64, emulated" aarch64
has "32-bit ARM, emulated" cmake arm-linux-gnueabihf-g++ qemu-arm &&
  configuration "32-bit ARM, emulated" armhf
has "fuzzer" cmake clang++ && configuration "fuzzer, $fuzz_runs executions" fuzz

summary+=("skipped: fork_test, but in release: sanitizers and QEMU may hang or die in the child of a
         process with threads, whoever started them")
echo "== native: what ran"
printf '%s\n' "${summary[@]}"

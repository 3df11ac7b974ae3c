# Android libraries with plain clang and lld, for machines without the NDK. The C library is
# Android's own at run time; here its headers are the few declarations in include/ and its symbols
# those of a stub. Not for code that needs libc++, thread-local variables or more of libc.
#   -DLCE_ANDROID_ABI=arm64-v8a|x86_64  -DLCE_STUBS=FOLDER with the stub libc.so
set(CMAKE_SYSTEM_NAME Linux)  # CMake's own Android needs the NDK
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LCE_ANDROID_ABI LCE_STUBS)
set(LCE_NO_NDK ON)
if(LCE_ANDROID_ABI STREQUAL "arm64-v8a")
  set(CMAKE_SYSTEM_PROCESSOR aarch64)
elseif(LCE_ANDROID_ABI STREQUAL "x86_64")
  set(CMAKE_SYSTEM_PROCESSOR x86_64)
else()
  message(FATAL_ERROR "LCE_ANDROID_ABI must be arm64-v8a or x86_64, got '${LCE_ANDROID_ABI}'")
endif()
set(CMAKE_CXX_COMPILER clang++)
set(CMAKE_CXX_COMPILER_TARGET ${CMAKE_SYSTEM_PROCESSOR}-linux-android24)
set(CMAKE_CXX_FLAGS_INIT "-nostdinc++ -nostdlibinc -isystem ${CMAKE_CURRENT_LIST_DIR}/include \
-fno-stack-protector -fno-asynchronous-unwind-tables")
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  string(APPEND CMAKE_CXX_FLAGS_INIT " -mno-outline-atomics")  # calls into compiler-rt
endif()
set(CMAKE_SHARED_LINKER_FLAGS_INIT
  "-nostdlib -fuse-ld=lld -Wl,--hash-style=both -Wl,--build-id=sha1 -L${LCE_STUBS}")
set(CMAKE_CXX_STANDARD_LIBRARIES "-lc")

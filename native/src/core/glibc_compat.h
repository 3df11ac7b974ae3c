// Lets a library linked on a new system load on an old one.
//
// glibc 2.34 moved the thread functions into libc.so.6 and gave them a new symbol version. What
// is linked there asks for GLIBC_2.34 and does not load on the systems that the manylinux2014
// wheels promise (glibc 2.17). The old versions of these functions still exist and do the same;
// this header asks for them. Include it in every file that calls one of them.
//
// On a glibc before 2.34 they are in libpthread.so.0, which a program that runs TensorFlow Lite
// has loaded. Builds made there are linked to it.
#ifndef LCE_CORE_GLIBC_COMPAT_H_
#define LCE_CORE_GLIBC_COMPAT_H_

#include <pthread.h>  // defines __GLIBC__ too

// Sanitizers replace these functions, and can do so only by their plain names.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LCE_PLAIN_SYMBOLS
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define LCE_PLAIN_SYMBOLS
#endif
#endif

// The first version of each architecture.
#if defined(__GLIBC__) && !defined(LCE_PLAIN_SYMBOLS)
#if defined(__x86_64__) && defined(__LP64__)
#define LCE_GLIBC_VERSION "GLIBC_2.2.5"
#elif defined(__aarch64__) && defined(__LP64__) && !defined(__AARCH64EB__)
#define LCE_GLIBC_VERSION "GLIBC_2.17"
#elif defined(__arm__) && defined(__ARM_EABI__)
#define LCE_GLIBC_VERSION "GLIBC_2.4"
#endif
#endif

#ifdef LCE_GLIBC_VERSION
#define LCE_OLD_SYMBOL(name) __asm__(".symver " #name "," #name "@" LCE_GLIBC_VERSION)
LCE_OLD_SYMBOL(pthread_create);
LCE_OLD_SYMBOL(pthread_join);
LCE_OLD_SYMBOL(pthread_detach);
#undef LCE_OLD_SYMBOL
#undef LCE_GLIBC_VERSION
#endif
#undef LCE_PLAIN_SYMBOLS

#endif  // LCE_CORE_GLIBC_COMPAT_H_

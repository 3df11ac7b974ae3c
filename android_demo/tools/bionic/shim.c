// What Android's C library has and glibc has not, as far as libtensorflowlite_jni.so asks for it.
// With it that library runs on Linux: tools/android_on_linux.py builds this file and gives the
// functions whose arguments differ (FILE*, sysconf names, mutex size) names that start with B.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// stdin, stdout, stderr of Android's headers are &__sF[0..2], 152 bytes each.
char __sF[3][152];

static FILE* Stream(void* file) {
  if (file == __sF[0]) return stdin;
  if (file == __sF[1]) return stdout;
  if (file == __sF[2]) return stderr;
  return file;
}

int Bfprintf(void* file, const char* format, va_list arguments) {
  return vfprintf(Stream(file), format, arguments);
}

int Bprintf(void* file, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int result = vfprintf(Stream(file), format, arguments);
  va_end(arguments);
  return result;
}

size_t Bwrite(const void* data, size_t size, size_t count, void* file) {
  return fwrite(data, size, count, Stream(file));
}
int Bputc(int character, void* file) { return fputc(character, Stream(file)); }
int Bflush(void* file) { return fflush(Stream(file)); }
int Bileno(void* file) { return fileno(Stream(file)); }

long Bysconf(int name) {
  switch (name) {
    case 0x27:
    case 0x28: return sysconf(_SC_PAGESIZE);
    case 0x60: return sysconf(_SC_NPROCESSORS_CONF);
    case 0x61: return sysconf(_SC_NPROCESSORS_ONLN);
    default: errno = EINVAL; return -1;
  }
}

// Android's mutex has 40 bytes and starts as zeros; glibc's may write 48 on aarch64.
int Bthread_mutex_init(void* mutex, const void* attributes) {
  if (attributes != NULL) return EINVAL;
  memset(mutex, 0, 40);
  return 0;
}

int* __errno(void) { return __errno_location(); }
int __system_property_get(const char* name, char* value) {
  (void)name;
  value[0] = '\0';
  return 0;
}
size_t __strlen_chk(const char* text, size_t size) {
  (void)size;
  return strlen(text);
}
void android_set_abort_message(const char* text) { fprintf(stderr, "abort: %s\n", text); }
int __android_log_vprint(int priority, const char* tag, const char* format, va_list arguments) {
  if (priority < 5) return 0;  // warnings and errors only
  fprintf(stderr, "%s: ", tag);
  vfprintf(stderr, format, arguments);
  return fputc('\n', stderr) == EOF ? -1 : 1;
}

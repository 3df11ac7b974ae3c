// One line of text that says what is wrong, for functions that return bool.
#ifndef LCE_CORE_ERROR_H_
#define LCE_CORE_ERROR_H_

#include <stdarg.h>
#include <stdio.h>

namespace lce {

struct Error {
  char text[320] = "";

  // Sets the text and returns false, so that callers can `return error->Set(...)`.
  __attribute__((format(printf, 2, 3))) bool Set(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return false;
  }
  bool OutOfMemory() { return Set("out of memory"); }
};

}  // namespace lce

#endif  // LCE_CORE_ERROR_H_

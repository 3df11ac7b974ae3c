// Reader for the one flexbuffer form that LCE's operators use: a map from names to integers.
#ifndef LCE_CORE_FLEXBUFFER_H_
#define LCE_CORE_FLEXBUFFER_H_

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

namespace lce {

struct NamedInt {
  const char* name;
  int64_t value;
  bool found;
};

// Fills in the values of `wanted`; other keys are ignored. Every offset is checked against the
// buffer before it is followed, so any bytes are safe to read.
//
// Returns false, with `error`, if the buffer is not such a map, a key is absent or given twice,
// or a value is no integer.
bool ReadIntMap(const uint8_t* buffer, size_t size, NamedInt* wanted, size_t count, Error* error);

}  // namespace lce

#endif  // LCE_CORE_FLEXBUFFER_H_

#include "core/flexbuffer.h"

#include <string.h>

namespace lce {
namespace {

// Types of the flexbuffer format; a packed type byte is type << 2 | log2(width in bytes).
enum : int { kInt = 1, kUint = 2, kIndirectInt = 6, kIndirectUint = 7, kMap = 9, kBool = 26 };

class Reader {
 public:
  Reader(const uint8_t* buffer, size_t size) : buffer_(buffer), size_(size) {}

  bool Unsigned(size_t at, size_t width, uint64_t* value) const {
    if (at > size_ || width > size_ - at) return false;
    *value = 0;
    for (size_t i = 0; i < width; ++i) *value |= static_cast<uint64_t>(buffer_[at + i]) << 8 * i;
    return true;
  }
  bool Signed(size_t at, size_t width, int64_t* value) const {
    uint64_t bits;
    if (!Unsigned(at, width, &bits)) return false;
    const int unused = 64 - 8 * static_cast<int>(width);
    *value = static_cast<int64_t>(bits << unused) >> unused;
    return true;
  }
  // Follows the offset stored at `at`, which points backwards.
  bool Follow(size_t at, size_t width, size_t* target) const {
    uint64_t distance;
    if (!Unsigned(at, width, &distance) || distance > at) return false;
    *target = at - static_cast<size_t>(distance);
    return true;
  }
  // The zero-terminated text at `at`, or null.
  const char* Text(size_t at) const {
    if (at >= size_ || memchr(buffer_ + at, 0, size_ - at) == nullptr) return nullptr;
    return reinterpret_cast<const char*>(buffer_ + at);
  }

 private:
  const uint8_t* buffer_;
  size_t size_;
};

bool ReadInt(const Reader& reader, size_t at, size_t width, int packed_type, int64_t* value) {
  const int type = packed_type >> 2;
  if (type == kInt || type == kUint || type == kBool) {
    uint64_t bits;
    if (type == kInt) return reader.Signed(at, width, value);
    if (!reader.Unsigned(at, width, &bits) || bits > INT64_MAX) return false;
    *value = static_cast<int64_t>(bits);
    return true;
  }
  if (type == kIndirectInt || type == kIndirectUint) {
    size_t target;
    if (!reader.Follow(at, width, &target)) return false;
    const int direct = (type == kIndirectInt ? kInt : kUint) << 2;
    return ReadInt(reader, target, size_t{1} << (packed_type & 3), direct, value);
  }
  return false;
}

}  // namespace

bool ReadIntMap(const uint8_t* buffer, size_t size, NamedInt* wanted, size_t count, Error* error) {
  for (size_t i = 0; i < count; ++i) wanted[i].found = false;
  if (buffer == nullptr || size < 3) return error->Set("options are missing");
  const Reader reader(buffer, size);
  // The last byte is the width of the root, the one before it the root's type.
  const size_t root_width = buffer[size - 1];
  const int root_type = buffer[size - 2];
  if (root_width != 1 && root_width != 2 && root_width != 4 && root_width != 8) {
    return error->Set("options are not a flexbuffer");
  }
  if (root_type >> 2 != kMap) return error->Set("options are not a flexbuffer map");
  // A map is a vector of values, preceded by offset and width of its vector of keys and by its
  // length, followed by one type byte per value.
  const size_t width = size_t{1} << (root_type & 3);
  size_t values, keys;
  uint64_t length, key_width, key_count;
  if (root_width > size - 2 || !reader.Follow(size - 2 - root_width, root_width, &values) ||
      values < 3 * width || !reader.Unsigned(values - width, width, &length) ||
      !reader.Unsigned(values - 2 * width, width, &key_width) ||
      !reader.Follow(values - 3 * width, width, &keys) || length > size ||
      (key_width != 1 && key_width != 2 && key_width != 4 && key_width != 8) || keys < key_width ||
      !reader.Unsigned(keys - key_width, key_width, &key_count) || key_count != length) {
    return error->Set("options are a malformed flexbuffer map");
  }
  for (size_t i = 0; i < length; ++i) {
    size_t key_at;
    uint64_t type;
    const char* key = nullptr;
    if (reader.Follow(keys + i * key_width, key_width, &key_at)) key = reader.Text(key_at);
    if (key == nullptr || !reader.Unsigned(values + length * width + i, 1, &type)) {
      return error->Set("options are a malformed flexbuffer map");
    }
    for (size_t j = 0; j < count; ++j) {
      NamedInt& option = wanted[j];
      if (strcmp(option.name, key) != 0) continue;
      if (option.found) return error->Set("option %s is given twice", option.name);
      if (!ReadInt(reader, values + i * width, width, static_cast<int>(type), &option.value)) {
        return error->Set("option %s is not an integer", option.name);
      }
      option.found = true;
    }
  }
  for (size_t j = 0; j < count; ++j) {
    if (!wanted[j].found) return error->Set("option %s is missing", wanted[j].name);
  }
  return true;
}

}  // namespace lce

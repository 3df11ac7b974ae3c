// Writes JSON into a fixed buffer and counts what did not fit.
#ifndef LCE_DELEGATE_JSON_H_
#define LCE_DELEGATE_JSON_H_

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

namespace lce {

class Json {
 public:
  // `buffer` may be null if `size` is 0; the text is always terminated otherwise.
  Json(char* buffer, size_t size) : buffer_(buffer), size_(size) {
    if (size > 0) buffer[0] = 0;
  }

  void Begin(char bracket) {
    Separate();
    Put(bracket);
    first_ = true;
  }
  void End(char bracket) {
    Put(bracket);
    first_ = false;
  }
  void Key(const char* key) {
    if (key == nullptr) return;
    Separate();
    Quote(key);
    Put(':');
    first_ = true;  // no comma before the value
  }
  // Members, or elements of a list if `key` is null.
  void Int(const char* key, int64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%lld", static_cast<long long>(value));
    Raw(key, text);
  }
  void Bool(const char* key, bool value) { Raw(key, value ? "true" : "false"); }
  void Text(const char* key, const char* value) {
    Key(key);
    Separate();
    Quote(value);
  }
  // Of the whole text, without the final zero.
  size_t length() const { return length_; }

 private:
  void Raw(const char* key, const char* text) {
    Key(key);
    Separate();
    for (; *text != 0; ++text) Put(*text);
  }
  void Separate() {
    if (!first_) Put(',');
    first_ = false;
  }
  // Our texts are names; what JSON would have to escape is replaced.
  void Quote(const char* text) {
    Put('"');
    for (; *text != 0; ++text) {
      const bool plain = *text >= ' ' && *text <= '~' && *text != '"' && *text != '\\';
      Put(plain ? *text : '?');
    }
    Put('"');
  }
  void Put(char c) {
    if (length_ + 1 < size_) {
      buffer_[length_] = c;
      buffer_[length_ + 1] = 0;
    }
    ++length_;
  }

  char* buffer_;
  size_t size_;
  size_t length_ = 0;
  bool first_ = true;
};

}  // namespace lce

#endif  // LCE_DELEGATE_JSON_H_

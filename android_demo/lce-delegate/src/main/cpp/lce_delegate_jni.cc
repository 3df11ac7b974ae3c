// The native half of org.irnet.lce.LceDelegate. No thread-local storage: without the NDK's runtime
// library there is none.
#include <jni.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lce_delegate/lce_delegate.h"

namespace {

constexpr jsize kMaxOptions = 16;

// tflite_plugin_create_delegate reports errors to a function without context, so one creation
// at a time writes here.
pthread_mutex_t message_mutex = PTHREAD_MUTEX_INITIALIZER;
char message[256];

// A text that was cut within a character is not modified UTF-8, and Android's checks end the app.
void Report(const char* text) {
  snprintf(message, sizeof message, "%s", text);
  for (char* at = message; *at != '\0'; ++at) {
    if (static_cast<unsigned char>(*at) > 126) *at = '?';
  }
}

void Throw(JNIEnv* env, const char* type, const char* text) {
  if (env->ExceptionCheck()) return;  // e.g. out of memory
  jclass error = env->FindClass(type);
  if (error != nullptr) env->ThrowNew(error, text);
}

constexpr char kBadArgument[] = "java/lang/IllegalArgumentException";

// Texts of both functions are ASCII, which is its own modified UTF-8.
template <typename Write>
jstring Text(JNIEnv* env, const Write& write) {
  const size_t length = write(nullptr, 0);
  char* text = static_cast<char*>(malloc(length + 1));
  if (text == nullptr) {
    Throw(env, "java/lang/OutOfMemoryError", "text of the delegate");
    return nullptr;
  }
  text[0] = '\0';
  write(text, length + 1);
  jstring result = env->NewStringUTF(text);
  free(text);
  return result;
}

void* Pointer(jlong handle) { return reinterpret_cast<void*>(static_cast<intptr_t>(handle)); }

}  // namespace

extern "C" {

// `options` holds keys and values in turn.
JNIEXPORT jlong JNICALL Java_org_irnet_lce_LceDelegate_create(JNIEnv* env, jclass,
                                                              jobjectArray options) {
  const jsize count = env->GetArrayLength(options);
  if (count % 2 != 0 || count > 2 * kMaxOptions) {
    Throw(env, kBadArgument, "options must be at most 16 pairs of key and value");
    return 0;
  }
  const char* text[2][kMaxOptions];
  jstring strings[2][kMaxOptions];
  jsize done = 0;
  for (; done < count; ++done) {
    jstring string = static_cast<jstring>(env->GetObjectArrayElement(options, done));
    if (string == nullptr) break;
    const char* bytes = env->GetStringUTFChars(string, nullptr);
    if (bytes == nullptr) break;
    strings[done % 2][done / 2] = string;
    text[done % 2][done / 2] = bytes;
  }
  void* delegate = nullptr;
  pthread_mutex_lock(&message_mutex);
  Report("options must not be null");
  if (done == count) {
    const size_t pairs = static_cast<size_t>(count) / 2;
    delegate = tflite_plugin_create_delegate(text[0], text[1], pairs, Report);
  }
  while (done-- > 0) {
    env->ReleaseStringUTFChars(strings[done % 2][done / 2], text[done % 2][done / 2]);
  }
  if (delegate == nullptr) Throw(env, kBadArgument, message);
  pthread_mutex_unlock(&message_mutex);
  return static_cast<jlong>(reinterpret_cast<intptr_t>(delegate));
}

JNIEXPORT void JNICALL Java_org_irnet_lce_LceDelegate_destroy(JNIEnv*, jclass, jlong handle) {
  tflite_plugin_destroy_delegate(Pointer(handle));
}

JNIEXPORT jstring JNICALL Java_org_irnet_lce_LceDelegate_nativeInfo(JNIEnv* env, jclass) {
  return Text(env, [](char* text, size_t size) { return lce_delegate_info(text, size); });
}

JNIEXPORT jstring JNICALL Java_org_irnet_lce_LceDelegate_nativeProfile(JNIEnv* env, jclass,
                                                                       jlong handle) {
  return Text(env, [handle](char* text, size_t size) {
    return lce_delegate_profile(Pointer(handle), text, size);
  });
}

}  // extern "C"

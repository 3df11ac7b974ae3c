/* Larq Compute Engine operators for unmodified TensorFlow Lite and LiteRT.
 *
 * The library is an external delegate: interpreters find it by the two functions at the end of
 * this header (`load_delegate` in Python, `TfLiteExternalDelegateCreate` in C++,
 * `benchmark_model --external_delegate_path`). It needs no TensorFlow Lite header or symbol and
 * links to the C library only.
 *
 * Pointers to delegates are `TfLiteDelegate*` (`TfLiteOpaqueDelegate*`), passed here as `void*`.
 */
#ifndef LCE_DELEGATE_LCE_DELEGATE_H_
#define LCE_DELEGATE_LCE_DELEGATE_H_

#include <stddef.h>

#if defined(__GNUC__)
#define LCE_DELEGATE_EXPORT __attribute__((visibility("default")))
#else
#define LCE_DELEGATE_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the library, "MAJOR.MINOR.PATCH". */
LCE_DELEGATE_EXPORT const char* lce_delegate_version(void);

/* What this library and this CPU can do, as JSON (schema in docs/native/reference.md):
 * version, architecture, cpu features, kernel sets in order of preference with `supported` and
 * `selected`, every kernel with its name, and what runs in the scalar reference.
 *
 * Writes at most `size` bytes including the final zero; returns the length of the whole text
 * without it, as snprintf does. `buffer` may be null if `size` is 0. */
LCE_DELEGATE_EXPORT size_t lce_delegate_info(char* buffer, size_t size);

/* Time spent in each operator of every interpreter that uses `delegate`, as JSON: a list of
 * objects with `node` (index in the file's execution order), `op`, `kernel`, `output_shape`,
 * `binary_macs`, `calls`, `total_ns`, `min_ns`, `fused` (names of what was merged into it).
 * An operator that was merged into another has no row of its own. All times are 0 unless the
 * delegate was created with the option `profiling=1`. Same conventions as `lce_delegate_info`.
 * Not to be called while an interpreter that uses the delegate is made, allocated or runs.
 *
 * `delegate` is what tflite_plugin_create_delegate returned. For anything else, such as the
 * wrapper that TfLiteExternalDelegateCreate makes of it, the text is empty and the result 0. */
LCE_DELEGATE_EXPORT size_t lce_delegate_profile(const void* delegate, char* buffer, size_t size);

/* Sets all calls and times to 0. */
LCE_DELEGATE_EXPORT void lce_delegate_reset_profile(const void* delegate);

/* The external delegate interface of TensorFlow Lite.
 *
 * Options, all text:
 *   num_threads   0 (default: follow the interpreter) .. 32
 *   kernel        auto (default) or the name of a kernel set that this CPU supports
 *   fusion        1 (default) or 0
 *   exactness     lce (default: LCE's arithmetic bit for bit) or keras (integers first)
 *   profiling     0 (default) or 1
 * The environment variable LCE_FORCE_KERNEL has the meaning of `kernel` where that is auto.
 *
 * An unknown key or a bad value ends in a call of `report_error` (may be null) and a null
 * result. Destroy a delegate only after all interpreters that use it. */
LCE_DELEGATE_EXPORT void* tflite_plugin_create_delegate(const char* const* keys,
                                                        const char* const* values, size_t count,
                                                        void (*report_error)(const char*));
LCE_DELEGATE_EXPORT void tflite_plugin_destroy_delegate(void* delegate);

#ifdef __cplusplus
}
#endif

#endif /* LCE_DELEGATE_LCE_DELEGATE_H_ */

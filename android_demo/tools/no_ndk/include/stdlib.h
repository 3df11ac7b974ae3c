#pragma once
#include <stddef.h>
#ifdef __cplusplus
extern "C" {
#endif
void* malloc(size_t);
void free(void*);
int posix_memalign(void**, size_t, size_t);
char* getenv(const char*);
#ifdef __cplusplus
}
#endif

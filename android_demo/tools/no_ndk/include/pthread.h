// Sizes and initial values of Android's C library on 64-bit machines.
#pragma once
#ifdef __cplusplus
extern "C" {
#endif
typedef long pthread_t;
typedef struct {
  int words[10];
} pthread_mutex_t;
typedef struct {
  int words[12];
} pthread_cond_t;
typedef struct pthread_attr_t pthread_attr_t;
typedef long pthread_mutexattr_t;
typedef long pthread_condattr_t;
#define PTHREAD_MUTEX_INITIALIZER {{0}}
int pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
int pthread_join(pthread_t, void**);
int pthread_mutex_init(pthread_mutex_t*, const pthread_mutexattr_t*);
int pthread_mutex_lock(pthread_mutex_t*);
int pthread_mutex_unlock(pthread_mutex_t*);
int pthread_mutex_destroy(pthread_mutex_t*);
int pthread_cond_init(pthread_cond_t*, const pthread_condattr_t*);
int pthread_cond_wait(pthread_cond_t*, pthread_mutex_t*);
int pthread_cond_broadcast(pthread_cond_t*);
int pthread_cond_destroy(pthread_cond_t*);
#ifdef __cplusplus
}
#endif

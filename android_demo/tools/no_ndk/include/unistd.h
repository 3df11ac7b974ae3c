#pragma once
typedef int pid_t;
#ifdef __cplusplus
extern "C"
#endif
    pid_t getpid(void);

// A plugin for QEMU's user emulation that counts the guest instructions executed and prints
//   insn_count N
// when the guest ends. Needs the dynamic qemu-aarch64 (Debian: qemu-user); the static one loads
// no plugins.
//
//   cc -shared -fPIC -O2 insn_count.c -o libinsn_count.so
//   qemu-aarch64 -plugin ./libinsn_count.so -d plugin -D count.txt PROGRAM ARGUMENTS
//
// QEMU's qemu-plugin.h is not packaged everywhere, so the five functions used are declared here;
// they are the same in all versions of the interface. QEMU 4.2 to 8.2 take version 1; a later one
// that refuses it names the versions it takes: build with -DINSN_COUNT_API=N.
#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifndef INSN_COUNT_API
#define INSN_COUNT_API 1
#endif
#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
enum { kNoRegisters = 0 };  // QEMU_PLUGIN_CB_NO_REGS

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*callback)(qemu_plugin_id_t,
                                                            struct qemu_plugin_tb*));
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb* block,
                                          void (*callback)(unsigned int, void*), int flags,
                                          void* data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb* block);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
                                    void (*callback)(qemu_plugin_id_t, void*), void* data);
void qemu_plugin_outs(const char* text);

EXPORT int qemu_plugin_version = INSN_COUNT_API;

// Not atomic: the programs counted have one thread.
static uint64_t executed;

static void OnExecute(unsigned int cpu, void* instructions) {
  (void)cpu;
  executed += (uintptr_t)instructions;
}

// Called once for each block of code that QEMU translates; from then on, each time the block is
// entered, its number of instructions is added. Blocks end at branches, so all of them run.
static void OnTranslate(qemu_plugin_id_t id, struct qemu_plugin_tb* block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_cb(block, OnExecute, kNoRegisters,
                                       (void*)(uintptr_t)qemu_plugin_tb_n_insns(block));
}

static void OnExit(qemu_plugin_id_t id, void* data) {
  char line[64];
  (void)id;
  (void)data;
  snprintf(line, sizeof(line), "insn_count %" PRIu64 "\n", executed);
  qemu_plugin_outs(line);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void* info, int argc, char** argv) {
  (void)info;
  (void)argc;
  (void)argv;
  qemu_plugin_register_vcpu_tb_trans_cb(id, OnTranslate);
  qemu_plugin_register_atexit_cb(id, OnExit, NULL);
  return 0;
}

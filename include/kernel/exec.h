/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_EXEC_H
#define KERNEL_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Bytes of standard output and standard error */
enum { EXEC_MAX_OUTPUT = 256 << 20, EXEC_MAX_ERROR = 4096 };

/*
 * Runs one program (no shell) with `input` on its standard input, and collects its standard output
 * and the first EXEC_MAX_ERROR bytes of its standard error. A name without a slash is looked up in
 * PATH and then in /usr/local/sbin, /usr/sbin, /sbin, /usr/bin and /bin. The program gets our
 * environment with LC_ALL=C, default signal handling, a process group of its own and no other
 * descriptor. It is ended with SIGKILL after timeout_ms.
 *
 * Returns its exit status (0..255), or a negative errno with words: -ENOENT (no such program),
 * -ETIMEDOUT, -ECHILD (it died of a signal), -EFBIG (more output than EXEC_MAX_OUTPUT), or a
 * shortage (base/err.h). With an exit status other than 0, `err` holds what it printed on standard error, on one line. `ret_out`
 * may be NULL; else it is written whenever there is an exit status, and what it held before is
 * released.
 */
int exec_run(const char *const argv[], const char *input, size_t input_len, int timeout_ms,
	struct buf *ret_out, struct err *err);

/* Loads a module of the kernel. Returns 0, or as exec_run(): the kernel says what it lacks better. */
int exec_modprobe(const char *module);

/* exec_run() in steps: one program at a time, beside the other work of an event loop. */
struct exec;
/* Returns 0, or a negative errno with words. */
int exec_new(struct exec **ret, struct err *err);
/* Kills a program that still runs. */
void exec_free(struct exec *x);
/* Readable when exec_advance() has something to do; owned by `x`. */
int exec_fd(const struct exec *x);
/* The input must stay until the program has ended. Returns 0, or as exec_run(). */
int exec_start(struct exec *x, const char *const argv[], const char *input, size_t input_len,
	int timeout_ms, struct err *err);
/* Its process id, while one runs; else 0. */
pid_t exec_running(const struct exec *x);
/* -EINPROGRESS while it runs; then, once, as exec_run(). */
int exec_advance(struct exec *x, struct buf *ret_out, struct err *err);
/* Blocks until exec_advance() has something to do. */
void exec_wait(const struct exec *x);

#endif

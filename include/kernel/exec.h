/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_EXEC_H
#define KERNEL_EXEC_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum { EXEC_MAX_OUTPUT = 256 << 20 };

/*
 * Runs one program (found in PATH; no shell) with `input` on its standard input, and collects its
 * standard output and the first 4 KiB of its standard error. Ends it with SIGKILL after timeout_ms.
 * `ret_out` may be NULL. Returns its exit status (0..255), or a negative errno with words: -ENOENT,
 * -ETIMEDOUT, -ECHILD (it died of a signal). With an exit status other than 0, `err` holds what it
 * printed on standard error.
 */
int exec_run(const char *const argv[], const char *input, size_t input_len, int timeout_ms,
	struct buf *ret_out, struct err *err);

#endif

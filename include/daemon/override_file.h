/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_OVERRIDE_FILE_H
#define DAEMON_OVERRIDE_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "core/override.h"

/*
 * Overrides outlive the daemon in the file "overrides" beside its status socket, but not the boot:
 * their times are of a clock that begins with it, and what was to be drained has started anew, too.
 */

/* Appends the path; nothing where there is no socket. */
void override_file_path(const char *status_socket, struct buf *ret);
/*
 * Adds what the file has. Returns 0, also where there is no file or it is of another boot, or a
 * negative errno with words: -EINVAL where a line is no override, of which those before are added.
 */
int override_file_read(const char *path, struct overrides *ret, struct err *err);
/* Replaces the file in one step; without overrides there is none. Returns 0 or a negative errno with
 * words. */
int override_file_write(const char *path, const struct overrides *o, struct err *err);

#endif

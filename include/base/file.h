/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>

/*
 * Opens a regular file to read it; symbolic links are followed. Anything else is not even opened,
 * because that can start a device, wake the writer of a FIFO, or wait for one. Returns the
 * descriptor or a negative errno: -EISDIR, and -ENODEV for a FIFO, a socket or a device.
 */
int file_open(const char *path);

/*
 * Somebody has the file open for writing now. False where that cannot be found out: on some file
 * systems, and for files of others without CAP_LEASE.
 */
bool file_is_being_written(int fd);

#endif

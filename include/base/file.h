/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_FILE_H
#define BASE_FILE_H

/*
 * Opens a regular file to read it; symbolic links are followed. Anything else is not even opened,
 * because that can start a device, wake the writer of a FIFO, or wait for one. Returns the
 * descriptor or a negative errno: -EISDIR, and -ENODEV for a FIFO, a socket or a device.
 */
int file_open(const char *path);

#endif

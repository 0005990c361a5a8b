/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MANIFEST_MANIFEST_FILE_H
#define MANIFEST_MANIFEST_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "catalog.h"

/*
 * One file: its latest content that was read, and the objects that it defines. The holder fills in
 * the path and empty lists; in the end it removes the definitions, drops the problems and frees the
 * path.
 */
struct manifest_file {
	char *path;
	struct list definitions; /* of struct definition.in_file */
	struct list problems;
	bool unreadable; /* at the last try */
	bool parsed;	 /* at some time */
	/* No version of it, or of an object in it, could be read yet. */
	bool incomplete;
	bool half; /* it was read while somebody wrote it, and no other version is known */
	bool read; /* there is a content: the members below describe it */
	dev_t dev;
	ino_t ino;
	size_t len;
	uint64_t hash;
};

/*
 * Reads the file if it changed, and tells the catalog which objects it defines and which no more.
 * While somebody writes it, it is read only if no version of it is known, or if `closed`: a writer
 * has closed it just now. Any mistake in it becomes a problem of the file. Returns 0, or -ENOENT if
 * it is not there, or no regular file any more; nothing has changed then.
 */
int manifest_file_read(
	struct manifest_file *f, struct catalog *catalog, struct problems *problems, bool closed);

#endif

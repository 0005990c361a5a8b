/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MANIFEST_MANIFEST_FILE_H
#define MANIFEST_MANIFEST_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"
#include "base/map.h"
#include "catalog.h"

/* One file: what was read of it last and what it defines. */
struct manifest_file {
	struct map_node by_path; /* this and the next ones are the caller's */
	struct list todo;
	unsigned actions;
	struct list gone;
	uint64_t deadline;
	const void *root;
	bool listed;
	char *path;
	struct list definitions;
	struct list problems;
	bool read;	 /* the next three are about something */
	bool unreadable; /* at the last try */
	dev_t dev;
	ino_t ino;
	size_t len;
	uint64_t hash;
};

struct manifest_file *manifest_file_new(const char *path);
/* Removes what the file defines. It must be on none of the caller's lists any more. */
void manifest_file_free(
	struct manifest_file *f, struct catalog *catalog, struct problems *problems);

/*
 * Reads the file if it changed. What is wrong with it becomes problems of the file. Returns 0, or
 * -ENOENT if it is not there (any more); nothing has changed then.
 */
int manifest_file_read(struct manifest_file *f, struct catalog *catalog, struct problems *problems);

#endif

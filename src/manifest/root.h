/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MANIFEST_ROOT_H
#define MANIFEST_ROOT_H

#include <stdbool.h>

#include "base/err.h"
#include "base/list.h"

/*
 * One configured path and its inotify watches: on the directory itself, and on the deepest existing
 * directory above it, where it appears, disappears and is replaced. The holder fills in the path,
 * no watch (-1) and an empty list, and frees the path and the child.
 */
struct root {
	char *path; /* without a slash at its end */
	bool is_dir;
	int self;	/* watch of the directory; -1: it is none, or there is none */
	int above;	/* watch of a directory above; -1: none */
	bool is_parent; /* `above` is the directory directly above */
	char *child;	/* the name in it that leads to the path */
	bool refresh;	/* something about the path itself changed */
	bool relist;	/* links in the directory may lead elsewhere now */
	int error;	/* of the last attempt to read it: see tell_root() in manifest.c */
	struct list problems;
};

/*
 * Finds out what the path is now, and watches it. Returns 0, or a negative errno with words if
 * changes cannot be noticed.
 */
int root_watch(struct root *r, int inotify, struct err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MANIFEST_MANIFEST_OWN_H
#define MANIFEST_MANIFEST_OWN_H

#include "catalog.h"
#include "manifest_file.h"
#include "problem.h"
#include "root.h"
#include "manifest/manifest.h"

struct manifests {
	int inotify;
	int timer; /* runs while a file is gone and may come back */
	int epoll; /* of both */
	struct root *roots;
	size_t n_roots;
	struct map files; /* of struct manifest_file */
	struct list todo; /* files with actions */
	struct list gone; /* files that disappeared, the longest gone first */
	bool overflow;	  /* events were lost */
	struct problems problems;
	struct catalog catalog;
};

struct manifest_file *manifests_file(const struct manifests *m, const char *path);
struct manifest_file *manifests_add_file(
	struct manifests *m, const struct root *root, const char *path);
void manifests_remove_file(struct manifests *m, struct manifest_file *f);
bool manifests_is_name(const char *name);

/*
 * In all of these, `wait` gives files that are not there a moment to come back; without it what
 * they define is removed at once.
 */
/* Returns 0, -ENOENT, or -EAGAIN: not there, but it may come back. */
int manifests_read_file(struct manifests *m, struct manifest_file *f, bool wait);
void manifests_file_gone(struct manifests *m, struct manifest_file *f, bool wait);
/* The timer has fired, or not: removes the files whose moment is over. */
void manifests_remove_gone(struct manifests *m);
bool manifests_is_missing(const char *path);

/* Looks at the path anew, reads all that it leads to and watches it. Returns 0, or a negative errno
 * with words. */
int manifests_refresh(struct manifests *m, struct root *r, bool wait, struct err *err);
/* Reads only what is new and what links lead to now: the other files may be being written. */
void manifests_relist(struct manifests *m, struct root *r);

#endif

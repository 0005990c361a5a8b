/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MANIFEST_MANIFEST_H
#define MANIFEST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/ip.h"
#include "core/store.h"

/*
 * Files and directories of manifests as a source: Service, Endpoints, EndpointSlice, Node and List,
 * YAML (several documents a file) and JSON. Directories are followed with inotify: files named
 * *.yaml, *.yml, *.json that do not begin with a dot, not in sub-directories; a path that is a file
 * is followed whatever its name.
 *
 * A file that cannot be read or parsed changes nothing: its objects stay as they were. An invalid
 * object is left out; if a valid version of it came from the same file before, that one stays. If
 * two files define the same object, the first by path name counts.
 *
 * A file is read when its writer has closed it or moved it into place, never while it is being
 * written. A file that disappears has MANIFEST_GONE_MS to come back, because many editors move the
 * old version away before they write the new one. Where the visible names are symbolic links (as in
 * a ConfigMap volume), a change of a link in the directory itself is followed; the target of a link
 * is not watched if it is outside of the directory.
 */

/* Limits on what comes from outside */
enum {
	MANIFEST_MAX_FILE = 64 << 20, /* bytes of one file */
	MANIFEST_MAX_FILES = 10000,   /* of all directories */
	MANIFEST_MAX_PROBLEMS = 100,  /* listed of one file; the rest is counted */
};

enum { MANIFEST_GONE_MS = 250 }; /* after which a file that disappeared is really gone */

struct manifest_problem {
	const char *path;
	unsigned line, column; /* 1-based; 0: not known */
	const char *object;    /* "Service default/web"; "" for a problem of the whole file */
	const char *field;     /* "spec.ports[0].port"; "" */
	const char *message;   /* the mistake and its consequence: "is 0, must be 1..65535; ..." */
};

/* One line: "PATH:LINE:COLUMN: OBJECT: FIELD MESSAGE" without the unknown parts. */
void manifest_problem_print(const struct manifest_problem *problem, struct buf *b);

struct manifests_config {
	const char *const *paths;
	size_t n_paths;
	struct store *store;
	/*
	 * Ranges (IPv4, IPv6; family 0: none) from which a Service without a clusterIP gets one, as
	 * from an API server. The address depends on namespace and name, so that it survives a
	 * restart (as long as the same names are there), and never changes while running.
	 */
	struct cidr service_range[2];
	/* Called once for each problem when it appears. */
	void (*on_problem)(const struct manifest_problem *problem, void *arg);
	void *arg;
};

struct manifests;

/* Sets up inotify; reads nothing yet. Returns 0, or a negative errno with words (inotify limits).
 * The configuration is copied, except for the store. */
int manifests_new(const struct manifests_config *config, struct manifests **ret, struct err *err);
void manifests_free(struct manifests *m);
/*
 * Reads everything again and brings the store up to date. Returns 0, or a negative errno with words
 * if one of the paths cannot be read at all; whatever could be read is in the store nevertheless.
 */
int manifests_load(struct manifests *m, struct err *err);
/* The same, but a file that has disappeared may come back, as in manifests_dispatch(). */
int manifests_reload(struct manifests *m, uint64_t now, struct err *err);
/*
 * Since the start, every file and every object in them could be read once, so that all objects are
 * known that an earlier run may have known. A mistake made later changes nothing of that, because
 * the version from before stays.
 */
bool manifests_complete(const struct manifests *m);
/* Not complete, and an object of this name, or one named after it, may be in what is missing. */
bool manifests_miss(const struct manifests *m, const char *name);
/* Readable when something changed: then call manifests_dispatch(). Owned by m. */
int manifests_fd(const struct manifests *m);
/* Reads what changed. True when the store changed. Does not block. `now` is in milliseconds. */
bool manifests_dispatch(struct manifests *m, uint64_t now);
/*
 * When to call manifests_dispatch() even if the descriptor is silent, because then a file that
 * disappeared is gone for good; UINT64_MAX: never.
 */
uint64_t manifests_next(const struct manifests *m);
/* The present problems, valid until the next call of load or dispatch. */
size_t manifests_problems(struct manifests *m, const struct manifest_problem *const **ret);

#endif

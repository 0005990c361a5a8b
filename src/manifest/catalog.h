/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MANIFEST_CATALOG_H
#define MANIFEST_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "core/store.h"
#include "decode/decode.h"
#include "mentions.h"
#include "pool.h"
#include "problem.h"

/*
 * The objects that the files define. If several files define the same object, the first by path
 * counts. catalog_settle() brings the store up to date, for objects whose content changed only.
 * Services without a clusterIP get theirs here.
 *
 * The owner sets the store, the problems and the ranges of the pools, and initialises the lists.
 */
struct catalog {
	struct store *store;
	struct problems *problems;
	struct map subjects;
	struct list touched;	/* subjects to look at in catalog_settle() */
	struct list starved;	/* subjects for which no address was left */
	struct pool pools[2];	/* IPv4, IPv6 */
	struct mentions unread; /* in files and objects that could not be read */
	bool changed;		/* the store, since the caller last reset it */
};

/* One object as one file defines it. */
struct definition {
	struct list in_file;	/* the caller's */
	struct list of_subject; /* in order of path */
	struct subject *subject;
	const char *path; /* lives as long as the definition */
	char *content;	  /* JSON, canonical */
	uint64_t hash;	  /* of the content */
	struct object object;
	bool decoded;  /* `object` is there; else the store has it, or had it */
	bool seen;     /* the caller's */
	unsigned line; /* of its document */
};

/* All definitions have been removed. */
void catalog_done(struct catalog *c);

/* The definition of the object in that file; NULL for none. */
struct definition *catalog_find(
	const struct catalog *c, const struct object_id *id, const char *path);
/* A new definition or new content of one. Takes `content` and what is in `o`. */
struct definition *catalog_define(struct catalog *c, const struct object_id *id, const char *path,
	char *content, struct object *o);
void catalog_remove(struct catalog *c, struct definition *d);

/* Whether a Service without an address can be given one. */
bool catalog_can_assign(const struct catalog *c, const struct object *o);
/* Brings the store up to date. */
void catalog_settle(struct catalog *c);

#endif

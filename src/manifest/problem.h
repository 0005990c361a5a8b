/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MANIFEST_PROBLEM_H
#define MANIFEST_PROBLEM_H

#include <stdbool.h>

#include "base/list.h"
#include "manifest/manifest.h"

/*
 * The present problems. Each one is on a list of its owner (a path, a file, an object), which adds
 * all its problems anew at each look: a known problem is not announced again, and a problem that is
 * not added again is over. The holder of the struct sets the callback, initialises the list, and at
 * the end, when the owners have dropped their problems, frees `sorted`.
 */
struct problems {
	struct list all;
	size_t n;
	const struct manifest_problem **sorted; /* by path and line; NULL: to be made */
	void (*on_problem)(const struct manifest_problem *problem, void *arg);
	void *arg;
};

/* Between begin and end the owner adds all its problems. Strings are copied. */
void problems_begin(struct list *owner);
void problems_add(struct problems *ps, struct list *owner, const struct manifest_problem *p);
void problems_end(struct problems *ps, struct list *owner);
/* The owner has no problems any more. */
void problems_drop(struct problems *ps, struct list *owner);
/* All, sorted; valid until the next change. */
size_t problems_list(struct problems *ps, const struct manifest_problem *const **ret);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONFIG_NEAREST_H
#define CONFIG_NEAREST_H

#include <stddef.h>

/* Finds the name that was probably meant, by the letters that differ. */
struct nearest {
	const char *name;
	size_t len;
	unsigned best;
	const char *found; /* NULL: no candidate shares half of the letters */
};

void nearest_init(struct nearest *n, const char *name, size_t len);
/* NULL is no candidate. */
void nearest_try(struct nearest *n, const char *candidate);

#endif

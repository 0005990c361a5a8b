/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef MANIFEST_MENTIONS_H
#define MANIFEST_MENTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The names of objects that what could not be read may be about. A name that was never added may
 * be found all the same, but one that was added is always found. A zeroed one is empty.
 */
enum { MENTIONS_BITS = 1 << 18 };

struct mentions {
	bool all; /* whatever the name: nothing is known of what could not be read */
	uint8_t bits[MENTIONS_BITS / 8];
};

/* Adds each word of the text, and its beginnings up to a dash or dot: a slice is named after its
 * Service, "web-7xk2p", and the rest of the text may be missing. */
void mentions_add(struct mentions *m, const char *text, size_t len);
bool mentions_has(const struct mentions *m, const char *name);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef BASE_PORT_SET_H
#define BASE_PORT_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { PORT_SET_WORDS = 65536 / 64 };

/* A set of ports, 0 to 65535. A zeroed one is empty. */
struct port_set {
	uint64_t words[PORT_SET_WORDS];
};

void port_set_add(struct port_set *s, uint16_t port);
bool port_set_has(const struct port_set *s, uint16_t port);
size_t port_set_count(const struct port_set *s);
bool port_set_eq(const struct port_set *a, const struct port_set *b);
/* The ports of both, of any of the two, and of a without b; `ret` may be a or b. */
void port_set_and(const struct port_set *a, const struct port_set *b, struct port_set *ret);
void port_set_or(const struct port_set *a, const struct port_set *b, struct port_set *ret);
void port_set_minus(const struct port_set *a, const struct port_set *b, struct port_set *ret);

/* "30000-30002,40000", as short as can be; nothing for an empty set. */
void port_set_print(struct buf *b, const struct port_set *s);
/* The inverse, strictly, and in any order; "" is the empty set. Returns 0 or -EINVAL. */
int port_set_parse(const char *text, struct port_set *ret);

#endif

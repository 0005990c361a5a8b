/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SOURCE_PROTOBUF_H
#define SOURCE_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The wire format of Protocol Buffers, read field by field where it lies: nothing is copied,
 * nothing allocated. Groups (wire types 3 and 4) do not occur in Kubernetes and are an error.
 */

struct pb {
	const uint8_t *p, *end;
	bool bad; /* the bytes were no valid message; pb_next() has returned false */
};

struct pb_field {
	uint32_t number;
	uint8_t type;	      /* 0 varint, 1 64 bits, 2 bytes, 5 32 bits */
	uint64_t value;	      /* types 0, 1, 5 */
	const uint8_t *bytes; /* type 2 */
	size_t len;
};

static inline struct pb pb_make(const void *data, size_t len)
{
	return (struct pb){ .p = data, .end = (const uint8_t *)data + len };
}

/* The next field; false at the end, or where the bytes are bad. */
bool pb_next(struct pb *pb, struct pb_field *ret);
/* The message in a field of type 2; an empty one for other types. */
struct pb pb_sub(const struct pb_field *f);
/*
 * Reads a varint. Returns how many bytes it took, 0 where there are not enough yet, or -1: it is
 * longer than ten bytes.
 */
int pb_varint(const uint8_t *p, const uint8_t *end, uint64_t *ret);

#endif

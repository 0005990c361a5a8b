/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DECODE_PROTOBUF_H
#define DECODE_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The wire format of Protocol Buffers, read field by field where it lies: nothing is copied,
 * nothing allocated. Groups (wire types 3 and 4) do not occur in Kubernetes and are an error.
 */

/* Wire types */
enum { PB_VARINT = 0, PB_FIXED64 = 1, PB_BYTES = 2, PB_FIXED32 = 5 };

struct pb {
	const uint8_t *p, *end;
	bool bad; /* the bytes are no valid message: the functions below return false */
};

struct pb_field {
	uint32_t number;
	uint8_t type;	      /* PB_* */
	uint64_t value;	      /* of all types but PB_BYTES */
	const uint8_t *bytes; /* of PB_BYTES */
	size_t len;
};

static inline struct pb pb_make(const void *data, size_t len)
{
	return (struct pb){ .p = data, .end = (const uint8_t *)data + len };
}

/* The next field; false at the end, or where the bytes are bad. */
bool pb_next(struct pb *pb, struct pb_field *ret);
/* The next field of that number; the fields before it are passed over. */
bool pb_find(struct pb *pb, uint32_t number, struct pb_field *ret);
/* Whether all fields can be read; the contents of PB_BYTES are not looked at. */
bool pb_is_valid(struct pb pb);
/* The message in a field of type PB_BYTES; an empty one for other types. */
struct pb pb_sub(const struct pb_field *f);
/*
 * Reads a varint. Returns how many bytes it took, 0 where there are not enough yet, or -1: it is
 * longer than ten bytes.
 */
int pb_varint(const uint8_t *p, const uint8_t *end, uint64_t *ret);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
#include "decode/protobuf.h"

#include <string.h>

int pb_varint(const uint8_t *p, const uint8_t *end, uint64_t *ret)
{
	uint64_t v = 0;

	for (int i = 0; i < 10; i++) {
		if (p + i == end)
			return 0;
		v |= (uint64_t)(p[i] & 0x7f) << (7 * i);
		if (!(p[i] & 0x80)) {
			*ret = v;
			return i + 1;
		}
	}
	return -1;
}

/* Most tags, lengths and numbers are one byte. */
static inline bool take_varint(struct pb *pb, uint64_t *ret)
{
	int n;

	if (pb->p < pb->end && *pb->p < 0x80) {
		*ret = *pb->p++;
		return true;
	}
	n = pb_varint(pb->p, pb->end, ret);
	if (n <= 0)
		return false;
	pb->p += n;
	return true;
}

/* Inline, because decoding a large list spends most of its time here. Writes `f` on failure, too. */
static inline bool take_field(struct pb *pb, struct pb_field *f)
{
	uint64_t tag, len;

	*f = (struct pb_field){ 0 };
	if (pb->bad || pb->p == pb->end)
		return false;
	pb->bad = true;
	if (!take_varint(pb, &tag) || tag >> 32 || !(tag >> 3))
		return false;
	f->number = (uint32_t)(tag >> 3);
	f->type = tag & 7;

	switch (f->type) {
	case PB_VARINT:
		if (!take_varint(pb, &f->value))
			return false;
		break;
	case PB_BYTES:
		if (!take_varint(pb, &len) || len > (size_t)(pb->end - pb->p))
			return false;
		f->bytes = pb->p;
		f->len = (size_t)len;
		pb->p += len;
		break;
	case PB_FIXED64:
	case PB_FIXED32:
		len = f->type == PB_FIXED64 ? 8 : 4;
		if (len > (size_t)(pb->end - pb->p))
			return false;
		for (size_t i = 0; i < len; i++)
			f->value |= (uint64_t)*pb->p++ << (8 * i);
		break;
	default:
		return false;
	}
	pb->bad = false;
	return true;
}

bool pb_next(struct pb *pb, struct pb_field *ret)
{
	struct pb_field f;

	if (!take_field(pb, &f))
		return false;
	*ret = f;
	return true;
}

bool pb_find(struct pb *pb, uint32_t number, struct pb_field *ret)
{
	struct pb_field f;

	while (take_field(pb, &f)) {
		if (f.number != number)
			continue;
		*ret = f;
		return true;
	}
	return false;
}

bool pb_is_valid(struct pb pb)
{
	struct pb_field f;

	while (take_field(&pb, &f))
		;
	return !pb.bad;
}

struct pb pb_sub(const struct pb_field *f)
{
	static const uint8_t none;

	return f->type == PB_BYTES && f->len ? pb_make(f->bytes, f->len) : pb_make(&none, 0);
}

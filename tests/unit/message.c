// SPDX-License-Identifier: GPL-2.0-or-later
#include "message.h"

#include <string.h>

#include "decode/protobuf.h"

void put_varint(struct buf *b, uint64_t v)
{
	for (; v > 0x7f; v >>= 7)
		buf_addc(b, (char)((v & 0x7f) | 0x80));
	buf_addc(b, (char)v);
}

static void put_tag(struct buf *b, uint32_t field, unsigned type)
{
	put_varint(b, (uint64_t)field << 3 | type);
}

void put_number(struct buf *b, uint32_t field, int64_t v)
{
	put_tag(b, field, PB_VARINT);
	put_varint(b, (uint64_t)v);
}

void put_bytes(struct buf *b, uint32_t field, const void *data, size_t len)
{
	put_tag(b, field, PB_BYTES);
	put_varint(b, len);
	buf_add(b, data, len);
}

void put_text(struct buf *b, uint32_t field, const char *s)
{
	put_bytes(b, field, s, strlen(s));
}

void put_message(struct buf *b, uint32_t field, struct buf *message)
{
	put_bytes(b, field, buf_str(message), message->len);
	buf_done(message);
}

void put_entry(struct buf *b, uint32_t field, const char *key, const char *value)
{
	struct buf entry = { 0 };

	put_text(&entry, 1, key);
	put_text(&entry, 2, value);
	put_message(b, field, &entry);
}

void put_enveloped(struct buf *b, struct buf *message)
{
	struct buf type = { 0 };

	put_text(&type, 1, "v1");
	put_text(&type, 2, "Anything");
	buf_add(b, "k8s", 4);
	put_message(b, 1, &type);
	put_message(b, 2, message);
	put_text(b, 3, "");
	put_text(b, 4, "");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_MESSAGE_H
#define TEST_MESSAGE_H

#include <stdint.h>

#include "base/buf.h"

/* Writes protobuf messages, field by field, at the end of a buffer. */
void put_varint(struct buf *b, uint64_t v);
void put_number(struct buf *b, uint32_t field, int64_t v);
void put_bytes(struct buf *b, uint32_t field, const void *data, size_t len);
void put_text(struct buf *b, uint32_t field, const char *s);
/* The message is emptied. */
void put_message(struct buf *b, uint32_t field, struct buf *message);
/* An entry of a map. */
void put_entry(struct buf *b, uint32_t field, const char *key, const char *value);
/* As a body: the magic bytes and a runtime.Unknown. The message is emptied. */
void put_enveloped(struct buf *b, struct buf *message);

#endif

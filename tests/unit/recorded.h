/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_RECORDED_H
#define TESTS_UNIT_RECORDED_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netlink/msg.h>

#include "base/mem.h"

/*
 * Recorded netlink messages, tests/bytes/<name>.txt. To be included behind cmocka.h. A record is a
 * line "WHAT" or "WHAT | NAME=VALUE ...", and under it the messages in hexadecimal: each begins
 * behind one tab and goes on behind two. Lines that start with '#' are comments.
 */

enum { RECORD_MAX_MESSAGES = 32, RECORD_MAX_BYTES = 4096, RECORD_MAX_LINE = 512 };

struct record {
	char title[RECORD_MAX_LINE];
	char notes[RECORD_MAX_LINE]; /* behind the '|' */
	struct nlmsghdr *messages[RECORD_MAX_MESSAGES];
	size_t lengths[RECORD_MAX_MESSAGES];
	size_t n;
};

static inline void record_done(struct record *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->messages[i]);
	r->n = 0;
}

/* Appends the bytes of one line to the last message. */
static inline void record_add_bytes(struct record *r, const char *hex)
{
	size_t i = r->n - 1;
	unsigned byte;

	r->messages[i] = mem_realloc(r->messages[i], 1, r->lengths[i] + strlen(hex));
	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		((unsigned char *)r->messages[i])[r->lengths[i]++] = (unsigned char)byte;
}

/* A message in a block of exactly its size, so that the sanitizer sees what reads behind it. */
static inline struct nlmsghdr *record_copy(const struct nlmsghdr *msg, size_t len)
{
	struct nlmsghdr *copy = mem_zalloc(1, len);

	memcpy(copy, msg, len);
	return copy;
}

static inline void record_add_line(struct record *r, const char *line)
{
	if (line[1] != '\t') {
		if (r->n == RECORD_MAX_MESSAGES)
			abort();
		r->messages[r->n] = NULL;
		r->lengths[r->n++] = 0;
	}
	record_add_bytes(r, line + strspn(line, "\t"));
}

static inline void record_set_title(struct record *r, const char *line)
{
	const char *bar = strstr(line, " |");
	size_t len = bar ? (size_t)(bar - line) : strlen(line);

	snprintf(r->title, sizeof(r->title), "%.*s", (int)len, line);
	snprintf(r->notes, sizeof(r->notes), "%s", bar ? bar : "");
}

/* The number behind "name=" in the notes; `otherwise` where it is not. */
static inline unsigned record_number(const struct record *r, const char *name, unsigned otherwise)
{
	size_t len = strlen(name);

	for (const char *p = r->notes; (p = strstr(p, name)); p += len)
		if (p[-1] == ' ' && p[len] == '=')
			return (unsigned)strtoul(p + len + 1, NULL, 10);
	return otherwise;
}

static inline bool record_is(const struct record *r, const char *start)
{
	return !strncmp(r->title, start, strlen(start));
}

/* Calls fn for every record of the file. Returns how many there were; 0: no such file. */
static inline size_t recorded_each(const char *name, void (*fn)(const struct record *r))
{
	char line[RECORD_MAX_LINE], path[RECORD_MAX_LINE];
	struct record r = { .n = 0 };
	size_t count = 0;
	FILE *f;

	snprintf(path, sizeof(path), "tests/bytes/%s.txt", name);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (*line == '#' || !*line)
			continue;
		if (*line == '\t') {
			record_add_line(&r, line);
			continue;
		}
		if (r.n)
			fn(&r);
		record_done(&r);
		record_set_title(&r, line);
		count++;
	}
	if (r.n)
		fn(&r);
	record_done(&r);
	if (f)
		fclose(f);
	return count;
}

/*
 * Calls fn for the message cut behind every byte, and with every byte replaced: whatever it says
 * of them, it must not read outside of them.
 */
static inline void record_damage(
	const struct nlmsghdr *msg, size_t len, void (*fn)(struct nlmsghdr *msg))
{
	static const unsigned char replacements[] = { 0x00, 0x01, 0x7f, 0xff };

	for (size_t n = sizeof(*msg); n < len; n++) {
		struct nlmsghdr *m = record_copy(msg, n);

		m->nlmsg_len = (__u32)n;
		fn(m);
		free(m);
	}
	for (size_t i = sizeof(*msg); i < len; i++)
		for (size_t j = 0; j < ARRAY_SIZE(replacements); j++) {
			struct nlmsghdr *m = record_copy(msg, len);

			((unsigned char *)m)[i] = replacements[j];
			fn(m);
			free(m);
		}
}

/* A message from hexadecimal digits; the caller frees. */
static inline struct nlmsghdr *record_bytes(const char *hex)
{
	size_t len = strlen(hex) / 2;
	unsigned char *b = mem_zalloc(len, 1);

	for (size_t i = 0; i < len; i++)
		sscanf(hex + 2 * i, "%2hhx", &b[i]);
	return (struct nlmsghdr *)b;
}

/* Fails unless the request is, but for its sequence number, the one recorded message. Frees it. */
static inline void record_compare(const struct record *r, struct nl_msg *request)
{
	struct nlmsghdr *h = nlmsg_hdr(request);

	assert_int_equal(r->n, 1);
	h->nlmsg_seq = r->messages[0]->nlmsg_seq;
	if (h->nlmsg_len != r->lengths[0] || memcmp(h, r->messages[0], h->nlmsg_len) != 0)
		fail_msg("\"%s\" is built otherwise", r->title);
	nlmsg_free(request);
}

/* The records are of a little-endian machine; on others a test program has nothing to compare. */
static inline bool record_skip_all(void)
{
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		return false;
	puts("1..0 # SKIP the messages were recorded on a little-endian machine");
	return true;
}

#endif

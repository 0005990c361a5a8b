// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/connection.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/number.h"
#include "core/fact.h"

/* A line has at most 160 bytes and the data of a persistence engine: 255 (IP_VS_PEDATA_MAXLEN). */
enum { MAX_LINE = 1024 };

uint32_t connection_fwmark(const struct connection *c)
{
	uint32_t mark;

	memcpy(&mark, c->vip.bytes, sizeof(mark));
	return be32toh(mark);
}

bool connection_is_active(const struct connection *c)
{
	return !c->template && !strcmp(c->state, "ESTABLISHED");
}

/* A word and the blanks before it. Returns its length; `*line` is then behind it. */
static size_t next_word(const char **line, const char **ret)
{
	const char *s = *line + strspn(*line, " \t");
	size_t len = strcspn(s, " \t\n");

	*ret = s;
	*line = s + len;
	return len;
}

/* Hexadecimal digits, exactly `n` of them. */
static bool parse_hex(const char *s, size_t n, uint32_t *ret)
{
	uint32_t v = 0;

	for (size_t i = 0; i < n; i++) {
		char c = s[i];
		uint32_t digit;

		if (c >= '0' && c <= '9')
			digit = (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return false;
		v = v << 4 | digit;
	}
	*ret = v;
	return true;
}

/* "C0A83201", or all eight groups of IPv6: "fd00:0000:...:0001" */
static bool next_address(const char **line, struct ip *ret)
{
	enum { LEN4 = 8, LEN6 = 39, GROUPS = 8, GROUP = 4 };
	const char *s;
	size_t len = next_word(line, &s);
	uint32_t v;

	if (len == LEN4) {
		if (!parse_hex(s, LEN4, &v))
			return false;
		v = htobe32(v);
		*ret = ip_make(AF_INET, &v);
		return true;
	}
	if (len != LEN6)
		return false;
	*ret = (struct ip){ .family = AF_INET6 };
	for (size_t i = 0; i < GROUPS; i++, s += GROUP + 1) {
		if (!parse_hex(s, GROUP, &v) || (i + 1 < GROUPS && s[GROUP] != ':'))
			return false;
		ret->bytes[2 * i] = (uint8_t)(v >> 8);
		ret->bytes[2 * i + 1] = (uint8_t)v;
	}
	return true;
}

static bool next_port(const char **line, uint16_t *ret)
{
	const char *s;
	uint32_t v;

	if (next_word(line, &s) != 4 || !parse_hex(s, 4, &v))
		return false;
	*ret = (uint16_t)v;
	return true;
}

/* Copies a short word. False: there is none, or it is longer. */
static bool next_copy(const char **line, char *ret, size_t size)
{
	const char *s;
	size_t len = next_word(line, &s);

	if (!len || len >= size)
		return false;
	memcpy(ret, s, len);
	ret[len] = '\0';
	return true;
}

bool connection_parse(const char *line, struct connection *ret)
{
	struct connection c = { .translated = true };
	char proto[8], seconds[12];
	uint64_t n;

	if (!next_copy(&line, proto, sizeof(proto)) || !next_address(&line, &c.client) ||
		!next_port(&line, &c.client_port) || !next_address(&line, &c.vip) ||
		!next_port(&line, &c.vip_port) || !next_address(&line, &c.endpoint) ||
		!next_port(&line, &c.endpoint_port) ||
		!next_copy(&line, c.state, sizeof(c.state)) ||
		!next_copy(&line, seconds, sizeof(seconds)) ||
		number_parse(seconds, UINT32_MAX, &n) || c.client.family != c.vip.family)
		return false;
	c.expires = (uint32_t)n;
	c.proto = proto_parse(proto);
	if (!c.proto && strcmp(proto, "IP") != 0)
		return false;
	/* ip_vs_state_name(): a template has one of these states. */
	c.template = !c.client_port && (!strcmp(c.state, "NONE") || !strcmp(c.state, "ASSURED"));
	if (!c.proto && !c.template)
		return false;
	*ret = c;
	return true;
}

/* Drops the rest of a line that the buffer cuts. False: the line was whole. */
static bool skip_long_line(FILE *table, const char *line)
{
	int c;

	if (strchr(line, '\n') || strlen(line) + 1 < MAX_LINE)
		return false;
	do {
		c = getc(table);
	} while (c != '\n' && c != EOF);
	return true;
}

int connections_read(
	FILE *table, connection_fn fn, void *arg, uint64_t *ret_skipped, struct err *err)
{
	uint64_t skipped = 0;
	struct connection c;
	char line[MAX_LINE];

	if (!fgets(line, sizeof(line), table) || strncmp(line, "Pro FromIP", 10) != 0) {
		if (ferror(table))
			return err_errno(err, -errno, "cannot read the connections");
		return err_set(err, -EPROTO, "the table of connections has no header");
	}
	while (fgets(line, sizeof(line), table)) {
		if (!skip_long_line(table, line) && connection_parse(line, &c))
			fn(&c, arg);
		else
			skipped++;
	}
	if (ferror(table))
		return err_errno(err, -errno, "cannot read the connections");
	*ret_skipped = skipped;
	return 0;
}

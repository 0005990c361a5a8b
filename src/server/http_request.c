// SPDX-License-Identifier: GPL-2.0-or-later
#include "http_request.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/printable.h"

enum {
	STATUS_BAD_REQUEST = 400,
	STATUS_TOO_LARGE = 413,
	STATUS_NOT_IMPLEMENTED = 501,
	STATUS_VERSION = 505,
};

static const char blanks[] = " \t";

/* The head */

size_t http_head_length(const char *data, size_t len, size_t *searched)
{
	const size_t begin = strspn(data, "\r\n");

	for (size_t i = *searched > begin ? *searched : begin; i < len; i++) {
		size_t line = i; /* the end of its text */

		/* A line ends with CR LF, or with LF alone (RFC 9112, 2.2). */
		if (data[i] != '\n')
			continue;
		line -= data[line - 1] == '\r';
		if (data[line - 1] == '\n')
			return i + 1;
	}
	*searched = len;
	return 0;
}

/* The next line, without its end, which becomes a NUL. The last one ends with a NUL alone. */
static char *next_line(char **at)
{
	char *line = *at;
	size_t n = strcspn(line, "\n");

	*at = line + n + (line[n] == '\n');
	line[n] = '\0';
	if (n && line[n - 1] == '\r')
		line[n - 1] = '\0';
	return line;
}

/* RFC 9110, 5.6.2 */
static bool is_token(const char *s)
{
	return *s &&
		!s[strspn(s,
			"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
			"ABCDEFGHIJKLMNOPQRSTUVWXYZ")];
}

static bool is_graphic(const char *s)
{
	while (*s > ' ' && *s < 0x7f)
		s++;
	return !*s;
}

/* "/path?query", "http://host/path?query", "*", or "host:port" as for CONNECT. */
static void split_target(char *target, struct http_head *ret)
{
	char *fragment = strchr(target, '#'), *query, *host;

	if (fragment)
		*fragment = '\0';
	query = strchr(target, '?');
	ret->query = query ? query + 1 : "";
	if (query)
		*query = '\0';
	host = strstr(target, "://");
	if (*target != '/' && host)
		target = host + 3 + strcspn(host + 3, "/");
	ret->path = target;
}

static int parse_request_line(char *line, struct http_head *ret)
{
	char *target = strchr(line, ' '), *version;

	if (!target)
		return STATUS_BAD_REQUEST;
	*target++ = '\0';
	version = strchr(target, ' ');
	if (!version)
		return STATUS_BAD_REQUEST;
	*version++ = '\0';
	if (!is_token(line) || strlen(line) > HTTP_MAX_METHOD || !*target || !is_graphic(target))
		return STATUS_BAD_REQUEST;
	if (strncmp(version, "HTTP/", 5) != 0)
		return STATUS_BAD_REQUEST;
	if (strcmp(version + 5, "1.0") != 0 && strcmp(version + 5, "1.1") != 0)
		return STATUS_VERSION;
	ret->method = line;
	ret->minor = version[7] - '0';
	ret->keep_alive = ret->minor;
	split_target(target, ret);
	return 0;
}

/* Whether a list such as "keep-alive, Upgrade" has the word. */
static bool list_has(const char *list, const char *word)
{
	const size_t len = strlen(word);

	while (*list) {
		size_t n;

		list += strspn(list, " \t,");
		n = strcspn(list, " \t,");
		if (n == len && !strncasecmp(list, word, len))
			return true;
		list += n;
	}
	return false;
}

static int parse_content_length(const char *value, bool again, size_t max, struct http_head *ret)
{
	size_t n = 0;

	if (!*value)
		return STATUS_BAD_REQUEST;
	for (; *value >= '0' && *value <= '9'; value++)
		n = n > max ? n : n * 10 + (size_t)(*value - '0');
	if (*value || (again && n != ret->content_length))
		return STATUS_BAD_REQUEST;
	ret->content_length = n;
	return n > max ? STATUS_TOO_LARGE : 0;
}

int http_head_parse(char *data, size_t len, size_t max_body, struct http_head *ret)
{
	char *at = data + strspn(data, "\r\n"), *line;
	bool has_length = false;
	int r;

	*ret = (struct http_head){ 0 };
	if (memchr(data, '\0', len - 1) || data[len - 1] != '\n')
		return STATUS_BAD_REQUEST;
	data[len - 1] = '\0';
	r = parse_request_line(next_line(&at), ret);
	while (!r && *(line = next_line(&at))) {
		char *value = strchr(line, ':');
		size_t n;

		/* A line that continues the one before begins with a blank, which is no token. */
		if (!value)
			return STATUS_BAD_REQUEST;
		*value++ = '\0';
		if (!is_token(line))
			return STATUS_BAD_REQUEST;
		value += strspn(value, blanks);
		for (n = strlen(value); n && strchr(blanks, value[n - 1]); n--)
			value[n - 1] = '\0';
		if (strchr(value, '\r'))
			return STATUS_BAD_REQUEST;

		if (!strcasecmp(line, "Content-Length")) {
			r = parse_content_length(value, has_length, max_body, ret);
			has_length = true;
		} else if (!strcasecmp(line, "Transfer-Encoding")) {
			r = STATUS_NOT_IMPLEMENTED;
		} else if (!strcasecmp(line, "Connection")) {
			if (list_has(value, "close"))
				ret->keep_alive = false;
			else if (list_has(value, "keep-alive"))
				ret->keep_alive = true;
		} else if (!strcasecmp(line, "Expect")) {
			ret->expects = true;
		}
	}
	return r;
}

const char *http_reason(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ STATUS_BAD_REQUEST, "Bad Request" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 409, "Conflict" },
		{ STATUS_TOO_LARGE, "Content Too Large" },
		{ 418, "I'm a teapot" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ STATUS_NOT_IMPLEMENTED, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ STATUS_VERSION, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "";
}

/* Queries */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Appends n characters of a query, decoded. A percent sign without two digits stands for itself. */
static void decode_query(const char *s, size_t n, struct buf *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '%' && i + 2 < n && hex_digit(s[i + 1]) >= 0 &&
			hex_digit(s[i + 2]) >= 0) {
			buf_addc(ret, (char)(hex_digit(s[i + 1]) << 4 | hex_digit(s[i + 2])));
			i += 2;
		} else {
			buf_addc(ret, s[i] == '+' ? ' ' : s[i]);
		}
	}
}

int http_query_get(const char *query, const char *name, struct buf *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf key = { 0 }, value = { 0 };
	size_t n;

	for (const char *p = query; *p; p += n + (p[n] == '&')) {
		size_t equals;

		n = strcspn(p, "&");
		equals = strcspn(p, "=&");
		buf_reset(&key);
		decode_query(p, equals, &key);
		if (strcmp(buf_str(&key), name) != 0)
			continue;
		if (equals < n)
			decode_query(p + equals + 1, n - equals - 1, &value);
		if (strlen(buf_str(&key)) != key.len || strlen(buf_str(&value)) != value.len ||
			!printable_all(buf_str(&value)))
			return err_set(err, -EINVAL,
				"the value of %s in the query has bytes that are not printable UTF-8",
				name);
		buf_add(ret, buf_str(&value), value.len);
		return 1;
	}
	return 0;
}

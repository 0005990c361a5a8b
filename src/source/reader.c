// SPDX-License-Identifier: GPL-2.0-or-later
#include "reader.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LABEL_MAX_LEN = 63 }; /* RFC 1123 */

#define BLANKS " \t\r\n"

static size_t append(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A path that grows too long is cut at its end. */
static size_t append(struct reader *r, const char *fmt, ...)
{
	size_t mark = r->len, room = sizeof(r->path) - r->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(r->path + r->len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		r->len += (size_t)n < room ? (size_t)n : room - 1;
	return mark;
}

size_t reader_enter(struct reader *r, const char *key)
{
	return append(r, "%s%s", r->len ? "." : "", key);
}

size_t reader_enter_index(struct reader *r, size_t i)
{
	return append(r, "[%zu]", i);
}

size_t reader_enter_name(struct reader *r, const char *key)
{
	return append(r, "[%s]", key);
}

void reader_leave(struct reader *r, size_t mark)
{
	r->len = mark;
	r->path[mark] = '\0';
}

static int vfail(struct reader *r, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static int vfail(struct reader *r, const char *fmt, va_list ap)
{
	snprintf(r->err->field, sizeof(r->err->field), "%s", r->path);
	vsnprintf(r->err->message, sizeof(r->err->message), fmt, ap);
	return -EINVAL;
}

int reader_fail(struct reader *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfail(r, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int reader_fail_at(struct reader *r, const char *key, const char *fmt, ...)
{
	size_t mark = reader_enter(r, key);
	va_list ap;

	va_start(ap, fmt);
	vfail(r, fmt, ap);
	va_end(ap);
	reader_leave(r, mark);
	return -EINVAL;
}

const char *reader_quote(const char *s, char ret[static QUOTE_SIZE])
{
	enum { SHOWN = QUOTE_SIZE - 6 }; /* two quotes, three dots, the end */
	size_t n = 0;

	ret[n++] = '"';
	for (; *s && n <= SHOWN; s++)
		ret[n++] = isprint((unsigned char)*s) ? *s : '?';
	ret[n++] = '"';
	strcpy(ret + n, *s ? "..." : "");
	return ret;
}

enum { DESCRIPTION_SIZE = QUOTE_SIZE + 16 };

/* "the number 80", for a message. */
static const char *describe(const json_t *v, char ret[static DESCRIPTION_SIZE])
{
	char quoted[QUOTE_SIZE];

	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "a mapping";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		snprintf(ret, DESCRIPTION_SIZE, "the string %s",
			reader_quote(json_string_value(v), quoted));
		return ret;
	case JSON_INTEGER:
		snprintf(ret, DESCRIPTION_SIZE, "the number %" JSON_INTEGER_FORMAT,
			json_integer_value(v));
		return ret;
	case JSON_REAL:
		snprintf(ret, DESCRIPTION_SIZE, "the number %g", json_real_value(v));
		return ret;
	case JSON_TRUE:
		return "the boolean true";
	case JSON_FALSE:
		return "the boolean false";
	case JSON_NULL:
		return "null";
	}
	return "of an unknown type";
}

static int wrong_type(struct reader *r, const char *wanted, const json_t *v)
{
	char is[DESCRIPTION_SIZE];

	return reader_fail(r, "must be %s, but is %s", wanted, describe(v, is));
}

/* YAML reads a bare 80 or yes as a number or a boolean. */
static int not_a_string(struct reader *r, const json_t *v)
{
	bool quotable = json_is_boolean(v) || json_is_number(v);
	char is[DESCRIPTION_SIZE];

	return reader_fail(r, "must be a string, but is %s%s", describe(v, is),
		quotable ? "; put it in quotes" : "");
}

static const json_t *get(const json_t *obj, const char *key)
{
	const json_t *v = json_object_get(obj, key);

	return json_is_null(v) ? NULL : v;
}

static int fail_at(struct reader *r, const char *key, const char *wanted, const json_t *v)
{
	size_t mark = reader_enter(r, key);
	int e = wrong_type(r, wanted, v);

	reader_leave(r, mark);
	return e;
}

int reader_object(struct reader *r, const json_t *obj, const char *key, const json_t **ret)
{
	const json_t *v = get(obj, key);

	if (v && !json_is_object(v))
		return fail_at(r, key, "a mapping", v);
	if (v)
		*ret = v;
	return 0;
}

size_t reader_count(const json_t *obj, const char *key)
{
	return json_array_size(json_object_get(obj, key));
}

int reader_each(struct reader *r, const json_t *obj, const char *key,
	int (*fn)(struct reader *r, const json_t *value, size_t i, void *arg), void *arg)
{
	const json_t *array = get(obj, key), *it;
	size_t i, mark;
	int e = 0;

	if (array && !json_is_array(array))
		return fail_at(r, key, "a list", array);
	mark = reader_enter(r, key);
	json_array_foreach(array, i, it)
	{
		size_t inner = reader_enter_index(r, i);

		e = fn(r, it, i, arg);
		reader_leave(r, inner);
		if (e)
			break;
	}
	reader_leave(r, mark);
	return e;
}

int reader_bool(struct reader *r, const json_t *obj, const char *key, bool *ret)
{
	const json_t *v = get(obj, key);

	if (v && !json_is_boolean(v))
		return fail_at(r, key, "true or false", v);
	if (v)
		*ret = json_is_true(v);
	return 0;
}

int reader_int(struct reader *r, const json_t *obj, const char *key, int64_t min, int64_t max,
	int64_t *ret)
{
	const json_t *v = get(obj, key);
	int64_t n;

	if (!v)
		return 0;
	if (!json_is_integer(v))
		return fail_at(
			r, key, json_is_real(v) ? "a number without a fraction" : "a number", v);
	n = json_integer_value(v);
	if (n < min || n > max)
		return reader_fail_at(r, key, "is %lld, must be %lld..%lld", (long long)n,
			(long long)min, (long long)max);
	*ret = n;
	return 0;
}

int reader_value_text(struct reader *r, const json_t *value, const char **ret)
{
	if (!json_is_string(value))
		return not_a_string(r, value);
	*ret = json_string_value(value);
	return 0;
}

int reader_text(struct reader *r, const json_t *obj, const char *key, const char **ret)
{
	const json_t *v = get(obj, key);
	size_t mark;
	int e;

	if (!v)
		return 0;
	mark = reader_enter(r, key);
	e = reader_value_text(r, v, ret);
	reader_leave(r, mark);
	return e;
}

int reader_string(struct reader *r, const json_t *obj, const char *key, const char **ret)
{
	const char *text = NULL;
	int e = reader_text(r, obj, key, &text);

	if (!e && text)
		*ret = arena_strdup(r->arena, text);
	return e;
}

static int fail_word(struct reader *r, const char *key, const char *text, const char *const *words)
{
	char list[128] = "", quoted[QUOTE_SIZE];
	size_t len = 0;

	for (size_t i = 0; words[i]; i++) {
		const char *sep = !i ? "" : words[i + 1] ? ", " : " or ";
		size_t room = sizeof(list) - len;
		int n = snprintf(list + len, room, "%s%s", sep, words[i]);

		len += n > 0 && (size_t)n < room ? (size_t)n : 0;
	}
	return reader_fail_at(r, key, "is %s, must be %s", reader_quote(text, quoted), list);
}

int reader_word(struct reader *r, const json_t *obj, const char *key, const char *const *words,
	unsigned *ret)
{
	const char *text = NULL;
	int e = reader_text(r, obj, key, &text);

	if (e || !text)
		return e;
	for (unsigned i = 0; words[i]; i++)
		if (!strcmp(text, words[i])) {
			*ret = i;
			return 0;
		}
	return fail_word(r, key, text, words);
}

int reader_value_object(struct reader *r, const json_t *value)
{
	return json_is_object(value) ? 0 : wrong_type(r, "a mapping", value);
}

int reader_value_ip(struct reader *r, const json_t *value, struct ip *ret)
{
	char quoted[QUOTE_SIZE];
	const char *text;
	int e = reader_value_text(r, value, &text);

	if (e || !ip_parse(text, ret))
		return e;
	return reader_fail(r, "is %s, which is not an IP address", reader_quote(text, quoted));
}

/* Kubernetes trims blanks around ranges (pkg/proxy/util). */
int reader_value_cidr(struct reader *r, const json_t *value, struct cidr *ret)
{
	char quoted[QUOTE_SIZE], trimmed[CIDR_STRLEN * 2];
	const char *text;
	size_t len;
	int e = reader_value_text(r, value, &text);

	if (e)
		return e;
	text += strspn(text, BLANKS);
	for (len = strlen(text); len && strchr(BLANKS, text[len - 1]);)
		len--;
	if (len < sizeof(trimmed)) {
		memcpy(trimmed, text, len);
		trimmed[len] = '\0';
		if (!cidr_parse(trimmed, ret))
			return 0;
	}
	return reader_fail(r, "is %s, must be ADDRESS/PREFIX-LENGTH", reader_quote(text, quoted));
}

int reader_ip(struct reader *r, const json_t *obj, const char *key, struct ip *ret)
{
	const json_t *v = get(obj, key);
	size_t mark;
	int e;

	if (!v)
		return 0;
	mark = reader_enter(r, key);
	e = reader_value_ip(r, v, ret);
	reader_leave(r, mark);
	return e;
}

static const char *special(const struct ip *ip)
{
	if (ip_is_unspecified(ip))
		return "the unspecified";
	if (ip_is_loopback(ip))
		return "a loopback";
	if (ip_is_link_local(ip))
		return "a link-local";
	if (ip_is_multicast(ip))
		return "a multicast";
	if (ip_is_broadcast(ip))
		return "the broadcast";
	return NULL;
}

bool reader_is_host(const struct ip *ip)
{
	return !special(ip);
}

int reader_check_host(struct reader *r, const struct ip *ip)
{
	const char *what = special(ip);
	char text[IP_STRLEN];

	if (!what)
		return 0;
	return reader_fail(
		r, "is %s, %s address, which cannot be used here", ip_print(ip, text), what);
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Letters, digits and '-', the first and the last no '-'. */
static bool is_label(const char *s, size_t len)
{
	if (!len || !is_alnum(s[0]) || !is_alnum(s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(s[i]) && s[i] != '-')
			return false;
	return true;
}

/* Labels with points between; Kubernetes limits the whole only. */
static bool is_subdomain(const char *s)
{
	for (;;) {
		size_t len = strcspn(s, ".");

		if (!is_label(s, len))
			return false;
		if (!s[len])
			return true;
		s += len + 1;
	}
}

static int check_length(struct reader *r, const char *name, size_t max)
{
	size_t len = strlen(name);

	if (!len)
		return reader_fail(r, "is empty");
	if (len > max)
		return reader_fail(r, "is %zu characters long, must be at most %zu", len, max);
	return 0;
}

int reader_check_label(struct reader *r, const char *name)
{
	char quoted[QUOTE_SIZE];
	int e = check_length(r, name, LABEL_MAX_LEN);

	if (e || is_label(name, strlen(name)))
		return e;
	return reader_fail(r,
		"is %s, must be lower case letters, digits and '-', and begin and end with a letter or digit",
		reader_quote(name, quoted));
}

int reader_check_port_name(struct reader *r, const char *name)
{
	return *name ? reader_check_label(r, name) : 0;
}

int reader_check_name(struct reader *r, const char *name)
{
	char quoted[QUOTE_SIZE];
	int e = check_length(r, name, NAME_MAX_LEN);

	if (e || is_subdomain(name))
		return e;
	return reader_fail(r,
		"is %s, must be lower case letters, digits, '-' and '.', and begin and end with a letter or digit",
		reader_quote(name, quoted));
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "decode/reader.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BLANKS " \t\r\n"

/* No address or range is longer, together with the blanks around it. */
enum { ADDRESS_MAX = 2 * CIDR_STRLEN };

enum { LABEL_MAX_LEN = 63 }; /* RFC 1123 */

void reader_done(struct reader *r)
{
	arena_done(&r->scratch);
}

/* The path */

size_t reader_enter(struct reader *r, const char *key)
{
	assert(r->depth < READER_DEPTH);
	r->steps[r->depth] = (struct reader_step){ .key = key };
	return r->depth++;
}

size_t reader_enter_index(struct reader *r, size_t i)
{
	size_t mark = reader_enter(r, NULL);

	r->steps[mark].index = i;
	return mark;
}

size_t reader_enter_name(struct reader *r, const char *key)
{
	size_t mark = reader_enter(r, key);

	r->steps[mark].entry = true;
	return mark;
}

void reader_leave(struct reader *r, size_t mark)
{
	r->depth = mark;
}

const char *reader_path(const struct reader *r, char s[static READER_PATH_SIZE])
{
	s[0] = '\0';
	for (size_t i = 0, len = 0; i < r->depth && len < READER_PATH_SIZE; i++) {
		const struct reader_step *step = &r->steps[i];
		size_t room = READER_PATH_SIZE - len;
		int n;

		if (!step->key)
			n = snprintf(s + len, room, "[%zu]", step->index);
		else if (step->entry)
			n = snprintf(s + len, room, "[%s]", step->key);
		else
			n = snprintf(s + len, room, "%s%s", i ? "." : "", step->key);
		len += n > 0 ? (size_t)n : 0;
	}
	return s;
}

/* Errors */

static int reader_vfail(struct reader *r, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static int reader_vfail(struct reader *r, const char *fmt, va_list ap)
{
	if (r->lenient && *r->err->message)
		return -EINVAL;
	reader_path(r, r->err->field);
	vsnprintf(r->err->message, sizeof(r->err->message), fmt, ap);
	return -EINVAL;
}

int reader_fail(struct reader *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	reader_vfail(r, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

int reader_fail_at(struct reader *r, const char *key, const char *fmt, ...)
{
	va_list ap;

	reader_within(r, key);
	va_start(ap, fmt);
	reader_vfail(r, fmt, ap);
	va_end(ap);
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

int reader_leave_out(const struct reader *r, int e)
{
	return r->lenient && e == -EINVAL ? 0 : e;
}

enum { DESCRIPTION_SIZE = QUOTE_SIZE + 16 };

/* "the number 80", for a message. */
static const char *describe_json(const json_t *v, char ret[static DESCRIPTION_SIZE])
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

/* `e` is the result of a function of value.h for a value that must be `wanted`. */
static int fail_type(struct reader *r, int e, const char *wanted, const struct value *v)
{
	const char *advice = "";
	char is[DESCRIPTION_SIZE];

	if (e == -EBADMSG) {
		/* This replaces the error about any part that was left out before. */
		r->err->message[0] = '\0';
		reader_fail(r, "is not encoded as in the protobuf of Kubernetes");
		return -EBADMSG;
	}
	if (!v->json)
		return reader_fail(r, "is not text in UTF-8");
	/* YAML reads a bare 80 or yes as a number or a boolean. */
	if (!strcmp(wanted, "a string") && (json_is_boolean(v->json) || json_is_number(v->json)))
		advice = "; put it in quotes";
	return reader_fail(
		r, "must be %s, but is %s%s", wanted, describe_json(v->json, is), advice);
}

/* About a value that is text. */
static int fail_quoting(struct reader *r, const struct value *v, const char *complaint)
{
	char quoted[QUOTE_SIZE];
	const char *text = "";

	reader_value_text(r, v, &text);
	return reader_fail(r, "is %s, %s", reader_quote(text, quoted), complaint);
}

/* Values */

int reader_value_object(struct reader *r, const struct value *v)
{
	int e = value_check_object(v);

	return e ? fail_type(r, e, "a mapping", v) : 0;
}

/* As it lies in the tree or message, where not every text has a NUL at its end. */
static int read_text(struct reader *r, const struct value *v, struct text *ret)
{
	int e = value_text(v, ret);

	return e ? fail_type(r, e, "a string", v) : 0;
}

int reader_value_text(struct reader *r, const struct value *v, const char **ret)
{
	struct text text;
	int e = read_text(r, v, &text);

	if (!e)
		*ret = v->json ? text.s : arena_strndup(&r->scratch, text.s, text.len);
	return e;
}

int reader_value_ip(struct reader *r, const struct value *v, struct ip *ret)
{
	char s[ADDRESS_MAX];
	struct text text;
	int e = read_text(r, v, &text);

	if (e)
		return e;
	if (text.len < sizeof(s)) {
		memcpy(s, text.s, text.len);
		s[text.len] = '\0';
		if (!ip_parse(s, ret))
			return 0;
	}
	return fail_quoting(r, v, "which is not an IP address");
}

int reader_value_cidr(struct reader *r, const struct value *v, void *ret_cidr, const void *arg)
{
	char s[ADDRESS_MAX];
	struct text text;
	int e = read_text(r, v, &text);

	(void)arg;
	if (e)
		return e;

	/* Kubernetes trims blanks around ranges (pkg/proxy/util). */
	while (text.len && strchr(BLANKS, text.s[text.len - 1]))
		text.len--;
	while (text.len && strchr(BLANKS, *text.s)) {
		text.s++;
		text.len--;
	}
	if (text.len < sizeof(s)) {
		memcpy(s, text.s, text.len);
		s[text.len] = '\0';
		if (!cidr_parse(s, ret_cidr))
			return 0;
	}
	return fail_quoting(r, v, "must be ADDRESS/PREFIX-LENGTH");
}

/* Fields */

int reader_object(struct reader *r, const struct value *obj, struct key key, struct value *ret)
{
	struct value v = value_member(obj, key);
	int e;

	if (!value_is_there(&v))
		return 0;
	reader_within(r, key.name);
	e = reader_value_object(r, &v);
	if (!e)
		*ret = v;
	return e;
}

int reader_bool(struct reader *r, const struct value *obj, struct key key, bool *ret)
{
	struct value v = value_member(obj, key);
	int e = value_is_there(&v) ? value_bool(&v, ret) : 0;

	if (!e)
		return 0;
	reader_within(r, key.name);
	return fail_type(r, e, "true or false", &v);
}

int reader_int(struct reader *r, const struct value *obj, struct key key, int64_t min, int64_t max,
	int64_t *ret)
{
	struct value v = value_member(obj, key);
	int64_t n;
	int e;

	if (!value_is_there(&v))
		return 0;
	reader_within(r, key.name);
	e = value_int(&v, &n);
	if (e)
		return fail_type(r, e,
			json_is_real(v.json) ? "a number without a fraction" : "a number", &v);
	if (n < min || n > max)
		return reader_fail(r, "is %lld, must be %lld..%lld", (long long)n, (long long)min,
			(long long)max);
	*ret = n;
	return 0;
}

/*
 * Go writes a text that is unset into a message as "" (where its struct holds no pointer), and
 * leaves it out of JSON.
 */
static bool find_text(
	const struct reader *r, const struct value *obj, struct key key, struct value *ret)
{
	*ret = value_member(obj, key);
	return value_is_there(ret) && !(r->lenient && value_is_empty(ret));
}

int reader_text(struct reader *r, const struct value *obj, struct key key, const char **ret)
{
	struct value v;

	if (!find_text(r, obj, key, &v))
		return 0;
	reader_within(r, key.name);
	return reader_value_text(r, &v, ret);
}

int reader_string(struct reader *r, const struct value *obj, struct key key, const char **ret)
{
	struct text text;
	struct value v;
	int e;

	if (!find_text(r, obj, key, &v))
		return 0;
	reader_within(r, key.name);
	e = read_text(r, &v, &text);
	if (!e)
		*ret = arena_strndup(r->arena, text.s, text.len);
	return e;
}

int reader_word(struct reader *r, const struct value *obj, struct key key, const char *const *words,
	unsigned *ret)
{
	char message[140] = "must be ";
	size_t len = strlen(message);
	struct text text;
	struct value v;
	int e;

	if (!find_text(r, obj, key, &v))
		return 0;
	reader_within(r, key.name);
	e = read_text(r, &v, &text);
	if (e)
		return e;
	for (unsigned i = 0; words[i]; i++)
		if (strlen(words[i]) == text.len && !memcmp(words[i], text.s, text.len)) {
			*ret = i;
			return 0;
		}

	for (size_t i = 0; words[i]; i++) {
		const char *sep = !i ? "" : words[i + 1] ? ", " : " or ";
		size_t room = sizeof(message) - len;
		int n = snprintf(message + len, room, "%s%s", sep, words[i]);

		len += n > 0 && (size_t)n < room ? (size_t)n : 0;
	}
	return fail_quoting(r, &v, message);
}

int reader_word_or_empty(struct reader *r, const struct value *obj, struct key key,
	const char *const *words, unsigned *ret)
{
	const struct value v = value_member(obj, key);

	return value_is_there(&v) && value_is_empty(&v) ? 0 : reader_word(r, obj, key, words, ret);
}

int reader_ip(struct reader *r, const struct value *obj, struct key key, struct ip *ret)
{
	struct value v;

	if (!find_text(r, obj, key, &v))
		return 0;
	reader_within(r, key.name);
	return reader_value_ip(r, &v, ret);
}

int reader_time(struct reader *r, const struct value *obj, struct key key, int64_t *ret_us)
{
	struct value v;
	int e;

	if (!find_text(r, obj, key, &v))
		return 0;
	reader_within(r, key.name);
	e = value_time(&v, ret_us);
	if (!e)
		return 0;
	if (!json_is_string(v.json))
		return fail_type(r, v.json ? e : -EBADMSG, "a string", &v);
	return fail_quoting(r, &v, "which is not a time such as 2026-01-31T12:00:00Z");
}

int reader_entry(struct reader *r, const struct value *obj, struct key map, const char *name,
	const char **ret)
{
	struct value v;
	int e = value_entry(obj, map, name, &v);

	if (!e && !value_is_there(&v))
		return 0;
	reader_within(r, map.name);
	if (e) {
		v = value_member(obj, map);
		return fail_type(r, e, "a mapping", &v);
	}
	reader_enter_name(r, name);
	return reader_value_text(r, &v, ret);
}

/* Lists */

int reader_each(struct reader *r, const struct value *obj, struct key key,
	int (*fn)(struct reader *r, const struct value *v, size_t i, void *arg), void *arg)
{
	struct value_list list;
	struct value v;
	int e = value_list(obj, key, &list);

	reader_within(r, key.name);
	if (e) {
		v = value_member(obj, key);
		return fail_type(r, e, "a list", &v);
	}
	for (size_t i = 0; !e && value_list_next(&list, &v); i++) {
		size_t mark = reader_enter_index(r, i);

		e = reader_leave_out(r, fn(r, &v, i, arg));
		reader_leave(r, mark);
	}
	return e;
}

static int read_item(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct reader_list *list = arg;
	void *item = (char *)list->items + list->n * list->size;
	int e;

	if (list->max && i >= list->max)
		return reader_fail(r, "is beyond the limit of %zu elements", list->max);
	memset(item, 0, list->size); /* an element that was left out may have written to it */
	e = list->read(r, v, item, list->arg);
	list->n += !e;
	return e == READER_SKIP ? 0 : e;
}

int reader_list(struct reader *r, const struct value *obj, struct key key, struct reader_list *list)
{
	list->items = arena_alloc(r->arena, value_count(obj, key), list->size);
	list->n = 0;
	return reader_each(r, obj, key, read_item, list);
}

/* Rules for values */

int reader_check_host(struct reader *r, const struct ip *ip)
{
	static const char *const words[] = { [IP_UNSPECIFIED] = "the unspecified",
		[IP_LOOPBACK] = "a loopback",
		[IP_LINK_LOCAL] = "a link-local",
		[IP_MULTICAST] = "a multicast",
		[IP_BROADCAST] = "the broadcast" };
	const enum ip_kind kind = ip_kind(ip);
	char text[IP_STRLEN];

	if (kind == IP_HOST)
		return 0;
	return reader_fail(
		r, "is %s, %s address, which cannot be used here", ip_print(ip, text), words[kind]);
}

int reader_check_name(struct reader *r, const char *name, enum reader_name form)
{
	const bool points = form == READER_SUBDOMAIN;
	size_t len = strlen(name), max = points ? NAME_MAX_LEN : LABEL_MAX_LEN;
	char quoted[QUOTE_SIZE];
	bool valid = true;

	if (!len)
		return reader_fail(r, "is empty");
	/* Of a subdomain Kubernetes limits the length of the whole, not of each label. */
	if (len > max)
		return reader_fail(r, "is %zu characters long, must be at most %zu", len, max);

	for (size_t i = 0; i < len && valid; i++) {
		char c = name[i];
		bool first = !i || name[i - 1] == '.';
		bool last = i == len - 1 || name[i + 1] == '.';

		valid = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
			(!first && !last && (c == '-' || (c == '.' && points)));
	}
	if (valid)
		return 0;
	return reader_fail(r,
		"is %s, must be lower case letters, %s, and begin and end with a letter or digit",
		reader_quote(name, quoted), points ? "digits, '-' and '.'" : "digits and '-'");
}

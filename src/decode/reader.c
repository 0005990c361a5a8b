// SPDX-License-Identifier: GPL-2.0-or-later
#include "decode/reader.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BLANKS " \t\r\n"

/* No address or range is longer, with what blanks there are around it. */
enum { ADDRESS_MAX = 2 * CIDR_STRLEN };

void reader_done(struct reader *r)
{
	arena_done(&r->scratch);
}

/* The path */

static size_t enter(struct reader *r, struct reader_step step)
{
	assert(r->depth < READER_DEPTH);
	r->steps[r->depth] = step;
	return r->depth++;
}

size_t reader_enter(struct reader *r, const char *key)
{
	return enter(r, (struct reader_step){ .key = key });
}

size_t reader_enter_index(struct reader *r, size_t i)
{
	return enter(r, (struct reader_step){ .index = i });
}

size_t reader_enter_name(struct reader *r, const char *key)
{
	return enter(r, (struct reader_step){ .key = key, .entry = true });
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

static int vfail(struct reader *r, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));

static int vfail(struct reader *r, const char *fmt, va_list ap)
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

/* It matters more than anything that was left out before. */
static int bad_message(struct reader *r)
{
	r->err->message[0] = '\0';
	reader_fail(r, "is not what it is in Kubernetes' protobuf");
	return -EBADMSG;
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

/* `e` is what a function of value.h returned. */
static int wrong_type(struct reader *r, int e, const char *wanted, const struct value *v)
{
	char is[DESCRIPTION_SIZE];

	if (e == -EBADMSG)
		return bad_message(r);
	return reader_fail(r, "must be %s, but is %s", wanted, describe(v->json, is));
}

/* YAML reads a bare 80 or yes as a number or a boolean. */
static int not_a_string(struct reader *r, int e, const struct value *v)
{
	bool quotable = json_is_boolean(v->json) || json_is_number(v->json);
	char is[DESCRIPTION_SIZE];

	if (e == -EBADMSG)
		return bad_message(r);
	if (!v->json)
		return reader_fail(r, "is not text in UTF-8");
	return reader_fail(r, "must be a string, but is %s%s", describe(v->json, is),
		quotable ? "; put it in quotes" : "");
}

static int wrong_type_at(
	struct reader *r, int e, const char *key, const char *wanted, const struct value *v)
{
	size_t mark = reader_enter(r, key);

	e = wrong_type(r, e, wanted, v);
	reader_leave(r, mark);
	return e;
}

/* Objects and lists */

int reader_object(struct reader *r, const struct value *obj, struct key key, struct value *ret)
{
	struct value v = value_member(obj, key);
	int e;

	if (!value_is_there(&v))
		return 0;
	e = value_check_object(&v);
	if (e)
		return wrong_type_at(r, e, key.name, "a mapping", &v);
	*ret = v;
	return 0;
}

int reader_each(struct reader *r, const struct value *obj, struct key key,
	int (*fn)(struct reader *r, const struct value *v, size_t i, void *arg), void *arg)
{
	struct value_list list;
	struct value v;
	size_t mark;
	int e = value_list(obj, key, &list);

	if (e) {
		v = value_member(obj, key);
		return wrong_type_at(r, e, key.name, "a list", &v);
	}
	mark = reader_enter(r, key.name);
	for (size_t i = 0; !e && value_list_next(&list, &v); i++) {
		size_t inner = reader_enter_index(r, i);

		e = reader_leave_out(r, fn(r, &v, i, arg));
		reader_leave(r, inner);
	}
	reader_leave(r, mark);
	return e;
}

int reader_entry(struct reader *r, const struct value *obj, struct key map, const char *name,
	const char **ret)
{
	struct value v;
	size_t mark;
	int e = value_entry(obj, map, name, &v);

	if (e) {
		v = value_member(obj, map);
		return wrong_type_at(r, e, map.name, "a mapping", &v);
	}
	if (!value_is_there(&v))
		return 0;
	mark = reader_enter(r, map.name);
	reader_enter_name(r, name);
	e = reader_value_text(r, &v, ret);
	reader_leave(r, mark);
	return e;
}

/* Values */

int reader_value_object(struct reader *r, const struct value *v)
{
	int e = value_check_object(v);

	return e ? wrong_type(r, e, "a mapping", v) : 0;
}

/* As in the tree or message: not always with a NUL at its end. */
static int read_text(struct reader *r, const struct value *v, struct text *ret)
{
	int e = value_text(v, ret);

	return e ? not_a_string(r, e, v) : 0;
}

int reader_value_text(struct reader *r, const struct value *v, const char **ret)
{
	struct text text;
	int e = read_text(r, v, &text);

	if (!e)
		*ret = v->json ? text.s : arena_strndup(&r->scratch, text.s, text.len);
	return e;
}

static void trim(struct text *t)
{
	while (t->len && strchr(BLANKS, t->s[t->len - 1]))
		t->len--;
	while (t->len && strchr(BLANKS, *t->s)) {
		t->s++;
		t->len--;
	}
}

static bool cut(struct text text, char ret[static ADDRESS_MAX])
{
	if (text.len >= ADDRESS_MAX)
		return false;
	memcpy(ret, text.s, text.len);
	ret[text.len] = '\0';
	return true;
}

static int fail_with(struct reader *r, const struct value *v, const char *what)
{
	char quoted[QUOTE_SIZE];
	const char *text = "";

	reader_value_text(r, v, &text);
	return reader_fail(r, "is %s, %s", reader_quote(text, quoted), what);
}

int reader_value_ip(struct reader *r, const struct value *v, struct ip *ret)
{
	char s[ADDRESS_MAX];
	struct text text;
	int e = read_text(r, v, &text);

	if (e || (cut(text, s) && !ip_parse(s, ret)))
		return e;
	return fail_with(r, v, "which is not an IP address");
}

/* Kubernetes trims blanks around ranges (pkg/proxy/util). */
int reader_value_cidr(struct reader *r, const struct value *v, struct cidr *ret)
{
	char s[ADDRESS_MAX];
	struct text text;
	int e = read_text(r, v, &text);

	if (e)
		return e;
	trim(&text);
	if (cut(text, s) && !cidr_parse(s, ret))
		return 0;
	return fail_with(r, v, "must be ADDRESS/PREFIX-LENGTH");
}

/* Fields */

/*
 * In a message, text that is not said is often written as "" (where it is no pointer in Go's
 * struct), and JSON leaves it out.
 */
static bool get(const struct reader *r, const struct value *obj, struct key key, struct value *ret)
{
	*ret = value_member(obj, key);
	return value_is_there(ret) && !(r->lenient && value_is_empty(ret));
}

int reader_bool(struct reader *r, const struct value *obj, struct key key, bool *ret)
{
	struct value v = value_member(obj, key);
	int e = value_is_there(&v) ? value_bool(&v, ret) : 0;

	return e ? wrong_type_at(r, e, key.name, "true or false", &v) : 0;
}

int reader_int(struct reader *r, const struct value *obj, struct key key, int64_t min, int64_t max,
	int64_t *ret)
{
	struct value v = value_member(obj, key);
	int64_t n;
	int e;

	if (!value_is_there(&v))
		return 0;
	e = value_int(&v, &n);
	if (e)
		return wrong_type_at(r, e, key.name,
			json_is_real(v.json) ? "a number without a fraction" : "a number", &v);
	if (n < min || n > max)
		return reader_fail_at(r, key.name, "is %lld, must be %lld..%lld", (long long)n,
			(long long)min, (long long)max);
	*ret = n;
	return 0;
}

int reader_text(struct reader *r, const struct value *obj, struct key key, const char **ret)
{
	struct value v;
	size_t mark;
	int e;

	if (!get(r, obj, key, &v))
		return 0;
	mark = reader_enter(r, key.name);
	e = reader_value_text(r, &v, ret);
	reader_leave(r, mark);
	return e;
}

int reader_string(struct reader *r, const struct value *obj, struct key key, const char **ret)
{
	struct text text;
	struct value v;
	size_t mark;
	int e;

	if (!get(r, obj, key, &v))
		return 0;
	mark = reader_enter(r, key.name);
	e = read_text(r, &v, &text);
	reader_leave(r, mark);
	if (!e)
		*ret = arena_strndup(r->arena, text.s, text.len);
	return e;
}

static int fail_word(struct reader *r, const struct value *v, const char *const *words)
{
	char message[140] = "must be ";
	size_t len = strlen(message);

	for (size_t i = 0; words[i]; i++) {
		const char *sep = !i ? "" : words[i + 1] ? ", " : " or ";
		size_t room = sizeof(message) - len;
		int n = snprintf(message + len, room, "%s%s", sep, words[i]);

		len += n > 0 && (size_t)n < room ? (size_t)n : 0;
	}
	return fail_with(r, v, message);
}

static int value_word(
	struct reader *r, const struct value *v, const char *const *words, unsigned *ret)
{
	struct text text;
	int e = read_text(r, v, &text);

	if (e)
		return e;
	for (unsigned i = 0; words[i]; i++)
		if (strlen(words[i]) == text.len && !memcmp(words[i], text.s, text.len)) {
			*ret = i;
			return 0;
		}
	return fail_word(r, v, words);
}

int reader_word(struct reader *r, const struct value *obj, struct key key, const char *const *words,
	unsigned *ret)
{
	struct value v;
	size_t mark;
	int e;

	if (!get(r, obj, key, &v))
		return 0;
	mark = reader_enter(r, key.name);
	e = value_word(r, &v, words, ret);
	reader_leave(r, mark);
	return e;
}

int reader_ip(struct reader *r, const struct value *obj, struct key key, struct ip *ret)
{
	struct value v;
	size_t mark;
	int e;

	if (!get(r, obj, key, &v))
		return 0;
	mark = reader_enter(r, key.name);
	e = reader_value_ip(r, &v, ret);
	reader_leave(r, mark);
	return e;
}

static int value_is_time(struct reader *r, const struct value *v, int64_t *ret_us)
{
	int e = value_time(v, ret_us);

	if (!e)
		return 0;
	if (e == -EBADMSG || !v->json)
		return bad_message(r);
	return json_is_string(v->json)
		? fail_with(r, v, "which is not a time such as 2026-01-31T12:00:00Z")
		: not_a_string(r, e, v);
}

int reader_time(struct reader *r, const struct value *obj, struct key key, int64_t *ret_us)
{
	struct value v;
	size_t mark;
	int e;

	if (!get(r, obj, key, &v))
		return 0;
	mark = reader_enter(r, key.name);
	e = value_is_time(r, &v, ret_us);
	reader_leave(r, mark);
	return e;
}

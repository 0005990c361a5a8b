// SPDX-License-Identifier: GPL-2.0-or-later
#include "scalar.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { MESSAGE_SIZE = 120 };

/* Longer plain scalars are never numbers: 2^64 in binary with underscores fits easily. */
enum { NUMBER_MAX = 256 };

static bool is_among(const char *s, const char *const *words)
{
	for (; *words; words++)
		if (!strcmp(s, *words))
			return true;
	return false;
}

static json_t *resolve_word(const char *s)
{
	static const char *const null[] = { "", "~", "null", "Null", "NULL", NULL };
	static const char *const yes[] = { "true", "True", "TRUE", "yes", "Yes", "YES", "y", "Y",
		"on", "On", "ON", NULL };
	static const char *const no[] = { "false", "False", "FALSE", "no", "No", "NO", "n", "N",
		"off", "Off", "OFF", NULL };

	if (is_among(s, null))
		return json_null();
	if (is_among(s, yes))
		return json_true();
	if (is_among(s, no))
		return json_false();
	return NULL;
}

/* Digits of the base that the prefix says, the whole string: Go's strconv with base 0. */
static bool parse_digits(const char *s, uint64_t *ret, bool *ret_overflow)
{
	unsigned base = 10;
	uint64_t v = 0;
	bool overflow = false;

	if (*s == '0' && s[1]) {
		char c = (char)tolower((unsigned char)s[1]);

		base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
		s += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
	}
	if (!*s)
		return false;
	for (; *s; s++) {
		int c = tolower((unsigned char)*s);
		unsigned digit = isdigit(c) ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;

		if (!isxdigit(c) || digit >= base)
			return false;
		overflow |= __builtin_mul_overflow(v, base, &v);
		overflow |= __builtin_add_overflow(v, digit, &v);
	}
	*ret = v;
	*ret_overflow = overflow;
	return true;
}

static json_t *resolve_int(const char *s)
{
	const char *digits = s + (*s == '-' || *s == '+');
	bool overflow, negative = *s == '-';
	uint64_t v;

	if (!parse_digits(digits, &v, &overflow))
		return NULL;
	if (overflow || v > (uint64_t)INT64_MAX) {
		double d = overflow ? strtod(digits, NULL) : (double)v;

		return json_real(negative ? -d : d);
	}
	return json_integer(negative ? -(json_int_t)v : (json_int_t)v);
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(const char *s)
{
	size_t whole, fraction = 0;

	s += *s == '-' || *s == '+';
	whole = strspn(s, "0123456789");
	s += whole;
	if (*s == '.') {
		fraction = strspn(++s, "0123456789");
		s += fraction;
	}
	if (!whole && !fraction)
		return false;
	if (*s == 'e' || *s == 'E') {
		size_t exponent;

		s++;
		s += *s == '-' || *s == '+';
		exponent = strspn(s, "0123456789");
		if (!exponent)
			return false;
		s += exponent;
	}
	return !*s;
}

/* A float with a whole value is written to JSON without a point, so it is an integer there. */
static json_t *resolve_float(const char *s)
{
	static const double exact = 9007199254740992.0; /* 2^53 */
	double v;

	if (!is_float(s))
		return NULL;
	v = strtod(s, NULL);
	if (isinf(v))
		return NULL;
	if (fabs(v) <= exact && trunc(v) >= v && trunc(v) <= v)
		return json_integer((json_int_t)v);
	return json_real(v);
}

static json_t *resolve_number(const char *s, size_t len)
{
	char plain[NUMBER_MAX + 1], *end = plain;
	json_t *v;

	if (len > NUMBER_MAX)
		return NULL;
	if (*s == '.')
		return resolve_float(s);
	if (!isdigit((unsigned char)*s) && *s != '-' && *s != '+')
		return NULL;
	for (; *s; s++)
		if (*s != '_')
			*end++ = *s;
	*end = '\0';
	v = resolve_int(plain);
	return v ? v : resolve_float(plain);
}

static json_t *resolve_string(const char *s, size_t len, char message[MESSAGE_SIZE])
{
	json_t *v = json_stringn(s, len);

	if (!v)
		snprintf(message, MESSAGE_SIZE, "is not valid UTF-8");
	return v;
}

static json_t *resolve_plain(const char *s, size_t len, char message[MESSAGE_SIZE])
{
	/* JSON cannot express them; Kubernetes refuses them too. */
	static const char *const not_json[] = { ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF",
		"+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", NULL };
	json_t *v;

	if (is_among(s, not_json)) {
		snprintf(message, MESSAGE_SIZE, "%s is not a finite number", s);
		return NULL;
	}
	v = resolve_word(s);
	if (!v)
		v = resolve_number(s, len);
	return v ? v : resolve_string(s, len, message);
}

/* The tags that say more than "take it as it is". */
static const char *const typed_tags[] = { YAML_INT_TAG, YAML_FLOAT_TAG, YAML_BOOL_TAG,
	YAML_NULL_TAG, NULL };

static bool tag_fits(const json_t *v, const char *tag)
{
	if (!strcmp(tag, YAML_INT_TAG))
		return json_is_integer(v);
	if (!strcmp(tag, YAML_FLOAT_TAG))
		return json_is_number(v);
	if (!strcmp(tag, YAML_BOOL_TAG))
		return json_is_boolean(v);
	return json_is_null(v);
}

json_t *scalar_value(
	const char *text, size_t len, const char *tag, bool plain, char message[MESSAGE_SIZE])
{
	bool typed = tag && is_among(tag, typed_tags);
	json_t *v;

	if (tag && !strcmp(tag, "tag:yaml.org,2002:binary")) {
		snprintf(message, MESSAGE_SIZE, "has the tag !!binary, which is not supported");
		return NULL;
	}
	if (!typed && (tag || !plain))
		return resolve_string(text, len, message);
	v = resolve_plain(text, len, message);
	if (v && typed && !tag_fits(v, tag)) {
		json_decref(v);
		snprintf(message, MESSAGE_SIZE, "does not fit its tag !!%s", strrchr(tag, ':') + 1);
		return NULL;
	}
	return v;
}

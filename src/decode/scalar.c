// SPDX-License-Identifier: GPL-2.0-or-later
#include "scalar.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/mem.h"

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

json_t *scalar_value(
	const char *text, size_t len, const char *tag, bool plain, char message[MESSAGE_SIZE])
{
	/* The tags that say more than "take it as it is", and what fits them. */
	static const struct {
		const char *tag;
		unsigned types; /* 1 << enum json_type */
	} typed[] = {
		{ YAML_INT_TAG, 1u << JSON_INTEGER },
		{ YAML_FLOAT_TAG, 1u << JSON_INTEGER | 1u << JSON_REAL },
		{ YAML_BOOL_TAG, 1u << JSON_TRUE | 1u << JSON_FALSE },
		{ YAML_NULL_TAG, 1u << JSON_NULL },
	};
	/* JSON cannot express them; Kubernetes refuses them too. */
	static const char *const not_json[] = { ".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF",
		"+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", NULL };
	unsigned types = 0;
	json_t *v = NULL;

	if (tag && !strcmp(tag, "tag:yaml.org,2002:binary")) {
		snprintf(message, MESSAGE_SIZE, "has the tag !!binary, which is not supported");
		return NULL;
	}
	for (size_t i = 0; tag && i < ARRAY_SIZE(typed); i++)
		if (!strcmp(tag, typed[i].tag))
			types = typed[i].types;

	if (types || (plain && !tag)) {
		if (is_among(text, not_json)) {
			snprintf(message, MESSAGE_SIZE, "%s is not a finite number", text);
			return NULL;
		}
		v = resolve_word(text);
		if (!v)
			v = resolve_number(text, len);
	}
	if (!v)
		v = json_stringn(text, len);
	if (!v) {
		snprintf(message, MESSAGE_SIZE, "is not valid UTF-8");
		return NULL;
	}
	if (types && !(types & 1u << json_typeof(v))) {
		json_decref(v);
		snprintf(message, MESSAGE_SIZE, "does not fit its tag !!%s", strrchr(tag, ':') + 1);
		return NULL;
	}
	return v;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "exposition.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { LABELS_MAX = 512 };

void exposition_begin(
	struct exposition *e, const char *name, enum exposition_type type, const char *help)
{
	static const char *const types[] = {
		[EXPOSITION_COUNTER] = "counter",
		[EXPOSITION_GAUGE] = "gauge",
		[EXPOSITION_HISTOGRAM] = "histogram",
	};

	e->name = name;
	buf_addf(e->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

/* The shortest text that is read back as the same number, written as Go does: bounds are labels, and
 * labels are compared as texts. */
static void add_real(struct buf *b, double value)
{
	const bool exponent = value >= 1e6;
	char s[40];

	for (int digits = exponent ? 1 : 15; digits <= 17; digits++) {
		snprintf(s, sizeof(s), exponent ? "%.*e" : "%.*g", digits - exponent, value);
		if (strtod(s, NULL) == value)
			break;
	}
	buf_adds(b, s);
}

/* "NAME{LABELS} " */
static void add_name(struct exposition *e, const char *labels, va_list args)
{
	char text[LABELS_MAX] = "";

	if (labels)
		vsnprintf(text, sizeof(text), labels, args);
	buf_addf(e->out, *text ? "%s{%s} " : "%s%s ", e->name, text);
}

void exposition_count(struct exposition *e, uint64_t value, const char *labels, ...)
{
	va_list args;

	va_start(args, labels);
	add_name(e, labels, args);
	va_end(args);
	buf_addf(e->out, "%" PRIu64 "\n", value);
}

void exposition_real(struct exposition *e, double value, const char *labels, ...)
{
	va_list args;

	va_start(args, labels);
	add_name(e, labels, args);
	va_end(args);
	add_real(e->out, value);
	buf_addc(e->out, '\n');
}

void exposition_single(struct exposition *e, const char *name, enum exposition_type type,
	const char *help, uint64_t value)
{
	exposition_begin(e, name, type, help);
	exposition_count(e, value, NULL);
}

void exposition_histogram(struct exposition *e, const struct histogram *h, const char *labels, ...)
{
	char text[LABELS_MAX] = "";
	const char *comma;
	uint64_t n = 0;
	va_list args;

	va_start(args, labels);
	if (labels)
		vsnprintf(text, sizeof(text), labels, args);
	va_end(args);
	comma = *text ? "," : "";

	for (size_t i = 0; i < h->n; i++) {
		n += h->count[i];
		buf_addf(e->out, "%s_bucket{%s%sle=\"", e->name, text, comma);
		add_real(e->out, h->bounds[i]);
		buf_addf(e->out, "\"} %" PRIu64 "\n", n);
	}
	n += h->count[h->n];
	buf_addf(e->out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", e->name, text, comma, n);

	buf_addf(e->out, *text ? "%s_sum{%s} " : "%s_sum%s ", e->name, text);
	add_real(e->out, h->sum);
	buf_addf(e->out, *text ? "\n%s_count{%s} %" PRIu64 "\n" : "\n%s_count%s %" PRIu64 "\n",
		e->name, text, n);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "exposition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void exposition_begin(struct buf *b, const char *name, enum exposition_type type, const char *help)
{
	static const char *const types[] = {
		[EXPOSITION_COUNTER] = "counter",
		[EXPOSITION_GAUGE] = "gauge",
		[EXPOSITION_HISTOGRAM] = "histogram",
	};

	buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

static void add_name(struct buf *b, const char *name, const char *suffix, const char *labels)
{
	buf_addf(b, "%s%s", name, suffix);
	if (*labels)
		buf_addf(b, "{%s}", labels);
	buf_addc(b, ' ');
}

/* The shortest text that is read back as the same number. */
static void add_real(struct buf *b, double value)
{
	char s[40];

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(s, sizeof(s), "%.*g", digits, value);
		if (strtod(s, NULL) == value)
			break;
	}
	buf_adds(b, s);
}

void exposition_count(struct buf *b, const char *name, const char *labels, uint64_t value)
{
	add_name(b, name, "", labels);
	buf_addf(b, "%" PRIu64 "\n", value);
}

void exposition_real(struct buf *b, const char *name, const char *labels, double value)
{
	add_name(b, name, "", labels);
	add_real(b, value);
	buf_addc(b, '\n');
}

void exposition_single(struct buf *b, const char *name, enum exposition_type type, const char *help,
	uint64_t value)
{
	exposition_begin(b, name, type, help);
	exposition_count(b, name, "", value);
}

static void add_bucket(struct buf *b, const char *name, const char *labels)
{
	buf_addf(b, "%s_bucket{%s%sle=\"", name, labels, *labels ? "," : "");
}

void exposition_histogram(
	struct buf *b, const char *name, const char *labels, const struct histogram *h)
{
	uint64_t n = 0;

	for (size_t i = 0; i < h->n; i++) {
		n += h->count[i];
		add_bucket(b, name, labels);
		add_real(b, h->bounds[i]);
		buf_addf(b, "\"} %" PRIu64 "\n", n);
	}
	n += h->count[h->n];
	add_bucket(b, name, labels);
	buf_addf(b, "+Inf\"} %" PRIu64 "\n", n);
	add_name(b, name, "_sum", labels);
	add_real(b, h->sum);
	buf_addc(b, '\n');
	add_name(b, name, "_count", labels);
	buf_addf(b, "%" PRIu64 "\n", n);
}

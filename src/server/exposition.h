/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_EXPOSITION_H
#define SERVER_EXPOSITION_H

#include <stdint.h>

#include "base/buf.h"
#include "server/metrics.h"

/*
 * Writes the Prometheus text format, version 0.0.4.
 *
 * `labels` is a printf() format for the text between the braces, as in "code=\"%d\"", or NULL for a
 * sample without labels. Values of labels come from this program and need no escaping.
 */

struct exposition {
	struct buf *out;
	const char *name; /* of the metric that the next samples belong to */
};

enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

/* Begins a metric; its samples follow. `name` must live until the next metric begins. */
void exposition_begin(
	struct exposition *e, const char *name, enum exposition_type type, const char *help);
void exposition_count(struct exposition *e, uint64_t value, const char *labels, ...)
	__attribute__((format(printf, 3, 4)));
void exposition_real(struct exposition *e, double value, const char *labels, ...)
	__attribute__((format(printf, 3, 4)));
void exposition_histogram(struct exposition *e, const struct histogram *h, const char *labels, ...)
	__attribute__((format(printf, 3, 4)));
/* A whole metric with one sample without labels. */
void exposition_single(struct exposition *e, const char *name, enum exposition_type type,
	const char *help, uint64_t value);

#endif

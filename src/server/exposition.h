/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_EXPOSITION_H
#define SERVER_EXPOSITION_H

#include <stdint.h>

#include "base/buf.h"
#include "server/metrics.h"

/*
 * The text format of Prometheus, version 0.0.4. Labels are written as they stand between the
 * braces: `code="200"`, or "" for none; their values come from us and need no escaping.
 */

enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

/* Begins a metric; its samples follow. */
void exposition_begin(struct buf *b, const char *name, enum exposition_type type, const char *help);
void exposition_count(struct buf *b, const char *name, const char *labels, uint64_t value);
void exposition_real(struct buf *b, const char *name, const char *labels, double value);
/* A whole metric without labels. */
void exposition_single(struct buf *b, const char *name, enum exposition_type type, const char *help,
	uint64_t value);
void exposition_histogram(
	struct buf *b, const char *name, const char *labels, const struct histogram *h);

#endif

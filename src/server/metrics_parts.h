/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SERVER_METRICS_PARTS_H
#define SERVER_METRICS_PARTS_H

#include "base/buf.h"
#include "server/metrics.h"

/* The parts of metrics_render(). */
void metrics_render_kube_proxy(const struct metrics_input *in, struct buf *b);
void metrics_render_client(const struct metrics_input *in, struct buf *b);
void metrics_render_own(const struct metrics_input *in, struct buf *b);

#endif

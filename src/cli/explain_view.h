/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_EXPLAIN_VIEW_H
#define CLI_EXPLAIN_VIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

/* The Explanation JSON of ipvsctl-svc(1), for people. */

void explain_view(const json_t *explanation, struct buf *out);
/* There is a Service to tell of. */
bool explain_view_found(const json_t *explanation);
/* None of them is degraded, in conflict, failing or on its way. */
bool explain_view_is_fine(const json_t *explanation);

#endif

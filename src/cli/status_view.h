/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_STATUS_VIEW_H
#define CLI_STATUS_VIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "show.h"

/* The Status JSON of ipvsctl-svc(1) as a table, from the daemon as from the kernel. */

/* The lines above the table, each with its newline. */
void status_view_head(const json_t *status, struct buf *out);
/* The table; show_done() afterwards. `wide` adds columns. */
void status_view_table(const json_t *status, bool wide, struct show *ret);
/*
 * Nothing that is in it is degraded or on its way. `all`: the Services in it are all there are, so
 * what belongs to none of them counts too.
 */
bool status_view_is_fine(const json_t *status, bool all);

#endif

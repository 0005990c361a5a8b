/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_STATUS_H
#define CLI_STATUS_H

#include <jansson.h>
#include <stdbool.h>

#include "show.h"

/* The Status of ipvsctl-svc-api(7), from the daemon or from the kernel, as text for people. */

/* Appends the lines above the table. */
void status_head(const json_t *status, struct buf *out);
/* The table; show_done() afterwards. `wide` adds columns. */
void status_table(const json_t *status, bool wide, struct show *ret);
/* Appends the state of a Service or of its port: "Draining(2)", "Degraded (no endpoint is local)".
 */
void status_print_state(const json_t *object, struct buf *out);

/* True if none of the Services is degraded, pending, in conflict or failing. */
bool status_services_are_fine(const json_t *services);
/*
 * True if the input is synced and the Services are fine. With `all` the Services were not selected
 * by name or namespace, so failures that belong to no Service count too.
 */
bool status_is_fine(const json_t *status, bool all);

#endif

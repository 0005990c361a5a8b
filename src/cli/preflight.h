/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_PREFLIGHT_H
#define CLI_PREFLIGHT_H

#include <jansson.h>

#include "base/buf.h"

/* The text for people of the JSON of ipvsctl-svc-api(7), "Preflight JSON". The tree is cleaned. */
void preflight_text(json_t *tree, struct buf *out);

#endif

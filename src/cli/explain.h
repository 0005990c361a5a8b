/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_EXPLAIN_H
#define CLI_EXPLAIN_H

#include <jansson.h>

#include "base/buf.h"

/* Appends the Explanation of ipvsctl-svc(1) as text for people. */
void explain_text(const json_t *explanation, struct buf *out);

#endif

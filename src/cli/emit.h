/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_EMIT_H
#define CLI_EMIT_H

#include <jansson.h>

#include "base/buf.h"

/* A tree as JSON for a person or a program: indented, with a newline at the end. */
void emit_json(const json_t *tree, struct buf *out);

#endif

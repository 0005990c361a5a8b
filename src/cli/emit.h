/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_EMIT_H
#define CLI_EMIT_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"

/* JSON trees as text for a person or a program. */

enum { EMIT_MAX_DEPTH = 64 };

/* Indented, with a newline at the end. */
void emit_json(const json_t *tree, struct buf *out);
/*
 * One YAML document, which source/yaml.h and any YAML 1.1 or 1.2 parser reads back as the same
 * tree. Returns 0, or -E2BIG with words: the tree is deeper than EMIT_MAX_DEPTH.
 */
int emit_yaml(const json_t *tree, struct buf *out, struct err *err);

#endif

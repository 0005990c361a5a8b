/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_TREE_H
#define CLI_TREE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * A JSON tree of ipvsctl-svc-api(7): Status, Explanation, Top. The daemon may have another version than
 * this program, so a member that is missing or has another type reads as "", 0 or false.
 */

const char *tree_text(const json_t *object, const char *key);
json_int_t tree_number(const json_t *object, const char *key);
bool tree_true(const json_t *object, const char *key);

/* Appends "10.0.0.1:80" or "[fd00::1]:80" from the members "address" and "port". */
void tree_address_port(const json_t *object, struct buf *out);
/* Appends "10.0.0.1:80/TCP" or "fwmark:7/IPv4", which names a virtual server. */
void tree_virtual_server(const json_t *object, struct buf *out);

/* Appends the tree as indented JSON or as YAML. Returns 0, or a negative errno with a text. */
int tree_print(const json_t *tree, bool yaml, struct buf *out, struct err *err);

/* For _cleanup_() */
void tree_freep(json_t **tree);

#endif

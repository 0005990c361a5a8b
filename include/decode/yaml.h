/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DECODE_YAML_H
#define DECODE_YAML_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * YAML text to JSON trees, so that decoding exists once, and back. Scalars are typed as
 * sigs.k8s.io/yaml does for Kubernetes (plain true/false/null/numbers, anything quoted is a
 * string); anchors and aliases are followed; duplicate keys are an error.
 */

enum {
	YAML_MAX_DEPTH = 64,
	YAML_MAX_NODES = 4000000, /* of one text, where an alias counts as its whole value */
	YAML_MAX_TAGS = 100, /* %TAG directives of one text, each compared with all before it */
};

struct yaml_error {
	unsigned line, column; /* 1-based; 0: not known */
	char message[200];
};

/*
 * Calls fn for each document in order with its first line (1-based); fn takes its own reference if
 * it keeps the tree. Empty documents are passed over. Returns 0, or -EINVAL with an error;
 * documents before the fault have been delivered. JSON text is YAML too. A byte order mark of
 * UTF-8 is passed over.
 */
int yaml_parse(const char *text, size_t len, void (*fn)(json_t *doc, unsigned line, void *arg),
	void *arg, struct yaml_error *err);

/*
 * Finds the place (1-based) of the value at `path` ("spec.ports[0].port"; "" is the document
 * itself) in the document that begins in that line; if the value is missing, the place of the
 * deepest part of the path that exists. Parses the text again, so it is for errors. Returns 0, or
 * -ENOENT.
 */
int yaml_locate(const char *text, size_t len, unsigned line, const char *path, unsigned *ret_line,
	unsigned *ret_column);

/* The length of the byte order mark that the text begins with. */
size_t yaml_skip_mark(const char *text, size_t len);

/*
 * One YAML document, which yaml_parse() and any YAML 1.1 or 1.2 parser reads back as the same tree.
 * Returns 0, or -E2BIG with words: the tree is deeper than YAML_MAX_DEPTH.
 */
int yaml_print(const json_t *tree, struct buf *out, struct err *err);

#endif

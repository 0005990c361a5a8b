/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DECODE_YAML_JSON_H
#define DECODE_YAML_JSON_H

#include "decode/yaml.h"

/*
 * As yaml_parse(), for text that is one JSON document: escapes and tabs are not the same in YAML.
 * Returns -ENOTSUP without an error where the text does not begin as JSON, or does not keep the
 * limits (libyaml tells where).
 */
int yaml_parse_json(const char *text, size_t len, void (*fn)(json_t *doc, unsigned line, void *arg),
	void *arg, struct yaml_error *err);

#endif

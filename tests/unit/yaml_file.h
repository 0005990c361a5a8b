/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_YAML_FILE_H
#define TEST_YAML_FILE_H

/* YAML files of the source tree, read by our own reader. cmocka.h comes before. */

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "decode/yaml.h"

static inline void read_text(const char *path, struct buf *ret)
{
	FILE *f = fopen(path, "re");
	size_t n;

	if (!f)
		fail_msg("%s", path);
	while ((n = fread(buf_reserve(ret, 4096), 1, 4096, f)) > 0)
		ret->len += n;
	buf_adds(ret, "");
	fclose(f);
}

static inline void keep_document(json_t *doc, unsigned line, void *arg)
{
	(void)line;
	json_array_append(arg, doc);
}

/* An array of its documents, which the caller owns. */
static inline json_t *yaml_file(const char *path)
{
	json_t *docs = json_array();
	struct yaml_error error;
	struct buf text = { 0 };

	read_text(path, &text);
	if (yaml_parse(buf_str(&text), text.len, keep_document, docs, &error))
		fail_msg("%s:%u:%u: %s", path, error.line, error.column, error.message);
	buf_done(&text);
	return docs;
}

/* "spec.template.0.name": through objects and arrays; NULL where there is no such thing. */
static inline json_t *at(json_t *v, const char *path)
{
	while (v && *path) {
		size_t len = strcspn(path, ".");
		char key[80];

		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		v = json_is_array(v) ? json_array_get(v, (size_t)atoi(key))
				     : json_object_get(v, key);
		path += len + (path[len] == '.');
	}
	return v;
}

static inline const char *text_at(json_t *v, const char *path)
{
	const char *text = json_string_value(at(v, path));

	if (!text)
		fail_msg("no text at %s", path);
	return text;
}

#endif

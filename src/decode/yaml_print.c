// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/mem.h"
#include "decode/yaml.h"

/* yaml_write_handler_t, whose result 1 is success */
static int write_buf(void *arg, unsigned char *data, size_t len)
{
	buf_add(arg, data, len);
	return 1;
}

/* An initialiser fails when memory has run out; writing to a buffer does not fail. */
static void emit_event(yaml_emitter_t *e, yaml_event_t *event, int initialized)
{
	if (!initialized || !yaml_emitter_emit(e, event))
		abort();
}

static void emit_scalar(yaml_emitter_t *e, const char *s, yaml_scalar_style_t style)
{
	yaml_event_t ev;

	emit_event(e, &ev,
		yaml_scalar_event_initialize(
			&ev, NULL, NULL, (const yaml_char_t *)s, (int)strlen(s), 1, 1, style));
}

/* Without quotes where every reader of YAML 1.1 or 1.2 takes it for a string nevertheless. */
static void emit_string(yaml_emitter_t *e, const char *s)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off", "y",
		"n" };
	bool plain = isalpha((unsigned char)*s);

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		plain = plain && strcasecmp(s, words[i]) != 0;
	if (s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")])
		plain = false;
	emit_scalar(e, s, plain ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

static void emit_leaf(yaml_emitter_t *e, const json_t *node)
{
	_cleanup_free_ char *number = NULL;
	const char *text = "null";

	switch (json_typeof(node)) {
	case JSON_STRING:
		emit_string(e, json_string_value(node));
		return;
	case JSON_INTEGER:
	case JSON_REAL:
		text = number = json_dumps(node, JSON_ENCODE_ANY);
		assert(number);
		break;
	case JSON_TRUE:
		text = "true";
		break;
	case JSON_FALSE:
		text = "false";
		break;
	case JSON_NULL:
		break;
	case JSON_OBJECT:
	case JSON_ARRAY:
		return;
	}
	emit_scalar(e, text, YAML_PLAIN_SCALAR_STYLE);
}

/* An object or array whose end has not been emitted yet. */
struct open_node {
	json_t *node;
	void *iter;   /* of an object: the next member */
	size_t index; /* of an array: the next element */
};

static int emit_tree(yaml_emitter_t *e, json_t *tree, struct err *err)
{
	struct open_node stack[YAML_MAX_DEPTH];
	json_t *value = tree;
	size_t depth = 0;
	yaml_event_t ev;

	while (value) {
		bool is_object = json_is_object(value);

		if (!is_object && !json_is_array(value)) {
			emit_leaf(e, value);
		} else if (depth == YAML_MAX_DEPTH) {
			return err_set(err, -E2BIG, "the tree is nested deeper than %d levels",
				YAML_MAX_DEPTH);
		} else {
			emit_event(e, &ev,
				is_object ? yaml_mapping_start_event_initialize(
						    &ev, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE)
					  : yaml_sequence_start_event_initialize(
						    &ev, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE));
			stack[depth++] = (struct open_node){ .node = value,
				.iter = json_object_iter(value) };
		}

		/* On to the next value, out of the containers that are complete. */
		for (value = NULL; depth && !value;) {
			struct open_node *o = &stack[depth - 1];

			if (o->iter) {
				emit_string(e, json_object_iter_key(o->iter));
				value = json_object_iter_value(o->iter);
				o->iter = json_object_iter_next(o->node, o->iter);
				continue;
			}
			value = json_array_get(o->node, o->index++); /* of an object: none */
			if (value)
				continue;
			emit_event(e, &ev,
				json_is_object(o->node) ? yaml_mapping_end_event_initialize(&ev)
							: yaml_sequence_end_event_initialize(&ev));
			depth--;
		}
	}
	return 0;
}

int yaml_print(const json_t *tree, struct buf *out, struct err *err)
{
	_cleanup_(yaml_emitter_delete) yaml_emitter_t e;
	yaml_event_t ev;
	int r;

	if (!yaml_emitter_initialize(&e))
		abort();
	yaml_emitter_set_output(&e, write_buf, out);
	yaml_emitter_set_unicode(&e, 1);
	yaml_emitter_set_width(&e, -1);
	emit_event(&e, &ev, yaml_stream_start_event_initialize(&ev, YAML_UTF8_ENCODING));
	emit_event(&e, &ev, yaml_document_start_event_initialize(&ev, NULL, NULL, NULL, 1));
	r = emit_tree(&e, (json_t *)tree, err);
	if (r < 0)
		return r;
	emit_event(&e, &ev, yaml_document_end_event_initialize(&ev, 1));
	emit_event(&e, &ev, yaml_stream_end_event_initialize(&ev));
	return 0;
}

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

/* A string that needs no quotes: every reader of YAML 1.1 or 1.2 takes it for a string. */
static bool is_plain(const char *s)
{
	static const char *const words[] = { "null", "true", "false", "yes", "no", "on", "off", "y",
		"n" };

	if (!isalpha((unsigned char)*s))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcasecmp(s, words[i]))
			return false;
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")] ==
		'\0';
}

static void emit_string(yaml_emitter_t *e, const char *s)
{
	emit_scalar(e, s, is_plain(s) ? YAML_PLAIN_SCALAR_STYLE : YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

static void emit_leaf(yaml_emitter_t *e, const json_t *node)
{
	_cleanup_free_ char *number = NULL;

	switch (json_typeof(node)) {
	case JSON_STRING:
		emit_string(e, json_string_value(node));
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		number = json_dumps(node, JSON_ENCODE_ANY);
		assert(number);
		emit_scalar(e, number, YAML_PLAIN_SCALAR_STYLE);
		break;
	case JSON_TRUE:
		emit_scalar(e, "true", YAML_PLAIN_SCALAR_STYLE);
		break;
	case JSON_FALSE:
		emit_scalar(e, "false", YAML_PLAIN_SCALAR_STYLE);
		break;
	case JSON_NULL:
		emit_scalar(e, "null", YAML_PLAIN_SCALAR_STYLE);
		break;
	case JSON_OBJECT:
	case JSON_ARRAY:
		break;
	}
}

/* An object or array whose end has not been emitted yet. */
struct open_node {
	json_t *node;
	void *iter;   /* of an object: the next member */
	size_t index; /* of an array: the next element */
};

/* The next value inside, its key already emitted; NULL at the end. */
static json_t *next_value(yaml_emitter_t *e, struct open_node *o)
{
	json_t *value;

	if (json_is_array(o->node))
		return json_array_get(o->node, o->index++);
	if (!o->iter)
		return NULL;
	emit_string(e, json_object_iter_key(o->iter));
	value = json_object_iter_value(o->iter);
	o->iter = json_object_iter_next(o->node, o->iter);
	return value;
}

static bool is_container(const json_t *node)
{
	return json_is_object(node) || json_is_array(node);
}

static void open_container(yaml_emitter_t *e, struct open_node *o, json_t *node)
{
	yaml_event_t ev;

	emit_event(e, &ev,
		json_is_object(node) ? yaml_mapping_start_event_initialize(
					       &ev, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE)
				     : yaml_sequence_start_event_initialize(
					       &ev, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE));
	*o = (struct open_node){ .node = node, .iter = json_object_iter(node) };
}

static int emit_tree(yaml_emitter_t *e, json_t *tree, struct err *err)
{
	struct open_node stack[YAML_MAX_DEPTH];
	size_t depth = 0;
	yaml_event_t ev;

	if (is_container(tree))
		open_container(e, &stack[depth++], tree);
	else
		emit_leaf(e, tree);
	while (depth) {
		struct open_node *o = &stack[depth - 1];
		json_t *value = next_value(e, o);

		if (!value) {
			emit_event(e, &ev,
				json_is_object(o->node) ? yaml_mapping_end_event_initialize(&ev)
							: yaml_sequence_end_event_initialize(&ev));
			depth--;
		} else if (!is_container(value)) {
			emit_leaf(e, value);
		} else if (depth == YAML_MAX_DEPTH) {
			return err_set(err, -E2BIG, "the tree is nested deeper than %d levels",
				YAML_MAX_DEPTH);
		} else {
			open_container(e, &stack[depth++], value);
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

// SPDX-License-Identifier: GPL-2.0-or-later
#include "decode/yaml.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "scalar.h"
#include "yaml_json.h"

/*
 * libyaml's events are turned into a JSON tree with a stack of our own. A container is attached to
 * its parent when it ends, so an anchor only ever names a finished value: an alias shares it, and
 * the tree cannot become a loop. What an alias stands for counts against the limits of nodes and of
 * depth as if it were written out, because whoever walks the tree later meets it that often.
 */

struct frame {
	json_t *container; /* owned until it is attached */
	char *key;	   /* of the value that comes next; NULL: a key comes next */
	json_t *merges;	   /* the mappings that `<<` keys named; NULL: none */
	bool merging;	   /* the value that comes next belongs to a `<<` */
	char *anchor;	   /* its own name; NULL: none */
	size_t nodes;	   /* counted when it began, itself not included */
	unsigned height;   /* of its tallest child */
	yaml_mark_t mark;
};

struct anchor {
	struct map_node by_name;
	json_t *value;
	size_t nodes;
	unsigned height;
	char name[];
};

struct loader {
	yaml_parser_t parser;
	struct frame stack[YAML_MAX_DEPTH];
	unsigned depth;
	size_t nodes;
	struct map anchors;
	json_t *root; /* of the document; NULL until it is complete */
	unsigned line;
	bool delivered;
	void (*fn)(json_t *doc, unsigned line, void *arg);
	void *arg;
	struct yaml_error *err;
};

/* What an event brings: a value with the names and the size that belong to it. */
struct node {
	json_t *value; /* owned */
	const char *anchor;
	size_t nodes;
	unsigned height; /* containers on the longest way down, itself included */
	yaml_mark_t mark;
};

static int fail(struct loader *l, yaml_mark_t mark, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct loader *l, yaml_mark_t mark, const char *fmt, ...)
{
	va_list ap;

	l->err->line = (unsigned)mark.line + 1;
	l->err->column = (unsigned)mark.column + 1;
	va_start(ap, fmt);
	vsnprintf(l->err->message, sizeof(l->err->message), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static struct anchor *anchor_of(struct map_node *n)
{
	return container_of(n, struct anchor, by_name);
}

static struct anchor *find_anchor(const struct loader *l, const char *name)
{
	map_for_each_match(n, &l->anchors, map_hash_str(name))
		if (!strcmp(anchor_of(n)->name, name))
			return anchor_of(n);
	return NULL;
}

static void anchor_free(struct anchor *a)
{
	json_decref(a->value);
	free(a);
}

/* A name that is used again means the newer value from there on. */
static void add_anchor(struct loader *l, const struct node *n)
{
	struct anchor *a = find_anchor(l, n->anchor);

	if (a) {
		map_del(&l->anchors, &a->by_name);
		anchor_free(a);
	}
	a = mem_zalloc(1, sizeof(*a) + strlen(n->anchor) + 1);
	strcpy(a->name, n->anchor);
	a->value = json_incref(n->value);
	a->nodes = n->nodes;
	a->height = n->height;
	map_add(&l->anchors, &a->by_name, map_hash_str(a->name));
}

static void drop_anchors(struct loader *l)
{
	map_for_each(n, &l->anchors)
		anchor_free(anchor_of(n));
	map_done(&l->anchors);
}

static struct frame *top(struct loader *l)
{
	return l->depth ? &l->stack[l->depth - 1] : NULL;
}

static void drop_frame(struct loader *l)
{
	struct frame *f = &l->stack[--l->depth];

	json_decref(f->container);
	json_decref(f->merges);
	free(f->key);
	free(f->anchor);
}

static bool expects_key(const struct frame *f)
{
	return f && json_is_object(f->container) && !f->key && !f->merging;
}

static int count(struct loader *l, size_t nodes, yaml_mark_t mark)
{
	if (nodes > (size_t)YAML_MAX_NODES - l->nodes)
		return fail(l, mark,
			"more than %d values, with every alias counted as what it stands for",
			YAML_MAX_NODES);
	l->nodes += nodes;
	return 0;
}

/* The value of `<<`: a mapping, or a sequence of mappings of which the earlier ones win. */
static int take_merge(struct loader *l, struct frame *f, const struct node *n)
{
	size_t i;
	json_t *it;

	f->merging = false;
	if (!f->merges)
		f->merges = json_array();
	if (json_is_object(n->value)) {
		json_array_append(f->merges, n->value);
		return 0;
	}
	if (!json_is_array(n->value))
		return fail(
			l, n->mark, "the value of << must be a mapping or a sequence of mappings");
	json_array_foreach(n->value, i, it) {
		if (!json_is_object(it))
			return fail(l, n->mark, "the value of << must hold mappings only");
		json_array_append(f->merges, it);
	}
	return 0;
}

/* Puts a complete value where it belongs. Takes the reference, on failure too. */
static int attach(struct loader *l, const struct node *n)
{
	struct frame *f = top(l);
	int r = 0;

	if (n->anchor)
		add_anchor(l, n);
	if (!f) {
		l->root = n->value;
		return 0;
	}
	if (n->height > f->height)
		f->height = n->height;
	if (json_is_array(f->container)) {
		json_array_append_new(f->container, n->value);
	} else if (f->merging) {
		r = take_merge(l, f, n);
		json_decref(n->value);
	} else {
		assert(f->key);
		json_object_set_new_nocheck(f->container, f->key, n->value);
		free(take(f->key));
	}
	return r;
}

/* Keys are strings in JSON: Kubernetes writes a number or boolean the way JSON would. */
static int key_text(struct loader *l, const json_t *v, yaml_mark_t mark, char **ret)
{
	char number[64];

	switch (json_typeof(v)) {
	case JSON_STRING:
		*ret = mem_strdup(json_string_value(v));
		return 0;
	case JSON_INTEGER:
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		break;
	case JSON_REAL:
		snprintf(number, sizeof(number), "%.17g", json_real_value(v));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		snprintf(number, sizeof(number), "%s", json_is_true(v) ? "true" : "false");
		break;
	case JSON_NULL:
		return fail(l, mark, "a key must not be empty or null");
	case JSON_OBJECT:
	case JSON_ARRAY:
		return fail(l, mark, "a key must be a scalar");
	}
	*ret = mem_strdup(number);
	return 0;
}

static int take_key(struct loader *l, const json_t *v, yaml_mark_t mark)
{
	struct frame *f = top(l);
	char *key = NULL;
	int r = key_text(l, v, mark, &key);

	if (r)
		return r;
	if (json_object_get(f->container, key)) {
		r = fail(l, mark, "the key \"%.100s\" is there twice in one mapping", key);
		free(key);
		return r;
	}
	f->key = key;
	return 0;
}

static bool is_merge_key(const yaml_event_t *e)
{
	return e->data.scalar.plain_implicit && !strcmp((const char *)e->data.scalar.value, "<<");
}

static int on_scalar(struct loader *l, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	struct node n = { .nodes = 1, .mark = e->start_mark };
	struct frame *f = top(l);
	char message[120];
	int r = count(l, 1, e->start_mark);

	if (r)
		return r;
	if (strlen(text) != len)
		return fail(l, e->start_mark, "a value must not contain a NUL character");
	if (expects_key(f) && is_merge_key(e)) {
		f->merging = true;
		return 0;
	}
	n.value = scalar_value(text, len, (const char *)e->data.scalar.tag,
		e->data.scalar.plain_implicit && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
		message);
	if (!n.value)
		return fail(l, e->start_mark, "the value %s", message);
	n.anchor = (const char *)e->data.scalar.anchor;
	if (!expects_key(f))
		return attach(l, &n);
	if (n.anchor)
		add_anchor(l, &n);
	r = take_key(l, n.value, e->start_mark);
	json_decref(n.value);
	return r;
}

static int on_alias(struct loader *l, const yaml_event_t *e)
{
	const char *name = (const char *)e->data.alias.anchor;
	const struct anchor *a = find_anchor(l, name);
	int r;

	if (!a)
		return fail(l, e->start_mark,
			"the alias *%.100s has no anchor before it, or stands inside of its own anchor",
			name);
	if (l->depth + a->height > YAML_MAX_DEPTH)
		return fail(l, e->start_mark, "nested more than %d deep", YAML_MAX_DEPTH);
	r = count(l, a->nodes, e->start_mark);
	if (r)
		return r;
	if (expects_key(top(l)))
		return take_key(l, a->value, e->start_mark);
	return attach(l,
		&(struct node){ .value = json_incref(a->value),
			.nodes = a->nodes,
			.height = a->height,
			.mark = e->start_mark });
}

/* Takes the container. */
static int push(struct loader *l, json_t *container, const yaml_char_t *anchor, yaml_mark_t mark)
{
	size_t before = l->nodes;
	int r = count(l, 1, mark);

	if (!r && expects_key(top(l)))
		r = fail(l, mark, "a key must be a scalar");
	if (!r && l->depth == YAML_MAX_DEPTH)
		r = fail(l, mark, "nested more than %d deep", YAML_MAX_DEPTH);
	if (r) {
		json_decref(container);
		return r;
	}
	l->stack[l->depth++] = (struct frame){ .container = container,
		.anchor = anchor ? mem_strdup((const char *)anchor) : NULL,
		.nodes = before,
		.mark = mark };
	return 0;
}

static int pop(struct loader *l)
{
	struct frame *f = top(l);
	_cleanup_free_ char *anchor = take(f->anchor);
	struct node n = { .anchor = anchor,
		.nodes = l->nodes - f->nodes,
		.height = f->height + 1,
		.mark = f->mark };
	size_t i;
	json_t *it;

	json_array_foreach(f->merges, i, it)
		json_object_update_missing(f->container, it);
	n.value = take(f->container);
	drop_frame(l);
	return attach(l, &n);
}

static void deliver(struct loader *l)
{
	json_t *doc = take(l->root);

	drop_anchors(l);
	if (doc && !json_is_null(doc)) {
		l->delivered = true;
		l->fn(doc, l->line, l->arg);
	}
	json_decref(doc);
}

static int on_event(struct loader *l, const yaml_event_t *e)
{
	bool is_value = e->type == YAML_SCALAR_EVENT || e->type == YAML_MAPPING_START_EVENT ||
		e->type == YAML_SEQUENCE_START_EVENT;

	if (is_value && !l->depth)
		l->line = (unsigned)e->start_mark.line + 1;
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return on_scalar(l, e);
	case YAML_ALIAS_EVENT:
		return on_alias(l, e);
	case YAML_MAPPING_START_EVENT:
		return push(l, json_object(), e->data.mapping_start.anchor, e->start_mark);
	case YAML_SEQUENCE_START_EVENT:
		return push(l, json_array(), e->data.sequence_start.anchor, e->start_mark);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return pop(l);
	case YAML_DOCUMENT_END_EVENT:
		deliver(l);
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
		return 0;
	}
	return 0;
}

/* The reader tells a byte offset only. */
static void locate_offset(const char *text, size_t offset, struct yaml_error *err)
{
	err->line = err->column = 1;
	for (size_t i = 0; i < offset; i++) {
		bool continues = ((unsigned char)text[i] & 0xc0) == 0x80;

		if (text[i] == '\n') {
			err->line++;
			err->column = 1;
		} else if (!continues) {
			err->column++;
		}
	}
}

/* The most common fault of all, which libyaml calls a character that cannot start any token. */
static bool is_tab(const char *text, size_t len, yaml_mark_t mark)
{
	const char *p = text, *end = text + len;

	for (size_t line = 0; p && line < mark.line; line++) {
		p = memchr(p, '\n', (size_t)(end - p));
		p = p ? p + 1 : NULL;
	}
	/* Before a tab that indents there are blanks only, so a column is a byte. */
	return p && mark.column < (size_t)(end - p) && p[mark.column] == '\t';
}

static int fail_parser(struct loader *l, const char *text, size_t len)
{
	const yaml_parser_t *p = &l->parser;
	const char *problem = p->problem ? p->problem : "cannot be parsed";

	if (p->error == YAML_READER_ERROR) {
		locate_offset(text, p->problem_offset < len ? p->problem_offset : len, l->err);
		snprintf(l->err->message, sizeof(l->err->message), "%s", problem);
		return -EINVAL;
	}
	if (p->error == YAML_SCANNER_ERROR && is_tab(text, len, p->problem_mark))
		return fail(l, p->problem_mark, "a tab cannot indent YAML, use blanks");
	if (!p->context || p->context_mark.line == p->problem_mark.line)
		return fail(l, p->problem_mark, "%s", problem);
	return fail(l, p->problem_mark, "%s, %s that begins in line %zu", problem, p->context,
		p->context_mark.line + 1);
}

static int load(struct loader *l, const char *text, size_t len)
{
	bool done = false;
	int r = 0;

	yaml_parser_set_encoding(&l->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l->parser, (const unsigned char *)text, len);
	while (!r && !done) {
		yaml_event_t event;

		if (!yaml_parser_parse(&l->parser, &event))
			return fail_parser(l, text, len);
		r = on_event(l, &event);
		done = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}
	return r;
}

static int parse_yaml(struct loader *l, const char *text, size_t len)
{
	int r;

	if (!yaml_parser_initialize(&l->parser))
		abort(); /* out of memory, as everywhere */
	r = load(l, text, len);
	while (l->depth)
		drop_frame(l);
	drop_anchors(l);
	json_decref(l->root);
	yaml_parser_delete(&l->parser);
	return r;
}

static bool is_further(const struct yaml_error *a, const struct yaml_error *b)
{
	return a->line > b->line || (a->line == b->line && a->column > b->column);
}

int yaml_parse(const char *text, size_t len, void (*fn)(json_t *doc, unsigned line, void *arg),
	void *arg, struct yaml_error *err)
{
	struct yaml_error json_error = { 0 }, yaml_error = { 0 };
	struct loader l = { .fn = fn, .arg = arg, .err = &yaml_error };
	int json = yaml_parse_json(text, len, fn, arg, &json_error), r;

	if (!json)
		return 0;
	/* A flow mapping of YAML begins as JSON does: of two complaints, the one that got further
	 * in the text is about what the author meant. */
	r = parse_yaml(&l, text, len);
	if (!r)
		return 0;
	if (json == -EINVAL && !l.delivered && !is_further(&yaml_error, &json_error))
		*err = json_error;
	else
		*err = yaml_error;
	return r;
}

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

/*
 * libyaml's events are turned into a JSON tree with a stack of our own. A container is attached to
 * its parent when it ends, so an anchor only ever names a finished value: an alias shares it, and
 * the tree cannot become a loop. An alias counts against the limits of nodes and of depth as if its
 * value were written out, because every walk through the tree meets the value that often.
 */

#define UTF8_MARK "\xef\xbb\xbf"

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
	struct frame stack[1 + YAML_MAX_DEPTH]; /* the first one is the document, no container */
	unsigned depth;				/* index of the current one */
	size_t nodes;
	struct map anchors;
	json_t *root; /* of the document; NULL until it is complete */
	unsigned line;
	bool delivered;
	void (*fn)(json_t *doc, unsigned line, void *arg);
	void *arg;
	struct yaml_error *err;
};

/* A value that an event completes, with its anchor and its size. */
struct yaml_node {
	json_t *value; /* owned */
	const char *anchor;
	size_t nodes;
	unsigned height; /* containers on the longest way down, itself included */
	yaml_mark_t mark;
};

static int fail_at_mark(struct loader *l, yaml_mark_t mark, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int fail_at_mark(struct loader *l, yaml_mark_t mark, const char *fmt, ...)
{
	va_list ap;

	l->err->line = (unsigned)mark.line + 1;
	l->err->column = (unsigned)mark.column + 1;
	va_start(ap, fmt);
	vsnprintf(l->err->message, sizeof(l->err->message), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static struct anchor *find_anchor(const struct loader *l, const char *name)
{
	map_for_each_match_entry(struct anchor, a, &l->anchors, map_hash_str(name), by_name)
		if (!strcmp(a->name, name))
			return a;
	return NULL;
}

/* A name that is used again means the newer value from there on. */
static void add_anchor(struct loader *l, const struct yaml_node *n)
{
	struct anchor *a = find_anchor(l, n->anchor);

	if (a) {
		json_decref(a->value);
	} else {
		a = mem_zalloc(1, sizeof(*a) + strlen(n->anchor) + 1);
		strcpy(a->name, n->anchor);
		map_add(&l->anchors, &a->by_name, map_hash_str(a->name));
	}
	a->value = json_incref(n->value);
	a->nodes = n->nodes;
	a->height = n->height;
}

static void drop_anchors(struct loader *l)
{
	map_for_each_entry(struct anchor, a, &l->anchors, by_name) {
		json_decref(a->value);
		free(a);
	}
	map_done(&l->anchors);
}

static void drop_frame(struct loader *l)
{
	struct frame *f = &l->stack[l->depth--];

	json_decref(f->container);
	json_decref(f->merges);
	free(f->key);
	free(f->anchor);
}

static bool expects_key(const struct loader *l)
{
	const struct frame *f = &l->stack[l->depth];

	return json_is_object(f->container) && !f->key && !f->merging;
}

static int count_nodes(struct loader *l, size_t nodes, yaml_mark_t mark)
{
	if (nodes > (size_t)YAML_MAX_NODES - l->nodes)
		return fail_at_mark(l, mark,
			"more than %d values, where an alias counts as its whole value",
			YAML_MAX_NODES);
	l->nodes += nodes;
	return 0;
}

/* The value of `<<`: a mapping, or a sequence of mappings of which the earlier ones win. */
static int take_merge(struct loader *l, struct frame *f, const struct yaml_node *n)
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
		return fail_at_mark(
			l, n->mark, "the value of << must be a mapping or a sequence of mappings");
	json_array_foreach(n->value, i, it) {
		if (!json_is_object(it))
			return fail_at_mark(l, n->mark, "the value of << must hold mappings only");
		json_array_append(f->merges, it);
	}
	return 0;
}

/* Puts a complete value where it belongs. Takes the reference, on failure too. */
static int attach_node(struct loader *l, const struct yaml_node *n)
{
	struct frame *f = &l->stack[l->depth];
	int r = 0;

	if (n->anchor)
		add_anchor(l, n);
	if (!l->depth) {
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
static int take_key(struct loader *l, const json_t *v, yaml_mark_t mark)
{
	struct frame *f = &l->stack[l->depth];
	const char *key = "";
	char number[64];

	switch (json_typeof(v)) {
	case JSON_STRING:
		key = json_string_value(v);
		break;
	case JSON_INTEGER:
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		key = number;
		break;
	case JSON_REAL:
		snprintf(number, sizeof(number), "%.17g", json_real_value(v));
		key = number;
		break;
	case JSON_TRUE:
		key = "true";
		break;
	case JSON_FALSE:
		key = "false";
		break;
	case JSON_NULL:
		return fail_at_mark(l, mark, "a key must not be empty or null");
	case JSON_OBJECT:
	case JSON_ARRAY:
		return fail_at_mark(l, mark, "a key must be a scalar");
	}
	if (json_object_get(f->container, key))
		return fail_at_mark(l, mark, "the key \"%.100s\" occurs twice in one mapping", key);
	f->key = mem_strdup(key);
	return 0;
}

static int take_scalar(struct loader *l, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	struct yaml_node n = { .nodes = 1, .mark = e->start_mark };
	char message[120];
	int r = count_nodes(l, 1, e->start_mark);

	if (r)
		return r;
	if (strlen(text) != len)
		return fail_at_mark(l, e->start_mark, "a value must not contain a NUL character");
	if (expects_key(l) && e->data.scalar.plain_implicit && !strcmp(text, "<<")) {
		l->stack[l->depth].merging = true;
		return 0;
	}
	n.value = scalar_value(text, len, (const char *)e->data.scalar.tag,
		e->data.scalar.plain_implicit && e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
		message);
	if (!n.value)
		return fail_at_mark(l, e->start_mark, "the value %s", message);
	n.anchor = (const char *)e->data.scalar.anchor;
	if (!expects_key(l))
		return attach_node(l, &n);
	if (n.anchor)
		add_anchor(l, &n);
	r = take_key(l, n.value, e->start_mark);
	json_decref(n.value);
	return r;
}

static int take_alias(struct loader *l, const yaml_event_t *e)
{
	const char *name = (const char *)e->data.alias.anchor;
	const struct anchor *a = find_anchor(l, name);
	int r;

	if (!a)
		return fail_at_mark(l, e->start_mark,
			"the alias *%.100s has no anchor before it, or stands inside of its own anchor",
			name);
	if (l->depth + a->height > YAML_MAX_DEPTH)
		return fail_at_mark(l, e->start_mark, "nested more than %d deep", YAML_MAX_DEPTH);
	r = count_nodes(l, a->nodes, e->start_mark);
	if (r)
		return r;
	if (expects_key(l))
		return take_key(l, a->value, e->start_mark);
	return attach_node(l,
		&(struct yaml_node){ .value = json_incref(a->value),
			.nodes = a->nodes,
			.height = a->height,
			.mark = e->start_mark });
}

/* Takes the container. */
static int push_container(
	struct loader *l, json_t *container, const yaml_char_t *anchor, yaml_mark_t mark)
{
	size_t before = l->nodes;
	int r = count_nodes(l, 1, mark);

	if (!r && expects_key(l))
		r = fail_at_mark(l, mark, "a key must be a scalar");
	if (!r && l->depth == YAML_MAX_DEPTH)
		r = fail_at_mark(l, mark, "nested more than %d deep", YAML_MAX_DEPTH);
	if (r) {
		json_decref(container);
		return r;
	}
	l->stack[++l->depth] = (struct frame){ .container = container,
		.anchor = anchor ? mem_strdup((const char *)anchor) : NULL,
		.nodes = before,
		.mark = mark };
	return 0;
}

static int pop_container(struct loader *l)
{
	struct frame *f = &l->stack[l->depth];
	_cleanup_free_ char *anchor = take(f->anchor);
	struct yaml_node n = { .anchor = anchor,
		.nodes = l->nodes - f->nodes,
		.height = f->height + 1,
		.mark = f->mark };
	size_t i;
	json_t *it;

	json_array_foreach(f->merges, i, it)
		json_object_update_missing(f->container, it);
	n.value = take(f->container);
	drop_frame(l);
	return attach_node(l, &n);
}

static int take_event(struct loader *l, const yaml_event_t *e)
{
	json_t *doc;
	bool is_value = e->type == YAML_SCALAR_EVENT || e->type == YAML_MAPPING_START_EVENT ||
		e->type == YAML_SEQUENCE_START_EVENT;

	if (is_value && !l->depth)
		l->line = (unsigned)e->start_mark.line + 1;
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		return take_scalar(l, e);
	case YAML_ALIAS_EVENT:
		return take_alias(l, e);
	case YAML_MAPPING_START_EVENT:
		return push_container(
			l, json_object(), e->data.mapping_start.anchor, e->start_mark);
	case YAML_SEQUENCE_START_EVENT:
		return push_container(
			l, json_array(), e->data.sequence_start.anchor, e->start_mark);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return pop_container(l);
	case YAML_DOCUMENT_END_EVENT:
		doc = take(l->root);
		drop_anchors(l);
		if (doc && !json_is_null(doc)) {
			l->delivered = true;
			l->fn(doc, l->line, l->arg);
		}
		json_decref(doc);
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_START_EVENT:
		return 0;
	}
	return 0;
}

static int fail_parser(struct loader *l, const char *text, size_t len)
{
	const yaml_parser_t *p = &l->parser;
	const char *problem = p->problem ? p->problem : "cannot be parsed";
	const char *begin = text, *end = text + len; /* of the line */

	if (p->error == YAML_READER_ERROR) {
		/* Only a byte offset is known: lines and characters are counted here. */
		l->err->line = l->err->column = 1;
		for (size_t i = 0; i < p->problem_offset && i < len; i++) {
			bool continues = ((unsigned char)text[i] & 0xc0) == 0x80;

			if (text[i] == '\n') {
				l->err->line++;
				l->err->column = 1;
			} else if (!continues) {
				l->err->column++;
			}
		}
		snprintf(l->err->message, sizeof(l->err->message), "%s", problem);
		return -EINVAL;
	}

	/* The most common fault of all, which libyaml calls a character that cannot start any
	 * token. Before a tab that indents there are blanks only, so a column is a byte. */
	for (size_t line = 0; begin && line < p->problem_mark.line; line++) {
		begin = memchr(begin, '\n', (size_t)(end - begin));
		begin = begin ? begin + 1 : NULL;
	}
	if (p->error == YAML_SCANNER_ERROR && begin &&
		p->problem_mark.column < (size_t)(end - begin) &&
		begin[p->problem_mark.column] == '\t')
		return fail_at_mark(l, p->problem_mark, "a tab cannot indent YAML, use blanks");

	if (!p->context || p->context_mark.line == p->problem_mark.line)
		return fail_at_mark(l, p->problem_mark, "%s", problem);
	return fail_at_mark(l, p->problem_mark, "%s, %s that begins in line %zu", problem,
		p->context, p->context_mark.line + 1);
}

/* Lines end with \n, \r, U+0085, U+2028 or U+2029; of the last three only the last byte is looked at. */
static int check_tags(struct loader *l, const char *text, size_t len)
{
	static const char breaks[] = { '\n', '\r', '\x85', '\xa8', '\xa9' };
	const char *tag = text, *end = text + len;
	yaml_mark_t mark = { 0 };
	unsigned n = 0;

	for (; (tag = memmem(tag, (size_t)(end - tag), "%TAG", 4)); tag++) {
		if (tag > text && !memchr(breaks, tag[-1], sizeof(breaks)))
			continue;
		if (++n <= YAML_MAX_TAGS)
			continue;
		for (const char *c = text; c < tag; c++)
			mark.line += *c == '\n';
		return fail_at_mark(l, mark, "more than %d %%TAG directives", YAML_MAX_TAGS);
	}
	return 0;
}

static int parse_yaml(struct loader *l, const char *text, size_t len)
{
	bool done = false;
	int r = check_tags(l, text, len);

	if (r)
		return r;
	if (!yaml_parser_initialize(&l->parser))
		abort(); /* out of memory, as everywhere */
	yaml_parser_set_encoding(&l->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l->parser, (const unsigned char *)text, len);
	while (!r && !done) {
		yaml_event_t event;

		if (!yaml_parser_parse(&l->parser, &event)) {
			r = fail_parser(l, text, len);
			break;
		}
		r = take_event(l, &event);
		done = event.type == YAML_STREAM_END_EVENT;
		yaml_event_delete(&event);
	}

	while (l->depth)
		drop_frame(l);
	drop_anchors(l);
	json_decref(l->root);
	yaml_parser_delete(&l->parser);
	return r;
}

/* JSON */

/*
 * Whether the text, if it is JSON, keeps the limits: jansson knows neither ours of depth nor of
 * values. (If it is YAML that looks like JSON, the answer only decides which parser reads it
 * first.)
 */
static bool keeps_limits(const char *text, size_t len)
{
	size_t depth = 0, nodes = 1;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string && c == '\\') {
			i++;
		} else if (c == '"') {
			in_string = !in_string;
		} else if (!in_string && (c == '{' || c == '[')) {
			nodes++;
			if (++depth > YAML_MAX_DEPTH)
				return false;
		} else if (!in_string && (c == '}' || c == ']')) {
			depth -= depth > 0;
		} else if (!in_string && (c == ',' || c == ':')) {
			nodes++;
		}
		if (nodes > YAML_MAX_NODES)
			return false;
	}
	return true;
}

/*
 * As yaml_parse(), for text that is one JSON document: escapes and tabs differ in YAML. Returns
 * -ENOTSUP without an error where the text does not begin as JSON, or exceeds the limits, because
 * libyaml tells where.
 */
static int parse_json(const char *text, size_t len,
	void (*fn)(json_t *doc, unsigned line, void *arg), void *arg, struct yaml_error *err)
{
	static const char blanks[] = { ' ', '\t', '\r', '\n' };
	unsigned line = 1;
	size_t start = 0;
	json_error_t error;
	json_t *doc;

	for (; start < len && memchr(blanks, text[start], sizeof(blanks)); start++)
		line += text[start] == '\n';
	if (start == len || (text[start] != '{' && text[start] != '['))
		return -ENOTSUP;
	if (!keeps_limits(text, len))
		return -ENOTSUP;
	doc = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!doc) {
		*err = (struct yaml_error){ .line = (unsigned)error.line,
			.column = error.column > 0 ? (unsigned)error.column : 1 };
		snprintf(err->message, sizeof(err->message), "%s", error.text);
		return -EINVAL;
	}
	fn(doc, line, arg);
	json_decref(doc);
	return 0;
}

/* A byte order mark, or every second byte of an ASCII character. */
static bool is_utf16(const char *text, size_t len)
{
	return len >= 2 &&
		(!memcmp(text, "\xff\xfe", 2) || !memcmp(text, "\xfe\xff", 2) ||
			!text[0] != !text[1]);
}

/*
 * Adds the likely cause of an error that libyaml cannot know: Helm and others put {{ }} where values
 * belong, and the second of two files that were joined may begin with a byte order mark.
 */
static void tell_cause(struct yaml_error *err, const char *text, size_t len)
{
	static const struct {
		const char *bytes, *name, *words;
	} causes[] = {
		{ "{{", "{{", "is of a template, which has to be rendered first" },
		{ UTF8_MARK, "byte order mark", "has to be removed" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(causes); i++) {
		const char *at = memmem(text, len, causes[i].bytes, strlen(causes[i].bytes));
		const size_t used = strlen(err->message);
		unsigned line = 1;

		if (!at)
			continue;
		for (const char *c = text; c < at; c++)
			line += *c == '\n';
		snprintf(err->message + used, sizeof(err->message) - used, "; the %s in line %u %s",
			causes[i].name, line, causes[i].words);
		return;
	}
}

size_t yaml_skip_mark(const char *text, size_t len)
{
	return len >= 3 && !memcmp(text, UTF8_MARK, 3) ? 3 : 0;
}

int yaml_parse(const char *text, size_t len, void (*fn)(json_t *doc, unsigned line, void *arg),
	void *arg, struct yaml_error *err)
{
	struct yaml_error as_json = { 0 }, as_yaml = { 0 };
	struct loader l = { .fn = fn, .arg = arg, .err = &as_yaml };
	const size_t mark = yaml_skip_mark(text, len);
	bool further;
	int json, r;

	if (is_utf16(text, len)) {
		*err = (struct yaml_error){ 1, 1, "the text is UTF-16, must be UTF-8" };
		return -EINVAL;
	}
	text += mark;
	len -= mark;
	json = parse_json(text, len, fn, arg, &as_json);
	if (!json)
		return 0;
	r = parse_yaml(&l, text, len);
	if (!r)
		return 0;

	/* A flow mapping of YAML begins as JSON does: of two errors, the one further in the text is
	 * about the format that the author meant. */
	further = as_yaml.line > as_json.line ||
		(as_yaml.line == as_json.line && as_yaml.column > as_json.column);
	*err = json == -EINVAL && !l.delivered && !further ? as_json : as_yaml;
	tell_cause(err, text, len);
	return r;
}

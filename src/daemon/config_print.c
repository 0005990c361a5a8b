// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration that is in effect, as a file. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "config_own.h"

enum { TREE_MAX_DEPTH = 8 }; /* of what the table and its types make */

static bool is_own(const struct config_option *o)
{
	return !strncmp(o->key, CONFIG_OWN_SECTION, strlen(CONFIG_OWN_SECTION));
}

static void set_at(json_t *tree, const char *key, json_t *value)
{
	const char *dot;

	for (; (dot = strchr(key, '.')); key = dot + 1) {
		_cleanup_free_ char *section = mem_strndup(key, (size_t)(dot - key));
		json_t *inner = json_object_get(tree, section);

		if (!inner) {
			inner = json_object();
			json_object_set_new(tree, section, inner);
		}
		tree = inner;
	}
	json_object_set_new(tree, key, value);
}

static void add_options(json_t *tree, const struct config *c, bool own)
{
	size_t n;
	const struct config_option *o = config_options(&n);

	for (; n; n--, o++)
		if (o->key && is_own(o) == own)
			set_at(tree, o->key, o->type->get(c, o));
}

json_t *config_tree(const struct config *c)
{
	json_t *tree = json_object();

	json_object_set_new(tree, "apiVersion", json_string(CONFIG_API_VERSION));
	json_object_set_new(tree, "kind", json_string(CONFIG_KIND));
	add_options(tree, c, false);
	add_options(tree, c, true);
	return tree;
}

/* YAML */

/* A string that stands without quotes: no reader of YAML 1.1 or 1.2 takes it for something else. */
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

static void add_string(struct buf *out, const char *s)
{
	json_t *v = json_string(s);
	_cleanup_free_ char *quoted = json_dumps(v, JSON_ENCODE_ANY);

	json_decref(v);
	buf_adds(out, is_plain(s) ? s : quoted);
}

/* What fits into one line: JSON is YAML too. */
static void add_leaf(struct buf *out, const json_t *v)
{
	_cleanup_free_ char *text = NULL;

	if (json_is_string(v)) {
		add_string(out, json_string_value(v));
		return;
	}
	text = json_dumps(v, JSON_ENCODE_ANY);
	assert(text);
	buf_adds(out, text);
}

static bool is_leaf(const json_t *v)
{
	return !(json_is_object(v) && json_object_size(v)) &&
		!(json_is_array(v) && json_array_size(v));
}

/* A mapping or a list that is begun and not ended yet. */
struct open_node {
	json_t *node;
	void *iter;   /* of a mapping: the next member */
	size_t index; /* of a list: the next element */
};

static void indent(struct buf *out, size_t depth)
{
	for (size_t i = 1; i < depth; i++)
		buf_adds(out, "  ");
}

/* The next value inside, what stands before it already written; NULL at the end. */
static json_t *next_value(struct buf *out, struct open_node *o, size_t depth)
{
	json_t *v = json_is_array(o->node) ? json_array_get(o->node, o->index++)
					   : json_object_iter_value(o->iter);

	if (!v)
		return NULL;
	indent(out, depth);
	if (json_is_array(o->node)) {
		buf_adds(out, "-");
		return v;
	}
	add_string(out, json_object_iter_key(o->iter));
	buf_addc(out, ':');
	o->iter = json_object_iter_next(o->node, o->iter);
	return v;
}

static void add_tree(struct buf *out, json_t *tree)
{
	struct open_node stack[TREE_MAX_DEPTH] = { { tree, json_object_iter(tree), 0 } };
	size_t depth = 1;

	while (depth) {
		json_t *v = next_value(out, &stack[depth - 1], depth);

		if (!v) {
			depth--;
			continue;
		}
		buf_addc(out, is_leaf(v) ? ' ' : '\n');
		if (is_leaf(v)) {
			add_leaf(out, v);
			buf_addc(out, '\n');
			continue;
		}
		assert(depth < TREE_MAX_DEPTH);
		stack[depth++] = (struct open_node){ v, json_object_iter(v), 0 };
	}
}

void config_yaml(const struct config *c, struct buf *out)
{
	json_t *tree = config_tree(c);

	add_tree(out, tree);
	json_decref(tree);
}

static int write_file(const char *path, const struct buf *text, struct err *err)
{
	FILE *f = fopen(path, "we");
	int r = 0;

	if (!f)
		return err_errno(err, -errno, "cannot write %s", path);
	if (fwrite(text->data, 1, text->len, f) != text->len)
		r = -EIO;
	if (fclose(f) && !r)
		r = -errno;
	return r ? err_errno(err, r, "cannot write %s", path) : 0;
}

int config_dump(const struct config *c, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	config_yaml(c, &text);
	if (*c->write_config_to)
		return write_file(c->write_config_to, &text, err);
	if (fwrite(text.data, 1, text.len, stdout) != text.len || fflush(stdout))
		return err_errno(err, -EIO, "cannot print the configuration");
	return 0;
}

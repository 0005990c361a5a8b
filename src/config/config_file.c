// SPDX-License-Identifier: GPL-2.0-or-later
#include "config_file.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "config_values.h"
#include "decode/yaml.h"
#include "nearest.h"
#include "option_value.h"

#define API_VERSION "kubeproxy.config.k8s.io/v1alpha1"
#define OWN_SECTION "ipvsctl."

enum { READ_SIZE = 1 << 16 };

/* Reading */

int config_read(const char *path, struct buf *text)
{
	int fd = file_open(path), r = 0;
	ssize_t n = 1;

	if (fd < 0)
		return fd;
	while (n && !r) {
		n = read(fd, buf_reserve(text, READ_SIZE), READ_SIZE);
		if (n < 0 && errno != EINTR)
			r = -errno;
		else if (n > 0)
			text->len += (size_t)n;
		if (text->len > CONFIG_MAX_FILE)
			r = -EFBIG;
	}
	close(fd);
	return r;
}

struct file_documents {
	json_t *first; /* NULL: none */
	unsigned line; /* of the first */
	size_t n;
};

static void take_first_document(json_t *doc, unsigned line, void *arg)
{
	struct file_documents *d = arg;

	if (d->n++)
		return;
	d->first = json_incref(doc);
	d->line = line;
}

/* NULL where the file cannot be used, with the mistake noted. */
static json_t *read_document(struct config *c)
{
	struct file_documents documents = { 0 };
	struct yaml_error error;
	int r = config_read(c->file, &c->text);

	if (r < 0) {
		config_note(c, &c->mistakes, "--config: cannot read %s: %s", c->file,
			r == -ENODEV ? "it is not a regular file" : strerror(-r));
		return NULL;
	}
	if (yaml_parse(buf_str(&c->text), c->text.len, take_first_document, &documents, &error)) {
		config_note(c, &c->mistakes, "%s:%u:%u: %s", c->file, error.line, error.column,
			error.message);
		json_decref(take(documents.first));
	} else if (!documents.n) {
		config_note(c, &c->mistakes, "--config: %s is empty", c->file);
	}
	if (documents.first && documents.n > 1)
		config_note(c, &c->warnings, "%s: only the first of its %zu documents is used",
			c->file, documents.n);
	c->text_line = documents.line;
	return documents.first;
}

/* The value of a key with dots; NULL: it is not there, or what a dot follows is no mapping. */
static json_t *value_at(json_t *root, const char *key)
{
	const char *dot;

	for (; root && (dot = strchr(key, '.')); key = dot + 1) {
		_cleanup_free_ char *name = mem_strndup(key, (size_t)(dot - key));

		root = json_object_get(root, name);
	}
	return json_object_get(root, key);
}

/* Values of the wrong kind */

static const char *kind_words(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "a mapping";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "a number";
	case JSON_REAL:
		return "a fraction";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_NULL:
		return "null";
	}
	return "?";
}

static const char *shape_words(enum option_shape shape)
{
	switch (shape) {
	case SHAPE_TEXT:
		return "a string";
	case SHAPE_BOOL:
		return "true or false";
	case SHAPE_NUMBER:
		return "a whole number";
	case SHAPE_REAL:
		return "a number";
	case SHAPE_DURATION:
		return "a duration such as \"1m30s\"";
	case SHAPE_TIME:
		return "a duration such as \"1m30s\" or a number of nanoseconds";
	case SHAPE_QUANTITY:
		return "a size such as \"64Ki\"";
	case SHAPE_LIST:
		return "a list of strings";
	case SHAPE_GATES:
		return "a mapping of names to true or false";
	case SHAPE_VMODULE:
		return "a list of mappings with filePattern and verbosity";
	}
	return "?";
}

/* `path` is the key, with an index for an element of a list. */
static void wrong_kind(struct config *c, const char *path, const char *must, const json_t *v)
{
	config_note_key(c, &c->mistakes, path, "must be %s, not %s", must, kind_words(v));
}

/* Values */

static bool fits_shape(enum option_shape shape, const json_t *v)
{
	switch (shape) {
	case SHAPE_TEXT:
	case SHAPE_DURATION:
	case SHAPE_LIST: /* an element of it */
		return json_is_string(v);
	case SHAPE_BOOL:
		return json_is_boolean(v);
	case SHAPE_NUMBER:
		return json_is_integer(v);
	case SHAPE_REAL:
		return json_is_number(v);
	case SHAPE_TIME:
	case SHAPE_QUANTITY:
		return json_is_string(v) || json_is_integer(v);
	case SHAPE_GATES:
	case SHAPE_VMODULE:
		return false;
	}
	return false;
}

static void set_from_file(
	struct config *c, const struct option_row *o, const char *path, const char *text)
{
	struct err err;

	if (config_set(c, o, text, ORIGIN_FILE, &err))
		config_note_key(c, &c->mistakes, path, "%s", err.msg);
}

/* Takes the value as one would write it on the command line. */
static void set_scalar(
	struct config *c, const struct option_row *o, const char *path, const json_t *v)
{
	enum option_shape shape = o->type->shape;
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!fits_shape(shape, v)) {
		wrong_kind(c, path, shape_words(shape == SHAPE_LIST ? SHAPE_TEXT : shape), v);
		return;
	}
	if (json_is_string(v)) {
		buf_adds(&text, json_string_value(v));
	} else {
		_cleanup_free_ char *number = json_dumps(v, JSON_ENCODE_ANY);

		buf_addf(&text, "%s%s", number, shape == SHAPE_TIME ? "ns" : "");
	}
	if (!(o->traits & FILE_ZERO && option_is_zero(shape, buf_str(&text))))
		set_from_file(c, o, path, buf_str(&text));
}

static void set_list(struct config *c, const struct option_row *o, const json_t *list)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v) {
		_cleanup_(buf_done) struct buf path = { 0 }, text = { 0 };
		const json_t *pattern = json_object_get(v, "filePattern");
		const json_t *verbosity = json_object_get(v, "verbosity");

		buf_addf(&path, "%s[%zu]", o->key, i);
		if (o->type->shape == SHAPE_LIST) {
			set_scalar(c, o, buf_str(&path), v);
		} else if (!json_is_string(pattern) || !json_is_integer(verbosity)) {
			config_note_key(c, &c->mistakes, buf_str(&path),
				"must have a string filePattern and a number verbosity");
		} else {
			buf_addf(&text, "%s=%" JSON_INTEGER_FORMAT, json_string_value(pattern),
				json_integer_value(verbosity));
			set_from_file(c, o, buf_str(&path), buf_str(&text));
		}
	}
}

static void set_gates(struct config *c, const struct option_row *o, json_t *map)
{
	const char *name;
	json_t *v;

	json_object_foreach(map, name, v) {
		_cleanup_(buf_done) struct buf path = { 0 }, text = { 0 };

		buf_addf(&path, "%s.%.60s", o->key, name);
		if (!json_is_boolean(v)) {
			wrong_kind(c, buf_str(&path), shape_words(SHAPE_BOOL), v);
			continue;
		}
		buf_addf(&text, "%s=%s", name, json_is_true(v) ? "true" : "false");
		set_from_file(c, o, o->key, buf_str(&text));
	}
}

static void set_keys(struct config *c, json_t *root)
{
	size_t n;
	const struct option_row *rows = config_options(&n);

	for (const struct option_row *o = rows; o < rows + n; o++) {
		json_t *v = o->key ? value_at(root, o->key) : NULL;
		enum option_shape shape = o->type->shape;

		if (!v || json_is_null(v))
			continue;
		if (shape == SHAPE_LIST || shape == SHAPE_VMODULE) {
			if (json_is_array(v))
				set_list(c, o, v);
			else
				wrong_kind(c, o->key, shape_words(shape), v);
		} else if (shape == SHAPE_GATES) {
			if (json_is_object(v))
				set_gates(c, o, v);
			else
				wrong_kind(c, o->key, shape_words(shape), v);
		} else {
			set_scalar(c, o, o->key, v);
		}
	}
}

/* Keys that nothing reads */

/* `section` ends with a dot, or is empty. */
static void check_members(struct config *c, json_t *map, const char *section, size_t len)
{
	const char *name;
	json_t *v;

	json_object_foreach(map, name, v) {
		_cleanup_(buf_done) struct buf path = { 0 };
		struct nearest nearest;
		size_t n;
		const struct option_row *rows = config_options(&n);
		bool known;

		buf_addf(&path, "%.*s%s", (int)len, section, name);
		known = !strcmp(buf_str(&path), "apiVersion") || !strcmp(buf_str(&path), "kind");
		/* A key of the table, or a section with one. */
		for (const struct option_row *o = rows; o < rows + n && !known; o++)
			known = o->key && !strncmp(o->key, buf_str(&path), path.len) &&
				(!o->key[path.len] || o->key[path.len] == '.');
		if (known && !strchr(name, '.'))
			continue;
		nearest_init(&nearest, buf_str(&path), path.len);
		for (const struct option_row *o = rows; o < rows + n; o++)
			nearest_try(&nearest, o->key);
		config_note_key(c, &c->warnings, buf_str(&path), "unknown key, ignored%s%s%s",
			nearest.found ? "; did you mean " : "", nearest.found ? nearest.found : "",
			nearest.found ? "?" : "");
	}
}

static void check_sections(struct config *c, json_t *root)
{
	size_t n;
	const struct option_row *rows = config_options(&n);

	check_members(c, root, "", 0);
	for (const struct option_row *o = rows; o < rows + n; o++) {
		const char *dot = o->key;

		while (dot && (dot = strchr(dot, '.'))) {
			size_t len = (size_t)(++dot - o->key);
			_cleanup_free_ char *path = mem_strndup(o->key, len - 1);
			json_t *section = value_at(root, path);
			bool seen = false;

			/* Each section once: at its first row. */
			for (const struct option_row *before = rows; before < o && !seen; before++)
				seen = before->key && !strncmp(before->key, o->key, len);
			if (seen || !section || json_is_null(section))
				continue;
			if (json_is_object(section))
				check_members(c, section, o->key, len);
			else
				wrong_kind(c, path, "a mapping", section);
		}
	}
}

/* A ConfigMap, as kubeadm keeps it: the first of its values that is a configuration takes its place.
 * Mistakes are then told without a line. */
static json_t *open_config_map(struct config *c, json_t *root)
{
	const char *kind = json_string_value(json_object_get(root, "kind")), *name;
	json_t *value;

	if (!kind || strcmp(kind, "ConfigMap") != 0)
		return root;
	json_object_foreach(json_object_get(root, "data"), name, value) {
		const char *text = json_string_value(value);
		struct file_documents inner = { 0 };
		struct yaml_error error;
		const char *inner_kind;

		if (!text)
			continue;
		yaml_parse(text, strlen(text), take_first_document, &inner, &error);
		inner_kind = json_string_value(json_object_get(inner.first, "kind"));
		if (inner_kind && !strcmp(inner_kind, CONFIG_KIND)) {
			buf_reset(&c->text);
			json_decref(root);
			return inner.first;
		}
		json_decref(inner.first);
	}
	return root;
}

static bool has_text_at(struct config *c, const json_t *root, const char *key, const char *must)
{
	const char *text = json_string_value(json_object_get(root, key));

	if (text && !strcmp(text, must))
		return true;
	config_note_key(c, &c->mistakes, key, "must be %s%s%.60s", must, text ? ", not " : "",
		text ? text : "");
	return false;
}

void config_file(struct config *c)
{
	json_t *root = read_document(c);

	if (!root)
		return;
	root = open_config_map(c, root);
	if (!json_is_object(root)) {
		config_note(c, &c->mistakes, "--config: %s must contain a mapping, not %s", c->file,
			kind_words(root));
	} else {
		bool version = has_text_at(c, root, "apiVersion", API_VERSION);
		bool kind = has_text_at(c, root, "kind", CONFIG_KIND);

		/* In another kind of file every key is wrong: the kind says enough. */
		if (version && kind) {
			check_sections(c, root);
			set_keys(c, root);
		}
	}
	json_decref(root);
}

/* Printing */

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

json_t *config_tree(const struct config *c)
{
	json_t *tree = json_object();
	size_t n;
	const struct option_row *rows = config_options(&n);

	json_object_set_new(tree, "apiVersion", json_string(API_VERSION));
	json_object_set_new(tree, "kind", json_string(CONFIG_KIND));
	for (int own = 0; own < 2; own++) { /* our section comes last */
		for (const struct option_row *o = rows; o < rows + n; o++) {
			bool is_own = o->key && !strncmp(o->key, OWN_SECTION, strlen(OWN_SECTION));

			if (o->key && is_own == own)
				set_at(tree, o->key, config_value(c, o));
		}
	}
	return tree;
}

void config_yaml(const struct config *c, struct buf *out)
{
	json_t *tree = config_tree(c);
	int r = yaml_print(tree, out, NULL);

	assert(!r); /* the table is not that deep */
	(void)r;
	json_decref(tree);
}

int config_dump(const struct config *c, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	FILE *f;
	int r = 0;

	config_yaml(c, &text);
	if (!*c->write_config_to) {
		if (fwrite(text.data, 1, text.len, stdout) != text.len || fflush(stdout))
			return err_errno(err, -EIO, "cannot print the configuration");
		return 0;
	}
	f = fopen(c->write_config_to, "we");
	if (!f)
		return err_errno(err, -errno, "cannot write %s", c->write_config_to);
	if (fwrite(text.data, 1, text.len, f) != text.len)
		r = -EIO;
	if (fclose(f) && !r)
		r = -errno;
	return r ? err_errno(err, r, "cannot write %s", c->write_config_to) : 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration file. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config_own.h"
#include "decode/yaml.h"

enum { READ_SIZE = 1 << 16 };

/* Reading */

static int read_all(int fd, struct buf *text)
{
	while (text->len <= CONFIG_MAX_FILE) {
		ssize_t n = read(fd, buf_reserve(text, READ_SIZE), READ_SIZE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		text->len += (size_t)n;
	}
	return -EFBIG;
}

int config_read(const char *path, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = read_all(fd, text);
	close(fd);
	return r;
}

struct documents {
	json_t *first; /* NULL: none */
	size_t n;
};

static void take_document(json_t *doc, unsigned line, void *arg)
{
	struct documents *d = arg;

	(void)line;
	if (!d->n++)
		d->first = json_incref(doc);
}

/* NULL where it cannot be used, with the mistake noted. */
static json_t *read_document(struct config *c)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct documents documents = { 0 };
	struct yaml_error error;
	int r = config_read(c->file, &text);

	if (r < 0) {
		note(c, &c->mistakes, "--config: cannot read %s: %s", c->file, strerror(-r));
		return NULL;
	}
	if (yaml_parse(buf_str(&text), text.len, take_document, &documents, &error)) {
		note(c, &c->mistakes, "%s:%u:%u: %s", c->file, error.line, error.column,
			error.message);
		json_decref(take(documents.first));
	} else if (!documents.n) {
		note(c, &c->mistakes, "--config: %s is empty", c->file);
	}
	if (documents.first && documents.n > 1)
		note(c, &c->warnings, "%s: of its %zu documents the first one counts", c->file,
			documents.n);
	return documents.first;
}

/* Keys */

/* Finds the section of the key, up to its last dot; NULL: it is not there, or no mapping. */
static json_t *find_section(json_t *root, const char *key, const char **ret_name)
{
	const char *dot;

	for (; root && (dot = strchr(key, '.')); key = dot + 1) {
		_cleanup_free_ char *name = mem_strndup(key, (size_t)(dot - key));

		root = json_object_get(root, name);
	}
	*ret_name = key;
	return root;
}

static json_t *find_key(json_t *root, const char *key)
{
	const char *name;

	root = find_section(root, key, &name);
	return json_object_get(root, name);
}

static const char *kind_of(const json_t *v)
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
static void mistake_at(struct config *c, const char *path, const char *words)
{
	note(c, &c->mistakes, CONFIG_KIND ".%s: %s", path, words);
}

static void wrong_kind(struct config *c, const char *path, enum option_shape shape, const json_t *v)
{
	_cleanup_(buf_done) struct buf words = { 0 };

	buf_addf(&words, "must be %s, not %s", shape_words(shape), kind_of(v));
	mistake_at(c, path, buf_str(&words));
}

/* Values */

static bool fits(enum option_shape shape, const json_t *v)
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

/* As it would be written on the command line. */
static void add_text(enum option_shape shape, const json_t *v, struct buf *text)
{
	_cleanup_free_ char *number = NULL;

	if (json_is_string(v)) {
		buf_adds(text, json_string_value(v));
		return;
	}
	number = json_dumps(v, JSON_ENCODE_ANY);
	buf_addf(text, "%s%s", number, shape == SHAPE_TIME ? "ns" : "");
}

static void set_text(
	struct config *c, const struct option_row *o, const char *path, const char *text)
{
	struct err err;

	if (config_set(c, o, text, ORIGIN_FILE, &err))
		mistake_at(c, path, err.msg);
}

static void set_scalar(
	struct config *c, const struct option_row *o, const char *path, const json_t *v)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!fits(o->type->shape, v)) {
		wrong_kind(c, path, o->type->shape == SHAPE_LIST ? SHAPE_TEXT : o->type->shape, v);
		return;
	}
	add_text(o->type->shape, v, &text);
	if (!(o->traits & FILE_ZERO && shape_is_zero(o->type->shape, buf_str(&text))))
		set_text(c, o, path, buf_str(&text));
}

static void set_vmodule(
	struct config *c, const struct option_row *o, const char *path, const json_t *v)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const json_t *pattern = json_object_get(v, "filePattern");
	const json_t *verbosity = json_object_get(v, "verbosity");

	if (!json_is_string(pattern) || !json_is_integer(verbosity)) {
		mistake_at(c, path, "must have a string filePattern and a number verbosity");
		return;
	}
	buf_addf(&text, "%s=%" JSON_INTEGER_FORMAT, json_string_value(pattern),
		json_integer_value(verbosity));
	set_text(c, o, path, buf_str(&text));
}

static void set_list(struct config *c, const struct option_row *o, const json_t *list)
{
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v) {
		_cleanup_(buf_done) struct buf path = { 0 };

		buf_addf(&path, "%s[%zu]", o->key, i);
		if (o->type->shape == SHAPE_VMODULE)
			set_vmodule(c, o, buf_str(&path), v);
		else
			set_scalar(c, o, buf_str(&path), v);
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
			wrong_kind(c, buf_str(&path), SHAPE_BOOL, v);
			continue;
		}
		buf_addf(&text, "%s=%s", name, json_is_true(v) ? "true" : "false");
		set_text(c, o, o->key, buf_str(&text));
	}
}

static void set_key(struct config *c, const struct option_row *o, json_t *v)
{
	switch (o->type->shape) {
	case SHAPE_LIST:
	case SHAPE_VMODULE:
		if (json_is_array(v))
			set_list(c, o, v);
		else
			wrong_kind(c, o->key, o->type->shape, v);
		break;
	case SHAPE_GATES:
		if (json_is_object(v))
			set_gates(c, o, v);
		else
			wrong_kind(c, o->key, o->type->shape, v);
		break;
	case SHAPE_TEXT:
	case SHAPE_BOOL:
	case SHAPE_NUMBER:
	case SHAPE_REAL:
	case SHAPE_DURATION:
	case SHAPE_TIME:
	case SHAPE_QUANTITY:
		set_scalar(c, o, o->key, v);
		break;
	}
}

static void set_keys(struct config *c, json_t *root)
{
	size_t n;
	const struct option_row *o = config_options(&n);

	for (; n; n--, o++) {
		json_t *v = o->key ? find_key(root, o->key) : NULL;

		if (v && !json_is_null(v))
			set_key(c, o, v);
	}
}

/* What the table does not know */

/* Whether `key` is, or is below, the first `len` characters of `path`. */
static bool is_below(const char *key, const char *path, size_t len)
{
	return !strncmp(key, path, len) && (!key[len] || key[len] == '.');
}

static bool is_known(const char *path)
{
	size_t n;
	const struct option_row *o = config_options(&n);

	if (!strcmp(path, "apiVersion") || !strcmp(path, "kind"))
		return true;
	for (; n; n--, o++)
		if (o->key && is_below(o->key, path, strlen(path)))
			return true;
	return false;
}

static void warn_unknown(struct config *c, const char *path)
{
	struct nearest nearest;
	size_t n;
	const struct option_row *o = config_options(&n);

	nearest_init(&nearest, path, strlen(path));
	for (; n; n--, o++)
		nearest_try(&nearest, o->key);
	note(c, &c->warnings, CONFIG_KIND ".%.100s: unknown key, ignored%s%s%s", path,
		nearest.found ? "; did you mean " : "", nearest.found ? nearest.found : "",
		nearest.found ? "?" : "");
}

/* `section` ends with a dot, or is empty. */
static void check_members(struct config *c, json_t *map, const char *section, size_t len)
{
	const char *name;
	json_t *v;

	json_object_foreach(map, name, v) {
		_cleanup_(buf_done) struct buf path = { 0 };

		buf_addf(&path, "%.*s%s", (int)len, section, name);
		if (strchr(name, '.') || !is_known(buf_str(&path)))
			warn_unknown(c, buf_str(&path));
	}
}

/* Whether a row before this one has a key in the same section. */
static bool is_repeated(const struct option_row *o, size_t len)
{
	size_t n;
	const struct option_row *before = config_options(&n);

	for (; before < o; before++)
		if (before->key && !strncmp(before->key, o->key, len))
			return true;
	return false;
}

static void check_section(struct config *c, json_t *root, const char *key, size_t len)
{
	_cleanup_free_ char *path = mem_strndup(key, len - 1);
	_cleanup_(buf_done) struct buf words = { 0 };
	json_t *section = find_key(root, path);

	if (!section || json_is_null(section))
		return;
	if (json_is_object(section)) {
		check_members(c, section, key, len);
		return;
	}
	buf_addf(&words, "must be a mapping, not %s", kind_of(section));
	mistake_at(c, path, buf_str(&words));
}

static void check_sections(struct config *c, json_t *root)
{
	size_t n;
	const struct option_row *o = config_options(&n);

	check_members(c, root, "", 0);
	for (; n; n--, o++) {
		const char *dot = o->key;

		while (dot && (dot = strchr(dot, '.'))) {
			size_t len = (size_t)(++dot - o->key);

			if (!is_repeated(o, len))
				check_section(c, root, o->key, len);
		}
	}
}

static bool has_text(struct config *c, const json_t *root, const char *key, const char *must)
{
	const json_t *v = json_object_get(root, key);
	_cleanup_(buf_done) struct buf words = { 0 };

	if (json_is_string(v) && !strcmp(json_string_value(v), must))
		return true;
	buf_addf(&words, "must be %s", must);
	if (json_is_string(v))
		buf_addf(&words, ", not %.60s", json_string_value(v));
	mistake_at(c, key, buf_str(&words));
	return false;
}

/* Of another kind of file nothing else needs saying. */
static bool check_header(struct config *c, const json_t *root)
{
	bool version = has_text(c, root, "apiVersion", CONFIG_API_VERSION);

	return has_text(c, root, "kind", CONFIG_KIND) && version;
}

void config_file(struct config *c)
{
	json_t *root = read_document(c);

	if (!root)
		return;
	if (!json_is_object(root)) {
		note(c, &c->mistakes, "--config: %s has %s in place of a mapping", c->file,
			kind_of(root));
	} else if (check_header(c, root)) {
		check_sections(c, root);
		set_keys(c, root);
	}
	json_decref(root);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration that is in effect, as a file. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config_own.h"
#include "decode/yaml.h"

static bool is_own(const struct option_row *o)
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
	const struct option_row *o = config_options(&n);

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

void config_yaml(const struct config *c, struct buf *out)
{
	json_t *tree = config_tree(c);
	int r = yaml_print(tree, out, NULL);

	assert(!r); /* the table is not that deep */
	(void)r;
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

// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/config.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "config_own.h"

/* The table */

const struct option_row *option_named(const char *name)
{
	size_t n;
	const struct option_row *o = config_options(&n);

	for (; n; n--, o++)
		if (o->name && !strcmp(o->name, name))
			return o;
	abort(); /* our own words */
}

const struct option_row *option_keyed(const char *key)
{
	size_t n;
	const struct option_row *o = config_options(&n);

	for (; n; n--, o++)
		if (o->key && !strcmp(o->key, key))
			return o;
	abort();
}

size_t option_index(const struct option_row *o)
{
	size_t n, i = (size_t)(o - config_options(&n));

	assert(i < n && n <= CONFIG_MAX_OPTIONS);
	return i;
}

bool option_given(const struct config *c, const struct option_row *o)
{
	return c->given[option_index(o)].origin != ORIGIN_PRESET;
}

static bool is_shown_as_key(const struct config *c, const struct option_row *o)
{
	return !o->name ||
		(o->key && *c->file && c->given[option_index(o)].origin != ORIGIN_OPTION);
}

void option_shown_short(const struct config *c, const struct option_row *o, struct buf *b)
{
	if (is_shown_as_key(c, o))
		buf_adds(b, o->key);
	else
		buf_addf(b, "--%s", o->name);
}

void option_shown(const struct config *c, const struct option_row *o, struct buf *b)
{
	if (is_shown_as_key(c, o))
		buf_adds(b, CONFIG_KIND ".");
	option_shown_short(c, o, b);
}

/* Setting */

static int set_value(struct config *c, const struct option_row *o, const char *text,
	enum config_origin origin, struct err *err)
{
	if (!o->type->add)
		return o->type->set(c, o, text, err);
	if (o->type->commas && origin != ORIGIN_FILE)
		return each_element(c, o, text, o->type->add, err);
	return o->type->add(c, o, text, err);
}

/* What the elements of a list were given as, one after the other. */
static const char *joined(struct config *c, const char *before, const char *text)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	buf_addf(&b, "%s,%s", before, text);
	return arena_strdup(&c->arena, buf_str(&b));
}

static bool means_preset(const struct option_row *o, const char *text)
{
	return (!*text && o->traits & EMPTY_IS_PRESET) ||
		(o->traits & ZERO_IS_PRESET && shape_is_zero(o->type->shape, text));
}

int config_set(struct config *c, const struct option_row *o, const char *text,
	enum config_origin origin, struct err *err)
{
	struct config_given *given = &c->given[option_index(o)];
	int r;

	if (means_preset(o, text))
		text = o->preset;
	text = arena_strdup(&c->arena, text);
	if (o->type->clear && given->origin != origin)
		o->type->clear(c, o);
	r = set_value(c, o, text, origin, err);
	if (r)
		return r;
	if (o->type->add && given->text)
		text = joined(c, given->text, text);
	*given = (struct config_given){ origin, text };
	return 0;
}

static void set_preset(struct config *c, const struct option_row *o)
{
	int r = 0;

	if (o->type == &type_text || o->type == &type_interface)
		r = o->type->set(c, o, o->preset ? o->preset : "", NULL);
	else if (o->preset && !(o->traits & CLUSTER_PRESET))
		r = set_value(c, o, o->preset, ORIGIN_PRESET, NULL);
	assert(!r);
	(void)r;
}

static void set_host_name(struct config *c)
{
	const struct option_row *o = option_named("hostname-override");
	char host[NAME_MAX_LEN + 1] = "";

	if (!gethostname(host, sizeof(host) - 1))
		o->type->set(c, o, host, NULL);
}

void config_init(struct config *c)
{
	const char *pod = getenv("KUBERNETES_SERVICE_HOST");
	size_t n;
	const struct option_row *o = config_options(&n);

	*c = (struct config){ .in_cluster = pod && *pod, .default_dir = "", .what = "" };
	options_init(&c->options);
	for (; n; n--, o++)
		set_preset(c, o);
	set_host_name(c);
}

void config_done(struct config *c)
{
	free(c->manifests);
	arena_done(&c->arena);
	*c = (struct config){ 0 };
}

/* Mistakes and warnings */

void note(struct config *c, struct config_notes *notes, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	if (notes->n == CONFIG_MAX_NOTES) {
		notes->left_out++;
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort(); /* out of memory, as everywhere */
	va_end(ap);
	notes->line[notes->n++] = arena_strdup(&c->arena, text);
}

/* All mistakes in one text, as far as there is room. */
static int report_mistakes(const struct config_notes *m, struct err *err)
{
	const size_t room = sizeof(err->msg) - sizeof("; and 1234567890 more");
	_cleanup_(buf_done) struct buf text = { 0 };
	size_t i = 0, left_out;

	for (; i < m->n && text.len + strlen(m->line[i]) + 2 <= room; i++)
		buf_addf(&text, "%s%s", i ? "; " : "", m->line[i]);
	left_out = m->n - i + m->left_out;
	if (left_out && i)
		buf_addf(&text, "; and %zu more", left_out);
	return err_set(err, -EINVAL, "%s", i ? buf_str(&text) : m->line[0]);
}

/* Where the command line names no input: that entry of the usual directory, if it is there. */
static void take_default(struct config *c, const char *option, const char *entry)
{
	_cleanup_(buf_done) struct buf path = { 0 };

	if (!*c->default_dir || c->input_named)
		return;
	buf_addf(&path, "%s/%s", c->default_dir, entry);
	if (!access(buf_str(&path), F_OK))
		config_set(c, option_named(option), buf_str(&path), ORIGIN_OPTION, NULL);
}

int config_parse(struct config *c, unsigned groups, int argc, char *const argv[], int *ret_rest,
	struct err *err)
{
	int rest;

	config_scout(c, groups, argc, argv);
	if (!*c->file)
		take_default(c, "config", "config.yaml");
	if (*c->file)
		config_file(c);
	rest = config_args(c, groups, argc, argv);
	if (config_input(c) == INPUT_NONE)
		take_default(c, "manifests", "manifests.d");
	config_check(c);
	if (c->mistakes.n && !c->help && !c->version)
		return report_mistakes(&c->mistakes, err);
	*ret_rest = rest;
	return 0;
}

enum config_input config_input(const struct config *c)
{
	if (c->n_manifests)
		return INPUT_MANIFESTS;
	return *c->kubeconfig || *c->master || c->in_cluster ? INPUT_API : INPUT_NONE;
}

/* Without effect */

static bool is_unhonoured(const struct config *c, const struct option_row *o)
{
	json_t *is, *preset;
	bool differs;

	if (!(o->traits & UNHONOURED) || !option_given(c, o))
		return false;
	is = o->type->get(c, o);
	preset = shape_json(o->type->shape, o->preset ? o->preset : "");
	differs = !json_equal(is, preset);
	json_decref(is);
	json_decref(preset);
	return differs;
}

size_t config_unhonoured(const struct config *c, struct buf *text)
{
	size_t all = 0, n;
	const struct option_row *o = config_options(&n);

	for (; n; n--, o++) {
		if (o->type == &kept_gates)
			all += gates_unhonoured(c, o, text);
		if (!is_unhonoured(c, o))
			continue;
		buf_adds(text, text->len ? ", " : "");
		option_shown_short(c, o, text);
		all++;
	}
	return all;
}

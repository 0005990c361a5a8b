// SPDX-License-Identifier: GPL-2.0-or-later
#include "config_values.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "decode/yaml.h"
#include "option_value.h"

/* Rows and origins */

const struct option_row *config_row(const char *name)
{
	size_t n;
	const struct option_row *rows = config_options(&n);

	for (size_t i = 0; i < n; i++)
		if (rows[i].name && !strcmp(rows[i].name, name))
			return &rows[i];
	for (size_t i = 0; i < n; i++)
		if (rows[i].key && !strcmp(rows[i].key, name))
			return &rows[i];
	abort(); /* the program's own words */
}

static size_t row_index(const struct option_row *o)
{
	size_t n, i = (size_t)(o - config_options(&n));

	assert(i < n && n <= CONFIG_MAX_OPTIONS);
	return i;
}

const struct config_given *config_given(const struct config *c, const struct option_row *o)
{
	return &c->given[row_index(o)];
}

bool config_is_given(const struct config *c, const struct option_row *o)
{
	return config_given(c, o)->origin != ORIGIN_PRESET;
}

/* Setting */

/* Kubernetes leaves $(NAME) as it is where the container has no such variable. */
static int check_expanded(const char *text, enum config_origin origin, struct err *err)
{
	const char *at = strstr(text, "$(");
	const int len = at ? (int)strcspn(at + 2, ")") : 0;

	if (!at || !at[2 + len])
		return 0;
	if (origin == ORIGIN_FILE)
		return err_set(err, -EINVAL,
			"$(%.*s) is not expanded: only arguments of a container are", len, at + 2);
	return err_set(err, -EINVAL,
		"$(%.*s) is not expanded: the container has no environment variable of that name",
		len, at + 2);
}

int config_set(struct config *c, const struct option_row *o, const char *text,
	enum config_origin origin, struct err *err)
{
	struct config_given *given = &c->given[row_index(o)];
	int r;

	if ((!*text && o->traits & EMPTY_IS_PRESET) ||
		(o->traits & ZERO_IS_PRESET && option_is_zero(o->type->shape, text)))
		text = o->preset;
	text = arena_strdup(&c->arena, text);

	/* A list on the command line replaces that of the file. */
	if (option_is_list(o) && given->origin != origin)
		option_clear(o, c);
	r = check_expanded(text, origin, err);
	r = r ?: option_set(o, c, text, origin != ORIGIN_FILE, err);
	if (r)
		return r;

	if (option_is_list(o) && given->text) {
		_cleanup_(buf_done) struct buf joined = { 0 };

		buf_addf(&joined, "%s,%s", given->text, text);
		text = arena_strdup(&c->arena, buf_str(&joined));
	}
	*given = (struct config_given){ origin, text };
	return 0;
}

void config_set_presets(struct config *c)
{
	size_t n;
	const struct option_row *rows = config_options(&n);

	for (const struct option_row *o = rows; o < rows + n; o++) {
		const char *preset = o->traits & CLUSTER_PRESET ? NULL : o->preset;
		int r;

		if (!preset && (o->type == &type_text || o->type == &type_interface))
			preset = ""; /* strings are never NULL */
		r = preset ? option_set(o, c, preset, true, NULL) : 0;
		assert(!r);
		(void)r;
	}
}

json_t *config_value(const struct config *c, const struct option_row *o)
{
	const char *text = config_given(c, o)->text;
	json_t *v = option_get(o, c);

	if (v)
		return v;
	return option_shape_json(o->type->shape, text ? text : o->preset ? o->preset : "");
}

/* Messages */

bool config_show(const struct config *c, const struct option_row *o, struct buf *b)
{
	/* By its key where the value comes from a file, or might. */
	const bool by_key =
		!o->name || (o->key && *c->file && config_given(c, o)->origin != ORIGIN_OPTION);

	if (by_key)
		buf_adds(b, o->key);
	else
		buf_addf(b, "--%s", o->name);
	return by_key;
}

void config_note(struct config *c, struct config_notes *notes, const char *fmt, ...)
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

void config_note_key(
	struct config *c, struct config_notes *notes, const char *key, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf place = { 0 };
	_cleanup_free_ char *words = NULL;
	unsigned line, column;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&words, fmt, ap) < 0)
		abort();
	va_end(ap);
	/* The file is parsed again for each line, of which there are not many. */
	if (notes->n < CONFIG_MAX_NOTES && c->text.len &&
		!yaml_locate(buf_str(&c->text), c->text.len, c->text_line, key, &line, &column))
		buf_addf(&place, "%s:%u:%u: ", c->file, line, column);
	config_note(c, notes, "%s" CONFIG_KIND ".%.100s: %s", buf_str(&place), key, words);
}

void config_mistake(struct config *c, const struct option_row *o, const char *fmt, ...)
{
	_cleanup_free_ char *words = NULL;
	_cleanup_(buf_done) struct buf name = { 0 };
	va_list ap;
	bool by_key;

	va_start(ap, fmt);
	if (vasprintf(&words, fmt, ap) < 0)
		abort();
	va_end(ap);
	by_key = config_show(c, o, &name);
	if (by_key)
		config_note_key(c, &c->mistakes, buf_str(&name), "%s", words);
	else
		config_note(c, &c->mistakes, "%s: %s", buf_str(&name), words);
}

/* Options without effect */

/* kube-proxy's feature gates whose subject exists here, and their values here. */
static const struct gate {
	const char *name, *stage;
	bool on;
	bool both; /* either value is honoured */
} gates[] = {
	{ "AllowServiceExternalIPs", "", .on = true, .both = true },
	{ "ClientsAllowCARotation", "BETA", .on = true },
	{ "ComponentFlagz", "BETA", .on = false },
	{ "ComponentStatusz", "BETA", .on = false },
	{ "LoggingAlphaOptions", "ALPHA", .on = false },
	{ "MultiCIDRServiceAllocator", "", .on = true },
	{ "NativeHistograms", "ALPHA", .on = false },
	{ "PreferSameTrafficDistribution", "", .on = true },
	{ "WatchListClient", "BETA", .on = true },
};

static_assert(ARRAY_SIZE(gates) <= CONFIG_MAX_GATES, "there is room for all of them");

size_t config_gates(const struct config *c, struct config_gate ret[static CONFIG_MAX_GATES])
{
	for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
		ret[i] = (struct config_gate){ gates[i].name, gates[i].stage,
			gates[i].both ? c->options.external_ips : gates[i].on };
	return ARRAY_SIZE(gates);
}

const char *config_nftables_twin(const struct option_row *o)
{
	static const char *const twins[][2] = {
		{ "nftables.masqueradeBit", "iptables-masquerade-bit" },
		{ "nftables.masqueradeAll", "masquerade-all" },
		{ "nftables.syncPeriod", "iptables-sync-period" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(twins); i++)
		if (o == config_row(twins[i][0]))
			return twins[i][1];
	return NULL;
}

/* The gates of the option whose values are not honoured. */
static void each_unhonoured_gate(const struct config *c, const struct option_row *o,
	void (*fn)(const char *name, const char *why, void *arg), void *arg)
{
	json_t *map = config_value(c, o), *v;
	const char *name;

	json_object_foreach(map, name, v) {
		_cleanup_(buf_done) struct buf shown = { 0 };
		bool honoured = false;

		for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
			honoured |= !strcmp(gates[i].name, name) &&
				(gates[i].both || gates[i].on == json_is_true(v));
		if (honoured)
			continue;
		config_show(c, o, &shown);
		buf_addf(&shown, "(%s)", name);
		fn(buf_str(&shown), "this feature gate has no effect", arg);
	}
	json_decref(map);
}

void config_each_unhonoured(
	const struct config *c, void (*fn)(const char *name, const char *why, void *arg), void *arg)
{
	size_t n;
	const struct option_row *rows = config_options(&n);

	for (const struct option_row *o = rows; o < rows + n; o++) {
		_cleanup_(buf_done) struct buf shown = { 0 };
		json_t *value, *preset;

		if (!config_is_given(c, o) ||
			(c->options.backend == BACKEND_NFTABLES && config_nftables_twin(o)))
			continue;
		if (o->type == &type_kept_gates)
			each_unhonoured_gate(c, o, fn, arg);
		if (!(o->traits & UNHONOURED))
			continue;
		value = config_value(c, o);
		preset = option_shape_json(o->type->shape, o->preset ? o->preset : "");
		if (!json_equal(value, preset)) {
			config_show(c, o, &shown);
			fn(buf_str(&shown), o->help ? o->help : "", arg);
		}
		json_decref(value);
		json_decref(preset);
	}
}

struct unhonoured_list {
	struct buf *text;
	size_t n;
};

static void list_unhonoured(const char *name, const char *why, void *arg)
{
	struct unhonoured_list *l = arg;

	(void)why;
	buf_addf(l->text, "%s%s", l->text->len ? ", " : "", name);
	l->n++;
}

size_t config_unhonoured(const struct config *c, struct buf *text)
{
	struct unhonoured_list l = { .text = text };

	config_each_unhonoured(c, list_unhonoured, &l);
	return l.n;
}

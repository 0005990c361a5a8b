// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line. */
#include <string.h>

#include "base/mem.h"
#include "config_own.h"

enum { SHOWN_MAX_LEN = 64 }; /* of a name that is no option */

struct parser {
	struct config *config;
	unsigned groups;
	int argc;
	char *const *argv;
	int next;	    /* index into argv */
	bool scouting;	    /* for the file, which must be read before options count */
	struct buf ignored; /* options that the file overrules */
};

/* An option as it was found in the table. */
struct found {
	const struct config_option *option; /* NULL: unknown */
	bool by_alias;
};

static bool same_name(const char *a, const char *b, size_t b_len)
{
	if (!a)
		return false;
	for (size_t i = 0; i < b_len; i++)
		if (!a[i] || a[i] != (b[i] == '_' ? '-' : b[i]))
			return false;
	return !a[b_len];
}

static struct found find_name(const char *name, size_t len)
{
	size_t n;
	const struct config_option *o = config_options(&n);

	for (; n; n--, o++)
		if (same_name(o->name, name, len) || same_name(o->alias, name, len))
			return (struct found){ o, !same_name(o->name, name, len) };
	return (struct found){ NULL, false };
}

static struct found find_letter(char letter)
{
	size_t n;
	const struct config_option *o = config_options(&n);

	for (; n; n--, o++)
		if (o->letter == letter)
			return (struct found){ o, false };
	return (struct found){ NULL, false };
}

static void mistake(struct parser *p, const char *shown, const char *words)
{
	if (!p->scouting)
		note(p->config, &p->config->mistakes, "%s: %s", shown, words);
}

static const char *nearest_option(const char *name, size_t len, unsigned groups)
{
	struct nearest nearest;
	size_t n;
	const struct config_option *o = config_options(&n);

	nearest_init(&nearest, name, len);
	for (; n; n--, o++) {
		if (!(o->groups & groups))
			continue;
		nearest_try(&nearest, o->name);
		nearest_try(&nearest, o->alias);
	}
	return nearest.found;
}

/* Its value, if it has one, is not to be taken for the end of the options. */
static void unknown_option(struct parser *p, const char *shown, const char *name, size_t len)
{
	const char *nearest = nearest_option(name, len, p->groups);
	_cleanup_(buf_done) struct buf words = { 0 };

	buf_adds(&words, "unknown option");
	if (nearest)
		buf_addf(&words, "; did you mean --%s?", nearest);
	mistake(p, shown, buf_str(&words));
	if (!name[len] && p->next < p->argc && *p->argv[p->next] != '-')
		p->next++;
}

/* What decides whether a file is read, and which. */
static void scout(struct config *c, const struct config_option *o, const char *value)
{
	if (o == option_named("config"))
		config_set(c, o, value, ORIGIN_OPTION, NULL);
	else if (o == option_named("manifests") || o == option_named("kubeconfig") ||
		o == option_named("master"))
		c->input_named = true;
}

static void set(struct parser *p, struct found f, const char *shown, const char *value)
{
	unsigned wins = f.by_alias ? ALIAS_FILE_WINS | FILE_WINS : FILE_WINS;
	struct err err = { 0 };

	if (p->scouting)
		scout(p->config, f.option, value);
	else if (*p->config->file && f.option->traits & wins)
		buf_addf(&p->ignored, "%s%s", p->ignored.len ? ", " : "", shown);
	else if (config_set(p->config, f.option, value, ORIGIN_OPTION, &err))
		mistake(p, shown, err.msg);
}

/* `value` is NULL where none is attached to the option. */
static void apply(struct parser *p, struct found f, const char *shown, const char *value)
{
	if (!value && !f.option->arg)
		value = "true";
	if (!value && p->next < p->argc && strncmp(p->argv[p->next], "--", 2) != 0)
		value = p->argv[p->next++];
	if (!(f.option->groups & p->groups))
		mistake(p, shown, "is not an option of this command");
	else if (!value)
		mistake(p, shown, "needs a value");
	else
		set(p, f, shown, value);
}

static void parse_long(struct parser *p, const char *arg)
{
	const char *name = arg + 2;
	size_t len = strcspn(name, "=");
	struct found f = find_name(name, len);
	_cleanup_free_ char *shown =
		mem_strndup(arg, len < SHOWN_MAX_LEN ? len + 2 : SHOWN_MAX_LEN);

	if (f.option)
		apply(p, f, shown, name[len] ? name + len + 1 : NULL);
	else
		unknown_option(p, shown, name, len);
}

/* "-v LEVEL", "-vLEVEL", "-v=LEVEL" */
static void parse_letter(struct parser *p, const char *arg)
{
	struct found f = find_letter(arg[1]);
	const char *value = arg[2] == '=' ? arg + 3 : arg + 2;
	_cleanup_free_ char *shown = mem_strndup(arg, 2);

	if (f.option)
		apply(p, f, shown, arg[2] ? value : NULL);
	else
		unknown_option(p, shown, arg + 1, strcspn(arg + 1, "="));
}

static void more_manifests(struct parser *p)
{
	const struct found f = { option_named("manifests"), false };

	apply(p, f, "--manifests", p->argv[p->next++]);
}

static void take_what(struct parser *p)
{
	const char *arg = p->argv[p->next++];

	if (p->scouting)
		return;
	if (*p->config->what)
		mistake(p, arg, "is one argument too many");
	p->config->what = arg;
}

/* False where the options end. */
static bool parse_argument(struct parser *p)
{
	const char *arg = p->argv[p->next];

	if (!strcmp(arg, "--")) {
		p->next++;
		return false;
	}
	if (*arg == '-' && arg[1]) {
		p->next++;
		if (arg[1] == '-')
			parse_long(p, arg);
		else
			parse_letter(p, arg);
		return true;
	}
	if (p->groups & OPTIONS_PLAN)
		more_manifests(p);
	else if (p->groups & OPTIONS_EXPLAIN)
		take_what(p);
	return p->groups & (OPTIONS_PLAN | OPTIONS_EXPLAIN);
}

int config_args(struct config *c, unsigned groups, int argc, char *const argv[], bool scouting)
{
	struct parser p = { .config = c,
		.groups = groups,
		.argc = argc,
		.argv = argv,
		.next = 1,
		.scouting = scouting };

	while (p.next < argc && parse_argument(&p))
		;
	while (groups & OPTIONS_PLAN && p.next < argc)
		more_manifests(&p);
	while (groups & OPTIONS_EXPLAIN && p.next < argc)
		take_what(&p);
	if (p.ignored.len)
		note(c, &c->warnings,
			"ignored beside a configuration file, as kube-proxy does; the file has to say it: %s",
			buf_str(&p.ignored));
	buf_done(&p.ignored);
	return p.next;
}

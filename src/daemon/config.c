// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum {
	OPTION_MAX_LEN = 64, /* of a name; longer ones are unknown without looking */
	HELP_COLUMN = 44,
};

const char *backend_name(enum backend b)
{
	switch (b) {
	case BACKEND_AUTO:
		return "auto";
	case BACKEND_IPVS:
		return "ipvs";
	case BACKEND_IPTABLES:
		return "iptables";
	}
	return "?";
}

/* Every mistake of a command line in one text. */
struct mistakes {
	struct buf text;
	unsigned n, left_out; /* for want of room in a struct err */
};

static void mistake(struct mistakes *m, const char *option, const char *words)
{
	const size_t room = sizeof(((struct err *)NULL)->msg) - sizeof("; and 1234567890 more");

	m->n++;
	if (m->left_out || m->text.len + strlen(option) + strlen(words) + 4 > room) {
		m->left_out++;
		return;
	}
	buf_addf(&m->text, "%s%s: %s", m->text.len ? "; " : "", option, words);
}

static int mistakes_report(struct mistakes *m, struct err *err)
{
	int r = 0;

	if (m->left_out)
		buf_addf(&m->text, "; and %u more", m->left_out);
	if (m->n)
		r = err_set(err, -EINVAL, "%s", buf_str(&m->text));
	buf_done(&m->text);
	return r;
}

/* Looking options up */

static bool same_name(const char *a, const char *b, size_t b_len)
{
	for (size_t i = 0; i < b_len; i++)
		if (!a[i] || a[i] != (b[i] == '_' ? '-' : b[i]))
			return false;
	return !a[b_len];
}

static const struct config_option *find_option(const char *name, size_t len)
{
	size_t n;
	const struct config_option *o = config_options(&n);

	for (; n; n--, o++)
		if (same_name(o->name, name, len) || (o->alias && same_name(o->alias, name, len)))
			return o;
	return NULL;
}

static const struct config_option *find_letter(char letter)
{
	size_t n;
	const struct config_option *o = config_options(&n);

	for (; n; n--, o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein distance, one row of the matrix at a time. */
static unsigned edit_distance(const char *a, const char *b, size_t b_len)
{
	unsigned row[OPTION_MAX_LEN + 1];

	assert(b_len <= OPTION_MAX_LEN);
	for (unsigned j = 0; j <= b_len; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			row[j] = min3(row[j] + 1, row[j - 1] + 1, change);
		}
	}
	return row[b_len];
}

/* Names that have less than half of their letters in common help nobody. */
static const char *nearest_name(const char *name, size_t len, unsigned groups)
{
	unsigned best = (unsigned)len / 2 + 1;
	const char *nearest = NULL;
	size_t n;
	const struct config_option *o = config_options(&n);

	for (; n && len <= OPTION_MAX_LEN; n--, o++) {
		const char *const names[] = { o->name, o->alias };

		for (size_t i = 0; i < ARRAY_SIZE(names) && (o->groups & groups); i++) {
			unsigned d = names[i] ? edit_distance(names[i], name, len) : best;

			if (d < best) {
				best = d;
				nearest = names[i];
			}
		}
	}
	return nearest;
}

/* Parsing */

struct parser {
	struct config *config;
	unsigned groups;
	int argc;
	char *const *argv;
	int next; /* index into argv */
	struct mistakes mistakes;
};

/* Its value, if it has one, is not to be taken for the end of the options. */
static void unknown_option(struct parser *p, const char *shown, const char *name, size_t len)
{
	const char *nearest = nearest_name(name, len, p->groups);
	_cleanup_(buf_done) struct buf words = { 0 };

	buf_adds(&words, "unknown option");
	if (nearest)
		buf_addf(&words, "; did you mean --%s?", nearest);
	mistake(&p->mistakes, shown, buf_str(&words));
	if (!name[len] && p->next < p->argc && *p->argv[p->next] != '-')
		p->next++;
}

/* `value` is NULL where none is attached to the option. */
static void apply(
	struct parser *p, const struct config_option *o, const char *shown, const char *value)
{
	struct err err = { 0 };

	if (!value && !o->arg)
		value = "true";
	if (!value && p->next < p->argc && strncmp(p->argv[p->next], "--", 2) != 0)
		value = p->argv[p->next++];
	if (!(o->groups & p->groups))
		mistake(&p->mistakes, shown, "is not an option of this command");
	else if (!value)
		mistake(&p->mistakes, shown, "needs a value");
	else if (o->set(p->config, value, &err))
		mistake(&p->mistakes, shown, err.msg);
}

static void parse_long(struct parser *p, const char *arg)
{
	const char *name = arg + 2;
	size_t len = strcspn(name, "=");
	const struct config_option *o = find_option(name, len);
	_cleanup_free_ char *shown =
		mem_strndup(arg, len < OPTION_MAX_LEN ? len + 2 : OPTION_MAX_LEN);

	if (o)
		apply(p, o, shown, name[len] ? name + len + 1 : NULL);
	else
		unknown_option(p, shown, name, len);
}

/* "-v LEVEL", "-vLEVEL", "-v=LEVEL" */
static void parse_letter(struct parser *p, const char *arg)
{
	const struct config_option *o = find_letter(arg[1]);
	const char *value = arg[2] == '=' ? arg + 3 : arg + 2;
	_cleanup_free_ char *shown = mem_strndup(arg, 2);

	if (o)
		apply(p, o, shown, arg[2] ? value : NULL);
	else
		unknown_option(p, shown, arg + 1, strcspn(arg + 1, "="));
}

static void more_manifests(struct parser *p)
{
	const struct config_option *o = find_option("manifests", strlen("manifests"));

	apply(p, o, "--manifests", p->argv[p->next++]);
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
	if (!(p->groups & OPTIONS_PLAN))
		return false;
	more_manifests(p);
	return true;
}

static void check_interface(struct parser *p, const char *option, const char *interface)
{
	_cleanup_(buf_done) struct buf words = { 0 };
	struct policy *policy = &p->config->policy;

	buf_addf(&words, "is needed with --detect-local-mode=%s",
		policy->detect_local == DETECT_BRIDGE_INTERFACE ? "BridgeInterface"
								: "InterfaceNamePrefix");
	if (!*interface)
		mistake(&p->mistakes, option, buf_str(&words));
	snprintf(policy->interface, sizeof(policy->interface), "%s", interface);
}

/* What options say of each other. */
static void check_together(struct parser *p)
{
	struct config *c = p->config;

	switch (c->policy.detect_local) {
	case DETECT_BRIDGE_INTERFACE:
		check_interface(p, "--pod-bridge-interface", c->bridge_interface);
		break;
	case DETECT_INTERFACE_NAME_PREFIX:
		check_interface(p, "--pod-interface-name-prefix", c->interface_prefix);
		break;
	case DETECT_CLUSTER_CIDR:
	case DETECT_NODE_CIDR:
		break;
	}
	if (c->backend == BACKEND_IPTABLES)
		mistake(&p->mistakes, "--backend", "this version programs IPVS only");
	if (c->once + c->cleanup + c->init_only > 1)
		mistake(&p->mistakes, "--once, --cleanup, --init-only",
			"only one of them can be done");
}

int config_parse(struct config *c, unsigned groups, int argc, char *const argv[], int *ret_rest,
	struct err *err)
{
	struct parser p = { .config = c, .groups = groups, .argc = argc, .argv = argv, .next = 1 };
	int r;

	while (p.next < argc && parse_argument(&p))
		;
	while (groups & OPTIONS_PLAN && p.next < argc)
		more_manifests(&p);
	check_together(&p);
	r = mistakes_report(&p.mistakes, err);
	if (r < 0 && !c->help && !c->version)
		return r;
	*ret_rest = p.next;
	return 0;
}

void config_init(struct config *c)
{
	char host[NAME_MAX_LEN + 1] = "";

	*c = (struct config){
		.bridge_interface = "",
		.interface_prefix = "",
		.audit_interval = 30000,
		.status_socket = DEFAULT_STATUS_SOCKET,
		.log_level = LOG_INFO,
	};
	policy_init(&c->policy);
	if (!gethostname(host, sizeof(host) - 1))
		find_option("hostname-override", strlen("hostname-override"))->set(c, host, NULL);
}

void config_done(struct config *c)
{
	free(c->manifests);
	*c = (struct config){ 0 };
}

/* Help */

static void help_option(const struct config_option *o, FILE *out)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	if (o->letter)
		buf_addf(&line, "  -%c, --%s", o->letter, o->name);
	else
		buf_addf(&line, "      --%s", o->name);
	if (o->arg)
		buf_addf(&line, " %s", o->arg);
	fprintf(out, "%-*s %s", HELP_COLUMN, buf_str(&line), o->help);
	if (o->preset && o->arg)
		fprintf(out, " (default %s)", o->preset);
	if (o->alias && strlen(o->alias) > 1)
		fprintf(out, " (also --%s)", o->alias);
	fputc('\n', out);
}

void config_help(unsigned groups, FILE *out)
{
	static const struct {
		unsigned group;
		const char *title;
	} titles[] = {
		{ OPTIONS_PLAN, "Output" },
		{ OPTIONS_INPUT, "Input" },
		{ OPTIONS_POLICY, "Policy" },
		{ OPTIONS_DAEMON, "Daemon" },
	};
	const char *separator = "";

	for (size_t i = 0; i < ARRAY_SIZE(titles); i++) {
		size_t n;
		const struct config_option *o = config_options(&n);

		if (!(titles[i].group & groups))
			continue;
		fprintf(out, "%s%s:\n", separator, titles[i].title);
		separator = "\n";
		for (; n; n--, o++)
			if (o->groups & titles[i].group)
				help_option(o, out);
	}
}

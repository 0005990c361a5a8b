// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon's command line, and that of commands that resolve Services themselves. */
#include <string.h>

#include "base/mem.h"
#include "config/command_line.h"
#include "config_own.h"

static struct command_line begin_args(unsigned groups, int argc, char *const argv[])
{
	struct command_line l = {
		.groups = groups,
		.abbreviations = !(groups & OPTIONS_DAEMON),
		.options_first = !(groups & (OPTIONS_PLAN | OPTIONS_EXPLAIN)),
		.argc = argc,
		.argv = argv,
		.next = 1,
	};

	l.rows = config_options(&l.n_rows);
	return l;
}

void config_scout(struct config *c, unsigned groups, int argc, char *const argv[])
{
	struct command_line l = begin_args(groups, argc, argv);
	struct command_line_item item;
	int r;

	while ((r = command_line_next(&l, &item, NULL))) {
		if (r < 0)
			continue;
		if (!item.option)
			c->input_named |= (groups & OPTIONS_PLAN) != 0;
		else if (item.option == option_named("config"))
			config_set(c, item.option, item.value, ORIGIN_OPTION, NULL);
		else if (item.option == option_named("manifests") ||
			item.option == option_named("kubeconfig") ||
			item.option == option_named("master"))
			c->input_named = true;
	}
}

int config_args(struct config *c, unsigned groups, int argc, char *const argv[])
{
	struct command_line l = begin_args(groups, argc, argv);
	_cleanup_(buf_done) struct buf ignored = { 0 };
	struct command_line_item item;
	struct err err;
	int r;

	while ((r = command_line_next(&l, &item, &err))) {
		const struct option_row *o;
		const char *shown = item.shown;
		unsigned wins;

		if (r < 0) {
			note(c, &c->mistakes, "%s", err.msg);
			continue;
		}
		o = item.option;
		wins = item.by_alias ? ALIAS_FILE_WINS | FILE_WINS : FILE_WINS;
		if (!o && groups & OPTIONS_EXPLAIN) {
			if (*c->what)
				note(c, &c->mistakes, "%s: is one argument too many", item.value);
			c->what = item.value;
			continue;
		}
		if (!o) {
			o = option_named("manifests");
			shown = "--manifests";
		}
		if (*c->file && o->traits & wins)
			buf_addf(&ignored, "%s%s", ignored.len ? ", " : "", shown);
		else if (config_set(c, o, item.value, ORIGIN_OPTION, &err))
			note(c, &c->mistakes, "%s: %s", shown, err.msg);
	}
	if (ignored.len)
		note(c, &c->warnings,
			"ignored beside a configuration file, as kube-proxy does; the file has to say it: %s",
			buf_str(&ignored));
	return l.next;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config_own.h"

enum { HELP_COLUMN = 44 };

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
		unsigned group, trait;
		const char *title;
	} titles[] = {
		{ OPTIONS_PLAN, 0, "Output" },
		{ OPTIONS_EXPLAIN, 0, "What and how" },
		{ OPTIONS_INPUT, 0, "Input" },
		{ OPTIONS_POLICY, 0, "Policy" },
		{ OPTIONS_DAEMON, 0, "Daemon" },
		{ OPTIONS_DAEMON, UNHONOURED, "Of kube-proxy, accepted without effect" },
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
			if (o->name && o->groups & titles[i].group &&
				(o->traits & UNHONOURED) == titles[i].trait)
				help_option(o, out);
	}
}

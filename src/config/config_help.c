// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config_own.h"

enum { HELP_COLUMN = 36 };

void option_help(const struct option_row *o, FILE *out)
{
	_cleanup_(buf_done) struct buf left = { 0 }, text = { 0 };
	size_t column;
	char *save = NULL;

	if (o->letter)
		buf_addf(&left, "  -%c, --%s", o->letter, o->name);
	else
		buf_addf(&left, "      --%s", o->name);
	if (o->arg)
		buf_addf(&left, " %s", o->arg);
	buf_adds(&text, o->help);
	if (o->preset && o->arg)
		buf_addf(&text, " (default %s)", o->preset);
	if (o->alias && strlen(o->alias) > 1)
		buf_addf(&text, " (also --%s)", o->alias);

	/* A name that reaches into the second column has a line of its own. */
	fprintf(out, "%-*s", HELP_COLUMN - 1, buf_str(&left));
	column = left.len < HELP_COLUMN ? HELP_COLUMN - 1 : OPTION_HELP_WIDTH;
	for (char *w = strtok_r(text.data, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		if (column + 1 + strlen(w) > OPTION_HELP_WIDTH) {
			fprintf(out, "\n%*s", HELP_COLUMN - 1, "");
			column = HELP_COLUMN - 1;
		}
		fprintf(out, " %s", w);
		column += 1 + strlen(w);
	}
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
		const struct option_row *o = config_options(&n);

		if (!(titles[i].group & groups))
			continue;
		fprintf(out, "%s%s:\n", separator, titles[i].title);
		separator = "\n";
		for (; n; n--, o++)
			if (o->name && o->groups & titles[i].group &&
				(o->traits & UNHONOURED) == titles[i].trait)
				option_help(o, out);
	}
}

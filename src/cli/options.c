// SPDX-License-Identifier: GPL-2.0-or-later
#include "options.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* getopt: '+' stops at the first argument that is no option; ':' tells a missing argument. */
void cli_options_init(struct cli_options *o, const struct cli_option *table, size_t n)
{
	char *s = o->shorts;

	assert(n <= CLI_MAX_OPTIONS);
	memset(o, 0, sizeof(*o));
	*s++ = ':';
	for (size_t i = 0; i < n; i++) {
		o->longs[i] = (struct option){
			.name = table[i].name,
			.has_arg = table[i].arg ? required_argument : no_argument,
			.val = table[i].id,
		};
		if (table[i].id > 255)
			continue;
		*s++ = (char)table[i].id;
		if (table[i].arg)
			*s++ = ':';
	}
	opterr = 0;
	optind = 0; /* getopt begins anew, with another argv */
}

void cli_options_stop_early(struct cli_options *o)
{
	memmove(o->shorts + 1, o->shorts, strlen(o->shorts) + 1);
	o->shorts[0] = '+';
}

/* What getopt's '?' means: of a letter that is unknown, optopt is that letter. */
static int bad_option(const struct cli_options *o, const char *word, struct err *err)
{
	for (const struct option *l = o->longs; l->name; l++)
		if (optopt == l->val)
			return err_set(err, -EINVAL, "option --%s takes no value", l->name);
	if (optopt)
		return err_set(err, -EINVAL, "unknown option -%c", optopt);
	return err_set(err, -EINVAL, "unknown or ambiguous option %s", word);
}

int cli_options_next(const struct cli_options *o, int argc, char *const *argv, struct err *err)
{
	int id = getopt_long(argc, argv, o->shorts, o->longs, NULL);

	if (id == -1)
		return 0;
	if (id == '?')
		return bad_option(o, argv[optind - 1], err);
	if (id == ':')
		return err_set(err, -EINVAL, "option %s needs a value", argv[optind - 1]);
	return id;
}

void cli_options_help(const struct cli_option *table, size_t n, FILE *out)
{
	for (size_t i = 0; i < n; i++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", table[i].name, table[i].arg ? "=" : "",
			table[i].arg ? table[i].arg : "");
		if (table[i].id <= 255)
			fprintf(out, "  -%c, %-24s %s\n", table[i].id, left, table[i].help);
		else
			fprintf(out, "      %-24s %s\n", left, table[i].help);
	}
}

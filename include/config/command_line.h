/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONFIG_COMMAND_LINE_H
#define CONFIG_COMMAND_LINE_H

#include <stdio.h>

#include "config/option.h"

/*
 * The command line of every program and command, read by a table of options:
 *
 *   --name VALUE, --name=VALUE, -n VALUE, -nVALUE, -n=VALUE
 *   --name, --name=false	true or false
 *   -ab			two letters without values
 *   --				ends the options
 *
 * '_' and '-' in names are the same. A value that stands alone does not begin with "--".
 */

enum { COMMAND_LINE_MAX_SHOWN = 64 }; /* bytes of an option's name in messages */

struct command_line {
	const struct option_row *rows;
	size_t n_rows;
	unsigned groups;    /* of this command; 0: all rows */
	bool abbreviations; /* the beginning of one name only is as good as the name */
	bool options_first; /* ends before the first argument that is no option */
	int argc;
	char *const *argv;

	int next;	  /* index into argv; 1 at the beginning */
	const char *more; /* letters in the same word; NULL: none */
	bool ended;	  /* "--" was there */
};

struct command_line_item {
	const struct option_row *option; /* NULL: an argument that is no option */
	const char *value;		 /* or the argument; from argv */
	bool by_alias;
	char shown[COMMAND_LINE_MAX_SHOWN + 1]; /* the option as it was written, without a value */
};

/*
 * Returns 1 with the next item, 0 at the end, or -EINVAL with words such as "--foo: unknown
 * option", after which the next call goes on behind the mistake.
 */
int command_line_next(struct command_line *l, struct command_line_item *ret, struct err *err);

/*
 * Reads argv[1..] into the target: first the defaults of the n rows, then what is given. Arguments
 * that are no options move to argv[1], argv[2]...; their number goes to *ret_n. Returns 0, or
 * -EINVAL with words about the first mistake.
 */
int command_line_read(const struct option_row *rows, size_t n, int argc, char **argv, void *target,
	size_t *ret_n, struct err *err);

enum { OPTION_HELP_WIDTH = 100 };
/* Prints the row for --help: name, value, help and default, wrapped at OPTION_HELP_WIDTH. */
void option_help(const struct option_row *o, FILE *out);

#endif

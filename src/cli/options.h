/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <getopt.h>
#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

/* One table of options for both the parser and --help. */

struct cli_option {
	int id; /* its letter, or a number above 255: it has none */
	const char *name;
	const char *arg; /* name of its argument; NULL: it takes none */
	const char *help;
};

enum { CLI_MAX_OPTIONS = 32 };

struct cli_options {
	struct option longs[CLI_MAX_OPTIONS + 1];
	char shorts[3 + 2 * CLI_MAX_OPTIONS];
};

/* The table has n entries and outlives `o`. Resets getopt, of which there is one: `o` is used up
 * before the next cli_options_init(). */
void cli_options_init(struct cli_options *o, const struct cli_option *table, size_t n);
/*
 * The next option's id, its argument in optarg; 0 after the last one, optind is then the first
 * argument that is no option; -EINVAL with words.
 */
int cli_options_next(const struct cli_options *o, int argc, char *const *argv, struct err *err);
/* The same, but the first argument that is no option ends the options. */
void cli_options_stop_early(struct cli_options *o);
void cli_options_help(const struct cli_option *table, size_t n, FILE *out);

#endif

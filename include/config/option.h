/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONFIG_OPTION_H
#define CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Options as rows of a table. One table serves the command line, the configuration file, --help,
 * and the check that the man pages are complete. Each command has a table, and a struct (the
 * "target") that takes the values.
 */

struct json_t;
struct option_row;

/* How a value looks in a configuration file. */
enum option_shape {
	SHAPE_TEXT,
	SHAPE_BOOL,
	SHAPE_NUMBER, /* whole */
	SHAPE_REAL,
	SHAPE_DURATION, /* "1m30s" */
	SHAPE_TIME,	/* "1m30s", or a number of nanoseconds */
	SHAPE_QUANTITY, /* "64Ki", or a number */
	SHAPE_LIST,	/* of strings */
	SHAPE_GATES,	/* mapping of names to true or false */
	SHAPE_VMODULE,	/* list of {filePattern, verbosity} */
};

/*
 * How the text of a value becomes a member of the target, and back. `set` takes the text as it
 * stands on the command line; a list has `add` for one element instead, and `clear`. They return 0,
 * or -EINVAL with words that follow the option's name: "--drain-timeout: "x" is not a duration".
 * The text must live as long as the target.
 */
struct option_type {
	enum option_shape shape;
	bool commas; /* a list: commas separate the elements on the command line */
	int (*set)(void *target, const struct option_row *o, const char *text, struct err *err);
	int (*add)(void *target, const struct option_row *o, const char *element, struct err *err);
	void (*clear)(void *target, const struct option_row *o);
	/* The value as JSON; the caller has the reference. NULL: the text is the value. */
	struct json_t *(*get)(const void *target, const struct option_row *o);
};

struct option_row {
	const char *name;   /* without "--"; NULL: only in the file */
	const char *key;    /* "ipvs.scheduler" in the file; NULL: only on the command line */
	unsigned groups;    /* bits: the commands that have the option */
	unsigned traits;    /* bits that the table's owner defines */
	const char *arg;    /* stands for the value in --help; NULL: true or false */
	const char *preset; /* the default, as one would write it; NULL: there is none */
	const char *help;
	const struct option_type *type;
	const char *alias;	   /* another name; NULL: none */
	char letter;		   /* 'v' for -v; 0: none */
	size_t at, size, count_at; /* the members in the target, for types that use them */
	const char *const *names;  /* of type_choice, NULL-terminated */
	long min, max;		   /* of numbers */
};

extern const struct option_type type_text;   /* const char * */
extern const struct option_type type_bool;   /* bool */
extern const struct option_type type_choice; /* an enum: index into `names`, in any case */

#endif

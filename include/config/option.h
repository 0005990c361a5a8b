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

/* What is at option_row.at in the target. */
enum option_place {
	PLACE_NONE, /* nothing: only the text is kept */
	PLACE_TEXT,
	PLACE_SOCKET,
	PLACE_INTERFACE,
	PLACE_CHOICE,
	PLACE_BOOL,
	PLACE_UNSIGNED,
	PLACE_REAL,
	PLACE_DURATION,
	PLACE_IP,
	PLACE_LISTEN,
	PLACE_CIDR_PAIR,
	PLACE_CIDRS,
	PLACE_PATHS,
};

/*
 * How the text of a value becomes a member of the target, and back: by its place, unless there are
 * functions for it. `set` takes the text as it stands on the command line, `add` one element of a
 * list. They return 0, or -EINVAL with words that follow the option's name: "--drain-timeout: "x"
 * is not a duration".
 */
struct option_type {
	enum option_shape shape;
	enum option_place place;
	bool commas; /* a list: commas separate the elements on the command line */
	int (*set)(const struct option_row *o, void *target, const char *text, struct err *err);
	int (*add)(const struct option_row *o, void *target, const char *element, struct err *err);
	void (*clear)(void *target); /* empties what `add` filled beside the place */
	struct json_t *(*get)(const struct option_row *o, const void *target);
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

/*
 * Sets the value in the target, which the text must outlive; a list gets one element, or with
 * `commas` all elements that the text has. Returns 0, or -EINVAL with words.
 */
int option_set(
	const struct option_row *o, void *target, const char *text, bool commas, struct err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TEST_CONFIG_FIXTURE_H
#define TEST_CONFIG_FIXTURE_H

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "base/mem.h"
#include "config/config.h"

enum {
	MAX_ARGS = 160,
	OF_DAEMON = OPTIONS_POLICY | OPTIONS_INPUT | OPTIONS_DAEMON,
	OF_PLAN = OPTIONS_POLICY | OPTIONS_INPUT | OPTIONS_PLAN,
};

/* A command line, kept as long as what was parsed from it. */
struct line {
	char *text;
	char *argv[MAX_ARGS + 1];
	int argc, rest;
	struct config c;
	struct err err;
};

/* Words are separated by blanks; '~' stands for a blank in a word. */
static inline void split(struct line *l, const char *text)
{
	char *save = NULL;

	*l = (struct line){ .text = mem_strdup(text), .argc = 1, .rest = -1 };
	l->argv[0] = (char *)"program";
	for (char *w = strtok_r(l->text, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		assert_true(l->argc < MAX_ARGS);
		for (char *blank = w; (blank = strchr(blank, '~'));)
			*blank = ' ';
		l->argv[l->argc++] = w;
	}
	config_init(&l->c);
}

static inline int parse(struct line *l, unsigned groups, const char *text)
{
	split(l, text);
	return config_parse(&l->c, groups, l->argc, l->argv, &l->rest, &l->err);
}

static inline void line_done(struct line *l)
{
	config_done(&l->c);
	free(l->text);
}

static inline void ok(struct line *l, const char *text)
{
	int r = parse(l, OF_DAEMON, text);

	if (r)
		print_error("%s: %s\n", text, l->err.msg);
	assert_int_equal(r, 0);
	assert_int_equal(l->rest, l->argc);
}

static inline void assert_mistake(unsigned groups, const char *text, const char *words)
{
	_cleanup_(line_done) struct line l;

	assert_int_equal(parse(&l, groups, text), -EINVAL);
	assert_int_equal(l.err.code, -EINVAL);
	assert_string_equal(l.err.msg, words);
}

static inline void assert_cidr(const struct cidr *c, const char *text)
{
	char s[CIDR_STRLEN];

	assert_string_equal(cidr_print(c, s), text);
}

/* A file that is there as long as the test needs it. */
struct temporary {
	char path[64];
};

static inline void temporary_write(struct temporary *t, const char *text)
{
	FILE *f;
	int fd;

	snprintf(t->path, sizeof(t->path), "/tmp/ipvsctl-config-XXXXXX");
	fd = mkstemp(t->path);
	assert_true(fd >= 0);
	f = fdopen(fd, "w");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static inline void temporary_done(struct temporary *t)
{
	unlink(t->path);
}

#define CONFIG_HEAD "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"

/* Parses a file of that text, its head included, with other options beside it. */
static inline int parse_whole(struct line *l, const char *text, const char *options)
{
	_cleanup_(temporary_done) struct temporary file;
	_cleanup_(buf_done) struct buf line = { 0 };

	temporary_write(&file, text);
	buf_addf(&line, "--config %s %s", file.path, options);
	return parse(l, OF_DAEMON, buf_str(&line));
}

static inline int parse_file(struct line *l, const char *text, const char *options)
{
	_cleanup_(buf_done) struct buf whole = { 0 };

	buf_addf(&whole, "%s%s", CONFIG_HEAD, text);
	return parse_whole(l, buf_str(&whole), options);
}

static inline void file_ok(struct line *l, const char *text, const char *options)
{
	int r = parse_file(l, text, options);

	if (r)
		print_error("%s: %s\n", text, l->err.msg);
	assert_int_equal(r, 0);
}

/* All lines of the notes are these, in this order; the list ends with NULL. */
/* A line without "FILE:LINE:COLUMN: " before a key. */
static inline const char *without_place(const char *line)
{
	const char *key = strstr(line, ": KubeProxyConfiguration.");

	return key ? key + 2 : line;
}

static inline void assert_notes(const struct config_notes *notes, const char *const *want)
{
	size_t i = 0;

	for (; i < notes->n && want[i]; i++)
		assert_string_equal(without_place(notes->line[i]), want[i]);
	if (i < notes->n)
		fail_msg("said too much: %s", notes->line[i]);
	if (want[i])
		fail_msg("not said: %s", want[i]);
}

static inline char *yaml_of(const struct config *c)
{
	struct buf b = { 0 };

	config_yaml(c, &b);
	return buf_take(&b);
}

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
#include "config/command_line.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "nearest.h"

static bool is_of_command(const struct command_line *l, const struct option_row *o)
{
	return !l->groups || o->groups & l->groups;
}

/* How many of the first `len` characters are the same; '_' is '-'. */
static size_t common_length(const char *name, const char *written, size_t len)
{
	size_t i = 0;

	while (i < len && name[i] && name[i] == (written[i] == '_' ? '-' : written[i]))
		i++;
	return i;
}

static bool is_name(const char *name, const char *written, size_t len)
{
	return name && common_length(name, written, len) == len && !name[len];
}

/* The option of that name or alias, or where abbreviations are taken the only one that begins so.
 */
static const struct option_row *find_long(
	const struct command_line *l, const char *written, size_t len)
{
	const struct option_row *begins = NULL;
	size_t n_begin = 0;

	for (const struct option_row *o = l->rows; o < l->rows + l->n_rows; o++) {
		if (is_name(o->name, written, len) || is_name(o->alias, written, len))
			return o;
		if (o->name && is_of_command(l, o) && common_length(o->name, written, len) == len) {
			begins = o;
			n_begin++;
		}
	}
	return l->abbreviations && len && n_begin == 1 ? begins : NULL;
}

/* Goes past the value of the unknown option, if it seems to have one. */
static int unknown_option(
	struct command_line *l, const char *shown, const char *name, size_t len, struct err *err)
{
	struct nearest nearest;

	nearest_init(&nearest, name, len);
	for (const struct option_row *o = l->rows; o < l->rows + l->n_rows; o++) {
		if (!is_of_command(l, o))
			continue;
		nearest_try(&nearest, o->name);
		nearest_try(&nearest, o->alias);
	}
	if (!name[len] && l->next < l->argc && *l->argv[l->next] != '-')
		l->next++;
	if (nearest.found)
		return err_set(err, -EINVAL, "%s: unknown option; did you mean --%s?", shown,
			nearest.found);
	return err_set(err, -EINVAL, "%s: unknown option", shown);
}

/* `value` is NULL where none is attached to the option. */
static int take_option_value(
	struct command_line *l, const char *value, struct command_line_item *item, struct err *err)
{
	if (!value && !item->option->arg)
		value = "true";
	if (!value && l->next < l->argc && strncmp(l->argv[l->next], "--", 2) != 0)
		value = l->argv[l->next++];
	if (!is_of_command(l, item->option))
		return err_set(err, -EINVAL, "%s: is not an option of this command", item->shown);
	if (!value)
		return err_set(err, -EINVAL, "%s: needs a value", item->shown);
	item->value = value;
	return 1;
}

static int next_long(
	struct command_line *l, const char *word, struct command_line_item *item, struct err *err)
{
	const char *name = word + 2;
	size_t len = strcspn(name, "=");

	snprintf(item->shown, sizeof(item->shown), "%.*s",
		len + 2 < COMMAND_LINE_MAX_SHOWN ? (int)len + 2 : COMMAND_LINE_MAX_SHOWN, word);
	item->option = find_long(l, name, len);
	if (!item->option)
		return unknown_option(l, item->shown, name, len, err);
	item->by_alias = is_name(item->option->alias, name, len);
	return take_option_value(l, name[len] ? name + len + 1 : NULL, item, err);
}

static int next_letter(struct command_line *l, const char *letters, struct command_line_item *item,
	struct err *err)
{
	const char *rest = letters + 1;

	l->more = NULL;
	snprintf(item->shown, sizeof(item->shown), "-%c", *letters);
	for (const struct option_row *o = l->rows; o < l->rows + l->n_rows && !item->option; o++)
		if (o->letter == *letters)
			item->option = o;
	if (!item->option)
		return unknown_option(l, item->shown, letters, strcspn(letters, "="), err);

	if (*rest && *rest != '=' && !item->option->arg) {
		l->more = rest;
		rest = "";
	}
	return take_option_value(l, *rest ? rest + (*rest == '=') : NULL, item, err);
}

int command_line_next(struct command_line *l, struct command_line_item *ret, struct err *err)
{
	struct command_line_item item = { 0 };
	const char *word;
	int r;

	if (l->more) {
		r = next_letter(l, l->more, &item, err);
	} else {
		if (l->next < l->argc && !l->ended && !strcmp(l->argv[l->next], "--")) {
			l->ended = true;
			l->next++;
		}
		if (l->next >= l->argc || (l->ended && l->options_first))
			return 0;
		word = l->argv[l->next];
		if (l->ended || *word != '-' || !word[1]) {
			if (l->options_first)
				return 0;
			item.value = word;
			r = 1;
			l->next++;
		} else {
			l->next++;
			r = word[1] == '-' ? next_long(l, word, &item, err)
					   : next_letter(l, word + 1, &item, err);
		}
	}
	if (r > 0)
		*ret = item;
	return r;
}

int command_line_read(const struct option_row *rows, size_t n, int argc, char **argv, void *target,
	size_t *ret_n, struct err *err)
{
	struct command_line l = {
		.rows = rows,
		.n_rows = n,
		.abbreviations = true,
		.argc = argc,
		.argv = argv,
		.next = 1,
	};
	struct command_line_item item;
	size_t n_arguments = 0;
	int r;

	for (size_t i = 0; i < n; i++) {
		r = rows[i].preset ? option_set(&rows[i], target, rows[i].preset, true, NULL) : 0;
		assert(!r);
	}
	while ((r = command_line_next(&l, &item, err)) > 0) {
		if (!item.option) {
			argv[1 + n_arguments++] = (char *)item.value;
			continue;
		}
		r = option_set(item.option, target, item.value, true, err);
		if (r < 0) {
			err_prefix(err, "%s", item.shown);
			return r;
		}
	}
	*ret_n = n_arguments;
	return r;
}

/* Help */

enum { HELP_COLUMN = 36 };

/* Begins a line where the words do not fit any more. */
static void print_help_words(const char *words, size_t *column, FILE *out)
{
	if (*column + 1 + strlen(words) > OPTION_HELP_WIDTH) {
		fprintf(out, "\n%*s", HELP_COLUMN - 1, "");
		*column = HELP_COLUMN - 1;
	}
	fprintf(out, " %s", words);
	*column += 1 + strlen(words);
}

void option_help(const struct option_row *o, FILE *out)
{
	_cleanup_(buf_done) struct buf name = { 0 }, preset = { 0 }, alias = { 0 };
	_cleanup_free_ char *help = mem_strdup(o->help);
	size_t column;
	char *save = NULL;

	if (o->letter)
		buf_addf(&name, "  -%c, ", o->letter);
	else
		buf_adds(&name, "      ");
	buf_addf(&name, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
	fprintf(out, "%-*s", HELP_COLUMN - 1, buf_str(&name));

	/* A name that reaches into the second column has a line of its own. */
	column = name.len < HELP_COLUMN ? HELP_COLUMN - 1 : OPTION_HELP_WIDTH;
	for (char *w = strtok_r(help, " ", &save); w; w = strtok_r(NULL, " ", &save))
		print_help_words(w, &column, out);
	if (o->preset && o->arg) {
		buf_addf(&preset, "(default %s)", o->preset);
		print_help_words(buf_str(&preset), &column, out);
	}
	if (o->alias && strlen(o->alias) > 1) {
		buf_addf(&alias, "(also --%s)", o->alias);
		print_help_words(buf_str(&alias), &column, out);
	}
	fputc('\n', out);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "takeover_config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

enum { TAKEOVER_OPTIONS = OPTIONS_DAEMON | OPTIONS_INPUT | OPTIONS_POLICY };

void takeover_config_init(struct takeover_config *t)
{
	*t = (struct takeover_config){ 0 };
	config_init(&t->given);
	config_init(&t->proxy);
	config_init(&t->config);
}

static void command_words_add(struct command_words *w, const char *word)
{
	mem_grow(w->v, w->n, w->cap);
	w->v[w->n++] = mem_strdup(word);
}

static void command_words_end(struct command_words *w)
{
	mem_grow(w->v, w->n, w->cap);
	w->v[w->n] = NULL;
}

static void command_words_done(struct command_words *w)
{
	for (int i = 0; i < w->n; i++)
		free(w->v[i]);
	free(w->v);
}

static void command_words_add_option(struct command_words *w, const char *name, const char *value)
{
	_cleanup_(buf_done) struct buf word = { 0 };

	buf_addf(&word, "--%s=%s", name, value);
	command_words_add(w, buf_str(&word));
}

void takeover_config_done(struct takeover_config *t)
{
	buf_done(&t->command);
	kube_proxy_done(&t->found);
	config_done(&t->given);
	config_done(&t->proxy);
	config_done(&t->config);
	command_words_done(&t->of_proxy);
	command_words_done(&t->of_daemon);
}

/* The input of this command only: the daemon gets its own from its configuration. */
static bool is_of_preflight(const char *option)
{
	static const char *const own[] = { "config", "kubeconfig", "master", "manifests",
		"output" };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (!strcmp(option, own[i]))
			return true;
	return false;
}

/* Adds the options of this command that the daemon gets as well. */
static void add_given_options(const struct takeover_config *t, struct command_words *w)
{
	size_t n;
	const struct option_row *rows = config_options(&n);

	for (size_t i = 0; i < n; i++)
		if (t->given.given[i].origin == ORIGIN_OPTION && rows[i].name &&
			!is_of_preflight(rows[i].name))
			command_words_add_option(w, rows[i].name, t->given.given[i].text);
	for (size_t i = 0; i < t->given.n_manifests && !t->stand_in; i++)
		command_words_add_option(w, "manifests", t->given.manifests[i]);
}

const char *takeover_config_file(const struct takeover_config *t)
{
	if (*t->given.file)
		return t->given.file;
	if (t->found.pid)
		return t->found.file;
	return access(TAKEOVER_CONFIG_FILE, F_OK) ? NULL : TAKEOVER_CONFIG_FILE;
}

static void add_proxy_options(const struct takeover_config *t, struct command_words *w)
{
	const char *file = takeover_config_file(t);

	command_words_add(w, "ipvsctl-svcd");
	if (file)
		command_words_add_option(w, "config", file);
	for (size_t i = 0; i < t->found.n_options; i++)
		command_words_add(w, t->found.options[i]);
}

/* Reads a command line; its mistakes and warnings stay in the config. Returns an argument that is
 * one too many; NULL: there is none. */
static const char *read_words(struct config *c, struct command_words *w)
{
	struct err unused;
	int rest;

	command_words_end(w);
	return config_parse(c, TAKEOVER_OPTIONS, w->n, w->v, &rest, &unused) ? NULL : w->v[rest];
}

/* As the daemon is to be told: with the file as its own process would call it. */
static void print_daemon_command(struct takeover_config *t, const struct command_words *w)
{
	const char *named = *t->given.file ? t->given.file : t->found.named;

	for (int i = 0; i < w->n; i++) {
		if (i)
			buf_addc(&t->command, ' ');
		if (named && !strncmp(w->v[i], "--config=", strlen("--config="))) {
			buf_adds(&t->command, "--config=");
			shell_word_add(&t->command, named);
		} else {
			shell_word_add(&t->command, w->v[i]);
		}
	}
	if (!*t->config.file && (*t->given.kubeconfig || *t->given.master)) {
		buf_adds(&t->command, *t->given.kubeconfig ? " --kubeconfig=" : " --master=");
		shell_word_add(
			&t->command, *t->given.kubeconfig ? t->given.kubeconfig : t->given.master);
	}
}

/* What this command was given takes the place of an input that only kube-proxy's container has. */
static void take_given_input(struct takeover_config *t)
{
	struct config *c = &t->config;

	if (t->stand_in) {
		c->manifests = take(t->given.manifests);
		c->n_manifests = t->given.n_manifests;
		t->given.n_manifests = 0;
	} else if (*t->given.kubeconfig || *t->given.master) {
		c->kubeconfig = t->given.kubeconfig;
		c->master = t->given.master;
	}
}

int takeover_config_read(struct takeover_config *t, struct err *err)
{
	int r = kube_proxy_find("/proc", "kube-proxy", &t->found, err);

	if (r < 0)
		return r;
	add_proxy_options(t, &t->of_proxy);
	read_words(&t->proxy, &t->of_proxy);
	t->stand_in = t->given.n_manifests && config_input(&t->proxy) == INPUT_API;
	add_proxy_options(t, &t->of_daemon);
	add_given_options(t, &t->of_daemon);
	t->extra = read_words(&t->config, &t->of_daemon);
	print_daemon_command(t, &t->of_daemon);
	take_given_input(t);
	return 0;
}

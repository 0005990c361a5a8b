// SPDX-License-Identifier: GPL-2.0-or-later
#include "kube_proxy.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define CONFIG_OPTION "--config"

/* Appends a file of the process, up to the limit. False: it is gone, or is not ours to read. */
static bool read_process_file(const char *proc, const char *pid, const char *name, struct buf *ret)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	char part[4096];
	size_t n;
	FILE *f;

	buf_addf(&path, "%s/%s/%s", proc, pid, name);
	f = fopen(buf_str(&path), "re");
	if (!f)
		return false;
	while (ret->len < KUBE_PROXY_MAX_TEXT && (n = fread(part, 1, sizeof(part), f)))
		buf_add(ret, part, n);
	fclose(f);
	return true;
}

/* "net:[4026531840]", or "" where the kernel does not tell. */
static void read_network(const char *proc, const char *pid, char ret[static PATH_MAX])
{
	_cleanup_(buf_done) struct buf path = { 0 };
	ssize_t n;

	buf_addf(&path, "%s/%s/ns/net", proc, pid);
	n = readlink(buf_str(&path), ret, PATH_MAX - 1);
	ret[n > 0 ? n : 0] = '\0';
}

/* Whether the first word of the command line is the program. */
static bool command_is_of(const struct buf *command, const char *program)
{
	const char *word = buf_str(command), *slash = strrchr(word, '/');

	return !strcmp(slash ? slash + 1 : word, program);
}

/* The words are separated by NUL. */
static void take_options(struct kube_proxy *k, const struct buf *command)
{
	const char *const text = buf_str(command), *const end = text + command->len;
	bool value_follows = false;

	for (const char *word = text + strlen(text) + 1; word < end; word += strlen(word) + 1) {
		if (value_follows || !strncmp(word, CONFIG_OPTION "=", strlen(CONFIG_OPTION "="))) {
			free(k->named);
			k->named =
				mem_strdup(value_follows ? word : word + strlen(CONFIG_OPTION "="));
			value_follows = false;
		} else if (!strcmp(word, CONFIG_OPTION)) {
			value_follows = true;
		} else if (k->n_options < KUBE_PROXY_MAX_OPTIONS) {
			k->options[k->n_options++] = mem_strdup(word);
		}
	}
}

/* Each line is "NUMBER:CONTROLLERS:PATH". */
static void take_cgroups(struct kube_proxy *k, char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		const char *last = strrchr(line, '/');
		const char *suffix = last ? strstr(last, ".service") : NULL;

		k->pod |= strstr(line, "kubepods") != NULL;
		if (suffix && !suffix[strlen(".service")] && !k->unit)
			k->unit = mem_strdup(last + 1);
	}
	if (k->pod)
		free(take(k->unit)); /* a container runtime that runs pods in its own unit */
}

static void take_process(
	struct kube_proxy *k, const char *proc, const char *pid, const struct buf *command)
{
	_cleanup_(buf_done) struct buf cgroups = { 0 }, file = { 0 };

	k->pid = atoi(pid);
	k->options = mem_zalloc(KUBE_PROXY_MAX_OPTIONS, sizeof(*k->options));
	take_options(k, command);
	if (read_process_file(proc, pid, "cgroup", &cgroups)) {
		_cleanup_free_ char *text = mem_strdup(buf_str(&cgroups));

		take_cgroups(k, text);
	}
	if (!k->named)
		return;
	buf_addf(&file, *k->named == '/' ? "%s/%s/root%s" : "%s/%s/cwd/%s", proc, pid, k->named);
	k->file = mem_strdup(buf_str(&file));
}

int kube_proxy_find(const char *proc, const char *program, struct kube_proxy *ret, struct err *err)
{
	char ours[PATH_MAX], network[PATH_MAX];
	DIR *dir = opendir(proc);
	const struct dirent *entry;

	*ret = (struct kube_proxy){ 0 };
	if (!dir)
		return err_errno(err, -errno, "cannot read %s", proc);
	read_network(proc, "self", ours);
	while (!ret->pid && (entry = readdir(dir))) {
		_cleanup_(buf_done) struct buf command = { 0 };
		const char *pid = entry->d_name;

		if (strspn(pid, "0123456789") != strlen(pid) ||
			!read_process_file(proc, pid, "cmdline", &command) ||
			!command_is_of(&command, program))
			continue;
		read_network(proc, pid, network);
		if (!strcmp(network, ours))
			take_process(ret, proc, pid, &command);
	}
	closedir(dir);
	return 0;
}

void kube_proxy_done(struct kube_proxy *k)
{
	for (size_t i = 0; i < k->n_options; i++)
		free(k->options[i]);
	free(k->options);
	free(k->unit);
	free(k->named);
	free(k->file);
	*k = (struct kube_proxy){ 0 };
}

void shell_word_add(struct buf *b, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_./:=,@%+-";

	if (*word && strspn(word, plain) == strlen(word)) {
		buf_adds(b, word);
		return;
	}
	buf_addc(b, '\'');
	for (const char *p = word; *p; p++) {
		if (*p == '\'')
			buf_adds(b, "'\\''");
		else
			buf_addc(b, *p);
	}
	buf_addc(b, '\'');
}

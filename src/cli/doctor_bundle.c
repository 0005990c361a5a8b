// SPDX-License-Identifier: GPL-2.0-or-later
/* What `doctor --bundle` collects: no file that holds credentials, and of all else only what
 * bundle_scrub() leaves. */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "bundle.h"
#include "command.h"
#include "doctor.h"
#include "kernel/exec.h"

enum {
	COMMAND_MS = 60000,
	LOG_BYTES = 1 << 20, /* of each log file of the daemon's pod, its end */
	LOGS_MAX = 8,
};

static const struct {
	const char *name;
	const char *argv[9];
	const char *needs; /* a path, without which the program would load a module; NULL: none */
} commands[] = {
	{ "uname", { "uname", "-a" } },
	{ "ipvsctl-svcd-version", { "ipvsctl-svcd", "--version" } },
	{ "iptables-version", { "iptables", "--version" } },
	{ "nft-version", { "nft", "--version" } },
	{ "ipset-version", { "ipset", "--version" } },
	{ "addresses", { "ip", "-d", "addr" } },
	{ "rules-ipv4", { "ip", "-4", "rule" } },
	{ "rules-ipv6", { "ip", "-6", "rule" } },
	{ "routes-ipv4", { "ip", "-4", "route", "show", "table", "all" } },
	{ "routes-ipv6", { "ip", "-6", "route", "show", "table", "all" } },
	{ "neighbours", { "ip", "neigh" } },
	{ "ipvs", { "ipvsadm", "-Ln", "--stats" }, "/proc/net/ip_vs" },
	{ "ipsets", { "ipset", "save" }, "/sys/module/ip_set" },
	{ "iptables", { "iptables-save", "-c" } },
	{ "ip6tables", { "ip6tables-save", "-c" } },
	{ "iptables-legacy", { "iptables-legacy-save", "-c" } },
	{ "nftables", { "nft", "list", "ruleset" } },
	{ "conntrack", { "conntrack", "-S" } },
	{ "log",
		{ "journalctl", "-u", "ipvsctl-svcd", "-n", "5000", "--no-pager", "-o",
			"short-iso" } },
};

struct collection {
	const struct doctor_facts *facts;
	struct bundle *bundle; /* NULL: a dry run, which lists the members */
	struct buf list;
};

/* Where a text would have to be made for it, a dry run gives NULL. */
static void collect(struct collection *c, const char *name, const char *what, const char *text)
{
	_cleanup_(buf_done) struct buf path = { 0 };

	buf_addf(&path, "ipvsctl-svc-bundle/%s", name);
	if (c->bundle)
		bundle_add(c->bundle, buf_str(&path), text);
	else
		buf_addf(&c->list, "%-44s %s\n", buf_str(&path) + strlen("ipvsctl-svc-bundle/"),
			what);
}

static void collect_command(struct collection *c, const char *name, const char *const argv[])
{
	_cleanup_(buf_done) struct buf path = { 0 }, words = { 0 }, out = { 0 };
	struct err err = { 0 };
	int r;

	for (size_t i = 0; argv[i]; i++)
		buf_addf(&words, "%s%s", i ? " " : "", argv[i]);
	buf_addf(&path, "commands/%s", name);
	if (c->bundle) {
		r = exec_run(argv, NULL, 0, COMMAND_MS, &out, &err);
		if (r)
			buf_addf(&out, "\n%s: %s\n", buf_str(&words), err.msg);
	}
	collect(c, buf_str(&path), buf_str(&words), buf_str(&out));
}

/* This program, with the options of the daemon that decide the facts. */
static void collect_comparison(struct collection *c)
{
	const struct config *config = &c->facts->config;
	const bool api = config_input(config) == INPUT_API;
	const char *argv[CONFIG_MAX_OPTIONS + 64];
	char words[CONFIG_MAX_OPTIONS][512], self[PATH_MAX] = "";
	size_t n = 0, n_rows, n_words = 0;
	const struct option_row *rows = config_options(&n_rows);

	if (config_input(config) == INPUT_NONE || (api && !*config->kubeconfig) ||
		readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return;
	argv[n++] = self;
	argv[n++] = api ? "preflight" : "plan";
	argv[n++] = "--output=json";
	for (size_t i = 0; i < n_rows; i++) {
		const struct config_given *given = &config->given[i];

		if (given->origin == ORIGIN_PRESET || !rows[i].name ||
			!(rows[i].groups & OPTIONS_POLICY))
			continue;
		snprintf(words[n_words], sizeof(words[0]), "--%s=%s", rows[i].name, given->text);
		argv[n++] = words[n_words++];
	}
	if (api) {
		snprintf(words[n_words], sizeof(words[0]), "--kubeconfig=%s", config->kubeconfig);
		argv[n++] = words[n_words++];
	} else {
		argv[n++] = "--diff";
		argv[n++] = "--manifests";
		for (size_t i = 0; i < config->n_manifests && n < ARRAY_SIZE(argv) - 1; i++)
			argv[n++] = config->manifests[i];
	}
	argv[n] = NULL;
	collect_command(c, api ? "preflight.json" : "plan.json", argv);
}

static void collect_file_end(struct collection *c, const char *name, const char *path)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	FILE *f = c->bundle ? fopen(path, "re") : NULL;

	if (f) {
		if (fseek(f, -LOG_BYTES, SEEK_END) < 0)
			rewind(f);
		text.len = fread(buf_reserve(&text, LOG_BYTES + 1), 1, LOG_BYTES, f);
		text.data[text.len] = '\0';
		fclose(f);
	}
	collect(c, name, path, buf_str(&text));
}

/* As the kubelet keeps them: /var/log/pods/NAMESPACE_POD_UID/CONTAINER/RESTARTS.log */
static void collect_pod_logs(struct collection *c)
{
	glob_t found = { 0 };

	if (!glob("/var/log/pods/*ipvsctl-svcd*/*/*.log", 0, NULL, &found))
		for (size_t i = 0; i < found.gl_pathc && i < LOGS_MAX; i++) {
			char name[32];

			snprintf(name, sizeof(name), "logs/%zu.log", i);
			collect_file_end(c, name, found.gl_pathv[i]);
		}
	globfree(&found);
}

static void collect_json(
	struct collection *c, const char *name, const char *what, const json_t *tree)
{
	_cleanup_free_ char *text = json_dumps(tree, JSON_INDENT(1));

	collect(c, name, what, text ? text : "");
}

static void collect_all(struct collection *c, const json_t *diagnosis)
{
	const struct doctor_facts *f = c->facts;
	_cleanup_(buf_done) struct buf config = { 0 }, options = { 0 };

	collect_json(c, "diagnosis.json", "what doctor finds", diagnosis);
	if (f->status)
		collect_json(c, "status.json", "/v1/status of the daemon", f->status);
	config_yaml(&f->config, &config);
	collect(c, "config.yaml", "the effective configuration, without the files that it names",
		buf_str(&config));
	for (size_t i = 0; i < f->daemon.n_options; i++)
		buf_addf(&options, "%s\n", f->daemon.options[i]);
	if (f->daemon.pid)
		collect(c, "options", "the daemon's command line", buf_str(&options));
	collect_comparison(c);
	for (size_t i = 0; i < f->n_files; i++) {
		_cleanup_(buf_done) struct buf name = { 0 };

		buf_addf(&name, "files%s", f->files[i].path);
		collect(c, buf_str(&name), f->files[i].path, f->files[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!commands[i].needs || !access(commands[i].needs, F_OK))
			collect_command(c, commands[i].name, commands[i].argv);
	collect_pod_logs(c);
}

enum exit_code doctor_bundle(
	const struct doctor_facts *f, const json_t *diagnosis, const char *path, bool dry_run)
{
	struct collection c = { .facts = f };
	enum exit_code code = EXIT_CODE_OK;
	struct err err;

	if (!dry_run && bundle_open(path, (uint64_t)time(NULL), &c.bundle, &err) < 0)
		return command_complain("doctor", EXIT_CODE_DIFFERENT, err.msg);
	collect_all(&c, diagnosis);
	if (dry_run)
		code = write_out("doctor", &c.list);
	else if (bundle_close(c.bundle, &err) < 0)
		code = command_complain("doctor", EXIT_CODE_DIFFERENT, err.msg);
	buf_done(&c.list);
	return code;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * There are two variants of iptables, whose rules live in different places of the kernel and do not
 * see each other: nf_tables and legacy. On a node of Kubernetes the right one is that which kubelet
 * uses; it makes the chain KUBE-IPTABLES-HINT (before 1.27: KUBE-KUBELET-CANARY) in mangle for
 * others to see.
 *
 * A program takes longer than its work in the kernel, so a start runs few of them. For each family:
 *
 *  1. "NAME -V" tells the variant and the version, which decide about rules and about what may be
 *     known without a program. Where the other variant has tables that may have kubelet's chain, its
 *     NAME-save looks for it.
 *  2. NAME-save reads all tables. It does not run where the kernel says that it has none of them.
 *  3. NAME-restore tries the rules that this node may need (iptables_trial.c), before anything is
 *     written: programs and kernel together must know every match and target. Those that are in
 *     rules of ours are known; where these are all, it does not run.
 *  4. NAME-restore writes what is missing: one run for all kinds of facts, with a commit for each
 *     step of the order.
 *
 * That is at most six on an empty node, and four on one where everything stands already.
 * tests/vm/test_starts.sh counts.
 */
#include "iptables_tool.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/exec.h"
#include "kernel/iptables_text.h"
#include "nft.h"

enum {
	QUICK_TIMEOUT_MS = 10000,
	/* while nothing else is done */
	MIXED_TIMEOUT_MS = 1000,
	/* nf_tables takes minutes where others keep 100,000 rules */
	TABLE_TIMEOUT_MS = 180000,
	NAME_SIZE = 32, /* of a table, with its newline */
};

static const char lock_wait[] = "5"; /* seconds, as kube-proxy */

int iptables_tool_parse_version(const char *text, struct iptables_info *ret)
{
	struct iptables_info info = { 0 };
	unsigned major, minor, patch = 0;
	char variant[16] = "";

	if (sscanf(text, "%*s v%31[0-9.] (%15[a-z_])", info.version, variant) < 1 ||
		sscanf(info.version, "%u.%u.%u", &major, &minor, &patch) < 2)
		return -EINVAL;
	info.nft = !strcmp(variant, "nf_tables");
	info.random_fully =
		major > 1 || (major == 1 && minor > 6) || (major == 1 && minor == 6 && patch >= 2);
	*ret = info;
	return 0;
}

static int open_iptables_tool(const char *name, struct iptables_tool *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct iptables_tool t = { 0 };
	int r = exec_run(
		(const char *const[]){ name, "-V", NULL }, NULL, 0, QUICK_TIMEOUT_MS, &out, err);

	if (r < 0)
		return r;
	if (r > 0 || iptables_tool_parse_version(buf_str(&out), &t.info)) {
		err_set(err, -EOPNOTSUPP, "%s -V does not tell its version", name);
		return -EOPNOTSUPP;
	}
	snprintf(t.name, sizeof(t.name), "%s", name);
	*ret = t;
	return 0;
}

static const char *variant_tool_name(int family, bool nft, char ret[static TOOL_NAME_SIZE])
{
	snprintf(ret, TOOL_NAME_SIZE, "%s-%s", family == AF_INET6 ? "ip6tables" : "iptables",
		nft ? "nft" : "legacy");
	return ret;
}

/* Asking the legacy program would load the table where nobody uses it. Returns 1, 0, or a negative
 * errno: only root may read the file. */
static int legacy_find(int family, enum table table)
{
	char name[NAME_SIZE];
	size_t len = strlen(table_name(table));
	bool found = false;
	FILE *f = fopen(
		family == AF_INET6 ? "/proc/net/ip6_tables_names" : "/proc/net/ip_tables_names",
		"re");

	if (!f)
		return errno == ENOENT ? 0 : -errno;
	while (!found && fgets(name, sizeof(name), f))
		found = !strncmp(name, table_name(table), len) && name[len] == '\n';
	fclose(f);
	return found;
}

static bool legacy_has(int family, enum table table)
{
	return legacy_find(family, table) > 0;
}

bool iptables_tool_may_have(const struct iptables_tool *t, int family, enum table table)
{
	struct err unused;

	return t->info.nft ? nft_has_table(family, table_name(table), &unused)
			   : legacy_find(family, table);
}

bool iptables_tool_save_legacy(int family, enum table table, struct buf *ret)
{
	char variant[TOOL_NAME_SIZE], name[TOOL_NAME_SIZE + sizeof("-save")];

	if (!legacy_has(family, table))
		return false;
	snprintf(name, sizeof(name), "%s-save", variant_tool_name(family, false, variant));
	return !exec_run((const char *const[]){ name, "-t", table_name(table), NULL }, NULL, 0,
		MIXED_TIMEOUT_MS, ret, NULL);
}

/* Returns 1, 0, or a shortage with words. */
static int hints_at(int family, bool nft, struct err *err)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	char variant[TOOL_NAME_SIZE], name[TOOL_NAME_SIZE + sizeof("-save")];
	struct iptables_line line;
	struct err unused;
	int r;

	if (nft ? !nft_has_table(family, table_name(TABLE_MANGLE), &unused)
		: !legacy_has(family, TABLE_MANGLE))
		return 0;
	snprintf(name, sizeof(name), "%s-save", variant_tool_name(family, nft, variant));
	r = exec_run((const char *const[]){ name, "-t", "mangle", NULL }, NULL, 0, TABLE_TIMEOUT_MS,
		&out, err);
	if (r)
		return err_is_shortage(r) ? r : 0;
	for (const char *at = buf_str(&out); iptables_next_line(&at, &line);)
		if (line.type == IPTABLES_LINE_CHAIN &&
			(!strcmp(line.name, "KUBE-IPTABLES-HINT") ||
				!strcmp(line.name, "KUBE-KUBELET-CANARY")))
			return 1;
	return 0;
}

int iptables_tool_find(int family, struct iptables_tool *ret, struct err *err)
{
	struct iptables_tool t, other;
	char name[TOOL_NAME_SIZE];
	int r = open_iptables_tool(family == AF_INET6 ? "ip6tables" : "iptables", &t, err), hint;

	if (r)
		return r;
	variant_tool_name(family, !t.info.nft, name);
	hint = hints_at(family, !t.info.nft, err);
	if (hint > 0) {
		r = hints_at(family, t.info.nft, err);
		hint = r < 0 ? r : !r;
	}
	if (hint > 0) {
		r = open_iptables_tool(name, &other, err);
		hint = err_is_shortage(r) ? r : !r;
	}
	if (hint < 0)
		return hint;
	*ret = hint ? other : t;
	return 0;
}

bool iptables_tool_mixed(
	int family, const struct iptables_tool *t, char ret_name[static TOOL_NAME_SIZE])
{
	variant_tool_name(family, !t->info.nft, ret_name);
	if (t->info.nft && !legacy_has(family, TABLE_NAT))
		return false;
	return !exec_run(
		(const char *const[]){ ret_name, "-t", "nat", "-S", "KUBE-SERVICES", NULL }, NULL,
		0, MIXED_TIMEOUT_MS, NULL, NULL);
}

int iptables_tool_result(int r, struct err *words, struct err *err)
{
	static const struct {
		const char *part;
		int error;
	} known[] = {
		{ "xtables lock", -EAGAIN }, { "must be root", -EPERM },
		{ "Permission denied", -EPERM }, { "Operation not permitted", -EPERM },
		{ "Can't open socket to ipset", -EPERM }, /* CAP_NET_RAW */
	};
	char *advice = strstr(words->msg, " Try `");
	const bool exited = r > 0;

	if (!r)
		return 0;
	if (advice)
		*advice = '\0';
	if (r != -ETIMEDOUT && !err_is_shortage(r))
		r = exited ? -EINVAL : -EOPNOTSUPP;
	/* The exit status tells little: 4 is both "locked" and "no such match". */
	for (size_t i = 0; exited && r == -EINVAL && i < ARRAY_SIZE(known); i++)
		if (strstr(words->msg, known[i].part))
			r = known[i].error;
	return err_set(err, r, "%s", words->msg);
}

int iptables_tool_start_save(
	const struct iptables_tool *t, struct exec *x, const char *table, struct err *err)
{
	struct err words = { 0 };
	char name[TOOL_NAME_SIZE + sizeof("-restore")];
	int r;

	snprintf(name, sizeof(name), "%s-save", t->name);
	r = exec_start(x, (const char *const[]){ name, table ? "-t" : NULL, table, NULL }, NULL, 0,
		TABLE_TIMEOUT_MS, &words);
	return iptables_tool_result(r, &words, err);
}

int iptables_tool_start_restore(
	const struct iptables_tool *t, struct exec *x, const struct buf *doc, struct err *err)
{
	struct err words = { 0 };
	char name[TOOL_NAME_SIZE + sizeof("-restore")];
	int r;

	snprintf(name, sizeof(name), "%s-restore", t->name);
	r = exec_start(x, (const char *const[]){ name, "-w", lock_wait, "--noflush", NULL },
		buf_str(doc), doc->len, TABLE_TIMEOUT_MS, &words);
	return iptables_tool_result(r, &words, err);
}

int iptables_tool_restore(const struct iptables_tool *t, const struct buf *doc, struct err *err)
{
	struct err words = { 0 };
	char name[TOOL_NAME_SIZE + sizeof("-restore")];
	int r;

	snprintf(name, sizeof(name), "%s-restore", t->name);
	r = exec_run((const char *const[]){ name, "-w", lock_wait, "--noflush", NULL },
		buf_str(doc), doc->len, TABLE_TIMEOUT_MS, NULL, &words);
	return iptables_tool_result(r, &words, err);
}

int iptables_tool_try(const struct iptables_tool *t, struct err *err)
{
	struct err words = { 0 };
	int r = exec_run((const char *const[]){ t->name, "-w", lock_wait, "-t", "nat", "-S",
				 "POSTROUTING", NULL },
		NULL, 0, QUICK_TIMEOUT_MS, NULL, &words);

	return iptables_tool_result(r, &words, err);
}

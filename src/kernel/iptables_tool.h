/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_TOOL_H
#define KERNEL_IPTABLES_TOOL_H

#include "base/buf.h"
#include "base/err.h"
#include "core/fact.h"
#include "kernel/exec.h"
#include "kernel/iptables.h"

enum { TOOL_NAME_SIZE = 32 };

/* The programs of one family: NAME, NAME-save and NAME-restore. */
struct iptables_tool {
	char name[TOOL_NAME_SIZE]; /* "ip6tables", "iptables-legacy" */
	struct iptables_info info;
};

/*
 * The variant that PATH has under its plain name, unless kubelet's chains live in the other one and
 * that one is installed. Returns 0, -ENOENT (no such program), or another errno with words.
 */
int iptables_tool_find(int family, struct iptables_tool *ret, struct err *err);

/*
 * Whether the other variant has a KUBE-SERVICES, too, so that packets pass the rules of both.
 * Writes the name of its program, which runs for a second at most and does not wait for the lock of
 * iptables; the result is false if it does not answer in time.
 */
bool iptables_tool_mixed(
	int family, const struct iptables_tool *t, char ret_name[static TOOL_NAME_SIZE]);

/* What the legacy program tells about one table, within a second; false: the kernel does not have
 * the table, or the program failed. */
bool iptables_tool_save_legacy(int family, enum table table, struct buf *ret);

/* For tests: "iptables v1.8.9 (nf_tables)". Returns 0, or -EINVAL. */
int iptables_tool_parse_version(const char *text, struct iptables_info *ret);

/* False: the kernel has no such table of that variant, so that nothing can be read. */
bool iptables_tool_may_have(const struct iptables_tool *t, int family, enum table table);
/* Starts NAME-save on one table, or on all that the kernel has (NULL). Returns 0, or one of the
 * results of kernel/iptables.h with words. */
int iptables_tool_start_save(
	const struct iptables_tool *t, struct exec *x, const char *table, struct err *err);
/* Starts NAME-restore on the document, which stays valid until the program ends. Everything that
 * the document does not name is left alone. Returns as above. */
int iptables_tool_start_restore(
	const struct iptables_tool *t, struct exec *x, const struct buf *doc, struct err *err);
/* The same, and waits for its end. */
int iptables_tool_restore(const struct iptables_tool *t, const struct buf *doc, struct err *err);
/* Turns the result of exec_run() and its words into one of the results of kernel/iptables.h. */
int iptables_tool_result(int r, struct err *words, struct err *err);
/* Whether the family's nat table can be read: 0, or an errno with words. */
int iptables_tool_try(const struct iptables_tool *t, struct err *err);

#endif

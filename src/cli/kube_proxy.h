/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_KUBE_PROXY_H
#define CLI_KUBE_PROXY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* The kube-proxy of this node, or another proxy: its process, its options and its configuration file. */

enum {
	KUBE_PROXY_MAX_OPTIONS = 256,	 /* of its command line */
	KUBE_PROXY_MAX_TEXT = 64 * 1024, /* bytes of its command line, or of its list of cgroups */
};

struct kube_proxy {
	int pid;	/* 0: no process of that name is in our network namespace */
	bool pod;	/* the kubelet runs it */
	char *unit;	/* the systemd unit that runs it; NULL: none is known */
	char **options; /* of its command line, without --config */
	size_t n_options;
	char *named; /* --config, as the process calls the file; NULL: not given */
	char *file;  /* the same file as a path of ours; NULL: there is none */
};

/*
 * Looks for a process of that program below `proc`, which is "/proc" and has "self", too. A process in a container
 * has its file below its own root directory. Returns 0, also if there is none, or a negative errno
 * with words.
 */
int kube_proxy_find(const char *proc, const char *program, struct kube_proxy *ret, struct err *err);
void kube_proxy_done(struct kube_proxy *k);

/* Appends a word as a shell reads it, in quotes where it needs them. */
void shell_word_add(struct buf *b, const char *word);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_DRY_H
#define CLI_DRY_H

#include "command.h"
#include "config/config.h"
#include "core/engine.h"
#include "core/node_view.h"
#include "manifest/manifest.h"
#include "report/plan.h"

/* A dry run: manifests are resolved as the daemon of this node would, without a daemon. */

struct dry {
	const char *command; /* its name, for messages */
	struct config config;
	struct store store;
	struct manifests *manifests;
	struct node_view view; /* filled by dry_take_node() */
	struct engine *engine;
};

/* With which plans name objects of nftables. */
extern const struct plan_nftables_words dry_nftables_words;

void dry_init(struct dry *d, const char *command);
/* Frees the engine too, if there is one. */
void dry_done(struct dry *d);

/*
 * Reads the manifests and prints their problems. Returns EXIT_CODE_OK, EXIT_CODE_DIFFERENT (there
 * were problems), or EXIT_CODE_USAGE (nothing could be loaded).
 */
enum exit_code dry_load(struct dry *d, struct err *err);
/* The interface for sets and rules that a daemon with these options uses; "auto" is what a daemon of
 * this machine uses, or iptables where the kernel may not be asked (DIFF_NO). */
enum netfilter dry_netfilter(const struct config *c);
/*
 * Fills the view from the manifests' Node object of our name, or from the machine that this runs on: if
 * there is no such object or, with `compared`, if one of its addresses is on an interface here, because
 * a daemon takes all addresses of its machine. Returns 0, or a negative errno with a text.
 */
int dry_take_node(struct dry *d, bool compared, struct err *err);

#endif

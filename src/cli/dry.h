/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLI_DRY_H
#define CLI_DRY_H

#include "command.h"
#include "config/config.h"
#include "core/engine.h"
#include "core/node_view.h"
#include "manifest/manifest.h"

/* What a command needs to resolve manifests as the daemon of a node would. */

struct dry {
	const char *command; /* its name, for messages */
	struct config config;
	struct store store;
	struct manifests *manifests;
	struct node_view view; /* since dry_take_node() */
	struct engine *engine;
};

void dry_init(struct dry *d, const char *command);
/* Frees the engine too, if there is one. */
void dry_done(struct dry *d);

/* Reads the manifests, and tells what is wrong with them. Returns the exit code so far. */
enum exit_code dry_load(struct dry *d, struct err *err);
/* Takes the manifests' Node object of our name, or else the machine that this runs on. Returns 0,
 * or a negative errno with words. */
int dry_take_node(struct dry *d, struct err *err);

#endif

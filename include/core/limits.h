/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_LIMITS_H
#define CORE_LIMITS_H

#include <stdbool.h>

#include "core/node_view.h"
#include "core/store.h"

/*
 * What the iptables backend cannot do of what a Service asks for. It chooses endpoints by chance,
 * and has no way to end a connection.
 */

/* Calls fn with a few words for each; on IPVS never. The slot has a Service. */
void limits_tell(const struct slot *slot, const struct node_view *view,
	void (*fn)(const char *words, void *arg), void *arg);

/* The one that is more than a matter of degree: a scheduler that is not about taking turns. */
bool limits_scheduler(const struct service *s, const struct node_view *view);

#endif

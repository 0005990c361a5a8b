/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_CONFIG_WATCH_H
#define DAEMON_CONFIG_WATCH_H

#include "base/err.h"

/*
 * Notices changes of the file of --config: written in place, renamed over, or by another symbolic
 * link beside it, as Kubernetes updates a mounted ConfigMap.
 */

struct config_watch;

/* `path` must outlive it. Returns a descriptor that is readable when config_watch_read() should be
 * called, or a negative errno with words. */
int config_watch_new(const char *path, struct config_watch **ret, struct err *err);
void config_watch_free(struct config_watch *w);

/*
 * Looks at the file, once for each content. Returns 1 if it differs from the start, 0 if it does
 * not or cannot be read, or -EINVAL with words if it is no valid configuration.
 */
int config_watch_read(struct config_watch *w, struct err *err);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_CONFIG_WATCH_H
#define DAEMON_CONFIG_WATCH_H

#include "base/err.h"

/*
 * Notices that the file of --config says something else: written in place, renamed over, or as
 * Kubernetes changes a mounted ConfigMap, by another symbolic link beside it.
 */

struct config_watch;

/* `path` must outlive it. Returns 0, or a negative errno with words. */
int config_watch_new(const char *path, struct config_watch **ret, struct err *err);
void config_watch_free(struct config_watch *w);
int config_watch_fd(const struct config_watch *w);

/*
 * What happened since the last call: 1 where the file has other content than at the beginning, 0
 * where it has not or cannot be read, -EINVAL with words where it is no configuration. Each
 * content is looked at once.
 */
int config_watch_read(struct config_watch *w, struct err *err);

#endif

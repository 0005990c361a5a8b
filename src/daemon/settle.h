/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_SETTLE_H
#define DAEMON_SETTLE_H

#include "core/engine.h"

/*
 * Steps the engine without an event loop, for --once and --cleanup: until the node is in sync, or
 * until nothing more can be done about what fails. Returns 0, or -EIO after logging each fact that
 * is not in sync.
 */
int settle(struct engine *e);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_NETNS_LOCK_H
#define DAEMON_NETNS_LOCK_H

#include "base/err.h"

/*
 * One daemon a network namespace: two would undo each other's work, whatever their sockets and
 * inputs are. The lock is flock(2) on the namespace itself (/proc/self/ns/net, which is one inode
 * for all processes in it), so that it needs no file, holds across containers, and ends with the
 * process.
 *
 * Waits for up to `patience_ms` for a process that is about to end. Returns a descriptor, which
 * keeps the lock until it is closed; -EBUSY, with words about who has it; or another negative errno
 * with words: there is no lock, but no sign of another daemon either. Everybody may lock the
 * namespace, so a process of another user that is not root counts as no daemon (-EPERM).
 */
int netns_lock(unsigned patience_ms, struct err *err);

#endif

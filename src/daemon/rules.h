/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_RULES_H
#define DAEMON_RULES_H

struct daemon;

/* What the metrics tell of iptables. */

/* A step is through that may have failed. */
void rules_step(struct daemon *d);
/* A sync is through: what was written since the one before is its own. */
void rules_synced(struct daemon *d);
/* Counts the rules that there are. */
void rules_count(struct daemon *d);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_STATUS_H
#define DAEMON_STATUS_H

#include "base/err.h"

/* Serves the status and explanations of the running daemon on its UNIX socket. */

struct daemon;

/* Starts the server, if there is to be one. Returns 0, or a negative errno with words. */
int status_serve(struct daemon *d, struct err *err);

/* Logs the leftovers of kube-proxy that the daemon neither adopts nor removes. */
void status_log_leftovers(const struct daemon *d);
/* Looks whether both variants of iptables have rules for Services, and logs it once. */
void status_find_mixed(struct daemon *d);

#endif

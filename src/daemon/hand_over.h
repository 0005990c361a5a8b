/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_HAND_OVER_H
#define DAEMON_HAND_OVER_H

#include "daemon.h"

/*
 * For --hand-over: leaves what kube-proxy would have made for the same Services, without a moment in
 * which they are not served, and nothing that kube-proxy does not know. `options` are those of the
 * daemon, whose input is complete.
 *
 * 1. What kube-proxy's layout needs is added to ours, on iptables once our own leads all packets. A
 *    failure ends here, and leaves our layout. If kube-proxy's iptables mode has its layout there
 *    already, this step is left out.
 * 2. Its layout takes the place of ours.
 * 3. Connections that nothing in its layout can carry have the time-out of draining to end.
 *
 * Returns 0, or -EIO after logging what could not be done.
 */
int hand_over(struct daemon *d, struct options *options);

#endif

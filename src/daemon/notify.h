/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

/*
 * Tells the service manager, if there is one, in the protocol of sd_notify(3): lines of
 * VARIABLE=value to the datagram socket that $NOTIFY_SOCKET names.
 */
void notify(const char *state);

/* How often the service manager has to hear "WATCHDOG=1" of this process, in ms; 0: it need not. */
unsigned notify_watchdog_ms(void);

#endif

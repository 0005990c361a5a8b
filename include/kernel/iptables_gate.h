/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_GATE_H
#define KERNEL_IPTABLES_GATE_H

#include "core/fact.h"

/*
 * Whether a built-in chain of table filter lets the first packet of a connection to a pod pass, as
 * far as the rules of others tell. We accept no such packets in FORWARD and OUTPUT, as kube-proxy
 * does not: network policies of CNI plugins are rules there, which must see the packets.
 */
enum gate {
	GATE_OPEN,
	GATE_POLICY, /* closed by the policy of the chain */
	GATE_RULE,   /* closed by a rule that drops or rejects everything */
};

/*
 * Reads what iptables-save printed for table filter. In doubt the gate is open: it is if any rule
 * behind the hook accepts new packets, except to single ports and on interfaces of Docker, libvirt
 * and lo.
 */
enum gate iptables_gate_read(const char *text, int family, enum hook hook);

#endif

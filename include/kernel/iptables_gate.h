/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef KERNEL_IPTABLES_GATE_H
#define KERNEL_IPTABLES_GATE_H

#include <stdbool.h>

#include "core/fact.h"

/*
 * Whether a built-in chain of table filter lets packets of Services pass, as far as the rules of
 * others tell. We accept no new packets in FORWARD and OUTPUT, as kube-proxy does not: network
 * policies of CNI plugins are rules there, which must see the packets.
 */
enum gate {
	GATE_OPEN,
	GATE_POLICY, /* closed by the policy of the chain */
	GATE_RULE,   /* closed by a rule that drops or rejects everything */
};

/* The packets that it is about: to any port, between clients and any pod or VIP. */
struct gate_packets {
	enum hook hook;
	bool replies;	 /* of established connections, else the first packets of new ones */
	bool translated; /* netfilter has translated their destination */
};

/*
 * Reads what iptables-save printed for table filter. In doubt the gate is open: it is if any rule
 * behind the hook accepts such packets, except to single ports and on interfaces of Docker, libvirt
 * and lo.
 */
enum gate iptables_gate_read(const char *text, int family, const struct gate_packets *packets);

/* An interface of Docker or libvirt, whose rules are about their own containers, or lo. */
bool gate_is_others_interface(const char *name);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_FACT_TEXT_H
#define CORE_FACT_TEXT_H

#include "base/buf.h"
#include "base/err.h"
#include "core/fact.h"

/*
 * Facts as lines of text: plan and logs show them to people, golden files and tests read them. See
 * ipvsctl-svc(1), plan.
 *
 *	link kube-ipvs0
 *	policy-rule IPv4 90 mark=0x1000 mask=0x1000 table=2512
 *	set KUBE-CLUSTER-IP hash:ip,port maxelem=65536
 *	member KUBE-CLUSTER-IP 10.96.0.10,tcp:80
 *	member KUBE-LOCAL-MARK 203.0.113.1,tcp:80 mark=0x100000 mask=0xfff00000
 *	chain IPv4 nat KUBE-SERVICES text=0123456789abcdef
 *	dispatch 10.96.0.10:80/TCP KUBE-SVC-XPGD46QRK7WJZT7O
 *	jump IPv4 nat PREROUTING KUBE-SERVICES text=0123456789abcdef
 *	vs 10.96.0.10:80/TCP rr persistence=10800
 *	rs 10.96.0.10:80/TCP 10.244.1.11:8080 weight=1
 *	held 203.0.113.1
 *	route 10.96.0.10 src=192.168.50.1
 *	route 203.0.113.1 table=2512
 *	addr 10.96.0.10
 *
 * A virtual server that is selected by firewall mark is "fwmark:MARK/IPv4". The dispatch entry of a
 * node port has the unspecified address.
 */

/* Appends the line, without a newline. */
void fact_print(struct buf *b, const struct fact *f);
/* The inverse; takes only lines that fact_print() prints, to the letter. Returns 0, or -EINVAL with
 * words. */
int fact_parse(const char *line, struct fact *ret, struct err *err);

/* The element as the ipset command prints it: "10.96.0.10,tcp:80"; "30080" for bitmap:port. */
void fact_print_member(struct buf *b, const struct fact_key *key);
/* With the element's mark, if it has one: "203.0.113.1,tcp:80 skbmark 0x100000/0xfff00000". */
void fact_print_element(struct buf *b, const struct fact *f);

#endif

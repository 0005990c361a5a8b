// SPDX-License-Identifier: GPL-2.0-or-later
/* Any message is decoded or -EBADMSG, and no byte behind it is read. */
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <string.h>

#include "../../src/kernel/conntrack_msg.h"
#include "../../src/kernel/ipset_msg.h"
#include "../../src/kernel/ipvs_msg.h"
#include "../../src/kernel/link_held.h"
#include "../../src/kernel/link_msg.h"
#include "../../src/kernel/link_rule_msg.h"
#include "../../src/kernel/nft_gate_rule.h"
#include "../../src/kernel/nftables_generation.h"
#include "../../src/kernel/nftables_msg.h"
#include "../../src/kernel/nftables_set.h"
#include "base/mem.h"
#include "core/fact_text.h"
#include "fuzz.h"
#include "kernel/link_monitor.h"

/* A decoded value can be printed. */
static void check_fact(const struct fact *f, void *arg)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	(void)arg;
	fact_print(&text, f);
	must(text.len);
}

/* `f` is the decoded value, if it is a fact. */
static void check(int r, const struct fact *f)
{
	must(r >= -4095 && r <= 1);
	if (r == 1 && f)
		check_fact(f, NULL);
}

static void read_ipvs(struct nlmsghdr *msg)
{
	struct ip ip = { .family = AF_INET, .bytes = { 10, 96, 0, 1 } };
	struct fact vs = fact_vs(&ip, 80, IPPROTO_TCP), f;
	struct rs_conns conns;
	uint16_t family;

	check(ipvs_read_vs(msg, &f), &f);
	check(ipvs_read_rs(msg, &vs.key, &f, &conns), &f);
	check(ipvs_read_family(msg, &family), NULL);
}

static void read_ipset(struct nlmsghdr *msg, unsigned which)
{
	struct ipset_reading reading = { .id = which / 2 % SET_IPSETS,
		.family = which & 1 ? AF_INET6 : AF_INET,
		.fn = check_fact };

	ipset_read_set(msg, &reading);
	ipset_read_members(msg, &reading);
}

static void read_link(struct nlmsghdr *msg)
{
	struct link_watch watch = { .index = { 2, 3 }, .own_links = { 1 }, .own_addresses6 = 1 };
	struct link_device device;
	struct link_address address;
	struct link_rule rule;
	struct link_hop hop;
	struct fact f;

	check(link_held_read_route(msg, 2, &f), &f);
	check(link_read_hop(msg, &hop), NULL);
	check(link_read_rule(msg, &rule), NULL);
	check(link_read_device(msg, &device), NULL);
	check(link_read_route(msg, &f), &f);
	check(link_read_address(msg, &address), NULL);
	link_watch_read(&watch, msg);
}

/* The same answer is taken for the elements of every set. */
static bool take_as_elements(const char *set, struct gate_elements *elements, void *arg)
{
	must(strlen(set) < 65536);
	check(gate_elements_take(elements, arg), NULL);
	return true;
}

static void look_at_chain(const char *chain, void *arg)
{
	(void)arg;
	must(strlen(chain) < 65536);
}

/* A rule of others. */
static void read_gate(struct nlmsghdr *msg, unsigned which)
{
	const struct gate_packets packets = { HOOK_FORWARD, which & 1, which & 2 };
	struct gate_reader reader = {
		.packets = &packets, .ask = take_as_elements, .follow = look_at_chain, .arg = msg
	};

	must(gate_read_rule(&reader,
		     nlmsg_find_attr(msg, sizeof(struct nfgenmsg), NFTA_RULE_EXPRESSIONS)) <=
		GATE_ENDS);
}

/* One rule with a bit of everything, and one with each target of the nftables backend. */
static struct rule rule_to_compare(unsigned which)
{
	const struct spread spread = { 3, SPREAD_ENTRY | SPREAD_FLAGS, 0, 60 };
	const struct rule rules[] = {
		{ .match = { match_set(SET_CLUSTER_IP, DIRS_DST_DST),
			  { MATCH_STATES, .states = STATE_NEW } },
			.target = jump_to("KUBE-SERVICES") },
		{ .target = { TARGET_SPREAD, .dispatch = { SET_DISPATCH_POD, true } } },
		{ .target = { TARGET_RECALL, .spread = spread } },
		{ .target = { TARGET_FORGET, .spread = spread } },
		{ .target = { TARGET_SLOT, .spread = spread } },
	};

	return rules[which % ARRAY_SIZE(rules)];
}

static void read_nftables(struct nlmsghdr *msg, unsigned which)
{
	const int family = which & 1 ? AF_INET6 : AF_INET;
	const struct fact set = fact_set(which / 2 % SET_COUNT, family);
	const struct nftables_dialect dialect = { family, which % 5 ? TABLE_NAT : TABLE_FILTER,
		0xfff00000 };
	const struct rule rule = rule_to_compare(which);
	struct nl_msg *written = nftables_msg_rule(&dialect, "", &rule, 1);
	struct port_set noted = { 0 };
	struct nftables_chain chain;
	struct nftables_rule told;
	const char *name;
	uint32_t flags, generation;
	struct fact f;

	must(written);
	nftables_take_generation(msg, &generation);
	check(nftables_read_table(msg, &name, &flags), NULL);
	check(nftables_read_chain(msg, &chain), NULL);
	check(nftables_read_set(msg, &f), &f);
	check(nftables_read_any_set(msg), NULL);
	check(nftables_read_note(msg, &noted), NULL);
	check(nftables_read_members(msg, &set.key, 0xfff00000, check_fact, NULL), NULL);
	if (!nftables_read_rule(msg, &told) && told.expressions) {
		nftables_rule_leads_to(told.expressions);
		nftables_rule_holds(nlmsg_find_attr(nlmsg_hdr(written), sizeof(struct nfgenmsg),
					    NFTA_RULE_EXPRESSIONS),
			told.expressions);
	}
	nlmsg_free(written);
}

/* The first byte selects the decoder, the second one the set. The length is always correct, as nl.c
 * checks it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ struct nlmsghdr *msg = NULL;
	struct conntrack_entry entry;
	struct connection connection;

	if (size < 2 + sizeof(*msg))
		return 0;
	msg = mem_zalloc(1, size - 2);
	memcpy(msg, data + 2, size - 2);
	msg->nlmsg_len = (uint32_t)size - 2;
	switch (data[0] % 5) {
	case 0:
		read_ipvs(msg);
		break;
	case 1:
		read_ipset(msg, data[1]);
		break;
	case 2:
		read_link(msg);
		break;
	case 3:
		conntrack_read(msg, &entry);
		conntrack_read_connection(msg, &connection);
		break;
	case 4:
		read_nftables(msg, data[1]);
		read_gate(msg, data[1]);
		break;
	}
	return 0;
}

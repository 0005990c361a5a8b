// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An expression reads or writes registers; a rule ends at the first that does not hold. Fields that
 * are looked up together stand in registers of 4 bytes one behind the other, as in the keys of sets
 * (nftables_msg.c).
 */
#include "nftables_rule.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum {
	REGISTER = 0,	  /* of what is compared, and the first field of a key */
	UNUSED = 12,	  /* takes what nobody looks at; in words behind every key */
	SOURCE_AT_4 = 12, /* struct iphdr */
	DESTINATION_AT_4 = 16,
	SOURCE_AT_6 = 8, /* struct ip6_hdr */
	DESTINATION_AT_6 = 24,
	PORT_AT = 2, /* the destination port of TCP, UDP and SCTP */
	REGISTER_SIZE = 4,
	NONE = 100, /* no register */
	VERDICT,
	/* include/net/netfilter/nf_conntrack.h, NF_CT_STATE_BIT() */
	CT_INVALID = 1 << 0,
	CT_ESTABLISHED = 1 << 1,
	CT_RELATED = 1 << 2,
	CT_NEW = 1 << 3,
	CT_UNTRACKED = 1 << 6,
};

/* The expressions of one rule while they are written. */
struct expressions {
	struct nl_msg *msg;
	const struct nftables_dialect *dialect;
	struct nlattr *expression, *data; /* open */
	int result;
};

/* Writing */

static void put_bytes(struct expressions *x, int type, const void *bytes, size_t len)
{
	if (!x->result && nla_put(x->msg, type, (int)len, bytes))
		x->result = -EMSGSIZE;
}

static void put_number(struct expressions *x, int type, uint32_t value)
{
	const uint32_t wire = htonl(value);

	put_bytes(x, type, &wire, sizeof(wire));
}

/* Registers are counted in words; the kernel tells each fourth one by the name that it had when all
 * registers were of 16 bytes (nft_dump_register()). */
static void put_register(struct expressions *x, int type, uint32_t word)
{
	put_number(x, type, word % 4 ? NFT_REG32_00 + word : NFT_REG_1 + word / 4);
}

static struct nlattr *begin_nest(struct expressions *x, int type)
{
	struct nlattr *nest = x->result ? NULL : nla_nest_start(x->msg, type | NLA_F_NESTED);

	if (!nest && !x->result)
		x->result = -EMSGSIZE;
	return nest;
}

static void end_nest(struct expressions *x, struct nlattr *nest)
{
	if (nest && nla_nest_end(x->msg, nest) && !x->result)
		x->result = -EMSGSIZE;
}

static void begin(struct expressions *x, const char *name)
{
	x->expression = begin_nest(x, NFTA_LIST_ELEM);
	put_bytes(x, NFTA_EXPR_NAME, name, strlen(name) + 1);
	x->data = begin_nest(x, NFTA_EXPR_DATA);
}

static void end(struct expressions *x)
{
	end_nest(x, x->data);
	end_nest(x, x->expression);
}

static void put_value(struct expressions *x, int type, const void *value, size_t len)
{
	struct nlattr *nest = begin_nest(x, type);

	put_bytes(x, NFTA_DATA_VALUE, value, len);
	end_nest(x, nest);
}

/* Loading into registers */

static void load_payload(
	struct expressions *x, enum nft_payload_bases base, uint32_t at, uint32_t len, uint32_t to)
{
	begin(x, "payload");
	put_register(x, NFTA_PAYLOAD_DREG, to);
	put_number(x, NFTA_PAYLOAD_BASE, base);
	put_number(x, NFTA_PAYLOAD_OFFSET, at);
	put_number(x, NFTA_PAYLOAD_LEN, len);
	end(x);
}

static size_t address_size(const struct expressions *x)
{
	return x->dialect->family == AF_INET6 ? 16 : 4;
}

/* How many registers an address takes. */
static uint32_t address_words(const struct expressions *x)
{
	return (uint32_t)address_size(x) / REGISTER_SIZE;
}

static void load_address(struct expressions *x, bool source, uint32_t to)
{
	const bool six = x->dialect->family == AF_INET6;
	const uint32_t at = source ? (six ? SOURCE_AT_6 : SOURCE_AT_4)
				   : (six ? DESTINATION_AT_6 : DESTINATION_AT_4);

	load_payload(x, NFT_PAYLOAD_NETWORK_HEADER, at, (uint32_t)address_size(x), to);
}

static void load_port(struct expressions *x, uint32_t to)
{
	load_payload(x, NFT_PAYLOAD_TRANSPORT_HEADER, PORT_AT, sizeof(uint16_t), to);
}

static void load_meta(struct expressions *x, enum nft_meta_keys key, uint32_t to)
{
	begin(x, "meta");
	put_register(x, NFTA_META_DREG, to);
	put_number(x, NFTA_META_KEY, key);
	end(x);
}

static void load_conntrack(struct expressions *x, enum nft_ct_keys key)
{
	begin(x, "ct");
	put_register(x, NFTA_CT_DREG, REGISTER);
	put_number(x, NFTA_CT_KEY, key);
	end(x);
}

static void load_value(struct expressions *x, uint32_t to, const void *value, size_t len)
{
	begin(x, "immediate");
	put_register(x, NFTA_IMMEDIATE_DREG, to);
	put_value(x, NFTA_IMMEDIATE_DATA, value, len);
	end(x);
}

/* The fields of a set's key, as `dirs` says, from REGISTER on. */
static void load_key(struct expressions *x, enum set_id set, enum set_dirs dirs)
{
	const uint32_t words = address_words(x);
	const bool from_source = dirs == DIRS_SRC || dirs == DIRS_SRC_DST;
	uint32_t to = REGISTER;

	if (set_info(set)->type == SET_TYPE_BITMAP_PORT) {
		load_port(x, to);
		return;
	}
	load_address(x, from_source, to);
	if (set_info(set)->type == SET_TYPE_HASH_IP)
		return;
	to += words;
	load_meta(x, NFT_META_L4PROTO, to++);
	load_port(x, to++);
	if (set_info(set)->type != SET_TYPE_HASH_IP_PORT)
		load_address(x, true, to);
}

/* Comparing what is in REGISTER */

static void compare(struct expressions *x, enum nft_cmp_ops op, const void *value, size_t len)
{
	begin(x, "cmp");
	put_register(x, NFTA_CMP_SREG, REGISTER);
	put_number(x, NFTA_CMP_OP, op);
	put_value(x, NFTA_CMP_DATA, value, len);
	end(x);
}

static enum nft_cmp_ops equality(bool negated)
{
	return negated ? NFT_CMP_NEQ : NFT_CMP_EQ;
}

/* REGISTER = (REGISTER & mask) ^ flips */
static void change_bits(struct expressions *x, const void *mask, const void *flips, size_t len)
{
	begin(x, "bitwise");
	put_register(x, NFTA_BITWISE_SREG, REGISTER);
	put_register(x, NFTA_BITWISE_DREG, REGISTER);
	put_number(x, NFTA_BITWISE_LEN, (uint32_t)len);
	put_value(x, NFTA_BITWISE_MASK, mask, len);
	put_value(x, NFTA_BITWISE_XOR, flips, len);
	end(x);
}

/* Of a number in host order: whether one of these bits is set, or none. */
static void test_bits(struct expressions *x, uint32_t bits, bool any)
{
	const uint32_t none = 0;

	change_bits(x, &bits, &none, sizeof(bits));
	compare(x, any ? NFT_CMP_NEQ : NFT_CMP_EQ, &none, sizeof(none));
}

/* Matches */

static void match_address(struct expressions *x, const struct rule_match *m)
{
	static const uint8_t none[16],
		all[16] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff };
	const size_t len = address_size(x);
	uint8_t wanted[16];

	load_address(x, m->type == MATCH_SOURCE, REGISTER);
	for (size_t i = 0; i < len; i++)
		wanted[i] = m->net.ip.bytes[i] & m->net.mask[i];
	if (memcmp(m->net.mask, all, len) != 0)
		change_bits(x, m->net.mask, none, len);
	compare(x, equality(m->negated), wanted, len);
}

static void match_interface(struct expressions *x, const struct rule_match *m)
{
	const size_t len = strlen(m->interface);
	char name[IFNAMSIZ] = { 0 };

	load_meta(x, NFT_META_IIFNAME, REGISTER);
	snprintf(name, sizeof(name), "%s", m->interface);
	if (len && m->interface[len - 1] == '+') {
		if (len > 1)
			compare(x, equality(m->negated), name, len - 1);
	} else {
		compare(x, equality(m->negated), name, sizeof(name));
	}
}

static void match_ports(struct expressions *x, const struct rule_match *m)
{
	const uint16_t first = htons(m->ports.first), last = htons(m->ports.last);

	load_port(x, REGISTER);
	if (first == last) {
		compare(x, equality(m->negated), &first, sizeof(first));
		return;
	}
	begin(x, "range");
	put_register(x, NFTA_RANGE_SREG, REGISTER);
	put_number(x, NFTA_RANGE_OP, m->negated ? NFT_RANGE_NEQ : NFT_RANGE_EQ);
	put_value(x, NFTA_RANGE_FROM_DATA, &first, sizeof(first));
	put_value(x, NFTA_RANGE_TO_DATA, &last, sizeof(last));
	end(x);
}

static void match_lookup(struct expressions *x, const struct rule_match *m)
{
	char name[SET_NAME_LEN + 1];

	load_key(x, m->set.id, m->set.dirs);
	set_name(m->set.id, x->dialect->family, name);
	begin(x, "lookup");
	put_bytes(x, NFTA_LOOKUP_SET, name, strlen(name) + 1);
	put_register(x, NFTA_LOOKUP_SREG, REGISTER);
	/* Older kernels look up a map only for its value (6.1: nft_lookup_init()). */
	if (set_info(m->set.id)->marks)
		put_register(x, NFTA_LOOKUP_DREG, UNUSED);
	else
		put_number(x, NFTA_LOOKUP_FLAGS, m->negated ? NFT_LOOKUP_F_INV : 0);
	end(x);
	if (set_info(m->set.id)->marks && m->negated)
		x->result = -EOPNOTSUPP;
}

static void match_states(struct expressions *x, const struct rule_match *m)
{
	static const struct {
		uint16_t state;
		uint32_t bit;
	} states[] = { { STATE_INVALID, CT_INVALID }, { STATE_NEW, CT_NEW },
		{ STATE_RELATED, CT_RELATED }, { STATE_ESTABLISHED, CT_ESTABLISHED },
		{ STATE_UNTRACKED, CT_UNTRACKED } },
	  nat[] = { { STATE_SNAT, IPS_SRC_NAT }, { STATE_DNAT, IPS_DST_NAT } };
	uint32_t state = 0, status = 0;

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		state |= m->states & states[i].state ? states[i].bit : 0;
	for (size_t i = 0; i < ARRAY_SIZE(nat); i++)
		status |= m->states & nat[i].state ? nat[i].bit : 0;
	/* "Either" takes two rules. */
	if (state && status && !m->negated) {
		x->result = -EOPNOTSUPP;
		return;
	}
	if (state) {
		load_conntrack(x, NFT_CT_STATE);
		test_bits(x, state, !m->negated);
	}
	if (status) {
		load_conntrack(x, NFT_CT_STATUS);
		test_bits(x, status, !m->negated);
	}
}

static void match_local(struct expressions *x, const struct rule_match *m)
{
	const uint32_t local = RTN_LOCAL;

	begin(x, "fib");
	put_register(x, NFTA_FIB_DREG, REGISTER);
	put_number(x, NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	put_number(x, NFTA_FIB_FLAGS,
		m->type == MATCH_SOURCE_LOCAL ? NFTA_FIB_F_SADDR : NFTA_FIB_F_DADDR);
	end(x);
	compare(x, equality(m->negated), &local, sizeof(local));
}

static void match_share(struct expressions *x, const struct rule_match *m)
{
	begin(x, "numgen");
	put_register(x, NFTA_NG_DREG, REGISTER);
	put_number(x, NFTA_NG_MODULUS, RULE_SHARE_ALL);
	put_number(x, NFTA_NG_TYPE, NFT_NG_RANDOM);
	put_number(x, NFTA_NG_OFFSET, 0);
	end(x);
	/* Numbers of any size are compared as bytes. */
	begin(x, "byteorder");
	put_register(x, NFTA_BYTEORDER_SREG, REGISTER);
	put_register(x, NFTA_BYTEORDER_DREG, REGISTER);
	put_number(x, NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON);
	put_number(x, NFTA_BYTEORDER_LEN, sizeof(uint32_t));
	put_number(x, NFTA_BYTEORDER_SIZE, sizeof(uint32_t));
	end(x);
	compare(x, m->negated ? NFT_CMP_GTE : NFT_CMP_LT, &(uint32_t){ htonl(m->share) },
		sizeof(uint32_t));
}

static void put_match(struct expressions *x, const struct rule_match *m)
{
	const bool six = x->dialect->family == AF_INET6;
	const uint8_t echo = six ? 128 : 8; /* ICMP6_ECHO_REQUEST, ICMP_ECHO */

	switch ((enum match)m->type) {
	case MATCH_SOURCE:
	case MATCH_DESTINATION:
		match_address(x, m);
		return;
	case MATCH_INTERFACE:
		match_interface(x, m);
		return;
	case MATCH_PROTOCOL:
		load_meta(x, NFT_META_L4PROTO, REGISTER);
		compare(x, equality(m->negated), &m->protocol, sizeof(m->protocol));
		return;
	case MATCH_PORTS:
		match_ports(x, m);
		return;
	case MATCH_ICMP_ECHO:
		load_payload(x, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(echo), REGISTER);
		compare(x, equality(m->negated), &echo, sizeof(echo));
		return;
	case MATCH_SET:
		match_lookup(x, m);
		return;
	case MATCH_MARK:
		load_meta(x, NFT_META_MARK, REGISTER);
		change_bits(x, &m->mark.mask, &(uint32_t){ 0 }, sizeof(m->mark.mask));
		compare(x, equality(m->negated), &m->mark.value, sizeof(m->mark.value));
		return;
	case MATCH_STATES:
		match_states(x, m);
		return;
	case MATCH_SOURCE_LOCAL:
	case MATCH_DESTINATION_LOCAL:
		match_local(x, m);
		return;
	case MATCH_SHARE:
		match_share(x, m);
		return;
	/* Only the iptables backend keeps records of clients. */
	case MATCH_REMEMBER:
	case MATCH_REMEMBERED:
		x->result = -EOPNOTSUPP;
		return;
	case MATCH_ANY:
	case MATCHES:
		return;
	}
}

/* Targets */

static void put_verdict(struct expressions *x, int code, const char *chain)
{
	char name[NFTABLES_CHAIN_LEN + 1];
	struct nlattr *data, *verdict;

	begin(x, "immediate");
	put_number(x, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = begin_nest(x, NFTA_IMMEDIATE_DATA);
	verdict = begin_nest(x, NFTA_DATA_VERDICT);
	put_number(x, NFTA_VERDICT_CODE, (uint32_t)code);
	if (chain) {
		nftables_chain_name(x->dialect->table, chain, name);
		put_bytes(x, NFTA_VERDICT_CHAIN, name, strlen(name) + 1);
	}
	end_nest(x, verdict);
	end_nest(x, data);
	end(x);
}

static void set_mark(struct expressions *x, uint32_t from)
{
	begin(x, "meta");
	put_number(x, NFTA_META_KEY, NFT_META_MARK);
	put_register(x, NFTA_META_SREG, from);
	end(x);
}

static void map_mark(struct expressions *x, enum set_id set, enum set_dirs dirs)
{
	char name[SET_NAME_LEN + 1];

	load_meta(x, NFT_META_MARK, REGISTER);
	test_bits(x, ~x->dialect->mark_mask, false);
	load_key(x, set, dirs);
	set_name(set, x->dialect->family, name);
	begin(x, "lookup");
	put_bytes(x, NFTA_LOOKUP_SET, name, strlen(name) + 1);
	put_register(x, NFTA_LOOKUP_SREG, REGISTER);
	put_register(x, NFTA_LOOKUP_DREG, REGISTER);
	end(x);
	set_mark(x, REGISTER);
}

/* To the address in a register and, unless it is NONE, to the port in another one. */
static void translate(struct expressions *x, uint32_t address, uint32_t port)
{
	begin(x, "nat");
	put_number(x, NFTA_NAT_TYPE, NFT_NAT_DNAT);
	put_number(
		x, NFTA_NAT_FAMILY, x->dialect->family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	put_register(x, NFTA_NAT_REG_ADDR_MIN, address);
	if (port != NONE)
		put_register(x, NFTA_NAT_REG_PROTO_MIN, port);
	end(x);
}

/*
 * The nftables backend: see core/spread.h and core/resolve_nftables.c. A client, the frontend that
 * it connects to and a third field stand one behind the other, so that every key is a part of them:
 * client and frontend in SET_CLIENTS, frontend and slot, frontend and endpoint.
 */

static uint32_t frontend_at(const struct expressions *x)
{
	return REGISTER + address_words(x);
}

static uint32_t third_at(const struct expressions *x)
{
	return frontend_at(x) + address_words(x) + 2;
}

/* Address, protocol and port that the packet goes to, as entries and slots have them. */
static void load_frontend(struct expressions *x, bool node_port, uint32_t to)
{
	static const uint8_t any[16];

	if (node_port)
		load_value(x, to, any, address_size(x));
	else
		load_address(x, false, to);
	to += address_words(x);
	load_meta(x, NFT_META_L4PROTO, to);
	load_port(x, to + 1);
}

static void load_client(struct expressions *x, const struct spread *s)
{
	load_address(x, true, REGISTER);
	load_frontend(x, s->flags & SPREAD_NODE_PORT, frontend_at(x));
}

/* Loads the map's value for the key into a register; VERDICT: goes to the chain that it names. */
static void look_up(struct expressions *x, enum set_id set, uint32_t key, uint32_t to)
{
	char name[SET_NAME_LEN + 1];

	set_name(set, x->dialect->family, name);
	begin(x, "lookup");
	put_bytes(x, NFTA_LOOKUP_SET, name, strlen(name) + 1);
	put_register(x, NFTA_LOOKUP_SREG, key);
	if (to == VERDICT)
		put_number(x, NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
	else
		put_register(x, NFTA_LOOKUP_DREG, to);
	end(x);
}

/*
 * Copies a map's value word by word into the packet's mark and back, and restores the mark. No
 * register changes but the one behind the value. `nft list` needs it: it ends with a failed
 * assertion where a key is a map's value, because it does not know how long that is
 * (netlink_parse_concat_expr() in nftables 1.0.6).
 */
static void tell_length(struct expressions *x, uint32_t at, uint32_t words)
{
	const uint32_t saved = at + words;

	load_meta(x, NFT_META_MARK, saved);
	for (uint32_t i = 0; i < words; i++) {
		set_mark(x, at + i);
		load_meta(x, NFT_META_MARK, at + i);
	}
	set_mark(x, saved);
}

/* Notes the client of REGISTER with the endpoint's address at `data`, or forgets it. Of one that is
 * noted already only the time begins anew. */
static void change_clients(
	struct expressions *x, enum nft_dynset_ops op, uint32_t data, const struct spread *s)
{
	const uint64_t timeout = htobe64((uint64_t)s->affinity * 1000);
	char name[SET_NAME_LEN + 1];

	set_name(SET_CLIENTS, x->dialect->family, name);
	begin(x, "dynset");
	put_bytes(x, NFTA_DYNSET_SET_NAME, name, strlen(name) + 1);
	put_number(x, NFTA_DYNSET_OP, op);
	put_register(x, NFTA_DYNSET_SREG_KEY, REGISTER);
	put_register(x, NFTA_DYNSET_SREG_DATA, data);
	if (op != NFT_DYNSET_OP_DELETE)
		put_bytes(x, NFTA_DYNSET_TIMEOUT, &timeout, sizeof(timeout));
	end(x);
}

static void go_to_spread(struct expressions *x, const struct rule_target *t)
{
	load_frontend(x, t->dispatch.node_port, REGISTER);
	look_up(x, t->dispatch.set, REGISTER, REGISTER);
	tell_length(x, REGISTER, 1);
	look_up(x, SET_SPREADS, REGISTER, VERDICT);
}

static void recall_client(struct expressions *x, const struct spread *s)
{
	const enum set_id set = s->flags & SPREAD_LOCAL ? SET_AFFINITY_LOCAL : SET_AFFINITY;

	load_client(x, s);
	look_up(x, SET_CLIENTS, REGISTER, third_at(x));
	tell_length(x, third_at(x), address_words(x));
	change_clients(x, NFT_DYNSET_OP_UPDATE, third_at(x), s);
	look_up(x, set, frontend_at(x), REGISTER);
	translate(x, REGISTER, REGISTER + address_words(x));
}

static void choose_slot(struct expressions *x, const struct spread *s)
{
	const enum set_id set = s->flags & SPREAD_LOCAL ? SET_ENDPOINTS_LOCAL : SET_ENDPOINTS;
	const uint32_t chosen = third_at(x) + 1;

	load_client(x, s);
	begin(x, "numgen");
	put_register(x, NFTA_NG_DREG, third_at(x));
	put_number(x, NFTA_NG_MODULUS, s->slots);
	put_number(x, NFTA_NG_TYPE, NFT_NG_RANDOM);
	put_number(x, NFTA_NG_OFFSET, 0);
	end(x);
	if (s->affinity) {
		look_up(x, set, frontend_at(x), chosen);
		tell_length(x, chosen, address_words(x));
		change_clients(x, NFT_DYNSET_OP_UPDATE, chosen, s);
	}
	look_up(x, set, frontend_at(x), chosen);
	translate(x, chosen, chosen + address_words(x));
}

static void put_accept(struct expressions *x)
{
	if (x->dialect->table != TABLE_NAT) {
		put_verdict(x, NF_ACCEPT, NULL);
		return;
	}
	load_address(x, false, REGISTER);
	translate(x, REGISTER, NONE);
}

static void put_target(struct expressions *x, const struct rule_target *t)
{
	const uint32_t keep = ~t->mark.mask;
	const uint16_t port = htons(t->to.port);
	const uint8_t unreachable = x->dialect->family == AF_INET6 ? 4 : 3; /* of a port */
	const uint32_t port_register = REGISTER + address_words(x);

	switch ((enum target)t->type) {
	case TARGET_JUMP:
		put_verdict(x, NFT_JUMP, t->chain);
		return;
	case TARGET_GOTO:
		put_verdict(x, NFT_GOTO, t->chain);
		return;
	case TARGET_RETURN:
		put_verdict(x, NFT_RETURN, NULL);
		return;
	case TARGET_ACCEPT:
		put_accept(x);
		return;
	case TARGET_DROP:
		put_verdict(x, NF_DROP, NULL);
		return;
	case TARGET_REJECT:
		begin(x, "reject");
		put_number(x, NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH);
		put_bytes(x, NFTA_REJECT_ICMP_CODE, &unreachable, sizeof(unreachable));
		end(x);
		return;
	case TARGET_MARK:
		load_meta(x, NFT_META_MARK, REGISTER);
		change_bits(x, &keep, &t->mark.value, sizeof(keep));
		set_mark(x, REGISTER);
		return;
	case TARGET_MAP_MARK:
		map_mark(x, t->set.id, t->set.dirs);
		return;
	case TARGET_MASQUERADE:
		begin(x, "masq");
		if (t->random_fully)
			put_number(x, NFTA_MASQ_FLAGS, NF_NAT_RANGE_PROTO_RANDOM_FULLY);
		end(x);
		return;
	case TARGET_DNAT:
		load_value(x, REGISTER, t->to.ip.bytes, address_size(x));
		if (t->to.port)
			load_value(x, port_register, &port, sizeof(port));
		translate(x, REGISTER, t->to.port ? port_register : NONE);
		return;
	case TARGET_SPREAD:
		go_to_spread(x, t);
		return;
	case TARGET_RECALL:
		recall_client(x, &t->spread);
		return;
	case TARGET_FORGET:
		load_client(x, &t->spread);
		change_clients(x, NFT_DYNSET_OP_DELETE, REGISTER, &t->spread);
		return;
	case TARGET_SLOT:
		choose_slot(x, &t->spread);
		return;
	case TARGET_NONE:
	case TARGETS:
		return;
	}
}

int nftables_rule_put(struct nl_msg *msg, const struct nftables_dialect *d, const struct rule *rule)
{
	struct expressions x = { .msg = msg, .dialect = d };
	struct nlattr *list = begin_nest(&x, NFTA_RULE_EXPRESSIONS);

	rule_for_each_match(m, rule)
		put_match(&x, m);
	put_target(&x, &rule->target);
	end_nest(&x, list);
	return x.result;
}

const char *nftables_chain_name(
	enum table table, const char *name, char s[static NFTABLES_CHAIN_LEN + 1])
{
	snprintf(s, NFTABLES_CHAIN_LEN + 1, "%s-%s", table_name(table), name);
	return s;
}

static struct nlattr *find_nested(struct nlattr *nest, const int *types, size_t n)
{
	for (size_t i = 0; nest && i < n; i++)
		nest = nla_find(nla_data(nest), nla_len(nest), types[i]);
	return nest;
}

const char *nftables_rule_leads_to(struct nlattr *expressions)
{
	static const int path[] = { NFTA_EXPR_DATA, NFTA_IMMEDIATE_DATA, NFTA_DATA_VERDICT,
		NFTA_VERDICT_CHAIN };
	struct nlattr *expression, *name, *chain;
	int left;

	nla_for_each_nested(expression, expressions, left)
	{
		name = find_nested(expression, (const int[]){ NFTA_EXPR_NAME }, 1);
		chain = name && !nla_strcmp(name, "immediate")
			? find_nested(expression, path, ARRAY_SIZE(path))
			: NULL;
		if (chain && nla_len(chain) && !((char *)nla_data(chain))[nla_len(chain) - 1])
			return nla_data(chain);
	}
	return NULL;
}

/* Comparing */

static struct nlattr *find_attribute(struct nlattr *nest, int type)
{
	struct nlattr *a;
	int left;

	nla_for_each_nested(a, nest, left) if (nla_type(a) == type) return a;
	return NULL;
}

/* Expressions stand in order; within one, the kernel tells attributes in an order of its own. */
static bool holds(struct nlattr *written, struct nlattr *told)
{
	struct nlattr *a;
	int left;

	if (!(written->nla_type & NLA_F_NESTED))
		return nla_len(written) == nla_len(told) &&
			!memcmp(nla_data(written), nla_data(told), (size_t)nla_len(written));
	nla_for_each_nested(a, written, left)
	{
		struct nlattr *same = find_attribute(told, nla_type(a));

		if (!same || !holds(a, same))
			return false;
	}
	return true;
}

bool nftables_rule_holds(struct nlattr *written, struct nlattr *told)
{
	struct nlattr *a = nla_data(written), *b = nla_data(told);
	int a_left = nla_len(written), b_left = nla_len(told);

	for (; nla_ok(a, a_left) && nla_ok(b, b_left);
		a = nla_next(a, &a_left), b = nla_next(b, &b_left))
		if (!holds(a, b))
			return false;
	return !nla_ok(a, a_left) && !nla_ok(b, b_left);
}

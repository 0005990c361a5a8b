// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/fact.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

const char *table_name(enum table table)
{
	static const char *const names[] = {
		[TABLE_NAT] = "nat",
		[TABLE_FILTER] = "filter",
		[TABLE_MANGLE] = "mangle",
	};

	return names[table];
}

bool table_parse(const char *name, enum table *ret)
{
	for (enum table table = TABLE_NAT; table <= TABLE_MANGLE; table++)
		if (!strcmp(name, table_name(table))) {
			*ret = table;
			return true;
		}
	return false;
}

const char *hook_name(enum hook hook)
{
	static const char *const names[] = {
		[HOOK_PREROUTING] = "PREROUTING",
		[HOOK_INPUT] = "INPUT",
		[HOOK_FORWARD] = "FORWARD",
		[HOOK_OUTPUT] = "OUTPUT",
		[HOOK_POSTROUTING] = "POSTROUTING",
	};

	return names[hook];
}

bool hook_parse(const char *name, enum hook *ret)
{
	for (enum hook hook = HOOK_PREROUTING; hook <= HOOK_POSTROUTING; hook++)
		if (!strcmp(name, hook_name(hook))) {
			*ret = hook;
			return true;
		}
	return false;
}

const char *fact_kind_name(enum fact_kind kind)
{
	static const char *const names[] = {
		[FACT_LINK] = "link",
		[FACT_POLICY_RULE] = "policy-rule",
		[FACT_SET] = "set",
		[FACT_MEMBER] = "member",
		[FACT_CHAIN] = "chain",
		[FACT_DISPATCH] = "dispatch",
		[FACT_JUMP] = "jump",
		[FACT_VS] = "vs",
		[FACT_RS] = "rs",
		[FACT_HELD] = "held",
		[FACT_ROUTE] = "route",
		[FACT_ADDR] = "addr",
	};

	return kind < FACT_KINDS ? names[kind] : "?";
}

const char *family_name(int family)
{
	return family == AF_INET6 ? "IPv6" : "IPv4";
}

const char *proto_name(uint8_t proto)
{
	static const char *const names[] = {
		[IPPROTO_TCP] = "TCP", [IPPROTO_UDP] = "UDP", [IPPROTO_SCTP] = "SCTP"
	};

	return proto < ARRAY_SIZE(names) && names[proto] ? names[proto] : "?";
}

const char *proto_lower(uint8_t proto)
{
	static const char *const names[] = {
		[IPPROTO_TCP] = "tcp", [IPPROTO_UDP] = "udp", [IPPROTO_SCTP] = "sctp"
	};

	return proto < ARRAY_SIZE(names) ? names[proto] : NULL;
}

uint8_t proto_parse(const char *name)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };

	for (size_t i = 0; i < ARRAY_SIZE(protos); i++)
		if (!strcasecmp(name, proto_name(protos[i])))
			return protos[i];
	return 0;
}

static struct fact fact_make(enum fact_kind kind, int family)
{
	struct fact f;

	memset(&f, 0, sizeof(f));
	f.key.kind = (uint8_t)kind;
	f.key.family = (uint8_t)family;
	return f;
}

struct fact fact_link(const char *device)
{
	struct fact f = fact_make(FACT_LINK, 0);

	snprintf(f.key.name, sizeof(f.key.name), "%s", device);
	return f;
}

struct fact fact_policy_rule(
	int family, uint32_t priority, uint32_t mark, uint32_t mask, uint32_t table)
{
	struct fact f = fact_make(FACT_POLICY_RULE, family);

	f.key.policy_rule.priority = priority;
	f.key.policy_rule.mark = mark;
	f.key.policy_rule.mask = mask;
	f.key.policy_rule.table = table;
	return f;
}

struct fact fact_set(enum set_id id, int family)
{
	struct fact f = fact_make(FACT_SET, family);

	f.key.set = (uint8_t)id;
	f.val.set.type = set_info(id)->type;
	f.val.set.marks = set_info(id)->marks;
	/* Sets of nftables have no limit. */
	if (id < SET_IPSETS && set_info(id)->type != SET_TYPE_BITMAP_PORT)
		f.val.set.max_members = SET_MEMBERS;
	return f;
}

struct fact fact_member(enum set_id id, int family, const struct ip *ip, uint8_t proto,
	uint16_t port, const struct cidr *second)
{
	struct fact f = fact_make(FACT_MEMBER, family);
	enum set_type type = set_info(id)->type;

	f.key.set = (uint8_t)id;
	if (type != SET_TYPE_BITMAP_PORT)
		memcpy(f.key.addr, ip->bytes, sizeof(f.key.addr));
	if (type != SET_TYPE_HASH_IP)
		f.key.port = port;
	if (type != SET_TYPE_HASH_IP && type != SET_TYPE_BITMAP_PORT)
		f.key.proto = proto;
	if (type == SET_TYPE_HASH_IP_PORT_IP || type == SET_TYPE_HASH_IP_PORT_NET ||
		type == SET_TYPE_ADDRESS_TO_ENDPOINT) {
		assert(second);
		memcpy(f.key.addr2, second->ip.bytes, sizeof(f.key.addr2));
	}
	if (type == SET_TYPE_HASH_IP_PORT_NET)
		f.key.port2 = second->len;
	return f;
}

struct fact fact_member_mark(enum set_id id, int family, const struct ip *ip, uint8_t proto,
	uint16_t port, uint32_t mark, uint32_t mask)
{
	struct fact f = fact_member(id, family, ip, proto, port, NULL);

	f.val.member.mark = mark;
	f.val.member.mask = mask;
	return f;
}

struct fact fact_chain(int family, enum table table, const char *name, uint64_t rules)
{
	struct fact f = fact_make(FACT_CHAIN, family);

	f.key.set = (uint8_t)table;
	snprintf(f.key.name, sizeof(f.key.name), "%s", name);
	f.val.chain.rules = rules;
	return f;
}

struct fact fact_jump(
	int family, enum table table, enum hook hook, const char *chain, uint64_t rules)
{
	struct fact f = fact_chain(family, table, chain, rules);

	f.key.kind = FACT_JUMP;
	f.key.port = (uint16_t)hook;
	return f;
}

struct fact fact_vs(const struct ip *ip, uint16_t port, uint8_t proto)
{
	struct fact f = fact_make(FACT_VS, ip->family);

	memcpy(f.key.addr, ip->bytes, sizeof(f.key.addr));
	f.key.port = port;
	f.key.proto = proto;
	return f;
}

struct fact fact_dispatch(const struct ip *ip, uint16_t port, uint8_t proto,
	enum service_chain chain, const char hash[static SERVICE_HASH_LEN])
{
	struct fact f = fact_vs(ip, port, proto);

	f.key.kind = FACT_DISPATCH;
	f.val.dispatch.chain = chain;
	memcpy(f.val.dispatch.hash, hash, SERVICE_HASH_LEN);
	return f;
}

struct fact fact_dispatch_spread(
	const struct ip *ip, uint16_t port, uint8_t proto, const struct spread *s)
{
	struct fact f = fact_vs(ip, port, proto);

	f.key.kind = FACT_DISPATCH;
	f.val.spread = *s;
	return f;
}

bool fact_has_spread(const struct fact *dispatch)
{
	return dispatch->val.spread.flags & SPREAD_ENTRY;
}

struct fact fact_slot(enum set_id set, const struct ip *ip, uint16_t port, uint8_t proto,
	uint16_t slot, const struct ip *endpoint, uint16_t endpoint_port)
{
	struct fact f = fact_member(set, ip->family, ip, proto, port, NULL);

	f.key.port2 = slot;
	memcpy(f.val.endpoint.addr, endpoint->bytes, sizeof(f.val.endpoint.addr));
	f.val.endpoint.port = endpoint_port;
	return f;
}

struct fact fact_member_spread(int family, const struct spread *s)
{
	struct fact f = fact_make(FACT_MEMBER, family);
	/* Big endian, so that members have the same order on every machine. */
	const struct spread be = {
		.slots = htons(s->slots), .flags = s->flags, .affinity = htonl(s->affinity)
	};

	f.key.set = SET_SPREADS;
	memcpy(f.key.addr, &be, sizeof(be));
	return f;
}

struct spread fact_spread(const struct fact_key *key)
{
	struct spread be;

	memcpy(&be, key->addr, sizeof(be));
	return (struct spread){
		.slots = ntohs(be.slots), .flags = be.flags, .affinity = ntohl(be.affinity)
	};
}

struct fact fact_vs_fwmark(int family, uint32_t mark)
{
	struct fact f = fact_make(FACT_VS, family);
	uint32_t be = htonl(mark);

	memcpy(f.key.addr, &be, sizeof(be));
	return f;
}

uint32_t fact_fwmark(const struct fact_key *key)
{
	uint32_t be;

	memcpy(&be, key->addr, sizeof(be));
	return ntohl(be);
}

struct fact fact_rs(const struct fact_key *vs, const struct ip *ip, uint16_t port, uint32_t weight)
{
	struct fact f = { .key = *vs };

	memset(&f.val, 0, sizeof(f.val));
	f.key.kind = FACT_RS;
	memcpy(f.key.addr2, ip->bytes, sizeof(f.key.addr2));
	f.key.port2 = port;
	f.val.rs.weight = weight;
	return f;
}

struct fact fact_route(const struct ip *vip, const struct ip *source)
{
	struct fact f = fact_make(FACT_ROUTE, vip->family);

	memcpy(f.key.addr, vip->bytes, sizeof(f.key.addr));
	if (source->family == vip->family)
		memcpy(f.val.route.source, source->bytes, sizeof(f.val.route.source));
	return f;
}

struct fact fact_route_in_table(const struct ip *vip, uint16_t table)
{
	static const struct ip no_source;
	struct fact f = fact_route(vip, &no_source);

	f.key.port = table;
	return f;
}

struct fact fact_addr(const struct ip *vip)
{
	struct fact f = fact_make(FACT_ADDR, vip->family);

	memcpy(f.key.addr, vip->bytes, sizeof(f.key.addr));
	return f;
}

struct fact fact_held(const struct ip *vip)
{
	struct fact f = fact_addr(vip);

	f.key.kind = FACT_HELD;
	return f;
}

bool fact_is_frontend(const struct fact_key *key)
{
	return key->kind == FACT_VS || key->kind == FACT_DISPATCH;
}

struct ip fact_ip(const struct fact_key *key)
{
	return ip_make(key->family, key->addr);
}

struct ip fact_ip2(const struct fact_key *key)
{
	return ip_make(key->family, key->addr2);
}

bool fact_diverts(const struct fact_key *key)
{
	return key->kind == FACT_MEMBER && key->set == SET_LOCAL_MARK;
}

bool fact_exposes(const struct fact_key *key)
{
	return key->kind == FACT_MEMBER && key->set == SET_EXTERNAL_PORT;
}

bool fact_enters_nat(const struct fact_key *key)
{
	return key->kind == FACT_JUMP && key->set == TABLE_NAT && key->port != HOOK_POSTROUTING;
}

bool fact_parent(const struct fact_key *key, struct fact_key *ret)
{
	switch ((enum fact_kind)key->kind) {
	case FACT_RS:
		*ret = *key;
		ret->kind = FACT_VS;
		ret->port2 = 0;
		memset(ret->addr2, 0, sizeof(ret->addr2));
		return true;
	case FACT_MEMBER:
		*ret = fact_set(key->set, key->family).key;
		return true;
	case FACT_ADDR:
		*ret = fact_link(LINK_VIPS).key;
		return true;
	case FACT_HELD:
		*ret = fact_link(LINK_HELD).key;
		return true;
	case FACT_LINK:
	case FACT_POLICY_RULE:
	case FACT_SET:
	case FACT_CHAIN:
	case FACT_DISPATCH:
	case FACT_JUMP:
	case FACT_VS:
	case FACT_ROUTE:
	case FACT_KINDS:
		return false;
	}
	return false;
}

int fact_key_cmp(const struct fact_key *a, const struct fact_key *b)
{
	const int sets = (a->kind << 16 | a->family << 8 | a->set) -
		(b->kind << 16 | b->family << 8 | b->set);
	const int ports = (a->port << 8 | a->proto) - (b->port << 8 | b->proto);
	int c = sets;

	if (!c)
		c = memcmp(a->addr, b->addr, sizeof(a->addr));
	if (!c)
		c = ports;
	if (!c)
		c = memcmp(a->addr2, b->addr2, sizeof(a->addr2));
	return c ? c : a->port2 - b->port2;
}

int fact_compare(const void *a, const void *b)
{
	return fact_key_cmp(a, b);
}

bool fact_key_eq(const struct fact_key *a, const struct fact_key *b)
{
	return !memcmp(a, b, sizeof(*a));
}

bool fact_val_eq(const struct fact_val *a, const struct fact_val *b)
{
	return !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

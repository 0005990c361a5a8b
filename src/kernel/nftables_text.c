// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/nftables_text.h"

#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"
#include "nftables_msg.h"
#include "nftables_rule.h"
#include "nftables_set.h"

struct rule_printer {
	struct buf *b;
	const struct nftables_dialect *dialect;
	const struct rule *rule;
};

static const char *protocol_word(const struct rule_printer *p)
{
	return p->dialect->family == AF_INET6 ? "ip6" : "ip";
}

static const char *unless(bool negated)
{
	return negated ? "!= " : "";
}

static void print_protocol(struct buf *b, uint8_t protocol)
{
	const char *name = proto_lower(protocol);

	if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6)
		buf_adds(b, protocol == IPPROTO_ICMP ? "icmp" : "ipv6-icmp");
	else if (name)
		buf_adds(b, name);
	else
		buf_addf(b, "%u", protocol);
}

/* The packet's fields that are looked up; as load_key(). */
static void print_key(const struct rule_printer *p, enum set_id set, enum set_dirs dirs)
{
	const char *ip = protocol_word(p);
	const bool from_source = dirs == DIRS_SRC || dirs == DIRS_SRC_DST;

	if (set_info(set)->type == SET_TYPE_BITMAP_PORT) {
		buf_adds(p->b, "th dport");
		return;
	}
	buf_addf(p->b, "%s %s", ip, from_source ? "saddr" : "daddr");
	if (set_info(set)->type == SET_TYPE_HASH_IP)
		return;
	buf_adds(p->b, " . meta l4proto . th dport");
	if (set_info(set)->type != SET_TYPE_HASH_IP_PORT)
		buf_addf(p->b, " . %s saddr", ip);
}

static void print_net(const struct rule_printer *p, const struct rule_match *m)
{
	const struct ip mask = ip_make(m->net.ip.family, m->net.mask);
	const char *field = m->type == MATCH_SOURCE ? "saddr" : "daddr";
	const int bits = ip_bits(m->net.ip.family);
	char address[IP_STRLEN], mask_text[IP_STRLEN];
	int len = 0;

	while (len < bits && m->net.mask[len / 8] & 0x80 >> len % 8)
		len++;
	for (int i = len; i < bits; i++)
		if (m->net.mask[i / 8] & 0x80 >> i % 8) {
			buf_addf(p->b, "%s %s & %s %s %s", protocol_word(p), field,
				ip_print(&mask, mask_text),
				m->negated ? "!=" : "==", ip_print(&m->net.ip, address));
			return;
		}
	buf_addf(p->b, "%s %s %s%s", protocol_word(p), field, unless(m->negated),
		ip_print(&m->net.ip, address));
	if (len < bits)
		buf_addf(p->b, "/%d", len);
}

static void print_interface(const struct rule_printer *p, const struct rule_match *m)
{
	const size_t len = strlen(m->interface);
	const bool any_ending = len && m->interface[len - 1] == '+';

	if (len > 1 || !any_ending)
		buf_addf(p->b, "iifname %s\"%.*s%s\"", unless(m->negated), (int)(len - any_ending),
			m->interface, any_ending ? "*" : "");
}

/* "ct state new,related"; both kinds never stand in one rule but negated. */
static void print_states(const struct rule_printer *p, const struct rule_match *m)
{
	static const struct {
		uint16_t state;
		const char *field, *name;
	} words[] = {
		{ STATE_INVALID, "state", "invalid" },
		{ STATE_ESTABLISHED, "state", "established" },
		{ STATE_RELATED, "state", "related" },
		{ STATE_NEW, "state", "new" },
		{ STATE_UNTRACKED, "state", "untracked" },
		{ STATE_SNAT, "status", "snat" },
		{ STATE_DNAT, "status", "dnat" },
	};
	const char *field = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!(m->states & words[i].state))
			continue;
		if (field && !strcmp(field, words[i].field)) {
			buf_addf(p->b, m->negated ? " | %s" : ",%s", words[i].name);
			continue;
		}
		if (field)
			buf_adds(p->b, m->negated ? ") == 0 " : " ");
		field = words[i].field;
		buf_addf(p->b, m->negated ? "ct %s & (%s" : "ct %s %s", field, words[i].name);
	}
	if (m->negated)
		buf_adds(p->b, ") == 0");
}

static void print_set_match(const struct rule_printer *p, const struct rule_match *m)
{
	char name[SET_NAME_LEN + 1];

	print_key(p, m->set.id, m->set.dirs);
	buf_addf(p->b, " %s@%s", unless(m->negated), set_name(m->set.id, p->dialect->family, name));
}

static void print_match(const struct rule_printer *p, const struct rule_match *m)
{
	const bool six = p->dialect->family == AF_INET6;

	switch ((enum match)m->type) {
	case MATCH_SOURCE:
	case MATCH_DESTINATION:
		print_net(p, m);
		return;
	case MATCH_INTERFACE:
		print_interface(p, m);
		return;
	case MATCH_PROTOCOL:
		buf_addf(p->b, "meta l4proto %s", unless(m->negated));
		print_protocol(p->b, m->protocol);
		return;
	case MATCH_PORTS:
		buf_addf(p->b, "th dport %s%u", unless(m->negated), m->ports.first);
		if (m->ports.first != m->ports.last)
			buf_addf(p->b, "-%u", m->ports.last);
		return;
	case MATCH_ICMP_ECHO:
		buf_addf(p->b, "%s type %secho-request", six ? "icmpv6" : "icmp",
			unless(m->negated));
		return;
	case MATCH_SET:
		print_set_match(p, m);
		return;
	case MATCH_MARK:
		buf_addf(p->b, "meta mark & 0x%08x %s 0x%08x", m->mark.mask,
			m->negated ? "!=" : "==", m->mark.value);
		return;
	case MATCH_STATES:
		print_states(p, m);
		return;
	case MATCH_SOURCE_LOCAL:
	case MATCH_DESTINATION_LOCAL:
		buf_addf(p->b, "fib %s type %slocal",
			m->type == MATCH_SOURCE_LOCAL ? "saddr" : "daddr", unless(m->negated));
		return;
	case MATCH_SHARE:
		buf_addf(p->b, "numgen random mod %u %s %u", RULE_SHARE_ALL,
			m->negated ? ">=" : "<", m->share);
		return;
	case MATCH_REMEMBER:
	case MATCH_REMEMBERED:
	case MATCH_ANY:
	case MATCHES:
		return;
	}
}

static void print_mark(struct buf *b, uint32_t value, uint32_t mask)
{
	buf_adds(b, "meta mark set meta mark");
	if (mask && mask == value) {
		buf_addf(b, " | 0x%08x", value);
		return;
	}
	if (mask)
		buf_addf(b, " & 0x%08x", ~mask);
	if (value)
		buf_addf(b, " ^ 0x%08x", value);
}

static void print_chain_target(
	const struct rule_printer *p, const char *verb, const struct rule_target *t)
{
	buf_addf(p->b, "%s ", verb);
	nftables_print_chain(p->b, p->dialect->table, t->chain);
}

/* nft has no words for a key that is what another map had; these look as if it had. */

static void print_map(const struct rule_printer *p, enum set_id set)
{
	char name[SET_NAME_LEN + 1];

	buf_addf(p->b, " %smap @%s", set == SET_SPREADS ? "v" : "",
		set_name(set, p->dialect->family, name));
}

static void print_frontend(const struct rule_printer *p, bool node_port)
{
	if (node_port)
		buf_adds(p->b, p->dialect->family == AF_INET6 ? "::" : "0.0.0.0");
	else
		buf_addf(p->b, "%s daddr", protocol_word(p));
	buf_adds(p->b, " . meta l4proto . th dport");
}

static void print_client(const struct rule_printer *p, const struct spread *s)
{
	buf_addf(p->b, "%s saddr . ", protocol_word(p));
	print_frontend(p, s->flags & SPREAD_NODE_PORT);
}

static void print_slot(const struct rule_printer *p, const struct spread *s)
{
	char name[SET_NAME_LEN + 1];

	if (s->affinity) {
		buf_addf(p->b, "update @%s { ", set_name(SET_CLIENTS, p->dialect->family, name));
		print_client(p, s);
		buf_addf(p->b, " timeout %us } ", s->affinity);
	}
	buf_adds(p->b, "dnat to ");
	print_frontend(p, s->flags & SPREAD_NODE_PORT);
	buf_addf(p->b, " . numgen random mod %u", s->slots);
	print_map(p, s->flags & SPREAD_LOCAL ? SET_ENDPOINTS_LOCAL : SET_ENDPOINTS);
}

static void print_target(const struct rule_printer *p, const struct rule_target *t)
{
	char name[SET_NAME_LEN + 1], address[IP_PORT_STRLEN];

	switch ((enum target)t->type) {
	case TARGET_JUMP:
		print_chain_target(p, "jump", t);
		return;
	case TARGET_GOTO:
		print_chain_target(p, "goto", t);
		return;
	case TARGET_RETURN:
		buf_adds(p->b, "return");
		return;
	case TARGET_ACCEPT:
		if (p->dialect->table == TABLE_NAT)
			buf_addf(p->b, "dnat to %s daddr", protocol_word(p));
		else
			buf_adds(p->b, "accept");
		return;
	case TARGET_DROP:
		buf_adds(p->b, "drop");
		return;
	case TARGET_REJECT:
		buf_adds(p->b, "reject");
		return;
	case TARGET_MARK:
		print_mark(p->b, t->mark.value, t->mark.mask);
		return;
	case TARGET_MAP_MARK:
		buf_addf(p->b, "meta mark & 0x%08x == 0x00000000 meta mark set ",
			~p->dialect->mark_mask);
		print_key(p, t->set.id, t->set.dirs);
		buf_addf(p->b, " map @%s", set_name(t->set.id, p->dialect->family, name));
		return;
	case TARGET_MASQUERADE:
		buf_adds(p->b, t->random_fully ? "masquerade fully-random" : "masquerade");
		return;
	case TARGET_DNAT:
		buf_addf(p->b, "dnat to %s",
			t->to.port ? ip_print_port(&t->to.ip, t->to.port, address)
				   : ip_print(&t->to.ip, address));
		return;
	case TARGET_SPREAD:
		print_frontend(p, t->dispatch.node_port);
		print_map(p, t->dispatch.set);
		print_map(p, SET_SPREADS);
		return;
	case TARGET_RECALL:
		print_client(p, &t->spread);
		print_map(p, SET_CLIENTS);
		buf_adds(p->b, " update, dnat to");
		print_map(p, t->spread.flags & SPREAD_LOCAL ? SET_AFFINITY_LOCAL : SET_AFFINITY);
		return;
	case TARGET_FORGET:
		buf_addf(p->b, "delete @%s { ", set_name(SET_CLIENTS, p->dialect->family, name));
		print_client(p, &t->spread);
		buf_adds(p->b, " }");
		return;
	case TARGET_SLOT:
		print_slot(p, &t->spread);
		return;
	case TARGET_NONE:
	case TARGETS:
		return;
	}
}

/* nft has no words for a match on a map; the rule ends as well where the map has no value. */
static bool is_told_by_target(const struct rule_printer *p, const struct rule_match *m)
{
	return m->type == MATCH_SET && p->rule->target.type == TARGET_MAP_MARK &&
		m->set.id == p->rule->target.set.id;
}

void nftables_print_rule(
	struct buf *b, int family, enum table table, uint32_t mark_mask, const struct rule *rule)
{
	const struct nftables_dialect dialect = { family, table, mark_mask };
	const struct rule_printer p = { b, &dialect, rule };

	rule_for_each_match(m, rule) {
		const size_t before = b->len;

		if (!is_told_by_target(&p, m))
			print_match(&p, m);
		if (b->len > before)
			buf_addc(b, ' ');
	}
	print_target(&p, &rule->target);
	if (rule->comment)
		buf_addf(b, " comment \"%s\"", rule->comment);
}

void nftables_print_chain(struct buf *b, enum table table, const char *chain)
{
	char name[NFTABLES_CHAIN_LEN + 1];

	buf_adds(b, nftables_chain_name(table, chain, name));
}

void nftables_print_set_type(struct buf *b, const struct fact_key *set)
{
	const char *ip = set->family == AF_INET6 ? "ipv6_addr" : "ipv4_addr";
	static const char port[] = "inet_proto . inet_service";

	switch (set_info(set->set)->type) {
	case SET_TYPE_BITMAP_PORT:
		buf_adds(b, "inet_service");
		break;
	case SET_TYPE_HASH_IP:
		buf_adds(b, ip);
		break;
	case SET_TYPE_HASH_IP_PORT:
		buf_addf(b, "%s . %s", ip, port);
		break;
	case SET_TYPE_HASH_IP_PORT_IP:
	case SET_TYPE_HASH_IP_PORT_NET:
		buf_addf(b, "%s . %s . %s", ip, port, ip);
		break;
	case SET_TYPE_SLOT_TO_ENDPOINT:
		buf_addf(b, "%s . %s . mark : %s . inet_service", ip, port, ip);
		break;
	case SET_TYPE_ADDRESS_TO_ENDPOINT:
		buf_addf(b, "%s . %s . %s : %s . inet_service", ip, port, ip, ip);
		break;
	case SET_TYPE_CLIENT_TO_ADDRESS:
		buf_addf(b, "%s . %s . %s : %s", ip, ip, port, ip);
		break;
	case SET_TYPE_SPREAD_TO_CHAIN:
		buf_adds(b, "mark : verdict");
		break;
	case SET_TYPE_PORT_TO_SPREAD:
		buf_addf(b, "%s . %s : mark", ip, port);
		break;
	case SET_TYPES:
		break;
	}
	if (set_info(set->set)->marks)
		buf_adds(b, " : mark");
}

static void print_element_value(struct buf *b, const struct fact *member)
{
	const struct ip endpoint = ip_make(member->key.family, member->val.endpoint.addr);
	char address[IP_STRLEN];

	switch (set_info(member->key.set)->type) {
	case SET_TYPE_SLOT_TO_ENDPOINT:
	case SET_TYPE_ADDRESS_TO_ENDPOINT:
		buf_addf(b, " : %s . %u", ip_print(&endpoint, address), member->val.endpoint.port);
		return;
	case SET_TYPE_PORT_TO_SPREAD:
		buf_addf(b, " : 0x%08x", nftables_spread_number(&member->val.spread));
		return;
	default:
		if (set_info(member->key.set)->marks)
			buf_addf(b, " : 0x%08x", member->val.member.mark);
		return;
	}
}

void nftables_print_element(struct buf *b, const struct fact *member)
{
	const struct fact_key *key = &member->key;
	const enum set_type type = set_info(key->set)->type;
	const struct ip ip = fact_ip(key), second = fact_ip2(key);
	const struct spread spread = fact_spread(key);
	char s[IP_STRLEN], chain[CHAIN_NAME_LEN + 1];

	if (type == SET_TYPE_BITMAP_PORT) {
		buf_addf(b, "%u", key->port);
		return;
	}
	if (type == SET_TYPE_SPREAD_TO_CHAIN) {
		buf_addf(b, "0x%08x : goto ", nftables_spread_number(&spread));
		nftables_print_chain(b, TABLE_NAT, spread_chain_name(&spread, chain));
		return;
	}
	buf_adds(b, ip_print(&ip, s));
	if (type == SET_TYPE_HASH_IP)
		return;
	buf_adds(b, " . ");
	print_protocol(b, key->proto);
	buf_addf(b, " . %u", key->port);
	if (type == SET_TYPE_SLOT_TO_ENDPOINT)
		buf_addf(b, " . 0x%08x", key->port2);
	else if (type != SET_TYPE_HASH_IP_PORT && type != SET_TYPE_PORT_TO_SPREAD)
		buf_addf(b, " . %s", ip_print(&second, s));
	if (type == SET_TYPE_HASH_IP_PORT_NET && key->port2 < ip_bits(key->family))
		buf_addf(b, "/%u", key->port2);
	print_element_value(b, member);
}

bool nftables_base_chain(enum table table, enum hook hook, const char **ret_type,
	const char **ret_hook, int *ret_priority)
{
	static const char *const hooks[] = {
		[HOOK_PREROUTING] = "prerouting",
		[HOOK_INPUT] = "input",
		[HOOK_FORWARD] = "forward",
		[HOOK_OUTPUT] = "output",
		[HOOK_POSTROUTING] = "postrouting",
	};
	struct nftables_hook at;

	if (!nftables_hook_of(table, hook, &at))
		return false;
	*ret_type = at.type;
	*ret_hook = hooks[hook];
	*ret_priority = at.priority;
	return true;
}

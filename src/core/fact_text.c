// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/fact_text.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/service_chain.h"

enum { FACT_MAX_WORDS = 8 };

/* Printing */

static void fact_text_frontend(struct buf *b, const struct fact_key *key)
{
	const struct ip ip = fact_ip(key);
	char s[IP_PORT_STRLEN];

	if (key->proto)
		buf_addf(b, "%s/%s", ip_print_port(&ip, key->port, s), proto_name(key->proto));
	else
		buf_addf(b, "fwmark:%u/%s", fact_fwmark(key), family_name(key->family));
}

void fact_print_member(struct buf *b, const struct fact_key *key)
{
	struct ip ip = fact_ip(key), second = fact_ip2(key);
	const char *proto = proto_lower(key->proto);
	enum set_type type = set_info(key->set)->type;
	char s[IP_STRLEN], chain[CHAIN_NAME_LEN + 1];

	if (type == SET_TYPE_BITMAP_PORT) {
		buf_addf(b, "%u", key->port);
		return;
	}
	if (type == SET_TYPE_SPREAD_TO_CHAIN) {
		const struct spread spread = fact_spread(key);

		buf_adds(b, spread_chain_name(&spread, chain));
		return;
	}
	buf_adds(b, ip_print(&ip, s));
	if (type == SET_TYPE_HASH_IP)
		return;
	if (proto)
		buf_addf(b, ",%s:%u", proto, key->port);
	else
		buf_addf(b, ",%u:%u", key->proto, key->port);
	if (type == SET_TYPE_HASH_IP_PORT || type == SET_TYPE_PORT_TO_SPREAD)
		return;
	if (type == SET_TYPE_SLOT_TO_ENDPOINT) {
		buf_addf(b, ",%u", key->port2);
		return;
	}
	buf_addf(b, ",%s", ip_print(&second, s));
	if (type == SET_TYPE_HASH_IP_PORT_NET)
		buf_addf(b, "/%u", key->port2);
}

/* What a member has; `mark` is the words before a mark. */
static void fact_text_value(struct buf *b, const struct fact *f, const char *mark, const char *mask)
{
	const struct ip endpoint = ip_make(f->key.family, f->val.endpoint.addr);
	const struct spread *spread = &f->val.spread;
	char s[IP_PORT_STRLEN], chain[CHAIN_NAME_LEN + 1];

	switch (set_info(f->key.set)->type) {
	case SET_TYPE_SLOT_TO_ENDPOINT:
	case SET_TYPE_ADDRESS_TO_ENDPOINT:
		buf_addf(b, " to=%s", ip_print_port(&endpoint, f->val.endpoint.port, s));
		return;
	case SET_TYPE_PORT_TO_SPREAD:
		buf_addf(b, " to=%s", spread_chain_name(spread, chain));
		return;
	default:
		if (f->val.member.mask)
			buf_addf(b, "%s0x%x%s0x%x", mark, f->val.member.mark, mask,
				f->val.member.mask);
		return;
	}
}

void fact_print_element(struct buf *b, const struct fact *f)
{
	fact_print_member(b, &f->key);
	fact_text_value(b, f, " skbmark ", "/");
}

void fact_print(struct buf *b, const struct fact *f)
{
	const struct fact_key *key = &f->key;
	const struct fact_val *val = &f->val;
	const struct ip ip = fact_ip(key), rs = fact_ip2(key);
	const struct ip source = ip_make(key->family, val->route.source);
	const uint32_t other_flags = val->vs.flags & ~(uint32_t)VS_PERSISTENT;
	char set[SET_NAME_LEN + 1], chain[CHAIN_NAME_LEN + 1], address[IP_PORT_STRLEN];

	buf_addf(b, "%s ", fact_kind_name(key->kind));
	switch ((enum fact_kind)key->kind) {
	case FACT_LINK:
		buf_adds(b, key->name);
		if (val->link.up)
			buf_adds(b, " up=1");
		break;
	case FACT_POLICY_RULE:
		buf_addf(b, "%s %u mark=0x%x mask=0x%x table=%u", family_name(key->family),
			key->policy_rule.priority, key->policy_rule.mark, key->policy_rule.mask,
			key->policy_rule.table);
		break;
	case FACT_SET:
		buf_addf(b, "%s %s", set_name(key->set, key->family, set),
			set_type_name(val->set.type));
		if (val->set.max_members)
			buf_addf(b, " maxelem=%u", val->set.max_members);
		if (val->set.marks)
			buf_adds(b, " skbinfo=1");
		break;
	case FACT_MEMBER:
		buf_addf(b, "%s ", set_name(key->set, key->family, set));
		fact_print_member(b, key);
		fact_text_value(b, f, " mark=", " mask=");
		break;
	case FACT_CHAIN:
		buf_addf(b, "%s %s %s text=%016" PRIx64, family_name(key->family),
			table_name(key->set), key->name, val->chain.rules);
		break;
	case FACT_DISPATCH:
		fact_text_frontend(b, key);
		buf_addf(b, " %s",
			fact_has_spread(f) ? spread_chain_name(&val->spread, chain)
					   : service_chain_name(val->dispatch.chain,
						     val->dispatch.hash, chain));
		break;
	case FACT_JUMP:
		buf_addf(b, "%s %s %s %s text=%016" PRIx64, family_name(key->family),
			table_name(key->set), hook_name(key->port), key->name, val->chain.rules);
		break;
	case FACT_VS:
		fact_text_frontend(b, key);
		buf_addf(b, " %s", *val->vs.scheduler ? val->vs.scheduler : "none");
		if (val->vs.flags & VS_PERSISTENT)
			buf_addf(b, " persistence=%u", val->vs.timeout);
		if (other_flags)
			buf_addf(b, " flags=0x%x", other_flags);
		break;
	case FACT_RS:
		fact_text_frontend(b, key);
		buf_addf(b, " %s weight=%u", ip_print_port(&rs, key->port2, address),
			val->rs.weight);
		if (val->rs.forwarding)
			buf_addf(b, " forwarding=%u", val->rs.forwarding);
		break;
	case FACT_HELD:
		buf_adds(b, ip_print(&ip, address));
		if (val->held.flaws)
			buf_addf(b, " flaws=0x%x", val->held.flaws);
		break;
	case FACT_ROUTE:
		buf_adds(b, ip_print(&ip, address));
		if (key->port)
			buf_addf(b, " table=%u", key->port);
		if (ip_kind(&source) != IP_UNSPECIFIED)
			buf_addf(b, " src=%s", ip_print(&source, address));
		break;
	case FACT_ADDR:
		buf_adds(b, ip_print(&ip, address));
		break;
	case FACT_KINDS:
		break;
	}
}

/*
 * Parsing. The functions below fail only where they cannot make a fact. fact_parse() then prints
 * the fact and compares, which catches every other mistake: numbers out of range, words that are
 * left over, another spelling.
 */

static uint32_t fact_parse_number(const char *s)
{
	return (uint32_t)strtoul(s, NULL, 0);
}

/* The key of a virtual server; changes s */
static int fact_parse_frontend(char *s, struct fact_key *ret)
{
	static const char fwmark[] = "fwmark:";
	char *slash = strrchr(s, '/');
	uint16_t port;
	struct ip ip;

	if (!slash)
		return -EINVAL;
	*slash = '\0';
	if (!strncmp(s, fwmark, strlen(fwmark))) {
		uint32_t mark = fact_parse_number(s + strlen(fwmark));
		int family = strcmp(slash + 1, family_name(AF_INET6)) ? AF_INET : AF_INET6;

		*ret = fact_vs_fwmark(family, mark).key;
		return 0;
	}
	if (ip_parse_port(s, &ip, &port))
		return -EINVAL;
	*ret = fact_vs(&ip, port, proto_parse(slash + 1)).key;
	return ret->proto ? 0 : -EINVAL;
}

/* "IP,PROTO:PORT,IP/LEN", or what else the type of the set has; changes s */
static int fact_parse_member(char *s, enum set_id id, int family, struct fact *ret)
{
	enum set_type type = set_info(id)->type;
	struct ip ip = { 0 };
	struct cidr second = { .len = ip_bits(family) };
	struct spread spread;
	char *save = NULL, *first = strtok_r(s, ",", &save), *proto = strtok_r(NULL, ":", &save),
	     *port = strtok_r(NULL, ",", &save), *word = NULL, *number = NULL;

	if (type == SET_TYPE_SPREAD_TO_CHAIN) {
		if (!first || !spread_chain_parse(first, &spread))
			return -EINVAL;
		*ret = fact_member_spread(family, &spread);
		return 0;
	}
	if (type != SET_TYPE_SLOT_TO_ENDPOINT)
		word = strtok_r(NULL, ",", &save);
	number = strtok_r(NULL, "", &save);
	if (type == SET_TYPE_BITMAP_PORT)
		port = first;
	else if (!first || ip_parse(first, &ip) || ip.family != family)
		return -EINVAL;
	if (proto && !proto_parse(proto))
		return -EINVAL;
	if (word && ip_parse(word, &second.ip) && cidr_parse(word, &second))
		return -EINVAL;
	*ret = fact_member(id, family, &ip, proto ? proto_parse(proto) : 0,
		port ? (uint16_t)fact_parse_number(port) : 0, &second);
	if (number)
		ret->key.port2 = (uint16_t)fact_parse_number(number);
	return 0;
}

/* The value after "NAME=" in one of the words; "": there is none. */
static const char *fact_parse_option(char *const words[FACT_MAX_WORDS], const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < FACT_MAX_WORDS; i++)
		if (!strncmp(words[i], name, len) && words[i][len] == '=')
			return words[i] + len + 1;
	return "";
}

static int fact_parse_endpoint(const char *to, struct fact *ret)
{
	struct ip endpoint;
	uint16_t port;

	if (ip_parse_port(to, &endpoint, &port) || endpoint.family != ret->key.family)
		return -EINVAL;
	memcpy(ret->val.endpoint.addr, endpoint.bytes, sizeof(ret->val.endpoint.addr));
	ret->val.endpoint.port = port;
	return 0;
}

/* The value of a member whose key is there. */
static int fact_parse_value(char *const w[FACT_MAX_WORDS], struct fact *ret)
{
	const char *to = fact_parse_option(w, "to");

	switch (set_info(ret->key.set)->type) {
	case SET_TYPE_SLOT_TO_ENDPOINT:
	case SET_TYPE_ADDRESS_TO_ENDPOINT:
		return fact_parse_endpoint(to, ret);
	case SET_TYPE_PORT_TO_SPREAD:
		return spread_chain_parse(to, &ret->val.spread) ? 0 : -EINVAL;
	default:
		ret->val.member.mark = fact_parse_number(fact_parse_option(w, "mark"));
		ret->val.member.mask = fact_parse_number(fact_parse_option(w, "mask"));
		return 0;
	}
}

/* Words that the line does not have are "". */
static int fact_parse_words(char *const w[FACT_MAX_WORDS], struct fact *ret)
{
	uint64_t rules = strtoull(fact_parse_option(w, "text"), NULL, 16);
	uint32_t max_members = fact_parse_number(fact_parse_option(w, "maxelem"));
	uint32_t marks = fact_parse_number(fact_parse_option(w, "skbinfo"));
	const char *persistence = fact_parse_option(w, "persistence");
	const char *src = fact_parse_option(w, "src");
	uint32_t mark = fact_parse_number(fact_parse_option(w, "mark"));
	uint32_t mask = fact_parse_number(fact_parse_option(w, "mask"));
	uint32_t ip_table = fact_parse_number(fact_parse_option(w, "table"));
	enum fact_kind kind = 0;
	enum set_type type = 0;
	enum table table;
	enum hook hook = 0;
	enum service_chain chain;
	char hash[SERVICE_HASH_LEN];
	struct spread spread;
	struct fact_key key;
	struct ip ip, source = { 0 };
	enum set_id set;
	uint16_t port;
	int family;

	while (kind < FACT_KINDS && strcmp(w[0], fact_kind_name(kind)) != 0)
		kind++;
	switch (kind) {
	case FACT_LINK:
		if (strcmp(w[1], LINK_VIPS) != 0 && strcmp(w[1], LINK_HELD) != 0)
			return -EINVAL;
		*ret = fact_link(w[1]);
		ret->val.link.up = fact_parse_number(fact_parse_option(w, "up"));
		return 0;
	case FACT_POLICY_RULE:
		family = strcmp(w[1], family_name(AF_INET6)) ? AF_INET : AF_INET6;
		*ret = fact_policy_rule(family, fact_parse_number(w[2]), mark, mask, ip_table);
		return 0;
	case FACT_SET:
		while (type < SET_TYPES - 1 && strcmp(w[2], set_type_name(type)) != 0)
			type++;
		if (!set_by_name(w[1], &set, &family))
			return -EINVAL;
		*ret = fact_set(set, family);
		ret->val.set.type = type;
		ret->val.set.max_members = max_members;
		ret->val.set.marks = marks;
		return 0;
	case FACT_MEMBER:
		if (!set_by_name(w[1], &set, &family) || fact_parse_member(w[2], set, family, ret))
			return -EINVAL;
		return fact_parse_value(w, ret);
	case FACT_CHAIN:
	case FACT_JUMP:
		if (!table_parse(w[2], &table) || (kind == FACT_JUMP && !hook_parse(w[3], &hook)))
			return -EINVAL;
		family = strcmp(w[1], family_name(AF_INET6)) ? AF_INET : AF_INET6;
		*ret = kind == FACT_CHAIN ? fact_chain(family, table, w[3], rules)
					  : fact_jump(family, table, hook, w[4], rules);
		return 0;
	case FACT_DISPATCH:
		if (fact_parse_frontend(w[1], &key) || !key.proto)
			return -EINVAL;
		ip = fact_ip(&key);
		if (spread_chain_parse(w[2], &spread)) {
			*ret = fact_dispatch_spread(&ip, key.port, key.proto, &spread);
			return 0;
		}
		if (!service_chain_parse(w[2], &chain, hash))
			return -EINVAL;
		*ret = fact_dispatch(&ip, key.port, key.proto, chain, hash);
		return 0;
	case FACT_VS:
		memset(ret, 0, sizeof(*ret));
		if (fact_parse_frontend(w[1], &ret->key) || strlen(w[2]) >= SCHED_NAME_SIZE)
			return -EINVAL;
		if (strcmp(w[2], "none") != 0)
			strcpy(ret->val.vs.scheduler, w[2]);
		ret->val.vs.flags = fact_parse_number(fact_parse_option(w, "flags"));
		ret->val.vs.flags |= *persistence ? VS_PERSISTENT : 0;
		ret->val.vs.timeout = fact_parse_number(persistence);
		return 0;
	case FACT_RS:
		if (fact_parse_frontend(w[1], &key) || ip_parse_port(w[2], &ip, &port) ||
			ip.family != key.family)
			return -EINVAL;
		*ret = fact_rs(&key, &ip, port, fact_parse_number(fact_parse_option(w, "weight")));
		ret->val.rs.forwarding = fact_parse_number(fact_parse_option(w, "forwarding"));
		return 0;
	case FACT_ROUTE:
		if (ip_parse(w[1], &ip) || (*src && ip_parse(src, &source)))
			return -EINVAL;
		*ret = fact_route(&ip, &source);
		ret->key.port = (uint16_t)ip_table;
		return 0;
	case FACT_HELD:
		if (ip_parse(w[1], &ip))
			return -EINVAL;
		*ret = fact_held(&ip);
		ret->val.held.flaws = fact_parse_number(fact_parse_option(w, "flaws"));
		return 0;
	case FACT_ADDR:
		if (ip_parse(w[1], &ip))
			return -EINVAL;
		*ret = fact_addr(&ip);
		return 0;
	case FACT_KINDS:
		return -EINVAL;
	}
	return -EINVAL;
}

int fact_parse(const char *line, struct fact *ret, struct err *err)
{
	_cleanup_free_ char *copy = mem_strdup(line);
	_cleanup_(buf_done) struct buf again = { 0 };
	char none[] = "", *save = NULL, *words[FACT_MAX_WORDS];
	struct fact f;

	for (int i = 0; i < FACT_MAX_WORDS; i++) {
		words[i] = strtok_r(i ? NULL : copy, " ", &save);
		if (!words[i])
			words[i] = none;
	}
	if (!fact_parse_words(words, &f)) {
		fact_print(&again, &f);
		if (!strcmp(buf_str(&again), line)) {
			*ret = f;
			return 0;
		}
	}
	return err_set(err, -EINVAL, "not a fact: \"%.200s\"", line);
}

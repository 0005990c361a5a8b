// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One line of text per fact, and back. The lines are what plan, logs, golden files and tests show:
 *
 *	link kube-ipvs0
 *	set KUBE-CLUSTER-IP hash:ip,port maxelem=1048576
 *	member KUBE-CLUSTER-IP 10.96.0.10,tcp:80
 *	member KUBE-LOCAL-MARK 203.0.113.1,tcp:80 mark=0x100000 mask=0xfff00000
 *	chain IPv4 nat KUBE-SERVICES text=0123456789abcdef
 *	dispatch 10.96.0.10:80/TCP KUBE-SVC-XPGD46QRK7WJZT7O
 *	jump IPv4 nat PREROUTING KUBE-SERVICES text=0123456789abcdef
 *	vs 10.96.0.10:80/TCP rr persistence=10800
 *	rs 10.96.0.10:80/TCP 10.244.1.11:8080 weight=1
 *	route 10.96.0.10 src=192.168.50.1
 *	addr 10.96.0.10
 *
 * A virtual server that is selected by firewall mark stands as "fwmark:MARK/IPv4", the dispatch of
 * a node port has the unspecified address.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/fact.h"

static void print_ip(struct buf *b, const struct ip *ip)
{
	char s[IP_STRLEN];

	buf_adds(b, ip_print(ip, s));
}

static void print_ip_port(struct buf *b, const struct ip *ip, uint16_t port)
{
	char s[IP_PORT_STRLEN];

	buf_adds(b, ip_print_port(ip, port, s));
}

static void print_vs_key(struct buf *b, const struct fact_key *key)
{
	struct ip ip = fact_ip(key);

	if (!key->proto) {
		buf_addf(b, "fwmark:%u/%s", fact_fwmark(key), family_name(key->family));
		return;
	}
	print_ip_port(b, &ip, key->port);
	buf_addf(b, "/%s", proto_name(key->proto));
}

void fact_print_member(struct buf *b, const struct fact_key *key)
{
	struct ip ip = fact_ip(key), second = fact_ip2(key);
	const char *proto = proto_lower(key->proto);
	enum set_type type = set_info(key->set)->type;

	if (type == SET_TYPE_BITMAP_PORT) {
		buf_addf(b, "%u", key->port);
		return;
	}
	print_ip(b, &ip);
	if (type == SET_TYPE_HASH_IP)
		return;
	if (proto)
		buf_addf(b, ",%s:%u", proto, key->port);
	else
		buf_addf(b, ",%u:%u", key->proto, key->port);
	if (type == SET_TYPE_HASH_IP_PORT)
		return;
	buf_addc(b, ',');
	print_ip(b, &second);
	if (type == SET_TYPE_HASH_IP_PORT_NET)
		buf_addf(b, "/%u", key->port2);
}

void fact_print_element(struct buf *b, const struct fact *f)
{
	fact_print_member(b, &f->key);
	if (f->val.member.mask)
		buf_addf(b, " skbmark 0x%x/0x%x", f->val.member.mark, f->val.member.mask);
}

static void print_dispatch(struct buf *b, const struct fact *f)
{
	char chain[CHAIN_NAME_LEN + 1];

	print_vs_key(b, &f->key);
	buf_addf(b, " %s", service_chain_name(f->val.dispatch.chain, f->val.dispatch.hash, chain));
}

static void print_vs(struct buf *b, const struct fact *f)
{
	uint32_t other = f->val.vs.flags & ~(uint32_t)VS_PERSISTENT;

	print_vs_key(b, &f->key);
	buf_addf(b, " %s", *f->val.vs.scheduler ? f->val.vs.scheduler : "none");
	if (f->val.vs.flags & VS_PERSISTENT)
		buf_addf(b, " persistence=%u", f->val.vs.timeout);
	if (other)
		buf_addf(b, " flags=0x%x", other);
}

static void print_rs(struct buf *b, const struct fact *f)
{
	struct ip rs = fact_ip2(&f->key);

	print_vs_key(b, &f->key);
	buf_addc(b, ' ');
	print_ip_port(b, &rs, f->key.port2);
	buf_addf(b, " weight=%u", f->val.rs.weight);
	if (f->val.rs.forwarding)
		buf_addf(b, " forwarding=%u", f->val.rs.forwarding);
}

static void print_set(struct buf *b, const struct fact *f)
{
	char name[SET_NAME_LEN + 1];

	buf_addf(b, "%s %s", set_name(f->key.set, f->key.family, name),
		set_type_name(f->val.set.type));
	if (f->val.set.max_members)
		buf_addf(b, " maxelem=%u", f->val.set.max_members);
	if (f->val.set.marks)
		buf_adds(b, " skbinfo=1");
}

static void print_route(struct buf *b, const struct fact *f)
{
	struct ip vip = fact_ip(&f->key), source = ip_make(f->key.family, f->val.route.source);

	print_ip(b, &vip);
	if (!ip_is_unspecified(&source)) {
		buf_adds(b, " src=");
		print_ip(b, &source);
	}
}

void fact_print(struct buf *b, const struct fact *f)
{
	const struct fact_key *key = &f->key;
	char name[SET_NAME_LEN + 1];
	struct ip ip = fact_ip(key);

	buf_addf(b, "%s ", fact_kind_name(key->kind));
	switch ((enum fact_kind)key->kind) {
	case FACT_LINK:
		buf_adds(b, key->name);
		break;
	case FACT_SET:
		print_set(b, f);
		break;
	case FACT_MEMBER:
		buf_addf(b, "%s ", set_name(key->set, key->family, name));
		fact_print_member(b, key);
		if (f->val.member.mask)
			buf_addf(b, " mark=0x%x mask=0x%x", f->val.member.mark, f->val.member.mask);
		break;
	case FACT_CHAIN:
		buf_addf(b, "%s %s %s text=%016" PRIx64, family_name(key->family),
			table_name(key->set), key->name, f->val.chain.rules);
		break;
	case FACT_DISPATCH:
		print_dispatch(b, f);
		break;
	case FACT_JUMP:
		buf_addf(b, "%s %s %s %s text=%016" PRIx64, family_name(key->family),
			table_name(key->set), hook_name(key->port), key->name, f->val.chain.rules);
		break;
	case FACT_VS:
		print_vs(b, f);
		break;
	case FACT_RS:
		print_rs(b, f);
		break;
	case FACT_ROUTE:
		print_route(b, f);
		break;
	case FACT_ADDR:
		print_ip(b, &ip);
		break;
	case FACT_KINDS:
		break;
	}
}

enum { MAX_WORDS = 8 };

static int parse_uint(const char *s, unsigned long max, unsigned long *ret)
{
	char *end;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	*ret = strtoul(s, &end, 0);
	return *end || errno || *ret > max ? -EINVAL : 0;
}

static int parse_port(const char *s, uint16_t *ret)
{
	unsigned long v;

	if (parse_uint(s, UINT16_MAX, &v))
		return -EINVAL;
	*ret = (uint16_t)v;
	return 0;
}

/* "10.0.0.1:80", "[fd00::1]:80"; changes s */
static int parse_ip_port(char *s, struct ip *ret_ip, uint16_t *ret_port)
{
	char *colon = strrchr(s, ':');

	if (!colon)
		return -EINVAL;
	*colon = '\0';
	if (*s == '[') {
		if (colon[-1] != ']')
			return -EINVAL;
		colon[-1] = '\0';
		s++;
	}
	return ip_parse(s, ret_ip) || parse_port(colon + 1, ret_port) ? -EINVAL : 0;
}

static int parse_family(const char *s, int *ret)
{
	if (!strcmp(s, family_name(AF_INET)))
		*ret = AF_INET;
	else if (!strcmp(s, family_name(AF_INET6)))
		*ret = AF_INET6;
	else
		return -EINVAL;
	return 0;
}

static int parse_vs_key(char *s, struct fact_key *ret)
{
	char *slash = strrchr(s, '/');
	uint16_t port;
	struct ip ip;
	uint8_t proto;

	if (!slash)
		return -EINVAL;
	*slash = '\0';
	if (!strncmp(s, "fwmark:", 7)) {
		unsigned long mark;
		int family;

		if (parse_uint(s + 7, UINT32_MAX, &mark) || parse_family(slash + 1, &family))
			return -EINVAL;
		*ret = fact_vs_fwmark(family, (uint32_t)mark).key;
		return 0;
	}
	proto = proto_parse(slash + 1);
	if (!proto || parse_ip_port(s, &ip, &port))
		return -EINVAL;
	*ret = fact_vs(&ip, port, proto).key;
	return 0;
}

static int parse_member(char *s, enum set_id id, int family, struct fact *ret)
{
	enum set_type type = set_info(id)->type;
	struct cidr second = { 0 };
	uint8_t proto = 0;
	uint16_t port = 0;
	struct ip ip = { 0 };
	char *save = NULL, *word = strtok_r(s, ",", &save), *colon;

	if (type == SET_TYPE_BITMAP_PORT) {
		if (!word || parse_port(word, &port))
			return -EINVAL;
		*ret = fact_member(id, family, &ip, 0, port, NULL);
		return 0;
	}
	if (!word || ip_parse(word, &ip) || ip.family != family)
		return -EINVAL;
	if (type != SET_TYPE_HASH_IP) {
		word = strtok_r(NULL, ",", &save);
		colon = word ? strchr(word, ':') : NULL;
		if (!colon)
			return -EINVAL;
		*colon = '\0';
		proto = proto_parse(word);
		if (!proto || parse_port(colon + 1, &port))
			return -EINVAL;
	}
	if (type == SET_TYPE_HASH_IP_PORT_IP || type == SET_TYPE_HASH_IP_PORT_NET) {
		word = strtok_r(NULL, ",", &save);
		if (!word || (ip_parse(word, &second.ip) && cidr_parse(word, &second)))
			return -EINVAL;
		if (!strchr(word, '/'))
			second.len = ip_bits(family);
	}
	if (strtok_r(NULL, ",", &save))
		return -EINVAL;
	*ret = fact_member(id, family, &ip, proto, port, &second);
	return 0;
}

/* The value behind "name=" in one of the words; NULL: not there. */
static const char *option(char *const words[], int n, const char *name)
{
	size_t len = strlen(name);

	for (int i = 0; i < n; i++)
		if (!strncmp(words[i], name, len) && words[i][len] == '=')
			return words[i] + len + 1;
	return NULL;
}

static unsigned long option_uint(char *const words[], int n, const char *name)
{
	const char *s = option(words, n, name);
	unsigned long v = 0;

	return s && !parse_uint(s, UINT32_MAX, &v) ? v : 0;
}

static int parse_set(char *const w[], int n, struct fact *ret)
{
	enum set_id id;
	int family;

	if (n < 3 || !set_by_name(w[1], &id, &family))
		return -EINVAL;
	*ret = fact_set(id, family);
	ret->val.set.max_members = (uint32_t)option_uint(w, n, "maxelem");
	ret->val.set.marks = (uint32_t)option_uint(w, n, "skbinfo");
	for (enum set_type t = SET_TYPE_HASH_IP; t <= SET_TYPE_BITMAP_PORT; t++)
		if (!strcmp(w[2], set_type_name(t))) {
			ret->val.set.type = t;
			return 0;
		}
	return -EINVAL;
}

static int parse_chain(char *const w[], int n, struct fact *ret)
{
	bool jump = !strcmp(w[0], fact_kind_name(FACT_JUMP));
	const char *text = option(w, n, "text");
	enum table table;
	enum hook hook;
	int family;
	uint64_t hash;

	if (n != (jump ? 6 : 5) || !text || parse_family(w[1], &family) ||
		!table_parse(w[2], &table))
		return -EINVAL;
	hash = strtoull(text, NULL, 16);
	if (!jump) {
		*ret = fact_chain(family, table, w[3], hash);
		return 0;
	}
	if (!hook_parse(w[3], &hook))
		return -EINVAL;
	*ret = fact_jump(family, table, hook, w[4], hash);
	return 0;
}

static int parse_dispatch(char *const w[], int n, struct fact *ret)
{
	char hash[SERVICE_HASH_LEN];
	enum service_chain chain;
	struct fact_key key;
	struct ip ip;

	if (n != 3 || parse_vs_key(w[1], &key) || !key.proto ||
		!service_chain_parse(w[2], &chain, hash))
		return -EINVAL;
	ip = fact_ip(&key);
	*ret = fact_dispatch(&ip, key.port, key.proto, chain, hash);
	return 0;
}

static int parse_vs(char *const w[], int n, struct fact *ret)
{
	const char *persistence = option(w, n, "persistence");

	memset(ret, 0, sizeof(*ret));
	if (n < 3 || parse_vs_key(w[1], &ret->key) || strlen(w[2]) >= SCHED_NAME_SIZE)
		return -EINVAL;
	if (strcmp(w[2], "none") != 0)
		strcpy(ret->val.vs.scheduler, w[2]);
	ret->val.vs.flags = (uint32_t)option_uint(w, n, "flags");
	if (persistence)
		ret->val.vs.flags |= VS_PERSISTENT;
	ret->val.vs.timeout = (uint32_t)option_uint(w, n, "persistence");
	return 0;
}

static int parse_rs(char *const w[], int n, struct fact *ret)
{
	struct fact_key vs;
	uint16_t port;
	struct ip ip;

	if (n < 4 || parse_vs_key(w[1], &vs) || parse_ip_port(w[2], &ip, &port) ||
		ip.family != vs.family)
		return -EINVAL;
	*ret = fact_rs(&vs, &ip, port, (uint32_t)option_uint(w, n, "weight"));
	ret->val.rs.forwarding = (uint32_t)option_uint(w, n, "forwarding");
	return 0;
}

static int parse_words(char *const w[], int n, struct fact *ret)
{
	const char *kind = n ? w[0] : "";
	struct ip vip, source = { 0 };
	enum set_id id;
	int family;

	if (n < 2)
		return -EINVAL;
	if (!strcmp(kind, "set"))
		return parse_set(w, n, ret);
	if (!strcmp(kind, "chain") || !strcmp(kind, "jump"))
		return parse_chain(w, n, ret);
	if (!strcmp(kind, "dispatch"))
		return parse_dispatch(w, n, ret);
	if (!strcmp(kind, "vs"))
		return parse_vs(w, n, ret);
	if (!strcmp(kind, "rs"))
		return parse_rs(w, n, ret);
	if (!strcmp(kind, "member")) {
		if (n < 3 || !set_by_name(w[1], &id, &family) ||
			parse_member(w[2], id, family, ret))
			return -EINVAL;
		ret->val.member.mark = (uint32_t)option_uint(w, n, "mark");
		ret->val.member.mask = (uint32_t)option_uint(w, n, "mask");
		return 0;
	}
	if (!strcmp(kind, "link")) {
		*ret = fact_link();
		return strcmp(w[1], ret->key.name) ? -EINVAL : 0;
	}
	if (ip_parse(w[1], &vip))
		return -EINVAL;
	if (!strcmp(kind, "addr")) {
		*ret = fact_addr(&vip);
		return 0;
	}
	if (strcmp(kind, "route") != 0 ||
		(option(w, n, "src") && ip_parse(option(w, n, "src"), &source)))
		return -EINVAL;
	*ret = fact_route(&vip, &source);
	return 0;
}

/* Only what fact_print() prints, to the letter, so that nothing in a line goes unread. */
int fact_parse(const char *line, struct fact *ret, struct err *err)
{
	_cleanup_free_ char *copy = mem_strdup(line);
	_cleanup_(buf_done) struct buf again = { 0 };
	char *words[MAX_WORDS], *save = NULL;
	struct fact f;
	int n = 0, r;

	for (char *w = strtok_r(copy, " ", &save); w && n < MAX_WORDS;
		w = strtok_r(NULL, " ", &save))
		words[n++] = w;
	r = parse_words(words, n, &f);
	if (!r)
		fact_print(&again, &f);
	if (r || strcmp(buf_str(&again), line) != 0)
		return err_set(err, -EINVAL, "not a fact: \"%.200s\"", line);
	*ret = f;
	return 0;
}

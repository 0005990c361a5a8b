// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/iptables_text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const char *const dirs_text[SET_DIRS] = {
	[DIRS_DST] = "dst",
	[DIRS_DST_DST] = "dst,dst",
	[DIRS_DST_DST_SRC] = "dst,dst,src",
	[DIRS_SRC] = "src",
	[DIRS_SRC_DST] = "src,dst",
};

/* In the order in which libxt_conntrack prints them. */
static const char *const state_text[STATES] = { "INVALID", "NEW", "RELATED", "ESTABLISHED",
	"UNTRACKED", "SNAT", "DNAT" };

/* The first name of a protocol is the one that is printed. */
static const struct {
	const char *name;
	uint8_t protocol;
} protocols[] = {
	{ "tcp", IPPROTO_TCP },
	{ "udp", IPPROTO_UDP },
	{ "sctp", IPPROTO_SCTP },
	{ "icmp", IPPROTO_ICMP },
	{ "ipv6-icmp", IPPROTO_ICMPV6 },
	{ "icmpv6", IPPROTO_ICMPV6 },
	{ "6", IPPROTO_TCP },
	{ "17", IPPROTO_UDP },
	{ "132", IPPROTO_SCTP },
	{ "1", IPPROTO_ICMP },
	{ "58", IPPROTO_ICMPV6 },
};

static const struct {
	const char *name;
	enum target type;
} plain_targets[] = {
	{ "RETURN", TARGET_RETURN },
	{ "ACCEPT", TARGET_ACCEPT },
	{ "DROP", TARGET_DROP },
};

static const char *protocol_text(uint8_t protocol)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].protocol == protocol)
			return protocols[i].name;
	return "all";
}

/* Words that differ by family: IPv4, IPv6. */
static const struct family_words {
	const char *echo_module, *echo_option, *echo_type, *port_unreachable, *whole_mask;
} family_words[] = {
	{ "icmp", "--icmp-type", "8", "icmp-port-unreachable", "255.255.255.255" },
	{ "icmp6", "--icmpv6-type", "128", "icmp6-port-unreachable",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
};

/* The protocol that a rule has been confined to; 0: none. */
static uint8_t rule_protocol(const struct rule *rule)
{
	rule_for_each_match(m, rule)
		if (m->type == MATCH_PROTOCOL && !m->negated)
			return m->protocol;
	return 0;
}

/* Printing */

/* "10.0.0.0/8", and "0.0.0.5/0.0.0.15" where the mask is no prefix. */
static void print_net(struct buf *b, const struct rule_match *m)
{
	const int bits = ip_bits(m->net.ip.family);
	const struct ip mask = ip_make(m->net.ip.family, m->net.mask);
	char s[IP_STRLEN];
	int len = 0;
	bool prefix = true;

	while (len < bits && m->net.mask[len / 8] & 0x80u >> len % 8)
		len++;
	for (int bit = len; bit < bits; bit++)
		prefix = prefix && !(m->net.mask[bit / 8] & 0x80u >> bit % 8);
	buf_addf(b, "%s/", ip_print(&m->net.ip, s));
	if (prefix)
		buf_addf(b, "%d", len);
	else
		buf_adds(b, ip_print(&mask, s));
}

static void print_match(
	struct buf *b, int family, const struct rule *rule, const struct rule_match *m)
{
	const struct family_words *words = &family_words[family == AF_INET6];
	const char *not = m->negated ? "! " : "";
	char set[SET_NAME_LEN + 1];

	switch ((enum match)m->type) {
	case MATCH_SOURCE:
		buf_addf(b, "%s-s ", not );
		print_net(b, m);
		break;
	case MATCH_DESTINATION:
		buf_addf(b, "%s-d ", not );
		print_net(b, m);
		break;
	case MATCH_INTERFACE:
		buf_addf(b, "%s-i %s", not, m->interface);
		break;
	case MATCH_PROTOCOL:
		buf_addf(b, "%s-p %s", not, protocol_text(m->protocol));
		break;
	case MATCH_PORTS:
		buf_addf(b, "-m %s %s--dport %u", protocol_text(rule_protocol(rule)), not,
			m->ports.first);
		if (m->ports.last != m->ports.first)
			buf_addf(b, ":%u", m->ports.last);
		break;
	case MATCH_ICMP_ECHO:
		buf_addf(b, "-m %s %s%s %s", words->echo_module, not, words->echo_option,
			words->echo_type);
		break;
	case MATCH_SET:
		buf_addf(b, "-m set %s--match-set %s %s", not, set_name(m->set.id, family, set),
			dirs_text[m->set.dirs]);
		break;
	case MATCH_MARK:
		buf_addf(b, "-m mark %s--mark 0x%" PRIx32, not, m->mark.value);
		if (m->mark.mask != UINT32_MAX)
			buf_addf(b, "/0x%" PRIx32, m->mark.mask);
		break;
	case MATCH_STATES:
		buf_addf(b, "-m conntrack %s--ctstate ", not );
		for (unsigned i = 0, left = m->states; left; left &= ~(1u << i++))
			if (left & 1u << i)
				buf_addf(b, "%s%s", state_text[i], left >> i > 1 ? "," : "");
		break;
	case MATCH_SOURCE_LOCAL:
		buf_addf(b, "-m addrtype %s--src-type LOCAL", not );
		break;
	case MATCH_DESTINATION_LOCAL:
		buf_addf(b, "-m addrtype %s--dst-type LOCAL", not );
		break;
	case MATCH_SHARE:
		/* iptables prints 11 digits, more than the kernel's 31 bits have. */
		buf_addf(b, "-m statistic --mode random %s--probability %.11f", not,
			m->share / (double)RULE_SHARE_ALL);
		break;
	case MATCH_REMEMBER:
		buf_addf(b, "-m recent %s--set --name %s --mask %s --rsource", not,
			m->client.record, words->whole_mask);
		break;
	case MATCH_REMEMBERED:
		buf_addf(b,
			"-m recent %s--rcheck --seconds %" PRIu32
			" --reap --name %s --mask %s --rsource",
			not, m->client.seconds, m->client.record, words->whole_mask);
		break;
	case MATCH_ANY:
	case MATCHES:
		break;
	}
	buf_addc(b, ' ');
}

static void print_target(struct buf *b, int family, const struct rule_target *t)
{
	char s[IP_PORT_STRLEN], set[SET_NAME_LEN + 1];

	switch ((enum target)t->type) {
	case TARGET_JUMP:
		buf_addf(b, "-j %s", t->chain);
		break;
	case TARGET_GOTO:
		buf_addf(b, "-g %s", t->chain);
		break;
	case TARGET_RETURN:
	case TARGET_ACCEPT:
	case TARGET_DROP:
		for (size_t i = 0; i < ARRAY_SIZE(plain_targets); i++)
			if (plain_targets[i].type == t->type)
				buf_addf(b, "-j %s", plain_targets[i].name);
		break;
	case TARGET_REJECT:
		buf_addf(b, "-j REJECT --reject-with %s",
			family_words[family == AF_INET6].port_unreachable);
		break;
	case TARGET_MARK:
		buf_addf(b, "-j MARK --set-xmark 0x%" PRIx32 "/0x%" PRIx32, t->mark.value,
			t->mark.mask);
		break;
	case TARGET_MAP_MARK:
		buf_addf(b, "-j SET --map-set %s %s --map-mark", set_name(t->set.id, family, set),
			dirs_text[t->set.dirs]);
		break;
	case TARGET_MASQUERADE:
		buf_addf(b, "-j MASQUERADE%s", t->random_fully ? " --random-fully" : "");
		break;
	case TARGET_DNAT:
		buf_addf(b, "-j DNAT --to-destination %s", ip_print_port(&t->to.ip, t->to.port, s));
		break;
	/* iptables has no words for those of nftables; these are for people. */
	case TARGET_SPREAD:
		buf_addf(b, "-j SPREAD --map %s%s", set_name(t->dispatch.set, family, set),
			t->dispatch.node_port ? " --node-port" : "");
		break;
	case TARGET_RECALL:
		buf_adds(b, "-j RECALL");
		break;
	case TARGET_FORGET:
		buf_adds(b, "-j FORGET");
		break;
	case TARGET_SLOT:
		buf_addf(b, "-j SLOT --slots %u%s", t->spread.slots,
			t->spread.flags & SPREAD_LOCAL ? " --local" : "");
		if (t->spread.affinity)
			buf_addf(b, " --remember %" PRIu32, t->spread.affinity);
		break;
	case TARGET_NONE:
	case TARGETS:
		break;
	}
}

/* As libxtables' xtables_save_string(), which quotes only where it must; *comment is printed once. */
static void print_comment(struct buf *b, const char **comment)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-";
	const char *s = *comment;

	if (!s)
		return;
	*comment = NULL;
	buf_adds(b, "-m comment --comment ");
	if (*s && !s[strspn(s, plain)]) {
		buf_addf(b, "%s ", s);
		return;
	}
	buf_addc(b, '"');
	for (; *s; s++) {
		if (strchr("\"\\'", *s))
			buf_addc(b, '\\');
		buf_addc(b, *s);
	}
	buf_adds(b, "\" ");
}

void iptables_print_rule(struct buf *b, int family, const char *chain, const struct rule *rule)
{
	const char *comment = rule->comment;

	if (chain)
		buf_addf(b, "-A %s ", chain);
	rule_for_each_match(m, rule) {
		bool module = m->type != MATCH_SOURCE && m->type != MATCH_DESTINATION &&
			m->type != MATCH_INTERFACE && m->type != MATCH_PROTOCOL;

		if (module && !rule->comment_last)
			print_comment(b, &comment);
		print_match(b, family, rule, m);
	}
	print_comment(b, &comment);
	print_target(b, family, &rule->target);
}

void iptables_print_rules(
	struct buf *b, int family, const char *chain, const struct rule_list *rules)
{
	struct rule rule;

	for (size_t at = 0; rule_list_next(rules, &at, &rule);) {
		iptables_print_rule(b, family, chain, &rule);
		buf_addc(b, '\n');
	}
}

/* Parsing */

/*
 * The words of a rule, one after the other. A word that is not expected makes the rule unreadable;
 * parsing goes on to find the target.
 */
struct rule_parser {
	const char *at, *end;
	int family;
	const struct family_words *words;
	char *word;   /* the next one; NULL: the end */
	bool quoted;  /* the word stood in quotes: it is no option */
	bool modules; /* a match of a module was read */
	struct iptables_rule *rule;
};

/* Inside quotes a backslash takes away the meaning of the next character. Words are copied one
 * behind the other; iptables_parse_rule() has made room for all of them. */
static void read_word(struct rule_parser *p)
{
	struct buf *words = &p->rule->words;

	while (p->at < p->end && *p->at == ' ')
		p->at++;
	p->word = NULL;
	if (p->at == p->end)
		return;
	p->word = words->data + words->len;
	p->quoted = *p->at == '"';
	p->at += p->quoted;
	for (; p->at < p->end && *p->at != (p->quoted ? '"' : ' '); p->at++) {
		if (p->quoted && *p->at == '\\' && p->at + 1 < p->end)
			p->at++;
		words->data[words->len++] = *p->at;
	}
	words->data[words->len++] = '\0';
	if (p->at < p->end)
		p->at++;
	else if (p->quoted)
		p->rule->readable = false; /* the quotes are never closed */
}

/* Takes the next word if it is this one. */
static bool next_is(struct rule_parser *p, const char *word)
{
	if (!p->word || p->quoted || strcmp(p->word, word) != 0)
		return false;
	read_word(p);
	return true;
}

static void expect(struct rule_parser *p, bool as_expected)
{
	p->rule->readable = p->rule->readable && as_expected;
}

/* A word without quotes, which iptables puts around comments only. */
static const char *next_word(struct rule_parser *p)
{
	const char *word = p->word;

	expect(p, word && !p->quoted);
	if (word)
		read_word(p);
	return word ? word : "";
}

/* "N" or "N/M", with that separator ('\0': none); decimal or with 0x hexadecimal. Returns whether
 * there is an M. */
static bool parse_numbers(
	struct rule_parser *p, const char *s, char separator, uint32_t max, uint32_t ret[static 2])
{
	for (int i = 0; i < 2; i++) {
		char *rest;
		unsigned long long n = strtoull(s, &rest, strncmp(s, "0x", 2) ? 10 : 16);

		expect(p, *s >= '0' && *s <= '9' && n <= max);
		ret[i] = (uint32_t)n;
		if (i || !*rest || *rest != separator) {
			expect(p, !*rest);
			return i;
		}
		s = rest + 1;
	}
	return true;
}

/* ADDRESS, ADDRESS/LENGTH or ADDRESS/MASK. */
static struct rule_match parse_net(struct rule_parser *p, enum match type, const char *s)
{
	struct rule_match m = { .type = (uint8_t)type, .net.ip.family = (uint8_t)p->family };
	uint32_t len[2] = { ip_bits(p->family) };
	const char *slash = strchrnul(s, '/');
	char address[IP_STRLEN];

	snprintf(address, sizeof(address), "%.*s", (int)(slash - s), s);
	expect(p,
		(size_t)(slash - s) < sizeof(address) &&
			inet_pton(p->family, address, m.net.ip.bytes) == 1);
	if (*slash && inet_pton(p->family, slash + 1, m.net.mask) == 1)
		return m;
	if (*slash)
		parse_numbers(p, slash + 1, '\0', len[0], len);
	for (uint32_t bit = 0; p->rule->readable && bit < len[0]; bit++)
		m.net.mask[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
	return m;
}

static struct rule_match parse_set_name(struct rule_parser *p)
{
	const char *name = next_word(p), *dirs = next_word(p);
	unsigned i = 0;
	enum set_id id;
	int family;

	if (!set_by_name(name, &id, &family) || family != p->family) {
		expect(p, false);
		return (struct rule_match){ 0 };
	}
	while (i < SET_DIRS && strcmp(dirs_text[i], dirs) != 0)
		i++;
	expect(p, i < SET_DIRS);
	return match_set(id, i);
}

/* "RELATED,ESTABLISHED" */
static struct rule_match parse_states(struct rule_parser *p, const char *s)
{
	unsigned states = 0;

	for (size_t len; *s; s += len + (s[len] == ',')) {
		size_t i = 0;

		len = strcspn(s, ",");
		while (i < STATES &&
			(strlen(state_text[i]) != len || strncmp(state_text[i], s, len) != 0))
			i++;
		expect(p, i < STATES);
		states |= 1u << i;
	}
	return (struct rule_match){ MATCH_STATES, .states = (uint16_t)states };
}

/* Behind "-m": the module and the one option of it that a rule of ours has. */
static void parse_module(struct rule_parser *p)
{
	const char *module = next_word(p);
	const struct family_words *words = p->words;
	struct rule *rule = &p->rule->rule;
	const uint8_t protocol = rule_protocol(rule);
	struct rule_match m = { 0 };
	uint32_t n[2];
	bool negated, masked;

	if (!strcmp(module, "comment")) {
		expect(p, !rule->comment);
		rule->comment_last = p->modules;
		expect(p, next_is(p, "--comment") && p->word && *p->word);
		rule->comment = p->word;
		if (p->word)
			read_word(p);
		return;
	}
	p->modules = true;
	expect(p, !rule->comment_last);
	if (!strcmp(module, "statistic"))
		expect(p, next_is(p, "--mode") && next_is(p, "random"));
	negated = next_is(p, "!");
	if (!strcmp(module, "set") && next_is(p, "--match-set")) {
		m = parse_set_name(p);
	} else if (!strcmp(module, "mark") && next_is(p, "--mark")) {
		m.type = MATCH_MARK;
		masked = parse_numbers(p, next_word(p), '/', UINT32_MAX, n);
		m.mark.value = n[0];
		m.mark.mask = masked ? n[1] : UINT32_MAX;
	} else if (!strcmp(module, "conntrack") && next_is(p, "--ctstate")) {
		m = parse_states(p, next_word(p));
	} else if (!strcmp(module, "addrtype") && next_is(p, "--src-type")) {
		m.type = MATCH_SOURCE_LOCAL;
		expect(p, next_is(p, "LOCAL"));
	} else if (!strcmp(module, "addrtype") && next_is(p, "--dst-type")) {
		m.type = MATCH_DESTINATION_LOCAL;
		expect(p, next_is(p, "LOCAL"));
	} else if (!strcmp(module, "statistic") && next_is(p, "--probability")) {
		const char *s = next_word(p);
		char *end;
		double share = strtod(s, &end);

		/* Rounded to what the kernel compares, as iptables does. */
		m.type = MATCH_SHARE;
		expect(p, *s >= '0' && *s <= '9' && !*end && share <= 1);
		if (p->rule->readable)
			m.share = (uint32_t)(share * RULE_SHARE_ALL + 0.5);
	} else if (!strcmp(module, "recent")) {
		m.type = next_is(p, "--set") ? MATCH_REMEMBER : MATCH_REMEMBERED;
		if (m.type == MATCH_REMEMBERED) {
			expect(p, next_is(p, "--rcheck") && next_is(p, "--seconds"));
			parse_numbers(p, next_word(p), '\0', UINT32_MAX, n);
			m.client.seconds = n[0];
			expect(p, next_is(p, "--reap"));
		}
		expect(p, next_is(p, "--name"));
		m.client.record = next_word(p);
		expect(p,
			next_is(p, "--mask") && next_is(p, words->whole_mask) &&
				next_is(p, "--rsource"));
	} else if (!strcmp(module, words->echo_module) && next_is(p, words->echo_option)) {
		m.type = MATCH_ICMP_ECHO;
		expect(p, next_is(p, words->echo_type));
	} else if (protocol && !strcmp(module, protocol_text(protocol)) && next_is(p, "--dport")) {
		bool range = parse_numbers(p, next_word(p), ':', UINT16_MAX, n);

		m.type = MATCH_PORTS;
		m.ports.first = (uint16_t)n[0];
		m.ports.last = (uint16_t)n[range];
		expect(p, m.ports.first <= m.ports.last);
	} else {
		expect(p, false);
	}
	m.negated = negated;
	if (p->rule->readable)
		expect(p, rule_add_match(rule, m));
}

/* "-s", "-d", "-i" or "-p", maybe behind a "!"; false: it is none of them. */
static bool parse_basic(struct rule_parser *p)
{
	bool negated = next_is(p, "!");
	struct rule_match m = { 0 };

	if (next_is(p, "-s")) {
		m = parse_net(p, MATCH_SOURCE, next_word(p));
	} else if (next_is(p, "-d")) {
		m = parse_net(p, MATCH_DESTINATION, next_word(p));
	} else if (next_is(p, "-i")) {
		m.type = MATCH_INTERFACE;
		m.interface = next_word(p);
	} else if (next_is(p, "-p")) {
		const char *name = next_word(p);

		m.type = MATCH_PROTOCOL;
		for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
			if (!strcmp(protocols[i].name, name))
				m.protocol = protocols[i].protocol;
		expect(p, m.protocol != 0);
	} else {
		return false;
	}
	/* iptables tells them before all modules: elsewhere the rule is not ours. */
	expect(p, !p->modules && !p->rule->rule.comment);
	m.negated = negated;
	if (p->rule->readable)
		expect(p, rule_add_match(&p->rule->rule, m));
	return true;
}

/* Behind "-j". */
static void parse_target(struct rule_parser *p, const char *name)
{
	struct rule_target *t = &p->rule->rule.target;
	uint32_t n[2];
	bool masked;

	for (size_t i = 0; i < ARRAY_SIZE(plain_targets); i++)
		if (!strcmp(name, plain_targets[i].name)) {
			t->type = (uint8_t)plain_targets[i].type;
			return;
		}
	if (!strcmp(name, "REJECT")) {
		t->type = TARGET_REJECT;
		if (p->word)
			expect(p,
				next_is(p, "--reject-with") &&
					next_is(p, p->words->port_unreachable));
	} else if (!strcmp(name, "MARK")) {
		t->type = TARGET_MARK;
		expect(p, next_is(p, "--set-xmark"));
		masked = parse_numbers(p, next_word(p), '/', UINT32_MAX, n);
		t->mark.value = n[0];
		t->mark.mask = masked ? n[1] : UINT32_MAX;
	} else if (!strcmp(name, "SET")) {
		struct rule_match m;

		t->type = TARGET_MAP_MARK;
		expect(p, next_is(p, "--map-set"));
		m = parse_set_name(p);
		t->set.id = m.set.id;
		t->set.dirs = m.set.dirs;
		expect(p, next_is(p, "--map-mark"));
	} else if (!strcmp(name, "MASQUERADE")) {
		t->type = TARGET_MASQUERADE;
		t->random_fully = next_is(p, "--random-fully");
	} else if (!strcmp(name, "DNAT")) {
		t->type = TARGET_DNAT;
		expect(p, next_is(p, "--to-destination"));
		expect(p,
			!ip_parse_port(next_word(p), &t->to.ip, &t->to.port) &&
				t->to.ip.family == p->family);
	} else {
		*t = jump_to(name);
	}
}

void iptables_parse_rule(const char *text, size_t len, int family, struct iptables_rule *ret)
{
	struct rule_parser p = { .at = text, .end = text + len, .family = family, .rule = ret };
	const char *target = "";

	p.words = &family_words[family == AF_INET6];
	ret->rule = (struct rule){ 0 };
	ret->readable = true;
	buf_reset(&ret->words);
	buf_reserve(&ret->words, len + 1);
	for (read_word(&p); p.word;) {
		bool jump = next_is(&p, "-j");

		if (jump || next_is(&p, "-g")) {
			target = next_word(&p);
			ret->rule.target = (struct rule_target){ TARGET_GOTO, .chain = target };
			if (jump)
				parse_target(&p, target);
			expect(&p, *target && strlen(target) <= CHAIN_NAME_LEN && !p.word);
			break;
		}
		if (next_is(&p, "-m")) {
			parse_module(&p);
		} else if (!parse_basic(&p)) {
			ret->readable = false;
			next_word(&p);
		}
	}
	snprintf(ret->target, sizeof(ret->target), "%s",
		strlen(target) > CHAIN_NAME_LEN ? "" : target);
}

void iptables_rule_done(struct iptables_rule *r)
{
	buf_done(&r->words);
	*r = (struct iptables_rule){ 0 };
}

bool iptables_next_line(const char **text, struct iptables_line *ret)
{
	const char *line = *text, *end = strchrnul(line, '\n'), *name;
	struct iptables_line l = { .type = IPTABLES_LINE_OTHER };
	size_t len = (size_t)(end - line), name_len;

	if (!*line)
		return false;
	*text = end + (*end == '\n');
	if (*line == '*')
		l.type = IPTABLES_LINE_TABLE;
	else if (*line == ':')
		l.type = IPTABLES_LINE_CHAIN;
	else if (!strncmp(line, "-A ", 3))
		l.type = IPTABLES_LINE_RULE;
	else if (len == strlen("COMMIT") && !strncmp(line, "COMMIT", len))
		l.type = IPTABLES_LINE_COMMIT;

	if (l.type != IPTABLES_LINE_OTHER && l.type != IPTABLES_LINE_COMMIT) {
		name = line + (l.type == IPTABLES_LINE_RULE ? 3 : 1);
		name_len = strcspn(name, " \n");
		snprintf(l.name, sizeof(l.name), "%.*s",
			name_len > CHAIN_NAME_LEN ? 0 : (int)name_len, name);
		l.rule = name + name_len + (name[name_len] == ' ');
		l.len = (size_t)(end - l.rule);
	}
	*ret = l;
	return true;
}

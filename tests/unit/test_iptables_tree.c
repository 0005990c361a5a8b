// SPDX-License-Identifier: GPL-2.0-or-later
/* The tree is kept as the chains that a kernel would have, and asked as a packet would ask it. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/kernel/iptables_tree.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"
#include "core/resolve.h"
#include "core/service_chain.h"
#include "kernel/iptables_text.h"

struct chain {
	struct map_node by_name;
	char name[CHAIN_NAME_LEN + 1];
	char *text;
	bool broken;
};

struct chains {
	struct map map;
	size_t writes, removals;
};

static void sort_entries(struct fact *entries, size_t n)
{
	if (n)
		qsort(entries, n, sizeof(*entries), tree_cmp);
}

static struct chain *find(const struct chains *t, const char *name)
{
	map_for_each_match_entry(struct chain, c, &t->map, map_hash_str(name), by_name)
		if (!strcmp(c->name, name))
			return c;
	return NULL;
}

static void chain_write(const char *name, const struct rule_list *rules, void *arg)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct chains *t = arg;
	struct chain *c = find(t, name);

	assert_true(tree_has_chain(name));
	assert_true(strlen(name) <= CHAIN_NAME_LEN);
	if (!c) {
		c = new0(struct chain);
		strcpy(c->name, name);
		map_add(&t->map, &c->by_name, map_hash_str(name));
	}
	iptables_print_rules(&text, AF_INET, name, rules);
	t->writes += !c->text || strcmp(c->text, buf_str(&text)) != 0;
	free(c->text);
	c->text = mem_strdup(buf_str(&text));
}

static void chain_remove(const char *name, void *arg)
{
	struct chains *t = arg;
	struct chain *c = find(t, name);

	assert_non_null(c);
	map_del(&t->map, &c->by_name);
	free(c->text);
	free(c);
	t->removals++;
}

static void table_done(struct chains *t)
{
	map_for_each_entry(struct chain, c, &t->map, by_name) {
		free(c->text);
		free(c);
	}
	map_done(&t->map);
	*t = (struct chains){ 0 };
}

static void change(struct chains *t, const struct fact *old, size_t n_old, const struct fact *new,
	size_t n_new)
{
	struct tree_changes changes = { chain_write, chain_remove, t };

	t->writes = t->removals = 0;
	tree_diff(old, n_old, new, n_new, &changes);
}

static void assert_equal_tables(const struct chains *a, const struct chains *b)
{
	assert_int_equal(a->map.count, b->map.count);
	map_for_each_entry(struct chain, c, &a->map, by_name) {
		const struct chain *other = find(b, c->name);

		assert_non_null(other);
		assert_string_equal(c->text, other->text);
	}
}

static struct fact entry(const char *address, unsigned port, uint8_t proto, unsigned service)
{
	char hash[SERVICE_HASH_LEN + 1];
	struct ip ip;

	assert_int_equal(ip_parse(address, &ip), 0);
	for (size_t i = 0; i < SERVICE_HASH_LEN; i++)
		hash[i] = (char)('A' + (service >> (4 * (i % 8)) & 15));
	return fact_dispatch(&ip, (uint16_t)port, proto, SERVICE_CHAIN_SVC, hash);
}

/* Address bits behind "-d V/M" or "-d V/LEN". */
static bool address_matches(const char *word, const struct ip *ip)
{
	char *copy = mem_strdup(word), *mask = strchr(copy, '/');
	uint8_t v[16] = { 0 }, m[16] = { 0 };
	bool matches = true;

	assert_non_null(mask);
	*mask++ = '\0';
	assert_int_equal(inet_pton(ip->family, copy, v), 1);
	if (inet_pton(ip->family, mask, m) != 1)
		for (int i = 0; i < atoi(mask); i++)
			m[i / 8] |= (uint8_t)(0x80 >> (i % 8));
	for (int i = 0; i < ip_bits(ip->family) / 8; i++)
		matches &= (ip->bytes[i] & m[i]) == v[i];
	free(copy);
	return matches;
}

struct packet {
	struct ip to;
	uint8_t proto;
	unsigned port;
	unsigned rules; /* that it passed */
};

static bool port_matches(const char *word, unsigned port)
{
	unsigned first, last;
	int n = sscanf(word, "%u:%u", &first, &last);

	return port >= first && port <= (n == 2 ? last : first);
}

/* Where the rule sends the packet; false: it does not match. */
static bool rule_matches(char *rule, const struct packet *p, char ret[static CHAIN_NAME_LEN + 1])
{
	bool matches = true, knows_protocol = false;
	char *save = NULL;

	for (char *w = strtok_r(rule, " ", &save), *v; w; w = strtok_r(NULL, " ", &save)) {
		v = strtok_r(NULL, " ", &save);
		assert_non_null(v);
		if (!strcmp(w, "-d")) {
			matches &= address_matches(v, &p->to);
		} else if (!strcmp(w, "-p")) {
			matches &= proto_parse(v) == p->proto;
			knows_protocol = true;
		} else if (!strcmp(w, "--dport")) {
			assert_true(knows_protocol); /* without it iptables refuses a port */
			matches &= port_matches(v, p->port);
		} else if (!strcmp(w, "-j")) {
			snprintf(ret, CHAIN_NAME_LEN + 1, "%s", v);
		} else {
			assert_true(!strcmp(w, "-A") || !strcmp(w, "-m"));
		}
	}
	return matches;
}

/* As the kernel does: from a chain without a match back behind the rule that led there. */
static bool traverse(const struct chains *t, const char *name, struct packet *p,
	char ret[static CHAIN_NAME_LEN + 1])
{
	const struct chain *c = find(t, name);
	_cleanup_free_ char *text = NULL;
	char *save = NULL;

	assert_non_null(c);
	text = mem_strdup(c->text);
	for (char *rule = strtok_r(text, "\n", &save); rule; rule = strtok_r(NULL, "\n", &save)) {
		p->rules++;
		if (!rule_matches(rule, p, ret))
			continue;
		if (!tree_has_chain(ret) || traverse(t, ret, p, ret))
			return true;
	}
	return false;
}

/* How many rules the packet for this entry passes; fails where it does not get to its target. */
static unsigned look_up(const struct chains *t, const struct fact *f)
{
	char expected[CHAIN_NAME_LEN + 1], got[CHAIN_NAME_LEN + 1];
	struct packet p = { fact_ip(&f->key), f->key.proto, f->key.port, 0 };
	bool node_port = ip_kind(&p.to) == IP_UNSPECIFIED;

	service_chain_name(f->val.dispatch.chain, f->val.dispatch.hash, expected);
	assert_true(traverse(t, node_port ? CHAIN_DISPATCH_PORTS : CHAIN_DISPATCH, &p, got));
	assert_string_equal(got, expected);
	return p.rules;
}

static bool leads_nowhere(const struct chains *t, const char *address, unsigned port, uint8_t proto)
{
	char got[CHAIN_NAME_LEN + 1];
	struct packet p = { .proto = proto, .port = port };

	assert_int_equal(ip_parse(address, &p.to), 0);
	return !traverse(t, CHAIN_DISPATCH, &p, got);
}

static void an_entry_is_a_rule(void **state)
{
	struct fact e[] = {
		entry("10.96.0.10", 53, IPPROTO_UDP, 1),
		entry("10.96.0.1", 443, IPPROTO_TCP, 0),
		entry("0.0.0.0", 30080, IPPROTO_SCTP, 2),
	};
	struct chains t = { 0 };

	(void)state;
	sort_entries(e, ARRAY_SIZE(e));
	change(&t, NULL, 0, e, ARRAY_SIZE(e));
	assert_int_equal(t.map.count, 2);
	assert_string_equal(find(&t, "KUBE-DISPATCH")->text,
		"-A KUBE-DISPATCH -d 10.96.0.1/32 -p tcp -m tcp --dport 443 "
		"-j KUBE-SVC-AAAAAAAAAAAAAAAA\n"
		"-A KUBE-DISPATCH -d 10.96.0.10/32 -p udp -m udp --dport 53 "
		"-j KUBE-SVC-BAAAAAAABAAAAAAA\n");
	assert_string_equal(find(&t, "KUBE-PORT-DISPATCH")->text,
		"-A KUBE-PORT-DISPATCH -p sctp -m sctp --dport 30080 -j KUBE-SVC-CAAAAAAACAAAAAAA\n");
	assert_true(leads_nowhere(&t, "10.96.0.1", 80, IPPROTO_TCP));
	table_done(&t);
}

/* The text is one rule at most. */
static bool read_entry(const char *text, int family, struct fact *ret)
{
	_cleanup_(iptables_rule_done) struct iptables_rule rule = { 0 };
	struct iptables_line line;

	if (!iptables_next_line(&text, &line))
		return false;
	assert_string_equal(text, "");
	iptables_parse_rule(line.rule, line.len, family, &rule);
	return rule.readable && tree_read_entry(&rule.rule, family, ret);
}

static void what_is_printed_can_be_read(void **state)
{
	const struct fact e[] = {
		entry("10.96.0.10", 53, IPPROTO_UDP, 1),
		entry("fd00:96::a", 443, IPPROTO_TCP, 7),
		entry("0.0.0.0", 30080, IPPROTO_SCTP, 2),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(e); i++) {
		struct chains t = { 0 };
		struct fact f;

		change(&t, NULL, 0, &e[i], 1);
		map_for_each_entry(struct chain, c, &t.map, by_name) {
			assert_true(read_entry(c->text, e[i].key.family, &f));
			assert_memory_equal(&f, &e[i], sizeof(f));
		}
		table_done(&t);
	}
}

static void what_is_no_entry_is_not_read(void **state)
{
	static const char *const rules[] = {
		"",
		"-A KUBE-DISPATCH -j KUBE-SVC-AAAAAAAAAAAAAAAA",
		"-A KUBE-DISPATCH -d 10.0.0.0/8 -p tcp -m tcp --dport 1 -j KUBE-SVC-AAAAAAAAAAAAAAAA",
		"-A KUBE-DISPATCH -d ::1/128 -p tcp -m tcp --dport 1 -j KUBE-SVC-AAAAAAAAAAAAAAAA",
		"-A KUBE-DISPATCH -d 10.0.0.1/32 -p tcp -m tcp --dport 1:2 "
		"-j KUBE-SVC-AAAAAAAAAAAAAAAA",
		"-A KUBE-DISPATCH -d 10.0.0.1/32 -p tcp -m tcp --dport 70000 "
		"-j KUBE-SVC-AAAAAAAAAAAAAAAA",
		"-A KUBE-DISPATCH -d 10.0.0.1/32 -p icmp -m icmp --dport 1 "
		"-j KUBE-SVC-AAAAAAAAAAAAAAAA",
		"-A KUBE-DISPATCH -d 10.0.0.1/32 -p tcp -m tcp --dport 1 -j ACCEPT",
		"-A KUBE-DISPATCH -d 10.0.0.1/32 -p tcp -m tcp --dport 1 "
		"-j KUBE-SVC-AAAAAAAAAAAAAAAA -m more",
		"-A KUBE-PORT-DISPATCH -p tcp -m comment --comment x -m tcp --dport 1 "
		"-j KUBE-EXT-AAAAAAAAAAAAAAAA",
		"-A KUBE-PORT-DISPATCH ! -p tcp -j KUBE-EXT-AAAAAAAAAAAAAAAA",
		"-A KUBE-PORT-DISPATCH -p tcp -m tcp ! --dport 1 -j KUBE-EXT-AAAAAAAAAAAAAAAA",
		"-A KUBE-PORT-DISPATCH -p tcp -m tcp --dport 1 -g KUBE-EXT-AAAAAAAAAAAAAAAA",
	};
	struct fact f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		assert_false(read_entry(rules[i], AF_INET, &f));
}

/* The numbers that a reader of the README wants to know. */
static unsigned check_size(unsigned n)
{
	_cleanup_(fact_list_done) struct fact_list l = { 0 };
	struct chains t = { 0 };
	unsigned most = 0;

	for (unsigned i = 0; i < n; i++) {
		char address[32];

		snprintf(address, sizeof(address), "10.96.%u.%u", i / 256, i % 256);
		fact_list_add(&l, entry(address, 80, IPPROTO_TCP, i));
	}
	sort_entries(l.facts, l.n);
	change(&t, NULL, 0, l.facts, l.n);
	for (size_t i = 0; i < l.n; i++) {
		unsigned rules = look_up(&t, &l.facts[i]);

		most = rules > most ? rules : most;
	}
	table_done(&t);
	return most;
}

static void few_rules_lead_to_each_of_many(void **state)
{
	(void)state;
	assert_true(check_size(100) <= 16 + 7);
	assert_true(check_size(1000) <= 2 * 16 + 4);
	assert_true(check_size(10000) <= 3 * 16 + 3);
}

static void one_address_with_many_ports_is_divided(void **state)
{
	static const char *const addresses[] = { "203.0.113.1", "2001:db8::1", "0.0.0.0", "::" };

	(void)state;
	for (size_t a = 0; a < ARRAY_SIZE(addresses); a++) {
		_cleanup_(fact_list_done) struct fact_list l = { 0 };
		struct chains t = { 0 };

		for (unsigned i = 0; i < 3000; i++)
			fact_list_add(&l,
				entry(addresses[a], 30000 + i % 1500,
					i < 1500 ? IPPROTO_TCP : IPPROTO_UDP, i));
		sort_entries(l.facts, l.n);
		change(&t, NULL, 0, l.facts, l.n);
		for (size_t i = 0; i < l.n; i++)
			assert_true(look_up(&t, &l.facts[i]) <= 2 + 3 * 16);
		table_done(&t);
	}
}

static struct fact random_entry(void)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	long kind = random() % 4;
	char address[32] = "0.0.0.0";

	if (kind == 0) /* dense in high digits */
		snprintf(address, sizeof(address), "203.%ld.113.1", random() % 50);
	else if (kind < 3)
		snprintf(address, sizeof(address), "10.96.0.%ld", random() % 250);
	return entry(address, (unsigned)(random() % 4 ? 80 : 30000 + random() % 64),
		protos[random() % 4], (unsigned)random() % 4);
}

/* Adds entries, gives them another target, or takes some away. */
static void mutate(struct fact_list *l)
{
	long n = random() % 5 ? 1 + random() % 3 : random() % 200;

	for (long i = 0; i < n; i++)
		if (random() % 2) {
			fact_list_add(l, random_entry());
		} else if (l->n) {
			size_t at = (size_t)random() % l->n;

			l->facts[at] = l->facts[--l->n];
		}
	fact_list_finish(l);
	sort_entries(l->facts, l->n);
}

static void any_history_ends_in_the_tree_of_its_entries(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		_cleanup_(fact_list_done) struct fact_list l = { 0 }, old = { 0 };
		struct chains t = { 0 };

		srandom(seed);
		for (int step = 0; step < 100; step++) {
			struct chains scratch = { 0 };

			mutate(&l);
			change(&t, old.facts, old.n, l.facts, l.n);
			change(&scratch, NULL, 0, l.facts, l.n);
			for (const char *const *root = (const char *const[]){ CHAIN_DISPATCH,
				     CHAIN_DISPATCH_PORTS, NULL };
				*root; root++)
				if (!find(&scratch, *root) && find(&t, *root))
					chain_write(*root, &(struct rule_list){ 0 }, &scratch);
			assert_equal_tables(&t, &scratch);
			for (size_t i = 0; i < l.n; i++)
				look_up(&t, &l.facts[i]);
			table_done(&scratch);
			fact_list_done(&old);
			for (size_t i = 0; i < l.n; i++)
				fact_list_add(&old, l.facts[i]);
		}
		table_done(&t);
	}
}

static void one_change_costs_one_chain(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = { 0 };
	struct fact *without;
	struct chains t = { 0 };

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		char address[32];

		snprintf(address, sizeof(address), "10.96.%u.%u", i / 256, i % 256);
		fact_list_add(&l, entry(address, 80, IPPROTO_TCP, i));
	}
	sort_entries(l.facts, l.n);
	change(&t, NULL, 0, l.facts, l.n);
	without = mem_zalloc(l.n, sizeof(*without));
	memcpy(without, l.facts + 1, (l.n - 1) * sizeof(*without));
	change(&t, l.facts, l.n, without, l.n - 1);
	assert_int_equal(t.writes, 1);
	assert_int_equal(t.removals, 0);
	change(&t, without, l.n - 1, l.facts, l.n);
	assert_int_equal(t.writes, 1);
	free(without);
	table_done(&t);
}

/* Some addresses far from the others must not give the others new chains. */
static void an_outlier_costs_few_chains(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = { 0 }, more = { 0 };
	struct chains t = { 0 };

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		char address[32];

		snprintf(address, sizeof(address), "10.96.%u.%u", i / 256, i % 256);
		fact_list_add(&l, entry(address, 80, IPPROTO_TCP, i));
		fact_list_add(&more, entry(address, 80, IPPROTO_TCP, i));
	}
	fact_list_add(&more, entry("192.0.2.1", 80, IPPROTO_TCP, 7));
	fact_list_add(&more, entry("192.0.2.1", 80, IPPROTO_UDP, 8));
	sort_entries(l.facts, l.n);
	sort_entries(more.facts, more.n);
	change(&t, NULL, 0, l.facts, l.n);
	change(&t, l.facts, l.n, more.facts, more.n);
	for (size_t i = 0; i < more.n; i++)
		look_up(&t, &more.facts[i]);
	/* the root, the chains of TCP, of 10.0.0.0/8 and so on */
	assert_true(t.writes <= 5);
	assert_int_equal(t.removals, 0);
	change(&t, more.facts, more.n, l.facts, l.n);
	assert_int_equal(t.writes, 1);
	assert_true(t.removals <= 4);
	table_done(&t);
}

/* iptables 1.8.7 of the nf_tables variant stores no others. */
static void masks_are_prefixes(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = { 0 };
	struct chains t = { 0 };

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		fact_list_add(&l, random_entry());
	fact_list_finish(&l);
	sort_entries(l.facts, l.n);
	change(&t, NULL, 0, l.facts, l.n);
	map_for_each_entry(struct chain, c, &t.map, by_name)
		for (const char *p = c->text; (p = strstr(p, " -d ")); p++)
			assert_null(memchr(strchr(p, '/'), '.', 4));
	table_done(&t);
}

static bool is_right(const char *name, const struct rule_list *rules, void *arg)
{
	const struct chain *c = find(arg, name);
	_cleanup_(buf_done) struct buf text = { 0 };

	iptables_print_rules(&text, AF_INET, name, rules);
	return c && !c->broken && !strcmp(c->text, buf_str(&text));
}

struct walk {
	const struct chains *t;
	struct fact_list found;
};

static bool right_in_walk(const char *name, const struct rule_list *rules, void *arg)
{
	return is_right(name, rules, (void *)((struct walk *)arg)->t);
}

static void found_in_walk(const struct fact *f, void *arg)
{
	fact_list_add(&((struct walk *)arg)->found, *f);
}

static size_t count_found(const struct chains *t, const struct fact_list *l)
{
	struct walk w = { .t = t };
	struct tree_check check = { right_in_walk, found_in_walk, &w };
	size_t n;

	tree_walk(l->facts, l->n, &check);
	n = w.found.n;
	fact_list_done(&w.found);
	return n;
}

static void what_is_behind_a_broken_chain_is_not_found(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = { 0 };
	struct chains t = { 0 };

	(void)state;
	for (unsigned i = 0; i < 160; i++) {
		char address[32];

		snprintf(address, sizeof(address), "10.96.0.%u", i);
		fact_list_add(&l, entry(address, 80, IPPROTO_TCP, i));
	}
	for (unsigned i = 0; i < 5; i++)
		fact_list_add(&l, entry("0.0.0.0", 30000 + i, IPPROTO_TCP, i));
	sort_entries(l.facts, l.n);
	change(&t, NULL, 0, l.facts, l.n);
	assert_int_equal(t.map.count, 2 + 10);
	assert_int_equal(count_found(&t, &l), 165);
	map_for_each_entry(struct chain, c, &t.map, by_name) {
		size_t behind = !strcmp(c->name, CHAIN_DISPATCH) ? 160
			: !strcmp(c->name, CHAIN_DISPATCH_PORTS) ? 5
								 : 16;

		c->broken = true;
		assert_int_equal(count_found(&t, &l), 165 - behind);
		c->broken = false;
	}
	table_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_entry_is_a_rule),
		cmocka_unit_test(what_is_printed_can_be_read),
		cmocka_unit_test(what_is_no_entry_is_not_read),
		cmocka_unit_test(few_rules_lead_to_each_of_many),
		cmocka_unit_test(one_address_with_many_ports_is_divided),
		cmocka_unit_test(any_history_ends_in_the_tree_of_its_entries),
		cmocka_unit_test(one_change_costs_one_chain),
		cmocka_unit_test(an_outlier_costs_few_chains),
		cmocka_unit_test(masks_are_prefixes),
		cmocka_unit_test(what_is_behind_a_broken_chain_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

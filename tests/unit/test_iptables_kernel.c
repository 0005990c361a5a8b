// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Against the running kernel, in network namespaces of its own, once for each variant of iptables
 * that works.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"
#include "core/fact_text.h"
#include "core/resolve.h"
#include "iptables_variant.h"
#include "kernel/ipset.h"
#include "kernel/iptables.h"
#include "rule_text.h"

enum { MANY_TRIES = 100 };

static const uint32_t our_bits = 0xfff00000;

static struct {
	struct variant variant;
	struct adapter *adapter;
	struct rule_pool pool;
	struct fact_list facts; /* of the node */
} t = { .variant.test = "test_iptables_kernel" };

static void restore(const char *program, const char *document)
{
	free(RUN(document, program, "-w", "5", "--noflush"));
}

static bool saved_has(const char *program, const char *table, const char *line)
{
	_cleanup_free_ char *text = RUN(NULL, program, "-t", table);
	size_t len = strlen(line);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, line, len) && p[len] == '\n')
			return true;
	}
	return false;
}

static void add_to_sets(const struct fact *facts, size_t n)
{
	struct adapter *sets;
	struct err err;

	if (ipset_new(&sets, &err))
		fail_msg("%s", err.msg);
	for (size_t i = 0; i < n; i++) {
		struct op op = { .type = OP_ADD, .fact = facts[i] };

		if (op.fact.key.kind == FACT_SET || op.fact.key.kind == FACT_MEMBER)
			sets->apply(sets, &op, 1);
		assert_int_equal(op.result, 0);
	}
	ipset_free(sets);
}

static void resolve(const struct options *options, bool random_fully)
{
	const struct node_needs needs = node_needs_all();
	struct node_view view;

	node_view_init(&view, options);
	view.random_fully = random_fully;
	fact_list_done(&t.facts);
	resolve_node(&view, &needs, &t.pool, &t.facts);
	fact_list_finish(&t.facts);
}

static struct options node_options(void)
{
	struct options options;

	options_init(&options);
	options.mark_mask = our_bits;
	cidr_parse("10.244.0.0/16", &options.cluster_cidr[0]);
	cidr_parse("fd00:10:244::/56", &options.cluster_cidr[1]);
	return options;
}

static int new_namespace(void **state)
{
	struct options options = node_options();
	struct err err;

	(void)state;
	if (unshare(CLONE_NEWNET))
		return -1;
	resolve(&options, true);
	add_to_sets(t.facts.facts, t.facts.n);
	return iptables_new(&t.pool, true, true, &t.adapter, &err);
}

static int end_namespace(void **state)
{
	(void)state;
	iptables_free(take(t.adapter));
	variant_link(&t.variant);
	fact_list_done(&t.facts);
	rule_pool_done(&t.pool);
	return 0;
}

/* The operations of one type on all facts of one kind. */
static size_t fill_ops(
	const struct fact_list *facts, enum fact_kind kind, enum op_type type, struct op **ret)
{
	struct op *ops = mem_zalloc(facts->n, sizeof(*ops));
	size_t n = 0;

	for (size_t i = 0; i < facts->n; i++)
		if (facts->facts[i].key.kind == kind)
			ops[n++] =
				(struct op){ .type = type, .result = 1, .fact = facts->facts[i] };
	*ret = ops;
	return n;
}

static void apply_all(enum op_type type, enum fact_kind kind)
{
	_cleanup_free_ struct op *ops = NULL;
	size_t n = fill_ops(&t.facts, kind, type, &ops);

	assert_true(n > 0);
	t.adapter->apply(t.adapter, ops, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(ops[i].result, 0);
}

static void apply(enum op_type type, struct fact f, int expected)
{
	struct op op = { .type = type, .fact = f, .result = 1 };

	t.adapter->apply(t.adapter, &op, 1);
	assert_int_equal(op.result, expected);
}

static void collect(const struct fact *f, void *arg)
{
	fact_list_add(arg, *f);
}

static struct fact_list dump(void)
{
	struct fact_list l = { 0 };
	struct err err;

	if (t.adapter->dump(t.adapter, FACT_CHAIN, collect, &l, &err) ||
		t.adapter->dump(t.adapter, FACT_DISPATCH, collect, &l, &err) ||
		t.adapter->dump(t.adapter, FACT_JUMP, collect, &l, &err))
		fail_msg("dump: %s", err.msg);
	fact_list_finish(&l);
	return l;
}

static bool held(struct fact f)
{
	_cleanup_(fact_list_done) struct fact_list l = dump();

	for (size_t i = 0; i < l.n; i++)
		if (fact_key_eq(&l.facts[i].key, &f.key))
			return fact_val_eq(&l.facts[i].val, &f.val);
	return false;
}

static size_t count_held(void)
{
	_cleanup_(fact_list_done) struct fact_list l = dump();

	return l.n;
}

static uint64_t epoch(void)
{
	return t.adapter->epoch(t.adapter);
}

/* To a port at which nobody listens. */
static void send_packet(void)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(sendto(fd, "", 1, 0, (const struct sockaddr *)&to, sizeof(to)), 1);
	close(fd);
}

/* Packets are none. */
static void changes_by_others_are_counted(void **state)
{
	uint64_t before;

	(void)state;
	apply_all(OP_ADD, FACT_CHAIN);
	before = epoch();
	assert_true(before);
	/* Reading changes nothing. */
	assert_true(count_held() > 0);
	assert_int_equal(epoch(), before);
	free(RUN(NULL, "iptables", "-w", "5", "-A", "INPUT", "-j", "ACCEPT"));
	assert_int_not_equal(epoch(), before);
	before = epoch();
	free(RUN(NULL, "iptables", "-w", "5", "-R", "INPUT", "1", "-j", "RETURN"));
	assert_int_not_equal(epoch(), before);
	before = epoch();
	free(RUN(NULL, "ip6tables", "-w", "5", "-t", "nat", "-A", "KUBE-SERVICES", "-j", "RETURN"));
	assert_int_not_equal(epoch(), before);
	before = epoch();
	free(RUN(NULL, "ip", "link", "set", "lo", "up"));
	send_packet();
	assert_int_equal(epoch(), before);
	/* Our own are not told from those of others. */
	before = epoch();
	apply_all(OP_ADD, FACT_JUMP);
	assert_int_not_equal(epoch(), before);
	assert_int_equal(epoch(), epoch());
}

/* Of the dispatch entries assert_dispatch_held() tells. */
static void assert_all_held(void)
{
	_cleanup_(fact_list_done) struct fact_list have = dump();
	size_t n = 0, m = 0;

	for (size_t i = 0; i < have.n; i++)
		if (have.facts[i].key.kind != FACT_DISPATCH)
			have.facts[m++] = have.facts[i];
	have.n = m;

	for (size_t i = 0; i < t.facts.n; i++) {
		const struct fact *f = &t.facts.facts[i];
		_cleanup_(buf_done) struct buf a = { 0 }, b = { 0 };

		if (f->key.kind != FACT_CHAIN && f->key.kind != FACT_JUMP)
			continue;
		assert_true(n < have.n);
		fact_print(&a, &have.facts[n++]);
		fact_print(&b, f);
		assert_string_equal(buf_str(&a), buf_str(&b));
	}
	assert_int_equal(n, have.n);
}

static struct fact chain(enum table table, const char *name, const char *text)
{
	return fact_chain(AF_INET, table, name, rule_text_put(&t.pool, AF_INET, text));
}

static struct fact jump(enum table table, enum hook hook, const char *name, const char *text)
{
	return fact_jump(AF_INET, table, hook, name, rule_text_put(&t.pool, AF_INET, text));
}

static struct fact portals(void)
{
	return jump(TABLE_NAT, HOOK_OUTPUT, "KUBE-SERVICES",
		"-A OUTPUT -m comment --comment \"kubernetes service portals\" "
		"-j KUBE-SERVICES\n");
}

static void what_is_written_is_what_is_read(void **state)
{
	(void)state;
	apply_all(OP_ADD, FACT_CHAIN);
	apply_all(OP_ADD, FACT_JUMP);
	assert_all_held();
}

static void rules_of_all_options_read_as_they_were_written(void **state)
{
	struct options unmarked = node_options(), all = node_options(), none = node_options(),
		       bridge = node_options(), prefix = node_options();
	const struct options *const all_options[] = { &unmarked, &all, &none, &bridge, &prefix };

	(void)state;
	unmarked.mark_mask = 0; /* the first one, because it has fewer chains */
	all.masquerade_all = true;
	all.masquerade_bit = 31;
	all.mark_mask = 0x7fff0000;
	none.cluster_cidr[0].ip.family = none.cluster_cidr[1].ip.family = 0;
	none.masquerade_bit = 0;
	none.mark_mask = 0x2; /* and without --random-fully */
	bridge.detect_local = DETECT_BRIDGE_INTERFACE;
	strcpy(bridge.interface, "cni0");
	prefix.detect_local = DETECT_INTERFACE_NAME_PREFIX;
	strcpy(prefix.interface, "cali+");
	for (size_t i = 0; i < ARRAY_SIZE(all_options); i++) {
		resolve(all_options[i], i != 2);
		apply_all(OP_ADD, FACT_CHAIN);
		apply_all(OP_ADD, FACT_JUMP);
		assert_all_held();
	}
}

/* To a port of 127.0.0.1; true unless a rule of OUTPUT drops it. */
static bool packet_passes(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool passes = sendto(fd, "", 1, 0, (struct sockaddr *)&to, sizeof(to)) == 1;

	assert_true(passes || errno == EPERM);
	close(fd);
	return passes;
}

static void packets_of_the_node_are_marked_or_dropped(void **state)
{
	enum { OTHER = 1000, MARKED, NOT_HERE, NOT_HERE_BUT_MARKED };
	struct ip ip = ip_make(AF_INET, (const uint8_t[]){ 127, 0, 0, 1 });
	const uint32_t mark = 0x100000;
	const struct fact members[] = {
		fact_member_mark(SET_LOCAL_MARK, AF_INET, &ip, IPPROTO_UDP, MARKED, mark, our_bits),
		fact_member_mark(SET_LOCAL_MARK, AF_INET, &ip, IPPROTO_UDP, NOT_HERE_BUT_MARKED,
			mark, our_bits),
		fact_member(SET_NO_LOCAL, AF_INET, &ip, IPPROTO_UDP, NOT_HERE, NULL),
		fact_member(SET_NO_LOCAL, AF_INET, &ip, IPPROTO_UDP, NOT_HERE_BUT_MARKED, NULL),
	};

	(void)state;
	free(RUN(NULL, "ip", "link", "set", "lo", "up"));
	apply_all(OP_ADD, FACT_CHAIN);
	apply_all(OP_ADD, FACT_JUMP);
	assert_true(packet_passes(NOT_HERE));
	add_to_sets(members, ARRAY_SIZE(members));
	assert_true(packet_passes(OTHER));
	assert_true(packet_passes(MARKED));
	assert_false(packet_passes(NOT_HERE));
	assert_true(packet_passes(NOT_HERE_BUT_MARKED));
	restore("iptables-restore",
		"*filter\n-A OUTPUT -m mark --mark 0x100000/0xfff00000 -j DROP\nCOMMIT\n");
	assert_true(packet_passes(OTHER));
	assert_false(packet_passes(MARKED));
	assert_false(packet_passes(NOT_HERE_BUT_MARKED));
}

static void adding_twice_leaves_one(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		apply_all(OP_ADD, FACT_CHAIN);
		apply_all(OP_ADD, FACT_JUMP);
	}
	assert_all_held();
}

static void all_goes_away_again(void **state)
{
	(void)state;
	apply_all(OP_ADD, FACT_CHAIN);
	apply_all(OP_ADD, FACT_JUMP);
	apply_all(OP_DEL, FACT_JUMP);
	apply_all(OP_DEL, FACT_CHAIN);
	assert_int_equal(count_held(), 0);
}

static void what_is_not_there_can_be_deleted(void **state)
{
	(void)state;
	apply_all(OP_DEL, FACT_JUMP);
	apply_all(OP_DEL, FACT_CHAIN);
	assert_int_equal(count_held(), 0);
}

static void apply_chains_that_are_there(bool there, enum op_type type)
{
	_cleanup_free_ struct op *ops = NULL;
	size_t n = fill_ops(&t.facts, FACT_CHAIN, type, &ops), m = 0;
	_cleanup_(fact_list_done) struct fact_list have = dump();

	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (size_t k = 0; k < have.n; k++)
			found |= fact_key_eq(&have.facts[k].key, &ops[i].fact.key);
		if (found == there)
			ops[m++] = ops[i];
	}
	assert_true(m > 0);
	t.adapter->apply(t.adapter, ops, m);
	for (size_t i = 0; i < m; i++)
		assert_int_equal(ops[i].result, 0);
}

/* Rules as kube-proxy writes them, which are not ours; the other family has none. */
static void rules_of_kube_proxy_are_taken_over(void **state)
{
	(void)state;
	restore("iptables-restore",
		"*nat\n"
		":KUBE-SERVICES - [0:0]\n"
		":KUBE-NODE-PORT - [0:0]\n"
		":KUBE-MARK-MASQ - [0:0]\n"
		":KUBE-POSTROUTING - [0:0]\n"
		"-A KUBE-SERVICES -s 127.0.0.0/8 -j RETURN\n"
		"-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT\n"
		"-A KUBE-MARK-MASQ -j MARK --or-mark 0x004000\n"
		"-I OUTPUT -m comment --comment \"kubernetes service portals\" "
		"-j KUBE-SERVICES\n"
		"-I PREROUTING -m comment --comment \"kubernetes service portals\" "
		"-j KUBE-SERVICES\n"
		"COMMIT\n");
	assert_true(held(chain(TABLE_NAT, "KUBE-MARK-MASQ",
		"-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n")));
	assert_true(held(portals()));
	assert_int_equal(count_held(), 6);
	apply_chains_that_are_there(false, OP_ADD);
	apply_chains_that_are_there(true, OP_SET);
	apply_all(OP_ADD, FACT_JUMP);
	assert_all_held();
}

static void write_program(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (!f || fputs(text, f) == EOF || fclose(f) || chmod(path, 0700))
		fail_msg("cannot write %s", path);
}

/* Puts another program in the place of iptables-restore, until variant_link() or the test's end. */
static void replace_restore(const char *text)
{
	char path[PATH_SIZE + 24];

	snprintf(path, sizeof(path), "%s/iptables-restore", t.variant.dir);
	unlink(path);
	write_program(path, text);
}

static void another_rendering_is_learnt(void **state)
{
	/* told without the host bits */
	struct fact f =
		chain(TABLE_NAT, "KUBE-MARK-MASQ", "-A KUBE-MARK-MASQ -s 10.0.0.1/8 -j RETURN\n");

	(void)state;
	apply(OP_ADD, f, 0);
	assert_false(held(f));
	apply(OP_SET, f, 0);
	assert_false(held(f));
	apply(OP_SET, f, 0);
	assert_true(held(f));
	assert_true(held(f));
}

static void another_rendering_of_a_jump_is_learnt(void **state)
{
	struct fact f = jump(TABLE_NAT, HOOK_OUTPUT, "KUBE-SERVICES",
		"-A OUTPUT -s 10.0.0.1/8 -m addrtype --dst-type LOCAL -j KUBE-SERVICES\n");

	(void)state;
	apply_all(OP_ADD, FACT_CHAIN);
	apply(OP_ADD, f, 0);
	assert_false(held(f));
	apply(OP_SET, f, 0);
	assert_false(held(f));
	apply(OP_SET, f, 0);
	assert_true(held(f));
	apply(OP_DEL, f, 0);
	assert_false(saved_has("iptables-save", "nat",
		"-A OUTPUT -s 10.0.0.0/8 -m addrtype --dst-type LOCAL -j KUBE-SERVICES"));
}

static void what_others_change_is_seen_although_a_rendering_was_learnt(void **state)
{
	/* told without the host bits */
	struct fact f =
		chain(TABLE_NAT, "KUBE-MARK-MASQ", "-A KUBE-MARK-MASQ -s 10.0.0.1/8 -j RETURN\n");

	(void)state;
	apply(OP_ADD, f, 0);
	apply(OP_SET, f, 0);
	apply(OP_SET, f, 0);
	assert_true(held(f));
	restore("iptables-restore", "*nat\n-A KUBE-MARK-MASQ -j RETURN\nCOMMIT\n");
	assert_false(held(f));
	apply(OP_SET, f, 0);
	assert_true(held(f));
	restore("iptables-restore", "*nat\n-F KUBE-MARK-MASQ\nCOMMIT\n");
	assert_false(held(f));
}

/* Others change the chain whenever it has been written. */
static void what_others_do_meanwhile_is_no_rendering(void **state)
{
	static const char *const changes[] = { "-F", "-I", "-A" };
	struct fact f = chain(TABLE_NAT, "KUBE-MARK-MASQ", "-A KUBE-MARK-MASQ -j RETURN\n");
	char text[256];

	(void)state;
	apply(OP_ADD, f, 0);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		snprintf(text, sizeof(text),
			"#!/bin/sh\niptables-%s-restore \"$@\" &&\n"
			"exec iptables-%s -w -t nat %s KUBE-MARK-MASQ%s\n",
			t.variant.name, t.variant.name, changes[i], i ? " -j ACCEPT" : "");
		replace_restore(text);
		apply(OP_SET, f, 0);
		assert_false(held(f));
		apply(OP_SET, f, 0);
		assert_false(held(f));
		variant_link(&t.variant);
		apply(OP_SET, f, 0);
		assert_true(held(f));
	}
}

static void a_changed_chain_is_written_again(void **state)
{
	(void)state;
	apply_all(OP_ADD, FACT_CHAIN);
	apply_all(OP_ADD, FACT_JUMP);
	restore("ip6tables-restore", "*filter\n-F KUBE-FORWARD\n-D FORWARD 1\nCOMMIT\n");
	apply_all(OP_SET, FACT_CHAIN);
	apply_all(OP_SET, FACT_JUMP);
	assert_all_held();
}

static void jumps_of_ours_that_stand_twice_become_one(void **state)
{
	(void)state;
	apply_all(OP_ADD, FACT_CHAIN);
	restore("iptables-restore",
		"*nat\n"
		"-A OUTPUT -d 10.0.0.0/8 -j ACCEPT\n"
		"-A OUTPUT -m comment --comment \"kubernetes service portals\" "
		"-j KUBE-SERVICES\n"
		"-A OUTPUT -m comment --comment \"kubernetes service portals\" "
		"-j KUBE-SERVICES\n"
		"-A OUTPUT -d 10.1.0.0/16 -m conntrack --ctstate NEW -m comment "
		"--comment \"it's \\\"quoted\\\"\" -j KUBE-SERVICES\n"
		"COMMIT\n");
	assert_false(held(portals()));
	apply(OP_SET, portals(), 0);
	assert_true(held(portals()));
	assert_true(saved_has("iptables-save", "nat", "-A OUTPUT -d 10.0.0.0/8 -j ACCEPT"));
}

static void jumps_that_others_changed_since_they_were_read_are_read_again(void **state)
{
	const struct fact wrong = jump(TABLE_NAT, HOOK_OUTPUT, "KUBE-SERVICES",
		"-A OUTPUT -m comment --comment wrong -j KUBE-SERVICES\n");

	(void)state;
	apply_all(OP_ADD, FACT_CHAIN);
	apply(OP_ADD, wrong, 0);
	assert_true(held(wrong));
	restore("iptables-restore",
		"*nat\n-D OUTPUT -m comment --comment wrong -j KUBE-SERVICES\nCOMMIT\n");
	apply(OP_SET, portals(), 0);
	assert_true(held(portals()));
}

static void a_jump_stands_before_the_rules_of_others(void **state)
{
	_cleanup_free_ char *text = NULL;

	(void)state;
	apply_all(OP_ADD, FACT_CHAIN);
	restore("iptables-restore", "*nat\n-A OUTPUT -d 10.0.0.0/8 -j ACCEPT\nCOMMIT\n");
	apply(OP_ADD, portals(), 0);
	text = RUN(NULL, "iptables-save", "-t", "nat");
	assert_true(strstr(text, "-j KUBE-SERVICES") < strstr(text, "-d 10.0.0.0/8"));
}

static char *jumps_of_input(void)
{
	return RUN(NULL, "iptables", "-w", "5", "-S", "INPUT");
}

static void jumps_come_back_in_the_order_in_which_they_stood(void **state)
{
	_cleanup_free_ struct op *ops = NULL;
	size_t n = fill_ops(&t.facts, FACT_JUMP, OP_ADD, &ops);
	_cleanup_free_ char *before = NULL, *after = NULL;

	(void)state;
	apply_all(OP_ADD, FACT_CHAIN);
	t.adapter->apply(t.adapter, ops, n);
	before = jumps_of_input();
	for (size_t i = 0; i < n / 2; i++) {
		struct op first = ops[i];

		ops[i] = ops[n - 1 - i];
		ops[n - 1 - i] = first;
	}
	apply_all(OP_DEL, FACT_JUMP);
	t.adapter->apply(t.adapter, ops, n);
	after = jumps_of_input();
	assert_string_equal(after, before);
}

static void deleting_a_jump_deletes_all_that_lead_there(void **state)
{
	(void)state;
	apply_all(OP_ADD, FACT_CHAIN);
	restore("iptables-restore",
		"*nat\n"
		"-A OUTPUT -j KUBE-SERVICES\n"
		"-A OUTPUT -j KUBE-SERVICES\n"
		"-A OUTPUT -d 10.1.0.0/16 -g KUBE-SERVICES\n"
		"-A PREROUTING -j KUBE-SERVICES\n"
		"COMMIT\n");
	apply(OP_DEL, portals(), 0);
	assert_true(saved_has("iptables-save", "nat", "-A PREROUTING -j KUBE-SERVICES"));
	assert_false(saved_has("iptables-save", "nat", "-A OUTPUT -j KUBE-SERVICES"));
	assert_false(
		saved_has("iptables-save", "nat", "-A OUTPUT -d 10.1.0.0/16 -g KUBE-SERVICES"));
}

static void one_bad_chain_does_not_stop_the_others(void **state)
{
	_cleanup_free_ struct op *ops = NULL;
	size_t n = fill_ops(&t.facts, FACT_CHAIN, OP_ADD, &ops), bad = 0;

	(void)state;
	for (size_t i = 0; i < n; i++)
		if (!strcmp(ops[i].fact.key.name, "KUBE-FORWARD") &&
			ops[i].fact.key.family == AF_INET)
			bad = i;
	ops[bad].fact = chain(TABLE_FILTER, "KUBE-FORWARD",
		"-A KUBE-FORWARD -m set --match-set KUBE-NO-ENDPOINTS dst -j NO-SUCH-TARGET\n");
	t.adapter->apply(t.adapter, ops, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(ops[i].result, i == bad ? -EINVAL : 0);
	apply_all(OP_SET, FACT_CHAIN);
	apply_all(OP_ADD, FACT_JUMP);
	assert_all_held();
}

static void a_bad_change_leaves_the_old_rules(void **state)
{
	struct fact good = chain(TABLE_NAT, "KUBE-MARK-MASQ",
		"-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000\n");
	struct fact bad =
		chain(TABLE_NAT, "KUBE-MARK-MASQ", "-A KUBE-MARK-MASQ -j NO-SUCH-TARGET\n");

	(void)state;
	apply(OP_ADD, good, 0);
	apply(OP_SET, bad, -EINVAL);
	assert_true(held(good));
}

static void one_bad_jump_does_not_stop_the_others(void **state)
{
	struct op ops[] = {
		{ OP_ADD, 1,
			jump(TABLE_NAT, HOOK_PREROUTING, "KUBE-SERVICES",
				"-A PREROUTING -j KUBE-SERVICES\n") },
		{ OP_ADD, 1,
			jump(TABLE_NAT, HOOK_OUTPUT, "KUBE-SERVICES",
				"-A OUTPUT -i eth0 -j KUBE-SERVICES\n") },
		{ OP_ADD, 1,
			jump(TABLE_FILTER, HOOK_INPUT, "KUBE-NODE-PORT",
				"-A INPUT -j KUBE-NODE-PORT\n") },
	};

	(void)state;
	apply_all(OP_ADD, FACT_CHAIN);
	t.adapter->apply(t.adapter, ops, ARRAY_SIZE(ops));
	assert_int_equal(ops[0].result, 0);
	assert_int_equal(ops[1].result, -EINVAL);
	assert_int_equal(ops[2].result, 0);
	assert_true(held(ops[0].fact));
	assert_true(held(ops[2].fact));
	assert_int_equal(iptables_counts(t.adapter, AF_INET).failures, 1);
	assert_int_equal(iptables_counts(t.adapter, AF_INET6).failures, 0);
}

static void a_chain_that_others_refer_to_does_not_stop_the_others(void **state)
{
	_cleanup_free_ struct op *ops = NULL;
	size_t n = fill_ops(&t.facts, FACT_CHAIN, OP_DEL, &ops);

	(void)state;
	apply_all(OP_ADD, FACT_CHAIN);
	restore("iptables-restore",
		"*nat\n:FOREIGN - [0:0]\n-A FOREIGN -j KUBE-MARK-MASQ\nCOMMIT\n");
	t.adapter->apply(t.adapter, ops, n);
	for (size_t i = 0; i < n; i++) {
		bool busy = !strcmp(ops[i].fact.key.name, "KUBE-MARK-MASQ") &&
			ops[i].fact.key.family == AF_INET;

		assert_int_equal(ops[i].result, busy ? -EINVAL : 0);
	}
	assert_int_equal(count_held(), 1);
}

static void rules_of_others_stay(void **state)
{
	static const char *const rules[] = {
		":KUBE-KUBELET-CANARY - [0:0]",
		"-A FOREIGN -s 10.0.0.1/32 -j ACCEPT",
		"-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE",
	};

	(void)state;
	restore("iptables-restore",
		"*nat\n:KUBE-KUBELET-CANARY - [0:0]\n:FOREIGN - [0:0]\n"
		"-A FOREIGN -s 10.0.0.1 -j ACCEPT\n"
		"-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\nCOMMIT\n");
	apply_all(OP_ADD, FACT_CHAIN);
	apply_all(OP_ADD, FACT_JUMP);
	apply_all(OP_SET, FACT_CHAIN);
	apply_all(OP_DEL, FACT_JUMP);
	apply_all(OP_DEL, FACT_CHAIN);
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		assert_true(saved_has("iptables-save", "nat", rules[i]));
}

/* In chains of ours. */
static size_t count_rules(const char *program, const char *table)
{
	_cleanup_free_ char *text = RUN(NULL, program, "-t", table);
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, "\n-A KUBE-")); p++)
		n++;
	return n;
}

static void written_rules_are_counted(void **state)
{
	struct iptables_counts v4, v6;

	(void)state;
	apply_all(OP_ADD, FACT_CHAIN);
	v4 = iptables_counts(t.adapter, AF_INET);
	v6 = iptables_counts(t.adapter, AF_INET6);
	assert_true(v4.written[TABLE_NAT] && v4.written[TABLE_FILTER]);
	assert_int_equal(v4.written[TABLE_NAT], count_rules("iptables-save", "nat"));
	assert_int_equal(v4.written[TABLE_FILTER], count_rules("iptables-save", "filter"));
	assert_int_equal(v4.written[TABLE_MANGLE], count_rules("iptables-save", "mangle"));
	assert_int_equal(v6.written[TABLE_NAT], count_rules("ip6tables-save", "nat"));
	assert_int_equal(v4.failures + v6.failures, 0);
	apply_all(OP_ADD, FACT_JUMP); /* which are in chains of others */
	apply_all(OP_DEL, FACT_JUMP);
	apply_all(OP_DEL, FACT_CHAIN);
	assert_memory_equal(
		iptables_counts(t.adapter, AF_INET).written, v4.written, sizeof(v4.written));
}

static void a_family_that_is_not_served_is_not_touched(void **state)
{
	struct err err;

	(void)state;
	iptables_free(t.adapter);
	assert_int_equal(iptables_new(&t.pool, true, false, &t.adapter, &err), 0);
	apply(OP_ADD,
		fact_chain(AF_INET6, TABLE_NAT, "KUBE-MARK-MASQ",
			rule_text_put(&t.pool, AF_INET6, "")),
		-EOPNOTSUPP);
	apply(OP_ADD,
		fact_chain(
			AF_INET, TABLE_NAT, "KUBE-MARK-MASQ", rule_text_put(&t.pool, AF_INET, "")),
		0);
	assert_int_equal(count_held(), 1);
}

static void the_program_is_described(void **state)
{
	const struct iptables_info *info = iptables_info(t.adapter);

	(void)state;
	assert_int_equal(info->nft, !strcmp(t.variant.name, "nft"));
	assert_true(info->version[0] >= '1');
	assert_true(info->random_fully);
}

/* kubelet's hint in the other variant decides, not what PATH has. */
static void the_variant_of_kubelet_is_used(void **state)
{
	bool nft = !strcmp(t.variant.name, "nft");
	const char *other = nft ? "iptables-legacy-restore" : "iptables-nft-restore";
	struct err err;

	(void)state;
	if (access(nft ? "/usr/sbin/iptables-legacy" : "/usr/sbin/iptables-nft", X_OK))
		return;
	restore(other, "*mangle\n:KUBE-IPTABLES-HINT - [0:0]\nCOMMIT\n");
	iptables_free(t.adapter);
	assert_int_equal(iptables_new(&t.pool, true, false, &t.adapter, &err), 0);
	assert_int_equal(iptables_info(t.adapter)->nft, !nft);
	apply(OP_ADD, chain(TABLE_NAT, "KUBE-MARK-MASQ", ""), 0);
	assert_false(saved_has("iptables-save", "nat", ":KUBE-MARK-MASQ - [0:0]"));
	assert_int_equal(count_held(), 1);
}

static void rules_in_the_other_variant_are_told(void **state)
{
	bool nft = !strcmp(t.variant.name, "nft");
	const char *other = nft ? "iptables-legacy-restore" : "iptables-nft-restore";
	_cleanup_(buf_done) struct buf before = { 0 }, b = { 0 };

	(void)state;
	if (access(nft ? "/usr/sbin/iptables-legacy" : "/usr/sbin/iptables-nft", X_OK))
		return;
	apply(OP_ADD, chain(TABLE_NAT, "KUBE-SERVICES", ""), 0);
	restore(other, "*nat\n:FOREIGN - [0:0]\nCOMMIT\n");
	iptables_print_mixed(t.adapter, &before);
	assert_string_equal(buf_str(&before), "");
	restore(other, "*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n");
	for (int i = 0; !b.len && i < MANY_TRIES; i++) /* it is given little time */
		iptables_print_mixed(t.adapter, &b);
	assert_string_equal(buf_str(&b), nft ? "iptables-legacy" : "iptables-nft");
}

static bool has_content(const char *path)
{
	struct stat st;

	return !stat(path, &st) && st.st_size;
}

/* Everything else would wait, too. */
static void nobody_is_waited_for_to_tell_them(void **state)
{
	char program[PATH_SIZE + 16], told[PATH_SIZE + 16];
	_cleanup_(buf_done) struct buf b = { 0 };
	_cleanup_free_ char *asked = NULL;

	(void)state;
	if (strcmp(t.variant.name, "legacy") != 0)
		return; /* the other one is not run where its table is not loaded */
	snprintf(program, sizeof(program), "%s/iptables-nft", t.variant.dir);
	snprintf(told, sizeof(told), "%s/told", t.variant.dir);
	write_program(program, "#!/bin/sh\necho \"$@\" >\"${0%/*}/told\"\n");
	for (int i = 0; !has_content(told) && i < MANY_TRIES; i++)
		iptables_print_mixed(t.adapter, &b);
	asked = RUN(NULL, "cat", told);
	unlink(program);
	unlink(told);
	assert_string_equal(asked, "-t nat -S KUBE-SERVICES\n");
}

static void a_lock_that_somebody_holds_is_waited_for_in_vain(void **state)
{
	char path[PATH_SIZE + 8];
	int fd;

	(void)state;
	if (strcmp(t.variant.name, "legacy") != 0)
		return; /* nf_tables has no lock */
	snprintf(path, sizeof(path), "%s/lock", t.variant.dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	apply(OP_ADD, chain(TABLE_NAT, "KUBE-MARK-MASQ", ""), -EAGAIN);
	close(fd);
	apply(OP_ADD, chain(TABLE_NAT, "KUBE-MARK-MASQ", ""), 0);
}

#define HASH "ABCDEFGHIJKLMNOP"

/* Two chains, and one of ours that leads to the tree; entries that need more than one chain. */
static void resolve_dispatch(void)
{
	fact_list_done(&t.facts);
	for (int v6 = 0; v6 < 2; v6++) {
		int family = v6 ? AF_INET6 : AF_INET;
		struct ip ip = { .family = (uint8_t)family, .bytes = { 10, 96 } };

		fact_list_add(&t.facts,
			fact_chain(family, TABLE_NAT, "KUBE-SERVICES",
				rule_text_put(&t.pool, family,
					"-A KUBE-SERVICES -j KUBE-DISPATCH\n"
					"-A KUBE-SERVICES -j KUBE-PORT-DISPATCH\n")));
		fact_list_add(&t.facts,
			fact_chain(family, TABLE_NAT, "KUBE-SVC-" HASH,
				rule_text_put(
					&t.pool, AF_INET, "-A KUBE-SVC-" HASH " -j RETURN\n")));
		for (unsigned i = 0; i < 40; i++) {
			ip.bytes[ip_bits(family) / 8 - 1] = (uint8_t)i;
			ip.bytes[ip_bits(family) / 8 - 3] = (uint8_t)(i % 3);
			fact_list_add(&t.facts,
				fact_dispatch(&ip, 80, IPPROTO_TCP, SERVICE_CHAIN_SVC, HASH));
		}
		ip = (struct ip){ .family = (uint8_t)family };
		for (unsigned i = 0; i < 40; i++)
			fact_list_add(&t.facts,
				fact_dispatch(&ip, (uint16_t)(30000 + 7 * i), IPPROTO_UDP,
					SERVICE_CHAIN_SVC, HASH));
	}
	fact_list_finish(&t.facts);
}

static void add_dispatch(void)
{
	resolve_dispatch();
	apply_all(OP_ADD, FACT_CHAIN);
	apply_all(OP_ADD, FACT_DISPATCH);
}

/* As after a restart. */
static void new_adapter(void)
{
	struct err err;

	iptables_free(t.adapter);
	assert_int_equal(iptables_new(&t.pool, true, true, &t.adapter, &err), 0);
}

/* All but the two rules of KUBE-SERVICES and the one of the Service's chain. */
static void the_rules_of_the_tree_are_counted(void **state)
{
	(void)state;
	assert_int_equal(iptables_counts(t.adapter, AF_INET).tree, 0);
	add_dispatch();
	assert_int_equal(
		iptables_counts(t.adapter, AF_INET).tree, count_rules("iptables-save", "nat") - 3);
	assert_int_equal(iptables_counts(t.adapter, AF_INET6).tree,
		count_rules("ip6tables-save", "nat") - 3);
	new_adapter();
	(void)count_held();
	assert_int_equal(
		iptables_counts(t.adapter, AF_INET).tree, count_rules("iptables-save", "nat") - 3);
	apply_all(OP_DEL, FACT_DISPATCH);
	assert_int_equal(iptables_counts(t.adapter, AF_INET).tree, 0);
}

/* Without the entry for port 0. */
static void assert_dispatch_held(size_t expected, bool sound)
{
	_cleanup_(fact_list_done) struct fact_list have = dump();
	size_t n = 0;
	bool disorder = false;

	for (size_t i = 0; i < have.n; i++) {
		if (have.facts[i].key.kind != FACT_DISPATCH)
			continue;
		if (have.facts[i].key.port)
			n++;
		else
			disorder = true;
	}
	assert_int_equal(n, expected);
	assert_int_equal(disorder, !sound);
}

static char *first_chain_below(const char *program)
{
	_cleanup_free_ char *text = RUN(NULL, program, "-t", "nat");
	const char *at = strstr(text, ":KUBE-DISPATCH-");

	assert_non_null(at);
	return mem_strndup(at + 1, strcspn(at + 1, " "));
}

static void dispatch_entries_read_as_they_were_written(void **state)
{
	(void)state;
	add_dispatch();
	assert_dispatch_held(160, true);
	assert_true(held(t.facts.facts[t.facts.n - 1]));
	new_adapter();
	assert_dispatch_held(160, true);
	assert_true(held(t.facts.facts[t.facts.n - 1]));
}

static void dispatch_is_removed_without_a_trace(void **state)
{
	_cleanup_free_ char *text = NULL;

	(void)state;
	add_dispatch();
	apply_all(OP_DEL, FACT_DISPATCH);
	assert_true(saved_has("iptables-save", "nat", "-A KUBE-SERVICES -j KUBE-DISPATCH"));
	assert_dispatch_held(0, true);
	apply_all(OP_DEL, FACT_CHAIN);
	text = RUN(NULL, "iptables-save", "-t", "nat");
	assert_null(strstr(text, "KUBE-"));
}

/* The other backend's rules come first, the entries go later. */
/* What is new is made first, and that KUBE-SERVICES stands already is no obstacle. */
static void half_of_the_rules_are_completed(void **state)
{
	(void)state;
	restore("iptables-restore", "*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n");
	apply(OP_ADD,
		chain(TABLE_NAT, "KUBE-NODE-PORT",
			"-A KUBE-NODE-PORT -p sctp -j KUBE-PORT-DISPATCH\n"),
		0);
	apply(OP_SET,
		chain(TABLE_NAT, "KUBE-SERVICES",
			"-A KUBE-SERVICES -j KUBE-DISPATCH\n"
			"-A KUBE-SERVICES -j KUBE-NODE-PORT\n"),
		0);
	assert_dispatch_held(0, true);
}

static void dispatch_is_left_for_another_backend(void **state)
{
	struct fact services = chain(TABLE_NAT, "KUBE-SERVICES", "-A KUBE-SERVICES -j RETURN\n");
	_cleanup_free_ char *text = NULL;

	(void)state;
	add_dispatch();
	apply(OP_SET, services, 0);
	assert_dispatch_held(160, true);
	apply_all(OP_DEL, FACT_DISPATCH);
	text = RUN(NULL, "iptables-save", "-t", "nat");
	assert_null(strstr(text, "KUBE-DISPATCH"));
	assert_null(strstr(text, "KUBE-PORT-DISPATCH"));
	assert_dispatch_held(0, true);
}

static void a_broken_tree_is_put_right(void **state)
{
	_cleanup_free_ char *name = NULL;

	(void)state;
	add_dispatch();
	name = first_chain_below("iptables-save");
	free(RUN(NULL, "iptables", "-w", "5", "-t", "nat", "-I", name, "-j", "RETURN"));
	{
		_cleanup_(fact_list_done) struct fact_list have = dump();

		assert_true(have.n < t.facts.n);
	}
	apply_all(OP_ADD, FACT_DISPATCH);
	assert_dispatch_held(160, true);
	free(RUN(NULL, "iptables", "-w", "5", "-t", "nat", "-F", "KUBE-DISPATCH"));
	assert_dispatch_held(120, false);
	apply_all(OP_ADD, FACT_DISPATCH);
	assert_dispatch_held(160, true);
}

static void a_foreign_chain_in_the_tree_is_deleted(void **state)
{
	struct ip none = { .family = AF_INET };

	(void)state;
	add_dispatch();
	restore("iptables-restore",
		"*nat\n:KUBE-DISPATCH-FOREIGN - [0:0]\n"
		"-A KUBE-DISPATCH-FOREIGN -j RETURN\nCOMMIT\n");
	assert_dispatch_held(160, false);
	apply(OP_DEL, fact_dispatch(&none, 0, IPPROTO_TCP, SERVICE_CHAIN_SVC, HASH), 0);
	assert_dispatch_held(160, true);
	assert_false(saved_has("iptables-save", "nat", ":KUBE-DISPATCH-FOREIGN - [0:0]"));
}

static void node_ports_of_kube_proxy_are_no_part_of_the_tree(void **state)
{
	struct fact node_ports = fact_chain(AF_INET, TABLE_NAT, "KUBE-NODEPORTS", 0);

	(void)state;
	resolve_dispatch();
	restore("iptables-restore",
		"*nat\n:KUBE-NODEPORTS - [0:0]\n:KUBE-EXT-" HASH " - [0:0]\n"
		"-A KUBE-NODEPORTS -p tcp -m comment --comment x -m tcp --dport 30000 "
		"-j KUBE-EXT-" HASH "\nCOMMIT\n");
	assert_dispatch_held(0, true);
	apply_all(OP_ADD, FACT_CHAIN);
	apply_all(OP_ADD, FACT_DISPATCH);
	assert_dispatch_held(160, true);
	apply(OP_DEL, node_ports, 0);
	assert_dispatch_held(160, true);
}

/* The root of its node ports was KUBE-NODEPORTS. Most of them are gone since. */
static void an_earlier_tree_leads_on_until_ours_stands(void **state)
{
	const struct ip none = { .family = AF_INET };
	size_t rules, n = 0;

	(void)state;
	add_dispatch();
	free(RUN(NULL, "iptables", "-w", "5", "-t", "nat", "-E", "KUBE-PORT-DISPATCH",
		"KUBE-NODEPORTS"));
	new_adapter();
	assert_dispatch_held(120, false);
	rules = count_rules("iptables-save", "nat");

	for (size_t i = 0; i < t.facts.n; i++)
		if (t.facts.facts[i].key.family != AF_INET || t.facts.facts[i].key.port < 30035)
			t.facts.facts[n++] = t.facts.facts[i];
	t.facts.n = n;
	apply_all(OP_ADD, FACT_DISPATCH);
	assert_int_equal(count_rules("iptables-save", "nat"), rules + 5);

	apply_all(OP_SET, FACT_CHAIN);
	apply(OP_DEL, fact_chain(AF_INET, TABLE_NAT, "KUBE-NODEPORTS", 0), 0);
	apply(OP_DEL, fact_dispatch(&none, 0, IPPROTO_TCP, SERVICE_CHAIN_SVC, HASH), 0);
	assert_dispatch_held(125, true);
	assert_true(count_rules("iptables-save", "nat") < rules);
}

static void an_entry_without_its_chain_does_not_stop_the_others(void **state)
{
	struct ip ip = ip_make(AF_INET, (const uint8_t[]){ 10, 0, 0, 1 });
	struct op ops[2] = {
		{ OP_ADD, 1, fact_dispatch(&ip, 1, IPPROTO_TCP, SERVICE_CHAIN_SVC, HASH) },
		{ OP_ADD, 1, fact_dispatch(&ip, 2, IPPROTO_TCP, SERVICE_CHAIN_EXT, HASH) },
	};

	(void)state;
	add_dispatch();
	t.adapter->apply(t.adapter, ops, ARRAY_SIZE(ops));
	assert_int_equal(ops[0].result, 0);
	assert_int_equal(ops[1].result, -EINVAL);
	assert_dispatch_held(161, true);
}

/* Whatever stands first in the queue: a part of a large batch refers to no later part. */
static void chains_may_stand_in_any_order(void **state)
{
	enum { N = 1500 };

	(void)state;
	fact_list_done(&t.facts);
	for (unsigned i = 0; i < N; i++) {
		char svc[40], sep[40], text[100];

		snprintf(svc, sizeof(svc), "KUBE-SVC-AAAAAAAAAAAA%c%c%c%c", 'A' + (i & 15),
			'A' + (i >> 4 & 15), 'A' + (i >> 8 & 15), 'A');
		snprintf(sep, sizeof(sep), "KUBE-SEP-%s", svc + 9);
		snprintf(text, sizeof(text), "-A %s -j %s\n", svc, sep);
		fact_list_add(&t.facts, chain(TABLE_NAT, svc, text));
		snprintf(text, sizeof(text), "-A %s -j RETURN\n", sep);
		fact_list_add(&t.facts, chain(TABLE_NAT, sep, text));
	}
	apply_all(OP_ADD, FACT_CHAIN);
	apply_all(OP_DEL, FACT_CHAIN);
	assert_int_equal(count_held(), 0);
}

/* Counts the runs of iptables-restore until variant_link() or the test's end. */
static void count_restores(void)
{
	char text[3 * PATH_SIZE];

	snprintf(text, sizeof(text),
		"#!/bin/sh\necho >>%s/lock\nexec /usr/sbin/iptables-%s-restore \"$@\"\n",
		t.variant.dir, t.variant.name);
	replace_restore(text);
}

static size_t restores(void)
{
	char path[PATH_SIZE + 24];
	struct stat st;

	snprintf(path, sizeof(path), "%s/lock", t.variant.dir);
	return stat(path, &st) ? 0 : (size_t)st.st_size;
}

/* Chains, entries and jumps of both families, as they follow one another at a start. */
static size_t fill_mixed(struct op **ret)
{
	static const enum fact_kind kinds[] = { FACT_CHAIN, FACT_DISPATCH, FACT_JUMP };
	struct op *ops;
	size_t n = 0;

	resolve_dispatch();
	fact_list_add(&t.facts, portals());
	fact_list_finish(&t.facts);
	ops = mem_zalloc(t.facts.n, sizeof(*ops));
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
		for (size_t i = 0; i < t.facts.n; i++)
			if (t.facts.facts[i].key.kind == kinds[k])
				ops[n++] = (struct op){ OP_ADD, 1, t.facts.facts[i] };
	*ret = ops;
	return n;
}

static void several_kinds_take_one_program(void **state)
{
	_cleanup_free_ struct op *ops = NULL;
	size_t n = fill_mixed(&ops), before;

	(void)state;
	assert_int_equal(count_held(), 0);
	count_restores();
	before = restores();
	t.adapter->apply(t.adapter, ops, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(ops[i].result, 0);
	assert_int_equal(restores(), before + 1);
	assert_dispatch_held(160, true);
	assert_all_held();
	assert_int_equal(
		iptables_counts(t.adapter, AF_INET).tree, count_rules("iptables-save", "nat") - 3);
	new_adapter();
	assert_dispatch_held(160, true);
}

/* Each of several kinds is written although a part of another one is refused. */
static void a_bad_part_does_not_stop_other_kinds(void **state)
{
	_cleanup_free_ struct op *ops = NULL;
	size_t n = fill_mixed(&ops), bad = 0;

	(void)state;
	for (size_t i = 0; i < n; i++)
		if (ops[i].fact.key.kind == FACT_DISPATCH && ops[i].fact.key.family == AF_INET)
			bad = i;
	ops[bad].fact.val.dispatch.chain = SERVICE_CHAIN_EXT;
	assert_int_equal(count_held(), 0);
	t.adapter->apply(t.adapter, ops, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(ops[i].result, i == bad ? -EINVAL : 0);
	assert_dispatch_held(159, true);
	assert_all_held();
}

/* The jumps were deleted as they stood when they were read, but others have changed them since. */
static void jumps_that_others_changed_do_not_stop_other_kinds(void **state)
{
	struct op ops[] = {
		{ OP_ADD, 1, chain(TABLE_NAT, "KUBE-MARK-MASQ", "") },
		{ OP_SET, 1, portals() },
	};

	(void)state;
	apply(OP_ADD, chain(TABLE_NAT, "KUBE-SERVICES", ""), 0);
	restore("iptables-restore", "*nat\n-A OUTPUT -d 10.0.0.0/8 -j KUBE-SERVICES\nCOMMIT\n");
	assert_false(held(portals()));
	restore("iptables-restore",
		"*nat\n-D OUTPUT -d 10.0.0.0/8 -j KUBE-SERVICES\n"
		"-A OUTPUT -d 11.0.0.0/8 -j KUBE-SERVICES\nCOMMIT\n");
	t.adapter->apply(t.adapter, ops, ARRAY_SIZE(ops));
	assert_int_equal(ops[0].result, 0);
	assert_int_equal(ops[1].result, 0);
	assert_true(held(ops[0].fact));
	assert_true(held(portals()));
}

static void nobody_waits_for_a_program_that_hangs(void **state)
{
	struct op op = { OP_ADD, 1, chain(TABLE_NAT, "KUBE-MARK-MASQ", "") };
	int fd = iptables_watch(t.adapter);

	(void)state;
	assert_true(fd >= 0);
	replace_restore("#!/bin/sh\nexec sleep 600\n");
	t.adapter->apply(t.adapter, &op, 1);
	assert_false(t.adapter->advance(t.adapter));
	assert_false(t.adapter->advance(t.adapter));
	assert_int_equal(op.result, -EINPROGRESS);
	iptables_free(take(t.adapter)); /* kills it */
}

/* As the daemon does: the descriptor tells when to ask. */
static void answers_come_later(void **state)
{
	struct op op = { OP_ADD, 1, chain(TABLE_NAT, "KUBE-MARK-MASQ", "") };
	struct pollfd p = { .fd = iptables_watch(t.adapter), .events = POLLIN };

	(void)state;
	t.adapter->apply(t.adapter, &op, 1);
	while (!t.adapter->advance(t.adapter))
		assert_int_equal(poll(&p, 1, TIMEOUT_MS), 1);
	assert_int_equal(op.result, 0);
	while (!t.adapter->read_ahead(t.adapter))
		assert_int_equal(poll(&p, 1, TIMEOUT_MS), 1);
	assert_true(held(op.fact));
	assert_int_equal(poll(&p, 1, 0), 0);
}

static int test_variant(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, new_namespace, end_namespace)
		TEST(what_is_written_is_what_is_read),
		TEST(changes_by_others_are_counted),
		TEST(rules_of_all_options_read_as_they_were_written),
		TEST(packets_of_the_node_are_marked_or_dropped),
		TEST(adding_twice_leaves_one),
		TEST(all_goes_away_again),
		TEST(what_is_not_there_can_be_deleted),
		TEST(rules_of_kube_proxy_are_taken_over),
		TEST(another_rendering_is_learnt),
		TEST(another_rendering_of_a_jump_is_learnt),
		TEST(what_others_change_is_seen_although_a_rendering_was_learnt),
		TEST(what_others_do_meanwhile_is_no_rendering),
		TEST(a_changed_chain_is_written_again),
		TEST(jumps_of_ours_that_stand_twice_become_one),
		TEST(jumps_that_others_changed_since_they_were_read_are_read_again),
		TEST(a_jump_stands_before_the_rules_of_others),
		TEST(jumps_come_back_in_the_order_in_which_they_stood),
		TEST(deleting_a_jump_deletes_all_that_lead_there),
		TEST(one_bad_chain_does_not_stop_the_others),
		TEST(a_bad_change_leaves_the_old_rules),
		TEST(one_bad_jump_does_not_stop_the_others),
		TEST(a_chain_that_others_refer_to_does_not_stop_the_others),
		TEST(rules_of_others_stay),
		TEST(written_rules_are_counted),
		TEST(a_family_that_is_not_served_is_not_touched),
		TEST(the_program_is_described),
		TEST(the_variant_of_kubelet_is_used),
		TEST(rules_in_the_other_variant_are_told),
		TEST(nobody_is_waited_for_to_tell_them),
		TEST(a_lock_that_somebody_holds_is_waited_for_in_vain),
		TEST(dispatch_entries_read_as_they_were_written),
		TEST(the_rules_of_the_tree_are_counted),
		TEST(dispatch_is_removed_without_a_trace),
		TEST(half_of_the_rules_are_completed),
		TEST(dispatch_is_left_for_another_backend),
		TEST(a_broken_tree_is_put_right),
		TEST(a_foreign_chain_in_the_tree_is_deleted),
		TEST(node_ports_of_kube_proxy_are_no_part_of_the_tree),
		TEST(an_earlier_tree_leads_on_until_ours_stands),
		TEST(an_entry_without_its_chain_does_not_stop_the_others),
		TEST(chains_may_stand_in_any_order),
		TEST(several_kinds_take_one_program),
		TEST(a_bad_part_does_not_stop_other_kinds),
		TEST(jumps_that_others_changed_do_not_stop_other_kinds),
		TEST(answers_come_later),
		TEST(nobody_waits_for_a_program_that_hangs),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	struct adapter *sets;
	struct err err = { 0 };

	if (unshare(CLONE_NEWNET))
		variant_skip_all(
			&t.variant, "making a network namespace is not permitted: run it as root");
	if (ipset_new(&sets, &err))
		variant_skip_all(&t.variant, err.msg);
	ipset_free(sets);
	return variant_each(&t.variant, test_variant);
}

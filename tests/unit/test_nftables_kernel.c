// SPDX-License-Identifier: GPL-2.0-or-later
/* Against the running kernel, in network namespaces of its own, with the nft program as witness. */
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <netlink/msg.h>

#include "base/hash.h"
#include "fixture.h"
#include "kernel/nftables.h"
#include "kernel/nftables_text.h"
#include "kernel_test.h"

/* That of the options' defaults. */
#define MARK_MASK UINT32_C(0xfff00000)
#define MARK_MASK_TEXT "0xfff00000"

static const enum fact_kind kinds[] = { FACT_SET, FACT_CHAIN, FACT_MEMBER, FACT_DISPATCH,
	FACT_JUMP };

static struct rule_pool pool;
static struct adapter *adapter;

/* In place of libc's, to count the requests of the adapter. */
static size_t sent;
ssize_t send(int fd, const void *data, size_t len, int flags)
{
	sent++;
	return sendto(fd, data, len, flags, NULL, 0);
}

/* In place of libc's: marks the end of one of the next dumps as interrupted. */
static unsigned interrupted_dump; /* 1: the next one; 0: none */
ssize_t recvmsg(int fd, struct msghdr *h, int flags)
{
	const ssize_t n = syscall(SYS_recvmsg, fd, h, flags);
	int left = (int)n;

	for (struct nlmsghdr *m = h->msg_iov->iov_base; interrupted_dump && nlmsg_ok(m, left);
		m = nlmsg_next(m, &left))
		if (m->nlmsg_type == NLMSG_DONE && !--interrupted_dump)
			m->nlmsg_flags |= NLM_F_DUMP_INTR;
	return n;
}

static int reopen(void)
{
	struct err err = { 0 };

	nftables_free(take(adapter));
	if (!nftables_new(&pool, true, true, MARK_MASK, &adapter, &err))
		return 0;
	fprintf(stderr, "%s\n", err.msg);
	return -1;
}

static int new_namespace(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNET) ? -1 : reopen();
}

static int end_namespace(void **state)
{
	(void)state;
	nftables_free(take(adapter));
	rule_pool_done(&pool);
	pool = (struct rule_pool){ 0 };
	return 0;
}

/* What a node with these options has of the adapter's kinds. */
static struct fact_list node_facts(void (*set_options)(struct fixture_node *n))
{
	const struct node_needs needs = node_needs_all();
	struct fact_list l = { 0 };
	struct fixture_node n;

	fixture_node_init(&n);
	if (set_options)
		set_options(&n);
	resolve_node(&n.view, &needs, &pool, &l);
	fact_list_finish(&l);
	return l;
}

static size_t apply_all(const struct fact_list *l, enum fact_kind kind, enum op_type type)
{
	_cleanup_free_ struct op *ops = mem_zalloc(l->n, sizeof(*ops));
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->facts[i].key.kind == kind)
			ops[n++] = (struct op){ .type = type, .fact = l->facts[i] };
	adapter->apply(adapter, ops, n);
	for (size_t i = 0; i < n; i++)
		if (ops[i].result) {
			_cleanup_(buf_done) struct buf line = { 0 };

			fact_print(&line, &ops[i].fact);
			fail_msg("%s %s: %s", op_type_name(type), buf_str(&line),
				strerror(-ops[i].result));
		}
	return n;
}

static void add_all(const struct fact_list *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		apply_all(l, kinds[i], OP_ADD);
}

/* The kernel has exactly these. */
static void assert_has(const struct fact_list *l)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		_cleanup_(fact_list_done) struct fact_list have = kernel_dump(adapter, kinds[k]);
		_cleanup_(buf_done) struct buf a = { 0 }, b = { 0 };

		fixture_print_facts(&a, have.facts, have.n);
		for (size_t i = 0; i < l->n; i++)
			if (l->facts[i].key.kind == kinds[k])
				fixture_print_facts(&b, &l->facts[i], 1);
		assert_string_equal(buf_str(&a), buf_str(&b));
	}
}

static char *list_table(const char *family)
{
	return RUN(NULL, "nft", "list", "table", family, "ipvsctl-svc");
}

/* What others may do to the table, and who it is that owns it, stand in its first lines. */
static char *list_without_owner(const char *family)
{
	_cleanup_free_ char *text = list_table(family);
	const char *sets = strstr(text, "\tset "), *map = strstr(text, "\tmap ");

	assert_non_null(sets);
	return mem_strdup(map && map < sets ? map : sets);
}

static void default_options(struct fixture_node *n)
{
	(void)n;
}

static void by_interface(struct fixture_node *n)
{
	n->options.detect_local = DETECT_INTERFACE_NAME_PREFIX;
	strcpy(n->options.interface, "cali+");
}

static void masquerading_all(struct fixture_node *n)
{
	n->options.masquerade_all = true;
	n->options.vip_mode = VIP_ADDRESS;
}

static void on_some_addresses(struct fixture_node *n)
{
	n->options.nodeport_primary = true;
}

static void translating(struct fixture_node *n)
{
	n->view.backend = BACKEND_NFTABLES;
}

static void rules_are_read_as_they_were_written(void **state)
{
	static void (*const options[])(struct fixture_node * n) = { default_options, by_interface,
		masquerading_all, on_some_addresses, translating };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		_cleanup_(fact_list_done) struct fact_list l = node_facts(options[i]);

		add_all(&l);
		assert_has(&l);
		/* A daemon that starts finds all of it. */
		assert_int_equal(reopen(), 0);
		assert_has(&l);
		for (size_t k = ARRAY_SIZE(kinds); k; k--)
			apply_all(&l, kinds[k - 1], OP_DEL);
		l.n = 0;
		assert_has(&l);
	}
}

static void members_of_every_type_are_added_and_deleted(void **state)
{
	static const char *const lines[] = {
		"member KUBE-LOOP-BACK 10.244.1.1,tcp:8080,10.244.1.1",
		"member KUBE-CLUSTER-IP 10.96.0.1,tcp:443",
		"member KUBE-6-CLUSTER-IP 2001:db8::1,udp:53",
		"member KUBE-LOCAL-MARK 192.0.2.1,tcp:80 mark=0x100000 mask=0xfff00000",
		"member KUBE-LOAD-BALANCER-SOURCE-CIDR 192.0.2.1,tcp:80,10.0.0.0/8",
		"member KUBE-LOAD-BALANCER-SOURCE-CIDR 192.0.2.1,tcp:80,192.168.50.11/32",
		"member KUBE-6-LOAD-BALANCER-SOURCE-CID 2001:db8::1,sctp:80,fd00::/33",
		"member KUBE-NODE-PORT-TCP 30080",
		"member KUBE-HEALTH-CHECK-NODE-PORT 32000",
		"member KUBE-IPVS-IPS 10.96.0.1",
	};
	_cleanup_(fact_list_done) struct fact_list l = node_facts(NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		fact_list_add(&l, kernel_fact(lines[i]));
	fact_list_finish(&l);
	add_all(&l);
	assert_has(&l);
	/* Twice is no error. */
	apply_all(&l, FACT_MEMBER, OP_ADD);
	assert_has(&l);
	apply_all(&l, FACT_MEMBER, OP_DEL);
	apply_all(&l, FACT_MEMBER, OP_DEL);
	kernel_assert_facts(adapter, FACT_MEMBER, "");
}

/* The chains of spreads, and the maps that lead to endpoints. */
static void services_are_read_as_they_were_written(void **state)
{
	static const struct spread spreads[] = { { 1, SPREAD_ENTRY, 0, 0 },
		{ 4095, SPREAD_ENTRY | SPREAD_FLAGS, 0, 86400 },
		{ 3, SPREAD_ENTRY | SPREAD_MASQUERADE, 0, 60 } };
	static const char *const lines[] = {
		"member KUBE-ENDPOINTS 10.96.0.1,tcp:80,0 to=10.244.1.1:8080",
		"member KUBE-ENDPOINTS 10.96.0.1,tcp:80,4094 to=10.244.1.2:8080",
		"member KUBE-ENDPOINTS-LOCAL 0.0.0.0,udp:30053,2 to=10.244.1.1:53",
		"member KUBE-6-ENDPOINTS 2001:db8::1,sctp:80,1 to=[fd00::1]:8080",
		"member KUBE-AFFINITY 10.96.0.1,tcp:80,10.244.1.1 to=10.244.1.1:8080",
		"member KUBE-6-AFFINITY-LOCAL 2001:db8::1,tcp:80,fd00::1 to=[fd00::1]:8080",
		"member KUBE-DISPATCH-POD 0.0.0.0,udp:30053 to=KUBE-SPREAD-1",
		"dispatch 10.96.0.1:80/TCP KUBE-SPREAD-4095-LMP-86400",
		"dispatch 0.0.0.0:30053/UDP nowhere",
		"dispatch [2001:db8::1]:80/TCP KUBE-SPREAD-3-M-60",
	};
	static const int both[] = { AF_INET, AF_INET6 };
	_cleanup_(fact_list_done) struct fact_list l = node_facts(translating);
	const struct resolver r = { NULL, &pool, &l };
	_cleanup_free_ char *text = NULL;

	(void)state;
	for (size_t f = 0; f < ARRAY_SIZE(both); f++) {
		fact_list_add(&l, fact_set(SET_CLIENTS, both[f]));
		for (size_t i = 0; i < ARRAY_SIZE(spreads); i++)
			resolve_spread(&r, both[f], &spreads[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		fact_list_add(&l, kernel_fact(lines[i]));
	fact_list_finish(&l);
	add_all(&l);
	assert_has(&l);
	assert_int_equal(reopen(), 0);
	assert_has(&l);
	/* nft 1.0.6 would end with a failed assertion if it did not know the length of a key. */
	text = list_table("ip");
	assert_non_null(strstr(text, "0x0034003c : goto nat-KUBE-SPREAD-3-M-60"));
	free(list_table("ip6"));
	for (size_t k = ARRAY_SIZE(kinds) - 1; k > 1; k--)
		apply_all(&l, kinds[k], OP_DEL);
	apply_all(&l, FACT_CHAIN, OP_DEL);
	apply_all(&l, FACT_SET, OP_DEL);
	l.n = 0;
	assert_has(&l);
}

static void a_slot_and_an_entry_change_their_values(void **state)
{
	static const char *const rows[][2] = {
		{ "member KUBE-ENDPOINTS 10.96.0.1,tcp:80,0 to=10.244.1.1:8080\n",
			"member KUBE-ENDPOINTS 10.96.0.1,tcp:80,0 to=10.244.1.2:8081\n" },
		{ "dispatch 10.96.0.1:80/TCP nowhere\n",
			"dispatch 10.96.0.1:80/TCP KUBE-SPREAD-1-60\n" },
	};

	(void)state;
	kernel_apply(adapter, OP_ADD, fact_set(SET_ENDPOINTS, AF_INET), 0);
	kernel_apply(adapter, OP_ADD, fact_set(SET_DISPATCH, AF_INET), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *a = mem_strdup(rows[i][0]), *b = mem_strdup(rows[i][1]);
		struct fact before, after;

		a[strlen(a) - 1] = b[strlen(b) - 1] = '\0';
		before = kernel_fact(a);
		after = kernel_fact(b);
		kernel_apply(adapter, OP_ADD, before, 0);
		kernel_apply(adapter, OP_SET, after, 0);
		kernel_assert_facts(adapter, before.key.kind, rows[i][1]);
		/* One that nobody knew of. */
		kernel_apply(adapter, OP_ADD, before, 0);
		kernel_assert_facts(adapter, before.key.kind, rows[i][0]);
	}
}

static void a_mark_is_changed(void **state)
{
	const struct fact set = fact_set(SET_LOCAL_MARK, AF_INET);
	struct fact f = kernel_fact(
		"member KUBE-LOCAL-MARK 192.0.2.1,tcp:80 mark=0x100000 mask=" MARK_MASK_TEXT);
	_cleanup_free_ char *text = NULL;
	struct fact other = f;

	(void)state;
	other.val.member.mark = 0x200000;
	kernel_apply(adapter, OP_ADD, set, 0);
	kernel_apply(adapter, OP_ADD, f, 0);
	kernel_apply(adapter, OP_SET, other, 0);
	kernel_assert_facts(adapter, FACT_MEMBER,
		"member KUBE-LOCAL-MARK 192.0.2.1,tcp:80 mark=0x200000 mask=" MARK_MASK_TEXT "\n");
	text = list_table("ip");
	assert_non_null(strstr(text, "192.0.2.1 . tcp . 80 : 0x00200000"));
	/* One that nobody knew of. */
	kernel_apply(adapter, OP_ADD, f, 0);
	kernel_assert_facts(adapter, FACT_MEMBER,
		"member KUBE-LOCAL-MARK 192.0.2.1,tcp:80 mark=0x100000 mask=" MARK_MASK_TEXT "\n");
}

/* The kernel would refuse it, or say that it was added where it was not. */
static void a_range_within_another_takes_its_place(void **state)
{
	const struct fact set = fact_set(SET_LOAD_BALANCER_SOURCE_CIDR, AF_INET);
#define RANGE(range) "member KUBE-LOAD-BALANCER-SOURCE-CIDR 192.0.2.1,tcp:80," range

	(void)state;
	kernel_apply(adapter, OP_ADD, set, 0);
	kernel_apply(adapter, OP_ADD, kernel_fact(RANGE("10.0.0.0/8")), 0);
	kernel_apply(adapter, OP_ADD, kernel_fact(RANGE("11.0.0.0/8")), 0);
	kernel_apply(adapter, OP_ADD, kernel_fact(RANGE("10.1.0.0/16")), 0);
	kernel_assert_facts(
		adapter, FACT_MEMBER, RANGE("10.1.0.0/16") "\n" RANGE("11.0.0.0/8") "\n");
	kernel_apply(adapter, OP_DEL, kernel_fact(RANGE("10.0.0.0/8")), 0);
	/* And back. */
	kernel_apply(adapter, OP_ADD, kernel_fact(RANGE("10.0.0.0/8")), 0);
	kernel_apply(adapter, OP_DEL, kernel_fact(RANGE("10.1.0.0/16")), 0);
	kernel_assert_facts(
		adapter, FACT_MEMBER, RANGE("10.0.0.0/8") "\n" RANGE("11.0.0.0/8") "\n");
}

/* nft's handle of the set, which a new set does not have. */
static unsigned long handle_of_ranges(void)
{
	static const char begins[] = "set KUBE-LOAD-BALANCER-SOURCE-CIDR { # handle ";
	_cleanup_free_ char *text =
		RUN(NULL, "nft", "-a", "list", "sets", "table", "ip", "ipvsctl-svc");
	const char *at = strstr(text, begins);

	assert_non_null(at);
	return strtoul(at + strlen(begins), NULL, 10);
}

enum { MANY_RANGES = 600 };

static struct fact numbered_range(unsigned i)
{
	struct fact f =
		kernel_fact("member KUBE-LOAD-BALANCER-SOURCE-CIDR 192.0.2.1,tcp:80,10.0.0.0/24");

	f.key.addr2[1] = (uint8_t)(i >> 8);
	f.key.addr2[2] = (uint8_t)i;
	return f;
}

/* All but each tenth range. */
static void delete_ranges(struct fact_list *l)
{
	struct op ops[MANY_RANGES];
	size_t n = 0, kept = 0;

	for (unsigned i = 0; i < MANY_RANGES; i++)
		if (i % 10)
			ops[n++] = (struct op){ .type = OP_DEL, .fact = numbered_range(i) };
	adapter->apply(adapter, ops, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(ops[i].result, 0);
	for (size_t i = 0; i < l->n; i++) {
		const struct fact_key *key = &l->facts[i].key;
		const unsigned number = (unsigned)key->addr2[1] << 8 | key->addr2[2];

		if (key->kind != FACT_MEMBER || key->family != AF_INET || number % 10 == 0)
			l->facts[kept++] = l->facts[i];
	}
	l->n = kept;
}

static struct fact_list node_with_ranges(void)
{
	struct fact_list l = node_facts(NULL);

	for (unsigned i = 0; i < MANY_RANGES; i++)
		fact_list_add(&l, numbered_range(i));
	fact_list_add(&l,
		kernel_fact("member KUBE-6-LOAD-BALANCER-SOURCE-CID 2001:db8::1,tcp:80,fd00::/33"));
	fact_list_finish(&l);
	add_all(&l);
	return l;
}

static void many_ranges_are_deleted_by_a_new_set(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = node_with_ranges();
	const unsigned long before = handle_of_ranges();

	(void)state;
	delete_ranges(&l);
	assert_has(&l);
	assert_int_not_equal(handle_of_ranges(), before);
}

/* A rule of theirs holds the set. */
static void others_keep_ranges_in_their_set(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = node_with_ranges();
	const unsigned long before = handle_of_ranges();

	(void)state;
	nftables_free(take(adapter));
	/* Not with "meta l4proto": see nft_writes_ranges(). */
	free(RUN(NULL, "nft",
		"add chain ip ipvsctl-svc theirs\n"
		"add rule ip ipvsctl-svc theirs ip daddr . ip protocol . th dport . ip saddr "
		"@KUBE-LOAD-BALANCER-SOURCE-CIDR drop\n"));
	assert_int_equal(reopen(), 0);
	delete_ranges(&l);
	assert_has(&l);
	assert_int_equal(handle_of_ranges(), before);
}

/* Then its set may be there all the same: the others in it are believed. */
static void a_member_that_others_deleted_cannot_change(void **state)
{
	static const char *const lines[] = { "dispatch 10.96.0.1:80/TCP KUBE-SPREAD-1",
		"member KUBE-ENDPOINTS 10.96.0.1,tcp:80,0 to=10.244.1.1:8080" };

	(void)state;
	kernel_apply(adapter, OP_ADD, fact_set(SET_ENDPOINTS, AF_INET), 0);
	kernel_apply(adapter, OP_ADD, fact_set(SET_DISPATCH, AF_INET), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		kernel_apply(adapter, OP_SET, kernel_fact(lines[i]), -ENOENT);
}

static void one_bad_member_does_not_stop_the_others(void **state)
{
	const struct fact set = fact_set(SET_CLUSTER_IP, AF_INET);
	struct op ops[3] = {
		{ OP_ADD, .fact = kernel_fact("member KUBE-CLUSTER-IP 10.96.0.1,tcp:1") },
		{ OP_ADD, .fact = kernel_fact("member KUBE-EXTERNAL-IP 10.96.0.1,tcp:1") },
		{ OP_ADD, .fact = kernel_fact("member KUBE-CLUSTER-IP 10.96.0.1,tcp:2") },
	};

	(void)state;
	kernel_apply(adapter, OP_ADD, set, 0);
	adapter->apply(adapter, ops, ARRAY_SIZE(ops));
	assert_int_equal(ops[0].result, 0);
	assert_int_equal(ops[1].result, -ESRCH);
	assert_int_equal(ops[2].result, 0);
	kernel_assert_facts(adapter, FACT_MEMBER,
		"member KUBE-CLUSTER-IP 10.96.0.1,tcp:1\nmember KUBE-CLUSTER-IP 10.96.0.1,tcp:2\n");
}

static bool differs(const struct fact_list *l, enum fact_kind kind)
{
	_cleanup_(fact_list_done) struct fact_list have = kernel_dump(adapter, kind);
	size_t k = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (l->facts[i].key.kind != kind)
			continue;
		if (k == have.n || fact_compare(&have.facts[k], &l->facts[i]) ||
			!fact_val_eq(&have.facts[k].val, &l->facts[i].val))
			return true;
		k++;
	}
	return k != have.n;
}

/* Changes by hand that the next writing of the chain mends. */
static void changes_by_others_are_seen_and_mended(void **state)
{
	static const struct {
		const char *commands;
		enum fact_kind kind;
	} rows[] = {
		{ "flush chain ip ipvsctl-svc nat-KUBE-SERVICES\n", FACT_CHAIN },
		{ "add rule ip ipvsctl-svc nat-KUBE-SERVICES accept\n", FACT_CHAIN },
		{ "insert rule ip6 ipvsctl-svc mangle-KUBE-IPVS-PODS meta mark set 1\n",
			FACT_CHAIN },
		{ "flush chain ip ipvsctl-svc nat-PREROUTING\n", FACT_JUMP },
		{ "add rule ip ipvsctl-svc filter-INPUT drop\n", FACT_JUMP },
		{ "flush chain ip6 ipvsctl-svc nat-POSTROUTING\n"
		  "delete chain ip6 ipvsctl-svc nat-POSTROUTING\n"
		  "add chain ip6 ipvsctl-svc nat-POSTROUTING { type nat hook postrouting priority 120; }\n"
		  "add rule ip6 ipvsctl-svc nat-POSTROUTING jump nat-KUBE-POSTROUTING\n",
			FACT_JUMP },
	};
	_cleanup_(fact_list_done) struct fact_list l = node_facts(NULL);

	(void)state;
	add_all(&l);
	/* Others cannot change a table that the adapter owns. */
	nftables_free(take(adapter));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		free(RUN(NULL, "nft", rows[i].commands));
		assert_int_equal(reopen(), 0);
		if (!differs(&l, rows[i].kind))
			fail_msg("not seen: %s", rows[i].commands);
		/* As the engine does: it knows what stands at the hooks. */
		apply_all(&l, rows[i].kind, OP_SET);
		if (differs(&l, rows[i].kind))
			fail_msg("not mended: %s", rows[i].commands);
		nftables_free(take(adapter));
	}
	assert_int_equal(reopen(), 0);
	assert_has(&l);
}

/* Of the only one. */
static uint64_t rules_of_the_chain(void)
{
	_cleanup_(fact_list_done) struct fact_list l = kernel_dump(adapter, FACT_CHAIN);

	assert_int_equal(l.n, 1);
	return l.facts[0].val.chain.rules;
}

/* One expression in place of another, under the same comment and handle. */
static void a_replaced_expression_is_seen(void **state)
{
	const struct fact set = fact_set(SET_CLUSTER_IP, AF_INET);
	struct rule_list list = { 0 };
	struct fact chain;

	(void)state;
	rule_list_add(&list,
		&(struct rule){
			.match = { match_set(SET_CLUSTER_IP, DIRS_DST_DST) }, .target = to_drop });
	chain = fact_chain(AF_INET, TABLE_FILTER, "KUBE-IPVS-FILTER", rule_pool_put(&pool, &list));
	rule_list_reset(&list);
	rule_list_add(&list,
		&(struct rule){
			.match = { match_set(SET_CLUSTER_IP, DIRS_SRC_DST) }, .target = to_drop });
	kernel_apply(adapter, OP_ADD, set, 0);
	kernel_apply(adapter, OP_ADD, chain, 0);
	assert_int_equal(rules_of_the_chain(), chain.val.chain.rules);
	/* The pool's rules under that hash are others now. */
	rule_pool_done(&pool);
	pool = (struct rule_pool){ 0 };
	rule_pool_put(&pool, &list);
	chain.val.chain.rules = rule_list_hash(HASH_EMPTY, &list);
	assert_int_not_equal(rules_of_the_chain(), chain.val.chain.rules);
	rule_list_done(&list);
}

enum { MANY_JUMPS = 64 };

static bool has_jump(const struct fact_list *l, enum table table, enum hook hook)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->facts[i].key.kind == FACT_JUMP && l->facts[i].key.set == table &&
			l->facts[i].key.port == hook)
			return true;
	return false;
}

static void print_rules_for_nft(const struct fact *f, struct buf *b)
{
	const int family = f->key.family;
	const struct rule_list *list = rule_pool_get(&pool, f->val.chain.rules);
	struct rule rule;

	for (size_t at = 0; list && rule_list_next(list, &at, &rule);) {
		buf_addf(b, "add rule %s ipvsctl-svc ", family == AF_INET6 ? "ip6" : "ip");
		nftables_print_chain(b, f->key.set,
			f->key.kind == FACT_JUMP ? hook_name(f->key.port) : f->key.name);
		buf_addc(b, ' ');
		nftables_print_rule(b, family, f->key.set, MARK_MASK, &rule);
		buf_addc(b, '\n');
	}
}

/* The facts of one family as a file for nft. */
static void print_for_nft(const struct fact_list *l, int family, struct buf *b)
{
	const char *word = family == AF_INET6 ? "ip6" : "ip";
	const char *type, *hook_word;
	char set[SET_NAME_LEN + 1];
	int priority;

	buf_addf(b, "add table %s ipvsctl-svc \n", word);
	for (size_t i = 0; i < l->n; i++) {
		const struct fact *f = &l->facts[i];

		if (f->key.family != family)
			continue;
		if (f->key.kind == FACT_SET) {
			buf_addf(b, "add %s %s ipvsctl-svc %s { type ",
				set_info(f->key.set)->marks ? "map" : "set", word,
				set_name(f->key.set, family, set));
			nftables_print_set_type(b, &f->key);
			buf_addf(b, ";%s }\n",
				f->key.set == SET_LOAD_BALANCER_SOURCE_CIDR ? " flags interval;"
									    : "");
		} else if (f->key.kind == FACT_MEMBER) {
			buf_addf(b, "add element %s ipvsctl-svc %s { ", word,
				set_name(f->key.set, family, set));
			nftables_print_element(b, f);
			buf_adds(b, " }\n");
		} else if (f->key.kind == FACT_CHAIN) {
			buf_addf(b, "add chain %s ipvsctl-svc ", word);
			nftables_print_chain(b, f->key.set, f->key.name);
			buf_addc(b, '\n');
		}
	}
	for (enum table table = TABLE_NAT; table <= TABLE_MANGLE; table++)
		for (enum hook hook = HOOK_PREROUTING; hook <= HOOK_POSTROUTING; hook++) {
			if (!nftables_base_chain(table, hook, &type, &hook_word, &priority) ||
				!has_jump(l, table, hook))
				continue;
			buf_addf(b, "add chain %s ipvsctl-svc ", word);
			nftables_print_chain(b, table, hook_name(hook));
			buf_addf(b, " { type %s hook %s priority %d; }\n", type, hook_word,
				priority);
		}
	for (size_t i = 0; i < l->n; i++)
		if (l->facts[i].key.family == family && l->facts[i].key.kind == FACT_CHAIN)
			print_rules_for_nft(&l->facts[i], b);
	for (size_t place = 0; place <= MANY_JUMPS; place++)
		for (size_t i = 0; i < l->n; i++)
			if (l->facts[i].key.family == family && l->facts[i].key.kind == FACT_JUMP &&
				jump_place(&l->facts[i].key) == place)
				print_rules_for_nft(&l->facts[i], b);
}

/* Where a set has ranges, nft 1.0.6 turns the one byte of "meta l4proto" as if it were two, which
 * Debian's Linux 6.12.118 refuses. */
static bool nft_writes_ranges(void)
{
	static const char rule[] =
		"add table ip try\n"
		"add set ip try ranges { type inet_proto . ipv4_addr; flags interval; }\n"
		"add chain ip try it\n"
		"add rule ip try it meta l4proto . ip saddr @ranges drop\n";
	const char *const argv[] = { "nft", "--check", rule, NULL };
	_cleanup_(buf_done) struct buf out = { 0 };
	struct err err;

	return !exec_run(argv, NULL, 0, TIMEOUT_MS, &out, &err);
}

/* The same table, whoever writes it. */
static int compare_keys(const void *a, const void *b)
{
	return fact_key_cmp(&((const struct fact *)a)->key, &((const struct fact *)b)->key);
}

/* Another backend stands until this one answers, though nobody wants its jumps any more. */
static void jumps_are_added_to_those_of_another_backend(void **state)
{
	_cleanup_(fact_list_done) struct fact_list old = node_facts(translating), new = { 0 };
	_cleanup_(fact_list_done) struct fact_list have = { 0 }, missing = { 0 };
	_cleanup_free_ char *text = NULL;

	(void)state;
	add_all(&old);
	rule_pool_done(&pool);
	new = node_facts(NULL);
	have = kernel_dump(adapter, FACT_JUMP);
	assert_true(have.n);
	for (size_t i = 0; i < new.n; i++)
		if (!bsearch(&new.facts[i], old.facts, old.n, sizeof(*old.facts), compare_keys))
			fact_list_add(&missing, new.facts[i]);
	add_all(&missing);
	text = list_table("ip");
	assert_non_null(strstr(text, "jump filter-KUBE-IPVS-FILTER"));
	assert_non_null(strstr(text, "jump filter-KUBE-SERVICES"));
}

/* A mark from a map replaces the whole mark, so no bit may be added before. */
static void whole_marks_are_set_before_bits_are_added(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = node_facts(NULL);
	_cleanup_free_ char *text = NULL;
	const char *marks, *bit;

	(void)state;
	add_all(&l);
	text = list_table("ip");
	marks = strstr(text, "jump mangle-KUBE-IPVS-PODS");
	bit = strstr(text, "jump mangle-KUBE-IPVS-EXTERNAL");
	assert_non_null(marks);
	assert_non_null(bit);
	assert_true(marks < bit);
}

static void nft_reads_what_is_printed(void **state)
{
	static void (*const options[])(struct fixture_node * n) = { default_options, by_interface,
		masquerading_all, on_some_addresses };
	static const char *const members[] = {
		"member KUBE-LOOP-BACK 10.244.1.1,tcp:8080,10.244.1.1",
		"member KUBE-CLUSTER-IP 10.96.0.1,sctp:443",
		"member KUBE-6-CLUSTER-IP 2001:db8::1,udp:53",
		"member KUBE-LOAD-BALANCER-SOURCE-CIDR 192.0.2.1,tcp:80,10.0.0.0/8",
		"member KUBE-6-LOAD-BALANCER-SOURCE-CID 2001:db8::1,sctp:80,fd00::/33",
		"member KUBE-NODE-PORT-TCP 30080",
		"member KUBE-IPVS-IPS 10.96.0.1",
	};
	static const char *const words[] = { "ip", "ip6" };

	(void)state;
	if (!nft_writes_ranges())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		_cleanup_(fact_list_done) struct fact_list l = node_facts(options[i]);

		for (size_t k = 0; k < ARRAY_SIZE(members); k++)
			fact_list_add(&l, kernel_fact(members[k]));
		fact_list_finish(&l);
		for (size_t f = 0; f < ARRAY_SIZE(words); f++) {
			_cleanup_(buf_done) struct buf text = { 0 };
			_cleanup_free_ char *ours = NULL, *theirs = NULL;

			assert_int_equal(new_namespace(NULL), 0);
			add_all(&l);
			ours = list_without_owner(words[f]);
			assert_int_equal(new_namespace(NULL), 0);
			nftables_free(take(adapter));
			print_for_nft(&l, f ? AF_INET6 : AF_INET, &text);
			free(RUN(NULL, "nft", buf_str(&text)));
			theirs = list_without_owner(words[f]);
			assert_string_equal(ours, theirs);
		}
	}
}

static void what_nft_prints_can_be_read(void **state)
{
	static const char *const shown[] = { "set KUBE-CLUSTER-IP {", "map KUBE-LOCAL-MARK {",
		"type ipv4_addr . inet_proto . inet_service : mark", "flags interval",
		"type nat hook prerouting priority", "ct state new", "masquerade fully-random",
		"reject", "comment \"Kubernetes service lb portal\"",
		"ip daddr . meta l4proto . th dport @KUBE-CLUSTER-IP" };
	_cleanup_(fact_list_done) struct fact_list l = node_facts(NULL);
	_cleanup_free_ char *text = NULL;

	(void)state;
	add_all(&l);
	text = list_table("ip");
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		if (!strstr(text, shown[i]))
			fail_msg("%s is missing in\n%s", shown[i], text);
	free(take(text));
	text = list_table("ip6");
	assert_non_null(strstr(text, "ip6 daddr . meta l4proto . th dport @KUBE-6-CLUSTER-IP"));
}

/* By a process that does not know the rules, as for --cleanup. */
static void all_of_it_is_removed_without_its_rules(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = node_facts(NULL);
	_cleanup_free_ char *text = NULL;

	(void)state;
	fact_list_add(&l, kernel_fact("member KUBE-CLUSTER-IP 10.96.0.1,tcp:443"));
	fact_list_finish(&l);
	add_all(&l);
	rule_pool_done(&pool);
	pool = (struct rule_pool){ 0 };
	assert_int_equal(reopen(), 0);
	for (size_t k = ARRAY_SIZE(kinds); k; k--) {
		_cleanup_(fact_list_done) struct fact_list have =
			kernel_dump(adapter, kinds[k - 1]);

		assert_int_equal(apply_all(&have, kinds[k - 1], OP_DEL), have.n);
	}
	text = RUN(NULL, "nft", "list", "ruleset");
	assert_string_equal(text, "");
}

static void a_trial_changes_nothing(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = node_facts(NULL);
	_cleanup_free_ char *text = NULL;
	struct err err = { 0 };

	(void)state;
	if (nftables_try(adapter, l.facts, l.n, &err))
		fail_msg("%s", err.msg);
	text = RUN(NULL, "nft", "list", "ruleset");
	assert_string_equal(text, "");
}

static void a_flushed_ruleset_is_written_again(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = node_facts(NULL), none = { 0 };
	_cleanup_free_ char *text = NULL;

	(void)state;
	fact_list_add(&l, kernel_fact("member KUBE-CLUSTER-IP 10.96.0.1,tcp:443"));
	fact_list_finish(&l);
	add_all(&l);
	free(RUN(NULL, "nft", "flush", "ruleset"));
	/* A kernel that knows owners lets no other process do that. */
	text = RUN(NULL, "nft", "list", "ruleset");
	if (*text) {
		assert_has(&l);
		nftables_free(take(adapter));
		free(RUN(NULL, "nft", "delete", "table", "ip", "ipvsctl-svc"));
		free(RUN(NULL, "nft", "delete", "table", "ip6", "ipvsctl-svc"));
		assert_int_equal(reopen(), 0);
	}
	assert_has(&none);
	kernel_apply(
		adapter, OP_ADD, kernel_fact("member KUBE-CLUSTER-IP 10.96.0.1,tcp:1"), -ESRCH);
	add_all(&l);
	assert_has(&l);
}

/* Before Linux 6.9 there is no owner at any time. */
static void a_later_run_owns_the_table_as_well(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = node_facts(NULL);
	bool owned[2];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(owned); i++) {
		_cleanup_free_ char *text = NULL;
		struct err err = { 0 };

		if (nftables_watch_others(adapter, &err) < 0)
			fail_msg("%s", err.msg);
		if (!i)
			add_all(&l);
		text = list_table("ip");
		owned[i] = strstr(text, "owner");
		assert_has(&l);
		assert_int_equal(reopen(), 0);
		/* A trial is none, although chains at hooks are missing. */
		if (i)
			continue;
		apply_all(&l, FACT_JUMP, OP_DEL);
		if (nftables_try(adapter, l.facts, l.n, &err))
			fail_msg("%s", err.msg);
		apply_all(&l, FACT_JUMP, OP_ADD);
		assert_int_equal(reopen(), 0);
	}
	assert_int_equal(owned[0], owned[1]);
}

static void assert_noted(const char *ports)
{
	struct port_set s;
	struct err err;
	_cleanup_(buf_done) struct buf text = { 0 };

	assert_int_equal(adapter->read_note(adapter, "note", &s, &err), 0);
	port_set_print(&text, &s);
	assert_string_equal(buf_str(&text), ports);
}

static void note(const char *ports)
{
	struct port_set s;
	struct err err = { 0 };

	assert_int_equal(port_set_parse(ports, &s), 0);
	if (adapter->write_note(adapter, "note", &s, &err))
		fail_msg("%s", err.msg);
}

/* It outlives the facts, and the table goes with it. */
static void a_note_is_kept_for_later_runs(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = node_facts(NULL);
	_cleanup_free_ char *text = NULL;

	(void)state;
	assert_noted("");
	note("30000-30002,40000");
	add_all(&l);
	assert_has(&l);
	note("30001");
	for (size_t k = ARRAY_SIZE(kinds); k; k--)
		apply_all(&l, kinds[k - 1], OP_DEL);
	assert_int_equal(reopen(), 0);
	assert_noted("30001");
	note("");
	assert_noted("");
	text = RUN(NULL, "nft", "list", "ruleset");
	assert_string_equal(text, "");
}

/* Of whichever family and kind. */
static void an_interrupted_dump_is_read_again(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = node_facts(NULL);

	(void)state;
	fact_list_add(&l, kernel_fact("member KUBE-CLUSTER-IP 10.96.0.1,tcp:443"));
	fact_list_add(&l, kernel_fact("member KUBE-6-CLUSTER-IP 2001:db8::1,udp:53"));
	fact_list_finish(&l);
	add_all(&l);
	for (unsigned i = 1; !interrupted_dump; i++) {
		interrupted_dump = i;
		assert_has(&l);
	}
	interrupted_dump = 0;
}

static uint64_t epoch(void)
{
	const size_t before = sent;
	const uint64_t e = adapter->epoch(adapter);

	assert_int_equal(sent - before, 1);
	return e;
}

static void foreign(const char *commands)
{
	free(RUN(NULL, "nft", commands));
}

/* What a regular audit of many members asks. */
static void what_nobody_has_changed_is_one_question(void **state)
{
	enum { MANY = 100000 };
	_cleanup_(fact_list_done) struct fact_list l = node_facts(NULL), many = { 0 };
	uint64_t e = epoch();

	(void)state;
	assert_true(e);
	add_all(&l);
	for (uint32_t i = 0; i < MANY; i++) {
		struct fact f = kernel_fact("member KUBE-CLUSTER-IP 10.0.0.0,tcp:80");

		f.key.addr[1] = (uint8_t)(i >> 16);
		f.key.addr[2] = (uint8_t)(i >> 8);
		f.key.addr[3] = (uint8_t)i;
		fact_list_add(&many, f);
	}
	assert_int_equal(apply_all(&many, FACT_MEMBER, OP_ADD), MANY);
	assert_int_equal(epoch(), e);
	assert_int_equal(apply_all(&many, FACT_MEMBER, OP_DEL), MANY);
	assert_int_equal(epoch(), e);
}

static void own_transactions_of_every_kind_change_nothing_else(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = node_facts(NULL);
	struct err err = { 0 };
	uint64_t e = epoch();

	(void)state;
	/* A dry run. */
	assert_int_equal(nftables_try(adapter, l.facts, l.n, &err), 0);
	note("30000-30002");
	add_all(&l);
	assert_int_equal(epoch(), e);
	/* A transaction that the kernel need not carry out. */
	kernel_apply(adapter, OP_ADD, kernel_fact("member KUBE-CLUSTER-IP 10.96.0.1,tcp:1"), 0);
	kernel_apply(adapter, OP_ADD, kernel_fact("member KUBE-CLUSTER-IP 10.96.0.1,tcp:1"), 0);
	assert_int_equal(epoch(), e);
	kernel_apply(adapter, OP_DEL, kernel_fact("member KUBE-CLUSTER-IP 10.96.0.1,tcp:1"), 0);
	apply_all(&l, FACT_CHAIN, OP_SET);
	apply_all(&l, FACT_JUMP, OP_SET);
	for (size_t k = ARRAY_SIZE(kinds); k; k--)
		apply_all(&l, kinds[k - 1], OP_DEL);
	note("");
	assert_int_equal(epoch(), e);
}

static void changes_by_others_and_failures_are_told(void **state)
{
	_cleanup_(fact_list_done) struct fact_list l = node_facts(NULL);
	const struct fact f = kernel_fact("member KUBE-CLUSTER-IP 10.96.0.1,tcp:1");
	uint64_t e = epoch(), now;

	(void)state;
	add_all(&l);
	/* In the middle of our own, and alone, and as often as we write. */
	kernel_apply(adapter, OP_ADD, f, 0);
	foreign("add table ip others\n");
	kernel_apply(adapter, OP_DEL, f, 0);
	now = epoch();
	assert_int_not_equal(now, e);
	e = now;
	foreign("delete table ip others\n");
	now = epoch();
	assert_int_not_equal(now, e);
	e = now;
	kernel_apply(adapter, OP_ADD, f, 0);
	foreign("add table ip others\n");
	now = epoch();
	assert_int_not_equal(now, e);
	e = now;
	/* It was deleted before. */
	kernel_apply(adapter, OP_DEL, f, 0);
	assert_int_equal(epoch(), e);
	kernel_apply(adapter, OP_DEL, f, 0);
	now = epoch();
	assert_int_not_equal(now, e);
	assert_int_equal(epoch(), now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, new_namespace, end_namespace)
		TEST(rules_are_read_as_they_were_written),
		TEST(members_of_every_type_are_added_and_deleted),
		TEST(services_are_read_as_they_were_written),
		TEST(a_slot_and_an_entry_change_their_values),
		TEST(a_mark_is_changed),
		TEST(a_range_within_another_takes_its_place),
		TEST(many_ranges_are_deleted_by_a_new_set),
		TEST(others_keep_ranges_in_their_set),
		TEST(a_member_that_others_deleted_cannot_change),
		TEST(one_bad_member_does_not_stop_the_others),
		TEST(changes_by_others_are_seen_and_mended),
		TEST(a_replaced_expression_is_seen),
		TEST(jumps_are_added_to_those_of_another_backend),
		TEST(whole_marks_are_set_before_bits_are_added),
		TEST(nft_reads_what_is_printed),
		TEST(what_nft_prints_can_be_read),
		TEST(all_of_it_is_removed_without_its_rules),
		TEST(a_trial_changes_nothing),
		TEST(a_flushed_ruleset_is_written_again),
		TEST(a_later_run_owns_the_table_as_well),
		TEST(a_note_is_kept_for_later_runs),
		TEST(an_interrupted_dump_is_read_again),
		TEST(what_nobody_has_changed_is_one_question),
		TEST(own_transactions_of_every_kind_change_nothing_else),
		TEST(changes_by_others_and_failures_are_told),
#undef TEST
	};
	struct err err;
	int r;

	if (unshare(CLONE_NEWNET))
		kernel_skip_all("test_nftables_kernel", "it may not create a network namespace");
	r = nftables_new(&pool, true, true, MARK_MASK, &adapter, &err);
	if (r)
		kernel_skip_all("test_nftables_kernel", err.msg);
	nftables_free(take(adapter));
	return cmocka_run_group_tests_name("nftables_kernel", tests, NULL, NULL);
}

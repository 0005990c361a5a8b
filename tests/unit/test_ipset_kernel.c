// SPDX-License-Identifier: GPL-2.0-or-later
/* Against the running kernel, in network namespaces of its own, with the ipset program as witness.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/fact_text.h"
#include "kernel/ipset.h"
#include "kernel_test.h"

static struct adapter *adapter;

static int new_namespace(void **state)
{
	struct err err;

	(void)state;
	if (unshare(CLONE_NEWNET) || ipset_new(&adapter, &err))
		return -1;
	return 0;
}

static int end_namespace(void **state)
{
	(void)state;
	ipset_free(take(adapter));
	return 0;
}

/* The ipset program runs the commands. */
static void by_ipset(const char *commands)
{
	free(RUN(commands, "ipset", "restore"));
}

static bool ipset_shows(const char *line)
{
	_cleanup_free_ char *text = RUN(NULL, "ipset", "save", "-sorted");
	size_t len = strlen(line);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!strncmp(p, line, len) && strchr(" \n", p[len]))
			return true;
	}
	return false;
}

static void apply(enum op_type type, struct fact f, int expected)
{
	kernel_apply(adapter, type, f, expected);
}

static void add_set(enum set_id id, int family)
{
	apply(OP_ADD, fact_set(id, family), 0);
}

static void assert_facts(enum fact_kind kind, struct fact_list *expected)
{
	_cleanup_(fact_list_done) struct fact_list have = kernel_dump(adapter, kind);

	fact_list_finish(expected);
	assert_int_equal(have.n, expected->n);
	for (size_t i = 0; i < have.n; i++) {
		_cleanup_(buf_done) struct buf a = { 0 }, b = { 0 };

		fact_print(&a, &have.facts[i]);
		fact_print(&b, &expected->facts[i]);
		assert_string_equal(buf_str(&a), buf_str(&b));
	}
}

static struct fact member(const char *line)
{
	char text[200];

	snprintf(text, sizeof(text), "member %s", line);
	return kernel_fact(text);
}

/* The i-th of many members of KUBE-CLUSTER-IP. */
static struct fact numbered(unsigned i)
{
	char text[100];

	snprintf(text, sizeof(text), "KUBE-CLUSTER-IP 10.%u.%u.%u,tcp:80", i >> 16 & 0xff,
		i >> 8 & 0xff, i & 0xff);
	return member(text);
}

/* Members number 1 to n. */
static struct op *numbered_ops(enum op_type type, unsigned n)
{
	struct op *ops = mem_zalloc(n, sizeof(*ops));

	for (unsigned i = 0; i < n; i++)
		ops[i] = (struct op){ .type = type, .result = 1, .fact = numbered(i + 1) };
	return ops;
}

static size_t count_results(const struct op *ops, size_t n, int result)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += ops[i].result == result;
	return count;
}

static size_t count_facts(enum fact_kind kind)
{
	_cleanup_(fact_list_done) struct fact_list l = kernel_dump(adapter, kind);

	return l.n;
}

static void all_sets_have_the_names_of_kube_proxy(void **state)
{
	_cleanup_(fact_list_done) struct fact_list expected = { 0 };

	(void)state;
	for (enum set_id id = 0; id < SET_IPSETS; id++) {
		fact_list_add(&expected, fact_set(id, AF_INET));
		fact_list_add(&expected, fact_set(id, AF_INET6));
		add_set(id, AF_INET);
		add_set(id, AF_INET6);
	}
	assert_facts(FACT_SET, &expected);
	assert_true(ipset_shows("create KUBE-CLUSTER-IP hash:ip,port family inet "
				"hashsize 1024 maxelem 65536"));
	assert_true(ipset_shows("create KUBE-6-LOAD-BALANCER-SOURCE-CID hash:ip,port,net "
				"family inet6 hashsize 1024 maxelem 65536"));
	assert_true(ipset_shows("create KUBE-6-NODE-PORT-TCP bitmap:port range 0-65535"));
	assert_true(ipset_shows("create KUBE-LOCAL-MARK hash:ip,port family inet hashsize 1024 "
				"maxelem 65536 skbinfo"));
}

/* As it does in each of its syncs; a failure ends the sync. */
static void kube_proxy_accepts_all_sets_but_those_of_ours(void **state)
{
	static const unsigned ours = 1u << SET_LOCAL_MARK | 1u << SET_NO_LOCAL |
		1u << SET_NO_ENDPOINTS | 1u << SET_EXTERNAL_PORT;
	static const int families[] = { AF_INET, AF_INET6 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		for (enum set_id id = 0; id < SET_IPSETS; id++) {
			const char *type = set_type_name(set_info(id)->type);
			const char *family = families[i] == AF_INET6 ? "inet6" : "inet";
			char name[SET_NAME_LEN + 1];

			add_set(id, families[i]);
			if (ours & 1u << id)
				continue;
			set_name(id, families[i], name);
			if (set_info(id)->type == SET_TYPE_BITMAP_PORT)
				free(RUN(NULL, "ipset", "create", name, type, "range", "0-65535",
					"-exist"));
			else
				free(RUN(NULL, "ipset", "create", name, type, "family", family,
					"hashsize", "1024", "maxelem", "65536", "-exist"));
		}
}

static void adding_an_existing_set_is_an_error(void **state)
{
	(void)state;
	add_set(SET_CLUSTER_IP, AF_INET);
	apply(OP_ADD, fact_set(SET_CLUSTER_IP, AF_INET), -EEXIST);
	apply(OP_ADD, fact_set(SET_CLUSTER_IP, AF_INET6), 0);
}

static void changing_or_deleting_a_missing_set_is_an_error(void **state)
{
	(void)state;
	apply(OP_DEL, fact_set(SET_CLUSTER_IP, AF_INET), -ENOENT);
	apply(OP_SET, fact_set(SET_CLUSTER_IP, AF_INET), -ENOENT);
	add_set(SET_CLUSTER_IP, AF_INET);
	apply(OP_DEL, fact_set(SET_CLUSTER_IP, AF_INET), 0);
	assert_int_equal(count_facts(FACT_SET), 0);
}

static const char *const members[] = {
	"KUBE-LOOP-BACK 10.244.1.5,tcp:8080,10.244.1.5",
	"KUBE-CLUSTER-IP 10.96.0.10,udp:53",
	"KUBE-CLUSTER-IP 10.96.0.10,tcp:53",
	"KUBE-LOAD-BALANCER-SOURCE-CIDR 203.0.113.9,tcp:443,198.51.100.0/24",
	"KUBE-LOAD-BALANCER-SOURCE-CIDR 203.0.113.9,tcp:443,198.51.100.7/32",
	"KUBE-NODE-PORT-TCP 30080",
	"KUBE-NODE-PORT-TCP 65535",
	"KUBE-NODE-PORT-SCTP-HASH 192.168.1.5,sctp:30090",
	"KUBE-IPVS-IPS 10.96.0.10",
	"KUBE-LOCAL-MARK 203.0.113.1,tcp:80 mark=0x100000 mask=0xfff00000",
	"KUBE-LOCAL-MARK 203.0.113.1,udp:53 mark=0xfff00000 mask=0xfff00000",
	"KUBE-LOCAL-MARK 203.0.113.2,sctp:9 mark=0x1 mask=0xffffffff",
	"KUBE-6-LOOP-BACK fd00:1::5,udp:8080,fd00:1::5",
	"KUBE-6-CLUSTER-IP fd00:96::a,tcp:65535",
	"KUBE-6-LOAD-BALANCER-SOURCE-CID 2001:db8::9,tcp:443,2001:db8:1::/48",
	"KUBE-6-LOAD-BALANCER-SOURCE-CID 2001:db8::9,tcp:443,2001:db8:1::7/128",
	"KUBE-6-LOAD-BALANCER-SOURCE-CID 2001:db8::9,tcp:443,::1.2.3.4/128",
	"KUBE-6-NODE-PORT-UDP 30053",
	"KUBE-6-IPVS-IPS fd00:96::a",
	"KUBE-6-LOCAL-MARK 2001:db8::9,tcp:443 mark=0x200000 mask=0xfff00000",
};

static void add_all_sets(void)
{
	for (enum set_id id = 0; id < SET_IPSETS; id++) {
		add_set(id, AF_INET);
		add_set(id, AF_INET6);
	}
}

static void members_of_every_type_are_added_and_deleted(void **state)
{
	_cleanup_(fact_list_done) struct fact_list expected = { 0 }, nothing = { 0 };
	struct op ops[ARRAY_SIZE(members)];

	(void)state;
	add_all_sets();
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		ops[i] = (struct op){ .type = OP_ADD, .result = 1, .fact = member(members[i]) };
		fact_list_add(&expected, ops[i].fact);
	}
	adapter->apply(adapter, ops, ARRAY_SIZE(ops));
	assert_int_equal(count_results(ops, ARRAY_SIZE(ops), 0), ARRAY_SIZE(ops));
	assert_facts(FACT_MEMBER, &expected);
	assert_true(ipset_shows("add KUBE-LOOP-BACK 10.244.1.5,tcp:8080,10.244.1.5"));
	assert_true(ipset_shows(
		"add KUBE-LOAD-BALANCER-SOURCE-CIDR 203.0.113.9,tcp:443,198.51.100.0/24"));
	assert_true(ipset_shows("add KUBE-NODE-PORT-TCP 30080"));
	assert_true(ipset_shows("add KUBE-6-IPVS-IPS fd00:96::a"));
	assert_true(
		ipset_shows("add KUBE-LOCAL-MARK 203.0.113.1,tcp:80 skbmark 0x100000/0xfff00000"));
	assert_true(ipset_shows("add KUBE-LOCAL-MARK 203.0.113.2,sctp:9 skbmark 0x1"));

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		ops[i].type = OP_DEL;
	adapter->apply(adapter, ops, ARRAY_SIZE(ops));
	assert_int_equal(count_results(ops, ARRAY_SIZE(ops), 0), ARRAY_SIZE(ops));
	assert_facts(FACT_MEMBER, &nothing);
}

static void adding_and_deleting_twice_is_no_error(void **state)
{
	(void)state;
	add_set(SET_CLUSTER_IP, AF_INET);
	apply(OP_ADD, numbered(1), 0);
	apply(OP_ADD, numbered(1), 0);
	assert_int_equal(count_facts(FACT_MEMBER), 1);
	apply(OP_DEL, numbered(1), 0);
	apply(OP_DEL, numbered(1), 0);
	assert_int_equal(count_facts(FACT_MEMBER), 0);
}

static struct fact marked(unsigned i, uint32_t mark)
{
	char text[100];

	snprintf(text, sizeof(text), "KUBE-LOCAL-MARK 10.0.%u.%u,tcp:80 mark=0x%x mask=0xfff00000",
		i >> 8 & 0xff, i & 0xff, mark);
	return member(text);
}

static void assert_member(struct fact f)
{
	_cleanup_(fact_list_done) struct fact_list expected = { 0 };

	fact_list_add(&expected, f);
	assert_facts(FACT_MEMBER, &expected);
}

static void the_mark_of_a_member_can_be_changed(void **state)
{
	(void)state;
	add_set(SET_LOCAL_MARK, AF_INET);
	apply(OP_ADD, marked(1, 0x100000), 0);
	assert_member(marked(1, 0x100000));
	apply(OP_SET, marked(1, 0x200000), 0);
	assert_member(marked(1, 0x200000));
	apply(OP_ADD, marked(1, 0x300000), 0);
	assert_member(marked(1, 0x300000));
	apply(OP_DEL, marked(1, 0x100000), 0);
	assert_int_equal(count_facts(FACT_MEMBER), 0);
}

static void marks_of_many_members_are_changed_at_once(void **state)
{
	enum { N = 500 };
	struct op ops[N];
	_cleanup_(fact_list_done) struct fact_list expected = { 0 };

	(void)state;
	add_set(SET_LOCAL_MARK, AF_INET);
	for (uint32_t step = 0; step < 2; step++) {
		expected.n = 0;
		for (unsigned i = 0; i < N; i++) {
			struct fact f = marked(i + 1, (2 * i + 1 + step) << 20);

			ops[i] = (struct op){
				.type = step ? OP_SET : OP_ADD, .result = 1, .fact = f
			};
			fact_list_add(&expected, f);
		}
		adapter->apply(adapter, ops, N);
		assert_int_equal(count_results(ops, N, 0), N);
		assert_facts(FACT_MEMBER, &expected);
	}
}

static void a_member_that_lost_its_mark_is_read_without_one(void **state)
{
	(void)state;
	add_set(SET_LOCAL_MARK, AF_INET);
	apply(OP_ADD, marked(1, 0x100000), 0);
	by_ipset("-exist add KUBE-LOCAL-MARK 10.0.0.1,tcp:80\n");
	assert_member(member("KUBE-LOCAL-MARK 10.0.0.1,tcp:80"));
	apply(OP_SET, marked(1, 0x100000), 0);
	assert_member(marked(1, 0x100000));
}

static void refer_to_local_mark(void)
{
	free(RUN("*mangle\n-A PREROUTING -j SET --map-set KUBE-LOCAL-MARK dst,dst --map-mark\n"
		 "COMMIT\n",
		"iptables-restore"));
}

static void a_set_that_cannot_hold_marks_is_replaced(void **state)
{
	_cleanup_(fact_list_done) struct fact_list sets = { 0 };
	struct fact plain = fact_set(SET_LOCAL_MARK, AF_INET);

	(void)state;
	plain.val.set.marks = 0;
	apply(OP_ADD, plain, 0);
	fact_list_add(&sets, plain);
	assert_facts(FACT_SET, &sets);
	by_ipset("add KUBE-LOCAL-MARK 10.0.0.1,tcp:80\n");
	apply(OP_ADD, marked(2, 0x200000), -EINVAL);
	assert_member(member("KUBE-LOCAL-MARK 10.0.0.1,tcp:80"));

	refer_to_local_mark();
	apply(OP_SET, fact_set(SET_LOCAL_MARK, AF_INET), 0);
	sets.facts[0] = fact_set(SET_LOCAL_MARK, AF_INET);
	assert_facts(FACT_SET, &sets);
	assert_member(member("KUBE-LOCAL-MARK 10.0.0.1,tcp:80"));
	apply(OP_SET, marked(1, 0x100000), 0);
	assert_member(marked(1, 0x100000));
}

static void a_replaced_set_keeps_the_marks_of_its_members(void **state)
{
	(void)state;
	by_ipset("create KUBE-LOCAL-MARK hash:ip,port maxelem 1000 skbinfo\n");
	apply(OP_ADD, marked(1, 0x100000), 0);
	refer_to_local_mark();
	apply(OP_SET, fact_set(SET_LOCAL_MARK, AF_INET), 0);
	assert_member(marked(1, 0x100000));
}

static void a_set_with_marks_differs_from_one_without(void **state)
{
	_cleanup_(fact_list_done) struct fact_list have = { 0 };
	struct fact ours = fact_set(SET_CLUSTER_IP, AF_INET);

	(void)state;
	by_ipset("create KUBE-CLUSTER-IP hash:ip,port maxelem 65536 skbinfo\n"
		 "add KUBE-CLUSTER-IP 10.0.0.1,tcp:80 skbmark 0x1/0x1\n");
	have = kernel_dump(adapter, FACT_SET);
	assert_int_equal(have.n, 1);
	assert_false(fact_val_eq(&have.facts[0].val, &ours.val));
	assert_member(numbered(1));
	apply(OP_SET, ours, 0);
	assert_true(ipset_shows("add KUBE-CLUSTER-IP 10.0.0.1,tcp:80"));
	assert_member(numbered(1));
}

/* As many members as make the set grow. */
static void add_large_set(void)
{
	struct fact large = fact_set(SET_CLUSTER_IP, AF_INET);

	large.val.set.max_members = 2 * SET_MEMBERS;
	apply(OP_ADD, large, 0);
}

static void a_batch_of_many_members_is_written(void **state)
{
	const unsigned n = 100000;
	_cleanup_free_ struct op *ops = numbered_ops(OP_ADD, n);

	(void)state;
	add_large_set();
	adapter->apply(adapter, ops, n);
	assert_int_equal(count_results(ops, n, 0), n);
	assert_int_equal(count_facts(FACT_MEMBER), n);
	for (unsigned i = 0; i < n; i++)
		ops[i].type = OP_DEL;
	adapter->apply(adapter, ops, n);
	assert_int_equal(count_results(ops, n, 0), n);
	assert_int_equal(count_facts(FACT_MEMBER), 0);
}

/* A network of all addresses is what every kernel refuses. */
static struct fact bad_member(void)
{
	return member("KUBE-LOAD-BALANCER-SOURCE-CIDR 10.0.0.1,tcp:80,0.0.0.0/0");
}

static void one_bad_member_does_not_stop_the_others(void **state)
{
	static const unsigned bad[] = { 0, 1, 57, 58, 150, 255, 499 };
	struct op ops[500];

	(void)state;
	add_set(SET_LOAD_BALANCER_SOURCE_CIDR, AF_INET);
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
		char text[100];

		snprintf(text, sizeof(text),
			"KUBE-LOAD-BALANCER-SOURCE-CIDR 10.0.%u.%u,tcp:80,10.0.0.0/8", i / 200,
			1 + i % 200);
		ops[i] = (struct op){ .type = OP_ADD, .result = 1, .fact = member(text) };
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ops[bad[i]].fact = bad_member();
	adapter->apply(adapter, ops, ARRAY_SIZE(ops));
	assert_int_equal(count_results(ops, ARRAY_SIZE(ops), 0), ARRAY_SIZE(ops) - ARRAY_SIZE(bad));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(ops[bad[i]].result, -EINVAL);
	assert_int_equal(count_facts(FACT_MEMBER), ARRAY_SIZE(ops) - ARRAY_SIZE(bad));
}

static void a_batch_with_only_bad_members_ends(void **state)
{
	struct op ops[300];

	(void)state;
	add_set(SET_LOAD_BALANCER_SOURCE_CIDR, AF_INET);
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
		ops[i] = (struct op){ .type = OP_ADD, .result = 1, .fact = bad_member() };
	adapter->apply(adapter, ops, ARRAY_SIZE(ops));
	assert_int_equal(count_results(ops, ARRAY_SIZE(ops), -EINVAL), ARRAY_SIZE(ops));
}

static void members_of_a_missing_set_have_no_parent(void **state)
{
	struct op ops[] = {
		{ OP_ADD, 1, member("KUBE-CLUSTER-IP 10.0.0.1,tcp:80") },
		{ OP_ADD, 1, member("KUBE-IPVS-IPS 10.0.0.1") },
		{ OP_ADD, 1, member("KUBE-IPVS-IPS 10.0.0.2") },
		{ OP_ADD, 1, member("KUBE-NODE-PORT-TCP 80") },
	};

	(void)state;
	add_set(SET_CLUSTER_IP, AF_INET);
	add_set(SET_NODE_PORT_TCP, AF_INET);
	adapter->apply(adapter, ops, ARRAY_SIZE(ops));
	assert_int_equal(ops[0].result, 0);
	assert_int_equal(ops[1].result, -ESRCH);
	assert_int_equal(ops[2].result, -ESRCH);
	assert_int_equal(ops[3].result, 0);
}

static void members_have_no_parent_after_somebody_destroys_the_set(void **state)
{
	const unsigned n = 200;
	_cleanup_free_ struct op *ops = numbered_ops(OP_ADD, n);

	(void)state;
	add_set(SET_CLUSTER_IP, AF_INET);
	apply(OP_ADD, numbered(1), 0);
	by_ipset("destroy KUBE-CLUSTER-IP\n");
	adapter->apply(adapter, ops, n);
	assert_int_equal(count_results(ops, n, -ESRCH), n);
	add_large_set();
	adapter->apply(adapter, ops, n);
	assert_int_equal(count_results(ops, n, 0), n);
}

static void a_full_set_refuses_further_members(void **state)
{
	const unsigned n = 300, max = 128;
	_cleanup_free_ struct op *ops = numbered_ops(OP_ADD, n);
	struct fact small = fact_set(SET_CLUSTER_IP, AF_INET);

	(void)state;
	small.val.set.max_members = max;
	apply(OP_ADD, small, 0);
	adapter->apply(adapter, ops, n);
	assert_int_equal(count_results(ops, n, 0), max);
	assert_int_equal(count_results(ops, n, -ENOSPC), n - max);
	assert_int_equal(count_facts(FACT_MEMBER), max);
}

static void a_set_that_somebody_recreates_takes_members(void **state)
{
	(void)state;
	add_set(SET_CLUSTER_IP, AF_INET);
	apply(OP_ADD, numbered(1), 0);
	by_ipset("destroy KUBE-CLUSTER-IP\ncreate KUBE-CLUSTER-IP hash:ip,port\n");
	apply(OP_ADD, numbered(2), 0);
	assert_true(ipset_shows("add KUBE-CLUSTER-IP 10.0.0.2,tcp:80"));
}

/* libipset sends the members of the first set only when those of the second one come. */
static void a_failure_in_one_set_does_not_affect_the_next(void **state)
{
	struct fact small = fact_set(SET_CLUSTER_IP, AF_INET);
	struct op ops[] = {
		{ OP_ADD, 1, numbered(1) },
		{ OP_ADD, 1, numbered(2) },
		{ OP_ADD, 1, numbered(3) },
		{ OP_ADD, 1, member("KUBE-IPVS-IPS 10.0.0.1") },
	};

	(void)state;
	small.val.set.max_members = 2;
	apply(OP_ADD, small, 0);
	by_ipset("create KUBE-IPVS-IPS hash:ip\n");
	adapter->apply(adapter, ops, ARRAY_SIZE(ops));
	assert_int_equal(ops[0].result, 0);
	assert_int_equal(ops[1].result, 0);
	assert_int_equal(ops[2].result, -ENOSPC);
	assert_int_equal(ops[3].result, 0);
}

static void a_set_takes_members_once_it_has_its_type_again(void **state)
{
	(void)state;
	by_ipset("create KUBE-CLUSTER-IP hash:ip,port,ip\n");
	apply(OP_ADD, numbered(1), -EINVAL);
	by_ipset("destroy KUBE-CLUSTER-IP\ncreate KUBE-CLUSTER-IP hash:ip,port\n");
	apply(OP_ADD, numbered(2), 0);
	assert_true(ipset_shows("add KUBE-CLUSTER-IP 10.0.0.2,tcp:80"));
}

static void a_set_of_another_type_takes_no_members_until_it_is_replaced(void **state)
{
	_cleanup_(fact_list_done) struct fact_list sets = { 0 };
	struct fact other = fact_set(SET_CLUSTER_IP, AF_INET);

	(void)state;
	add_set(SET_CLUSTER_IP, AF_INET);
	apply(OP_ADD, numbered(1), 0); /* libipset now believes to know the type */
	by_ipset("destroy KUBE-CLUSTER-IP\n"
		 "create KUBE-CLUSTER-IP hash:ip,port,ip maxelem 1000\n"
		 "add KUBE-CLUSTER-IP 10.0.0.1,tcp:80,10.0.0.1\n");
	other.val.set.type = SET_TYPE_HASH_IP_PORT_IP;
	other.val.set.max_members = 1000;
	fact_list_add(&sets, other);
	assert_facts(FACT_SET, &sets);
	assert_int_equal(count_facts(FACT_MEMBER), 0);
	apply(OP_ADD, numbered(2), -EINVAL);

	apply(OP_SET, fact_set(SET_CLUSTER_IP, AF_INET), 0);
	sets.facts[0] = fact_set(SET_CLUSTER_IP, AF_INET);
	assert_facts(FACT_SET, &sets);
	apply(OP_ADD, numbered(2), 0);
	assert_int_equal(count_facts(FACT_MEMBER), 1);
}

static void refer_to_cluster_ip(void)
{
	free(RUN("*filter\n-A INPUT -m set --match-set KUBE-CLUSTER-IP dst,dst -j ACCEPT\n"
		 "COMMIT\n",
		"iptables-restore"));
}

static void a_set_in_use_is_replaced_with_its_members(void **state)
{
	_cleanup_(fact_list_done) struct fact_list sets = { 0 };
	const unsigned n = 300;
	_cleanup_free_ struct op *ops = numbered_ops(OP_ADD, n);

	(void)state;
	by_ipset("create KUBE-CLUSTER-IP hash:ip,port maxelem 1000\n");
	adapter->apply(adapter, ops, n);
	refer_to_cluster_ip();
	apply(OP_SET, fact_set(SET_CLUSTER_IP, AF_INET), 0);
	fact_list_add(&sets, fact_set(SET_CLUSTER_IP, AF_INET));
	assert_facts(FACT_SET, &sets);
	assert_int_equal(count_facts(FACT_MEMBER), n);
	assert_false(ipset_shows("create ipvsctl-replacement"));
	/* the rule refers to the new one */
	apply(OP_DEL, fact_set(SET_CLUSTER_IP, AF_INET), -EBUSY);
}

/* Sends packets of which each is refused that finds its address and port missing in the set. */
struct sender {
	atomic_bool ends;
	atomic_uint sent, refused;
};

static void *send_packets(void *arg)
{
	struct sender *s = arg;
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (; !s->ends; s->sent++)
		s->refused +=
			sendto(fd, "", 0, 0, (const void *)&to, sizeof(to)) < 0 && errno == EPERM;
	close(fd);
	return NULL;
}

static void a_set_grows_and_shrinks_without_losing_a_member_for_a_moment(void **state)
{
	const unsigned n = SET_MEMBERS - 1;
	_cleanup_free_ struct op *ops = numbered_ops(OP_ADD, n);
	struct fact larger = fact_set(SET_CLUSTER_IP, AF_INET);
	struct sender s = { 0 };
	pthread_t thread;
	unsigned before;

	(void)state;
	add_set(SET_CLUSTER_IP, AF_INET);
	apply(OP_ADD, member("KUBE-CLUSTER-IP 127.0.0.1,udp:9"), 0);
	adapter->apply(adapter, ops, n);
	free(RUN(NULL, "ip", "link", "set", "lo", "up"));
	free(RUN("*filter\n-A OUTPUT -p udp --dport 9 -m set ! --match-set KUBE-CLUSTER-IP dst,dst "
		 "-j DROP\nCOMMIT\n",
		"iptables-restore"));
	assert_false(pthread_create(&thread, NULL, send_packets, &s));

	larger.val.set.max_members = 2 * SET_MEMBERS;
	apply(OP_SET, larger, 0);
	apply(OP_ADD, numbered(n + 1), 0);
	assert_int_equal(count_facts(FACT_MEMBER), SET_MEMBERS + 1);
	apply(OP_DEL, numbered(n + 1), 0);
	apply(OP_SET, fact_set(SET_CLUSTER_IP, AF_INET), 0);
	assert_int_equal(count_facts(FACT_MEMBER), SET_MEMBERS);
	by_ipset("-exist create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 maxelem "
		 "65536\n");
	for (before = s.sent; s.sent - before < 10;)
		sched_yield();
	s.ends = true;
	pthread_join(thread, NULL);
	assert_int_equal(s.refused, 0);

	/* a packet would be refused */
	apply(OP_DEL, member("KUBE-CLUSTER-IP 127.0.0.1,udp:9"), 0);
	s.ends = false;
	assert_false(pthread_create(&thread, NULL, send_packets, &s));
	for (before = s.sent; s.sent - before < 10;)
		sched_yield();
	s.ends = true;
	pthread_join(thread, NULL);
	assert_true(s.refused);
}

static void a_set_in_use_of_another_type_stays(void **state)
{
	(void)state;
	by_ipset("create KUBE-CLUSTER-IP hash:ip,port,ip\n");
	refer_to_cluster_ip();
	apply(OP_SET, fact_set(SET_CLUSTER_IP, AF_INET), -EBUSY);
	assert_true(ipset_shows("create KUBE-CLUSTER-IP hash:ip,port,ip"));
	assert_false(ipset_shows("create ipvsctl-replacement"));
}

static void a_replacement_that_was_left_behind_does_no_harm(void **state)
{
	(void)state;
	by_ipset("create ipvsctl-replacement hash:net\nadd ipvsctl-replacement 10.0.0.0/8\n"
		 "create KUBE-CLUSTER-IP hash:ip,port maxelem 1000\n");
	apply(OP_SET, fact_set(SET_CLUSTER_IP, AF_INET), 0);
	assert_true(ipset_shows("create KUBE-CLUSTER-IP hash:ip,port family inet hashsize 1024 "
				"maxelem 65536"));
	assert_int_equal(count_facts(FACT_MEMBER), 0);
}

static void members_that_do_not_fit_keep_the_old_set(void **state)
{
	const unsigned n = 200;
	_cleanup_free_ struct op *ops = numbered_ops(OP_ADD, n);
	struct fact small = fact_set(SET_CLUSTER_IP, AF_INET);

	(void)state;
	add_set(SET_CLUSTER_IP, AF_INET);
	adapter->apply(adapter, ops, n);
	small.val.set.max_members = 100;
	apply(OP_SET, small, -ENOSPC);
	assert_int_equal(count_facts(FACT_MEMBER), n);
	assert_false(ipset_shows("create ipvsctl-replacement"));
}

static void sets_with_other_properties_are_read_as_different(void **state)
{
	static const struct {
		const char *create, *add;
		enum set_id id;
	} cases[] = {
		{ "create KUBE-CLUSTER-IP hash:net", "add KUBE-CLUSTER-IP 10.0.0.0/8",
			SET_CLUSTER_IP },
		{ "create KUBE-EXTERNAL-IP hash:ip,port family inet6 maxelem 65536",
			"add KUBE-EXTERNAL-IP fd00::1,tcp:80", SET_EXTERNAL_IP },
		{ "create KUBE-NODE-PORT-TCP bitmap:port range 1-1023", "add KUBE-NODE-PORT-TCP 80",
			SET_NODE_PORT_TCP },
		{ "create KUBE-IPVS-IPS hash:ip maxelem 65536 timeout 300",
			"add KUBE-IPVS-IPS 10.0.0.1", SET_IPVS_IPS },
		{ "create KUBE-LOAD-BALANCER list:set", "create KUBE-LOAD-BALANCER-FW list:set",
			SET_LOAD_BALANCER },
	};
	_cleanup_(fact_list_done) struct fact_list have = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char commands[200];

		snprintf(commands, sizeof(commands), "%s\n%s\n", cases[i].create, cases[i].add);
		by_ipset(commands);
	}
	have = kernel_dump(adapter, FACT_SET);
	assert_int_equal(have.n, ARRAY_SIZE(cases) + 1);
	for (size_t i = 0; i < have.n; i++) {
		struct fact ours = fact_set(have.facts[i].key.set, AF_INET);

		assert_true(fact_key_eq(&have.facts[i].key, &ours.key));
		assert_false(fact_val_eq(&have.facts[i].val, &ours.val));
	}
	assert_int_equal(count_facts(FACT_MEMBER), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		apply(OP_SET, fact_set(cases[i].id, AF_INET), 0);
}

static void foreign_sets_are_ignored(void **state)
{
	(void)state;
	by_ipset("create cali40all hash:net\nadd cali40all 10.0.0.0/8\n"
		 "create KUBE-CLUSTER-IP-OLD hash:ip,port\n");
	assert_int_equal(count_facts(FACT_SET), 0);
	assert_int_equal(count_facts(FACT_MEMBER), 0);
}

static void a_nomatch_entry_is_no_member(void **state)
{
	(void)state;
	add_set(SET_LOAD_BALANCER_SOURCE_CIDR, AF_INET);
	by_ipset("add KUBE-LOAD-BALANCER-SOURCE-CIDR 10.0.0.1,tcp:80,10.1.0.0/16 nomatch\n");
	assert_int_equal(count_facts(FACT_MEMBER), 0);
	apply(OP_ADD, member("KUBE-LOAD-BALANCER-SOURCE-CIDR 10.0.0.1,tcp:80,10.1.0.0/16"), 0);
	assert_int_equal(count_facts(FACT_MEMBER), 1);
}

static void options_that_do_not_matter_are_ignored(void **state)
{
	(void)state;
	by_ipset("create KUBE-CLUSTER-IP hash:ip,port maxelem 65536 counters comment\n"
		 "add KUBE-CLUSTER-IP 10.0.0.1,tcp:80 comment \"by hand\"\n");
	apply(OP_ADD, numbered(2), 0);
	assert_int_equal(count_facts(FACT_MEMBER), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, new_namespace, end_namespace)
		TEST(all_sets_have_the_names_of_kube_proxy),
		TEST(kube_proxy_accepts_all_sets_but_those_of_ours),
		TEST(adding_an_existing_set_is_an_error),
		TEST(changing_or_deleting_a_missing_set_is_an_error),
		TEST(members_of_every_type_are_added_and_deleted),
		TEST(adding_and_deleting_twice_is_no_error),
		TEST(the_mark_of_a_member_can_be_changed),
		TEST(marks_of_many_members_are_changed_at_once),
		TEST(a_member_that_lost_its_mark_is_read_without_one),
		TEST(a_set_that_cannot_hold_marks_is_replaced),
		TEST(a_replaced_set_keeps_the_marks_of_its_members),
		TEST(a_set_with_marks_differs_from_one_without),
		TEST(a_batch_of_many_members_is_written),
		TEST(one_bad_member_does_not_stop_the_others),
		TEST(a_batch_with_only_bad_members_ends),
		TEST(members_of_a_missing_set_have_no_parent),
		TEST(members_have_no_parent_after_somebody_destroys_the_set),
		TEST(a_full_set_refuses_further_members),
		TEST(a_set_that_somebody_recreates_takes_members),
		TEST(a_failure_in_one_set_does_not_affect_the_next),
		TEST(a_set_takes_members_once_it_has_its_type_again),
		TEST(a_set_of_another_type_takes_no_members_until_it_is_replaced),
		TEST(a_set_in_use_is_replaced_with_its_members),
		TEST(a_set_grows_and_shrinks_without_losing_a_member_for_a_moment),
		TEST(a_set_in_use_of_another_type_stays),
		TEST(a_replacement_that_was_left_behind_does_no_harm),
		TEST(members_that_do_not_fit_keep_the_old_set),
		TEST(sets_with_other_properties_are_read_as_different),
		TEST(foreign_sets_are_ignored),
		TEST(a_nomatch_entry_is_no_member),
		TEST(options_that_do_not_matter_are_ignored),
#undef TEST
	};
	struct err err;
	int r;

	if (unshare(CLONE_NEWNET))
		kernel_skip_all("test_ipset_kernel",
			"making a network namespace is not permitted: run it as root");
	r = ipset_new(&adapter, &err);
	if (r)
		kernel_skip_all("test_ipset_kernel", err.msg);
	ipset_free(take(adapter));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

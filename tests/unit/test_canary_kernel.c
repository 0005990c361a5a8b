// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How changes of rules by others are noticed, against the running kernel, in network namespaces of
 * its own, once for each variant of iptables that works.
 */
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>

#include "../../src/kernel/canary.h"
#include "iptables_variant.h"
#include "kernel/iptables.h"
#include "rule_text.h"

/* The time between two looks, and how many of them are several times what it takes to notice a
 * change. Time is no more than a number here. */
enum { LOOK_MS = 200, LOOKS = 10 };

static struct {
	struct variant variant;
	struct adapter *adapter;
	struct rule_pool pool;
	struct fact chains[4], jumps[2];
	int fd;
	uint64_t now;
} t = { .variant.test = "test_canary_kernel" };

static void apply_one(enum op_type type, const struct fact *f)
{
	struct op op = { .type = type, .fact = *f, .result = 1 };

	t.adapter->apply(t.adapter, &op, 1);
	assert_int_equal(op.result, 0);
}

static void apply(enum op_type type)
{
	for (size_t i = 0; i < ARRAY_SIZE(t.chains) && type != OP_DEL; i++)
		apply_one(type, &t.chains[i]);
	for (size_t i = 0; i < ARRAY_SIZE(t.jumps); i++)
		apply_one(type, &t.jumps[i]);
	for (size_t i = 0; i < ARRAY_SIZE(t.chains) && type == OP_DEL; i++)
		apply_one(type, &t.chains[i]);
}

static void make_facts(void)
{
	for (size_t i = 0; i < 2; i++) {
		int family = i ? AF_INET6 : AF_INET;

		t.chains[i] = fact_chain(family, TABLE_NAT, "KUBE-SERVICES",
			rule_text_put(&t.pool, AF_INET, "-A KUBE-SERVICES -j RETURN\n"));
		t.chains[2 + i] = fact_chain(family, TABLE_FILTER, "KUBE-FORWARD",
			rule_text_put(&t.pool, AF_INET, "-A KUBE-FORWARD -j RETURN\n"));
		t.jumps[i] = fact_jump(family, TABLE_NAT, HOOK_OUTPUT, "KUBE-SERVICES",
			rule_text_put(&t.pool, AF_INET, "-A OUTPUT -j KUBE-SERVICES\n"));
	}
}

static int setup(void **state)
{
	struct err err = { 0 };

	(void)state;
	if (unshare(CLONE_NEWNET) || iptables_new(&t.pool, true, true, &t.adapter, &err))
		return -1;
	make_facts();
	apply(OP_ADD);
	t.fd = iptables_watch_others(t.adapter, &err);
	return t.fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	iptables_free(take(t.adapter));
	rule_pool_done(&t.pool);
	return 0;
}

static bool noticed(void)
{
	for (int i = 0; i < LOOKS; i++)
		if (iptables_disturbed(t.adapter, t.now += LOOK_MS, 0))
			return true;
	return false;
}

#define DO(...) free(RUN(NULL, __VA_ARGS__))

static void a_flush_is_noticed_once(void **state)
{
	(void)state;
	DO("iptables", "-w", "5", "-t", "nat", "-F");
	assert_int_equal(poll(&(struct pollfd){ .fd = t.fd, .events = POLLIN }, 1, TIMEOUT_MS), 1);
	assert_true(noticed());
	assert_false(noticed());
	DO("ip6tables", "-w", "5", "-F");
	assert_true(noticed());
	assert_false(noticed());
}

static void all_that_a_firewall_flushes_is_told_at_once(void **state)
{
	static const char *const tables[] = { "nat", "filter", "mangle" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		DO("iptables", "-w", "5", "-t", tables[i], "-F");
		DO("iptables", "-w", "5", "-t", tables[i], "-X");
	}
	assert_true(noticed());
	apply(OP_ADD);
	assert_false(noticed());
}

static void one_jump_that_goes_is_noticed(void **state)
{
	(void)state;
	DO("iptables", "-w", "5", "-t", "nat", "-D", "OUTPUT", "1");
	assert_true(noticed());
}

static void a_rule_in_a_chain_of_ours_is_noticed(void **state)
{
	(void)state;
	DO("ip6tables", "-w", "5", "-t", "nat", "-I", "KUBE-SERVICES", "-j", "RETURN");
	assert_true(noticed());
}

static void what_we_do_is_not_told(void **state)
{
	(void)state;
	assert_false(noticed());
	apply(OP_ADD);
	apply(OP_SET);
	assert_false(noticed());
	apply(OP_DEL);
	apply(OP_ADD);
	assert_false(noticed());
}

static void what_others_do_while_we_write_is_noticed(void **state)
{
	(void)state;
	apply(OP_SET);
	DO("iptables", "-w", "5", "-t", "nat", "-F");
	apply(OP_SET);
	assert_true(noticed());
	assert_false(noticed());
}

/* The legacy variant does not tell whose rules changed. */
static void rules_of_others_come_and_go_unnoticed(void **state)
{
	(void)state;
	if (strcmp(t.variant.name, "nft") != 0)
		return;
	DO("iptables", "-w", "5", "-t", "nat", "-N", "FOREIGN");
	DO("iptables", "-w", "5", "-t", "nat", "-A", "FOREIGN", "-j", "RETURN");
	DO("iptables", "-w", "5", "-t", "nat", "-A", "OUTPUT", "-j", "FOREIGN");
	DO("iptables", "-w", "5", "-t", "nat", "-F", "FOREIGN");
	DO("iptables", "-w", "5", "-t", "mangle", "-N", "KUBE-KUBELET-CANARY");
	DO("iptables", "-w", "5", "-t", "mangle", "-X", "KUBE-KUBELET-CANARY");
	assert_false(noticed());
}

static void what_does_not_end_is_told_nevertheless(void **state)
{
	bool told = false;

	(void)state;
	for (int i = 0; !told && i < LOOKS; i++) {
		DO("iptables", "-w", "5", "-t", "nat", "-A", "KUBE-SERVICES", "-j", "RETURN");
		told = iptables_disturbed(t.adapter, t.now += LOOK_MS, 0);
	}
	assert_true(told);
}

static bool tells(struct canary *c, uint64_t repairs)
{
	enum { HOUR = 3600000 };

	for (int i = 0; i < LOOKS; i++)
		if (canary_disturbed(c, t.now += LOOK_MS, HOUR, repairs))
			return true;
	return false;
}

/* Reading again and again what is right would take all the time of a large node. */
static void after_a_false_alarm_the_next_one_waits(void **state)
{
	const bool nft = !strcmp(t.variant.name, "nft");
	struct canary *c;
	uint64_t repairs = 0;
	struct err err;

	(void)state;
	assert_int_equal(canary_new(&c, &err), 0);
	assert_int_equal(canary_add(c, AF_INET, nft, &err), 0);
	for (int i = 0; i < 3; i++)
		DO("iptables", "-w", "5", "-A", "INPUT", "-j", "RETURN");
	DO("iptables", "-w", "5", "-D", "INPUT", "1");
	assert_true(tells(c, repairs));
	DO("iptables", "-w", "5", "-D", "INPUT", "1");
	assert_false(tells(c, repairs));
	canary_after_write(c, AF_INET); /* something else may have been to do */
	assert_false(tells(c, repairs));
	repairs++;
	assert_true(tells(c, repairs));
	DO("iptables", "-w", "5", "-D", "INPUT", "1");
	assert_false(tells(c, repairs));
	DO("iptables", "-w", "5", "-F", "KUBE-FORWARD"); /* which is ours for sure */
	assert_int_equal(tells(c, repairs), nft);
	canary_free(c);
}

static int test_variant(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		TEST(a_flush_is_noticed_once),
		TEST(all_that_a_firewall_flushes_is_told_at_once),
		TEST(one_jump_that_goes_is_noticed),
		TEST(a_rule_in_a_chain_of_ours_is_noticed),
		TEST(what_we_do_is_not_told),
		TEST(what_others_do_while_we_write_is_noticed),
		TEST(rules_of_others_come_and_go_unnoticed),
		TEST(what_does_not_end_is_told_nevertheless),
		TEST(after_a_false_alarm_the_next_one_waits),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

int main(void)
{
	if (unshare(CLONE_NEWNET))
		variant_skip_all(
			&t.variant, "making a network namespace is not permitted: run it as root");
	return variant_each(&t.variant, test_variant);
}

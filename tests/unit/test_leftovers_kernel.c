// SPDX-License-Identifier: GPL-2.0-or-later
/* Against the running kernel, in a network namespace of its own. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sched.h>

#include "../../src/kernel/nft.h"
#include "../../src/kernel/nl.h"
#include "kernel/leftovers.h"
#include "kernel_test.h"

static int new_namespace(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNET);
}

#define KERNEL_TEST(f) cmocka_unit_test_setup(f, new_namespace)

struct new_table {
	uint8_t family;
	const char *name;
	int result;
};

/* As nft does it: a table with its name, between a beginning and an end. */
static struct nl_msg *build_table(size_t i, void *arg)
{
	const struct nfgenmsg of_nftables = { .res_id = htons(NFNL_SUBSYS_NFTABLES) };
	const struct new_table *t = arg;
	struct nl_msg *msg;

	if (i != 1)
		return nl_request_new(i ? NFNL_MSG_BATCH_END : NFNL_MSG_BATCH_BEGIN, 0,
			&of_nftables, sizeof(of_nftables));
	msg = nl_request_netfilter(
		NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE, NLM_F_CREATE, t->family);
	nla_put_string(msg, NFTA_TABLE_NAME, t->name);
	return msg;
}

static void take_answer(size_t i, int result, void *arg)
{
	struct new_table *t = arg;

	(void)i;
	t->result = t->result ? t->result : result;
}

static int make_table(uint8_t family, const char *name)
{
	struct new_table t = { .family = family, .name = name };
	struct nl_port *port;
	struct err err;

	assert_int_equal(nl_port_open(NETLINK_NETFILTER, &port, &err), 0);
	nl_port_batch(port, 3, build_table, take_answer, &t);
	nl_port_free(port);
	return t.result;
}

static void tables_of_nftables_are_found_and_deleted(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(make_table(AF_INET, "kube-proxy"), 0);
	assert_int_equal(make_table(AF_INET, "kube-proxy-too"), 0);
	assert_int_equal(make_table(AF_INET6, "kube-proxy-too"), 0);
	assert_int_equal(nft_has_table(AF_INET, "kube-proxy", &err), 1);
	assert_int_equal(nft_has_table(AF_INET6, "kube-proxy", &err), 0);
	assert_int_equal(nft_delete_table(AF_INET, "kube-proxy", &err), 0);
	assert_int_equal(nft_delete_table(AF_INET, "kube-proxy", &err), 0);
	assert_int_equal(nft_has_table(AF_INET, "kube-proxy", &err), 0);
	assert_int_equal(nft_has_table(AF_INET, "kube-proxy-too", &err), 1);
}

static void kube_proxys_rules_are_removed_and_foreign_rules_stay(void **state)
{
	static const char nat[] =
		"*nat\n"
		":KUBE-SERVICES - [0:0]\n"
		":KUBE-NODEPORTS - [0:0]\n"
		":KUBE-SVC-XPGD46QRK7WJZT7O - [0:0]\n"
		":KUBE-SEP-SXIVWICOYRO3J4NJ - [0:0]\n"
		":KUBE-HOSTPORTS - [0:0]\n"
		"-A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n"
		"-A OUTPUT -j KUBE-HOSTPORTS\n"
		"-A KUBE-SERVICES -d 10.20.30.41/32 -p tcp -m tcp --dport 80 "
		"-j KUBE-SVC-XPGD46QRK7WJZT7O\n"
		"-A KUBE-SERVICES -j KUBE-NODEPORTS\n"
		"-A KUBE-SVC-XPGD46QRK7WJZT7O -j KUBE-SEP-SXIVWICOYRO3J4NJ\n"
		"-A KUBE-SEP-SXIVWICOYRO3J4NJ -p tcp -j DNAT --to-destination 10.180.0.1:80\n"
		"COMMIT\n"
		"*filter\n"
		":KUBE-EXTERNAL-SERVICES - [0:0]\n"
		":KUBE-FIREWALL - [0:0]\n"
		"-A INPUT -m conntrack --ctstate NEW -j KUBE-EXTERNAL-SERVICES\n"
		"-A INPUT -j KUBE-FIREWALL\n"
		"COMMIT\n"
		"*mangle\n"
		":KUBE-PROXY-CANARY - [0:0]\n"
		":KUBE-KUBELET-CANARY - [0:0]\n"
		"COMMIT\n";
	_cleanup_(leftovers_done) struct leftovers l = { 0 }, after = { 0 };
	_cleanup_free_ char *saved = NULL;
	struct err err = { 0 };

	(void)state;
	free(RUN(nat, "iptables-restore"));
	assert_int_equal(make_table(AF_INET6, "kube-proxy"), 0);
	assert_int_equal(leftovers_find(true, true, false, &l, &err), 0);
	assert_int_equal(l.n, 7);
	if (leftovers_remove(&l, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(leftovers_find(true, true, false, &after, &err), 0);
	assert_int_equal(after.n, 0);
	saved = RUN(NULL, "iptables-save");
	assert_non_null(strstr(saved, "-A OUTPUT -j KUBE-HOSTPORTS"));
	assert_non_null(strstr(saved, "-A INPUT -j KUBE-FIREWALL"));
	assert_non_null(strstr(saved, ":KUBE-KUBELET-CANARY"));
	assert_null(strstr(saved, "KUBE-S"));
	assert_null(strstr(saved, "KUBE-EXTERNAL"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KERNEL_TEST(tables_of_nftables_are_found_and_deleted),
		KERNEL_TEST(kube_proxys_rules_are_removed_and_foreign_rules_stay),
	};

	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP making a network namespace is not permitted: run it as root\n");
		return SKIPPED;
	}
	if (make_table(AF_INET, "trial")) {
		printf("1..0 # SKIP this kernel has no nf_tables\n");
		return SKIPPED;
	}
	return cmocka_run_group_tests_name("leftovers_kernel", tests, NULL, NULL);
}

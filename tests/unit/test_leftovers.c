// SPDX-License-Identifier: GPL-2.0-or-later
/* What iptables-save prints of a node on which kube-proxy's iptables mode ran. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "kernel/leftovers.h"

static const char nat[] =
	"*nat\n"
	":PREROUTING ACCEPT [0:0]\n"
	":KUBE-KUBELET-CANARY - [0:0]\n"
	":KUBE-MARK-DROP - [0:0]\n"
	":KUBE-MARK-MASQ - [0:0]\n"
	":KUBE-NODEPORTS - [0:0]\n"
	":KUBE-PROXY-CANARY - [0:0]\n"
	":KUBE-SEP-SXIVWICOYRO3J4NJ - [0:0]\n"
	":KUBE-SERVICES - [0:0]\n"
	":KUBE-XLB-XPGD46QRK7WJZT7O - [0:0]\n"
	":KUBE-HOSTPORTS - [0:0]\n"
	":cali-PREROUTING - [0:0]\n"
	"-A PREROUTING -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES\n"
	"-A PREROUTING -m comment --comment \"not -j KUBE-NODEPORTS\" -j cali-PREROUTING\n"
	"-A PREROUTING -d 10.0.0.1/32 -g KUBE-NODEPORTS\n"
	"-A KUBE-SEP-SXIVWICOYRO3J4NJ -s 10.180.0.1/32 -j KUBE-MARK-MASQ\n"
	"-A KUBE-SERVICES -j KUBE-NODEPORTS\n"
	"-A cali-PREROUTING -j KUBE-XLB-XPGD46QRK7WJZT7O\n"
	"COMMIT\n";

static void expect_found(const struct leftovers *l, const char *want)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	for (size_t i = 0; i < l->n; i++) {
		leftover_print(&b, &l->v[i]);
		buf_addc(&b, '\n');
	}
	assert_string_equal(buf_str(&b), want);
}

static void chains_are_known_by_their_names(void **state)
{
	static const struct {
		enum table table;
		const char *name;
		bool is;
	} cases[] = {
		{ TABLE_NAT, "KUBE-SVC-XPGD46QRK7WJZT7O", true },
		{ TABLE_FILTER, "KUBE-SVC-XPGD46QRK7WJZT7O", false },
		{ TABLE_NAT, "KUBE-FW-XPGD46QRK7WJZT7O", true },
		{ TABLE_FILTER, "KUBE-EXTERNAL-SERVICES", true },
		{ TABLE_FILTER, "KUBE-IPVS-OUT-FILTER", true },
		{ TABLE_MANGLE, "KUBE-PROXY-CANARY", true },
		{ TABLE_MANGLE, "KUBE-KUBELET-CANARY", false },
		{ TABLE_MANGLE, "KUBE-IPTABLES-HINT", false },
		{ TABLE_FILTER, "KUBE-FIREWALL", false },
		{ TABLE_NAT, "KUBE-SERVICES2", false },
		{ TABLE_NAT, "KUBE-ROUTER-INPUT", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(
			leftovers_is_kube_proxys(cases[i].table, cases[i].name), cases[i].is);
}

static void chains_that_we_use_can_be_spared(void **state)
{
	_cleanup_(leftovers_done) struct leftovers l = { 0 };

	(void)state;
	leftovers_parse(nat, AF_INET, TABLE_NAT, true, &l);
	expect_found(&l,
		"chain IPv4 nat KUBE-PROXY-CANARY\n"
		"chain IPv4 nat KUBE-XLB-XPGD46QRK7WJZT7O\n");
}

static void what_leads_there_goes_before_the_chains(void **state)
{
	_cleanup_(leftovers_done) struct leftovers l = { 0 };
	_cleanup_(buf_done) struct buf doc = { 0 };

	(void)state;
	leftovers_parse(nat, AF_INET, TABLE_NAT, false, &l);
	expect_found(&l,
		"chain IPv4 nat KUBE-MARK-MASQ\n"
		"chain IPv4 nat KUBE-NODEPORTS\n"
		"chain IPv4 nat KUBE-PROXY-CANARY\n"
		"chain IPv4 nat KUBE-SEP-SXIVWICOYRO3J4NJ\n"
		"chain IPv4 nat KUBE-SERVICES\n"
		"chain IPv4 nat KUBE-XLB-XPGD46QRK7WJZT7O\n");
	leftovers_document(&l, nat, AF_INET, TABLE_NAT, &doc);
	assert_string_equal(buf_str(&doc),
		"*nat\n"
		":KUBE-MARK-MASQ - [0:0]\n"
		":KUBE-NODEPORTS - [0:0]\n"
		":KUBE-PROXY-CANARY - [0:0]\n"
		":KUBE-SEP-SXIVWICOYRO3J4NJ - [0:0]\n"
		":KUBE-SERVICES - [0:0]\n"
		":KUBE-XLB-XPGD46QRK7WJZT7O - [0:0]\n"
		"-D PREROUTING -m comment --comment \"kubernetes service portals\" "
		"-j KUBE-SERVICES\n"
		"-D PREROUTING -d 10.0.0.1/32 -g KUBE-NODEPORTS\n"
		"-X KUBE-MARK-MASQ\n"
		"-X KUBE-NODEPORTS\n"
		"-X KUBE-PROXY-CANARY\n"
		"-X KUBE-SEP-SXIVWICOYRO3J4NJ\n"
		"-X KUBE-SERVICES\n"
		"COMMIT\n");
}

static void other_tables_and_families_get_no_document(void **state)
{
	_cleanup_(leftovers_done) struct leftovers l = { 0 };
	_cleanup_(buf_done) struct buf doc = { 0 };

	(void)state;
	leftovers_parse(nat, AF_INET, TABLE_NAT, false, &l);
	leftovers_document(&l, nat, AF_INET6, TABLE_NAT, &doc);
	leftovers_document(&l, nat, AF_INET, TABLE_FILTER, &doc);
	assert_string_equal(buf_str(&doc), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chains_are_known_by_their_names),
		cmocka_unit_test(chains_that_we_use_can_be_spared),
		cmocka_unit_test(what_leads_there_goes_before_the_chains),
		cmocka_unit_test(other_tables_and_families_get_no_document),
	};

	return cmocka_run_group_tests_name("leftovers", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The report of preflight for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "base/mem.h"
#include "preflight.h"

static void assert_report(const char *json, const char *want)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *tree = json_loads(json, 0, NULL);

	assert_non_null(tree);
	preflight_text(tree, &out);
	assert_string_equal(buf_str(&out), want);
	json_decref(tree);
}

static void a_takeover_is_told_in_full(void **state)
{
	(void)state;
	assert_report(
		"{\"node\": \"a\", \"backend\": \"ipvs\", \"netfilter\": \"iptables\","
		" \"families\": [\"IPv4\"], \"ready\": true, \"first\": [],"
		" \"kubeProxy\": {\"pid\": 7, \"runsIn\": \"pod\", \"unit\": \"\", \"mode\": \"ipvs\","
		"  \"configuration\": \"/c\", \"options\": [\"--v=2\"]},"
		" \"comparedWith\": \"manifests\","
		" \"objects\": {\"virtualServers\": {\"adopted\": 2, \"added\": 1, \"foreign\": 1},"
		"  \"addresses\": {\"removed\": 3}},"
		" \"differences\": [{\"change\": \"add\", \"fact\": \"route 10.0.0.1\"},"
		"  {\"change\": \"set\", \"fact\": \"vs 10.0.0.1:80/TCP rr\", \"is\": \"wlc\"},"
		"  {\"change\": \"delete\", \"fact\": \"addr 10.0.0.1\"}],"
		" \"conflicts\": [{\"service\": \"s\", \"address\": \"10.0.0.2\", \"port\": 1,"
		"  \"protocol\": \"TCP\", \"heldBy\": \"another program\"}], \"refused\": [],"
		" \"otherInterface\": {\"netfilter\": \"nftables\", \"removed\": 5},"
		" \"settings\": [{\"setting\": \"net/x\", \"is\": 0, \"becomes\": 1}],"
		" \"notHonoured\": [{\"option\": \"--profiling\", \"reason\": \"no profiles\"}],"
		" \"layout\": [\"routes\"], \"leftovers\": [\"chain\"], \"warnings\": [\"look\"],"
		" \"commands\": {\"there\": [\"go\"], \"back\": [\"return\"]}}",
		"kube-proxy: process 7 in a pod, mode ipvs\n"
		"Configuration: /c --v=2\n"
		"ipvsctl-svcd: node a, backend ipvs, sets and rules in iptables, IPv4\n"
		"Compared with the Services of: manifests\n"
		"Ready: everything can be taken over\n\n"
		"Adopted as they are: 2 virtual servers\n"
		"Added: 1 virtual server\n"
		"Removed: 3 addresses\n"
		"Of other programs, left alone: 1 virtual server\n"
		"Removed from nftables when ours is in force: 5\n\n"
		"What the layout changes:\n  - routes\n\n"
		"Would change: 3\n"
		"+ route 10.0.0.1\n"
		"~ vs 10.0.0.1:80/TCP rr (is wlc)\n"
		"- addr 10.0.0.1\n\n"
		"Conflicts of Services:\n"
		"  s does not get 10.0.0.2:1/TCP: it belongs to another program\n\n"
		"Kernel settings:\n  net/x = 1 (is 0)\n\n"
		"Without effect here:\n  --profiling: no profiles\n\n"
		"Left over from kube-proxy, until ipvsctl-svc cleanup --of kube-proxy:\n  - chain\n\n"
		"Warnings:\n  - look\n\n"
		"There:\n  go\n\nBack:\n  return\n");
}

static void what_must_be_done_first_comes_first(void **state)
{
	(void)state;
	assert_report(
		"{\"node\": \"a\", \"backend\": \"ipvs\", \"netfilter\": \"iptables\","
		" \"families\": [], \"ready\": false, \"first\": [\"get ip_vs\"],"
		" \"kubeProxy\": {\"pid\": 0, \"mode\": \"\", \"configuration\": \"\","
		"  \"options\": []}, \"notCompared\": \"no file\\u001b\", \"comparedWith\": \"\","
		" \"commands\": {\"there\": [], \"back\": []}}",
		"kube-proxy: no process is seen\n"
		"Configuration: no file\n"
		"ipvsctl-svcd: node a, backend ipvs, sets and rules in iptables,\n"
		"Compared with no Services (no file?): only the layout is known, not what changes of "
		"each Service\n"
		"Not ready: 1 thing must be done first\n\n"
		"Do this first:\n  - get ip_vs\n\n"
		"There:\n\nBack:\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_takeover_is_told_in_full),
		cmocka_unit_test(what_must_be_done_first_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The commands from kube-proxy to the daemon and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include "base/mem.h"
#include "way.h"

#define STOPPED "# stop ipvsctl-svcd (SIGTERM); Services stay served"
#define STOP_IT "# stop kube-proxy, and keep it from starting again"
#define START_IT "# start kube-proxy as before"
#define DAEMON "ipvsctl-svcd --config=/a"

static const struct kube_proxy unseen;

static void assert_lines(json_t *list, const char *const *want)
{
	size_t n = 0;

	for (; want[n]; n++)
		assert_string_equal(json_string_value(json_array_get(list, n)), want[n]);
	assert_int_equal(json_array_size(list), n);
	json_decref(list);
}

static void each_mode_and_backend_have_their_way_back(void **state)
{
	static const struct {
		const char *mode;
		enum backend backend;
		const char *lines[5];
	} rows[] = {
		{ "ipvs", BACKEND_IPVS, { STOPPED, DAEMON " --hand-over", START_IT } },
		{ "", BACKEND_IPTABLES, { STOPPED, DAEMON " --hand-over", START_IT } },
		{ "iptables", BACKEND_IPVS,
			{ STOPPED, DAEMON " --backend=iptables --hand-over", START_IT } },
		{ "ipvs", BACKEND_NFTABLES,
			{ STOPPED, DAEMON " --backend=ipvs # until it is in sync; then stop it",
				DAEMON " --backend=ipvs --hand-over", START_IT } },
		{ "nftables", BACKEND_IPVS,
			{ STOPPED, START_IT,
				"ipvsctl-svcd --cleanup # when kube-proxy has synced" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_lines(way_back(&(struct way){ .kube_proxy = &unseen,
				     .mode = rows[i].mode,
				     .backend = rows[i].backend,
				     .daemon = DAEMON }),
			rows[i].lines);
}

static void kube_proxy_is_stopped_by_what_runs_it(void **state)
{
	char unit[] = "kube-proxy.service";
	const struct kube_proxy of_unit = { .pid = 7, .unit = unit }, alone = { .pid = 7 };
	static const char *const by_unit[] = { "systemctl disable --now kube-proxy.service", DAEMON,
		"ipvsctl-svc status", "ipvsctl-svc cleanup --of kube-proxy", NULL };
	static const char *const by_kill[] = {
		"kill 7 # and keep what started kube-proxy from starting it again", DAEMON,
		"ipvsctl-svc status", NULL
	};
	const struct kube_proxy pod = { .pid = 7, .pod = true };
	static const char *const in_pod[] = {
		"# a static pod ends when its manifest is moved away; a DaemonSet, on all nodes:",
		"kubectl -n kube-system patch daemonset kube-proxy -p '{\"spec\":{\"template\":{\"spec\":"
		"{\"nodeSelector\":{\"ipvsctl.io/no-kube-proxy\":\"true\"}}}}}'",
		"# in a container with the same files, such as that of "
		"examples/kubernetes/daemonset.yaml:",
		DAEMON, "ipvsctl-svc status", NULL
	};
	static const char *const by_hand[] = { STOP_IT, DAEMON, "ipvsctl-svc status", NULL };

	(void)state;
	assert_lines(way_there(&(struct way){
			     .kube_proxy = &of_unit, .daemon = DAEMON, .leftovers = true }),
		by_unit);
	assert_lines(way_there(&(struct way){ .kube_proxy = &pod, .daemon = DAEMON }), in_pod);
	assert_lines(way_there(&(struct way){ .kube_proxy = &alone, .daemon = DAEMON }), by_kill);
	assert_lines(way_there(&(struct way){ .kube_proxy = &unseen, .daemon = DAEMON }), by_hand);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mode_and_backend_have_their_way_back),
		cmocka_unit_test(kube_proxy_is_stopped_by_what_runs_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

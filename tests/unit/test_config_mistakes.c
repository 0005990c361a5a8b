// SPDX-License-Identifier: GPL-2.0-or-later
/* What is wrong in a file is named all at once, each with its key. */
#include "config_fixture.h"

#define KEY "KubeProxyConfiguration."

static const char wrong_values[] =
	"featureGates: {\"a b\": true, Other: 1}\n"
	"clientConnection: {qps: 1e12, burst: -1}\n"
	"logging:\n"
	"  flushFrequency: -1s\n"
	"  verbosity: 2147483648\n"
	"  vmodule: [{filePattern: \"a,b\", verbosity: 1}, {filePattern: c, verbosity: -1}, {}]\n"
	"  options: {json: {infoBufferSize: much}}\n"
	"hostnameOverride: \" \"\n"
	"bindAddress: localhost\n"
	"healthzBindAddress: 0.0.0.0:0\n"
	"metricsBindAddress: \"fd00::1:\"\n"
	"mode: userspace\n"
	"iptables: {masqueradeBit: 32, syncPeriod: -1s}\n"
	"ipvs:\n"
	"  syncPeriod: 10\n"
	"  minSyncPeriod: -1s\n"
	"  scheduler: \"Round Robin\"\n"
	"  excludeCIDRs: [10.0.0.0/8, 10.0.0.0/33, \"10.0.0.0/8,11.0.0.0/8\"]\n"
	"  tcpTimeout: 500ms\n"
	"  tcpFinTimeout: \"\"\n"
	"  udpTimeout: -5s\n"
	"nftables: {masqueradeBit: 1.5, syncPeriod: soon, minSyncPeriod: 1}\n"
	"detectLocalMode: Bridge\n"
	"detectLocal: {bridgeInterface: a/b, interfaceNamePrefix: abcdefghijklmnop}\n"
	"clusterCIDR: 10.0.0.0/8,10.1.0.0/16\n"
	"nodePortAddresses: [primary, 10.0.0.0/8]\n"
	"oomScoreAdj: 1001\n"
	"conntrack:\n"
	"  maxPerCore: -1\n"
	"  min: 4294967296\n"
	"  tcpEstablishedTimeout: 1d\n"
	"  tcpCloseWaitTimeout: -1h\n"
	"  udpTimeout: 1.5s\n"
	"  udpStreamTimeout: 999999h\n"
	"configSyncPeriod: x\n"
	"ipvsctl:\n"
	"  vipMode: dummy\n"
	"  drainTimeout: -1s\n"
	"  manifests: [\"\", 1]\n"
	"  serviceClusterIPRange: fd00::/108,fd01::/108\n"
	"  endpointsSource: pods\n"
	"  backend: ebpf\n"
	"  auditInterval: 1ms\n"
	"  logLevel: loud\n";

static const char *const wrong_values_words[] = {
	KEY "ipvs.scheduler: \"Round Robin\" is not the name of a scheduler",
	KEY "hostnameOverride: must have between 1 and 253 characters",
	KEY "clusterCIDR: more than one IPv4 CIDR",
	KEY "detectLocalMode: \"Bridge\" is none of ClusterCIDR, NodeCIDR, BridgeInterface, "
	    "InterfaceNamePrefix",
	KEY "detectLocal.bridgeInterface: \"a/b\" is not the name of an interface",
	KEY "detectLocal.interfaceNamePrefix: \"abcdefghijklmnop\" is not the name of an interface",
	KEY "iptables.masqueradeBit: \"32\" is not a number between 0 and 31",
	KEY "nodePortAddresses[1]: \"primary\" and CIDRs exclude each other",
	KEY "ipvs.excludeCIDRs[1]: \"10.0.0.0/33\" is not a CIDR such as 10.0.0.0/8",
	KEY "ipvs.excludeCIDRs[2]: \"10.0.0.0/8,11.0.0.0/8\" is not a CIDR such as 10.0.0.0/8",
	KEY "ipvsctl.manifests[0]: the path is empty",
	KEY "ipvsctl.manifests[1]: must be a string, not a number",
	KEY "ipvsctl.serviceClusterIPRange: more than one IPv6 CIDR",
	KEY "ipvsctl.endpointsSource: \"pods\" is none of auto, endpointslices, endpoints",
	KEY
	"mode: \"userspace\" is not supported: use ipvs, iptables, nftables, or \"\" for automatic choice",
	KEY "ipvsctl.backend: \"ebpf\" is none of auto, ipvs, iptables, nftables",
	KEY "ipvs.tcpTimeout: \"500ms\" is not a whole number of seconds",
	KEY "ipvs.tcpFinTimeout: \"\" is not a duration such as 1m30s",
	KEY "ipvs.udpTimeout: \"-5s\" is negative",
	KEY "iptables.syncPeriod: \"-1s\" is negative",
	KEY "ipvs.syncPeriod: must be a duration such as \"1m30s\", not a number",
	KEY "ipvsctl.auditInterval: \"1ms\" is less than 100 ms",
	KEY "conntrack.maxPerCore: \"-1\" is not a number between 0 and 2147483647",
	KEY "conntrack.min: \"4294967296\" is not a number between 0 and 2147483647",
	KEY "conntrack.tcpEstablishedTimeout: \"1d\" is not a duration such as 1m30s",
	KEY "conntrack.tcpCloseWaitTimeout: \"-1h\" is negative",
	KEY "conntrack.udpTimeout: \"1.5s\" is not a whole number of seconds",
	KEY "conntrack.udpStreamTimeout: \"999999h\" is too long",
	KEY "bindAddress: \"localhost\" is not an IP address",
	KEY "oomScoreAdj: \"1001\" is not a number between -1000 and 1000",
	KEY
	"healthzBindAddress: \"0.0.0.0:0\" is neither an IP address nor one with a port, such as "
	"0.0.0.0:10256",
	KEY
	"metricsBindAddress: \"fd00::1:\" is neither an IP address nor one with a port, such as "
	"127.0.0.1:10249",
	KEY "logging.verbosity: \"2147483648\" is not a number between 0 and 2147483647",
	KEY "ipvsctl.logLevel: \"loud\" is none of error, warning, info, debug",
	KEY "ipvsctl.vipMode: \"dummy\" is none of route, address",
	KEY "ipvsctl.drainTimeout: \"-1s\" is negative",
	KEY "ipvs.minSyncPeriod: \"-1s\" is negative",
	KEY "configSyncPeriod: \"x\" is not a duration such as 1m30s",
	KEY "clientConnection.qps: \"1000000000000\" is not a number up to 1000000000",
	KEY "clientConnection.burst: \"-1\" is not a number between 0 and 2147483647",
	KEY "featureGates: \"a b=true\" is not NAME=true or NAME=false",
	KEY "featureGates.Other: must be true or false, not a number",
	KEY "logging.flushFrequency: \"-1s\" is negative",
	KEY "logging.vmodule[0]: \"a,b=1\" is not PATTERN=NUMBER",
	KEY "logging.vmodule[1]: \"c=-1\" is not PATTERN=NUMBER",
	KEY "logging.vmodule[2]: must have a string filePattern and a number verbosity",
	KEY "logging.options.json.infoBufferSize: \"much\" is not a size such as 64Ki",
	KEY "nftables.masqueradeBit: must be a whole number, not a fraction",
	KEY "nftables.syncPeriod: \"soon\" is not a duration such as 1m30s",
	KEY "nftables.minSyncPeriod: must be a duration such as \"1m30s\", not a number",
};

static void variables_that_were_not_expanded_are_named(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	assert_mistake(OF_DAEMON, "--hostname-override=$(NODE_NAME)",
		"--hostname-override: $(NODE_NAME) is not expanded: the container has no environment "
		"variable of that name");
	assert_mistake(OF_DAEMON, "--kubeconfig=/etc/$(DIR)/conf",
		"--kubeconfig: $(DIR) is not expanded: the container has no environment variable of "
		"that name");
	assert_int_equal(parse_file(&l, "hostnameOverride: $(NODE_NAME)\n", ""), -EINVAL);
	assert_string_equal(without_place(l.c.mistakes.line[0]),
		KEY "hostnameOverride: $(NODE_NAME) is not expanded: only arguments of a container "
		    "are");
	line_done(&l);
	ok(&l, "--manifests=/a$(b");
}

static bool is_said(const struct config_notes *notes, const char *words)
{
	for (size_t i = 0; i < notes->n; i++)
		if (!strcmp(without_place(notes->line[i]), words))
			return true;
	return false;
}

static void all_wrong_values_are_named_at_once_with_their_keys(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	assert_int_equal(parse_file(&l, wrong_values, ""), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(wrong_values_words); i++)
		if (!is_said(&l.c.mistakes, wrong_values_words[i]))
			fail_msg("not said: %s", wrong_values_words[i]);
	for (size_t i = 0; i < l.c.mistakes.n; i++) {
		size_t k = 0;

		while (k < ARRAY_SIZE(wrong_values_words) &&
			strcmp(without_place(l.c.mistakes.line[i]), wrong_values_words[k]) != 0)
			k++;
		if (k == ARRAY_SIZE(wrong_values_words))
			fail_msg("said too much: %s", l.c.mistakes.line[i]);
	}
	assert_int_equal(l.c.mistakes.n, ARRAY_SIZE(wrong_values_words));
	assert_non_null(strstr(l.err.msg, "; and "));
}

static void wrong_types_are_named_with_what_is_wanted(void **state)
{
	static const char *const words[] = { KEY "ipvs: must be a mapping, not a list",
		KEY "logging.options.text: must be a mapping, not a string",
		KEY "hostnameOverride: must be a string, not a number",
		KEY "iptables.masqueradeAll: must be true or false, not a string",
		KEY "iptables.masqueradeBit: must be a whole number, not a fraction",
		KEY "nodePortAddresses: must be a list of strings, not a string",
		KEY "featureGates: must be a mapping of names to true or false, not a string",
		KEY "ipvsctl.manifests: must be a list of strings, not a mapping",
		KEY "clientConnection.qps: must be a number, not true or false",
		KEY "logging.flushFrequency: must be a duration such as \"1m30s\" or a number of "
		    "nanoseconds, not a list",
		KEY
		"logging.vmodule: must be a list of mappings with filePattern and verbosity, not a "
		"string",
		KEY "logging.options.json.infoBufferSize: must be a size such as \"64Ki\", not a "
		    "mapping",
		NULL };
	_cleanup_(line_done) struct line l;

	(void)state;
	assert_int_equal(parse_file(&l,
				 "ipvs: []\n"
				 "hostnameOverride: 1\n"
				 "iptables: {masqueradeAll: \"true\", masqueradeBit: 1.5}\n"
				 "nodePortAddresses: primary\n"
				 "ipvsctl: {manifests: {}}\n"
				 "clientConnection: {qps: true}\n"
				 "featureGates: A=true\n"
				 "logging:\n"
				 "  flushFrequency: []\n"
				 "  vmodule: a=1\n"
				 "  options: {text: x, json: {infoBufferSize: {}}}\n",
				 ""),
		-EINVAL);
	assert_notes(&l.c.mistakes, words);
}

static void what_values_say_of_each_other_is_checked(void **state)
{
	static const struct {
		const char *file, *options, *words;
	} cases[] = {
		{ "detectLocalMode: BridgeInterface\n", "",
			KEY "detectLocal.bridgeInterface: is required with "
			    "detectLocalMode=BridgeInterface" },
		{ "clientConnection: {kubeconfig: /k}\n", "--manifests=/m",
			"--manifests: excludes clientConnection.kubeconfig: "
			"Services come either from files or from an API server" },
		{ "ipvsctl: {manifests: [/m]}\n", "--master=https://a",
			KEY "ipvsctl.manifests: excludes --master: "
			    "Services come either from files or from an API server" },
		{ "ipvsctl: {manifests: [/m], master: a}\n", "",
			KEY "ipvsctl.manifests: excludes ipvsctl.master: "
			    "Services come either from files or from an API server" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(line_done) struct line l;

		assert_int_equal(parse_file(&l, cases[i].file, cases[i].options), -EINVAL);
		assert_int_equal(l.c.mistakes.n, 1);
		assert_string_equal(without_place(l.c.mistakes.line[0]), cases[i].words);
	}
}

/* An address alone gets the port of the default; all else must be an address and a port. */
static void listen_addresses_are_read_strictly(void **state)
{
	static const struct {
		const char *text, *ip;
		uint16_t port;
	} good[] = {
		{ "1.2.3.4", "1.2.3.4", 10249 },
		{ "1.2.3.4:65535", "1.2.3.4", 65535 },
		{ "::1", "::1", 10249 },
		{ "fd00::1:80", "fd00::1:80", 10249 },
		{ "[::1]:80", "::1", 80 },
		{ "[::ffff:1.2.3.4]:80", "1.2.3.4", 80 },
	};
	static const char *const bad[] = { ":", ":80", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:0",
		"1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:+1", "1.2.3.4:~1", "1.2.3.4:1~", "[::1]",
		"[::1]:", "[::1:80", "::1]:80", "[1.2.3.4]:80", "[]:80", "[:80", "localhost:80",
		"[::1%lo]:80", "1.2.3.4:99999999999999999999",
		"[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa]:1" };
	static const char option[] = "--metrics-bind-address=";
	char s[IP_STRLEN];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		_cleanup_(line_done) struct line l;
		_cleanup_(buf_done) struct buf text = { 0 };

		buf_addf(&text, "%s%s", option, good[i].text);
		ok(&l, buf_str(&text));
		assert_string_equal(ip_print(&l.c.metrics.ip, s), good[i].ip);
		assert_int_equal(l.c.metrics.port, good[i].port);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(line_done) struct line l;
		_cleanup_(buf_done) struct buf text = { 0 }, words = { 0 };

		buf_addf(&text, "%s%s", option, bad[i]);
		if (parse(&l, OF_DAEMON, buf_str(&text)) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
		buf_addf(&words,
			"--metrics-bind-address: \"%s\" is neither an IP address nor one with a "
			"port, such as 127.0.0.1:10249",
			strchr(l.argv[1], '=') + 1);
		assert_string_equal(l.err.msg, buf_str(&words));
	}
}

static void periods_of_a_mode_that_is_not_used_do_not_matter(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	file_ok(&l, "mode: ipvs\niptables: {syncPeriod: 1s}\n", "");
	assert_int_equal(l.c.sync_period, 30000);
	assert_int_equal(l.c.audit_interval, 30000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(variables_that_were_not_expanded_are_named),
		cmocka_unit_test(all_wrong_values_are_named_at_once_with_their_keys),
		cmocka_unit_test(wrong_types_are_named_with_what_is_wanted),
		cmocka_unit_test(what_values_say_of_each_other_is_checked),
		cmocka_unit_test(listen_addresses_are_read_strictly),
		cmocka_unit_test(periods_of_a_mode_that_is_not_used_do_not_matter),
	};

	return cmocka_run_group_tests_name("config mistakes", tests, NULL, NULL);
}

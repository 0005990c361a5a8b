// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole configuration files: those of the field, wrong ones, and what counts beside them. */
#include "config_fixture.h"

static const char *const nothing[] = { NULL };

/* Files of the field */

/* As kubeadm 1.31 to 1.36 writes it into the ConfigMap kube-proxy. */
static const char kubeadm[] = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\n"
			      "bindAddress: 0.0.0.0\n"
			      "bindAddressHardFail: false\n"
			      "clientConnection:\n"
			      "  acceptContentTypes: \"\"\n"
			      "  burst: 0\n"
			      "  contentType: \"\"\n"
			      "  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf\n"
			      "  qps: 0\n"
			      "clusterCIDR: 10.244.0.0/16\n"
			      "configSyncPeriod: 0s\n"
			      "conntrack:\n"
			      "  maxPerCore: null\n"
			      "  min: null\n"
			      "  tcpBeLiberal: false\n"
			      "  tcpCloseWaitTimeout: null\n"
			      "  tcpEstablishedTimeout: null\n"
			      "  udpStreamTimeout: 0s\n"
			      "  udpTimeout: 0s\n"
			      "detectLocal:\n"
			      "  bridgeInterface: \"\"\n"
			      "  interfaceNamePrefix: \"\"\n"
			      "detectLocalMode: \"\"\n"
			      "enableProfiling: false\n"
			      "healthzBindAddress: \"\"\n"
			      "hostnameOverride: \"\"\n"
			      "iptables:\n"
			      "  localhostNodePorts: null\n"
			      "  masqueradeAll: false\n"
			      "  masqueradeBit: null\n"
			      "  minSyncPeriod: 0s\n"
			      "  syncPeriod: 0s\n"
			      "ipvs:\n"
			      "  excludeCIDRs: null\n"
			      "  minSyncPeriod: 0s\n"
			      "  scheduler: \"\"\n"
			      "  strictARP: false\n"
			      "  syncPeriod: 0s\n"
			      "  tcpFinTimeout: 0s\n"
			      "  tcpTimeout: 0s\n"
			      "  udpTimeout: 0s\n"
			      "kind: KubeProxyConfiguration\n"
			      "logging:\n"
			      "  flushFrequency: 0\n"
			      "  options:\n"
			      "    json:\n"
			      "      infoBufferSize: \"0\"\n"
			      "    text:\n"
			      "      infoBufferSize: \"0\"\n"
			      "  verbosity: 0\n"
			      "metricsBindAddress: \"\"\n"
			      "mode: \"\"\n"
			      "nftables:\n"
			      "  masqueradeAll: false\n"
			      "  masqueradeBit: null\n"
			      "  minSyncPeriod: 0s\n"
			      "  syncPeriod: 0s\n"
			      "nodePortAddresses: null\n"
			      "oomScoreAdj: null\n"
			      "portRange: \"\"\n"
			      "showHiddenMetricsForVersion: \"\"\n"
			      "winkernel:\n"
			      "  enableDSR: false\n"
			      "  forwardHealthCheckVip: false\n"
			      "  networkName: \"\"\n"
			      "  rootHnsEndpointName: \"\"\n"
			      "  sourceVip: \"\"\n";

static void kubeadms_file_says_what_two_options_say(void **state)
{
	_cleanup_(line_done) struct line file, options;
	_cleanup_free_ char *a = NULL, *b = NULL;

	(void)state;
	assert_int_equal(parse_whole(&file, kubeadm, ""), 0);
	ok(&options,
		"--kubeconfig=/var/lib/kube-proxy/kubeconfig.conf --cluster-cidr=10.244.0.0/16");
	a = yaml_of(&file.c);
	b = yaml_of(&options.c);
	assert_string_equal(a, b);
	assert_notes(&file.c.warnings, nothing);
	assert_int_equal(config_input(&file.c), INPUT_API);
}

static void minikubes_file_leaves_conntrack_alone(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	file_ok(&l,
		"clusterCIDR: \"10.244.0.0/16\"\n"
		"metricsBindAddress: 0.0.0.0:10249\n"
		"conntrack:\n"
		"  maxPerCore: 0\n"
		"# Skip setting \"net.netfilter.nf_conntrack_tcp_timeout_established\"\n"
		"  tcpEstablishedTimeout: 0s\n"
		"# Skip setting \"net.netfilter.nf_conntrack_tcp_timeout_close\"\n"
		"  tcpCloseWaitTimeout: 0s\n",
		"");
	assert_cidr(&l.c.policy.cluster_cidr[0], "10.244.0.0/16");
	assert_true(ip_is_unspecified(&l.c.metrics.ip));
	assert_int_equal(l.c.metrics.port, 10249);
	assert_int_equal(l.c.healthz.port, 10256);
	assert_int_equal(l.c.conntrack.max_per_core, 0);
	assert_int_equal(l.c.conntrack.tcp_established_timeout, 0);
	assert_int_equal(l.c.conntrack.tcp_close_wait_timeout, 0);
	assert_notes(&l.c.warnings, nothing);
}

/* As in the wiki of many a cluster: IPVS with the settings that MetalLB asks for. */
static void an_ipvs_file_reaches_the_config(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	file_ok(&l,
		"mode: ipvs\n"
		"ipvs: {scheduler: lc, strictARP: true, syncPeriod: 1m, tcpTimeout: 2h,\n"
		"       tcpFinTimeout: 30s, udpTimeout: 5m, excludeCIDRs: [203.0.113.0/24]}\n"
		"iptables: {masqueradeAll: true, masqueradeBit: 20}\n"
		"bindAddress: 192.0.2.7\n"
		"nodePortAddresses: [primary]\n",
		"");
	assert_int_equal(l.c.backend, BACKEND_IPVS);
	assert_string_equal(l.c.policy.scheduler, "lc");
	assert_true(l.c.strict_arp && l.c.policy.masquerade_all && l.c.policy.nodeport_primary);
	assert_int_equal(l.c.policy.masquerade_bit, 20);
	assert_int_equal(l.c.tcp_timeout, 7200);
	assert_int_equal(l.c.tcp_fin_timeout, 30);
	assert_int_equal(l.c.udp_timeout, 300);
	assert_int_equal(l.c.policy.n_exclude, 1);
	assert_int_equal(l.c.audit_interval, 60000);
	assert_int_equal(l.c.sync_period, 60000);
	assert_int_equal(l.c.bind_address.family, AF_INET);
	assert_notes(&l.c.warnings, nothing);
}

static void a_file_may_be_json(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	assert_int_equal(
		parse_whole(&l,
			"{\"kind\": \"KubeProxyConfiguration\", \"mode\": \"ipvs\",\n"
			" \"apiVersion\": \"kubeproxy.config.k8s.io/v1alpha1\",\n"
			" \"ipvsctl\": {\"manifests\": [\"/a\"], \"vipMode\": \"address\"}}\n",
			""),
		0);
	assert_int_equal(l.c.backend, BACKEND_IPVS);
	assert_int_equal(l.c.policy.vip_mode, VIP_ADDRESS);
	assert_string_equal(l.c.manifests[0], "/a");
	assert_int_equal(config_input(&l.c), INPUT_MANIFESTS);
}

/* Files that cannot be used */

static void assert_refused(const char *text, const char *const *mistakes)
{
	_cleanup_(line_done) struct line l;

	assert_int_equal(parse_whole(&l, text, ""), -EINVAL);
	assert_notes(&l.c.mistakes, mistakes);
}

static void a_file_that_is_not_there_is_a_mistake(void **state)
{
	(void)state;
	assert_mistake(OF_DAEMON, "--config=/nonexistent",
		"--config: cannot read /nonexistent: No such file or directory");
	assert_mistake(OF_DAEMON, "--config=/", "--config: cannot read /: Is a directory");
	assert_mistake(OF_DAEMON, "--config", "--config: needs a value");
}

static void a_file_of_another_kind_is_only_that(void **state)
{
	(void)state;
	assert_refused("apiVersion: v1\nkind: ConfigMap\ndata: {config.conf: x}\n",
		(const char *const[]){ "KubeProxyConfiguration.apiVersion: must be "
				       "kubeproxy.config.k8s.io/v1alpha1, not v1",
			"KubeProxyConfiguration.kind: must be KubeProxyConfiguration, not ConfigMap",
			NULL });
	assert_refused("mode: ipvs\n",
		(const char *const[]){ "KubeProxyConfiguration.apiVersion: must be "
				       "kubeproxy.config.k8s.io/v1alpha1",
			"KubeProxyConfiguration.kind: must be KubeProxyConfiguration", NULL });
}

static void assert_fault(const char *text, const char *end)
{
	_cleanup_(line_done) struct line l;
	size_t len;

	assert_int_equal(parse_whole(&l, text, ""), -EINVAL);
	assert_int_equal(l.c.mistakes.n, 1);
	len = strlen(l.c.mistakes.line[0]);
	assert_true(len > strlen(end));
	assert_string_equal(l.c.mistakes.line[0] + len - strlen(end), end);
}

static void a_file_that_cannot_be_parsed_is_named_with_the_place(void **state)
{
	(void)state;
	assert_fault("a: 1\nb: [1\nc: 2\n",
		":3:2: did not find expected ',' or ']', while parsing a flow sequence that "
		"begins in line 2");
	assert_fault(
		"mode: ipvs\nmode: \"\"\n", ":2:1: the key \"mode\" is there twice in one mapping");
	assert_fault("- a\n", " has a list in place of a mapping");
	assert_fault("# nothing\n", " is empty");
}

static void a_file_has_a_limit(void **state)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	(void)state;
	while (text.len <= CONFIG_MAX_FILE)
		buf_adds(&text, "# one line more, until there are more than can be good\n");
	assert_fault(buf_str(&text), ": File too large");
}

static void of_several_documents_the_first_counts(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	file_ok(&l, "mode: ipvs\n---\nkind: KubeletConfiguration\n", "");
	assert_int_equal(l.c.backend, BACKEND_IPVS);
	assert_int_equal(l.c.warnings.n, 1);
	assert_non_null(strstr(l.c.warnings.line[0], ": of its 2 documents the first one counts"));
}

/* Wrong values: all at once */

#define KEY "KubeProxyConfiguration."

static const char wrong_values[] =
	"featureGates: {MultiCIDRServiceAllocator: false, \"a b\": true, Other: 1}\n"
	"clientConnection: {qps: 1e12, burst: -1}\n"
	"logging:\n"
	"  format: xml\n"
	"  flushFrequency: -1s\n"
	"  verbosity: 2147483648\n"
	"  vmodule: [{filePattern: \"a,b\", verbosity: 1}, {filePattern: c, verbosity: -1}, {}]\n"
	"  options:\n"
	"    text: {splitStream: true, infoBufferSize: 1Mi}\n"
	"    json: {splitStream: true, infoBufferSize: much}\n"
	"hostnameOverride: \" \"\n"
	"bindAddress: localhost\n"
	"healthzBindAddress: 0.0.0.0:0\n"
	"metricsBindAddress: \"fd00::1:\"\n"
	"showHiddenMetricsForVersion: latest\n"
	"mode: nftables\n"
	"iptables: {masqueradeBit: 32, syncPeriod: 1s, minSyncPeriod: 2s}\n"
	"ipvs:\n"
	"  syncPeriod: 10\n"
	"  minSyncPeriod: -1s\n"
	"  scheduler: \"Round Robin\"\n"
	"  excludeCIDRs: [10.0.0.0/8, 10.0.0.0/33, \"10.0.0.0/8,11.0.0.0/8\"]\n"
	"  tcpTimeout: 500ms\n"
	"  tcpFinTimeout: \"\"\n"
	"  udpTimeout: -5s\n"
	"nftables: {masqueradeBit: -1, syncPeriod: soon, minSyncPeriod: 1}\n"
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
	"  backend: nftables\n"
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
	KEY "nodePortAddresses[1]: \"primary\" stands alone, without CIDRs beside it",
	KEY "ipvs.excludeCIDRs[1]: \"10.0.0.0/33\" is not a CIDR such as 10.0.0.0/8",
	KEY "ipvs.excludeCIDRs[2]: \"10.0.0.0/8,11.0.0.0/8\" is not a CIDR such as 10.0.0.0/8",
	KEY "ipvsctl.manifests[0]: the path is empty",
	KEY "ipvsctl.manifests[1]: must be a string, not a number",
	KEY "ipvsctl.serviceClusterIPRange: more than one IPv6 CIDR",
	KEY "ipvsctl.endpointsSource: \"pods\" is none of auto, endpointslices, endpoints",
	KEY "mode: \"nftables\" is not done here: use ipvs, iptables, or \"\" for what works best",
	KEY "ipvsctl.backend: \"nftables\" is none of auto, ipvs, iptables",
	KEY "ipvs.tcpTimeout: \"500ms\" is not a whole number of seconds",
	KEY "ipvs.tcpFinTimeout: \"\" is not a duration such as 1m30s",
	KEY "ipvs.udpTimeout: \"-5s\" is negative",
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
	KEY "featureGates: MultiCIDRServiceAllocator is true and cannot be changed",
	KEY "featureGates: \"a b=true\" is not NAME=true or NAME=false",
	KEY "featureGates.Other: must be true or false, not a number",
	KEY "showHiddenMetricsForVersion: \"latest\" is not a release such as 1.35",
	KEY "logging.format: \"xml\" is none of text, json",
	KEY "logging.flushFrequency: \"-1s\" is negative",
	KEY "logging.vmodule[0]: \"a,b=1\" is not PATTERN=NUMBER",
	KEY "logging.vmodule[1]: \"c=-1\" is not PATTERN=NUMBER",
	KEY "logging.vmodule[2]: must have a string filePattern and a number verbosity",
	KEY "logging.options.json.infoBufferSize: \"much\" is not a size such as 64Ki",
	KEY "nftables.masqueradeBit: \"-1\" is not a number between 0 and 31",
	KEY "nftables.syncPeriod: \"soon\" is not a duration such as 1m30s",
	KEY "nftables.minSyncPeriod: must be a duration such as \"1m30s\", not a number",
	KEY "iptables.minSyncPeriod: is longer than the sync period itself",
	KEY "logging.options.text.splitStream: needs the feature gate LoggingAlphaOptions",
	KEY "logging.options.text.infoBufferSize: needs the feature gate LoggingAlphaOptions",
	KEY "logging.options.json.splitStream: needs the feature gate LoggingAlphaOptions",
};

static bool is_said(const struct config_notes *notes, const char *words)
{
	for (size_t i = 0; i < notes->n; i++)
		if (!strcmp(notes->line[i], words))
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
			strcmp(l.c.mistakes.line[i], wrong_values_words[k]) != 0)
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
		KEY "ipvsctl.manifests: must be a list of strings, not a mapping",
		KEY "clientConnection.qps: must be a number, not true or false",
		KEY "featureGates: must be a mapping of names to true or false, not a string",
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
		{ "mode: iptables\n", "", KEY "mode: this version programs IPVS only" },
		{ "ipvsctl: {backend: iptables}\n", "",
			KEY "ipvsctl.backend: this version programs IPVS only" },
		{ "", "--backend=iptables", "--backend: this version programs IPVS only" },
		{ "detectLocalMode: BridgeInterface\n", "",
			KEY "detectLocal.bridgeInterface: is needed with "
			    "detectLocalMode=BridgeInterface" },
		{ "mode: ipvs\nipvs: {syncPeriod: 5s, minSyncPeriod: 6s}\n", "",
			KEY "ipvs.minSyncPeriod: is longer than the sync period itself" },
		{ "logging: {format: json, vmodule: [{filePattern: a, verbosity: 1}]}\n", "",
			KEY "logging.vmodule: can be had with the format \"text\" only" },
		{ "clientConnection: {kubeconfig: /k}\n", "--manifests=/m",
			"--manifests: cannot be used together with clientConnection.kubeconfig: "
			"Services come either from files or from an API server" },
		{ "ipvsctl: {manifests: [/m]}\n", "--master=https://a",
			KEY "ipvsctl.manifests: cannot be used together with --master: "
			    "Services come either from files or from an API server" },
		{ "ipvsctl: {manifests: [/m], master: a}\n", "",
			KEY "ipvsctl.manifests: cannot be used together with ipvsctl.master: "
			    "Services come either from files or from an API server" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(line_done) struct line l;

		assert_int_equal(parse_file(&l, cases[i].file, cases[i].options), -EINVAL);
		assert_int_equal(l.c.mistakes.n, 1);
		assert_string_equal(l.c.mistakes.line[0], cases[i].words);
	}
}

static void periods_of_a_mode_that_is_not_used_do_not_matter(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	file_ok(&l, "mode: ipvs\niptables: {syncPeriod: 1s, minSyncPeriod: 1m}\n", "");
	assert_int_equal(l.c.sync_period, 30000);
	assert_int_equal(l.c.audit_interval, 30000);
}

static void unknown_keys_are_ignored_and_named(void **state)
{
	static const char *const words[] = {
		KEY "udpIdleTimeout: unknown key, ignored",
		KEY "ipvs.tcpTimeout: unknown key, ignored; did you mean ipvs.tcpTimeout?",
		KEY "ipvs.tcpTimeOut: unknown key, ignored; did you mean ipvs.tcpTimeout?",
		KEY "ipvsctl.vipmode: unknown key, ignored; did you mean ipvsctl.vipMode?",
		NULL,
	};
	_cleanup_(line_done) struct line l;

	(void)state;
	file_ok(&l,
		"udpIdleTimeout: 250ms\n"
		"ipvs.tcpTimeout: 1s\n"
		"ipvs: {tcpTimeOut: 1s}\n"
		"ipvsctl: {vipmode: address}\n",
		"");
	assert_notes(&l.c.warnings, words);
	assert_int_equal(l.c.tcp_timeout, 0);
}

static void notes_have_a_limit(void **state)
{
	_cleanup_(line_done) struct line l;
	_cleanup_(buf_done) struct buf text = { 0 };

	(void)state;
	for (int i = 0; i < 150; i++)
		buf_addf(&text, "unknown%d: 1\n", i);
	file_ok(&l, buf_str(&text), "");
	assert_int_equal(l.c.warnings.n, CONFIG_MAX_NOTES);
	assert_int_equal(l.c.warnings.left_out, 50);
}

/* What counts beside a file */

static void our_options_count_over_the_file(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	file_ok(&l,
		"mode: iptables\n"
		"ipvs: {scheduler: lc}\n"
		"hostnameOverride: file\n"
		"logging: {verbosity: 5}\n"
		"ipvsctl: {manifests: [a, b], vipMode: address, drainTimeout: 1s, auditInterval: 1s,\n"
		"          serviceClusterIPRange: 10.0.0.0/8, endpointsSource: endpoints,\n"
		"          statusSocket: /a, backend: auto}\n",
		"--backend=ipvs --scheduler=mh --hostname-override=option -v=0 --manifests=c "
		"--manifests=d --vip-mode=route --drain-timeout=2s --audit-interval=2s "
		"--service-cluster-ip-range=fd00::/108 --endpoints-source=auto --status-socket=/b");
	assert_int_equal(l.c.backend, BACKEND_IPVS);
	assert_string_equal(l.c.policy.scheduler, "mh");
	assert_string_equal(l.c.policy.node_name, "option");
	assert_int_equal(l.c.log_level, LOG_INFO);
	assert_int_equal(l.c.n_manifests, 2);
	assert_string_equal(l.c.manifests[0], "c");
	assert_string_equal(l.c.manifests[1], "d");
	assert_int_equal(l.c.policy.vip_mode, VIP_ROUTE);
	assert_int_equal(l.c.policy.drain_timeout, 2000);
	assert_int_equal(l.c.audit_interval, 2000);
	assert_int_equal(l.c.service_range[0].ip.family, 0);
	assert_cidr(&l.c.service_range[1], "fd00::/108");
	assert_int_equal(l.c.endpoints_source, ENDPOINTS_AUTO);
	assert_string_equal(l.c.status_socket, "/b");
}

static void kube_proxys_options_are_ignored_beside_a_file_and_named(void **state)
{
	static const char *const words[] = {
		"ignored beside --config, as kube-proxy does; the file has to say it: "
		"--cluster-cidr, --ipvs_scheduler, --proxy-mode, --masquerade-all, --kube-api-qps, "
		"--healthz-port",
		NULL,
	};
	_cleanup_(line_done) struct line l;

	(void)state;
	file_ok(&l, "clusterCIDR: 10.0.0.0/8\n",
		"--cluster-cidr=11.0.0.0/8 --ipvs_scheduler=lc --proxy-mode=nonsense "
		"--masquerade-all --master=https://a --kube-api-qps 3 --healthz-port=0");
	assert_notes(&l.c.warnings, words);
	assert_cidr(&l.c.policy.cluster_cidr[0], "10.0.0.0/8");
	assert_string_equal(l.c.policy.scheduler, "rr");
	assert_int_equal(l.c.backend, BACKEND_AUTO);
	assert_false(l.c.policy.masquerade_all);
	assert_string_equal(l.c.master, "https://a");
	assert_int_equal(l.c.healthz.port, 10256);
}

static void the_place_of_config_among_the_options_does_not_matter(void **state)
{
	_cleanup_(temporary_done) struct temporary file;
	_cleanup_(buf_done) struct buf line = { 0 };
	_cleanup_(line_done) struct line l;

	(void)state;
	temporary_write(&file, CONFIG_HEAD "ipvsctl: {drainTimeout: 1s}\n");
	buf_addf(&line, "--drain-timeout 2s --cluster-cidr 10.0.0.0/8 --config %s", file.path);
	ok(&l, buf_str(&line));
	assert_int_equal(l.c.policy.drain_timeout, 2000);
	assert_int_equal(l.c.policy.cluster_cidr[0].ip.family, 0);
}

static void in_the_file_our_section_counts_more_and_says_so(void **state)
{
	static const char *const words[] = {
		KEY "mode: ipvsctl.backend counts in its place",
		KEY "logging.verbosity: ipvsctl.logLevel counts in its place",
		NULL,
	};
	_cleanup_(line_done) struct line l;

	(void)state;
	file_ok(&l,
		"ipvsctl: {backend: auto, logLevel: error}\n"
		"mode: iptables\nlogging: {verbosity: 9}\n",
		"");
	assert_int_equal(l.c.backend, BACKEND_AUTO);
	assert_int_equal(l.c.log_level, LOG_ERROR);
	assert_notes(&l.c.warnings, words);
}

static void what_has_no_effect_is_named_in_one_warning(void **state)
{
	static const char *const words[] = {
		"known, and without effect here: ipvs.minSyncPeriod, clientConnection.qps, "
		"featureGates(AllowServiceExternalIPs), featureGates(Other), enableProfiling, "
		"--vmodule, portRange",
		NULL,
	};
	_cleanup_(line_done) struct line l;

	(void)state;
	file_ok(&l,
		"enableProfiling: true\n"
		"portRange: 1-2\n"
		"configSyncPeriod: 15m\n"
		"clientConnection: {qps: 50, burst: 10}\n"
		"ipvs: {minSyncPeriod: 5s, syncPeriod: 30s}\n"
		"featureGates: {AllowServiceExternalIPs: false, WatchListClient: true, Other: false}\n",
		"--vmodule=a=1");
	assert_notes(&l.c.warnings, words);
}

/* Defaults that depend */

static void with_manifests_a_node_is_left_as_it_is(void **state)
{
	static const struct conntrack_settings none = { 0 };
	_cleanup_(line_done) struct line manifests, asked, cluster;

	(void)state;
	ok(&manifests, "--manifests=/m");
	assert_memory_equal(&manifests.c.conntrack, &none, sizeof(none));
	assert_false(manifests.c.adjust_oom_score);
	assert_int_equal(manifests.c.healthz.ip.family, 0);
	assert_int_equal(manifests.c.metrics.ip.family, 0);
	ok(&asked, "--manifests=/m --conntrack-min=7 --oom-score-adj=0 --healthz-bind-address=::1");
	assert_int_equal(asked.c.conntrack.min, 7);
	assert_int_equal(asked.c.conntrack.tcp_established_timeout, 0);
	assert_true(asked.c.adjust_oom_score);
	assert_int_equal(asked.c.healthz.port, 10256);
	assert_int_equal(asked.c.metrics.ip.family, 0);
	ok(&cluster, "--kubeconfig=/k");
	assert_int_equal(cluster.c.conntrack.max_per_core, 32768);
	assert_int_equal(cluster.c.conntrack.min, 131072);
	assert_int_equal(cluster.c.conntrack.tcp_established_timeout, 86400);
	assert_int_equal(cluster.c.conntrack.tcp_close_wait_timeout, 3600);
	assert_int_equal(cluster.c.oom_score_adj, -999);
	assert_int_equal(cluster.c.metrics.port, 10249);
}

static void servers_follow_the_family_of_the_files_bind_address(void **state)
{
	_cleanup_(line_done) struct line file, option;
	char s[IP_PORT_STRLEN];

	(void)state;
	file_ok(&file, "bindAddress: \"::\"\n", "");
	assert_string_equal(
		ip_print_port(&file.c.healthz.ip, file.c.healthz.port, s), "[::]:10256");
	assert_string_equal(
		ip_print_port(&file.c.metrics.ip, file.c.metrics.port, s), "[::1]:10249");
	ok(&option, "--bind-address=::");
	assert_string_equal(
		ip_print_port(&option.c.healthz.ip, option.c.healthz.port, s), "0.0.0.0:10256");
}

static void the_input_is_what_is_given_or_the_pods_cluster(void **state)
{
	_cleanup_(line_done) struct line none, pod, manifests, kubeconfig, master;

	(void)state;
	unsetenv("KUBERNETES_SERVICE_HOST");
	ok(&none, "");
	assert_int_equal(config_input(&none.c), INPUT_NONE);
	ok(&kubeconfig, "--kubeconfig=/k");
	assert_int_equal(config_input(&kubeconfig.c), INPUT_API);
	ok(&master, "--master=a");
	assert_int_equal(config_input(&master.c), INPUT_API);
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	ok(&pod, "");
	assert_int_equal(config_input(&pod.c), INPUT_API);
	ok(&manifests, "--manifests=/m");
	assert_int_equal(config_input(&manifests.c), INPUT_MANIFESTS);
	unsetenv("KUBERNETES_SERVICE_HOST");
}

static void json_is_asked_for_where_protobuf_is_not_named(void **state)
{
	static const struct {
		const char *file;
		bool json;
	} cases[] = {
		{ "", false },
		{ "clientConnection: {contentType: application/json}\n", true },
		{ "clientConnection: {acceptContentTypes: application/json}\n", true },
		{ "clientConnection: {acceptContentTypes: \"application/json, "
		  "application/vnd.kubernetes.protobuf\", contentType: application/json}\n",
			false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(line_done) struct line l;

		file_ok(&l, cases[i].file, "");
		assert_int_equal(l.c.json, cases[i].json);
	}
}

static void the_sync_period_is_the_audits_where_nothing_else_says_it(void **state)
{
	_cleanup_(line_done) struct line period, both, shorter;

	(void)state;
	ok(&period, "--ipvs-sync-period=5m");
	assert_int_equal(period.c.audit_interval, 300000);
	ok(&both, "--ipvs-sync-period=5m --audit-interval=1m");
	assert_int_equal(both.c.audit_interval, 60000);
	assert_int_equal(both.c.sync_period, 300000);
	ok(&shorter, "--ipvs-sync-period=1ms");
	assert_int_equal(shorter.c.audit_interval, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kubeadms_file_says_what_two_options_say),
		cmocka_unit_test(minikubes_file_leaves_conntrack_alone),
		cmocka_unit_test(an_ipvs_file_reaches_the_config),
		cmocka_unit_test(a_file_may_be_json),
		cmocka_unit_test(a_file_that_is_not_there_is_a_mistake),
		cmocka_unit_test(a_file_of_another_kind_is_only_that),
		cmocka_unit_test(a_file_that_cannot_be_parsed_is_named_with_the_place),
		cmocka_unit_test(a_file_has_a_limit),
		cmocka_unit_test(of_several_documents_the_first_counts),
		cmocka_unit_test(all_wrong_values_are_named_at_once_with_their_keys),
		cmocka_unit_test(wrong_types_are_named_with_what_is_wanted),
		cmocka_unit_test(what_values_say_of_each_other_is_checked),
		cmocka_unit_test(periods_of_a_mode_that_is_not_used_do_not_matter),
		cmocka_unit_test(unknown_keys_are_ignored_and_named),
		cmocka_unit_test(notes_have_a_limit),
		cmocka_unit_test(our_options_count_over_the_file),
		cmocka_unit_test(kube_proxys_options_are_ignored_beside_a_file_and_named),
		cmocka_unit_test(the_place_of_config_among_the_options_does_not_matter),
		cmocka_unit_test(in_the_file_our_section_counts_more_and_says_so),
		cmocka_unit_test(what_has_no_effect_is_named_in_one_warning),
		cmocka_unit_test(with_manifests_a_node_is_left_as_it_is),
		cmocka_unit_test(servers_follow_the_family_of_the_files_bind_address),
		cmocka_unit_test(the_input_is_what_is_given_or_the_pods_cluster),
		cmocka_unit_test(json_is_asked_for_where_protobuf_is_not_named),
		cmocka_unit_test(the_sync_period_is_the_audits_where_nothing_else_says_it),
	};

	return cmocka_run_group_tests_name("config file", tests, NULL, NULL);
}

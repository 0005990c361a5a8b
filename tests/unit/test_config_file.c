// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole configuration files: those of the field, wrong ones, and what counts beside them. */
#include "config_fixture.h"

#define KEY "KubeProxyConfiguration."

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
	assert_cidr(&l.c.options.cluster_cidr[0], "10.244.0.0/16");
	assert_true(ip_kind(&l.c.metrics.ip) == IP_UNSPECIFIED);
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
	assert_int_equal(l.c.options.backend, BACKEND_IPVS);
	assert_string_equal(l.c.options.scheduler, "lc");
	assert_true(l.c.strict_arp && l.c.options.masquerade_all && l.c.options.nodeport_primary);
	assert_int_equal(l.c.options.masquerade_bit, 20);
	assert_int_equal(l.c.tcp_timeout, 7200);
	assert_int_equal(l.c.tcp_fin_timeout, 30);
	assert_int_equal(l.c.udp_timeout, 300);
	assert_int_equal(l.c.options.n_exclude, 1);
	assert_int_equal(l.c.audit_interval, 60000);
	assert_int_equal(l.c.sync_period, 60000);
	assert_int_equal(l.c.bind_address.family, AF_INET);
	assert_notes(&l.c.warnings, nothing);
}

static void a_config_map_may_have_the_file(void **state)
{
	static const char before[] = "apiVersion: v1\nkind: ConfigMap\ndata:\n"
				     "  kubeconfig.conf: |\n    kind: Config\n"
				     "  config.conf: |\n"
				     "    apiVersion: kubeproxy.config.k8s.io/v1alpha1\n"
				     "    kind: KubeProxyConfiguration\n";
	static const char *const mistake[] = { KEY "mode: must be a string, not a number", NULL };
	_cleanup_(buf_done) struct buf good = { 0 }, wrong = { 0 };
	_cleanup_(line_done) struct line a, b, c;

	(void)state;
	buf_addf(&good, "%s    clusterCIDR: 10.244.0.0/16\n    mode: ipvs\n", before);
	assert_int_equal(parse_whole(&a, buf_str(&good), ""), 0);
	assert_cidr(&a.c.options.cluster_cidr[0], "10.244.0.0/16");
	assert_int_equal(a.c.options.backend, BACKEND_IPVS);
	assert_notes(&a.c.warnings, nothing);

	buf_addf(&wrong, "%s    mode: 4\n", before);
	assert_int_equal(parse_whole(&b, buf_str(&wrong), ""), -EINVAL);
	assert_notes(&b.c.mistakes, mistake);

	assert_int_equal(
		parse_whole(&c, "apiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n", ""), -EINVAL);
	assert_int_equal(c.c.mistakes.n, 2);
}

static void preflight_only_names_the_file(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	assert_int_equal(parse(&l, OPTIONS_PREFLIGHT | OPTIONS_INPUT | OPTIONS_POLICY,
				 "--config=/does/not/exist --kubeconfig=/k"),
		0);
	assert_string_equal(l.c.file, "/does/not/exist");
	assert_string_equal(l.c.kubeconfig, "/k");
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
	assert_int_equal(l.c.options.backend, BACKEND_IPVS);
	assert_int_equal(l.c.options.vip_mode, VIP_ADDRESS);
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
	assert_mistake(OF_DAEMON, "--config=/dev/full",
		"--config: cannot read /dev/full: it is not a regular file");
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
		"mode: ipvs\nmode: \"\"\n", ":2:1: the key \"mode\" occurs twice in one mapping");
	assert_fault("- a\n", " must contain a mapping, not a list");
	assert_fault("# nothing\n", " is empty");
}

static void mistakes_and_warnings_have_their_place(void **state)
{
	_cleanup_(line_done) struct line l;
	const char *place;

	(void)state;
	assert_fault(CONFIG_HEAD "ipvs:\n  tcpTimeout: 5x\n",
		":4:15: " KEY "ipvs.tcpTimeout: \"5x\" is not a duration such as 1m30s");
	assert_fault("# by hand\n\n---\n" CONFIG_HEAD
		     "nodePortAddresses:\n- 10.0.0.0/8\n- 1.2.3.4/33\n",
		":8:3: " KEY
		"nodePortAddresses[1]: \"1.2.3.4/33\" is not a CIDR such as 10.0.0.0/8");
	assert_fault(CONFIG_HEAD "ipvs: 5\n", ":3:7: " KEY "ipvs: must be a mapping, not a number");
	assert_fault(CONFIG_HEAD "featureGates:\n  ComponentFlagz: 5\n",
		":4:19: " KEY "featureGates.ComponentFlagz: must be true or false, not a number");
	assert_fault("kind: KubeProxyConfiguration\napiVersion: v1\n",
		":2:13: " KEY "apiVersion: must be kubeproxy.config.k8s.io/v1alpha1, not v1");
	/* Of values that must fit each other. */
	assert_fault(CONFIG_HEAD
		"iptables: {masqueradeBit: 14}\nipvsctl:\n  markMask: \"0xc000\"\n",
		":5:13: " KEY
		"ipvsctl.markMask: must not contain the masquerade bit, which is bit 14");
	assert_fault("\xff\xfek", ":1:1: the text is UTF-16, must be UTF-8");
	assert_int_equal(parse_whole(&l, "\xef\xbb\xbf" CONFIG_HEAD "mood: ipvs\n", ""), 0);
	assert_int_equal(l.c.warnings.n, 1);
	place = strstr(l.c.warnings.line[0], ":3:7: " KEY "mood: unknown key, ignored");
	assert_non_null(place);
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
	assert_int_equal(l.c.options.backend, BACKEND_IPVS);
	assert_int_equal(l.c.warnings.n, 1);
	assert_non_null(
		strstr(l.c.warnings.line[0], ": only the first of its 2 documents is used"));
}

/* Keys that nobody knows */

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
	assert_int_equal(l.c.options.backend, BACKEND_IPVS);
	assert_string_equal(l.c.options.scheduler, "mh");
	assert_string_equal(l.c.options.node_name, "option");
	assert_int_equal(l.c.log_level, LOG_INFO);
	assert_int_equal(l.c.n_manifests, 2);
	assert_string_equal(l.c.manifests[0], "c");
	assert_string_equal(l.c.manifests[1], "d");
	assert_int_equal(l.c.options.vip_mode, VIP_ROUTE);
	assert_int_equal(l.c.options.drain_timeout, 2000);
	assert_int_equal(l.c.audit_interval, 2000);
	assert_int_equal(l.c.options.cluster_ip_ranges[0].ip.family, 0);
	assert_cidr(&l.c.options.cluster_ip_ranges[1], "fd00::/108");
	assert_int_equal(l.c.endpoints_source, ENDPOINTS_AUTO);
	assert_string_equal(l.c.status_socket, "/b");
}

static void the_external_mark_bit_is_named_by_its_key_with_the_other(void **state)
{
	_cleanup_(line_done) struct line bit, mask, by_option;

	(void)state;
	assert_int_equal(
		parse_file(&bit, "iptables: {masqueradeBit: 12}\nipvsctl: {externalMarkBit: 12}\n",
			""),
		-EINVAL);
	assert_string_equal(without_place(bit.err.msg),
		KEY
		"ipvsctl.externalMarkBit: must differ from iptables.masqueradeBit, which is bit "
		"12 too");
	assert_int_equal(
		parse_file(&mask, "ipvsctl: {markMask: \"0x3000\", externalMarkBit: 13}\n", ""),
		-EINVAL);
	assert_string_equal(without_place(mask.err.msg),
		KEY "ipvsctl.externalMarkBit: bit 13 must not be in ipvsctl.markMask, which is "
		    "0x3000");
	assert_int_equal(
		parse_file(&by_option, "iptables: {masqueradeBit: 12}\n", "--external-mark-bit=12"),
		-EINVAL);
	assert_string_equal(without_place(by_option.err.msg),
		"--external-mark-bit: must differ from iptables.masqueradeBit, which is bit 12 too");
}

static void kube_proxys_options_are_ignored_beside_a_file_and_named(void **state)
{
	static const char *const words[] = {
		"ignored beside a configuration file, as in kube-proxy; set them in the file: "
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
	assert_cidr(&l.c.options.cluster_cidr[0], "10.0.0.0/8");
	assert_string_equal(l.c.options.scheduler, "rr");
	assert_int_equal(l.c.options.backend, BACKEND_AUTO);
	assert_false(l.c.options.masquerade_all);
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
	assert_int_equal(l.c.options.drain_timeout, 2000);
	assert_int_equal(l.c.options.cluster_cidr[0].ip.family, 0);
}

static void in_the_file_our_section_counts_more_and_says_so(void **state)
{
	static const char *const words[] = {
		KEY "mode: overridden by ipvsctl.backend",
		KEY "logging.verbosity: overridden by ipvsctl.logLevel",
		NULL,
	};
	_cleanup_(line_done) struct line l;

	(void)state;
	file_ok(&l,
		"ipvsctl: {backend: auto, logLevel: error}\n"
		"mode: iptables\nlogging: {verbosity: 9}\n",
		"");
	assert_int_equal(l.c.options.backend, BACKEND_AUTO);
	assert_int_equal(l.c.log_level, LOG_ERROR);
	assert_notes(&l.c.warnings, words);
}

static void every_mode_of_kube_proxy_means_a_backend(void **state)
{
	static const struct {
		const char *file;
		enum backend backend;
	} rows[] = {
		{ "mode: \"\"\n", BACKEND_AUTO },
		{ "mode: ipvs\n", BACKEND_IPVS },
		{ "mode: iptables\n", BACKEND_IPTABLES },
		{ "mode: nftables\n", BACKEND_NFTABLES },
		{ "mode: ipvs\nipvsctl: {backend: iptables}\n", BACKEND_IPTABLES },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(line_done) struct line l;

		file_ok(&l, rows[i].file, "");
		assert_int_equal(l.c.options.backend, rows[i].backend);
	}
}

static void keys_of_the_nftables_mode_count_in_that_mode(void **state)
{
	static const char *const words[] = { "accepted without effect: nftables.minSyncPeriod",
		NULL };
	static const char *const wrong[] = {
		KEY "nftables.masqueradeBit: \"50\" is not a number between 0 and 31", NULL
	};
	_cleanup_(line_done) struct line l, other, mistaken;

	(void)state;
	file_ok(&l,
		"mode: nftables\niptables: {masqueradeBit: 7}\n"
		"nftables: {masqueradeBit: 5, masqueradeAll: true, syncPeriod: 1m, minSyncPeriod: 3s}\n",
		"");
	assert_int_equal(l.c.options.masquerade_bit, 5);
	assert_true(l.c.options.masquerade_all);
	assert_int_equal(l.c.audit_interval, 60000);
	assert_notes(&l.c.warnings, words);
	file_ok(&other, "mode: iptables\nnftables: {masqueradeBit: 5}\n", "");
	assert_int_equal(other.c.options.masquerade_bit, 14);
	assert_int_equal(
		parse_file(&mistaken, "mode: nftables\nnftables: {masqueradeBit: 50}\n", ""),
		-EINVAL);
	assert_notes(&mistaken.c.mistakes, wrong);
}

static void what_has_no_effect_is_named_in_one_warning(void **state)
{
	static const char *const words[] = {
		"accepted without effect: featureGates(Other), ipvs.minSyncPeriod, "
		"enableProfiling, --vmodule, portRange",
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

static void external_ips_count_unless_the_gate_is_off(void **state)
{
	_cleanup_(line_done) struct line l, off, by_option;

	(void)state;
	ok(&l, "--manifests=/m");
	assert_true(l.c.options.external_ips);
	file_ok(&off, "featureGates: {AllowServiceExternalIPs: false}\n", "");
	assert_false(off.c.options.external_ips);
	assert_int_equal(off.c.warnings.n, 0);
	ok(&by_option, "--manifests=/m --feature-gates=AllowServiceExternalIPs=false");
	assert_false(by_option.c.options.external_ips);
}

static bool gate_is_on(const struct config *c, const char *name)
{
	struct config_gate gates[CONFIG_MAX_GATES];
	size_t n = config_gates(c, gates);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(gates[i].name, name))
			return gates[i].on;
	fail_msg("there is no gate %s", name);
	return false;
}

/* Not as they are given. */
static void gates_are_told_as_they_are_in_force(void **state)
{
	_cleanup_(line_done) struct line l, changed;

	(void)state;
	ok(&l, "--manifests=/m");
	assert_true(gate_is_on(&l.c, "AllowServiceExternalIPs"));
	assert_true(gate_is_on(&l.c, "WatchListClient"));
	assert_false(gate_is_on(&l.c, "NativeHistograms"));
	ok(&changed,
		"--manifests=/m "
		"--feature-gates=AllowServiceExternalIPs=false,WatchListClient=false");
	assert_false(gate_is_on(&changed.c, "AllowServiceExternalIPs"));
	assert_true(gate_is_on(&changed.c, "WatchListClient"));
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
		cmocka_unit_test(a_config_map_may_have_the_file),
		cmocka_unit_test(preflight_only_names_the_file),
		cmocka_unit_test(a_file_may_be_json),
		cmocka_unit_test(a_file_that_is_not_there_is_a_mistake),
		cmocka_unit_test(a_file_of_another_kind_is_only_that),
		cmocka_unit_test(a_file_that_cannot_be_parsed_is_named_with_the_place),
		cmocka_unit_test(mistakes_and_warnings_have_their_place),
		cmocka_unit_test(a_file_has_a_limit),
		cmocka_unit_test(of_several_documents_the_first_counts),
		cmocka_unit_test(unknown_keys_are_ignored_and_named),
		cmocka_unit_test(notes_have_a_limit),
		cmocka_unit_test(our_options_count_over_the_file),
		cmocka_unit_test(the_external_mark_bit_is_named_by_its_key_with_the_other),
		cmocka_unit_test(kube_proxys_options_are_ignored_beside_a_file_and_named),
		cmocka_unit_test(the_place_of_config_among_the_options_does_not_matter),
		cmocka_unit_test(in_the_file_our_section_counts_more_and_says_so),
		cmocka_unit_test(every_mode_of_kube_proxy_means_a_backend),
		cmocka_unit_test(keys_of_the_nftables_mode_count_in_that_mode),
		cmocka_unit_test(what_has_no_effect_is_named_in_one_warning),
		cmocka_unit_test(external_ips_count_unless_the_gate_is_off),
		cmocka_unit_test(gates_are_told_as_they_are_in_force),
		cmocka_unit_test(with_manifests_a_node_is_left_as_it_is),
		cmocka_unit_test(servers_follow_the_family_of_the_files_bind_address),
		cmocka_unit_test(the_input_is_what_is_given_or_the_pods_cluster),
		cmocka_unit_test(json_is_asked_for_where_protobuf_is_not_named),
		cmocka_unit_test(the_sync_period_is_the_audits_where_nothing_else_says_it),
	};

	return cmocka_run_group_tests_name("config file", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Every key and every option of kube-proxy, and ours, one by one: what is given is what is printed.
 */
#include "config_fixture.h"

#include <jansson.h>

/* The value at "ipvs.tcpTimeout" as JSON text. */
static char *value_at(const struct config *c, const char *key)
{
	_cleanup_free_ char *path = mem_strdup(key);
	json_t *tree = config_tree(c), *at = tree;
	char *save = NULL, *text;

	for (char *name = strtok_r(path, ".", &save); name; name = strtok_r(NULL, ".", &save))
		at = json_object_get(at, name);
	text = at ? json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT) : mem_strdup("(missing)");
	json_decref(tree);
	return text;
}

static void assert_value(const struct config *c, const char *key, const char *want)
{
	_cleanup_free_ char *is = value_at(c, key);

	if (strcmp(is, want) != 0)
		fail_msg("%s is %s, not %s", key, is, want);
}

/* A file that has this key only: flow mappings, one in the other. */
static void add_key(struct buf *b, const char *key, const char *value)
{
	size_t depth = 0;
	const char *dot;

	for (; (dot = strchr(key, '.')); key = dot + 1, depth++)
		buf_addf(b, "%s%.*s: ", depth ? "{" : "", (int)(dot - key), key);
	buf_addf(b, "%s%s: %s", depth ? "{" : "", key, value);
	for (; depth; depth--)
		buf_addc(b, '}');
	buf_addc(b, '\n');
}

/* What a key can be given, how it is printed then, and whether it is named as without effect. */
struct key_case {
	const char *key, *value, *want;
	bool unhonoured;
};

static const struct key_case key_cases[] = {
	{ "featureGates", "{AllowServiceExternalIPs: false, Other: true}",
		"{\"AllowServiceExternalIPs\":false,\"Other\":true}", true },
	{ "featureGates", "{AllowServiceExternalIPs: true, WatchListClient: true}",
		"{\"AllowServiceExternalIPs\":true,\"WatchListClient\":true}" },
	{ "featureGates", "{MultiCIDRServiceAllocator: false}",
		"{\"MultiCIDRServiceAllocator\":false}", true },
	{ "clientConnection.kubeconfig", "/etc/k", "\"/etc/k\"" },
	{ "clientConnection.acceptContentTypes", "application/json", "\"application/json\"" },
	{ "clientConnection.contentType", "application/json", "\"application/json\"" },
	{ "clientConnection.qps", "7.5", "7.5" },
	{ "clientConnection.qps", "-1", "-1" },
	{ "clientConnection.qps", "0", "5" },
	{ "clientConnection.burst", "100", "100" },
	{ "clientConnection.burst", "0", "10" },
	{ "logging.format", "json", "\"json\"" },
	{ "logging.format", "text", "\"text\"" },
	{ "logging.flushFrequency", "1m", "\"1m0s\"", true },
	{ "logging.flushFrequency", "5000000000", "\"5s\"" },
	{ "logging.flushFrequency", "0", "\"5s\"" },
	{ "logging.verbosity", "4", "4" },
	{ "logging.verbosity", "2147483647", "4" },
	{ "logging.verbosity", "3", "0" },
	{ "logging.vmodule", "[{filePattern: \"gc*\", verbosity: 3}]",
		"[{\"filePattern\":\"gc*\",\"verbosity\":3}]", true },
	{ "logging.options.text.splitStream", "false", "false" },
	{ "logging.options.text.splitStream", "true", "true", true },
	{ "logging.options.text.infoBufferSize", "\"0\"", "\"0\"" },
	{ "logging.options.json.splitStream", "false", "false" },
	{ "logging.options.json.infoBufferSize", "0", "\"0\"" },
	{ "hostnameOverride", "\" Node-A \"", "\"node-a\"" },
	{ "bindAddress", "192.0.2.7", "\"192.0.2.7\"" },
	{ "bindAddress", "\"\"", "\"0.0.0.0\"" },
	{ "healthzBindAddress", "127.0.0.1", "\"127.0.0.1:10256\"" },
	{ "healthzBindAddress", "\"[fd00::1]:80\"", "\"[fd00::1]:80\"" },
	{ "healthzBindAddress", "\"\"", "\"0.0.0.0:10256\"" },
	{ "healthzBindAddress", "none", "\"none\"" },
	{ "metricsBindAddress", "\"fd00::1\"", "\"[fd00::1]:10249\"" },
	{ "metricsBindAddress", "\"0.0.0.0:9100\"", "\"0.0.0.0:9100\"" },
	{ "metricsBindAddress", "\"\"", "\"127.0.0.1:10249\"" },
	{ "bindAddressHardFail", "true", "true" },
	{ "enableProfiling", "true", "true", true },
	{ "showHiddenMetricsForVersion", "\"1.35\"", "\"1.35\"", true },
	{ "showHiddenMetricsForVersion", "latest", "\"latest\"", true },
	{ "mode", "ipvs", "\"ipvs\"" },
	{ "mode", "\"\"", "\"\"" },
	{ "iptables.masqueradeBit", "0", "0" },
	{ "iptables.masqueradeBit", "31", "31" },
	{ "iptables.masqueradeAll", "true", "true" },
	{ "iptables.localhostNodePorts", "false", "false" },
	{ "iptables.syncPeriod", "2m", "\"2m0s\"" },
	{ "iptables.syncPeriod", "0s", "\"30s\"" },
	{ "iptables.minSyncPeriod", "2s", "\"2s\"", true },
	{ "iptables.minSyncPeriod", "0s", "\"1s\"" },
	{ "ipvs.syncPeriod", "90s", "\"1m30s\"" },
	{ "ipvs.syncPeriod", "0s", "\"30s\"" },
	{ "ipvs.minSyncPeriod", "10s", "\"10s\"", true },
	{ "ipvs.minSyncPeriod", "60s", "\"1m0s\"", true },
	{ "ipvs.scheduler", "wlc", "\"wlc\"" },
	{ "ipvs.scheduler", "\"\"", "\"rr\"" },
	{ "ipvs.excludeCIDRs", "[10.0.0.0/8, \"fd00::/8\"]", "[\"10.0.0.0/8\",\"fd00::/8\"]" },
	{ "ipvs.strictARP", "true", "true" },
	{ "ipvs.tcpTimeout", "15m", "\"15m0s\"" },
	{ "ipvs.tcpFinTimeout", "2m", "\"2m0s\"" },
	{ "ipvs.udpTimeout", "300s", "\"5m0s\"" },
	{ "nftables.masqueradeBit", "3", "3", true },
	{ "nftables.masqueradeBit", "64", "64", true },
	{ "nftables.masqueradeAll", "true", "true", true },
	{ "nftables.syncPeriod", "1m", "\"1m0s\"", true },
	{ "nftables.minSyncPeriod", "5s", "\"5s\"", true },
	{ "winkernel.networkName", "x", "\"x\"", true },
	{ "winkernel.sourceVip", "10.0.0.1", "\"10.0.0.1\"", true },
	{ "winkernel.enableDSR", "true", "true", true },
	{ "winkernel.rootHnsEndpointName", "x", "\"x\"", true },
	{ "winkernel.forwardHealthCheckVip", "true", "true", true },
	{ "detectLocalMode", "NodeCIDR", "\"NodeCIDR\"" },
	{ "detectLocal.bridgeInterface", "cni0", "\"cni0\"" },
	{ "detectLocal.interfaceNamePrefix", "cali", "\"cali\"" },
	{ "clusterCIDR", "\"10.244.0.0/16,fd00::/56\"", "\"10.244.0.0/16,fd00::/56\"" },
	{ "nodePortAddresses", "[192.168.0.0/16]", "[\"192.168.0.0/16\"]" },
	{ "nodePortAddresses", "[primary]", "[\"primary\"]" },
	{ "oomScoreAdj", "-1000", "-1000" },
	{ "oomScoreAdj", "0", "0" },
	{ "conntrack.maxPerCore", "0", "0" },
	{ "conntrack.min", "1000", "1000" },
	{ "conntrack.tcpEstablishedTimeout", "0s", "\"0s\"" },
	{ "conntrack.tcpCloseWaitTimeout", "30m", "\"30m0s\"" },
	{ "conntrack.tcpBeLiberal", "true", "true" },
	{ "conntrack.udpTimeout", "10s", "\"10s\"" },
	{ "conntrack.udpStreamTimeout", "3m0s", "\"3m0s\"" },
	{ "configSyncPeriod", "1h", "\"1h0m0s\"", true },
	{ "configSyncPeriod", "0s", "\"15m0s\"" },
	{ "portRange", "1000-2000", "\"1000-2000\"", true },
	{ "windowsRunAsService", "true", "true", true },

	{ "ipvsctl.vipMode", "address", "\"address\"" },
	{ "ipvsctl.drainTimeout", "500ms", "\"500ms\"" },
	{ "ipvsctl.netfilter", "nftables", "\"nftables\"" },
	{ "ipvsctl.markMask", "\"0xff000000\"", "\"0xff000000\"" },
	{ "ipvsctl.markMask", "\"0\"", "\"0x0\"" },
	{ "ipvsctl.adoptForeign", "true", "true" },
	{ "ipvsctl.externalAddresses", "local", "\"local\"" },
	{ "ipvsctl.localAddressRanges", "[192.0.2.0/28]", "[\"192.0.2.0/28\"]" },
	{ "ipvsctl.externalIPRanges", "[192.0.2.0/24, \"fd00::/8\"]",
		"[\"192.0.2.0/24\",\"fd00::/8\"]" },
	{ "ipvsctl.loadBalancerRanges", "[]", "[]" },
	{ "ipvsctl.externalMarkBit", "0", "0" },
	{ "ipvsctl.externalTable", "7", "7" },
	{ "ipvsctl.externalRulePriority", "32765", "32765" },
	{ "ipvsctl.manifests", "[/etc/m, web.yaml]", "[\"/etc/m\",\"web.yaml\"]" },
	{ "ipvsctl.serviceClusterIPRange", "10.96.0.0/16", "\"10.96.0.0/16\"" },
	{ "ipvsctl.master", "\"https://127.0.0.1:6443\"", "\"https://127.0.0.1:6443\"" },
	{ "ipvsctl.endpointsSource", "endpoints", "\"endpoints\"" },
	{ "ipvsctl.backend", "ipvs", "\"ipvs\"" },
	{ "ipvsctl.auditInterval", "0s", "\"0s\"" },
	{ "ipvsctl.statusSocket", "\"\"", "\"\"" },
	{ "ipvsctl.logLevel", "warning", "\"warning\"" },
};

static void assert_unhonoured(const struct config *c, bool want, const char *what)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!!config_unhonoured(c, &text) != want)
		fail_msg("%s: without effect: \"%s\"", what, buf_str(&text));
}

static void every_key_is_taken_and_printed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(key_cases); i++) {
		const struct key_case *k = &key_cases[i];
		_cleanup_(line_done) struct line l;
		_cleanup_(buf_done) struct buf text = { 0 };

		add_key(&text, k->key, k->value);
		file_ok(&l, buf_str(&text), "");
		assert_value(&l.c, k->key, k->want);
		assert_unhonoured(&l.c, k->unhonoured, k->key);
		assert_int_equal(l.c.warnings.n, k->unhonoured ? 1 : 0);
	}
}

static bool has_case(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(key_cases); i++)
		if (!strcmp(key_cases[i].key, key))
			return true;
	return false;
}

static void the_cases_name_all_keys_of_the_table(void **state)
{
	size_t n;
	const struct option_row *o = config_options(&n);

	(void)state;
	for (; n; n--, o++)
		if (o->key && !has_case(o->key))
			fail_msg("no case for %s", o->key);
}

/* The options of kube-proxy 1.36, and how one that has a key is printed. */
static const struct flag_case {
	const char *flag, *key, *want;
	bool unhonoured;
} flag_cases[] = {
	{ "--master=http://a:1", "ipvsctl.master", "\"http://a:1\"" },
	{ "--hostname-override=A", "hostnameOverride", "\"a\"" },
	{ "--kubeconfig=/k", "clientConnection.kubeconfig", "\"/k\"" },
	{ "--kube-api-content-type=application/json", "clientConnection.contentType",
		"\"application/json\"" },
	{ "--kube-api-qps=50", "clientConnection.qps", "50" },
	{ "--kube-api-qps=0", "clientConnection.qps", "5" },
	{ "--kube-api-qps=-1", "clientConnection.qps", "-1" },
	{ "--kube-api-burst=100", "clientConnection.burst", "100" },
	{ "--kube-api-burst=0", "clientConnection.burst", "10" },
	{ "--feature-gates=AllowServiceExternalIPs=false,A=true", "featureGates",
		"{\"AllowServiceExternalIPs\":false,\"A\":true}", true },
	{ "--feature-gates=WatchListClient=true", "featureGates", "{\"WatchListClient\":true}" },
	{ "--bind-address=fd00::1", "bindAddress", "\"fd00::1\"" },
	{ "--healthz-bind-address=127.0.0.1:1", "healthzBindAddress", "\"127.0.0.1:1\"" },
	{ "--healthz-bind-address=", "healthzBindAddress", "\"none\"" },
	{ "--healthz-port=0", "healthzBindAddress", "\"none\"" },
	{ "--healthz-port=77", "healthzBindAddress", "\"0.0.0.0:10256\"" },
	{ "--healthz-port=77 --healthz-bind-address=10.0.0.1", "healthzBindAddress",
		"\"10.0.0.1:77\"" },
	{ "--healthz-port=77 --healthz-bind-address=10.0.0.1:9", "healthzBindAddress",
		"\"10.0.0.1:9\"" },
	{ "--metrics-bind-address=::", "metricsBindAddress", "\"[::]:10249\"" },
	{ "--metrics-bind-address=", "metricsBindAddress", "\"127.0.0.1:10249\"" },
	{ "--metrics-port=0", "metricsBindAddress", "\"none\"" },
	{ "--metrics-port=88 --metrics-bind-address=fd00::1", "metricsBindAddress",
		"\"[fd00::1]:88\"" },
	{ "--bind-address-hard-fail", "bindAddressHardFail", "true" },
	{ "--profiling", "enableProfiling", "true", true },
	{ "--show-hidden-metrics-for-version=1.35", "showHiddenMetricsForVersion", "\"1.35\"",
		true },
	{ "--proxy-mode=ipvs", "mode", "\"ipvs\"" },
	{ "--iptables-masquerade-bit=3", "iptables.masqueradeBit", "3" },
	{ "--masquerade-all", "iptables.masqueradeAll", "true" },
	{ "--iptables-localhost-nodeports=false", "iptables.localhostNodePorts", "false" },
	{ "--iptables-sync-period=1m", "ipvsctl.auditInterval", "\"1m0s\"" },
	{ "--iptables-min-sync-period=0", "iptables.minSyncPeriod", "\"0s\"", true },
	{ "--ipvs-sync-period=1m", "ipvsctl.auditInterval", "\"1m0s\"" },
	{ "--ipvs-min-sync-period=1s", "ipvs.minSyncPeriod", "\"1s\"", true },
	{ "--ipvs-scheduler=lc", "ipvs.scheduler", "\"lc\"" },
	{ "--ipvs-exclude-cidrs=10.0.0.0/8,fd00::/8", "ipvs.excludeCIDRs",
		"[\"10.0.0.0/8\",\"fd00::/8\"]" },
	{ "--ipvs-strict-arp", "ipvs.strictARP", "true" },
	{ "--ipvs-tcp-timeout=1m", "ipvs.tcpTimeout", "\"1m0s\"" },
	{ "--ipvs-tcpfin-timeout=1m", "ipvs.tcpFinTimeout", "\"1m0s\"" },
	{ "--ipvs-udp-timeout=1m", "ipvs.udpTimeout", "\"1m0s\"" },
	{ "--detect-local-mode=NodeCIDR", "detectLocalMode", "\"NodeCIDR\"" },
	{ "--pod-bridge-interface=b", "detectLocal.bridgeInterface", "\"b\"" },
	{ "--pod-interface-name-prefix=p", "detectLocal.interfaceNamePrefix", "\"p\"" },
	{ "--cluster-cidr=10.0.0.0/8", "clusterCIDR", "\"10.0.0.0/8\"" },
	{ "--nodeport-addresses=primary", "nodePortAddresses", "[\"primary\"]" },
	{ "--oom-score-adj=5", "oomScoreAdj", "5" },
	{ "--conntrack-max-per-core=1", "conntrack.maxPerCore", "1" },
	{ "--conntrack-min=2", "conntrack.min", "2" },
	{ "--conntrack-tcp-timeout-established=1h", "conntrack.tcpEstablishedTimeout",
		"\"1h0m0s\"" },
	{ "--conntrack-tcp-timeout-close-wait=1s", "conntrack.tcpCloseWaitTimeout", "\"1s\"" },
	{ "--conntrack-tcp-be-liberal", "conntrack.tcpBeLiberal", "true" },
	{ "--conntrack-udp-timeout=1s", "conntrack.udpTimeout", "\"1s\"" },
	{ "--conntrack-udp-timeout-stream=1s", "conntrack.udpStreamTimeout", "\"1s\"" },
	{ "--config-sync-period=1m", "configSyncPeriod", "\"1m0s\"", true },
	{ "-v=4", "logging.verbosity", "4" },
	{ "--v=2", "ipvsctl.logLevel", "\"info\"" },
	{ "--vmodule=a=1,b=2", "logging.vmodule",
		"[{\"filePattern\":\"a\",\"verbosity\":1},{\"filePattern\":\"b\",\"verbosity\":2}]",
		true },
	{ "--logging-format=json", "logging.format", "\"json\"" },
	{ "--log-flush-frequency=1s", "logging.flushFrequency", "\"1s\"", true },
	{ "--log-text-split-stream --feature-gates=LoggingAlphaOptions=true",
		"logging.options.text.splitStream", "true", true },
	{ "--log-json-split-stream=false", "logging.options.json.splitStream", "false" },
	{ "--log-text-info-buffer-size=0", "logging.options.text.infoBufferSize", "\"0\"" },
	{ "--log-json-info-buffer-size=64Ki --feature-gates=LoggingAlphaOptions=true",
		"logging.options.json.infoBufferSize", "\"64Ki\"", true },
	{ "--boot-id-file=/a", NULL, NULL, true },
	{ "--boot-id-file=/proc/sys/kernel/random/boot_id", NULL, NULL },
	{ "--machine-id-file=/a,/b", NULL, NULL, true },
	{ "--config=", NULL, NULL },
	{ "--write-config-to=/tmp/x", NULL, NULL },
	{ "--cleanup", NULL, NULL },
	{ "--hand-over", NULL, NULL },
	{ "--init-only", NULL, NULL },
	{ "--version=raw", NULL, NULL },
	{ "--help", NULL, NULL },
};

static void every_option_of_kube_proxy_is_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(flag_cases); i++) {
		const struct flag_case *f = &flag_cases[i];
		_cleanup_(line_done) struct line l;

		ok(&l, f->flag);
		if (f->key)
			assert_value(&l.c, f->key, f->want);
		assert_unhonoured(&l.c, f->unhonoured, f->flag);
	}
}

static bool is_in_a_case(const char *name)
{
	_cleanup_(buf_done) struct buf flag = { 0 };

	buf_addf(&flag, "--%s", name);
	for (size_t i = 0; i < ARRAY_SIZE(flag_cases); i++) {
		const char *at = strstr(flag_cases[i].flag, buf_str(&flag));

		if (at && (at[flag.len] == '=' || at[flag.len] == ' ' || !at[flag.len]))
			return true;
	}
	return false;
}

/* What kube-proxy does not know and ours therefore counts over the file. */
static bool is_ours(const struct option_row *o)
{
	static const char *const ours[] = { "scheduler", "backend", "once", "print-config",
		"log-level" };

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (!strcmp(o->name, ours[i]))
			return true;
	return (o->key && !strncmp(o->key, "ipvsctl.", strlen("ipvsctl."))) ||
		!(o->groups & OF_DAEMON);
}

static void the_cases_name_all_options_that_are_not_ours(void **state)
{
	size_t n;
	const struct option_row *o = config_options(&n);

	(void)state;
	for (; n; n--, o++)
		if (o->name && !is_ours(o) && !is_in_a_case(o->name))
			fail_msg("no case for --%s", o->name);
}

/* What was printed, read again */

static void assert_round_trip(const struct config *c)
{
	_cleanup_free_ char *once = yaml_of(c), *twice = NULL;
	_cleanup_(line_done) struct line l;

	if (parse_whole(&l, once, ""))
		fail_msg("%s\nin:\n%s", l.err.msg, once);
	twice = yaml_of(&l.c);
	assert_string_equal(twice, once);
	assert_memory_equal(&l.c.options.cluster_cidr, &c->options.cluster_cidr,
		sizeof(c->options.cluster_cidr));
	assert_memory_equal(&l.c.conntrack, &c->conntrack, sizeof(c->conntrack));
	assert_memory_equal(&l.c.healthz, &c->healthz, sizeof(c->healthz));
	assert_memory_equal(&l.c.metrics, &c->metrics, sizeof(c->metrics));
	assert_string_equal(l.c.options.node_name, c->options.node_name);
	assert_int_equal(l.c.sync_period, c->sync_period);
	assert_int_equal(l.c.adjust_oom_score, c->adjust_oom_score);
	assert_int_equal(l.c.json, c->json);
}

static void what_is_printed_says_the_same_again(void **state)
{
	static const char *const lines[] = {
		"",
		"--kubeconfig=/k --healthz-port=0 --metrics-port=0 --oom-score-adj=0",
		"--manifests=a.yaml --manifests=/etc/b --vip-mode=address --backend=ipvs -v=9",
		"--manifests=no --audit-interval=0 --status-socket= --ipvs-sync-period=1h",
		"--manifests=a:~{b},*c --hostname-override=yes --master= --log-level=error",
		"--detect-local-mode=bridgeinterface --pod-bridge-interface=0x10 --cluster-cidr="
		"fd00::1/56,10.1.2.3/16 --nodeport-addresses=10.0.0.0/8,fd00::/8 --scheduler=mh",
		"--bind-address=::1 --healthz-bind-address=::1 --metrics-bind-address=10.0.0.1:1",
		"--feature-gates=A=true,B=false --vmodule=x=1 --kube-api-qps=0.5 "
		"--drain-timeout=1m0.25s",
		"--proxy-mode=ipvs --ipvs-min-sync-period=5s --conntrack-max-per-core=0",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		_cleanup_(line_done) struct line l;

		ok(&l, lines[i]);
		assert_round_trip(&l.c);
	}
}

static void files_are_printed_as_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(key_cases); i++) {
		_cleanup_(line_done) struct line l;
		_cleanup_(buf_done) struct buf text = { 0 };

		add_key(&text, key_cases[i].key, key_cases[i].value);
		file_ok(&l, buf_str(&text), "");
		assert_round_trip(&l.c);
	}
}

static void a_path_of_any_bytes_can_be_printed(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	ok(&l, "--manifests=/caf\xe9 --kubeconfig= --status-socket=/r\xc3\xa9");
	assert_value(&l.c, "ipvsctl.manifests", "[\"/caf?\"]");
	assert_value(&l.c, "ipvsctl.statusSocket", "\"/r\xc3\xa9\"");
}

static void the_configuration_is_written_where_it_is_asked_for(void **state)
{
	_cleanup_(temporary_done) struct temporary file;
	_cleanup_(buf_done) struct buf line = { 0 };
	_cleanup_(line_done) struct line l, again;
	_cleanup_free_ char *yaml = NULL, *yaml_again = NULL;

	(void)state;
	temporary_write(&file, "something longer that was there before, and must not remain");
	buf_addf(&line, "--cluster-cidr=10.0.0.0/8 --write-config-to=%s", file.path);
	ok(&l, buf_str(&line));
	assert_int_equal(config_dump(&l.c, &l.err), 0);
	buf_reset(&line);
	buf_addf(&line, "--config=%s", file.path);
	ok(&again, buf_str(&line));
	yaml = yaml_of(&l.c);
	yaml_again = yaml_of(&again.c);
	assert_string_equal(yaml, yaml_again);
}

static void where_it_cannot_be_written_is_said(void **state)
{
	_cleanup_(line_done) struct line l;

	(void)state;
	ok(&l, "--write-config-to=/nonexistent/x");
	assert_int_equal(config_dump(&l.c, &l.err), -ENOENT);
	assert_string_equal(l.err.msg, "cannot write /nonexistent/x: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_is_taken_and_printed),
		cmocka_unit_test(the_cases_name_all_keys_of_the_table),
		cmocka_unit_test(every_option_of_kube_proxy_is_taken),
		cmocka_unit_test(the_cases_name_all_options_that_are_not_ours),
		cmocka_unit_test(what_is_printed_says_the_same_again),
		cmocka_unit_test(files_are_printed_as_they_are),
		cmocka_unit_test(a_path_of_any_bytes_can_be_printed),
		cmocka_unit_test(the_configuration_is_written_where_it_is_asked_for),
		cmocka_unit_test(where_it_cannot_be_written_is_said),
	};

	return cmocka_run_group_tests_name("config keys", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of all options and keys of struct config, and the types of values that it has alone.
 * Keys of a file are applied in the order of the rows: kube-proxy's key for a thing stands before
 * ours, which counts more.
 */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "config/command_line.h"
#include "config_values.h"
#include "option_value.h"

#define DEFAULT_MARK_MASK "0xfff00000"

enum {
	MARK_BIT_MAX = 31,
	RULE_PRIORITY_MAX = 32765, /* the kernel's own rule for table main has 32766 */
	/* The kernel's own tables: default, main and local (linux/rtnetlink.h). */
	KERNEL_TABLES_MIN = 253,
	KERNEL_TABLES_MAX = 255,
};

/* The node's name, as Kubernetes writes it: without blanks around it, in lower case. */
static int set_hostname(const struct option_row *o, void *target, const char *text, struct err *err)
{
	struct config *c = target;
	size_t len;

	(void)o;
	if (!*text) /* keeps the host's name */
		return 0;
	text += strspn(text, " \t\n");
	for (len = strlen(text); len && isspace((unsigned char)text[len - 1]);)
		len--;
	if (!len || len > NAME_MAX_LEN)
		return err_set(err, -EINVAL, "must have between 1 and %d characters", NAME_MAX_LEN);
	for (size_t i = 0; i < len; i++)
		c->options.node_name[i] = (char)tolower((unsigned char)text[i]);
	c->options.node_name[len] = '\0';
	return 0;
}

/* The host's own name is not printed: the file may go to another host. */
static json_t *get_hostname(const struct option_row *o, const void *target)
{
	const struct config *c = target;

	return option_text_json(config_is_given(c, o) ? c->options.node_name : "");
}

static const struct option_type type_hostname = { SHAPE_TEXT, .set = set_hostname,
	.get = get_hostname };

static int set_scheduler(
	const struct option_row *o, void *target, const char *text, struct err *err)
{
	struct config *c = target;

	(void)o;
	if (!*text || strlen(text) >= SCHED_NAME_SIZE ||
		strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(text))
		return err_set(err, -EINVAL, "\"%.60s\" is not the name of a scheduler", text);
	snprintf(c->options.scheduler, sizeof(c->options.scheduler), "%s", text);
	return 0;
}

static json_t *get_scheduler(const struct option_row *o, const void *target)
{
	const struct config *c = target;

	(void)o;
	return json_string(c->options.scheduler);
}

static const struct option_type type_scheduler = { SHAPE_TEXT, .set = set_scheduler,
	.get = get_scheduler };

/* kube-proxy's key for the backend. */
static int set_mode(const struct option_row *o, void *target, const char *text, struct err *err)
{
	static const char *const modes[] = { "ipvs", "iptables", "nftables", NULL };
	static const enum backend of_mode[] = { BACKEND_IPVS, BACKEND_IPTABLES, BACKEND_NFTABLES };
	struct config *c = target;
	unsigned i;

	(void)o;
	if (*text && option_read_choice(text, modes, &i, NULL))
		return err_set(err, -EINVAL,
			"\"%.60s\" is not supported: use ipvs, iptables, nftables, or \"\" for automatic "
			"choice",
			text);
	c->options.backend = *text ? of_mode[i] : BACKEND_AUTO;
	return 0;
}

static json_t *get_mode(const struct option_row *o, const void *target)
{
	enum backend backend = ((const struct config *)target)->options.backend;

	(void)o;
	return json_string(backend == BACKEND_AUTO ? "" : backend_name(backend));
}

static const struct option_type type_mode = { SHAPE_TEXT, .set = set_mode, .get = get_mode };

/* Marks are numbered within the mask, and half of the numbers are for TCP. */
static int set_mark_mask(
	const struct option_row *o, void *target, const char *text, struct err *err)
{
	struct config *c = target;
	unsigned long long v;
	uint32_t steps;
	char *rest;

	(void)o;
	errno = 0;
	v = strtoull(text, &rest, 0);
	if (!isdigit((unsigned char)*text) || *rest || errno || v > UINT32_MAX)
		return err_set(
			err, -EINVAL, "\"%.60s\" is not a mask such as " DEFAULT_MARK_MASK, text);
	steps = (uint32_t)v ^ (uint32_t)v << 1;
	if (v && (__builtin_popcountll(v) < 2 || __builtin_popcount(steps) > 2))
		return err_set(err, -EINVAL, "\"%.60s\" is not two or more adjacent bits", text);
	c->options.mark_mask = (uint32_t)v;
	return 0;
}

static json_t *get_mark_mask(const struct option_row *o, const void *target)
{
	char text[sizeof(DEFAULT_MARK_MASK)];

	(void)o;
	snprintf(text, sizeof(text), "0x%x", ((const struct config *)target)->options.mark_mask);
	return json_string(text);
}

static const struct option_type type_mark_mask = { SHAPE_TEXT, .set = set_mark_mask,
	.get = get_mark_mask };

static int set_external_table(
	const struct option_row *o, void *target, const char *text, struct err *err)
{
	long v = 0;
	int r = option_read_number(text, o->min, o->max, &v, err);

	if (r < 0)
		return r;
	if (v >= KERNEL_TABLES_MIN && v <= KERNEL_TABLES_MAX)
		return err_set(err, -EINVAL, "\"%.60s\" is a table of the kernel itself", text);
	((struct config *)target)->options.external_table = (uint16_t)v;
	return 0;
}

static const struct option_type type_external_table = { SHAPE_NUMBER, PLACE_UNSIGNED,
	.set = set_external_table };

static int add_nodeport_address(
	const struct option_row *o, void *target, const char *element, struct err *err)
{
	struct options *p = &((struct config *)target)->options;
	bool primary = !strcmp(element, "primary");
	int r = primary ? 0 : option_add(o, target, element, err);

	if (r < 0)
		return r;
	p->nodeport_primary = p->nodeport_primary || primary;
	if (p->nodeport_primary && p->n_nodeport_addresses)
		return err_set(err, -EINVAL, "\"primary\" and CIDRs exclude each other");
	return 0;
}

static void clear_nodeport_primary(void *target)
{
	((struct config *)target)->options.nodeport_primary = false;
}

static json_t *get_nodeport_addresses(const struct option_row *o, const void *target)
{
	struct option_row cidrs = *o;

	if (((const struct config *)target)->options.nodeport_primary)
		return json_pack("[s]", "primary");
	cidrs.type = &type_cidrs;
	return option_get(&cidrs, target);
}

static const struct option_type type_nodeport_addresses = { SHAPE_LIST, PLACE_CIDRS, .commas = true,
	.add = add_nodeport_address, .clear = clear_nodeport_primary,
	.get = get_nodeport_addresses };

static int set_oom_score(
	const struct option_row *o, void *target, const char *text, struct err *err)
{
	struct config *c = target;
	long v = 0;
	int r = option_read_number(text, o->min, o->max, &v, err);

	if (r)
		return r;
	c->oom_score_adj = (int)v;
	c->adjust_oom_score = true;
	return 0;
}

static json_t *get_oom_score(const struct option_row *o, const void *target)
{
	const struct config *c = target;

	(void)o;
	return c->adjust_oom_score ? json_integer(c->oom_score_adj) : json_null();
}

static const struct option_type type_oom_score = { SHAPE_NUMBER, .set = set_oom_score,
	.get = get_oom_score };

/* kube-proxy's log levels are numbers. */
static int set_verbosity(
	const struct option_row *o, void *target, const char *text, struct err *err)
{
	long v = 0;
	int r = option_read_number(text, 0, INT32_MAX, &v, err);

	(void)o;
	if (!r)
		((struct config *)target)->log_level = v >= VERBOSITY_DEBUG ? LOG_DEBUG : LOG_INFO;
	return r;
}

static json_t *get_verbosity(const struct option_row *o, const void *target)
{
	(void)o;
	return json_integer(
		((const struct config *)target)->log_level == LOG_DEBUG ? VERBOSITY_DEBUG : 0);
}

static const struct option_type type_verbosity = { SHAPE_NUMBER, .set = set_verbosity,
	.get = get_verbosity };

static int set_log_level(
	const struct option_row *o, void *target, const char *text, struct err *err)
{
	if (*text && strspn(text, "0123456789") == strlen(text))
		return set_verbosity(o, target, text, err);
	return option_read_choice(text, o->names, option_place(target, o), err);
}

static const struct option_type type_log_level = { SHAPE_TEXT, PLACE_CHOICE, .set = set_log_level };

/* kube-proxy also has --version=raw, which prints more. */
static int set_version(const struct option_row *o, void *target, const char *text, struct err *err)
{
	return option_read_bool(!strcmp(text, "raw") ? "true" : text, option_place(target, o), err);
}

static const struct option_type type_version = { SHAPE_BOOL, .set = set_version };

static int set_diff(const struct option_row *o, void *target, const char *text, struct err *err)
{
	bool diff = false;
	int r = option_read_bool(text, &diff, err);

	(void)o;
	if (!r)
		((struct config *)target)->diff = diff ? DIFF_YES : DIFF_NO;
	return r;
}

static const struct option_type type_diff = { SHAPE_BOOL, .set = set_diff };

/* Words of choices */

static const char *const vip_modes[] = {
	[VIP_ROUTE] = "route",
	[VIP_ADDRESS] = "address",
	NULL,
};

static const char *const external_modes[] = {
	[EXTERNAL_PORTS] = "ports",
	[EXTERNAL_LOCAL] = "local",
	NULL,
};

static const char *const detect_modes[] = {
	[DETECT_CLUSTER_CIDR] = "ClusterCIDR",
	[DETECT_NODE_CIDR] = "NodeCIDR",
	[DETECT_BRIDGE_INTERFACE] = "BridgeInterface",
	[DETECT_INTERFACE_NAME_PREFIX] = "InterfaceNamePrefix",
	NULL,
};

static const char *const endpoints_sources[] = {
	[ENDPOINTS_AUTO] = "auto",
	[ENDPOINTS_SLICES] = "endpointslices",
	[ENDPOINTS_LEGACY] = "endpoints",
	NULL,
};

static const char *const backends[] = {
	[BACKEND_AUTO] = "auto",
	[BACKEND_IPVS] = "ipvs",
	[BACKEND_IPTABLES] = "iptables",
	[BACKEND_NFTABLES] = "nftables",
	NULL,
};

static const char *const netfilters[] = {
	[NETFILTER_AUTO] = "auto",
	[NETFILTER_IPTABLES] = "iptables",
	[NETFILTER_NFTABLES] = "nftables",
	NULL,
};

static const char *const log_formats[] = { [LOG_TEXT] = "text", [LOG_JSON] = "json", NULL };

static const char *const log_levels[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
	NULL,
};

static const char *const outputs[] = {
	[PLAN_TEXT] = "text",
	[PLAN_JSON] = "json",
	[PLAN_YAML] = "yaml",
	NULL,
};

/* The table */

#define AT(field) .at = offsetof(struct config, field), .size = sizeof(((struct config *)0)->field)
#define COUNT_AT(field) .count_at = offsetof(struct config, field)

static const struct option_row config_rows[] = {
	/* Policy */
	{ "scheduler", "ipvs.scheduler", OPTIONS_POLICY,
		ALIAS_FILE_WINS | FILE_ZERO | EMPTY_IS_PRESET, "NAME", "rr",
		"scheduler of Services that do not choose one", &type_scheduler,
		.alias = "ipvs-scheduler" },
	{ "vip-mode", "ipvsctl.vipMode", OPTIONS_POLICY, 0, "MODE", "route",
		"make virtual IPs local by a 'route' or by an 'address' on kube-ipvs0",
		&type_choice, AT(options.vip_mode), .names = vip_modes },
	{ "drain-timeout", "ipvsctl.drainTimeout", OPTIONS_POLICY, 0, "DURATION", "60s",
		"connections to a removed TCP endpoint drain for up to this time", &type_duration,
		AT(options.drain_timeout) },
	{ "hostname-override", "hostnameOverride", OPTIONS_POLICY, FILE_ZERO, "NAME", NULL,
		"name of this node's Node object, if it is not the host name", &type_hostname },
	{ "cluster-cidr", "clusterCIDR", OPTIONS_POLICY, FILE_WINS, "CIDR[,CIDR]", NULL,
		"address range of pods, one for each IP family", &type_cidr_pair,
		AT(options.cluster_cidr) },
	{ "detect-local-mode", "detectLocalMode", OPTIONS_POLICY,
		FILE_WINS | FILE_ZERO | EMPTY_IS_PRESET, "MODE", "ClusterCIDR",
		"how packets of local pods are recognized: ClusterCIDR, NodeCIDR, "
		"BridgeInterface or InterfaceNamePrefix",
		&type_choice, AT(options.detect_local), .names = detect_modes },
	{ "pod-bridge-interface", "detectLocal.bridgeInterface", OPTIONS_POLICY, FILE_WINS, "NAME",
		NULL, "bridge of the pods, for BridgeInterface", &type_interface,
		AT(bridge_interface) },
	{ "pod-interface-name-prefix", "detectLocal.interfaceNamePrefix", OPTIONS_POLICY, FILE_WINS,
		"PREFIX", NULL, "beginning of pod interface names, for InterfaceNamePrefix",
		&type_interface, AT(interface_prefix) },
	{ "masquerade-all", "iptables.masqueradeAll", OPTIONS_POLICY, FILE_WINS, NULL, "false",
		"masquerade all traffic to cluster IPs", &type_bool, AT(options.masquerade_all) },
	{ "iptables-masquerade-bit", "iptables.masqueradeBit", OPTIONS_POLICY, FILE_WINS, "BIT",
		"14", "bit of the packet mark that requests masquerading", &type_number,
		AT(options.masquerade_bit), .max = MARK_BIT_MAX },
	{ "mark-mask", "ipvsctl.markMask", OPTIONS_POLICY, EMPTY_IS_PRESET, "MASK",
		DEFAULT_MARK_MASK,
		"bits of the packet mark reserved for Services with a Local traffic policy; "
		"0: none",
		&type_mark_mask },
	{ "service-cluster-ip-range", "ipvsctl.serviceClusterIPRange", OPTIONS_POLICY, 0,
		"CIDR[,CIDR]", NULL,
		"address range of cluster IPs, one for each IP family; with --manifests, missing "
		"ones are allocated from it",
		&type_cidr_pair, AT(options.cluster_ip_ranges) },
	{ "adopt-foreign", "ipvsctl.adoptForeign", OPTIONS_POLICY, 0, NULL, "false",
		"take virtual servers that other programs made at the addresses of Services",
		&type_bool, AT(options.adopt_foreign) },
	{ "external-addresses", "ipvsctl.externalAddresses", OPTIONS_POLICY, 0, "MODE", "ports",
		"what to take of an external or load balancer address that is not the node's: the "
		"Services' 'ports', or make all of it 'local'",
		&type_choice, AT(options.external_addresses), .names = external_modes },
	{ "local-address-ranges", "ipvsctl.localAddressRanges", OPTIONS_POLICY, 0, "CIDR,...", NULL,
		"pools of addresses that no host has: made local as a whole", &type_cidrs,
		AT(options.local_ranges), COUNT_AT(options.n_local_ranges) },
	{ "external-ip-ranges", "ipvsctl.externalIPRanges", OPTIONS_POLICY, 0, "CIDR,...", NULL,
		"refuse external IPs outside of these ranges", &type_cidrs,
		AT(options.external_ip_ranges), COUNT_AT(options.n_external_ip_ranges) },
	{ "load-balancer-ranges", "ipvsctl.loadBalancerRanges", OPTIONS_POLICY, 0, "CIDR,...", NULL,
		"refuse load balancer addresses outside of these ranges", &type_cidrs,
		AT(options.load_balancer_ranges), COUNT_AT(options.n_load_balancer_ranges) },
	{ "external-mark-bit", "ipvsctl.externalMarkBit", OPTIONS_POLICY, 0, "BIT", "12",
		"bit of the packet mark for ports of external addresses", &type_number,
		AT(options.external_mark_bit), .max = MARK_BIT_MAX },
	{ "external-table", "ipvsctl.externalTable", OPTIONS_POLICY, 0, "NUMBER", "2512",
		"routing table for packets with that bit", &type_external_table,
		AT(options.external_table), .min = 1, .max = UINT16_MAX },
	{ "external-rule-priority", "ipvsctl.externalRulePriority", OPTIONS_POLICY, 0, "NUMBER",
		"90", "priority of the policy rule that leads to that table", &type_number,
		AT(options.external_rule_priority), .min = 1, .max = RULE_PRIORITY_MAX },
	{ "nodeport-addresses", "nodePortAddresses", OPTIONS_POLICY, FILE_WINS, "CIDR,...", NULL,
		"node addresses that serve NodePorts, or 'primary'", &type_nodeport_addresses,
		AT(options.nodeport_addresses), COUNT_AT(options.n_nodeport_addresses) },
	{ "ipvs-exclude-cidrs", "ipvs.excludeCIDRs", OPTIONS_POLICY, FILE_WINS, "CIDR,...", NULL,
		"never remove virtual servers in these ranges", &type_cidrs, AT(options.exclude),
		COUNT_AT(options.n_exclude) },
	{ "feature-gates", "featureGates", OPTIONS_POLICY, FILE_WINS, "NAME=BOOL,...", NULL,
		"AllowServiceExternalIPs=false ignores spec.externalIPs; other gates have no effect",
		&type_kept_gates },

	/* Where Services come from */
	{ "manifests", "ipvsctl.manifests", OPTIONS_INPUT, 0, "FILE|DIR", NULL,
		"read Services and endpoints from here; may be repeated", &type_paths,
		AT(manifests), COUNT_AT(n_manifests) },
	{ "kubeconfig", "clientConnection.kubeconfig", OPTIONS_DAEMON | OPTIONS_PREFLIGHT,
		FILE_WINS, "FILE", NULL,
		"how to reach the API server; the default in a pod is its service account",
		&type_text, AT(kubeconfig) },
	{ "master", "ipvsctl.master", OPTIONS_DAEMON | OPTIONS_PREFLIGHT, 0, "URL", NULL,
		"address of the API server; overrides the kubeconfig", &type_text, AT(master) },
	{ "endpoints-source", "ipvsctl.endpointsSource", OPTIONS_DAEMON, 0, "KIND", "auto",
		"watch 'endpointslices' or legacy 'endpoints'; auto: what the API server has",
		&type_choice, AT(endpoints_source), .names = endpoints_sources },
	{ "kube-api-content-type", "clientConnection.contentType", OPTIONS_DAEMON,
		FILE_WINS | FILE_ZERO | EMPTY_IS_PRESET, "TYPE",
		"application/vnd.kubernetes.protobuf",
		"encoding requested from the API server; any other than protobuf means JSON",
		&type_text, AT(content_type) },
	{ NULL, "clientConnection.acceptContentTypes", OPTIONS_DAEMON, 0, NULL, NULL, NULL,
		&type_text, AT(accept_content_types) },
	{ "kube-api-qps", "clientConnection.qps", OPTIONS_DAEMON,
		FILE_WINS | FILE_ZERO | ZERO_IS_PRESET, "NUMBER", "5",
		"limit of requests per second, without watches; negative: no limit", &type_real,
		AT(qps) },
	{ "kube-api-burst", "clientConnection.burst", OPTIONS_DAEMON,
		FILE_WINS | FILE_ZERO | ZERO_IS_PRESET, "NUMBER", "10",
		"limit of requests at once, after a pause", &type_number, AT(burst),
		.max = INT32_MAX },
	{ "config", NULL, OPTIONS_DAEMON | OPTIONS_PREFLIGHT, 0, "FILE", NULL,
		"read a KubeProxyConfiguration, or the ConfigMap that has one", &type_text,
		AT(file) },
	{ "write-config-to", NULL, OPTIONS_DAEMON, 0, "FILE", NULL,
		"write the effective configuration to a file, and exit", &type_text,
		AT(write_config_to) },
	{ "print-config", NULL, OPTIONS_DAEMON, 0, NULL, "false",
		"print the effective configuration, and exit", &type_bool, AT(print_config) },

	/* The node */
	{ NULL, "mode", OPTIONS_DAEMON, 0, NULL, NULL, NULL, &type_mode },
	{ "backend", "ipvsctl.backend", OPTIONS_POLICY, ALIAS_FILE_WINS | EMPTY_IS_PRESET, "NAME",
		"auto", "what to program: auto, ipvs, iptables or nftables", &type_choice,
		AT(options.backend), .alias = "proxy-mode", .names = backends },
	{ "netfilter", "ipvsctl.netfilter", OPTIONS_POLICY, EMPTY_IS_PRESET, "NAME", "auto",
		"the interface for sets and rules with IPVS: auto, iptables or nftables",
		&type_choice, AT(options.netfilter), .names = netfilters },
	{ "ipvs-strict-arp", "ipvs.strictARP", OPTIONS_DAEMON, FILE_WINS, NULL, "false",
		"answer ARP requests for addresses of the receiving interface only", &type_bool,
		AT(strict_arp) },
	{ "ipvs-tcp-timeout", "ipvs.tcpTimeout", OPTIONS_DAEMON, FILE_WINS, "DURATION", "0s",
		"timeout of idle TCP connections in IPVS; 0: keep the kernel's", &type_duration,
		AT(tcp_timeout) },
	{ "ipvs-tcpfin-timeout", "ipvs.tcpFinTimeout", OPTIONS_DAEMON, FILE_WINS, "DURATION", "0s",
		"timeout of TCP connections in IPVS after a FIN; 0: keep the kernel's",
		&type_duration, AT(tcp_fin_timeout) },
	{ "ipvs-udp-timeout", "ipvs.udpTimeout", OPTIONS_DAEMON, FILE_WINS, "DURATION", "0s",
		"timeout of UDP flows in IPVS; 0: keep the kernel's", &type_duration,
		AT(udp_timeout) },
	{ "ipvs-sync-period", "ipvs.syncPeriod", OPTIONS_DAEMON, FILE_WINS | FILE_ZERO, "DURATION",
		"30s", "kube-proxy's name for --audit-interval with IPVS", &type_duration,
		AT(ipvs_sync_period), .min = 1 },
	{ "iptables-sync-period", "iptables.syncPeriod", OPTIONS_DAEMON, FILE_WINS | FILE_ZERO,
		"DURATION", "30s", "kube-proxy's name for --audit-interval with iptables",
		&type_duration, AT(iptables_sync_period), .min = 1 },
	{ "iptables-localhost-nodeports", "iptables.localhostNodePorts", OPTIONS_POLICY, FILE_WINS,
		NULL, "true", "serve NodePorts on 127.0.0.1; not with IPVS", &type_bool,
		AT(options.localhost_nodeports) },
	{ "audit-interval", "ipvsctl.auditInterval", OPTIONS_DAEMON, 0, "DURATION", "30s",
		"how often the kernel state is read and repaired; 0: only on request",
		&type_duration, AT(audit_interval), .min = AUDIT_INTERVAL_MIN },
	{ "conntrack-max-per-core", "conntrack.maxPerCore", OPTIONS_DAEMON,
		FILE_WINS | CLUSTER_PRESET, "NUMBER", "32768",
		"limit of tracked connections per CPU; 0: keep the kernel's", &type_number,
		AT(conntrack.max_per_core), .max = INT32_MAX },
	{ "conntrack-min", "conntrack.min", OPTIONS_DAEMON, FILE_WINS | CLUSTER_PRESET, "NUMBER",
		"131072", "lower bound of the limit of tracked connections, for all CPUs",
		&type_number, AT(conntrack.min), .max = INT32_MAX },
	{ "conntrack-tcp-timeout-established", "conntrack.tcpEstablishedTimeout", OPTIONS_DAEMON,
		FILE_WINS | CLUSTER_PRESET, "DURATION", "24h",
		"timeout of idle TCP connections in conntrack; 0: keep the kernel's",
		&type_duration, AT(conntrack.tcp_established_timeout) },
	{ "conntrack-tcp-timeout-close-wait", "conntrack.tcpCloseWaitTimeout", OPTIONS_DAEMON,
		FILE_WINS | CLUSTER_PRESET, "DURATION", "1h",
		"timeout of TCP connections in CLOSE_WAIT; 0: keep the kernel's", &type_duration,
		AT(conntrack.tcp_close_wait_timeout) },
	{ "conntrack-tcp-be-liberal", "conntrack.tcpBeLiberal", OPTIONS_DAEMON, FILE_WINS, NULL,
		"false", "accept TCP packets outside of the window", &type_bool,
		AT(conntrack.tcp_be_liberal) },
	{ "conntrack-udp-timeout", "conntrack.udpTimeout", OPTIONS_DAEMON, FILE_WINS, "DURATION",
		"0s", "timeout of UDP flows without a reply; 0: keep the kernel's", &type_duration,
		AT(conntrack.udp_timeout) },
	{ "conntrack-udp-timeout-stream", "conntrack.udpStreamTimeout", OPTIONS_DAEMON, FILE_WINS,
		"DURATION", "0s", "timeout of UDP flows with replies; 0: keep the kernel's",
		&type_duration, AT(conntrack.udp_stream_timeout) },
	{ "bind-address", "bindAddress", OPTIONS_DAEMON, FILE_WINS | FILE_ZERO, "ADDRESS",
		"0.0.0.0", "address of this node; unspecified: that of its Node object", &type_ip,
		AT(bind_address) },
	{ "oom-score-adj", "oomScoreAdj", OPTIONS_DAEMON, FILE_WINS | CLUSTER_PRESET, "NUMBER",
		"-999", "OOM score adjustment of this process, -1000 to 1000", &type_oom_score,
		.min = -1000, .max = 1000 },

	/* Servers and the log */
	{ "healthz-bind-address", "healthzBindAddress", OPTIONS_DAEMON,
		FILE_WINS | FILE_ZERO | CLUSTER_PRESET, "ADDRESS[:PORT]", "0.0.0.0:10256",
		"serve /healthz and /livez over HTTP here; none: nowhere", &type_listen,
		AT(healthz) },
	{ "healthz-port", NULL, OPTIONS_DAEMON, FILE_WINS, "PORT", "10256",
		"port of --healthz-bind-address if it has none; 0: no /healthz", &type_number,
		AT(healthz_port), .max = UINT16_MAX },
	{ "metrics-bind-address", "metricsBindAddress", OPTIONS_DAEMON,
		FILE_WINS | FILE_ZERO | CLUSTER_PRESET | EMPTY_IS_PRESET, "ADDRESS[:PORT]",
		"127.0.0.1:10249", "serve /metrics and other pages over HTTP here; none: nowhere",
		&type_listen, AT(metrics) },
	{ "metrics-port", NULL, OPTIONS_DAEMON, FILE_WINS, "PORT", "10249",
		"port of --metrics-bind-address if it has none; 0: no /metrics", &type_number,
		AT(metrics_port), .max = UINT16_MAX },
	{ "bind-address-hard-fail", "bindAddressHardFail", OPTIONS_DAEMON, FILE_WINS, NULL, "false",
		"exit if the healthz or metrics address cannot be bound", &type_bool,
		AT(bind_address_hard_fail) },
	{ "status-socket", "ipvsctl.statusSocket", OPTIONS_DAEMON | OPTIONS_PLAN, 0, "PATH",
		DEFAULT_STATUS_SOCKET, "UNIX socket that serves ipvsctl-svc; empty: none",
		&type_socket, AT(status_socket) },
	{ NULL, "logging.verbosity", OPTIONS_DAEMON, 0, NULL, NULL, NULL, &type_verbosity },
	{ "log-level", "ipvsctl.logLevel", OPTIONS_DAEMON, 0, "LEVEL", "info",
		"what to log: error, warning, info or debug", &type_log_level, AT(log_level),
		.alias = "v", .letter = 'v', .names = log_levels },

	{ "logging-format", "logging.format", OPTIONS_DAEMON, FILE_ZERO, "FORMAT", "text",
		"how to log: text (logfmt) or json", &type_choice, AT(log_format),
		.names = log_formats },

	/* What to do */
	{ "once", NULL, OPTIONS_DAEMON, 0, NULL, "false", "program the kernel once, and exit",
		&type_bool, AT(once) },
	{ "hand-over", NULL, OPTIONS_DAEMON | OPTIONS_PLAN, 0, NULL, "false",
		"leave what kube-proxy would have made for the Services, and exit", &type_bool,
		AT(hand_over) },
	{ "cleanup", NULL, OPTIONS_DAEMON, 0, NULL, "false",
		"remove everything of ours from the kernel, and exit", &type_bool, AT(cleanup) },
	{ "init-only", NULL, OPTIONS_DAEMON, 0, NULL, "false",
		"do what needs full privileges (modules, kernel settings), and exit", &type_bool,
		AT(init_only) },
	{ "namespace", NULL, OPTIONS_EXPLAIN, 0, "NAMESPACE", "default",
		"namespace of a NAME without one", &type_text, AT(ns), .letter = 'n' },
	{ "from", NULL, OPTIONS_EXPLAIN, 0, "SOURCE", NULL,
		"explain only packets from: pod, node, outside or an address", &type_text,
		AT(from) },
	{ "socket", NULL, OPTIONS_EXPLAIN, 0, "PATH", DEFAULT_STATUS_SOCKET, "the daemon's socket",
		&type_text, AT(socket) },
	{ "output", NULL, OPTIONS_PLAN | OPTIONS_EXPLAIN | OPTIONS_PREFLIGHT, 0, "FORMAT", "text",
		"text, json or yaml", &type_choice, AT(output), .letter = 'o', .names = outputs },
	{ "diff", NULL, OPTIONS_PLAN, 0, NULL, NULL,
		"compare with the kernel of this node; needs root", &type_diff },
	{ "help", NULL, OPTIONS_DAEMON | OPTIONS_PLAN | OPTIONS_EXPLAIN | OPTIONS_PREFLIGHT, 0,
		NULL, "false", "show this help", &type_bool, AT(help), .letter = 'h' },
	{ "version", NULL, OPTIONS_DAEMON, 0, NULL, "false", "show the version", &type_version,
		AT(version) },

	/* Of kube-proxy, without effect here */
	{ "ipvs-min-sync-period", "ipvs.minSyncPeriod", OPTIONS_DAEMON, FILE_WINS | UNHONOURED,
		"DURATION", "0s", "changes are applied at once", &type_kept_duration },
	{ "iptables-min-sync-period", "iptables.minSyncPeriod", OPTIONS_DAEMON,
		FILE_WINS | FILE_ZERO | UNHONOURED, "DURATION", "1s", "changes are applied at once",
		&type_kept_duration },
	{ "config-sync-period", "configSyncPeriod", OPTIONS_DAEMON,
		FILE_WINS | FILE_ZERO | UNHONOURED, "DURATION", "15m",
		"objects are read again only when they change", &type_kept_duration },
	{ "profiling", "enableProfiling", OPTIONS_DAEMON, FILE_WINS | UNHONOURED, NULL, "false",
		"there are no Go profiles", &type_kept_bool },
	{ "show-hidden-metrics-for-version", "showHiddenMetricsForVersion", OPTIONS_DAEMON,
		FILE_WINS | UNHONOURED, "RELEASE", NULL, "no metric is hidden", &type_kept_text },
	{ "log-flush-frequency", "logging.flushFrequency", OPTIONS_DAEMON, FILE_ZERO | UNHONOURED,
		"DURATION", "5s", "log lines are written at once", &type_kept_time },
	{ "vmodule", "logging.vmodule", OPTIONS_DAEMON, UNHONOURED, "FILE=NUMBER,...", NULL,
		"log levels do not depend on source files", &type_kept_vmodule },
	{ "log-text-split-stream", "logging.options.text.splitStream", OPTIONS_DAEMON, UNHONOURED,
		NULL, "false", "the log goes to standard error", &type_kept_bool },
	{ "log-text-info-buffer-size", "logging.options.text.infoBufferSize", OPTIONS_DAEMON,
		FILE_ZERO | UNHONOURED, "SIZE", "0", "log lines are written at once",
		&type_kept_quantity },
	{ "log-json-split-stream", "logging.options.json.splitStream", OPTIONS_DAEMON, UNHONOURED,
		NULL, "false", "the log goes to standard error", &type_kept_bool },
	{ "log-json-info-buffer-size", "logging.options.json.infoBufferSize", OPTIONS_DAEMON,
		FILE_ZERO | UNHONOURED, "SIZE", "0", "log lines are written at once",
		&type_kept_quantity },
	{ "boot-id-file", NULL, OPTIONS_DAEMON, UNHONOURED, "FILE,...",
		"/proc/sys/kernel/random/boot_id", "the file is not read", &type_kept_text },
	{ "machine-id-file", NULL, OPTIONS_DAEMON, UNHONOURED, "FILE,...",
		"/etc/machine-id,/var/lib/dbus/machine-id", "the file is not read",
		&type_kept_text },
	{ NULL, "nftables.masqueradeBit", OPTIONS_DAEMON, UNHONOURED, NULL, "14", NULL,
		&type_kept_number },
	{ NULL, "nftables.masqueradeAll", OPTIONS_DAEMON, UNHONOURED, NULL, "false", NULL,
		&type_kept_bool },
	{ NULL, "nftables.syncPeriod", OPTIONS_DAEMON, FILE_ZERO | UNHONOURED, NULL, "30s", NULL,
		&type_kept_duration },
	{ NULL, "nftables.minSyncPeriod", OPTIONS_DAEMON, FILE_ZERO | UNHONOURED, NULL, "1s", NULL,
		&type_kept_duration },
	{ NULL, "winkernel.networkName", OPTIONS_DAEMON, UNHONOURED, NULL, NULL, NULL,
		&type_kept_text },
	{ NULL, "winkernel.sourceVip", OPTIONS_DAEMON, UNHONOURED, NULL, NULL, NULL,
		&type_kept_text },
	{ NULL, "winkernel.enableDSR", OPTIONS_DAEMON, UNHONOURED, NULL, "false", NULL,
		&type_kept_bool },
	{ NULL, "winkernel.rootHnsEndpointName", OPTIONS_DAEMON, UNHONOURED, NULL, NULL, NULL,
		&type_kept_text },
	{ NULL, "winkernel.forwardHealthCheckVip", OPTIONS_DAEMON, UNHONOURED, NULL, "false", NULL,
		&type_kept_bool },
	{ NULL, "portRange", OPTIONS_DAEMON, UNHONOURED, NULL, NULL, NULL, &type_kept_text },
	{ NULL, "windowsRunAsService", OPTIONS_DAEMON, UNHONOURED, NULL, "false", NULL,
		&type_kept_bool },
};

static_assert(ARRAY_SIZE(config_rows) <= CONFIG_MAX_OPTIONS, "struct config has room for all");

const struct option_row *config_options(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(config_rows);
	return config_rows;
}

void config_help(unsigned groups, FILE *out)
{
	static const struct {
		unsigned group, trait;
		const char *title;
	} titles[] = {
		{ OPTIONS_PLAN, 0, "Output" },
		{ OPTIONS_EXPLAIN, 0, "Question and output" },
		{ OPTIONS_PREFLIGHT, 0, "Configuration, cluster and output" },
		{ OPTIONS_INPUT, 0, "Input" },
		{ OPTIONS_POLICY, 0, "Policy" },
		{ OPTIONS_DAEMON, 0, "Daemon" },
		{ OPTIONS_DAEMON, UNHONOURED,
			"Options of kube-proxy that are accepted without effect" },
	};
	const char *separator = "";

	for (size_t i = 0; i < ARRAY_SIZE(titles); i++) {
		if (!(titles[i].group & groups))
			continue;
		fprintf(out, "%s%s:\n", separator, titles[i].title);
		separator = "\n";
		for (const struct option_row *o = config_rows;
			o < config_rows + ARRAY_SIZE(config_rows); o++)
			if (o->name && o->groups & titles[i].group &&
				(o->traits & UNHONOURED) == titles[i].trait)
				option_help(o, out);
	}
}

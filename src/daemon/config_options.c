// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of options and what each does with its value. A setter's words follow the option's
 * name: "--drain-timeout: is not a duration".
 */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/duration.h"
#include "base/mem.h"
#include "daemon/config.h"

enum {
	AUDIT_INTERVAL_MIN = 100, /* ms; reading a large kernel state takes tens of them */
	MASQUERADE_BIT_MAX = 31,
};

/* Kinds of values */

/* What strconv.ParseBool takes. */
static int read_bool(const char *value, bool *ret, struct err *err)
{
	static const char *const yes[] = { "1", "t", "T", "true", "TRUE", "True" };
	static const char *const no[] = { "0", "f", "F", "false", "FALSE", "False" };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(value, yes[i]) != 0 && strcmp(value, no[i]) != 0)
			continue;
		*ret = !strcmp(value, yes[i]);
		return 0;
	}
	return err_set(err, -EINVAL, "\"%.60s\" is neither true nor false", value);
}

/* The index of the value among the names, in any case. */
static int read_choice(
	const char *value, const char *const names[], size_t n, size_t *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf all = { 0 };

	for (size_t i = 0; i < n; i++) {
		if (!strcasecmp(value, names[i])) {
			*ret = i;
			return 0;
		}
		buf_addf(&all, "%s%s", i ? ", " : "", names[i]);
	}
	return err_set(err, -EINVAL, "\"%.60s\" is none of %s", value, buf_str(&all));
}

static int read_duration(const char *value, int64_t *ret_ms, struct err *err)
{
	int64_t ms;

	if (duration_parse(value, &ms))
		return err_set(err, -EINVAL, "\"%.60s\" is not a duration such as 1m30s", value);
	if (ms < 0)
		return err_set(err, -EINVAL, "\"%.60s\" is negative", value);
	*ret_ms = ms;
	return 0;
}

/* IPVS counts in seconds; kube-proxy silently takes 500ms for "leave as it is". */
static int read_seconds(const char *value, uint32_t *ret, struct err *err)
{
	int64_t ms = 0;
	int r = read_duration(value, &ms, err);

	if (r < 0)
		return r;
	if (ms % 1000)
		return err_set(err, -EINVAL, "\"%.60s\" is not a whole number of seconds", value);
	if (ms / 1000 > INT32_MAX)
		return err_set(err, -EINVAL, "\"%.60s\" is too long", value);
	*ret = (uint32_t)(ms / 1000);
	return 0;
}

/* Calls `add` for each element of a comma-separated list, without the blanks around it; empty ones
 * do not count. */
static int each_element(const char *value, struct config *c,
	int (*add)(struct config *c, const char *element, struct err *err), struct err *err)
{
	_cleanup_free_ char *copy = mem_strdup(value);
	char *save = NULL;

	for (char *e = strtok_r(copy, ", \t", &save); e; e = strtok_r(NULL, ", \t", &save)) {
		int r = add(c, e, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int read_cidr(const char *value, struct cidr *ret, struct err *err)
{
	if (cidr_parse(value, ret))
		return err_set(err, -EINVAL, "\"%.60s\" is not a CIDR such as 10.0.0.0/8", value);
	return 0;
}

static int add_cidr(struct cidr *list, size_t *n, const char *value, struct err *err)
{
	struct cidr cidr;
	int r = read_cidr(value, &cidr, err);

	if (r < 0)
		return r;
	if (*n == POLICY_MAX_CIDRS)
		return err_set(err, -EINVAL, "more than %d CIDRs", POLICY_MAX_CIDRS);
	list[(*n)++] = cidr;
	return 0;
}

/* Into the place of its family, which must be free. */
static int add_family_cidr(struct cidr pair[2], const char *value, struct err *err)
{
	struct cidr cidr, *place;
	int r = read_cidr(value, &cidr, err);

	if (r < 0)
		return r;
	place = &pair[cidr.ip.family == AF_INET6];
	if (place->ip.family)
		return err_set(err, -EINVAL, "more than one %s CIDR", family_name(cidr.ip.family));
	*place = cidr;
	return 0;
}

static bool is_interface_name(const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++)
		if (s[i] == '/' || isspace((unsigned char)s[i]) || iscntrl((unsigned char)s[i]))
			return false;
	return len > 0 && len < INTERFACE_NAME_SIZE;
}

static int read_interface(const char *value, const char **ret, struct err *err)
{
	if (*value && !is_interface_name(value))
		return err_set(err, -EINVAL, "\"%.60s\" is not the name of an interface", value);
	*ret = value;
	return 0;
}

/* What decides the facts */

static int set_scheduler(struct config *c, const char *value, struct err *err)
{
	const char *name = *value ? value : "rr"; /* kube-proxy: "" is the default */

	if (strlen(name) >= SCHED_NAME_SIZE ||
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(name))
		return err_set(err, -EINVAL, "\"%.60s\" is not the name of a scheduler", value);
	snprintf(c->policy.scheduler, sizeof(c->policy.scheduler), "%s", name);
	return 0;
}

/* As Kubernetes writes node names: without blanks around it, in lower case. */
static int set_hostname(struct config *c, const char *value, struct err *err)
{
	size_t len;

	value += strspn(value, " \t\n");
	for (len = strlen(value); len && isspace((unsigned char)value[len - 1]);)
		len--;
	if (!len || len > NAME_MAX_LEN)
		return err_set(err, -EINVAL, "must have between 1 and %d characters", NAME_MAX_LEN);
	for (size_t i = 0; i < len; i++)
		c->policy.node_name[i] = (char)tolower((unsigned char)value[i]);
	c->policy.node_name[len] = '\0';
	return 0;
}

static int add_cluster_cidr(struct config *c, const char *element, struct err *err)
{
	return add_family_cidr(c->policy.cluster_cidr, element, err);
}

static int set_cluster_cidr(struct config *c, const char *value, struct err *err)
{
	memset(c->policy.cluster_cidr, 0, sizeof(c->policy.cluster_cidr));
	return each_element(value, c, add_cluster_cidr, err);
}

static int set_detect_local(struct config *c, const char *value, struct err *err)
{
	static const char *const names[] = {
		[DETECT_CLUSTER_CIDR] = "ClusterCIDR",
		[DETECT_NODE_CIDR] = "NodeCIDR",
		[DETECT_BRIDGE_INTERFACE] = "BridgeInterface",
		[DETECT_INTERFACE_NAME_PREFIX] = "InterfaceNamePrefix",
	};
	size_t i = DETECT_CLUSTER_CIDR;
	int r = *value ? read_choice(value, names, ARRAY_SIZE(names), &i, err) : 0;

	if (!r)
		c->policy.detect_local = (enum detect_local)i;
	return r;
}

static int set_bridge(struct config *c, const char *value, struct err *err)
{
	return read_interface(value, &c->bridge_interface, err);
}

static int set_prefix(struct config *c, const char *value, struct err *err)
{
	return read_interface(value, &c->interface_prefix, err);
}

static int set_masquerade_all(struct config *c, const char *value, struct err *err)
{
	return read_bool(value, &c->policy.masquerade_all, err);
}

static int set_masquerade_bit(struct config *c, const char *value, struct err *err)
{
	size_t digits = strspn(value, "0123456789");
	unsigned long v = digits && !value[digits] ? strtoul(value, NULL, 10) : ULONG_MAX;

	if (v > MASQUERADE_BIT_MAX)
		return err_set(err, -EINVAL, "\"%.60s\" is not a number between 0 and %d", value,
			MASQUERADE_BIT_MAX);
	c->policy.masquerade_bit = (uint8_t)v;
	return 0;
}

static int add_nodeport_address(struct config *c, const char *element, struct err *err)
{
	struct policy *p = &c->policy;
	bool primary = !strcmp(element, "primary");
	int r = primary ? 0
			: add_cidr(p->nodeport_addresses, &p->n_nodeport_addresses, element, err);

	if (r < 0)
		return r;
	p->nodeport_primary = p->nodeport_primary || primary;
	if (p->nodeport_primary && p->n_nodeport_addresses)
		return err_set(err, -EINVAL, "\"primary\" stands alone, without CIDRs beside it");
	return 0;
}

static int set_nodeport_addresses(struct config *c, const char *value, struct err *err)
{
	return each_element(value, c, add_nodeport_address, err);
}

static int add_exclude(struct config *c, const char *element, struct err *err)
{
	return add_cidr(c->policy.exclude, &c->policy.n_exclude, element, err);
}

static int set_exclude(struct config *c, const char *value, struct err *err)
{
	return each_element(value, c, add_exclude, err);
}

static int set_vip_mode(struct config *c, const char *value, struct err *err)
{
	static const char *const names[] = {
		[VIP_ROUTE] = "route",
		[VIP_ADDRESS] = "address",
	};
	size_t i = 0;
	int r = read_choice(value, names, ARRAY_SIZE(names), &i, err);

	if (!r)
		c->policy.vip_mode = (enum vip_mode)i;
	return r;
}

static int set_drain_timeout(struct config *c, const char *value, struct err *err)
{
	return read_duration(value, &c->policy.drain_timeout, err);
}

/* Inputs */

static int add_manifests(struct config *c, const char *value, struct err *err)
{
	if (!*value)
		return err_set(err, -EINVAL, "the path is empty");
	c->manifests = mem_realloc(c->manifests, c->n_manifests + 1, sizeof(*c->manifests));
	c->manifests[c->n_manifests++] = value;
	return 0;
}

static int add_service_range(struct config *c, const char *element, struct err *err)
{
	return add_family_cidr(c->service_range, element, err);
}

static int set_service_range(struct config *c, const char *value, struct err *err)
{
	memset(c->service_range, 0, sizeof(c->service_range));
	return each_element(value, c, add_service_range, err);
}

/* The daemon */

static int set_backend(struct config *c, const char *value, struct err *err)
{
	static const char *const names[] = {
		[BACKEND_AUTO] = "auto",
		[BACKEND_IPVS] = "ipvs",
		[BACKEND_IPTABLES] = "iptables",
	};
	size_t i = BACKEND_AUTO;
	int r = *value ? read_choice(value, names, ARRAY_SIZE(names), &i, err) : 0;

	if (!r)
		c->backend = (enum backend)i;
	return r;
}

static int set_strict_arp(struct config *c, const char *value, struct err *err)
{
	return read_bool(value, &c->strict_arp, err);
}

static int set_tcp_timeout(struct config *c, const char *value, struct err *err)
{
	return read_seconds(value, &c->tcp_timeout, err);
}

static int set_tcp_fin_timeout(struct config *c, const char *value, struct err *err)
{
	return read_seconds(value, &c->tcp_fin_timeout, err);
}

static int set_udp_timeout(struct config *c, const char *value, struct err *err)
{
	return read_seconds(value, &c->udp_timeout, err);
}

static int set_audit_interval(struct config *c, const char *value, struct err *err)
{
	int64_t ms = 0;
	int r = read_duration(value, &ms, err);

	if (r < 0)
		return r;
	if (ms && ms < AUDIT_INTERVAL_MIN)
		return err_set(
			err, -EINVAL, "\"%.60s\" is less than %d ms", value, AUDIT_INTERVAL_MIN);
	c->audit_interval = (uint64_t)ms;
	return 0;
}

static int set_status_socket(struct config *c, const char *value, struct err *err)
{
	struct sockaddr_un addr;

	if (strlen(value) >= sizeof(addr.sun_path))
		return err_set(err, -EINVAL, "the path is longer than %zu characters",
			sizeof(addr.sun_path) - 1);
	c->status_socket = value;
	return 0;
}

/* kube-proxy's numbers are taken as well: from 4 on it tells what is for debugging. */
static int set_log_level(struct config *c, const char *value, struct err *err)
{
	static const char *const names[] = {
		[LOG_ERROR] = "error",
		[LOG_WARN] = "warning",
		[LOG_INFO] = "info",
		[LOG_DEBUG] = "debug",
	};
	size_t i = LOG_INFO;
	int r = 0;

	if (isdigit((unsigned char)*value) && strspn(value, "0123456789") == strlen(value))
		i = strlen(value) > 1 || *value >= '4' ? LOG_DEBUG : LOG_INFO;
	else
		r = read_choice(value, names, ARRAY_SIZE(names), &i, err);
	if (!r)
		c->log_level = (enum log_level)i;
	return r;
}

static int set_once(struct config *c, const char *value, struct err *err)
{
	return read_bool(value, &c->once, err);
}

static int set_cleanup(struct config *c, const char *value, struct err *err)
{
	return read_bool(value, &c->cleanup, err);
}

static int set_init_only(struct config *c, const char *value, struct err *err)
{
	return read_bool(value, &c->init_only, err);
}

static int set_help(struct config *c, const char *value, struct err *err)
{
	return read_bool(value, &c->help, err);
}

static int set_version(struct config *c, const char *value, struct err *err)
{
	return read_bool(value, &c->version, err);
}

/* plan */

static int set_output(struct config *c, const char *value, struct err *err)
{
	static const char *const names[] = {
		[PLAN_TEXT] = "text",
		[PLAN_JSON] = "json",
		[PLAN_YAML] = "yaml",
	};
	size_t i = 0;
	int r = read_choice(value, names, ARRAY_SIZE(names), &i, err);

	if (!r)
		c->output = (enum plan_output)i;
	return r;
}

static int set_diff(struct config *c, const char *value, struct err *err)
{
	bool diff = false;
	int r = read_bool(value, &diff, err);

	if (!r)
		c->diff = diff ? DIFF_YES : DIFF_NO;
	return r;
}

static const struct config_option options[] = {
	{ "scheduler", "ipvs-scheduler", 0, OPTIONS_POLICY, "NAME", "rr",
		"scheduler of Services that do not ask for another one", set_scheduler },
	{ "vip-mode", NULL, 0, OPTIONS_POLICY, "MODE", "route",
		"make virtual IPs local by a 'route' or by an 'address' on kube-ipvs0",
		set_vip_mode },
	{ "drain-timeout", NULL, 0, OPTIONS_POLICY, "DURATION", "60s",
		"how long a removed TCP endpoint may keep its connections", set_drain_timeout },
	{ "hostname-override", NULL, 0, OPTIONS_POLICY, "NAME", NULL,
		"name of this node's Node object, if it is not the host's name", set_hostname },
	{ "cluster-cidr", NULL, 0, OPTIONS_POLICY, "CIDR[,CIDR]", NULL,
		"addresses of pods, one range a family", set_cluster_cidr },
	{ "detect-local-mode", NULL, 0, OPTIONS_POLICY, "MODE", "ClusterCIDR",
		"how pods are recognised: ClusterCIDR, NodeCIDR, BridgeInterface, "
		"InterfaceNamePrefix",
		set_detect_local },
	{ "pod-bridge-interface", NULL, 0, OPTIONS_POLICY, "NAME", NULL,
		"bridge that pods hang on, for BridgeInterface", set_bridge },
	{ "pod-interface-name-prefix", NULL, 0, OPTIONS_POLICY, "PREFIX", NULL,
		"how names of pods' interfaces begin, for InterfaceNamePrefix", set_prefix },
	{ "masquerade-all", NULL, 0, OPTIONS_POLICY, NULL, "false",
		"masquerade everything that is sent to a cluster IP", set_masquerade_all },
	{ "iptables-masquerade-bit", NULL, 0, OPTIONS_POLICY, "BIT", "14",
		"bit of the packet mark that asks for masquerading", set_masquerade_bit },
	{ "nodeport-addresses", NULL, 0, OPTIONS_POLICY, "CIDR,...", NULL,
		"node addresses that carry NodePorts, or 'primary'", set_nodeport_addresses },
	{ "ipvs-exclude-cidrs", NULL, 0, OPTIONS_POLICY, "CIDR,...", NULL,
		"virtual servers in these ranges are never removed", set_exclude },

	{ "manifests", NULL, 0, OPTIONS_INPUT, "FILE|DIR", NULL,
		"read Services and endpoints from here; may be given several times",
		add_manifests },
	{ "service-cluster-ip-range", NULL, 0, OPTIONS_INPUT, "CIDR[,CIDR]", NULL,
		"give Services without a cluster IP one from here, one range a family",
		set_service_range },

	{ "backend", "proxy-mode", 0, OPTIONS_DAEMON, "NAME", "auto",
		"what to program: auto, ipvs, iptables", set_backend },
	{ "ipvs-strict-arp", NULL, 0, OPTIONS_DAEMON, NULL, "false",
		"answer ARP only for addresses of the interface that is asked", set_strict_arp },
	{ "ipvs-tcp-timeout", NULL, 0, OPTIONS_DAEMON, "DURATION", "0s",
		"of idle TCP connections in IPVS; 0 leaves the kernel's value", set_tcp_timeout },
	{ "ipvs-tcpfin-timeout", NULL, 0, OPTIONS_DAEMON, "DURATION", "0s",
		"of TCP connections in IPVS after a FIN; 0 leaves the kernel's value",
		set_tcp_fin_timeout },
	{ "ipvs-udp-timeout", NULL, 0, OPTIONS_DAEMON, "DURATION", "0s",
		"of UDP flows in IPVS; 0 leaves the kernel's value", set_udp_timeout },
	{ "audit-interval", NULL, 0, OPTIONS_DAEMON, "DURATION", "30s",
		"how often the kernel is read and compared; 0: only when asked",
		set_audit_interval },
	{ "status-socket", NULL, 0, OPTIONS_DAEMON, "PATH", DEFAULT_STATUS_SOCKET,
		"UNIX socket that ipvsctl-svc status asks; '': none", set_status_socket },
	{ "log-level", "v", 'v', OPTIONS_DAEMON, "LEVEL", "info",
		"what to log: error, warning, info, debug", set_log_level },
	{ "once", NULL, 0, OPTIONS_DAEMON, NULL, "false", "make everything true once and exit",
		set_once },
	{ "cleanup", NULL, 0, OPTIONS_DAEMON, NULL, "false",
		"remove everything of ours from the kernel and exit", set_cleanup },
	{ "init-only", NULL, 0, OPTIONS_DAEMON, NULL, "false",
		"do what needs full privileges (modules, kernel settings) and exit",
		set_init_only },

	{ "output", NULL, 'o', OPTIONS_PLAN, "FORMAT", "text", "text, json or yaml", set_output },
	{ "diff", NULL, 0, OPTIONS_PLAN, NULL, "false", "show how the kernel differs; needs root",
		set_diff },

	{ "help", NULL, 'h', OPTIONS_DAEMON | OPTIONS_PLAN, NULL, "false",
		"show this text and exit", set_help },
	{ "version", NULL, 0, OPTIONS_DAEMON, NULL, "false", "show the version and exit",
		set_version },
};

const struct config_option *config_options(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(options);
	return options;
}

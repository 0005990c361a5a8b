// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/duration.h"
#include "base/mem.h"
#include "core/fact.h"
#include "decode_kinds.h"
#include "timestamp.h"

/* API default of spec.sessionAffinityConfig.clientIP.timeoutSeconds */
enum { AFFINITY_TIMEOUT_DEFAULT = 10800, AFFINITY_TIMEOUT_MAX = 86400 };

static const char *family_word(int family)
{
	return family == AF_INET ? "IPv4" : "IPv6";
}

/* Metadata */

static int read_created(struct reader *r, const json_t *root, struct service *s)
{
	const json_t *metadata = json_object_get(root, "metadata");
	size_t mark = reader_enter(r, "metadata");
	char quoted[QUOTE_SIZE];
	const char *text = NULL;
	int64_t us = 0;
	int e = reader_text(r, metadata, "creationTimestamp", &text);

	if (!e && text && timestamp_parse(text, &us))
		e = reader_fail_at(r, "creationTimestamp",
			"is %s, which is not a time such as 2026-01-31T12:00:00Z",
			reader_quote(text, quoted));
	reader_leave(r, mark);
	s->created = us / 1000000;
	return e;
}

static bool is_scheduler(const char *s)
{
	size_t len = strlen(s);

	return len && len < SCHED_NAME_SIZE &&
		strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

static int read_scheduler(struct reader *r, const json_t *root, struct service *s)
{
	static const char *const keys[] = { "ipvsctl.io/scheduler",
		"kube-router.io/service.scheduler" };
	char quoted[QUOTE_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *text = NULL;
		int e = decode_annotation(r, root, keys[i], &text);

		if (e)
			return e;
		if (!text)
			continue;
		if (!is_scheduler(text))
			return decode_annotation_fail(r, keys[i],
				"is %s, must be the name of an IPVS scheduler such as rr or wlc",
				reader_quote(text, quoted));
		s->scheduler = arena_strdup(r->arena, text);
		return 0;
	}
	return 0;
}

static int read_drain_timeout(struct reader *r, const json_t *root, struct service *s)
{
	static const char key[] = "ipvsctl.io/drain-timeout";
	char quoted[QUOTE_SIZE];
	const char *text = NULL;
	int64_t ms;
	int e = decode_annotation(r, root, key, &text);

	if (e || !text)
		return e;
	if (duration_parse(text, &ms) || ms < 0)
		return decode_annotation_fail(r, key,
			"is %s, must be a duration such as 90s or 1h30m",
			reader_quote(text, quoted));
	s->drain_timeout = ms;
	return 0;
}

static int read_metadata(struct reader *r, const json_t *root, struct service *s)
{
	const char *other = NULL;
	int e = read_created(r, root, s);

	e = e ? e : decode_resource_version(r, root, &s->resource_version);
	e = e ? e : decode_label(r, root, "service.kubernetes.io/service-proxy-name", &other);
	e = e ? e : read_scheduler(r, root, s);
	e = e ? e : read_drain_timeout(r, root, s);
	s->other_proxy = other; /* whatever its value is */
	return e;
}

/* Cluster IPs */

static int read_cluster_ip(struct reader *r, const json_t *value, size_t i, void *arg)
{
	struct service *s = arg;
	char text[IP_STRLEN];
	struct ip ip;
	int e;

	if (json_is_string(value) && !strcmp(json_string_value(value), "None")) {
		s->headless = true;
		return 0;
	}
	if (i >= ARRAY_SIZE(s->cluster_ips))
		return reader_fail(r, "is one too many: there can be one of each family");
	e = reader_value_ip(r, value, &ip);
	e = e ? e : reader_check_host(r, &ip);
	if (e)
		return e;
	if (s->n_cluster_ips && s->cluster_ips[0].family == ip.family)
		return reader_fail(r, "is %s, but there is %s address already", ip_print(&ip, text),
			ip.family == AF_INET ? "an IPv4" : "an IPv6");
	s->cluster_ips[s->n_cluster_ips++] = ip;
	return 0;
}

/* spec.clusterIP alone is what there was before dual stack; "" is the same as absent. */
static const json_t *single_cluster_ip(const json_t *spec)
{
	const json_t *v = json_object_get(spec, "clusterIP");

	if (!v || json_is_null(v) || (json_is_string(v) && !json_string_length(v)))
		return NULL;
	return v;
}

static int check_same(struct reader *r, const struct service *single, const struct service *list)
{
	char a[IP_STRLEN], b[IP_STRLEN];

	if (!single->headless && !single->n_cluster_ips)
		return 0;
	if (single->headless == list->headless &&
		ip_eq(&single->cluster_ips[0], &list->cluster_ips[0]))
		return 0;
	return reader_fail_at(r, "clusterIPs", "begins with %s, but clusterIP is %s",
		list->headless ? "None" : ip_print(&list->cluster_ips[0], b),
		single->headless ? "None" : ip_print(&single->cluster_ips[0], a));
}

static int read_cluster_ips(struct reader *r, const json_t *spec, struct service *s)
{
	struct service single = { 0 };
	const json_t *v = single_cluster_ip(spec);
	size_t mark = reader_enter(r, "clusterIP");
	int e = v ? read_cluster_ip(r, v, 0, &single) : 0;

	reader_leave(r, mark);
	e = e ? e : reader_each(r, spec, "clusterIPs", read_cluster_ip, s);
	if (e)
		return e;
	if (s->headless && s->n_cluster_ips)
		return reader_fail_at(r, "clusterIPs", "has both None and an address");
	if (s->headless || s->n_cluster_ips)
		return check_same(r, &single, s);
	s->headless = single.headless;
	s->cluster_ips[0] = single.cluster_ips[0];
	s->n_cluster_ips = single.n_cluster_ips;
	return 0;
}

struct family_list {
	const struct service *service;
	struct service_wish *wish;
};

static int read_family(struct reader *r, const json_t *value, size_t i, void *arg)
{
	const struct family_list *list = arg;
	const struct service *s = list->service;
	char quoted[QUOTE_SIZE], ip[IP_STRLEN];
	const char *text;
	int family, e = reader_value_text(r, value, &text);

	if (e)
		return e;
	if (strcmp(text, "IPv4") != 0 && strcmp(text, "IPv6") != 0)
		return reader_fail(r, "is %s, must be IPv4 or IPv6", reader_quote(text, quoted));
	family = strcmp(text, "IPv4") ? AF_INET6 : AF_INET;
	if (i >= ARRAY_SIZE(list->wish->families) || (i && list->wish->families[0] == family))
		return reader_fail(r, "is there twice");
	if (i < s->n_cluster_ips && s->cluster_ips[i].family != family)
		return reader_fail(r, "is %s, but the cluster IP at this place is %s",
			family_word(family), ip_print(&s->cluster_ips[i], ip));
	list->wish->families[i] = (uint8_t)family;
	return 0;
}

static int read_families(
	struct reader *r, const json_t *spec, const struct service *s, struct service_wish *wish)
{
	static const char *const policies[] = { "SingleStack", "PreferDualStack",
		"RequireDualStack", NULL };
	struct family_list list = { .service = s, .wish = wish };
	unsigned policy = 0;
	int e = reader_each(r, spec, "ipFamilies", read_family, &list);

	e = e ? e : reader_word(r, spec, "ipFamilyPolicy", policies, &policy);
	wish->prefer_dual_stack = policy > 0;
	wish->require_dual_stack = policy > 1;
	return e;
}

/* Ports */

static int read_port(struct reader *r, const json_t *value, size_t i, void *arg)
{
	struct service_port *port = (struct service_port *)arg + i;
	int64_t number = 0, node_port = 0;
	size_t mark;
	int e = reader_value_object(r, value);

	port->name = "";
	e = e ? e : reader_string(r, value, "name", &port->name);
	e = e ? e : decode_protocol(r, value, &port->proto);
	e = e ? e : reader_int(r, value, "port", 1, UINT16_MAX, &number);
	e = e ? e : reader_int(r, value, "nodePort", 0, UINT16_MAX, &node_port);
	if (!e && !number)
		e = reader_fail_at(r, "port", "is missing");
	port->port = (uint16_t)number;
	port->node_port = (uint16_t)node_port;
	if (e)
		return e;
	mark = reader_enter(r, "name");
	e = reader_check_port_name(r, port->name);
	reader_leave(r, mark);
	return e;
}

static int cmp_number(const void *a, const void *b)
{
	const struct service_port *p = *(const struct service_port *const *)a;
	const struct service_port *q = *(const struct service_port *const *)b;

	return p->proto != q->proto ? p->proto - q->proto : p->port - q->port;
}

static int cmp_name(const void *a, const void *b)
{
	const struct service_port *p = *(const struct service_port *const *)a;
	const struct service_port *q = *(const struct service_port *const *)b;

	return p->proto != q->proto ? p->proto - q->proto : strcmp(p->name, q->name);
}

/* Ports without a node port differ from each other. */
static int cmp_node_port(const void *a, const void *b)
{
	const struct service_port *p = *(const struct service_port *const *)a;
	const struct service_port *q = *(const struct service_port *const *)b;

	if (p->node_port != q->node_port)
		return p->node_port - q->node_port;
	if (!p->node_port)
		return p < q ? -1 : p > q;
	return p->proto - q->proto;
}

/* The later one of two ports that the order takes as equal: its index; n where there are none. */
static size_t find_twin(const struct service_port *ports, size_t n,
	int (*cmp)(const void *a, const void *b), size_t *ret_first)
{
	_cleanup_free_ const struct service_port **sorted = mem_zalloc(n, sizeof(*sorted));

	for (size_t i = 0; i < n; i++)
		sorted[i] = &ports[i];
	qsort(sorted, n, sizeof(*sorted), cmp);
	for (size_t i = 1; i < n; i++) {
		size_t a = (size_t)(sorted[i - 1] - ports), b = (size_t)(sorted[i] - ports);

		if (cmp(&sorted[i - 1], &sorted[i]) != 0)
			continue;
		*ret_first = a < b ? a : b;
		return a < b ? b : a;
	}
	return n;
}

static int check_ports(struct reader *r, const struct service_port *ports, size_t n)
{
	static const struct {
		int (*cmp)(const void *a, const void *b);
		const char *key;
	} rules[] = {
		{ cmp_number, "port" },
		{ cmp_name, "name" },
		{ cmp_node_port, "nodePort" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		size_t first, twin = find_twin(ports, n, rules[i].cmp, &first), mark;
		int e;

		if (twin == n)
			continue;
		mark = reader_enter(r, "ports");
		reader_enter_index(r, twin);
		e = reader_fail_at(r, rules[i].key,
			"is the same as that of ports[%zu], which has the same protocol", first);
		reader_leave(r, mark);
		return e;
	}
	return 0;
}

static int read_ports(struct reader *r, const json_t *spec, struct service *s)
{
	size_t n = reader_count(spec, "ports");
	struct service_port *ports = arena_alloc(r->arena, n, sizeof(*ports));
	int e = reader_each(r, spec, "ports", read_port, ports);

	s->ports = ports;
	s->n_ports = n;
	return e ? e : check_ports(r, ports, n);
}

/* Other addresses */

static int read_external_ip(struct reader *r, const json_t *value, size_t i, void *arg)
{
	struct ip *ip = (struct ip *)arg + i;
	int e = reader_value_ip(r, value, ip);

	return e ? e : reader_check_host(r, ip);
}

static int read_external_ips(struct reader *r, const json_t *spec, struct service *s)
{
	size_t n = reader_count(spec, "externalIPs");
	struct ip *ips = arena_alloc(r->arena, n, sizeof(*ips));

	s->external_ips = ips;
	s->n_external_ips = n;
	return reader_each(r, spec, "externalIPs", read_external_ip, ips);
}

static int read_source_range(struct reader *r, const json_t *value, size_t i, void *arg)
{
	return reader_value_cidr(r, value, (struct cidr *)arg + i);
}

static int read_source_ranges(struct reader *r, const json_t *spec, struct service *s)
{
	size_t n = reader_count(spec, "loadBalancerSourceRanges");
	struct cidr *ranges = arena_alloc(r->arena, n, sizeof(*ranges));

	s->source_ranges = ranges;
	s->n_source_ranges = n;
	return reader_each(r, spec, "loadBalancerSourceRanges", read_source_range, ranges);
}

struct ingress_list {
	struct ingress *entries;
	size_t n;
};

/*
 * The status is somebody else's: a load balancer that is on the host itself (minikube's tunnel
 * writes 127.0.0.1) is left out like one that has a host name only, not an error.
 */
static int read_ingress(struct reader *r, const json_t *value, size_t i, void *arg)
{
	static const char *const modes[] = { "VIP", "Proxy", NULL };
	struct ingress_list *list = arg;
	struct ingress ingress = { 0 };
	unsigned mode = 0;
	int e = reader_value_object(r, value);

	(void)i;
	if (!e && json_string_length(json_object_get(value, "ip")) == 0 &&
		json_is_string(json_object_get(value, "ip")))
		return 0;
	e = e ? e : reader_ip(r, value, "ip", &ingress.ip);
	e = e ? e : reader_word(r, value, "ipMode", modes, &mode);
	if (e || !ingress.ip.family || !reader_is_host(&ingress.ip))
		return e;
	ingress.proxy_mode = mode == 1;
	list->entries[list->n++] = ingress;
	return 0;
}

static int read_status(struct reader *r, const json_t *root, struct service *s)
{
	const json_t *status = NULL, *lb = NULL;
	struct ingress_list list = { 0 };
	size_t mark;
	int e = reader_object(r, root, "status", &status);

	if (e)
		return e;
	mark = reader_enter(r, "status");
	e = reader_object(r, status, "loadBalancer", &lb);
	reader_enter(r, "loadBalancer");
	list.entries = arena_alloc(r->arena, reader_count(lb, "ingress"), sizeof(*list.entries));
	e = e ? e : reader_each(r, lb, "ingress", read_ingress, &list);
	reader_leave(r, mark);
	s->ingress = list.entries;
	s->n_ingress = list.n;
	return e;
}

/* Policies */

static int read_affinity(struct reader *r, const json_t *spec, struct service *s)
{
	static const char *const words[] = { "None", "ClientIP", NULL };
	const json_t *config = NULL, *client_ip = NULL;
	int64_t timeout = AFFINITY_TIMEOUT_DEFAULT;
	unsigned affinity = 0;
	size_t mark;
	int e = reader_word(r, spec, "sessionAffinity", words, &affinity);

	e = e ? e : reader_object(r, spec, "sessionAffinityConfig", &config);
	if (e)
		return e;
	mark = reader_enter(r, "sessionAffinityConfig");
	e = reader_object(r, config, "clientIP", &client_ip);
	reader_enter(r, "clientIP");
	e = e ? e : reader_int(r, client_ip, "timeoutSeconds", 1, AFFINITY_TIMEOUT_MAX, &timeout);
	reader_leave(r, mark);
	s->affinity_client_ip = affinity == 1;
	s->affinity_timeout = (uint32_t)timeout;
	return e;
}

static int read_traffic_policy(
	struct reader *r, const json_t *spec, const char *key, bool *ret_local)
{
	static const char *const words[] = { "Cluster", "Local", NULL };
	unsigned policy = 0;
	int e = reader_word(r, spec, key, words, &policy);

	*ret_local = policy == 1;
	return e;
}

static int read_type(
	struct reader *r, const json_t *spec, struct service *s, struct service_wish *wish)
{
	static const char *const words[] = { [SERVICE_CLUSTER_IP] = "ClusterIP",
		[SERVICE_NODE_PORT] = "NodePort",
		[SERVICE_LOAD_BALANCER] = "LoadBalancer",
		[SERVICE_EXTERNAL_NAME] = "ExternalName",
		NULL };
	bool allocate = true;
	unsigned type = SERVICE_CLUSTER_IP;
	int e = reader_word(r, spec, "type", words, &type);

	e = e ? e : reader_bool(r, spec, "allocateLoadBalancerNodePorts", &allocate);
	s->type = (enum service_type)type;
	wish->node_ports =
		s->type == SERVICE_NODE_PORT || (s->type == SERVICE_LOAD_BALANCER && allocate);
	return e;
}

static int read_spec(
	struct reader *r, const json_t *spec, struct service *s, struct service_wish *wish)
{
	int64_t health_check = 0;
	int e = read_type(r, spec, s, wish);

	e = e ? e : read_cluster_ips(r, spec, s);
	e = e ? e : read_families(r, spec, s, wish);
	e = e ? e : read_ports(r, spec, s);
	e = e ? e : read_external_ips(r, spec, s);
	e = e ? e : read_source_ranges(r, spec, s);
	e = e ? e : read_affinity(r, spec, s);
	e = e ? e : read_traffic_policy(r, spec, "externalTrafficPolicy", &s->external_local);
	e = e ? e : read_traffic_policy(r, spec, "internalTrafficPolicy", &s->internal_local);
	e = e ? e : reader_int(r, spec, "healthCheckNodePort", 0, UINT16_MAX, &health_check);
	e = e ? e : reader_bool(r, spec, "publishNotReadyAddresses", &s->publish_not_ready);
	s->health_check_node_port = (uint16_t)health_check;
	return e;
}

int decode_service(
	struct reader *r, const json_t *root, struct service *s, struct service_wish *ret_wish)
{
	const json_t *spec = NULL;
	size_t mark;
	int e = read_metadata(r, root, s);

	e = e ? e : reader_object(r, root, "spec", &spec);
	if (e)
		return e;
	mark = reader_enter(r, "spec");
	e = read_spec(r, spec, s, ret_wish);
	reader_leave(r, mark);
	return e ? e : read_status(r, root, s);
}

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

/* API default of spec.sessionAffinityConfig.clientIP.timeoutSeconds */
enum { AFFINITY_TIMEOUT_DEFAULT = 10800, AFFINITY_TIMEOUT_MAX = 86400 };

/* Metadata */

static int read_scheduler(
	struct reader *r, const struct value *meta, const char *key, struct service *s)
{
	const char *text = NULL;
	size_t len;
	int e = reader_entry(r, meta, META_ANNOTATIONS, key, &text);

	if (e || !text)
		return e;
	len = strlen(text);
	if (!len || len >= SCHED_NAME_SIZE ||
		strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-") != len)
		return decode_annotation_fail(
			r, key, text, "the name of an IPVS scheduler such as rr or wlc");
	s->scheduler = arena_strdup(r->arena, text);
	return 0;
}

static int read_drain_timeout(struct reader *r, const struct value *meta, struct service *s)
{
	static const char key[] = "ipvsctl.io/drain-timeout";
	const char *text = NULL;
	int64_t ms;
	int e = reader_entry(r, meta, META_ANNOTATIONS, key, &text);

	if (e || !text)
		return e;
	if (duration_parse(text, &ms) || ms < 0)
		return decode_annotation_fail(r, key, text, "a duration such as 90s or 1h30m");
	s->drain_timeout = ms;
	return 0;
}

static int read_service_metadata(struct reader *r, const struct value *meta, struct service *s)
{
	static const char proxy_label[] = "service.kubernetes.io/service-proxy-name";
	const struct key version = KEY("resourceVersion", 6);
	const char *other = NULL, *app = NULL;
	int64_t created = 0;
	int e;

	reader_within(r, "metadata");
	e = reader_leave_out(r, reader_time(r, meta, KEY("creationTimestamp", 8), &created));
	s->created = created / 1000000;
	e = e ?: reader_leave_out(r, reader_string(r, meta, version, &s->resource_version));
	e = e ?: reader_leave_out(r, reader_string(r, meta, KEY("uid", 5), &s->uid));

	/* Whatever its value is, the label gives the Service to another proxy. */
	e = e ?: reader_leave_out(r, reader_entry(r, meta, META_LABELS, proxy_label, &other));
	s->other_proxy = other;
	e = e ?: reader_leave_out(r, reader_entry(r, meta, META_LABELS, "k8s-app", &app));
	s->cluster_dns = app && !strcmp(app, "kube-dns");

	e = e ?: reader_leave_out(r, read_scheduler(r, meta, "ipvsctl.io/scheduler", s));
	if (!e && !*s->scheduler)
		e = reader_leave_out(
			r, read_scheduler(r, meta, "kube-router.io/service.scheduler", s));
	return e ?: reader_leave_out(r, read_drain_timeout(r, meta, s));
}

/* Ports */

static int read_service_port(struct reader *r, const struct value *v, void *item, const void *arg)
{
	struct service_port *port = item;
	int64_t number = 0, node_port = 0;
	int e = reader_value_object(r, v);

	(void)arg;
	port->name = "";
	e = e ?: reader_string(r, v, KEY("name", 1), &port->name);
	e = e ?: decode_protocol(r, v, KEY("protocol", 2), &port->proto);
	e = e ?: reader_int(r, v, KEY("port", 3), 1, UINT16_MAX, &number);
	e = e ?: reader_int(r, v, KEY("nodePort", 5), 0, UINT16_MAX, &node_port);
	if (!e && !number)
		e = reader_fail_at(r, "port", "is missing");
	port->port = (uint16_t)number;
	port->node_port = (uint16_t)node_port;
	return e ?: decode_check_port_name(r, port->name);
}

/* What differs between the ports of one protocol. */
enum port_rule { PORT_NUMBER, PORT_NAME, PORT_NODE_PORT };

static int cmp_ports(const void *a, const void *b, void *arg)
{
	const struct service_port *p = *(const struct service_port *const *)a;
	const struct service_port *q = *(const struct service_port *const *)b;
	const enum port_rule *rule = arg;

	switch (*rule) {
	case PORT_NUMBER:
		return p->proto != q->proto ? p->proto - q->proto : p->port - q->port;
	case PORT_NAME:
		return p->proto != q->proto ? p->proto - q->proto : strcmp(p->name, q->name);
	case PORT_NODE_PORT:
		if (p->node_port != q->node_port)
			return p->node_port - q->node_port;
		/* Ports without a node port differ from each other. */
		if (!p->node_port)
			return p < q ? -1 : p > q;
		return p->proto - q->proto;
	}
	return 0;
}

/* Of each port, the first one that the rule finds equal to it; itself where there is none before. */
static void find_twins(
	const struct service_port *ports, size_t n, enum port_rule rule, size_t *ret_first)
{
	_cleanup_free_ const struct service_port **sorted = mem_zalloc(n, sizeof(*sorted));

	for (size_t i = 0; i < n; i++) {
		sorted[i] = &ports[i];
		ret_first[i] = i;
	}
	qsort_r(sorted, n, sizeof(*sorted), cmp_ports, &rule);
	for (size_t i = 1, from = 0; i <= n; i++) {
		size_t first = (size_t)(sorted[from] - ports);

		if (i < n && !cmp_ports(&sorted[from], &sorted[i], &rule))
			continue;
		for (size_t k = from; k < i; k++)
			if ((size_t)(sorted[k] - ports) < first)
				first = (size_t)(sorted[k] - ports);
		for (; from < i; from++)
			ret_first[sorted[from] - ports] = first;
	}
}

/* The ports of one protocol differ in number, name and node port. */
static int read_service_ports(struct reader *r, const struct value *spec, struct service *s)
{
	static const char *const keys[] = {
		[PORT_NUMBER] = "port", [PORT_NAME] = "name", [PORT_NODE_PORT] = "nodePort"
	};
	struct reader_list list = { .size = sizeof(struct service_port),
		.max = SERVICE_MAX_PORTS,
		.read = read_service_port };
	struct service_port *ports;
	int e = reader_list(r, spec, KEY("ports", 1), &list);

	ports = list.items;
	reader_within(r, "ports");
	for (enum port_rule rule = PORT_NUMBER; !e && list.n > 1 && rule <= PORT_NODE_PORT;
		rule++) {
		_cleanup_free_ size_t *first = mem_zalloc(list.n, sizeof(*first));
		size_t n = 0;

		find_twins(ports, list.n, rule, first);
		for (size_t i = 0; !e && i < list.n; i++) {
			size_t mark;

			if (first[i] == i) {
				ports[n++] = ports[i];
				continue;
			}
			mark = reader_enter_index(r, i);
			e = reader_leave_out(r,
				reader_fail_at(r, keys[rule],
					"is the same as that of ports[%zu], which has the same protocol",
					first[i]));
			reader_leave(r, mark);
		}
		list.n = n;
	}
	s->ports = ports;
	s->n_ports = list.n;
	return e;
}

/* Cluster IPs */

static int read_cluster_ip(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct service *s = arg;
	char printed[IP_STRLEN];
	struct text text;
	struct ip ip;
	int e;

	if (!value_text(v, &text) && text.len == 4 && !memcmp(text.s, "None", 4)) {
		s->headless = true;
		return 0;
	}
	if (i >= ARRAY_SIZE(s->cluster_ips))
		return reader_fail(r, "is one too many: there can be one of each family");
	e = reader_value_ip(r, v, &ip);
	e = e ?: reader_check_host(r, &ip);
	if (e)
		return e;
	if (s->n_cluster_ips && s->cluster_ips[0].family == ip.family)
		return reader_fail(r, "is %s, but there is %s address already",
			ip_print(&ip, printed), ip.family == AF_INET ? "an IPv4" : "an IPv6");
	s->cluster_ips[s->n_cluster_ips++] = ip;
	return 0;
}

/* spec.clusterIP is from before dual stack, and absent or the first of spec.clusterIPs. */
static int read_cluster_ips(struct reader *r, const struct value *spec, struct service *s)
{
	struct value v = value_member(spec, KEY("clusterIP", 3));
	char a[IP_STRLEN], b[IP_STRLEN];
	struct service single = { 0 };
	int e = 0;

	if (value_is_there(&v) && !value_is_empty(&v)) {
		reader_within(r, "clusterIP");
		e = reader_leave_out(r, read_cluster_ip(r, &v, 0, &single));
	}
	e = e ?: reader_each(r, spec, KEY("clusterIPs", 18), read_cluster_ip, s);
	if (e)
		return e;
	if (s->headless && s->n_cluster_ips) {
		s->n_cluster_ips = 0;
		return reader_fail_at(r, "clusterIPs", "has both None and an address");
	}

	if (!s->headless && !s->n_cluster_ips) {
		s->headless = single.headless;
		s->cluster_ips[0] = single.cluster_ips[0];
		s->n_cluster_ips = single.n_cluster_ips;
		return 0;
	}
	if (!single.headless && !single.n_cluster_ips)
		return 0;
	if (single.headless == s->headless && ip_eq(&single.cluster_ips[0], &s->cluster_ips[0]))
		return 0;
	return reader_fail_at(r, "clusterIPs", "begins with %s, but clusterIP is %s",
		s->headless ? "None" : ip_print(&s->cluster_ips[0], b),
		single.headless ? "None" : ip_print(&single.cluster_ips[0], a));
}

struct family_list {
	const struct service *service;
	struct service_wish *wish;
};

static int read_ip_family(struct reader *r, const struct value *v, size_t i, void *arg)
{
	const struct family_list *list = arg;
	const struct service *s = list->service;
	char quoted[QUOTE_SIZE], ip[IP_STRLEN];
	const char *text = "";
	int family, e = reader_value_text(r, v, &text);

	if (e)
		return e;
	if (strcmp(text, "IPv4") != 0 && strcmp(text, "IPv6") != 0)
		return reader_fail(r, "is %s, must be IPv4 or IPv6", reader_quote(text, quoted));
	family = strcmp(text, "IPv4") ? AF_INET6 : AF_INET;
	if (i >= ARRAY_SIZE(list->wish->families) || (i && list->wish->families[0] == family))
		return reader_fail(r, "occurs twice");
	if (i < s->n_cluster_ips && s->cluster_ips[i].family != family)
		return reader_fail(r, "is %s, but the cluster IP at this place is %s", text,
			ip_print(&s->cluster_ips[i], ip));
	list->wish->families[i] = (uint8_t)family;
	return 0;
}

static int read_ip_families(struct reader *r, const struct value *spec, const struct service *s,
	struct service_wish *wish)
{
	static const char *const policies[] = { "SingleStack", "PreferDualStack",
		"RequireDualStack", NULL };
	struct family_list list = { .service = s, .wish = wish };
	unsigned policy = 0;
	int e = reader_each(r, spec, KEY("ipFamilies", 19), read_ip_family, &list);

	e = e ?: reader_word(r, spec, KEY("ipFamilyPolicy", 17), policies, &policy);
	wish->prefer_dual_stack = policy > 0;
	wish->require_dual_stack = policy > 1;
	return e;
}

/* Other addresses */

/* An address that nobody may have is refused later (core/rights.c), where people see the reason. */
static int read_external_ip(struct reader *r, const struct value *v, void *item, const void *arg)
{
	(void)arg;
	return reader_value_ip(r, v, item);
}

/*
 * The status is written by others: a load balancer on the host itself (minikube's tunnel writes
 * 127.0.0.1) is no fault, but left out like one that has a host name only.
 */
static int read_ingress(struct reader *r, const struct value *v, void *item, const void *arg)
{
	static const char *const modes[] = { "VIP", "Proxy", NULL };
	const struct key ip = KEY("ip", 1);
	struct ingress *ingress = item;
	struct value address;
	enum ip_kind kind;
	unsigned mode = 0;
	int e = reader_value_object(r, v);

	(void)arg;
	if (e)
		return e;
	address = value_member(v, ip);
	if (value_is_empty(&address))
		return READER_SKIP;
	e = reader_ip(r, v, ip, &ingress->ip);
	e = e ?: reader_word(r, v, KEY("ipMode", 3), modes, &mode);
	ingress->proxy_mode = mode == 1;
	kind = ip_kind(&ingress->ip);
	if (!e && (!ingress->ip.family || kind == IP_LOOPBACK || kind == IP_UNSPECIFIED))
		return READER_SKIP;
	return e;
}

static int read_service_status(struct reader *r, const struct value *root, struct service *s)
{
	struct reader_list list = {
		.size = sizeof(struct ingress), .max = SERVICE_MAX_ADDRESSES, .read = read_ingress
	};
	struct value status = { 0 }, lb = { 0 };
	int e = reader_object(r, root, KEY("status", 3), &status);

	if (e)
		return e;
	reader_within(r, "status");
	e = reader_object(r, &status, KEY("loadBalancer", 1), &lb);
	if (e)
		return e;
	reader_enter(r, "loadBalancer");
	e = reader_list(r, &lb, KEY("ingress", 1), &list);
	s->ingress = list.items;
	s->n_ingress = list.n;
	return e;
}

/* Policies */

static int read_affinity_timeout(struct reader *r, const struct value *spec, struct service *s)
{
	const struct key seconds = KEY("timeoutSeconds", 1);
	struct value config = { 0 }, client_ip = { 0 };
	int64_t timeout = AFFINITY_TIMEOUT_DEFAULT;
	int e = reader_object(r, spec, KEY("sessionAffinityConfig", 14), &config);

	reader_within(r, "sessionAffinityConfig");
	e = e ?: reader_object(r, &config, KEY("clientIP", 1), &client_ip);
	reader_enter(r, "clientIP");
	e = e ?: reader_int(r, &client_ip, seconds, 1, AFFINITY_TIMEOUT_MAX, &timeout);
	s->affinity_timeout = (uint32_t)timeout;
	return e;
}

static int read_type(
	struct reader *r, const struct value *spec, struct service *s, struct service_wish *wish)
{
	static const char *const words[] = { [SERVICE_CLUSTER_IP] = "ClusterIP",
		[SERVICE_NODE_PORT] = "NodePort",
		[SERVICE_LOAD_BALANCER] = "LoadBalancer",
		[SERVICE_EXTERNAL_NAME] = "ExternalName",
		NULL };
	bool allocate = true;
	unsigned type = SERVICE_CLUSTER_IP;
	int e = reader_word_or_empty(r, spec, KEY("type", 4), words, &type);

	e = e ?: reader_bool(r, spec, KEY("allocateLoadBalancerNodePorts", 20), &allocate);
	s->type = (enum service_type)type;
	wish->node_ports =
		s->type == SERVICE_NODE_PORT || (s->type == SERVICE_LOAD_BALANCER && allocate);
	return e;
}

/*
 * What is too much together is left out: first the external IPs. Without its source ranges a load
 * balancer address would be open to all, so that it goes with them.
 */
static int check_size(struct reader *r, struct service *s)
{
	const size_t addresses = s->n_cluster_ips + s->n_external_ips + s->n_ingress;
	const size_t ranges = s->n_ports * s->n_ingress * s->n_source_ranges;

	if (s->n_ports * addresses <= SERVICE_MAX_FRONTENDS && ranges <= SERVICE_MAX_FRONTENDS)
		return 0;
	s->n_external_ips = 0;
	if (ranges > SERVICE_MAX_FRONTENDS || s->n_ports * s->n_ingress > SERVICE_MAX_FRONTENDS)
		s->n_ingress = 0;
	reader_within(r, "spec");
	if (ranges > SERVICE_MAX_FRONTENDS)
		return reader_fail_at(r, "loadBalancerSourceRanges",
			"times ports and load balancer addresses are %zu, must be at most %d",
			ranges, SERVICE_MAX_FRONTENDS);
	return reader_fail_at(r, "ports", "times addresses are %zu, must be at most %d",
		s->n_ports * addresses, SERVICE_MAX_FRONTENDS);
}

int decode_service(struct reader *r, const struct decode_source *src, struct service *s,
	struct service_wish *ret_wish)
{
	static const char *const affinities[] = { "None", "ClientIP", NULL };
	static const char *const policies[] = { "Cluster", "Local", NULL };
	const struct key range_key = KEY("loadBalancerSourceRanges", 9);
	const struct key external_key = KEY("externalTrafficPolicy", 11);
	const struct key internal_key = KEY("internalTrafficPolicy", 22);
	const struct key affinity_key = KEY("sessionAffinity", 7);
	const struct key check_port = KEY("healthCheckNodePort", 12);
	const struct key not_ready = KEY("publishNotReadyAddresses", 13);
	struct reader_list external_ips = {
		.size = sizeof(struct ip), .max = SERVICE_MAX_ADDRESSES, .read = read_external_ip
	};
	struct reader_list ranges = { .size = sizeof(struct cidr),
		.max = SERVICE_MAX_SOURCE_RANGES,
		.read = reader_value_cidr };
	unsigned affinity = 0, external = 0, internal = 0;
	struct value spec = { 0 };
	int64_t port = 0;
	size_t mark;
	int e = read_service_metadata(r, &src->meta, s);

	e = e ?: reader_leave_out(r, reader_object(r, &src->root, KEY("spec", 2), &spec));
	mark = reader_enter(r, "spec");
	e = e ?: reader_leave_out(r, read_type(r, &spec, s, ret_wish));
	e = e ?: reader_leave_out(r, read_cluster_ips(r, &spec, s));
	e = e ?: reader_leave_out(r, read_ip_families(r, &spec, s, ret_wish));
	e = e ?: reader_leave_out(r, read_service_ports(r, &spec, s));

	e = e ?: reader_leave_out(r, reader_list(r, &spec, KEY("externalIPs", 5), &external_ips));
	s->external_ips = external_ips.items;
	s->n_external_ips = external_ips.n;
	e = e ?: reader_leave_out(r, reader_list(r, &spec, range_key, &ranges));
	s->source_ranges = ranges.items;
	/* Those within others admit nobody else. */
	s->n_source_ranges = cidrs_reduce(ranges.items, ranges.n);

	s->affinity_timeout = AFFINITY_TIMEOUT_DEFAULT;
	e = e
		?: reader_leave_out(
			   r, reader_word_or_empty(r, &spec, affinity_key, affinities, &affinity));
	s->affinity_client_ip = affinity == 1;
	e = e ?: reader_leave_out(r, read_affinity_timeout(r, &spec, s));

	e = e
		?: reader_leave_out(
			   r, reader_word_or_empty(r, &spec, external_key, policies, &external));
	s->external_local = external == 1;
	e = e ?: reader_leave_out(r, reader_word(r, &spec, internal_key, policies, &internal));
	s->internal_local = internal == 1;

	e = e ?: reader_leave_out(r, reader_int(r, &spec, check_port, 0, UINT16_MAX, &port));
	s->health_check_node_port = (uint16_t)port;
	e = e ?: reader_leave_out(r, reader_bool(r, &spec, not_ready, &s->publish_not_ready));
	reader_leave(r, mark);
	e = e ?: reader_leave_out(r, read_service_status(r, &src->root, s));
	return e ?: reader_leave_out(r, check_size(r, s));
}

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

static const char *family_word(int family)
{
	return family == AF_INET ? "IPv4" : "IPv6";
}

/* Metadata */

static int read_created(struct reader *r, const struct value *meta, struct service *s)
{
	int64_t us = 0;
	int e = decode_time(r, meta, KEY("creationTimestamp", 8), &us);

	s->created = us / 1000000;
	return e;
}

static bool is_scheduler(const char *s)
{
	size_t len = strlen(s);

	return len && len < SCHED_NAME_SIZE &&
		strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

static int read_scheduler_as(
	struct reader *r, const struct value *meta, const char *key, struct service *s)
{
	char quoted[QUOTE_SIZE];
	const char *text = NULL;
	int e = decode_annotation(r, meta, key, &text);

	if (e || !text)
		return e;
	if (!is_scheduler(text))
		return decode_annotation_fail(r, key,
			"is %s, must be the name of an IPVS scheduler such as rr or wlc",
			reader_quote(text, quoted));
	s->scheduler = arena_strdup(r->arena, text);
	return 0;
}

static int read_scheduler(struct reader *r, const struct value *meta, struct service *s)
{
	int e = reader_leave_out(r, read_scheduler_as(r, meta, "ipvsctl.io/scheduler", s));

	if (e || *s->scheduler)
		return e;
	return read_scheduler_as(r, meta, "kube-router.io/service.scheduler", s);
}

static int read_drain_timeout(struct reader *r, const struct value *meta, struct service *s)
{
	static const char key[] = "ipvsctl.io/drain-timeout";
	char quoted[QUOTE_SIZE];
	const char *text = NULL;
	int64_t ms;
	int e = decode_annotation(r, meta, key, &text);

	if (e || !text)
		return e;
	if (duration_parse(text, &ms) || ms < 0)
		return decode_annotation_fail(r, key,
			"is %s, must be a duration such as 90s or 1h30m",
			reader_quote(text, quoted));
	s->drain_timeout = ms;
	return 0;
}

static int read_other_proxy(struct reader *r, const struct value *meta, struct service *s)
{
	const char *other = NULL;
	int e = decode_label(r, meta, "service.kubernetes.io/service-proxy-name", &other);

	s->other_proxy = other; /* whatever its value is */
	return e;
}

static int read_cluster_dns(struct reader *r, const struct value *meta, struct service *s)
{
	const char *app = NULL;
	int e = decode_label(r, meta, "k8s-app", &app);

	s->cluster_dns = app && !strcmp(app, "kube-dns");
	return e;
}

static int read_uid(struct reader *r, const struct value *meta, struct service *s)
{
	size_t mark = reader_enter(r, "metadata");
	int e = reader_string(r, meta, KEY("uid", 5), &s->uid);

	reader_leave(r, mark);
	return e;
}

static int read_metadata(struct reader *r, const struct value *meta, struct service *s)
{
	int e = reader_leave_out(r, read_created(r, meta, s));

	e = e ? e : reader_leave_out(r, decode_resource_version(r, meta, &s->resource_version));
	e = e ? e : reader_leave_out(r, read_uid(r, meta, s));
	e = e ? e : reader_leave_out(r, read_other_proxy(r, meta, s));
	e = e ? e : reader_leave_out(r, read_cluster_dns(r, meta, s));
	e = e ? e : reader_leave_out(r, read_scheduler(r, meta, s));
	return e ? e : reader_leave_out(r, read_drain_timeout(r, meta, s));
}

/* Cluster IPs */

static bool is_none(const struct value *v)
{
	struct text text;

	return !value_text(v, &text) && text.len == 4 && !memcmp(text.s, "None", 4);
}

static int read_cluster_ip(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct service *s = arg;
	char text[IP_STRLEN];
	struct ip ip;
	int e;

	if (is_none(v)) {
		s->headless = true;
		return 0;
	}
	if (i >= ARRAY_SIZE(s->cluster_ips))
		return reader_fail(r, "is one too many: there can be one of each family");
	e = reader_value_ip(r, v, &ip);
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
static int read_single_cluster_ip(struct reader *r, const struct value *spec, struct service *s)
{
	struct value v = value_member(spec, KEY("clusterIP", 3));
	size_t mark;
	int e;

	if (!value_is_there(&v) || value_is_empty(&v))
		return 0;
	mark = reader_enter(r, "clusterIP");
	e = reader_leave_out(r, read_cluster_ip(r, &v, 0, s));
	reader_leave(r, mark);
	return e;
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

static int check_headless(struct reader *r, struct service *s)
{
	if (!s->headless || !s->n_cluster_ips)
		return 0;
	s->n_cluster_ips = 0;
	return reader_fail_at(r, "clusterIPs", "has both None and an address");
}

static int read_cluster_ips(struct reader *r, const struct value *spec, struct service *s)
{
	struct service single = { 0 };
	int e = read_single_cluster_ip(r, spec, &single);

	e = e ? e : reader_each(r, spec, KEY("clusterIPs", 18), read_cluster_ip, s);
	e = e ? e : check_headless(r, s);
	if (e)
		return e;
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

static int read_family(struct reader *r, const struct value *v, size_t i, void *arg)
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
		return reader_fail(r, "is there twice");
	if (i < s->n_cluster_ips && s->cluster_ips[i].family != family)
		return reader_fail(r, "is %s, but the cluster IP at this place is %s",
			family_word(family), ip_print(&s->cluster_ips[i], ip));
	list->wish->families[i] = (uint8_t)family;
	return 0;
}

static int read_families(struct reader *r, const struct value *spec, const struct service *s,
	struct service_wish *wish)
{
	static const char *const policies[] = { "SingleStack", "PreferDualStack",
		"RequireDualStack", NULL };
	struct family_list list = { .service = s, .wish = wish };
	unsigned policy = 0;
	int e = reader_each(r, spec, KEY("ipFamilies", 19), read_family, &list);

	e = e ? e : reader_word(r, spec, KEY("ipFamilyPolicy", 17), policies, &policy);
	wish->prefer_dual_stack = policy > 0;
	wish->require_dual_stack = policy > 1;
	return e;
}

/* Other addresses */

struct ip_list {
	struct ip *ips;
	size_t n;
};

static int read_external_ip(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct ip_list *list = arg;
	struct ip *ip = &list->ips[list->n];
	int e = reader_value_ip(r, v, ip);

	(void)i;
	e = e ? e : reader_check_host(r, ip);
	list->n += !e;
	return e;
}

static int read_external_ips(struct reader *r, const struct value *spec, struct service *s)
{
	const struct key key = KEY("externalIPs", 5);
	struct ip_list list = { 0 };
	int e;

	list.ips = arena_alloc(r->arena, value_count(spec, key), sizeof(*list.ips));
	e = reader_each(r, spec, key, read_external_ip, &list);
	s->external_ips = list.ips;
	s->n_external_ips = list.n;
	return e;
}

struct range_list {
	struct cidr *ranges;
	size_t n;
};

static int read_source_range(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct range_list *list = arg;
	int e = reader_value_cidr(r, v, &list->ranges[list->n]);

	(void)i;
	list->n += !e;
	return e;
}

static int read_source_ranges(struct reader *r, const struct value *spec, struct service *s)
{
	const struct key key = KEY("loadBalancerSourceRanges", 9);
	struct range_list list = { 0 };
	int e;

	list.ranges = arena_alloc(r->arena, value_count(spec, key), sizeof(*list.ranges));
	e = reader_each(r, spec, key, read_source_range, &list);
	s->source_ranges = list.ranges;
	s->n_source_ranges = list.n;
	return e;
}

struct ingress_list {
	struct ingress *entries;
	size_t n;
};

/*
 * The status is somebody else's: a load balancer that is on the host itself (minikube's tunnel
 * writes 127.0.0.1) is left out like one that has a host name only, not an error.
 */
static int read_ingress(struct reader *r, const struct value *v, size_t i, void *arg)
{
	static const char *const modes[] = { "VIP", "Proxy", NULL };
	const struct key ip = KEY("ip", 1);
	struct ingress_list *list = arg;
	struct ingress ingress = { 0 };
	struct value address;
	unsigned mode = 0;
	int e = reader_value_object(r, v);

	(void)i;
	address = e ? (struct value){ 0 } : value_member(v, ip);
	if (!e && value_is_empty(&address))
		return 0;
	e = e ? e : reader_ip(r, v, ip, &ingress.ip);
	e = e ? e : reader_word(r, v, KEY("ipMode", 3), modes, &mode);
	if (e || !ingress.ip.family || !reader_is_host(&ingress.ip))
		return e;
	ingress.proxy_mode = mode == 1;
	list->entries[list->n++] = ingress;
	return 0;
}

static int read_load_balancer(struct reader *r, const struct value *lb, struct service *s)
{
	const struct key key = KEY("ingress", 1);
	struct ingress_list list = { 0 };
	int e;

	list.entries = arena_alloc(r->arena, value_count(lb, key), sizeof(*list.entries));
	e = reader_each(r, lb, key, read_ingress, &list);
	s->ingress = list.entries;
	s->n_ingress = list.n;
	return e;
}

static int read_status(struct reader *r, const struct value *root, struct service *s)
{
	struct value status = { 0 }, lb = { 0 };
	size_t mark;
	int e = reader_object(r, root, KEY("status", 3), &status);

	if (e)
		return e;
	mark = reader_enter(r, "status");
	e = reader_object(r, &status, KEY("loadBalancer", 1), &lb);
	reader_enter(r, "loadBalancer");
	e = e ? e : read_load_balancer(r, &lb, s);
	reader_leave(r, mark);
	return e;
}

/* Policies */

static int read_affinity_timeout(struct reader *r, const struct value *spec, struct service *s)
{
	struct value config = { 0 }, client_ip = { 0 };
	int64_t timeout = AFFINITY_TIMEOUT_DEFAULT;
	size_t mark;
	int e = reader_object(r, spec, KEY("sessionAffinityConfig", 14), &config);

	s->affinity_timeout = AFFINITY_TIMEOUT_DEFAULT;
	if (e)
		return e;
	mark = reader_enter(r, "sessionAffinityConfig");
	e = reader_object(r, &config, KEY("clientIP", 1), &client_ip);
	reader_enter(r, "clientIP");
	e = e ? e
	      : reader_int(
			r, &client_ip, KEY("timeoutSeconds", 1), 1, AFFINITY_TIMEOUT_MAX, &timeout);
	reader_leave(r, mark);
	s->affinity_timeout = (uint32_t)timeout;
	return e;
}

static int read_affinity(struct reader *r, const struct value *spec, struct service *s)
{
	static const char *const words[] = { "None", "ClientIP", NULL };
	unsigned affinity = 0;
	int e = reader_leave_out(
		r, reader_word(r, spec, KEY("sessionAffinity", 7), words, &affinity));

	s->affinity_client_ip = affinity == 1;
	return e ? e : read_affinity_timeout(r, spec, s);
}

static int read_traffic_policy(
	struct reader *r, const struct value *spec, struct key key, bool *ret_local)
{
	static const char *const words[] = { "Cluster", "Local", NULL };
	unsigned policy = 0;
	int e = reader_word(r, spec, key, words, &policy);

	*ret_local = policy == 1;
	return e;
}

static int read_traffic_policies(struct reader *r, const struct value *spec, struct service *s)
{
	int e = reader_leave_out(r,
		read_traffic_policy(r, spec, KEY("externalTrafficPolicy", 11), &s->external_local));

	return e ? e
		 : read_traffic_policy(
			   r, spec, KEY("internalTrafficPolicy", 22), &s->internal_local);
}

static int read_health_check(struct reader *r, const struct value *spec, struct service *s)
{
	int64_t port = 0;
	int e = reader_int(r, spec, KEY("healthCheckNodePort", 12), 0, UINT16_MAX, &port);

	s->health_check_node_port = (uint16_t)port;
	return e;
}

static int read_not_ready(struct reader *r, const struct value *spec, struct service *s)
{
	return reader_bool(r, spec, KEY("publishNotReadyAddresses", 13), &s->publish_not_ready);
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
	int e = reader_word(r, spec, KEY("type", 4), words, &type);

	e = e ? e : reader_bool(r, spec, KEY("allocateLoadBalancerNodePorts", 20), &allocate);
	s->type = (enum service_type)type;
	wish->node_ports =
		s->type == SERVICE_NODE_PORT || (s->type == SERVICE_LOAD_BALANCER && allocate);
	return e;
}

static int read_spec(
	struct reader *r, const struct value *spec, struct service *s, struct service_wish *wish)
{
	static int (*const parts[])(struct reader * r, const struct value *spec,
		struct service *s) = { decode_service_ports, read_external_ips, read_source_ranges,
		read_affinity, read_traffic_policies, read_health_check, read_not_ready };
	int e = reader_leave_out(r, read_type(r, spec, s, wish));

	e = e ? e : reader_leave_out(r, read_cluster_ips(r, spec, s));
	e = e ? e : reader_leave_out(r, read_families(r, spec, s, wish));
	for (size_t i = 0; !e && i < ARRAY_SIZE(parts); i++)
		e = reader_leave_out(r, parts[i](r, spec, s));
	return e;
}

int decode_service(struct reader *r, const struct decode_source *src, struct service *s,
	struct service_wish *ret_wish)
{
	struct value spec = { 0 };
	size_t mark;
	int e = read_metadata(r, &src->meta, s);

	e = e ? e : reader_leave_out(r, reader_object(r, &src->root, KEY("spec", 2), &spec));
	if (e)
		return e;
	mark = reader_enter(r, "spec");
	e = read_spec(r, &spec, s, ret_wish);
	reader_leave(r, mark);
	return e ? e : reader_leave_out(r, read_status(r, &src->root, s));
}

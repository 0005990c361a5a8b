// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/explain.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/health_checks.h"
#include "core/publication.h"
#include "core/resolve.h"
#include "explain_port.h"
#include "report_service.h"

/* Which Services */

static bool same_port(const struct explain_query *q, const struct service_port *port)
{
	if (q->proto && q->proto != port->proto)
		return false;
	if (*q->port_name)
		return !strcmp(q->port_name, port->name);
	return !q->port || q->port == port->port || q->port == port->node_port;
}

static bool claims(const struct explain_query *q, const struct slot *slot, uint8_t proto,
	const struct node_view *view)
{
	const struct frontend at = { .kind = FRONTEND_CLUSTER_IP, .ip = q->ip, .port = q->port };
	const struct frontend port = { .kind = FRONTEND_NODE_PORT, .ip = q->ip, .port = q->port };
	const struct fact_key key = resolve_frontend_key(view, &at, proto);
	const struct fact_key node = resolve_frontend_key(view, &port, proto);

	return publication_claims(slot->published, &key) ||
		(node_view_is_nodeport_address(view, &q->ip) &&
			publication_claims(slot->published, &node));
}

/* By address only the facts tell: what a Service answers on is what it wants. */
static bool answers(
	const struct explain_query *q, const struct slot *slot, const struct node_view *view)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };

	if (*q->name)
		return !strcmp(slot->service->ns, q->ns) && !strcmp(slot->service->name, q->name);
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
		if ((!q->proto || q->proto == protos[i]) && claims(q, slot, protos[i], view))
			return true;
	}
	return false;
}

static int cmp_slot(const void *a, const void *b)
{
	const struct slot *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void find_slots(struct explainer *x)
{
	x->slots = mem_zalloc(x->in->store->n_services, sizeof(*x->slots));
	map_for_each_entry(const struct slot, slot, &x->in->store->slots, by_name)
		if (slot->service)
			x->slots[x->n_slots++] = slot;
	if (x->n_slots)
		qsort(x->slots, x->n_slots, sizeof(*x->slots), cmp_slot);
}

/* One Service */

static json_t *health_check_json(const struct explainer *x, const struct slot *slot)
{
	const struct service *s = slot->service;
	struct health_check_list l = { 0 };
	json_int_t ready = 0;

	if (!service_has_health_check(s))
		return json_null();
	for (size_t f = 0; f < 2; f++) {
		if (!node_view_serves(x->in->view, f ? AF_INET6 : AF_INET))
			continue;
		health_checks_list(x->in->store, x->in->view, f ? AF_INET6 : AF_INET, &l);
		for (size_t i = 0; i < l.n; i++)
			if (!strcmp(l.checks[i].ns, s->ns) && !strcmp(l.checks[i].name, s->name))
				ready += l.checks[i].local_ready;
	}
	health_checks_done(&l);
	return json_pack(
		"{s:i, s:I}", "port", (int)s->health_check_node_port, "localEndpoints", ready);
}

static json_t *ranges_json(const struct service *s)
{
	json_t *ret = json_array();
	char text[CIDR_STRLEN];

	for (size_t i = 0; i < s->n_source_ranges; i++)
		json_array_append_new(ret, json_string(cidr_print(&s->source_ranges[i], text)));
	return ret;
}

static int64_t drain_timeout(const struct explainer *x, const struct service *s)
{
	return s->drain_timeout >= 0 ? s->drain_timeout : x->in->view->options->drain_timeout;
}

static void add_ports(const struct explainer *x, const struct slot *slot,
	const struct served_ports *served, const json_t *all, json_t *some)
{
	for (size_t i = 0; i < json_array_size(all); i++) {
		const struct service_port *port = &slot->service->ports[i];
		json_t *report = json_array_get(all, i);
		bool shown = *x->query->name ? same_port(x->query, port)
					     : !x->query->proto || port->proto == x->query->proto;

		if (shown && (explain_port(x, served, port, report) || *x->query->name))
			json_array_append(some, report);
	}
}

static json_t *service_json(const struct explainer *x, const struct slot *slot)
{
	const struct service *s = slot->service;
	_cleanup_(served_ports_done) struct served_ports served = { 0 };
	struct report_sums sums = { 0 };
	json_t *ret = report_service(x->in, slot, &served, &sums), *ports = json_array();

	add_ports(x, slot, &served, json_object_get(ret, "ports"), ports);
	json_object_set_new(ret, "ports", ports);
	json_object_set_new(
		ret, "internalTrafficPolicy", json_string(s->internal_local ? "Local" : "Cluster"));
	json_object_set_new(ret, "externalTrafficPolicy",
		json_string(service_external_local(s) ? "Local" : "Cluster"));
	json_object_set_new(ret, "loadBalancerSourceRanges", ranges_json(s));
	json_object_set_new(ret, "drainTimeoutMs", json_integer(drain_timeout(x, s)));
	json_object_set_new(ret, "healthCheck", health_check_json(x, slot));
	return ret;
}

/* Why nothing was found */

static void __attribute__((format(printf, 2, 3))) note(json_t *notes, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) >= 0)
		json_array_append_new(notes, json_string(text));
	va_end(ap);
}

static bool names_address(const struct service *s, const struct ip *ip)
{
	bool yes = false;

	for (size_t i = 0; i < s->n_cluster_ips; i++)
		yes = yes || ip_eq(&s->cluster_ips[i], ip);
	for (size_t i = 0; i < s->n_external_ips; i++)
		yes = yes || ip_eq(&s->external_ips[i], ip);
	for (size_t i = 0; i < s->n_ingress; i++)
		yes = yes || ip_eq(&s->ingress[i].ip, ip);
	return yes;
}

static bool by_proxy(const struct service *s, const struct ip *ip)
{
	for (size_t i = 0; i < s->n_ingress; i++)
		if (ip_eq(&s->ingress[i].ip, ip))
			return s->ingress[i].proxy_mode;
	return false;
}

static void note_ports(const struct service *s, json_t *notes)
{
	_cleanup_(buf_done) struct buf b = { 0 };

	for (size_t i = 0; i < s->n_ports; i++)
		buf_addf(&b, "%s%u/%s%s%s%s", i ? ", " : "", s->ports[i].port,
			proto_name(s->ports[i].proto), *s->ports[i].name ? " (" : "",
			s->ports[i].name, *s->ports[i].name ? ")" : "");
	note(notes, "Service %s/%s has no such port; it has: %s", s->ns, s->name,
		b.len ? buf_str(&b) : "none");
}

static void note_address_of(const struct explainer *x, const struct service *s, json_t *notes)
{
	const char *why = service_not_proxied(s);

	if (*why)
		note(notes, "Service %s/%s has this address and is not proxied: %s", s->ns, s->name,
			why);
	else if (!node_view_serves(x->in->view, x->query->ip.family))
		note(notes, "Service %s/%s has this address, and this node does not serve %s",
			s->ns, s->name, family_name(x->query->ip.family));
	else if (by_proxy(s, &x->query->ip))
		note(notes,
			"Service %s/%s has this address with ipMode Proxy: the load balancer itself "
			"delivers to it",
			s->ns, s->name);
	else
		note_ports(s, notes);
}

static void note_node_port(const struct explainer *x, const struct service *s, json_t *notes)
{
	const struct explain_query *q = x->query;

	for (size_t i = 0; i < s->n_ports; i++) {
		if (!q->port || s->ports[i].node_port != q->port)
			continue;
		if (q->proto && s->ports[i].proto != q->proto)
			note(notes, "Service %s/%s has this node port for %s only", s->ns, s->name,
				proto_name(s->ports[i].proto));
		else if (!node_view_is_nodeport_address(x->in->view, &q->ip))
			note(notes,
				"Service %s/%s has this node port, which stands on the addresses "
				"of --nodeport-addresses only",
				s->ns, s->name);
	}
}

static bool has_endpoint(const struct slot *slot, const struct ip *ip)
{
	list_for_each_entry(const struct slot_slice, it, &slot->slices, link) {
		const struct slice *slice = it->slice;

		for (size_t i = 0; i < slice->n_subsets; i++)
			for (size_t j = 0; j < slice->subsets[i].n_endpoints; j++)
				if (ip_eq(&slice->subsets[i].endpoints[j].ip, ip))
					return true;
	}
	return false;
}

static void note_foreign(const struct explainer *x, json_t *notes)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP };
	struct fact_state state;

	for (size_t i = 0; i < ARRAY_SIZE(protos); i++) {
		const struct fact vs = fact_vs(&x->query->ip, x->query->port, protos[i]);

		if (ledger_state(x->walk.ledger, &vs.key, &state) && state.foreign)
			note(notes,
				"somebody else made a virtual server for it (%s), which is "
				"never touched",
				proto_name(protos[i]));
	}
}

static void note_address(const struct explainer *x, json_t *notes)
{
	const struct ip *ip = &x->query->ip;

	note_foreign(x, notes);
	for (size_t i = 0; i < x->n_slots; i++) {
		const struct service *s = x->slots[i]->service;

		if (names_address(s, ip))
			note_address_of(x, s, notes);
		else if (node_view_is_local(x->in->view, ip))
			note_node_port(x, s, notes);
		if (has_endpoint(x->slots[i], ip))
			note(notes,
				"it is the address of an endpoint of Service %s/%s: packets go there "
				"directly",
				s->ns, s->name);
	}
	if (json_array_size(notes))
		return;
	if (node_view_is_local(x->in->view, ip))
		note(notes, "it is an address of this node, and no Service has that node port");
	else
		note(notes,
			"no Service that this node knows has this address: packets to it are "
			"routed as any other");
}

static void note_service(const struct explainer *x, json_t *notes)
{
	const struct explain_query *q = x->query;
	const struct slot *slot = store_find(x->in->store, q->ns, q->name);

	if (slot && slot->service)
		note_ports(slot->service, notes);
	else if (slot)
		note(notes, "there are endpoints for %s/%s, and no such Service", q->ns, q->name);
	else
		note(notes, "no Service %s/%s", q->ns, q->name);
}

static void note_pods(const struct node_view *view, const json_t *services, json_t *notes)
{
	bool told = explain_tells_pods(view, AF_INET) || explain_tells_pods(view, AF_INET6);

	for (size_t i = 0; !told && i < json_array_size(services); i++) {
		if (!json_array_size(json_object_get(json_array_get(services, i), "ports")))
			continue;
		note(notes,
			"pods cannot be told from what comes from outside: give --cluster-cidr "
			"or another --detect-local-mode");
		told = true;
	}
}

static void explainer_done(struct explainer *x)
{
	walk_done(&x->walk);
	free(x->slots);
}

/* Of a Service that is not proxied there are no ports to tell. */
static bool found(const json_t *service)
{
	return json_array_size(json_object_get(service, "ports")) ||
		!strcmp(json_string_value(json_object_get(service, "state")), "NotProxied");
}

json_t *explain(const struct report_input *in, const struct explain_query *q)
{
	_cleanup_(explainer_done) struct explainer x = { .in = in, .query = q };
	json_t *services = json_array(), *notes = json_array();

	walk_init(&x.walk, engine_ledger(in->engine), engine_rules(in->engine), in->view);
	find_slots(&x);
	for (size_t i = 0; i < x.n_slots; i++) {
		json_t *s = answers(q, x.slots[i], in->view) ? service_json(&x, x.slots[i]) : NULL;

		if (s && found(s))
			json_array_append(services, s);
		json_decref(s);
	}
	if (json_array_size(services)) {
		note_pods(in->view, services, notes);
	} else {
		if (*q->name)
			note_service(&x, notes);
		else
			note_address(&x, notes);
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "apiVersion", "ipvsctl.io/v1",
		"kind", "Explanation", "source", in->dry ? "manifests" : "daemon", "node",
		in->view->options->node_name, "backend", in->backend, "services", services, "notes",
		notes);
}

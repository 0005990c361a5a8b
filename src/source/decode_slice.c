// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "decode_kinds.h"
#include "timestamp.h"

struct endpoint_list {
	struct endpoint *endpoints;
	size_t n;
	int family; /* AF_*; 0: both */
	bool ready; /* of Endpoints: which of its two lists */
};

struct port_list {
	struct endpoint_port *ports;
	size_t n;
	bool required; /* the number */
};

/* What Endpoints and EndpointSlices share */

static int read_metadata(struct reader *r, const json_t *root, struct slice *s)
{
	const char *triggered = "";
	int e = decode_weight(r, root, &s->weight);

	e = e ? e : decode_resource_version(r, root, &s->resource_version);
	e = e ? e
	      : decode_annotation(
			r, root, "endpoints.kubernetes.io/last-change-trigger-time", &triggered);
	/* It only serves to measure latency: one that cannot be read is none. */
	if (!e && timestamp_parse(triggered, &s->trigger_time))
		s->trigger_time = 0;
	return e;
}

static int read_port(struct reader *r, const json_t *value, size_t i, void *arg)
{
	struct port_list *list = arg;
	struct endpoint_port port = { .name = "" };
	int64_t number = 0;
	size_t mark;
	int e = reader_value_object(r, value);

	(void)i;
	e = e ? e : reader_string(r, value, "name", &port.name);
	e = e ? e : decode_protocol(r, value, &port.proto);
	e = e ? e : reader_int(r, value, "port", 1, UINT16_MAX, &number);
	if (e)
		return e;
	mark = reader_enter(r, "name");
	e = reader_check_port_name(r, port.name);
	reader_leave(r, mark);
	if (!e && !number && list->required)
		e = reader_fail_at(r, "port", "is missing");
	port.port = (uint16_t)number;
	/* In a slice no number means all ports, which no proxy implements (pkg/proxy). */
	if (!e && number)
		list->ports[list->n++] = port;
	return e;
}

static int read_ports(struct reader *r, const json_t *obj, bool required, struct subset *ret)
{
	struct port_list list = { .required = required };
	int e;

	list.ports = arena_alloc(r->arena, reader_count(obj, "ports"), sizeof(*list.ports));
	e = reader_each(r, obj, "ports", read_port, &list);
	ret->ports = list.ports;
	ret->n_ports = list.n;
	return e;
}

static int read_node_name(struct reader *r, const json_t *obj, struct endpoint *ep)
{
	size_t mark;
	int e = reader_string(r, obj, "nodeName", &ep->node_name);

	if (e || !*ep->node_name)
		return e;
	mark = reader_enter(r, "nodeName");
	e = reader_check_name(r, ep->node_name);
	reader_leave(r, mark);
	return e;
}

/* EndpointSlice */

static int read_conditions(struct reader *r, const json_t *obj, struct endpoint *ep)
{
	const json_t *conditions = NULL;
	int e = reader_object(r, obj, "conditions", &conditions);
	size_t mark = reader_enter(r, "conditions");

	ep->ready = ep->serving = true;
	e = e ? e : reader_bool(r, conditions, "ready", &ep->ready);
	e = e ? e : reader_bool(r, conditions, "serving", &ep->serving);
	e = e ? e : reader_bool(r, conditions, "terminating", &ep->terminating);
	reader_leave(r, mark);
	return e;
}

static int read_hint(struct reader *r, const json_t *value, size_t i, void *arg)
{
	const char **names = arg;
	int e = reader_value_object(r, value);

	names[i] = NULL;
	e = e ? e : reader_string(r, value, "name", &names[i]);
	if (!e && !names[i])
		e = reader_fail_at(r, "name", "is missing");
	return e;
}

static int read_hint_list(struct reader *r, const json_t *hints, const char *key,
	const char *const **ret, size_t *ret_n)
{
	size_t n = reader_count(hints, key);
	const char **names = arena_alloc(r->arena, n, sizeof(*names));
	int e = reader_each(r, hints, key, read_hint, names);

	if (!e) {
		*ret = names;
		*ret_n = n;
	}
	return e;
}

static int read_hints(struct reader *r, const json_t *obj, struct endpoint *ep)
{
	const json_t *hints = NULL;
	int e = reader_object(r, obj, "hints", &hints);
	size_t mark = reader_enter(r, "hints");

	e = e ? e : read_hint_list(r, hints, "forZones", &ep->zone_hints, &ep->n_zone_hints);
	e = e ? e : read_hint_list(r, hints, "forNodes", &ep->node_hints, &ep->n_node_hints);
	reader_leave(r, mark);
	return e;
}

/* Whoever writes slices gives an endpoint one address; of more only the first one counts. */
static int read_first_address(struct reader *r, const json_t *value, size_t i, void *arg)
{
	struct endpoint_list *list = arg;
	struct ip *ip = &list->endpoints[list->n].ip;
	char text[IP_STRLEN];
	int e;

	if (i)
		return 0;
	e = reader_value_ip(r, value, ip);
	if (!e && ip->family != list->family)
		e = reader_fail(r, "is %s, but addressType is %s", ip_print(ip, text),
			list->family == AF_INET ? "IPv4" : "IPv6");
	return e ? e : reader_check_host(r, ip);
}

static int read_endpoint(struct reader *r, const json_t *value, size_t i, void *arg)
{
	struct endpoint_list *list = arg;
	struct endpoint *ep = &list->endpoints[list->n];
	int e = reader_value_object(r, value);

	(void)i;
	ep->node_name = "";
	if (!e && !reader_count(value, "addresses"))
		e = reader_fail_at(r, "addresses", "must be a list of one address");
	e = e ? e : reader_each(r, value, "addresses", read_first_address, list);
	e = e ? e : read_node_name(r, value, ep);
	e = e ? e : read_conditions(r, value, ep);
	e = e ? e : read_hints(r, value, ep);
	list->n++;
	return e;
}

static int read_address_type(struct reader *r, const json_t *root, int *ret_family)
{
	static const char *const types[] = { "IPv4", "IPv6", "FQDN", NULL };
	unsigned type = UINT32_MAX;
	int e = reader_word(r, root, "addressType", types, &type);

	if (e)
		return e;
	if (type == UINT32_MAX)
		return reader_fail_at(r, "addressType", "is missing");
	if (type == 2) {
		reader_fail_at(r, "addressType", "is FQDN: only IP addresses can be proxied to");
		return -ENOTSUP;
	}
	*ret_family = type ? AF_INET6 : AF_INET;
	return 0;
}

static int read_service_label(struct reader *r, const json_t *root, struct slice *s)
{
	static const char key[] = "kubernetes.io/service-name";
	const char *name = "";
	size_t mark;
	int e = decode_label(r, root, key, &name);

	if (e)
		return e;
	mark = reader_enter(r, "metadata");
	reader_enter(r, "labels");
	reader_enter_name(r, key);
	e = *name ? reader_check_name(r, name)
		  : reader_fail(r, "is missing: it names the Service of the slice");
	reader_leave(r, mark);
	s->service = arena_strdup(r->arena, name);
	return e;
}

int decode_endpoint_slice(struct reader *r, const json_t *root, struct slice *s)
{
	struct subset *subset = arena_alloc(r->arena, 1, sizeof(*subset));
	struct endpoint_list list = { 0 };
	int e = read_address_type(r, root, &list.family);

	s->kind = SLICE_ENDPOINT_SLICE;
	e = e ? e : read_service_label(r, root, s);
	e = e ? e : read_metadata(r, root, s);
	e = e ? e : read_ports(r, root, false, subset);
	if (e)
		return e;
	list.endpoints =
		arena_alloc(r->arena, reader_count(root, "endpoints"), sizeof(*list.endpoints));
	e = reader_each(r, root, "endpoints", read_endpoint, &list);
	subset->endpoints = list.endpoints;
	subset->n_endpoints = list.n;
	s->subsets = subset;
	s->n_subsets = 1;
	return e;
}

/* Endpoints */

static int read_address(struct reader *r, const json_t *value, size_t i, void *arg)
{
	struct endpoint_list *list = arg;
	struct endpoint *ep = &list->endpoints[list->n++];
	size_t mark;
	int e = reader_value_object(r, value);

	(void)i;
	/* As the controller that mirrors them into slices writes it: `ready` only. */
	*ep = (struct endpoint){ .node_name = "", .ready = list->ready, .serving = true };
	e = e ? e : reader_ip(r, value, "ip", &ep->ip);
	if (!e && !ep->ip.family)
		e = reader_fail_at(r, "ip", "is missing");
	if (e)
		return e;
	mark = reader_enter(r, "ip");
	e = reader_check_host(r, &ep->ip);
	reader_leave(r, mark);
	return e ? e : read_node_name(r, value, ep);
}

static int read_subset(struct reader *r, const json_t *value, size_t i, void *arg)
{
	struct subset *subset = (struct subset *)arg + i;
	struct endpoint_list list = { .ready = true };
	int e = reader_value_object(r, value);

	e = e ? e : read_ports(r, value, true, subset);
	if (e)
		return e;
	list.endpoints = arena_alloc(r->arena,
		reader_count(value, "addresses") + reader_count(value, "notReadyAddresses"),
		sizeof(*list.endpoints));
	e = reader_each(r, value, "addresses", read_address, &list);
	list.ready = false;
	e = e ? e : reader_each(r, value, "notReadyAddresses", read_address, &list);
	subset->endpoints = list.endpoints;
	subset->n_endpoints = list.n;
	return e;
}

int decode_endpoints(struct reader *r, const json_t *root, struct slice *s)
{
	size_t n = reader_count(root, "subsets");
	struct subset *subsets = arena_alloc(r->arena, n, sizeof(*subsets));
	int e = read_metadata(r, root, s);

	s->kind = SLICE_ENDPOINTS;
	s->service = s->name;
	s->subsets = subsets;
	s->n_subsets = n;
	return e ? e : reader_each(r, root, "subsets", read_subset, subsets);
}

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
	int family; /* AF_*, of an EndpointSlice */
	bool ready; /* of Endpoints: which of its two lists */
};

struct port_list {
	struct endpoint_port *ports;
	size_t n;
	struct key protocol, port; /* whose numbers differ */
	bool required;		   /* the number */
};

/* What Endpoints and EndpointSlices share */

/* It only serves to measure latency: one that cannot be read is none. */
static int read_trigger_time(struct reader *r, const struct value *meta, struct slice *s)
{
	const char *text = "";
	int e = decode_annotation(
		r, meta, "endpoints.kubernetes.io/last-change-trigger-time", &text);

	if (!e && timestamp_parse(text, &s->trigger_time))
		s->trigger_time = 0;
	return e;
}

static int read_metadata(struct reader *r, const struct value *meta, struct slice *s)
{
	int e = reader_leave_out(r, decode_weight(r, meta, &s->weight));

	e = e ? e : reader_leave_out(r, decode_resource_version(r, meta, &s->resource_version));
	return e ? e : reader_leave_out(r, read_trigger_time(r, meta, s));
}

static int read_port(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct port_list *list = arg;
	struct endpoint_port port = { .name = "" };
	int64_t number = 0;
	size_t mark;
	int e = reader_value_object(r, v);

	(void)i;
	e = e ? e : reader_string(r, v, KEY("name", 1), &port.name);
	e = e ? e : decode_protocol(r, v, list->protocol, &port.proto);
	e = e ? e : reader_int(r, v, list->port, 1, UINT16_MAX, &number);
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

static int read_ports(struct reader *r, const struct value *obj, struct key key,
	struct port_list *list, struct subset *ret)
{
	int e;

	list->ports = arena_alloc(r->arena, value_count(obj, key), sizeof(*list->ports));
	e = reader_leave_out(r, reader_each(r, obj, key, read_port, list));
	ret->ports = list->ports;
	ret->n_ports = list->n;
	return e;
}

static int read_node_name(
	struct reader *r, const struct value *obj, struct key key, struct endpoint *ep)
{
	size_t mark;
	int e = reader_string(r, obj, key, &ep->node_name);

	if (e || !*ep->node_name)
		return e;
	mark = reader_enter(r, key.name);
	e = reader_check_name(r, ep->node_name);
	reader_leave(r, mark);
	return e;
}

/* EndpointSlice */

static int read_conditions(struct reader *r, const struct value *obj, struct endpoint *ep)
{
	struct value conditions = { 0 };
	int e = reader_object(r, obj, KEY("conditions", 2), &conditions);
	size_t mark = reader_enter(r, "conditions");

	ep->ready = ep->serving = true;
	e = e ? e : reader_bool(r, &conditions, KEY("ready", 1), &ep->ready);
	e = e ? e : reader_bool(r, &conditions, KEY("serving", 2), &ep->serving);
	e = e ? e : reader_bool(r, &conditions, KEY("terminating", 3), &ep->terminating);
	reader_leave(r, mark);
	return e;
}

struct hint_list {
	const char **names;
	size_t n;
};

static int read_hint(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct hint_list *list = arg;
	const char *name = NULL;
	int e = reader_value_object(r, v);

	(void)i;
	e = e ? e : reader_string(r, v, KEY("name", 1), &name);
	if (!e && !name)
		e = reader_fail_at(r, "name", "is missing");
	if (!e)
		list->names[list->n++] = name;
	return e;
}

static int read_hint_list(struct reader *r, const struct value *hints, struct key key,
	const char *const **ret, size_t *ret_n)
{
	struct hint_list list = { 0 };
	int e;

	list.names = arena_alloc(r->arena, value_count(hints, key), sizeof(const char *));
	e = reader_each(r, hints, key, read_hint, &list);
	*ret = list.names;
	*ret_n = list.n;
	return e;
}

static int read_hints(struct reader *r, const struct value *obj, struct endpoint *ep)
{
	struct value hints = { 0 };
	int e = reader_object(r, obj, KEY("hints", 8), &hints);
	size_t mark;

	if (e || !value_is_there(&hints))
		return e;
	mark = reader_enter(r, "hints");
	e = read_hint_list(r, &hints, KEY("forZones", 1), &ep->zone_hints, &ep->n_zone_hints);
	e = e ? e
	      : read_hint_list(r, &hints, KEY("forNodes", 2), &ep->node_hints, &ep->n_node_hints);
	reader_leave(r, mark);
	return e;
}

/* Whoever writes slices gives an endpoint one address; of more only the first one counts. */
static int read_first_address(struct reader *r, const struct value *v, int family, struct ip *ret)
{
	const struct key key = KEY("addresses", 1);
	char text[IP_STRLEN];
	struct value_list list;
	struct value first;
	size_t mark;
	int e = value_list(v, key, &list);

	if (e || !value_list_next(&list, &first))
		return reader_fail_at(r, key.name, "must be a list of one address");
	mark = reader_enter(r, key.name);
	reader_enter_index(r, 0);
	e = reader_value_ip(r, &first, ret);
	if (!e && ret->family != family)
		e = reader_fail(r, "is %s, but addressType is %s", ip_print(ret, text),
			family == AF_INET ? "IPv4" : "IPv6");
	e = e ? e : reader_check_host(r, ret);
	reader_leave(r, mark);
	return e;
}

static int read_endpoint(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct endpoint_list *list = arg;
	struct endpoint *ep = &list->endpoints[list->n];
	int e = reader_value_object(r, v);

	(void)i;
	*ep = (struct endpoint){ .node_name = "" };
	e = e ? e : read_first_address(r, v, list->family, &ep->ip);
	e = e ? e : read_node_name(r, v, KEY("nodeName", 6), ep);
	e = e ? e : read_conditions(r, v, ep);
	e = e ? e : read_hints(r, v, ep);
	list->n += !e;
	return e;
}

static int read_address_type(struct reader *r, const struct value *root, int *ret_family)
{
	static const char *const types[] = { "IPv4", "IPv6", "FQDN", NULL };
	unsigned type = UINT32_MAX;
	int e = reader_word(r, root, KEY("addressType", 4), types, &type);

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

/* A server takes slices without the label; no proxy has a use for them. */
static int read_service_label(struct reader *r, const struct value *meta, struct slice *s)
{
	static const char key[] = "kubernetes.io/service-name";
	const char *name = "";
	size_t mark;
	int e = decode_label(r, meta, key, &name);

	if (e)
		return e;
	mark = reader_enter(r, "metadata");
	reader_enter(r, "labels");
	reader_enter_name(r, key);
	e = *name ? reader_check_name(r, name)
		  : reader_fail(r, "is missing: it names the Service of the slice");
	reader_leave(r, mark);
	s->service = arena_strdup(r->arena, name);
	return !*name && r->lenient ? -ENOTSUP : e;
}

static int read_endpoints(
	struct reader *r, const struct value *root, int family, struct subset *subset)
{
	const struct key key = KEY("endpoints", 2);
	struct endpoint_list list = { .family = family };
	int e;

	list.endpoints = arena_alloc(r->arena, value_count(root, key), sizeof(*list.endpoints));
	e = reader_leave_out(r, reader_each(r, root, key, read_endpoint, &list));
	subset->endpoints = list.endpoints;
	subset->n_endpoints = list.n;
	return e;
}

int decode_endpoint_slice(struct reader *r, const struct decode_source *src, struct slice *s)
{
	struct subset *subset = arena_alloc(r->arena, 1, sizeof(*subset));
	struct port_list ports = { .protocol = KEY("protocol", 2), .port = KEY("port", 3) };
	int family = 0, e = read_address_type(r, &src->root, &family);

	s->kind = SLICE_ENDPOINT_SLICE;
	s->subsets = subset;
	s->n_subsets = 1;
	e = e ? e : read_service_label(r, &src->meta, s);
	e = e ? e : read_metadata(r, &src->meta, s);
	e = e ? e : read_ports(r, &src->root, KEY("ports", 3), &ports, subset);
	return e ? e : read_endpoints(r, &src->root, family, subset);
}

/* Endpoints */

static int read_address(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct endpoint_list *list = arg;
	struct endpoint *ep = &list->endpoints[list->n];
	size_t mark;
	int e = reader_value_object(r, v);

	(void)i;
	/* As the controller that mirrors them into slices writes it: `ready` only. */
	*ep = (struct endpoint){ .node_name = "", .ready = list->ready, .serving = true };
	e = e ? e : reader_ip(r, v, KEY("ip", 1), &ep->ip);
	if (!e && !ep->ip.family)
		e = reader_fail_at(r, "ip", "is missing");
	if (e)
		return e;
	mark = reader_enter(r, "ip");
	e = reader_check_host(r, &ep->ip);
	reader_leave(r, mark);
	e = e ? e : read_node_name(r, v, KEY("nodeName", 4), ep);
	list->n += !e;
	return e;
}

static int read_addresses(struct reader *r, const struct value *v, struct subset *subset)
{
	const struct key ready = KEY("addresses", 1), not_ready = KEY("notReadyAddresses", 2);
	struct endpoint_list list = { .ready = true };
	int e;

	list.endpoints = arena_alloc(r->arena, value_count(v, ready) + value_count(v, not_ready),
		sizeof(*list.endpoints));
	e = reader_each(r, v, ready, read_address, &list);
	list.ready = false;
	e = e ? e : reader_each(r, v, not_ready, read_address, &list);
	subset->endpoints = list.endpoints;
	subset->n_endpoints = list.n;
	return e;
}

struct subset_list {
	struct subset *subsets;
	size_t n;
};

static int read_subset(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct subset_list *list = arg;
	struct port_list ports = {
		.protocol = KEY("protocol", 3), .port = KEY("port", 2), .required = true
	};
	struct subset *subset = &list->subsets[list->n];
	int e = reader_value_object(r, v);

	(void)i;
	e = e ? e : read_ports(r, v, KEY("ports", 3), &ports, subset);
	e = e ? e : read_addresses(r, v, subset);
	list->n += !e;
	return e;
}

int decode_endpoints(struct reader *r, const struct decode_source *src, struct slice *s)
{
	const struct key key = KEY("subsets", 2);
	struct subset_list list = { 0 };
	int e = read_metadata(r, &src->meta, s);

	s->kind = SLICE_ENDPOINTS;
	s->service = s->name;
	list.subsets = arena_alloc(r->arena, value_count(&src->root, key), sizeof(*list.subsets));
	e = e ? e : reader_leave_out(r, reader_each(r, &src->root, key, read_subset, &list));
	s->subsets = list.subsets;
	s->n_subsets = list.n;
	return e;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "decode_kinds.h"
#include "timestamp.h"

/* Parts of both Endpoints and EndpointSlice */

static int read_slice_metadata(struct reader *r, const struct value *meta, struct slice *s)
{
	static const char trigger_key[] = "endpoints.kubernetes.io/last-change-trigger-time";
	const struct key version = KEY("resourceVersion", 6);
	const char *trigger = "";
	int e = reader_leave_out(r, decode_weight(r, meta, &s->weight));

	e = e ?: reader_leave_out(r, reader_string(r, meta, version, &s->resource_version));

	/* The time only serves to measure latency: one that cannot be read counts as absent. */
	e = e
		?: reader_leave_out(
			   r, reader_entry(r, meta, META_ANNOTATIONS, trigger_key, &trigger));
	if (!e && timestamp_parse(trigger, &s->trigger_time))
		s->trigger_time = 0;
	return e;
}

struct port_keys {
	struct key protocol, port; /* whose numbers differ */
	bool required;		   /* the port's number */
};

static int read_endpoint_port(struct reader *r, const struct value *v, void *item, const void *arg)
{
	const struct port_keys *keys = arg;
	struct endpoint_port *port = item;
	int64_t number = 0;
	int e = reader_value_object(r, v);

	port->name = "";
	e = e ?: reader_string(r, v, KEY("name", 1), &port->name);
	e = e ?: decode_protocol(r, v, keys->protocol, &port->proto);
	e = e ?: reader_int(r, v, keys->port, 1, UINT16_MAX, &number);
	e = e ?: decode_check_port_name(r, port->name);
	if (!e && !number && keys->required)
		e = reader_fail_at(r, "port", "is missing");
	port->port = (uint16_t)number;
	/* In a slice no number means all ports, which no proxy implements (pkg/proxy). */
	return e ? e : number ? 0 : READER_SKIP;
}

static int read_endpoint_ports(struct reader *r, const struct value *obj, struct key key,
	const struct port_keys *keys, struct subset *ret)
{
	struct reader_list list = {
		.size = sizeof(struct endpoint_port), .read = read_endpoint_port, .arg = keys
	};
	int e = reader_leave_out(r, reader_list(r, obj, key, &list));

	ret->ports = list.items;
	ret->n_ports = list.n;
	return e;
}

/* The endpoint gets a place of its own, which the caller fills. */
static struct endpoint_place *give_place(struct reader *r, struct endpoint *ep)
{
	struct endpoint_place *place = arena_alloc(r->arena, 1, sizeof(*place));

	place->node_name = "";
	ep->place = place;
	return place;
}

static int read_node_name(
	struct reader *r, const struct value *obj, struct key key, struct endpoint_place *place)
{
	int e = reader_string(r, obj, key, &place->node_name);

	if (e || !*place->node_name)
		return e;
	reader_within(r, key.name);
	return reader_check_name(r, place->node_name, READER_SUBDOMAIN);
}

/* EndpointSlice */

static int read_hint(struct reader *r, const struct value *v, void *item, const void *arg)
{
	const char **name = item;
	int e = reader_value_object(r, v);

	(void)arg;
	e = e ?: reader_string(r, v, KEY("name", 1), name);
	return e || *name ? e : reader_fail_at(r, "name", "is missing");
}

static int read_hints(struct reader *r, const struct value *obj, struct endpoint_place *place)
{
	struct reader_list zones = { .size = sizeof(const char *), .read = read_hint };
	struct reader_list nodes = zones;
	struct value hints = { 0 };
	int e = reader_object(r, obj, KEY("hints", 8), &hints);

	if (e || !value_is_there(&hints))
		return e;
	reader_within(r, "hints");
	e = reader_list(r, &hints, KEY("forZones", 1), &zones);
	e = e ?: reader_list(r, &hints, KEY("forNodes", 2), &nodes);
	place->zone_hints = zones.items;
	place->n_zone_hints = zones.n;
	place->node_hints = nodes.items;
	place->n_node_hints = nodes.n;
	return e;
}

/* Writers of slices give an endpoint one address; of several only the first one counts. */
static int read_first_address(struct reader *r, const struct value *v, int family, struct ip *ret)
{
	const struct key key = KEY("addresses", 1);
	char text[IP_STRLEN];
	struct value_list list;
	struct value first;
	int e = value_list(v, key, &list);

	reader_within(r, key.name);
	if (e || !value_list_next(&list, &first))
		return reader_fail(r, "must be a list of one address");
	reader_enter_index(r, 0);
	e = reader_value_ip(r, &first, ret);
	if (!e && ret->family != family)
		e = reader_fail(r, "is %s, but addressType is %s", ip_print(ret, text),
			family == AF_INET ? "IPv4" : "IPv6");
	return e ?: reader_check_host(r, ret);
}

static int read_endpoint(struct reader *r, const struct value *v, void *item, const void *arg)
{
	const int *family = arg;
	struct endpoint *ep = item;
	struct endpoint_place *place = give_place(r, ep);
	struct value conditions = { 0 };
	size_t mark;
	int e = reader_value_object(r, v);

	e = e ?: read_first_address(r, v, *family, &ep->ip);
	e = e ?: read_node_name(r, v, KEY("nodeName", 6), place);

	e = e ?: reader_object(r, v, KEY("conditions", 2), &conditions);
	ep->ready = ep->serving = true;
	mark = reader_enter(r, "conditions");
	e = e ?: reader_bool(r, &conditions, KEY("ready", 1), &ep->ready);
	e = e ?: reader_bool(r, &conditions, KEY("serving", 2), &ep->serving);
	e = e ?: reader_bool(r, &conditions, KEY("terminating", 3), &ep->terminating);
	reader_leave(r, mark);
	return e ?: read_hints(r, v, place);
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

/* An API server accepts slices without the label, which no proxy has a use for. */
static int read_service_label(struct reader *r, const struct value *meta, struct slice *s)
{
	static const char key[] = "kubernetes.io/service-name";
	const char *name = "";
	int e = reader_entry(r, meta, META_LABELS, key, &name);

	if (e)
		return e;
	reader_within(r, "labels");
	reader_enter_name(r, key);
	e = *name ? reader_check_name(r, name, READER_SUBDOMAIN)
		  : reader_fail(r, "is missing: it names the Service of the slice");
	s->service = arena_strdup(r->arena, name);
	return !*name && r->lenient ? -ENOTSUP : e;
}

int decode_endpoint_slice(struct reader *r, const struct decode_source *src, struct slice *s)
{
	const struct port_keys keys = { .protocol = KEY("protocol", 2), .port = KEY("port", 3) };
	struct subset *subset = arena_alloc(r->arena, 1, sizeof(*subset));
	int family = 0, e = read_address_type(r, &src->root, &family);
	struct reader_list endpoints = {
		.size = sizeof(struct endpoint), .read = read_endpoint, .arg = &family
	};
	size_t mark;

	s->kind = SLICE_ENDPOINT_SLICE;
	s->subsets = subset;
	s->n_subsets = 1;

	mark = reader_enter(r, "metadata");
	e = e ?: read_service_label(r, &src->meta, s);
	e = e ?: read_slice_metadata(r, &src->meta, s);
	reader_leave(r, mark);

	e = e ?: read_endpoint_ports(r, &src->root, KEY("ports", 3), &keys, subset);
	e = e ?: reader_leave_out(r, reader_list(r, &src->root, KEY("endpoints", 2), &endpoints));
	subset->endpoints = endpoints.items;
	subset->n_endpoints = endpoints.n;
	return e;
}

/* Endpoints */

struct endpoint_addresses {
	struct endpoint *endpoints;
	size_t n;
	bool ready; /* which of the two lists it is */
};

static int read_endpoints_address(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct endpoint_addresses *list = arg;
	struct endpoint *ep = &list->endpoints[list->n];
	struct endpoint_place *place;
	size_t mark;
	int e = reader_value_object(r, v);

	(void)i;
	/* The controller that mirrors Endpoints into slices sets `ready` only, too. */
	*ep = (struct endpoint){ .ready = list->ready, .serving = true };
	place = give_place(r, ep);
	e = e ?: reader_ip(r, v, KEY("ip", 1), &ep->ip);
	if (!e && !ep->ip.family)
		e = reader_fail_at(r, "ip", "is missing");
	mark = reader_enter(r, "ip");
	e = e ?: reader_check_host(r, &ep->ip);
	reader_leave(r, mark);
	e = e ?: read_node_name(r, v, KEY("nodeName", 4), place);
	list->n += !e;
	return e;
}

static int read_subset(struct reader *r, const struct value *v, void *item, const void *arg)
{
	const struct key ready = KEY("addresses", 1), not_ready = KEY("notReadyAddresses", 2);
	const struct port_keys keys = {
		.protocol = KEY("protocol", 3), .port = KEY("port", 2), .required = true
	};
	struct endpoint_addresses list = { .ready = true };
	struct subset *subset = item;
	int e = reader_value_object(r, v);

	(void)arg;
	e = e ?: read_endpoint_ports(r, v, KEY("ports", 3), &keys, subset);
	if (e)
		return e;
	list.endpoints = arena_alloc(r->arena, value_count(v, ready) + value_count(v, not_ready),
		sizeof(*list.endpoints));
	e = reader_each(r, v, ready, read_endpoints_address, &list);
	list.ready = false;
	e = e ?: reader_each(r, v, not_ready, read_endpoints_address, &list);
	subset->endpoints = list.endpoints;
	subset->n_endpoints = list.n;
	return e;
}

int decode_endpoints(struct reader *r, const struct decode_source *src, struct slice *s)
{
	struct reader_list list = { .size = sizeof(struct subset), .read = read_subset };
	size_t mark = reader_enter(r, "metadata");
	int e = read_slice_metadata(r, &src->meta, s);

	reader_leave(r, mark);
	s->kind = SLICE_ENDPOINTS;
	s->service = s->name;
	e = e ?: reader_leave_out(r, reader_list(r, &src->root, KEY("subsets", 2), &list));
	s->subsets = list.items;
	s->n_subsets = list.n;
	return e;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "decode_kinds.h"

struct address_list {
	struct node_address *addresses;
	size_t n;
};

static int read_address(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct address_list *list = arg;
	const char *type = "";
	struct node_address a = { 0 };
	int e = reader_value_object(r, v);

	(void)i;
	e = e ? e : reader_text(r, v, KEY("type", 1), &type);
	if (e)
		return e;
	a.external = !strcmp(type, "ExternalIP");
	if (!a.external && strcmp(type, "InternalIP") != 0)
		return 0; /* host names */
	e = reader_ip(r, v, KEY("address", 2), &a.ip);
	if (!e && !a.ip.family)
		e = reader_fail_at(r, "address", "is missing");
	if (!e)
		list->addresses[list->n++] = a;
	return e;
}

static int read_status(struct reader *r, const struct value *status, struct node *n)
{
	const struct key key = KEY("addresses", 5);
	struct address_list list = { 0 };
	int e;

	list.addresses = arena_alloc(r->arena, value_count(status, key), sizeof(*list.addresses));
	e = reader_each(r, status, key, read_address, &list);
	n->addresses = list.addresses;
	n->n_addresses = list.n;
	return e;
}

struct cidr_list {
	struct cidr *cidrs;
	size_t n;
};

static int read_cidr(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct cidr_list *list = arg;
	int e = reader_value_cidr(r, v, &list->cidrs[list->n]);

	(void)i;
	list->n += !e;
	return e;
}

/* podCIDR is what podCIDRs was before dual stack; the API keeps it equal to the first of them. */
static int read_pod_cidr(struct reader *r, const struct value *spec, struct cidr_list *list)
{
	struct value v = value_member(spec, KEY("podCIDR", 1));
	size_t mark;
	int e;

	if (!value_is_there(&v) || value_is_empty(&v))
		return 0;
	mark = reader_enter(r, "podCIDR");
	e = reader_leave_out(r, read_cidr(r, &v, 0, list));
	reader_leave(r, mark);
	return e;
}

static int read_pod_cidrs(struct reader *r, const struct value *spec, struct node *n)
{
	const struct key key = KEY("podCIDRs", 7);
	size_t count = value_count(spec, key);
	struct cidr_list list = { 0 };
	int e;

	list.cidrs = arena_alloc(r->arena, count ? count : 1, sizeof(*list.cidrs));
	e = count ? reader_each(r, spec, key, read_cidr, &list) : read_pod_cidr(r, spec, &list);
	n->pod_cidrs = list.cidrs;
	n->n_pod_cidrs = list.n;
	return e;
}

static int read_taint(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct node *n = arg;
	const char *key = "";
	int e = reader_value_object(r, v);

	(void)i;
	e = e ? e : reader_text(r, v, KEY("key", 1), &key);
	n->to_be_deleted_taint |= !strcmp(key, "ToBeDeletedByClusterAutoscaler");
	return e;
}

static int read_spec(struct reader *r, const struct value *spec, struct node *n)
{
	int e = reader_leave_out(r, read_pod_cidrs(r, spec, n));

	return e ? e : reader_leave_out(r, reader_each(r, spec, KEY("taints", 5), read_taint, n));
}

static int read_zone(struct reader *r, const struct value *meta, struct node *n)
{
	const char *zone = NULL;
	int e = decode_label(r, meta, "topology.kubernetes.io/zone", &zone);

	if (!e && zone)
		n->zone = arena_strdup(r->arena, zone);
	return e;
}

static int read_metadata(struct reader *r, const struct value *meta, struct node *n)
{
	const int64_t never = INT64_MIN;
	int64_t deleted = never;
	int e = reader_leave_out(r, decode_time(r, meta, KEY("deletionTimestamp", 9), &deleted));

	e = e ? e : reader_leave_out(r, read_zone(r, meta, n));
	e = e ? e : reader_leave_out(r, decode_weight(r, meta, &n->weight));
	e = e ? e : reader_leave_out(r, decode_resource_version(r, meta, &n->resource_version));
	n->deleting = deleted != never;
	return e;
}

int decode_node(struct reader *r, const struct decode_source *src, struct node *n)
{
	struct value spec = { 0 }, status = { 0 };
	size_t mark;
	int e = read_metadata(r, &src->meta, n);

	e = e ? e : reader_leave_out(r, reader_object(r, &src->root, KEY("spec", 2), &spec));
	e = e ? e : reader_leave_out(r, reader_object(r, &src->root, KEY("status", 3), &status));
	if (e)
		return e;
	mark = reader_enter(r, "spec");
	e = read_spec(r, &spec, n);
	reader_leave(r, mark);
	if (e)
		return e;
	mark = reader_enter(r, "status");
	e = reader_leave_out(r, read_status(r, &status, n));
	reader_leave(r, mark);
	return e;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "decode_kinds.h"

static int read_node_metadata(struct reader *r, const struct value *meta, struct node *n)
{
	static const char zone_label[] = "topology.kubernetes.io/zone";
	const struct key version = KEY("resourceVersion", 6);
	const int64_t never = INT64_MIN;
	int64_t deleted = never;
	const char *zone = NULL;
	int e;

	reader_within(r, "metadata");
	e = reader_leave_out(r, reader_time(r, meta, KEY("deletionTimestamp", 9), &deleted));
	e = e ?: reader_leave_out(r, reader_entry(r, meta, META_LABELS, zone_label, &zone));
	e = e ?: reader_leave_out(r, decode_weight(r, meta, &n->weight));
	e = e ?: reader_leave_out(r, reader_string(r, meta, version, &n->resource_version));
	n->deleting = deleted != never;
	if (!e && zone)
		n->zone = arena_strdup(r->arena, zone);
	return e;
}

/* podCIDR is from before dual stack; the API keeps it equal to the first of podCIDRs. */
static int read_pod_cidrs(struct reader *r, const struct value *spec, struct node *n)
{
	const struct key list_key = KEY("podCIDRs", 7);
	struct value v = value_member(spec, KEY("podCIDR", 1));
	struct reader_list list = { .size = sizeof(struct cidr), .read = reader_value_cidr };
	struct cidr *single;
	int e;

	if (value_count(spec, list_key)) {
		e = reader_list(r, spec, list_key, &list);
		n->pod_cidrs = list.items;
		n->n_pod_cidrs = list.n;
		return e;
	}
	if (!value_is_there(&v) || value_is_empty(&v))
		return 0;
	single = arena_alloc(r->arena, 1, sizeof(*single));
	reader_within(r, "podCIDR");
	e = reader_value_cidr(r, &v, single, NULL);
	n->pod_cidrs = single;
	n->n_pod_cidrs = !e;
	return e;
}

static int read_taint(struct reader *r, const struct value *v, size_t i, void *arg)
{
	struct node *n = arg;
	const char *key = "";
	int e = reader_value_object(r, v);

	(void)i;
	e = e ?: reader_text(r, v, KEY("key", 1), &key);
	n->to_be_deleted_taint |= !strcmp(key, "ToBeDeletedByClusterAutoscaler");
	return e;
}

static int read_node_address(struct reader *r, const struct value *v, void *item, const void *arg)
{
	struct node_address *a = item;
	const char *type = "";
	int e = reader_value_object(r, v);

	(void)arg;
	e = e ?: reader_text(r, v, KEY("type", 1), &type);
	if (e)
		return e;
	a->external = !strcmp(type, "ExternalIP");
	if (!a->external && strcmp(type, "InternalIP") != 0)
		return READER_SKIP; /* host names */
	e = reader_ip(r, v, KEY("address", 2), &a->ip);
	return e || a->ip.family ? e : reader_fail_at(r, "address", "is missing");
}

int decode_node(struct reader *r, const struct decode_source *src, struct node *n)
{
	struct reader_list addresses = { .size = sizeof(struct node_address),
		.read = read_node_address };
	struct value spec = { 0 }, status = { 0 };
	size_t mark;
	int e = read_node_metadata(r, &src->meta, n);

	e = e ?: reader_leave_out(r, reader_object(r, &src->root, KEY("spec", 2), &spec));
	e = e ?: reader_leave_out(r, reader_object(r, &src->root, KEY("status", 3), &status));

	mark = reader_enter(r, "spec");
	e = e ?: reader_leave_out(r, read_pod_cidrs(r, &spec, n));
	e = e ?: reader_leave_out(r, reader_each(r, &spec, KEY("taints", 5), read_taint, n));
	reader_leave(r, mark);

	mark = reader_enter(r, "status");
	e = e ?: reader_leave_out(r, reader_list(r, &status, KEY("addresses", 5), &addresses));
	reader_leave(r, mark);
	n->addresses = addresses.items;
	n->n_addresses = addresses.n;
	return e;
}

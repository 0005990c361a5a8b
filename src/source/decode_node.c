// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "decode_kinds.h"

struct address_list {
	struct node_address *addresses;
	size_t n;
};

static int read_address(struct reader *r, const json_t *entry, size_t i, void *arg)
{
	struct address_list *list = arg;
	const char *type = "";
	struct node_address a = { 0 };
	int e = reader_value_object(r, entry);

	(void)i;
	e = e ? e : reader_text(r, entry, "type", &type);
	if (e)
		return e;
	a.external = !strcmp(type, "ExternalIP");
	if (!a.external && strcmp(type, "InternalIP") != 0)
		return 0; /* host names */
	e = reader_ip(r, entry, "address", &a.ip);
	if (!e && !a.ip.family)
		e = reader_fail_at(r, "address", "is missing");
	if (!e)
		list->addresses[list->n++] = a;
	return e;
}

static int read_status(struct reader *r, const json_t *status, struct node *n)
{
	struct address_list list = { 0 };
	int e;

	list.addresses =
		arena_alloc(r->arena, reader_count(status, "addresses"), sizeof(*list.addresses));
	e = reader_each(r, status, "addresses", read_address, &list);
	n->addresses = list.addresses;
	n->n_addresses = list.n;
	return e;
}

static int read_cidr(struct reader *r, const json_t *value, size_t i, void *arg)
{
	struct cidr *cidrs = arg;

	return reader_value_cidr(r, value, &cidrs[i]);
}

/* podCIDR is what podCIDRs was before dual stack; the API keeps it equal to the first of them. */
static int read_pod_cidr(struct reader *r, const json_t *spec, struct node *n)
{
	struct cidr *cidr = arena_alloc(r->arena, 1, sizeof(*cidr));
	const json_t *v = json_object_get(spec, "podCIDR");
	size_t mark;
	int e;

	if (!v || json_is_null(v) || (json_is_string(v) && !json_string_length(v)))
		return 0;
	mark = reader_enter(r, "podCIDR");
	e = reader_value_cidr(r, v, cidr);
	reader_leave(r, mark);
	n->pod_cidrs = cidr;
	n->n_pod_cidrs = 1;
	return e;
}

static int read_pod_cidrs(struct reader *r, const json_t *spec, struct node *n)
{
	size_t count = reader_count(spec, "podCIDRs");
	struct cidr *cidrs;

	if (!count)
		return read_pod_cidr(r, spec, n);
	n->pod_cidrs = cidrs = arena_alloc(r->arena, count, sizeof(*cidrs));
	n->n_pod_cidrs = count;
	return reader_each(r, spec, "podCIDRs", read_cidr, cidrs);
}

static int read_taint(struct reader *r, const json_t *taint, size_t i, void *arg)
{
	struct node *n = arg;
	const char *key = "";
	int e = reader_value_object(r, taint);

	(void)i;
	e = e ? e : reader_text(r, taint, "key", &key);
	n->to_be_deleted_taint |= !strcmp(key, "ToBeDeletedByClusterAutoscaler");
	return e;
}

static int read_metadata(struct reader *r, const json_t *root, struct node *n)
{
	const char *deleted = NULL, *zone = "";
	size_t mark = reader_enter(r, "metadata");
	int e = reader_text(r, json_object_get(root, "metadata"), "deletionTimestamp", &deleted);

	reader_leave(r, mark);
	e = e ? e : decode_label(r, root, "topology.kubernetes.io/zone", &zone);
	e = e ? e : decode_weight(r, root, &n->weight);
	e = e ? e : decode_resource_version(r, root, &n->resource_version);
	n->deleting = deleted;
	n->zone = arena_strdup(r->arena, zone);
	return e;
}

int decode_node(struct reader *r, const json_t *root, struct node *n)
{
	const json_t *spec = NULL, *status = NULL;
	size_t mark;
	int e = read_metadata(r, root, n);

	e = e ? e : reader_object(r, root, "spec", &spec);
	e = e ? e : reader_object(r, root, "status", &status);
	if (e)
		return e;
	mark = reader_enter(r, "spec");
	e = read_pod_cidrs(r, spec, n);
	e = e ? e : reader_each(r, spec, "taints", read_taint, n);
	reader_leave(r, mark);
	if (e)
		return e;
	mark = reader_enter(r, "status");
	e = read_status(r, status, n);
	reader_leave(r, mark);
	return e;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "model_pack.h"

static const enum view_kind slice_views[] = {
	[SLICE_ENDPOINT_SLICE] = VIEW_ENDPOINT_SLICES,
	[SLICE_ENDPOINTS] = VIEW_ENDPOINTS,
};

static uint32_t hash_names(const char *ns, const char *name)
{
	return map_hash_str(ns) * 31 + map_hash_str(name);
}

void store_init(struct store *s)
{
	*s = (struct store){ 0 };
	list_init(&s->dirty);
}

void store_done(struct store *s)
{
	map_for_each_entry(struct slot_slice, it, &s->slices, by_key) {
		slice_packed_free(it->slice, &s->places);
		free(it->endpoints);
		free(it);
	}
	map_for_each_entry(struct slot, slot, &s->slots, by_name) {
		service_free(slot->service);
		free(slot->name);
		free(slot);
	}
	map_for_each_entry(struct store_node, n, &s->nodes, by_name) {
		node_free(n->node);
		free(n);
	}
	map_for_each_entry(struct slice_change, c, &s->changes, by_slot) {
		slice_packed_free(c->before, &s->places);
		free(c);
	}
	map_done(&s->changes);
	map_done(&s->slots);
	map_done(&s->slices);
	map_done(&s->nodes);
	map_done(&s->endpoints);
	place_pool_done(&s->places);
	free(s->triggers);
	free(s->local);
}

struct slot *store_find(const struct store *s, const char *ns, const char *name)
{
	const size_t len = strlen(ns);

	map_for_each_match_entry(struct slot, slot, &s->slots, hash_names(ns, name), by_name)
		if (!strncmp(slot->name, ns, len) && slot->name[len] == '/' &&
			!strcmp(slot->name + len + 1, name))
			return slot;
	return NULL;
}

static struct slot *slot_get(struct store *s, const char *ns, const char *name)
{
	struct slot *slot = store_find(s, ns, name);
	_cleanup_(buf_done) struct buf id = { 0 };

	if (slot)
		return slot;
	slot = new0(struct slot);
	list_init(&slot->dirty);
	list_init(&slot->slices);
	buf_addf(&id, "%s/%s", ns, name);
	slot->name = mem_strdup(buf_str(&id)); /* in no more memory than it needs */
	map_add(&s->slots, &slot->by_name, hash_names(ns, name));
	return slot;
}

/* What changed, slice by slice */

static uint32_t hash_slot(const struct slot *slot)
{
	return map_hash(&slot, sizeof(slot));
}

struct slot_changes store_take_changes(struct store *s, const struct slot *slot)
{
	struct slot_changes ret = { .n = 0 };
	struct slice_change *next;

	if (!s->changes.count)
		return ret;
	do {
		next = NULL;
		map_for_each_match_entry(
			struct slice_change, c, &s->changes, hash_slot(slot), by_slot)
			if (c->slot == slot)
				next = c;
		if (next) {
			map_del(&s->changes, &next->by_slot);
			ret.changes[ret.n++] = next;
		}
	} while (next);
	return ret;
}

void slot_changes_free(struct store *s, struct slot_changes *changes)
{
	for (size_t i = 0; i < changes->n; i++) {
		slice_packed_free(changes->changes[i]->before, &s->places);
		free(changes->changes[i]);
	}
	changes->n = 0;
}

/*
 * Marks the slot dirty because a slice was replaced, and takes ownership of the one before. Returns
 * false if all of the slot is to be resolved, and leaves it to the caller.
 */
static bool store_note_change(struct store *s, const struct slot_slice *now, struct slice *before)
{
	struct slot *slot = now->slot;
	struct slice_change *new;
	size_t n = 0;

	map_for_each_match_entry(struct slice_change, c, &s->changes, hash_slot(slot), by_slot) {
		if (c->slot != slot)
			continue;
		if (c->now == now) { /* what was in between is of no interest */
			slice_packed_free(before, &s->places);
			return true;
		}
		n++;
	}
	if (slot->n_slices < STORE_MANY_SLICES || !slot->published || n == STORE_MAX_CHANGES ||
		(!n && !list_empty(&slot->dirty)))
		return false;
	new = new0(struct slice_change);
	*new = (struct slice_change){ .slot = slot, .now = now, .before = before };
	map_add(&s->changes, &new->by_slot, hash_slot(slot));
	if (list_empty(&slot->dirty))
		list_insert(&s->dirty, &slot->dirty);
	return true;
}

void store_mark_dirty(struct store *s, struct slot *slot)
{
	struct slot_changes changes = store_take_changes(s, slot);

	slot_changes_free(s, &changes);
	if (list_empty(&slot->dirty))
		list_insert(&s->dirty, &slot->dirty);
}

void store_mark_all_dirty(struct store *s)
{
	map_for_each_entry(struct slot, slot, &s->slots, by_name)
		store_mark_dirty(s, slot);
}

struct slot *store_next_dirty(struct store *s)
{
	struct slot *slot;

	if (list_empty(&s->dirty))
		return NULL;
	slot = container_of(s->dirty.next, struct slot, dirty);
	list_remove(&slot->dirty);
	return slot;
}

void store_prune(struct store *s, struct slot *slot)
{
	if (slot->service || slot->n_slices || slot->published)
		return;
	map_del(&s->slots, &slot->by_name);
	list_remove(&slot->dirty);
	free(slot->name);
	free(slot);
}

/* The API server's addresses are a part of the node view. */
static bool slot_is_api_server(const struct slot *slot)
{
	return !strcmp(slot->name, "default/kubernetes");
}

/* The last one takes the place of one that leaves. */
static void store_index_local(struct store *s, struct slot *slot)
{
	const struct service *service = slot->service;
	const bool local = service && (service->internal_local || service->external_local);

	if (local && !slot->local_at) {
		mem_grow(s->local, s->n_local, s->cap_local);
		s->local[s->n_local++] = slot;
		slot->local_at = (uint32_t)s->n_local;
	} else if (!local && slot->local_at) {
		struct slot *last = s->local[--s->n_local];

		s->local[slot->local_at - 1] = last;
		last->local_at = slot->local_at;
		slot->local_at = 0;
	}
}

void store_put_service(struct store *s, struct service *service)
{
	struct slot *slot = slot_get(s, service->ns, service->name);

	if (!slot->service)
		s->n_services++;
	service_free(slot->service);
	slot->service = service_pack(service);
	store_index_local(s, slot);
	s->service_changes++;
	slot->view = s->view[VIEW_SERVICES];
	store_mark_dirty(s, slot);
}

void store_delete_service(struct store *s, const char *ns, const char *name)
{
	struct slot *slot = store_find(s, ns, name);

	if (!slot || !slot->service)
		return;
	service_free(take(slot->service));
	store_index_local(s, slot);
	s->n_services--;
	s->service_changes++;
	store_mark_dirty(s, slot);
}

static struct slot_slice *find_slice(
	const struct store *s, enum slice_kind kind, const char *ns, const char *name)
{
	map_for_each_match_entry(struct slot_slice, it, &s->slices, hash_names(ns, name), by_key)
		if (it->slice->kind == kind && !strcmp(it->slice->ns, ns) &&
			!strcmp(it->slice->name, name))
			return it;
	return NULL;
}

/* Endpoints by address and port */

static void unindex_slice(struct store *s, struct slot_slice *it)
{
	struct endpoint_entry *endpoints = take(it->endpoints);

	for (size_t i = 0; i < it->n_endpoints; i++) {
		map_del(&s->endpoints, &endpoints[i].by_ip);
		s->on_endpoint(&endpoints[i].ip, s->on_endpoint_arg);
	}
	it->n_endpoints = 0;
	free(endpoints);
}

static void index_slice(struct store *s, struct slot_slice *it)
{
	size_t n = 0;

	if (!s->on_endpoint)
		return;
	for (size_t i = 0; i < it->slice->n_subsets; i++)
		n += it->slice->subsets[i].n_endpoints;
	it->endpoints = mem_zalloc(n, sizeof(*it->endpoints));
	for (size_t i = 0; i < it->slice->n_subsets; i++) {
		const struct subset *set = &it->slice->subsets[i];

		for (size_t j = 0; j < set->n_endpoints; j++) {
			struct endpoint_entry *e = &it->endpoints[it->n_endpoints++];

			e->slot = it->slot;
			e->subset = set;
			e->ip = set->endpoints[j].ip;
			map_add(&s->endpoints, &e->by_ip, map_hash(&e->ip, sizeof(e->ip)));
			s->on_endpoint(&e->ip, s->on_endpoint_arg);
		}
	}
}

void store_index_endpoints(struct store *s, void (*fn)(const struct ip *ip, void *arg), void *arg)
{
	map_for_each_entry(struct slot_slice, it, &s->slices, by_key)
		unindex_slice(s, it);
	s->on_endpoint = fn;
	s->on_endpoint_arg = arg;
	map_for_each_entry(struct slot_slice, it, &s->slices, by_key)
		index_slice(s, it);
}

bool store_add_endpoint_ports(const struct store *s, const struct slot *slot, const struct ip *ip,
	uint8_t proto, struct port_set *ret)
{
	const struct subset *last = NULL;
	bool any = false;

	map_for_each_match_entry(
		struct endpoint_entry, e, &s->endpoints, map_hash(ip, sizeof(*ip)), by_ip) {
		/* A subset may name the address many times. */
		if (e->slot == slot || e->subset == last || !ip_eq(&e->ip, ip))
			continue;
		last = e->subset;
		for (size_t i = 0; i < last->n_ports; i++) {
			if (last->ports[i].proto != proto)
				continue;
			port_set_add(ret, last->ports[i].port);
			any = true;
		}
	}
	return any;
}

/* A slice without endpoints is of the family that it had before, or else of its Service. */
static void add_trigger(
	struct store *s, const struct slot *slot, const struct slice *new, const struct slice *old)
{
	const struct slice *const known[] = { new, old };
	int family = 0;

	for (size_t k = 0; k < ARRAY_SIZE(known) && known[k] && !family; k++)
		for (size_t i = 0; i < known[k]->n_subsets && !family; i++)
			if (known[k]->subsets[i].n_endpoints)
				family = known[k]->subsets[i].endpoints[0].ip.family;
	if (!family && slot->service && slot->service->n_cluster_ips)
		family = slot->service->cluster_ips[0].family;

	if (!s->triggers_since || new->trigger_time <= s->triggers_since || !family ||
		s->n_triggers == STORE_MAX_TRIGGERS)
		return;
	mem_grow(s->triggers, s->n_triggers, s->cap_triggers);
	s->triggers[s->n_triggers++] = (struct trigger){ slot, new->trigger_time, family };
}

static void detach_slice(struct store *s, struct slot_slice *it)
{
	struct slot *slot = it->slot;
	size_t n = 0;

	unindex_slice(s, it);
	map_del(&s->slices, &it->by_key);
	slot->n_slices--;
	list_remove(&it->link);
	slice_packed_free(it->slice, &s->places);
	free(it);
	s->slice_changes++;
	for (size_t i = 0; i < s->n_triggers; i++)
		if (s->triggers[i].slot != slot)
			s->triggers[n++] = s->triggers[i];
	s->n_triggers = n;
	s->node_generation += slot_is_api_server(slot);
	store_mark_dirty(s, slot);
}

void store_put_slice(struct store *s, struct slice *slice)
{
	struct slot_slice *it = find_slice(s, slice->kind, slice->ns, slice->name);
	struct slice *before = NULL;
	struct list *pos;

	slice = slice_pack(slice, &s->places);
	/* The label that names the Service may have changed: the old slot loses it. */
	if (it && strcmp(it->slice->service, slice->service) != 0) {
		detach_slice(s, it);
		it = NULL;
	}
	s->slice_changes++;
	if (it) {
		add_trigger(s, it->slot, slice, it->slice);
		unindex_slice(s, it);
		before = it->slice;
		it->slice = slice;
	} else {
		it = new0(struct slot_slice);
		list_init(&it->link);
		it->slot = slot_get(s, slice->ns, slice->service);
		it->slice = slice;
		it->slot->n_slices++;

		/* In order of kind and name, so that resolving does not depend on their arrival.
		 * They mostly arrive in order. */
		pos = &it->slot->slices;
		for (struct list *l = pos->prev; l != &it->slot->slices; l = l->prev) {
			const struct slot_slice *other = container_of(l, struct slot_slice, link);
			int c = (int)other->slice->kind - (int)slice->kind;

			if (c < 0 || (!c && strcmp(other->slice->name, slice->name) < 0))
				break;
			pos = l;
		}
		list_insert(pos, &it->link);

		add_trigger(s, it->slot, slice, NULL);
		map_add(&s->slices, &it->by_key, hash_names(slice->ns, slice->name));
	}
	index_slice(s, it);
	it->view = s->view[slice_views[slice->kind]];
	s->node_generation += slot_is_api_server(it->slot);
	if (before && store_note_change(s, it, before))
		return;
	store_mark_dirty(s, it->slot);
	slice_packed_free(before, &s->places);
}

void store_delete_slice(struct store *s, enum slice_kind kind, const char *ns, const char *name)
{
	struct slot_slice *it = find_slice(s, kind, ns, name);

	if (it)
		detach_slice(s, it);
}

static struct store_node *find_node(const struct store *s, const char *name)
{
	map_for_each_match_entry(struct store_node, n, &s->nodes, map_hash_str(name), by_name)
		if (!strcmp(n->node->name, name))
			return n;
	return NULL;
}

const struct node *store_node(const struct store *s, const char *name)
{
	const struct store_node *n = find_node(s, name);

	return n ? n->node : NULL;
}

void store_put_node(struct store *s, struct node *node)
{
	struct store_node *n = find_node(s, node->name);
	const struct node *old = n ? n->node : NULL;
	bool same = old && old->weight == node->weight && !strcmp(old->zone, node->zone) &&
		old->n_addresses == node->n_addresses && old->n_pod_cidrs == node->n_pod_cidrs;

	for (size_t i = 0; same && i < node->n_addresses; i++)
		same = ip_eq(&old->addresses[i].ip, &node->addresses[i].ip);
	for (size_t i = 0; same && i < node->n_pod_cidrs; i++)
		same = !memcmp(&old->pod_cidrs[i], &node->pod_cidrs[i], sizeof(*node->pod_cidrs));
	if (n) {
		node_free(n->node);
		n->node = node;
	} else {
		n = new0(struct store_node);
		n->node = node;
		map_add(&s->nodes, &n->by_name, map_hash_str(node->name));
	}
	n->view = s->view[VIEW_NODES];
	s->node_generation += !same; /* a heartbeat changes nothing that counts here */
}

void store_delete_node(struct store *s, const char *name)
{
	struct store_node *n = find_node(s, name);

	if (!n)
		return;
	map_del(&s->nodes, &n->by_name);
	node_free(n->node);
	free(n);
	s->node_generation++;
}

void store_view_begin(struct store *s, enum view_kind kind)
{
	s->view[kind]++;
}

void store_view_end(struct store *s, enum view_kind kind)
{
	const uint32_t view = s->view[kind];

	switch (kind) {
	case VIEW_SERVICES:
		map_for_each_entry(struct slot, slot, &s->slots, by_name)
			if (slot->service && slot->view != view)
				store_delete_service(s, slot->service->ns, slot->service->name);
		break;
	case VIEW_ENDPOINT_SLICES:
	case VIEW_ENDPOINTS:
		map_for_each_entry(struct slot_slice, it, &s->slices, by_key)
			if (slice_views[it->slice->kind] == kind && it->view != view)
				detach_slice(s, it);
		break;
	case VIEW_NODES:
		map_for_each_entry(struct store_node, n, &s->nodes, by_name)
			if (n->view != view)
				store_delete_node(s, n->node->name);
		break;
	case VIEW_KINDS:
		break;
	}
}

/*
 * Versions are opaque: they are the same or they are not; "" is unknown. The same version alone says
 * nothing: after a restore of etcd it comes back with other content.
 */
static bool is_same_version(const char *a, uint64_t a_hash, const char *b, uint64_t b_hash)
{
	return *a && !strcmp(a, b) && a_hash == b_hash;
}

bool store_has_service(struct store *s, const struct service *service)
{
	struct slot *slot = store_find(s, service->ns, service->name);
	const struct service *old = slot ? slot->service : NULL;

	if (!old ||
		!is_same_version(
			old->resource_version, old->hash, service->resource_version, service->hash))
		return false;
	slot->view = s->view[VIEW_SERVICES];
	return true;
}

bool store_has_slice(struct store *s, const struct slice *slice)
{
	struct slot_slice *it = find_slice(s, slice->kind, slice->ns, slice->name);

	if (!it ||
		!is_same_version(it->slice->resource_version, it->slice->hash,
			slice->resource_version, slice->hash))
		return false;
	it->view = s->view[slice_views[slice->kind]];
	return true;
}

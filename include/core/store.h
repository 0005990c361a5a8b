/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CORE_STORE_H
#define CORE_STORE_H

#include "base/list.h"
#include "base/map.h"
#include "base/port_set.h"
#include "core/model.h"
#include "core/place_pool.h"

/*
 * The objects that the inputs hold, by Service: a slot for each namespace/name that has a Service
 * or any slices. A change puts the slot on the dirty queue once; the engine takes slots off it.
 */
struct publication;

struct slot {
	struct map_node by_name;
	struct list dirty;	 /* on store.dirty, or alone */
	char *name;		 /* "namespace/name" */
	struct service *service; /* NULL: only slices so far */
	uint32_t view;		 /* the last view that told of the service */
	uint32_t local_at;	 /* its place in store.local, from 1 on; 0: it is not there */
	struct list slices;	 /* of struct slot_slice, in order of their key */
	size_t n_slices;
	/* What an engine published for the slot, see core/publication.h; NULL: nothing. The slot
	 * stays as long as there is one. */
	struct publication *published;
};

/* An endpoint with the ports of its subset, in store.endpoints. */
struct endpoint_entry {
	struct map_node by_ip;
	const struct slot *slot;
	const struct subset *subset;
	struct ip ip;
};

struct slot_slice {
	struct list link;
	struct endpoint_entry *endpoints; /* once store_index_endpoints() ran */
	size_t n_endpoints;
	struct map_node by_key;
	struct slot *slot;
	struct slice *slice;
	uint32_t view;
};

/*
 * A slice that was replaced, with what stood there when its slot was last resolved: struct
 * slot_changes.
 */
struct slice_change {
	struct map_node by_slot;
	const struct slot *slot;
	const struct slot_slice *now;
	struct slice *before;
};

/*
 * Of Services with many slices the store keeps what made a slot dirty, as long as that is nothing but
 * new content of a few slices, so that these can be resolved alone.
 */
enum { STORE_MANY_SLICES = 8, STORE_MAX_CHANGES = 16 };

struct slot_changes {
	struct slice_change *changes[STORE_MAX_CHANGES];
	size_t n; /* 0: all of it is to be resolved */
};

/* Kinds of objects of which an input tells a complete view. */
enum view_kind { VIEW_SERVICES, VIEW_ENDPOINT_SLICES, VIEW_ENDPOINTS, VIEW_NODES, VIEW_KINDS };

/* When the endpoints of a Service changed, as one of its slices says. */
struct trigger {
	const struct slot *slot;
	int64_t time; /* struct slice.trigger_time */
	int family;
};

enum { STORE_MAX_TRIGGERS = 10000 };

struct store {
	struct map slots;
	struct map slices;	  /* of slot_slice, by kind/namespace/name */
	struct map nodes;	  /* of struct store_node */
	struct place_pool places; /* of endpoints */
	struct list dirty;
	struct map changes;   /* of struct slice_change, by slot */
	struct map endpoints; /* of struct endpoint_entry, as long as `on_endpoint` is set */
	void (*on_endpoint)(const struct ip *ip, void *arg);
	void *on_endpoint_arg;
	/* Counts changes of nodes' addresses, pod CIDRs, zones and weights, and of the endpoints of
	 * default/kubernetes. */
	uint32_t node_generation;
	size_t n_services;
	/* The slots whose Service has a traffic policy Local, in any order: there are few, and some
	 * questions are about them alone. */
	struct slot **local;
	size_t n_local, cap_local;
	uint32_t view[VIEW_KINDS]; /* number of the running or last view */
	/* Changes received so far. An object that the store has is not a change. */
	uint64_t service_changes, slice_changes;
	/*
	 * Triggers later than `triggers_since` (Unix microseconds; 0: none are kept); the reader
	 * sets `n_triggers` to 0. A slice that is deleted takes the triggers of its Service along,
	 * as in kube-proxy: nobody waits for them.
	 */
	int64_t triggers_since;
	struct trigger *triggers;
	size_t n_triggers, cap_triggers;
};

struct store_node {
	struct map_node by_name;
	struct node *node;
	uint32_t view;
};

void store_init(struct store *s);
void store_done(struct store *s);

/* Each takes ownership and replaces what was there under the same namespace and name. */
void store_put_service(struct store *s, struct service *service);
void store_put_slice(struct store *s, struct slice *slice);
void store_put_node(struct store *s, struct node *node);
void store_delete_service(struct store *s, const char *ns, const char *name);
void store_delete_slice(struct store *s, enum slice_kind kind, const char *ns, const char *name);
void store_delete_node(struct store *s, const char *name);

/*
 * A complete view of one kind: everything of it that is put, or said to be there unchanged, between
 * the two calls exists, and the rest is deleted at the end. A view that fails is begun again.
 */
void store_view_begin(struct store *s, enum view_kind kind);
void store_view_end(struct store *s, enum view_kind kind);
/* Whether the store has the object in this version and with this content. If so, it counts as put in
 * the running view; else the caller must put it. */
bool store_has_service(struct store *s, const struct service *service);
bool store_has_slice(struct store *s, const struct slice *slice);

/*
 * From now on the store finds endpoints by their address; this costs memory for each endpoint. Calls
 * fn with the address of each one that comes or goes. NULL: no longer.
 */
void store_index_endpoints(struct store *s, void (*fn)(const struct ip *ip, void *arg), void *arg);
/* Adds the ports that endpoints of other Services than the slot's have at the address. False: none. */
bool store_add_endpoint_ports(const struct store *s, const struct slot *slot, const struct ip *ip,
	uint8_t proto, struct port_set *ret);

/* NULL where unknown. Valid until the next change of that object. */
struct slot *store_find(const struct store *s, const char *ns, const char *name);
const struct node *store_node(const struct store *s, const char *name);

/* The slot that is dirty for the longest, taken off the queue; NULL when none is. */
struct slot *store_next_dirty(struct store *s);
/* Hands over what changed of the slot that was taken off the queue; free it. */
struct slot_changes store_take_changes(struct store *s, const struct slot *slot);
void slot_changes_free(struct store *s, struct slot_changes *changes);
/* All of the slot is to be resolved. */
void store_mark_dirty(struct store *s, struct slot *slot);
void store_mark_all_dirty(struct store *s);
/* Frees the slot if it has no objects and no publication. */
void store_prune(struct store *s, struct slot *slot);

#endif

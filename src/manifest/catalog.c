// SPDX-License-Identifier: GPL-2.0-or-later
#include "catalog.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"

/* An object that at least one file defines, or that is still in the store. */
struct subject {
	struct map_node by_title;
	enum object_kind kind;
	const char *ns, *name;
	const char *title; /* "Service default/web": no other object has it */
	struct list definitions;
	struct list queued; /* on touched or starved, or alone */
	struct list problems;
	bool stored;
	uint64_t hash;	       /* of the content that is in the store */
	struct ip assigned[2]; /* IPv4, IPv6: from the pools, kept as long as they are needed */
	struct ip held[2];     /* its own addresses as the pools know them */
	char text[];	       /* of the strings: most names are much shorter than they may be */
};

static void subject_free(struct catalog *c, struct subject *s)
{
	list_remove(&s->queued);
	problems_drop(c->problems, &s->problems);
	free(s);
}

void catalog_done(struct catalog *c)
{
	map_for_each_entry(struct subject, s, &c->subjects, by_title)
		subject_free(c, s);
	map_done(&c->subjects);
	for (size_t i = 0; i < ARRAY_SIZE(c->pools); i++)
		pool_done(&c->pools[i]);
}

/* Definitions */

static struct subject *find_subject(const struct catalog *c, const struct object_id *id)
{
	char title[OBJECT_ID_STRLEN];

	object_id_print(id, title);
	map_for_each_match_entry(struct subject, s, &c->subjects, map_hash_str(title), by_title)
		if (!strcmp(s->title, title))
			return s;
	return NULL;
}

static struct subject *add_subject(struct catalog *c, const struct object_id *id)
{
	char title[OBJECT_ID_STRLEN];
	size_t title_size = strlen(object_id_print(id, title)) + 1;
	size_t ns_size = strlen(id->ns) + 1, name_size = strlen(id->name) + 1;
	struct subject *s = mem_zalloc(1, sizeof(*s) + title_size + ns_size + name_size);

	s->kind = id->kind;
	s->title = memcpy(s->text, title, title_size);
	s->ns = memcpy(s->text + title_size, id->ns, ns_size);
	s->name = memcpy(s->text + title_size + ns_size, id->name, name_size);
	list_init(&s->definitions);
	list_init(&s->queued);
	list_init(&s->problems);
	map_add(&c->subjects, &s->by_title, map_hash_str(title));
	return s;
}

struct definition *catalog_find(
	const struct catalog *c, const struct object_id *id, const char *path)
{
	struct subject *s = find_subject(c, id);

	if (!s)
		return NULL;
	list_for_each_entry(struct definition, d, &s->definitions, of_subject)
		if (!strcmp(d->path, path))
			return d;
	return NULL;
}

struct definition *catalog_define(struct catalog *c, const struct object_id *id, const char *path,
	char *content, struct object *o)
{
	struct subject *s = find_subject(c, id);
	struct definition *d = NULL;
	struct list *pos;

	if (!s)
		s = add_subject(c, id);
	pos = &s->definitions;
	list_for_each_entry(struct definition, other, &s->definitions, of_subject) {
		int order = strcmp(other->path, path);

		if (order < 0)
			continue;
		if (!order)
			d = other;
		pos = &other->of_subject;
		break;
	}
	if (d && !strcmp(d->content, content)) {
		free(content);
		object_done(o);
		return d;
	}
	if (!d) {
		d = new0(struct definition);
		d->subject = s;
		d->path = path;
		list_init(&d->in_file);
		list_insert(pos, &d->of_subject);
	}

	free(d->content);
	if (d->decoded)
		object_done(&d->object);
	d->content = content;
	d->hash = hash_text(content);
	d->object = *o;
	d->decoded = true;
	list_remove(&s->queued);
	list_insert(&c->touched, &s->queued);
	return d;
}

void catalog_remove(struct catalog *c, struct definition *d)
{
	struct subject *s = d->subject;

	/* The definitions that are left decide what the subject is. */
	list_remove(&s->queued);
	list_insert(&c->touched, &s->queued);
	list_remove(&d->in_file);
	list_remove(&d->of_subject);
	if (d->decoded)
		object_done(&d->object);
	free(d->content);
	free(d);
}

/* A definition that was in the store and lost its place there has to be decoded again. */
static void need_object(struct definition *d)
{
	struct decode_error err;
	json_t *tree;
	int r;

	if (d->decoded)
		return;
	tree = json_loads(d->content, JSON_DECODE_ANY, NULL);
	r = decode_object(tree, &d->object, &err);
	assert(!r); /* the same content was decoded before */
	(void)r;
	json_decref(tree);
	d->decoded = true;
}

/* Cluster IPs */

/* The pool of the family that a Service lists first, or gets first without addresses of its own. */
static size_t first_pool(const struct catalog *c, const struct object *o)
{
	int family = c->pools[0].range.ip.family ? AF_INET : AF_INET6;

	if (o->wish.families[0])
		family = o->wish.families[0];
	if (o->service->n_cluster_ips)
		family = o->service->cluster_ips[0].family;
	return family == AF_INET6;
}

/* Bit 0: IPv4, bit 1: IPv6 */
static unsigned families_to_assign(const struct catalog *c, const struct object *o)
{
	const struct service *s = o->service;
	bool dual = o->wish.prefer_dual_stack || o->wish.families[1];
	unsigned first, second, wanted = 0;

	/* Headless, ExternalName and other proxies' Services get no address. */
	if (o->kind != OBJECT_SERVICE || s->type == SERVICE_EXTERNAL_NAME || s->headless ||
		s->other_proxy)
		return 0;
	first = (unsigned)first_pool(c, o);
	second = !first;
	if (!s->n_cluster_ips)
		wanted |= 1u << first;
	if (dual && s->n_cluster_ips < 2 && c->pools[second].range.ip.family)
		wanted |= 1u << second;
	return wanted;
}

bool catalog_can_assign(const struct catalog *c, const struct object *o)
{
	unsigned wanted = families_to_assign(c, o);
	size_t first = wanted ? first_pool(c, o) : 0;

	return !(wanted & 1u << first) || c->pools[first].range.ip.family;
}

/* Finds the addresses that the Service lacks. False where none is left, which becomes a problem. */
static bool allocate_addresses(struct catalog *c, struct subject *s, const struct definition *d)
{
	const struct object *o = &d->object;
	unsigned wanted = families_to_assign(c, o);
	char range[CIDR_STRLEN], message[200];

	for (size_t i = 0; i < ARRAY_SIZE(s->assigned); i++) {
		bool spare = o->wish.prefer_dual_stack && !o->wish.require_dual_stack &&
			i != first_pool(c, o);

		if (!(wanted & 1u << i) || s->assigned[i].family)
			continue;
		if (!pool_allocate(&c->pools[i], s->title, &s->assigned[i]) || spare)
			continue;
		snprintf(message, sizeof(message),
			"is missing, and no address is left in %s; the Service is left out",
			cidr_print(&c->pools[i].range, range));
		problems_add(c->problems, &s->problems,
			&(struct manifest_problem){ .path = d->path,
				.line = d->line,
				.object = s->title,
				.field = "spec.clusterIP",
				.message = message });
		return false;
	}
	return true;
}

/* The store */

static void put_in_store(struct catalog *c, struct definition *d)
{
	struct subject *s = d->subject;

	switch (s->kind) {
	case OBJECT_SERVICE:
		store_put_service(c->store, take(d->object.service));
		break;
	case OBJECT_ENDPOINTS:
	case OBJECT_ENDPOINT_SLICE:
		store_put_slice(c->store, take(d->object.slice));
		break;
	case OBJECT_NODE:
		store_put_node(c->store, take(d->object.node));
		break;
	}
	d->decoded = false;
	s->stored = true;
	s->hash = d->hash;
	c->changed = true;
}

static void withdraw_from_store(struct catalog *c, struct subject *s)
{
	if (!s->stored)
		return;
	switch (s->kind) {
	case OBJECT_SERVICE:
		store_delete_service(c->store, s->ns, s->name);
		break;
	case OBJECT_ENDPOINTS:
		store_delete_slice(c->store, SLICE_ENDPOINTS, s->ns, s->name);
		break;
	case OBJECT_ENDPOINT_SLICE:
		store_delete_slice(c->store, SLICE_ENDPOINT_SLICE, s->ns, s->name);
		break;
	case OBJECT_NODE:
		store_delete_node(c->store, s->name);
		break;
	}
	s->stored = false;
	c->changed = true;
}

/* Settling */

/* The definition that counts, the first by path; NULL for none. */
static struct definition *winner(const struct subject *s)
{
	return list_empty(&s->definitions)
		? NULL
		: container_of(s->definitions.next, struct definition, of_subject);
}

/* Gives back the addresses that are not needed any more, before any subject asks for new ones. */
static void settle_own_addresses(struct catalog *c, struct subject *s)
{
	struct definition *d = winner(s);
	const struct object *o = NULL;
	unsigned needed;

	if (d && s->stored && s->hash == d->hash)
		return;
	if (d) {
		need_object(d);
		o = &d->object;
	}

	/* The addresses that the Service brings itself are given to no other. */
	for (size_t i = 0; i < ARRAY_SIZE(s->held); i++)
		pool_release(&c->pools[i], &s->held[i]);
	memset(s->held, 0, sizeof(s->held));
	for (size_t k = 0; o && o->kind == OBJECT_SERVICE && k < o->service->n_cluster_ips; k++) {
		const struct ip *ip = &o->service->cluster_ips[k];
		size_t i = ip->family == AF_INET6;

		pool_hold(&c->pools[i], ip);
		s->held[i] = *ip;
	}

	needed = o ? families_to_assign(c, o) : 0;
	for (size_t i = 0; i < ARRAY_SIZE(s->assigned); i++) {
		if (needed & 1u << i)
			continue;
		pool_release(&c->pools[i], &s->assigned[i]);
		s->assigned[i] = (struct ip){ 0 };
	}
}

static void tell_losers(struct catalog *c, struct subject *s, const struct definition *first)
{
	list_for_each_entry(const struct definition, d, &s->definitions, of_subject) {
		_cleanup_(buf_done) struct buf message = { 0 };

		if (d == first)
			continue;
		buf_addf(&message,
			"is defined in %s too, which comes first and counts; this definition is left out",
			first->path);
		problems_add(c->problems, &s->problems,
			&(struct manifest_problem){ .path = d->path,
				.line = d->line,
				.object = s->title,
				.field = "",
				.message = buf_str(&message) });
	}
}

/* Brings the winner's version into the store, with addresses from the pools. */
static void store_winner(struct catalog *c, struct subject *s, struct definition *d)
{
	struct service *service = d->object.service;
	size_t first;

	if (s->kind == OBJECT_SERVICE) {
		if (!allocate_addresses(c, s, d)) {
			withdraw_from_store(c, s);
			list_insert(&c->starved, &s->queued);
			return;
		}
		first = first_pool(c, &d->object);
		for (size_t k = 0; k < ARRAY_SIZE(s->assigned); k++) {
			const struct ip *ip = &s->assigned[k ? !first : first];

			if (ip->family)
				service->cluster_ips[service->n_cluster_ips++] = *ip;
		}
	}
	put_in_store(c, d);
}

static void settle_subject(struct catalog *c, struct subject *s)
{
	struct definition *d = winner(s);

	list_remove(&s->queued);
	problems_begin(&s->problems);
	if (!d)
		withdraw_from_store(c, s);
	else
		tell_losers(c, s, d);
	if (d && !(s->stored && s->hash == d->hash))
		store_winner(c, s, d);
	problems_end(c->problems, &s->problems);
	if (d)
		return;
	map_del(&c->subjects, &s->by_title);
	subject_free(c, s);
}

static int cmp_subjects(const void *a, const void *b)
{
	const struct subject *s = *(struct subject *const *)a, *t = *(struct subject *const *)b;

	return strcmp(s->title, t->title);
}

void catalog_settle(struct catalog *c)
{
	_cleanup_free_ struct subject **work = NULL;
	size_t n = 0, cap = 0;

	list_for_each_entry(struct subject, s, &c->touched, queued) {
		mem_grow(work, n, cap);
		work[n++] = s;
	}
	if (!work)
		return;
	/* Addresses may have become free. */
	list_for_each_entry(struct subject, s, &c->starved, queued) {
		mem_grow(work, n, cap);
		work[n++] = s;
	}

	/* In order of name, so that the pools are asked in the same order at every start. */
	qsort(work, n, sizeof(struct subject *), cmp_subjects);
	for (size_t i = 0; i < n; i++)
		settle_own_addresses(c, work[i]);
	for (size_t i = 0; i < n; i++)
		settle_subject(c, work[i]);
}

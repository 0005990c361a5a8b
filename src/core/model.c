// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/model.h"

#include <string.h>

const char *service_type_name(enum service_type type)
{
	static const char *const names[] = {
		[SERVICE_CLUSTER_IP] = "ClusterIP",
		[SERVICE_NODE_PORT] = "NodePort",
		[SERVICE_LOAD_BALANCER] = "LoadBalancer",
		[SERVICE_EXTERNAL_NAME] = "ExternalName",
	};

	return names[type];
}

struct service *service_new(void)
{
	struct arena a = { 0 };
	struct service *s = arena_alloc(&a, 1, sizeof(*s));

	s->arena = a;
	s->ns = s->name = s->resource_version = s->uid = s->scheduler = "";
	s->drain_timeout = -1;
	return s;
}

struct slice *slice_new(void)
{
	struct arena a = { 0 };
	struct slice *s = arena_alloc(&a, 1, sizeof(*s));

	s->arena = a;
	s->ns = s->name = s->resource_version = s->service = "";
	s->weight = -1;
	return s;
}

struct node *node_new(void)
{
	struct arena a = { 0 };
	struct node *n = arena_alloc(&a, 1, sizeof(*n));

	n->arena = a;
	n->name = n->resource_version = n->zone = "";
	n->weight = -1;
	return n;
}

/* The object lies in the arena that it holds: the arena is copied out before it goes. */
static void arena_free(struct arena a)
{
	arena_done(&a);
}

static bool service_is_named(const struct service *s, const char *ns, const char *name)
{
	return !strcmp(s->ns, ns) && !strcmp(s->name, name);
}

bool service_is_vital(const struct service *s)
{
	return s->cluster_dns || service_is_named(s, "default", "kubernetes") ||
		service_is_named(s, "kube-system", "kube-dns");
}

void service_free(struct service *s)
{
	if (s)
		arena_free(s->arena);
}

void slice_free(struct slice *s)
{
	if (s)
		arena_free(s->arena);
}

void node_free(struct node *n)
{
	if (n)
		arena_free(n->arena);
}

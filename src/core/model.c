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

/* Most objects fit into their first chunk; those that stay are packed, see model_pack.h. */
enum { SERVICE_CHUNK = 1024, SLICE_CHUNK = 2048 };

struct service *service_new(void)
{
	struct service *s;
	struct arena a;

	arena_init(&a, SERVICE_CHUNK);
	s = arena_alloc(&a, 1, sizeof(*s));
	s->arena = a;
	s->ns = s->name = s->resource_version = s->uid = s->scheduler = "";
	s->drain_timeout = -1;
	return s;
}

struct slice *slice_new(void)
{
	struct slice *s;
	struct arena a;

	arena_init(&a, SLICE_CHUNK);
	s = arena_alloc(&a, 1, sizeof(*s));
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

bool service_is_vital(const struct service *s)
{
	return s->cluster_dns || (!strcmp(s->ns, "default") && !strcmp(s->name, "kubernetes")) ||
		(!strcmp(s->ns, "kube-system") && !strcmp(s->name, "kube-dns"));
}

/* Each object lies in the arena that it holds: the arena is copied out before it is freed. */
void service_free(struct service *s)
{
	struct arena a = s ? s->arena : (struct arena){ 0 };

	arena_done(&a);
}

void slice_free(struct slice *s)
{
	struct arena a = s ? s->arena : (struct arena){ 0 };

	arena_done(&a);
}

void node_free(struct node *n)
{
	struct arena a = n ? n->arena : (struct arena){ 0 };

	arena_done(&a);
}

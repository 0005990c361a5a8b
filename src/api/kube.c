// SPDX-License-Identifier: GPL-2.0-or-later
#include "api/kube.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/http.h"
#include "api/server_addresses.h"
#include "api/watch.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/mem.h"
#include "decode/decode.h"
#include "decode/skim.h"

/* Either slices or Endpoints tell of endpoints. */
enum kube_resource {
	RESOURCE_SERVICES,
	RESOURCE_SLICES,
	RESOURCE_ENDPOINTS,
	RESOURCE_NODE,
	RESOURCES
};

enum { NOT_FOUND = 404 };

static const struct resource_info {
	enum object_kind kind;
	enum view_kind view;
	const char *name, *path;
	const char *label_selector; /* escaped */
} resource_info[RESOURCES] = {
	[RESOURCE_SERVICES] = { OBJECT_SERVICE, VIEW_SERVICES, "services", "/api/v1/services",
		"%21service.kubernetes.io%2Fservice-proxy-name" },
	/* The controllers put the label on objects of Services without a virtual address. */
	[RESOURCE_SLICES] = { OBJECT_ENDPOINT_SLICE, VIEW_ENDPOINT_SLICES, "endpointslices",
		"/apis/discovery.k8s.io/v1/endpointslices", "%21service.kubernetes.io%2Fheadless" },
	[RESOURCE_ENDPOINTS] = { OBJECT_ENDPOINTS, VIEW_ENDPOINTS, "endpoints", "/api/v1/endpoints",
		"%21service.kubernetes.io%2Fheadless" },
	[RESOURCE_NODE] = { OBJECT_NODE, VIEW_NODES, "nodes", "/api/v1/nodes", "" },
};

/* A resource that is followed. */
struct follow {
	struct kube *kube;
	const struct resource_info *info;
	struct watch *watch; /* NULL: not followed */
	bool complete;	     /* was, once */
	bool troubled;
};

struct kube {
	struct kube_config config;
	struct http_client *client;
	struct server_addresses *servers;
	struct follow follow[RESOURCES];
	struct timer *node_wait;
	struct timer *give_up_endpoints; /* from outside of a watch's callback */
	struct pace pace;
	struct reach *reach;
	bool weight_ignored;
	bool no_addresses, no_pod_cidrs; /* the wait for those of the Node is over */
	bool fed;
};

const char kube_ignored_weight[] =
	"metadata.annotations[ipvsctl.io/weight] does not count with an API server, because other "
	"nodes do not know it; on an EndpointSlice it does";

/* Objects */

static int decode_watched(enum object_kind kind, const struct watch_object *o, struct object *ret,
	struct decode_error *err)
{
	json_error_t syntax;
	json_t *root;
	int r;

	if (o->encoding == WATCH_PROTOBUF)
		return decode_accepted(kind, value_of_message(o->data, o->len), ret, err);
	root = json_loadb(o->data, o->len, 0, &syntax);
	if (!root) {
		*err = (struct decode_error){ 0 };
		snprintf(err->message, sizeof(err->message), "is not JSON: %s", syntax.text);
		return -EBADMSG;
	}
	r = decode_accepted(kind, value_of_json(root), ret, err);
	json_decref(root);
	return r;
}

/* The same for an element of a list and for the object of an event, which has its kind and
 * apiVersion in JSON. */
static uint64_t hash_watched(const struct watch_object *o)
{
	struct skim members = skim_members((struct text){ o->data, o->len });
	struct text name, value;
	uint64_t hash = HASH_EMPTY;

	if (o->encoding == WATCH_PROTOBUF)
		return hash_more(hash, o->data, o->len);
	while (skim_next(&members, &name, &value)) {
		if (skim_text_is(name, "kind") || skim_text_is(name, "apiVersion"))
			continue;
		hash = hash_more(hash, name.s, name.len);
		hash = hash_more(hash, value.s, value.len);
	}
	return hash;
}

static void put_into_store(struct store *store, struct object *o, uint64_t hash)
{
	switch (o->kind) {
	case OBJECT_SERVICE:
		o->service->hash = hash;
		if (!store_has_service(store, o->service))
			store_put_service(store, take(o->service));
		break;
	case OBJECT_ENDPOINTS:
	case OBJECT_ENDPOINT_SLICE:
		o->slice->hash = hash;
		if (!store_has_slice(store, o->slice))
			store_put_slice(store, take(o->slice));
		break;
	case OBJECT_NODE:
		store_put_node(store, take(o->node));
		break;
	}
}

static void remove_from_store(struct store *store, const struct object_id *id)
{
	switch (id->kind) {
	case OBJECT_SERVICE:
		store_delete_service(store, id->ns, id->name);
		break;
	case OBJECT_ENDPOINTS:
		store_delete_slice(store, SLICE_ENDPOINTS, id->ns, id->name);
		break;
	case OBJECT_ENDPOINT_SLICE:
		store_delete_slice(store, SLICE_ENDPOINT_SLICE, id->ns, id->name);
		break;
	case OBJECT_NODE:
		store_delete_node(store, id->name);
		break;
	}
}

/* The first complete view */

static void check_fed(struct kube *k)
{
	const struct follow *f = k->follow;
	const struct node *node;
	bool addresses, pod_cidrs;

	if (k->fed || !f[RESOURCE_SERVICES].complete ||
		!(f[RESOURCE_SLICES].complete || f[RESOURCE_ENDPOINTS].complete))
		return;

	/* The Node has what is needed of it, or the wait for that is over. */
	node = store_node(k->config.store, k->config.node_name);
	addresses = k->no_addresses || (node && node->n_addresses);
	pod_cidrs = k->no_pod_cidrs || !k->config.needs_pod_cidrs || (node && node->n_pod_cidrs);
	if (addresses && pod_cidrs) {
		timer_stop(k->node_wait);
		k->fed = true;
		k->config.fed(k->config.arg);
	} else if (!timer_is_running(k->node_wait)) {
		timer_start(
			k->node_wait, k->no_addresses ? KUBE_POD_CIDRS_WAIT_MS : KUBE_NODE_WAIT_MS);
	}
}

static void on_node_wait(void *arg)
{
	struct kube *k = arg;

	k->no_pod_cidrs = k->no_addresses;
	k->no_addresses = true;
	check_fed(k);
}

static void ignore_weight(struct kube *k, struct node *node)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	bool before = k->weight_ignored, ours = !strcmp(node->name, k->config.node_name);

	if (ours)
		k->weight_ignored = node->weight >= 0;
	node->weight = -1;
	if (!k->weight_ignored || before)
		return;
	buf_addf(&text, "Node %s: ", node->name);
	buf_adds(&text, kube_ignored_weight);
	k->config.problem(buf_str(&text), k->config.arg);
}

/* Callbacks of the watches */

static void on_view_begin(void *arg)
{
	const struct follow *f = arg;

	store_view_begin(f->kube->config.store, f->info->view);
}

static int on_view_object(const struct watch_object *o, void *arg, struct err *err)
{
	_cleanup_(object_done) struct object object = { 0 };
	const struct follow *f = arg;
	struct kube *k = f->kube;
	struct decode_error e = { 0 };
	int r = decode_watched(f->info->kind, o, &object, &e);
	bool put = !r && o->event == WATCH_PUT;

	if (r == -EBADMSG)
		return err_set(err, r, "%s", e.message);
	if (*e.message && r != -ENOTSUP) {
		_cleanup_(buf_done) struct buf text = { 0 };

		buf_adds(&text, *e.object ? e.object : "an object");
		if (*e.field)
			buf_addf(&text, ": %s", e.field);
		buf_addf(&text, " %s", e.message);
		k->config.problem(buf_str(&text), k->config.arg);
	}
	/* The selectors once more: a server that does not know them sends everything. */
	if (put && object.kind == OBJECT_SERVICE)
		put = !object.service->headless && !object.service->other_proxy;
	if (put && object.kind == OBJECT_NODE)
		ignore_weight(k, object.node);
	if (put)
		put_into_store(k->config.store, &object, hash_watched(o));
	else if (*e.id.name) /* also where it cannot be decoded: the stored version is outdated */
		remove_from_store(k->config.store, &e.id);
	if (f->info->kind == OBJECT_NODE)
		check_fed(k);
	if (k->fed)
		k->config.changed(k->config.arg);
	return r ? err_set(err, r, "%s", e.message) : 0;
}

static void on_view_complete(void *arg)
{
	struct follow *f = arg;
	struct kube *k = f->kube;
	struct store *store = k->config.store;
	bool slices = f->info->kind == OBJECT_ENDPOINT_SLICE;
	enum view_kind other = slices ? VIEW_ENDPOINTS : VIEW_ENDPOINT_SLICES;

	store_view_end(store, f->info->view);
	/* The same endpoints must not be in the store twice, from slices and from Endpoints. */
	if (slices || f->info->kind == OBJECT_ENDPOINTS) {
		store_view_begin(store, other);
		store_view_end(store, other);
	}
	if (slices && k->follow[RESOURCE_ENDPOINTS].watch)
		timer_start(k->give_up_endpoints, 0);
	f->complete = true;
	check_fed(k);
	if (k->fed)
		k->config.changed(k->config.arg);
}

static void follow_resource(struct kube *k, enum kube_resource i, const char *field_selector);

/* Without slices Endpoints are followed. The server is still asked for its slices: it may be
 * upgraded. */
static void on_watch_trouble(const char *message, unsigned status, unsigned retry_ms, void *arg)
{
	struct follow *f = arg;
	struct kube *k = f->kube;
	const struct kube_config *c = &k->config;

	if (status == NOT_FOUND && f->info->kind == OBJECT_ENDPOINT_SLICE &&
		c->endpoints == ENDPOINTS_AUTO) {
		if (!k->follow[RESOURCE_ENDPOINTS].watch)
			follow_resource(k, RESOURCE_ENDPOINTS, "");
		message = NULL;
	}
	if (message || f->troubled)
		c->trouble(f->info->name, message, retry_ms, c->arg);
	f->troubled = message;
}

static void on_watch_relist(const char *why, void *arg)
{
	const struct follow *f = arg;
	const struct kube_config *c = &f->kube->config;

	c->relist(f->info->name, why, c->arg);
}

static void follow_resource(struct kube *k, enum kube_resource i, const char *field_selector)
{
	struct follow *f = &k->follow[i];

	*f = (struct follow){ .kube = k, .info = &resource_info[i] };
	f->watch = watch_new(&(struct watch_config){
		.client = k->client,
		.path = f->info->path,
		.label_selector = f->info->label_selector,
		.field_selector = field_selector,
		.optional_fields = i == RESOURCE_SERVICES,
		.json = k->config.json,
		.pace = &k->pace,
		.reach = k->reach,
		.begin = on_view_begin,
		.object = on_view_object,
		.complete = on_view_complete,
		.trouble = on_watch_trouble,
		.relist = on_watch_relist,
		.arg = f,
	});
}

static void give_up_endpoints(void *arg)
{
	struct kube *k = arg;
	struct follow *f = &k->follow[RESOURCE_ENDPOINTS];

	watch_free(take(f->watch));
	if (f->troubled)
		k->config.trouble(f->info->name, NULL, 0, k->config.arg);
	f->troubled = f->complete = false;
	store_view_begin(k->config.store, VIEW_ENDPOINTS);
	store_view_end(k->config.store, VIEW_ENDPOINTS);
}

static void on_servers_changed(void *arg)
{
	const struct kube *k = arg;

	if (k->config.servers_changed)
		k->config.servers_changed(k->config.arg);
}

static void follow_servers(struct kube *k)
{
	struct timers *timers = http_client_timers(k->client);
	const struct credentials *c = auth_get(k->config.auth, timers_now(timers));

	k->servers = server_addresses_new(&(struct server_addresses_config){
		.timers = timers,
		.server = c->server,
		.proxy = c->proxy,
		.changed = on_servers_changed,
		.arg = k,
	});
	http_client_follow_peers(k->client, server_addresses_peer, k->servers);
}

int kube_new(const struct kube_config *config, struct kube **ret, struct err *err)
{
	_cleanup_(buf_done) struct buf node = { 0 };
	struct kube *k = new0(struct kube);
	struct timers *timers;
	int r;

	k->config = *config;
	k->pace = (struct pace){ .qps = config->qps, .burst = config->burst };
	r = http_client_new(config->base, config->auth, &k->client, err);
	if (r < 0) {
		free(k);
		return r;
	}
	timers = http_client_timers(k->client);
	k->reach = reach_new(timers);
	k->node_wait = timer_new(timers, on_node_wait, k);
	k->give_up_endpoints = timer_new(timers, give_up_endpoints, k);

	follow_servers(k);
	follow_resource(k, RESOURCE_SERVICES, "spec.clusterIP%21%3DNone");
	follow_resource(k,
		config->endpoints == ENDPOINTS_LEGACY ? RESOURCE_ENDPOINTS : RESOURCE_SLICES, "");
	/* A node's name is a DNS subdomain: nothing in it needs escaping. */
	buf_addf(&node, "metadata.name%%3D%s", config->node_name);
	follow_resource(k, RESOURCE_NODE, buf_str(&node));
	*ret = k;
	return 0;
}

void kube_free(struct kube *k)
{
	if (!k)
		return;
	for (enum kube_resource i = 0; i < RESOURCES; i++)
		watch_free(k->follow[i].watch);
	reach_free(k->reach);
	timer_free(k->node_wait);
	timer_free(k->give_up_endpoints);
	http_client_follow_peers(k->client, NULL, NULL);
	server_addresses_free(k->servers);
	http_client_free(k->client);
	free(k);
}

void kube_resync(struct kube *k)
{
	for (enum kube_resource i = 0; i < RESOURCES; i++)
		if (k->follow[i].watch)
			watch_resync(k->follow[i].watch);
}

/* While Endpoints are followed in place of slices, the watch of slices is unhealthy. */
void kube_watches(const struct kube *k, struct kube_watch ret[static KUBE_WATCHES])
{
	bool endpoints = k->follow[RESOURCE_ENDPOINTS].watch &&
		!watch_state(k->follow[RESOURCE_SLICES].watch).healthy;
	const struct follow *followed[KUBE_WATCHES] = {
		&k->follow[RESOURCE_SERVICES],
		&k->follow[endpoints ? RESOURCE_ENDPOINTS : RESOURCE_SLICES],
		&k->follow[RESOURCE_NODE],
	};

	for (size_t i = 0; i < KUBE_WATCHES; i++)
		ret[i] = (struct kube_watch){
			.resource = followed[i]->info->name,
			.healthy = watch_state(followed[i]->watch).healthy,
		};
}

bool kube_ignores_weight(const struct kube *k)
{
	return k->weight_ignored;
}

uint64_t kube_received(const struct kube *k)
{
	uint64_t n = 0;

	for (enum kube_resource i = 0; i < RESOURCES; i++)
		n += watch_state(k->follow[i].watch).received;
	return n;
}

const struct node_socket *kube_servers(const struct kube *k, size_t *ret_n)
{
	return server_addresses_get(k->servers, ret_n);
}

struct http_client *kube_client(struct kube *k)
{
	return k->client;
}

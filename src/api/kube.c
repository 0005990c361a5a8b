// SPDX-License-Identifier: GPL-2.0-or-later
#include "api/kube.h"

#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "decode/decode.h"
#include "api/http.h"
#include "api/watch.h"

/* Slices and Endpoints stand for each other. */
enum resource { RESOURCE_SERVICES, RESOURCE_SLICES, RESOURCE_ENDPOINTS, RESOURCE_NODE, RESOURCES };

enum { NOT_FOUND = 404 };

/* What is followed of one kind. */
struct follow {
	struct kube *kube;
	struct watch *watch; /* NULL: it is not followed */
	enum object_kind kind;
	enum view_kind view;
	const char *name; /* "services" */
	bool complete;	  /* was, once */
	bool troubled;
};

struct kube {
	struct kube_config config;
	struct http_client *client;
	struct follow follow[RESOURCES];
	struct event *node_wait;
	struct event *give_up_endpoints; /* from outside of a watch's callback */
	struct pace pace;
	bool no_addresses, no_pod_cidrs; /* the Node's were waited for long enough */
	bool fed;
};

/* Objects */

static void object_freep(struct object *o)
{
	object_done(o);
}

static int decode(const struct follow *f, const struct watch_object *o, struct object *ret,
	struct decode_error *err)
{
	json_error_t syntax;
	json_t *root;
	int r;

	if (o->encoding == WATCH_PROTOBUF)
		return decode_protobuf(f->kind, o->data, o->len, ret, err);
	root = json_loadb(o->data, o->len, 0, &syntax);
	if (!root) {
		*err = (struct decode_error){ 0 };
		snprintf(err->message, sizeof(err->message), "is not JSON: %s", syntax.text);
		return -EBADMSG;
	}
	r = decode_element(f->kind, root, ret, err);
	json_decref(root);
	return r;
}

static void put(struct store *store, struct object *o)
{
	switch (o->kind) {
	case OBJECT_SERVICE:
		if (!store_has_service(
			    store, o->service->ns, o->service->name, o->service->resource_version))
			store_put_service(store, take(o->service));
		break;
	case OBJECT_ENDPOINTS:
	case OBJECT_ENDPOINT_SLICE:
		if (!store_has_slice(store, o->slice->kind, o->slice->ns, o->slice->name,
			    o->slice->resource_version))
			store_put_slice(store, take(o->slice));
		break;
	case OBJECT_NODE:
		store_put_node(store, take(o->node));
		break;
	}
}

static void remove_object(struct store *store, const struct object *o)
{
	switch (o->kind) {
	case OBJECT_SERVICE:
		store_delete_service(store, o->service->ns, o->service->name);
		break;
	case OBJECT_ENDPOINTS:
	case OBJECT_ENDPOINT_SLICE:
		store_delete_slice(store, o->slice->kind, o->slice->ns, o->slice->name);
		break;
	case OBJECT_NODE:
		store_delete_node(store, o->node->name);
		break;
	}
}

static void report_problem(const struct kube *k, const struct decode_error *e)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	buf_adds(&text, *e->object ? e->object : "an object");
	if (*e->field)
		buf_addf(&text, ": %s", e->field);
	buf_addf(&text, ": %s", e->message);
	k->config.problem(buf_str(&text), k->config.arg);
}

/* What is there of it was another version, which is not the truth any more. */
static void remove_id(struct store *store, const struct object_id *id)
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

/* What the selectors say: a server that does not know them sends everything. */
static bool is_selected(const struct object *o)
{
	return o->kind != OBJECT_SERVICE || (!o->service->headless && !o->service->other_proxy);
}

static void take_object(struct kube *k, const struct watch_object *o, struct object *object)
{
	if (o->event == WATCH_PUT && is_selected(object))
		put(k->config.store, object);
	else
		remove_object(k->config.store, object);
}

/* Everything is known */

static bool node_suffices(const struct kube *k)
{
	const struct node *node = store_node(k->config.store, k->config.node_name);

	return (k->no_addresses || (node && node->n_addresses)) &&
		(k->no_pod_cidrs || !k->config.needs_pod_cidrs || (node && node->n_pod_cidrs));
}

static void wait_for_node(struct kube *k)
{
	unsigned ms = k->no_addresses ? k->config.pod_cidrs_wait_ms : k->config.node_wait_ms;
	const struct timeval wait = { .tv_sec = ms / 1000,
		.tv_usec = (suseconds_t)(ms % 1000) * 1000 };

	if (!event_pending(k->node_wait, EV_TIMEOUT, NULL))
		event_add(k->node_wait, &wait);
}

static void check_fed(struct kube *k)
{
	if (k->fed || !k->follow[RESOURCE_SERVICES].complete ||
		!(k->follow[RESOURCE_SLICES].complete || k->follow[RESOURCE_ENDPOINTS].complete))
		return;
	if (!node_suffices(k)) {
		wait_for_node(k);
		return;
	}
	event_del(k->node_wait);
	k->fed = true;
	k->config.fed(k->config.arg);
}

static void on_node_wait(evutil_socket_t fd, short what, void *arg)
{
	struct kube *k = arg;

	(void)fd;
	(void)what;
	k->no_pod_cidrs = k->no_addresses;
	k->no_addresses = true;
	check_fed(k);
}

static int on_object(const struct watch_object *o, void *arg, struct err *err)
{
	_cleanup_(object_freep) struct object object = { 0 };
	const struct follow *f = arg;
	struct kube *k = f->kube;
	struct decode_error e = { 0 };
	int r = decode(f, o, &object, &e);

	if (r == -EBADMSG)
		return err_set(err, r, "%s", e.message);
	if (*e.message && r != -ENOTSUP)
		report_problem(k, &e);
	if (!r)
		take_object(k, o, &object);
	else if (*e.id.name)
		remove_id(k->config.store, &e.id);
	if (f->kind == OBJECT_NODE)
		check_fed(k);
	if (k->fed)
		k->config.changed(k->config.arg);
	return r ? err_set(err, r, "%s", e.message) : 0;
}

/* Views */

static void on_begin(void *arg)
{
	const struct follow *f = arg;

	store_view_begin(f->kube->config.store, f->view);
}

static void forget_all(const struct kube *k, enum view_kind view)
{
	store_view_begin(k->config.store, view);
	store_view_end(k->config.store, view);
}

/* What one of the two tells is not to be told twice. */
static void replace_other(struct kube *k, const struct follow *f)
{
	if (f->kind == OBJECT_ENDPOINTS)
		forget_all(k, VIEW_ENDPOINT_SLICES);
	else if (f->kind == OBJECT_ENDPOINT_SLICE && k->follow[RESOURCE_ENDPOINTS].watch)
		event_active(k->give_up_endpoints, 0, 0);
	if (f->kind == OBJECT_ENDPOINT_SLICE)
		forget_all(k, VIEW_ENDPOINTS);
}

static void on_complete(void *arg)
{
	struct follow *f = arg;
	struct kube *k = f->kube;

	store_view_end(k->config.store, f->view);
	replace_other(k, f);
	f->complete = true;
	check_fed(k);
	if (k->fed)
		k->config.changed(k->config.arg);
}

static void tell_trouble(struct follow *f, const char *message, unsigned retry_ms)
{
	const struct kube_config *c = &f->kube->config;

	if (message || f->troubled)
		c->trouble(f->name, message, retry_ms, c->arg);
	f->troubled = message;
}

static void begin_endpoints(struct kube *k);

/* The server is asked for its slices again and again meanwhile: it may be a newer one tomorrow. */
static void on_trouble(const char *message, unsigned status, unsigned retry_ms, void *arg)
{
	struct follow *f = arg;
	struct kube *k = f->kube;

	if (status == NOT_FOUND && f->kind == OBJECT_ENDPOINT_SLICE &&
		k->config.endpoints == ENDPOINTS_AUTO) {
		begin_endpoints(k);
		message = NULL;
	}
	tell_trouble(f, message, retry_ms);
}

static void begin(struct kube *k, enum resource i, enum object_kind kind, enum view_kind view,
	const char *name, const char *path, const char *label_selector, const char *field_selector)
{
	struct follow *f = &k->follow[i];

	*f = (struct follow){ .kube = k, .kind = kind, .view = view, .name = name };
	f->watch = watch_new(&(struct watch_config){
		.base = k->config.base,
		.client = k->client,
		.path = path,
		.label_selector = label_selector,
		.field_selector = field_selector,
		.optional_fields = i == RESOURCE_SERVICES,
		.json = k->config.json,
		.pace = &k->pace,
		.timeout_s = k->config.timeout_s,
		.backoff_ms = k->config.backoff_ms,
		.begin = on_begin,
		.object = on_object,
		.complete = on_complete,
		.trouble = on_trouble,
		.arg = f,
	});
}

/* "!service.kubernetes.io/headless": the controllers put the label on what has no virtual address.
 */
static const char not_headless[] = "%21service.kubernetes.io%2Fheadless";

static void begin_slices(struct kube *k)
{
	begin(k, RESOURCE_SLICES, OBJECT_ENDPOINT_SLICE, VIEW_ENDPOINT_SLICES, "endpointslices",
		"/apis/discovery.k8s.io/v1/endpointslices", not_headless, "");
}

static void begin_endpoints(struct kube *k)
{
	if (!k->follow[RESOURCE_ENDPOINTS].watch)
		begin(k, RESOURCE_ENDPOINTS, OBJECT_ENDPOINTS, VIEW_ENDPOINTS, "endpoints",
			"/api/v1/endpoints", not_headless, "");
}

static void on_give_up_endpoints(evutil_socket_t fd, short what, void *arg)
{
	struct kube *k = arg;
	struct follow *f = &k->follow[RESOURCE_ENDPOINTS];

	(void)fd;
	(void)what;
	watch_free(take(f->watch));
	tell_trouble(f, NULL, 0);
	f->complete = false;
	forget_all(k, VIEW_ENDPOINTS);
}

static void begin_all(struct kube *k)
{
	_cleanup_(buf_done) struct buf node = { 0 };

	begin(k, RESOURCE_SERVICES, OBJECT_SERVICE, VIEW_SERVICES, "services", "/api/v1/services",
		"%21service.kubernetes.io%2Fservice-proxy-name", "spec.clusterIP%21%3DNone");
	if (k->config.endpoints == ENDPOINTS_LEGACY)
		begin_endpoints(k);
	else
		begin_slices(k);
	/* A node's name is a DNS subdomain: nothing in it needs escaping. */
	buf_addf(&node, "metadata.name%%3D%s", k->config.node_name);
	begin(k, RESOURCE_NODE, OBJECT_NODE, VIEW_NODES, "nodes", "/api/v1/nodes", "",
		buf_str(&node));
}

int kube_new(const struct kube_config *config, struct kube **ret, struct err *err)
{
	struct kube *k = new0(struct kube);
	int r;

	k->config = *config;
	if (!k->config.node_wait_ms)
		k->config.node_wait_ms = KUBE_NODE_WAIT_MS;
	if (!k->config.pod_cidrs_wait_ms)
		k->config.pod_cidrs_wait_ms = KUBE_POD_CIDRS_WAIT_MS;
	k->pace = (struct pace){ .qps = config->qps, .burst = config->burst };
	r = http_client_new(config->base, config->auth, &k->client, err);
	if (r < 0) {
		free(k);
		return r;
	}
	k->node_wait = evtimer_new(config->base, on_node_wait, k);
	k->give_up_endpoints = event_new(config->base, -1, 0, on_give_up_endpoints, k);
	begin_all(k);
	*ret = k;
	return 0;
}

void kube_free(struct kube *k)
{
	if (!k)
		return;
	for (enum resource i = 0; i < RESOURCES; i++)
		watch_free(k->follow[i].watch);
	event_free(k->node_wait);
	event_free(k->give_up_endpoints);
	http_client_free(k->client);
	free(k);
}

static bool is_healthy(const struct follow *f)
{
	return f->watch && watch_healthy(f->watch);
}

/* While Endpoints stand for slices, slices are asked for in vain. */
void kube_watches(const struct kube *k, struct kube_watch ret[static KUBE_WATCHES])
{
	bool endpoints =
		k->follow[RESOURCE_ENDPOINTS].watch && !is_healthy(&k->follow[RESOURCE_SLICES]);
	const struct follow *followed[KUBE_WATCHES] = {
		&k->follow[RESOURCE_SERVICES],
		&k->follow[endpoints ? RESOURCE_ENDPOINTS : RESOURCE_SLICES],
		&k->follow[RESOURCE_NODE],
	};

	for (size_t i = 0; i < KUBE_WATCHES; i++)
		ret[i] = (struct kube_watch){ followed[i]->name, is_healthy(followed[i]) };
}

bool kube_healthy(const struct kube *k)
{
	struct kube_watch watches[KUBE_WATCHES];

	kube_watches(k, watches);
	for (size_t i = 0; i < KUBE_WATCHES; i++)
		if (!watches[i].healthy)
			return false;
	return true;
}

bool kube_fed(const struct kube *k)
{
	return k->fed;
}

uint64_t kube_received(const struct kube *k)
{
	uint64_t n = 0;

	for (enum resource i = 0; i < RESOURCES; i++)
		n += k->follow[i].watch ? watch_received(k->follow[i].watch) : 0;
	return n;
}

struct http_client *kube_client(struct kube *k)
{
	return k->client;
}

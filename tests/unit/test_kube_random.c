// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Random histories of a cluster, seen through a bad network: Services, slices and this Node change
 * while the fake API server refuses, expires, cuts, trickles, falls silent, goes away and comes
 * back with another token or with the content of a backup, and the fake kernel fails, too. Every now
 * and then all of that stops:
 * then the kernel must hold what follows from the server's own objects, read from it directly into
 * a fresh engine. All the time nothing may be written for a Service that did not change.
 *
 * An argument is the number of changes (else IPVSCTL_RANDOM_CHANGES), a second one the seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../bench/allocated.h"
#include "api/http.h"
#include "api/kube.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/engine.h"
#include "core/fact_text.h"
#include "core/node_view.h"
#include "decode/decode.h"
#include "fake/kernel.h"
#include "fake/settle.h"
#include "fixture.h"

enum {
	CHANGES = 5000,	    /* in each encoding */
	QUIET_EVERY = 1000, /* changes */
	SERVICES = 60,
	SLICES = 2,	  /* of each Service */
	SHARED = 5,	  /* external IPs */
	LEAK = 256 << 10, /* bytes that may be in use more at the end than after the first round */
};

struct truth {
	bool service, slice[SLICES];	/* exist */
	unsigned of[SLICES];		/* the Service that the slice is labelled with */
	bool touched, endpoint_touched; /* since the last quiet */
};

struct history {
	unsigned seed;
	bool has_node;
	uint64_t random;
	struct fake_api api;
	struct event_base *base;
	struct auth *auth;
	struct kube *kube;
	struct timers *timers; /* of `kube`; frozen: see fake/settle.h */
	struct store store;
	struct options options;
	struct node_view view;
	uint32_t node_generation;
	struct engine *engine;
	struct fake_kernel kernel;
	uint64_t now;
	bool faults, fed, started, all_touched, stray;
	unsigned token, changed;
	struct truth truth[SERVICES], backup[SERVICES];
	size_t in_use; /* bytes, with nothing in the cluster */
};

static unsigned long n_changes = CHANGES;
static unsigned first_seed;

/* splitmix64 */
static unsigned rnd(struct history *h, unsigned n)
{
	uint64_t z = h->random += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (unsigned)((z ^ z >> 31) >> 32) % n;
}

static void check(const struct history *h, bool ok, const char *what)
{
	if (!ok)
		fail_msg("%s; to be run again with the arguments %lu %u", what, n_changes, h->seed);
}

/* Objects */

static void touch(struct history *h, unsigned service)
{
	h->truth[service].touched = true;
	for (unsigned i = 0; i < SERVICES; i++)
		for (unsigned k = 0; k < SLICES; k++)
			if (h->truth[i].of[k] == service)
				h->truth[i].endpoint_touched = true;
}

static const char *pick(struct history *h, const char *const *texts, unsigned n)
{
	return texts[rnd(h, n)];
}

static void add_ports(struct history *h, struct buf *b, unsigned i, bool node_ports)
{
	static const char *const ports[] = { "\"name\":\"http\",\"port\":80,\"protocol\":\"TCP\"",
		"\"name\":\"dns\",\"port\":53,\"protocol\":\"UDP\"",
		"\"name\":\"alt\",\"port\":8080,\"protocol\":\"TCP\"" };
	unsigned chosen = 1 + rnd(h, 7);

	buf_adds(b, "\"ports\":[");
	for (unsigned k = 0; k < ARRAY_SIZE(ports); k++) {
		if (!(chosen & 1u << k))
			continue;
		buf_addf(b, "%s{%s", strchr("[", b->data[b->len - 1]) ? "" : ",", ports[k]);
		if (node_ports)
			buf_addf(b, ",\"nodePort\":%u", 30000 + 3 * i + k);
		buf_addc(b, '}');
	}
	buf_addc(b, ']');
}

/* Addresses that tell whose they are: see owner_of(). */
static void put_service(struct history *h, unsigned i)
{
	static const char *const types[] = { "ClusterIP", "NodePort", "LoadBalancer" };
	static const char *const labels[] = { "", "", "", "", "", "", "", "",
		"\"service.kubernetes.io/service-proxy-name\":\"x\"", "\"app\":\"x\"" };
	static const char *const notes[] = { "", "", "", "\"ipvsctl.io/scheduler\":\"wlc\"",
		"\"ipvsctl.io/drain-timeout\":\"5s\"" };
	_cleanup_(buf_done) struct buf b = { 0 };
	const char *type = pick(h, types, ARRAY_SIZE(types));
	bool headless = !rnd(h, 10), local = strcmp(type, "ClusterIP") != 0 && !rnd(h, 3);

	touch(h, i);
	h->truth[i].service = true;
	buf_addf(&b,
		"{\"put\":{\"kind\":\"Service\",\"metadata\":{\"name\":\"s%u\",\"namespace\":\"d\","
		"\"creationTimestamp\":\"2026-01-01T00:%02u:%02uZ\",\"labels\":{%s},\"annotations\":{%s}},"
		"\"spec\":{",
		i, rnd(h, 60), rnd(h, 60), pick(h, labels, ARRAY_SIZE(labels)),
		pick(h, notes, ARRAY_SIZE(notes)));
	if (headless)
		buf_adds(&b, "\"clusterIP\":\"None\",\"type\":\"ClusterIP\",");
	else
		buf_addf(&b,
			"\"type\":\"%s\",\"clusterIP\":\"10.96.0.%u\",\"clusterIPs\":[\"10.96.0.%u\",\"fd00::%u\"],"
			"\"ipFamilies\":[\"IPv4\",\"IPv6\"],",
			type, i, i, i);
	if (!rnd(h, 4) && !local)
		buf_addf(&b, "\"externalIPs\":[\"203.0.113.%u\"],", i % SHARED);
	if (!rnd(h, 5))
		buf_adds(&b, "\"loadBalancerSourceRanges\":[\"192.0.2.0/24\"],");
	if (!rnd(h, 5))
		buf_adds(&b,
			"\"sessionAffinity\":\"ClientIP\",\"sessionAffinityConfig\":{\"clientIP\":{"
			"\"timeoutSeconds\":600}},");
	buf_addf(&b,
		"\"externalTrafficPolicy\":\"%s\",\"healthCheckNodePort\":%u,\"internalTrafficPolicy\":\"%s\",",
		local ? "Local" : "Cluster", local ? 32000 + i : 0,
		rnd(h, 6) ? "Cluster" : "Local");
	add_ports(h, &b, i, !headless && strcmp(type, "ClusterIP") != 0);
	buf_adds(&b, "},\"status\":{\"loadBalancer\":{");
	if (!headless && !strcmp(type, "LoadBalancer"))
		buf_addf(&b, "\"ingress\":[{\"ip\":\"198.51.100.%u\"}]", i);
	buf_adds(&b, "}}}}");
	fake_api_order(&h->api, "%s", buf_str(&b));
}

static bool is_ipv6(unsigned i, unsigned k)
{
	return k == 1 && i % 3 == 0;
}

static void add_endpoint(struct history *h, struct buf *b, unsigned i, unsigned k, unsigned n)
{
	static const char *const conditions[] = { "\"ready\":true", "\"ready\":true",
		"\"ready\":true", "", "\"ready\":false",
		"\"ready\":false,\"serving\":true,\"terminating\":true",
		"\"ready\":false,\"serving\":false,\"terminating\":true" };
	static const char *const hints[] = { "", "", "",
		",\"hints\":{\"forZones\":[{\"name\":\"a\"}]}",
		",\"hints\":{\"forZones\":[{\"name\":\"b\"}]}" };

	buf_addf(b, "%s{\"addresses\":[\"", n ? "," : "");
	buf_addf(b, is_ipv6(i, k) ? "fd01::%u:%u" : "10.244.%u.%u", i, k * 100 + n + 1);
	buf_addf(b, "\"],\"nodeName\":\"%s\",\"conditions\":{%s}%s}",
		rnd(h, 3) ? "other" : "test-node", pick(h, conditions, ARRAY_SIZE(conditions)),
		pick(h, hints, ARRAY_SIZE(hints)));
}

static void put_slice(struct history *h, unsigned i, unsigned k)
{
	_cleanup_(buf_done) struct buf b = { 0 };
	unsigned of = rnd(h, 12) ? i : rnd(h, SERVICES), n = rnd(h, 6);

	touch(h, h->truth[i].of[k]);
	h->truth[i].slice[k] = true;
	h->truth[i].of[k] = of;
	touch(h, of);
	buf_addf(&b,
		"{\"put\":{\"kind\":\"EndpointSlice\",\"metadata\":{\"name\":\"s%u-%u\",\"namespace\":\"d\","
		"\"labels\":{\"kubernetes.io/service-name\":\"s%u\"%s}},\"addressType\":\"%s\",\"ports\":["
		"{\"name\":\"http\",\"port\":%u,\"protocol\":\"TCP\"},"
		"{\"name\":\"dns\",\"port\":5353,\"protocol\":\"UDP\"},"
		"{\"name\":\"alt\",\"port\":8081,\"protocol\":\"TCP\"}],\"endpoints\":[",
		i, k, of, rnd(h, 12) ? "" : ",\"service.kubernetes.io/headless\":\"\"",
		is_ipv6(i, k) ? "IPv6" : "IPv4", 8000 + rnd(h, 2));
	for (unsigned e = 0; e < n; e++)
		add_endpoint(h, &b, i, k, e);
	buf_adds(&b, "]}}");
	fake_api_order(&h->api, "%s", buf_str(&b));
}

/* Of its zone and its addresses everything may depend. */
static void put_node(struct history *h)
{
	h->all_touched = true;
	if (!rnd(h, 3) && h->has_node)
		fake_api_order(&h->api, "{\"delete\":{\"kind\":\"Node\",\"name\":\"test-node\"}}");
	h->has_node = true;
	fake_api_order(&h->api,
		"{\"put\":{\"kind\":\"Node\",\"metadata\":{\"name\":\"test-node\",\"labels\":{"
		"\"topology.kubernetes.io/zone\":\"%c\"}},"
		"\"spec\":{\"podCIDRs\":[\"10.244.0.0/24\"]},\"status\":{\"addresses\":[{\"type\":"
		"\"InternalIP\",\"address\":\"100.101.102.%u\"}]}}}",
		'a' + rnd(h, 2), 103 + rnd(h, 2));
}

static void put_other_node(struct history *h)
{
	fake_api_order(&h->api,
		"{\"put\":{\"kind\":\"Node\",\"metadata\":{\"name\":\"other%u\"},\"spec\":{},"
		"\"status\":{}}}",
		rnd(h, 3));
}

static void delete_object(struct history *h, const char *kind, const char *name)
{
	fake_api_order(&h->api,
		"{\"delete\":{\"kind\":\"%s\",\"namespace\":\"d\",\"name\":\"%s\"}}", kind, name);
}

static void delete_service(struct history *h, unsigned i)
{
	char name[32];

	snprintf(name, sizeof(name), "s%u", i);
	touch(h, i);
	if (h->truth[i].service)
		delete_object(h, "Service", name);
	h->truth[i].service = false;
}

static void delete_slice(struct history *h, unsigned i, unsigned k)
{
	char name[32];

	snprintf(name, sizeof(name), "s%u-%u", i, k);
	touch(h, h->truth[i].of[k]);
	if (h->truth[i].slice[k])
		delete_object(h, "EndpointSlice", name);
	h->truth[i].slice[k] = false;
	h->truth[i].of[k] = i;
}

static void change(struct history *h)
{
	unsigned what = rnd(h, 100), i = rnd(h, SERVICES), k = rnd(h, SLICES);

	if (what < 30)
		put_service(h, i);
	else if (what < 75)
		put_slice(h, i, k);
	else if (what < 84)
		delete_service(h, i);
	else if (what < 92)
		delete_slice(h, i, k);
	else if (what < 95) {
		delete_service(h, i);
		put_service(h, i);
	} else if (what < 98) {
		delete_slice(h, i, k);
		put_slice(h, i, k);
	} else if (what < 99)
		put_other_node(h);
	else
		put_node(h);
}

/* Faults */

static void change_token(struct history *h)
{
	char text[32];

	snprintf(text, sizeof(text), "token-%u", ++h->token);
	fake_api_order(&h->api, "{\"set\":{\"token\":\"%s\"}}", text);
	if (rnd(h, 2))
		fake_api_order(&h->api, "{\"close\":true}");
	fake_api_write(&h->api, "token", text);
}

static void misbehave(struct history *h)
{
	static const char *const faults[] = {
		"\"status\":410",
		"\"status\":429",
		"\"status\":500",
		"\"status\":403",
		"\"tooLarge\":true",
		"\"error\":410,\"after\":1",
		"\"error\":429",
		"\"error\":500,\"after\":2",
		"\"end\":true,\"after\":1",
		"\"end\":true",
		"\"cut\":1500",
		"\"after\":2,\"cut\":11,\"reset\":true",
		"\"trickle\":true",
		"\"after\":1,\"garbage\":\"{]\\n\"",
		"\"silent\":true",
		"\"stall\":true,\"after\":3",
		"\"drop\":true",
		"\"delay\":5",
	};
	static const char *const verbs[] = { "watch", "watch", "watchlist", "list", "continue" };
	static const char *const orders[] = { "{\"close\":true}", "{\"close\":true}",
		"{\"expire\":true}", "{\"expire\":true,\"close\":true}", "{\"bookmark\":true}",
		"{\"advance\":7}", "{\"down\":true}", "{\"down\":false}", "{\"clearFaults\":true}",
		"{\"set\":{\"watchList\":false}}", "{\"set\":{\"watchList\":true}}",
		"{\"set\":{\"fieldLabels\":false}}", "{\"set\":{\"fieldLabels\":true}}",
		"{\"set\":{\"maxWatch\":0}}", "{\"set\":{\"maxWatch\":1800}}",
		"{\"fault\":{\"status\":429,\"retryAfter\":1}}" };

	switch (rnd(h, 8)) {
	case 0:
		change_token(h);
		break;
	case 1:
	case 2:
	case 3:
		fake_api_order(&h->api, "%s", pick(h, orders, ARRAY_SIZE(orders)));
		break;
	default:
		fake_api_order(&h->api, "{\"fault\":{\"verb\":\"%s\",%s}}",
			pick(h, verbs, ARRAY_SIZE(verbs)), pick(h, faults, ARRAY_SIZE(faults)));
	}
}

static void behave(struct history *h)
{
	fake_api_order(&h->api,
		"{\"clearFaults\":true,\"down\":false,\"close\":true,\"set\":{\"watchList\":true,"
		"\"fieldLabels\":true,\"maxWatch\":1800}}");
	h->faults = false;
}

static void back_up(struct history *h)
{
	fake_api_order(&h->api, "{\"backUp\":true}");
	memcpy(h->backup, h->truth, sizeof(h->backup));
}

/* What changed since the backup changes back. If the server has reached our version again before we
 * are back, only a resync finds that out. */
static void restore(struct history *h)
{
	fake_api_order(&h->api, "{\"restore\":true}");
	for (unsigned i = 0; i < SERVICES; i++) {
		struct truth *t = &h->truth[i];

		h->backup[i].touched = t->touched;
		h->backup[i].endpoint_touched = t->endpoint_touched;
		*t = h->backup[i];
	}
}

/* Operations on the kernel */

/* A group of an IPv6 address, written in decimal digits. */
static int group(const uint8_t *a)
{
	return a[1] % 16 + a[1] / 16 * 10 + a[0] % 16 * 100;
}

/* The Service that a fact is of, by the numbers in it; -1: of none, or of several. */
static int owner_of(const struct fact_key *key, bool *ret_endpoint)
{
	const uint8_t *a = key->addr;

	*ret_endpoint = key->kind == FACT_MEMBER && key->set == SET_LOOP_BACK;
	if (key->kind < FACT_MEMBER || key->kind == FACT_CHAIN || key->kind == FACT_JUMP)
		return -1;
	if ((key->kind == FACT_VS || key->kind == FACT_RS) && !key->proto) /* a mark */
		return -1;
	if (*ret_endpoint)
		return key->family == AF_INET6 ? group(a + 12) : a[2];
	if (key->family == AF_INET6)
		return a[0] == 0xfd ? group(a + 14) : -1;
	if ((a[0] == 10 && a[1] == 96) || a[0] == 198)
		return a[3];
	return key->port >= 30000 && key->port < 30000 + 3 * SERVICES ? (key->port - 30000) / 3
								      : -1;
}

static int on_op(const struct op *op, void *arg)
{
	struct history *h = arg;
	bool endpoint;
	int owner = owner_of(&op->fact.key, &endpoint);

	if (h->started && !h->all_touched && owner >= 0 && owner < SERVICES &&
		!(endpoint ? h->truth[owner].endpoint_touched : h->truth[owner].touched)) {
		_cleanup_(buf_done) struct buf b = { 0 };

		fact_print(&b, &op->fact);
		fprintf(stderr, "%s %s\n", op_type_name(op->type), buf_str(&b));
		h->stray = true;
	}
	if (!h->faults || rnd(h, 20))
		return 0;
	switch (rnd(h, 4)) {
	case 0:
		return -EINVAL;
	case 1:
		return -ENOBUFS;
	case 2:
		return -ENOMEM;
	default:
		return FAKE_ANSWER_LOST;
	}
}

/* The chain from the loop to the kernel */

static void on_changed(void *arg)
{
	((struct history *)arg)->changed++;
}

static void on_fed(void *arg)
{
	struct history *h = arg;

	h->fed = true;
	engine_fed(h->engine);
}

static void on_trouble(const char *resource, const char *message, unsigned retry_ms, void *arg)
{
	(void)resource;
	(void)message;
	(void)retry_ms;
	(void)arg;
}

static void on_relist(const char *resource, const char *why, void *arg)
{
	(void)resource;
	(void)why;
	(void)arg;
}

static void on_problem(const char *message, void *arg)
{
	(void)arg;
	fail_msg("%s", message);
}

/* As the daemon does. The first two addresses are those that the Node object has in turn. */
static bool read_node(struct node_view *view, const struct store *store)
{
	static const char *const texts[] = { "100.101.102.103", "100.101.102.104", "2001:db8::1" };
	struct ip *local = mem_zalloc(ARRAY_SIZE(texts), sizeof(*local));
	const struct ip no_primary[2] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		local[i] = fixture_ip(texts[i]);
	return node_view_update(view, local, ARRAY_SIZE(texts), no_primary, store);
}

static void refresh_node(struct history *h)
{
	h->node_generation = h->store.node_generation;
	if (read_node(&h->view, &h->store))
		engine_node_changed(h->engine);
}

static void step(struct history *h, unsigned ms)
{
	check(h, list_empty(&h->store.dirty) || h->changed || !h->fed,
		"the store changed without a call of changed()");
	h->changed = 0;
	if (h->node_generation != h->store.node_generation)
		refresh_node(h);
	h->now += ms;
	while (engine_step(h->engine, h->now) <= h->now)
		;
	check(h, !h->stray, "something was written for a Service that did not change");
}

/* A part of what is under way, all of it, or that and some time. */
static void turn(struct history *h)
{
	switch (rnd(h, 3)) {
	case 0:
		event_base_loop(h->base, EVLOOP_NONBLOCK);
		break;
	case 1:
		fake_api_settle(&h->api, h->base);
		break;
	default:
		fake_api_elapse(&h->api, h->base, h->timers, rnd(h, 3000));
	}
}

/* The other way to the truth */

static bool is_selected(const json_t *object)
{
	const json_t *metadata = json_object_get(object, "metadata");
	const json_t *labels = json_object_get(metadata, "labels");

	return !json_object_get(labels, "service.kubernetes.io/service-proxy-name") &&
		!json_object_get(labels, "service.kubernetes.io/headless");
}

static void load_object(struct store *s, const json_t *json)
{
	const char *kind = json_string_value(json_object_get(json, "kind"));
	struct decode_error err;
	struct object o = { 0 };

	for (enum object_kind k = OBJECT_SERVICE; k <= OBJECT_NODE; k++)
		if (!strcmp(object_kind_name(k), kind) &&
			decode_accepted(k, value_of_json(json), &o, &err))
			fail_msg("%s: %s", err.object, err.message);
	if (o.kind == OBJECT_SERVICE)
		store_put_service(s, take(o.service));
	else if (o.kind == OBJECT_NODE)
		store_put_node(s, take(o.node));
	else
		store_put_slice(s, take(o.slice));
}

/* Which mark a port has is the first one's choice; a second daemon finds it in the kernel's set. */
static void copy_marks(const struct fake_kernel *from, struct fake_kernel *to)
{
	_cleanup_free_ struct fact *facts = fake_kernel_list(from);

	for (size_t i = 0; i < from->n_facts; i++) {
		const struct fact_key *key = &facts[i].key;

		if ((key->kind == FACT_SET || key->kind == FACT_MEMBER) &&
			key->set == SET_LOCAL_MARK)
			fake_kernel_put_fact(to, &facts[i]);
	}
}

static void resolve_truth(struct history *h, struct fake_kernel *kernel)
{
	json_t *answer = fake_api_get(&h->api, "objects"), *object;
	_cleanup_(node_view_done) struct node_view view;
	struct store store;
	struct engine *e;
	size_t i;

	store_init(&store);
	json_array_foreach(json_object_get(answer, "objects"), i, object)
		if (is_selected(object))
			load_object(&store, object);
	node_view_init(&view, &h->options);
	read_node(&view, &store);
	copy_marks(&h->kernel, kernel);
	e = engine_new(&(struct engine_config){ .store = &store, .view = &view });
	engine_add_adapter(e, &kernel->adapter);
	engine_fed(e);
	for (uint64_t now = 1; engine_step(e, now) <= now;)
		;
	engine_free(e);
	store_done(&store);
	json_decref(answer);
}

/* NULL: it is the truth. */
static char *difference(struct history *h)
{
	_cleanup_(buf_done) struct buf is = { 0 }, wanted = { 0 };
	struct fake_kernel kernel;
	struct buf text = { 0 };
	const char *a, *b, *line;

	fake_kernel_init(&kernel);
	resolve_truth(h, &kernel);
	fake_kernel_print(&h->kernel, &is);
	fake_kernel_print(&kernel, &wanted);
	fake_kernel_done(&kernel);
	a = line = buf_str(&is);
	b = buf_str(&wanted);
	if (!strcmp(a, b))
		return NULL;
	for (; *a && *a == *b; a++, b++)
		if (*a == '\n')
			line = a + 1;
	b -= a - line;
	buf_addf(&text, "is \"%.*s\", should be \"%.*s\"", (int)strcspn(line, "\n"), line,
		(int)strcspn(b, "\n"), b);
	return buf_take(&text);
}

static bool is_followed(void *arg)
{
	struct kube_watch watches[KUBE_WATCHES];

	kube_watches(((struct history *)arg)->kube, watches);
	return watches[0].healthy && watches[1].healthy && watches[2].healthy;
}

static void converge(struct history *h)
{
	char *wrong;

	behave(h);
	if (!fake_api_await(&h->api, h->base, h->timers, is_followed, h))
		check(h, false, "the view is incomplete");
	/* The engine repeats what failed, and audits. */
	for (unsigned i = 0; (wrong = difference(h)); i++) {
		check(h, i < 20, wrong);
		free(wrong);
		step(h, 60000);
	}
	for (unsigned i = 0; i < SERVICES; i++)
		h->truth[i].touched = h->truth[i].endpoint_touched = false;
	h->all_touched = false;
	h->started = true;
	fake_kernel_reset_log(&h->kernel);
	buf_done(&h->kernel.log);
	back_up(h);
}

/* While the cluster does not change, no fault of the server causes a write. */
static void stay(struct history *h)
{
	for (unsigned i = 0; i < 10; i++) {
		misbehave(h);
		turn(h);
		step(h, 1000);
	}
	converge(h);
	check(h, h->kernel.n_ops == 0, "something was written although nothing changed");
}

static void riot(struct history *h, unsigned n)
{
	unsigned restored = h->started && rnd(h, 2) ? rnd(h, n) : n;

	h->faults = true;
	for (unsigned i = 0; i < n; i++) {
		if (i == restored)
			restore(h);
		change(h);
		if (!rnd(h, 8))
			misbehave(h);
		if (!rnd(h, 4)) {
			turn(h);
			step(h, rnd(h, 2000));
		}
	}
	if (restored < n)
		kube_resync(h->kube);
}

static void delete_everything(struct history *h)
{
	for (unsigned i = 0; i < SERVICES; i++) {
		delete_service(h, i);
		for (unsigned k = 0; k < SLICES; k++)
			delete_slice(h, i, k);
	}
	converge(h);
	check(h, !h->store.n_services, "there are Services left");
	for (unsigned i = 0; i < 10; i++) /* draining is over */
		step(h, 600000);
	converge(h);
}

/* The sanitizer's own, where it is there. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t in_use(void)
{
	return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes()
						       : allocated_bytes();
}

static void check_memory(struct history *h)
{
	size_t n = in_use();

	if (!h->in_use)
		h->in_use = n;
	print_message("# %zu bytes in use with nothing in the cluster\n", n);
	check(h, n < h->in_use + LEAK, "memory grows");
}

static void begin(struct history *h, bool json)
{
	struct err err;
	char path[128];
	struct kube_config config = {
		.base = h->base,
		.store = &h->store,
		.node_name = h->options.node_name,
		.json = json,
		.changed = on_changed,
		.fed = on_fed,
		.trouble = on_trouble,
		.relist = on_relist,
		.problem = on_problem,
		.arg = h,
	};

	change_token(h);
	fake_api_write_kubeconfig(&h->api, "", "tokenFile: token");
	if (auth_load(&(struct auth_config){ .kubeconfig =
						     fake_api_path(&h->api, "kubeconfig", path) },
		    &h->auth, &err))
		fail_msg("%s", err.msg);
	config.auth = h->auth;
	h->engine = engine_new(&(struct engine_config){
		.store = &h->store, .view = &h->view, .drain = true, .audit_interval = 30000 });
	engine_add_adapter(h->engine, &h->kernel.adapter);
	if (kube_new(&config, &h->kube, &err))
		fail_msg("%s", err.msg);
	h->timers = http_client_timers(kube_client(h->kube));
	timers_freeze(h->timers);
}

static void run(bool json)
{
	struct history *h = new0(struct history);
	struct fixture_node node;

	h->seed = first_seed;
	h->random = h->seed;
	print_message("# %lu changes, seed %u\n", n_changes, h->seed);
	fake_api_start(&h->api, true);
	h->base = event_base_new();
	store_init(&h->store);
	fixture_node_init(&node);
	h->options = node.options;
	node_view_init(&h->view, &h->options);
	h->view.keep = true;
	read_node(&h->view, &h->store);
	fake_kernel_init(&h->kernel);
	h->kernel.fault = on_op;
	h->kernel.arg = h;
	for (unsigned i = 0; i < SERVICES; i++)
		for (unsigned k = 0; k < SLICES; k++)
			h->truth[i].of[k] = i;
	put_node(h);
	begin(h, json);
	for (unsigned long n = 0; n < n_changes; n += QUIET_EVERY) {
		riot(h, QUIET_EVERY);
		converge(h);
		stay(h);
		if (n / QUIET_EVERY % 2 == 1) {
			delete_everything(h);
			check_memory(h);
		}
	}
	kube_free(h->kube);
	auth_free(h->auth);
	engine_free(h->engine);
	node_view_done(&h->view);
	event_base_free(h->base);
	store_done(&h->store);
	fake_kernel_done(&h->kernel);
	fake_api_stop(&h->api);
	free(h);
}

static void a_bad_network_in_protobuf(void **state)
{
	(void)state;
	run(false);
}

static void a_bad_network_in_json(void **state)
{
	(void)state;
	run(true);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bad_network_in_protobuf),
		cmocka_unit_test(a_bad_network_in_json),
	};
	const char *wanted = argc > 1 ? argv[1] : getenv("IPVSCTL_RANDOM_CHANGES");

	signal(SIGPIPE, SIG_IGN);
	log_set_level(LOG_ERROR);
	if (wanted)
		n_changes = strtoul(wanted, NULL, 10);
	first_seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}

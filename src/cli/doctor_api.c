// SPDX-License-Identifier: GPL-2.0-or-later
/* The API server as the daemon meets it: it is asked with the daemon's own credentials. */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "api/auth.h"
#include "api/http.h"
#include "base/clock.h"
#include "base/mem.h"
#include "doctor.h"
#include "tree.h"

enum {
	ANSWER_MS = 10000,
	MAX_ANSWER = 1 << 20,
	MAX_SKEW = 60,	/* seconds */
	HOUR = 60 * 60, /* seconds */
	DAY = 24 * HOUR,
	LAST_DAYS = 30,	 /* of a certificate */
	LAST_SHARE = 10, /* or so small a part of the time for which it was made */
};

/* What the daemon needs: examples/kubernetes/rbac.yaml */
static const struct {
	const char *group, *resource, *verb;
} rights[] = {
	{ "", "services", "list" },
	{ "", "services", "watch" },
	{ "discovery.k8s.io", "endpointslices", "list" },
	{ "discovery.k8s.io", "endpointslices", "watch" },
	{ "", "nodes", "list" },
	{ "", "nodes", "watch" },
	{ "events.k8s.io", "events", "create" },
	{ "events.k8s.io", "events", "patch" },
};

/* Asking */

struct inquiry {
	struct event_base *base;
	struct http_client *client;
	struct buf body;
	struct http_head head;
	unsigned status; /* 0: no answer */
	struct err failure;
};

static void on_inquiry_head(const struct http_head *head, void *arg)
{
	((struct inquiry *)arg)->head = *head;
}

static void on_inquiry_body(const void *data, size_t len, void *arg)
{
	struct inquiry *q = arg;

	if (q->body.len + len <= MAX_ANSWER)
		buf_add(&q->body, data, len);
}

static void on_inquiry_end(const struct http_result *result, void *arg)
{
	struct inquiry *q = arg;

	q->status = result->end == HTTP_END_ANSWERED ? result->status : 0;
	if (!q->status)
		err_set(&q->failure, result->end == HTTP_END_TLS ? -EPROTO : -ECONNREFUSED, "%s",
			result->message);
	event_base_loopbreak(q->base);
}

/* Asks with GET or, with a body, POST. Returns the answer's JSON; NULL: there is none. */
static json_t *inquire(struct inquiry *q, const char *path, const char *body)
{
	static const char *const headers[] = { "Accept: application/json",
		"Content-Type: application/json", NULL };

	buf_reset(&q->body);
	q->head = (struct http_head){ 0 };
	q->status = 0;
	http_request_new(q->client,
		&(struct http_request_config){ .method = body ? HTTP_METHOD_POST : HTTP_METHOD_GET,
			.path = path,
			.headers = headers,
			.body = body,
			.body_len = body ? strlen(body) : 0,
			.certificate = true,
			.idle_ms = ANSWER_MS,
			.limit_ms = ANSWER_MS,
			.on_head = on_inquiry_head,
			.on_body = on_inquiry_body,
			.on_end = on_inquiry_end,
			.arg = q });
	event_base_dispatch(q->base);
	return q->status / 100 == 2 ? json_loadb(buf_str(&q->body), q->body.len, 0, NULL) : NULL;
}

static void ask_for_rights(struct inquiry *q, struct doctor_api *api)
{
	for (size_t i = 0; i < ARRAY_SIZE(rights); i++) {
		json_t *review = json_pack("{s:s, s:s, s:{s:{s:s, s:s, s:s}}}", "apiVersion",
			"authorization.k8s.io/v1", "kind", "SelfSubjectAccessReview", "spec",
			"resourceAttributes", "group", rights[i].group, "resource",
			rights[i].resource, "verb", rights[i].verb);
		_cleanup_free_ char *body = json_dumps(review, JSON_COMPACT);
		json_t *answer =
			inquire(q, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body);
		const json_t *allowed =
			json_object_get(json_object_get(answer, "status"), "allowed");
		_cleanup_(buf_done) struct buf right = { 0 };

		buf_addf(&right, "%s %s", rights[i].verb, rights[i].resource);
		if (json_is_false(allowed))
			json_array_append_new(api->denied, json_string(buf_str(&right)));
		json_decref(review);
		json_decref(answer);
		if (!q->status)
			return;
	}
}

static void ask_for_node(struct inquiry *q, const char *name, struct doctor_api *api)
{
	_cleanup_(buf_done) struct buf path = { 0 };
	json_t *list;

	buf_addf(&path, "/api/v1/nodes?fieldSelector=metadata.name%%3D%s", name);
	list = inquire(q, buf_str(&path), NULL);
	if (list)
		api->node = json_incref(json_object_get(list, "items"));
	json_decref(list);
}

static void take_certificates(struct auth *auth, struct doctor_api *api)
{
	const struct credentials *c = auth_get(auth, clock_ms());
	const char *own = c->cert.data, *authority = c->ca.data;
	struct validity v;

	/* The first is our own, the others signed it. */
	if (own && certificate_next(&own, &v) == 1)
		api->certificates[CERTIFICATE_OWN] = v;
	/* One of several authorities is enough. */
	for (int r; authority && (r = certificate_next(&authority, &v));)
		if (r == 1 && v.until > api->certificates[CERTIFICATE_AUTHORITY].until)
			api->certificates[CERTIFICATE_AUTHORITY] = v;
}

/* The name of a Node, which is a DNS subdomain. */
static bool is_node_name(const char *s)
{
	return *s && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == strlen(s);
}

void doctor_api_ask(
	const char *kubeconfig, const char *master, const char *node, struct doctor_api *api)
{
	struct inquiry q = { .base = event_base_new() };
	struct auth *auth = NULL;

	api->asked = true;
	api->now = time(NULL);
	signal(SIGPIPE, SIG_IGN); /* as the HTTP client wants it */
	if (auth_load(&(struct auth_config){ .kubeconfig = kubeconfig, .master = master }, &auth,
		    &api->failure) < 0)
		goto end;
	take_certificates(auth, api);
	if (http_client_new(q.base, auth, &q.client, &api->failure) < 0)
		goto end;
	json_decref(inquire(&q, "/version", NULL));
	api->failure = q.failure;
	if (q.status == 401)
		err_set(&api->failure, -EACCES, "GET /version: HTTP status 401");
	if (api->failure.code)
		goto end;
	api->server_time = q.head.date;
	api->now = time(NULL);
	api->certificates[CERTIFICATE_SERVER] = q.head.certificate;
	ask_for_rights(&q, api);
	if (is_node_name(node))
		ask_for_node(&q, node, api);
end:
	if (q.client)
		http_client_free(q.client);
	auth_free(auth);
	buf_done(&q.body);
	event_base_free(q.base);
}

/* Judging */

/* What the daemon cannot follow is among its warnings. */
static bool daemon_tells(const struct doctor_facts *f)
{
	const json_t *list = json_object_get(f->status, "warnings"), *line;
	size_t i;

	json_array_foreach(list, i, line) {
		if (json_is_string(line) && strstr(json_string_value(line), "cannot follow "))
			return true;
	}
	return false;
}

static void judge_failure(const struct doctor_facts *f, json_t *findings)
{
	const struct err *failure = &f->api.failure;
	const bool tls = failure->code == -EPROTO, refused = failure->code == -EACCES;
	json_t *o;

	if (!failure->code || daemon_tells(f))
		return;
	o = doctor_finding(findings,
		tls		  ? "api-certificate"
			: refused ? "api-credentials"
				  : "api",
		doctor_api_why);
	doctor_say(o, "seen", "%s", failure->msg);
	doctor_say(o, "remedy", "%s",
		tls ? "renew the certificate, or correct certificate-authority in the "
		      "kubeconfig, or the clock"
			: refused
			? "renew the token or the certificate in the kubeconfig"
			: "see whether the API server runs and whether this node reaches it");
	doctor_say(o, "command", "kubectl%s%s get --raw /version",
		*f->config.kubeconfig ? " --kubeconfig " : "", f->config.kubeconfig);
}

static void judge_clock(const struct doctor_api *api, json_t *findings)
{
	const int64_t skew = api->server_time ? api->server_time - api->now : 0;
	json_t *o;

	if (skew <= MAX_SKEW && skew >= -MAX_SKEW)
		return;
	o = doctor_finding(findings, "clock",
		"Certificates and tokens that are not valid yet, or not any more, are refused, and "
		"times in logs and Events do not fit.");
	doctor_say(o, "seen", "the clock of this node is %lld s %s that of the API server",
		(long long)(skew < 0 ? -skew : skew), skew < 0 ? "before" : "behind");
	doctor_say(o, "remedy", "synchronize the clocks of both, for example by chrony");
	doctor_say(o, "command", "timedatectl; chronyc tracking");
}

static void judge_certificates(const struct doctor_facts *f, json_t *findings)
{
	static const char *const names[] = {
		[CERTIFICATE_OWN] = "the certificate of the daemon",
		[CERTIFICATE_AUTHORITY] = "the certificate authority in the kubeconfig",
		[CERTIFICATE_SERVER] = "the certificate of the API server",
	};
	const struct doctor_api *api = &f->api;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct validity *v = &api->certificates[i];
		const int64_t left = v->until - api->now;
		json_t *o;

		/* What is rotated every day is short-lived on purpose. */
		if (!v->until || left > (int64_t)LAST_DAYS * DAY ||
			left > (v->until - v->from) / LAST_SHARE)
			continue;
		o = doctor_finding(findings, "certificate",
			"With it the daemon can no longer follow Services and endpoints.");
		if (left <= 0)
			doctor_say(o, "seen", "%s has expired", names[i]);
		else if (left < DAY)
			doctor_say(o, "seen", "%s expires in %lld h", names[i],
				(long long)left / HOUR);
		else
			doctor_say(o, "seen", "%s expires in %lld days", names[i],
				(long long)left / DAY);
		doctor_say(o, "remedy", "%s",
			"renew it; with kubeadm: kubeadm certs renew all, and restart the control "
			"plane");
		doctor_say(o, "command", "kubeadm certs check-expiration");
	}
}

static void judge_rights(const struct doctor_api *api, json_t *findings)
{
	_cleanup_(buf_done) struct buf list = { 0 };
	const json_t *right;
	json_t *o;
	size_t i;

	if (!json_array_size(api->denied))
		return;
	json_array_foreach(api->denied, i, right) {
		buf_addf(&list, "%s%s", i ? ", " : "", json_string_value(right));
	}
	o = doctor_finding(findings, "api-rights",
		"The API server does not tell the daemon what it has to know, or takes no Events of it.");
	doctor_say(o, "seen", "the daemon's user may not: %s", buf_str(&list));
	doctor_say(o, "remedy",
		"apply examples/kubernetes/rbac.yaml, and bind its ClusterRole to the "
		"daemon's user");
	doctor_say(o, "command", "kubectl auth can-i --list --as USER");
}

static bool is_own_address(const struct doctor_facts *f, const char *text)
{
	struct ip ip;

	if (ip_parse(text, &ip) < 0)
		return true; /* it is not known which it is */
	for (size_t i = 0; i < f->n_addresses; i++)
		if (ip_eq(&f->addresses[i].ip, &ip))
			return true;
	return false;
}

/* ExternalIP may be that of a translating router. */
static void judge_node(const struct doctor_facts *f, json_t *findings)
{
	const json_t *node = json_array_get(f->api.node, 0), *a;
	const char *name = f->config.options.node_name;
	size_t i;
	json_t *o;

	if (f->api.node && !node) {
		o = doctor_finding(findings, "node",
			"Endpoints of this node count as those of another one, and traffic policy Local "
			"finds none.");
		doctor_say(o, "seen", "the API server has no Node \"%s\"", name);
		doctor_say(o, "remedy", "give the name of the Node by --hostname-override");
		doctor_say(o, "command", "kubectl get nodes; hostname");
	}
	json_array_foreach(json_object_get(json_object_get(node, "status"), "addresses"), i, a) {
		if (strcmp(tree_text(a, "type"), "InternalIP") != 0 ||
			is_own_address(f, tree_text(a, "address")))
			continue;
		o = doctor_finding(findings, "node",
			"Other nodes and the API server look for this node elsewhere, or this node "
			"bears the name of another one.");
		doctor_say(o, "seen", "the InternalIP %s of Node %s is on no interface here",
			tree_text(a, "address"), name);
		doctor_say(o, "remedy", "%s",
			"correct --node-ip of the kubelet, or --hostname-override of the daemon");
		doctor_say(o, "command", "kubectl get node %s -o wide; ip addr", name);
	}
}

void doctor_judge_api(const struct doctor_facts *f, json_t *findings)
{
	judge_failure(f, findings);
	judge_clock(&f->api, findings);
	judge_certificates(f, findings);
	judge_rights(&f->api, findings);
	judge_node(f, findings);
}

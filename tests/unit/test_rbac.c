// SPDX-License-Identifier: GPL-2.0-or-later
/* The ClusterRole of examples/ allows what is asked of the API server, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "api/events.h"
#include "base/mem.h"
#include "kube_bench.h"
#include "yaml_file.h"

/* {"GROUP/RESOURCE VERB": true} */

static void allow(json_t *set, const char *group, const char *resource, const char *verb)
{
	_cleanup_(buf_done) struct buf right = { 0 };

	buf_addf(&right, "%s/%s %s", group, resource, verb);
	json_object_set_new(set, buf_str(&right), json_true());
}

static void allow_rule(json_t *set, json_t *rule)
{
	json_t *group, *resource, *verb;
	size_t i, j, k;

	assert_int_equal(json_object_size(rule), 3);
	json_array_foreach(at(rule, "apiGroups"), i, group)
		json_array_foreach(at(rule, "resources"), j, resource)
			json_array_foreach(at(rule, "verbs"), k, verb)
				allow(set, json_string_value(group), json_string_value(resource),
					json_string_value(verb));
}

static json_t *allowed(void)
{
	json_t *docs = yaml_file("examples/kubernetes/rbac.yaml"), *set = json_object(), *rule;
	size_t i;

	assert_string_equal(text_at(docs, "1.kind"), "ClusterRole");
	json_array_foreach(at(docs, "1.rules"), i, rule)
		allow_rule(set, rule);
	json_decref(docs);
	return set;
}

/* k8s.io/apiserver/pkg/endpoints/request: how a URL becomes a verb. */
static const char *verb_of(json_t *request, bool named)
{
	const char *method = text_at(request, "method");

	if (!strcmp(method, "GET"))
		return at(request, "query.watch") ? "watch" : named ? "get" : "list";
	return !strcmp(method, "POST") ? "create" : "patch";
}

/* /api/v1/RESOURCE, /apis/GROUP/VERSION/[namespaces/NAMESPACE/]RESOURCE[/NAME] */
static void add_request(json_t *set, json_t *request)
{
	_cleanup_free_ char *path = mem_strdup(text_at(request, "path"));
	char *save = NULL, *word = strtok_r(path, "/", &save), *name;
	const char *group = "";

	if (!strcmp(word, "apis"))
		group = strtok_r(NULL, "/", &save);
	strtok_r(NULL, "/", &save);
	word = strtok_r(NULL, "/", &save);
	if (!strcmp(word, "namespaces")) {
		strtok_r(NULL, "/", &save);
		word = strtok_r(NULL, "/", &save);
	}
	name = strtok_r(NULL, "/", &save);
	allow(set, group, word, verb_of(request, name));
}

static bool has_events(struct kube_bench *b, const void *arg)
{
	json_t *answer = fake_api_get(&b->api, "events");
	size_t n = json_array_size(json_object_get(answer, "events"));

	json_decref(answer);
	return n >= *(const size_t *)arg;
}

static void on_trouble(const char *message, void *arg)
{
	(void)arg;
	fail_msg("%s", message);
}

static void tell_events(struct kube_bench *b)
{
	const struct kube_event event = { .reason = "Starting", .action = "Start", .note = "" };
	struct events *events = events_new(&(struct events_config){
		.client = kube_client(b->kube),
		.node_name = "node-a",
		.trouble = on_trouble,
	});

	events_tell(events, &event);
	AWAIT(b, has_events, &(size_t){ 1 });
	events_tell(events, &event);
	AWAIT(b, has_events, &(size_t){ 2 });
	events_free(events);
}

static void follow(struct kube_bench *b, enum endpoints_source endpoints)
{
	b->fed = 0;
	kube_bench_start(b, false, endpoints);
	AWAIT(b, is_fed, NULL);
}

/* Everything that is ever asked: streaming lists, pages, legacy endpoints, Events. */
static void ask_everything(struct kube_bench *b)
{
	kube_bench_cluster(b);
	follow(b, ENDPOINTS_AUTO);
	tell_events(b);
	kube_bench_stop(b);
	fake_api_order(&b->api, "{\"set\": {\"watchList\": false}}");
	follow(b, ENDPOINTS_SLICES);
	kube_bench_stop(b);
	follow(b, ENDPOINTS_LEGACY);
	AWAIT(b, is_healthy, NULL);
	kube_bench_stop(b);
}

static void the_cluster_role_is_what_is_asked_for(void **state)
{
	json_t *may = allowed(), *does = json_object(), *answer, *request;
	_cleanup_free_ char *a = NULL, *b = NULL;
	size_t i;

	ask_everything(*state);
	answer = fake_api_get(&((struct kube_bench *)*state)->api, "requests");
	json_array_foreach(json_object_get(answer, "requests"), i, request)
		add_request(does, request);
	a = json_dumps(does, JSON_SORT_KEYS | JSON_INDENT(1));
	b = json_dumps(may, JSON_SORT_KEYS | JSON_INDENT(1));
	assert_string_equal(a, b);
	json_decref(answer);
	json_decref(may);
	json_decref(does);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		KUBE_TEST(the_cluster_role_is_what_is_asked_for),
	};

	return cmocka_run_group_tests_name("rbac", tests, NULL, NULL);
}

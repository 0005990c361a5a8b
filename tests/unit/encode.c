// SPDX-License-Identifier: GPL-2.0-or-later
/* Field numbers: generated.proto in k8s.io/api and k8s.io/apimachinery. */
#include "encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "message.h"

enum type { TEXT, NUMBER, MAP, TIME, MESSAGE };

/* A list is a field whose value in JSON is an array. */
static const struct field {
	const char *message, *name;
	uint32_t number;
	enum type type;
	const char *of; /* MESSAGE */
} fields[] = {
	{ "ObjectMeta", "name", 1, TEXT, NULL },
	{ "ObjectMeta", "namespace", 3, TEXT, NULL },
	{ "ObjectMeta", "resourceVersion", 6, TEXT, NULL },
	{ "ObjectMeta", "creationTimestamp", 8, TIME, NULL },
	{ "ObjectMeta", "deletionTimestamp", 9, TIME, NULL },
	{ "ObjectMeta", "labels", 11, MAP, NULL },
	{ "ObjectMeta", "annotations", 12, MAP, NULL },
	{ "Service", "metadata", 1, MESSAGE, "ObjectMeta" },
	{ "Service", "spec", 2, MESSAGE, "ServiceSpec" },
	{ "Service", "status", 3, MESSAGE, "ServiceStatus" },
	{ "ServiceSpec", "ports", 1, MESSAGE, "ServicePort" },
	{ "ServiceSpec", "clusterIP", 3, TEXT, NULL },
	{ "ServiceSpec", "type", 4, TEXT, NULL },
	{ "ServiceSpec", "externalIPs", 5, TEXT, NULL },
	{ "ServiceSpec", "sessionAffinity", 7, TEXT, NULL },
	{ "ServiceSpec", "loadBalancerSourceRanges", 9, TEXT, NULL },
	{ "ServiceSpec", "externalTrafficPolicy", 11, TEXT, NULL },
	{ "ServiceSpec", "healthCheckNodePort", 12, NUMBER, NULL },
	{ "ServiceSpec", "publishNotReadyAddresses", 13, NUMBER, NULL },
	{ "ServiceSpec", "sessionAffinityConfig", 14, MESSAGE, "SessionAffinityConfig" },
	{ "ServiceSpec", "ipFamilyPolicy", 17, TEXT, NULL },
	{ "ServiceSpec", "clusterIPs", 18, TEXT, NULL },
	{ "ServiceSpec", "ipFamilies", 19, TEXT, NULL },
	{ "ServiceSpec", "allocateLoadBalancerNodePorts", 20, NUMBER, NULL },
	{ "ServiceSpec", "internalTrafficPolicy", 22, TEXT, NULL },
	{ "ServicePort", "name", 1, TEXT, NULL },
	{ "ServicePort", "protocol", 2, TEXT, NULL },
	{ "ServicePort", "port", 3, NUMBER, NULL },
	{ "ServicePort", "nodePort", 5, NUMBER, NULL },
	{ "SessionAffinityConfig", "clientIP", 1, MESSAGE, "ClientIPConfig" },
	{ "ClientIPConfig", "timeoutSeconds", 1, NUMBER, NULL },
	{ "ServiceStatus", "loadBalancer", 1, MESSAGE, "LoadBalancerStatus" },
	{ "LoadBalancerStatus", "ingress", 1, MESSAGE, "LoadBalancerIngress" },
	{ "LoadBalancerIngress", "ip", 1, TEXT, NULL },
	{ "LoadBalancerIngress", "hostname", 2, TEXT, NULL },
	{ "LoadBalancerIngress", "ipMode", 3, TEXT, NULL },
	{ "EndpointSlice", "metadata", 1, MESSAGE, "ObjectMeta" },
	{ "EndpointSlice", "endpoints", 2, MESSAGE, "Endpoint" },
	{ "EndpointSlice", "ports", 3, MESSAGE, "SlicePort" },
	{ "EndpointSlice", "addressType", 4, TEXT, NULL },
	{ "Endpoint", "addresses", 1, TEXT, NULL },
	{ "Endpoint", "conditions", 2, MESSAGE, "EndpointConditions" },
	{ "Endpoint", "nodeName", 6, TEXT, NULL },
	{ "Endpoint", "hints", 8, MESSAGE, "EndpointHints" },
	{ "EndpointConditions", "ready", 1, NUMBER, NULL },
	{ "EndpointConditions", "serving", 2, NUMBER, NULL },
	{ "EndpointConditions", "terminating", 3, NUMBER, NULL },
	{ "EndpointHints", "forZones", 1, MESSAGE, "Hint" },
	{ "EndpointHints", "forNodes", 2, MESSAGE, "Hint" },
	{ "Hint", "name", 1, TEXT, NULL },
	{ "SlicePort", "name", 1, TEXT, NULL },
	{ "SlicePort", "protocol", 2, TEXT, NULL },
	{ "SlicePort", "port", 3, NUMBER, NULL },
	{ "Endpoints", "metadata", 1, MESSAGE, "ObjectMeta" },
	{ "Endpoints", "subsets", 2, MESSAGE, "EndpointSubset" },
	{ "EndpointSubset", "addresses", 1, MESSAGE, "EndpointAddress" },
	{ "EndpointSubset", "notReadyAddresses", 2, MESSAGE, "EndpointAddress" },
	{ "EndpointSubset", "ports", 3, MESSAGE, "EndpointPort" },
	{ "EndpointAddress", "ip", 1, TEXT, NULL },
	{ "EndpointAddress", "nodeName", 4, TEXT, NULL },
	{ "EndpointPort", "name", 1, TEXT, NULL },
	{ "EndpointPort", "port", 2, NUMBER, NULL },
	{ "EndpointPort", "protocol", 3, TEXT, NULL },
	{ "Node", "metadata", 1, MESSAGE, "ObjectMeta" },
	{ "Node", "spec", 2, MESSAGE, "NodeSpec" },
	{ "Node", "status", 3, MESSAGE, "NodeStatus" },
	{ "NodeSpec", "podCIDR", 1, TEXT, NULL },
	{ "NodeSpec", "taints", 5, MESSAGE, "Taint" },
	{ "NodeSpec", "podCIDRs", 7, TEXT, NULL },
	{ "Taint", "key", 1, TEXT, NULL },
	{ "NodeStatus", "addresses", 5, MESSAGE, "NodeAddress" },
	{ "NodeAddress", "type", 1, TEXT, NULL },
	{ "NodeAddress", "address", 2, TEXT, NULL },
};

static const struct field *find_field(const char *message, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (!strcmp(fields[i].message, message) && !strcmp(fields[i].name, name))
			return &fields[i];
	fail_msg("%s has no field %s", message, name);
	return NULL;
}

static void put_map(struct buf *b, uint32_t number, const json_t *map)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)map, key, v)
		put_entry(b, number, key, json_string_value(v));
}

static void put_time(struct buf *b, uint32_t number, const char *text)
{
	struct buf message = { 0 };
	struct tm tm = { 0 };

	assert_non_null(strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm));
	put_number(&message, 1, timegm(&tm));
	put_number(&message, 2, 0);
	put_message(b, number, &message);
}

/* Messages nest, as deep as the table above lets them. */
static void put_object(struct buf *b, const char *message, const json_t *object);

static void put_value(struct buf *b, const struct field *f, const json_t *v)
{
	struct buf inner = { 0 };

	switch (f->type) {
	case TEXT:
		put_bytes(b, f->number, json_string_value(v), json_string_length(v));
		break;
	case NUMBER:
		put_number(
			b, f->number, json_is_integer(v) ? json_integer_value(v) : json_is_true(v));
		break;
	case MAP:
		put_map(b, f->number, v);
		break;
	case TIME:
		put_time(b, f->number, json_string_value(v));
		break;
	case MESSAGE:
		put_object(&inner, f->of, v);
		put_message(b, f->number, &inner);
		break;
	}
}

static void put_object(struct buf *b, const char *message, const json_t *object)
{
	const char *key;
	json_t *v, *it;
	size_t i;

	json_object_foreach((json_t *)object, key, v) {
		const struct field *f = find_field(message, key);

		json_array_foreach(v, i, it)
			put_value(b, f, it);
		if (!json_is_array(v))
			put_value(b, f, v);
	}
}

struct buf encode_object(enum object_kind kind, const json_t *object)
{
	struct buf b = { 0 };

	put_object(&b, object_kind_name(kind), object);
	return b;
}

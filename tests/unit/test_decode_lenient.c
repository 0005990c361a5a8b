// SPDX-License-Identifier: GPL-2.0-or-later
/* Of what an API server has accepted no more is left out than is wrong, the same in both encodings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "decode/decode.h"
#include "encode.h"
#include "same_object.h"

/* Both encodings give the same object, or the same error. Returns what they returned. */
static int decode_both(
	enum object_kind kind, const char *text, struct object *ret, struct decode_error *err)
{
	json_error_t syntax;
	json_t *tree = json_loads(text, 0, &syntax);
	_cleanup_(buf_done) struct buf message = { 0 };
	struct decode_error other = { 0 };
	struct object o;
	int r;

	assert_non_null(tree);
	message = encode_object(kind, tree);
	r = decode_accepted(kind, value_of_json(tree), ret, err);
	json_decref(tree);
	assert_int_equal(
		decode_accepted(kind, value_of_message(message.data, message.len), &o, &other), r);
	assert_string_equal(other.field, err->field);
	assert_string_equal(other.message, err->message);
	assert_string_equal(other.object, err->object);
	if (!r) {
		assert_same_object(ret, &o);
		object_done(&o);
	}
	return r;
}

static struct object must_decode_both(
	enum object_kind kind, const char *text, const char *field, const char *message)
{
	struct decode_error err = { 0 };
	struct object o;
	int r = decode_both(kind, text, &o, &err);

	assert_int_equal(r, 0);
	assert_string_equal(err.field, field);
	assert_string_equal(err.message, message);
	return o;
}

static void assert_ip(const struct ip *ip, const char *wanted)
{
	char text[IP_STRLEN];

	assert_string_equal(ip_print(ip, text), wanted);
}

static void a_full_service_is_the_same_in_both_encodings(void **state)
{
	struct object o = must_decode_both(OBJECT_SERVICE,
		"{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"resourceVersion\":\"77\","
		"\"creationTimestamp\":\"2026-01-02T03:04:05Z\",\"labels\":{\"a\":\"b\","
		"\"service.kubernetes.io/service-proxy-name\":\"\"},\"annotations\":{"
		"\"ipvsctl.io/scheduler\":\"wlc\",\"ipvsctl.io/drain-timeout\":\"1m30s\"}},"
		"\"spec\":{\"type\":\"LoadBalancer\",\"clusterIP\":\"10.96.0.9\","
		"\"clusterIPs\":[\"10.96.0.9\",\"fd00::9\"],\"ipFamilies\":[\"IPv4\",\"IPv6\"],"
		"\"ipFamilyPolicy\":\"RequireDualStack\",\"allocateLoadBalancerNodePorts\":false,"
		"\"ports\":[{\"name\":\"http\",\"port\":80,\"nodePort\":30080,\"protocol\":\"TCP\"},"
		"{\"name\":\"dns\",\"protocol\":\"UDP\",\"port\":65535}],"
		"\"sessionAffinity\":\"ClientIP\",\"sessionAffinityConfig\":{\"clientIP\":{"
		"\"timeoutSeconds\":86400}},\"externalTrafficPolicy\":\"Local\","
		"\"internalTrafficPolicy\":\"Local\",\"healthCheckNodePort\":32000,"
		"\"publishNotReadyAddresses\":true,\"externalIPs\":[\"198.51.100.007\"],"
		"\"loadBalancerSourceRanges\":[\" 203.0.113.9/24 \",\"::/0\"]},"
		"\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"192.0.2.7\"},"
		"{\"hostname\":\"lb.example.com\"},{\"ip\":\"192.0.2.8\",\"ipMode\":\"Proxy\"}]}}}",
		"", "");
	const struct service *s = o.service;

	(void)state;
	assert_string_equal(s->ns, "shop");
	assert_int_equal(s->created, 1767323045);
	assert_true(s->other_proxy);
	assert_string_equal(s->scheduler, "wlc");
	assert_int_equal(s->drain_timeout, 90000);
	assert_int_equal(s->n_cluster_ips, 2);
	assert_int_equal(s->n_ports, 2);
	assert_int_equal(s->ports[1].port, 65535);
	assert_int_equal(s->affinity_timeout, 86400);
	assert_true(s->external_local && s->internal_local && s->publish_not_ready);
	assert_int_equal(s->health_check_node_port, 32000);
	assert_ip(&s->external_ips[0], "198.51.100.7");
	assert_int_equal(s->n_source_ranges, 2);
	assert_int_equal(s->n_ingress, 2);
	assert_true(s->ingress[1].proxy_mode);
	assert_false(o.wish.node_ports);
	object_done(&o);
}

#define SERVICE(spec) "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\"},\"spec\":{" spec "}}"

static void wrong_elements_of_a_service_are_left_out(void **state)
{
	struct object o;

	(void)state;
	o = must_decode_both(OBJECT_SERVICE,
		SERVICE("\"externalIPs\":[\"\",\"nowhere\",\"192.0.2.1\",\"127.0.0.1\",\"fd00::1\"]"),
		"spec.externalIPs[0]", "is \"\", which is not an IP address");
	assert_int_equal(o.service->n_external_ips, 3);
	assert_ip(&o.service->external_ips[2], "fd00::1");
	object_done(&o);
	o = must_decode_both(OBJECT_SERVICE,
		SERVICE("\"loadBalancerSourceRanges\":[\"10.0.0.0/33\",\"10.0.0.0\",\"10.0.0.0/8\"]"),
		"spec.loadBalancerSourceRanges[0]",
		"is \"10.0.0.0/33\", must be ADDRESS/PREFIX-LENGTH");
	assert_int_equal(o.service->n_source_ranges, 1);
	object_done(&o);
	o = must_decode_both(OBJECT_SERVICE,
		SERVICE("\"ports\":[{\"port\":0},{\"port\":80,\"protocol\":\"ICMP\"},"
			"{\"port\":70000},{\"port\":-1},{\"port\":80,\"name\":\"A\"},"
			"{\"port\":443,\"name\":\"https\",\"nodePort\":-5},{\"port\":81,\"name\":\"b\"}]"),
		"spec.ports[0].port", "is 0, must be 1..65535");
	assert_int_equal(o.service->n_ports, 1);
	assert_int_equal(o.service->ports[0].port, 81);
	object_done(&o);
	o = must_decode_both(OBJECT_SERVICE,
		SERVICE("\"clusterIP\":\"10.0.0.1\",\"clusterIPs\":[\"10.0.0.1\",\"10.0.0.2\",\"x\"]"),
		"spec.clusterIPs[1]", "is 10.0.0.2, but there is an IPv4 address already");
	assert_int_equal(o.service->n_cluster_ips, 1);
	object_done(&o);
}

static void twins_among_the_ports_are_left_out(void **state)
{
	struct object o = must_decode_both(OBJECT_SERVICE,
		SERVICE("\"ports\":[{\"name\":\"a\",\"port\":1},{\"name\":\"b\",\"port\":1},"
			"{\"name\":\"c\",\"port\":2},{\"name\":\"c\",\"port\":3},"
			"{\"name\":\"d\",\"port\":4,\"nodePort\":30000},"
			"{\"name\":\"e\",\"port\":5,\"nodePort\":30000},"
			"{\"name\":\"f\",\"port\":1},{\"name\":\"a\",\"port\":1,\"protocol\":\"UDP\"}]"),
		"spec.ports[1].port",
		"is the same as that of ports[0], which has the same protocol");
	const struct service *s = o.service;

	(void)state;
	assert_int_equal(s->n_ports, 4);
	assert_string_equal(s->ports[0].name, "a");
	assert_string_equal(s->ports[1].name, "c");
	assert_int_equal(s->ports[1].port, 2);
	assert_string_equal(s->ports[2].name, "d");
	assert_int_equal(s->ports[3].proto, IPPROTO_UDP);
	object_done(&o);
}

/* Appends `"key":[n elements],`: ports, or addresses or ranges with the suffix. */
static void add_elements(struct buf *b, const char *key, size_t n, const char *suffix)
{
	buf_addf(b, "\"%s\":[", key);
	for (unsigned i = 0; i < n; i++) {
		buf_adds(b, i ? "," : "");
		if (!suffix)
			buf_addf(b, "{\"port\":%u,\"name\":\"p%u\"}", i + 1, i);
		else
			buf_addf(b, "\"50.0.%u.%u%s\"", i / 256, i % 256, suffix);
	}
	buf_adds(b, "],");
}

/* Whoever writes the object decides how large it is. */
static void what_is_too_much_is_left_out(void **state)
{
	static const struct {
		size_t ports, external_ips, ranges, ingress;
		const char *field, *message;
		size_t wanted[4]; /* of each */
	} cases[] = {
		{ 20000, 3, 0, 0, "", "", { 20000, 3, 0, 0 } },
		{ 20001, 0, 0, 0, "spec.ports[20000]", "is beyond the limit of 20000 elements",
			{ 20000, 0, 0, 0 } },
		{ 1, 1000, 10000, 9, "", "", { 1, 1000, 10000, 9 } },
		{ 1, 60000, 0, 0, "spec.externalIPs[1000]", "is beyond the limit of 1000 elements",
			{ 1, 1000, 0, 0 } },
		{ 1, 0, 10001, 0, "spec.loadBalancerSourceRanges[10000]",
			"is beyond the limit of 10000 elements", { 1, 0, 10000, 0 } },
		{ 1, 0, 0, 1001, "status.loadBalancer.ingress[1000]",
			"is beyond the limit of 1000 elements", { 1, 0, 0, 1000 } },
		{ 200, 500, 0, 1, "spec.ports",
			"times addresses are 100400, must be at most 100000", { 200, 0, 0, 1 } },
		{ 200, 0, 0, 501, "spec.ports",
			"times addresses are 100400, must be at most 100000", { 200, 0, 0, 0 } },
		/* Without its ranges it would be open to all. */
		{ 2, 1, 5001, 10, "spec.loadBalancerSourceRanges",
			"times ports and load balancer addresses are 100020, must be at most 100000",
			{ 2, 0, 5001, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf b = { 0 };
		struct object o;

		buf_adds(&b, "{\"metadata\":{\"name\":\"w\",\"namespace\":\"n\"},\"spec\":{");
		add_elements(&b, "ports", cases[i].ports, NULL);
		add_elements(&b, "externalIPs", cases[i].external_ips, "");
		add_elements(&b, "loadBalancerSourceRanges", cases[i].ranges, "/32");
		buf_adds(&b,
			"\"clusterIP\":\"10.0.0.1\"},\"status\":{\"loadBalancer\":{\"ingress\":[");
		for (unsigned k = 0; k < cases[i].ingress; k++)
			buf_addf(&b, "%s{\"ip\":\"60.0.%u.%u\"}", k ? "," : "", k / 256, k % 256);
		buf_adds(&b, "]}}}");
		o = must_decode_both(OBJECT_SERVICE, buf_str(&b), cases[i].field, cases[i].message);
		assert_int_equal(o.service->n_ports, cases[i].wanted[0]);
		assert_int_equal(o.service->n_external_ips, cases[i].wanted[1]);
		assert_int_equal(o.service->n_source_ranges, cases[i].wanted[2]);
		assert_int_equal(o.service->n_ingress, cases[i].wanted[3]);
		object_done(&o);
	}
}

static void wrong_fields_of_a_service_count_as_absent(void **state)
{
	static const struct {
		const char *text, *field, *message;
	} cases[] = {
		{ SERVICE("\"type\":\"Moon\""), "spec.type",
			"is \"Moon\", must be ClusterIP, NodePort, LoadBalancer or ExternalName" },
		{ SERVICE("\"clusterIP\":\"x\""), "spec.clusterIP",
			"is \"x\", which is not an IP address" },
		{ SERVICE("\"clusterIP\":\"224.0.0.1\""), "spec.clusterIP",
			"is 224.0.0.1, a multicast address, which cannot be used here" },
		{ SERVICE("\"ipFamilies\":[\"IPv5\"],\"ipFamilyPolicy\":\"All\""),
			"spec.ipFamilies[0]", "is \"IPv5\", must be IPv4 or IPv6" },
		{ SERVICE("\"sessionAffinity\":\"Cookie\""), "spec.sessionAffinity",
			"is \"Cookie\", must be None or ClientIP" },
		{ SERVICE("\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":0}}"),
			"spec.sessionAffinityConfig.clientIP.timeoutSeconds",
			"is 0, must be 1..86400" },
		{ SERVICE("\"externalTrafficPolicy\":\"Far\""), "spec.externalTrafficPolicy",
			"is \"Far\", must be Cluster or Local" },
		{ SERVICE("\"internalTrafficPolicy\":\"Far\""), "spec.internalTrafficPolicy",
			"is \"Far\", must be Cluster or Local" },
		{ SERVICE("\"healthCheckNodePort\":-1"), "spec.healthCheckNodePort",
			"is -1, must be 0..65535" },
		{ "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"annotations\":{"
		  "\"ipvsctl.io/scheduler\":\"r r\"}}}",
			"metadata.annotations[ipvsctl.io/scheduler]",
			"is \"r r\", must be the name of an IPVS scheduler such as rr or wlc" },
		{ "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"annotations\":{"
		  "\"ipvsctl.io/drain-timeout\":\"5\"}}}",
			"metadata.annotations[ipvsctl.io/drain-timeout]",
			"is \"5\", must be a duration such as 90s or 1h30m" },
	};
	struct object bare = must_decode_both(OBJECT_SERVICE, SERVICE(""), "", "");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct object o = must_decode_both(
			OBJECT_SERVICE, cases[i].text, cases[i].field, cases[i].message);

		assert_same_object(&o, &bare);
		object_done(&o);
	}
	object_done(&bare);
}

static void what_is_right_beside_what_is_wrong_is_kept(void **state)
{
	struct object o = must_decode_both(OBJECT_SERVICE,
		"{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"annotations\":{"
		"\"ipvsctl.io/scheduler\":\"R R\",\"kube-router.io/service.scheduler\":\"sh\"}},"
		"\"spec\":{\"sessionAffinity\":\"ClientIP\",\"externalTrafficPolicy\":\"Far\","
		"\"internalTrafficPolicy\":\"Local\",\"clusterIP\":\"10.0.0.9\","
		"\"sessionAffinityConfig\":{\"clientIP\":{\"timeoutSeconds\":-1}}},"
		"\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"x\"},{\"ip\":\"192.0.2.1\","
		"\"ipMode\":\"Tunnel\"},{\"ip\":\"0.0.0.0\"},{\"ip\":\"192.0.2.2\"}]}}}",
		"metadata.annotations[ipvsctl.io/scheduler]",
		"is \"R R\", must be the name of an IPVS scheduler such as rr or wlc");
	const struct service *s = o.service;

	(void)state;
	assert_string_equal(s->scheduler, "sh");
	assert_true(s->affinity_client_ip);
	assert_int_equal(s->affinity_timeout, 10800);
	assert_false(s->external_local);
	assert_true(s->internal_local);
	assert_ip(&s->cluster_ips[0], "10.0.0.9");
	assert_int_equal(s->n_ingress, 1);
	assert_ip(&s->ingress[0].ip, "192.0.2.2");
	object_done(&o);
}

static void services_without_an_address_have_none(void **state)
{
	static const struct {
		const char *text;
		bool headless;
		size_t n;
	} cases[] = {
		{ SERVICE("\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]"), true, 0 },
		{ SERVICE("\"clusterIP\":\"None\""), true, 0 },
		{ SERVICE("\"clusterIP\":\"\""), false, 0 },
		{ SERVICE("\"clusterIP\":\"10.0.0.1\""), false, 1 },
		{ SERVICE("\"clusterIP\":\"\",\"clusterIPs\":[\"fd00::1\"]"), false, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct object o = must_decode_both(OBJECT_SERVICE, cases[i].text, "", "");

		assert_int_equal(o.service->headless, cases[i].headless);
		assert_int_equal(o.service->n_cluster_ips, cases[i].n);
		object_done(&o);
	}
}

static void empty_text_is_the_same_as_none(void **state)
{
	struct object bare = must_decode_both(OBJECT_SERVICE, SERVICE(""), "", "");
	struct object o = must_decode_both(OBJECT_SERVICE,
		SERVICE("\"clusterIP\":\"\",\"type\":\"\",\"sessionAffinity\":\"\","
			"\"externalTrafficPolicy\":\"\",\"ipFamilyPolicy\":\"\",\"ports\":[]"),
		"", "");

	(void)state;
	assert_same_object(&o, &bare);
	object_done(&o);
	object_done(&bare);
}

#define SLICE(type, rest)                                                                     \
	"{\"metadata\":{\"name\":\"web-1\",\"namespace\":\"shop\",\"resourceVersion\":\"5\"," \
	"\"labels\":{\"app\":\"x\",\"kubernetes.io/service-name\":\"web\"},\"annotations\":{" \
	"\"ipvsctl.io/weight\":\"9\",\"endpoints.kubernetes.io/last-change-trigger-time\":\"" \
	"2026-01-02T03:04:05.123456Z\"}},\"addressType\":\"" type "\"," rest "}"

static void a_full_slice_is_the_same_in_both_encodings(void **state)
{
	struct object o = must_decode_both(OBJECT_ENDPOINT_SLICE,
		SLICE("IPv6",
			"\"ports\":[{\"name\":\"\",\"protocol\":\"SCTP\",\"port\":9},{\"name\":\"all\"}],"
			"\"endpoints\":[{\"addresses\":[\"fd00::1\",\"fd00::2\"],\"nodeName\":\"n1\","
			"\"conditions\":{\"ready\":false,\"serving\":true,\"terminating\":true},"
			"\"hints\":{\"forZones\":[{\"name\":\"a\"},{\"name\":\"b\"}],"
			"\"forNodes\":[{\"name\":\"n1\"}]}},{\"addresses\":[\"fd00::3\"],"
			"\"conditions\":{}},{\"addresses\":[\"fd00::4\"],\"hints\":{}}]"),
		"", "");
	const struct endpoint *ep = o.slice->subsets[0].endpoints;

	(void)state;
	assert_string_equal(o.slice->service, "web");
	assert_int_equal(o.slice->weight, 9);
	assert_int_equal(o.slice->trigger_time, INT64_C(1767323045123456));
	assert_int_equal(o.slice->subsets[0].n_ports, 1);
	assert_int_equal(o.slice->subsets[0].n_endpoints, 3);
	assert_true(!ep[0].ready && ep[0].serving && ep[0].terminating);
	assert_int_equal(ep[0].place->n_zone_hints, 2);
	assert_string_equal(ep[0].place->node_hints[0], "n1");
	assert_true(ep[1].ready && ep[1].serving && !ep[1].terminating);
	object_done(&o);
}

static void wrong_elements_of_a_slice_are_left_out(void **state)
{
	struct object o = must_decode_both(OBJECT_ENDPOINT_SLICE,
		SLICE("IPv4",
			"\"ports\":[{\"name\":\"a\",\"port\":0},{\"name\":\"b\",\"port\":80,"
			"\"protocol\":\"X\"},{\"name\":\"c\",\"port\":80},{\"port\":65536}],"
			"\"endpoints\":[{\"addresses\":[]},{\"addresses\":[\"x\"]},"
			"{\"addresses\":[\"fd00::1\"]},{\"addresses\":[\"127.0.0.1\"]},"
			"{\"addresses\":[\"10.0.0.1\"],\"nodeName\":\"A B\"},"
			"{\"addresses\":[\"10.0.0.2\"],\"hints\":{\"forZones\":[{\"name\":\"\"},"
			"{\"name\":\"z\"}]}},{\"addresses\":[\"169.254.0.1\"]}]"),
		"ports[0].port", "is 0, must be 1..65535");
	const struct subset *s = o.slice->subsets;

	(void)state;
	assert_int_equal(s->n_ports, 1);
	assert_string_equal(s->ports[0].name, "c");
	assert_int_equal(s->n_endpoints, 1);
	assert_ip(&s->endpoints[0].ip, "10.0.0.2");
	assert_int_equal(s->endpoints[0].place->n_zone_hints, 1);
	assert_string_equal(s->endpoints[0].place->zone_hints[0], "z");
	object_done(&o);
}

static void slices_that_no_proxy_uses_are_told_apart(void **state)
{
	static const struct {
		const char *text;
		int r;
		const char *field, *message;
	} cases[] = {
		{ SLICE("FQDN", "\"endpoints\":[{\"addresses\":[\"a.example.com\"]}]"), -ENOTSUP,
			"addressType", "is FQDN: only IP addresses can be proxied to" },
		{ "{\"metadata\":{\"name\":\"web-1\",\"namespace\":\"shop\"},\"addressType\":\"IPv4\"}",
			-ENOTSUP, "metadata.labels[kubernetes.io/service-name]",
			"is missing: it names the Service of the slice" },
		{ "{\"metadata\":{\"name\":\"web-1\",\"namespace\":\"shop\",\"labels\":{"
		  "\"kubernetes.io/service-name\":\"\"}},\"addressType\":\"IPv4\"}",
			-ENOTSUP, "metadata.labels[kubernetes.io/service-name]",
			"is missing: it names the Service of the slice" },
		{ SLICE("IPX", "\"ports\":[]"), -EINVAL, "addressType",
			"is \"IPX\", must be IPv4, IPv6 or FQDN" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct decode_error err = { 0 };
		struct object o;

		assert_int_equal(
			decode_both(OBJECT_ENDPOINT_SLICE, cases[i].text, &o, &err), cases[i].r);
		assert_string_equal(err.field, cases[i].field);
		assert_string_equal(err.message, cases[i].message);
		assert_string_equal(err.object, "EndpointSlice shop/web-1");
		assert_int_equal(err.id.kind, OBJECT_ENDPOINT_SLICE);
		assert_string_equal(err.id.ns, "shop");
		assert_string_equal(err.id.name, "web-1");
	}
}

static void wrong_elements_of_endpoints_are_left_out(void **state)
{
	struct object o = must_decode_both(OBJECT_ENDPOINTS,
		"{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\"},\"subsets\":[{"
		"\"addresses\":[{\"ip\":\"10.0.0.1\",\"nodeName\":\"n1\"},{\"ip\":\"\"},"
		"{\"ip\":\"::1\"}],\"notReadyAddresses\":[{\"ip\":\"fd00::1\"},{\"ip\":\"1\"}],"
		"\"ports\":[{\"name\":\"a\",\"port\":80},{\"name\":\"b\",\"port\":0}]},"
		"{\"ports\":[{\"port\":1,\"protocol\":\"UDP\"}]}]}",
		"subsets[0].ports[1].port", "is 0, must be 1..65535");
	const struct subset *s = o.slice->subsets;

	(void)state;
	assert_int_equal(o.slice->n_subsets, 2);
	assert_int_equal(s[0].n_ports, 1);
	assert_int_equal(s[0].n_endpoints, 2);
	assert_true(s[0].endpoints[0].ready);
	assert_string_equal(s[0].endpoints[0].place->node_name, "n1");
	assert_false(s[0].endpoints[1].ready);
	assert_true(s[0].endpoints[1].serving);
	assert_int_equal(s[1].n_endpoints, 0);
	assert_int_equal(s[1].ports[0].proto, IPPROTO_UDP);
	object_done(&o);
}

static void wrong_parts_of_a_node_are_left_out(void **state)
{
	struct object o = must_decode_both(OBJECT_NODE,
		"{\"metadata\":{\"name\":\"n1\",\"deletionTimestamp\":\"2026-01-02T03:04:05Z\","
		"\"labels\":{\"topology.kubernetes.io/zone\":\"z1\"},\"annotations\":{"
		"\"ipvsctl.io/weight\":\"heavy\"}},\"spec\":{\"podCIDR\":\"10.1.0.0/24\","
		"\"podCIDRs\":[\"x\",\"10.1.0.0/24\",\"fd00::/64\"],\"taints\":[{\"key\":\"a\"},"
		"{\"key\":\"ToBeDeletedByClusterAutoscaler\"}]},\"status\":{\"addresses\":["
		"{\"type\":\"Hostname\",\"address\":\"n1\"},{\"type\":\"InternalIP\","
		"\"address\":\"n1\"},{\"type\":\"InternalIP\",\"address\":\"\"},"
		"{\"type\":\"ExternalIP\",\"address\":\"192.0.2.1\"}]}}",
		"metadata.annotations[ipvsctl.io/weight]",
		"is \"heavy\", must be a number 0..65535");
	const struct node *n = o.node;

	(void)state;
	assert_int_equal(n->weight, -1);
	assert_true(n->deleting && n->to_be_deleted_taint);
	assert_string_equal(n->zone, "z1");
	assert_int_equal(n->n_pod_cidrs, 2);
	assert_int_equal(n->n_addresses, 1);
	assert_true(n->addresses[0].external);
	object_done(&o);
}

static void an_object_without_a_usable_name_is_an_error(void **state)
{
	static const struct {
		const char *text, *field, *message;
	} cases[] = {
		{ "{}", "metadata.name", "is missing" },
		{ "{\"metadata\":{}}", "metadata.name", "is missing" },
		{ "{\"metadata\":{\"name\":\"\",\"namespace\":\"shop\"}}", "metadata.name",
			"is missing" },
		{ "{\"metadata\":{\"name\":\"a/b\",\"namespace\":\"shop\"}}", "metadata.name",
			"is \"a/b\", must be lower case letters, digits, '-' and '.', and begin and "
			"end with a letter or digit" },
		{ "{\"metadata\":{\"name\":\"a\",\"namespace\":\"b.c\"}}", "metadata.namespace",
			"is \"b.c\", must be lower case letters, digits and '-', and begin and end "
			"with a letter or digit" },
	};

	(void)state;
	for (enum object_kind kind = 0; kind <= OBJECT_ENDPOINT_SLICE; kind++)
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			struct decode_error err = { 0 };
			struct object o;

			assert_int_equal(decode_both(kind, cases[i].text, &o, &err), -EINVAL);
			assert_string_equal(err.field, cases[i].field);
			assert_string_equal(err.message, cases[i].message);
			assert_string_equal(err.id.name, "");
		}
}

/* JSON can say what a message cannot. */
static void wrong_types_in_json_are_left_out(void **state)
{
	static const char text[] =
		"{\"metadata\":{\"name\":\"web\",\"labels\":[1],\"resourceVersion\":5},"
		"\"spec\":{\"type\":5,\"clusterIP\":{},\"clusterIPs\":[5,\"10.0.0.1\"],\"ports\":{},"
		"\"externalIPs\":[null,[],\"192.0.2.1\"],\"sessionAffinityConfig\":[],"
		"\"publishNotReadyAddresses\":\"yes\",\"healthCheckNodePort\":1.5},\"status\":[]}";
	json_t *tree = json_loads(text, 0, NULL);
	struct decode_error err = { 0 };
	struct object o;

	(void)state;
	assert_int_equal(decode_accepted(OBJECT_SERVICE, value_of_json(tree), &o, &err), 0);
	json_decref(tree);
	assert_string_equal(err.field, "metadata.resourceVersion");
	assert_string_equal(err.message, "must be a string, but is the number 5; put it in quotes");
	assert_int_equal(o.service->n_cluster_ips, 1);
	assert_int_equal(o.service->n_external_ips, 1);
	assert_int_equal(o.service->n_ports, 0);
	assert_int_equal(o.service->affinity_timeout, 10800);
	object_done(&o);
	tree = json_array();
	assert_int_equal(decode_accepted(OBJECT_SERVICE, value_of_json(tree), &o, &err), -EINVAL);
	assert_string_equal(err.message, "must be a mapping, but is a list");
	json_decref(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_service_is_the_same_in_both_encodings),
		cmocka_unit_test(wrong_elements_of_a_service_are_left_out),
		cmocka_unit_test(twins_among_the_ports_are_left_out),
		cmocka_unit_test(what_is_too_much_is_left_out),
		cmocka_unit_test(wrong_fields_of_a_service_count_as_absent),
		cmocka_unit_test(what_is_right_beside_what_is_wrong_is_kept),
		cmocka_unit_test(services_without_an_address_have_none),
		cmocka_unit_test(empty_text_is_the_same_as_none),
		cmocka_unit_test(a_full_slice_is_the_same_in_both_encodings),
		cmocka_unit_test(wrong_elements_of_a_slice_are_left_out),
		cmocka_unit_test(slices_that_no_proxy_uses_are_told_apart),
		cmocka_unit_test(wrong_elements_of_endpoints_are_left_out),
		cmocka_unit_test(wrong_parts_of_a_node_are_left_out),
		cmocka_unit_test(an_object_without_a_usable_name_is_an_error),
		cmocka_unit_test(wrong_types_in_json_are_left_out),
	};

	return cmocka_run_group_tests_name("decode_lenient", tests, NULL, NULL);
}

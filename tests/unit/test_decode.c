// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "decode/decode.h"
#include "decode/yaml.h"

static void keep(json_t *doc, unsigned line, void *arg)
{
	(void)line;
	*(json_t **)arg = json_incref(doc);
}

static int decode_text(const char *text, struct object *ret, struct decode_error *err)
{
	struct yaml_error yaml_error = { 0 };
	json_t *doc = NULL;
	int r;

	yaml_parse(text, strlen(text), keep, &doc, &yaml_error);
	assert_string_equal(yaml_error.message, "");
	r = decode_object(doc, ret, err);
	json_decref(doc);
	return r;
}

static struct object must_decode(const char *text)
{
	struct object o;
	struct decode_error err = { 0 };
	int r = decode_text(text, &o, &err);

	assert_string_equal(err.message, "");
	assert_int_equal(r, 0);
	return o;
}

struct refusal {
	const char *text;
	const char *field, *message;
};

/* Each text goes where the %s of `frame` is. */
static void assert_refusals(
	const char *frame, const char *object, const struct refusal *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		struct decode_error err = { 0 };
		const char *hole = strstr(frame, "%s");
		struct object o;
		int r;

		buf_add(&text, frame, (size_t)(hole - frame));
		buf_adds(&text, cases[i].text);
		buf_adds(&text, hole + 2);
		r = decode_text(buf_str(&text), &o, &err);
		assert_string_equal(err.message, cases[i].message);
		assert_string_equal(err.field, cases[i].field);
		assert_string_equal(err.object, object);
		assert_int_equal(r, -EINVAL);
	}
}

static void assert_ip(const struct ip *ip, const char *wanted)
{
	char text[IP_STRLEN];

	assert_string_equal(ip_print(ip, text), wanted);
}

static void assert_cidr(const struct cidr *c, const char *wanted)
{
	char text[CIDR_STRLEN];

	assert_string_equal(cidr_print(c, text), wanted);
}

/* Service */

static void a_full_service_keeps_every_field(void **state)
{
	struct object o =
		must_decode("apiVersion: v1\n"
			    "kind: Service\n"
			    "metadata:\n"
			    "  name: web\n"
			    "  namespace: shop\n"
			    "  resourceVersion: '77'\n"
			    "  uid: 3f1c\n"
			    "  creationTimestamp: 2026-01-02T03:04:05Z\n"
			    "  labels:\n"
			    "    k8s-app: kube-dns\n"
			    "    service.kubernetes.io/service-proxy-name: ''\n"
			    "  annotations:\n"
			    "    ipvsctl.io/scheduler: wlc\n"
			    "    kube-router.io/service.scheduler: sh\n"
			    "    ipvsctl.io/drain-timeout: 1m30s\n"
			    "spec:\n"
			    "  type: LoadBalancer\n"
			    "  clusterIP: 10.96.0.9\n"
			    "  clusterIPs: [10.96.0.9, 'fd00::9']\n"
			    "  ipFamilies: [IPv4, IPv6]\n"
			    "  ipFamilyPolicy: RequireDualStack\n"
			    "  ports:\n"
			    "  - {name: http, port: 80, nodePort: 30080, targetPort: web}\n"
			    "  - {name: http, protocol: UDP, port: 80, nodePort: 30080}\n"
			    "  - {name: s, protocol: SCTP, port: 65535}\n"
			    "  sessionAffinity: ClientIP\n"
			    "  sessionAffinityConfig: {clientIP: {timeoutSeconds: 600}}\n"
			    "  externalTrafficPolicy: Local\n"
			    "  internalTrafficPolicy: Local\n"
			    "  healthCheckNodePort: 32000\n"
			    "  publishNotReadyAddresses: true\n"
			    "  externalIPs: [198.51.100.007, 'fd00:1::1']\n"
			    "  loadBalancerSourceRanges: [' 203.0.113.9/24 ', '0.0.0.0/0']\n"
			    "status:\n"
			    "  loadBalancer:\n"
			    "    ingress:\n"
			    "    - {ip: 192.0.2.7}\n"
			    "    - {hostname: lb.example.com}\n"
			    "    - {ip: 192.0.2.8, ipMode: Proxy}\n"
			    "    - {ip: 127.0.0.1, ipMode: VIP}\n"
			    "    - {ip: ''}\n");
	const struct service *s = o.service;

	(void)state;
	assert_int_equal(o.kind, OBJECT_SERVICE);
	assert_string_equal(s->ns, "shop");
	assert_string_equal(s->name, "web");
	assert_string_equal(s->resource_version, "77");
	assert_string_equal(s->uid, "3f1c");
	assert_int_equal(s->created, 1767323045);
	assert_int_equal(s->type, SERVICE_LOAD_BALANCER);
	assert_false(s->headless);
	assert_true(s->other_proxy);
	assert_true(s->cluster_dns);
	assert_int_equal(s->n_cluster_ips, 2);
	assert_ip(&s->cluster_ips[0], "10.96.0.9");
	assert_ip(&s->cluster_ips[1], "fd00::9");
	assert_int_equal(s->n_ports, 3);
	assert_string_equal(s->ports[0].name, "http");
	assert_int_equal(s->ports[0].proto, IPPROTO_TCP);
	assert_int_equal(s->ports[0].port, 80);
	assert_int_equal(s->ports[0].node_port, 30080);
	assert_int_equal(s->ports[1].proto, IPPROTO_UDP);
	assert_int_equal(s->ports[2].proto, IPPROTO_SCTP);
	assert_int_equal(s->ports[2].port, 65535);
	assert_int_equal(s->ports[2].node_port, 0);
	assert_int_equal(s->n_external_ips, 2);
	assert_ip(&s->external_ips[0], "198.51.100.7");
	assert_ip(&s->external_ips[1], "fd00:1::1");
	assert_int_equal(s->n_ingress, 2);
	assert_ip(&s->ingress[0].ip, "192.0.2.7");
	assert_false(s->ingress[0].proxy_mode);
	assert_ip(&s->ingress[1].ip, "192.0.2.8");
	assert_true(s->ingress[1].proxy_mode);
	assert_int_equal(s->n_source_ranges, 1);
	/* The other one lies within it. */
	assert_cidr(&s->source_ranges[0], "0.0.0.0/0");
	assert_true(s->affinity_client_ip);
	assert_int_equal(s->affinity_timeout, 600);
	assert_true(s->external_local);
	assert_true(s->internal_local);
	assert_int_equal(s->health_check_node_port, 32000);
	assert_true(s->publish_not_ready);
	assert_string_equal(s->scheduler, "wlc");
	assert_int_equal(s->drain_timeout, 90000);
	assert_int_equal(o.wish.families[0], AF_INET);
	assert_int_equal(o.wish.families[1], AF_INET6);
	assert_true(o.wish.prefer_dual_stack);
	assert_true(o.wish.require_dual_stack);
	assert_true(o.wish.node_ports);
	object_done(&o);
}

static void a_bare_service_gets_the_defaults(void **state)
{
	struct object o = must_decode("{apiVersion: v1, kind: Service, metadata: {name: web},"
				      " spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}}");
	const struct service *s = o.service;

	(void)state;
	assert_string_equal(s->ns, "default");
	assert_string_equal(s->resource_version, "");
	assert_string_equal(s->uid, "");
	assert_int_equal(s->created, 0);
	assert_int_equal(s->type, SERVICE_CLUSTER_IP);
	assert_false(s->other_proxy);
	assert_false(s->cluster_dns);
	assert_int_equal(s->n_cluster_ips, 1);
	assert_ip(&s->cluster_ips[0], "10.0.0.1");
	assert_string_equal(s->ports[0].name, "");
	assert_int_equal(s->ports[0].proto, IPPROTO_TCP);
	assert_false(s->affinity_client_ip);
	assert_int_equal(s->affinity_timeout, 10800);
	assert_false(s->external_local);
	assert_false(s->internal_local);
	assert_string_equal(s->scheduler, "");
	assert_int_equal(s->drain_timeout, -1);
	assert_int_equal(o.wish.families[0], 0);
	assert_false(o.wish.prefer_dual_stack);
	assert_false(o.wish.node_ports);
	object_done(&o);
}

static void null_is_the_same_as_absent(void **state)
{
	struct object o = must_decode(
		"{apiVersion: v1, kind: Service, metadata: {name: web, namespace: null, labels: null,"
		" annotations: {ipvsctl.io/scheduler: null}, creationTimestamp: null}, status: null,"
		" spec: {type: null, clusterIP: null, clusterIPs: null, externalIPs: null,"
		" ports: [{port: 80, protocol: null, name: null, nodePort: null}]}}");

	(void)state;
	assert_string_equal(o.service->ns, "default");
	assert_int_equal(o.service->n_cluster_ips, 0);
	assert_int_equal(o.service->ports[0].proto, IPPROTO_TCP);
	assert_string_equal(o.service->scheduler, "");
	object_done(&o);
}

/* Where the Go struct holds no pointer, an API server takes "" for unset, and fills it in. */
static void empty_is_the_same_as_absent_where_it_is_for_an_api_server(void **state)
{
	static const struct refusal pointers[] = {
		{ "internalTrafficPolicy: ''", "spec.internalTrafficPolicy",
			"is \"\", must be Cluster or Local" },
		{ "ipFamilyPolicy: ''", "spec.ipFamilyPolicy",
			"is \"\", must be SingleStack, PreferDualStack or RequireDualStack" },
	};
	struct object o = must_decode(
		"{apiVersion: v1, kind: Service, metadata: {name: web, namespace: ''},"
		" spec: {type: '', clusterIP: 10.0.0.1, sessionAffinity: '',"
		" externalTrafficPolicy: '', ports: [{port: 80, protocol: '', name: ''}]}}");

	(void)state;
	assert_string_equal(o.service->ns, "default");
	assert_int_equal(o.service->type, SERVICE_CLUSTER_IP);
	assert_int_equal(o.service->ports[0].proto, IPPROTO_TCP);
	assert_false(o.service->affinity_client_ip);
	object_done(&o);
	o = must_decode(
		"{apiVersion: v1, kind: Endpoints, metadata: {name: web},"
		" subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 80, protocol: ''}]}]}");
	assert_int_equal(o.slice->subsets[0].ports[0].proto, IPPROTO_TCP);
	object_done(&o);
	assert_refusals("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {%s}}",
		"Service default/web", pointers, ARRAY_SIZE(pointers));
}

static void headless_and_external_name_need_no_address(void **state)
{
	static const char *const headless[] = { "clusterIP: None", "clusterIPs: [None]",
		"clusterIP: None, clusterIPs: [None]" };
	struct object o;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(headless); i++) {
		char text[200];

		snprintf(text, sizeof(text),
			"{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {%s}}",
			headless[i]);
		o = must_decode(text);
		assert_true(o.service->headless);
		assert_int_equal(o.service->n_cluster_ips, 0);
		object_done(&o);
	}
	o = must_decode("{apiVersion: v1, kind: Service, metadata: {name: web},"
			" spec: {type: ExternalName, externalName: db.example.com}}");
	assert_int_equal(o.service->type, SERVICE_EXTERNAL_NAME);
	assert_int_equal(o.service->n_ports, 0);
	object_done(&o);
}

static void the_scheduler_annotation_has_an_alias(void **state)
{
	struct object o = must_decode("{apiVersion: v1, kind: Service, metadata: {name: web,"
				      " annotations: {kube-router.io/service.scheduler: mh}}}");

	(void)state;
	assert_string_equal(o.service->scheduler, "mh");
	object_done(&o);
}

static void load_balancers_may_do_without_node_ports(void **state)
{
	struct object o =
		must_decode("{apiVersion: v1, kind: Service, metadata: {name: web},"
			    " spec: {type: LoadBalancer, allocateLoadBalancerNodePorts: false}}");

	(void)state;
	assert_false(o.wish.node_ports);
	object_done(&o);
}

static void bad_services_are_refused_with_field_and_words(void **state)
{
	static const struct refusal spec[] = {
		{ "type: Clusterip", "spec.type",
			"is \"Clusterip\", must be ClusterIP, NodePort, LoadBalancer or ExternalName" },
		{ "type: 5", "spec.type",
			"must be a string, but is the number 5; put it in quotes" },
		{ "clusterIP: 10.0.0", "spec.clusterIP",
			"is \"10.0.0\", which is not an IP address" },
		{ "clusterIP: 10.0.0.256", "spec.clusterIP",
			"is \"10.0.0.256\", which is not an IP address" },
		{ "clusterIP: 10", "spec.clusterIP",
			"must be a string, but is the number 10; put it in quotes" },
		{ "clusterIP: 'fe80::1%eth0'", "spec.clusterIP",
			"is \"fe80::1%eth0\", which is not an IP address" },
		{ "clusterIP: 0.0.0.0", "spec.clusterIP",
			"is 0.0.0.0, the unspecified address, which cannot be used here" },
		{ "clusterIP: 224.0.0.1", "spec.clusterIP",
			"is 224.0.0.1, a multicast address, which cannot be used here" },
		{ "clusterIPs: [10.0.0.1, 10.0.0.2]", "spec.clusterIPs[1]",
			"is 10.0.0.2, but there is an IPv4 address already" },
		{ "clusterIPs: ['fd00::1', 'fd00::2']", "spec.clusterIPs[1]",
			"is fd00::2, but there is an IPv6 address already" },
		{ "clusterIPs: [10.0.0.1, 'fd00::1', 10.0.0.2]", "spec.clusterIPs[2]",
			"is one too many: there can be one of each family" },
		{ "clusterIPs: [None, 10.0.0.1]", "spec.clusterIPs",
			"has both None and an address" },
		{ "clusterIPs: [10.0.0.1], clusterIP: 10.0.0.2", "spec.clusterIPs",
			"begins with 10.0.0.1, but clusterIP is 10.0.0.2" },
		{ "clusterIPs: [10.0.0.1], clusterIP: None", "spec.clusterIPs",
			"begins with 10.0.0.1, but clusterIP is None" },
		{ "clusterIPs: 10.0.0.1", "spec.clusterIPs",
			"must be a list, but is the string \"10.0.0.1\"" },
		{ "ipFamilies: [IPv5]", "spec.ipFamilies[0]", "is \"IPv5\", must be IPv4 or IPv6" },
		{ "ipFamilies: [IPv4, IPv4]", "spec.ipFamilies[1]", "occurs twice" },
		{ "ipFamilies: [IPv6], clusterIP: 10.0.0.1", "spec.ipFamilies[0]",
			"is IPv6, but the cluster IP at this place is 10.0.0.1" },
		{ "ipFamilyPolicy: Dual", "spec.ipFamilyPolicy",
			"is \"Dual\", must be SingleStack, PreferDualStack or RequireDualStack" },
		{ "ports: {}", "spec.ports", "must be a list, but is a mapping" },
		{ "ports: [80]", "spec.ports[0]", "must be a mapping, but is the number 80" },
		{ "ports: [null]", "spec.ports[0]", "must be a mapping, but is null" },
		{ "ports: [{port: 80}, {name: x}]", "spec.ports[1].port", "is missing" },
		{ "ports: [{port: '80'}]", "spec.ports[0].port",
			"must be a number, but is the string \"80\"" },
		{ "ports: [{port: 80.5}]", "spec.ports[0].port",
			"must be a number without a fraction, but is the number 80.5" },
		{ "ports: [{port: true}]", "spec.ports[0].port",
			"must be a number, but is the boolean true" },
		{ "ports: [{port: 0}]", "spec.ports[0].port", "is 0, must be 1..65535" },
		{ "ports: [{port: 70000}]", "spec.ports[0].port", "is 70000, must be 1..65535" },
		{ "ports: [{port: -1}]", "spec.ports[0].port", "is -1, must be 1..65535" },
		{ "ports: [{port: 80, nodePort: 65536}]", "spec.ports[0].nodePort",
			"is 65536, must be 0..65535" },
		{ "ports: [{port: 80, protocol: tcp}]", "spec.ports[0].protocol",
			"is \"tcp\", must be TCP, UDP or SCTP" },
		{ "ports: [{port: 80, protocol: ICMP}]", "spec.ports[0].protocol",
			"is \"ICMP\", must be TCP, UDP or SCTP" },
		{ "ports: [{port: 80, name: yes}]", "spec.ports[0].name",
			"must be a string, but is the boolean true; put it in quotes" },
		{ "ports: [{port: 80, name: HTTP}]", "spec.ports[0].name",
			"is \"HTTP\", must be lower case letters, digits and '-', and begin and end "
			"with a letter or digit" },
		{ "ports: [{name: a, port: 80}, {name: b, port: 80}]", "spec.ports[1].port",
			"is the same as that of ports[0], which has the same protocol" },
		{ "ports: [{name: a, port: 80}, {name: a, port: 81}]", "spec.ports[1].name",
			"is the same as that of ports[0], which has the same protocol" },
		{ "ports: [{port: 80}, {name: a, port: 81}, {port: 82}]", "spec.ports[2].name",
			"is the same as that of ports[0], which has the same protocol" },
		{ "ports: [{name: a, port: 80, nodePort: 30000}, {name: b, port: 81, nodePort: "
		  "30000}]",
			"spec.ports[1].nodePort",
			"is the same as that of ports[0], which has the same protocol" },
		{ "externalIPs: [198.51.100.1, nowhere]", "spec.externalIPs[1]",
			"is \"nowhere\", which is not an IP address" },
		{ "loadBalancerSourceRanges: [10.0.0.0/8, 10.0.0.0/33]",
			"spec.loadBalancerSourceRanges[1]",
			"is \"10.0.0.0/33\", must be ADDRESS/PREFIX-LENGTH" },
		{ "loadBalancerSourceRanges: [10.0.0.0]", "spec.loadBalancerSourceRanges[0]",
			"is \"10.0.0.0\", must be ADDRESS/PREFIX-LENGTH" },
		{ "sessionAffinity: Cookie", "spec.sessionAffinity",
			"is \"Cookie\", must be None or ClientIP" },
		{ "sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}",
			"spec.sessionAffinityConfig.clientIP.timeoutSeconds",
			"is 0, must be 1..86400" },
		{ "sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}",
			"spec.sessionAffinityConfig.clientIP.timeoutSeconds",
			"is 86401, must be 1..86400" },
		{ "sessionAffinityConfig: []", "spec.sessionAffinityConfig",
			"must be a mapping, but is a list" },
		{ "externalTrafficPolicy: local", "spec.externalTrafficPolicy",
			"is \"local\", must be Cluster or Local" },
		{ "internalTrafficPolicy: Some", "spec.internalTrafficPolicy",
			"is \"Some\", must be Cluster or Local" },
		{ "healthCheckNodePort: 70000", "spec.healthCheckNodePort",
			"is 70000, must be 0..65535" },
		{ "publishNotReadyAddresses: 'yes'", "spec.publishNotReadyAddresses",
			"must be true or false, but is the string \"yes\"" },
		{ "allocateLoadBalancerNodePorts: 1", "spec.allocateLoadBalancerNodePorts",
			"must be true or false, but is the number 1" },
		{ "type: \"a\\x1b[31m\"", "spec.type",
			"is \"a?[31m\", must be ClusterIP, NodePort, LoadBalancer or ExternalName" },
		{ "clusterIP: "
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			"spec.clusterIP",
			"is \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"..., "
			"which is not an IP address" },
	};
	static const struct refusal rest[] = {
		{ "spec: 5", "spec", "must be a mapping, but is the number 5" },
		{ "spec: []", "spec", "must be a mapping, but is a list" },
		{ "status: up", "status", "must be a mapping, but is the string \"up\"" },
		{ "status: {loadBalancer: 1}", "status.loadBalancer",
			"must be a mapping, but is the number 1" },
		{ "status: {loadBalancer: {ingress: [{ip: x}]}}",
			"status.loadBalancer.ingress[0].ip",
			"is \"x\", which is not an IP address" },
		{ "status: {loadBalancer: {ingress: [{ip: 192.0.2.1, ipMode: vip}]}}",
			"status.loadBalancer.ingress[0].ipMode",
			"is \"vip\", must be VIP or Proxy" },
	};
	static const struct refusal meta[] = {
		{ "creationTimestamp: yesterday", "metadata.creationTimestamp",
			"is \"yesterday\", which is not a time such as 2026-01-31T12:00:00Z" },
		{ "resourceVersion: 7", "metadata.resourceVersion",
			"must be a string, but is the number 7; put it in quotes" },
		{ "labels: [a]", "metadata.labels", "must be a mapping, but is a list" },
		{ "annotations: {ipvsctl.io/scheduler: ''}",
			"metadata.annotations[ipvsctl.io/scheduler]",
			"is \"\", must be the name of an IPVS scheduler such as rr or wlc" },
		{ "annotations: {ipvsctl.io/scheduler: abcdefghijklmnop}",
			"metadata.annotations[ipvsctl.io/scheduler]",
			"is \"abcdefghijklmnop\", must be the name of an IPVS scheduler such as rr or "
			"wlc" },
		{ "annotations: {kube-router.io/service.scheduler: 'r r'}",
			"metadata.annotations[kube-router.io/service.scheduler]",
			"is \"r r\", must be the name of an IPVS scheduler such as rr or wlc" },
		{ "annotations: {ipvsctl.io/scheduler: no}",
			"metadata.annotations[ipvsctl.io/scheduler]",
			"must be a string, but is the boolean false; put it in quotes" },
		{ "annotations: {ipvsctl.io/drain-timeout: 60}",
			"metadata.annotations[ipvsctl.io/drain-timeout]",
			"must be a string, but is the number 60; put it in quotes" },
		{ "annotations: {ipvsctl.io/drain-timeout: '60'}",
			"metadata.annotations[ipvsctl.io/drain-timeout]",
			"is \"60\", must be a duration such as 90s or 1h30m" },
		{ "annotations: {ipvsctl.io/drain-timeout: -5s}",
			"metadata.annotations[ipvsctl.io/drain-timeout]",
			"is \"-5s\", must be a duration such as 90s or 1h30m" },
	};

	(void)state;
	assert_refusals("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {%s}}",
		"Service default/web", spec, ARRAY_SIZE(spec));
	assert_refusals("{apiVersion: v1, kind: Service, metadata: {name: web}, %s}",
		"Service default/web", rest, ARRAY_SIZE(rest));
	assert_refusals("{apiVersion: v1, kind: Service, metadata: {name: web, %s}}",
		"Service default/web", meta, ARRAY_SIZE(meta));
}

/* Which object it is */

static void objects_without_a_usable_name_are_refused(void **state)
{
	static const struct refusal cases[] = {
		{ "5", "", "must be a mapping with apiVersion, kind and metadata" },
		{ "[]", "", "must be a mapping with apiVersion, kind and metadata" },
		{ "{}", "kind", "is missing" },
		{ "{kind: Service}", "apiVersion", "is missing" },
		{ "{kind: 5}", "kind", "must be a string, but is the number 5; put it in quotes" },
		{ "{kind: Service, apiVersion: 1}", "apiVersion",
			"must be a string, but is the number 1; put it in quotes" },
		{ "{kind: Service, apiVersion: v1}", "metadata.name", "is missing" },
		{ "{kind: Service, apiVersion: v1, metadata: web}", "metadata",
			"must be a mapping, but is the string \"web\"" },
		{ "{kind: Service, apiVersion: v1, metadata: {name: yes}}", "metadata.name",
			"must be a string, but is the boolean true; put it in quotes" },
		{ "{kind: Service, apiVersion: v1, metadata: {name: 1e3}}", "metadata.name",
			"must be a string, but is the number 1000; put it in quotes" },
		{ "{kind: Service, apiVersion: v1, metadata: {name: ''}}", "metadata.name",
			"is empty" },
		{ "{kind: Service, apiVersion: v1, metadata: {name: Web}}", "metadata.name",
			"is \"Web\", must be lower case letters, digits, '-' and '.', and begin and "
			"end with a letter or digit" },
		{ "{kind: Service, apiVersion: v1, metadata: {name: a/b}}", "metadata.name",
			"is \"a/b\", must be lower case letters, digits, '-' and '.', and begin and "
			"end with a letter or digit" },
		{ "{kind: Node, apiVersion: v1, metadata: {name: a..b}}", "metadata.name",
			"is \"a..b\", must be lower case letters, digits, '-' and '.', and begin and "
			"end with a letter or digit" },
		{ "{kind: Service, apiVersion: v1, metadata: {name: a, namespace: a.b}}",
			"metadata.namespace",
			"is \"a.b\", must be lower case letters, digits and '-', and begin and end "
			"with a letter or digit" },
		{ "{kind: Service, apiVersion: v1, metadata: {name: a, namespace: '-a'}}",
			"metadata.namespace",
			"is \"-a\", must be lower case letters, digits and '-', and begin and end "
			"with a letter or digit" },
		{ "{kind: Service, apiVersion: v1, metadata: {name: a, namespace: off}}",
			"metadata.namespace",
			"must be a string, but is the boolean false; put it in quotes" },
	};

	(void)state;
	assert_refusals("%s", "", cases, ARRAY_SIZE(cases));
}

static void names_are_limited_in_length(void **state)
{
	static const struct {
		int name, ns;
		const char *field, *message;
	} cases[] = {
		{ 253, 63, "", "" },
		{ 254, 63, "metadata.name", "is 254 characters long, must be at most 253" },
		{ 10000, 63, "metadata.name", "is 10000 characters long, must be at most 253" },
		{ 253, 64, "metadata.namespace", "is 64 characters long, must be at most 63" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		struct decode_error err = { 0 };
		struct object o;
		int r;

		buf_adds(&text, "{kind: Service, apiVersion: v1, metadata: {name: ");
		for (int k = 0; k < cases[i].name; k++)
			buf_addc(&text, 'a');
		buf_adds(&text, ", namespace: ");
		for (int k = 0; k < cases[i].ns; k++)
			buf_addc(&text, 'b');
		buf_adds(&text, "}}");
		r = decode_text(buf_str(&text), &o, &err);
		assert_string_equal(err.message, cases[i].message);
		assert_string_equal(err.field, cases[i].field);
		if (!r)
			object_done(&o);
	}
}

static void objects_of_others_are_told_apart_from_versions_of_ours(void **state)
{
	static const struct {
		const char *text, *field, *message;
	} cases[] = {
		{ "{kind: Deployment, apiVersion: apps/v1}", "kind",
			"is \"Deployment\", which is not read here" },
		{ "{kind: Service, apiVersion: serving.knative.dev/v1}", "kind",
			"is \"Service\", which is not read here" },
		{ "{kind: EndpointSlice, apiVersion: v1}", "kind",
			"is \"EndpointSlice\", which is not read here" },
		{ "{kind: Service, apiVersion: v2}", "apiVersion", "is \"v2\", must be \"v1\"" },
		{ "{kind: EndpointSlice, apiVersion: discovery.k8s.io/v1beta1}", "apiVersion",
			"is \"discovery.k8s.io/v1beta1\", must be \"discovery.k8s.io/v1\"" },
		{ "{kind: EndpointSlice, apiVersion: discovery.k8s.io/v1, addressType: FQDN,"
		  " metadata: {name: a}}",
			"addressType", "is FQDN: only IP addresses can be proxied to" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct decode_error err = { 0 };
		struct object o;

		assert_int_equal(decode_text(cases[i].text, &o, &err), -ENOTSUP);
		assert_string_equal(err.field, cases[i].field);
		assert_string_equal(err.message, cases[i].message);
	}
}

static void the_identity_can_be_read_alone(void **state)
{
	static const struct {
		const char *text, *id;
	} cases[] = {
		{ "{kind: Service, apiVersion: v1, metadata: {name: web}, spec: 5}",
			"Service default/web" },
		{ "{kind: Endpoints, apiVersion: v1, metadata: {name: web, namespace: shop}}",
			"Endpoints shop/web" },
		{ "{kind: EndpointSlice, apiVersion: discovery.k8s.io/v1, metadata: {name: web.1}}",
			"EndpointSlice default/web.1" },
		{ "{kind: Node, apiVersion: v1, metadata: {name: node-a, namespace: '#'}}",
			"Node node-a" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct yaml_error yaml_error;
		struct decode_error err;
		struct object_id id;
		char text[OBJECT_ID_STRLEN];
		json_t *doc = NULL;

		yaml_parse(cases[i].text, strlen(cases[i].text), keep, &doc, &yaml_error);
		assert_int_equal(decode_id(doc, &id, &err), 0);
		assert_string_equal(object_id_print(&id, text), cases[i].id);
		json_decref(doc);
	}
}

/* EndpointSlice */

#define SLICE "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"

static void a_full_slice_keeps_every_field(void **state)
{
	struct object o = must_decode(
		SLICE "metadata:\n"
		      "  name: web-x1\n"
		      "  namespace: shop\n"
		      "  labels: {kubernetes.io/service-name: web}\n"
		      "  annotations:\n"
		      "    ipvsctl.io/weight: '65535'\n"
		      "    endpoints.kubernetes.io/last-change-trigger-time: "
		      "2026-01-02T05:04:05.1234567+02:00\n"
		      "addressType: IPv4\n"
		      "ports:\n"
		      "- {name: http, port: 8080}\n"
		      "- {name: dns, port: 53, protocol: UDP}\n"
		      "- {name: all}\n"
		      "endpoints:\n"
		      "- {addresses: [10.1.0.5]}\n"
		      "- addresses: [10.1.0.6, 10.1.0.7]\n"
		      "  nodeName: n1\n"
		      "  conditions: {ready: false, serving: true, terminating: true}\n"
		      "  hints: {forZones: [{name: a}, {name: b}], forNodes: [{name: n1}]}\n"
		      "- addresses: [10.1.0.8]\n"
		      "  conditions: {ready: false, serving: null}\n");
	const struct slice *s = o.slice;
	const struct endpoint *ep = s->subsets[0].endpoints;

	(void)state;
	assert_int_equal(o.kind, OBJECT_ENDPOINT_SLICE);
	assert_int_equal(s->kind, SLICE_ENDPOINT_SLICE);
	assert_string_equal(s->ns, "shop");
	assert_string_equal(s->name, "web-x1");
	assert_string_equal(s->service, "web");
	assert_int_equal(s->weight, 65535);
	assert_int_equal(s->trigger_time, INT64_C(1767323045123456));
	assert_int_equal(s->n_subsets, 1);
	assert_int_equal(s->subsets[0].n_ports, 2);
	assert_string_equal(s->subsets[0].ports[1].name, "dns");
	assert_int_equal(s->subsets[0].ports[1].proto, IPPROTO_UDP);
	assert_int_equal(s->subsets[0].ports[1].port, 53);
	assert_int_equal(s->subsets[0].n_endpoints, 3);
	assert_ip(&ep[0].ip, "10.1.0.5");
	assert_true(ep[0].ready && ep[0].serving && !ep[0].terminating);
	assert_string_equal(ep[0].place->node_name, "");
	assert_int_equal(ep[0].place->n_zone_hints, 0);
	assert_ip(&ep[1].ip, "10.1.0.6");
	assert_true(!ep[1].ready && ep[1].serving && ep[1].terminating);
	assert_string_equal(ep[1].place->node_name, "n1");
	assert_int_equal(ep[1].place->n_zone_hints, 2);
	assert_string_equal(ep[1].place->zone_hints[1], "b");
	assert_int_equal(ep[1].place->n_node_hints, 1);
	assert_string_equal(ep[1].place->node_hints[0], "n1");
	assert_true(!ep[2].ready && ep[2].serving && !ep[2].terminating);
	object_done(&o);
}

static void an_empty_slice_is_a_slice(void **state)
{
	struct object o =
		must_decode(SLICE "metadata: {name: a, labels: {kubernetes.io/service-name: web}}\n"
				  "addressType: IPv6\nendpoints: null\nports: null\n");

	(void)state;
	assert_int_equal(o.slice->subsets[0].n_endpoints, 0);
	assert_int_equal(o.slice->subsets[0].n_ports, 0);
	assert_int_equal(o.slice->weight, -1);
	assert_int_equal(o.slice->trigger_time, 0);
	object_done(&o);
}

static void bad_slices_are_refused_with_field_and_words(void **state)
{
	static const struct refusal fields[] = {
		{ "ports: [{port: 0}]", "ports[0].port", "is 0, must be 1..65535" },
		{ "ports: [{port: 70000}]", "ports[0].port", "is 70000, must be 1..65535" },
		{ "ports: [{port: 80, protocol: HTTP}]", "ports[0].protocol",
			"is \"HTTP\", must be TCP, UDP or SCTP" },
		{ "ports: [{port: 80, name: a_b}]", "ports[0].name",
			"is \"a_b\", must be lower case letters, digits and '-', and begin and end "
			"with a letter or digit" },
		{ "endpoints: [5]", "endpoints[0]", "must be a mapping, but is the number 5" },
		{ "endpoints: [{}]", "endpoints[0].addresses", "must be a list of one address" },
		{ "endpoints: [{addresses: []}]", "endpoints[0].addresses",
			"must be a list of one address" },
		{ "endpoints: [{addresses: [5]}]", "endpoints[0].addresses[0]",
			"must be a string, but is the number 5; put it in quotes" },
		{ "endpoints: [{addresses: [a.b]}]", "endpoints[0].addresses[0]",
			"is \"a.b\", which is not an IP address" },
		{ "endpoints: [{addresses: ['fd00::1']}]", "endpoints[0].addresses[0]",
			"is fd00::1, but addressType is IPv4" },
		{ "endpoints: [{addresses: [10.0.0.1]}, {addresses: [127.0.0.9]}]",
			"endpoints[1].addresses[0]",
			"is 127.0.0.9, a loopback address, which cannot be used here" },
		{ "endpoints: [{addresses: [169.254.1.1]}]", "endpoints[0].addresses[0]",
			"is 169.254.1.1, a link-local address, which cannot be used here" },
		{ "endpoints: [{addresses: [224.0.0.5]}]", "endpoints[0].addresses[0]",
			"is 224.0.0.5, a multicast address, which cannot be used here" },
		{ "endpoints: [{addresses: [0.0.0.0]}]", "endpoints[0].addresses[0]",
			"is 0.0.0.0, the unspecified address, which cannot be used here" },
		{ "endpoints: [{addresses: [255.255.255.255]}]", "endpoints[0].addresses[0]",
			"is 255.255.255.255, the broadcast address, which cannot be used here" },
		{ "endpoints: [{addresses: [10.0.0.1], nodeName: A}]", "endpoints[0].nodeName",
			"is \"A\", must be lower case letters, digits, '-' and '.', and begin and end "
			"with a letter or digit" },
		{ "endpoints: [{addresses: [10.0.0.1], conditions: {ready: 'true'}}]",
			"endpoints[0].conditions.ready",
			"must be true or false, but is the string \"true\"" },
		{ "endpoints: [{addresses: [10.0.0.1], conditions: true}]",
			"endpoints[0].conditions", "must be a mapping, but is the boolean true" },
		{ "endpoints: [{addresses: [10.0.0.1], hints: {forZones: [a]}}]",
			"endpoints[0].hints.forZones[0]",
			"must be a mapping, but is the string \"a\"" },
		{ "endpoints: [{addresses: [10.0.0.1], hints: {forNodes: [{}]}}]",
			"endpoints[0].hints.forNodes[0].name", "is missing" },
	};
	static const struct refusal heads[] = {
		{ "metadata: {name: a}, addressType: IPv4",
			"metadata.labels[kubernetes.io/service-name]",
			"is missing: it names the Service of the slice" },
		{ "metadata: {name: a, labels: {kubernetes.io/service-name: ''}}, addressType: IPv4",
			"metadata.labels[kubernetes.io/service-name]",
			"is missing: it names the Service of the slice" },
		{ "metadata: {name: a, labels: {kubernetes.io/service-name: 5}}, addressType: IPv4",
			"metadata.labels[kubernetes.io/service-name]",
			"must be a string, but is the number 5; put it in quotes" },
		{ "metadata: {name: a}", "addressType", "is missing" },
		{ "metadata: {name: a}, addressType: ipv4", "addressType",
			"is \"ipv4\", must be IPv4, IPv6 or FQDN" },
		{ "metadata: {name: a, labels: {kubernetes.io/service-name: w}, annotations: "
		  "{ipvsctl.io/weight: '65536'}}, addressType: IPv4",
			"metadata.annotations[ipvsctl.io/weight]",
			"is \"65536\", must be a number 0..65535" },
		{ "metadata: {name: a, labels: {kubernetes.io/service-name: w}, annotations: "
		  "{ipvsctl.io/weight: '-1'}}, addressType: IPv4",
			"metadata.annotations[ipvsctl.io/weight]",
			"is \"-1\", must be a number 0..65535" },
		{ "metadata: {name: a, labels: {kubernetes.io/service-name: w}, annotations: "
		  "{ipvsctl.io/weight: ''}}, addressType: IPv4",
			"metadata.annotations[ipvsctl.io/weight]",
			"is \"\", must be a number 0..65535" },
		{ "metadata: {name: a, labels: {kubernetes.io/service-name: w}, annotations: "
		  "{ipvsctl.io/weight: 5}}, addressType: IPv4",
			"metadata.annotations[ipvsctl.io/weight]",
			"must be a string, but is the number 5; put it in quotes" },
	};

	(void)state;
	assert_refusals("{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,"
			" metadata: {name: a, labels: {kubernetes.io/service-name: web}}, %s}",
		"EndpointSlice default/a", fields, ARRAY_SIZE(fields));
	assert_refusals("{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, %s}",
		"EndpointSlice default/a", heads, ARRAY_SIZE(heads));
}

/* Endpoints */

static void endpoints_become_subsets(void **state)
{
	struct object o =
		must_decode("apiVersion: v1\n"
			    "kind: Endpoints\n"
			    "metadata: {name: web, annotations: {ipvsctl.io/weight: '3'}}\n"
			    "subsets:\n"
			    "- addresses: [{ip: 10.0.0.1, nodeName: n1}, {ip: 'fd00::1'}]\n"
			    "  notReadyAddresses: [{ip: 10.0.0.2}]\n"
			    "  ports: [{port: 80}, {name: dns, port: 53, protocol: UDP}]\n"
			    "- addresses: [{ip: 10.0.0.3}]\n");
	const struct slice *s = o.slice;
	const struct endpoint *ep = s->subsets[0].endpoints;

	(void)state;
	assert_int_equal(o.kind, OBJECT_ENDPOINTS);
	assert_int_equal(s->kind, SLICE_ENDPOINTS);
	assert_string_equal(s->service, "web");
	assert_int_equal(s->weight, 3);
	assert_int_equal(s->n_subsets, 2);
	assert_int_equal(s->subsets[0].n_endpoints, 3);
	assert_ip(&ep[0].ip, "10.0.0.1");
	assert_string_equal(ep[0].place->node_name, "n1");
	assert_true(ep[0].ready && ep[0].serving && !ep[0].terminating);
	assert_ip(&ep[1].ip, "fd00::1");
	assert_ip(&ep[2].ip, "10.0.0.2");
	assert_true(!ep[2].ready && ep[2].serving && !ep[2].terminating);
	assert_int_equal(s->subsets[0].n_ports, 2);
	assert_string_equal(s->subsets[0].ports[0].name, "");
	assert_int_equal(s->subsets[0].ports[0].proto, IPPROTO_TCP);
	assert_int_equal(s->subsets[1].n_endpoints, 1);
	assert_int_equal(s->subsets[1].n_ports, 0);
	object_done(&o);
}

static void bad_endpoints_are_refused_with_field_and_words(void **state)
{
	static const struct refusal cases[] = {
		{ "{}", "subsets", "must be a list, but is a mapping" },
		{ "[{addresses: [10.0.0.1]}]", "subsets[0].addresses[0]",
			"must be a mapping, but is the string \"10.0.0.1\"" },
		{ "[{addresses: [{}]}]", "subsets[0].addresses[0].ip", "is missing" },
		{ "[{addresses: [{ip: web}]}]", "subsets[0].addresses[0].ip",
			"is \"web\", which is not an IP address" },
		{ "[{addresses: [{ip: '::1'}]}]", "subsets[0].addresses[0].ip",
			"is ::1, a loopback address, which cannot be used here" },
		{ "[{notReadyAddresses: [{ip: 'fe80::1'}]}]", "subsets[0].notReadyAddresses[0].ip",
			"is fe80::1, a link-local address, which cannot be used here" },
		{ "[{addresses: [{ip: 'ff02::1'}]}]", "subsets[0].addresses[0].ip",
			"is ff02::1, a multicast address, which cannot be used here" },
		{ "[{addresses: [{ip: '::ffff:127.0.0.1'}]}]", "subsets[0].addresses[0].ip",
			"is 127.0.0.1, a loopback address, which cannot be used here" },
		{ "[{}, {ports: [{name: a}]}]", "subsets[1].ports[0].port", "is missing" },
		{ "[{ports: [{port: 0}]}]", "subsets[0].ports[0].port", "is 0, must be 1..65535" },
	};

	(void)state;
	assert_refusals("{apiVersion: v1, kind: Endpoints, metadata: {name: web}, subsets: %s}",
		"Endpoints default/web", cases, ARRAY_SIZE(cases));
}

/* Node */

static void a_full_node_keeps_every_field(void **state)
{
	struct object o =
		must_decode("apiVersion: v1\n"
			    "kind: Node\n"
			    "metadata:\n"
			    "  name: node-a.example.com\n"
			    "  deletionTimestamp: 2026-01-02T03:04:05Z\n"
			    "  labels: {topology.kubernetes.io/zone: z1}\n"
			    "  annotations: {ipvsctl.io/weight: '7'}\n"
			    "spec:\n"
			    "  podCIDR: 10.244.1.0/24\n"
			    "  podCIDRs: [10.244.1.0/24, 'fd00:244:1::/64']\n"
			    "  taints: [{key: x}, {key: ToBeDeletedByClusterAutoscaler}]\n"
			    "status:\n"
			    "  addresses:\n"
			    "  - {type: Hostname, address: node-a}\n"
			    "  - {type: ExternalIP, address: 192.0.2.1}\n"
			    "  - {type: InternalIP, address: 'fd00:50::10'}\n");
	const struct node *n = o.node;

	(void)state;
	assert_int_equal(o.kind, OBJECT_NODE);
	assert_string_equal(n->name, "node-a.example.com");
	assert_string_equal(n->zone, "z1");
	assert_int_equal(n->weight, 7);
	assert_true(n->deleting);
	assert_true(n->to_be_deleted_taint);
	assert_int_equal(n->n_pod_cidrs, 2);
	assert_cidr(&n->pod_cidrs[1], "fd00:244:1::/64");
	assert_int_equal(n->n_addresses, 2);
	assert_ip(&n->addresses[0].ip, "192.0.2.1");
	assert_true(n->addresses[0].external);
	assert_ip(&n->addresses[1].ip, "fd00:50::10");
	assert_false(n->addresses[1].external);
	object_done(&o);
}

static void a_bare_node_gets_the_defaults(void **state)
{
	struct object o = must_decode(
		"{apiVersion: v1, kind: Node, metadata: {name: a}, spec: {podCIDR: 10.1.0.0/16}}");

	(void)state;
	assert_string_equal(o.node->zone, "");
	assert_int_equal(o.node->weight, -1);
	assert_false(o.node->deleting || o.node->to_be_deleted_taint);
	assert_int_equal(o.node->n_addresses, 0);
	assert_int_equal(o.node->n_pod_cidrs, 1);
	assert_cidr(&o.node->pod_cidrs[0], "10.1.0.0/16");
	object_done(&o);
}

static void bad_nodes_are_refused_with_field_and_words(void **state)
{
	static const struct refusal cases[] = {
		{ "spec: {podCIDR: x}", "spec.podCIDR", "is \"x\", must be ADDRESS/PREFIX-LENGTH" },
		{ "spec: {podCIDRs: [10.0.0.0/8, 5]}", "spec.podCIDRs[1]",
			"must be a string, but is the number 5; put it in quotes" },
		{ "spec: {taints: [x]}", "spec.taints[0]",
			"must be a mapping, but is the string \"x\"" },
		{ "status: {addresses: [{type: InternalIP}]}", "status.addresses[0].address",
			"is missing" },
		{ "status: {addresses: [{type: InternalIP, address: node}]}",
			"status.addresses[0].address", "is \"node\", which is not an IP address" },
		{ "status: {addresses: 5}", "status.addresses",
			"must be a list, but is the number 5" },
	};

	(void)state;
	assert_refusals("{apiVersion: v1, kind: Node, metadata: {name: a}, %s}", "Node a", cases,
		ARRAY_SIZE(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_service_keeps_every_field),
		cmocka_unit_test(a_bare_service_gets_the_defaults),
		cmocka_unit_test(null_is_the_same_as_absent),
		cmocka_unit_test(empty_is_the_same_as_absent_where_it_is_for_an_api_server),
		cmocka_unit_test(headless_and_external_name_need_no_address),
		cmocka_unit_test(the_scheduler_annotation_has_an_alias),
		cmocka_unit_test(load_balancers_may_do_without_node_ports),
		cmocka_unit_test(bad_services_are_refused_with_field_and_words),
		cmocka_unit_test(objects_without_a_usable_name_are_refused),
		cmocka_unit_test(names_are_limited_in_length),
		cmocka_unit_test(objects_of_others_are_told_apart_from_versions_of_ours),
		cmocka_unit_test(the_identity_can_be_read_alone),
		cmocka_unit_test(a_full_slice_keeps_every_field),
		cmocka_unit_test(an_empty_slice_is_a_slice),
		cmocka_unit_test(bad_slices_are_refused_with_field_and_words),
		cmocka_unit_test(endpoints_become_subsets),
		cmocka_unit_test(bad_endpoints_are_refused_with_field_and_words),
		cmocka_unit_test(a_full_node_keeps_every_field),
		cmocka_unit_test(a_bare_node_gets_the_defaults),
		cmocka_unit_test(bad_nodes_are_refused_with_field_and_words),
	};

	return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks of the daemon, its configuration and its Services, and the table of all checks. */
#include <string.h>

#include "base/mem.h"
#include "doctor.h"
#include "report/clean.h"
#include "tree.h"

enum { NAMED = 3 /* the rest is counted */, ENDPOINTS_TOLD = 10 };

/* Warnings of the daemon */

struct warning_kind {
	const char *start; /* of the sentence; "*TEXT": anywhere in it */
	const char *name, *why, *remedy, *command;
	bool note; /* so it is on a stock node */
};

/* The sentences of traps_judge() begin with the name; "Traps" of ipvsctl-svc-status(1) has more. */
static const struct warning_kind traps[] = {
	{ "bridge: ", "bridge",
		"The answer of a pod on the same bridge comes from its own address, and the client drops "
		"it.",
		"modprobe br_netfilter; sysctl -w net.bridge.bridge-nf-call-iptables=1 "
		"net.bridge.bridge-nf-call-ip6tables=1",
		"sysctl net.bridge" },
	{ "conn-reuse: ", "conn-reuse",
		"A client that reuses a port is delayed by a second or sent to an endpoint that drains.",
		"use Linux 5.9 or later, and leave net.ipv4.vs.conn_reuse_mode to the daemon",
		"sysctl net.ipv4.vs.conn_reuse_mode; uname -r" },
	{ "conntrack-full: ", "conntrack-full",
		"When the table is full the kernel drops the first packets of new connections.",
		"raise net.netfilter.nf_conntrack_max (--conntrack-max-per-core, --conntrack-min)",
		"sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max" },
	{ "conntrack-off: ", "conntrack-off",
		"Packets of IPVS pass netfilter's NAT by and are not masqueraded, so that answers do not "
		"come back.",
		"sysctl -w net.ipv4.vs.conntrack=1", "sysctl net.ipv4.vs.conntrack" },
	{ "estimators: ", "estimators",
		"The estimates are made in one timer on one CPU, which handles no packets meanwhile.",
		"use Linux 6.2 or later, or sysctl -w net.ipv4.vs.run_estimation=0",
		"uname -r; sysctl net.ipv4.vs.run_estimation" },
	{ "expire: ", "expire",
		"Connections to a removed endpoint hang, or session affinity sends clients to one that "
		"drains.",
		"sysctl -w net.ipv4.vs.expire_nodest_conn=1 net.ipv4.vs.expire_quiescent_template=1",
		"sysctl net.ipv4.vs.expire_nodest_conn net.ipv4.vs.expire_quiescent_template" },
	{ "forward-drop: ", "forward-drop",
		"Packets between clients and pods pass FORWARD. A drop in any table is final.",
		"accept the range of pods in that chain", "nft list ruleset; iptables -S FORWARD" },
	{ "input-drop: ", "input-drop",
		"IPVS takes packets behind INPUT. A drop in any table is final.",
		"accept the range of Services in that chain",
		"nft list ruleset; iptables -S INPUT" },
	{ "ip-forward: ", "ip-forward", "The node forwards no packets, to pods least of all.",
		"sysctl -w net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
		"sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding" },
	{ "mark-bit: ", "mark-bit",
		"Packets that only one of both programs marked are routed by the rules of both.",
		"choose another --external-mark-bit", "ip rule; ip -6 rule" },
	{ "output-drop: ", "output-drop",
		"IPVS sends packets of all clients to endpoints through OUTPUT. A drop in any table is "
		"final.",
		"accept the range of pods in that chain", "nft list ruleset; iptables -S OUTPUT" },
	{ "policy-rule: ", "policy-rule",
		"Packets to ports of external addresses may be routed away from Services.",
		"give that rule a priority above --external-rule-priority", "ip rule; ip -6 rule" },
	{ "route-localnet: ", "route-localnet", "NodePorts do not answer on 127.0.0.1.",
		"sysctl -w net.ipv4.conf.all.route_localnet=1, or "
		"--iptables-localhost-nodeports=false",
		"sysctl net.ipv4.conf.all.route_localnet" },
	{ "rp-filter: ", "rp-filter",
		"On nodes with several interfaces, and with some overlay networks, packets of clients are "
		"dropped.",
		"sysctl -w net.ipv4.conf.all.rp_filter=2",
		"sysctl net.ipv4.conf.all.rp_filter; nstat -az TcpExtIPReversePathFilter" },
	{ "source-ports: ", "source-ports",
		"The answers of a connection of this node from such a port go to the Service.",
		"add these ports to net.ipv4.ip_local_reserved_ports on the host",
		"sysctl net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports" },
	{ "tcp-timeout: ", "tcp-timeout",
		"A connection that is idle for longer is reset at its next packet.",
		"set --ipvs-tcp-timeout above the longest keep-alive of the applications",
		"ipvsadm -l --timeout; sysctl net.ipv4.tcp_keepalive_time", .note = true },
};

static const struct warning_kind other_warnings[] = {
	{ "IPVS cannot be used", "fallback",
		"Another backend balances: without IPVS's schedulers, and with another cost a packet.",
		"load the modules of IPVS and restart the daemon, or choose --backend=nftables",
		"modprobe ip_vs; journalctl -u ipvsctl-svcd" },
	{ "ipset and iptables cannot be used", "fallback",
		"Sets and rules are in nftables, where rules of iptables do not see them.",
		"install what is missing, or choose --netfilter=nftables",
		"iptables --version; modprobe ip_set" },
	{ "the input is incomplete", "input-incomplete",
		"Objects of deleted Services stay in the kernel until everything could be read.",
		"correct the manifests that the log and `status` name",
		"ipvsctl-svc status -o json | jq .warnings" },
	{ "*HTTP status 401", "api-credentials", doctor_api_why,
		"renew the token or the certificate in the kubeconfig",
		"journalctl -u ipvsctl-svcd" },
	{ "*HTTP status 403", "api-rights", doctor_api_why,
		"bind the ClusterRole system:node-proxier to the daemon's user",
		"kubectl auth can-i list endpointslices.discovery.k8s.io --as USER" },
	{ "*ertificate", "api-certificate", doctor_api_why,
		"renew the certificate, or correct certificate-authority in the kubeconfig, or the clock",
		"openssl s_client -connect HOST:6443 </dev/null | openssl x509 -noout -dates; date" },
	{ "cannot follow ", "api", doctor_api_why,
		"see whether the API server runs and whether this node reaches it",
		"curl -k https://HOST:6443/livez; journalctl -u ipvsctl-svcd" },
	{ "kube-proxy left ", "other-proxy",
		"Its rules may catch packets to Services first, with endpoints that are gone.",
		"if kube-proxy does not run any more: ipvsctl-svc cleanup --of kube-proxy",
		"ipvsctl-svc cleanup --of kube-proxy --dry-run" },
	{ "*other variant of iptables", "other-variant",
		"Packets pass the rules of both variants of iptables.",
		"remove the rules for Services with the program that is named",
		"iptables-legacy-save; iptables-nft-save" },
	{ "", "warning", "The daemon reports it as a problem of its input or of this node.",
		"see INPUTS in ipvsctl-svc-services(7)", "ipvsctl-svc status" },
};

static bool warning_is_of(const char *sentence, const struct warning_kind *k)
{
	return *k->start == '*' ? strstr(sentence, k->start + 1) != NULL
				: !strncmp(sentence, k->start, strlen(k->start));
}

/* Who changed a setting back is a file of sysctl.d(5), or else nobody whom the kernel knows. */
static void add_origin(const struct doctor_facts *f, const char *dotted, json_t *o)
{
	_cleanup_(buf_done) struct buf path = { 0 }, value = { 0 };
	_cleanup_free_ char *seen = mem_strdup(tree_text(o, "seen"));
	const char *file;
	unsigned line;

	buf_adds(&path, dotted);
	for (char *p = path.data; (p = strchr(p, '.'));)
		*p = '/';
	file = doctor_sysctl_file(f, buf_str(&path), &value, &line);
	if (file)
		doctor_say(o, "seen", "%s; %s:%u sets it to %s", seen, file, line, buf_str(&value));
	else
		doctor_say(o, "seen", "%s; no file of sysctl.d sets it", seen);
	if (!file)
		doctor_say(o, "command",
			"sysctl %s; auditctl -w /proc/sys/%s -p w tells who writes it", dotted,
			buf_str(&path));
	else
		doctor_say(o, "command", "sysctl %s; sed -n %up %s", dotted, line, file);
}

void doctor_add_warning(const struct doctor_facts *f, const char *sentence, json_t *findings)
{
	const struct warning_kind *k = NULL;
	const char *seen = sentence, *setting, *remedy;
	json_t *o;

	for (size_t i = 0; !k && i < ARRAY_SIZE(traps); i++)
		if (warning_is_of(sentence, &traps[i])) {
			k = &traps[i];
			seen += strlen(k->start);
		}
	for (size_t i = 0; !k; i++)
		if (warning_is_of(sentence, &other_warnings[i]))
			k = &other_warnings[i];
	o = doctor_finding(findings, k->name, k->why);
	doctor_say(o, "seen", "%s", seen);
	remedy = strstr(seen, "; remedy: ");
	doctor_say(o, "remedy", "%s", remedy ? remedy + strlen("; remedy: ") : k->remedy);
	if (remedy)
		doctor_say(o, "seen", "%.*s", (int)(remedy - seen), seen);
	doctor_say(o, "command", "%s", k->command);
	if (k->note)
		doctor_say(o, "level", "note");
	setting = !strncmp(seen, "net.", strlen("net.")) ? seen : NULL;
	if (setting) {
		_cleanup_free_ char *dotted = mem_strndup(setting, strcspn(setting, " "));

		add_origin(f, dotted, o);
	}
}

static void judge_warnings(const struct doctor_facts *f, json_t *findings)
{
	const json_t *list = f->status ? json_object_get(f->status, "warnings") : f->traps, *line;
	size_t i;

	json_array_foreach(list, i, line) {
		if (json_is_string(line))
			doctor_add_warning(f, json_string_value(line), findings);
	}
}

/* The daemon */

static void judge_daemon(const struct doctor_facts *f, json_t *findings)
{
	json_t *o;

	if (f->status)
		return;
	o = doctor_finding(findings, "no-daemon",
		"Nothing follows changes of Services and endpoints on this node. What is in the kernel "
		"stays as it is.");
	doctor_say(o, "seen", "the daemon cannot be reached at %s: %s%s", f->socket,
		f->no_status.msg, f->daemon.pid ? ", although its process runs" : "");
	doctor_say(o, "remedy", "%s",
		f->daemon.pid ? "give its socket by --socket, or restart it"
			      : "systemctl start ipvsctl-svcd, or start its DaemonSet");
	doctor_say(o, "command", "systemctl status ipvsctl-svcd; journalctl -u ipvsctl-svcd -n 50");
}

static void judge_configuration(const struct doctor_facts *f, json_t *findings)
{
	json_t *o;

	for (size_t i = 0; i < f->config.mistakes.n; i++) {
		const char *mistake = f->config.mistakes.line[i];
		const bool unexpanded = strstr(mistake, "is not expanded") != NULL;

		o = doctor_finding(findings, unexpanded ? "unexpanded" : "configuration",
			"The daemon does not start with this configuration.");
		doctor_say(o, "seen", "%s", mistake);
		doctor_say(o, "remedy", "%s",
			unexpanded ? "add to env of the container: {name: NODE_NAME, valueFrom: "
				     "{fieldRef: {fieldPath: spec.nodeName}}}"
				   : "correct it: see ipvsctl-svc.conf(5)");
		doctor_say(o, "command", "ipvsctl-svcd --print-config%s%s",
			*f->config.file ? " --config " : "", f->config.file);
	}
}

static void judge_input(const struct doctor_facts *f, json_t *findings)
{
	const json_t *input = json_object_get(f->status, "input");
	json_t *o;

	if (!json_is_object(input) || tree_true(input, "synced"))
		return;
	o = doctor_finding(findings, "not-synced",
		"The daemon changes nothing before it knows all Services and endpoints.");
	doctor_say(o, "seen", "the daemon has not read everything from %s yet",
		!strcmp(tree_text(input, "kind"), "apiserver") ? "the API server"
							       : "the manifests");
	doctor_say(o, "remedy", "wait for a minute; then see the other findings and the log");
	doctor_say(o, "command", "ipvsctl-svc status | head -1; journalctl -u ipvsctl-svcd -n 50");
}

/* Services */

static void judge_failures(const struct doctor_facts *f, json_t *findings)
{
	const json_t *list = json_object_get(f->status, "failures");
	const size_t n = json_array_size(list);
	json_t *o;

	if (!n)
		return;
	o = doctor_finding(findings, "failing",
		"The kernel rejects an object that Services need. The daemon keeps trying.");
	doctor_say(o, "seen", "%s%s", json_string_value(json_array_get(list, 0)),
		n > 1 ? ", and more objects" : "");
	doctor_say(o, "remedy", "see the reason that the kernel gives, and the other findings");
	doctor_say(o, "command", "ipvsctl-svc status -o json | jq .failures");
}

/* The states of ipvsctl-svc-status(1) that are wrong. */
static const struct {
	const char *state, *name, *why, *remedy;
} bad_states[] = {
	{ "Failing", "failing", "The kernel rejects an object of this Service.",
		"see the reason that the kernel gives, and the other findings" },
	{ "Refused", "refused", "Clients do not reach the Service by this address and port.",
		"use another address or port: see ADDRESSES in ipvsctl-svc-services(7)" },
	{ "Conflict", "conflict", "Another Service has the address and port, and gets the packets.",
		"use another address or port for one of both" },
	{ "Unknown", "input-incomplete", "Endpoints of this Service may be missing in the input.",
		"correct the manifests that `status` names" },
	{ "Degraded", "degraded", "Endpoints are chosen in another way than the Service asks for.",
		"install the package with all modules of this kernel, or choose another scheduler" },
};

static void judge_states(const struct doctor_facts *f, json_t *findings)
{
	const json_t *services = json_object_get(f->status, "services"), *s;

	for (size_t k = 0; k < ARRAY_SIZE(bad_states); k++) {
		_cleanup_(buf_done) struct buf seen = { 0 }, command = { 0 };
		size_t i, n = 0;
		json_t *o;

		json_array_foreach(services, i, s) {
			const char *reason = tree_text(s, "reason");

			if (strcmp(tree_text(s, "state"), bad_states[k].state) != 0)
				continue;
			if (!n)
				buf_addf(&command, "ipvsctl-svc explain %s/%s",
					tree_text(s, "namespace"), tree_text(s, "name"));
			if (n++ < NAMED)
				buf_addf(&seen, "%s%s/%s is %s%s%s%s", n > 1 ? "; " : "",
					tree_text(s, "namespace"), tree_text(s, "name"),
					bad_states[k].state, *reason ? " (" : "", reason,
					*reason ? ")" : "");
		}
		if (!n)
			continue;
		if (n > NAMED)
			buf_addf(&seen, " and %zu more", n - NAMED);
		o = doctor_finding(findings, bad_states[k].name, bad_states[k].why);
		doctor_say(o, "seen", "%s", buf_str(&seen));
		doctor_say(o, "remedy", "%s", bad_states[k].remedy);
		doctor_say(o, "command", "%s", buf_str(&command));
	}
}

/* Calls fn for each port of each Service. */
static void each_port(const json_t *status,
	void (*fn)(const json_t *service, const json_t *port, void *arg), void *arg)
{
	const json_t *services = json_object_get(status, "services"), *s;
	size_t i;

	json_array_foreach(services, i, s) {
		const json_t *ports = json_object_get(s, "ports"), *p;
		size_t j;

		json_array_foreach(ports, j, p) {
			fn(s, p, arg);
		}
	}
}

static void judge_port_name(const json_t *service, const json_t *port, void *arg)
{
	const char *reason = tree_text(port, "reason");
	json_t *o;

	if (strncmp(reason, "no endpoint has a port", strlen("no endpoint has a port")) != 0)
		return;
	o = doctor_finding(arg, "port-name",
		"Endpoints belong to a port of the Service by its name. No client of this port gets an "
		"answer.");
	doctor_say(o, "seen", "%s/%s port %lld: %s", tree_text(service, "namespace"),
		tree_text(service, "name"), tree_number(port, "port"), reason);
	doctor_say(o, "remedy", "%s",
		"give the port of the Service the name that its EndpointSlices have, or correct "
		"targetPort and the names of containerPorts");
	doctor_say(o, "command",
		"kubectl -n %s get endpointslices -l kubernetes.io/service-name=%s -o yaml",
		tree_text(service, "namespace"), tree_text(service, "name"));
}

static void judge_port_names(const struct doctor_facts *f, json_t *findings)
{
	each_port(f->status, judge_port_name, findings);
}

/* Endpoints that are addresses of Services. A member of the address has the Service. */
struct vip_query {
	json_t *vips; /* "10.96.0.1" for cluster IPs, "192.0.2.1:80" else: name of the Service */
	json_t *findings;
	size_t n;
};

static void note_vips(const json_t *service, const json_t *port, void *arg)
{
	const json_t *list = json_object_get(port, "addresses"), *a;
	const struct vip_query *q = arg;
	size_t i;

	json_array_foreach(list, i, a) {
		_cleanup_(buf_done) struct buf key = { 0 }, name = { 0 };

		if (!strcmp(tree_text(a, "kind"), "NodePort"))
			continue;
		if (!strcmp(tree_text(a, "kind"), "ClusterIP"))
			buf_adds(&key, tree_text(a, "address"));
		else
			tree_address_port(a, &key);
		buf_addf(&name, "%s/%s", tree_text(service, "namespace"),
			tree_text(service, "name"));
		json_object_set_new(q->vips, buf_str(&key), json_string(buf_str(&name)));
	}
}

static void judge_endpoints(const json_t *service, const json_t *port, void *arg)
{
	const json_t *list = json_object_get(port, "endpoints"), *ep;
	struct vip_query *q = arg;
	size_t i;

	json_array_foreach(list, i, ep) {
		_cleanup_(buf_done) struct buf address = { 0 };
		const char *of = tree_text(q->vips, tree_text(ep, "address"));
		json_t *o;

		tree_address_port(ep, &address);
		if (!*of)
			of = tree_text(q->vips, buf_str(&address));
		if (!*of || !tree_true(ep, "used") || q->n++ >= ENDPOINTS_TOLD)
			continue;
		o = doctor_finding(q->findings, "service-endpoint",
			"A packet is translated once on its way. The endpoint gets it at the address of a "
			"Service, where nobody listens, or it runs in a circle.");
		doctor_say(o, "seen", "the endpoint %s of %s/%s is an address of the Service %s",
			buf_str(&address), tree_text(service, "namespace"),
			tree_text(service, "name"), of);
		doctor_say(o, "remedy", "%s",
			"put addresses of pods or hosts into the EndpointSlice, or use a Service of type "
			"ExternalName");
		doctor_say(o, "command", "ipvsctl-svc explain %s/%s",
			tree_text(service, "namespace"), tree_text(service, "name"));
	}
}

static void judge_service_endpoints(const struct doctor_facts *f, json_t *findings)
{
	struct vip_query q = { .vips = json_object(), .findings = findings };

	each_port(f->status, note_vips, &q);
	each_port(f->status, judge_endpoints, &q);
	json_decref(q.vips);
}

/* All checks */

static const struct {
	const char *name;
	doctor_judge *judge;
} checks[] = {
	{ "daemon", judge_daemon },
	{ "configuration", judge_configuration },
	{ "input", judge_input },
	{ "warnings", judge_warnings },
	{ "failures", judge_failures },
	{ "states", judge_states },
	{ "port-names", judge_port_names },
	{ "service-endpoints", judge_service_endpoints },
	{ "api", doctor_judge_api },
	{ "modules", doctor_judge_modules },
	{ "sysctl-files", doctor_judge_sysctl_files },
	{ "proxies", doctor_judge_proxies },
	{ "source-ports", doctor_judge_source_ports },
	{ "ipvs-tables", doctor_judge_ipvs_tables },
	{ "estimators", doctor_judge_estimators },
	{ "mtu", doctor_judge_mtu },
	{ "rp-filter", doctor_judge_rp_filter },
	{ "addresses", doctor_judge_addresses },
};

/* Moves the findings that are notes behind the others. Returns the number of the others. */
static size_t put_notes_last(json_t *findings)
{
	size_t n = json_array_size(findings), n_warnings = 0;

	for (size_t i = 0; i < n; i++) {
		json_t *o = json_array_get(findings, n_warnings);

		if (strcmp(tree_text(o, "level"), "note") != 0) {
			n_warnings++;
			continue;
		}
		json_array_append(findings, o);
		json_array_remove(findings, n_warnings);
	}
	return n_warnings;
}

json_t *doctor_diagnose(const struct doctor_facts *f)
{
	json_t *findings = json_array(), *names = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		checks[i].judge(f, findings);
		json_array_append_new(names, json_string(checks[i].name));
	}
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:b, s:o}", "apiVersion",
		"ipvsctl.io/v1", "kind", "Diagnosis", "node",
		f->status ? tree_text(f->status, "node") : f->config.options.node_name, "backend",
		f->status ? tree_text(f->status, "backend") : "", "kernel", f->kernel.release,
		"daemon", f->status ? 1 : 0, "checks", names, "healthy", !put_notes_last(findings),
		"findings", findings);
}

void doctor_diagnosis_text(json_t *diagnosis, struct buf *out)
{
	static const struct {
		const char *title, *member;
	} lines[] = { { "Why:", "why" }, { "Remedy:", "remedy" }, { "Proof:", "command" } };
	json_t *findings;
	const json_t *o;
	size_t i, n, n_warnings;

	report_clean(diagnosis);
	findings = json_object_get(diagnosis, "findings");
	n = json_array_size(findings);
	n_warnings = put_notes_last(findings);
	buf_addf(out, "Node: %s   Backend: %s (kernel %s)   Checks: %zu   Findings: %zu",
		tree_text(diagnosis, "node"),
		tree_true(diagnosis, "daemon") ? tree_text(diagnosis, "backend") : "-",
		tree_text(diagnosis, "kernel"),
		json_array_size(json_object_get(diagnosis, "checks")), n_warnings);
	if (n > n_warnings)
		buf_addf(out, "   Notes: %zu", n - n_warnings);
	buf_addf(out, "\n%s", n_warnings ? "" : "Nothing is wrong.\n");
	json_array_foreach(findings, i, o) {
		buf_addf(out, "\n%s: %s\n", tree_text(o, "name"), tree_text(o, "seen"));
		for (size_t k = 0; k < ARRAY_SIZE(lines); k++)
			buf_addf(out, "  %-8s%s\n", lines[k].title, tree_text(o, lines[k].member));
	}
}

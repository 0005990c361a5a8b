#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests alerts and dashboard of examples/monitoring: Debian's promtool reads them, and what they ask
# for is in /metrics of a daemon that follows an API server, as is what the dashboard for kube-proxy
# of kubernetes-mixin asks for. tests/vm/run-here calls it like a scenario.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/packages.sh"
. "$here/vm/lab.sh"

packages_need python3-yaml >&2
monitoring=$here/../examples/monitoring

# The package prometheus would start a server.
get_promtool() {
	promtool=$(command -v promtool) && return
	(cd "$WORK" && apt-get -q -o APT::Sandbox::User=root download prometheus && dpkg -x prometheus_*.deb prometheus) || return
	promtool=$WORK/prometheus/usr/bin/promtool
}

# Prints a rule file of the alerts.
rules() {
	/usr/bin/python3 -c 'import sys, yaml; yaml.safe_dump(yaml.safe_load(sys.stdin)["spec"], sys.stdout)' \
		<"$monitoring/prometheusrule.yaml"
}

# Prints the queries of the dashboard.
queries() {
	jq -r '.panels[].targets[].expr, .templating.list[1].query' "$monitoring/dashboard.json"
}

# The queries of the dashboard as recording rules, for promtool to read.
queries_as_rules() {
	queries | grep -v '^label_values' | jq -R '{record: "x\(input_line_number)", expr: gsub("\\$instance"; ".*")}' |
		jq -s '{groups: [{name: "dashboard", rules: .}]}'
}

# Prints the names of metrics in queries: each has a selector.
metrics_in() {
	grep -oE '[a-z_]+\{' | tr -d '{' | grep -vx up | sort -u
}

fetch_metrics() {
	in_node curl -sf http://127.0.0.1:10249/metrics >"$WORK/metrics"
}

# served NAME...: whether each metric has samples.
served() {
	local name missing=0
	for name in "$@"; do
		grep -q "^$name[{ ]" "$WORK/metrics" || {
			echo "not served: $name"
			missing=1
		}
	done
	return $missing
}

must "there is a promtool" get_promtool
rules >"$WORK/rules.yaml"
cp "$here/monitoring/alerts_test.yaml" "$WORK/"
check "the alerts are rules" "$promtool" check rules "$WORK/rules.yaml"
check "each alert fires on a sick node, and none on a healthy one" "$promtool" test rules "$WORK/alerts_test.yaml"
queries_as_rules >"$WORK/queries.yaml"
check "the queries of the dashboard are queries" "$promtool" check rules "$WORK/queries.yaml"
check "the dashboard can choose instances" json_says '[.templating.list[].name] == ["datasource", "instance"] and
	all(.panels[1:][].targets[].expr; contains("instance=~\"$instance\""))' <"$monitoring/dashboard.json"

lab_up
must "the API server starts" api_start
check "it has a Service" order '{"put": [{"kind": "Node", "metadata": {"name": "node-a"}, "status": {"addresses": [
	{"type": "InternalIP", "address": "'$NODE_IP'"}]}}, {"kind": "Service", "metadata": {"name": "web", "namespace": "default"},
	"spec": {"type": "ClusterIP", "clusterIP": "10.96.0.10", "ports": [{"port": 80, "protocol": "TCP"}]}}]}'
must "the daemon starts" daemon_start --conntrack-max-per-core 0
must "it has metrics" fetch_metrics
mapfile -t asked < <({ rules | tr '\n' ' '; queries; } | metrics_in)
note "${#asked[@]} metrics"
check "the alerts and the dashboard ask for metrics" test ${#asked[@]} -gt 20
check "each of them is served" served "${asked[@]}"
# Its panel of go_goroutines stays empty: there is no Go.
check "so is what kubernetes-mixin asks for" served kubeproxy_sync_proxy_rules_duration_seconds_{count,bucket} \
	kubeproxy_network_programming_duration_seconds_{count,bucket} rest_client_requests_total \
	rest_client_request_duration_seconds_bucket process_{resident_memory_bytes,cpu_seconds_total}
check "requests are told by verb" grep -q '^rest_client_request_duration_seconds_bucket{.*verb="POST"' "$WORK/metrics"
equal "the Service has no endpoint" "$(grep '^ipvsctl_services_without' "$WORK/metrics")" "ipvsctl_services_without_endpoints 1
ipvsctl_services_without_scheduler 0"
daemon_end TERM
tap_done

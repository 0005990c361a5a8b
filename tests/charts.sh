#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the manifests for clusters: those of kustomize, as kubectl renders them, and those of the
# Helm chart. As Debian has no helm, tests/charts/helm_template.go renders the chart with the
# template engine and the functions of which Helm is made. All objects are validated against the
# fields of Kubernetes in tests/charts/kinds.json. tests/vm/run-here calls it like a scenario.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/packages.sh"
. "$here/vm/tap.sh"

packages_need golang-go golang-github-masterminds-sprig-dev golang-github-ghodss-yaml-dev \
	python3-jsonschema python3-yaml >&2
# Other packages than Debian's have a kubectl, too.
command -v kubectl >/dev/null || packages_need kubernetes-client >&2

charts=$here/charts
chart=$here/../examples/helm/ipvsctl-svc
kinds=$charts/kinds.json

build_renderer() {
	GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE=$WORK/gocache GOFLAGS=-p=2 \
		go build -o "$WORK/helm_template" "$charts/helm_template.go"
}

# render NAME VALUES: renders the chart with these values, in YAML, after the default ones.
render() {
	echo "$2" >"$WORK/$1.values"
	"$WORK/helm_template" "$chart" kube-system "$WORK/$1.values" >"$WORK/$1"
}

kustomize() {
	kubectl kustomize "$here/../examples/$1" >"$WORK/$1"
}

normal() {
	/usr/bin/python3 "$charts/objects" normal "$WORK/$1"
}

valid() {
	/usr/bin/python3 "$charts/objects" check "$1" "$2"
}

# misspell WORD: whether the schema finds that a word of the default chart is another one.
misspell() {
	grep -qw "$1" "$WORK/default" || return
	sed "s/\<$1\>/&x/" "$WORK/default" >"$WORK/misspelt"
	not valid "$kinds" "$WORK/misspelt"
}

# Whether values.schema.json accepts these values.
values() {
	echo "$1" >"$WORK/values"
	valid "$chart/values.schema.json" "$WORK/values"
}

# says NAME JQ-FILTER: what a rendered file has.
says() {
	normal "$1" | json_says "$2"
}

daemon_takes() {
	normal "$1" | jq -c '.[] | select(.kind == "ConfigMap").data["config.yaml"]' >"$WORK/config"
	"$SVCD" --config "$WORK/config" --print-config
}

daemon_warns_of_nothing() {
	daemon_takes default >"$WORK/effective" 2>"$WORK/warnings" || return
	not grep . "$WORK/warnings"
}

must "the renderer is built" build_renderer
must "the chart is rendered with its default values" render default '{}'
must "kubectl renders the base" kustomize kubernetes
equal "both are the same" "$(normal default)" "$(normal kubernetes)"
check "all objects are valid" valid "$kinds" "$WORK/default"
for word in hostNetwork maxUnavailable drop fieldPath mountPath resources roleRef; do
	check "a misspelt $word is found" misspell "$word"
done
check "the daemon takes the configuration without a warning" daemon_warns_of_nothing

check "the default values are valid" valid "$chart/values.schema.json" "$chart/values.yaml"
whole=$(/usr/bin/python3 -c 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))' <"$chart/values.yaml")
for change in '.tolerance = []' '.image.tags = "1"' '.serviceMonitor.enabled = "yes"' \
	'.apiServer = "10.0.0.1:6443"' 'del(.config.clusterCIDR)'; do
	check "values with $change are refused" not values "$(jq -c "$change" <<<"$whole")"
done
check "each value is documented" /usr/bin/python3 "$charts/objects" documented "$chart/values.yaml"

monitored='{serviceMonitor: {enabled: true}, alerts: {enabled: true}, dashboard: {enabled: true}, config: {metricsBindAddress: "0.0.0.0:10249"}}'
must "the chart is rendered with all that monitoring needs" render monitored "$monitored"
check "all objects are valid" valid "$kinds" "$WORK/monitored"
if kustomize monitoring 2>"$WORK/said"; then
	equal "it is the base with monitoring" "$(normal monitored)" \
		"$(normal monitoring | sed 's/127\.0\.0\.1:10249/0.0.0.0:10249/')"
elif grep -q 'must be a file' "$WORK/said"; then
	skip "it is the base with monitoring" "kubectl is older than 1.21"
else
	tap_point "not ok" "kubectl renders the base with monitoring"
	note "$(cat "$WORK/said")"
fi
check "a ServiceMonitor of loopback addresses is refused" not render loop '{serviceMonitor: {enabled: true}}'

must "the chart is rendered with other values" render other '{name: other, handOver: true, resources: null,
	image: {digest: "sha256:'"$(printf '%064d' 1)"'", pullSecrets: [{name: r}]}, tolerations: [],
	config: {ipvs: {scheduler: wlc}}}'
check "all objects are valid" valid "$kinds" "$WORK/other"
check "they have the name" says other 'all(.[]; .metadata.name == "other")'
daemonset='.[] | select(.kind == "DaemonSet").spec'
check "all nodes hand over at once" says other "$daemonset | (.updateStrategy.rollingUpdate.maxUnavailable == \"100%\") and
	(.template.spec.containers[0].args | index(\"--hand-over\"))"
check "the image is that of the digest" says other "$daemonset.template.spec.containers[0].image | endswith(\"svc@sha256:$(printf '%064d' 1)\")"
check "the other keys of the configuration stay" says other '.[] | select(.kind == "ConfigMap").data["config.yaml"].ipvs ==
	{"scheduler": "wlc", "strictARP": false}'
equal "the versions of chart and sources are the same" "$(sed -n 's/^appVersion: //p' "$chart/Chart.yaml")" \
	"$(sed -n "s/^  version: '\(.*\)',/\1/p" "$here/../meson.build")"
tap_done

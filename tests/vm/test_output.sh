#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests the output of ipvsctl-svc with either backend: formats, order, colours, --watch, and users
# without privileges.
. "$(dirname "$0")/lab.sh"

write_services() {
	manifest services.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: zeta, namespace: first}
		spec: {clusterIP: 10.96.0.10, ports: [{port: 8080}]}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: alpha, namespace: second}
		spec: {clusterIP: 10.96.0.11, ports: [{port: 443}]}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: beta, namespace: second}
		spec: {clusterIP: 10.96.0.12, ports: [{port: 80}]}
		---
		apiVersion: discovery.k8s.io/v1
		kind: EndpointSlice
		metadata: {name: beta-1, namespace: second, labels: {kubernetes.io/service-name: beta}}
		addressType: IPv4
		ports: [{port: 8080}]
		endpoints: [{addresses: [$POD_A], nodeName: node-a}]
	END
}

status() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" "$@"
}

plan() {
	"$SVC" plan --manifests "$MANIFESTS" --cluster-cidr "$CLUSTER_CIDR" \
		--hostname-override node-a "$@"
}

has_ipvs() {
	in_node ipvsadm -Ln >/dev/null 2>&1
}

# has LINE COMMAND...: whether the command succeeds and prints this line.
has() {
	local line=$1
	shift
	"$@" >"$WORK/said" && grep -qx -- "$line" "$WORK/said" || {
		cat "$WORK/said"
		return 1
	}
}

# Prints the column of names in one line.
names_of() {
	status "$@" | awk '{ print $2 }' | tr '\n' ' '
}

formats() {
	check "status -o yaml is YAML" has 'kind: Status' status -o yaml
	check "status -o yaml has the Services" has ' *name: zeta' status -o yaml
	check "plan -o yaml is YAML" has 'kind: Plan' plan -o yaml
	check "plan -o yaml has the Services" has ' *service: second/beta' plan -o yaml
	check "status -o wide names the endpoints" grep -q "$POD_A:8080" <<<"$(status -o wide)"
	check "an unknown format exits with 2" ends_with 2 status -o toml
	if has_ipvs; then
		check "top -o yaml is YAML" has 'kind: Top' in_node "$SVC" top \
			--socket "$STATUS_SOCKET" -i 0.1 -o yaml
	else
		check "top exits with 3 without IPVS" ends_with 3 in_node "$SVC" top -i 0.1 -o yaml
	fi
}

order() {
	equal "--no-headers prints only rows, sorted by namespace and name" \
		"$(names_of --no-headers)" "zeta alpha beta "
	equal "--sort-by name sorts by name alone" \
		"$(names_of --no-headers --sort-by name)" "alpha beta zeta "
	equal "--sort-by PORT sorts by number" \
		"$(names_of --no-headers --sort-by PORT)" "beta alpha zeta "
	check "an unknown column exits with 2" ends_with 2 status --sort-by height
	check "--sort-by is rejected without a table" ends_with 2 status --sort-by name -o json
}

# on_terminal COMMAND...: prints its output to a terminal.
on_terminal() {
	script -qec "$(printf '%q ' "$@")" /dev/null </dev/null
}

# plain TEXT: whether it has a state and no escape sequences.
plain() {
	echo "$1"
	grep -q OK <<<"$1" && not grep -q $'\033' <<<"$1"
}

colours() {
	local command=("$SVC" status --socket "$STATUS_SOCKET")
	export TERM=xterm
	check "states are coloured on a terminal" \
		grep -qF $'\033[32mOK' <<<"$(on_terminal "${command[@]}")"
	check "states are not coloured with NO_COLOR" \
		plain "$(NO_COLOR=1 on_terminal "${command[@]}")"
	check "states are not coloured in a pipe" plain "$("${command[@]}")"
}

shown_twice() {
	[ "$(grep -c '^Node: node-a ' "$WORK/watch")" -ge 2 ]
}

# A shell's background command would ignore SIGINT.
watched() {
	local signal pid
	for signal in INT TERM; do
		rm -f "$WORK/watch" # else it would seem to be there already
		env --default-signal=INT "$SVC" status -w --socket "$STATUS_SOCKET" >"$WORK/watch" 2>&1 &
		pid=$!
		check "status -w repeats the status" eventually 60 shown_twice
		kill -$signal $pid
		check "SIG$signal ends status -w" \
			ends_with $((128 + $(kill -l $signal))) wait $pid
	done
}

# unprivileged COMMAND...
unprivileged() {
	in_node setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}

permission() {
	check "status reports a missing permission for the socket" \
		ends_with 4 unprivileged "$SVC" status --socket "$STATUS_SOCKET"
	check "explain reports a missing permission for the socket" \
		ends_with 4 unprivileged "$SVC" explain --socket "$STATUS_SOCKET" second/beta
	check "plan --diff reports a missing permission for the kernel" \
		ends_with 4 unprivileged "$SVC" plan --diff \
		--manifests "$MANIFESTS" --cluster-cidr "$CLUSTER_CIDR"
	check "plan needs no permission without --diff" ends_with 0 unprivileged "$SVC" plan \
		--manifests "$MANIFESTS" --cluster-cidr "$CLUSTER_CIDR"
	check "cleanup reports missing privileges" \
		ends_with 4 unprivileged "$SVC" cleanup --of kube-proxy \
		--dry-run --socket "$STATUS_SOCKET"
	if has_ipvs; then
		check "top reports missing privileges" ends_with 4 unprivileged "$SVC" top -i 0.1
	fi
}

lab_up
write_services
must "the daemon starts" daemon_start
formats
order
colours
watched
permission
tap_done

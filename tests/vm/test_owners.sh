#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests that a tenant's Service takes nothing from others by its external IPs: the API server, which
# the daemon reaches over the network, other nodes, the gateway, pods, other Services, and the node
# itself. Asks all flows of owners.table with the tenants' Services and when they are deleted. BACKEND
# is the backend to use.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/outside.sh"
. "$(dirname "$0")/flows.sh"

BACKEND=${BACKEND:-ipvs}
TABLE=$(dirname "$0")/owners.table
OPTIONS=(--backend "$BACKEND" --drain-timeout 0 --conntrack-max-per-core 0)

NAMESPACE=([client]=client [node]=node [a]=a [b]=b [c]=c [far]=far)
ADDRESS+=([a4]=$POD_A [a6]=$POD_A6 [b4]=$POD_B [b6]=$POD_B6 [c4]=$POD_C [c6]=$POD_C6
	[client4]=$CLIENT_IP [client6]=$CLIENT_IP6 [localhost4]=127.0.0.1 [localhost6]=::1
	[victim4]=10.96.0.77 [victim6]=fd00:96::77)
outside_addresses

declare -A claim_port claim_addresses claim_state claim_words

table_line() {
	local words
	read -ra words <<<"$1"
	[ "${words[0]}" = claim ] || return
	claim_port[${words[1]}]=${words[2]}
	claim_addresses[${words[1]}]=$(addresses_of "${words[3]}")
	claim_state[${words[1]}]=${words[4]}
	claim_words[${words[1]}]=${words[*]:5}
}

# addresses_of NAME|ADDRESS,..: prints the addresses.
addresses_of() {
	if [ -n "${ADDRESS[${1}4]:-}" ]; then
		echo "${ADDRESS[${1}4]} ${ADDRESS[${1}6]}"
	else
		echo "${1//,/ }"
	fi
}

destination() {
	DESTINATION="${ADDRESS[${1%:*}$2]:-${1%:*}} ${1##*:}"
}

# ---- Objects ----

# json WORD...: prints them as a list of strings.
json() {
	jq -nc '$ARGS.positional' --args -- "$@"
}

# service NAME YEAR PORT SPEC [STATUS]: prints a Service, for `order`.
service() {
	echo '{"kind": "Service", "metadata": {"name": "'"$1"'", "namespace": "default", "uid": "uid-'"$1"'",
		"creationTimestamp": "'"$2"'-01-01T00:00:00Z"}, "spec": {'"$4"',
		"ports": [{"name": "", "protocol": "TCP", "port": '"$3"'}]}, "status": {'"${5:-}"'}}'
}

# endpoints SERVICE PORT ADDRESS...: prints its EndpointSlices.
endpoints() {
	local name=$1 port=$2 address family
	shift 2
	for family in IPv4 IPv6; do
		for address in "$@"; do
			[[ $family = IPv6 ]] && [[ $address != *:* ]] && continue
			[[ $family = IPv4 ]] && [[ $address = *:* ]] && continue
			echo '{"addresses": ["'"$address"'"], "conditions": {"ready": true}}'
		done | jq -sc '{kind: "EndpointSlice", metadata: {namespace: "default", name: $slice,
			labels: {"kubernetes.io/service-name": $name}}, addressType: $family,
			ports: [{name: "", protocol: "TCP", port: $port}], endpoints: .}' \
			--arg slice "$name-${family,,}" --arg name "$name" --arg family $family --argjson port "$port"
	done
}

# send put|delete: sends the objects of its input to the API server.
send() {
	order "$(jq -sc '{"'"$1"'": .}')"
}

others() {
	echo '{"kind": "Node", "metadata": {"name": "node-a"}, "status": {"addresses": [
		{"type": "InternalIP", "address": "'$NODE_IP'"}, {"type": "InternalIP", "address": "'$NODE_IP6'"}]}}'
	service kubernetes 2020 443 '"clusterIP": "10.96.0.1"'
	endpoints kubernetes 6443 $NEAR $FAR $FAR6
	service victim 2022 80 '"type": "NodePort", "clusterIP": "'"${ADDRESS[victim4]}"'",
		"clusterIPs": ["'"${ADDRESS[victim4]}"'", "'"${ADDRESS[victim6]}"'"]' |
		jq -c '.spec.ports[0].nodePort = 30080 | .spec.ports[0].targetPort = 8080'
	endpoints victim 8080 $POD_C $POD_C6
	balanced
	endpoints balanced 8080 $POD_C $POD_C6
}

balanced() {
	service balanced 2022 80 '"type": "LoadBalancer", "clusterIP": "10.96.0.78",
		"clusterIPs": ["10.96.0.78", "fd00:96::78"]' \
		'"loadBalancer": {"ingress": [{"ip": "'$POOL'"}, {"ip": "'$POOL6'"}]}'
}

tenants() {
	local name n=100
	for name in "${!claim_port[@]}"; do
		n=$((n + 1))
		# shellcheck disable=SC2086
		service "$name" 2021 "${claim_port[$name]}" \
			'"clusterIP": "10.96.0.'$n'", "clusterIPs": ["10.96.0.'$n'", "fd00:96::'$n'"],
			"externalIPs": '"$(json ${claim_addresses[$name]})"
		endpoints "$name" 8080 $POD_A $POD_A6
	done
}

# ---- What the daemon says ----

status() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" -o json
}

# Prints "SERVICE ADDRESS STATE TAKEN REASON" for each address of each port.
addresses() {
	status | jq -r '.services[] | .name as $name | .ports[].addresses[] |
		"\($name) \(.address) \(.state) \(.taken) \(.reason)"'
}

# shows NAME ADDRESS: whether $addresses has the state and reason of the claim.
shows() {
	local entry state=${claim_state[$1]} taken="*"
	entry=$(grep -F "$1 $2 " <<<"$addresses")
	echo "$entry"
	[ "$state" != OK ] || taken=ports
	# shellcheck disable=SC2053
	[[ $entry = "$1 $2 $state "$taken" "*"${claim_words[$1]}"* ]]
}

# explains NAME ADDRESS: whether explain has the reason of the claim.
explains() {
	local address=$2
	[[ $address != *:* ]] || address="[$address]"
	in_node "$SVC" explain --socket "$STATUS_SOCKET" "$address:${claim_port[$1]}" | tee "$WORK/last"
	grep -q "NOT SERVED: .*${claim_words[$1]}" "$WORK/last"
}

events_have() {
	order '{"get": "events"}'
	tail -n 1 "$WORK_LAB/answers" | json_says --arg reason "$1" --arg name "$2" \
		'any(.events[].object; .reason == $reason and (.regarding.name // .involvedObject.name) == $name)'
}

states() {
	local name address addresses
	addresses=$(addresses)
	for name in "${!claim_port[@]}"; do
		for address in ${claim_addresses[$name]}; do
			check "status says that $name at $address is ${claim_state[$name]}" \
				shows "$name" "$address"
		done
		[ "${claim_state[$name]}" = OK ] ||
			check "explain says why $name does not get $address" explains "$name" "$address"
	done
	check "an Event tells the tenant that an address is refused" eventually 20 events_have AddressRefused api-port
	check "an Event tells the tenant that an address is another's" eventually 20 events_have AddressConflict balancer
	check "explain says where other packets to the address go" grep -Eq 'routed .*eth3' \
		<<<"$(in_node "$SVC" explain --socket "$STATUS_SOCKET" "$NEAR:22" 2>&1)"
}

# has SERVICE, lacks SERVICE: whether the daemon has heard of it.
has() {
	status | json_says --arg name "$1" '.summary.pending == 0 and any(.services[]; .name == $name)'
}

lacks() {
	status | json_says --arg name "$1" '.summary.pending == 0 and all(.services[]; .name != $name)'
}

# ---- The scenario ----

# ask_flows NAME [REACHED]: asks all flows but those that reach REACHED.
ask_flows() {
	local line words
	for line in "${lines[@]}"; do
		read -ra words <<<"$line"
		[[ ${words[2]} =~ ^[46]+$ && ${words[4]} != "${2:-}" ]] && each want "${words[@]}"
	done
	flows_ask "$1"
}

restart() {
	daemon_end TERM
	must "the daemon starts anew beside the tenants' Services" daemon_start "${OPTIONS[@]}"
	check "the restarted daemon has heard of all Services" eventually 60 has balanced
}

promotion() {
	balanced | send delete
	check "an external IP is given to the tenant when the Service that has it is deleted" \
		eventually 60 tenant_has_it OK
	equal "the tenant is reached through it" "$(names "$(ask client -n 2 tcp $POOL 80)")" a
	balanced | send put
	check "it is taken from the tenant when that Service is there again" \
		eventually 60 tenant_has_it Conflict
	equal "the tenant is no longer reached through it" \
		"$(names "$(ask client -n 2 tcp $POOL 80)")" c
}

tenant_has_it() {
	settled && addresses | grep "^balancer $POOL $1 "
}

# ---- An address of the API server that was taken before ----

# What a version that takes whole addresses leaves behind, for a tenant's Service.
leave_local_route() {
	manifest tenant.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: tenant}
		spec: {clusterIP: 10.96.0.90, externalIPs: [$NEAR], ports: [{port: 80, targetPort: 8080}]}
		---
		apiVersion: v1
		kind: List
		items:
		$(slice tenant-4 tenant IPv4 "[{port: 8080}]" "{addresses: [$POD_A], nodeName: node-a}")
	END
	KUBECONFIG='' daemon_start "${OPTIONS[@]}" --external-addresses=local || return
	daemon_end KILL
	true
}

# What kube-proxy's IPVS mode leaves behind.
leave_address() {
	in_node sh -ec "
		ip link add kube-ipvs0 type dummy
		ip addr add $NEAR/32 dev kube-ipvs0
		ipset create KUBE-IPVS-IPS hash:ip
		ipset add KUBE-IPVS-IPS $NEAR
		ipset create KUBE-EXTERNAL-IP hash:ip,port
		ipset add KUBE-EXTERNAL-IP $NEAR,tcp:80
		[ $BACKEND != ipvs ] || ipvsadm -A -t $NEAR:80 -s rr"
}

who_answers() {
	names "$(ask node tcp $NEAR 22; ask client tcp $NEAR 22)"
}

# recovers NAME COMMAND: whether the daemon gets to the API server through what the command leaves.
recovers() {
	daemon_end TERM
	in_node "$SVCD" --cleanup >/dev/null 2>&1
	must "$1: the old state is made" "$2"
	check "$1: the node has taken the API server's address" test "$(who_answers)" != near
	must "$1: the daemon gets to the API server" daemon_start "${OPTIONS[@]}"
	check "$1: all of it is programmed" eventually 60 settled
	equal "$1: the address belongs to its owner again" "$(who_answers)" near
}

lab_up
outside_up
lab_background "$WORK/serve-api" far "$PEER" serve far tcp:6443
must "the API server starts" api_start near $NEAR
flows_read
others | send put
must "the daemon starts" daemon_start "${OPTIONS[@]}"
before=$(kernel_state)
tenants | send put
check "the daemon hears of the tenants' Services" eventually 60 has api-port
check "all of it is programmed" eventually 60 settled
states
ask_flows with-tenants
restart
promotion
tenants | send delete
check "the daemon hears that they are deleted" eventually 60 lacks api-port
check "all of it is removed" eventually 60 settled
equal "nothing is left of them" "$(kernel_state)" "$before"
ask_flows after-the-tenants a
recovers "after a version that takes whole addresses" leave_local_route
if in_node ip link add probe0 type dummy 2>/dev/null; then
	in_node ip link del probe0
	recovers "after kube-proxy" leave_address
else
	skip "after kube-proxy: the address is given back" "this kernel has no dummy devices"
fi
tap_done

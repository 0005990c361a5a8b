#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests ipvsctl-svc doctor: it finds each condition that is made here, that one alone, and nothing
# before and after. Without ip_vs the backend iptables serves.
. "$(dirname "$0")/lab.sh"

# found NAMES: whether exactly these are found, but for notes, and whether all that belongs to a finding
# and the exit code CODE are as they must be.
found() {
	in_node "$SVC" doctor --socket "$STATUS_SOCKET" -o json >"$WORK_LAB/diagnosis"
	CODE=$?
	jq -e --arg names "$1" --argjson code $CODE '[.findings[] | select(.level == "warning").name] as $found |
		($found | join(" ")) == $names and .healthy == ($found == []) and .healthy == ($code == 0) and
		all(.findings[]; .seen != "" and .why != "" and .remedy != "" and .command != "")' \
		"$WORK_LAB/diagnosis" || { jq .findings "$WORK_LAB/diagnosis" && return 1; }
}

# seen TEXT: whether the last diagnosis has it.
seen() {
	grep -qF -e "$1" "$WORK_LAB/diagnosis"
}

# finds NAMES SENTENCE: the condition was made just now. The daemon reads rules of others in audits.
finds() {
	check "$2: $1" eventually 20 found "$1"
}

silent() {
	check "silence $1" eventually 20 found ""
}

write_services() {
	manifest services.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  type: NodePort
		  clusterIP: 10.96.0.10
		  ports: [{name: ${1:-http}, port: 80, nodePort: 30080}]
		---
		apiVersion: v1
		kind: List
		items:
		$(slice web-1 web IPv4 "[{name: http, port: 8080}]" "{addresses: [${2:-$POD_A}]}, {addresses: [$POD_C]}")
	END
}

settings() {
	in_node sysctl -qw net.ipv4.ip_forward=0
	finds ip-forward "a setting was changed"
	check "a setting was changed: no file did it" seen "no file of sysctl.d sets it"
	# As if the node had this file.
	mkdir "$WORK_LAB/sysctl.d"
	echo "net.ipv4.ip_forward = 0" >"$WORK_LAB/sysctl.d/99-hardening.conf"
	in_node unshare -m sh -c 'mount --bind "$1" /etc/sysctl.d && exec "$2" doctor --socket "$3"' - \
		"$WORK_LAB/sysctl.d" "$SVC" "$STATUS_SOCKET" >"$WORK_LAB/diagnosis"
	check "a setting was changed: its file is named" seen "/etc/sysctl.d/99-hardening.conf:1 sets it to 0"
	in_node sysctl -qw net.ipv4.ip_forward=1
	in_node unshare -m sh -c 'mount --bind "$1" /etc/sysctl.d && exec "$2" doctor --socket "$3"' - \
		"$WORK_LAB/sysctl.d" "$SVC" "$STATUS_SOCKET" >"$WORK_LAB/diagnosis"
	equal "a file will change a setting back" "$? $(grep -c ^sysctl-file: "$WORK_LAB/diagnosis")" "1 1"

	in_node sysctl -qw net.ipv4.ip_local_port_range="1024 65535"
	finds port-range "source ports are among node ports"
	in_node sysctl -qw net.ipv4.ip_local_reserved_ports=30000-32767
	silent "when they are reserved"
	in_node sysctl -qw net.ipv4.ip_local_port_range="32768 60999" net.ipv4.ip_local_reserved_ports=

	in_node sysctl -qw net.ipv4.conf.eth1.rp_filter=1
	finds rp-filter "an interface filters strictly"
	in_node sysctl -qw net.ipv4.conf.eth1.rp_filter=0
	silent "with the settings of before"
}

firewalls() {
	local hook=input
	[ "$BACKEND" = ipvs ] || hook=forward
	in_node nft -f - <<-END
		table inet wall {
			chain wall { type filter hook $hook priority 10; policy drop; }
		}
	END
	finds $hook-drop "a table of nftables drops"
	check "a table of nftables drops: the rule that opens it is told" \
		in_node sh -c "$(jq -r '.findings[] | select(.name | endswith("-drop")).remedy | sub(" and .*"; "")' "$WORK_LAB/diagnosis")"
	in_node nft delete table inet wall
	hook=OUTPUT
	[ "$BACKEND" = ipvs ] || hook=FORWARD
	in_node iptables -P $hook DROP
	check "the policy of iptables drops" eventually 20 found "${hook,,}-drop"
	in_node iptables -P $hook ACCEPT
	silent "without these policies"
}

proxies() {
	in_node nft add table ip kube-proxy
	finds other-proxy "kube-proxy left a table"
	in_node nft delete table ip kube-proxy
	in_node ip link add kube-dummy-if type veth peer name other
	finds other-proxy "kube-router balances"
	in_node ip link del kube-dummy-if
	mkfifo "$WORK_LAB/unread"
	sleep 1000 <>"$WORK_LAB/unread" &
	lab_pids+=($!)
	fill_pipe "$WORK_LAB/unread"
	lab_background "$WORK_LAB/unread" node bash -c 'exec -a kube-proxy /bin/echo'
	finds other-proxy "kube-proxy runs"
	kill "$BACKGROUND_PID"
	silent "without another proxy"
}

network() {
	in_node ip link add cni0 mtu 9000 type bridge
	in_node ip link set cni0 up
	finds mtu "pods send too large packets"
	in_node ip link del cni0
	in_node ip addr add "$NODE_IP/24" dev eth1
	finds duplicate-address "two interfaces have an address"
	in_node ip addr del "$NODE_IP/24" dev eth1
	ip -n "$LAB-client" link set eth0 down
	finds "unreachable-address unreachable-address" "an interface has no carrier"
	ip -n "$LAB-client" link set eth0 up
	silent "with the network of before"
}

services() {
	write_services https
	finds port-name "no endpoint has the port"
	write_services http 10.96.0.10
	finds service-endpoint "an endpoint is a cluster IP"
	write_services
	silent "with the Services of before"
}

# members: prints the names of what the bundle has.
members() {
	tar -tzf "$WORK_LAB/bundle.tar.gz" | sed "s|^ipvsctl-svc-bundle/||"
}

# With secrets wherever it looks.
bundle() {
	local want
	echo "# password: s3cr3t" >"$WORK_LAB/sysctl.d/99-hardening.conf"
	want=$(in_node "$SVC" doctor --socket "$STATUS_SOCKET" --bundle "$WORK_LAB/bundle.tar.gz" --dry-run |
		awk '{ print $1 }')
	check "bundle: a dry run writes nothing" test ! -e "$WORK_LAB/bundle.tar.gz"
	check "bundle: it is written" in_node unshare -m sh -c \
		'mount --bind "$1" /etc/sysctl.d && exec "$2" doctor --socket "$3" --bundle "$4"' - \
		"$WORK_LAB/sysctl.d" "$SVC" "$STATUS_SOCKET" "$WORK_LAB/bundle.tar.gz"
	equal "bundle: it has what the dry run lists" "$(members | grep -v sysctl.d/)" \
		"$(grep -v sysctl.d/ <<<"$want")"
	tar -C "$WORK_LAB" -xzf "$WORK_LAB/bundle.tar.gz"
	check "bundle: it has the Services" json_says '.services[0].name == "web"' \
		<"$WORK_LAB/ipvsctl-svc-bundle/status.json"
	check "bundle: it has the comparison with the kernel" json_says '.kind == "'"${1%.*}"'"' \
		<"$WORK_LAB/ipvsctl-svc-bundle/commands/${1,}.json"
	equal "bundle: it has no secret" "$(grep -rF s3cr3t "$WORK_LAB/ipvsctl-svc-bundle")" ""
	check "bundle: where there was one it says so" grep -qF "# password: [removed]" \
		"$WORK_LAB/ipvsctl-svc-bundle/files/etc/sysctl.d/99-hardening.conf"
	check "bundle: it replaces nothing" ends_with 1 in_node "$SVC" doctor --socket "$STATUS_SOCKET" \
		--bundle "$WORK_LAB/bundle.tar.gz"
	rm -r "$WORK_LAB/bundle.tar.gz" "$WORK_LAB/ipvsctl-svc-bundle"
}

# The daemon has a kubeconfig with credentials.
with_api() {
	daemon_end TERM
	must "the API server starts" api_start
	sed -i 's/user: {}/user: {token: s3cr3t}/' "$KUBECONFIG"
	# Without a Node object it is waited for.
	order '{"put": [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"},
		"status": {"addresses": [{"type": "InternalIP", "address": "'$NODE_IP'"}]}}]}'
	order "{\"put\": $(python3 -c 'import json, sys, yaml
print(json.dumps([o for d in yaml.safe_load_all(sys.stdin) for o in d.get("items", [d])]))' \
		<"$MANIFESTS/services.yaml")}"
	must "the daemon starts with it" daemon_start --backend $BACKEND --audit-interval 1s
	eventually 20 settled >/dev/null
	silent "with an API server"
	order '{"set": {"denied": ["services"]}}'
	finds api-rights "access to Services is denied"
	check "access to Services is denied: the rights are named" seen "list services, watch services"
	order '{"set": {"denied": []}}'
	order '{"put": [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"},
		"status": {"addresses": [{"type": "InternalIP", "address": "192.168.50.9"}]}}]}'
	finds node "the Node has the address of another host"
	order '{"put": [{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-a"},
		"status": {"addresses": [{"type": "InternalIP", "address": "'$NODE_IP'"}]}}]}'
	silent "with the rights and addresses of before"
	bundle Preflight
}

without_daemon() {
	daemon_end TERM
	finds no-daemon "the daemon has ended"
	in_node nft -f - <<-END
		table inet wall {
			chain wall { type filter hook input priority 10; policy drop; }
		}
	END
	finds "no-daemon input-drop" "without the daemon the firewall is judged"
	in_node nft delete table inet wall
}

BACKEND=iptables
! modprobe -q ip_vs || BACKEND=ipvs
lab_up
write_services
must "the daemon starts" daemon_start --backend $BACKEND --audit-interval 1s \
	--service-cluster-ip-range 10.96.0.0/16
eventually 20 settled >/dev/null
silent "on a healthy node"
equal "the exit code says so" "$CODE" 0
check "people read it, too" grep -qx "Nothing is wrong." <(in_node "$SVC" doctor --socket "$STATUS_SOCKET")
settings
firewalls
proxies
network
services
bundle Plan
with_api
without_daemon
equal "wrong usage is told" "$(in_node "$SVC" doctor now 2>&1; echo $?)" \
	$'ipvsctl-svc doctor: unexpected argument "now"\n2'
tap_done

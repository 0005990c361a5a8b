#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests ipvsctl-svc preflight on the recorded state of a real kube-proxy (tests/kube-proxy): what it
# announces is what the daemon then does, it writes nothing, and its commands lead there and back.
# On a kernel without ip_vs the sets and rules are taken over by the backend iptables.
. "$(dirname "$0")/lab.sh"
. "$(dirname "$0")/preflight.sh"

RECORDED=$(realpath "$(dirname "$0")/../kube-proxy")

# The node of the recording, with a neighbour so that its device is up.
lab_network() {
	lab_namespaces_add node client
	ip link add eth0 netns "$LAB-client" type veth peer name eth0 netns "$LAB-node"
	ip -n "$LAB-client" link set eth0 up
	ip -n "$LAB-node" -batch - <<-END
		link set lo up
		addr add 192.168.50.10/24 dev eth0
		link set eth0 up
		route add default via 192.168.50.1
	END
}

lab_serve() {
	:
}

has_ip_vs() {
	in_node ipvsadm -Ln >/dev/null 2>&1
}

# What kube-proxy had in the kernel. The recording has neither sizes of sets nor counters, and a
# kernel without ip_vs knows no match for it.
kube_proxy() {
	{
		grep ^create "$RECORDED/ipset"
		grep ^add "$RECORDED/ipset"
	} | in_node ipset restore
	if ! has_ip_vs; then
		grep -v -e --vproto "$RECORDED/iptables" | in_node iptables-restore
		return
	fi
	in_node iptables-restore <"$RECORDED/iptables"
	in_node ip link add kube-ipvs0 txqueuelen 0 type dummy
	sed 's/.*/addr add & dev kube-ipvs0/' "$RECORDED/addrs" | in_node ip -batch -
	in_node ipvsadm -R <"$RECORDED/ipvs"
}

# As kubeadm keeps it.
configuration() {
	cat >"$WORK_LAB/configmap.yaml" <<-END
		apiVersion: v1
		kind: ConfigMap
		metadata: {name: kube-proxy, namespace: kube-system}
		data:
		  kubeconfig.conf: |
		    apiVersion: v1
		    kind: Config
		  config.conf: |
		    apiVersion: kubeproxy.config.k8s.io/v1alpha1
		    kind: KubeProxyConfiguration
		    mode: ${1:-ipvs}
		    clusterCIDR: 10.128.0.0/9
		    metricsBindAddress: 127.0.0.1:10249
		    ipvs: {minSyncPeriod: 2s}
		    enableProfiling: true
	END
}

# preflight OPTION...: REPORT has what it prints, and CODE its exit status.
preflight() {
	REPORT=$WORK_LAB/report
	in_node "$SVC" preflight --config "$WORK_LAB/configmap.yaml" --hostname-override node-a \
		-o json "$@" >"$REPORT"
	CODE=$?
}

# Prints the real servers and the addresses on kube-ipvs0: "10.96.0.1:443 10.128.0.2:6443".
servers_and_addresses() {
	# ipvsadm prints marks as signed numbers.
	in_node ipvsadm -Sn 2>/dev/null | awk '$1 == "-a" {
		vs = $2 == "-f" ? sprintf("fwmark:%.0f", $3 < 0 ? $3 + 4294967296 : $3) : $3
		print vs, $4 == "-6" ? $6 : $5 }'
	in_node ip -o addr show dev kube-ipvs0 2>/dev/null |
		sed -nE 's/.*inet6? ([^/ ]+).*/\1/p' | grep -v ^fe80
}

# The same of the report, which come (+) or go (-).
announced_servers_and_addresses() {
	told '.differences[] | select(.fact | test("^(rs|addr) ")) | select(.change != "set") |
		(if .change == "add" then "+" else "-" end) + (.fact | split(" ") |
			if .[0] == "rs" then (.[1] | sub("/.*"; "")) + " " + .[2] else .[1] end)' | sort
}

# Real servers drain before they go.
servers_and_addresses_changed() {
	diff <(sort "$WORK_LAB/before") <(servers_and_addresses | sort) |
		sed -n 's/^> /+/p; s/^< /-/p' | sort | diff - <(announced_servers_and_addresses)
}

# begin_announced: starts the daemon by the command of the report.
begin_announced() {
	local command
	command=$(told '.commands.there[] | select(startswith("ipvsctl-svcd "))')
	note "$command"
	eval "set -- $command"
	shift
	rm -f "$WORK_LAB/notify.sock" "$WORK_LAB/notify"
	lab_background "$WORK_LAB/notify" node "$PEER" notify "$WORK_LAB/notify.sock"
	eventually 10 test -S "$WORK_LAB/notify.sock"
	NOTIFY_SOCKET=$WORK_LAB/notify.sock enter node "$SVCD" "$@" --status-socket "$STATUS_SOCKET" \
		>>"$DAEMON_LOG" 2>&1 </dev/null &
	DAEMON_PID=$!
	eventually 120 daemon_is_ready && kill -0 "$DAEMON_PID"
}

go_back() {
	local command
	command=$(told '.commands.back[] | select(startswith("ipvsctl-svcd "))')
	note "$command"
	eval "set -- $command"
	shift
	in_node "$SVCD" "$@" --drain-timeout 0s
}

# The sum of a member of all kinds of objects.
objects() {
	told "[.objects[] | .$1 // 0] | add"
}

# case_of NAME MODE OPTION...: takes over and compares.
case_of() {
	local name=$1 before rest
	lab_again
	in_node iptables-restore <<<$'*mangle\nCOMMIT\n*nat\nCOMMIT\n*filter\nCOMMIT'
	must "$name: kube-proxy's state is restored" kube_proxy
	configuration "$2"
	shift 2
	if has_ip_vs; then
		in_node ipvsadm -A -t 192.0.2.1:80 -s wlc
		in_node ipvsadm -a -t 192.0.2.1:80 -r 192.0.2.9:80 -m -w 5
		in_node ipvsadm -E -t 10.96.1.1:80 -s wlc # which kube-proxy would repair
	fi
	before=$(kernel_state)
	servers_and_addresses >"$WORK_LAB/before"
	preflight --manifests "$RECORDED/input" "$@"
	equal "$name: everything can be taken over" "$CODE $(told '.ready, (.first | length)' | xargs)" \
		"0 true 0"
	equal "$name: preflight writes nothing" "$(kernel_state)" "$before"
	equal "$name: options of kube-proxy without effect are named" \
		"$(told '.notHonoured[].option' | xargs)" "ipvs.minSyncPeriod enableProfiling"
	rest="$(objects added) $(objects changed) $(objects removed)"
	equal "$name: the counts are those of the differences" "$rest" \
		"$(told '[.differences[].change] | [map(select(. == "add")), map(select(. == "set")),
			map(select(. == "delete"))] | map(length) | join(" ")')"
	must "$name: the daemon starts by the command of the report" begin_announced
	eventually 60 settled >/dev/null
	equal "$name: the daemon does what was announced, and no more" "$(done_by_daemon)" "$(announced)"
	check "$name: real servers and addresses come and go as announced" \
		eventually 60 servers_and_addresses_changed
	equal "$name: the settings are as announced" \
		"$(told '.settings[] | "\(.setting) \(.becomes)"' | while read -r setting value; do
			[ "$(in_node cat "/proc/sys/$setting")" = "$value" ] || echo "$setting"
		done)" ""
	if has_ip_vs && [ "$(told .backend)" = ipvs ]; then
		equal "$name: the virtual server of another program is announced as foreign" \
			"$(told .objects.virtualServers.foreign)" 1
		check "$name: and stays" ipvs_has "-a -t 192.0.2.1:80 -r 192.0.2.9:80 -m -w 5"
	fi
	cp "$REPORT" "$WORK_LAB/first"
	preflight --manifests "$RECORDED/input" "$@"
	equal "$name: then nothing is left to change" "$(told '.differences | length')" 0
	cp "$WORK_LAB/first" "$REPORT"
	daemon_end TERM
}

# Without Services it says what kube-proxy has, and that it compares nothing.
without_services() {
	preflight
	equal "without Services: it says so" "$CODE $(told '.comparedWith, has("differences")' | xargs)" \
		"0 false"
	equal "without Services: the sets of kube-proxy are counted" "$(told .objects.sets.adopted)" \
		"$(grep -c ^create "$RECORDED/ipset")"
	if has_ip_vs; then
		equal "without Services: its virtual servers and addresses are counted" \
			"$(told '.objects.virtualServers.adopted, .objects.addresses.adopted' | xargs)" \
			"$(grep -c ^-A "$RECORDED/ipvs") $(wc -l <"$RECORDED/addrs")"
	fi
}

# What keeps the daemon from starting is what must be done first.
not_ready() {
	preflight --manifests "$RECORDED/input" "$@"
	equal "not ready: $*" "$CODE $(told '.ready, (.first | length)' | xargs)" "1 false 1"
	check "not ready: the daemon does not start: $*" \
		ends_with 1 in_node "$SVCD" --config "$WORK_LAB/configmap.yaml" --hostname-override node-a \
		--manifests "$RECORDED/input" --once "$@"
	check "not ready: it has the same reason" grep -qFe "$(told '.first[0]' | tr '"' "'")" \
		<<<"$(tr '"' "'" <"$WORK/tap" | sed "s/\\\\'/'/g")"
}

# What the daemon rejects must be corrected first. The rest is told nevertheless.
wrong_configuration() {
	configuration userspace
	preflight
	equal "wrong configuration: it is to be corrected first" \
		"$CODE $(told '.first[0]' | grep -o 'KubeProxyConfiguration.mode: "userspace" is not supported')" \
		'1 KubeProxyConfiguration.mode: "userspace" is not supported'
	check "wrong configuration: the daemon does not start" \
		ends_with 2 in_node "$SVCD" --config "$WORK_LAB/configmap.yaml" --init-only
	check "wrong configuration: options without effect are named nevertheless" \
		test "$(told '.notHonoured | length')" = 2
}

# A process of that name, which waits for a reader, is asked for its options and its file.
running_process() {
	local pid
	configuration iptables
	mkfifo "$WORK_LAB/unread"
	sleep 1000 <>"$WORK_LAB/unread" &
	lab_pids+=($!)
	fill_pipe "$WORK_LAB/unread"
	enter node bash -c 'exec -a kube-proxy /bin/echo "$@"' - \
		"--config=$WORK_LAB/configmap.yaml" --hostname-override=node-a >"$WORK_LAB/unread" &
	pid=$!
	lab_pids+=("$pid")
	eventually 10 grep -qa ^kube-proxy "/proc/$pid/cmdline"
	in_node "$SVC" preflight --manifests "$RECORDED/input" -o json >"$REPORT"
	equal "running process: its options and its file are found" \
		"$(told '.kubeProxy | "\(.pid) \(.mode) \(.options | join(" ")) \(.configuration)"')" \
		"$pid iptables --hostname-override=node-a /proc/$pid/root$WORK_LAB/configmap.yaml"
	check "running process: it is stopped first" grep -q "^kill $pid " <<<"$(told '.commands.there[0]')"
	equal "running process: the daemon gets its options" \
		"$(told '.commands.there[1]')" \
		"ipvsctl-svcd --config=$WORK_LAB/configmap.yaml --hostname-override=node-a --manifests=$RECORDED/input"
	kill "$pid"
}

# The Services of an API server count as those of files do, and one that is away is no failure.
from_the_cluster() {
	local of_files
	if has_ip_vs; then configuration ipvs; else configuration iptables; fi
	preflight --manifests "$RECORDED/input"
	of_files=$(announced)
	must "cluster: the API server starts" api_start
	order "{\"put\": $(jq -c .items "$RECORDED/input/objects.json")}"
	preflight --kubeconfig "$KUBECONFIG"
	equal "cluster: its Services are compared" "$CODE $(told .comparedWith)" "0 apiserver"
	equal "cluster: what changes is what changes with the same Services from files" \
		"$(announced)" "$of_files"
	order '{"down": true}'
	preflight --kubeconfig "$KUBECONFIG"
	equal "cluster: without an answer only the layout is told" \
		"$CODE $(told '.comparedWith, has("differences"), .notCompared' | xargs)" \
		"0 false the API server did not send all objects"
}

lab_up
in_node ipset list -n >/dev/null 2>&1 || skip_all "this kernel has no ip_set"
if has_ip_vs; then
	case_of "IPVS" ipvs
	check "IPVS: --hand-over by the command of the report succeeds" go_back
	equal "IPVS: kube-proxy finds its virtual servers again" \
		"$(ipvs | grep -v -e '\[' -e 192.0.2)" "$(sort "$RECORDED/ipvs")"
	equal "IPVS: and its addresses" \
		"$(in_node ip -4 -o addr show dev kube-ipvs0 | awk '{ print $4 }' | sort)" \
		"$(sort "$RECORDED/addrs")"
	case_of "addresses stay" ipvs --vip-mode=address
	case_of "nftables beside IPVS" ipvs --netfilter=nftables
	equal "nftables beside IPVS: nothing of kube-proxy is left in ipset" \
		"$(in_node ipset list -n | grep KUBE-)" ""
fi
case_of "iptables" iptables
lab_again
must "kube-proxy's state is restored" kube_proxy
if has_ip_vs; then configuration ipvs; else configuration iptables; fi
without_services
! has_ip_vs || not_ready --scheduler=nosuch
wrong_configuration
running_process
from_the_cluster
check "a word too many is wrong usage" ends_with 2 in_node "$SVC" preflight dance
tap_done

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests restarts of the daemon at any moment: traffic continues, and the final state is correct.
. "$(dirname "$0")/lab.sh"

SERVICES=1000
ENDPOINTS=3

write_web() {
	manifest web.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  type: NodePort
		  clusterIP: 10.96.0.10
		  clusterIPs: [10.96.0.10, "fd00:96::10"]
		  externalIPs: [198.51.100.7]
		  ports: [{port: 80, nodePort: 30080}]
		---
		apiVersion: v1
		kind: Service
		metadata: {name: dns}
		spec: {clusterIP: 10.96.0.53, ports: [{port: 53, protocol: UDP}]}
	END
	write_slices $POD_A $POD_C
}

# write_slices ENDPOINT...
write_slices() {
	local endpoint list=
	for endpoint in "$@"; do
		list+="{addresses: [$endpoint], nodeName: node-a}, "
	done
	manifest web-slices.yaml <<-END
		apiVersion: v1
		kind: List
		items:
		$(slice web-1 web IPv4 "[{port: 8080}]" "$list")
		$(slice web-6 web IPv6 "[{port: 8080}]" "{addresses: ['$POD_A6']}")
		$(slice dns-1 dns IPv4 "[{port: 5353, protocol: UDP}]" "$list")
	END
}

operations() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" -o json | jq .summary.operations
}

rule_counters() {
	in_node iptables-save -c -t nat | grep -v '^#'
}

# Prints the number of connections of a real server since it was created.
connections() {
	in_node ipvsadm -Ln --stats --exact -t "$1" | awk -v rs="$2" '$2 == rs { print $3 }'
}

# writes_during COMMAND: runs it and sets WRITES to all changes that the kernel reported meanwhile.
writes_during() {
	local links tables status
	lab_background "$WORK_LAB/links" node ip -o monitor link address route
	links=$BACKGROUND_PID
	lab_background "$WORK_LAB/tables" node stdbuf -oL xtables-monitor --event
	tables=$BACKGROUND_PID
	# The monitors do not report when they listen.
	sleep $((PATIENCE / 2 + 1))
	"$@"
	status=$?
	sleep 0.5
	kill "$links" "$tables"
	wait "$links" "$tables" 2>/dev/null
	WRITES=$(cat "$WORK_LAB/links" "$WORK_LAB/tables" | grep -v -e fe80: -e ff02:)
	return $status
}

standing() {
	local before counters
	lab_up
	write_web
	must "the daemon starts" daemon_start
	hold_open 4 client tcp 10.96.0.10 80
	held=$HELD
	ask client -n 4 tcp 10.96.0.10 80 >/dev/null
	before=$(kernel_state)
	daemon_end TERM
	equal "SIGTERM ends the daemon with exit status 0" $? 0
	equal "SIGTERM does not change the kernel's state" "$(kernel_state)" "$before"
	hold_ask
	equal "connections continue without the daemon" "$HELD" "$held"
	equal "new connections work without the daemon" \
		"$(names "$(ask client -n 4 tcp 10.96.0.10 80)")" "a c"

	counters=$(rule_counters)
	writes_during daemon_start
	equal "the daemon starts again" $? 0
	equal "a restart with unchanged inputs causes no kernel notification" "$WRITES" ""
	equal "a restart with unchanged inputs makes no operation" "$(operations)" 0
	equal "a restart with unchanged inputs leaves the same state" "$(kernel_state)" "$before"
	equal "a restart does not reset the counters of the iptables rules" \
		"$(rule_counters)" "$counters"
	equal "a restart keeps the virtual servers" \
		"$(connections 10.96.0.10:80 $POD_A:8080)" 6
	daemon_end TERM
	check "--once without a difference succeeds" daemon_once
	equal "--once without a difference writes nothing" "$(kernel_state)" "$before"
	hold_ask
	equal "connections continued throughout" "$HELD" "$held"
	hold_close
}

daemon_once() {
	daemon_run --once --cluster-cidr "$CLUSTER_CIDR" --hostname-override node-a "$@"
}

away() {
	write_slices $POD_A $POD_B
	check "changes that were made without the daemon are programmed" \
		daemon_once --drain-timeout 0
	equal "the changed Service has its new real servers" "$(real_servers "-t 10.96.0.10:80")" \
		"$POD_A:8080 $POD_B:8080"
	equal "other Services are not changed" "$(connections 10.96.0.10:80 $POD_A:8080)" 6
	in_node ipvsadm -d -t 10.96.0.10:80 -r $POD_A:8080
	in_node ipvsadm -e -t 10.96.0.10:80 -r $POD_B:8080 -m -w 7
	in_node ipset del KUBE-CLUSTER-IP 10.96.0.53,udp:53
	in_node ip route del table local 10.96.0.53
	in_node iptables -t nat -F KUBE-SERVICES
	check "a start after damage by other programs succeeds" daemon_once --drain-timeout 0
	equal "a start repairs real servers" "$(ipvs | grep -F -- "-a -t 10.96.0.10:80")" \
		"-a -t 10.96.0.10:80 -r $POD_A:8080 -m -w 1
-a -t 10.96.0.10:80 -r $POD_B:8080 -m -w 1"
	check "a start repairs set members" in_node ipset -q test KUBE-CLUSTER-IP 10.96.0.53,udp:53
	check "a start repairs addresses" \
		grep -q 10.96.0.53 <<<"$(in_node ip route show table local)"
	check "a start repairs rules" grep -q -- '-A KUBE-SERVICES' <<<"$(in_node iptables-save)"
}

# once_under_strace OPTION...: runs --once under strace, to watch or fail its messages to the
# kernel.
once_under_strace() {
	in_node strace -qq -e trace=sendmsg,sendto "$@" \
		"$SVCD" --manifests "$MANIFESTS" --status-socket "$STATUS_SOCKET" --once \
		--cluster-cidr "$CLUSTER_CIDR" --hostname-override node-a >>"$DAEMON_LOG" 2>&1
}

# killed_at N: kills the daemon with SIGKILL before it sends its Nth message.
killed_at() {
	once_under_strace -o /dev/null -e inject=sendmsg,sendto:signal=KILL:when="$1" \
		2>/dev/null
	[ $? = 137 ]
}

many_services() {
	lab_again
	"$(dirname "$0")/../bench/generate" $SERVICES $ENDPOINTS "$WORK_LAB"
}

ends_right() {
	check "a restart after that succeeds" daemon_once
	equal "the state is correct after the restart" "$(kernel_state)" "$reference"
}

killed() {
	local messages reference entries filling
	many_services
	once_under_strace -o "$WORK/messages"
	equal "a start with $SERVICES Services succeeds" $? 0
	messages=$(grep -c '^send' "$WORK/messages")
	# IPVS gets the largest ones, about 32.
	filling=$(awk '/^send/ { n++ } / = [0-9][0-9][0-9][0-9][0-9]+$/ { at[++k] = n } END { print at[int((k + 1) / 2)] }' \
		"$WORK/messages")
	sort "$WORK_LAB/table" >"$WORK/wanted"
	ipvs >"$WORK/found"
	check "IPVS equals the manifests" cmp "$WORK/wanted" "$WORK/found"
	reference=$(kernel_state)

	many_services
	check "the daemon is killed after a third of its messages" killed_at $((messages / 3))
	ends_right

	many_services
	check "the daemon is killed while it fills IPVS" killed_at "$filling"
	entries=$(ipvs | wc -l)
	note "IPVS then holds $entries of $((SERVICES * (ENDPOINTS + 1))) entries"
	check "IPVS is then partly filled" \
		test "$entries" -gt 0 -a "$entries" -lt $((SERVICES * (ENDPOINTS + 1)))
	check "the daemon is killed again while it restarts" killed_at 100
	ends_right
}

standing
away
killed
tap_done

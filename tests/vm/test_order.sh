#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Clients that connect in a tight loop see nothing of what happens: not one connection is refused,
# reset, lost or comes through unmasqueraded while Services come, change and lose their endpoints,
# and while the daemon is restarted, killed and upgraded. Who may not come in does not, from the
# first moment on.
. "$(dirname "$0")/lab.sh"

NODE="192\.168\.(50|60)\.1"

# reach COMMAND...: what was begun comes true.
reach() {
	eventually 60 "$@" >"$WORK/reached" 2>&1 && return
	note "$(cat "$WORK/reached")"
	echo "Bail out! this was never reached: $*"
	exit 1
}

# write_web SPEC [ANNOTATIONS]: both beside what always stands there. Another Service changes its port
# each time, to tell when all of it is true.
written=1000
write_web() {
	local annotations=${2:-}
	written=$((written + 1))
	manifest web.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: written}
		spec: {clusterIP: 10.96.9.9, ports: [{port: $written}]}
		---
		apiVersion: v1
		kind: Service
		metadata: {name: web, annotations: {$annotations}}
		spec: {clusterIP: $WEB, ports: [{port: 80, targetPort: 8080, nodePort: 30080}], $1}
		status: {loadBalancer: {ingress: [{ip: $LB}]}}
	END
	reach written
}

written() {
	[ "$(ipvs | grep -- '-A -t 10\.96\.9\.9:')" = "-A -t 10.96.9.9:$written -s rr" ]
}

# write_slice ENDPOINT...: with the rest of the endpoint behind a comma.
write_slice() {
	local endpoint list=
	for endpoint in "$@"; do
		list+="{nodeName: node-a, addresses: [${endpoint%%,*}]"
		[[ $endpoint != *,* ]] || list+=",${endpoint#*,}"
		list+="}, "
	done
	manifest web-slice.yaml <<-END
		apiVersion: v1
		kind: List
		items:
		$(slice web-1 web IPv4 "[{port: 8080}]" "$list")
	END
}

real_servers_are() {
	[ "$(real_servers "-t $WEB:80")" = "$1" ]
}

creation() {
	local i
	lab_background "$WORK_LAB/serve-node" node "$PEER" serve node tcp:80 tcp:9999 tcp:8080
	reach grep -q serving "$WORK_LAB/serve-node"
	# What was forwarded before a Service came is known to conntrack, which decides about its
	# source address once: a SYN that is sent again would stay what it was.
	in_node ip route replace unreachable default
	must "the daemon starts with nothing to do" daemon_start
	for i in 1 2; do
		# What was there before may be draining still, and refuse.
		WEB=10.96.0.1$i LB=203.0.113.1$i
		loop_start create-client client tcp $WEB 80
		loop_start create-pod b tcp $WEB 80
		loop_start create-lb client -s 192.168.50.11 tcp $LB 80
		loop_start create-outsider client -s 192.168.50.12 tcp $LB 80
		loop_start create-daemon client tcp $WEB 9999
		loop_start create-daemon-lb client -s 192.168.50.12 tcp $LB 9999
		write_slice $POD_A $POD_C
		write_web "type: LoadBalancer, loadBalancerSourceRanges: [192.168.50.11/32]"
		loops_go_on
		check "a Service comes ($i): from its first answer on its cluster IP never fails" \
			loop_never_failed create-client "[ac] $NODE"
		check "for pods neither, who come as themselves" \
			loop_never_failed create-pod "[ac] $POD_B"
		check "nor its load balancer address for whom it is open" \
			loop_never_failed create-lb "[ac] $NODE"
		check "for others not one connection comes through" \
			loop_never_answered create-outsider
		check "no daemon of the node is reached on the cluster IP" \
			loop_never_answered create-daemon
		check "nor on the load balancer address" loop_never_answered create-daemon-lb
		rm "$MANIFESTS/web.yaml" "$MANIFESTS/web-slice.yaml"
		reach ipvs_lacks "$WEB:"
	done
}

# Those who must not notice anything. Two on one address would meet: an endpoint's answers to one
# client and port are told apart by nothing else, whichever address of ours it asked
# (ip_vs_conn_out_get()).
clients() {
	loop_start client client tcp $WEB 80
	loop_start lb client -s 192.168.50.11 tcp $LB 80
	loop_start pod b tcp $WEB 80
	loop_start node node tcp $WEB 80
}

# clients_saw_nothing SENTENCE SOURCE: of those of the load balancer address.
clients_saw_nothing() {
	check "$1: clients saw nothing" loop_never_failed client "[abc] $NODE"
	check "nor those of the load balancer address" loop_never_failed lb "[abc] $2"
	check "nor pods" loop_never_failed pod "[abc] ($POD_B|$NODE)"
	check "nor the node itself" loop_never_failed node "[abc] $NODE"
}

rolling() {
	WEB=10.96.0.10 LB=203.0.113.10
	local gone="conditions: {ready: false, serving: true, terminating: true}"
	write_slice $POD_A $POD_B
	write_web "type: LoadBalancer"
	reach real_servers_are "$POD_A:8080 $POD_B:8080"
	clients
	write_slice $POD_A "$POD_B, $gone" $POD_C
	reach real_servers_are "$POD_A:8080 $POD_C:8080"
	write_slice "$POD_A, $gone" $POD_B $POD_C
	reach real_servers_are "$POD_B:8080 $POD_C:8080"
	write_slice $POD_A $POD_B
	reach real_servers_are "$POD_A:8080 $POD_B:8080"
	loops_go_on
	clients_saw_nothing "endpoints roll one by one" "$NODE"
	clients
	for _ in 1 2; do
		write_slice "$POD_A, $gone" "$POD_B, $gone" $POD_C
		reach real_servers_are "$POD_C:8080"
		loops_go_on
		write_slice $POD_A $POD_B "$POD_C, $gone"
		reach real_servers_are "$POD_A:8080 $POD_B:8080"
		loops_go_on
	done
	clients_saw_nothing "all endpoints are replaced at once" "$NODE"
}

scheduler_is() {
	ipvs | grep -qw -e "-A -t $LB:80 -s $1"
}

schedulers() {
	local scheduler
	clients
	for scheduler in wlc sh lc rr; do
		write_web "type: LoadBalancer" "ipvsctl.io/scheduler: $scheduler"
		reach scheduler_is "$scheduler"
		loops_go_on
	done
	clients_saw_nothing "the scheduler changes" "$NODE"
}

types() {
	local type
	loop_start client client tcp $WEB 80
	loop_start pod b tcp $WEB 80
	loop_start node node tcp $WEB 80
	for type in ClusterIP NodePort LoadBalancer; do
		write_web "type: $type"
		loops_go_on
	done
	check "the type changes: clients saw nothing" loop_never_failed client "[abc] $NODE"
	check "nor pods" loop_never_failed pod "[abc] ($POD_B|$NODE)"
	check "nor the node itself" loop_never_failed node "[abc] $NODE"
}

policies() {
	loop_start lb client -s 192.168.50.11 tcp $LB 80
	loop_start pod b tcp $LB 80
	loop_start node node tcp $LB 80
	for _ in 1 2; do
		write_web "type: LoadBalancer, externalTrafficPolicy: Local"
		loops_go_on
		write_web "type: LoadBalancer, externalTrafficPolicy: Local" \
			"ipvsctl.io/scheduler: lc"
		loops_go_on
		write_web "type: LoadBalancer, loadBalancerSourceRanges: [192.168.50.0/24, 10.0.0.0/8]"
		loops_go_on
		write_web "type: LoadBalancer"
		loops_go_on
	done
	check "traffic policy and source ranges change: clients saw nothing" \
		loop_never_failed lb "[ab] ($NODE|192.168.50.11)"
	check "nor pods" loop_never_failed pod "[ab] ($POD_B|$NODE)"
	check "nor the node itself" loop_never_failed node "[ab] $NODE"
}

restarts() {
	clients
	for _ in 1 2; do
		daemon_end TERM
		daemon_start || return
		loops_go_on
		daemon_end KILL
		daemon_start || return
		loops_go_on
	done
	check "another daemon that is started beside it ends with an error" \
		not daemon_run --cluster-cidr "$CLUSTER_CIDR" --hostname-override node-a
	check "and the first one goes on" kill -0 "$DAEMON_PID"
	loops_go_on
	clients_saw_nothing "the daemon is restarted, killed and upgraded" "$NODE"
}

lab_up
creation
rolling
schedulers
types
policies
restarts
tap_done

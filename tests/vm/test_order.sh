#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests that clients which connect in a tight loop see no error: no connection is refused, reset,
# lost or unmasqueraded while the daemon starts with existing Services, while Services are created,
# change and lose their endpoints, and while the daemon is restarted, killed and upgraded. Clients
# without permission are kept out from the first moment on.
. "$(dirname "$0")/lab.sh"

NODE="(192\.168\.(50|60)\.1|fd00:(50|60)::1)"
declare -A V6=([$POD_A]=$POD_A6 [$POD_B]=$POD_B6 [$POD_C]=$POD_C6)

# reach COMMAND...: waits until the command succeeds.
reach() {
	eventually 60 "$@" >"$WORK/reached" 2>&1 && return
	note "$(cat "$WORK/reached")"
	echo "Bail out! this was never reached: $*"
	exit 1
}

# web N: sets the addresses of the Service that is written next.
web() {
	WEB=10.96.0.$1 WEB6=fd00:96::$1 LB=203.0.113.$1 LB6=fd00:113::$1
}

# write_web SPEC [ANNOTATIONS]: writes the Service with these and its usual fields. A second Service
# changes its port each time, which shows when everything is programmed, if a daemon runs.
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
		spec:
		  {clusterIP: $WEB, clusterIPs: [$WEB, "$WEB6"],
		  ports: [{port: 80, targetPort: 8080, nodePort: 30080}], $1}
		status: {loadBalancer: {ingress: [{ip: $LB}, {ip: "$LB6"}]}}
	END
	[ -z "$DAEMON_PID" ] || reach written
}

written() {
	[ "$(ipvs | grep -- '-A -t 10\.96\.9\.9:')" = "-A -t 10.96.9.9:$written -s rr" ]
}

# write_slice ENDPOINT...: an endpoint may have more fields behind a comma. IPv6 has the same pods.
write_slice() {
	local endpoint rest list='' list6=''
	for endpoint in "$@"; do
		rest=
		[[ $endpoint != *,* ]] || rest=",${endpoint#*,}"
		endpoint=${endpoint%%,*}
		list+="{nodeName: node-a, addresses: [$endpoint]$rest}, "
		list6+="{nodeName: node-a, addresses: ['${V6[$endpoint]}']$rest}, "
	done
	manifest web-slice.yaml <<-END
		apiVersion: v1
		kind: List
		items:
		$(slice web-1 web IPv4 "[{port: 8080}]" "$list")
		$(slice web-6 web IPv6 "[{port: 8080}]" "$list6")
	END
}

real_servers_are() {
	[ "$(real_servers "-t $WEB:80")" = "$1" ]
}

# come: starts clients before the Service exists. The node has servers on all of its addresses.
# There are ten clients, so that no pod reuses recent client ports (see loop_start), which conntrack
# would remember as unmasqueraded.
come() {
	loop_start create-client client tcp $WEB 80
	loop_start create-pod b tcp $WEB 80
	loop_start create-lb client -s 192.168.50.11 tcp $LB 80
	loop_start create-outsider client -s 192.168.50.12 tcp $LB 80
	loop_start create-daemon client tcp $WEB 9999
	loop_start create-daemon-lb client -s 192.168.50.12 tcp $LB 9999
	loop_start create-client-6 client -s $CLIENT_IP6 tcp $WEB6 80
	loop_start create-pod-6 b tcp $WEB6 80
	loop_start create-lb-6 client -s fd00:50::11 tcp $LB6 80
	loop_start create-outsider-6 client -s fd00:50::12 tcp $LB6 80
}

write_ranged_web() {
	write_slice $POD_A $POD_C
	write_web "type: LoadBalancer, loadBalancerSourceRanges: [192.168.50.11/32, 'fd00:50::11/128']"
}

# came SENTENCE: checks that the clients of come() got only the wanted answers.
came() {
	reach ask client -s 192.168.50.11 tcp $LB 80
	reach ask client -s fd00:50::11 tcp $LB6 80
	loops_go_on
	check "$1: the cluster IP never fails after its first answer" \
		loop_never_failed create-client "[ac] $NODE"
	check "$1: the cluster IP never fails for pods, unmasqueraded" \
		loop_never_failed create-pod "[ac] $POD_B"
	check "$1: the load balancer address never fails for admitted clients" \
		loop_never_failed create-lb "[ac] $NODE"
	check "$1: the load balancer address never answers other clients" \
		loop_never_answered create-outsider
	check "$1: the node's own servers do not answer on the cluster IP" \
		loop_never_answered create-daemon
	check "$1: the node's own servers do not answer on the load balancer address" \
		loop_never_answered create-daemon-lb
	check "$1: the IPv6 cluster IP never fails" \
		loop_never_failed create-client-6 "[ac] $NODE"
	check "$1: the IPv6 cluster IP never fails for pods" \
		loop_never_failed create-pod-6 "[ac] $POD_B6"
	check "$1: the IPv6 load balancer address never fails for admitted clients" \
		loop_never_failed create-lb-6 "[ac] $NODE"
	check "$1: the IPv6 load balancer address never answers other clients" \
		loop_never_answered create-outsider-6
}

remove_web() {
	rm "$MANIFESTS/web.yaml" "$MANIFESTS/web-slice.yaml"
	reach ipvs_lacks "$WEB:"
}

cold_start() {
	lab_background "$WORK_LAB/serve-node" node "$PEER" serve node tcp:80 tcp:9999 tcp:8080
	reach grep -q serving "$WORK_LAB/serve-node"
	# Conntrack decides about the source address of a connection once, so a SYN that was
	# forwarded before the Service existed stays unmasqueraded when it is sent again.
	in_node ip route replace unreachable default
	in_node ip -6 route del default
	in_node ip -6 route add unreachable default
	web 11
	write_ranged_web
	come
	must "the daemon starts on an empty kernel" daemon_start
	came "the daemon starts after the Service was created"
	remove_web
}

creation() {
	# The previous endpoint may still drain, and refuse connections.
	web 12
	come
	write_ranged_web
	came "a Service is created"
	remove_web
	# Without a route to an external address the node itself cannot connect to it.
	in_node ip route replace default via $CLIENT_IP
	in_node ip -6 route del unreachable default
	in_node ip -6 route add default via $CLIENT_IP6
}

# The clients that must see no error. Each has an address of its own, because IPVS finds the
# connection of an answer only by client address, client port and endpoint (ip_vs_conn_out_get()).
clients() {
	loop_start client client tcp $WEB 80
	loop_start lb client -s 192.168.50.11 tcp $LB 80
	loop_start pod b tcp $WEB 80
	loop_start node node tcp $WEB 80
	loop_start client-6 client tcp $WEB6 80
	loop_start pod-6 b tcp $WEB6 80
	loop_start node-6 node tcp $WEB6 80
}

# clients_saw_nothing SENTENCE SOURCE: SOURCE is what endpoints see of clients of the load balancer
# address.
clients_saw_nothing() {
	check "$1: clients saw no error" loop_never_failed client "[abc] $NODE"
	check "$1: clients of the load balancer address saw no error" \
		loop_never_failed lb "[abc] $2"
	check "$1: pods saw no error" loop_never_failed pod "[abc] ($POD_B|$NODE)"
	check "$1: the node saw no error" loop_never_failed node "[abc] $NODE"
	check "$1: IPv6 clients saw no error" loop_never_failed client-6 "[abc] $NODE"
	check "$1: IPv6 pods saw no error" loop_never_failed pod-6 "[abc] ($POD_B6|$NODE)"
	check "$1: the node saw no error over IPv6" loop_never_failed node-6 "[abc] $NODE"
}

rolling() {
	web 10
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
	check "the type changes: clients saw no error" loop_never_failed client "[abc] $NODE"
	check "the type changes: pods saw no error" loop_never_failed pod "[abc] ($POD_B|$NODE)"
	check "the type changes: the node saw no error" loop_never_failed node "[abc] $NODE"
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
	check "traffic policy and source ranges change: clients saw no error" \
		loop_never_failed lb "[ab] ($NODE|192.168.50.11)"
	check "traffic policy and source ranges change: pods saw no error" \
		loop_never_failed pod "[ab] ($POD_B|$NODE)"
	check "traffic policy and source ranges change: the node saw no error" \
		loop_never_failed node "[ab] $NODE"
}

# another_version: makes the state that another version of the daemon or another release of
# kube-proxy could have left: other rules in the same chains, one more jump, an unwanted chain, a
# set of another size.
another_version() {
	{
		cat "$(dirname "$0")/kube-proxy.rules"
		cat <<-END
			*nat
			:KUBE-SVC-OTHERVERSION2345 - [0:0]
			-A KUBE-SVC-OTHERVERSION2345 -j KUBE-MARK-MASQ
			-I KUBE-SERVICES -d 10.96.0.99/32 -j KUBE-SVC-OTHERVERSION2345
			-A PREROUTING -m comment --comment "service portals" -j KUBE-SERVICES
			COMMIT
		END
	} | in_node iptables-restore -w 5 --noflush &&
		in_node ipset restore <<-END
			create OTHER hash:ip,port family inet hashsize 4096 maxelem 1048576
			$(in_node ipset save KUBE-CLUSTER-IP | sed -n 's/^add KUBE-CLUSTER-IP/add OTHER/p')
			swap OTHER KUBE-CLUSTER-IP
			destroy OTHER
		END
}

sets_and_rules() {
	kernel_state | grep KUBE- | sort
}

as_before() {
	diff -u <(echo "$before") <(sets_and_rules)
}

restarts() {
	local before version
	before=$(sets_and_rules)
	clients
	for version in same another; do
		daemon_end TERM
		if [ $version = another ]; then
			must "another version leaves its state" another_version
			check "the state of the other version differs" not as_before
			loops_go_on
		fi
		daemon_start || return
		loops_go_on
		check "a restart repairs sets and rules ($version version)" \
			eventually 60 as_before
		daemon_end KILL
		daemon_start || return
		loops_go_on
	done
	check "a second daemon exits with an error" \
		not daemon_run --cluster-cidr "$CLUSTER_CIDR" --hostname-override node-a
	check "the first daemon keeps running" kill -0 "$DAEMON_PID"
	loops_go_on
	clients_saw_nothing "the daemon is restarted, killed and upgraded" "$NODE"
}

lab_up
cold_start
creation
rolling
schedulers
types
policies
restarts
tap_done

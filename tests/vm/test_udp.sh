#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests that a client which keeps sending from one UDP port follows the endpoints of its Service,
# and that other entries of the connection table stay.
. "$(dirname "$0")/lab.sh"

VIP=10.96.0.53
VIP_LATE=10.96.0.54
NODE_PORT=30053

# slices NAME ENDPOINT...
slices() {
	local endpoint name=$1 list=
	shift
	for endpoint in "$@"; do
		list+="{addresses: [$endpoint], nodeName: node-a}, "
	done
	{
		echo "apiVersion: v1"
		echo "kind: List"
		echo "items:"
		slice "$name-1" "$name" IPv4 "[{port: 5353, protocol: UDP}]" "$list"
	} | manifest "$name-slices.yaml"
}

# The Service has the pods' port, so that clients of the pods use the same number.
dns() {
	manifest dns.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: dns}
		spec:
		  type: NodePort
		  clusterIP: $VIP
		  ports: [{port: 5353, nodePort: $NODE_PORT, protocol: UDP}]
	END
}

late() {
	manifest late.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: late}
		spec: {clusterIP: $VIP_LATE, ports: [{port: 5353, protocol: UDP}]}
	END
}

# entries ADDRESS PORT [POD]: prints the ids of the entries of packets sent there; with POD, those
# that POD answers.
entries() {
	in_node conntrack -L -o id -p udp --orig-dst "$1" --dport "$2" ${3:+--reply-src "$3"} \
		2>/dev/null |
		grep -o 'id=[0-9]*' | sort
}

has_no_entry() {
	[ -z "$(entries "$@")" ]
}

# Created by hand, because nothing answers there and it must outlive the test.
unrelated() {
	in_node conntrack -I -p udp -s "$CLIENT_IP" -d "$1" --sport 40000 --dport "$2" -t 600 \
		>/dev/null 2>&1
}

answers_on_the_same_socket() {
	hold_ask
	echo "$HELD"
	[ "$(names "$HELD")" = "$1" ]
}

# choose: of the pods a and c, sets GONE to the one that answered, and STAYS and STAYS_NAME to the
# other one.
choose() {
	if [ "$(names "$HELD")" = a ]; then
		GONE=$POD_A STAYS=$POD_C STAYS_NAME=c
	else
		GONE=$POD_C STAYS=$POD_A STAYS_NAME=a
	fi
}

endpoint_leaves() {
	local other_id
	slices dns $POD_A $POD_C
	dns
	must "the daemon starts" daemon_start --metrics-bind-address 127.0.0.1:10249
	# No entry expires during the test.
	in_node sysctl -qw net.netfilter.nf_conntrack_udp_timeout=3600 \
		net.netfilter.nf_conntrack_udp_timeout_stream=3600
	unrelated 203.0.113.99 5353
	unrelated 192.168.60.2 $NODE_PORT
	unrelated 10.96.9.9 5353
	hold_open 1 client udp $VIP 5353
	check "a client gets an answer" grep -q '^[ac] ' <<<"$HELD"
	choose
	other_id=$(entries 203.0.113.99 5353; entries 192.168.60.2 $NODE_PORT; entries 10.96.9.9 5353)
	slices dns $STAYS
	check "the endpoint of the client is removed" \
		eventually 5 real_servers_are "$STAYS:5353" "-u $VIP:5353"
	check "the entry that led to the removed endpoint is deleted" \
		eventually 5 has_no_entry $VIP 5353 $GONE
	check "the other endpoint answers the next datagram from the same port" \
		answers_on_the_same_socket $STAYS_NAME
	hold_close
	equal "entries to the same port numbers elsewhere stay" \
		"$(entries 203.0.113.99 5353; entries 192.168.60.2 $NODE_PORT; entries 10.96.9.9 5353)" \
		"$other_id"
	equal "there are three such entries" "$(wc -l <<<"$other_id")" 3
}

real_servers_are() {
	local found
	found=$(real_servers "$2")
	echo "$found"
	[ "$found" = "$1" ]
}

endpoint_stays() {
	local id
	hold_open 1 client udp $NODE_IP $NODE_PORT
	id=$(entries $NODE_IP $NODE_PORT)
	slices dns $POD_A $POD_B $POD_C
	eventually 5 real_servers_are "$POD_A:5353 $POD_B:5353 $POD_C:5353" \
		"-u $VIP:5353" >/dev/null
	sleep 1.5
	equal "an entry to a remaining endpoint stays" "$(entries $NODE_IP $NODE_PORT)" "$id"
	check "the client of a remaining endpoint gets answers" \
		answers_on_the_same_socket "$(names "$HELD")"
	hold_close
}

# Clients that sent before the Service existed or had an endpoint.
first_endpoint() {
	hold_open 1 client udp $VIP_LATE 5353
	equal "an address without a Service does not answer" "$HELD" timeout
	late
	slices late
	check "a Service without endpoints is created" \
		eventually 5 ipvs_has "-A -u $VIP_LATE:5353 -s rr"
	hold_ask
	check "a Service without endpoints does not answer" not grep -q '^[abc]' <<<"$HELD"
	slices late $POD_C
	check "the Service gets its first endpoint" \
		eventually 5 real_servers_are "$POD_C:5353" "-u $VIP_LATE:5353"
	check "the client that sent in vain gets an answer on the same socket" \
		eventually 5 answers_on_the_same_socket c
	hold_close
	# Since Linux 5.9 IPVS itself deletes the entries of a removed endpoint, except for this
	# one, which it does not know.
	check "the daemon counts the deleted entries" has_deleted
}

has_deleted() {
	in_node curl -s http://127.0.0.1:10249/metrics |
		grep '^kubeproxy_conntrack_reconciler_deleted_entries_total{ip_family="IPv4"} [1-9]'
}

killed() {
	slices dns $POD_A $POD_C
	eventually 5 real_servers_are "$POD_A:5353 $POD_C:5353" "-u $VIP:5353" >/dev/null
	hold_open 1 client udp $VIP 5353
	choose
	daemon_end KILL
	slices dns $STAYS
	check "the daemon restarts after an endpoint was removed" daemon_start
	check "the entry that led to the removed endpoint is deleted at start" \
		eventually 5 has_no_entry $VIP 5353 $GONE
	check "the other endpoint answers the client" answers_on_the_same_socket $STAYS_NAME
	hold_close
}

lab_up
endpoint_leaves
endpoint_stays
first_endpoint
killed
daemon_end TERM
tap_done

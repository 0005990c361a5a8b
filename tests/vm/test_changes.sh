#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests changes of manifests while the daemon runs: they reach the kernel quickly, and nothing else
# changes.
. "$(dirname "$0")/lab.sh"

LIMIT_MS=100
VS="-t 10.96.0.10:80"

web_service() {
	manifest web.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  type: NodePort
		  clusterIP: 10.96.0.10
		  ports: [{port: 80, nodePort: 30080}]
	END
}

# web_slice PORT ENDPOINT...: an endpoint is an address, followed by more fields as in "10.244.1.11,
# conditions: {ready: false}".
slice_text() {
	local port=$1 endpoint list=
	shift
	for endpoint in "$@"; do
		list+="{nodeName: node-a, addresses: [${endpoint%%,*}]"
		[[ $endpoint != *,* ]] || list+=",${endpoint#*,}"
		list+="}, "
	done
	echo "apiVersion: v1"
	echo "kind: List"
	echo "items:"
	slice web-1 web IPv4 "[{port: $port}]" "$list"
}

web_slice() {
	slice_text "$@" | manifest web-slice.yaml
}

# Use the median, because a busy machine stalls now and then.
measure_edits() {
	local port us median times=
	for port in 9001 9002 9003 9004 9005; do
		slice_text "$port" $POD_A $POD_B >"$WORK_LAB/new"
		us=$(in_node "$PEER" change "$WORK_LAB/new" "$MANIFESTS/web-slice.yaml" \
			10.96.0.10 80 $POD_B "$port") || return
		times+="$us "
		eventually 5 real_servers_are "$POD_A:$port $POD_B:$port" || return
	done
	note "from the rename to the kernel, microseconds: $times" >&3
	median=$(tr ' ' '\n' <<<"$times" | grep . | sort -n | sed -n 3p)
	[ "$median" -le $((LIMIT_MS * 1000 * SLOW)) ]
}

real_servers_are() {
	local found
	found=$(real_servers "${2:-$VS}")
	echo "$found"
	[ "$found" = "$1" ]
}

only_answers() {
	local answers
	answers=$(ask client -n 4 tcp 10.96.0.10 80)
	echo "$answers"
	[ "$(names "$answers")" = "$1" ]
}

edits() {
	exec 3>&1
	check "an edited manifest reaches the kernel within $LIMIT_MS ms (times $SLOW here)" \
		measure_edits
	exec 3>&-
	web_slice 8080 $POD_A $POD_B
	check "after the edits the original real servers are back" \
		eventually 5 real_servers_are "$POD_A:8080 $POD_B:8080"
	check "the NodePort's virtual server has the same real servers" \
		real_servers_are "$POD_A:8080 $POD_B:8080" "-t $NODE_IP:30080"
}

readiness() {
	web_slice 8080 "$POD_A" "$POD_B, conditions: {ready: false}"
	check "a pod that is not ready is removed" eventually 5 only_answers a
	check "a pod that is not ready gets no connection" only_answers a
	web_slice 8080 "$POD_A" "$POD_B, conditions: {ready: true}"
	check "the pod returns when it is ready" eventually 5 only_answers "a b"
	web_slice 8080 "$POD_A" "$POD_B, conditions: {ready: false, serving: true, terminating: true}"
	check "a terminating pod is removed while others are ready" eventually 5 only_answers a
	web_slice 8080 "$POD_B, conditions: {ready: false, serving: true, terminating: true}"
	check "a terminating pod is used if no other is ready" eventually 5 only_answers b
	web_slice 8080 $POD_A $POD_B
	eventually 5 only_answers "a b" >/dev/null
}

files() {
	manifest other.json <<-END
		{"apiVersion": "v1", "kind": "List", "items": [
		 {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "other"},
		  "spec": {"clusterIP": "10.96.0.11", "ports": [{"port": 80}]}},
		 {"apiVersion": "v1", "kind": "Endpoints", "metadata": {"name": "other"},
		  "subsets": [{"addresses": [{"ip": "$POD_C"}], "ports": [{"port": 8080}]}]}]}
	END
	check "a new file in JSON adds its Service" \
		eventually 5 ipvs_has "-a -t 10.96.0.11:80 -r $POD_C:8080 -m -w 1"
	equal "the Service of the JSON file carries traffic" \
		"$(names "$(ask client -n 2 tcp 10.96.0.11 80)")" c
	sed -i "s/$POD_C/$POD_A/" "$MANIFESTS/other.json"
	check "an edit with sed -i is programmed" \
		eventually 5 real_servers_are "$POD_A:8080" "-t 10.96.0.11:80"
	sed "s/$POD_A/$POD_B/" "$MANIFESTS/other.json" >"$WORK_LAB/text"
	cat "$WORK_LAB/text" >"$MANIFESTS/other.json"
	check "an edit in place is programmed" \
		eventually 5 real_servers_are "$POD_B:8080" "-t 10.96.0.11:80"
	mv "$MANIFESTS/other.json" "$WORK_LAB/moved.json"
	check "the Service of a deleted file is removed" \
		eventually 5 ipvs_lacks 10.96.0.11
	check "the set members of a deleted file's Service are removed" \
		not grep -qF 10.96.0.11 <<<"$(in_node ipset save)"
	check "the address of a deleted file's Service is removed" \
		not grep -qF 10.96.0.11 <<<"$(in_node ip route show table local)"
	check "a deleted Service does not answer" unanswered client tcp 10.96.0.11 80
}

mistakes() {
	local before
	before=$(kernel_state)
	manifest web-slice.yaml <<-END
		apiVersion: v1
		kind: [Endpoints
		metadata: {name: web}
	END
	check "a syntax error is reported with its file and line" \
		eventually 5 grep -Eq 'web-slice\.yaml.* line=[0-9]+' "$DAEMON_LOG"
	equal "a syntax error changes nothing in the kernel" "$(kernel_state)" "$before"
	manifest broken.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: broken}
		spec: {clusterIP: 10.96.0.300, ports: [{port: 80}]}
	END
	check "a bad address is reported with its object and field" \
		eventually 5 grep -Eq 'broken.*clusterIP' "$DAEMON_LOG"
	equal "a bad address changes nothing in the kernel" "$(kernel_state)" "$before"
	rm "$MANIFESTS/broken.yaml"
	web_slice 8080 $POD_A
	check "a corrected file is programmed" eventually 5 real_servers_are "$POD_A:8080"
	web_slice 8080 $POD_A $POD_B
	eventually 5 real_servers_are "$POD_A:8080 $POD_B:8080" >/dev/null
}

draining() {
	local answers
	daemon_end TERM
	daemon_start --drain-timeout 10m
	web_slice 8080 $POD_B
	eventually 5 real_servers_are "$POD_B:8080" >/dev/null
	hold_open 2 client tcp 10.96.0.10 80
	web_slice 8080 $POD_A
	check "a real server with connections drains when its pod is removed" \
		eventually 5 ipvs_has "-a $VS -r $POD_B:8080 -m -w 0"
	check "new connections avoid the draining real server" only_answers a
	hold_ask
	equal "connections to the draining real server continue" "$(names "$HELD")" b
	web_slice 8080 $POD_A $POD_B
	check "a pod that returns gets its weight back" \
		eventually 5 ipvs_has "-a $VS -r $POD_B:8080 -m -w 1"
	check "a pod that returns gets connections" only_answers "a b"
	hold_ask
	equal "connections continue after the pod has returned" "$(names "$HELD")" b
	hold_close
	daemon_end TERM
	daemon_start --drain-timeout 1s
}

node_addresses() {
	in_node ip addr add 192.168.50.2/24 dev eth0
	check "a new address of the node gets the NodePorts" \
		eventually 5 ipvs_has "-a -t 192.168.50.2:30080 -r $POD_A:8080 -m -w 1"
	in_node ip addr del 192.168.50.2/24 dev eth0
	check "a removed address of the node loses its NodePorts" \
		eventually 5 ipvs_lacks 192.168.50.2
}

# A watch of the directory does not report changes of a file behind a symbolic link.
hangup() {
	manifest linked.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: linked}
		spec: {clusterIP: 10.96.0.12, ports: [{port: 80}]}
	END
	eventually 5 ipvs_has "-A -t 10.96.0.12:80 -s rr" >/dev/null
	mv "$MANIFESTS/linked.yaml" "$WORK_LAB/target.yaml"
	ln -s "$WORK_LAB/target.yaml" "$MANIFESTS/linked.yaml"
	eventually 5 ipvs_has "-A -t 10.96.0.12:80 -s rr" >/dev/null
	sed -i 's/port: 80/port: 81/' "$WORK_LAB/target.yaml"
	kill -HUP "$DAEMON_PID"
	check "SIGHUP reads the manifests again" eventually 5 ipvs_has "-A -t 10.96.0.12:81 -s rr"
	check "SIGHUP removes the old port" eventually 5 ipvs_lacks 10.96.0.12:80
	check "the daemon keeps running after SIGHUP" kill -0 "$DAEMON_PID"
}

lab_up
web_service
web_slice 8080 $POD_A $POD_B
must "the daemon starts" daemon_start --drain-timeout 1s
edits
readiness
files
mistakes
draining
node_addresses
hangup
tap_done

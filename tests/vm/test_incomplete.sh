#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests starts with an input that cannot be read completely: what worked before keeps working.
. "$(dirname "$0")/lab.sh"

# The Service web has an external IP and a node port whose traffic policy is Local.
write_web() {
	manifest web.yaml <<-END
		apiVersion: v1
		kind: Service
		metadata: {name: web}
		spec:
		  type: NodePort
		  externalTrafficPolicy: Local
		  clusterIP: 10.96.0.10
		  externalIPs: [198.51.100.7]
		  ports: [{port: 80, targetPort: 8080, nodePort: 30080}]
	END
}

write_web_slice() {
	manifest web-slice.yaml <<-END
		apiVersion: v1
		kind: List
		items:
		$(slice web-1 web IPv4 "[{port: 8080}]" \
		"{addresses: [$POD_A], nodeName: node-a}, {addresses: [$POD_C], nodeName: node-b}")
	END
}

write_shop() {
	manifest shop.yaml <<-END
		apiVersion: v1
		kind: List
		items:
		- {apiVersion: v1, kind: Service, metadata: {name: shop},
		   spec: {clusterIP: 10.96.0.20, ports: [{port: 80}]}}
		$(slice shop-1 shop IPv4 "[{port: 8080}]" "{addresses: [$1]}")
	END
}

web_works() {
	equal "$1: a pod reaches web" "$(names "$(ask b -n 20 tcp 10.96.0.10 80)")" "a c"
	equal "$1: the client reaches its node port, with its address" \
		"$(ask client tcp $NODE_IP 30080)" "a $CLIENT_IP"
	equal "$1: the client reaches its external IP, with its address" \
		"$(ask client tcp 198.51.100.7 80)" "a $CLIENT_IP"
}

shop_is() {
	equal "$1: shop, which can be read, has its new endpoint" \
		"$(names "$(ask b -n 4 tcp 10.96.0.20 80)")" "$2"
}

status() {
	in_node "$SVC" status --socket "$STATUS_SOCKET"
}

once() {
	daemon_run --once --drain-timeout 0 --cluster-cidr "$CLUSTER_CIDR" \
		--hostname-override node-a "$@" >>"$DAEMON_LOG" 2>&1
}

complete() {
	in_node "$SVC" status --socket "$STATUS_SOCKET" -o json |
		json_says '.input.complete and .summary.pending == 0 and .unknown == []'
}

incomplete() {
	local backend=$1
	lab_up
	write_web
	write_web_slice
	write_shop $POD_A
	must "$backend: the daemon starts" daemon_start --backend "$backend"
	web_works "$backend"
	daemon_end TERM

	# Half of the Service, and a file of its slices that cannot be parsed.
	head -c 60 "$MANIFESTS/web.yaml" >"$WORK_LAB/half"
	manifest web.yaml <"$WORK_LAB/half"
	write_shop $POD_C
	once --backend "$backend"
	equal "$backend: --once fails on half a manifest" $? 1
	web_works "$backend, --once with half a manifest"
	shop_is "$backend, --once" c
	check "$backend: the daemon starts nevertheless" \
		daemon_start --backend "$backend" --drain-timeout 0
	web_works "$backend, started with half a manifest"
	check "$backend: status shows what it does not know" \
		grep -Eq '80/TCP .* 10\.96\.0\.10 .* Unknown \(input incomplete\)' <<<"$(status)"
	check "$backend: status warns" grep -q '^Warning: the input is incomplete' <<<"$(status)"
	kill -HUP "$DAEMON_PID"
	sleep 1
	web_works "$backend, SIGHUP"

	# The Service is there again, and its slices cannot be parsed.
	daemon_end TERM
	manifest web-slice.yaml <<<"kind: [ # web"
	write_web
	check "$backend: the daemon starts again" \
		daemon_start --backend "$backend" --drain-timeout 0
	web_works "$backend, without endpoints"
	check "$backend: status names the Service" \
		grep -Eq '^default +web .* Unknown \(input incomplete\)' <<<"$(status)"
	rm "$MANIFESTS/web-slice.yaml"
	check "$backend: the input is complete in the end" eventually 10 complete
	check "$backend: then a Service without endpoints has none" \
		unanswered b tcp 10.96.0.10 80
	write_web_slice
	check "$backend: and the next one" eventually 10 complete
	web_works "$backend, in the end"
	rm "$MANIFESTS"/web*
	check "$backend: a Service that is gone goes" eventually 10 unanswered b tcp 10.96.0.10 80
}

incomplete ipvs
lab_down
incomplete iptables
tap_done

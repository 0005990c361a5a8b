#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests examples/quickstart.sh, with IPVS or the fallback, and that it leaves nothing behind.
. "$(dirname "$0")/tap.sh"

quickstart() {
	"$(dirname "$0")/../../examples/quickstart.sh" >"$WORK/said" 2>&1 &
	scene=scene$!
	wait $! && return
	cat "$WORK/said"
	return 1
}

# shown TITLE: prints the lines below this title.
shown() {
	awk -v title="== $1" '/^== / { wanted = index($0, title) == 1; next } wanted' "$WORK/said"
}

# shows TITLE PATTERN: whether a line below this title matches.
shows() {
	shown "$1" | tee "$WORK/shown" | grep -q -- "$2" || {
		cat "$WORK/shown"
		return 1
	}
}

says() {
	grep -q -- "$1" "$WORK/said" || {
		cat "$WORK/said"
		return 1
	}
}

pages() {
	shown "The client fetches $1" | grep . | sort -u
}

# Prints the names of what doctor finds.
findings() {
	shown "ipvsctl-svc doctor" | sed -nE 's/^([a-z-]+): .*/\1/p' | xargs
}

both="Hello from backend-1
Hello from backend-2"

must "the quickstart succeeds" quickstart
equal "both backends answer through the ClusterIP" "$(pages http://10.96.0.80/)" "$both"
equal "both backends answer through the NodePort" "$(pages http://192.168.50.1:30080/)" "$both"
check "status has the Service" shows "ipvsctl-svc status" '^shop .* web .* 2/2 .* OK$'
if unshare --net ipvsadm -Ln >/dev/null 2>&1; then
	check "status names the backend" shows "ipvsctl-svc status" 'Backend: ipvs '
	check "the kernel holds both endpoints" shows "What the kernel holds" '10.244.1.12:8080 '
	check "doctor finds nothing wrong" shows "ipvsctl-svc doctor" '^Nothing is wrong.$'
	equal "doctor has a note about time-outs" "$(findings)" tcp-timeout
else
	check "the quickstart announces the fallback" says '^== .* FALL BACK TO IPTABLES'
	check "the daemon logs the fallback" shows "On the node" 'going on with iptables'
	check "status warns of the fallback" \
		shows "ipvsctl-svc status" '^Warning: IPVS cannot be used'
	check "status names the backend" shows "ipvsctl-svc status" 'Backend: iptables '
	check "the kernel holds both endpoints" shows "What the kernel holds" '10.244.1.12:8080$'
	equal "doctor finds the fallback, and nothing else" "$(findings)" fallback
fi
check "the quickstart reports success at the end" says '^== Success: .* nothing is left behind'
equal "the quickstart leaves no namespace" "$(ip netns list | grep "^$scene-")" ""
tap_done

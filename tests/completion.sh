#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# completion.sh IPVSCTL-SVC IPVSCTL-SVCD: tests the completions for bash, zsh and fish, which use --help and
# the daemon's Services, the width of --help, and the options before the command. Prints TAP.
set -u
svc=$(realpath "$1") svcd=$(realpath "$2")
cd "$(dirname "$0")/.." || exit 1
. examples/bash-completion/ipvsctl-svc
n=0 bad=0
work=$(mktemp -d) || exit 1
trap 'kill "$daemon"; rm -rf "$work"' EXIT

# A daemon that only has a status; the last name would run a program if a shell expanded it.
coproc python3 - "$work/sock" <<-'END'
	import json, socketserver, sys
	services = [{"namespace": "shop", "name": "web"}, {"namespace": "shop", "name": "cart"},
	            {"namespace": "infra", "name": "web"}, {"namespace": "x", "name": "$(touch bad)"}]
	body = json.dumps({"kind": "Status", "services": services}).encode()

	class Handler(socketserver.StreamRequestHandler):
	    def handle(self):
	        while self.rfile.readline().strip():
	            pass
	        self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

	server = socketserver.UnixStreamServer(sys.argv[1], Handler)
	print("ready", flush=True)
	server.serve_forever()
END
daemon=$COPROC_PID
read -r _ <&"${COPROC[0]}"

# point VERDICT SENTENCE [TEXT]
point() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		bad=1
		echo "not ok $n - $2"
		sed 's/^/# /' <<<"${3-}"
	fi
}

names=$("$svc" status -o name --socket "$work/sock")
[ "$names" = $'shop/web\nshop/cart\ninfra/web\nx/$(touch bad)' ]
point $? "status -o name prints the names of Services" "$names"
"$svc" status -o name --socket "$work/none" >/dev/null 2>&1
[ $? = 3 ]
point $? "status -o name exits with 3 without the daemon"

# completes WORDS PATTERN COUNT: the last word has COUNT completions that match PATTERN.
completes() {
	local line=() found
	read -ra line <<<"$1"
	[ "${1% }" = "$1" ] || line+=("")
	COMP_WORDS=("${line[@]}") COMP_CWORD=$((${#line[@]} - 1)) COMPREPLY=()
	_ipvsctl_svc "$program"
	found=$(printf '%s\n' "${COMPREPLY[@]}" | grep -cx -e "$2")
	n=$((n + 1))
	if [ "$found" = "$3" ]; then
		echo "ok $n - \"$1\" has $3 completions like $2"
	else
		bad=1
		echo "not ok $n - \"$1\" has $3 completions like $2"
		printf '# %s\n' "${COMPREPLY[@]}"
	fi
}

program=$svc
completes "ipvsctl-svc " "status\|plan" 2
completes "ipvsctl-svc st" ".*" 1
completes "ipvsctl-svc cleanup --d" "--dry-run" 1
completes "ipvsctl-svc status --s" "--socket\|--sort-by" 2
completes "ipvsctl-svc plan --sch" "--scheduler" 1
completes "ipvsctl-svc plan man" "..*" 0
completes "ipvsctl-svc status --socket $work/sock " ".*" 3
completes "ipvsctl-svc conns --socket $work/sock shop/" "shop/web\|shop/cart" 2
completes "ipvsctl-svc explain --socket $work/sock infra" "infra/web" 1
completes "ipvsctl-svc top --socket $work/sock -n " "shop\|infra\|x" 2
completes "ipvsctl-svc status --socket $work/none " "..*" 0

# in_shell SHELL WORDS WANTED: what the completion of another shell offers, sorted, in one line.
in_shell() {
	local found
	if ! command -v "$1" >/dev/null; then
		n=$((n + 1))
		echo "ok $n - $1 completes \"$2\" # SKIP $1 is missing"
		return
	fi
	found=$(PATH=$(dirname "$svc"):$PATH "complete_in_$1" "$2" | sort | tr '\n' ' ')
	[ "$found" = "$3 " ]
	point $? "$1 completes \"$2\"" "$found"
}

complete_in_fish() {
	fish --no-config -c "source examples/fish-completion/ipvsctl-svc.fish; complete -C '$1'"
}

# Without a terminal there is no completion system, so compadd only prints.
complete_in_zsh() {
	local line=()
	read -ra line <<<"$1"
	[ "${1% }" = "$1" ] || line+=("")
	zsh -fc '
		compadd() { local -a found; found=(${(P)@[-1]}); print -rl -- ${(M)found:#$words[CURRENT]*}; }
		_files() { :; }
		words=("$@") CURRENT=$#
		. examples/zsh-completion/_ipvsctl-svc' zsh "${line[@]}"
}

for shell in zsh fish; do
	in_shell $shell "ipvsctl-svc st" "status"
	in_shell $shell "ipvsctl-svc cleanup --d" "--dry-run"
	in_shell $shell "ipvsctl-svc conns --socket $work/sock shop/" "shop/cart shop/web"
	in_shell $shell "ipvsctl-svc top --socket $work/sock -n s" "shop"
done
[ ! -e bad ]
point $? "no name is expanded by a shell"

program=$svcd
completes "ipvsctl-svcd --kubec" "--kubeconfig" 1
completes "ipvsctl-svcd --log-l" "--log-level" 1
completes "ipvsctl-svcd --no-such" "..*" 0

# narrow COMMAND...: no line of its --help is wider than 100 columns.
narrow() {
	n=$((n + 1))
	if "$@" --help | awk 'length > 100 { print "# " $0; bad = 1 } END { exit bad || !NR }'; then
		echo "ok $n - ${*##*/} --help fits into 100 columns"
	else
		bad=1
		echo "not ok $n - ${*##*/} --help fits into 100 columns"
	fi
}

narrow "$svcd"
narrow "$svc"
for command in status explain plan preflight top conns doctor cleanup; do
	narrow "$svc" $command
done

# says WORDS PATTERN CODE: ipvsctl-svc prints a line like that and exits with that code.
says() {
	local out code
	# shellcheck disable=SC2086 # words
	out=$("$svc" $1 2>&1)
	code=$?
	n=$((n + 1))
	if [ $code = "$3" ] && grep -q -e "$2" <<<"$out"; then
		echo "ok $n - \"ipvsctl-svc $1\" says \"$2\""
	else
		bad=1
		echo "not ok $n - \"ipvsctl-svc $1\" says \"$2\""
		echo "$out" | sed 's/^/# /'
	fi
}

says "--version" "^ipvsctl-svc [0-9]" 0
says "-h" "^Usage: ipvsctl-svc COMMAND" 0
says "--version=false status --help" "^Usage: ipvsctl-svc status" 0
says "--help=false --version=true" "^ipvsctl-svc [0-9]" 0
says "--help=false" "^Usage: ipvsctl-svc COMMAND" 2
says "--version=maybe" "^ipvsctl-svc: --version: \"maybe\" is neither true nor false" 2
says "dance" "^ipvsctl-svc: no command \"dance\"" 2
echo "1..$n"
exit $bad

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Tests examples/kubectl-plugin with a kubectl that tells what it is asked. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit
. tests/source_tap.sh
work=$(mktemp -d) || exit
trap 'rm -rf "$work"' EXIT

# Two nodes; on the second one commands end with 1.
cat >"$work/kubectl" <<'END'
#!/bin/sh
printf '%s\n' "$*" >>"$WORK/calls"
for word; do
	case $word in
	spec.nodeName=nowhere | *,spec.nodeName=nowhere) exit 0 ;;
	*spec.nodeName=node-b) echo "node-b kube-system ipvs-b"; exit 0 ;;
	status.phase=Running) printf 'node-a kube-system ipvs-a\nnode-b kube-system ipvs-b\n'; exit 0 ;;
	exec)
		while [ "$1" != exec ]; do shift; done
		shift
		printf '<%s>' "$@"
		echo
		case $* in *ipvs-b*) exit 1 ;; esac
		exit 0
		;;
	esac
done
END
chmod +x "$work/kubectl"

# ask ARGUMENT...: prints what is written, and the exit code.
ask() {
	WORK=$work PATH=$work:$PATH examples/kubectl-plugin/kubectl-ipvs "$@" 2>&1 </dev/null
	echo "exit $?"
}

# is NAME WANT ARGUMENT...
is() {
	name=$1 want=$2
	shift 2
	got=$(ask "$@")
	point "$name" "$([ "$got" = "$want" ] || printf 'got:\n%s\nwant:\n%s\n' "$got" "$want")"
}

is "it runs on every node, and the worst code counts" "==> node-a <==
<-n><kube-system><ipvs-a><-c><ipvsctl-svcd><--><ipvsctl-svc><status>
==> node-b <==
<-n><kube-system><ipvs-b><-c><ipvsctl-svcd><--><ipvsctl-svc><status>
exit 1" status
is "or on one" "<-n><kube-system><ipvs-b><-c><ipvsctl-svcd><--><ipvsctl-svc><explain><10.96.0.10:80>
exit 1" explain 10.96.0.10:80 --node node-b
is "words stay what they are" "<-n><kube-system><ipvs-b><-c><ipvsctl-svcd><--><ipvsctl-svc><explain><it's \"a\" \$b>
exit 1" --context='my own' explain "it's \"a\" \$b" --node=node-b
point "options before the command are kubectl's" "$(
	grep -q '^--context=my own exec ' "$work/calls" || cat "$work/calls"
)"
is "a node without a pod is told" "kubectl ipvs: no pod of ipvsctl-svcd runs on node nowhere
exit 5" status --node nowhere
point "without a command it tells its usage" "$(ask | grep -q '^exit 2$' || ask)"
points_end

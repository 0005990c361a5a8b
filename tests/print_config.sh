#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# print_config.sh IPVSCTL-SVCD
#
# --print-config shows the warnings of a start on standard error, and nothing but the configuration
# on standard output. Prints TAP.
set -u
svcd=$1
dir=$(mktemp -d) || exit
trap 'rm -rf "$dir"' EXIT

cat >"$dir/config.yaml" <<'END'
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mood: ipvs
winkernel:
  enableDSR: true
END
"$svcd" --config "$dir/config.yaml" --cluster-cidr 10.0.0.0/8 --print-config >"$dir/out" 2>"$dir/err"
status=$?
cat >"$dir/want" <<END
ipvsctl-svcd: warning: $dir/config.yaml:3:7: KubeProxyConfiguration.mood: unknown key, ignored; did you mean mode?
ipvsctl-svcd: warning: ignored beside a configuration file, as in kube-proxy; set them in the file: --cluster-cidr
ipvsctl-svcd: warning: accepted without effect: winkernel.enableDSR
END
echo 1..2
if [ $status = 0 ] && diff "$dir/want" "$dir/err" >"$dir/diff"; then
	echo "ok 1 - every warning is shown"
else
	echo "not ok 1 - every warning is shown"
	sed 's/^/# /' "$dir/diff"
fi
if [ "$(head -n 1 "$dir/out")" = "apiVersion: kubeproxy.config.k8s.io/v1alpha1" ] &&
	! grep -q warning "$dir/out"; then
	echo "ok 2 - standard output has only the configuration"
else
	echo "not ok 2 - standard output has only the configuration"
fi

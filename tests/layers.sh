#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Holds the source to the picture in the README: which layer may include which, and that core is pure. Prints TAP.
set -eu
cd "$(dirname "$0")/.."

n=0 bad=0
check() { # NAME FILES-OF-LAYER PATTERN-OF-FORBIDDEN-INCLUDES
	n=$((n + 1))
	found=$(grep -rnE "^#include [<\"]($3)" $2 || true)
	if [ -z "$found" ]; then
		echo "ok $n - $1"
	else
		bad=1
		echo "not ok $n - $1"
		echo "$found" | sed 's/^/# /'
	fi
}

check "base knows nothing of ours" "include/base src/base" "(core|source|kernel|server|daemon|cli)/"
check "core includes base and core only" "include/core src/core" "(source|kernel|server|daemon|cli)/"
check "core is pure: no clock, no descriptor, no library, no log" "include/core src/core" \
	"base/(log|clock)|event2|curl|yaml|jansson|netlink|libipset|libnetfilter|time\.h|sys/time|unistd|fcntl|sys/stat|poll|sys/socket"
check "source, kernel and server do not know each other: source" "include/source src/source" \
	"(kernel|server|daemon|cli)/"
check "source, kernel and server do not know each other: kernel" "include/kernel src/kernel" \
	"(source|server|daemon|cli)/"
check "source, kernel and server do not know each other: server" "include/server src/server" \
	"(source|kernel|daemon|cli)/"
check "the daemon does not know the command line" "include/daemon src/daemon" "cli/"
check "the command line knows of the daemon only its options, of the server only its reports" "src/cli" \
	"(server/[^re]|server/health|daemon/(main|sync|node|notify))"
echo "1..$n"
exit $bad

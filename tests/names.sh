#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Checks that the files, test programs and functions that the documents for developers name exist.
# Prints TAP.
set -eu
cd "$(dirname "$0")/.."
. tests/source_tap.sh

# The words between backticks that match a pattern; words in capitals are placeholders.
words() { # DOCUMENT PATTERN
	grep -oE '`[^`]+`' "$1" | tr -d '`' | grep -xE "$2" | grep -vE '[A-Z]{4}' | sort -u || true
}

for document in README.md HACKING.md SECURITY.md docs/scale.md docs/migrate.md docs/why.md docs/limits.md tests/bench/README.md; do
	point "$document names existing files" "$(
		words "$document" '[a-z_.]+(/[a-zA-Z0-9_.-]+)+' | while read -r path; do
			[ -e "$path" ] || [ -d "src/$path" ] || [ -f "src/$path.c" ] || echo "missing: $path"
		done
	)"
	point "$document names existing functions" "$(
		words "$document" '[a-z_0-9]+\(\)' | tr -d '()' | while read -r name; do
			grep -rqw "$name" src include || [ "$name" = main ] || echo "missing: $name()"
		done
	)"
	point "$document names existing test programs" "$(
		words "$document" 'test_[a-z_]+' | while read -r name; do
			[ -f "tests/unit/$name.c" ] || echo "missing: $name"
		done
	)"
done
points_end

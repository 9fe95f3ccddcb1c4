#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The layers hold: a file includes headers of its own layer and of those below it, never of those above, and the project's
# headers by the paths that the conventions give them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

layers=(base guest x86 linux vendor checks files guard cli ingest signed)
# The public headers that speak of the things of a layer.
declare -A public=([error]=0 [types]=0 [coverage]=0 [guest]=1 [kernel]=3 [linux]=3 [vendor]=4 [manifest]=4 [check]=5)
declare -A height=()
for i in "${!layers[@]}"; do
	height[${layers[i]}]=$i
done

case_number=0
say() { # STATUS NAME [DETAIL]
	case_number=$((case_number + 1))
	if [ "$1" = ok ]; then
		printf 'ok %d - %s\n' "$case_number" "$2"
	else
		printf 'not ok %d - %s\n' "$case_number" "$2"
		printf '%s\n' "$3" | sed 's/^/# /'
	fi
}

# Prints what is wrong with the includes of one file of a layer.
complaints() { # LAYER FILE
	local own=${height[$1]} line name layer
	while read -r line; do
		case $line in
		\"*)
			name=${line#\"}
			name=${name%\"*}
			layer=${name%%/*}
			if [ "$layer" = "$name" ]; then
				echo "$2: \"$name\": internal headers are named from src/, as in \"$1/$name\""
			elif [ -z "${height[$layer]-}" ]; then
				echo "$2: \"$name\": there is no layer $layer"
			elif ((height[$layer] > own)); then
				echo "$2: \"$name\": $layer lies above $1"
			elif [ ! -e "src/$name" ]; then
				echo "$2: \"$name\": there is no such file in src/"
			fi
			;;
		\<ksma/*)
			name=${line#<ksma/}
			name=${name%.h>*}
			if [ -z "${public[$name]-}" ]; then
				echo "$2: <ksma/$name.h>: say in $0 what layer it belongs to"
			elif ((public[$name] > own)); then
				echo "$2: <ksma/$name.h>: it belongs to ${layers[${public[$name]}]}, above $1"
			fi
			;;
		esac
	done < <(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*//p' "$2")
}

echo "1..$((${#layers[@]} + 3))"
for layer in "${layers[@]}"; do
	problems=
	while IFS= read -r file; do
		problems+=$(complaints "$layer" "$file")
		[ -z "$problems" ] || problems=${problems%$'\n'}$'\n'
	done < <(find "src/$layer" -name '*.[ch]' | sort)
	if [ -z "$problems" ]; then say ok "$layer"; else say bad "$layer" "$problems"; fi
done

# A header that is installed knows nothing of src/.
problems=$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' include/ksma/*.h || true)
if [ -z "$problems" ]; then say ok "public headers"; else say bad "public headers" "$problems"; fi

# Each public header compiles by itself, in C and in C++.
problems=
for header in include/ksma/*.h; do
	for language in c c++; do
		[ "$language" = c ] || command -v c++ >/dev/null || continue
		problems+=$(echo "#include <ksma/${header##*/}>" |
			"${CC:-cc}" -x "$language" -Wall -Wextra -Werror -Iinclude -fsyntax-only - 2>&1 || true)
	done
done
if [ -z "$problems" ]; then say ok "public headers stand alone"; else say bad "public headers stand alone" "$problems"; fi

# The library leaves it to its caller what is printed.
problems=$(grep -nE '\b(fprintf ?\(std|printf ?\(|puts ?\(|perror ?\()' -r src/{base,guest,x86,linux,vendor,checks,files,guard} --include='*.[ch]' | grep -vE '[a-z_]printf' || true)
if [ -z "$problems" ]; then say ok "the library prints nothing"; else say bad "the library prints nothing" "$problems"; fi

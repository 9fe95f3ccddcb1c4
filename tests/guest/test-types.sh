#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Types from a file (--types): a bare BTF file and an ELF file do as well as the guest's own, wrong ones are refused, and a kernel
# whose own types are damaged is understood with them and says what it needs without.
# timeout: 900
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/guest.sh
. "$here/../lib/guest.sh"
# shellcheck source=tests/lib/vmlinux.sh
. "$here/../lib/vmlinux.sh"
ksma=${KSMA:-$here/../../build/ksma}
export KSMA_CACHE_DIR=''
# shellcheck source=tests/lib/cases.sh
. "$here/../lib/cases.sh"
dir=$(mktemp -d)
on_exit rm -rf "$dir"

# The processes by name and number, however the types came.
list() { "$ksma" ps --json --no-cache "$@" "$guest" | jq -c '[.processes[] | [.pid, .ppid, .comm, .uid]]'; }

# An error: its status, and words that it must have.
refused() { # NAME STATUS WORDS ARGUMENT…
	local name=$1 wanted=$2 words=$3 status=0
	shift 3
	"$ksma" ps --no-cache "$@" >"$dir/out" 2>"$dir/err" || status=$?
	tell "$([ "$status" -eq "$wanted" ] && grep -q -- "$words" "$dir/err" && echo 0 || echo 1)" "$name"
	sed 's/^/# /' "$dir/err"
}

# The BTF of a kernel of the cache, as a bare file.
types_of() { # KERNEL
	vmlinux_unpack "$(kernel_get "$1")/vmlinuz" "$dir/$1.elf"
	read -r offset size < <(readelf -SW "$dir/$1.elf" | sed 's/\[ */[/' | awk '$2 == ".BTF" { print $5, $6 }')
	dd if="$dir/$1.elf" of="$dir/$1.btf" bs=1M iflag=skip_bytes,count_bytes skip=$((16#$offset)) count=$((16#$size)) status=none
}

guest_start --kernel 6.1 --mem 512M --ram file --append nokaslr "$dir" >/dev/null
guest=$(guest_pid "$dir")
types_of 6.1
types_of 5.10
before=$(list)
tell "$([ "$(jq length <<<"$before")" -ge 20 ] && echo 0 || echo 1)" "the guest's own types"
tell "$([ "$(list --types "$dir/6.1.btf")" = "$before" ] && echo 0 || echo 1)" "a BTF file"
tell "$([ "$(list --types "$dir/6.1.elf")" = "$before" ] && echo 0 || echo 1)" "an ELF file with types"
refused "types of another kernel" 3 "does not fit" --types "$dir/5.10.btf" "$guest"
refused "a file without types" 3 "neither a BTF file nor an ELF file" --types "$0" "$guest"
refused "a file that is not there" 3 "No such file" --types "$dir/none" "$guest"

# A copy of the guest's memory whose types are damaged where the kernel keeps them.
address=$("$ksma" sym --json "$guest" __start_BTF | jq -r '.symbols[0].address')
base=$("$ksma" sym --json "$guest" _text | jq -r '.symbols[0].address')
physical=$("$ksma" info --json "$guest" | jq -r .kernel.physical_base)
cp "$dir/ram" "$dir/copy.raw"
printf 'XX' | dd of="$dir/copy.raw" bs=1 seek=$((address - base + physical)) conv=notrunc status=none
guest=$dir/copy.raw
refused "damaged types" 3 "--types" "$guest"
tell "$([ "$(list --types "$dir/6.1.btf" | jq length)" -ge 20 ] && echo 0 || echo 1)" "damaged types, and good ones from a file"
guest_stop "$dir"
echo "1..$count"
exit "$failed"

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Guest memory of every shape reads as QEMU itself reads it: kinds of RAM, sizes, machines, nodes, DIMMs; with the monitor and without.
# timeout: 900
set -euo pipefail
# shellcheck source=tests/lib/firmware.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/firmware.sh"

# Puts a mark at each address, for a guest that is started with $marks.
mark() { # ADDRESS…
	local a
	marks=()
	for a in "$@"; do
		marks+=(-device "loader,addr=$a,data=$((a ^ 0x5a5a5a5a5a5a)),data-len=8")
	done
	places=("$@")
}

# The places around which the two are compared, beside the marks: the real-mode memory, the firmware, the end of low memory.
compare() { # NAME OPTION…
	local name=$1 a wanted got
	shift
	for a in 0 0x9f000 0xc0000 $bios "${places[@]}"; do
		wanted=$(memory "$a" 4096)
		got=$("$probe" "$@" "$qemu" read "$(printf %x "$((a))")" 1000) || true
		[ "$wanted" = "$got" ] || {
			report "$name at $a" 1 "wanted ${wanted:0:64}…" "got ${got:0:200}…"
			return
		}
	done
	report "$name" 0
}

# One guest: both ways to its layout, and what is no memory.
try() { # NAME ACCESS HOLE ARGUMENT…
	local name=$1 access=$2 hole=$3 how
	shift 3
	firmware_start "$name" "$@" "${marks[@]}" || {
		report "$name starts" 1
		return
	}
	qmp '{"execute":"stop"}' >/dev/null
	says "$name is $access, by the monitor" "access=$access layout=monitor" "$probe" "$qemu" info
	says "$name is $access, by the command line" "access=$access layout=command-line" "$probe" --memory-only "$qemu" info
	compare "$name, by the monitor"
	compare "$name, by the command line" --memory-only
	for how in "" --memory-only; do
		# shellcheck disable=SC2086 # no word at all where it is empty
		says "$name has a hole $how" "error fault: .*0x$hole " "$probe" $how "$qemu" read "$hole" 8
		# shellcheck disable=SC2086
		says "$name can be read whole $how" "^data [0-9]+ in [0-9]+ runs$" "$probe" $how "$qemu" all
	done
	firmware_end "$qemu"
}

bios=0xf0000
low="0x100000 0x7fff000 0x1ffff000"
# shellcheck disable=SC2086
mark $low
try pc-512 copied 20000000 -machine pc -m 512
try q35-512 copied 20000000 -machine q35 -m 512 -smp 4
try q35-memfd mapped 20000000 -machine q35,memory-backend=r -m 512 -object memory-backend-memfd,id=r,size=512M
try q35-file mapped 20000000 -machine q35,memory-backend=r -m 512 \
	-object "memory-backend-file,id=r,size=512M,mem-path=$work/ram,share=on"
rm -f "$work/ram"
try q35-private copied 20000000 -machine q35,memory-backend=r -m 512 \
	-object "memory-backend-file,id=r,size=512M,mem-path=$work/private,share=off"
rm -f "$work/private"
try q35-shared-anonymous mapped 20000000 -machine q35,memory-backend=r -m 512 -object memory-backend-ram,id=r,size=512M,share=on
try pc-mem-path copied 20000000 -machine pc -m 512 -mem-path "$work"
try pc-old mapped 20000000 -machine pc-i440fx-3.1,memory-backend=r -m 512 -object memory-backend-memfd,id=r,size=512M
# There the firmware stays a ROM.
bios=
try microvm copied 20000000 -machine microvm -m 512 -bios /usr/share/seabios/bios-microvm.bin
bios=0xf0000

# shellcheck disable=SC2086
mark $low 0xbffff000 0x100000000 0x100001000 0x17ffff000
try pc-5G copied c0000000 -machine pc -m 5G
# shellcheck disable=SC2086
mark $low 0x7ffff000 0x100000000 0x1bffff000
try q35-5G mapped 80000000 -machine q35,memory-backend=r -m 5G -object memory-backend-memfd,id=r,size=5G
try q35-5G-anonymous copied 1c0000000 -machine q35 -m 5G
# Two nodes of one size, on both sides of the hole and across it.
try nodes-even mapped 1c0000000 -machine q35 -m 5G \
	-object memory-backend-memfd,id=a,size=2560M -object memory-backend-memfd,id=b,size=2560M \
	-numa node,nodeid=0,memdev=a,cpus=0 -numa node,nodeid=1,memdev=b
try nodes-anonymous copied 1c0000000 -machine q35 -m 5G \
	-object memory-backend-ram,id=a,size=2560M -object memory-backend-ram,id=b,size=2560M \
	-numa node,nodeid=0,memdev=a,cpus=0 -numa node,nodeid=1,memdev=b
try nodes-odd mapped 1c0000000 -machine q35 -m 5G \
	-object memory-backend-memfd,id=b,size=4G -object memory-backend-memfd,id=a,size=1G \
	-numa node,nodeid=0,memdev=a,cpus=0 -numa node,nodeid=1,memdev=b
# Two DIMMs, one of them shared.
# shellcheck disable=SC2086
mark $low 0x100000000 0x10ffff000 0x110000000 0x117fff000
try dimms copied 118000000 -machine q35 -m 512,slots=2,maxmem=4G \
	-object memory-backend-ram,id=m1,size=256M -device pc-dimm,id=d1,memdev=m1 \
	-object memory-backend-memfd,id=m2,size=128M,share=on -device pc-dimm,id=d2,memdev=m2

# A scan must not make memory out of holes: the file behind a guest is as large after it as before.
mark
firmware_start sparse -machine q35,memory-backend=r -m 2G -object "memory-backend-file,id=r,size=2G,mem-path=$work/sparse,share=on"
qmp '{"execute":"stop"}' >/dev/null
before=$(stat -c %b "$work/sparse")
"$probe" "$qemu" all >/dev/null
check "a scan allocates nothing" test "$(stat -c %b "$work/sparse")" -le "$before"
# A file cut short under us reads as zeroes and is noticed.
{
	read -r _
	truncate -s 1M "$work/sparse"
	echo
	read -r _ || true
} < <(sleep 0.5; echo go) | "$probe" "$qemu" read 1000000 4 wait read 1000000 4 refresh >"$work/out" || true
says "a file cut short is noticed" "error lost: .*cut short" cat "$work/out"
firmware_end "$qemu"

[ "$failures" -eq 0 ]

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Copies of the kernel's banner, types and symbols in user memory, and a whole kernel image with them, do not mislead the search.
# timeout: 1200
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

# What the program says of the kernel, whichever way it looks.
facts() { "$ksma" info --json --no-cache "$@" "$(guest_pid "$dir")" | jq -c '.kernel | [.release, .virtual_slide, .physical_base, .symbols, .paging_levels]'; }

same() { # NAME
	local found
	found=$(facts || true)
	tell "$([ "$found" = "$before" ] && echo 0 || echo 1)" "$1, by registers"
	found=$(facts --memory-only || true)
	tell "$([ "$found" = "$before" ] && echo 0 || echo 1)" "$1, by search"
	echo "# $found"
}

for kernel in ${KERNELS:-6.1 7.2}; do
	dir=$(mktemp -d)
	on_exit rm -rf "$dir"
	# The whole image as it is linked: symbols, types, banner and page tables, at the distances that they have in a running kernel.
	vmlinux_unpack "$(kernel_get "$kernel")/vmlinuz" "$dir/vmlinux"
	truncate -s %512 "$dir/vmlinux"
	guest_start --kernel "$kernel" --mem 1G --cpus 1 "$dir" -- \
		-drive "file=$dir/vmlinux,format=raw,if=virtio,readonly=on" >/dev/null
	before=$(facts)
	echo "# $kernel: $before"
	tell "$([ "$(facts --memory-only)" = "$before" ] && echo 0 || echo 1)" "$kernel: nothing planted, by search"

	guest_exec "$dir" 'mkdir -p /decoy && mount -t tmpfs -o size=600m none /decoy
		for i in 1 2 3 4; do cat /proc/version >>/decoy/banner; done
		cp /sys/kernel/btf/vmlinux /decoy/btf'
	same "$kernel: banners and types"

	guest_exec "$dir" 'cat /dev/vda >/decoy/image'
	same "$kernel: a kernel image in a file"

	status=0
	"$ksma" check --json "$(guest_pid "$dir")" >"$dir/report" || status=$?
	tell "$status" "$kernel: and it is clean"
	guest_stop "$dir"
done
echo "1..$count"
exit "$failed"

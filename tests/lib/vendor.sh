# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Vendor references of the kernels that guests boot: a store a kernel, made once from its packages and kept in the cache.

# shellcheck source=tests/lib/kernels.sh
. "$(dirname "${BASH_SOURCE[0]}")/kernels.sh"
vendor_home=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

# What decides whether a store of the cache can be used: raise it when what `ksma vendor add` stores changes.
vendor_layout=1

# Prints the folder of a store with all of kernel $1, for `ksma --vendor` or $KSMA_VENDOR. Tests only read it.
vendor_store() {
	local kernel folder store
	kernel=$(kernel_get "$1") || return 1
	folder=$ksma_cache/vendor-$1
	store=$folder/$(cat "$kernel/package-version")-$vendor_layout
	if [ ! -e "$store/format" ]; then
		mkdir -p "$folder"
		(
			flock 9
			[ ! -e "$store/format" ] || exit 0
			kernel_log "making the vendor reference of $1"
			# Those of earlier versions, and what a killed attempt left.
			find "$folder" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
			"${KSMA:-$vendor_home/build/ksma}" vendor add --vendor "$store.new" "$kernel"/debs/*.deb >/dev/null 2>"$folder/log" || {
				cat "$folder/log" >&2
				exit 1
			}
			mv -T "$store.new" "$store"
		) 9>"$folder/lock" || return 1
	fi
	printf '%s\n' "$store"
}

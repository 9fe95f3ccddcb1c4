# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Fetches a newer QEMU of Debian into the cache (tests/lib/kernels.sh), with its own libraries, and leaves the system's alone: the binary is told where its
# libraries lie, and keeps its name, by which a guest's process is known.

qemu_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=kernels.sh
. "$qemu_lib/kernels.sh"

# The layout below is part of the cache's contents: raise it when it changes.
qemu_layout=1

# Fetches suite $1's QEMU into folder $2.
qemu_fetch() {
	# shellcheck disable=SC2154 # of kernels.sh
	local suite=$1 folder=$2 state=$ksma_cache/apt/$1-qemu tmp libraries binary packages
	kernel_log "fetching QEMU of $suite"
	[ -e "$state/fresh" ] || kernel_apt_init "$state" "$suite" || return 1
	touch "$state/fresh"
	packages=$(kernel_apt "$state" apt-get -s install --no-install-recommends qemu-system-x86 | awk '$1 == "Inst" { print $2 }')
	[ -n "$packages" ] || return 1
	tmp=$(mktemp -d "$folder.XXXXXX")
	# shellcheck disable=SC2086 # a list of words
	kernel_download "$tmp/debs" "$state" $packages || {
		rm -rf "$tmp"
		return 1
	}
	for deb in "$tmp"/debs/*.deb; do
		dpkg-deb -x "$deb" "$tmp/root"
	done
	rm -rf "$tmp/debs"
	libraries=$folder/root/usr/lib/x86_64-linux-gnu
	binary=root/usr/bin/qemu-system-x86_64
	if [ ! -e "$tmp/root/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" ] ||
		! patchelf --set-interpreter "$libraries/ld-linux-x86-64.so.2" --set-rpath "$libraries" --force-rpath "$tmp/$binary"; then
		rm -rf "$tmp"
		return 1
	fi
	mkdir "$tmp/bin"
	printf '#!/bin/sh\nexec %q -L %q -L %q "$@"\n' "$folder/$binary" "$folder/root/usr/share/qemu" "$folder/root/usr/share/seabios" >"$tmp/bin/qemu-system-x86_64"
	chmod 755 "$tmp" "$tmp/bin/qemu-system-x86_64"
	echo "$qemu_layout" >"$tmp/layout"
	rm -rf "$folder"
	mv -T "$tmp" "$folder"
}

# Prints the folder, for PATH, of suite $1's QEMU, fetching it first where it is missing.
qemu_get() {
	local folder=$ksma_cache/qemu/$1
	mkdir -p "$ksma_cache/qemu"
	(
		flock 9
		[ "$(cat "$folder/layout" 2>/dev/null)" = "$qemu_layout" ] || qemu_fetch "$1" "$folder" >&2
	) 9>"$ksma_cache/qemu.lock" || return 1
	printf '%s\n' "$folder/bin"
}

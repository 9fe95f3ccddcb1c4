#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What ksma cat takes out of the page cache is the file, to the byte, as the guest itself reads it: on every file system that the test
# guest has, behind overlays, bind mounts and links, of files without a name, in huge pages; and what is not in memory is said.
# timeout: 1800
# shellcheck disable=SC2016 # such lines are for the guest
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/agreement.sh
. "$here/../lib/agreement.sh"

# An ext4 for all of them; what a guest writes there is thrown away.
image=$(mktemp)
on_exit rm -f "$image"
truncate -s 32M "$image"
mkfs.ext4 -q -F "$image"

# These files of the guest are what it says they are.
same() { # DIR FILE…
	local dir=$1 file inside outside bad=0
	shift
	for file in "$@"; do
		inside=$(guest_exec "$dir" "sha256sum <$file")
		outside=$("$ksma" cat "$(guest_pid "$dir")" "$file" | sha256sum)
		[ "$inside" = "$outside" ] || {
			echo "$file: inside $inside, outside $outside"
			bad=1
		}
	done
	return "$bad"
}

# The document about a file says what is expected.
says() { # DIR FILE EXPRESSION EXPECTED
	local value
	value=$("$ksma" cat "$(guest_pid "$1")" "$2" --json | python3 -c "import json, sys; d = json.load(sys.stdin); print($3)")
	[ "$value" = "$4" ] || {
		echo "$2: $3 is $value, not $4"
		return 1
	}
}

# The program says why it gives no file.
refuses() { # DIR WORK FILE WORDS
	! "$ksma" cat "$(guest_pid "$1")" "$3" >"$2/out" 2>"$2/refused" || return 1
	grep "$4" "$2/refused"
}

root_files() { # DIR WORK
	guest_exec "$1" ': >/etc/empty' &&
		same "$1" /bin/busybox /bin/gtool /etc/passwd /etc/empty &&
		says "$1" /bin/busybox "d['pages'] == d['cached'], d['file']['size']" "True $(guest_exec "$1" 'wc -c </bin/busybox')"
}

# One file of each file system, as large as a large folio, and one that ends inside of a page.
file_systems() { # DIR WORK
	guest_exec "$1" 'set -e; mkdir -p /tmp/huge; umount /tmp/huge 2>/dev/null || true; mount -t tmpfs -o huge=always none /tmp/huge
		for d in /mnt/vda /tmp/huge /tmp /run; do head -c 5000001 /dev/urandom >$d/large; head -c 4097 /dev/urandom >$d/small; done' &&
		same "$1" {/mnt/vda,/tmp/huge,/tmp,/run}/{large,small} &&
		says "$1" /mnt/vda/small "d['file']['fstype'], d['file']['device'], d['file']['inode'], oct(d['file']['mode'])" \
			"ext4 vda $(guest_exec "$1" 'ls -i /mnt/vda/small | cut -d/ -f1 | tr -d " "') 0o100644" &&
		says "$1" /tmp/huge/large "max(p['length'] for p in d['pieces']) >= 2 << 20" True
}

# Written back, dropped, and only the start read again: what is there is told from what is not.
partial() { # DIR WORK
	local status=0
	guest_exec "$1" 'sync; echo 3 >/proc/sys/vm/drop_caches; dd if=/mnt/vda/large of=/dev/null bs=4096 count=1 2>/dev/null'
	"$ksma" cat "$(guest_pid "$1")" /mnt/vda/large >"$2/out" 2>"$2/said" || status=$?
	[ "$status" -eq 3 ] && grep -q 'pages are not in the guest.s page cache' "$2/said" &&
		[ "$(stat -c %s "$2/out")" -eq 5000001 ] &&
		guest_exec "$1" 'dd if=/mnt/vda/large bs=4096 count=1 2>/dev/null' | cmp -n 4096 "$2/out" - &&
		guest_exec "$1" 'cat /mnt/vda/large >/dev/null' &&
		same "$1" /mnt/vda/large && says "$1" /mnt/vda/large "d['dirty'], d['swapped']" "0 0"
}

# Of the lower layer, of the upper one, copied up, and new.
overlays() { # DIR WORK
	guest_exec "$1" 'set -e; cd /tmp; mkdir -p up over low; umount over 2>/dev/null || true; mount -t tmpfs none up; mkdir up/up up/work
		echo below >low/a; head -c 99999 /dev/urandom >low/b; echo c >low/c
		mount -t overlay -o lowerdir=low,upperdir=up/up,workdir=up/work none over; echo more >>over/c; echo new >over/d
		cat over/a over/b over/c over/d >/dev/null' &&
		same "$1" /tmp/over/{a,b,c,d} &&
		says "$1" /tmp/over/a "d['file']['inode']" "$(guest_exec "$1" 'ls -i /tmp/low/a | cut -d/ -f1 | tr -d " "')" &&
		says "$1" /tmp/over/c "d['file']['inode']" "$(guest_exec "$1" 'ls -i /tmp/up/up/c | cut -d/ -f1 | tr -d " "')"
}

names() { # DIR WORK
	guest_exec "$1" 'set -e; cd /tmp; rm -rf x; mkdir -p x/y bound; echo one >x/y/f; ln -s ../x/./y/f x/short; ln -s /tmp/x x/y/up; mount -o bind x bound
		mkdir x/long; ln -s "$(printf "%0300d" 0 | sed "s/0/.\//g")../y/f" x/long/link; cat x/short x/y/up/y/f bound/y/f x/long/link >/dev/null; ln -s loop x/loop; ls -l x >/dev/null' &&
		same "$1" /tmp/x/y/f /tmp/x/short /tmp/x/y/up/y/f /tmp/bound/y/../y/f /tmp/x/long/link //tmp///x/y/f /../../tmp/x/y/f /bin/sh &&
		refuses "$1" "$2" /tmp/x/loop 'symbolic links' &&
		refuses "$1" "$2" /tmp/none "'none' is not among the names" &&
		refuses "$1" "$2" /tmp 'no regular file' && refuses "$1" "$2" tmp 'start with a slash' &&
		refuses "$1" "$2" /proc/1/fd/4000 'has no such file'
}

nameless() { # DIR WORK
	local links
	guest_exec "$1" 'echo 8 >/proc/sys/vm/nr_hugepages'
	mapfile -t links < <(guest_exec "$1" 'gtool held memfd huge deleted')
	[ ${#links[@]} -eq 3 ] && same "$1" "${links[@]}" /proc/1/exe &&
		says "$1" "${links[1]}" "d['file']['fstype'], d['cached'], len(d['pieces'])" "hugetlbfs 1536 3" &&
		guest_exec "$1" 'kill $(cat /tmp/gtool.pid); echo 0 >/proc/sys/vm/nr_hugepages'
}

# A tree that changes while it is read gives a whole file all the same.
busy() { # DIR WORK
	local i
	guest_exec "$1" 'head -c 3000000 /dev/urandom >/tmp/still; (for i in $(seq 60); do head -c 900000 /dev/urandom >/tmp/moving; rm /tmp/moving; touch /tmp/n$i; done) >/dev/null 2>&1 &'
	for ((i = 0; i < 20; i++)); do same "$1" /tmp/still || return 1; done
}

cases() {
	agreement_case "$1" "files of the first file system" root_files
	agreement_case "$1" "file systems, large folios" file_systems
	agreement_case "$1" "what is not in memory" partial
	agreement_case "$1" "overlays" overlays
	agreement_case "$1" "links and mounts" names
	agreement_case "$1" "files without a name" nameless
	agreement_case "$1" "while files come and go" busy
}

agreement_each_kernel cases --mem 512M --drive "if=virtio,format=raw,snapshot=on,file=$image"

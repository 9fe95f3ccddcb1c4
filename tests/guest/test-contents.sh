#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Files of a real Debian guest have, from outside, the sums that the guest itself computes: those in its memory, those on its disk only, those that were
# written a moment ago, renamed over, cut, made of holes; on each kind of disk; on a logical volume.
# timeout: 2400
# shellcheck disable=SC2016 # lines for the guest's shell
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/debian.sh
. "$here/../lib/debian.sh"
contents=$here/../../build/tests/tools/contents
# shellcheck source=tests/lib/cases.sh
. "$here/../lib/cases.sh"

inside() { GSH_TIMEOUT=400 guest_exec "$dir" "$1"; }

# The files that the shell line $1 prints, as both sides see them: from outside first, so that the guest has not read them for us.
same() {
	inside "$1" >"$dir/paths"
	[ -s "$dir/paths" ]
	"$contents" sums "$(guest_pid "$dir")" <"$dir/paths" >"$dir/ours" 2>"$dir/from" || cat "$dir/from"
	inside "($1) | xargs -d '\\n' sha256sum" >"$dir/theirs"
	diff "$dir/theirs" "$dir/ours"
}

from_disk() {
	inside 'sync; echo 3 >/proc/sys/vm/drop_caches'
	same "find /usr/share /usr/lib/python3 -xdev -type f | sort | awk 'NR % 12 == 0'"
	grep -E 'cache [0-9]+ dirty [0-9]+ disk [0-9]{3}' "$dir/from"
}

in_use() { same "find /usr/bin /usr/sbin /etc /var/lib -xdev -type f | sort | awk 'NR % 3 == 0'"; }

# Written and not yet on the disk: the guest writes nothing back meanwhile.
dirty() {
	inside 'echo 500000 >/proc/sys/vm/dirty_writeback_centisecs; echo 500000 >/proc/sys/vm/dirty_expire_centisecs
		mkdir -p /root/new; cd /root/new
		head -c 3000000 /dev/urandom >large; cp large changed; cp large replaced; sync
		for i in $(seq 40); do head -c $((i * 1777)) /dev/urandom >file$i; done
		printf here | dd of=changed bs=1 seek=1234567 conv=notrunc status=none
		truncate -s 1000000 cut; printf end >>cut; truncate -s 5000000 hole
		head -c 20000 /dev/urandom >.next; mv .next replaced
		printf inline >short; : >empty; ln large linked; ln -s ../new/large link; mkdir -p a/b; mv file7 a/b/moved'
	same 'find /root/new -type f | sort; echo /root/new/link'
	grep -E ' dirty [0-9]{2}' "$dir/from"
}

# The same files after the guest wrote them back, and forgot them.
written() {
	inside 'sync; echo 3 >/proc/sys/vm/drop_caches'
	same 'find /root/new -type f | sort'
}

# Metadata that only the journal has on the disk.
journal() {
	inside 'cd /root/new; for i in $(seq 20); do head -c 9000 /dev/urandom >synced$i; sync synced$i; done; echo 1 >/proc/sys/vm/drop_caches'
	same 'find /root/new -name "synced*" | sort'
}

# While the guest keeps writing: every sum is that of one of the file's states.
changing() {
	inside 'cd /root/new; for i in 0 1 2 3; do head -c 300000 /dev/zero | tr "\0" $i >state$i; done; sha256sum state? | cut -c1-64' | sort >"$dir/states"
	inside 'cd /root/new; (while [ ! -e stop ]; do for i in 0 1 2 3; do cp state$i moving.new; mv moving.new moving; done; done) >/dev/null 2>&1 & sleep 1'
	seq 40 | sed 's,.*,/root/new/moving,' | "$contents" sums "$(guest_pid "$dir")" | cut -c1-64 | sort -u >"$dir/seen"
	inside 'touch /root/new/stop'
	cat "$dir/seen"
	[ -s "$dir/seen" ]
	[ -z "$(comm -13 "$dir/states" "$dir/seen")" ]
}

attribute() {
	inside "cd /root/new; python3 -c \"import os; os.setxattr('large', 'security.ima', b'\\3' + b'x' * 500); os.setxattr('short', 'security.ima', b'\\1abc')\""
	[ "$("$contents" xattr "$(guest_pid "$dir")" /root/new/large security.ima | tr -d x | wc -c)" -eq 1 ]
	[ "$("$contents" xattr "$(guest_pid "$dir")" /root/new/short security.ima | tail -c 3)" = abc ]
}

# Real LVM on two more disks: an MBR with a logical partition, and a whole disk; a volume that lies on both, one that is striped.
volumes() {
	inside 'set -e; PATH=$PATH:/usr/sbin
		printf "label: dos\n, 20M\n, +, E\n, 60M\n" | sfdisk -q /dev/vdb; udevadm settle
		pvcreate -q -y /dev/vdb5 /dev/vdc; vgcreate -q vg0 /dev/vdb5 /dev/vdc
		lvcreate -q -y -n wide -i 2 -L 8M vg0; lvcreate -q -y -n both -L 80M vg0
		mkfs.ext4 -q /dev/vg0/both; mkfs.ext4 -q /dev/vg0/wide; mkfs.ext4 -q /dev/vdb1
		mkdir -p /mnt/both /mnt/wide /mnt/plain; mount /dev/vg0/both /mnt/both; mount /dev/vg0/wide /mnt/wide; mount /dev/vdb1 /mnt/plain
		cp -r /usr/bin/[a-l]* /mnt/both; cp /usr/bin/[a-l]* /mnt/plain 2>/dev/null || true; cp /bin/sh /mnt/wide
		sync; echo 3 >/proc/sys/vm/drop_caches'
	same 'find /mnt/both /mnt/plain -type f | sort'
	echo /mnt/wide/sh | "$contents" sums "$(guest_pid "$dir")" >"$dir/ours" 2>"$dir/errors"
	cat "$dir/ours" "$dir/errors"
	grep -q 'no volume of the guest' "$dir/ours"
	grep -q 'vg0/wide is not read: it is striped' "$dir/errors"
}

# What is on XFS is seen in memory, and said not to be seen elsewhere.
other_file_systems() {
	inside 'set -e; PATH=$PATH:/usr/sbin; modprobe xfs; mkfs.xfs -q /dev/vdd; mkdir -p /mnt/xfs; mount /dev/vdd /mnt/xfs
		cp /bin/sh /mnt/xfs/seen; cp /bin/sh /mnt/xfs/gone; cp /bin/sh /tmp/ram; cp /bin/sh /dev/shm/ram; sync; echo 3 >/proc/sys/vm/drop_caches
		sha256sum /mnt/xfs/seen >/dev/null; exec 3</mnt/xfs/gone'
	same 'echo /mnt/xfs/seen; echo /tmp/ram; echo /dev/shm/ram'
	inside 'ls -l /mnt/xfs >/dev/null'
	echo /mnt/xfs/gone | "$contents" sums "$(guest_pid "$dir")" >"$dir/ours"
	cat "$dir/ours"
	grep -q 'xfs on vdd is not read from the disk: only ext4 is' "$dir/ours"
}

# The same system on other buses, where its disk has another name.
other_bus() {
	guest_stop "$dir"
	rm -f "$dir/disk.qcow2"
	start --cpus 2 --bus "$1"
	from_disk
}

start() {
	debian_start "$dir" "$@" >/dev/null
	debian_wait "$dir" >/dev/null || true
}

dir=$(mktemp -d)
on_exit rm -rf "$dir"
debian_get >/dev/null || {
	status=$?
	echo "the guest's disk cannot be built here"
	exit "$status"
}
truncate -s 96M "$dir/vdb"
truncate -s 48M "$dir/vdc"
truncate -s 320M "$dir/vdd"
start --cpus 2 -- -drive "if=virtio,format=raw,file=$dir/vdb" -drive "if=virtio,format=raw,file=$dir/vdc" -drive "if=virtio,format=raw,file=$dir/vdd"
does "files that are on the disk only" from_disk
does "files that are in use" in_use
does "files that were just written" dirty
does "an attribute that was just set" attribute
does "the same, written back" written
does "files whose metadata is in the journal" journal
does "a file that is replaced all the time" changing
does "files on partitions of an MBR and on a linear volume of two disks" volumes
does "files on file systems that are not read from disks" other_file_systems
does "on a SCSI disk" other_bus scsi
does "on an NVMe disk" other_bus nvme
echo "1..$count"
exit "$failed"

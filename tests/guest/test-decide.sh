#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is decided about files of real guests: a file that is what the manifest says is allowed, and known again; whatever was changed is refused,
# however little trace the change left. Each claim of docs/security-analysis.md about verdicts that go stale has its case here.
# timeout: 1800
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/agreement.sh
. "$here/../lib/agreement.sh"
judge=$(dirname "$ksma")/tests/tools/judge

image=$(mktemp)
on_exit rm -f "$image"
truncate -s 64M "$image"
mkfs.ext4 -q -F -b 4096 "$image"

# Files that carry signatures: by a key that is known, by one that is not, and of something else.
keys=$(mktemp -d)
on_exit rm -rf "$keys"
mkdir "$keys/trusted"
for name in known unknown; do openssl genrsa -out "$keys/$name.pem" 2048 2>/dev/null; done
openssl rsa -in "$keys/known.pem" -pubout -out "$keys/trusted/known.pem" 2>/dev/null
cp /bin/true "$keys/true"
for name in known unknown; do
	evmctl ima_sign --sigfile --hashalgo sha256 --key "$keys/$name.pem" "$keys/true" >/dev/null 2>&1
	mv "$keys/true.sig" "$keys/$name.sig"
	printf 'write %s signed-%s\nea_set -f %s signed-%s security.ima\n' "$keys/true" "$name" "$keys/$name.sig" "$name"
done >"$keys/commands"
head -c 100 "$keys/known.sig" >"$keys/damaged.sig"
printf 'write /bin/false signed-wrong\nea_set -f %s signed-wrong security.ima\nwrite %s unsigned\nwrite %s damaged\nea_set -f %s damaged security.ima\n' \
	"$keys/known.sig" "$keys/true" "$keys/true" "$keys/damaged.sig" >>"$keys/commands"
debugfs -w -f "$keys/commands" "$image" >/dev/null 2>&1

# One process answers for a whole case, so that what it remembers counts.
judge_start() { # DIR WORK POLICY [KEYS]
	mkfifo "$2/ask" "$2/say"
	"$judge" "$(guest_pid "$1")" "$3" "$1/list" ${4+"$4"} <"$2/ask" >"$2/say" 2>"$2/judge.err" &
	exec 8>"$2/ask" 9<"$2/say"
}

ask() { # QUESTION… -> $answer
	echo "$*" >&8
	read -r -u 9 -t 60 answer || {
		echo "no answer to $*"
		return 1
	}
	echo "$* -> $answer"
}

# The answer to a question begins like this.
is() { # EXPECTED QUESTION…
	local expected=$1
	shift
	ask "$@"
	[[ $answer == "$expected "* || $answer == "$expected" ]] || {
		echo "    expected: $expected"
		return 1
	}
}

# A fresh copy of the program, old enough that its times mean something.
fresh() { # DIR
	guest_exec "$1" 'rm -f /mnt/vda/prog; cp /bin/gtool /mnt/vda/prog; sync; cat /mnt/vda/prog >/dev/null; sleep 3'
}

# A case begins with a file that was allowed and is known.
begin() { # DIR WORK [POLICY]
	fresh "$1" && judge_start "$1" "$2" "${3:-exec}" && is 'allow manifest new' exec /mnt/vda/prog && is 'allow manifest known' exec /mnt/vda/prog
}

known() { # DIR WORK
	begin "$1" "$2" && is 'allow manifest new' mmap /bin/busybox && is 'allow manifest known' mmap /bin/busybox &&
		is trusted trust && is 'allow manifest new' exec /mnt/vda/prog && is 'allow not-asked new' read /mnt/vda/prog &&
		is 'deny not-listed new' exec /bin/gtool && is 'allow no-file new' exec /dev/console
}

too_young() { # DIR WORK
	begin "$1" "$2" && guest_exec "$1" 'touch /mnt/vda/prog' && is 'allow manifest new' exec /mnt/vda/prog && is 'allow manifest new' exec /mnt/vda/prog &&
		sleep 4 && is 'allow manifest new' exec /mnt/vda/prog && is 'allow manifest known' exec /mnt/vda/prog
}

written() { # DIR WORK
	begin "$1" "$2" && guest_exec "$1" 'printf x | dd of=/mnt/vda/prog bs=1 seek=70000 conv=notrunc 2>/dev/null' &&
		is 'deny contents new' exec /mnt/vda/prog && [[ $answer == *'page 17 of'* ]] &&
		guest_exec "$1" 'echo more >>/mnt/vda/prog' && is 'deny size new' exec /mnt/vda/prog
}

# The clock is set back, so that the change has the time of the last one.
clock_set_back() { # DIR WORK
	begin "$1" "$2" && guest_exec "$1" 'gtool forge clock /mnt/vda/prog 70000' | grep '^same ctime' && is 'deny contents new' exec /mnt/vda/prog
}

# A program that is executed is looked at once for both of the kernel's questions, and only then.
executed() { # DIR WORK
	begin "$1" "$2" && ask program /mnt/vda/prog && [[ $answer =~ ^allow:([1-9][0-9]*)\ allow:0\ allow:([1-9][0-9]*)\ allow:([1-9][0-9]*)$ ]] &&
		[ "${BASH_REMATCH[1]} ${BASH_REMATCH[2]}" = "${BASH_REMATCH[2]} ${BASH_REMATCH[3]}" ]
}

# A mapping that is written to again: no time, no counter says so.
# shellcheck disable=SC2016 # for the guest's shell
mapped() { # DIR WORK
	begin "$1" "$2" && guest_exec "$1" 'gtool forge mapping /mnt/vda/prog 70000' | grep '^same ctime' && is 'deny writer new' exec /mnt/vda/prog &&
		is 'deny writer new' mmap /mnt/vda/prog && guest_exec "$1" 'kill $(cat /tmp/gtool.pid); sleep 1' && is 'deny contents new' mmap /mnt/vda/prog
}

# Below the file system: what is in memory is still good; what comes from the disk then is not.
below() { # DIR WORK
	begin "$1" "$2" && guest_exec "$1" 'gtool forge disk /mnt/vda/prog 70000 /dev/vda' | grep '^same ctime' && is 'undecided incomplete' exec /mnt/vda/prog &&
		guest_exec "$1" 'cat /mnt/vda/prog >/dev/null' && is 'deny contents new' exec /mnt/vda/prog
}

# Only the page in memory, as a hole in the kernel lets a process do it; here from outside.
page_cache_only() { # DIR WORK
	begin "$1" "$2" && "$ksma" cat "$(guest_pid "$1")" /mnt/vda/prog --json >"$2/before" &&
		python3 "$here/poke.py" "$(guest_pid "$1")" "$2/before" 70000 && "$ksma" cat "$(guest_pid "$1")" /mnt/vda/prog --json >"$2/after" &&
		python3 -c 'import json, sys; a, b = (json.load(open(f))["file"] for f in sys.argv[1:]); sys.exit(a != b)' "$2/before" "$2/after" &&
		is 'deny contents new' exec /mnt/vda/prog
}

behind_the_end() { # DIR WORK
	begin "$1" "$2" && guest_exec "$1" 'gtool forge end /mnt/vda/prog 0' && is 'deny contents new' exec /mnt/vda/prog
}

replaced() { # DIR WORK
	begin "$1" "$2" && guest_exec "$1" 'cd /mnt/vda; cp prog other; printf x | dd of=other bs=1 seek=5000 conv=notrunc 2>/dev/null; mv other prog; sleep 3' &&
		is 'deny contents new' exec /mnt/vda/prog && is 'deny contents known' exec /mnt/vda/prog &&
		guest_exec "$1" 'cd /mnt/vda; rm prog; cp /bin/busybox prog; sleep 3' && is 'deny size new' exec /mnt/vda/prog
}

# The same inode number, the same size: another file.
number_again() { # DIR WORK
	local before after
	begin "$1" "$2" && before=$(guest_exec "$1" 'ls -i /mnt/vda/prog | tr -d " "') &&
		guest_exec "$1" 'cd /mnt/vda; rm prog; cat /bin/gtool >prog; printf x | dd of=prog bs=1 seek=5000 conv=notrunc 2>/dev/null; sleep 3' &&
		after=$(guest_exec "$1" 'ls -i /mnt/vda/prog | tr -d " "') && [ "$before" = "$after" ] && is 'deny contents new' exec /mnt/vda/prog
}

# Other names of the very same file are not those that the manifest lists, and its own stays good.
other_names() { # DIR WORK
	begin "$1" "$2" && guest_exec "$1" 'cd /mnt/vda; ln -f prog linked; sleep 3' && is 'deny not-listed new' exec /mnt/vda/linked &&
		is 'allow manifest new' exec /mnt/vda/prog && is 'allow manifest known' exec /mnt/vda/prog && is 'deny not-listed' exec /mnt/vda/linked &&
		guest_exec "$1" 'cd /mnt/vda; rm linked; mv prog moved; ls -l moved >/dev/null' && is 'deny not-listed new' exec /mnt/vda/moved &&
		guest_exec "$1" 'cd /mnt/vda; mv moved prog' && is 'allow manifest new' exec /mnt/vda/prog
}

# A file has its place, whatever mounts show it as.
bound() { # DIR WORK
	local pid
	guest_exec "$1" 'umount /mnt/vda/prog 2>/dev/null; umount /tmp/d 2>/dev/null; true'
	begin "$1" "$2" && guest_exec "$1" 'cd /mnt/vda; echo evil >/tmp/evil; mkdir -p /tmp/d; mount -o bind /tmp/evil prog' && is 'deny size new' exec /mnt/vda/prog &&
		[[ $answer == *' /tmp/evil /mnt/vda/prog '* ]] && guest_exec "$1" 'umount /mnt/vda/prog; mount -o bind /mnt/vda /tmp/d' &&
		is 'allow manifest' exec /tmp/d/prog && [[ $answer == *' /mnt/vda/prog /tmp/d/prog'* ]] && guest_exec "$1" 'umount /tmp/d' &&
		pid=$(guest_exec "$1" 'unshare -m sh -c "mount -o bind /mnt/vda /tmp/d; echo \$\$; exec sleep 1000 >/dev/null 2>&1" & sleep 1' | head -n 1) &&
		is 'allow manifest' "exec@$pid" /tmp/d/prog && [[ $answer == *' /mnt/vda/prog /tmp/d/prog'* ]] && guest_exec "$1" "kill $pid" &&
		pid=$(guest_exec "$1" 'cd /mnt/vda; mkdir -p jail/bin; cp /bin/busybox jail/bin; ln -sf busybox jail/bin/sleep; chroot jail /bin/sleep 1000 >/dev/null 2>&1 & sleep 1; pidof sleep') &&
		is 'deny not-listed new' "exec@${pid##* }" /bin/busybox && [[ $answer == *' /mnt/vda/jail/bin/busybox '* ]] && guest_exec "$1" "kill ${pid##* }"
}

overlay() { # DIR WORK
	begin "$1" "$2" && guest_exec "$1" 'set -e; cd /mnt/vda; mkdir -p low up work over; cp /bin/busybox low/listed; umount over 2>/dev/null || true
		mount -t overlay -o lowerdir=low,upperdir=up,workdir=work none over; cat over/listed >/dev/null; sleep 3' &&
		is 'allow manifest new' exec /mnt/vda/over/listed && is 'allow manifest known' exec /mnt/vda/over/listed &&
		guest_exec "$1" 'cd /mnt/vda/over; printf x | dd of=listed bs=1 seek=5000 conv=notrunc 2>/dev/null; sleep 3' &&
		is 'deny contents new' exec /mnt/vda/over/listed && guest_exec "$1" 'umount /mnt/vda/over; rm -rf /mnt/vda/up /mnt/vda/work /mnt/vda/low'
}

# shellcheck disable=SC2016 # for the guest's shell
nameless() { # DIR WORK
	local links
	begin "$1" "$2" && mapfile -t links < <(guest_exec "$1" 'gtool held memfd deleted') && [ ${#links[@]} -eq 2 ] &&
		is 'deny writer new' exec "${links[0]}" && is 'deny writer new' exec "${links[1]}" && guest_exec "$1" 'kill $(cat /tmp/gtool.pid)' &&
		guest_exec "$1" 'cp /bin/gtool /mnt/vda/run; (/mnt/vda/run sleep >/dev/null 2>&1 &); sleep 1; rm /mnt/vda/run; exec 7</mnt/vda/prog; rm /mnt/vda/prog; sleep 1000 <&7 >/dev/null 2>&1 & echo $! >/tmp/p' &&
		sleep 2 && is 'deny deleted new' exec "/proc/$(guest_exec "$1" 'cat /tmp/p')/fd/0" && guest_exec "$1" 'kill $(cat /tmp/p)'
}

# With no disk to read from, what is not in memory is not known.
incomplete() { # DIR WORK
	begin "$1" "$2" && guest_exec "$1" 'sync; echo 3 >/proc/sys/vm/drop_caches; dd if=/mnt/vda/prog of=/dev/null bs=4096 count=1 2>/dev/null' &&
		is 'undecided incomplete new' exec /mnt/vda/prog
}

# What is not in memory is read from the disk, and read again when that was a while ago.
from_disk() { # DIR WORK
	local drop='sync; echo 3 >/proc/sys/vm/drop_caches; dd if=/mnt/vda/prog of=/dev/null bs=4096 count=1 2>/dev/null'
	fresh "$1" && guest_exec "$1" "$drop" && judge_start "$1" "$2" exec "$keys/trusted" && is 'allow manifest new' exec /mnt/vda/prog && [[ $answer != *' new '*' 0 '* ]] &&
		is 'allow manifest known' exec /mnt/vda/prog && [[ $answer == *' known '*' 0 '* ]] && guest_exec "$1" 'gtool forge disk /mnt/vda/prog 900000 /dev/vda' &&
		sleep 11 && is 'deny contents new' exec /mnt/vda/prog && guest_exec "$1" 'gtool forge disk /mnt/vda/prog 900000 /dev/vda' && sleep 3 &&
		is 'allow manifest new' exec /mnt/vda/prog && sleep 11 && is 'allow manifest known' exec /mnt/vda/prog && [[ $answer != *' known '*' 0 '* ]]
}

# security.ima, alone and beside the manifest.
signatures() { # DIR WORK
	guest_exec "$1" 'cat /mnt/vda/signed-* /mnt/vda/unsigned /mnt/vda/damaged >/dev/null'
	printf 'appraise func=BPRM_CHECK trust=ima\nappraise func=MMAP_CHECK trust=both\nappraise func=MODULE_CHECK trust=either\nappraise func=FILE_CHECK trust=ima appraise_algos=sha512\n' >"$2/policy"
	judge_start "$1" "$2" "$2/policy" "$keys/trusted" && is 'allow ima new' exec /mnt/vda/signed-known && is 'allow ima known' exec /mnt/vda/signed-known &&
		is 'deny unknown-key new' exec /mnt/vda/signed-unknown && is 'deny signature new' exec /mnt/vda/signed-wrong && is 'deny unsigned new' exec /mnt/vda/unsigned &&
		is 'deny signature new' exec /mnt/vda/damaged && is 'deny unsigned new' exec /mnt/vda/prog && is 'allow both new' mmap /mnt/vda/signed-known &&
		is 'deny not-listed new' mmap /mnt/vda/signed-unknown && is 'deny unsigned new' mmap /mnt/vda/unsigned && is 'allow manifest new' module /mnt/vda/signed-known &&
		is 'allow manifest new' module /mnt/vda/unsigned && is 'deny not-listed new' module /mnt/vda/signed-unknown && is 'deny signature new' read /mnt/vda/signed-known
}

contents() { # DIR WORK
	printf 'appraise func=BPRM_CHECK trust=contents\n' >"$2/policy"
	fresh "$1" && judge_start "$1" "$2" "$2/policy" && guest_exec "$1" 'cp /bin/gtool /tmp/copy; sleep 3' && is 'allow manifest new' exec /tmp/copy &&
		[[ $answer == *'as /mnt/vda/prog' ]] && is 'allow manifest known' exec /tmp/copy && guest_exec "$1" 'gtool forge end /tmp/copy 0' &&
		is 'deny not-listed new' exec /tmp/copy && is 'deny not-listed new' exec /etc/passwd
}

users() { # DIR WORK
	printf 'dont_appraise func=BPRM_CHECK uid>0 fowner=0 fsname=ext4\nappraise func=BPRM_CHECK\n' >"$2/policy"
	local pid
	fresh "$1" && judge_start "$1" "$2" "$2/policy" && is 'allow manifest' exec /mnt/vda/prog && pid=$(guest_exec "$1" 'gtool user >/tmp/user & sleep 1; head -n 1 /tmp/user') &&
		is 'allow not-asked' "exec@$pid" /mnt/vda/prog && is 'allow manifest' "exec@$pid" /bin/busybox && guest_exec "$1" "kill $pid"
}

cost() { # DIR WORK
	begin "$1" "$2" && ask cost exec /mnt/vda/prog && [ "$answer" -lt 2000000 ]
}

cases() {
	guest_get "$1" /bin/gtool "$1/gtool"
	guest_get "$1" /bin/busybox "$1/busybox"
	printf '%s\t%s\n' /mnt/vda/prog "$1/gtool" /bin/busybox "$1/busybox" /mnt/vda/over/listed "$1/busybox" /mnt/vda/unsigned "$keys/true" \
		/mnt/vda/signed-known "$keys/true" >"$1/list"
	local name
	for name in ${CASES:-known executed too_young written clock_set_back mapped below page_cache_only behind_the_end replaced number_again other_names bound overlay \
		nameless incomplete from_disk signatures contents users cost}; do
		agreement_case "$1" "$name" "$name"
	done
}

# The oldest and the newest; tests/soak/guard-kernels.sh takes all.
KERNELS=${KERNELS:-5.10 7.2} agreement_each_kernel cases --mem 512M --drive "if=virtio,format=raw,snapshot=on,file=$image"

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ksma appraise on each kernel, with a signed manifest of the test guest: a clean guest has no finding, busy or not, with tracers' probes, with
# chroots; and each way to run what the manifest does not say is found, while the guest's disk stays as it is.
# timeout: 2400
# shellcheck disable=SC2016 # such lines are for the guest
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/agreement.sh
. "$here/../lib/agreement.sh"

tmp=$(mktemp -d)
on_exit rm -rf "$tmp"

mkdir "$tmp/keys"
openssl genpkey -quiet -algorithm ED25519 -out "$tmp/key.pem"
openssl pkey -in "$tmp/key.pem" -pubout -out "$tmp/keys/test.pem"

# A disk with a program that is linked dynamically, its loader and library, a script, and a second copy of the first.
disk=$tmp/disk
mkdir -p "$disk"/{lib64,bin}
cat >"$tmp/program.c" <<-'C'
	#include <stdio.h>
	#include <stdlib.h>
	#include <unistd.h>
	int main(void) { printf("%d\n", (int)getpid()); fflush(stdout); for (;;) pause(); }
C
gcc -O2 -o "$disk/bin/program" "$tmp/program.c" -Wl,--dynamic-linker=/mnt/vda/lib64/ld.so -Wl,-rpath,/mnt/vda/lib64
ldd "$disk/bin/program" | awk '/libc/ { print $3 }' | xargs -I{} cp -L {} "$disk/lib64/"
cp -L /lib64/ld-linux-x86-64.so.2 "$disk/lib64/ld.so"
echo 'int injected(void) { return 1; }' | gcc -O2 -shared -fPIC -x c -o "$tmp/injected.so" -
printf '#!/bin/sh\nwhile :; do sleep 1; done\n' >"$disk/bin/script"
chmod 755 "$disk"/bin/* "$disk"/lib64/*
truncate -s 32M "$tmp/image"
mkfs.ext4 -q -F -d "$disk" "$tmp/image"

# The manifest of a kernel's initramfs and that disk.
manifest() { # KERNEL
	local root=$tmp/root-$1 initrd
	initrd=$("$here/mkinitramfs" "$1")
	mkdir -p "$root"
	(cd "$root" && lz4 -qdc "$initrd" | cpio -idm --quiet)
	mkdir -p "$root/mnt"
	cp -r "$disk" "$root/mnt/vda"
	"$ksma" manifest build --root "$root" -o "$tmp/$1.ksma" >/dev/null
	"$ksma" manifest sign --key "$tmp/key.pem" "$tmp/$1.ksma" >/dev/null
}

# The findings' ids, one a line, and the coverage, in the file said; fails when the program could not tell.
appraise() { # DIR WORK [OPTION…]
	local status=0 dir=$1 work=$2
	shift 2
	"$ksma" appraise "$(guest_pid "$dir")" --manifest "$tmp/$(cat "$dir/kernel").ksma" --keys "$tmp/keys" --json "$@" >"$work/json" 2>"$work/error" || status=$?
	cat "$work/error"
	[ "$status" -le 1 ] || {
		cat "$work/json"
		return 1
	}
	python3 -c "import json; d = json.load(open('$work/json')); [print(f['id']) for f in d['findings']]" | sort >"$work/ids"
}

# Exactly these findings (globs), and everything looked at.
finds() { # DIR WORK GLOB…
	local dir=$1 work=$2 id i=0
	shift 2
	appraise "$dir" "$work" || return 1
	while read -r id; do
		i=$((i + 1))
		# shellcheck disable=SC2254 # a glob
		case $id in
		${!i-}) ;;
		*)
			cat "$work/json"
			return 1
			;;
		esac
	done <"$work/ids"
	[ "$i" -eq $# ] || {
		echo "findings:"
		cat "$work/ids"
		return 1
	}
}

evidence() { # WORK KEY VALUE
	python3 -c "import json, sys; d = json.load(open('$1/json')); v = str(d['findings'][0]['evidence'].get('$2')); print(v); sys.exit('$3' not in v)"
}

# Writes a byte of the guest's memory from the host: past its kernel, and so past every mark that a write leaves.
poke() { # DIR ADDRESS OCTAL
	local pid fd
	pid=$(guest_pid "$1")
	for fd in /proc/"$pid"/fd/*; do
		if [[ $(readlink "$fd") = /memfd:* ]]; then
			printf '%b' "\\0$3" | dd of="$fd" bs=1 seek="$(($2))" conv=notrunc status=none
			return
		fi
	done
	return 1
}

# Where a page of a file lies in the guest's memory.
frame() { # DIR PATH OFFSET
	{ "$ksma" cat "$(guest_pid "$1")" "$2" --json || true; } 2>/dev/null |
		python3 -c "import json, sys; [print(hex(int(p['frame'], 16) + $3 - p['offset'])) for p in json.load(sys.stdin)['pieces'] if p['offset'] <= $3 < p['offset'] + p['length']]"
}

# The byte at an offset of the disk's file, in octal.
byte() { od -An -to1 -j "$2" -N1 "$1" | tr -d ' '; }

clean() { # DIR WORK
	finds "$1" "$2"
}

busy() { # DIR WORK
	GSH_TIMEOUT=90 guest_exec "$1" 'gtool churn 12' &
	local i bad=0
	sleep 1
	for ((i = 0; i < 6 && bad == 0; i++)); do finds "$1" "$2" || bad=1; done
	wait $!
	return "$bad"
}

# A probe of tracefs puts a breakpoint into every process's copy of the page.
probed() { # DIR WORK
	guest_exec "$1" 'cd /sys/kernel/tracing && echo "p:spot /bin/busybox:0x'"$(printf %x $((0x20000)))"'" >uprobe_events && echo 1 >events/uprobes/spot/enable; sleep 300 & sleep 0.2' || return 1
	finds "$1" "$2"
	local bad=$?
	guest_exec "$1" 'cd /sys/kernel/tracing && echo 0 >events/uprobes/spot/enable; : >uprobe_events; killall sleep'
	return "$bad"
}

# The same files under other names: a chroot, a bind mount of the root, a container's own namespace.
elsewhere() { # DIR WORK
	guest_exec "$1" 'mkdir -p /tmp/jail; mount -o bind / /tmp/jail; chroot /tmp/jail /bin/sleep 300 & unshare -m /bin/sleep 300 & sleep 0.3'
	finds "$1" "$2"
	local bad=$?
	guest_exec "$1" 'killall sleep; sleep 0.2; umount /tmp/jail'
	return "$bad"
}

# In the cache alone: a file that runs, and one that does not yet.
cache_only() { # DIR WORK
	local at old
	guest_exec "$1" '/mnt/vda/bin/program >/tmp/pid & sleep 0.2; cat /mnt/vda/bin/script >/dev/null'
	finds "$1" "$2" || return 1
	at=$(frame "$1" /mnt/vda/lib64/libc.so.6 $((0x30000))) && old=$(byte "$disk/lib64/libc.so.6" $((0x30000))) || return 1
	poke "$1" "$at" "$(printf %o $((8#$old ^ 1)))"
	finds "$1" "$2" 'files/changed/mnt/vda/lib64/libc.so.6' && evidence "$2" state clean && evidence "$2" offset $((0x30000)) &&
		evidence "$2" pages 1 && evidence "$2" disk "what was signed: this" || return 1
	poke "$1" "$at" "$old"
	finds "$1" "$2" || return 1
	at=$(frame "$1" /mnt/vda/bin/script 0) && poke "$1" $((at + 20)) 101 &&
		finds "$1" "$2" 'files/changed/mnt/vda/bin/script' &&
		poke "$1" $((at + 20)) "$(byte "$disk/bin/script" 20)" &&
		guest_exec "$1" 'kill $(cat /tmp/pid); sleep 0.3' &&
		finds "$1" "$2"
}

# Through the kernel: a write by whoever may, which will reach the disk.
written() { # DIR WORK
	guest_exec "$1" '[ -e /tmp/script ] || cp /mnt/vda/bin/script /tmp/script; printf X | dd of=/mnt/vda/bin/script bs=1 seek=30 conv=notrunc 2>/dev/null'
	finds "$1" "$2" 'files/changed/mnt/vda/bin/script' && evidence "$2" state dirty &&
		guest_exec "$1" sync && finds "$1" "$2" 'files/changed/mnt/vda/bin/script' && evidence "$2" state clean &&
		evidence "$2" disk "the same as memory" &&
		guest_exec "$1" 'cat /tmp/script >/mnt/vda/bin/script' && finds "$1" "$2"
}

patched() { # DIR WORK HOW
	guest_exec "$1" "gtool intrude rest; gtool intrude $3 \$(cat /tmp/gtool.pid)" &&
		finds "$1" "$2" 'files/patched/bin/gtool/in/bin/gtool' && evidence "$2" pages 1 &&
		guest_exec "$1" 'kill $(cat /tmp/gtool.pid); sleep 0.3' && finds "$1" "$2"
}

by_ptrace() { patched "$1" "$2" ptrace; }
by_mem() { patched "$1" "$2" mem; }

intrude() { # DIR WORK WAY GLOB [KEY VALUE]
	local dir=$1 work=$2
	guest_exec "$dir" "gtool intrude $3; sleep 0.3" && finds "$dir" "$work" "$4" && evidence "$work" "${5-processes}" "${6-1}" &&
		guest_exec "$dir" 'kill $(cat /tmp/gtool.pid); sleep 0.3' && finds "$dir" "$work"
}

from_memfd() { intrude "$1" "$2" memfd 'files/memfd/memfd:payload'; }
from_deleted() { intrude "$1" "$2" deleted 'files/deleted/tmp/intruder'; }
anonymous() { intrude "$1" "$2" anonymous 'files/anonymous/bin/gtool' writable no; }
writable() { intrude "$1" "$2" writable 'files/anonymous/bin/gtool' writable yes; }
own_text() { intrude "$1" "$2" text 'files/writable/bin/gtool'; }

preloaded() { # DIR WORK
	guest_put "$1" "$tmp/injected.so" /tmp/injected.so
	guest_exec "$1" 'LD_PRELOAD=/tmp/injected.so /mnt/vda/bin/program >/tmp/pid & sleep 0.3' &&
		finds "$1" "$2" 'files/unsigned/tmp/injected.so' &&
		guest_exec "$1" 'kill $(cat /tmp/pid); sleep 0.3' && finds "$1" "$2"
}

unsigned_copy() { # DIR WORK
	guest_exec "$1" 'cp /bin/busybox /tmp/sleep; /tmp/sleep 300 & sleep 0.2' &&
		finds "$1" "$2" 'files/unsigned/tmp/sleep' && guest_exec "$1" 'killall sleep; rm /tmp/sleep; sleep 0.3' && finds "$1" "$2"
}

# A signed program that was replaced, and still runs: told, and not more than that.
replaced() { # DIR WORK
	guest_exec "$1" '/mnt/vda/bin/program >/tmp/pid & sleep 0.2; cp -p /mnt/vda/bin/program /mnt/vda/bin/new; mv /mnt/vda/bin/new /mnt/vda/bin/program' &&
		finds "$1" "$2" 'files/deleted/mnt/vda/bin/program' && evidence "$2" content 'what the manifest says' &&
		[ "$(python3 -c "import json; print(json.load(open('$2/json'))['findings'][0]['severity'])")" = low ] &&
		guest_exec "$1" 'kill $(cat /tmp/pid); sleep 0.3' && finds "$1" "$2"
}

scripts() { # DIR WORK
	guest_exec "$1" '/mnt/vda/bin/script & printf "#!/bin/sh\nwhile :; do sleep 1; done\n" >/tmp/evil; chmod +x /tmp/evil; cd /tmp; ./evil & sleep 0.3' &&
		finds "$1" "$2" 'files/script/tmp/evil' && evidence "$2" comm evil &&
		guest_exec "$1" 'killall evil script; rm /tmp/evil; sleep 0.3' && finds "$1" "$2"
}

# An engine that compiles, by exception, takes nothing else with it.
excepted() { # DIR WORK
	cat >"$2/exceptions" <<-'JSON'
		{"finding": "files/anonymous/bin/gtool", "evidence": {"comm": "gtool"}, "reason": "it compiles", "expires": "2099-01-01"}
	JSON
	guest_exec "$1" 'gtool intrude writable' && appraise "$1" "$2" --exceptions "$2/exceptions" && [ ! -s "$2/ids" ] &&
		guest_exec "$1" 'kill $(cat /tmp/gtool.pid); sleep 0.3'
}

# The same look as one of the checks.
as_check() { # DIR WORK
	local status=0
	"$ksma" check "$(guest_pid "$1")" files modules --manifest "$tmp/$(cat "$1/kernel").ksma" --keys "$tmp/keys" --json >"$2/json" || status=$?
	[ "$status" -eq 0 ] && python3 -c "import json; d = json.load(open('$2/json')); assert [c['check'] for c in d['coverage']] == ['modules', 'files'], d['coverage']" &&
		"$ksma" watch "$(guest_pid "$1")" files --count 3 --interval 100ms --manifest "$tmp/$(cat "$1/kernel").ksma" --keys "$tmp/keys" >"$2/watched"
}

# By a key that nobody trusts, or not at all, there is no answer.
untrusted() { # DIR WORK
	local m=$2/other.ksma
	cp "$tmp/$(cat "$1/kernel").ksma" "$m"
	! "$ksma" appraise "$(guest_pid "$1")" --manifest "$m" --keys "$tmp/keys" || return 1
	openssl genpkey -quiet -algorithm ED25519 -out "$2/other.pem" && "$ksma" manifest sign --key "$2/other.pem" "$m" >/dev/null &&
		! "$ksma" appraise "$(guest_pid "$1")" --manifest "$m" --keys "$tmp/keys"
}

cases() {
	manifest "$(cat "$1/kernel")"
	agreement_case "$1" "a clean guest" clean
	agreement_case "$1" "a clean guest that is busy" busy
	agreement_case "$1" "a tracer's probe is no change" probed
	agreement_case "$1" "other roots, other names" elsewhere
	agreement_case "$1" "changed in the page cache alone" cache_only
	agreement_case "$1" "written to" written
	agreement_case "$1" "a process changed by ptrace" by_ptrace
	agreement_case "$1" "a process changed by /proc/PID/mem" by_mem
	agreement_case "$1" "a program in a memfd" from_memfd
	agreement_case "$1" "a deleted program" from_deleted
	agreement_case "$1" "anonymous executable memory" anonymous
	agreement_case "$1" "writable executable memory" writable
	agreement_case "$1" "a program's own code made writable" own_text
	agreement_case "$1" "a preloaded library" preloaded
	agreement_case "$1" "an unsigned copy" unsigned_copy
	agreement_case "$1" "a signed program that was replaced" replaced
	agreement_case "$1" "scripts" scripts
	agreement_case "$1" "an exception" excepted
	agreement_case "$1" "as one of the checks" as_check
	agreement_case "$1" "a manifest that nobody vouches for" untrusted
}

# Isolated page tables, five levels of them, memory that can only be copied.
isolated() {
	local dir
	dir=$(mktemp -d)
	on_exit rm -rf "$dir"
	guest_start --kernel 6.1 --mem 512M --ram anon --la57 --append pti=on --drive "if=virtio,format=raw,snapshot=on,file=$tmp/image" "$dir" >/dev/null
	[[ $("$ksma" info "$(guest_pid "$dir")" --json) = *'"kpti":true'* ]]
	manifest 6.1
	agreement_case "$dir" "isolated page tables: a clean guest" clean
	agreement_case "$dir" "isolated page tables: a process changed by /proc/PID/mem" by_mem
	agreement_case "$dir" "isolated page tables: a program in a memfd" from_memfd
	guest_stop "$dir"
}

[ -n "${KERNELS-}" ] || isolated
agreement_each_kernel cases --mem 512M --cpus 2 --drive "if=virtio,format=raw,snapshot=on,file=$tmp/image"

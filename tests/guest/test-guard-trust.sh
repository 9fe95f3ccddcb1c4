#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a file was is no pass for what it became: changed after its first approved use in every way, it is refused. Trust that is taken back, given
# again or extended counts at once, in a guard that runs on; and what it measured is what the kernel's own tools read.
# timeout: 1200
# shellcheck disable=SC2016 # lines for the guest's shell
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/guest.sh
. "$here/../lib/guest.sh"
ksma=${KSMA:-$here/../../build/ksma}
# shellcheck source=tests/lib/signed.sh
. "$here/../lib/signed.sh"
# shellcheck source=tests/lib/cases.sh
. "$here/../lib/cases.sh"
# shellcheck source=tests/lib/guarded.sh
. "$here/../lib/guarded.sh"
scratch=$(mktemp -d)
on_exit rm -rf "$scratch"
export GSH_TIMEOUT=120

guard_begin() { guard_start --mode enforce --measurements "$dir/list" "$@"; }

# $1 in the guest: does the program $2 run before it, and not after?
turns_bad() {
	local out
	out=$(run "$2 && echo first; $1; $2 && echo again")
	if [[ $out == *first*"Permission denied"* && $out != *again* ]]; then
		tell 0 "$3"
	else
		tell 1 "$3"
		echo "# ${out//$'\n'/ | }"
	fi
}

# Was path $1 refused for reason $2?
refused_for() { jq -es --arg p "$1" --arg r "$2" 'any(.[]; .decision == "deny" and .path == $p and .reason == $r)' "$dir/out" >/dev/null; }

changes() {
	local at
	at=$(($(stat -c %s "$dir/root/bin/v1") / 2))
	turns_bad "cp /bin/v1 /tmp/new; printf X | dd of=/tmp/new bs=1 seek=$at conv=notrunc 2>/dev/null; mv /tmp/new /bin/v1" "/bin/v1 work 1 syscalls >/dev/null" "replaced by rename"
	turns_bad "printf X | dd of=/bin/v2 bs=1 seek=$at conv=notrunc 2>/dev/null" "/bin/v2 work 1 syscalls >/dev/null" "written to"
	turns_bad "gtool forge mapping /bin/v3 $at; kill \$(cat /tmp/gtool.pid); sleep 1" "/bin/v3 work 1 syscalls >/dev/null" "written to through a mapping"
	turns_bad "gtool forge clock /bin/v4 $at" "/bin/v4 work 1 syscalls >/dev/null" "written to with the clock set back"
	turns_bad "cp /bin/gtool /tmp/other; printf X | dd of=/tmp/other bs=1 seek=$at conv=notrunc 2>/dev/null; mount --bind /tmp/other /bin/v5" "/bin/v5 work 1 syscalls >/dev/null" "another one bound over it"
	run 'umount /bin/v5' >/dev/null
	turns_bad "printf X | dd of=/bin/v6 bs=1 seek=$at conv=notrunc 2>/dev/null" \
		"{ grep -q '^o /bin ' /proc/mounts || { mkdir -p /tmp/o; mount -t tmpfs t /tmp/o; mkdir /tmp/o/u /tmp/o/w; modprobe overlay; mount -t overlay -o lowerdir=/bin,upperdir=/tmp/o/u,workdir=/tmp/o/w o /bin; }; /bin/v6 work 1 syscalls >/dev/null; }" \
		"written to in the upper layer of an overlay"
	run 'umount /bin' >/dev/null
}

# What nothing here prevents, as docs/security-analysis.md says: whoever changes that changes both.
limits() {
	local out
	out=$(run 'echo "echo words" >/tmp/words; sh /tmp/words')
	tell "$([[ $out == *words*"=0" ]] && echo 0 || echo 1)" "a signed interpreter reads what it is given"
	out=$(run 'gtool intrude anonymous')
	tell "$([[ $out == *"=0" ]] && echo 0 || echo 1)" "a signed program executes memory that it made itself"
	run 'kill $(cat /tmp/gtool.pid)' >/dev/null
	out=$(run 'cp /bin/gtool /tmp/unsigned; echo >>/tmp/unsigned; gtool intrude later /tmp/unsigned')
	tell "$([[ $out == "=0" ]] && echo 0 || echo 1)" "a file's pages become executable by mprotect()"
	out=$(run 'm=$(find /lib/modules -name dummy.ko); rmmod dummy; cp $m /tmp/m.ko; echo >>/tmp/m.ko
		gtool intrude module /tmp/m.ko || echo refused; gtool intrude module $m && rmmod dummy')
	tell "$([[ $out == *"ermission denied"*refused*"=0" ]] && echo 0 || echo 1)" "a module from memory goes by its bytes"
	echo "# ${out//$'\n'/ | }"
}

# What exec+modules has no breakpoint for, exec has.
later() {
	local out
	guard_begin --policy exec || return 0
	out=$(run 'gtool intrude later /bin/v9 && echo signed; gtool intrude later /tmp/unsigned || echo refused')
	tell "$([[ $out == *signed*"ermission denied"*refused* ]] && refused_for /tmp/unsigned not-listed && echo 0 || echo 1)" "with the policy exec, what mprotect() makes executable is appraised"
	echo "# ${out//$'\n'/ | }"
	"$ksma" guard "$pid" --off >/dev/null
	wait "$guard" 2>/dev/null || true
}

keys() {
	local out
	"$ksma" manifest revoke --keys "$dir/keys" key "$dir/keys/key.pem" lost >/dev/null
	tell "$(guard_waits distrusted 1 && echo 0 || echo 1)" "a key that is revoked is noticed"
	out=$(run '/bin/v7 work 1 syscalls >/dev/null')
	tell "$([[ $out != *"=0" ]] && refused_for /bin/busybox revoked && echo 0 || echo 1)" "all that it signed is refused"
	sed -i '/^key /d' "$dir/keys/revoked"
	tell "$(guard_waits keys 2 && echo 0 || echo 1)" "what is trusted again is noticed"
	out=$(run '/bin/v7 work 1 syscalls >/dev/null')
	tell "$([[ $out == "=0" ]] && echo 0 || echo 1)" "and counts"
	"$ksma" manifest revoke --keys "$dir/keys" file "$(sha256sum <"$dir/root/bin/v7" | cut -c1-64)" "has a hole" >/dev/null
	guard_waits keys 3
	out=$(run '/bin/v7 work 1 syscalls >/dev/null')
	tell "$([[ $out == *"Permission denied"* ]] && refused_for /bin/v7 revoked && echo 0 || echo 1)" "a file whose contents are revoked is refused"
	rm "$dir/keys/revoked"
	guard_waits keys 4
}

# The same manifest by another key, after the one that signed it was taken out of the folder.
signed_anew() {
	local out
	openssl genpkey -algorithm ED25519 -out "$dir/next.pem" 2>/dev/null
	openssl pkey -in "$dir/next.pem" -pubout -out "$dir/next.pub"
	chmod 644 "$dir/next.pub"
	cp "$dir/next.pub" "$dir/keys/next.pem"
	guard_waits keys 5
	mv "$dir/keys/key.pem" "$dir/old.pub"
	tell "$(guard_waits distrusted 2 >/dev/null && echo 0 || echo 1)" "a key that is taken away is noticed"
	"$ksma" manifest sign --key "$dir/next.pem" "$dir/m.ksma" >/dev/null
	tell "$(guard_waits manifest 1 && echo 0 || echo 1)" "a signature by another key that is known counts"
	out=$(run '/bin/v8 work 1 syscalls >/dev/null')
	tell "$([[ $out == "=0" ]] && echo 0 || echo 1)" "and what it vouches for runs"
	mv "$dir/old.pub" "$dir/keys/key.pem"
	guard_waits keys 7
}

updates() {
	local out
	out=$(run 'cp /bin/gtool /bin/fresh; echo new >>/bin/fresh; /bin/fresh work 1 syscalls >/dev/null')
	tell "$([[ $out == *"Permission denied"* ]] && refused_for /bin/fresh not-listed && echo 0 || echo 1)" "an update that nobody signed is refused"
	mkdir -p "$dir/update/bin"
	{ cat "$dir/root/bin/gtool" && echo new; } >"$dir/update/bin/fresh"
	chmod 755 "$dir/update/bin/fresh"
	"$ksma" manifest build --root "$dir/update" -o "$dir/u.ksma" >/dev/null
	"$ksma" manifest sign --key "$dir/key.pem" "$dir/u.ksma" >/dev/null
	"$ksma" manifest merge -o "$dir/next.ksma" "$dir/m.ksma" "$dir/u.ksma" >/dev/null
	printf 'half' >"$dir/m.ksma.sig"
	sleep 1
	out=$(run '/bin/v8 work 1 syscalls >/dev/null')
	tell "$([[ $out == "=0" ]] && echo 0 || echo 1)" "while the manifest is being replaced, the old one counts"
	mv "$dir/next.ksma.sig" "$dir/m.ksma.sig"
	mv "$dir/next.ksma" "$dir/m.ksma"
	guard_waits manifest 2
	out=$(run '/bin/fresh work 1 syscalls >/dev/null')
	tell "$([[ $out == "=0" ]] && echo 0 || echo 1)" "once a merged manifest has it, it runs, with the same guard"
	echo "# ${out//$'\n'/ | }"
}

# The list as the kernel's own tools read it; the registers are those that it adds up to.
measures() {
	local list=$dir/list/current
	guard_end -TERM
	tells "all that it said is as documented" guard_valid
	if evmctl ima_measurement -v --pcrs "sha256,$list/pcrs.sha256" --pcrs "sha1,$list/pcrs.sha1" "$list/binary_runtime_measurements" >"$dir/evmctl" 2>&1; then
		tell 0 "evmctl accepts the list, and its registers"
	else
		tell 1 "evmctl accepts the list, and its registers"
		tail -n 5 "$dir/evmctl" | sed 's/^/# /'
	fi
	tell "$(grep -q " sha256:$(sha256sum <"$dir/root/bin/v8" | cut -c1-64) /bin/v8" "$list/ascii_runtime_measurements" && echo 0 || echo 1)" "what ran is in it, with its hash"
	tell "$(head -n 1 "$list/ascii_runtime_measurements" | grep -q boot_aggregate && echo 0 || echo 1)" "it begins with the aggregate of the boot"
	sed 's/^/# /' <(wc -l <"$list/ascii_runtime_measurements")
}

# What cannot be decided is let pass or refused, as the operator chose: the manifest is cut off below the guard.
undecided() {
	local fail out lines
	for fail in open closed; do
		cp "$dir/m.ksma" "$dir/whole.ksma"
		guard_begin --fail "$fail" || return 0
		lines=$(wc -l <"$dir/list/current/ascii_runtime_measurements")
		truncate -s 4096 "$dir/m.ksma"
		out=$(run '/bin/v9 work 1 syscalls >/dev/null')
		if [ "$fail" = open ]; then
			tell "$([[ $out == "=0" ]] && echo 0 || echo 1)" "with --fail open, what cannot be decided passes"
			tell "$([ "$lines" -gt 3 ] && echo 0 || echo 1)" "a guard of the same boot goes on with its list"
		else
			tell "$([[ $out != *"=0" ]] && echo 0 || echo 1)" "with --fail closed, what cannot be decided is refused"
		fi
		tell "$(jq -es 'any(.[]; .path == "/bin/busybox" and .reason == "manifest-lost" and .decision != "allow")' "$dir/out" >/dev/null && echo 0 || echo 1)" "which is told either way"
		echo "# ${out//$'\n'/ | }"
		"$ksma" guard "$pid" --off >/dev/null
		wait "$guard" 2>/dev/null || true
		mv "$dir/whole.ksma" "$dir/m.ksma"
	done
}

for kernel in ${KERNELS:-6.1}; do
	cases_of=$kernel
	dir=$scratch/$kernel
	mkdir -p "$dir"
	signed_manifest "$kernel" "$dir" --module overlay --module dummy
	for i in 1 2 3 4 5 6 7 8 9; do cp "$dir/root/bin/gtool" "$dir/root/bin/v$i"; done
	"$ksma" manifest build --root "$dir/root" -o "$dir/m.ksma" >/dev/null
	"$ksma" manifest sign --key "$dir/key.pem" "$dir/m.ksma" >/dev/null
	guest_start --kernel "$kernel" --cpus 2 --module overlay --module dummy "$dir/g" >/dev/null
	pid=$(guest_pid "$dir/g")
	run 'for i in 1 2 3 4 5 6 7 8 9; do cp /bin/gtool /bin/v$i; done' >/dev/null
	if guard_begin; then
		changes
		limits
		keys
		signed_anew
		updates
		measures
		undecided
		later
	else
		tell 1 "the guard stands there"
	fi
	guest_stop "$dir/g"
done
echo "1..$count"
[ "$failed" = 0 ]

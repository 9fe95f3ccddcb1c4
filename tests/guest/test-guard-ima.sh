#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Files that carry their own signatures (security.ima, as evmctl writes it) on the disk of a real Debian guest: those of known keys run, those of unknown,
# expired and revoked ones, those without, and those that were changed are refused; and a byte flipped in a library and in a module is noticed.
# timeout: 1500
# shellcheck disable=SC2016 # lines for the guest's shell
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/debian.sh
. "$here/../lib/debian.sh"
ksma=${KSMA:-$here/../../build/ksma}
# shellcheck source=tests/lib/cases.sh
. "$here/../lib/cases.sh"
# shellcheck source=tests/lib/guarded.sh
. "$here/../lib/guarded.sh"
export GSH_TIMEOUT=300

# Key $1, with a certificate of its own of those dates.
make_key() { # NAME START END
	openssl genrsa -out "$dir/own/$1.pem" 2048 2>/dev/null
	openssl req -new -key "$dir/own/$1.pem" -subj "/CN=$1" -out "$dir/own/$1.csr"
	rm -rf "$dir/ca" && mkdir "$dir/ca" && touch "$dir/ca/index.txt"
	printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s/ca/index.txt\nrand_serial=yes\nnew_certs_dir=%s/ca\ndefault_md=sha256\npolicy=p\nx509_extensions=e\n[p]\nCN=optional\n[e]\n' \
		"$dir" "$dir" >"$dir/ca/conf"
	printf 'subjectKeyIdentifier=hash\nkeyUsage=digitalSignature\n' >>"$dir/ca/conf"
	openssl ca -batch -notext -config "$dir/ca/conf" -selfsign -keyfile "$dir/own/$1.pem" -startdate "$2" -enddate "$3" -in "$dir/own/$1.csr" \
		-out "$dir/own/$1.crt" 2>/dev/null
}

# Puts a copy of the program, signed by key $1, into the guest as /root/ima/$1.
give_signed() {
	cp "$dir/program" "$dir/$1"
	rm -f "$dir/$1.sig"
	evmctl ima_sign --sigfile --keyid-from-cert "$dir/own/$1.crt" --key "$dir/own/$1.pem" "$dir/$1" >/dev/null 2>&1
	run "cp /usr/bin/true /root/ima/$1 && setfattr -n security.ima -v 0x$(hex <"$dir/$1.sig") /root/ima/$1 && sync"
}

bytes() { printf '%b' "$(fold -w 2 <<<"$1" | sed 's/^/\\x/' | tr -d '\n')"; }
hex() { od -An -v -tx1 | tr -d ' \n'; }

# The same with the fs-verity digest signed (version 3): what is signed are the attribute's kind, the number of the hash, and the digest.
verity_signed() {
	local digest
	digest=$(fsverity digest "$dir/program" | sed 's/^sha256:\([0-9a-f]*\) .*/\1/')
	bytes "0604$digest" | openssl dgst -sha256 -sign "$dir/own/good.pem" -out "$dir/verity.raw"
	{
		bytes 060304
		tail -c +4 "$dir/good.sig" | head -c 4
		bytes 0100
		cat "$dir/verity.raw"
	} | hex
}

prepare() {
	local key
	mkdir -p "$dir/keys" "$dir/own"
	make_key good 20200101000000Z 20991231235959Z
	make_key revoked 20200101000000Z 20991231235959Z
	make_key expired 20200101000000Z 20210101000000Z
	make_key unknown 20200101000000Z 20991231235959Z
	cp "$dir/own/good.crt" "$dir/own/revoked.crt" "$dir/own/expired.crt" "$dir/keys"
	"$ksma" manifest revoke --keys "$dir/keys" certificate "$dir/own/revoked.crt" lost
	openssl genrsa -out "$dir/key.pem" 2048 2>/dev/null
	openssl rsa -in "$dir/key.pem" -pubout -out "$dir/keys/key.pem" 2>/dev/null
	"$ksma" manifest build --image "$(debian_get)/disk.qcow2" -o "$dir/m.ksma"
	"$ksma" manifest sign --key "$dir/key.pem" "$dir/m.ksma"
	{
		echo 'appraise func=BPRM_CHECK path=/root/ima/verity-* appraise_type=sigv3 digest_type=verity'
		echo 'appraise func=BPRM_CHECK path=/root/ima/*-alone appraise_type=imasig'
		echo 'appraise func=BPRM_CHECK path=/root/ima/* trust=ima'
		echo 'appraise func=MMAP_CHECK mask=MAY_EXEC path=/root/ima/* trust=ima'
		echo 'appraise func=BPRM_CHECK'
		echo 'appraise func=MMAP_CHECK mask=MAY_EXEC'
		echo 'appraise func=MODULE_CHECK'
	} >"$dir/policy"
	guest_exec "$dir/g" 'mkdir -p /root/ima; base64 /usr/bin/true' | base64 -d >"$dir/program"
	for key in good revoked expired unknown; do give_signed "$key"; done
	cp "$dir/good.sig" "$dir/changed.sig"
	run 'cp /root/ima/good /root/ima/changed; setfattr -n security.ima -v "$(getfattr --only-values -e hex -n security.ima /root/ima/good | od -An -v -tx1 | tr -d " \n" | sed s/^/0x/)" /root/ima/changed
		printf X | dd of=/root/ima/changed bs=1 seek=9000 conv=notrunc status=none; cp /usr/bin/true /root/ima/none
		for f in verity verity-alone verity-changed not-alone; do
			cp /usr/bin/true /root/ima/$f; setfattr -n security.ima -v 0x'"$(verity_signed)"' /root/ima/$f
		done
		cp /root/ima/good /root/ima/verity-not; setfattr -n security.ima -v "$(getfattr --only-values -e hex -n security.ima /root/ima/good | od -An -v -tx1 | tr -d " \n" | sed s/^/0x/)" /root/ima/verity-not
		printf X | dd of=/root/ima/verity-changed bs=1 seek=9000 conv=notrunc status=none
		/root/ima/good; sync; echo 3 >/proc/sys/vm/drop_caches'
}

# File $1 of /root/ima is refused, and that for reason $2.
refused() {
	[[ $(run "/root/ima/$1") == *"Permission denied"* ]]
	guard_said --arg p "/root/ima/$1" --arg r "$2" 'any(.[]; .decision == "deny" and .path == $p and .reason == $r)'
}

runs() { [[ $(run "/root/ima/$1") == "=0" ]]; }

# One byte of a library that a program needs.
library() {
	local path=/usr/lib/x86_64-linux-gnu/libmagic.so.1.0.0
	[[ $(run 'file /usr/bin/true') == *ELF*"=0" ]]
	run "cp $path /root/l; printf X | dd of=/root/l bs=1 seek=70000 conv=notrunc status=none; mv /root/l $path"
	[[ $(run 'file /usr/bin/true') != *"=0" ]]
	guard_said --arg p "$path" 'any(.[]; .decision == "deny" and .path == $p and .reason == "contents" and .func == "MMAP_CHECK")'
}

module() {
	local out
	out=$(run 'modprobe dummy && rmmod dummy; f=$(modinfo -n dummy); cp $f /root/dummy.ko; s=$(stat -c %s $f); printf X | dd of=/root/dummy.ko bs=1 seek=$((s / 2)) conv=notrunc status=none
		mv /root/dummy.ko $f; modprobe dummy')
	echo "$out"
	[[ $out == *"ermission denied"* ]]
	guard_said 'any(.[]; .decision == "deny" and (.path | endswith("/dummy.ko")) and .func == "MODULE_CHECK")'
}

dir=$(mktemp -d)
on_exit rm -rf "$dir"
debian_get >/dev/null || {
	status=$?
	echo "the guest's disk cannot be built here"
	exit "$status"
}
debian_start --cpus 2 "$dir/g" >/dev/null
debian_wait "$dir/g" >/dev/null || true
pid=$(guest_pid "$dir/g")
does "files with signatures of their own are made" prepare
guard_start --mode enforce --policy "$dir/policy" || exit 1
does "one of a known key runs" runs good
does "one of an unknown key is refused" refused unknown unknown-key
does "one of a certificate that ran out is refused" refused expired expired
does "one of a certificate that was revoked is refused" refused revoked revoked
does "one that was changed after it was signed is refused" refused changed signature
does "one without a signature is refused" refused none unsigned
does "one whose fs-verity digest is signed runs" runs verity
does "the same where the rule wants such a signature" runs verity-alone
does "one of those that was changed after it was signed is refused" refused verity-changed signature
does "one of the file's hash is refused where the rule wants the fs-verity digest" refused verity-not signature
does "one of the fs-verity digest is refused where the rule wants the file's hash" refused not-alone signature
does "a byte of a library" library
does "a byte of a module" module
does "all that it said is as documented" guard_valid
guard_end -TERM
echo "1..$count"
[ "$failed" = 0 ]

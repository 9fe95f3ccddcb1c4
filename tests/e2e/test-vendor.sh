#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ksma vendor: real packages and their exact bytes, every packing, signatures made with the usual tools, what is cut, changed or
# forged, a full disk, several at a time, a kill in the middle. KERNELS names the kernels whose packages are added.
# timeout: 900
set -euo pipefail
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=tests/lib/kernels.sh
. "$root/tests/lib/kernels.sh"
# shellcheck source=tests/lib/vmlinux.sh
. "$root/tests/lib/vmlinux.sh"

sample=${KSMA_BUILD:-$root/build}/tests/tools/vendor_sample
read -ra kernels <<<"${KERNELS:-6.1-cloud 7.2-cloud}"
export KSMA_VENDOR=$tmp/store
E2E_TIMEOUT=300
w=$tmp/work
mkdir "$w"

# readelf has complaints about some modules, and an exit status for them.
build_id() { { readelf -n "$1" 2>/dev/null || true; } | sed -n 's/.*Build ID: //p'; }
sha() { sha256sum "$1" | cut -d' ' -f1; }
# How many objects the store holds.
objects() { "$ksma" vendor list --json 2>/dev/null | jq '.entries | length'; }
# One value of the entry of $1.
entry() { "$ksma" vendor show "$1" --json | jq -r ".entries[0].$2"; }
whole() { "$ksma" vendor verify >/dev/null && [ -z "$(ls "$KSMA_VENDOR/tmp")" ]; }

# Wrong usage, and stores that are none.
expect "no action" 2 "vendor needs more" vendor
expect "an action that is none" 2 "add, list, show, remove, verify" vendor frob
expect "nothing to add" 2 "needs a file" vendor add
expect "nothing to show" 2 "needs a build id" vendor show
expect "list takes nothing" 2 "takes no 'x'" vendor list x
expect "no store to list" 3 "no vendor store at" vendor list
expect "no store to verify" 3 "no vendor store at" vendor verify
json "no store, as a document" 3 error vendor list
echo hello >"$w/text"
expect "certificates that are none" 2 "holds no certificate" vendor add --trust "$w/text" "$w/text"
expect "a file that is not there" 3 "$w/nothing: cannot open it" vendor add "$w/nothing"
expect "a file that is something else" 3 "$w/text: it is neither" vendor add "$w/text"
mkdir "$w/others"
touch "$w/others/letter"
expect "a folder with other things" 2 "letter.*folder of its own" vendor add --vendor "$w/others" "$w/text"
check "nothing was added" test "$(objects)" = 0

# Real packages.
for kernel in "${kernels[@]}"; do
	folder=$(kernel_get "$kernel")
	started=$(date +%s%N)
	json "$kernel: its packages" 0 vendor-add vendor add "$folder"/debs/*.deb
	printf '# %s: added in %d ms\n' "$kernel" $((($(date +%s%N) - started) / 1000000)) >&3
	count=$(find "$folder/modules" -name '*.ko*' | wc -l)
	check "$kernel: one kernel, all modules" test "$(field "[sum(f[k] for f in d['files']) for k in ('kernels', 'modules')]")" = "[1, $count]"
	vmlinux_unpack "$folder/vmlinuz" "$w/vmlinux"
	id=$(build_id "$w/vmlinux")
	check "$kernel: the kernel's bytes" test "$(entry "$id" sha256)" = "$(sha "$w/vmlinux")"
	check "$kernel: its release" test "$(entry "$id" release)" = "$(cat "$folder/version")"
	check "$kernel: its package's version" test "$(entry "$id" version)" = "$(cat "$folder/package-version")"
	check "$kernel: its signer" test "$(entry "$id" 'signature + " " + .entries[0].signer')" = "unverified CN=Debian Secure Boot Signer 2022 - linux"
	check "$kernel: the package as the archive lists it" grep -qF "$(entry "$id" source)" <(sha256sum "$folder"/debs/*.deb)
	same=0
	while read -r module; do
		case $module in *.xz) xz -dc "$module" ;; *) cat "$module" ;; esac >"$w/module.ko"
		id=$(build_id "$w/module.ko")
		hash=$(sha "$w/module.ko")
		cmp -s "$w/module.ko" "$KSMA_VENDOR/objects/${hash:0:2}/${hash:2}" && [ "$(entry "$id" sha256)" = "$hash" ] && same=$((same + 1))
	done < <(find "$folder/modules" -name '*.ko*' | sort | awk 'NR % 97 == 5' | head -n 8)
	check "$kernel: modules byte for byte" test "$same" = 8
	rm "$w/vmlinux"
done
# The image is verified by its signer's certificate, each module by the key that is built into the image.
folder=$(kernel_get "${kernels[0]}")
sbattach --detach "$w/p7" "$folder/vmlinuz" >/dev/null
openssl pkcs7 -inform DER -in "$w/p7" -print_certs -out "$w/debian.pem"
json "added with the signer's certificate" 0 vendor-add vendor add --trust "$w/debian.pem" "$folder"/debs/*.deb
check "kernel and modules are verified" test "$("$ksma" vendor list --json | jq -c --arg r "$(cat "$folder/version")" '[.entries[] | select(.release == $r).signature] | unique')" = '["verified"]'
cp "$w/module.ko" "$w/changed.ko"
printf 'Z' | dd of="$w/changed.ko" bs=1 seek=$(($(stat -c %s "$w/module.ko") / 3)) conv=notrunc status=none
expect "a vendor's module that was changed" 3 "changed after it was signed|not a whole ELF" vendor add "$w/changed.ko"
json "the list" 0 vendor-list vendor list
before=$(objects)
json "verified" 0 vendor-verify vendor verify
check "every object" test "$(field "d['objects']")" = "$before"
json "again" 0 vendor-add vendor add "$(kernel_get "${kernels[0]}")"/debs/*.deb
check "changes nothing" test "$(objects)" = "$before"
look vendor list
check "a table" grep -q "$(cat "$folder/version") " "$tmp/out"

# A store of small things from here on: 4 kinds of file, every packing.
export KSMA_VENDOR=$tmp/small
"$sample" kernel "$w/vmlinux"
"$sample" module tiny 17 "$w/tiny.ko"
size=$(stat -c %s "$w/vmlinux")
expect "a bare vmlinux" 0 "" vendor add "$w/vmlinux"
expect "a bare module" 0 "" vendor add "$w/tiny.ko"
check "two objects" test "$(objects)" = 2
check "the kernel" test "$(entry ababab sha256)" = "$(sha "$w/vmlinux")"
check "the module's name and release" test "$(entry 111111 'name + " " + .entries[0].release')" = "tiny 6.1.0-tiny"
pack() { # PACKING: standard input to standard output
	case $1 in
	none) cat ;;
	gzip) gzip -9nc ;;
	xz) xz --check=crc32 --x86 --lzma2=,dict=1MiB -c ;;
	zstd) zstd -q -19 -c ;;
	lz4) lz4 -l -q -c ;;
	lz4frame) lz4 -q -c ;;
	lzma) lzma -c ;;
	bzip2) bzip2 -9c ;;
	lzo) lzop -c ;;
	esac
}
for packing in none gzip xz zstd lz4 lzma bzip2; do
	pack "$packing" <"$w/vmlinux" >"$w/payload"
	case $packing in none | gzip) behind=0 ;; *) behind=$size ;; esac
	# The image itself pads to 512 bytes; what is not packed must end where it ends.
	"$sample" bzimage "$w/payload" "$behind" "$w/vmlinuz"
	json "a kernel packed with $packing" 0 vendor-add vendor add "$w/vmlinuz"
	check "it is the same kernel: $packing" test "$(field "[d['files'][0][k] for k in ('kernels', 'known', 'bytes')]")" = "[1, 1, 0]"
done
pack lzo <"$w/vmlinux" >"$w/payload"
"$sample" bzimage "$w/payload" "$size" "$w/vmlinuz"
expect "a kernel packed with LZO" 3 "LZO, which is not read" vendor add "$w/vmlinuz"
for packing in gzip xz zstd lz4frame bzip2; do
	pack "$packing" <"$w/tiny.ko" >"$w/tiny.ko.$packing"
	json "a module packed with $packing" 0 vendor-add vendor add "$w/tiny.ko.$packing"
	check "it is the same module: $packing" test "$(field "d['files'][0]['known']")" = 1
done
mkdir -p "$w/folder/a/b"
"$sample" module one 33 "$w/folder/a/one.ko"
"$sample" module two 34 "$w/two.ko" && pack zstd <"$w/two.ko" >"$w/folder/a/b/two.ko.zst"
echo "not a module" >"$w/folder/a/modules.dep"
ln -s / "$w/folder/a/root"
expect "a folder" 0 "" vendor add "$w/folder"
check "both modules of it" test "$(objects)" = 4
check "where one was" test "$(entry two file)" = "$w/folder/a/b/two.ko.zst"

# What is cut or changed is refused, by name, and nothing of it stays.
pack zstd <"$w/vmlinux" >"$w/payload"
"$sample" bzimage "$w/payload" "$size" "$w/vmlinuz"
"$sample" bzimage "$w/payload" $((size + 1)) "$w/wrong-size"
refused() { # NAME FILE PATTERN
	expect "$1" 3 "refused: $2: .*$3" vendor add "$2"
}
refused "a kernel that says another size" "$w/wrong-size" "says that it has"
packed=$(stat -c %s "$w/payload")
for length in 0 1 63 600 $((1024 + packed / 2)) $((1024 + packed)); do
	head -c "$length" "$w/vmlinuz" >"$w/cut"
	refused "a bzImage cut at $length" "$w/cut" ""
done
for length in 10 64 1000 12000 $((size - 2)); do
	head -c "$length" "$w/vmlinux" >"$w/cut"
	refused "a vmlinux cut at $length" "$w/cut" ""
done
for length in 16 700 $(($(stat -c %s "$w/tiny.ko") - 1)); do
	head -c "$length" "$w/tiny.ko" >"$w/cut"
	refused "a module cut at $length" "$w/cut" ""
done
cp "$w/folder/a/one.ko" "$w/folder/a/three.ko"
truncate -s 500 "$w/folder/a/three.ko"
"$sample" module four 36 "$w/folder/four.ko"
expect "a folder with one bad module" 3 "refused: $w/folder: $w/folder/a/three.ko: not" vendor add "$w/folder"
check "its good ones are not taken" test "$(objects)" = 4
rm "$w/folder/a/three.ko"
deb=$(find "$(kernel_get "${kernels[0]}")/debs" -name 'linux-image-*.deb' -size +1M)
head -c 3000000 "$deb" >"$w/cut.deb"
refused "a package that is cut" "$w/cut.deb" ""
cp "$deb" "$w/changed.deb"
printf 'damage' | dd of="$w/changed.deb" bs=1 seek=5000000 conv=notrunc status=none
refused "a package that is damaged" "$w/changed.deb" ""
printf '!<arch>\ndebian-binary   0           0     0     100644  4         `\n2.0\n' >"$w/empty.deb"
refused "a package with nothing in it" "$w/empty.deb" "no contents"
check "none of these is there" test "$(objects)" = 4
check "the store is whole" whole

# Packages of the other kind.
mkdir -p "$w/rpm/boot" "$w/rpm/lib/modules/6.1.0-tiny/kernel"
cp "$w/vmlinuz" "$w/rpm/boot/vmlinuz-6.1.0-tiny"
"$sample" module rpmmod 49 "$w/rpmmod.ko" && pack xz <"$w/rpmmod.ko" >"$w/rpm/lib/modules/6.1.0-tiny/kernel/rpmmod.ko.xz"
cat >"$w/tiny.spec" <<END
Name: kernel-tiny
Version: 6.1.0
Release: 3.test
Summary: none
License: none
AutoReqProv: no
%description
none
%install
cp -r $w/rpm/. %{buildroot}
%files
/boot
/lib/modules
END
rpmbuild -bb --quiet --target x86_64 --define "_topdir $w/rpmbuild" --define "__os_install_post %{nil}" "$w/tiny.spec" >"$tmp/out" 2>"$tmp/err" </dev/null || true
rpm=$(find "$w/rpmbuild" -name '*.rpm')
json "an rpm" 0 vendor-add vendor add "$rpm"
check "its kernel and module" test "$(field "[d['files'][0][k] for k in ('kernels', 'modules')]")" = "[1, 1]"
check "what it is" test "$("$ksma" vendor show rpmmod --json | jq -r '.entries[0] | "\(.package) \(.version) \(.architecture) \(.file)"')" = "kernel-tiny 6.1.0-3.test x86_64 /lib/modules/6.1.0-tiny/kernel/rpmmod.ko.xz"

# Secure Boot signatures, by sbsign.
key() { # NAME SUBJECT [ISSUER]
	openssl req -newkey rsa:2048 -nodes -keyout "$w/$1.key" -subj "/CN=$2" -out "$w/$1.csr" 2>/dev/null
	if [ $# -gt 2 ]; then
		openssl x509 -req -in "$w/$1.csr" -CA "$w/$3.pem" -CAkey "$w/$3.key" -CAcreateserial -days 1 -out "$w/$1.pem" \
			-extfile <(printf 'extendedKeyUsage=codeSigning\n') 2>/dev/null
	else
		openssl x509 -req -in "$w/$1.csr" -signkey "$w/$1.key" -days 1 -out "$w/$1.pem" -extfile <(printf 'basicConstraints=CA:TRUE\n') 2>/dev/null
	fi
}
key root "Test Root"
key signer "Test Signer" root
key other "Somebody Else"
signature() { "$ksma" vendor show ababab --json | jq -r '.entries[0] | "\(.signature) \(.signer)"'; }
sbsign --key "$w/signer.key" --cert "$w/signer.pem" --output "$w/signed" "$w/vmlinuz" >/dev/null 2>&1
check "sbverify agrees that it is signed" sbverify --cert "$w/signer.pem" "$w/signed" >/dev/null 2>&1
check "unsigned so far" test "$(signature)" = "none null"
expect "a signed image" 0 "" vendor add "$w/signed"
check "is unverified without a certificate" test "$(signature)" = "unverified CN=Test Signer"
expect "another's certificate" 0 "" vendor add --trust "$w/other.pem" "$w/signed"
check "does not verify it" test "$(signature)" = "unverified CN=Test Signer"
expect "the signer's own certificate" 0 "" vendor add --trust "$w/signer.pem" "$w/signed"
check "verifies it" test "$(signature)" = "verified CN=Test Signer"
expect "added without" 0 "" vendor add "$w/signed"
check "it stays verified" test "$(signature)" = "verified CN=Test Signer"
expect "removed" 0 "" vendor remove ababab
openssl x509 -in "$w/root.pem" -outform DER -out "$w/root.der"
expect "the certificate that issued it, in DER" 0 "" vendor add --trust "$w/root.der" "$w/signed"
check "verifies it as well" test "$(signature)" = "verified CN=Test Signer"
expect "removed again" 0 "" vendor remove ababab
cat "$w/other.pem" "$w/signer.pem" >"$w/both.pem"
sbsign --key "$w/other.key" --cert "$w/other.pem" --output "$w/twice" "$w/signed" >/dev/null 2>&1
expect "signed twice" 0 "" vendor add --trust "$w/signer.pem" "$w/twice"
check "the one that is trusted counts" test "$(signature)" = "verified CN=Test Signer"
expect "removed once more" 0 "" vendor remove ababab
content=$(stat -c %s "$w/vmlinuz")
for at in 2 100 1030 $((content - 1)); do
	cp "$w/signed" "$w/tampered"
	printf 'Z' | dd of="$w/tampered" bs=1 seek="$at" conv=notrunc status=none
	expect "signed and changed at $at" 3 "refused" vendor add "$w/tampered"
done
cp "$w/signed" "$w/tampered"
printf 'Z' | dd of="$w/tampered" bs=1 seek=1040 conv=notrunc status=none
expect "in these words" 3 "changed after it was signed" vendor add --trust "$w/signer.pem" "$w/tampered"
cp "$w/signed" "$w/tampered"
printf 'ZZZZ' | dd of="$w/tampered" bs=1 seek=$(($(stat -c %s "$w/signed") - 60)) conv=notrunc status=none
expect "a signature that is changed" 3 "refused.*signature" vendor add "$w/tampered"
cp "$w/signed" "$w/tampered"
printf 'ZZZZZZZZ' >>"$w/tampered"
expect "something behind the signature" 3 "not at its end" vendor add "$w/tampered"
check "the forged are not there" test "$("$ksma" vendor list --json | jq '[.entries[] | select(.kind == "kernel")] | length')" = 0

# Signatures of modules, as scripts/sign-file makes them.
sign_module() { # KEY MODULE SIGNED
	openssl cms -sign -binary -noattr -nocerts -md sha256 -signer "$w/$1.pem" -inkey "$w/$1.key" -in "$2" -outform DER -out "$w/cms" 2>/dev/null
	{
		cat "$2" "$w/cms"
		printf '\0\0\2\0\0\0\0\0'
		printf '%08x' "$(stat -c %s "$w/cms")" | sed 's/../\\x&/g' | xargs -0 printf '%b'
		printf '~Module signature appended~\n'
	} >"$3"
}
"$sample" module signed 65 "$w/bare.ko"
sign_module signer "$w/bare.ko" "$w/signed.ko"
expect "a signed module" 0 "" vendor add "$w/signed.ko"
check "names its signer" grep -q "^unverified CN=Test Root serial" <(entry 414141 'signature + " " + .entries[0].signer')
expect "with the signer's certificate" 0 "" vendor add --trust "$w/both.pem" "$w/signed.ko"
check "it is verified" test "$(entry 414141 'signature + " " + .entries[0].signer')" = "verified CN=Test Signer"
cp "$w/signed.ko" "$w/tampered.ko"
printf 'Z' | dd of="$w/tampered.ko" bs=1 seek=70 conv=notrunc status=none
expect "a changed module" 3 "changed after it was signed" vendor add --trust "$w/both.pem" "$w/tampered.ko"
truncate -s -1 "$w/cms"
expect "removed by its hash" 0 "" vendor remove "$(sha "$w/signed.ko")"
expect "what is not there" 3 "holds nothing that is called 414141" vendor show 414141

# A store that was damaged.
hash=$(sha "$w/tiny.ko")
printf 'Z' | dd of="$KSMA_VENDOR/objects/${hash:0:2}/${hash:2}" bs=1 seek=200 conv=notrunc status=none
json "damage is told" 3 vendor-verify vendor verify
check "by its name" test "$(field "[(x['sha256'], x['name']) for x in d['damaged']]")" = "[('$hash', 'tiny')]"
rm "$KSMA_VENDOR/objects/${hash:0:2}/${hash:2}"
expect "and mended" 0 "" vendor add "$w/tiny.ko"
check "it is whole again" whole
chmod o+w "$KSMA_VENDOR"
expect "a store that others may write" 3 "written by others" vendor list
chmod o-w "$KSMA_VENDOR"
json "removed, as a document" 0 vendor-remove vendor remove tiny

# Several at a time, and one that is killed.
export KSMA_VENDOR=$tmp/together
mkdir "$w/many"
for i in $(seq 1 60); do "$sample" module "m$i" "$((100 + i))" "$w/many/m$i.ko"; done
pids=()
for i in 1 2 3 4; do
	"$ksma" vendor add "$w/many" "$w/vmlinuz" >/dev/null 2>"$w/err.$i" &
	pids+=($!)
done
together=0
for pid in "${pids[@]}"; do wait "$pid" || together=1; done
check "four add the same" test "$together" = 0
check "all is there once" test "$(objects)" = 61
check "and whole" whole
"$ksma" vendor add "$deb" >/dev/null 2>&1 &
adding=$!
for _ in $(seq 1 200); do
	[ -z "$(find "$KSMA_VENDOR/tmp" -name '9*.object' 2>/dev/null | head -n 1)" ] || break
	sleep 0.05
done
kill -KILL "$adding"
wait "$adding" 2>/dev/null || true
check "a kill adds nothing" test "$(objects)" = 61
expect "the next one" 0 "" vendor add "$w/tiny.ko"
check "clears up" whole

# A full disk.
cat >"$w/full" <<'END'
set -eu
mount -t tmpfs -o size=6m none "$2"
export KSMA_VENDOR=$2/store
"$1" vendor add "$3" >/dev/null
before=$("$1" vendor list --json | sha256sum)
if "$1" vendor add "$4" 2>"$5"; then exit 1; fi
grep -q "No space left" "$5"
[ "$before" = "$("$1" vendor list --json | sha256sum)" ]
"$1" vendor verify >/dev/null
[ -z "$(ls "$KSMA_VENDOR/tmp")" ]
"$1" vendor add "$6" >/dev/null
END
mkdir "$w/disk"
check "a full disk loses nothing" unshare --map-root-user --mount bash "$w/full" "$ksma" "$w/disk" "$w/many" "$deb" "$tmp/err" "$w/tiny.ko"

finish

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# ksma manifest: what every file ought to be, made from folders and packages and compared with what the usual tools say of the same
# files; signatures by keys and certificates made with openssl, and each way in which they can be wrong.
# timeout: 300
set -euo pipefail
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

w=$tmp/work
mkdir "$w" "$w/keys" "$w/own"
m=$w/m.ksma
# One value of the entry of $1.
entry() { "$ksma" manifest show "$m" "$1" --json | jq -r ".entries[0].$2"; }

# Wrong usage.
expect "no action" 2 "manifest needs more" manifest
expect "an action that is none" 2 "build, sign, verify" manifest frob
expect "nothing to build from" 2 "one of --root" manifest build -o "$m"
expect "two things to build from" 2 "one of --root" manifest build --root "$w" --package x -o "$m"
expect "nowhere to build to" 2 "needs --output" manifest build --root "$w"
expect "a root that is not there" 3 "$w/nowhere" manifest build --root "$w/nowhere" -o "$m"
expect "a root that is a file" 2 "no folder" manifest build --root /etc/passwd -o "$m"
expect "a root with nothing in it" 2 "no files" manifest build --root "$w/keys" -o "$m"
expect "an output in no folder" 3 "$w/nowhere/m: its folder" manifest build --root "$root/tests/lib" -o "$w/nowhere/m"
expect "show of what is not there" 3 "cannot open the manifest" manifest show "$m"
expect "show of what is no manifest" 3 "is no manifest" manifest show "$ksma"
expect "show without a manifest" 2 "needs M.ksma" manifest show

# A root: every size around the edges of pages and of trees, links of both kinds, names that are not ASCII, and what is no file.
root_folder=$w/root
mkdir -p "$root_folder/usr/bin" "$root_folder/etc" "$root_folder/dev"
for size in 0 1 4095 4096 4097 8192 100000 524287 524288 524289 1048577; do
	head -c "$size" /dev/urandom >"$root_folder/usr/bin/f$size"
done
truncate -s 70000000 "$root_folder/usr/bin/sparse"
ln "$root_folder/usr/bin/f4097" "$root_folder/usr/bin/hard"
ln -s f4097 "$root_folder/usr/bin/soft"
ln -s /nowhere "$root_folder/usr/bin/dangling"
echo ü >"$root_folder/etc/Ü mlaut
and a line"
mkfifo "$root_folder/dev/pipe"
chmod 4755 "$root_folder/usr/bin/f100000"
json "a root" 0 manifest-build manifest build --root "$root_folder" -o "$m"
check "all of it" test "$(field "[d[k] for k in ('entries', 'files', 'symlinks', 'special')]")" = "[16, 14, 2, 1]"
json "shown" 0 manifest-show manifest show "$m"
while IFS=$'\t' read -r path sha size mode digest; do
	file=$root_folder$path
	[ "$sha" = "$(sha256sum "$file" | cut -d' ' -f1)" ] && [ "$size" = "$(stat -c %s "$file")" ] && [ "$mode" = "$(printf %04o "0$(stat -c %a "$file")")" ] &&
		[ "sha256:$digest" = "$(fsverity digest "$file" | cut -d' ' -f1)" ] || echo "$path"
done < <(jq -r '.entries[] | select(.type == "file" and (.path | contains("\n") | not)) | [.path, .sha256, .size, .mode, .verity_digest] | @tsv' "$tmp/out") >"$w/differ"
check "as sha256sum, stat and fsverity say" test ! -s "$w/differ"
check "as many" test "$(jq '.entries | length' "$tmp/out")" = 16
check "set-user-id" test "$(entry /usr/bin/f100000 mode)" = 4755
check "a link's target" test "$(entry /usr/bin/dangling target)" = /nowhere
check "a name with a line in it" test "$(entry $'/etc/Ü mlaut\nand a line' size)" = 3
for ((page = 0; page * 4096 < 100000; page++)); do
	dd if="$root_folder/usr/bin/f100000" bs=4096 skip=$page count=1 conv=sync status=none | sha256sum
done | cut -d' ' -f1 >"$w/pages"
check "the hash of each page" diff -q "$w/pages" <("$ksma" manifest show "$m" /usr/bin/f100000 --json | jq -r '.entries[0].pages[]')
expect "a path that is not in it" 3 "/usr/bin/none is not in" manifest show "$m" /usr/bin/none
before=$(sha256sum <"$m")
SOURCE_DATE_EPOCH=1 "$ksma" manifest build --root "$root_folder" -o "$m" >/dev/null
first=$(sha256sum <"$m")
SOURCE_DATE_EPOCH=1 "$ksma" manifest build --root "$root_folder/" -o "$m" >/dev/null
check "the same files, the same bytes" test "$first" = "$(sha256sum <"$m")"
check "but for the time" test "$first" != "$before"

# Packages.
mkdir -p "$w/deb/DEBIAN" "$w/deb/bin" "$w/deb/usr/bin" "$w/deb/etc"
cat >"$w/deb/DEBIAN/control" <<'END2'
Package: tiny
Version: 1.0-1
Architecture: all
Maintainer: nobody <nobody@localhost>
Description: nothing
END2
echo /etc/tiny.conf >"$w/deb/DEBIAN/conffiles"
echo conf >"$w/deb/etc/tiny.conf"
cp "$root_folder/usr/bin/f8192" "$w/deb/bin/tiny"
cp "$root_folder/usr/bin/f4097" "$w/deb/usr/bin/one"
ln "$w/deb/usr/bin/one" "$w/deb/usr/bin/two"
ln -s ../usr/bin/one "$w/deb/bin/three"
for packing in xz zstd gzip none; do
	dpkg-deb --root-owner-group -Z"$packing" --build "$w/deb" "$w/tiny-$packing.deb" >/dev/null
	json "a package packed with $packing" 0 manifest-build manifest build --package "$w/tiny-$packing.deb" -o "$m"
	check "both names of what is in /bin: $packing" test "$(field "d['entries']")" = 7
done
check "its bytes" test "$(entry /bin/tiny sha256)" = "$(sha256sum "$w/deb/bin/tiny" | cut -d' ' -f1)"
check "below /usr too" test "$(entry /usr/bin/tiny sha256)" = "$(entry /bin/tiny sha256)"
check "a link below /usr too" test "$(entry /usr/bin/three target)" = ../usr/bin/one
check "a hard link" test "$(entry /usr/bin/two sha256)" = "$(sha256sum "$w/deb/usr/bin/one" | cut -d' ' -f1)"
check "where it is from" test "$(entry /bin/tiny origin)" = "tiny 1.0-1 all"
check "what may be changed" test "$(entry /etc/tiny.conf conffile) $(entry /bin/tiny conffile)" = "true false"
check "its owner" test "$(entry /bin/tiny uid) $(entry /bin/tiny mode)" = "0 $(printf %04o "0$(stat -c %a "$w/deb/bin/tiny")")"
cat >"$w/tiny.spec" <<END2
Name: tiny
Version: 2
Release: 3
Summary: none
License: none
BuildArch: noarch
AutoReqProv: no
%description
none
%install
mkdir -p %{buildroot}/usr/bin
cp $w/deb/usr/bin/one %{buildroot}/usr/bin/a
ln %{buildroot}/usr/bin/a %{buildroot}/usr/bin/b
ln %{buildroot}/usr/bin/a %{buildroot}/usr/bin/c
cp $w/deb/bin/tiny %{buildroot}/usr/bin/d
ln -s a %{buildroot}/usr/bin/link
%files
/usr/bin/*
END2
rpmbuild -bb --quiet --define "_topdir $w/rpmbuild" --define "__os_install_post %{nil}" "$w/tiny.spec" >"$tmp/out" 2>"$tmp/err" </dev/null || true
rpm=$(find "$w/rpmbuild" -name '*.rpm')
json "a package of the other kind, and one more" 0 manifest-build manifest build --package "$rpm" --package "$w/tiny-xz.deb" -o "$m"
for name in a b c; do
	check "one of three names: $name" test "$(entry /usr/bin/$name sha256)" = "$(sha256sum "$w/deb/usr/bin/one" | cut -d' ' -f1)"
done
check "a file of one name" test "$(entry /usr/bin/d sha256) $(entry /usr/bin/d origin)" = "$(sha256sum "$w/deb/bin/tiny" | cut -d' ' -f1) tiny 2-3 noarch"
check "a link" test "$(entry /usr/bin/link target)" = a
check "the other's" test "$(entry /bin/tiny origin)" = "tiny 1.0-1 all"
mkdir "$w/debs"
cp "$w/tiny-xz.deb" "$w/debs"
expect "a folder of packages, and one behind it" 0 "" manifest build --package "$w/debs" "$rpm" -o "$m"
check "both" test "$(entry /usr/bin/a origin) $(entry /bin/tiny origin)" = "tiny 2-3 noarch tiny 1.0-1 all"
expect "a folder without any" 2 "holds no packages" manifest build --package "$w/keys" -o "$m"
head -c 3000 "$w/tiny-xz.deb" >"$w/cut.deb"
before=$(sha256sum <"$m")
expect "a package that is cut" 3 "$w/cut.deb" manifest build --package "$w/cut.deb" -o "$m"
expect "what is no package" 3 "no package" manifest build --package /etc/passwd -o "$m"
check "the old manifest is still there" test "$before" = "$(sha256sum <"$m")"

# Images: the file system alone, and a partitioned disk whose /etc/fstab mounts a second one; raw and qcow2.
mkdir -p "$w/system/etc" "$w/boot"
cp -a "$root_folder/usr" "$w/system/usr"
cp /etc/passwd "$w/system/etc/passwd"
cat >"$w/system/etc/fstab" <<'END2'
UUID=11111111-2222-3333-4444-555555555555 / ext4 errors=remount-ro 0 1
LABEL=BOOT /boot ext4 defaults 0 2
/dev/vda3 /boot/efi vfat umask=0077 0 1
/dev/sr0 /media/cdrom udf,iso9660 user,noauto 0 0
tmpfs /tmp tmpfs defaults 0 0
END2
echo kernel >"$w/boot/vmlinuz"
truncate -s 120M "$w/p1"
truncate -s 8M "$w/p2"
mkfs.ext4 -q -F -U 11111111-2222-3333-4444-555555555555 -d "$w/system" "$w/p1"
mkfs.ext4 -q -F -L BOOT -d "$w/boot" "$w/p2"
truncate -s 140M "$w/disk.img"
printf 'label: gpt\nstart=2048,size=245760\nstart=247808,size=16384\nstart=264192,size=8192\n' | sfdisk -q "$w/disk.img"
dd if="$w/p1" of="$w/disk.img" bs=1M seek=1 conv=notrunc status=none
dd if="$w/p2" of="$w/disk.img" bs=1M seek=121 conv=notrunc status=none
qemu-img convert -c -O qcow2 "$w/disk.img" "$w/disk.qcow2"
mkdir "$w/system/boot"
cp "$w/boot/vmlinuz" "$w/system/boot"
"$ksma" manifest build --root "$w/system" -o "$w/system.ksma" >/dev/null
for image in disk.img disk.qcow2; do
	look manifest build --image "$w/$image" -o "$m" --json
	check "an image: $image" test "$status" = 0
	check "what it could not read is told: $image" test "$(field "d['left_out']")" = "[{'where': '/boot/efi', 'what': 'vfat'}]"
	expect "it is the system that it was made of: $image" 0 "" manifest diff "$m" "$w/system.ksma"
done
sed -i 's/vfat/xfs/' "$w/system/etc/fstab"
debugfs -w -R "rm /etc/fstab" "$w/p1" 2>/dev/null
debugfs -w -R "write $w/system/etc/fstab /etc/fstab" "$w/p1" >/dev/null 2>&1
json "a file system that is not read may hold programs" 3 manifest-build manifest build --image "$w/p1" -o "$m"
check "each is named" test "$(field "[x['where'] for x in d['left_out']]")" = "['/boot', '/boot/efi']"
json "an image of one file system" 0 manifest-build manifest build --image "$w/p2" -o "$m"
check "whatever is in it" test "$(entry /vmlinuz size)" = 7
debugfs -w -R "ssv state 0" "$w/p2" 2>/dev/null
expect "a system that was not shut down" 3 "was not unmounted" manifest build --image "$w/p2" -o "$m"
expect "an image of nothing" 3 "no ext4" manifest build --image /etc/passwd -o "$m"
head -c 20M "$w/p1" >"$w/cut.img"
expect "an image that is cut" 3 "$w/cut.img" manifest build --image "$w/cut.img" -o "$m"
rm "$w/p1" "$w/p2" "$w"/disk.* "$w/cut.img"

# Keys and signatures.
"$ksma" manifest build --root "$root_folder" -o "$m" >/dev/null
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$w/own/rsa.pem" 2>/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$w/own/ec.pem"
openssl genpkey -algorithm ED25519 -out "$w/own/ed.pem"
for key in rsa ec ed; do openssl pkey -in "$w/own/$key.pem" -pubout -out "$w/own/$key.pub"; done
expect "verify without keys" 2 "needs --keys" manifest verify "$m"
expect "keys that are not there" 3 "cannot open the folder" manifest verify --keys "$w/nowhere" "$m"
expect "a folder without keys" 2 "neither public keys" manifest verify --keys "$w/keys" "$m"
cp "$w/own/rsa.pub" "$w/keys"
json "not signed" 1 manifest-verify manifest verify --keys "$w/keys" "$m"
check "says so" test "$(field "(d['state'], d['parts'][0]['trust'])")" = "('refused', 'unsigned')"
expect "sign without a key" 2 "needs --key" manifest sign "$m"
expect "sign with what is no key" 2 "no private key" manifest sign --key "$w/own/rsa.pub" "$m"
for key in rsa ec ed; do
	rm -f "$m.sig" "$w/keys"/*
	cp "$w/own/$key.pub" "$w/keys"
	json "signed by $key" 0 manifest-sign manifest sign --key "$w/own/$key.pem" "$m"
	json "verified: $key" 0 manifest-verify manifest verify --keys "$w/keys" "$m"
	check "by whom: $key" test "$(field "(d['state'], d['parts'][0]['signer'])")" = "('good', '$key.pub')"
done
rm -f "$m.sig"
expect "as PKCS#1 has it" 0 "" manifest sign --key "$w/own/rsa.pem" --scheme pkcs1 "$m"
cp "$w/own/rsa.pub" "$w/keys"
expect "verified" 0 "" manifest verify --keys "$w/keys" "$m"
head -c 256 "$m" >"$w/head"
sed -n 's/^signature //p' "$m.sig" | python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' >"$w/signature"
check "openssl says the same" openssl dgst -sha256 -verify "$w/own/rsa.pub" -signature "$w/signature" "$w/head" >/dev/null
expect "another scheme" 2 "pss or pkcs1" manifest sign --key "$w/own/rsa.pem" --scheme rot13 "$m"
rm "$w/keys"/*
cp "$w/own/ec.pub" "$w/keys"
expect "by a key that is not trusted" 1 "is refused" manifest verify --keys "$w/keys" "$m"
expect "signed by another besides" 0 "" manifest sign --key "$w/own/ec.pem" "$m"
expect "one who is trusted is enough" 0 "" manifest verify --keys "$w/keys" "$m"
cp "$w/own/ec.pem" "$w/keys"
look manifest verify --keys "$w/keys" "$m"
check "a private key among them is told" grep -q "holds a private key" "$tmp/err"
check "and does no harm" test "$status" = 0
rm "$w/keys/ec.pem"
chmod o+w "$w/keys"
expect "a folder that others may write to" 3 "mode 755" manifest verify --keys "$w/keys" "$m"
chmod o-w "$w/keys"
touch "$w/keys/notes"
expect "a file that is no key" 2 "keys/notes holds neither" manifest verify --keys "$w/keys" "$m"
rm "$w/keys/notes"

# What was changed since.
cp "$m" "$w/whole"
cp "$m.sig" "$w/whole.sig"
size=$(stat -c %s "$m")
for at in 30 300 20000 $((size / 2)) $((size - 1)); do
	cp "$w/whole" "$m"
	byte=$(od -An -tu1 -j "$at" -N 1 "$m")
	printf '%b' "\\x$(printf %02x $((byte ^ 1)))" | dd of="$m" bs=1 seek="$at" conv=notrunc status=none
	look manifest verify --keys "$w/keys" "$m"
	check "a bit at $at" test "$status" = 1
done
cp "$w/whole" "$m"
truncate -s -1 "$m"
json "cut" 1 manifest-verify manifest verify --keys "$w/keys" "$m"
check "is damaged" test "$(field "d['state']")" = damaged
cp "$w/whole" "$m"
"$ksma" manifest build --root "$root_folder/etc" -o "$w/other.ksma" >/dev/null
cp "$m.sig" "$w/other.ksma.sig"
look manifest verify --keys "$w/keys" "$w/other.ksma"
check "another's signature" grep -q "of another manifest" "$tmp/out"
echo nonsense >>"$m.sig"
look manifest verify --keys "$w/keys" "$m"
check "a damaged file of signatures" test "$status" = 1
cp "$w/whole.sig" "$m.sig"

# Certificates.
certificate() { # NAME CA-NAME START END EXTENSIONS: of key $1, by key $2
	openssl req -new -key "$w/own/$1.pem" -subj "/CN=$1" -out "$w/own/$1.csr"
	rm -rf "$w/ca" && mkdir "$w/ca" && touch "$w/ca/index.txt"
	printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s/ca/index.txt\nrand_serial=yes\nnew_certs_dir=%s/ca\ndefault_md=sha256\npolicy=p\nx509_extensions=e\n[p]\nCN=optional\n[e]\n%b\n' \
		"$w" "$w" "$5" >"$w/ca/conf"
	local signer=(-cert "$w/own/$2.crt" -keyfile "$w/own/$2.pem")
	[ "$1" != "$2" ] || signer=(-selfsign -keyfile "$w/own/$2.pem")
	openssl ca -batch -notext -config "$w/ca/conf" "${signer[@]}" -startdate "$3" -enddate "$4" -in "$w/own/$1.csr" -out "$w/own/$1.crt" 2>"$w/ca/log" ||
		cat "$w/ca/log"
}
rm "$w/keys"/*
certificate rsa rsa 20200101000000Z 20991231235959Z 'basicConstraints=critical,CA:TRUE'
cp "$w/own/rsa.crt" "$w/keys"
trust() { # NAME START END EXTENSIONS EXPECTED
	certificate ec rsa "$2" "$3" "$4"
	rm -f "$m.sig"
	"$ksma" manifest sign --key "$w/own/ec.pem" --cert "$w/own/ec.crt" "$m" >/dev/null
	json "$1" "$([ "$5" = good ] && echo 0 || echo 1)" manifest-verify manifest verify --keys "$w/keys" "$m"
	check "$1: $5" test "$(field "d['parts'][0]['trust']")" = "$5"
}
trust "a certificate" 20200101000000Z 20991231235959Z 'keyUsage=digitalSignature\nextendedKeyUsage=codeSigning' good
check "names its subject" test "$(field "d['parts'][0]['signer']")" = CN=ec
trust "an old certificate" 20200101000000Z 20210101000000Z '' expired
trust "one of tomorrow" 20980101000000Z 20991231235959Z '' expired
trust "one for mail" 20200101000000Z 20991231235959Z 'extendedKeyUsage=emailProtection' wrong-usage
rm "$w/keys"/*
cp "$w/own/ed.pub" "$w/keys"
trust "by nobody that is known" 20200101000000Z 20991231235959Z '' unknown
expect "a certificate of another key" 2 "another key" manifest sign --key "$w/own/ed.pem" --cert "$w/own/ec.crt" "$m"

# What was revoked: a key, a certificate, one in a chain, a file's contents.
rm "$w/keys"/*
cp "$w/own/rsa.crt" "$w/keys"
trust "a certificate that is good" 20200101000000Z 20991231235959Z '' good
expect "revoke what is none" 2 "and not 'frob'" manifest revoke --keys "$w/keys" frob "$w/own/ec.pub"
expect "revoke nothing" 2 "needs key, certificate or file" manifest revoke --keys "$w/keys" key
expect "a key in what holds none" 2 "neither a public key" manifest revoke --keys "$w/keys" key /etc/passwd
json "a certificate is revoked" 0 manifest-revoke manifest revoke --keys "$w/keys" certificate "$w/own/ec.crt" lost
check "by its hash" test "$(field "d['sha256']")" = "$(openssl x509 -in "$w/own/ec.crt" -outform DER | sha256sum | cut -d' ' -f1)"
check "with the reason" grep -q " lost$" "$w/keys/revoked"
json "so it is" 1 manifest-verify manifest verify --keys "$w/keys" "$m"
check "revoked" test "$(field "d['parts'][0]['trust']")" = revoked
rm "$w/keys/revoked"
expect "the issuer's key" 0 "" manifest revoke --keys "$w/keys" key "$w/own/rsa.pub"
look manifest verify --keys "$w/keys" "$m"
check "and all that it vouched for" test "$status" = 1
json "again" 0 manifest-revoke manifest revoke --keys "$w/keys" key "$w/own/rsa.pub"
check "was known" test "$(field "d['known']")" = True
json "a file" 0 manifest-revoke manifest revoke --keys "$w/keys" file "$w/deb/bin/tiny" "has a hole"
check "by its bytes" test "$(field "d['sha256']")" = "$(sha256sum "$w/deb/bin/tiny" | cut -d' ' -f1)"
check "a line each" test "$(grep -c '' "$w/keys/revoked")" = 2
echo "nonsense" >>"$w/keys/revoked"
expect "a list with one bad line" 3 "revoked: line 3" manifest verify --keys "$w/keys" "$m"
expect "is not made longer" 3 "revoked: line 3" manifest revoke --keys "$w/keys" file "$ksma"

# Differences.
cp -a "$root_folder" "$w/changed"
printf 'Z' | dd of="$w/changed/usr/bin/f8192" bs=1 seek=5000 conv=notrunc status=none
chmod 0700 "$w/changed/usr/bin/f1"
rm "$w/changed/usr/bin/f0" "$w/changed/usr/bin/soft"
ln -s f8192 "$w/changed/usr/bin/soft"
echo new >"$w/changed/usr/bin/new"
rm "$w/changed/usr/bin/dangling"
echo now >"$w/changed/usr/bin/dangling"
"$ksma" manifest build --root "$w/changed" -o "$w/changed.ksma" >/dev/null
expect "nothing differs" 0 "" manifest diff "$m" "$m"
json "what differs" 1 manifest-diff manifest diff "$m" "$w/changed.ksma"
check "is this" test "$(field "(d['removed'], d['added'], [(c['path'], c['what']) for c in d['changed']])")" = \
	"(['/usr/bin/f0'], ['/usr/bin/new'], [('/usr/bin/dangling', ['type']), ('/usr/bin/f1', ['mode']), ('/usr/bin/f8192', ['contents']), ('/usr/bin/soft', ['target'])])"
look manifest diff "$m" "$w/changed.ksma"
check "in words" grep -qx '~ /usr/bin/f1 (mode)' "$tmp/out"
expect "with one" 2 "needs two manifests" manifest diff "$m"

# Updates: signed where they were made, merged where there is no private key.
rm "$w/keys"/*
cp "$w/own/ec.pub" "$w/own/ed.pub" "$w/keys"
rm -f "$m.sig"
"$ksma" manifest sign --key "$w/own/ec.pem" "$m" >/dev/null
"$ksma" manifest sign --key "$w/own/ed.pem" "$w/changed.ksma" >/dev/null
before=$(entry /usr/bin/f8192 sha256)
json "two become one file" 0 manifest-merge manifest merge -o "$m" "$m" "$w/changed.ksma"
check "of two parts" test "$(field "(d['parts'], d['signatures'])")" = "(2, 2)"
json "each with its signature" 0 manifest-verify manifest verify --keys "$w/keys" "$m"
check "by both" test "$(field "[p['signer'] for p in d['parts']]")" = "['ec.pub', 'ed.pub']"
check "the later counts" test "$(entry /usr/bin/f8192 sha256)" = "$(sha256sum "$w/changed/usr/bin/f8192" | cut -d' ' -f1)"
check "what it does not have stays" test "$(entry /usr/bin/f0 size)" = 0
json "merged again" 0 manifest-merge manifest merge --keys "$w/keys" -o "$m" "$m" "$w/changed.ksma"
check "changes nothing" test "$(field "(d['parts'], d['signatures'])")" = "(2, 2)"
json "the other way around" 0 manifest-merge manifest merge -o "$m" "$m" "$w/whole"
check "the last word counts" test "$(field "d['parts']") $(entry /usr/bin/f8192 sha256)" = "2 $before"
rm "$w/keys/ed.pub"
expect "one who is not trusted is one too many" 1 "is refused" manifest verify --keys "$w/keys" "$m"
expect "and not merged" 3 "is refused" manifest merge --keys "$w/keys" -o "$w/all.ksma" "$m"
check "at all" test ! -e "$w/all.ksma"
"$ksma" manifest build --root "$root_folder/etc" -o "$w/unsigned.ksma" >/dev/null
expect "with one that is not signed" 0 "" manifest merge -o "$w/all.ksma" "$w/whole" "$w/unsigned.ksma"
expect "it is refused" 1 "is refused" manifest verify --keys "$w/keys" "$w/all.ksma"
json "made one" 0 manifest-merge manifest merge --flatten -o "$w/all.ksma" "$m" "$w/changed.ksma"
check "of one part" test "$(field "(d['parts'], d['entries'], d['signatures'])")" = "(1, 17, 0)"
expect "signed anew" 0 "" manifest sign --key "$w/own/ec.pem" "$w/all.ksma"
expect "it is good" 0 "" manifest verify --keys "$w/keys" "$w/all.ksma"
many=()
for i in $(seq 1 65); do
	echo "$i" >"$w/changed/usr/bin/new"
	"$ksma" manifest build --root "$w/changed/usr/bin" -o "$w/many$i.ksma" >/dev/null
	many+=("$w/many$i.ksma")
done
expect "too many to lie side by side" 3 "--flatten" manifest merge -o "$w/all.ksma" "${many[@]}"
expect "but not to be made one" 0 "" manifest merge --flatten -o "$w/all.ksma" "${many[@]}"
expect "merge of nothing" 2 "needs the manifests" manifest merge -o "$w/all.ksma"

# A full disk: what was there stays there, and is whole.
cat >"$w/full" <<'END2'
set -eu
mount -t tmpfs -o size=256k none "$2"
"$1" manifest build --root "$3/etc" -o "$2/m.ksma" >/dev/null
before=$(sha256sum "$2/m.ksma")
if "$1" manifest build --root "$3" -o "$2/m.ksma" 2>"$4"; then exit 1; fi
grep -q "No space left" "$4"
[ "$before" = "$(sha256sum "$2/m.ksma")" ]
[ "$(ls -A "$2")" = m.ksma ]
END2
mkdir "$w/disk"
if unshare --map-root-user --mount true 2>/dev/null; then
	check "a full disk" unshare --map-root-user --mount bash "$w/full" "$ksma" "$w/disk" "$root_folder" "$w/full.err"
else
	printf 'ok %d - a full disk # SKIP no namespaces\n' $((++cases)) >&3
fi

finish

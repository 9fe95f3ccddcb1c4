#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Signatures as `evmctl ima_sign` writes them into security.ima: each kind of key and hash is believed, and what was changed, signed
# by others or too weakly is not. evmctl verifies the same ones beside.
set -euo pipefail
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

verify=${KSMA_BUILD:-$root/build}/tests/tools/ima_verify
w=$tmp/work
mkdir "$w" "$w/keys" "$w/own"
file=$w/file
head -c 100001 /dev/urandom >"$file"

# What ours says of $file with the keys that are there.
says() { "$verify" "$w/keys" "$file" "$file.sig" 2>/dev/null || true; }
# evmctl's own exit status for the same.
theirs() { evmctl ima_verify --sigfile --key "$1" "$file" >/dev/null 2>&1; }

openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$w/own/rsa2048.pem" 2>/dev/null
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -out "$w/own/rsa4096.pem" 2>/dev/null
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$w/own/ec256.pem"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$w/own/ec384.pem"
for key in rsa2048 rsa4096 ec256 ec384; do
	openssl pkey -in "$w/own/$key.pem" -pubout -out "$w/own/$key.pub"
	openssl req -x509 -new -key "$w/own/$key.pem" -days 10 -subj "/CN=$key" -addext keyUsage=digitalSignature -outform DER -out "$w/own/$key.der" 2>/dev/null
done
for key in rsa2048 rsa4096 ec256 ec384; do
	rm -f "$w/keys"/*
	cp "$w/own/$key.pub" "$w/keys"
	for hash in sha256 sha384 sha512; do
		rm -f "$file.sig"
		evmctl ima_sign --sigfile --hashalgo "$hash" --key "$w/own/$key.pem" "$file" >/dev/null 2>&1
		check "$key, $hash" test "$(says)" = "good ${hash^^} $key.pub"
		check "evmctl agrees: $key, $hash" theirs "$w/own/$key.der"
	done
	cp "$file.sig" "$w/sig"
	printf '%s' "$key" | dd of="$file" bs=1 seek=5000 conv=notrunc status=none
	check "changed since: $key" test "$(says | cut -d' ' -f1)" = bad
	if theirs "$w/own/$key.der"; then fail "evmctl agrees that it was changed"; else pass "evmctl agrees that it was changed: $key"; fi
done

# By a certificate, found by its own key identifier, which evmctl is told to name.
rm -f "$w/keys"/* "$file.sig"
cp "$w/own/rsa2048.der" "$w/keys"
evmctl ima_sign --sigfile --key "$w/own/rsa2048.pem" "$file" >/dev/null 2>&1
check "a certificate" test "$(says)" = "good SHA256 CN=rsa2048"
openssl req -x509 -new -key "$w/own/rsa2048.pem" -days 10 -subj /CN=other-id -addext subjectKeyIdentifier=0102030405060708 -out "$w/keys/other.pem" 2>/dev/null
rm "$w/keys/rsa2048.der" "$file.sig"
evmctl ima_sign --sigfile --keyid-from-cert "$w/keys/other.pem" --key "$w/own/rsa2048.pem" "$file" >/dev/null 2>&1
check "named by the certificate's key identifier" test "$(od -An -tx1 -j 3 -N 4 "$file.sig" | tr -d ' ')" = 05060708
check "is found by it" test "$(says)" = "good SHA256 CN=other-id"

# By others, too weakly, or damaged.
rm -f "$w/keys"/*
cp "$w/own/ec256.pub" "$w/keys"
check "another's key" test "$(says | cut -d' ' -f1)" = unknown
cp "$w/own/rsa2048.pub" "$w/keys"
rm "$file.sig"
evmctl ima_sign --sigfile --key "$w/own/rsa2048.pem" "$file" >/dev/null 2>&1
id=$(openssl pkey -pubin -in "$w/own/rsa2048.pub" -outform DER | sha256sum | cut -d' ' -f1)
check "known by now" test "$(says)" = "good SHA256 rsa2048.pub"
echo "key $id lost" >"$w/keys/revoked"
check "and revoked" test "$(says | cut -d' ' -f1)" = revoked
rm "$w/keys/revoked" "$file.sig"
evmctl ima_sign --sigfile --hashalgo sha1 --key "$w/own/rsa2048.pem" "$file" >/dev/null 2>&1
check "SHA-1" grep -q "only SHA-256" <(says)
head -c 100 "$w/sig" >"$file.sig"
check "cut" grep -q "another length" <(says)

finish

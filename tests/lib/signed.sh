# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A signed manifest of the small system that the test guests run, for tests of what is allowed in a guest. Needs $ksma and guest.sh.

# Makes $2/m.ksma, signed, of the initramfs of kernel $1 with the modules that follow and a script /bin/hello.sh that says hello, $2/keys with the key that signed it, and $2/key.pem.
signed_manifest() {
	local kernel=$1 folder=$2 initrd
	shift 2
	[ "${1-}" != --module ] || shift
	# shellcheck disable=SC2154 # of guest.sh
	initrd=$("$ksma_guest_home/mkinitramfs" "$kernel" "$@") || return 1
	mkdir -p "$folder/root" "$folder/keys"
	lz4 -dcq "$initrd" | (cd "$folder/root" && cpio --quiet -idm --no-absolute-filenames) || return 1
	printf '#!/bin/sh\necho hello\n' >"$folder/root/bin/hello.sh"
	chmod 755 "$folder/root/bin/hello.sh"
	openssl genpkey -quiet -algorithm ED25519 -out "$folder/key.pem" 2>/dev/null ||
		openssl genpkey -algorithm ED25519 -out "$folder/key.pem" || return 1
	openssl pkey -in "$folder/key.pem" -pubout -out "$folder/keys/key.pem" || return 1
	chmod 644 "$folder/keys/key.pem"
	# shellcheck disable=SC2154 # of those who source this
	"$ksma" manifest build --root "$folder/root" -o "$folder/m.ksma" >/dev/null &&
		"$ksma" manifest sign --key "$folder/key.pem" "$folder/m.ksma" >/dev/null
}

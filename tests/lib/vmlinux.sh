# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Unpacks kernels of the cache: the ELF inside a bzImage, and sections of it.

# Prints N bytes at offset $2 of file $1 as one number.
vmlinux_number() { # FILE OFFSET BYTES
	od -An -v -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# Writes the ELF inside the bzImage $1 to $2. The boot protocol's header says where the payload lies; its last 4 bytes are the
# unpacked size (Documentation/arch/x86/boot.rst).
vmlinux_unpack() { # VMLINUZ VMLINUX
	local sectors offset length start magic tool
	sectors=$(vmlinux_number "$1" $((0x1f1)) 1)
	offset=$(vmlinux_number "$1" $((0x248)) 4)
	length=$(vmlinux_number "$1" $((0x24c)) 4)
	start=$(((sectors + 1) * 512 + offset))
	magic=$(od -An -v -t x1 -j "$start" -N 4 "$1" | tr -d ' ')
	case $magic in
	fd377a58) tool="xz -dc" ;;
	28b52ffd) tool="zstd -dcq" ;;
	1f8b*) tool="gzip -dc" ;;
	02214c18) tool="lz4 -dcq" ;;
	*)
		echo "vmlinux: $1 is packed in a way that is not known ($magic)" >&2
		return 1
		;;
	esac
	dd if="$1" bs=1M iflag=skip_bytes,count_bytes skip="$start" count=$((length - 4)) status=none | $tool >"$2"
}

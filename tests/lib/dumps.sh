# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Dumps of a small populated guest, made once and kept in the cache: for tests that read dumps rather than a running guest.

dumps_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/guest.sh
. "$dumps_lib/guest.sh"

# Sends lines to the monitor of the guest of folder $1, and prints the answers until the last is there.
dumps_monitor() { # FOLDER LINE…
	local folder=$1
	shift
	{
		printf '%s\n' '{"execute":"qmp_capabilities"}' "$@"
		sleep 1
	} | socat -t 120 - "UNIX-CONNECT:$folder/qmp2.sock"
}

# Dumps the guest of folder $1 into the file $2, in a format of QEMU: elf, elf-paging, or kdump-zlib and the like.
dumps_take() {
	local folder=$1 file=$2 format=$3 paging=false answer
	case $format in
	elf-paging) paging=true ;;&
	elf*) format= ;;
	*) format=",\"format\":\"$format\"" ;;
	esac
	rm -f "$file"
	answer=$(dumps_monitor "$folder" "{\"execute\":\"dump-guest-memory\",\"arguments\":{\"paging\":$paging,\"protocol\":\"file:$file\"$format}}")
	case $answer in
	*'"error"'* | *'"status": "failed"'*)
		guest_log "no dump: $answer"
		return 1
		;;
	esac
	[ -s "$file" ]
}

# Prints the folder with dump.elf, dump.paging, dump.kdump and dump.raw of a guest with kernel $1, 256 MiB and some 60 processes,
# all of the same moment.
dumps_get() {
	local kernel=$1 version hash folder run
	version=$(cat "$(kernel_get "$kernel")/version")
	hash=$(cd "$ksma_guest_home" && cat ./*.[ch] init mkinitramfs modules ../lib/dumps.sh | sha256sum | cut -c1-12)
	folder=$ksma_cache/dumps/$version-$hash
	mkdir -p "$ksma_cache/dumps"
	# In a shell of its own, so that the guest is gone when it ends; two tests may want the dumps at once.
	(
		flock 9
		[ ! -e "$folder/complete" ] || exit 0
		run=$(mktemp -d)
		on_exit rm -rf "$run"
		guest_start --kernel "$kernel" --mem 256M --ram anon --populate 60 "$run" >/dev/null &&
			rm -rf "$ksma_cache/dumps/$version-"* && mkdir -p "$folder" &&
			dumps_monitor "$run" '{"execute":"stop"}' >/dev/null && # all of one moment
			dumps_take "$run" "$folder/dump.elf" elf &&
			dumps_take "$run" "$folder/dump.paging" elf-paging &&
			dumps_take "$run" "$folder/dump.kdump" kdump-zlib &&
			dumps_monitor "$run" "{\"execute\":\"pmemsave\",\"arguments\":{\"val\":0,\"size\":268435456,\"filename\":\"$folder/dump.raw\"}}" >/dev/null &&
			touch "$folder/complete"
	) 9>"$ksma_cache/dumps/lock" || return 1
	printf '%s\n' "$folder"
}

# Damages the dumps of folder $2 from seed $4 on, $5 times, with the program $1.
dumps_mutate() { # PROGRAM DUMPS SCRATCH SEED COUNT
	"$1" --elf "$2/dump.elf" --kdump "$2/dump.kdump" --scratch "$3" --seed "$4" --count "$5"
}

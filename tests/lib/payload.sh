# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Starts and stops the payload of tests/payload for the tests that use it, and counts their cases as TAP.

payload_home=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
payload_tools=${KSMA_BUILD:-$payload_home/build}/tests/payload
payload_scratch=$(mktemp -d)
payload_reason=
payload_cases=0
payload_failures=0
payload_folders=()

payload_cleanup() {
	local folder
	for folder in "${payload_folders[@]}"; do
		payload_stop "$folder"
	done
	rm -rf "$payload_scratch"
}
trap payload_cleanup EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# Can guests run with this accelerator? Else payload_reason says why not.
payload_accelerator() {
	[ "$1" = kvm ] || return 0
	if [ ! -e /dev/kvm ]; then
		payload_reason="this machine has no /dev/kvm"
	elif [ ! -w /dev/kvm ]; then
		payload_reason="/dev/kvm may not be opened by $(id -un)"
	else
		return 0
	fi
	return 1
}

# Starts the payload with run folder $1: accelerator $2, RAM $3 (memfd, file, anon), name $4, UUID $5. It has come up when this
# returns: under a KVM that emulates, that takes some 20 seconds.
payload_start() {
	local folder=$1 accelerator=$2 ram=$3 name=$4 uuid=$5 machine=pc i pid
	local -a args=()
	mkdir -p "$folder"
	case $ram in
	memfd) args+=(-object memory-backend-memfd,id=ram0,size=64M,share=on) ;;
	file) args+=(-object "memory-backend-file,id=ram0,size=64M,mem-path=$folder/ram,share=on") ;;
	anon) ;;
	esac
	[ "$ram" = anon ] || machine+=,memory-backend=ram0
	case $accelerator in
	kvm) args+=(-accel kvm -cpu "host,-arch-capabilities") ;;
	*) args+=(-accel tcg -cpu max) ;;
	esac
	payload_folders+=("$folder")
	qemu-system-x86_64 -name "$name,debug-threads=on" -uuid "$uuid" -nodefaults -no-user-config -display none -machine "$machine" -m 64 \
		"${args[@]}" -kernel "$payload_tools/payload.bin" -serial "file:$folder/serial.log" \
		-qmp "unix:$folder/qmp.sock,server=on,wait=off" -qmp "unix:$folder/qmp2.sock,server=on,wait=off" \
		-pidfile "$folder/pid" -daemonize || return 1
	pid=$(cat "$folder/pid")
	for ((i = 0; i < 1200; i++)); do
		! grep -q '^ready' "$folder/serial.log" || return 0
		[ -e "/proc/$pid" ] || break
		sleep 0.1
	done
	tail -n 5 "$folder/serial.log" >&2
	return 1
}

payload_stop() {
	local pid i
	pid=$(cat "$1/pid" 2>/dev/null) || return 0
	kill "$pid" 2>/dev/null || true
	for ((i = 0; i < 500; i++)); do
		[ -e "/proc/$pid" ] || break
		[ "$i" != 300 ] || kill -KILL "$pid" 2>/dev/null || true
		sleep 0.01
	done
	rm -f "$1/pid"
}

# One case: "ok", "not ok" or "skip", and its words.
payload_case() {
	payload_cases=$((payload_cases + 1))
	[ "$1" != "not ok" ] || payload_failures=$((payload_failures + 1))
	printf '%s %d - %s\n' "${1/skip/ok}" "$payload_cases" "$2"
}

# Runs a program that prints TAP; its cases are counted under the title $1.
payload_run() {
	local title=$1 line seen=0 status=0
	shift
	"$@" >"$payload_scratch/out" || status=$?
	while IFS= read -r line; do
		case $line in
		"ok "*) payload_case ok "$title: ${line#*- }" ;;
		"not ok "*) payload_case "not ok" "$title: ${line#*- }" ;;
		1..*)
			seen=1
			continue
			;;
		*) printf '%s\n' "${line/#[!#]/# }" ;;
		esac
	done <"$payload_scratch/out"
	if [ "$seen" = 0 ]; then
		payload_case "not ok" "$title: ended with status $status before its last line"
	fi
}

# Prints the plan and gives the exit status.
payload_done() {
	echo "1..$payload_cases"
	[ "$payload_failures" = 0 ]
}

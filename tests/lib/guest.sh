# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Starts, commands and stops real Linux guests under QEMU, for tests.
#
# A guest lives in a run folder: pid, qmp.sock (for the program under test), qmp2.sock (for the tests), serial.log, cmd.sock,
# version. A script that sources this file and starts guests has them stopped whenever and however it exits.

ksma_guest_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=kernels.sh
. "$ksma_guest_lib/kernels.sh"
ksma_guest_home=$ksma_guest_lib/../guest

ksma_exit_commands=()
ksma_exit_owner=

# Runs a command, a word an argument, when the script exits: the last one registered first.
on_exit() {
	if [ "$ksma_exit_owner" != "$BASHPID" ]; then
		ksma_exit_owner=$BASHPID
		ksma_exit_commands=()
		trap on_exit_run EXIT
		trap 'exit 129' HUP
		trap 'exit 130' INT
		trap 'exit 143' TERM
	fi
	ksma_exit_commands+=("$(printf '%q ' "$@")")
}

on_exit_run() {
	local status=$? i
	trap - EXIT
	for ((i = ${#ksma_exit_commands[@]} - 1; i >= 0; i--)); do
		eval "${ksma_exit_commands[i]}" || true
	done
	exit "$status"
}

guest_log() { printf 'guest: %s\n' "$*" >&2; }

# Prints kvm where the processor can run it, tcg elsewhere.
guest_accel() {
	if [ -w /dev/kvm ] && grep -qE '^flags.*\<(vmx|svm)\>' /proc/cpuinfo; then
		echo kvm
	else
		echo tcg
	fi
}

# Builds the host's end of the command channel, and prints its path.
guest_gsh() {
	local hash out
	hash=$(cat "$ksma_guest_home"/{gsh.c,frame.h} | sha256sum | cut -c1-16)
	out=$ksma_cache/build/gsh-$hash
	if [ ! -x "$out" ]; then
		mkdir -p "$ksma_cache/build"
		gcc -O2 -Wall -Wextra -o "$out.$BASHPID" "$ksma_guest_home/gsh.c" || return 1
		mv "$out.$BASHPID" "$out"
	fi
	printf '%s\n' "$out"
}

# Is process $1 there and not a zombie?
guest_alive() {
	local line
	read -r line 2>/dev/null <"/proc/$1/stat" || return 1
	line=${line##*) }
	[ "${line%% *}" != Z ]
}

# Prints the pid of the guest of folder $1, where it still runs. The command line is looked at too: a pid may be reused.
guest_pid() {
	local pid
	{ read -r pid <"$1/pid"; } 2>/dev/null || return 1
	[ -n "$pid" ] && guest_alive "$pid" && tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF "$1/pid" || return 1
	printf '%s\n' "$pid"
}

# Prints the path of an initramfs that is $2 with the test modules for kernel $1 added.
guest_add_attacks() {
	local folder out tmp
	folder=$("$ksma_guest_home/../attacks/build" "$1") || return 1
	out=$ksma_cache/initramfs/${folder##*/}+${2##*/}
	if [ ! -e "$out" ]; then
		tmp=$(mktemp -d "$ksma_cache/initramfs/.tmp.XXXXXX") || return 1
		mkdir "$tmp/attacks"
		cp "$folder"/*.ko "$tmp/attacks/"
		# The kernel takes archives one after the other, the plain one first.
		(cd "$tmp" && find attacks | cpio --quiet -o -H newc -R 0:0) | cat - "$2" >"$tmp/out"
		mv "$tmp/out" "$out"
		rm -rf "$tmp"
	fi
	printf '%s\n' "$out"
}

guest_usage() {
	cat <<-'EOF'
		usage: run start [OPTION…] DIR [-- QEMU ARGUMENT…]   start a guest with run folder DIR, print its pid when it is ready
		         --kernel NAME    5.10, 6.1, 6.12, 7.2, or one of these with -cloud (6.1)
		         --mem SIZE       memory (1G)
		         --cpus N         processors (1)
		         --ram KIND       memfd, file, anon, hugetlb (memfd)
		         --numa           two nodes, each half of the memory in a backend of its own
		         --accel KIND     auto, kvm, tcg, or whatever QEMU takes there (auto)
		         --cpu MODEL      a processor for QEMU's -cpu, as it is
		         --la57           5-level paging (default: 4 levels); --no-la57
		         --machine TYPE   pc or q35 (q35)
		         --name NAME      the guest's name (the folder's)
		         --append WORDS   more for the kernel's command line
		         --boot FOLDER    the files vmlinuz, initrd.img and version of another system, in place of the small one
		         --drive SPEC     a disk, as QEMU's -drive says it; repeats
		         --attacks        with the modules of tests/attacks in /attacks, where they build
		         --module NAME    a kernel module to have at hand in the guest; repeats
		         --no-qmp         without qmp.sock (the tests' own qmp2.sock stays)
		         --snapshots      with a place for guest_snapshot
		         --populate N     make N processes and one of each kind of file, socket and map
		         --timeout S      seconds to be ready in (180)
		       run debian [OPTION…] DIR [-- QEMU ARGUMENT…]   the same with a real Debian system, whose services still start then
		         --disk FILE      another disk (a fresh layer over the built one)
		         --bus KIND       where the disk is: virtio, scsi, nvme (virtio)
		         --root WHAT      the root file system, as the kernel's command line says it
		       run exec DIR LINE        run a shell line in the guest: its output, its exit status
		       run put DIR FILE PATH    copy a file into the guest
		       run get DIR PATH FILE    copy a file out of it
		       run wait DIR             wait until the guest answers, as after a reboot of its own
		       run reboot DIR           reset it, and wait until it is ready
		       run pid DIR              its pid
		       run stop DIR             end it, and wait until it is gone
	EOF
}

# Starts a guest; arguments as in the usage above. Prints the pid. Not to be called in $(…), at whose end the guest would be
# stopped: ask guest_pid() afterwards.
guest_start() {
	local kernel=6.1 mem=1G cpus=1 ram=memfd numa='' accel=auto cpu='' la57=off machine=q35 name='' append='' qmp=1 populate=''
	local timeout=180 attacks='' snapshots='' boot='' dir='' folder initrd gsh pid size
	local -a drives=() modules=() args=()
	while [ $# -gt 0 ]; do
		case $1 in
		--kernel) kernel=$2 ;;
		--mem) mem=$2 ;;
		--cpus) cpus=$2 ;;
		--ram) ram=$2 ;;
		--accel) accel=$2 ;;
		--cpu) cpu=$2 ;;
		--machine) machine=$2 ;;
		--name) name=$2 ;;
		--append) append=$2 ;;
		--boot) boot=$2 ;;
		--drive) drives+=(-drive "$2") ;;
		--module) modules+=("$2") ;;
		--populate) populate=$2 ;;
		--timeout) timeout=$2 ;;
		--numa | --la57 | --no-la57 | --no-qmp | --attacks | --snapshots)
			case $1 in
			--numa) numa=1 ;;
			--attacks) attacks=1 ;;
			--snapshots) snapshots=1 ;;
			--la57) la57=on ;;
			--no-la57) la57=off ;;
			--no-qmp) qmp= ;;
			esac
			set -- "" "$@"
			;;
		--)
			shift
			break
			;;
		-*)
			guest_usage >&2
			return 2
			;;
		*)
			[ -z "$dir" ] || {
				guest_usage >&2
				return 2
			}
			dir=$1
			set -- "" "$@"
			;;
		esac
		shift 2 || return 2
	done
	[ -n "$dir" ] || {
		guest_usage >&2
		return 2
	}
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd -P)
	if guest_pid "$dir" >/dev/null; then
		guest_log "$dir: a guest runs there already"
		return 1
	fi
	[ "$accel" != auto ] || accel=$(guest_accel)
	if [ -z "$cpu" ]; then
		# QEMU 7.2's emulation of cmpxchg16b now and then leaves garbage in the flags (seen: a double fault in kmem_cache_alloc() with
		# RAX in EFLAGS, while booting): without the feature, kernels do not use it.
		cpu=max,la57=$la57,-cx16
		[[ $accel = tcg* ]] || cpu=host
	fi
	if [ -n "$boot" ]; then
		folder=$boot
		initrd=$boot/initrd.img
	else
		folder=$(kernel_get "$kernel") || return 1
		initrd=$("$ksma_guest_home/mkinitramfs" "$kernel" "${modules[@]}") || return 1
		[ -z "$attacks" ] || initrd=$(guest_add_attacks "$kernel" "$initrd") || return 1
	fi
	gsh=$(guest_gsh) || return 1
	rm -f "$dir"/{pid,qmp.sock,qmp2.sock,cmd.sock,serial.log,ram}
	ln -sf "$gsh" "$dir/gsh"
	cp "$folder/version" "$dir/version"
	printf '%s\n' "$kernel" >"$dir/kernel"

	size=$(numfmt --from=iec "$mem")
	case $ram,$numa in
	anon,) ;;
	anon,1)
		args+=(-object "memory-backend-ram,id=ram0,size=$((size / 2))" -object "memory-backend-ram,id=ram1,size=$((size / 2))")
		;;
	memfd,)
		args+=(-object "memory-backend-memfd,id=ram0,size=$size,share=on")
		;;
	memfd,1)
		args+=(-object "memory-backend-memfd,id=ram0,size=$((size / 2)),share=on"
			-object "memory-backend-memfd,id=ram1,size=$((size / 2)),share=on")
		;;
	file,)
		args+=(-object "memory-backend-file,id=ram0,size=$size,mem-path=$dir/ram,share=on")
		;;
	file,1)
		args+=(-object "memory-backend-file,id=ram0,size=$((size / 2)),mem-path=$dir/ram,share=on"
			-object "memory-backend-file,id=ram1,size=$((size / 2)),mem-path=$dir/ram1,share=on")
		;;
	hugetlb,)
		if [ "$(awk '/^HugePages_Free/ { print $2 }' /proc/meminfo)" -lt $((size >> 21)) ]; then
			guest_log "not enough huge pages of 2M for $mem (see /proc/sys/vm/nr_hugepages)"
			return 77
		fi
		args+=(-object "memory-backend-memfd,id=ram0,size=$size,share=on,hugetlb=on,hugetlbsize=2M")
		;;
	*)
		guest_usage >&2
		return 2
		;;
	esac
	if [ -n "$numa" ]; then
		args+=(-numa "node,nodeid=0,memdev=ram0,cpus=0-$((cpus - 1))" -numa "node,nodeid=1,memdev=ram1")
	elif [ "$ram" != anon ]; then
		machine+=,memory-backend=ram0
	fi
	if [ -n "$snapshots" ]; then
		# No device has it; QEMU keeps the state of the machine there.
		qemu-img create -q -f qcow2 "$dir/snapshots" 64M || return 1
		args+=(-drive "if=none,id=snapshots,format=qcow2,file=$dir/snapshots")
	fi
	[ "$accel" != tcg ] || accel=tcg,thread=multi
	[ -z "$qmp" ] || args+=(-qmp "unix:$dir/qmp.sock,server=on,wait=off")

	# Tables of the firmware aside, QEMU is told of no device that the guest does not need.
	qemu-system-x86_64 -name "${name:-$(basename "$dir")}" -nodefaults -no-user-config -display none \
		-machine "$machine" -accel "$accel" -cpu "$cpu" -smp "$cpus" -m "$size"B "${args[@]}" \
		-kernel "$folder/vmlinuz" -initrd "$initrd" -append "console=ttyS0 quiet panic=-1 random.trust_cpu=on $append" \
		-chardev "file,id=serial,path=$dir/serial.log" -serial chardev:serial \
		-chardev "socket,id=cmd,path=$dir/cmd.sock,server=on,wait=off" -serial chardev:cmd \
		-qmp "unix:$dir/qmp2.sock,server=on,wait=off" "${drives[@]}" "$@" \
		-pidfile "$dir/pid" -daemonize || return 1
	pid=$(guest_pid "$dir") || return 1
	if [ -n "${ksma_guest_reap-1}" ]; then
		on_exit guest_stop "$dir"
	fi
	# A kernel that stops while it boots, with nobody looking at it, says nothing of the program under test: such a guest is reset once,
	# and the log says so, with what the guest said last.
	if ! GSH_TIMEOUT=$((timeout / 2)) "$gsh" wait "$dir" && ! guest_reset_again "$dir"; then
		guest_log "$dir: not ready"
		guest_stop "$dir"
		return 1
	fi
	if [ -n "$populate" ] && ! guest_exec "$dir" "gtool populate $populate"; then
		guest_stop "$dir"
		return 1
	fi
	printf '%s\n' "$pid"
}

# Runs the shell line $2 in the guest of folder $1: its output, its exit status. GSH_TIMEOUT: seconds to wait (120).
guest_exec() { "$1/gsh" exec "$1" "$2"; }

# Copies the file $2 to the guest's path $3.
guest_put() { "$1/gsh" put "$1" "$2" "$3"; }

# Copies the guest's file $2 to the path $3.
guest_get() { "$1/gsh" get "$1" "$2" "$3"; }

# Waits until the guest is ready.
guest_wait() { "$1/gsh" wait "$1"; }

# Resets the guest of folder $1, which did not come up.
guest_reset_again() {
	guest_log "$1: it did not come up, and is reset once more; where its processors are, and the end of its console:"
	{
		printf '%s\n' '{"execute":"qmp_capabilities"}' \
			'{"execute":"human-monitor-command","arguments":{"command-line":"info registers -a"}}'
		sleep 2
	} | socat -t 5 - "UNIX-CONNECT:$1/qmp2.sock" 2>/dev/null | grep -o 'R[IS]P=[0-9a-f]*' >&2 || true
	tail -n 20 "$1/serial.log" >&2 || true
	GSH_TIMEOUT=120 "$1/gsh" reboot "$1"
}

# Resets the guest of folder $1 as its reset button would, and waits until it is ready again.
guest_reboot() {
	GSH_TIMEOUT=120 "$1/gsh" reboot "$1" || guest_reset_again "$1"
}

# Has QEMU save the guest of folder $1 (started with --snapshots), or go back to what it saved: like a reboot, but in a second.
guest_snapshot() { guest_monitor "$1" "savevm clean" && touch "$1/snapshots.taken"; }
guest_restore() { guest_monitor "$1" "loadvm clean"; }

# Gives QEMU's human monitor a line; fails when that has an answer, which for most commands is an error.
guest_monitor() {
	local answer
	answer=$(
		{
			printf '%s\n' '{"execute":"qmp_capabilities"}' \
				"{\"execute\":\"human-monitor-command\",\"id\":1,\"arguments\":{\"command-line\":\"$2\"}}"
			sleep 0.1
		} | timeout 120 socat -t 110 - "UNIX-CONNECT:$1/qmp2.sock" | grep -m 1 '"id": 1'
	)
	[[ $answer == *'"return": ""'* ]] || {
		guest_log "$1: $2: $answer"
		return 1
	}
}

# Ends the guest of folder $1, and waits until it is gone.
guest_stop() {
	local dir=$1 pid i
	dir=$(cd "$dir" 2>/dev/null && pwd -P) || return 0
	if pid=$(guest_pid "$dir"); then
		kill "$pid" 2>/dev/null || true
		for ((i = 0; i < 500; i++)); do
			guest_alive "$pid" || break
			[ "$i" != 300 ] || kill -KILL "$pid" 2>/dev/null || true
			sleep 0.01
		done
	fi
	rm -f "$dir"/{pid,qmp.sock,qmp2.sock,cmd.sock,ram,ram1,snapshots,snapshots.taken}
}

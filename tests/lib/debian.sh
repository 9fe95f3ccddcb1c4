# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A real Debian system as a guest: systemd, ext4 on a partition of a virtio disk, its own kernel and packages.
#
# It has the run folder of the small guests (tests/lib/guest.sh), with the same commands; beside them disk.qcow2, the guest's disk: a layer
# of its own over the one that tests/guest/debian/build made once, which no guest writes to.

debian_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=guest.sh
. "$debian_lib/guest.sh"

# Prints the folder of the built disk, building it where it is missing: fails with 77 where that cannot be done here.
debian_get() { "$debian_lib/../guest/debian/build"; }

# Starts it with the options of guest_start, the run folder the last argument or before --; waits until the command channel answers, which is early: debian_wait
# waits for the rest. --disk FILE: another disk than a fresh layer, --bus virtio|scsi|nvme: what it lies on.
debian_start() {
	# On a busy machine an emulated guest takes its time, and systemd would give up on what it waits for.
	local patience='systemd.default_timeout_start_sec=900 systemd.default_device_timeout_sec=900'
	local folder disk='' bus=virtio dir='' root='root=UUID=6b736d61-0000-4000-8000-000000000001'
	local -a options=() device=() tail=()
	folder=$(debian_get) || return
	while [ $# -gt 0 ]; do
		case $1 in
		--disk) disk=$2 ;;
		--bus) bus=$2 ;;
		--root) root=root=$2 ;;
		--)
			shift
			tail=("$@")
			break
			;;
		--*)
			options+=("$1")
			case $1 in
			--numa | --la57 | --no-la57 | --no-qmp | --snapshots) set -- "" "$@" ;;
			*) options+=("$2") ;;
			esac
			;;
		*)
			dir=$1
			set -- "" "$@"
			;;
		esac
		shift 2
	done
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd -P)
	if [ -z "$disk" ]; then
		disk=$dir/disk.qcow2
		qemu-img create -q -f qcow2 -F qcow2 -b "$folder/disk.qcow2" "$disk" || return 1
	fi
	case $bus in
	virtio) device=(-device virtio-blk-pci,drive=disk0) ;;
	scsi) device=(-device virtio-scsi-pci -device scsi-hd,drive=disk0) ;;
	nvme) device=(-device nvme,drive=disk0,serial=disk0) ;;
	esac
	guest_start --boot "$folder" --mem 1G --timeout 900 --append "$root $patience" --drive "if=none,id=disk0,format=qcow2,file=$disk" \
		"${options[@]}" "$dir" -- "${device[@]}" "${tail[@]}"
}

# Waits until the guest of folder $1 has booted as far as it will, and prints what systemd says of it: running, or degraded.
debian_wait() { GSH_TIMEOUT=900 guest_exec "$1" 'systemctl is-system-running --wait'; }

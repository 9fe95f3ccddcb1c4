#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A guest whose monitor libvirt owns: found, read, asked for registers through libvirt's own library, and left as it was.
# timeout: 900
set -euo pipefail
# shellcheck source=tests/lib/firmware.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/firmware.sh"

[ "$(id -u)" = 0 ] || skip "only root may talk to libvirt's system daemon"
for tool in libvirtd virtlogd virsh; do
	command -v "$tool" >/dev/null || skip "$tool is not installed (libvirt-daemon-system, libvirt-clients)"
done

# Where no systemd runs, libvirt waits half a minute for it to answer with each domain that it starts.
virsh=(timeout 200 virsh -q -c qemu:///system)
if ! "${virsh[@]}" version >/dev/null 2>&1; then
	# Our own, where the system runs none; both write their pid into a file.
	virtlogd --daemon --pid-file "$work/virtlogd.pid" || skip "virtlogd does not start here"
	on_exit firmware_end "$(cat "$work/virtlogd.pid")"
	libvirtd --daemon --pid-file "$work/libvirtd.pid" || skip "libvirtd does not start here"
	on_exit firmware_end "$(cat "$work/libvirtd.pid")"
	for ((i = 0; i < 100; i++)); do
		! "${virsh[@]}" version >/dev/null 2>&1 || break
		sleep 0.1
	done
fi

name=ksma-test-$$
uuid=$(cat /proc/sys/kernel/random/uuid)
cat >"$work/domain.xml" <<-EOD
	<domain type='qemu'><name>$name</name><uuid>$uuid</uuid><memory unit='MiB'>128</memory>
	<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking><vcpu>2</vcpu>
	<os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/><apic/></features>
	<devices><emulator>$(command -v qemu-system-x86_64)</emulator><controller type='usb' model='none'/>
	<memballoon model='none'/></devices></domain>
EOD
on_exit end_domain
end_domain() { "${virsh[@]}" destroy "$name" >/dev/null 2>&1 || true; }
"${virsh[@]}" create "$work/domain.xml" >"$work/log" 2>&1 || {
	end_domain
	skip "libvirt cannot start a domain here: $(tr '\n' ' ' <"$work/log")"
}
says "found by name, read by libvirt's monitor" \
	"name=$name uuid=$uuid .*vcpus=2 access=mapped layout=monitor monitor=libvirt qemu:///system" "$probe" "$name" info
says "by UUID, from memory alone" "access=mapped layout=command-line monitor= " "$probe" --memory-only "$uuid" info
says "memory" "^data [1-9]" "$probe" "$name" all
says "registers" "^vcpu 1 .*msrs=0" "$probe" "$name" registers
says "MSRs, for which libvirt passes the descriptor on" "^vcpu 1 .*msrs=1 .*pause_us=[1-9]" "$probe" "$name" msrs
says "nothing is left behind" '"return":\[\]' "${virsh[@]}" qemu-monitor-command "$name" '{"execute":"query-fdsets"}'
says "it runs on" running "${virsh[@]}" domstate "$name"
"${virsh[@]}" destroy "$name" >/dev/null
says "gone" "error not-present" "$probe" "$name" info

[ "$failures" -eq 0 ]

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A real Debian system under the guard from its first file on: every file of its disk is signed, so it boots to its login and is used with no
# refusal; what is not signed is refused.
# timeout: 3000
# shellcheck disable=SC2016 # lines for the guest's shell
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/debian.sh
. "$here/../lib/debian.sh"
ksma=${KSMA:-$here/../../build/ksma}
# shellcheck source=tests/lib/cases.sh
. "$here/../lib/cases.sh"

inside() { GSH_TIMEOUT=600 guest_exec "$dir/g" "$1"; }

denied() { jq -c 'select(.decision == "deny")' "$dir/out"; }

# All of the disk, and all of the initramfs, which holds copies and what was made for it: known by their contents, whatever their names are there.
manifest() {
	mkdir -p "$dir/keys" "$dir/initrd"
	openssl genrsa -out "$dir/key.pem" 2048 2>/dev/null
	openssl rsa -in "$dir/key.pem" -pubout -out "$dir/keys/key.pem" 2>/dev/null
	lz4 -dcq "$(debian_get)/initrd.img" | (cd "$dir/initrd" && cpio --quiet -idm --no-absolute-filenames)
	"$ksma" manifest build --root "$dir/initrd" -o "$dir/i.ksma"
	"$ksma" manifest build --image "$(debian_get)/disk.qcow2" -o "$dir/d.ksma"
	"$ksma" manifest build --package "$debs" -o "$dir/p.ksma"
	"$ksma" manifest merge --flatten -o "$dir/m.ksma" "$dir/i.ksma" "$dir/p.ksma" "$dir/d.ksma"
	"$ksma" manifest sign --key "$dir/key.pem" "$dir/m.ksma"
	"$ksma" manifest verify --keys "$dir/keys" "$dir/m.ksma"
	{
		# dpkg runs what a package brings for its installation from a place of its own, before it is in its own.
		echo "appraise func=BPRM_CHECK path=/var/lib/dpkg/tmp.ci/* trust=contents"
		for magic in 0x858458f6 0x01021994; do
			for func in BPRM_CHECK 'MMAP_CHECK mask=MAY_EXEC' MODULE_CHECK FIRMWARE_CHECK; do
				echo "appraise func=$func fsmagic=$magic trust=contents"
			done
		done
		for func in BPRM_CHECK 'MMAP_CHECK mask=MAY_EXEC' MODULE_CHECK FIRMWARE_CHECK KEXEC_KERNEL_CHECK KEXEC_INITRAMFS_CHECK; do
			echo "appraise func=$func"
		done
	} >"$dir/policy"
}

# QEMU waits before the first instruction until the guard lets it go.
armed() {
	local i
	for ((i = 0; i < 600; i++)); do
		! grep -q '"event":"armed"' "$dir/out" || break
		kill -0 "$guard" || break
		sleep 0.2
	done
	cut -c1-300 "$dir/out" "$dir/err"
	jq -es 'any(.[]; .event == "armed")' "$dir/out" >/dev/null
}

boots() {
	local state
	wait_started
	state=$(debian_wait "$dir/g" || true)
	echo "$state"
	jq -es 'any(.[]; .event == "armed" and .from == "boot" and .files_open == 0 and .before_init)' "$dir/out" >/dev/null
	denied
	[ -z "$(denied)" ]
	[ "$state" = running ] || [ "$state" = degraded ]
}

wait_started() {
	local i
	for ((i = 0; i < 900; i++)); do
		! GSH_TIMEOUT=5 guest_exec "$dir/g" true 2>/dev/null || return 0
		sleep 1
	done
	return 1
}

used() {
	inside 'set -e
		ssh -o StrictHostKeyChecking=no localhost true
		python3 -c "import ssl, json, ctypes, sqlite3"
		echo "* * * * * root touch /run/cron-was-here" >/etc/cron.d/here
		su user -c "ls /usr/bin | sort | head -n 3"
		modprobe dummy; systemctl restart cron; journalctl -n 3 --no-pager; apt-cache policy bash
		for i in $(seq 130); do [ ! -e /run/cron-was-here ] || exit 0; sleep 1; done
		exit 1'
	denied
	[ -z "$(denied)" ]
}

# Packages that were not there when the system was built, and are covered.
installs() {
	inside 'set -e; cd /root; dd if=/dev/vdb bs=1M status=none | tar x; DEBIAN_FRONTEND=noninteractive apt-get -y install ./*.deb; rm ./*.deb
		[ "$(echo 6*7 | bc)" = 42 ]; anacron -V; systemctl is-enabled anacron.timer; apt-get -y remove anacron bc'
	denied
	[ -z "$(denied)" ]
}

# Goes on with all of it until $1 seconds are over.
goes_on() {
	local end=$((SECONDS + $1)) rounds=0
	while [ "$SECONDS" -lt "$end" ]; do
		inside 'set -e; ssh -o StrictHostKeyChecking=no localhost uptime; python3 -c "import json, ssl"; su user -c "find /usr/share -name \"*.py\" | head -n 5"
			systemctl restart cron; ls -lR /etc | wc -l; perl -e "print 1"; journalctl -n 1 --no-pager; sleep 5'
		rounds=$((rounds + 1))
	done
	echo "$rounds rounds" >"$dir/rounds"
	denied
	[ -z "$(denied)" ]
}

# For how long the guest stood still, for each kind of question whose answer was known.
figures() {
	jq -r 'select(.known) | [.func, .cost_us] | @tsv' "$dir/out" | sort -k1,1 -k2,2n |
		awk '{ cost[NR] = $2; all[$1]++; if (!first[$1]) first[$1] = NR }
			END { for (f in all) printf "# %s: %d known answers, %d us in the middle, %d us in nine of ten\n", f, all[f], cost[first[f] + int(all[f] / 2)], cost[first[f] + int(all[f] * 9 / 10)] }'
	jq -r 'select(.known) | .cost_us' "$dir/out" | sort -n |
		awk '{ cost[NR] = $1 } END { printf "# all: %d known answers, %d us in the middle, %d us in nine of ten\n", NR, cost[int(NR / 2) + 1], cost[int(NR * 9 / 10) + 1] }'
}

refused() {
	local name
	inside 'cp /bin/true /root/copy; for f in copy; do /root/$f && exit 1; done
		cp /usr/bin/whoami /usr/bin/whoami.new; printf x | dd of=/usr/bin/whoami.new bs=1 seek=20000 conv=notrunc status=none; mv /usr/bin/whoami.new /usr/bin/whoami
		! whoami
		printf "#!/bin/sh\ntrue\n" >/root/script; chmod 755 /root/script; ! /root/script'
	for name in /root/copy /usr/bin/whoami /root/script; do
		denied | grep -q "\"$name\""
	done
}

dir=$(mktemp -d)
on_exit rm -rf "$dir"
debian_get >/dev/null || {
	status=$?
	echo "the guest's disk cannot be built here"
	exit "$status"
}
# Packages that are not on its disk, kept beside the disk that they were never on.
# shellcheck disable=SC2154 # of kernels.sh
debs=$ksma_cache/debian-covered
if [ ! -e "$debs/done" ]; then
	mkdir -p "$debs"
	(cd "$debs" && apt-get -qq download anacron bc) >"$dir/said" 2>&1 || {
		cat "$dir/said"
		echo "packages cannot be had here"
		exit 77
	}
	touch "$debs/done"
fi
tar -C "$debs" -cf "$dir/debs.tar" --exclude ./done .
does "every file of its disk in a signed manifest" manifest
on_exit guest_stop "$dir/g"
(
	# shellcheck disable=SC2034 # it is stopped by us
	ksma_guest_reap=
	debian_start --cpus 2 "$dir/g" -- -S -drive "if=virtio,format=raw,file=$dir/debs.tar" >"$dir/start" 2>&1
) &
for ((i = 0; i < 100; i++)); do
	pid=$(guest_pid "$dir/g" 2>/dev/null) && break
	sleep 0.2
done
sleep 1
"$ksma" guard "$pid" --policy "$dir/policy" --manifest "$dir/m.ksma" --keys "$dir/keys" --mode enforce --from-boot --json >"$dir/out" 2>"$dir/err" &
guard=$!
on_exit kill "$guard"
does "the guard stands there before the first file" armed
does "boots to its login under enforcement, with no refusal" boots
does "is used with no refusal" used
does "covered packages are installed with no refusal" installs
[ -z "${SECONDS_EACH-}" ] || does "goes on for $SECONDS_EACH s with no refusal" goes_on "$SECONDS_EACH"
does "what is not signed is refused" refused
[ ! -e "$dir/rounds" ] || sed 's/^/# /' "$dir/rounds"
echo "# $(jq -s 'map(select(.decision)) | length' "$dir/out") decisions, $(denied | wc -l) of them refusals: $(denied | jq -r .path | sort -u | tr '\n' ' ')"
figures
echo "1..$count"
exit "$failed"

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A Debian guest under the guard from its first file on, in use for half an hour, packages installed meanwhile: nothing that is signed is refused.
# Writes docs/guarded.md. SECONDS_EACH: how long; REPORT: where to.
# timeout: 7200
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export SECONDS_EACH=${SECONDS_EACH:-1800}
report=${REPORT:-$here/../../docs/guarded.md}
said=$(mktemp)
trap 'rm -f "$said"' EXIT
status=0
"$here/../guest/test-guard-debian.sh" | tee "$said" || status=$?
[ "$status" -ne 77 ] || exit 77
{
	cat <<-END
		# In use under the guard

		\`tests/soak/guarded.sh\` wrote this: Debian 12 with systemd, ext4 and two vCPUs, under \`ksma guard --mode enforce --from-boot\` from before its first file, with a manifest
		of its disk, its initramfs and two packages. It boots to its login, installs and removes the packages, and is then in use for $SECONDS_EACH s in rounds (ssh, python3, perl, su, find,
		a service that is restarted, journalctl, a walk over /etc, cron each minute). Then a copy, a changed program and a script that nobody signed are run, and refused.
		$(qemu-system-x86_64 --version | sed -n '1s/ (.*//p'), emulated; load of the host at the end: $(cut -d' ' -f1-3 /proc/loadavg).

		\`\`\`
	END
	sed 's/^# //; s/^ok [0-9]* - /ok: /; s/^not ok [0-9]* - /NOT ok: /; /^1\.\.[0-9]*$/d' "$said"
	echo '```'
} >"$said.md"
mv "$said.md" "$report"
exit "$status"

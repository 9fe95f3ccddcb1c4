#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A guest that puts escape sequences, C1 controls, bidirectional marks and broken UTF-8 into everything it may name: none of it
# reaches the terminal or a document, and all of it is shown.
# timeout: 900
set -euo pipefail
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dir=$tmp/guest
guest_start --kernel 6.1 --mem 512M --name hostile --populate 30 "$dir" >/dev/null

# In the guest: a process with a hostile name, arguments, open file, working folder, mount and socket; and a log line.
cat >"$tmp/evil.sh" <<'END'
e=$(printf '\033]0;pwned\007\033[2J\302\233\342\200\256\377x')
mkdir -p "/tmp/$e"
mount -t tmpfs "$e" "/tmp/$e" 2>/dev/null || true
printf '<1>%s\nsecond line' "$e" >/dev/kmsg
cat >"/tmp/$e/run" <<'INNER'
printf '\033[31m\302\233\377' >/proc/$$/comm
exec 8>"$1/open$(printf '\033[5m\nnew')"
echo $$ >/tmp/evil.pid
sleep 1000
INNER
cp /bin/busybox "/tmp/$e/sh"
"/tmp/$e/sh" "/tmp/$e/run" "/tmp/$e" "$e" >/dev/null 2>&1 </dev/null &
i=0
while [ ! -s /tmp/evil.pid ] && [ $i -lt 50 ]; do
	sleep 0.1
	i=$((i + 1))
done
cat /tmp/evil.pid
END
guest_put "$dir" "$tmp/evil.sh" /tmp/evil.sh
pid=$(guest_exec "$dir" "sh /tmp/evil.sh" | tail -n 1)
check "the guest does its worst" test "$pid" -gt 1

# Only printable ASCII, printable UTF-8 and line ends. With a terminal also the colours that are ours.
harmless() { # FILE
	/usr/bin/python3 - "$1" <<'END'
import re, sys, unicodedata
data = open(sys.argv[1], "rb").read()
text = re.sub(r"\x1b\[[0-9;]*m", "", data.decode("utf-8"))
bad = sorted({c for c in text if c not in "\r\n" and (ord(c) < 32 or unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))})
if bad or not data:
    sys.exit(f"{len(data)} bytes, bad: {bad}")
END
}

ascii_alone() { ! LC_ALL=C grep -qP '[^\x20-\x7e]' "$1"; }

for command in "ps hostile" "ps hostile -fT" "ps hostile --tree --fields all" "maps hostile $pid" "files hostile $pid" "mounts hostile $pid" \
	"sockets hostile" "dmesg hostile" "modules hostile" "info hostile" "list" "doctor hostile"; do
	# shellcheck disable=SC2086 # words
	look $command
	check "harmless: $command" harmless "$tmp/out"
	[ ! -s "$tmp/err" ] || check "harmless on standard error: $command" harmless "$tmp/err"
	# shellcheck disable=SC2086 # words
	LC_ALL=C look $command
	check "ASCII alone in the C locale: $command" ascii_alone "$tmp/out"
	TERM=xterm script -qec "$ksma $command" "$tmp/typescript" >/dev/null </dev/null || true
	sed -i '1d;$d' "$tmp/typescript"
	check "harmless on a terminal: $command" harmless "$tmp/typescript"
done
look ps hostile
check "the hostile program is shown" grep -qF '\x1b]0;pwned\x07\x1b[2J\xc2\x9b\xe2\x80\xae\xffx/sh' "$tmp/out"
look ps hostile -f
check "its arguments are shown" grep -qF '\xffx' "$tmp/out"
look dmesg hostile
check "the hostile log line is shown" grep -qF '\x1b]0;pwned' "$tmp/out"

json "ps" 0 ps ps hostile --fields all
check "its name in a document" test "$(field "[p['comm'] for p in d['processes'] if p['pid'] == $pid] == ['\x1b[31m\x9b\ufffd']")" = True
json "files" 0 files files hostile "$pid"
json "maps" 0 maps maps hostile "$pid"
json "mounts" 0 mounts mounts hostile "$pid"
json "dmesg" 0 dmesg dmesg hostile

finish

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every command's document, of a real guest, against its schema; and that documents, tables and the guest agree.
# timeout: 900
set -euo pipefail
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

dir=$tmp/guest
guest_start --kernel 6.1 --mem 512M --cpus 2 --name json-guest --populate 60 "$dir" >/dev/null
qemu=$(guest_pid "$dir")
release=$(cat "$dir/version")

json "list" 0 list list
check "list knows the guest" test "$(field "[g['name'] for g in d['guests'] if g['pid'] == $qemu]")" = "['json-guest']"
json "info" 0 info info json-guest
check "info knows the release" test "$(field "d['kernel']['release']")" = "$release"
check "info knows the process" test "$(field "d['guest']['pid']")" = "$qemu"
json "doctor" 0 doctor doctor json-guest
check "doctor finds nothing missing" test "$(field "[s for s in d['steps'] if s['state'] == 'missing']")" = "[]"
json "doctor of the host" 0 doctor doctor
json "ps" 0 ps ps json-guest
json "ps with everything" 0 ps ps json-guest --fields all -T
json "ps with little" 0 ps ps json-guest --fields cgroup
check "ps reads only what it was asked for" test "$(field "'exe' in d['processes'][0]")" = False
json "modules" 0 modules modules json-guest
loaded=$(guest_exec "$dir" "cat /proc/modules" | wc -l)
check "all modules" test "$(field "len(d['modules'])")" = "$loaded"
json "maps" 0 maps maps json-guest 1
json "files" 0 files files json-guest 1
json "cat" 0 cat cat json-guest /bin/busybox
json "cat of no file" 3 error cat json-guest /none
json "sockets" 0 sockets sockets json-guest
json "bpf" 0 bpf bpf json-guest
json "mounts" 0 mounts mounts json-guest
json "mounts of a process" 0 mounts mounts json-guest 1
json "dmesg" 0 dmesg dmesg json-guest
json "read" 0 read read json-guest linux_banner 64
check "read gives the banner" test "$(field "bytes.fromhex(d['hex'])[:14].decode()")" = "Linux version "
json "read of physical memory" 0 read read json-guest 0x1000 4K --phys
check "its length" test "$(field "len(d['hex'])")" = 8192
json "sym by name" 0 sym sym json-guest init_task
address=$(field "d['symbols'][0]['address']")
expected=$(guest_exec "$dir" "grep -w init_task /proc/kallsyms" | awk '{ print $1; exit }')
check "it is the guest's own address" test "$((address))" -eq "$((16#$expected))"
json "sym by address" 0 sym sym json-guest "$address"
check "and back" test "$(field "d['symbols'][0]['name'].split('+')[0]")" = init_task
json "check" 0 check check json-guest
check "a clean guest" test "$(field "d['findings'] == [] and all(c['state'] == 'complete' for c in d['coverage'])")" = True
json "check from memory alone" 3 check check json-guest --memory-only
json "one check" 0 check check json-guest modules
check "only that one" test "$(field "[c['check'] for c in d['coverage']]")" = "['modules']"
json "watch" 0 watch watch json-guest --count 2 --interval 100ms

# What the guest runs, against a manifest of its initramfs: what --populate made is not in it.
mkdir "$tmp/root" "$tmp/keys"
initrd=$("$(dirname "${BASH_SOURCE[0]}")/../guest/mkinitramfs" 6.1)
(cd "$tmp/root" && lz4 -qdc "$initrd" | cpio -idm --quiet)
openssl genpkey -quiet -algorithm ED25519 -out "$tmp/key.pem"
openssl pkey -in "$tmp/key.pem" -pubout -out "$tmp/keys/key.pem"
"$ksma" manifest build --root "$tmp/root" -o "$tmp/m.ksma" >/dev/null
"$ksma" manifest sign --key "$tmp/key.pem" "$tmp/m.ksma" >/dev/null
json "appraise" 1 appraise appraise json-guest --manifest "$tmp/m.ksma" --keys "$tmp/keys"
check "what it found" test "$(field "sorted(set(f['id'].split('/')[1] for f in d['findings']))")" = "['anonymous', 'deleted', 'unsigned']"
json "check with a manifest" 1 check check json-guest --manifest "$tmp/m.ksma" --keys "$tmp/keys"
check "one check more" test "$(field "d['coverage'][-1]['check']")" = files
json "appraise without a manifest" 2 error appraise json-guest --keys "$tmp/keys"

# What goes wrong is a document as well.
json "no such process" 3 error maps json-guest 4194000
json "no such symbol" 3 error sym json-guest no_such_symbol
json "an address with no memory" 3 error read json-guest 0 16
json "a physical address with no memory" 3 error read json-guest 0x7fffffff0000 16 --phys
json "a span that wraps" 2 error read json-guest 0xffffffffffffffff 2
json "no time" 3 error info json-guest --timeout 1ms --no-cache

# For people.
look read json-guest linux_banner 32
check "a dump" grep -q '|Linux version' "$tmp/out"
look read json-guest linux_banner 14 --raw
check "raw bytes" test "$(cat "$tmp/out")" = "Linux version "
look sym json-guest init_task
check "a symbol" grep -q "init_task" "$tmp/out"
look ps json-guest --tree
check "a tree" grep -q "^ *[0-9].*   *\[" "$tmp/out"
look check json-guest
check "a summary" grep -qE "^0 findings, .*[0-9]+ of [0-9]+ checks complete" "$tmp/out"

finish

#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Hooks that stay for a second are each told by a watch that looks every 50 ms; tests/soak/transient.sh measures shorter ones.
# timeout: 600
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tests/lib/transient.sh
. "$here/../lib/transient.sh"
ksma=${KSMA:-$here/../../build/ksma}
dir=$(mktemp -d)
on_exit rm -rf "$dir"
guest_start --kernel 6.1 --mem 512M --attacks "$dir" >/dev/null
echo 1..2
seen=$(transient_measure "$dir" 50ms 1000 4 1000)
if [ "$seen" -eq 4 ]; then echo "ok 1 - each of 4 hooks is told"; else echo "not ok 1 - $seen of 4 hooks were told"; fi
cleared=$(jq -s '[.[] | select(.event == "cleared")] | length' "$dir/events")
if [ "$cleared" -eq 4 ]; then echo "ok 2 - and so is that each is gone"; else echo "not ok 2 - $cleared of 4 were cleared"; fi
guest_stop "$dir"
[ "$seen $cleared" = "4 4" ]

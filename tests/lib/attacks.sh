# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Loads the test modules of tests/attacks into guests, by the table of cases that is there.

ksma_attacks_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=guest.sh
. "$ksma_attacks_lib/guest.sh"
ksma_attacks_home=$ksma_attacks_lib/../attacks

# Prints the names of all cases.
attack_cases() { awk '!/^#/ && NF { print $1 }' "$ksma_attacks_home/cases"; }

# Prints a column of case $1: check, undo, or command (the module and its parameters).
attack_case() {
	awk -v name="$1" -v what="$2" '
		$1 == name && !/^#/ {
			if (what == "check") print $2
			else if (what == "undo") print $3
			else { $1 = $2 = $3 = ""; sub(/^ */, ""); print }
			found = 1
		}
		END { exit !found }' "$ksma_attacks_home/cases"
}

# Makes sure that the test modules are in the guest of folder $1. Start it with --attacks, and they are: the serial port is slow.
attack_install() {
	local dir=$1 folder file
	! guest_exec "$dir" "[ -d /attacks ]" || return 0
	folder=$("$ksma_attacks_home/build" "$(cat "$dir/kernel")") || return 1
	guest_exec "$dir" "mkdir -p /attacks" || return 1
	for file in "$folder"/*.ko; do
		guest_put "$dir" "$file" "/attacks/${file##*/}" || return 1
	done
}

# Runs case $2 in the guest of folder $1, after attack_install(), and waits until it is done.
#
# Prints what the module logged. A process to hide is started for it, its id is in the log line. Returns 77 where this kernel does
# not have the thing that is attacked.
attack_load() {
	local hides='' dir=$1 name=$2 command module line kind pid=
	command=$(attack_case "$name" command) || return 2
	# What comes before a semicolon is run by gtool, which stays and says what it did; there may be no module behind it.
	case $command in
	*';'*)
		pid=$(guest_exec "$dir" "gtool ${command%%;*} >/tmp/attack.said 2>&1 || { cat /tmp/attack.said; exit 1; }; grep ksma-attack /tmp/attack.said") || {
			echo "$pid"
			return 1
		}
		echo "$pid"
		command=${command#*;}
		command=${command# }
		[ -n "$command" ] || return 0
		;;
	esac
	module=${command%% *}
	case $command in
	*USERPID* | *BOXPID*)
		kind=user
		[[ $command != *BOXPID* ]] || kind=box
		# shellcheck disable=SC2016 # for the guest's shell
		pid=$(guest_exec "$dir" ': >/tmp/attack.pid; setsid gtool '"$kind"' </dev/null >/tmp/attack.pid 2>/dev/null & until [ $(wc -l </tmp/attack.pid) = 2 ]; do usleep 20000; done
			head -n 1 /tmp/attack.pid') || return 1
		command=${command/USERPID/$pid}
		command=${command/BOXPID/$pid}
		;;
	*PID*)
		pid=$(guest_exec "$dir" 'exec >/tmp/attack.pid; setsid gtool sleep hidden </dev/null >/dev/null 2>&1 & echo $!' &&
			guest_exec "$dir" 'cat /tmp/attack.pid') || return 1
		command=${command/PID/$pid}
		;;
	esac
	line="$module.ko${command#"$module"}"
	# These take themselves out of sight a moment after they were loaded.
	case $command in modhide* | modsize* | combined* | *hide=1*) hides=1 ;; esac
	guest_exec "$dir" "
		[ -e /attacks/$module.ko ] || exit 77
		dmesg -c >/dev/null
		err=\$(insmod /attacks/$line 2>&1) || case \$err in
			*'No such file or directory'*|*'unknown symbol'*) dmesg | grep 'ksma-attack' ; exit 77 ;;
			*'Operation canceled'*) ;;
			*) echo \"\$err\"; exit 1 ;;
		esac
		[ -z '$hides' ] || until dmesg | grep -q 'ksma-attack.* hidden '; do usleep 20000; done
		dmesg | grep -o 'ksma-attack.*'"
}

# Makes the guest of folder $1 what it was before any attack: from its snapshot, or by a reset.
attack_restart() {
	if [ -e "$1/snapshots.taken" ]; then
		# What the kernel does about the jump in time is to be over before anybody looks.
		guest_restore "$1" && guest_exec "$1" "sleep 1"
	else
		guest_reboot "$1" && attack_install "$1"
	fi
}

# Undoes case $2 in the guest of folder $1; one that only a reboot undoes gets one, and the modules are installed again.
attack_undo() {
	local dir=$1 name=$2 command
	case $(attack_case "$name" undo) in
	unload)
		command=$(attack_case "$name" command)
		case $command in
		*';'*)
			command=${command#*;}
			command=${command# }
			guest_exec "$dir" "${command:+rmmod ${command%% *};} kill \$(cat /tmp/gtool.pid); sleep 1"
			return
			;;
		esac
		guest_exec "$dir" "rmmod ${command%% *} && { ! [ -e /tmp/attack.pid ] || kill \$(cat /tmp/attack.pid); rm -f /tmp/attack.pid; }"
		;;
	reboot) attack_restart "$dir" ;;
	esac
}

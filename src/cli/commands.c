/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of commands: dispatch, usage, completion and the manual come from here. */
#include <limits.h>

#include "cli/cli.h"

#define OPT(id) (1ull << (id))

const struct cli_command cli_commands[] = {
	{ "list", "", 0, 0, 0, "the guests of this host",
	  "Lists every QEMU system emulator of this host, however it was started: plain, by libvirt, by Proxmox. "
	  "Works without root as far as /proc tells, and says what is hidden from you.",
	  cli_list },
	{ "info", "VM", 1, 1, 0, "what is known of a guest and its kernel",
	  "Shows the guest (memory, layout, monitor) and its kernel (release, banner, where it was loaded, paging, boot time), and how each was "
	  "learned.",
	  cli_info },
	{ "doctor", "[VM]", 0, 1, 0, "what works with a guest, what does not, and the cure",
	  "Tries every step that looking into a guest takes, and tells which work, which do not, and what to do about it. Without VM it looks at "
	  "the host alone. Exits with 0 when everything works, with 3 when something is missing.",
	  cli_doctor },
	{ "ps", "VM", 1, 1, OPT(CLI_THREADS) | OPT(CLI_TREE) | OPT(CLI_FULL) | OPT(CLI_FIELDS),
	  "its processes",
	  "Lists the processes of the guest, in the order of the kernel's task list. A name in brackets is a kernel thread, or a thread. Times "
	  "are UTC, by the guest's clock.\n\n"
	  "Only what is shown is read. --fields reads more (or less) of each process, for --json: exe, cmdline, cgroup, namespaces.",
	  cli_ps },
	{ "modules", "VM", 1, 1, 0, "its kernel modules",
	  "Lists the modules on the guest kernel's own list. A module that hides is not on it: see check.",
	  cli_modules },
	{ "maps", "VM PID", 2, 2, 0, "the memory areas of a process",
	  "Lists the memory areas of a process, as /proc/PID/maps has them.", cli_maps },
	{ "files", "VM PID", 2, 2, 0, "the open files of a process",
	  "Lists what a process has open, with full paths.", cli_files },
	{ "cat", "VM PATH", 2, 2, 0, "a file, out of the guest's page cache",
	  "Writes a file of the guest to standard output as its processes see it: from the pages that the guest's kernel has in memory, whatever "
	  "the disk holds. PATH is a path as the guest's first process would use it; /proc/PID/exe and /proc/PID/fd/N are the program and the open "
	  "files of a process, deleted ones and memfds too.\n\n"
	  "Pages that are not in memory are written as zeros; standard error says how many, and the exit status is 3. With --json nothing of the "
	  "file is written, but what it is, and which of its pages are in memory, and where.",
	  cli_cat },
	{ "sockets", "VM", 1, 1, 0, "its sockets, and who holds them",
	  "Lists every socket that a process holds, and the TCP, UDP and raw sockets of the kernel's own tables that none holds.",
	  cli_sockets },
	{ "bpf", "VM", 1, 1, 0, "its BPF programs, and where they are attached",
	  "Lists the BPF programs that the guest's kernel has in its table: who loaded them and when, the process that holds each, what they "
	  "may change, and from where they are reached. A program that left the table is not listed: see check.",
	  cli_bpf },
	{ "mounts", "VM [PID]", 1, 2, 0, "its mounted file systems",
	  "Lists the mounts that a process sees: that of PID, or of the guest's first process.",
	  cli_mounts },
	{ "dmesg", "VM", 1, 1, 0, "its kernel log",
	  "Prints the kernel log from the guest's ring buffer, whatever its own dmesg would show.",
	  cli_dmesg },
	{ "read", "VM ADDR LEN", 3, 3, OPT(CLI_PHYS) | OPT(CLI_RAW), "guest memory",
	  "Reads guest memory. ADDR is a number (0xffffffff81000000, or sixteen bare hexadecimal digits) or a symbol with an offset "
	  "(init_task+0x40); LEN is a size (64, 0x40, 4K). With --phys ADDR is a guest physical address, and the guest may run anything.",
	  cli_read },
	{ "sym", "VM NAME-or-ADDR", 2, 2, 0, "a kernel symbol's address, or an address's symbol",
	  "Tells the addresses of a symbol of the kernel and of its modules (several may share a name), or the symbol that covers an address.",
	  cli_sym },
	{ "check", "VM [NAME…]", 1, UINT_MAX,
	  OPT(CLI_LIST) | OPT(CLI_FORMAT) | OPT(CLI_EXCEPTIONS) | OPT(CLI_VENDOR) |
		  OPT(CLI_BASELINE) | OPT(CLI_MANIFEST) | OPT(CLI_KEYS),
	  "is it still itself? findings and coverage",
	  "Runs the checks (or those named) and prints each finding with its evidence, and what every check covered. A finding is told only when "
	  "a second look still sees it. Exits with 1 when there is a finding, with 3 when a check could not look everywhere, with 0 when all is "
	  "clean and fully covered.\n\n"
	  "Reading registers pauses the guest for a few milliseconds; --memory-only leaves that out, and the coverage says so.\n\n"
	  "Code and constants are held against the vendor's build, byte for byte, where the vendor reference has it (see vendor). Where it does not, "
	  "they are held against the guest's own first look, and AGAINST says baseline. With --baseline that first look is kept in DIR, and later "
	  "commands hold the guest against it for as long as it is not booted anew; a kept look that is damaged is refused, and the checks that need it say unknown.\n\n"
	  "Each finding comes with a ready-made record under \"exception\": with a reason and an end put to it, and given back in the file of "
	  "--exceptions, it takes that finding out of the result. What was excepted, by which record, is listed all the same, and so are "
	  "records that have ended or that no finding needed.",
	  cli_check },
	{ "vendor", "ACTION [ARG…]", 1, UINT_MAX, OPT(CLI_VENDOR) | OPT(CLI_TRUST),
	  "what the vendor built: add, list, show, remove, verify",
	  "Keeps the reference that guests are compared with: kernels and modules as their vendor built them, found by build id.\n\n"
	  "add FILE… takes packages (.deb, .rpm), kernel images (vmlinuz, vmlinux) and folders of modules. Each FILE is added as a whole or, when "
	  "anything in it makes no sense, not at all. With --trust, signatures are verified, and a signature by a trusted key that does not fit "
	  "refuses the file.\n\n"
	  "list shows the kernels, and how many modules there are for each. show WHAT shows each object that a build id, a SHA-256 (the first digits "
	  "of either are enough), a release, a package or a module's name tells. remove WHAT removes these. verify reads every object again: its hash, its "
	  "form, its place. Exits with 3 when a file was refused or an object is damaged.",
	  cli_vendor },
	{ "manifest", "ACTION [ARG…]", 1, UINT_MAX,
	  OPT(CLI_ROOT) | OPT(CLI_IMAGE) | OPT(CLI_PACKAGE) | OPT(CLI_OUTPUT) | OPT(CLI_KEY) |
		  OPT(CLI_CERT) | OPT(CLI_SCHEME) | OPT(CLI_KEYS) | OPT(CLI_FLATTEN),
	  "what every file ought to be: build, sign, verify, merge, …",
	  "Manifests say what every file of a guest ought to be: path, size, mode, owner, SHA-256, and the SHA-256 of each page of 4 KiB with "
	  "the Merkle tree that fs-verity makes of them.\n\n"
	  "build (--root DIR | --image FILE | --package FILE…) -o M.ksma makes one: of a system's root, of the image of its disk (ext4), or of what packages install. What is below /bin, /sbin and /lib in a package is "
	  "recorded below /usr as well.\n\n"
	  "sign --key KEY [--cert CHAIN] M.ksma adds a signature to M.ksma.sig: RSA of 2048 to 4096 bits, ECDSA or Ed25519. The private key "
	  "stays where manifests are made.\n\n"
	  "verify --keys DIR M.ksma reads all of it and tells who vouches for it. Exits with 1 when it is not signed by a key "
	  "of DIR (or by whom a certificate there vouches for), or expired, revoked, or changed since.\n\n"
	  "show M.ksma [PATH…] lists what a manifest says, of all paths or of those that are named, whoever made it. Exits with 3 when a path is not in it.\n\n"
	  "diff A B lists what was added, removed and changed. Exits with 1 when anything was.\n\n"
	  "merge -o OUT A B… puts manifests side by side in one file, each with its signatures: no private key is needed. Of a path, the last one's word counts. "
	  "With --keys, each must be signed by one of these.\n\n"
	  "revoke --keys DIR (key|certificate|file) WHAT [REASON] takes trust back in DIR; WHAT is a SHA-256, or a file that holds it.",
	  cli_manifest },
	{ "appraise", "VM", 1, 1,
	  OPT(CLI_MANIFEST) | OPT(CLI_KEYS) | OPT(CLI_FORMAT) | OPT(CLI_EXCEPTIONS),
	  "is what it runs what was signed?",
	  "Holds what the guest executes against a signed manifest, from memory alone: no exit, no pause. Every executable page of every process, and "
	  "every page of signed files in the page cache, against the hash of that page.\n\n"
	  "Finds files that were changed, in the page cache alone too; code that was changed in a process; programs and libraries that no manifest "
	  "has, that were deleted, or only ever were in memory; executable memory of no file, and such that is writable; unsigned scripts run by their #!. "
	  "Engines that compile at run time are accepted by --exceptions, program by program.\n\n"
	  "The manifest must be signed by a key of --keys. The same look is the check named files of check and watch when --manifest is given. Exits as check does.",
	  cli_appraise },
	{ "guard", "VM", 1, 1,
	  OPT(CLI_POLICY) | OPT(CLI_MANIFEST) | OPT(CLI_KEYS) | OPT(CLI_MODE) | OPT(CLI_FAIL) |
		  OPT(CLI_FROM_BOOT) | OPT(CLI_MEASUREMENTS) | OPT(CLI_SHARE) | OPT(CLI_OFF),
	  "let only signed files be executed, mapped and loaded",
	  "Stands at the functions of the guest's kernel through which files are executed, mapped as code, loaded as modules or opened, and holds each file "
	  "against a signed manifest before the guest goes on: what is not what it ought to be is refused with EACCES (--mode enforce), or told (--mode log). "
	  "Each use stops the guest for some hundred microseconds. Nothing is written to guest memory.\n\n"
	  "Runs in the foreground and prints a line a decision; with --json each is one document. Ends on SIGINT or SIGTERM. However it ends, kill -9 "
	  "included, the guest runs on without breakpoints. --off does that from elsewhere, and always works. A decision that takes longer than --timeout "
	  "(2s) counts as not decided.\n\n"
	  "Uses the debugger's socket of QEMU; a debugger that is attached already is respected. Exits with 1 when something was refused or would have "
	  "been, with 3 when a part of the policy could not be covered.",
	  cli_guard },
	{ "watch", "VM [NAME…]", 1, UINT_MAX,
	  OPT(CLI_INTERVAL) | OPT(CLI_COUNT) | OPT(CLI_REGISTERS) | OPT(CLI_EXCEPTIONS) |
		  OPT(CLI_CPU) | OPT(CLI_VENDOR) | OPT(CLI_BASELINE) | OPT(CLI_MANIFEST) |
		  OPT(CLI_KEYS),
	  "look again and again, tell what changes",
	  "Runs the checks again and again and prints what changes: a finding that appeared or cleared, coverage that got better or worse, a "
	  "reboot, a guest that is gone. With --json each line is one JSON document. Ends on SIGINT or SIGTERM, after --count looks, or when the "
	  "guest is gone. The time between looks varies at random, so that a guest cannot hide between them.\n\n"
	  "Unless --interval or --cpu say otherwise, looks keep to 1% of a processor: cheap checks run at each, dear ones by turns that nobody can foresee, and "
	  "how old a look can get is told. With --interval all checks run at each look, whatever that costs.\n\n"
	  "With --cpu the checks of a pass run one by one, with pauses between them, and the end of each pass tells how long it took, what it "
	  "cost, and how old the oldest of its looks is by then.\n\n"
	  "A finding clears only when its check looked everywhere and no longer saw it. Exits with 1 when there was a finding at any time, "
	  "with 3 when something could not be looked at.",
	  cli_watch },
	{ "explain", "FINDING…", 1, UINT_MAX, 0, "what a finding means, and what to do",
	  "Explains findings to a person: what was looked at, what an attacker gains by it, what harmless thing could look the same, and what to do "
	  "now. FINDING is the id of a finding, the name of a check, or - for a document of check --json on standard input.",
	  cli_explain },
	{ "help", "[COMMAND]", 0, 1, 0, "this help, or that of a command",
	  "Shows what the commands do.", cli_help },
};

const size_t cli_command_count = ARRAY_SIZE(cli_commands);

const struct cli_command *cli_command_find(const char *name)
{
	for (size_t i = 0; i < cli_command_count; i++)
		if (strcmp(cli_commands[i].name, name) == 0)
			return &cli_commands[i];
	return NULL;
}

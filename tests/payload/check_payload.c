/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Holds what libksma sees of the payload against what the payload said of itself: check_payload PID SERIAL-LOG [KEY=VALUE…]
 *
 * KEY=VALUE is what must be seen from the host: name, uuid, accelerator, ram (mapped, copied), memory (bytes), and
 * registers=no where there is no monitor, spec=… the way to open it. Prints TAP. */
#include <errno.h>
#include <inttypes.h>

#include "base/bytes.h"
#include "payload.h"
#include "x86/space.h"

enum { MAX_ARGUMENTS = 16 };

struct state {
	struct ksma_guest *guest;
	struct ksma_space space;
	const char *report; /* what the payload said */
	unsigned cases, failures;
};

static void ok(struct state *state, bool good, const char *format, ...) KSMA_PRINTF(3, 4);

static void ok(struct state *state, bool good, const char *format, ...)
{
	va_list args;

	printf("%sok %u - ", good ? "" : "not ", ++state->cases);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	state->failures += !good;
}

/* An error is a failed case with its own words. */
static bool worked(struct state *state, struct ksma_error *error, const char *what)
{
	if (!error)
		return true;
	ok(state, false, "%s: %s", what, error->message);
	ksma_error_destroy(error);
	return false;
}

/* --- what the payload said ---------------------------------------------------------------------------------------- */

/* The line after `*at` that begins with `key` and a blank; `*at` NULL: from the start. @return the words after the key */
static const char *next_line(const struct state *state, const char *key, const char **at)
{
	const char *p = *at ? *at : state->report;
	size_t length = strlen(key);

	while (p) {
		if (strncmp(p, key, length) == 0 && p[length] == ' ') {
			*at = strchr(p, '\n');
			if (*at)
				++*at;
			else
				*at = "";
			return p + length + 1;
		}
		p = strchr(p, '\n');
		if (p)
			p++;
	}
	return NULL;
}

/* The index-th number of the first line of `key`; false where it has none (an MSR that was refused). */
static bool number_of(const struct state *state, const char *key, unsigned index, uint64_t *ret)
{
	const char *at = NULL, *words = next_line(state, key, &at);
	char *end;

	for (unsigned i = 0; words; i++, words = end) {
		*ret = strtoull(words, &end, 16);
		if (end == words)
			return false;
		if (i == index)
			return true;
	}
	return false;
}

static uint64_t need(const struct state *state, const char *key, unsigned index)
{
	uint64_t value;

	if (!number_of(state, key, index, &value)) {
		printf("Bail out! the payload said nothing of %s\n", key);
		exit(1);
	}
	return value;
}

/* --- from the host ------------------------------------------------------------------------------------------------ */

static const char *expected(char **arguments, const char *key)
{
	size_t length = strlen(key);

	for (; *arguments; arguments++)
		if (strncmp(*arguments, key, length) == 0 && (*arguments)[length] == '=')
			return *arguments + length + 1;
	return NULL;
}

static void check_text(struct state *state, char **arguments, const char *key, const char *seen)
{
	const char *wanted = expected(arguments, key);

	if (wanted)
		ok(state, strcmp(wanted, seen) == 0, "%s is %s (%s)", key, seen, wanted);
}

/* The list of guests has it, with what the command line says. */
static void check_discovery(struct state *state, int pid, char **arguments)
{
	struct ksma_guest_list list;
	const struct ksma_guest_entry *entry = NULL;
	const char *memory = expected(arguments, "memory");

	if (!worked(state, ksma_guest_discover(&list), "discovery"))
		return;
	for (size_t i = 0; i < list.count; i++)
		if (list.entries[i].pid == pid)
			entry = &list.entries[i];
	ok(state, entry != NULL, "discovered");
	if (entry) {
		check_text(state, arguments, "name", entry->name);
		check_text(state, arguments, "uuid", entry->uuid);
		check_text(state, arguments, "accelerator", entry->accelerator);
		if (memory)
			ok(state, entry->ram_bytes == strtoull(memory, NULL, 0),
			   "memory is %" PRIu64, entry->ram_bytes);
		ok(state, entry->vcpus == 1 && entry->running, "one vCPU, running");
	}
	ksma_guest_list_free(&list);
}

static void check_info(struct state *state, int pid, char **arguments)
{
	const struct ksma_guest_info *info = ksma_guest_info(state->guest);

	ok(state, info->kind == KSMA_GUEST_LIVE && info->pid == pid, "a live guest, pid %d",
	   info->pid);
	check_text(state, arguments, "name", info->name);
	check_text(state, arguments, "uuid", info->uuid);
	check_text(state, arguments, "accelerator", info->accelerator);
	check_text(state, arguments, "ram", info->access == KSMA_RAM_MAPPED ? "mapped" : "copied");
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

/* What plant() of describe.c writes. */
static void make_pattern(uint64_t gpa, uint8_t *bytes, size_t length)
{
	uint64_t noise = gpa | 1;

	for (size_t i = 0; i < length; i++) {
		noise ^= noise << 13;
		noise ^= noise >> 7;
		noise ^= noise << 17;
		bytes[i] = (uint8_t)noise;
	}
	bytes[0] = 0xc3;
}

static void check_patterns(struct state *state)
{
	static uint8_t wanted[1 << 20], got[1 << 20];
	const char *at = NULL, *words;
	unsigned count = 0;

	while ((words = next_line(state, "pattern", &at)) && count < 100) {
		uint64_t gpa = 0, length = 0;

		if (sscanf(words, "%" SCNx64 " %" SCNx64, &gpa, &length) != 2 || length == 0 ||
		    length > sizeof(got))
			continue;
		make_pattern(gpa, wanted, (size_t)length);
		memset(got, 0, (size_t)length);
		if (worked(state,
			   ksma_guest_read(state->guest, ksma_gpa_of(gpa), got, (size_t)length),
			   "reading a pattern"))
			ok(state, memcmp(wanted, got, (size_t)length) == 0,
			   "%" PRIu64 " bytes at 0x%" PRIx64 " are as planted", length, gpa);
		count++;
	}
	ok(state, count > 0, "%u patterns", count);
}

/* The payload's own image lies where it says, and the guest goes on while we look. */
static void check_counter(struct state *state)
{
	uint64_t gpa = need(state, "counter", 0), first = 0, now = 0;
	const struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };

	if (!worked(state, ksma_guest_read(state->guest, ksma_gpa_of(gpa), &first, sizeof(first)),
		    "reading the counter"))
		return;
	for (int i = 0; i < 100; i++) {
		nanosleep(&pause, NULL);
		if (!worked(state, ksma_guest_refresh(state->guest), "a fresh look") ||
		    !worked(state,
			    ksma_guest_read(state->guest, ksma_gpa_of(gpa), &now, sizeof(now)),
			    "reading the counter"))
			return;
		if (now > first)
			break;
	}
	ok(state, now > first, "the counter went from %" PRIu64 " to %" PRIu64, first, now);
}

/* --- registers ---------------------------------------------------------------------------------------------------- */

static void check_register(struct state *state, const char *name, uint64_t seen, uint64_t wanted)
{
	ok(state, seen == wanted, "%s is 0x%" PRIx64 " (0x%" PRIx64 ")", name, seen, wanted);
}

static void check_general(struct state *state, const struct ksma_vcpu *vcpu)
{
	static const struct {
		const char *name;
		unsigned number;
		uint64_t value;
	} table[] = {
		{ "rbx", 3, SPIN_RBX },	 { "rcx", 1, SPIN_RCX },  { "rdx", 2, SPIN_RDX },
		{ "rsi", 6, SPIN_RSI },	 { "rdi", 7, SPIN_RDI },  { "rbp", 5, SPIN_RBP },
		{ "r8", 8, SPIN_R8 },	 { "r9", 9, SPIN_R9 },	  { "r10", 10, SPIN_R10 },
		{ "r11", 11, SPIN_R11 }, { "r12", 12, SPIN_R12 }, { "r13", 13, SPIN_R13 },
		{ "r14", 14, SPIN_R14 }, { "r15", 15, SPIN_R15 },
	};

	ok(state, vcpu->has_general, "general registers are there");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		check_register(state, table[i].name, vcpu->gpr[table[i].number], table[i].value);
	ok(state, vcpu->rip >= need(state, "spin", 0) && vcpu->rip < need(state, "spin", 1),
	   "rip 0x%" PRIx64 " is in the loop", vcpu->rip);
	check_register(state, "cr0", vcpu->cr0, need(state, "cr0", 0));
	check_register(state, "cr3", vcpu->cr3, need(state, "cr3", 0));
	check_register(state, "cr4", vcpu->cr4, need(state, "cr4", 0));
	check_register(state, "efer", vcpu->efer, need(state, "efer", 0));
	check_register(state, "gdt.base", vcpu->gdt.base, need(state, "gdt", 0));
	check_register(state, "gdt.limit", vcpu->gdt.limit, need(state, "gdt", 1));
	check_register(state, "idt.base", vcpu->idt.base, need(state, "idt", 0));
	check_register(state, "idt.limit", vcpu->idt.limit, need(state, "idt", 1));
	check_register(state, "tr", vcpu->tr.selector, need(state, "tr", 0));
	check_register(state, "tr.base", vcpu->tr.base, need(state, "tss", 0));
	check_register(state, "cs", vcpu->cs.selector, GDT_CODE);
	check_register(state, "ss", vcpu->ss.selector, GDT_DATA);
	check_register(state, "fs.base", vcpu->fs.base, need(state, "msr fs_base", 0));
	check_register(state, "gs.base", vcpu->gs.base, need(state, "msr gs_base", 0));
}

static void check_msrs(struct state *state, const struct ksma_vcpu *vcpu)
{
	const struct {
		const char *name;
		uint64_t seen;
	} table[] = {
		{ "msr star", vcpu->star },
		{ "msr lstar", vcpu->lstar },
		{ "msr cstar", vcpu->cstar },
		{ "msr fmask", vcpu->fmask },
		{ "msr sysenter_cs", vcpu->sysenter_cs },
		{ "msr sysenter_esp", vcpu->sysenter_esp },
		{ "msr sysenter_eip", vcpu->sysenter_eip },
		{ "msr kernel_gs_base", vcpu->kernel_gs_base },
	};

	ok(state, vcpu->has_msrs, "MSRs are there");
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint64_t wanted;

		if (number_of(state, table[i].name, 0, &wanted))
			check_register(state, table[i].name, table[i].seen, wanted);
		else
			ok(state, true, "%s # SKIP this virtual processor refused it",
			   table[i].name);
	}
}

static void check_registers(struct state *state)
{
	for (unsigned flags = KSMA_REGISTERS_BASIC; flags <= KSMA_REGISTERS_MSRS; flags++) {
		struct ksma_registers registers;

		if (!worked(state, ksma_guest_registers(state->guest, flags, &registers),
			    flags ? "MSRs" : "registers"))
			continue;
		ok(state, registers.count == 1, "one vCPU");
		if (registers.count == 1) {
			check_general(state, &registers.vcpus[0]);
			if (flags == KSMA_REGISTERS_MSRS)
				check_msrs(state, &registers.vcpus[0]);
		}
		printf("# %s took %" PRIu64 " us of the guest\n", flags ? "MSRs" : "registers",
		       registers.pause_us);
		ksma_registers_free(&registers);
	}
}

/* A guest that is opened without its monitor has no registers, and says so. */
static void check_no_registers(struct state *state)
{
	struct ksma_registers registers;
	struct ksma_error *error =
		ksma_guest_registers(state->guest, KSMA_REGISTERS_BASIC, &registers);

	ok(state, error && error->code == KSMA_ERROR_UNSUPPORTED, "no registers: %s",
	   error ? error->message : "there are some");
	if (!error)
		ksma_registers_free(&registers);
	ksma_error_destroy(error);
}

/* --- paging ------------------------------------------------------------------------------------------------------- */

static void check_map(struct state *state, const char *words)
{
	uint64_t gva, gpa, size, seen_flags = 0, seen_size = 0, bytes = 0, through = 0;
	char flags[4], processor[16];
	bool agreed, place, rights, same;
	ksma_gpa seen = { 0 };

	if (sscanf(words, "%" SCNx64 " %" SCNx64 " %" SCNx64 " %3s %15s", &gva, &gpa, &size, flags,
		   processor) != 5) {
		ok(state, false, "a map line is cut off: %.40s", words);
		return;
	}
	if (!worked(state,
		    ksma_space_translate(&state->space, ksma_gva_of(gva), &seen, &seen_flags,
					 &seen_size),
		    "translating") ||
	    !worked(state, ksma_guest_read(state->guest, ksma_gpa_of(gpa), &bytes, 8),
		    "reading the frame") ||
	    !worked(state, ksma_space_read(&state->space, ksma_gva_of(gva), &through, 8),
		    "reading through the tables"))
		return;
	agreed = strcmp(processor, "agreed") == 0;
	place = seen.v == gpa && seen_size == size;
	rights = (seen_flags & KSMA_PTE_P) && !!(seen_flags & KSMA_PTE_W) == (flags[0] == 'w') &&
		 !(seen_flags & KSMA_PTE_NX) == (flags[1] == 'x') &&
		 !!(seen_flags & KSMA_PTE_U) == (flags[2] == 'u');
	same = bytes == through || gpa == need(state, "counter", 0);
	ok(state, agreed && place && rights && same,
	   "0x%" PRIx64 " is at 0x%" PRIx64 ", %s, in a page of 0x%" PRIx64 "%s%s%s%s", gva, gpa,
	   flags, size, agreed ? "" : "; the processor does not think so",
	   place ? "" : "; translated elsewhere", rights ? "" : "; with other rights",
	   same ? "" : "; reads otherwise");
}

/* Addresses that do not translate fail with the right code. */
static void check_fault(struct state *state, const char *key, enum ksma_error_code code)
{
	const char *at = NULL, *words;

	while ((words = next_line(state, key, &at))) {
		uint64_t gva = strtoull(words, NULL, 16), through;
		const char *agreed = strstr(words, "agreed");
		struct ksma_error *error;
		ksma_gpa seen;

		error = ksma_space_translate(&state->space, ksma_gva_of(gva), &seen, NULL, NULL);
		ok(state,
		   error && error->code == code &&
			   !ksma_space_try_read(&state->space, gva, &through, 8) &&
			   ((agreed && agreed < strchrnul(words, '\n')) ||
			    strcmp(key, "outside") == 0),
		   "0x%" PRIx64 " (%s): %s", gva, key, error ? error->message : "translates");
		ksma_error_destroy(error);
	}
}

/* A read over eight pages whose frames lie in falling order. */
static void check_scattered(struct state *state)
{
	static uint8_t wanted[8 * KSMA_PAGE_SIZE], got[8 * KSMA_PAGE_SIZE];

	for (uint64_t i = 0; i < 8; i++)
		make_pattern(SCATTER_FRAME(i), wanted + i * KSMA_PAGE_SIZE, KSMA_PAGE_SIZE);
	if (worked(state,
		   ksma_space_read(&state->space, ksma_gva_of(SCATTER_ADDRESS + 5), got,
				   sizeof(got) - 5),
		   "a read over pages"))
		ok(state, memcmp(got, wanted + 5, sizeof(got) - 5) == 0,
		   "a read over eight scattered pages");
}

static void check_paging(struct state *state)
{
	const char *at = NULL, *words;

	if (!worked(state, ksma_space_init(&state->space, state->guest, need(state, "cr3", 0), 4),
		    "the address space"))
		return;
	while ((words = next_line(state, "map", &at)))
		check_map(state, words);
	check_fault(state, "absent", KSMA_ERROR_FAULT);
	check_fault(state, "outside", KSMA_ERROR_FAULT);
	check_fault(state, "damaged", KSMA_ERROR_BAD_DATA);
	check_scattered(state);
	ksma_space_deinit(&state->space);
}

int main(int argc, char **argv)
{
	_cleanup_free_ char *report = NULL;
	struct state state = { 0 };
	struct ksma_error *error;
	const char *spec;

	if (argc < 3 || argc > MAX_ARGUMENTS) {
		fprintf(stderr, "usage: check_payload PID SERIAL-LOG [KEY=VALUE…]\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	error = ksma_read_file(argv[2], 1 << 20, &report, NULL);
	spec = expected(argv + 3, "spec");
	if (!error)
		error = ksma_guest_open(spec ? spec : argv[1], NULL, &state.guest);
	if (error) {
		printf("Bail out! %s\n", error->message);
		ksma_error_destroy(error);
		return 1;
	}
	for (char *p = report; *p; p++) /* the firmware's terminal codes come first */
		if (*p == '\r')
			*p = '\n';
	state.report = report;
	check_discovery(&state, atoi(argv[1]), argv + 3);
	check_info(&state, atoi(argv[1]), argv + 3);
	check_patterns(&state);
	check_counter(&state);
	if (expected(argv + 3, "registers"))
		check_no_registers(&state);
	else
		check_registers(&state);
	check_paging(&state);
	ksma_guest_destroy(state.guest);
	printf("1..%u\n", state.cases);
	return state.failures != 0;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Says what the lowest layer sees of a guest, with no kernel in it needed: for tests that compare it with QEMU's own word.
 *
 *   probe [--memory-only] [--monitor PATH] VM COMMAND…
 *
 * Commands, one after the other: info | regions | read ADDR LEN (hexadecimal) | data | all (reads all data) | registers |
 * msrs | refresh | wait (for a line of standard input). Exit status 1 with an error's code and words on standard output. */
#include <inttypes.h>

#include "guest/guest.h"

static int report(struct ksma_error *error)
{
	printf("error %s: %s\n", ksma_error_code_name(error->code), error->message);
	fflush(stdout);
	ksma_error_destroy(error);
	return 1;
}

static void print_info(struct ksma_guest *guest)
{
	const struct ksma_guest_info *i = ksma_guest_info(guest);

	printf("name=%s uuid=%s machine=%s accelerator=%s pid=%d ram=%" PRIu64
	       " vcpus=%zu access=%s layout=%s monitor=%s problem=%s\n",
	       i->name, i->uuid, i->machine, i->accelerator, i->pid, i->ram_bytes, i->vcpus,
	       i->access == KSMA_RAM_MAPPED ? "mapped" : "copied",
	       i->layout == KSMA_LAYOUT_MONITOR ? "monitor" : "command-line", i->monitor,
	       i->monitor_problem);
}

static void print_regions(struct ksma_guest *guest)
{
	const struct ksma_ram_region *regions;
	size_t count;

	ksma_guest_regions(guest, &regions, &count);
	for (size_t i = 0; i < count; i++)
		printf("region 0x%" PRIx64 " 0x%" PRIx64 " %s\n", regions[i].gpa, regions[i].size,
		       regions[i].map ? "mapped" : "copied");
}

static struct ksma_error *print_bytes(struct ksma_guest *guest, uint64_t gpa, size_t length)
{
	_cleanup_free_ uint8_t *bytes = malloc(length ? length : 1);

	if (!bytes)
		return ksma_error_nomem();
	KSMA_TRY(ksma_guest_read(guest, ksma_gpa_of(gpa), bytes, length));
	for (size_t i = 0; i < length; i++)
		printf("%02x", bytes[i]);
	putchar('\n');
	return NULL;
}

static struct ksma_error *walk_data(struct ksma_guest *guest, bool read)
{
	_cleanup_free_ uint8_t *bytes = malloc(1 << 20);
	uint64_t gpa = 0, length, sum = 0;
	size_t runs = 0;

	if (!bytes)
		return ksma_error_nomem();
	for (; ksma_guest_next_data(guest, &gpa, &length); gpa += length, runs++) {
		sum += length;
		for (uint64_t done = 0; read && done < length;) {
			size_t part = length - done < 1 << 20 ? (size_t)(length - done) : 1 << 20;

			KSMA_TRY(ksma_guest_read(guest, ksma_gpa_of(gpa + done), bytes, part));
			done += part;
		}
		ksma_guest_forget(guest, gpa, length);
	}
	printf("data %" PRIu64 " in %zu runs\n", sum, runs);
	return NULL;
}

static struct ksma_error *print_registers(struct ksma_guest *guest, unsigned flags)
{
	struct ksma_registers registers;

	KSMA_TRY(ksma_guest_registers(guest, flags, &registers));
	for (size_t i = 0; i < registers.count; i++) {
		const struct ksma_vcpu *v = &registers.vcpus[i];

		printf("vcpu %u rip=%" PRIx64 " cr0=%" PRIx64 " cr3=%" PRIx64 " efer=%" PRIx64
		       " gdt=%" PRIx64 " idt=%" PRIx64 " msrs=%d lstar=%" PRIx64
		       " pause_us=%" PRIu64 "\n",
		       v->index, v->rip, v->cr0, v->cr3, v->efer, v->gdt.base, v->idt.base,
		       v->has_msrs, v->lstar, registers.pause_us);
	}
	ksma_registers_free(&registers);
	return NULL;
}

static struct ksma_error *run(struct ksma_guest *guest, char ***words)
{
	const char *command = *(*words)++;
	char line[16];

	if (strcmp(command, "info") == 0)
		print_info(guest);
	else if (strcmp(command, "regions") == 0)
		print_regions(guest);
	else if (strcmp(command, "read") == 0 && **words && (*words)[1])
		return *words += 2, print_bytes(guest, strtoull((*words)[-2], NULL, 16),
						strtoull((*words)[-1], NULL, 16));
	else if (strcmp(command, "data") == 0 || strcmp(command, "all") == 0)
		return walk_data(guest, command[0] == 'a');
	else if (strcmp(command, "registers") == 0)
		return print_registers(guest, KSMA_REGISTERS_BASIC);
	else if (strcmp(command, "msrs") == 0)
		return print_registers(guest, KSMA_REGISTERS_MSRS);
	else if (strcmp(command, "refresh") == 0)
		return ksma_guest_refresh(guest);
	else if (strcmp(command, "wait") == 0 && !fgets(line, sizeof(line), stdin))
		return ksma_error_create(KSMA_ERROR_INVALID, "nothing more to read");
	else if (strcmp(command, "wait") != 0)
		return ksma_error_create(KSMA_ERROR_INVALID, "no command %s", command);
	return NULL;
}

int main(int argc, char **argv)
{
	struct ksma_guest_options options = { 0 };
	struct ksma_guest *guest;
	struct ksma_error *error;
	char **words = argv + 1;
	int status = 0;

	for (; *words && strncmp(*words, "--", 2) == 0; words++) {
		if (strcmp(*words, "--memory-only") == 0)
			options.memory_only = true;
		else if (strcmp(*words, "--monitor") == 0 && words[1])
			options.monitor = *++words;
	}
	if (argc < 2 || !*words)
		return 2;
	error = ksma_guest_open(*words++, &options, &guest);
	if (error)
		return report(error);
	while (*words) {
		error = run(guest, &words);
		if (error)
			status = report(error);
		fflush(stdout);
	}
	ksma_guest_destroy(guest);
	return status;
}

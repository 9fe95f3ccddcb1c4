/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* QEMU's ELF dumps: each PT_LOAD segment is a run of guest memory in the file, at a physical address.
 *
 * Source: System V ABI (ELF-64), gabi "Program Header" on PN_XNUM; QEMU dump/dump.c (write_elf64_load, get_offset_range).
 * With paging=true QEMU describes memory by virtual address: physical runs repeat and overlap, but every byte of a RAM block is
 * written once, so that p_offset - p_paddr is the same for all segments of a block. The program headers are read by this file
 * rather than by libelf, because all that is needed is this one table, and libelf would map and believe the whole file. */
#include <elf.h>

#include "base/bytes.h"
#include "guest/dump_internal.h"

enum {
	MAX_SEGMENTS = 1 << 22, /* a paging=true dump of a big guest has some ten thousand */
	NOTES_LIMIT = 16 << 20,
};

/* Guest memory [start, end) whose first byte is at `offset` of the file. */
struct run {
	uint64_t start, end, offset;
};

struct runs {
	struct run *items;
	size_t count, capacity;
};

static struct ksma_error *check_header(const struct ksma_dump_file *file, const uint8_t *header)
{
	if (header[EI_CLASS] == ELFCLASS32)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"%s is a 32-bit ELF dump: the guest was not in 64-bit mode when it was taken; take it when its kernel runs",
			file->name);
	if (header[EI_CLASS] != ELFCLASS64 || header[EI_DATA] != ELFDATA2LSB)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"%s is damaged: its ELF header names no known class or byte order",
			file->name);
	if (ksma_le16(header + offsetof(Elf64_Ehdr, e_machine)) != EM_X86_64)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "%s is not of an x86-64 guest (ELF machine %u)",
					 file->name,
					 ksma_le16(header + offsetof(Elf64_Ehdr, e_machine)));
	if (ksma_le16(header + offsetof(Elf64_Ehdr, e_type)) != ET_CORE)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"%s is an ELF file but not a core dump; a dump comes from dump-guest-memory",
			file->name);
	return NULL;
}

/* The number of program headers; with more than 65534 it is in the first section header (PN_XNUM). */
static struct ksma_error *count_segments(const struct ksma_dump_file *file, const uint8_t *header,
					 uint64_t *ret_count)
{
	uint64_t count = ksma_le16(header + offsetof(Elf64_Ehdr, e_phnum));

	if (ksma_le16(header + offsetof(Elf64_Ehdr, e_phentsize)) != sizeof(Elf64_Phdr))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "%s is damaged: its program headers have a wrong size",
					 file->name);
	if (count == PN_XNUM) {
		uint8_t section[sizeof(Elf64_Shdr)];

		KSMA_TRY(ksma_dump_file_read(file,
					     ksma_le64(header + offsetof(Elf64_Ehdr, e_shoff)),
					     section, sizeof(section), "the section header"));
		count = ksma_le32(section + offsetof(Elf64_Shdr, sh_info));
	}
	if (count > MAX_SEGMENTS)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "%s has %llu segments, more than the %d that are accepted",
					 file->name, (unsigned long long)count, MAX_SEGMENTS);
	*ret_count = count;
	return NULL;
}

/* Adds a PT_LOAD: what of it is in the file. */
static struct ksma_error *add_run(const struct ksma_dump_file *file, const uint8_t *segment,
				  struct runs *runs)
{
	uint64_t start = ksma_le64(segment + offsetof(Elf64_Phdr, p_paddr));
	uint64_t offset = ksma_le64(segment + offsetof(Elf64_Phdr, p_offset));
	uint64_t size = ksma_le64(segment + offsetof(Elf64_Phdr, p_filesz));
	struct run *run;

	if (size == 0) /* left out by QEMU's begin and length, or not memory */
		return NULL;
	if (size > UINT64_MAX - start)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"%s is damaged: the segment at physical address 0x%llx is too large",
			file->name, (unsigned long long)start);
	if (!ksma_in_range(offset, size, file->size))
		return ksma_dump_file_truncated(file, "the guest's memory", offset, size);
	KSMA_TRY(KSMA_ARRAY_PUSH(runs, &run));
	*run = (struct run){ .start = start, .end = start + size, .offset = offset };
	return NULL;
}

static struct ksma_error *read_notes(struct ksma_dump *dump, const uint8_t *segment)
{
	_cleanup_free_ uint8_t *notes = NULL;
	uint64_t size = ksma_le64(segment + offsetof(Elf64_Phdr, p_filesz));

	KSMA_TRY(ksma_dump_file_load(&dump->file,
				     ksma_le64(segment + offsetof(Elf64_Phdr, p_offset)), size,
				     NOTES_LIMIT, "the notes", &notes));
	return ksma_dump_notes(dump, notes, (size_t)size);
}

static int compare_runs(const void *a, const void *b)
{
	const struct run *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->end < y->end ? -1 : x->end > y->end;
}

/* Can `run`, which begins at or after `last`, be the same region? It can when the file has the same distance to it: then the
 * bytes between are in the file too, and of the same RAM block, since QEMU writes blocks one after the other and a gap between
 * blocks takes no room. Dumps of other makers are only joined where runs touch. */
static bool same_region(const struct run *last, const struct run *run, bool by_qemu)
{
	return run->offset - run->start == last->offset - last->start &&
	       (run->start <= last->end || by_qemu);
}

/* Joins runs into regions that do not overlap. The first to name an address wins. */
static struct ksma_error *add_regions(struct ksma_guest *guest, struct runs *runs)
{
	struct ksma_dump *dump = guest->priv;
	size_t count = 0;

	if (runs->count)
		qsort(runs->items, runs->count, sizeof(*runs->items), compare_runs);
	for (size_t i = 0; i < runs->count; i++) {
		struct run run = runs->items[i];
		struct run *last = count ? &runs->items[count - 1] : NULL;

		if (last && same_region(last, &run, dump->by_qemu)) {
			if (run.end > last->end)
				last->end = run.end;
			continue;
		}
		if (last && run.start < last->end) {
			if (run.end <= last->end)
				continue;
			run.offset += last->end - run.start;
			run.start = last->end;
		}
		runs->items[count++] = run;
	}
	for (size_t i = 0; i < count; i++) {
		const struct run *run = &runs->items[i];
		struct ksma_ram_region region = { .gpa = run->start,
						  .size = run->end - run->start,
						  .map = dump->map + run->offset,
						  .file_offset = run->offset,
						  .fd = dump->file.fd };

		KSMA_TRY(ksma_dump_add_region(guest, &region));
	}
	return NULL;
}

static struct ksma_error *read_segments(struct ksma_dump *dump, const uint8_t *table,
					uint64_t count, struct runs *runs)
{
	for (uint64_t i = 0; i < count; i++) {
		const uint8_t *segment = table + i * sizeof(Elf64_Phdr);
		uint32_t type = ksma_le32(segment + offsetof(Elf64_Phdr, p_type));

		if (type == PT_LOAD)
			KSMA_TRY(add_run(&dump->file, segment, runs));
		else if (type == PT_NOTE)
			KSMA_TRY(read_notes(dump, segment));
	}
	if (!runs->count)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "%s holds no guest memory; take the dump again",
					 dump->file.name);
	return NULL;
}

struct ksma_error *ksma_dump_open_elf(struct ksma_guest *guest)
{
	struct ksma_dump *dump = guest->priv;
	_cleanup_free_ uint8_t *table = NULL;
	uint8_t header[sizeof(Elf64_Ehdr)];
	struct runs runs = { 0 };
	struct ksma_error *error;
	uint64_t count, size;

	KSMA_TRY(ksma_dump_file_read(&dump->file, 0, header, sizeof(header), "the ELF header"));
	KSMA_TRY(check_header(&dump->file, header));
	KSMA_TRY(count_segments(&dump->file, header, &count));
	size = count * sizeof(Elf64_Phdr);
	KSMA_TRY(ksma_dump_file_load(&dump->file, ksma_le64(header + offsetof(Elf64_Ehdr, e_phoff)),
				     size, size, "the program headers", &table));
	KSMA_TRY(ksma_dump_map(dump));
	error = read_segments(dump, table, count, &runs);
	if (!error)
		error = add_regions(guest, &runs);
	free(runs.items);
	guest->info.kind = KSMA_GUEST_DUMP_ELF;
	return error;
}

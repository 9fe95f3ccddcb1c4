/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A dump says the same in each of its forms, and a damaged one is an error that says what is wrong. */
#include "unit.h"

#include "base/bytes.h"
#include "fail_alloc.h"
#include "guest/dump.h"
#include "tiny_dump.h"

static struct tiny_dump dump, flat;

static struct ksma_error *open_bytes(const struct tiny_dump *d, struct ksma_guest **ret_guest)
{
	return ksma_dump_open_fd(tiny_dump_fd(d->data, d->size), "dump", ret_guest);
}

static void assert_page(struct ksma_guest *guest, uint64_t pfn)
{
	uint8_t expected[TINY_PAGE], page[TINY_PAGE];

	tiny_page(pfn, expected);
	assert_ok(ksma_guest_read(guest, ksma_gpa_of(pfn * TINY_PAGE), page, sizeof(page)));
	assert_memory_equal(page, expected, sizeof(page));
}

static void assert_registers(struct ksma_guest *guest)
{
	struct ksma_registers registers;

	assert_int_equal(ksma_guest_info(guest)->vcpus, TINY_VCPUS);
	assert_ok(ksma_guest_registers(guest, KSMA_REGISTERS_BASIC, &registers));
	assert_int_equal(registers.count, TINY_VCPUS);
	for (unsigned i = 0; i < TINY_VCPUS; i++) {
		const struct ksma_vcpu *vcpu = &registers.vcpus[i];

		assert_int_equal(vcpu->index, i);
		assert_true(vcpu->has_general);
		assert_false(vcpu->has_msrs);
		assert_false(vcpu->has_debug);
		for (unsigned r = 0; r < 16; r++)
			assert_int_equal(vcpu->gpr[r], tiny_register(i, r));
		assert_int_equal(vcpu->rip, tiny_register(i, 16));
		assert_int_equal(vcpu->rflags, 0x246);
		assert_int_equal(vcpu->cr3, TINY_CR3);
		assert_int_equal(vcpu->cr4, 0x3506f0);
		assert_int_equal(vcpu->cs.limit, 0x1000);
		assert_int_equal(vcpu->ss.selector, 40);
		assert_int_equal(vcpu->ldt.base, TINY_LDT_BASE);
		assert_int_equal(vcpu->idt.base, TINY_LDT_BASE + 0x3000);
		assert_int_equal(vcpu->kernel_gs_base, 0xffff88803ec00000ull + i);
	}
	ksma_registers_free(&registers);
	assert_error_says(ksma_guest_registers(guest, KSMA_REGISTERS_MSRS, &registers),
			  KSMA_ERROR_UNSUPPORTED, "holds no MSRs");
}

/* Everything that is to be said of the guest of tiny_dump.h. */
static void assert_tiny(const struct tiny_dump *d, enum ksma_guest_kind kind,
			enum ksma_ram_access access)
{
	const struct ksma_ram_region *regions;
	struct ksma_guest *guest;
	struct ksma_error *error;
	uint8_t bytes[2];
	size_t count;

	assert_ok(open_bytes(d, &guest));
	assert_int_equal(ksma_guest_info(guest)->kind, kind);
	assert_int_equal(ksma_guest_info(guest)->access, access);
	assert_int_equal(ksma_guest_info(guest)->layout, KSMA_LAYOUT_FILE);
	assert_int_equal(ksma_guest_info(guest)->pid, -1);
	assert_int_equal(ksma_guest_info(guest)->ram_bytes, 4 * TINY_PAGE);
	assert_string_equal(ksma_guest_info(guest)->path, "dump");
	ksma_guest_regions(guest, &regions, &count);
	assert_int_equal(count, 2);
	assert_int_equal(regions[0].gpa, 0);
	assert_int_equal(regions[0].size, 3 * TINY_PAGE);
	assert_int_equal(regions[1].gpa, TINY_HIGH * TINY_PAGE);
	for (uint64_t pfn = 0; pfn < 3; pfn++)
		assert_page(guest, pfn);
	assert_page(guest, TINY_HIGH);
	assert_ok(ksma_guest_read(guest, ksma_gpa_of(TINY_PAGE - 1), bytes, 2));
	error = ksma_guest_read(guest, ksma_gpa_of(3 * TINY_PAGE - 1), bytes, 2);
	assert_non_null(error);
	assert_int_equal(error->code, KSMA_ERROR_FAULT);
	assert_int_equal(error->address, 3 * TINY_PAGE);
	ksma_error_destroy(error);
	assert_registers(guest);
	assert_ok(ksma_guest_refresh(guest));
	assert_page(guest, 1);
	ksma_guest_destroy(guest);
}

static void all_forms_say_the_same(void **state)
{
	(void)state;
	tiny_dump_elf(&dump);
	assert_tiny(&dump, KSMA_GUEST_DUMP_ELF, KSMA_RAM_MAPPED);
	tiny_dump_elf_paging(&dump);
	assert_tiny(&dump, KSMA_GUEST_DUMP_ELF, KSMA_RAM_MAPPED);
	tiny_dump_kdump(&dump);
	assert_tiny(&dump, KSMA_GUEST_DUMP_KDUMP, KSMA_RAM_COPIED);
	for (size_t piece = 100; piece < dump.size;
	     piece = piece * 3 + 1) { /* pieces that cut every structure */
		tiny_dump_flatten(&flat, &dump, piece);
		assert_tiny(&flat, KSMA_GUEST_DUMP_KDUMP, KSMA_RAM_COPIED);
	}
}

static void raw_image(void **state)
{
	struct ksma_registers registers;
	struct ksma_guest *guest;

	(void)state;
	tiny_dump_raw(&dump);
	assert_ok(open_bytes(&dump, &guest));
	assert_int_equal(ksma_guest_info(guest)->kind, KSMA_GUEST_DUMP_RAW);
	assert_int_equal(ksma_guest_info(guest)->ram_bytes, 3 * TINY_PAGE);
	assert_page(guest, 1);
	assert_error_says(ksma_guest_registers(guest, KSMA_REGISTERS_BASIC, &registers),
			  KSMA_ERROR_UNSUPPORTED, "no vCPU state");
	ksma_guest_destroy(guest);
	dump.size--;
	assert_error_says(open_bytes(&dump, &guest), KSMA_ERROR_BAD_DATA, "whole pages");
	dump.size = 0;
	assert_error_says(open_bytes(&dump, &guest), KSMA_ERROR_BAD_DATA, "is empty");
}

/* Where there is data, of a dump in which pages are missing and of a sparse image. */
static void data_runs(void **state)
{
	uint64_t gpa = 0, length;
	struct ksma_guest *guest;
	int fd;

	(void)state;
	tiny_dump_kdump(&dump);
	dump.data[dump.bitmap2] &= (uint8_t)~2u; /* page 1 was left out */
	assert_ok(open_bytes(&dump, &guest));
	assert_true(ksma_guest_next_data(guest, &gpa, &length));
	assert_int_equal(gpa, 0);
	assert_int_equal(length, TINY_PAGE);
	gpa = TINY_PAGE + 5;
	assert_true(ksma_guest_next_data(guest, &gpa, &length));
	assert_int_equal(gpa, 2 * TINY_PAGE);
	assert_int_equal(length, TINY_PAGE);
	gpa = 3 * TINY_PAGE;
	assert_true(ksma_guest_next_data(guest, &gpa, &length));
	assert_int_equal(gpa, TINY_HIGH * TINY_PAGE);
	gpa += length;
	assert_false(ksma_guest_next_data(guest, &gpa, &length));
	ksma_guest_destroy(guest);

	fd = tiny_dump_fd(dump.data, TINY_PAGE);
	assert_int_equal(ftruncate(fd, 100 * TINY_PAGE), 0);
	assert_int_equal(pwrite(fd, "x", 1, 50 * TINY_PAGE + 7), 1);
	dump.data[0] = 0;
	assert_int_equal(pwrite(fd, dump.data, 1, 0), 1);
	assert_ok(ksma_dump_open_fd(fd, "sparse", &guest));
	gpa = TINY_PAGE;
	assert_true(ksma_guest_next_data(guest, &gpa, &length));
	assert_int_equal(gpa, 50 * TINY_PAGE);
	assert_int_equal(length, TINY_PAGE);
	gpa += length;
	assert_false(ksma_guest_next_data(guest, &gpa, &length));
	ksma_guest_destroy(guest);
}

static void opening_by_path(void **state)
{
	struct ksma_guest *guest;

	(void)state;
	assert_error_says(ksma_dump_open("/nonexistent/dump", &guest), KSMA_ERROR_NOT_PRESENT,
			  "/nonexistent/dump");
	assert_error_says(ksma_dump_open("/dev/null", &guest), KSMA_ERROR_INVALID,
			  "not a regular file");
	assert_error_says(ksma_dump_open("/", &guest), KSMA_ERROR_INVALID, "not a regular file");
}

/* A file that ends early is refused, or, where the missing bytes are only a page, an error when that page is read. */
static void cut_off_anywhere(struct tiny_dump *d)
{
	uint8_t page[TINY_PAGE];

	for (size_t size = d->size - 1; size > 40; size -= size > 5000 ? 97 : 1) {
		struct ksma_guest *guest;
		struct ksma_error *error =
			ksma_dump_open_fd(tiny_dump_fd(d->data, size), "dump", &guest);

		if (!error) {
			error = ksma_guest_read(guest, ksma_gpa_of(TINY_HIGH * TINY_PAGE), page,
						sizeof(page));
			ksma_guest_destroy(guest);
		}
		assert_non_null(error);
		if (error->code != KSMA_ERROR_BAD_DATA || !strstr(error->message, "is cut off"))
			fail_now("%zu of %zu bytes: %s", size, d->size, error->message);
		ksma_error_destroy(error);
	}
}

static void cut_off(void **state)
{
	(void)state;
	tiny_dump_elf(&dump);
	cut_off_anywhere(&dump);
	tiny_dump_kdump(&dump);
	cut_off_anywhere(&dump);
	tiny_dump_flatten(&flat, &dump, 1000);
	cut_off_anywhere(&flat);
}

static void shrinking_file_is_lost(void **state)
{
	struct ksma_guest *guest;
	uint8_t byte;
	int fd;

	(void)state;
	tiny_dump_elf(&dump);
	fd = tiny_dump_fd(dump.data, dump.size);
	assert_ok(ksma_dump_open_fd(dup(fd), "dump", &guest));
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_ok(ksma_guest_read(guest, ksma_gpa_of(2 * TINY_PAGE), &byte,
				  1)); /* and nothing worse */
	assert_error_says(ksma_guest_refresh(guest), KSMA_ERROR_LOST, "became shorter");
	ksma_guest_destroy(guest);
	close(fd);

	tiny_dump_kdump(&dump);
	fd = tiny_dump_fd(dump.data, dump.size);
	assert_ok(ksma_dump_open_fd(dup(fd), "dump", &guest));
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_error_says(ksma_guest_read(guest, ksma_gpa_of(TINY_PAGE), &byte, 1), KSMA_ERROR_LOST,
			  "became shorter");
	ksma_guest_destroy(guest);
	close(fd);
}

/* Overwrites bytes of a dump, opens it, and puts them back. */
static struct ksma_error *open_patched(struct tiny_dump *d, size_t offset, const void *bytes,
				       size_t size)
{
	_cleanup_free_ uint8_t *old = malloc(size);
	struct ksma_guest *guest;
	struct ksma_error *error;

	assert_non_null(old);
	memcpy(old, d->data + offset, size);
	memcpy(d->data + offset, bytes, size);
	error = open_bytes(d, &guest);
	if (!error)
		ksma_guest_destroy(guest);
	memcpy(d->data + offset, old, size);
	return error;
}

#define BYTES(s) (s), sizeof(s) - 1

static void damaged_elf(void **state)
{
	const size_t segment = 64 + 56; /* of pages 0 to 2 */

	(void)state;
	tiny_dump_elf(&dump);
	assert_error_says(open_patched(&dump, 4, BYTES("\1")), KSMA_ERROR_UNSUPPORTED, "32-bit");
	assert_error_says(open_patched(&dump, 4, BYTES("\7")), KSMA_ERROR_BAD_DATA,
			  "no known class");
	assert_error_says(open_patched(&dump, 5, BYTES("\2")), KSMA_ERROR_BAD_DATA, "byte order");
	assert_error_says(open_patched(&dump, 16, BYTES("\2")), KSMA_ERROR_UNSUPPORTED,
			  "not a core dump");
	assert_error_says(open_patched(&dump, 18, BYTES("\xb7")), KSMA_ERROR_UNSUPPORTED,
			  "not of an x86-64 guest");
	assert_error_says(open_patched(&dump, 54, BYTES("\x20")), KSMA_ERROR_BAD_DATA,
			  "program headers");
	assert_error_says(open_patched(&dump, 56, BYTES("\1\0")), KSMA_ERROR_BAD_DATA,
			  "no guest memory");
	assert_error_says(open_patched(&dump, 56, BYTES("\0\xf0")), KSMA_ERROR_BAD_DATA,
			  "program headers ends at");
	assert_error_says(open_patched(&dump, 32, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff")),
			  KSMA_ERROR_BAD_DATA, "cut off");
	assert_error_says(open_patched(&dump, segment + 24,
				       BYTES("\xff\xff\xff\xff\xff\xff\xff\xff")),
			  KSMA_ERROR_BAD_DATA, "too large");
	assert_error_says(open_patched(&dump, segment + 8,
				       BYTES("\xff\xff\xff\xff\xff\xff\xff\xff")),
			  KSMA_ERROR_BAD_DATA, "cut off");
	assert_error_says(open_patched(&dump, dump.notes + 4, BYTES("\xff\xff\xff\xff")),
			  KSMA_ERROR_BAD_DATA, "a note reaches past");
	assert_error_says(open_patched(&dump, dump.notes, BYTES("\xff\xff\xff\xff")),
			  KSMA_ERROR_BAD_DATA, "a note reaches past");
}

/* More than 65534 segments: the count is in the first section header. */
static void extended_numbering(void **state)
{
	const uint64_t section = 2048;
	struct ksma_guest *guest;

	(void)state;
	tiny_dump_elf(&dump);
	memset(dump.data + section, 0, 64);
	assert_true(section >=
		    dump.notes); /* inside the notes' tail, which then reads as an empty note */
	memcpy(dump.data + 40, &section, sizeof(section));
	memcpy(dump.data + 56, "\xff\xff", 2);
	dump.data[section + 44] = 3;
	memset(dump.data + 64, 0, 56); /* no PT_NOTE */
	assert_ok(open_bytes(&dump, &guest));
	assert_int_equal(guest->region_count, 2);
	assert_page(guest, TINY_HIGH);
	ksma_guest_destroy(guest);
	memcpy(dump.data + section + 44, "\xff\xff\xff\xff", 4);
	assert_error_says(open_bytes(&dump, &guest), KSMA_ERROR_LIMIT, "segments");
	memcpy(dump.data + 40, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	assert_error_says(open_bytes(&dump, &guest), KSMA_ERROR_BAD_DATA, "the section header");
}

static void damaged_kdump(void **state)
{
	struct ksma_guest *guest;
	uint8_t byte;

	(void)state;
	tiny_dump_kdump(&dump);
	assert_error_says(open_patched(&dump, 424, BYTES("\2")), KSMA_ERROR_UNSUPPORTED, "lzo");
	assert_error_says(open_patched(&dump, 424, BYTES("\4")), KSMA_ERROR_UNSUPPORTED, "snappy");
	assert_error_says(open_patched(&dump, 424, BYTES("\x20")), KSMA_ERROR_UNSUPPORTED, "zstd");
	assert_error_says(open_patched(&dump, 428, BYTES("\0\0\1\0")), KSMA_ERROR_UNSUPPORTED,
			  "blocks of 65536");
	assert_error_says(open_patched(&dump, 432, BYTES("\xff\xff\xff\xff")), KSMA_ERROR_BAD_DATA,
			  "bitmap of RAM");
	assert_error_says(open_patched(&dump, 436, BYTES("\0\0\0\0")), KSMA_ERROR_BAD_DATA,
			  "its bitmaps have room for 0");
	assert_error_says(open_patched(&dump, 4096 + 96, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff")),
			  KSMA_ERROR_BAD_DATA, "have room for");
	assert_error_says(open_patched(&dump, 4096 + 56, BYTES("\0\0\0\0\1\0\0\0")),
			  KSMA_ERROR_BAD_DATA, "the notes ends");
	assert_error_says(open_patched(&dump, dump.bitmap1, BYTES("\0\0\0\0\0\0")),
			  KSMA_ERROR_BAD_DATA, "no guest memory");
	assert_error_says(open_patched(&dump, dump.descs + 8, BYTES("\xff\xff\xff\xff")),
			  KSMA_ERROR_BAD_DATA, "cut off");

	/* Damage that is seen when the page is read. */
	memcpy(dump.data + dump.descs + 8, "\1\x20\0\0", 4);
	dump.data[dump.descs + 24 + 12] = 1;	     /* page 1 is not compressed */
	dump.data[dump.descs + 48 + 12] = 2;	     /* page 2 is lzo */
	dump.data[dump.bitmap2 + TINY_HIGH / 8] = 0; /* the last page was left out */
	assert_ok(open_bytes(&dump, &guest));
	assert_error_says(ksma_guest_read(guest, ksma_gpa_of(0), &byte, 1), KSMA_ERROR_BAD_DATA,
			  "has 8193 bytes");
	assert_error_says(ksma_guest_read(guest, ksma_gpa_of(TINY_PAGE), &byte, 1),
			  KSMA_ERROR_BAD_DATA, "does not decompress");
	assert_error_says(ksma_guest_read(guest, ksma_gpa_of(2 * TINY_PAGE), &byte, 1),
			  KSMA_ERROR_UNSUPPORTED, "lzo");
	assert_error_says(ksma_guest_read(guest, ksma_gpa_of(TINY_HIGH * TINY_PAGE), &byte, 1),
			  KSMA_ERROR_FAULT, "left out");
	ksma_guest_destroy(guest);
}

static void damaged_flat(void **state)
{
	const size_t second = 4096 + 16 + 1000;	     /* the second record */
	const size_t fifth = 4096 + 4 * (16 + 1000); /* holds the sub header */

	(void)state;
	tiny_dump_kdump(&dump);
	tiny_dump_flatten(&flat, &dump, 1000);
	assert_error_says(open_patched(&flat, second + 6, BYTES("\1\0")), KSMA_ERROR_BAD_DATA,
			  "two records for byte");
	assert_error_says(open_patched(&flat, fifth + 4, BYTES("\7")), KSMA_ERROR_BAD_DATA,
			  "lacks byte");
	assert_error_says(open_patched(&flat, second + 8, BYTES("\0\0\0\0\0\0\0\0")),
			  KSMA_ERROR_BAD_DATA, "wrong size");
	assert_error_says(open_patched(&flat, second, BYTES("\x80")), KSMA_ERROR_BAD_DATA,
			  "wrong size");
	assert_error_says(open_patched(&flat, 4096 + 16, BYTES("X")), KSMA_ERROR_BAD_DATA,
			  "no kdump");
	assert_error_says(
		open_patched(
			&flat, 4096,
			BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")),
		KSMA_ERROR_BAD_DATA, "holds nothing");
}

static void other_files_are_named(void **state)
{
	(void)state;
	tiny_dump_raw(&dump);
	assert_error_says(open_patched(&dump, 0, BYTES("\x1f\x8b")), KSMA_ERROR_UNSUPPORTED,
			  "gzip");
	assert_error_says(open_patched(&dump, 0, BYTES("\x28\xb5\x2f\xfd")), KSMA_ERROR_UNSUPPORTED,
			  "zstd");
	assert_error_says(open_patched(&dump, 0, BYTES("QEVM")), KSMA_ERROR_UNSUPPORTED,
			  "migration stream");
	assert_error_says(open_patched(&dump, 0, BYTES("LibvirtQemudSave")), KSMA_ERROR_UNSUPPORTED,
			  "virsh dump");
}

static struct ksma_error *open_and_look(void *state)
{
	struct ksma_guest *guest = NULL;
	struct ksma_registers registers;
	struct ksma_error *error = open_bytes(state, &guest);

	if (error) {
		assert_null(guest);
		return error;
	}
	error = ksma_guest_registers(guest, KSMA_REGISTERS_BASIC, &registers);
	if (!error)
		ksma_registers_free(&registers);
	ksma_guest_destroy(guest);
	return error;
}

static void no_memory(void **state)
{
	(void)state;
	tiny_dump_elf(&dump);
	fail_alloc_each(open_and_look, &dump, FAIL_ALLOC_STRICT);
	tiny_dump_kdump(&dump);
	fail_alloc_each(open_and_look, &dump, FAIL_ALLOC_STRICT);
	tiny_dump_flatten(&flat, &dump, 1000);
	fail_alloc_each(open_and_look, &flat, FAIL_ALLOC_STRICT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		/* First: cmocka sets its own handler of SIGBUS before each test, and the guard is set once. */
		cmocka_unit_test(shrinking_file_is_lost),
		cmocka_unit_test(all_forms_say_the_same),
		cmocka_unit_test(raw_image),
		cmocka_unit_test(opening_by_path),
		cmocka_unit_test(cut_off),
		cmocka_unit_test(damaged_elf),
		cmocka_unit_test(extended_numbering),
		cmocka_unit_test(damaged_kdump),
		cmocka_unit_test(damaged_flat),
		cmocka_unit_test(other_files_are_named),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(data_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

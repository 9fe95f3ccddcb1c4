/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The payload says on COM1 what it is: a line a fact, for check_payload.c to hold against what is seen from outside.
 *
 * Each mapping that it speaks of is first tried by the processor itself: a line says what the page tables were meant to be
 * and whether the processor sees them so. Freestanding code of the guest; it shares nothing with libksma. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "payload.h"

enum {
	COM1 = 0x3f8,
	PAGE = 4096,
	MSR_STAR = 0xc0000081,
	MSR_LSTAR = 0xc0000082,
	MSR_CSTAR = 0xc0000083,
	MSR_FMASK = 0xc0000084,
	MSR_EFER = 0xc0000080,
	MSR_FS_BASE = 0xc0000100,
	MSR_GS_BASE = 0xc0000101,
	MSR_KERNEL_GS_BASE = 0xc0000102,
	MSR_SYSENTER_CS = 0x174,
	MSR_SYSENTER_ESP = 0x175,
	MSR_SYSENTER_EIP = 0x176,
	GATE_INTERRUPT = 0x8e00,
	TSS_SIZE = 104,
	RETURN_INSTRUCTION = 0xc3,
};

/* Of payload.S. */
extern uint8_t image_start[], image_end[], gdt[], tss[], stubs[], top_table[];
extern uint8_t syscall_entry[], syscall32_entry[], sysenter_entry[], probe_return[], spin_loop[],
	spin_end[], gate[];
extern uint64_t tss_descriptor[2], direct_entry, counter, gate_wanted;
int try_read(uint64_t address), try_write(uint64_t address), try_call(uint64_t address);
int try_wrmsr(uint32_t msr, uint64_t value), try_rdmsr(uint32_t msr, uint64_t *ret_value);
void describe(void);
void unexpected(unsigned vector, uint64_t rip, uint64_t cr2);

static struct {
	uint64_t words[2];
} idt[32] __attribute__((aligned(4096)));

struct __attribute__((packed)) table_register {
	uint16_t limit;
	uint64_t base;
};

/* The compiler calls it, in freestanding code too. */
void *memcpy(void *restrict to, const void *restrict from, size_t length);

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(length) : : "memory");
	return to;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void put_char(char c)
{
	while (!(in8(COM1 + 5) & 0x20))
		;
	out8(COM1, (uint8_t)c);
}

static void put(const char *s)
{
	while (*s)
		put_char(*s++);
}

static void put_hex(uint64_t value)
{
	int shift = 60;

	put(" 0x");
	while (shift && !(value >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		put_char("0123456789abcdef"[value >> shift & 15]);
}

static void say(const char *key, uint64_t value)
{
	put(key);
	put_hex(value);
	put_char('\n');
}

static void say_table(const char *key, const struct table_register *table)
{
	put(key);
	put_hex(table->base);
	put_hex(table->limit);
	put_char('\n');
}

void unexpected(unsigned vector, uint64_t rip, uint64_t cr2)
{
	put("unexpected exception");
	put_hex(vector);
	put(" at");
	put_hex(rip);
	put(" cr2");
	put_hex(cr2);
	put_char('\n');
}

/* --- tables ----------------------------------------------------------------------------------------------------- */

static void make_idt(void)
{
	struct table_register idtr = { .limit = sizeof(idt) - 1, .base = (uint64_t)idt };

	for (unsigned i = 0; i < 32; i++) {
		uint64_t stub = (uint64_t)stubs + i * 16;

		idt[i].words[0] = (stub & 0xffff) | (uint64_t)GDT_CODE << 16 |
				  (uint64_t)GATE_INTERRUPT << 32 | (stub >> 16 & 0xffff) << 48;
		idt[i].words[1] = stub >> 32;
	}
	__asm__ volatile("lidt %0" : : "m"(idtr));
}

static void make_tss(void)
{
	uint64_t base = (uint64_t)tss;

	tss_descriptor[0] = (TSS_SIZE - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
			    (base >> 24 & 0xff) << 56;
	tss_descriptor[1] = base >> 32;
	__asm__ volatile("ltr %w0" : : "r"(GDT_TSS));
}

static void say_registers(void)
{
	struct table_register table;
	uint64_t value;

	__asm__ volatile("mov %%cr0, %0" : "=r"(value));
	say("cr0", value);
	__asm__ volatile("mov %%cr3, %0" : "=r"(value));
	say("cr3", value);
	__asm__ volatile("mov %%cr4, %0" : "=r"(value));
	say("cr4", value);
	__asm__ volatile("sgdt %0" : "=m"(table));
	say_table("gdt", &table);
	__asm__ volatile("sidt %0" : "=m"(table));
	say_table("idt", &table);
	__asm__ volatile("str %0" : "=r"(value));
	say("tr", value & 0xffff);
	say("tss", (uint64_t)tss);
	put("spin");
	put_hex((uint64_t)spin_loop);
	put_hex((uint64_t)spin_end);
	put_char('\n');
	put("gate");
	put_hex((uint64_t)gate);
	put_hex((uint64_t)&gate_wanted - IMAGE_OFFSET);
	put_char('\n');
}

/* Writes an MSR and says what it holds then; "refused" when the (virtual) processor did not take it. */
static void set_msr(const char *name, uint32_t msr, uint64_t value)
{
	uint64_t now = 0;
	int written = try_wrmsr(msr, value);

	put("msr ");
	put(name);
	if (try_rdmsr(msr, &now) != -1)
		put(" unreadable\n");
	else if (written != -1 || now != value)
		put(" refused\n");
	else
		say("", now);
}

static void set_msrs(void)
{
	uint64_t efer = 0;

	if (try_rdmsr(MSR_EFER, &efer) == -1)
		say("efer", efer);
	set_msr("star", MSR_STAR, (uint64_t)GDT_CODE << 32 | (uint64_t)GDT_DATA << 48);
	set_msr("lstar", MSR_LSTAR, (uint64_t)syscall_entry);
	set_msr("cstar", MSR_CSTAR, (uint64_t)syscall32_entry);
	set_msr("fmask", MSR_FMASK, 0x47700);
	set_msr("sysenter_cs", MSR_SYSENTER_CS, GDT_CODE);
	set_msr("sysenter_esp", MSR_SYSENTER_ESP, (uint64_t)tss);
	set_msr("sysenter_eip", MSR_SYSENTER_EIP, (uint64_t)sysenter_entry);
	set_msr("fs_base", MSR_FS_BASE, 0x7f1234560000);
	set_msr("gs_base", MSR_GS_BASE, (uint64_t)gdt);
	set_msr("kernel_gs_base", MSR_KERNEL_GS_BASE, 0x7f6543210000);
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

/* Fills [gpa, gpa+length) with noise that grows from the address; the first byte is a return instruction. */
static void plant(uint64_t gpa, uint64_t length)
{
	uint8_t *bytes = (uint8_t *)gpa;
	uint64_t noise = gpa | 1;

	for (uint64_t i = 0; i < length; i++) {
		noise ^= noise << 13;
		noise ^= noise >> 7;
		noise ^= noise << 17;
		bytes[i] = (uint8_t)noise;
	}
	bytes[0] = RETURN_INSTRUCTION;
	put("pattern");
	put_hex(gpa);
	put_hex(length);
	put_char('\n');
}

static void plant_all(void)
{
	for (uint64_t i = 0; i < 8; i++)
		plant(SCATTER_FRAME(i), PAGE);
	plant(LARGE_NX_FRAME, 3 * PAGE);
	plant(LARGE_RO_FRAME, PAGE);
	plant(LARGE_RO_FRAME + 0x1ff000, PAGE);
	plant(0x2000000 - 100, 333); /* crosses a page */
	plant(0x3c00000, 64 * 1024); /* far up */
}

/* A mapping as it is meant to be. */
struct sample {
	uint64_t gva, gpa, size;
	bool write, user, execute;
};

/* Does the processor agree? It reads through both addresses, and tries to write and to run. */
static bool processor_agrees(const struct sample *sample)
{
	bool runs;

	if (try_read(sample->gva) != -1 ||
	    *(volatile uint64_t *)sample->gva != *(volatile uint64_t *)sample->gpa)
		return false;
	if ((try_write(sample->gva) == -1) != sample->write)
		return false;
	if (*(volatile uint8_t *)sample->gva != RETURN_INSTRUCTION)
		return true;
	runs = try_call(sample->gva) == -1;
	return runs == sample->execute;
}

static void say_sample(const struct sample *sample)
{
	put("map");
	put_hex(sample->gva);
	put_hex(sample->gpa);
	put_hex(sample->size);
	put_char(' ');
	put_char(sample->write ? 'w' : '-');
	put_char(sample->execute ? 'x' : '-');
	put_char(sample->user ? 'u' : '-');
	put(processor_agrees(sample) ? " agreed\n" : " differs\n");
}

/* An address that does not translate: absent, or (damaged) with a reserved bit. */
static void say_fault(const char *kind, uint64_t gva)
{
	const unsigned page_fault = 14;

	put(kind);
	put_hex(gva);
	put(try_read(gva) == (int)page_fault ? " agreed\n" : " differs\n");
}

static bool has_huge_pages(void)
{
	uint32_t a = 0x80000001, b, c, d;

	__asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
	return d >> 26 & 1;
}

static void say_maps(void)
{
	const uint64_t entry = (uint64_t)probe_return, data = (uint64_t)&counter;
	const struct sample samples[] = {
		{ 0x1000000, 0x1000000, 0x200000, true, false, true },
		{ 0x8000, 0x8000, PAGE, true, false, true },
		{ IMAGE_ADDRESS, LOAD_ADDRESS, PAGE, false, false, true },
		{ entry, entry - IMAGE_OFFSET, PAGE, false, false, true },
		{ IMAGE_ADDRESS + TEXT_PAGES * PAGE, LOAD_ADDRESS + TEXT_PAGES * PAGE, PAGE, false,
		  false, false },
		{ data, data - IMAGE_OFFSET, PAGE, true, false, false },
		{ LARGE_NX_ADDRESS, LARGE_NX_FRAME, 0x200000, true, false, false },
		{ LARGE_NX_ADDRESS + 0x2345, LARGE_NX_FRAME + 0x2345, 0x200000, true, false,
		  false },
		{ LARGE_RO_ADDRESS, LARGE_RO_FRAME, 0x200000, false, false, true },
		{ LARGE_RO_ADDRESS + 0x1ff000, LARGE_RO_FRAME + 0x1ff000, 0x200000, false, false,
		  true },
	};

	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		say_sample(&samples[i]);
	for (unsigned i = 0; i < 8; i++)
		say_sample(&(struct sample){ SCATTER_ADDRESS + i * PAGE, SCATTER_FRAME(i), PAGE,
					     i != SCATTER_USER, i == SCATTER_USER, false });
	if (has_huge_pages()) {
		say_sample(&(struct sample){ DIRECT_ADDRESS + LARGE_NX_FRAME, LARGE_NX_FRAME,
					     1 << 30, true, false, false });
		say_sample(&(struct sample){ DIRECT_ADDRESS + 0x3c00000, 0x3c00000, 1 << 30, true,
					     false, false });
	} else {
		direct_entry = 0;
		put("note this processor has no 1 GiB pages\n");
		say_fault("absent", DIRECT_ADDRESS + LARGE_NX_FRAME);
	}
	say_fault("absent", 0);
	say_fault("absent", ABSENT_LARGE_ADDRESS);
	say_fault("absent", ABSENT_HUGE_ADDRESS);
	say_fault("absent", ABSENT_TOP_ADDRESS);
	say_fault("absent", SCATTER_ADDRESS + 8 * PAGE);
	say_fault("damaged", RESERVED_ADDRESS);
	put("outside");
	put_hex(OUTSIDE_ADDRESS);
	put_hex(OUTSIDE_TABLE);
	put_char('\n');
}

void describe(void)
{
	put("\nksma payload 1\n");
	make_idt();
	make_tss();
	put("image");
	put_hex((uint64_t)image_start);
	put_hex((uint64_t)image_start - IMAGE_OFFSET);
	put_hex((uint64_t)(image_end - image_start));
	put_char('\n');
	say_registers();
	set_msrs();
	plant_all();
	say_maps();
	say("counter", (uint64_t)&counter - IMAGE_OFFSET);
	put("ready\n");
}

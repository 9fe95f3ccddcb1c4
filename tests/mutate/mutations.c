/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ways to damage a guest: what chance does, and what somebody would do who wants to mislead or stop whoever looks. */
#include "x86/space.h"
#include "mutate.h"

#define CONTENT_MAX (1 << 16)

static struct piece pick(const struct pieces *pieces, struct chance *chance)
{
	return pieces->items[chance_below(chance, pieces->count)];
}

/* Some bytes of one of the pieces, aligned to their size. */
static uint8_t *pick_bytes(struct image *image, const struct pieces *pieces, struct chance *chance,
			   unsigned size)
{
	struct piece piece = pick(pieces, chance);
	uint64_t places = piece.length / size;
	uint64_t gpa = (piece.gpa + (places ? chance_below(chance, places) * size : 0)) &
		       ~(uint64_t)(size - 1);

	return image_at(image, gpa, size);
}

static uint8_t *any_page(struct image *image, struct chance *chance)
{
	const struct ksma_ram_region *region =
		&image->regions[chance_below(chance, image->region_count)];

	if (chance_below(chance, 8)) /* the first is nearly all there is */
		region = &image->regions[0];
	return image->bytes + region->file_offset +
	       chance_below(chance, region->size / KSMA_PAGE_SIZE) * KSMA_PAGE_SIZE;
}

static uint64_t load(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static void store(uint8_t *p, uint64_t value)
{
	memcpy(p, &value, sizeof(value));
}

static bool is_pointer(uint64_t value)
{
	return value >> 47 == 0x1ffff && value < 0xfffffffffffff000ull;
}

/* A word of a hot page that looks like a kernel pointer; any word when none is found soon. */
static uint8_t *pick_pointer(struct image *image, const struct pieces *pieces,
			     struct chance *chance)
{
	uint8_t *word = NULL;

	for (unsigned i = 0; i < 200; i++) {
		word = pick_bytes(image, pieces, chance, 8);
		if (word && is_pointer(load(word)))
			break;
	}
	return word;
}

static void damage_pointer(struct image *image, const struct pieces *pieces, struct chance *chance)
{
	uint8_t *word = pick_pointer(image, pieces, chance),
		*other = pick_pointer(image, pieces, chance);
	uint64_t value, swap;

	if (!word || !other)
		return;
	value = load(word);
	swap = load(other);
	switch (chance_below(chance, 10)) {
	case 0:
		store(word, swap); /* lists that run into each other */
		break;
	case 1:
		store(word, swap);
		store(other, value);
		break;
	case 2:
		store(word, 0);
		break;
	case 3:
		store(word, value + 8 * (chance_below(chance, 64) - 32));
		break;
	case 4:
		store(word, value ^ 1ull << chance_below(chance, 64));
		break;
	case 5:
		store(word,
		      0x00007f0000000000ull + chance_below(chance, 1ull << 32)); /* of a user */
		break;
	case 6:
		store(word, 0x1234567800000000ull + chance_next(chance) % 4096); /* not canonical */
		break;
	case 7:
		store(word, UINT64_MAX - chance_below(chance, 4096));
		break;
	case 8:
		store(word, value & ~0xfffull); /* the same page: often itself or a neighbour */
		break;
	default:
		store(word,
		      0xdead000000000100ull + 0x22 * chance_below(chance, 2)); /* LIST_POISON */
	}
}

static void damage_number(struct image *image, const struct pieces *pieces, struct chance *chance)
{
	static const uint32_t values[] = { 0,	       1,	0x7fffffff, 0x80000000, 0xffffffff,
					   0xfffffffe, 0x10000, 0xffff,	    0x01000000 };
	uint8_t *word = pick_bytes(image, pieces, chance, 4);
	uint32_t value = values[chance_below(chance, ARRAY_SIZE(values))];

	if (word)
		memcpy(word, &value, sizeof(value));
}

static void damage_byte(struct image *image, const struct pieces *pieces, struct chance *chance)
{
	uint8_t *byte = pick_bytes(image, pieces, chance, 1);

	if (byte)
		*byte = chance_below(chance, 2) ? (uint8_t)chance_next(chance)
						: (uint8_t)(*byte ^ 1u << chance_below(chance, 8));
}

static void fill(uint8_t *page, struct chance *chance)
{
	unsigned how = (unsigned)chance_below(chance, 4);

	for (unsigned i = 0; i < KSMA_PAGE_SIZE; i += 8)
		store(page + i, how == 0   ? 0
				: how == 1 ? UINT64_MAX
				: how == 2 ? 0x4141414141414141ull
					   : chance_next(chance));
}

static void swap_pages(uint8_t *a, uint8_t *b)
{
	uint8_t page[KSMA_PAGE_SIZE];

	memcpy(page, a, sizeof(page));
	memcpy(a, b, sizeof(page));
	memcpy(b, page, sizeof(page));
}

/* Mostly what the walks read: damage of the kernel's symbols and types ends a look before them. */
static const struct pieces *read_pages(const struct image *image, struct chance *chance)
{
	return chance_below(chance, 5) ? &image->late : &image->hot;
}

static void bits_anywhere(struct image *image, struct chance *chance)
{
	for (uint64_t n = 1 + chance_below(chance, 5000); n; n--)
		any_page(image, chance)[chance_below(chance, KSMA_PAGE_SIZE)] ^=
			(uint8_t)(1u << chance_below(chance, 8));
}

static void bits_read(struct image *image, struct chance *chance)
{
	const struct pieces *pieces = read_pages(image, chance);

	for (uint64_t n = 1 + chance_below(chance, 300); n; n--)
		damage_byte(image, pieces, chance);
}

static void pages_swapped(struct image *image, struct chance *chance)
{
	for (uint64_t n = 1 + chance_below(chance, 500); n; n--)
		swap_pages(any_page(image, chance), any_page(image, chance));
}

static void pages_read_swapped(struct image *image, struct chance *chance)
{
	const struct pieces *pieces = read_pages(image, chance);

	for (uint64_t n = 1 + chance_below(chance, 8); n; n--) {
		uint8_t *a = image_at(image, pick(pieces, chance).gpa, KSMA_PAGE_SIZE);
		uint8_t *b = image_at(image, pick(pieces, chance).gpa, KSMA_PAGE_SIZE);

		if (a && b && a != b)
			swap_pages(a, b);
	}
}

static void pages_wiped(struct image *image, struct chance *chance)
{
	const struct pieces *pieces = read_pages(image, chance);

	for (uint64_t n = 1 + chance_below(chance, 8); n; n--) {
		uint8_t *page = image_at(image, pick(pieces, chance).gpa, KSMA_PAGE_SIZE);

		if (page)
			fill(page, chance);
	}
}

static void pointers(struct image *image, struct chance *chance)
{
	const struct pieces *pieces = read_pages(image, chance);

	for (uint64_t n = 1 + chance_below(chance, 100); n; n--)
		damage_pointer(image, pieces, chance);
}

static void numbers(struct image *image, struct chance *chance)
{
	const struct pieces *pieces = read_pages(image, chance);

	for (uint64_t n = 1 + chance_below(chance, 200); n; n--)
		damage_number(image, pieces, chance);
}

static void damage_part(struct image *image, enum part part, uint64_t most, struct chance *chance)
{
	const struct pieces *pieces = &image->parts[part];

	for (uint64_t n = 1 + chance_below(chance, most); n; n--) {
		switch (chance_below(chance, 3)) {
		case 0:
			damage_byte(image, pieces, chance);
			break;
		case 1:
			damage_number(image, pieces, chance);
			break;
		default:
			damage_pointer(image, pieces, chance);
		}
	}
}

static void kallsyms(struct image *image, struct chance *chance)
{
	damage_part(image, PART_KALLSYMS, 64, chance);
}

static void btf(struct image *image, struct chance *chance)
{
	damage_part(image, PART_BTF, 64, chance);
}

static void tasks(struct image *image, struct chance *chance)
{
	damage_part(image, PART_TASKS, 64, chance);
}

/* Lists and owners of tasks and modules: cycles, short cuts, one that leads into another. */
static void links(struct image *image, struct chance *chance)
{
	for (uint64_t n = 1 + chance_below(chance, 6); n; n--)
		damage_pointer(image, &image->parts[PART_LINKS], chance);
}

static void modules(struct image *image, struct chance *chance)
{
	damage_part(image, PART_MODULES, 32, chance);
}

static void log_buffer(struct image *image, struct chance *chance)
{
	damage_part(image, PART_LOG, 64, chance);
}

/* Tables that hold themselves or each other, that lie outside of RAM, that are large pages where they should not be. */
static void page_tables(struct image *image, struct chance *chance)
{
	const struct pieces *tables = &image->parts[PART_TABLES];

	for (uint64_t n = 1 + chance_below(chance, 64); n; n--) {
		/* Half of them in the first few tables, which are the upper ones. */
		struct piece piece = tables->items[chance_below(
			chance, n & 1 && tables->count > 8 ? 8 : tables->count)];
		uint8_t *entry = image_at(image, piece.gpa + 8 * chance_below(chance, 512), 8);
		uint64_t flags = load(entry) & 0xfff;

		switch (chance_below(chance, 6)) {
		case 0:
			store(entry, load(entry) ^ 1ull << chance_below(chance, 64));
			break;
		case 1:
			store(entry, piece.gpa | flags | KSMA_PTE_P);
			break;
		case 2:
			store(entry, pick(tables, chance).gpa | flags | KSMA_PTE_P);
			break;
		case 3:
			store(entry, (chance_next(chance) & KSMA_PTE_FRAME) | flags | KSMA_PTE_P);
			break;
		case 4:
			store(entry, load(entry) | KSMA_PTE_PS | KSMA_PTE_P);
			break;
		default:
			store(entry, 0);
		}
	}
}

/* As when the file ends too early, and somebody has made the headers fit. */
static void cut_off(struct image *image, struct chance *chance)
{
	struct ksma_ram_region *region = &image->guest.regions[0];

	region->size = chance_below(chance, region->size / KSMA_PAGE_SIZE) * KSMA_PAGE_SIZE;
	if (chance_below(chance, 2) || region->size == 0) {
		image->guest.region_count = 1;
		if (region->size == 0)
			region->size = KSMA_PAGE_SIZE;
	}
}

/* Memory that is not where the headers say. */
static void headers(struct image *image, struct chance *chance)
{
	struct ksma_ram_region *first = &image->guest.regions[0];

	switch (chance_below(chance, 4)) {
	case 0: /* all of it is elsewhere */
		first->gpa = chance_below(chance, 1 << 15) * KSMA_PAGE_SIZE;
		image->guest.region_count = 1;
		break;
	case 1: /* far up */
		first->gpa = (chance_next(chance) & KSMA_PTE_FRAME) >> chance_below(chance, 12) &
			     ~0xfffull;
		image->guest.region_count = 1;
		break;
	case 2: { /* in two parts that have changed places */
		uint64_t half = ksma_align_down(chance_below(chance, first->size), KSMA_PAGE_SIZE);
		struct ksma_ram_region *second = &image->guest.regions[1];

		if (half == 0 || half == first->size)
			break;
		*second = *first;
		second->gpa = first->gpa + (first->size - half);
		second->size = half;
		first->file_offset += half;
		if (first->map)
			first->map += half;
		first->size -= half;
		image->guest.region_count = 2;
		break;
	}
	default: /* a hole */
		image->guest.region_count = 2;
		image->guest.regions[1] = *first;
		first->size =
			ksma_align_down(chance_below(chance, first->size - 1), KSMA_PAGE_SIZE) +
			KSMA_PAGE_SIZE;
		image->guest.regions[1].gpa += first->size;
		image->guest.regions[1].size -= first->size;
		image->guest.regions[1].file_offset += first->size;
		if (first->map)
			image->guest.regions[1].map += first->size;
		image->guest.regions[1].gpa += chance_below(chance, 64) * KSMA_PAGE_SIZE;
		if (image->guest.regions[1].size == 0)
			image->guest.region_count = 1;
	}
}

static void registers(struct image *image, struct chance *chance)
{
	for (size_t i = 0; i < image->registers.count; i++) {
		struct ksma_vcpu *vcpu = &image->registers.vcpus[i];
		uint64_t *values[] = {
			&vcpu->cr3,	 &vcpu->cr4,	 &vcpu->cr0,	     &vcpu->idt.base,
			&vcpu->gdt.base, &vcpu->gs.base, &vcpu->rip,	     &vcpu->kernel_gs_base,
			&vcpu->lstar,	 &vcpu->cstar,	 &vcpu->sysenter_eip
		};
		uint64_t *value = values[chance_below(chance, ARRAY_SIZE(values))];

		switch (chance_below(chance, 4)) {
		case 0:
			*value = 0;
			break;
		case 1:
			*value ^= 1ull << chance_below(chance, 64);
			break;
		case 2:
			*value = chance_next(chance);
			break;
		default:
			*value = pick(&image->parts[PART_TABLES], chance).gpa;
		}
		vcpu->idt.limit =
			chance_below(chance, 3) ? vcpu->idt.limit : (uint32_t)chance_next(chance);
	}
}

static void several(struct image *image, struct chance *chance)
{
	for (uint64_t n = 2 + chance_below(chance, 3); n; n--)
		mutations[chance_below(chance, mutations_count - 1)].apply(image, chance);
}

const struct mutation mutations[] = {
	{ "bits anywhere", bits_anywhere },
	{ "bits of pages that are read", bits_read },
	{ "pages swapped", pages_swapped },
	{ "pages that are read swapped", pages_read_swapped },
	{ "pages that are read wiped", pages_wiped },
	{ "pointers", pointers },
	{ "numbers", numbers },
	{ "kallsyms", kallsyms },
	{ "BTF", btf },
	{ "page tables", page_tables },
	{ "tasks", tasks },
	{ "links of tasks and modules", links },
	{ "modules", modules },
	{ "kernel log", log_buffer },
	{ "cut off", cut_off },
	{ "headers", headers },
	{ "registers", registers },
	{ "several of these", several }, /* the last one: it picks among the others */
};

const size_t mutations_count = ARRAY_SIZE(mutations);

uint64_t mutate_file(int fd, uint64_t size, bool in_headers, struct chance *chance)
{
	uint64_t span = in_headers ? 4096 : size;

	if (!in_headers && chance_below(chance, 4) == 0)
		return chance_below(chance, size);
	if (chance_below(chance, 4) == 0)
		span = CONTENT_MAX;
	if (span > size)
		span = size;
	for (uint64_t n = 1 + chance_below(chance, in_headers ? 8 : 200); n; n--) {
		uint64_t value = chance_below(chance, 3)   ? chance_next(chance)
				 : chance_below(chance, 2) ? UINT64_MAX
							   : 0;
		size_t length = (size_t)1 << chance_below(chance, 4);
		uint64_t place = chance_below(chance, span);

		if (length > size - place)
			length = (size_t)(size - place);
		if (pwrite(fd, &value, length, (off_t)place) != (ssize_t)length)
			return size;
	}
	return size;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kdump-compressed dumps: a bitmap says which pages there are, a table of descriptors where each one lies, zlib the rest.
 *
 * Source: struct disk_dump_header and kdump_sub_header of makedumpfile (diskdump_mod.h); QEMU include/sysemu/dump.h and
 * dump/dump.c (create_header64, write_dump_bitmap, write_dump_pages). Blocks of the page size: the header, the sub header,
 * two bitmaps (RAM; RAM that is in the dump), then a descriptor for each page of the second bitmap, then the pages. */
#include <zlib.h>

#include "base/bytes.h"
#include "guest/dump_internal.h"

enum {
	/* Offsets in the header, alike in makedumpfile's struct and in QEMU's packed one. */
	HEADER_VERSION = 8,
	HEADER_STATUS = 424,
	HEADER_BLOCK_SIZE = 428,
	HEADER_SUB_SIZE = 432,
	HEADER_BITMAP_BLOCKS = 436,
	HEADER_MAX_MAPNR = 440,
	HEADER_SIZE = 464,
	/* Offsets in the sub header. */
	SUB_OFFSET_NOTE = 48,
	SUB_SIZE_NOTE = 56,
	SUB_MAX_MAPNR_64 = 96,
	SUB_SIZE = 104,

	DESC_SIZE = 24, /* u64 offset, u32 size, u32 flags, u64 page_flags */
	COMPRESSED_ZLIB = 0x1,
	COMPRESSED_LZO = 0x2,
	COMPRESSED_SNAPPY = 0x4,
	COMPRESSED_ZSTD = 0x20,
	COMPRESSED_OTHERS = COMPRESSED_LZO | COMPRESSED_SNAPPY | COMPRESSED_ZSTD,

	MAX_PAGE =
		2 *
		KSMA_PAGE_SIZE, /* of a compressed page: zlib adds some bytes to what it cannot compress */
	NOTES_LIMIT = 16 << 20,
	BITMAP_LIMIT = 128 << 20, /* 4 TiB of guest */
	RANK_BITS = 4096,	  /* of the bitmap a counter */
	DESC_WINDOW = 170,	  /* descriptors read at a time */
};

struct ksma_kdump {
	uint64_t max_mapnr;   /* pages that the bitmaps speak of */
	uint8_t *bitmap;      /* pages in the dump */
	uint64_t bitmap_size; /* bytes */
	uint64_t *rank;	      /* pages in the dump before bit i * RANK_BITS */
	uint64_t pages;	      /* pages in the dump */
	uint64_t desc_offset;
	uint64_t window_first; /* number of the first descriptor in the window */
	size_t window_count;
	uint8_t window[DESC_WINDOW * DESC_SIZE];
};

void ksma_kdump_destroy(struct ksma_kdump *kdump)
{
	if (!kdump)
		return;
	free(kdump->bitmap);
	free(kdump->rank);
	free(kdump);
}

static struct ksma_error *check_compression(const struct ksma_dump_file *file, uint32_t flags)
{
	const char *name = flags & COMPRESSED_LZO      ? "lzo"
			   : flags & COMPRESSED_SNAPPY ? "snappy"
						       : "zstd";

	if (!(flags & COMPRESSED_OTHERS))
		return NULL;
	return ksma_error_create(
		KSMA_ERROR_UNSUPPORTED,
		"%s is compressed with %s; take it with dump-guest-memory -z (kdump-zlib), or without compression (ELF)",
		file->name, name);
}

/* What the two headers say. */
struct layout {
	uint64_t bitmap1, bitmap2; /* offsets */
	uint64_t bitmap_size;	   /* bytes of one */
	uint64_t note_offset, note_size;
	uint64_t max_mapnr;
	uint64_t desc_offset;
};

static struct ksma_error *read_layout(const struct ksma_dump_file *file, struct layout *layout)
{
	uint8_t header[HEADER_SIZE], sub[SUB_SIZE];
	uint64_t sub_blocks, bitmap_blocks;
	uint32_t version;

	KSMA_TRY(ksma_dump_file_read(file, 0, header, sizeof(header), "the kdump header"));
	if (memcmp(header, "KDUMP   ", 8) != 0)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"%s is damaged: it is a flattened dump of something that is no kdump",
			file->name);
	if (ksma_le32(header + HEADER_BLOCK_SIZE) != KSMA_PAGE_SIZE)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"%s has blocks of %u bytes, and an x86-64 guest has pages of 4096",
			file->name, ksma_le32(header + HEADER_BLOCK_SIZE));
	KSMA_TRY(check_compression(file, ksma_le32(header + HEADER_STATUS)));
	version = ksma_le32(header + HEADER_VERSION);
	sub_blocks = ksma_le32(header + HEADER_SUB_SIZE);
	bitmap_blocks = ksma_le32(header + HEADER_BITMAP_BLOCKS);
	KSMA_TRY(ksma_dump_file_read(file, KSMA_PAGE_SIZE, sub, sizeof(sub),
				     "the kdump sub header"));

	layout->max_mapnr = version >= 6 ? ksma_le64(sub + SUB_MAX_MAPNR_64)
					 : ksma_le32(header + HEADER_MAX_MAPNR);
	layout->note_offset = version >= 4 ? ksma_le64(sub + SUB_OFFSET_NOTE) : 0;
	layout->note_size = version >= 4 ? ksma_le64(sub + SUB_SIZE_NOTE) : 0;
	layout->bitmap_size = bitmap_blocks / 2 * KSMA_PAGE_SIZE;
	layout->bitmap1 = (1 + sub_blocks) * KSMA_PAGE_SIZE;
	layout->bitmap2 = layout->bitmap1 + layout->bitmap_size;
	layout->desc_offset = (1 + sub_blocks + bitmap_blocks) * KSMA_PAGE_SIZE;
	if (layout->max_mapnr == 0 || layout->max_mapnr > layout->bitmap_size * 8)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"%s is damaged: it speaks of %llu pages, and its bitmaps have room for %llu",
			file->name, (unsigned long long)layout->max_mapnr,
			(unsigned long long)layout->bitmap_size * 8);
	layout->bitmap_size = (layout->max_mapnr + 7) / 8;
	return NULL;
}

static bool bit_of(const uint8_t *bitmap, uint64_t bit)
{
	return bitmap[bit / 8] >> (bit % 8) & 1;
}

/* The first page at or after `pfn` whose bit is `value`, or `end`. */
static uint64_t next_bit(const uint8_t *bitmap, uint64_t pfn, uint64_t end, bool value)
{
	const uint8_t skip = value ? 0 : 0xff;

	while (pfn < end) {
		if (pfn % 8 == 0 && bitmap[pfn / 8] == skip)
			pfn += 8;
		else if (bit_of(bitmap, pfn) == value)
			return pfn;
		else
			pfn++;
	}
	return end;
}

/* The runs of the first bitmap are the guest's RAM. */
static struct ksma_error *add_regions(struct ksma_guest *guest, const struct layout *layout)
{
	struct ksma_dump *dump = guest->priv;
	_cleanup_free_ uint8_t *bitmap = NULL;
	uint64_t end = layout->max_mapnr, start;

	KSMA_TRY(ksma_dump_file_load(&dump->file, layout->bitmap1, layout->bitmap_size,
				     BITMAP_LIMIT, "the bitmap of RAM", &bitmap));
	for (start = next_bit(bitmap, 0, end, true); start < end;) {
		uint64_t stop = next_bit(bitmap, start, end, false);
		struct ksma_ram_region region = { .gpa = start * KSMA_PAGE_SIZE,
						  .size = (stop - start) * KSMA_PAGE_SIZE,
						  .fd = -1 };

		KSMA_TRY(ksma_dump_add_region(guest, &region));
		start = next_bit(bitmap, stop, end, true);
	}
	if (!guest->region_count)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "%s holds no guest memory; take the dump again",
					 dump->file.name);
	return NULL;
}

static unsigned count_byte(uint8_t byte)
{
	return (unsigned)__builtin_popcount(byte);
}

/* Counts the pages before each RANK_BITS of the bitmap, so that a page's descriptor is found by adding up few bits. */
static struct ksma_error *make_rank(struct ksma_kdump *kdump)
{
	uint64_t count = 0;

	if (kdump->max_mapnr % 8) /* bits past the end are not pages */
		kdump->bitmap[kdump->bitmap_size - 1] &=
			(uint8_t)((1u << kdump->max_mapnr % 8) - 1);
	kdump->rank = calloc(kdump->bitmap_size / (RANK_BITS / 8) + 1, sizeof(*kdump->rank));
	if (!kdump->rank)
		return ksma_error_nomem();
	for (uint64_t i = 0; i < kdump->bitmap_size; i++) {
		if (i % (RANK_BITS / 8) == 0)
			kdump->rank[i / (RANK_BITS / 8)] = count;
		count += count_byte(kdump->bitmap[i]);
	}
	kdump->pages = count;
	return NULL;
}

/* The number of the descriptor of a page that is in the dump. */
static uint64_t rank_of(const struct ksma_kdump *kdump, uint64_t pfn)
{
	uint64_t rank = kdump->rank[pfn / RANK_BITS];

	for (uint64_t i = pfn / RANK_BITS * (RANK_BITS / 8); i < pfn / 8; i++)
		rank += count_byte(kdump->bitmap[i]);
	return rank + count_byte((uint8_t)(kdump->bitmap[pfn / 8] & ((1u << pfn % 8) - 1)));
}

/* Where a page lies in the dump. */
struct desc {
	uint64_t offset;
	uint32_t size;
	uint32_t flags;
};

static struct ksma_error *read_desc(struct ksma_dump *dump, uint64_t number, struct desc *ret_desc)
{
	struct ksma_kdump *kdump = dump->kdump;
	const uint8_t *p;

	if (number - kdump->window_first >= kdump->window_count) {
		uint64_t first = number - number % DESC_WINDOW;
		size_t count = kdump->pages - first < DESC_WINDOW ? (size_t)(kdump->pages - first)
								  : DESC_WINDOW;

		kdump->window_count = 0;
		KSMA_TRY(ksma_dump_file_read(&dump->file, kdump->desc_offset + first * DESC_SIZE,
					     kdump->window, count * DESC_SIZE,
					     "the page table of the dump"));
		kdump->window_first = first;
		kdump->window_count = count;
	}
	p = kdump->window + (number - kdump->window_first) * DESC_SIZE;
	*ret_desc = (struct desc){ .offset = ksma_le64(p),
				   .size = ksma_le32(p + 8),
				   .flags = ksma_le32(p + 12) };
	return NULL;
}

/* Sees to it that descriptors and the last pages are in the file: a dump that was cut off is refused at once. */
static struct ksma_error *check_end(struct ksma_dump *dump)
{
	const struct ksma_kdump *kdump = dump->kdump;
	uint64_t first = kdump->pages < DESC_WINDOW ? 0 : kdump->pages - DESC_WINDOW;

	if (!ksma_in_range(kdump->desc_offset, kdump->pages * DESC_SIZE, dump->file.size))
		return ksma_dump_file_truncated(&dump->file, "the page table of the dump",
						kdump->desc_offset, kdump->pages * DESC_SIZE);
	for (uint64_t i = first; i < kdump->pages; i++) {
		struct desc desc;

		KSMA_TRY(read_desc(dump, i, &desc));
		if (!ksma_in_range(desc.offset, desc.size, dump->file.size))
			return ksma_dump_file_truncated(&dump->file, "the guest's memory",
							desc.offset, desc.size);
	}
	return NULL;
}

struct ksma_error *ksma_dump_open_kdump(struct ksma_guest *guest)
{
	struct ksma_dump *dump = guest->priv;
	_cleanup_free_ uint8_t *notes = NULL;
	struct layout layout;

	KSMA_TRY(read_layout(&dump->file, &layout));
	dump->kdump = calloc(1, sizeof(*dump->kdump));
	if (!dump->kdump)
		return ksma_error_nomem();
	dump->kdump->max_mapnr = layout.max_mapnr;
	dump->kdump->bitmap_size = layout.bitmap_size;
	dump->kdump->desc_offset = layout.desc_offset;
	KSMA_TRY(add_regions(guest, &layout));
	KSMA_TRY(ksma_dump_file_load(&dump->file, layout.bitmap2, layout.bitmap_size, BITMAP_LIMIT,
				     "the bitmap of pages", &dump->kdump->bitmap));
	KSMA_TRY(make_rank(dump->kdump));
	KSMA_TRY(check_end(dump));
	KSMA_TRY(ksma_dump_file_load(&dump->file, layout.note_offset, layout.note_size, NOTES_LIMIT,
				     "the notes", &notes));
	guest->info.kind = KSMA_GUEST_DUMP_KDUMP;
	return ksma_dump_notes(dump, notes, (size_t)layout.note_size);
}

bool ksma_kdump_next_data(struct ksma_guest *guest, const struct ksma_ram_region *region,
			  uint64_t offset, uint64_t *ret_offset, uint64_t *ret_length)
{
	const struct ksma_dump *dump = guest->priv;
	uint64_t first = region->gpa / KSMA_PAGE_SIZE, end = first + region->size / KSMA_PAGE_SIZE;
	uint64_t start = next_bit(dump->kdump->bitmap, first + offset / KSMA_PAGE_SIZE, end, true);
	uint64_t stop = next_bit(dump->kdump->bitmap, start, end, false);

	if (start == end)
		return false;
	start = (start - first) * KSMA_PAGE_SIZE;
	*ret_offset = start > offset ? start : offset;
	*ret_length = (stop - first) * KSMA_PAGE_SIZE - *ret_offset;
	return true;
}

struct ksma_error *ksma_kdump_fetch(struct ksma_guest *guest, const struct ksma_ram_region *region,
				    uint64_t gpa, uint8_t *buffer)
{
	struct ksma_dump *dump = guest->priv;
	const struct ksma_kdump *kdump = dump->kdump;
	uint64_t pfn = gpa / KSMA_PAGE_SIZE;
	uLongf length = KSMA_PAGE_SIZE;
	uint8_t packed[MAX_PAGE];
	struct desc desc;

	if (pfn >= kdump->max_mapnr || !bit_of(kdump->bitmap, pfn))
		return ksma_error_fault(gpa,
					"the page at physical address 0x%llx was left out of %s",
					(unsigned long long)gpa, dump->name);
	KSMA_TRY(read_desc(dump, rank_of(kdump, pfn), &desc));
	KSMA_TRY(check_compression(&dump->file, desc.flags));
	if (desc.size > sizeof(packed) ||
	    (!(desc.flags & COMPRESSED_ZLIB) && desc.size != KSMA_PAGE_SIZE))
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"%s is damaged: the page at physical address 0x%llx has %u bytes",
			dump->name, (unsigned long long)gpa, desc.size);
	KSMA_TRY(ksma_dump_file_read(&dump->file, desc.offset, packed, desc.size, "a page"));
	if (!(desc.flags & COMPRESSED_ZLIB)) {
		memcpy(buffer, packed, KSMA_PAGE_SIZE);
		return NULL;
	}
	if (uncompress(buffer, &length, packed, desc.size) != Z_OK || length != KSMA_PAGE_SIZE)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"%s is damaged: the page at physical address 0x%llx does not decompress",
			dump->name, (unsigned long long)gpa);
	return NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The page cache: small and large folios in both of the forms that kernels had, swapped pages, and what an attacker may write there. */
#include "unit.h"

#include "fail_alloc.h"
#include "fake_kernel.h"
#include "linux/page_cache.h"

#include <sys/stat.h>

#define BASE 0xffff888000000000ull

enum { ARENA = 4 << 20, FRAMES = ARENA / 4096, UPTODATE = 1 << 3, DIRTY = 1 << 4, HEAD = 1 << 6 };

struct world {
	struct fake_kernel *k;
	struct ksma_page_cache_reader reader;
	struct ksma_inode_identity file;
	uint64_t first; /* frame of the arena's start */
	uint64_t sb, inode, mapping, node;
};

static uint64_t text(struct fake_kernel *k, const char *s)
{
	uint64_t at = fake_kernel_alloc(k, strlen(s) + 1, 1);

	memcpy(fake_kernel_at(k, at, strlen(s) + 1), s, strlen(s) + 1);
	return at;
}

static uint64_t make_sb(struct fake_kernel *k, const char *type)
{
	uint64_t sb = fake_kernel_alloc(k, 128, 64), fs = fake_kernel_alloc(k, 8, 8);

	fake_kernel_put64(k, fs, text(k, type));
	fake_kernel_put64(k, sb + 16, fs);
	fake_kernel_put(k, sb, 0x00800001, 4);
	fake_kernel_put64(k, sb + 8, 0xef53);
	memcpy(fake_kernel_at(k, sb + 24, 5), "vda1", 5);
	return sb;
}

static uint64_t make_inode(struct fake_kernel *k, uint64_t sb)
{
	uint64_t inode = fake_kernel_alloc(k, 256, 64), mapping = fake_kernel_alloc(k, 64, 64);

	fake_kernel_put(k, inode, S_IFREG | 0755, 2);
	fake_kernel_put64(k, inode + 8, sb);
	fake_kernel_put64(k, inode + 16, mapping);
	fake_kernel_put64(k, inode + 24, 4711);
	fake_kernel_put64(k, inode + 32, 10 * 4096);
	fake_kernel_put64(k, inode + 48, 21);
	fake_kernel_put64(k, mapping, inode);
	return inode;
}

static struct world make(const char *type, enum fake_kind kind)
{
	struct world w = { .k = fake_kernel_create(BASE, ARENA, kind) };
	struct fake_kernel *k = w.k;
	uint64_t gpa, array;

	fake_layout_containers(&k->kernel);
	fake_layout_page_cache(&k->kernel);
	array = fake_kernel_alloc(k, (FRAMES + 1) * 64, 4096);
	assert_true(ksma_space_try_translate(&k->kernel.space, BASE, &gpa));
	w.first = gpa / 4096;
	k->kernel.vmemmap = array - w.first * 64;
	w.sb = make_sb(k, type);
	w.inode = make_inode(k, w.sb);
	assert_ok(ksma_page_cache_init(&w.reader, &k->kernel));
	assert_true(ksma_inode_identify(&w.reader, w.inode, &w.file));
	w.mapping = w.file.mapping;
	w.node = fake_kernel_alloc(k, 4096, 4096);
	fake_kernel_put64(k, w.mapping + 8 + 8, w.node | 2);
	return w;
}

/* Puts a folio of the arena's n-th frame at an index. @return its struct page */
static uint64_t put(struct world *w, unsigned n, uint64_t index, unsigned pages, unsigned flags)
{
	uint64_t page = w->k->kernel.vmemmap + (w->first + n) * 64;

	fake_kernel_put64(w->k, page, flags | (pages > 1 ? HEAD : 0));
	fake_kernel_put64(w->k, page + 24, w->mapping);
	fake_kernel_put64(w->k, page + 32, index);
	if (pages > 1)
		fake_kernel_put(w->k, page + 72, pages, 4);
	fake_kernel_put64(w->k, w->node + 40 + 8 * index, page);
	return page;
}

static void identity_is_read(void **state)
{
	struct world w = make("ext4", FAKE_MAPPED);
	struct ksma_inode_identity again;

	assert_int_equal(w.file.number, 4711);
	assert_int_equal(w.file.size, 40960);
	assert_int_equal(w.file.version, 10);
	assert_int_equal(w.file.magic, 0xef53);
	assert_string_equal(w.file.fstype, "ext4");
	assert_string_equal(w.file.id, "vda1");
	assert_true(ksma_inode_identify(&w.reader, w.inode, &again));
	assert_true(ksma_inode_is_same(&w.file, &again));
	fake_kernel_put64(w.k, w.inode + 48, 23);
	assert_true(ksma_inode_identify(&w.reader, w.inode, &again));
	assert_false(ksma_inode_is_same(&w.file, &again));
	assert_false(ksma_inode_identify(&w.reader, 0, &again));
	assert_false(ksma_inode_identify(&w.reader, BASE + ARENA, &again));
	fake_kernel_destroy(w.k);
}

static void folios_are_listed(void **state)
{
	struct world w = make("ext4", FAKE_MAPPED);
	struct ksma_cached_folios folios;
	struct ksma_cached_folio folio;
	const struct ksma_cached_folio *at;

	put(&w, 3, 0, 1, UPTODATE);
	put(&w, 8, 4, 4, UPTODATE | DIRTY);
	for (unsigned i = 1; i < 4; i++) /* siblings */
		fake_kernel_put64(w.k, w.node + 40 + 8 * (4 + i), 4 << 2 | 2);
	put(&w, 5, 9, 1, 0);
	fake_kernel_put64(w.k, w.node + 40 + 8 * 10, 77 << 1 | 1); /* was evicted */
	assert_ok(ksma_page_cache_list(&w.reader, &w.file, &folios));
	assert_int_equal(folios.count, 3);
	assert_int_equal(folios.items[0].gpa, (w.first + 3) * 4096);
	assert_int_equal(folios.items[1].pages, 4);
	assert_int_equal(folios.items[1].flags, KSMA_CACHED_UPTODATE | KSMA_CACHED_DIRTY);
	assert_int_equal(folios.items[2].flags, 0);
	at = ksma_cached_folio_at(&folios, 6);
	assert_ptr_equal(at, &folios.items[1]);
	assert_int_equal(ksma_cached_gpa(at, 6), (w.first + 10) * 4096);
	assert_null(ksma_cached_folio_at(&folios, 1));
	assert_null(ksma_cached_folio_at(&folios, 8));
	assert_null(ksma_cached_folio_at(&folios, UINT64_MAX));
	free(folios.items);
	assert_ok(ksma_page_cache_find(&w.reader, &w.file, 6, &folio));
	assert_int_equal(ksma_cached_gpa(&folio, 6), (w.first + 10) * 4096);
	assert_ok(ksma_page_cache_find(&w.reader, &w.file, 10, &folio));
	assert_int_equal(folio.pages, 0);
	assert_ok(ksma_page_cache_find(&w.reader, &w.file, 1ull << 40, &folio));
	assert_int_equal(folio.pages, 0);
	fake_kernel_destroy(w.k);
}

/* As kernels had it before 5.17, and as hugetlbfs had it before 6.7. */
static void older_forms(void **state)
{
	struct world w = make("hugetlbfs", FAKE_MAPPED);
	struct ksma_cached_folios folios;
	struct ksma_cached_folio folio;
	uint64_t page = put(&w, 8, 4, 4, UPTODATE);

	for (unsigned i = 1; i < 4; i++)
		fake_kernel_put64(w.k, w.node + 40 + 8 * (4 + i), page);
	assert_ok(ksma_page_cache_list(&w.reader, &w.file, &folios));
	assert_int_equal(folios.count, 1);
	free(folios.items);
	for (unsigned i = 0; i < 4; i++)
		fake_kernel_put64(w.k, w.node + 40 + 8 * (4 + i), 0);
	put(&w, 8, 1, 4, UPTODATE);
	w.reader.huge_units = true;
	w.file.magic = 0x958458f6;
	assert_ok(ksma_page_cache_list(&w.reader, &w.file, &folios));
	assert_int_equal(folios.count, 1);
	assert_int_equal(folios.items[0].index, 4);
	free(folios.items);
	assert_error(ksma_page_cache_find(&w.reader, &w.file, 4, &folio), KSMA_ERROR_UNSUPPORTED);
	fake_kernel_destroy(w.k);
}

static void swapped_pages_are_told(void **state)
{
	struct world w = make("tmpfs", FAKE_MAPPED);
	struct ksma_cached_folios folios;
	struct ksma_cached_folio folio;

	fake_kernel_put64(w.k, w.node + 40 + 8 * 2, 77 << 1 | 1);
	assert_ok(ksma_page_cache_list(&w.reader, &w.file, &folios));
	assert_int_equal(folios.count, 1);
	assert_int_equal(folios.items[0].flags, KSMA_CACHED_AWAY);
	free(folios.items);
	assert_ok(ksma_page_cache_find(&w.reader, &w.file, 2, &folio));
	assert_int_equal(folio.flags, KSMA_CACHED_AWAY);
	fake_kernel_destroy(w.k);
}

/* Whatever does not fit is no page of the file: a frame elsewhere, another file's, a folio that claims more than it may. */
static void lies_are_told(void **state)
{
	static const struct {
		unsigned offset, size;
		uint64_t value;
		const char *says;
	} lies[] = {
		{ 24, 8, 0xdead, "another file" },	{ 32, 8, 3, "another place" },
		{ 32, 8, UINT64_MAX, "another place" }, { 72, 4, 0, "no possible size" },
		{ 72, 4, 3, "no possible size" },	{ 72, 4, UINT32_MAX, "no possible size" },
		{ 72, 4, 1 << 19, "no possible size" },
	};
	struct ksma_cached_folios folios;
	struct ksma_cached_folio folio;
	struct world w;

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		w = make("ext4", FAKE_MAPPED);
		fake_kernel_put(w.k, put(&w, 8, 4, 4, UPTODATE) + lies[i].offset, lies[i].value,
				lies[i].size);
		assert_error_says(ksma_page_cache_list(&w.reader, &w.file, &folios),
				  KSMA_ERROR_BAD_DATA, lies[i].says);
		assert_error_says(ksma_page_cache_find(&w.reader, &w.file, 4, &folio),
				  KSMA_ERROR_BAD_DATA, lies[i].says);
		fake_kernel_destroy(w.k);
	}
	w = make("ext4", FAKE_MAPPED);
	put(&w, 8, 4, 4, UPTODATE);
	put(&w, 6, 5, 1, UPTODATE);
	assert_error_says(ksma_page_cache_list(&w.reader, &w.file, &folios), KSMA_ERROR_BAD_DATA,
			  "two folios");
	for (unsigned i = 0; i < 3; i++) {
		const uint64_t wild[] = { w.k->kernel.vmemmap + (w.first + FRAMES) * 64,
					  w.k->kernel.vmemmap + w.first * 64 + 8, 0x1000 };

		fake_kernel_put64(w.k, w.node + 40 + 8 * 5, wild[i]);
		assert_error_says(ksma_page_cache_find(&w.reader, &w.file, 5, &folio),
				  KSMA_ERROR_BAD_DATA, "no struct page");
	}
	fake_kernel_put64(w.k, w.mapping, w.inode + 8);
	assert_error_says(ksma_page_cache_list(&w.reader, &w.file, &folios), KSMA_ERROR_BAD_DATA,
			  "another inode");
	fake_kernel_destroy(w.k);
}

static void overlay_leads_to_the_real_file(void **state)
{
	struct world w = make("ext4", FAKE_MAPPED);
	uint64_t over = make_inode(w.k, make_sb(w.k, "overlay")),
		 dentry = fake_kernel_alloc(w.k, 64, 64), entry = fake_kernel_alloc(w.k, 64, 64),
		 lower = make_inode(w.k, w.sb), behind, real;

	/* The struct that surrounds it. */
	behind = over + w.k->kernel.size.inode;
	assert_error(ksma_overlay_real(&w.reader, over, &real), KSMA_ERROR_BAD_DATA);
	fake_kernel_put64(w.k, behind + 8, lower);
	assert_ok(ksma_overlay_real(&w.reader, over, &real));
	assert_int_equal(real, lower);
	fake_kernel_put64(w.k, dentry, w.inode);
	fake_kernel_put64(w.k, dentry + 8, w.sb);
	fake_kernel_put64(w.k, behind + 8, 0x1234);
	fake_kernel_put64(w.k, behind + 16, dentry);
	assert_ok(ksma_overlay_real(&w.reader, over, &real));
	assert_int_equal(real, w.inode);
	fake_kernel_put64(w.k, behind + 16, 0);
	fake_kernel_put64(w.k, behind + 8, entry);
	fake_kernel_put64(w.k, entry + 16, dentry);
	assert_ok(ksma_overlay_real(&w.reader, over, &real));
	assert_int_equal(real, w.inode);
	/* Copied up, and not: the bit before the inode decides. */
	fake_kernel_put64(w.k, behind, dentry);
	fake_kernel_put64(w.k, behind + 8, lower);
	fake_kernel_put64(w.k, over - 8, 1 << 3);
	assert_ok(ksma_overlay_real(&w.reader, over, &real));
	assert_int_equal(real, w.inode);
	fake_kernel_put64(w.k, over - 8, 0);
	assert_ok(ksma_overlay_real(&w.reader, over, &real));
	assert_int_equal(real, lower);
	/* A dentry of another file system than its inode leads nowhere. */
	fake_kernel_put64(w.k, dentry + 8, w.sb + 8);
	fake_kernel_put64(w.k, behind + 8, 0);
	assert_error(ksma_overlay_real(&w.reader, over, &real), KSMA_ERROR_BAD_DATA);
	fake_kernel_destroy(w.k);
}

static struct ksma_error *list_all(struct fake_guest *fake, void *data)
{
	struct world *w = data;
	struct ksma_cached_folios folios;

	ksma_space_flush(&w->k->kernel.space);
	KSMA_TRY(ksma_page_cache_list(&w->reader, &w->file, &folios));
	assert_int_equal(folios.count, 2);
	free(folios.items);
	return NULL;
}

static void every_read_may_fail(void **state)
{
	struct world w = make("ext4", FAKE_COPIED);

	put(&w, 3, 0, 1, UPTODATE);
	put(&w, 8, 4, 4, UPTODATE);
	assert_true(fake_guest_fail_each(w.k->fake, list_all, &w) > 3);
	fake_kernel_destroy(w.k);
}

static void unknown_kernels(void **state)
{
	struct world w = make("ext4", FAKE_MAPPED);
	struct ksma_page_cache_reader reader;

	w.k->kernel.off.folio___nr_pages = KSMA_NO_MEMBER;
	assert_error(ksma_page_cache_init(&reader, &w.k->kernel), KSMA_ERROR_UNSUPPORTED);
	w.k->kernel.off.page__compound_nr = 8;
	assert_ok(ksma_page_cache_init(&reader, &w.k->kernel));
	assert_int_equal(reader.pages, 72);
	w.k->kernel.vmemmap = 0;
	assert_error(ksma_page_cache_init(&reader, &w.k->kernel), KSMA_ERROR_UNSUPPORTED);
	fake_layout_page_cache(&w.k->kernel);
	w.k->kernel.off.inode__i_mapping = KSMA_NO_MEMBER;
	assert_error_says(ksma_page_cache_init(&reader, &w.k->kernel), KSMA_ERROR_UNSUPPORTED,
			  "i_mapping");
	fake_kernel_destroy(w.k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(identity_is_read),
		cmocka_unit_test(folios_are_listed),
		cmocka_unit_test(older_forms),
		cmocka_unit_test(swapped_pages_are_told),
		cmocka_unit_test(lies_are_told),
		cmocka_unit_test(overlay_leads_to_the_real_file),
		cmocka_unit_test(every_read_may_fail),
		cmocka_unit_test(unknown_kernels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

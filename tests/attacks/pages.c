// SPDX-License-Identifier: GPL-2.0-only
/* Changes what the kernel's page tables say: a writable alias of text, a page that user space may read, text in another frame for all
 * or for one process. What is copied is an exact copy; undone at unload. */
#include "attack.h"

#include <asm/tlbflush.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>

static char *what = "alias";
module_param(what, charp, 0444);
MODULE_PARM_DESC(
	what,
	"alias (of text), constants (alias of them), user (a page), frame (of text, for all), process (the same for one)");
static int pid;
module_param(pid, int, 0444);
MODULE_PARM_DESC(pid, "the process of `process`");

#define FRAME 0x000ffffffffff000ull
#define PRESENT 1ull
#define USER 4ull
#define LARGE 0x80ull
#define LEVELS 6

static char *alias;
static void *page;
static u64 *changed, original;
static void *copies[LEVELS];
static struct mm_struct *mm;

static unsigned int levels(void)
{
	return native_read_cr4() & X86_CR4_LA57 ? 5 : 4;
}

static u64 *entry_at(u64 *table, unsigned long at, unsigned int level)
{
	return &table[at >> (12 + 9 * (level - 1)) & 511];
}

/* The table that an entry leads to. */
static u64 *table_of(u64 entry)
{
	return __va(entry & FRAME);
}

static void flush(void *unused)
{
	unsigned long cr4 = native_read_cr4();

	asm volatile("mov %0, %%cr4" : : "r"(cr4 ^ X86_CR4_PGE) : "memory");
	asm volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
}

static int make_alias(unsigned long at)
{
	struct page *pages[1] = { attack_page(at & PAGE_MASK) };

	alias = vmap(pages, 1, VM_MAP, PAGE_KERNEL);
	attack_log("what=%s page=0x%lx of=0x%lx", what, (unsigned long)alias, at & PAGE_MASK);
	return alias ? 0 : -ENOMEM;
}

static int open_page(void)
{
	unsigned int level;
	u64 *top;

	page = vmalloc(PAGE_SIZE);
	if (!page)
		return -ENOMEM;
	memset(page, 0x55, PAGE_SIZE);
	top = (u64 *)attack_symbol("init_top_pgt");
	for (level = levels(); level > 1; level--) {
		u64 *entry = entry_at(top, (unsigned long)page, level);

		*entry |= USER;
		top = table_of(*entry);
	}
	changed = entry_at(top, (unsigned long)page, 1);
	original = *changed;
	*changed |= USER;
	flush(NULL);
	attack_log("what=user page=0x%lx", (unsigned long)page);
	return 0;
}

/* A table of small pages that is the large page of `entry`, with one page of it copied elsewhere. */
static u64 *split(u64 entry, unsigned long at)
{
	u64 *table = (u64 *)get_zeroed_page(GFP_KERNEL);
	u64 base = entry & FRAME & ~0x1fffffull, flags = entry & ~FRAME & ~LARGE;
	unsigned int i;

	page = (void *)__get_free_page(GFP_KERNEL);
	if (!table || !page)
		return NULL;
	for (i = 0; i < 512; i++)
		table[i] = (base + i * 4096ull) | flags;
	memcpy(page, (void *)(at & PAGE_MASK), PAGE_SIZE);
	*entry_at(table, at, 1) = __pa(page) | flags;
	return table;
}

/* Small pages already: a copy of their table. */
static u64 *copy_small(u64 entry, unsigned long at)
{
	u64 *table = (u64 *)__get_free_page(GFP_KERNEL), *small;

	page = (void *)__get_free_page(GFP_KERNEL);
	if (!table || !page)
		return NULL;
	memcpy(table, table_of(entry), PAGE_SIZE);
	memcpy(page, (void *)(at & PAGE_MASK), PAGE_SIZE);
	small = entry_at(table, at, 1);
	*small = __pa(page) | (*small & ~FRAME);
	return table;
}

static u64 remapped(u64 entry, unsigned long at)
{
	u64 *table = entry & LARGE ? split(entry, at) : copy_small(entry, at);

	copies[1] = table;
	return table ? __pa(table) | 0x63
		     : 0; /* as the kernel's own tables: present, writable, accessed, dirty */
}

static int move_frame(unsigned long at)
{
	u64 *table = (u64 *)attack_symbol("init_top_pgt"), *entry, new;
	unsigned int level;

	for (level = levels(); level > 2; level--)
		table = table_of(*entry_at(table, at, level));
	entry = entry_at(table, at, 2);
	new = remapped(*entry, at);
	if (!new)
		return -ENOMEM;
	changed = entry;
	original = *entry;
	WRITE_ONCE(*entry, new);
	on_each_cpu(flush, NULL, 1);
	attack_log("what=frame page=0x%lx value=0x%lx", at & PAGE_MASK, (unsigned long)__pa(page));
	return 0;
}

static int move_process(unsigned long at)
{
	struct task_struct *task;
	u64 *table, *entry, *top, new;
	unsigned int level;

	rcu_read_lock();
	task = pid_task(find_vpid(pid), PIDTYPE_PID);
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	mm = task ? get_task_mm(task) : NULL;
	if (!mm)
		return -ESRCH;
	top = (u64 *)mm->pgd;
	/* A copy of each table on the way, the lowest first known last. */
	table = table_of(*entry_at(top, at, levels()));
	for (level = levels() - 1; level >= 2; level--) {
		copies[level] = (void *)__get_free_page(GFP_KERNEL);
		if (!copies[level])
			return -ENOMEM;
		memcpy(copies[level], table, PAGE_SIZE);
		if (level > 2)
			table = table_of(*entry_at(table, at, level));
	}
	entry = entry_at(copies[2], at, 2);
	new = remapped(*entry, at);
	if (!new)
		return -ENOMEM;
	*entry = new;
	for (level = 3; level < levels(); level++) {
		entry = entry_at(copies[level], at, level);
		*entry = __pa(copies[level - 1]) | (*entry & ~FRAME);
	}
	changed = entry_at(top, at, levels());
	original = *changed;
	WRITE_ONCE(*changed, __pa(copies[levels() - 1]) | (original & ~FRAME));
	attack_log("what=process pid=%d page=0x%lx value=0x%lx", pid, at & PAGE_MASK,
		   (unsigned long)__pa(page));
	return 0;
}

static int __init attack_init(void)
{
	unsigned long text, constant;

	if (!attack_lookup())
		return -ENOENT;
	text = attack_symbol("emergency_restart");
	constant = attack_symbol("__start_rodata");
	if (!text || !constant)
		return -ENOENT;
	if (strcmp(what, "alias") == 0)
		return make_alias(text);
	if (strcmp(what, "constants") == 0)
		return make_alias(constant);
	if (strcmp(what, "user") == 0)
		return open_page();
	if (strcmp(what, "frame") == 0)
		return move_frame(text);
	return strcmp(what, "process") == 0 ? move_process(text) : -EINVAL;
}

static void __exit attack_exit(void)
{
	unsigned int i;

	if (changed)
		WRITE_ONCE(*changed, original);
	on_each_cpu(flush, NULL, 1);
	if (alias)
		vunmap(alias);
	if (mm)
		mmput(mm);
	if (strcmp(what, "user") == 0)
		vfree(page);
	else
		free_page((unsigned long)page);
	for (i = 0; i < LEVELS; i++)
		free_page((unsigned long)copies[i]);
}

module_init(attack_init);
module_exit(attack_exit);

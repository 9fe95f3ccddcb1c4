/* SPDX-License-Identifier: GPL-2.0-only */
/* What the test modules share: finding unexported symbols, writing read-only memory, and saying what was done.
 *
 * Each module does one thing that kernel malware does, in the smallest and most harmless form, and logs one line for the test
 * to compare with: "ksma-attack NAME key=value …", numbers in hexadecimal.
 */
#ifndef KSMA_ATTACK_H
#define KSMA_ATTACK_H

#include <linux/kallsyms.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <linux/vmalloc.h>

#define attack_log(fmt, ...) pr_info("ksma-attack %s " fmt "\n", KBUILD_MODNAME, ##__VA_ARGS__)

typedef unsigned long (*attack_lookup_fn)(const char *name);

/* kallsyms_lookup_name() is not exported; a kprobe is told its address. */
static inline attack_lookup_fn attack_lookup(void)
{
	static attack_lookup_fn lookup;
	struct kprobe probe = { .symbol_name = "kallsyms_lookup_name" };
	unsigned long at;

	if (lookup)
		return lookup;
	if (register_kprobe(&probe) < 0)
		return NULL;
	at = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	/* A kprobe at an entry lies behind the endbr64. */
	if (*(u32 *)(at - 4) == 0xfa1e0ff3)
		at -= 4;
	lookup = (attack_lookup_fn)at;
	return lookup;
}

static inline unsigned long attack_symbol(const char *name)
{
	attack_lookup_fn lookup = attack_lookup();
	unsigned long at = lookup ? lookup(name) : 0;

	if (!at)
		attack_log("failed=no-symbol symbol=%s", name);
	return at;
}

static inline struct page *attack_page(unsigned long at)
{
	if ((at >= VMALLOC_START && at < VMALLOC_END) || (at >= MODULES_VADDR && at < MODULES_END))
		return vmalloc_to_page((void *)at);
	return pfn_to_page(__pa(at) >> PAGE_SHIFT);
}

/* Writes where the kernel's own mapping does not let it, through a second mapping of the same pages. */
static inline int attack_write(void *to, const void *from, size_t len)
{
	unsigned long at = (unsigned long)to;
	struct page *pages[2] = { attack_page(at & PAGE_MASK),
				  attack_page((at + len - 1) & PAGE_MASK) };
	char *alias;

	if (len > PAGE_SIZE || !pages[0] || !pages[1])
		return -EFAULT;
	alias = vmap(pages, 2, VM_MAP, PAGE_KERNEL);
	if (!alias)
		return -ENOMEM;
	memcpy(alias + offset_in_page(at), from, len);
	vunmap(alias);
	return 0;
}

static inline int attack_write_ptr(void *to, unsigned long value)
{
	return attack_write(to, &value, sizeof(value));
}

/* The end of the function or table at `at`, as kallsyms has it. */
static inline unsigned long attack_size(unsigned long at)
{
	int (*size_offset)(unsigned long, unsigned long *, unsigned long *);
	unsigned long size, offset;

	size_offset = (void *)attack_symbol("kallsyms_lookup_size_offset");
	if (!size_offset || !size_offset(at, &size, &offset))
		return 0;
	return size;
}

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("kvm-sma: a harmless test of one technique");

#endif

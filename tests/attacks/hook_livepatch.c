// SPDX-License-Identifier: GPL-2.0-only
/* Replaces a function by a live patch (T1014): what is put in its place says the same as the function did. */
#include "attack.h"

#include <linux/livepatch.h>
#include <linux/seq_file.h>

static int shown(struct seq_file *m, void *v)
{
	seq_puts(m, "patched\n");
	return 0;
}

static struct klp_func funcs[] = { { .old_name = "cmdline_proc_show", .new_func = shown }, {} };
static struct klp_object objects[] = { { .funcs = funcs }, {} };
static struct klp_patch patch = { .mod = THIS_MODULE, .objs = objects };

static int __init attack_init(void)
{
	int status = klp_enable_patch(&patch);

	if (!status)
		attack_log("function=cmdline_proc_show value=0x%lx", (unsigned long)shown);
	return status;
}

static void __exit attack_exit(void)
{
}

module_init(attack_init);
module_exit(attack_exit);
MODULE_INFO(livepatch, "Y");

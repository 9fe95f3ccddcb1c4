// SPDX-License-Identifier: GPL-2.0-only
/* Points a gate of the interrupt descriptor table at a handler of its own, which goes on to the kernel's; undone at unload. */
#include "attack.h"

#include <asm/desc.h>

static int vector = 4;
module_param(vector, int, 0444);
MODULE_PARM_DESC(vector, "gate (4: overflow, which nothing raises)");

unsigned long idt_original;
void idt_hook(void);
asm(".pushsection .text, \"ax\"\n"
    ".globl idt_hook\n"
    "idt_hook:\n"
    "	.byte 0xf3, 0x0f, 0x1e, 0xfa\n" /* endbr64 */
    "	jmp *idt_original(%rip)\n"
    ".popsection\n");

static gate_desc *gate, saved;

static int __init attack_init(void)
{
	unsigned long at = attack_symbol("idt_table"), hook = (unsigned long)idt_hook;
	gate_desc changed;
	int error;

	if (!at)
		return -ENOENT;
	gate = (gate_desc *)at + vector;
	saved = *gate;
	idt_original = gate_offset(gate);
	changed = saved;
	changed.offset_low = (u16)hook;
	changed.offset_middle = (u16)(hook >> 16);
	changed.offset_high = (u32)(hook >> 32);
	error = attack_write(gate, &changed, sizeof(changed));
	if (!error)
		attack_log("vector=%d gate=0x%lx value=0x%lx original=0x%lx", vector,
			   (unsigned long)gate, hook, idt_original);
	return error;
}

static void __exit attack_exit(void)
{
	attack_write(gate, &saved, sizeof(saved));
	attack_log("restored gate=0x%lx", (unsigned long)gate);
}

module_init(attack_init);
module_exit(attack_exit);

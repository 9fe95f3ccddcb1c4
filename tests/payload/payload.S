/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest that knows itself: enters long mode with a page table of every kind of entry, and hands over to describe.c.
 *
 * It is a multiboot image of our own, so that a KVM that cannot boot a Linux kernel in useful time still shows that map,
 * registers, paging and discovery are right. Multiboot starts it in 32-bit mode without paging. */
#include "payload.h"

#define PHYSICAL(symbol) (symbol - IMAGE_OFFSET)

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_HAS_ADDRESSES 0x10000

#define CR0_PE (1 << 0)
#define CR0_WP (1 << 16)
#define CR0_PG (1 << 31)
#define CR4_PAE (1 << 5)
#define CR4_PGE (1 << 7)
#define MSR_EFER 0xc0000080
#define EFER_SCE (1 << 0)
#define EFER_LME (1 << 8)
#define EFER_NXE (1 << 11)

#define P 0x1
#define W 0x2
#define U 0x4
#define PS 0x80
#define G 0x100
#define NX 0x8000000000000000

	.section .multiboot, "ax"
	.balign 4
multiboot:
	.long MULTIBOOT_MAGIC
	.long MULTIBOOT_HAS_ADDRESSES
	.long -(MULTIBOOT_MAGIC + MULTIBOOT_HAS_ADDRESSES)
	.long PHYSICAL(multiboot)
	.long PHYSICAL(image_start)
	.long 0			/* loads the whole file */
	.long PHYSICAL(image_end)
	.long PHYSICAL(boot)

	.text
	.code32
	.globl boot
boot:
	movl $PHYSICAL(top_table), %eax
	movl %eax, %cr3
	movl $(CR4_PAE | CR4_PGE), %eax
	movl %eax, %cr4
	movl $MSR_EFER, %ecx
	rdmsr
	orl $(EFER_SCE | EFER_LME | EFER_NXE), %eax
	wrmsr
	movl %cr0, %eax
	orl $(CR0_PE | CR0_WP | CR0_PG), %eax
	movl %eax, %cr0
	lgdtl PHYSICAL(boot_gdtr)
	ljmpl $GDT_CODE, $PHYSICAL(long_mode)

	.code64
long_mode:
	movabsq $high_half, %rax
	jmpq *%rax
high_half:
	lgdt gdtr(%rip)
	movw $GDT_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	xorl %eax, %eax
	movw %ax, %fs
	movw %ax, %gs
	leaq stack_end(%rip), %rsp
	xorl %ebp, %ebp
	call describe
	jmp spin

/* Counts for ever, with every other register at a known value. */
	.globl spin
spin:
	movabsq $SPIN_RBX, %rbx
	movabsq $SPIN_RCX, %rcx
	movabsq $SPIN_RDX, %rdx
	movabsq $SPIN_RSI, %rsi
	movabsq $SPIN_RDI, %rdi
	movabsq $SPIN_RBP, %rbp
	movabsq $SPIN_R8, %r8
	movabsq $SPIN_R9, %r9
	movabsq $SPIN_R10, %r10
	movabsq $SPIN_R11, %r11
	movabsq $SPIN_R12, %r12
	movabsq $SPIN_R13, %r13
	movabsq $SPIN_R14, %r14
	movabsq $SPIN_R15, %r15
	.globl spin_loop, spin_end
spin_loop:
	incq counter(%rip)
	cmpl $0, gate_wanted(%rip)
	jne gate_loop
	movl $1000, %eax
1:	decl %eax
	jnz 1b
	jmp spin_loop
spin_end:

/* Calls a function that a guard may stand at, which begins as those of Linux do, and counts what came of it: its own 1, a guard's
 * -EACCES, or what nobody wanted. Entered when the host writes to gate_wanted. */
	.globl gate_loop, gate
gate_loop:
	xorl %eax, %eax
	call gate
	cmpq $1, %rax
	jne 2f
	incq gate_allowed(%rip)
	jmp 4f
2:	cmpq $-13, %rax
	jne 3f
	incq gate_denied(%rip)
	jmp 4f
3:	incq gate_other(%rip)
4:	cmpl $0, gate_wanted(%rip)
	jne gate_loop
	jmp spin_loop
	.balign 16
	.globl gate
gate:
	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00	/* what ftrace leaves at the start of a function */
	movl $1, %eax
	ret

/* Things that may fault. Each returns -1 when it did not, else the exception's vector. The handler comes back to label 9
 * with the stack as it was. */
	.macro guarded name:req, action:req
	.globl \name
\name:
	leaq 9f(%rip), %r11
	movq %r11, resume_rip(%rip)
	movq %rsp, resume_rsp(%rip)
	\action
	movq $0, resume_rip(%rip)
	movl $-1, %eax
	ret
9:	movl fault_vector(%rip), %eax
	ret
	.endm

	guarded try_read, "movq (%rdi), %rax"
	guarded try_write, "lock orb $0, (%rdi)"
	guarded try_call, "call *%rdi"
	/* int try_wrmsr(uint32_t msr, uint64_t value) */
	guarded try_wrmsr, "movl %edi, %ecx; movl %esi, %eax; movq %rsi, %rdx; shrq $32, %rdx; wrmsr"
	/* int try_rdmsr(uint32_t msr, uint64_t *ret_value) */
	guarded try_rdmsr, "movl %edi, %ecx; rdmsr; movl %eax, (%rsi); movl %edx, 4(%rsi)"

/* Where LSTAR and its kin point; nobody gets there. probe_return is the one that is called. */
	.balign 64
	.globl syscall_entry, syscall32_entry, sysenter_entry, probe_return
syscall_entry:
	hlt
	.balign 64
syscall32_entry:
	hlt
	.balign 64
sysenter_entry:
	hlt
	.balign 64
probe_return:
	ret

/* One stub a vector: they differ in whether the processor pushes an error code. */
	.balign 16
	.globl stubs
stubs:
	vector = 0
	.rept 32
	.balign 16
	.if (vector == 8) || (vector >= 10 && vector <= 14) || (vector == 17) || (vector == 21) || (vector == 29) || (vector == 30)
	.else
	pushq $0
	.endif
	pushq $vector
	jmp exception
	vector = vector + 1
	.endr

/* Stack: vector, error code, RIP, CS, RFLAGS, RSP, SS. */
exception:
	pushq %rax
	movl 8(%rsp), %eax
	movl %eax, fault_vector(%rip)
	movq resume_rip(%rip), %rax
	testq %rax, %rax
	jz 1f
	movq %rax, 24(%rsp)
	movq resume_rsp(%rip), %rax
	movq %rax, 48(%rsp)
	movq $0, resume_rip(%rip)
	popq %rax
	addq $16, %rsp
	iretq
1:	movq 24(%rsp), %rsi	/* not one of those that are expected */
	movl 8(%rsp), %edi
	movq %cr2, %rdx
	call unexpected
2:	hlt
	jmp 2b

	.data
	.balign 16
	.globl gdt, tss, tss_descriptor
gdt:
	.quad 0
	.quad 0x00af9a000000ffff
	.quad 0x00cf92000000ffff
tss_descriptor:
	.quad 0, 0
gdt_end:
gdtr:
	.word gdt_end - gdt - 1
	.quad gdt
boot_gdtr:
	.word gdt_end - gdt - 1
	.long PHYSICAL(gdt)

	.balign 16
tss:
	.long 0
	.quad stack_end
	.fill 92, 1, 0
	.globl counter, fault_vector, gate_wanted
	.balign 64
counter:
	.quad 0
	.balign 64
gate_wanted:
	.quad 0
gate_allowed:
	.quad 0
gate_denied:
	.quad 0
gate_other:
	.quad 0
resume_rip:
	.quad 0
resume_rsp:
	.quad 0
fault_vector:
	.quad 0

/* The page tables. Entries name the flags that count; accessed and dirty bits are the processor's to add. */
	.balign 4096
	.globl top_table
top_table:
	.quad PHYSICAL(low_pdpt) + P + W
	.fill 272, 8, 0
	.quad PHYSICAL(direct_pdpt) + P + W		/* 273: DIRECT_ADDRESS */
	.fill 128, 8, 0
	.quad PHYSICAL(scatter_pdpt) + P + W + U	/* 402: SCATTER_ADDRESS */
	.fill 65, 8, 0
	.quad OUTSIDE_TABLE + P + W			/* 468: OUTSIDE_ADDRESS */
	.fill 42, 8, 0
	.quad PHYSICAL(high_pdpt) + P + W		/* 511 */

low_pdpt:						/* virtual is physical, up to 64 MiB */
	.quad PHYSICAL(low_pd) + P + W
	.fill 511, 8, 0
low_pd:
	.quad PHYSICAL(low_pt) + P + W
	frame = 0x200000
	.rept 31
	.quad frame + P + W + PS
	frame = frame + 0x200000
	.endr
	.fill 480, 8, 0
low_pt:
	.quad 0						/* nothing at address 0 */
	frame = 0x1000
	.rept 511
	.quad frame + P + W
	frame = frame + 0x1000
	.endr

	.globl direct_entry
direct_pdpt:
direct_entry:
	.quad 0 + P + W + PS + G + NX			/* taken out where the processor has no such pages */
	.fill 511, 8, 0

scatter_pdpt:
	.quad PHYSICAL(scatter_pd) + P + W + U
	.fill 511, 8, 0
scatter_pd:
	.quad PHYSICAL(scatter_pt) + P + W + U
	.fill 511, 8, 0
scatter_pt:
	index = 0
	.rept 8
	.if index == SCATTER_USER
	.quad SCATTER_FRAME(index) + P + U + NX
	.else
	.quad SCATTER_FRAME(index) + P + W + NX
	.endif
	index = index + 1
	.endr
	.fill 504, 8, 0

high_pdpt:
	.fill 510, 8, 0
	.quad PHYSICAL(high_pd) + P + W			/* 510: 0xffffffff80000000 */
	.quad 0
high_pd:
	.fill 8, 8, 0
	.quad PHYSICAL(image_pt) + P + W		/* 8: IMAGE_ADDRESS */
	.fill 7, 8, 0
	.quad LARGE_NX_FRAME + P + W + PS + NX		/* 16: LARGE_NX_ADDRESS */
	.quad LARGE_RO_FRAME + P + PS			/* 17: LARGE_RO_ADDRESS */
	.quad 0						/* 18: ABSENT_LARGE_ADDRESS */
	.quad 0x1400000 + 0x2000 + P + PS		/* 19: RESERVED_ADDRESS */
	.fill 492, 8, 0
image_pt:
	frame = LOAD_ADDRESS
	.rept TEXT_PAGES
	.quad frame + P + G
	frame = frame + 0x1000
	.endr
	.rept RODATA_PAGES
	.quad frame + P + G + NX
	frame = frame + 0x1000
	.endr
	.rept DATA_PAGES
	.quad frame + P + W + G + NX
	frame = frame + 0x1000
	.endr
	.fill 512 - TEXT_PAGES - RODATA_PAGES - DATA_PAGES, 8, 0

	.bss
	.balign 4096
	.fill 16384, 1, 0
stack_end:

	.section .note.GNU-stack, "", @progbits

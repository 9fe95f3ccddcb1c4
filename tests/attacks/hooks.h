/* SPDX-License-Identifier: GPL-2.0-only */
/* What the modules that hook something share: code that belongs to nobody, and a word that is changed and put back. */
#ifndef KSMA_ATTACK_HOOKS_H
#define KSMA_ATTACK_HOOKS_H

#include "attack.h"

static char *what = "";
module_param(what, charp, 0444);
MODULE_PARM_DESC(what, "what is hooked: see the table in this file");
static char *code = "page";
module_param(code, charp, 0444);
MODULE_PARM_DESC(code,
		 "page: a function in a page that belongs to nobody; own: one of this module");

static void *code_page;

/* mov $RESULT,%eax; ret: a function of any type that returns a number. */
static inline void *hooks_page(int result)
{
	int (*set_x)(unsigned long at, int pages) = (void *)attack_symbol("set_memory_x");
	int (*set_ro)(unsigned long at, int pages) = (void *)attack_symbol("set_memory_ro");
	u8 bytes[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0xb8, 0, 0, 0, 0, 0xc3 };

	memcpy(bytes + 5, &result, 4);
	code_page = vmalloc(PAGE_SIZE);
	if (!set_x || !set_ro || !code_page || attack_write(code_page, bytes, sizeof(bytes)) < 0)
		return NULL;
	set_ro((unsigned long)code_page, 1);
	set_x((unsigned long)code_page, 1);
	return code_page;
}

static inline void hooks_page_free(void)
{
	int (*set_nx)(unsigned long at, int pages) = (void *)attack_symbol("set_memory_nx");
	int (*set_rw)(unsigned long at, int pages) = (void *)attack_symbol("set_memory_rw");

	if (!code_page)
		return;
	set_nx((unsigned long)code_page, 1);
	set_rw((unsigned long)code_page, 1);
	vfree(code_page);
}

static unsigned long *hooks_changed, hooks_original;

/* Changes one word, and remembers what was there. */
static inline int hooks_change(void *at, unsigned long value)
{
	int error;

	hooks_changed = at;
	hooks_original = *hooks_changed;
	error = attack_write_ptr(at, value);
	if (!error)
		attack_log("what=%s slot=0x%lx value=0x%lx original=0x%lx", what, (unsigned long)at,
			   value, hooks_original);
	else
		hooks_changed = NULL;
	return error;
}

static inline void hooks_restore(void)
{
	if (hooks_changed)
		attack_write_ptr(hooks_changed, hooks_original);
}

/* One thing that can be hooked. */
struct hooks_case {
	const char *what;
	int (*set)(void *function);
	void (*undo)(void); /* or NULL: the word that was changed is put back */
	int result;	    /* of the function in the page */
};

#endif

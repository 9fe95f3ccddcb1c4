/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is the kernel's log what the kernel wrote? The ring has rules that only printk keeps, a record is never changed once it is closed, and
 * some of what happened has to stand in it. */
#include "checks/log.h"

#include <inttypes.h>
#include <sys/random.h>

#include "base/bytes.h"
#include "checks/check.h"
#include "checks/owners.h"
#include "checks/settings.h"
#include "linux/module_symbols.h"

enum {
	MAX_FLAWS = 16,	   /* that are told one by one */
	PERSIST_MS = 2000, /* a processor of the guest that lost its turn while it wrote a record */
	SETTLE_LOOKS = 3,
	PRINT_BITS_MAX = 20, /* a million places are remembered, 16 MiB */
	NO_PANIC = -1,	     /* PANIC_CPU_INVALID */
};

#define HASH_PRIME ((1ull << 61) - 1)

/* What a closed record was. */
struct print {
	uint64_t id, hash; /* hash 0: not seen yet */
};

/* What is remembered of this boot's log. */
struct history {
	struct print *prints; /* one for each place */
	uint64_t ring, places;
	uint64_t key; /* of the hash: the guest does not know it */
};

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	struct ksma_log_ring ring;
	struct ksma_budget budget;
	struct history *history;
	char *text;
	uint64_t taints; /* that lines of the log speak of */
	unsigned flaws, torn;
	bool complete; /* the first record is still there */
};

static void history_destroy(void *data)
{
	struct history *history = data;

	free(history->prints);
	free(history);
}

static struct ksma_error *remember(struct survey *s)
{
	struct ksma_memory *memory = &s->kernel->memories[KSMA_MEMORY_OF_LOG];

	if (!memory->data) {
		struct history *history = calloc(1, sizeof(*history));

		if (!history)
			return ksma_error_nomem();
		*memory = (struct ksma_memory){ history, history_destroy };
		if (getrandom(&history->key, sizeof(history->key), 0) != sizeof(history->key))
			history->key = ksma_now_ns();
		history->key = history->key % HASH_PRIME | 1;
	}
	s->history = memory->data;
	if (s->history->ring == s->ring.address && s->history->places == 1ull << s->ring.count_bits)
		return NULL;
	free(s->history->prints);
	s->history->prints = NULL;
	s->history->ring = s->ring.address;
	s->history->places = 1ull << s->ring.count_bits;
	if (s->ring.count_bits > PRINT_BITS_MAX) {
		ksma_coverage_gap(
			s->look->coverage, KSMA_COVERAGE_PARTIAL,
			"the kernel log has more places than are remembered from look to look");
		return NULL;
	}
	s->history->prints = calloc(s->history->places, sizeof(*s->history->prints));
	return s->history->prints ? NULL : ksma_error_nomem();
}

static uint64_t mix(uint64_t hash, uint64_t key, uint64_t value)
{
	return (uint64_t)(((unsigned __int128)hash * key + value) % HASH_PRIME);
}

static uint64_t hash_record(const struct survey *s, const struct ksma_log_info *info)
{
	uint64_t key = s->history->key, hash = mix(1, key, info->text_length);

	hash = mix(hash, key, info->time_ns & UINT32_MAX);
	hash = mix(hash, key, info->time_ns >> 32);
	hash = mix(hash, key, (uint64_t)info->facility << 8 | info->level);
	for (size_t i = 0; i < info->text_length; i += 4) {
		size_t left = info->text_length - i;
		uint32_t piece = 0;

		memcpy(&piece, s->text + i, left < 4 ? left : 4);
		hash = mix(hash, key, piece);
	}
	return hash ?: 1;
}

/* A closed record that is not what it was. The first look at it is the one that counts. */
static bool was_rewritten(struct survey *s, uint64_t id, const struct ksma_log_info *info)
{
	struct print *print;
	uint64_t hash;

	if (!s->history->prints)
		return false;
	print = &s->history->prints[ksma_log_slot(&s->ring, id)];
	hash = hash_record(s, info);
	if (print->id == id && print->hash)
		return print->hash != hash;
	*print = (struct print){ id, hash };
	return false;
}

static struct ksma_error *report(struct survey *s, enum ksma_log_flaw flaw, uint64_t id,
				 const struct ksma_log_descriptor *descriptor,
				 const struct ksma_log_info *info)
{
	static const char *const titles[] = {
		[KSMA_LOG_LEFT_OUT] = "a record lies outside of what readers of the log are shown",
		[KSMA_LOG_NO_RECORD] = "a record was taken out of the log",
		[KSMA_LOG_OPEN] =
			"a record that is never finished keeps readers from all newer ones",
		[KSMA_LOG_SEQUENCE] = "a record has the number of another one",
		[KSMA_LOG_MISPLACED] = "a record points to text that is not its own",
		[KSMA_LOG_CUT] = "most of a record's text was cut off",
		[KSMA_LOG_BLANK] = "the text of a record was wiped",
		[KSMA_LOG_ORPHAN] =
			"the text of a record is there, and the record that it belonged to is not",
		[KSMA_LOG_REWRITTEN] = "a record was changed after it was written",
	};
	/* The place of a record that is left out was counted from the tail on. */
	uint64_t number =
		ksma_log_number(&s->ring, flaw == KSMA_LOG_LEFT_OUT
						  ? descriptor->state_var & KSMA_LOG_ID_MASK
						  : id);
	struct ksma_finding *finding;

	if (s->flaws++ >= MAX_FLAWS)
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_HIGH, &finding, "%s/%" PRIu64,
				  ksma_log_flaw_name(flaw), number));
	finding->persist_ms = flaw == KSMA_LOG_REWRITTEN || flaw == KSMA_LOG_BLANK ? 0 : PERSIST_MS;
	KSMA_TRY(ksma_finding_title(finding, "%s", titles[flaw]));
	KSMA_TRY(ksma_finding_number(finding, "record", number));
	KSMA_TRY(ksma_finding_address(s->look, finding, "descriptor",
				      s->ring.descriptors + ksma_log_slot(&s->ring, id) *
								    s->kernel->size.prb_desc));
	KSMA_TRY(ksma_finding_text(finding, "state", "%u",
				   (unsigned)(descriptor->state_var >> KSMA_LOG_STATE_SHIFT)));
	if (flaw == KSMA_LOG_SEQUENCE)
		KSMA_TRY(ksma_finding_number(finding, "found", info->sequence));
	if (flaw == KSMA_LOG_CUT)
		KSMA_TRY(ksma_finding_number(finding, "length", info->text_length));
	return NULL;
}

/* Looks again at once, with the head and the tail of now: most of what is odd is a record that is just being written. */
static enum ksma_log_flaw judge(struct survey *s, uint64_t id,
				struct ksma_log_descriptor *descriptor, struct ksma_log_info *info)
{
	enum ksma_log_flaw flaw = ksma_log_judge(&s->ring, id, descriptor, info, s->text);

	for (unsigned i = 0; i < SETTLE_LOOKS && flaw != KSMA_LOG_SOUND; i++) {
		struct ksma_error *error = ksma_log_ring_open(s->kernel, &s->ring);

		if (error) {
			ksma_error_destroy(error);
			return KSMA_LOG_TORN;
		}
		flaw = ksma_log_judge(&s->ring, id, descriptor, info, s->text);
	}
	return flaw;
}

static struct ksma_error *check_place(struct survey *s, uint64_t id)
{
	struct ksma_log_descriptor descriptor = { 0 };
	struct ksma_log_info info;
	enum ksma_log_flaw flaw = judge(s, id, &descriptor, &info);
	int taint;

	if (flaw == KSMA_LOG_TORN) {
		s->torn++;
		return NULL;
	}
	if (flaw != KSMA_LOG_SOUND)
		return report(s, flaw, id, &descriptor, &info);
	if (descriptor.state_var >> KSMA_LOG_STATE_SHIFT != KSMA_LOG_FINALIZED ||
	    (descriptor.begin | descriptor.next) & KSMA_LOG_DATALESS)
		return NULL;
	if (info.sequence == 0)
		s->complete = true;
	taint = info.facility == 0 ? ksma_log_taint(s->text, info.text_length) : -1;
	if (taint >= 0)
		s->taints |= 1ull << taint;
	if (was_rewritten(s, id, &info))
		return report(s, KSMA_LOG_REWRITTEN, id, &descriptor, &info);
	return NULL;
}

static struct ksma_error *check_texts(struct survey *s)
{
	uint64_t id = 0, position = 0, again = 0;
	struct ksma_log_descriptor descriptor;
	enum ksma_log_flaw flaw = KSMA_LOG_TORN;

	if (s->kernel->off.prb_data_ring__head_lpos == KSMA_NO_MEMBER ||
	    s->kernel->off.prb_data_ring__tail_lpos == KSMA_NO_MEMBER)
		return NULL;
	for (unsigned i = 0; i < SETTLE_LOOKS && flaw != KSMA_LOG_SOUND; i++) {
		KSMA_TRY(ksma_log_ring_open(s->kernel, &s->ring));
		flaw = ksma_log_follow(&s->ring, &s->budget, &id, &position);
		/* A block that is begun has its owner's id a moment later; the same place again is none of these. */
		if (flaw == KSMA_LOG_ORPHAN && position != again)
			again = position;
	}
	if (flaw == KSMA_LOG_TORN)
		s->torn++;
	if (flaw != KSMA_LOG_ORPHAN || position != again)
		return NULL;
	if (!ksma_log_descriptor_read(&s->ring, id, &descriptor))
		return NULL;
	return report(s, flaw, id & KSMA_LOG_ID_MASK, &descriptor, &(struct ksma_log_info){ 0 });
}

/* `prb` leads to one of two rings; a third one is somebody's stage. */
static struct ksma_error *check_ring(struct survey *s)
{
	uint64_t fixed = ksma_kernel_symbol(s->kernel, "printk_rb_static"),
		 sized = ksma_kernel_symbol(s->kernel, "printk_rb_dynamic");
	struct ksma_finding *finding;

	if (!fixed || !sized || s->ring.address == fixed || s->ring.address == sized)
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "ring"));
	KSMA_TRY(ksma_finding_title(finding, "the kernel was given another log to write and show"));
	KSMA_TRY(ksma_finding_address(s->look, finding, "found", s->ring.address));
	return ksma_finding_address(s->look, finding, "expected", sized);
}

/* Lines say which taints there have to be, and taints of modules which lines, as long as the log still has its first record. */
static struct ksma_error *check_taints(struct survey *s)
{
	uint64_t at = ksma_kernel_symbol(s->kernel, "tainted_mask"), mask, need = 0;
	const struct ksma_modules *list;
	struct ksma_finding *finding;
	char letters[65];

	KSMA_TRY(ksma_module_symbols_update(s->kernel, s->look->coverage, &list));
	for (size_t i = 0; i < list->count; i++)
		need |= list->items[i].taints & (1u << 12 | 1u << 13 | 1u << 15);
	if (at && ksma_kernel_u64(s->kernel, at, &mask) && s->taints & ~mask) {
		KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_HIGH, &finding, "tainted_mask"));
		finding->persist_ms = PERSIST_MS; /* the line comes before the mark */
		KSMA_TRY(ksma_finding_title(
			finding, "the log tells of taints that the kernel does not have any more"));
		KSMA_TRY(ksma_finding_address(s->look, finding, "slot", at));
		KSMA_TRY(ksma_finding_text(finding, "missing", "%s",
					   ksma_taint_letters(s->taints & ~mask, letters)));
	}
	if (!s->complete || s->torn || !(need & ~s->taints))
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_MEDIUM, &finding, "lines"));
	finding->persist_ms = PERSIST_MS;
	KSMA_TRY(ksma_finding_title(finding,
				    "modules tainted the kernel, and the lines that said so were "
				    "taken out of the log"));
	KSMA_TRY(ksma_finding_text(finding, "missing", "%s",
				   ksma_taint_letters(need & ~s->taints, letters)));
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].taints & need & ~s->taints)
			KSMA_TRY(ksma_finding_text(finding, "module", "%s", list->items[i].name));
	return NULL;
}

/* Nothing is kept of what is printed while suppress_printk is set, which panic() does when it has said its last word. */
static struct ksma_error *check_silence(struct survey *s)
{
	uint64_t at = ksma_kernel_symbol(s->kernel, "suppress_printk"),
		 panic_at = ksma_kernel_symbol(s->kernel, "panic_cpu");
	struct ksma_finding *finding;
	uint32_t silent, panic;

	if (!at || !panic_at || !ksma_kernel_u32(s->kernel, at, &silent) || !silent ||
	    !ksma_kernel_u32(s->kernel, panic_at, &panic) || (int32_t)panic != NO_PANIC)
		return NULL;
	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_HIGH, &finding, "suppress_printk"));
	KSMA_TRY(ksma_finding_title(finding, "the kernel was told to log nothing"));
	KSMA_TRY(ksma_finding_address(s->look, finding, "slot", at));
	return ksma_finding_number(finding, "found", silent);
}

static struct ksma_error *survey(struct survey *s)
{
	uint64_t first;

	KSMA_TRY(ksma_log_ring_open(s->kernel, &s->ring));
	KSMA_TRY(check_silence(s));
	KSMA_TRY(check_ring(s));
	KSMA_TRY(remember(s));
	first = s->ring.tail;
	for (uint64_t i = 0; i < 1ull << s->ring.count_bits; i++) {
		if (!ksma_budget_spend(&s->budget))
			return ksma_budget_error("kernel log");
		KSMA_TRY(check_place(s, (first + i) & KSMA_LOG_ID_MASK));
	}
	KSMA_TRY(check_texts(s));
	KSMA_TRY(check_taints(s));
	if (s->torn)
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "parts of the kernel log changed while they were read");
	if (s->flaws > MAX_FLAWS)
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "%u more records of the log are damaged", s->flaws - MAX_FLAWS);
	return NULL;
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look,
			    .kernel = look->kernel,
			    .budget = ksma_budget_default(),
			    .text = malloc(KSMA_LOG_TEXT_MAX) };
	struct ksma_error *error = s.text ? survey(&s) : ksma_error_nomem();

	free(s.text);
	return error;
}

const struct ksma_check ksma_check_log = {
	.info = {
		.name = "log",
		.title = "The kernel's log",
		.attack = "T1070.002",
		.needs = "memory",
		.structures = "prb: descriptors, infos and blocks of text of the printk ring, its heads and tails; suppress_printk, tainted_mask, taints of modules",
		.why = "What betrays a rootkit is often one line of the log: that an unsigned module was loaded, or that the kernel oopsed. Whoever can write "
		       "kernel memory takes it out, or has readers stop before it.",
		.cost = "0.5 ms",
		.false_alarms = "A log that wrapped around has lost its oldest records honestly, and nothing is said of these. Lines of a module are missed when "
				"root had set the same taint by /proc/sys/kernel/tainted before: reported as medium. dmesg --clear takes nothing out of the ring.",
		.todo = "Read the log from outside (ksma dmesg), and compare it with what journald or a serial console kept; what is missing there was hidden.",
	},
	.run = run,
};

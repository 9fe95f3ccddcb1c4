/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guard at work: it stands at a few places in the guest's kernel, asks what each file is, and lets pass or refuses. */
#include "guard/engine.h"

#include <errno.h>

#include "guard/attach.h"
#include "guard/memory_file.h"
#include "vendor/digest.h"

enum {
	KEEPER_SLACK_MS =
		10000, /* a stop that takes so much longer than a decision may: the guard hangs */
	WAIT_MS = 100, /* between looks at the keeper and the monitor */
	PAUSE_STEP_MS = 5,     /* the same, while somebody else's pause may be a short one */
	PAUSE_SHORT_MS = 1000, /* which it may be for so long */
	WINDOW_MS = 2000,      /* over which the governor measures */
	SIGNAL_BREAKPOINT = 5,
};

struct ksma_engine {
	struct ksma_engine_setup setup;
	struct ksma_attachment attachment;
	struct ksma_sha256 *sha256;
	struct ksma_kernel *kernel;
	struct ksma_decider *decider;
	struct ksma_sites sites;
	bool armed, standing;		       /* breakpoints are set; the guest stands */
	uint64_t paused_ns;		       /* when somebody paused it last */
	uint64_t window_ns, window_stopped_ns; /* the governor's: since when, and how much */
	bool stepped_down;
	bool distrusts; /* no manifest is to be believed any more */
	struct ksma_engine_counts counts;
	struct ksma_decision decision; /* large */
};

static struct ksma_gdb *gdb_of(const struct ksma_engine *engine)
{
	return engine->attachment.gdb;
}

static void tell(struct ksma_engine *engine, const char *event, const char *message)
{
	if (engine->setup.on_event)
		engine->setup.on_event(engine->setup.arg, event, message);
}

static void set_paused(struct ksma_engine *engine, bool paused)
{
	if (paused)
		engine->paused_ns = ksma_now_ns();
	engine->attachment.paused = paused;
	ksma_keeper_paused(engine->attachment.keeper, paused);
}

struct ksma_error *ksma_engine_create(const struct ksma_engine_setup *setup,
				      struct ksma_engine **ret_engine)
{
	struct ksma_engine *engine = calloc(1, sizeof(*engine));
	struct ksma_error *error;

	if (!engine)
		return ksma_error_nomem();
	engine->setup = *setup;
	error = ksma_sha256_create(&engine->sha256);
	if (!error)
		error = ksma_attach(setup->guest, setup->limit_ms + KEEPER_SLACK_MS,
				    setup->from_start, &engine->attachment);
	if (error) {
		ksma_sha256_destroy(engine->sha256);
		free(engine);
		return error;
	}
	engine->standing = true;
	*ret_engine = engine;
	return NULL;
}

void ksma_engine_destroy(struct ksma_engine *engine)
{
	if (!engine)
		return;
	ksma_attachment_end(&engine->attachment);
	ksma_sha256_destroy(engine->sha256);
	free(engine);
}

void ksma_engine_trust(struct ksma_engine *engine, struct ksma_manifest *manifest)
{
	engine->setup.manifest = manifest;
	engine->distrusts = !manifest;
}

const struct ksma_sites *ksma_engine_sites(const struct ksma_engine *engine)
{
	return &engine->sites;
}

const struct ksma_engine_counts *ksma_engine_counts(const struct ksma_engine *engine)
{
	return &engine->counts;
}

static struct ksma_error *set_breakpoints(struct ksma_engine *engine, bool set)
{
	uint64_t addresses[KSMA_GDB_BREAKPOINTS];

	for (size_t i = 0; i < engine->sites.count; i++)
		addresses[i] = engine->sites.items[i].address;
	return ksma_gdb_break(gdb_of(engine), addresses, engine->sites.count, set);
}

struct ksma_error *ksma_engine_arm(struct ksma_engine *engine, struct ksma_kernel *kernel,
				   struct ksma_decider *decider)
{
	struct ksma_sites sites;

	KSMA_TRY(ksma_sites_plan(kernel, ksma_policy_hooks(engine->setup.policy), &sites));
	KSMA_TRY(ksma_engine_disarm(engine));
	engine->sites = sites;
	engine->kernel = kernel;
	engine->decider = decider;
	engine->stepped_down = false;
	KSMA_TRY(set_breakpoints(engine, true));
	engine->armed = true;
	engine->window_ns = ksma_now_ns();
	engine->window_stopped_ns = 0;
	return NULL;
}

struct ksma_error *ksma_engine_disarm(struct ksma_engine *engine)
{
	if (engine->armed)
		KSMA_TRY(set_breakpoints(engine, false));
	engine->armed = false;
	engine->sites.count = 0;
	engine->kernel = NULL;
	engine->decider = NULL;
	return NULL;
}

struct ksma_error *ksma_engine_resume(struct ksma_engine *engine)
{
	if (!engine->standing || engine->attachment.paused)
		return NULL;
	KSMA_TRY(ksma_gdb_resume(gdb_of(engine), 1, NULL, 0));
	engine->standing = false;
	ksma_keeper_beat(engine->attachment.keeper, false);
	return NULL;
}

struct ksma_error *ksma_engine_pause(struct ksma_engine *engine)
{
	struct ksma_rsp_stop stop;

	if (engine->standing)
		return NULL;
	ksma_keeper_beat(engine->attachment.keeper, true);
	KSMA_TRY(ksma_gdb_interrupt(gdb_of(engine), &stop));
	engine->standing = true;
	return NULL;
}

/* The answer to one stop, as the mode has it. */
static enum ksma_guard_decided judge(struct ksma_engine *engine, const struct ksma_stop *stop)
{
	struct ksma_question question = { .func = stop->func, .mask = stop->mask };
	const struct ksma_memory_judge memory = { engine->kernel, engine->setup.policy,
						  engine->setup.manifest, engine->distrusts,
						  engine->sha256 };
	struct ksma_decision *d = &engine->decision;
	bool refuse;

	question.task = stop->actor.task;
	question.cred = stop->actor.cred;
	question.new_cred = stop->new_cred;
	question.requested = stop->func == KSMA_FUNC_MMAP_CHECK;
	question.deadline_ns = ksma_now_ns() + engine->setup.limit_ms * UINT64_C(1000000);
	if (stop->file) {
		/* What cannot be read of it is part of the answer. */
		if (!ksma_question_of_file(engine->decider, stop->file, &question))
			question.place = (struct ksma_place){ 0 };
		ksma_decide(engine->decider, &question, d);
	}
	if (stop->buffer || !stop->file)
		ksma_memory_file_judge(&memory, stop, d);
	engine->counts.appraised += d->appraised;
	refuse = d->outcome == KSMA_OUTCOME_DENY ||
		 (d->outcome == KSMA_OUTCOME_UNDECIDED && engine->setup.fail_closed);
	engine->counts.undecided += d->outcome == KSMA_OUTCOME_UNDECIDED;
	if (refuse && engine->setup.enforce)
		return KSMA_GUARD_DENY;
	return d->outcome == KSMA_OUTCOME_ALLOW ? KSMA_GUARD_ALLOW : KSMA_GUARD_LOG;
}

/* Refuses: at a call by not making it, at a function's start by returning at once. *ret_count 0: its return address cannot be read */
static void refuse(struct ksma_engine *engine, const struct ksma_site *site,
		   const struct ksma_gdb_registers *r, struct ksma_gdb_change *changes,
		   size_t *ret_count)
{
	uint64_t to = r->value[KSMA_RSP_RIP] + 5, rsp = r->value[KSMA_RSP_RSP];

	if (!ksma_site_is_call(site)) {
		if (!ksma_kernel_u64(engine->kernel, rsp, &to) ||
		    !ksma_kernel_is_text(engine->kernel, to)) {
			*ret_count = 0;
			return;
		}
		changes[(*ret_count)++] = (struct ksma_gdb_change){ KSMA_RSP_RSP, rsp + 8 };
	}
	changes[(*ret_count)++] = (struct ksma_gdb_change){ KSMA_RSP_RAX, (uint64_t)-EACCES };
	changes[(*ret_count)++] = (struct ksma_gdb_change){ KSMA_RSP_RIP, to };
}

/* Goes on from a place as the guest would have. */
static struct ksma_error *pass(struct ksma_engine *engine, struct ksma_site *site,
			       const struct ksma_gdb_registers *r, struct ksma_gdb_change *changes,
			       size_t *ret_count)
{
	struct ksma_rsp_stop stop;
	unsigned length;

	switch (ksma_site_passing(engine->kernel, site, &length)) {
	case KSMA_PASS_ZERO:
		changes[(*ret_count)++] = (struct ksma_gdb_change){ KSMA_RSP_RAX, 0 };
		changes[(*ret_count)++] =
			(struct ksma_gdb_change){ KSMA_RSP_RIP, site->address + length };
		return NULL;
	case KSMA_PASS_NOP:
		changes[(*ret_count)++] =
			(struct ksma_gdb_change){ KSMA_RSP_RIP, site->address + length };
		return NULL;
	case KSMA_PASS_STEP:
		break;
	}
	site->steps++;
	KSMA_TRY(ksma_gdb_step(gdb_of(engine), r->thread, site->address, &stop));
	if (stop.signal != SIGNAL_BREAKPOINT)
		set_paused(engine, true);
	return NULL;
}

static void count_stop(struct ksma_engine *engine, const struct ksma_stop *stop, uint64_t cost)
{
	engine->counts.stopped_ns += cost;
	engine->window_stopped_ns += cost;
	if (stop->asks && engine->decision.appraised)
		engine->counts
			.stops_ns[engine->counts.timed++ % ARRAY_SIZE(engine->counts.stops_ns)] =
			cost;
}

/* One vCPU that stands at one of our places. */
static struct ksma_error *serve_site(struct ksma_engine *engine, struct ksma_site *site,
				     const struct ksma_gdb_registers *r, uint64_t start)
{
	enum ksma_guard_decided decided = KSMA_GUARD_ALLOW;
	struct ksma_gdb_change changes[3];
	struct ksma_stop stop;
	size_t count = 0;

	site->stops++;
	engine->counts.stops++;
	ksma_stop_read(engine->kernel, site, r, &stop);
	engine->decision.appraised = false;
	if (stop.asks)
		decided = judge(engine, &stop);
	if (decided == KSMA_GUARD_DENY) {
		refuse(engine, site, r, changes, &count);
		if (count == 0)
			decided = KSMA_GUARD_LOG;
	}
	engine->counts.denied += decided == KSMA_GUARD_DENY;
	if (count == 0)
		KSMA_TRY(pass(engine, site, r, changes, &count));
	if (!engine->attachment.paused) {
		KSMA_TRY(ksma_gdb_resume(gdb_of(engine), r->thread, changes, count));
		engine->standing = false;
		ksma_keeper_beat(engine->attachment.keeper, false);
	}
	count_stop(engine, &stop, ksma_now_ns() - start);
	if (stop.asks && engine->decision.appraised) {
		const struct ksma_guard_record record = { .site = site,
							  .stop = &stop,
							  .decision = &engine->decision,
							  .decided = decided,
							  .cost_ns = ksma_now_ns() - start };

		engine->setup.on_decision(engine->setup.arg, &record);
	}
	return NULL;
}

static struct ksma_site *site_at(struct ksma_engine *engine, uint64_t rip)
{
	for (size_t i = 0; i < engine->sites.count; i++)
		if (engine->sites.items[i].address == rip)
			return &engine->sites.items[i];
	return NULL;
}

/* All vCPUs stand: what is read now is true until we let them go. */
static struct ksma_error *look_afresh(struct ksma_engine *engine)
{
	if (engine->setup.guest->info.access == KSMA_RAM_COPIED)
		return ksma_guest_refresh(engine->setup.guest);
	ksma_space_flush(&engine->kernel->space);
	return NULL;
}

/* The guest stopped. Several vCPUs may have come to a place at once: QEMU tells of one, and the others come to it again when they run. */
static struct ksma_error *serve_stop(struct ksma_engine *engine, const struct ksma_rsp_stop *told,
				     uint64_t start)
{
	struct ksma_gdb_registers registers;
	struct ksma_site *site;

	if (told->signal != SIGNAL_BREAKPOINT) {
		set_paused(engine, true);
		tell(engine, "paused", "somebody paused the guest; the guard waits until it runs");
		return NULL;
	}
	if (engine->attachment.paused)
		set_paused(engine, false);
	KSMA_TRY(ksma_gdb_read(gdb_of(engine), told->thread ? told->thread : 1, &registers));
	site = engine->armed ? site_at(engine, registers.value[KSMA_RSP_RIP]) : NULL;
	if (!site) {
		engine->counts.odd++;
		return ksma_engine_resume(engine);
	}
	KSMA_TRY(look_afresh(engine));
	return serve_site(engine, site, &registers, start);
}

/* Somebody let the guest run that had paused it. Since 8.1 QEMU tells of no stop unless it was us who let the guest run: so we stop it for a moment, and
 * do. A breakpoint that it came to in between, and stands at, is come to again. */
static struct ksma_error *take_up(struct ksma_engine *engine)
{
	bool told;

	KSMA_TRY(ksma_gdb_poll(gdb_of(engine), 0, &told));
	engine->standing = false;
	ksma_keeper_beat(engine->attachment.keeper, false);
	set_paused(engine, false);
	tell(engine, "resumed", "the guest runs again");
	if (told)
		return NULL;
	KSMA_TRY(ksma_engine_pause(engine));
	return ksma_engine_resume(engine);
}

/* The keeper is there, and so is a guest that somebody paused and let run again, of which QEMU tells its monitor only. */
static struct ksma_error *look_around(struct ksma_engine *engine)
{
	if (!ksma_keeper_is_alive(engine->attachment.keeper)) {
		tell(engine, "keeper", "the keeper was ended by somebody; there is a new one");
		KSMA_TRY(ksma_attachment_keep(&engine->attachment, engine->standing));
	}
	if (engine->attachment.paused) {
		_cleanup_(ksma_gdb_server_deinit) struct ksma_gdb_server server = { 0 };

		KSMA_TRY(ksma_gdb_server_find(engine->attachment.monitor, &server));
		ksma_monitor_rest(engine->attachment.monitor);
		if (strcmp(server.status, "running") == 0 || strcmp(server.status, "debug") == 0)
			KSMA_TRY(take_up(engine));
	}
	return NULL;
}

/* Gives up the rules about opened files when the guest stands still for too much of its time, and says so. */
static struct ksma_error *govern(struct ksma_engine *engine)
{
	uint64_t now = ksma_now_ns(), window = now - engine->window_ns;
	uint64_t share;
	char text[160];

	if (window < WINDOW_MS * UINT64_C(1000000))
		return NULL;
	share = engine->window_stopped_ns * 1000 / (window / 1000);
	engine->window_ns = now;
	engine->window_stopped_ns = 0;
	if (share <= engine->setup.share_millionths || engine->stepped_down ||
	    !(engine->sites.covered & KSMA_HOOK_OPEN) || engine->sites.count < 2)
		return NULL;
	KSMA_TRY(ksma_engine_pause(engine));
	KSMA_TRY(set_breakpoints(engine, false));
	for (size_t i = 0; i < engine->sites.count; i++)
		if (engine->sites.items[i].hook == KSMA_HOOK_OPEN)
			engine->sites.items[i] = engine->sites.items[--engine->sites.count];
	engine->sites.covered &= ~(unsigned)KSMA_HOOK_OPEN;
	engine->sites.left_out |= KSMA_HOOK_OPEN;
	engine->stepped_down = true;
	KSMA_TRY(set_breakpoints(engine, true));
	snprintf(
		text, sizeof(text),
		"the guest stood still for %llu.%llu%% of its time: rules about opened files are no "
		"longer looked at",
		(unsigned long long)share / 10000, (unsigned long long)share / 1000 % 10);
	tell(engine, "stepped-down", text);
	return ksma_engine_resume(engine);
}

/* A guest that is let run again waits at its next breakpoint until that is seen, so it is looked for often at first. */
static unsigned look_every_ms(const struct ksma_engine *engine)
{
	uint64_t limit = PAUSE_SHORT_MS * UINT64_C(1000000);

	return engine->attachment.paused && ksma_now_ns() - engine->paused_ns < limit
		       ? PAUSE_STEP_MS
		       : WAIT_MS;
}

struct ksma_error *ksma_engine_serve(struct ksma_engine *engine, unsigned ms, bool first,
				     bool *ret_stopped)
{
	uint64_t until = ksma_now_ns() + ms * UINT64_C(1000000), looked = 0;

	*ret_stopped = false;
	do {
		uint64_t now = ksma_now_ns();
		struct ksma_rsp_stop stop;
		unsigned left = now < until ? (unsigned)((until - now) / 1000000) : 0;
		unsigned every = look_every_ms(engine);
		uint64_t start;
		bool ready;

		if (now - looked > every * UINT64_C(1000000)) {
			looked = now;
			KSMA_TRY(look_around(engine));
			KSMA_TRY(govern(engine));
		}
		KSMA_TRY(ksma_gdb_poll(gdb_of(engine), (int)(left < every ? left : every), &ready));
		if (!ready)
			continue;
		start = ksma_now_ns();
		ksma_keeper_beat(engine->attachment.keeper, true);
		KSMA_TRY(ksma_gdb_wait(gdb_of(engine), 0, &stop));
		if (stop.kind != KSMA_RSP_STOPPED) {
			ksma_keeper_beat(engine->attachment.keeper, engine->standing);
			continue;
		}
		engine->standing = true;
		if (first && stop.signal == SIGNAL_BREAKPOINT) {
			*ret_stopped = true;
			return NULL;
		}
		KSMA_TRY(serve_stop(engine, &stop, start));
	} while (ksma_now_ns() < until);
	return NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs checks: a first look, and a second one at whatever the first one found or could not read, because a living kernel is
 * sometimes caught between two states. */
#include <errno.h>
#include <inttypes.h>
#include <time.h>

#include "checks/check.h"
#include "checks/owners.h"
#include "checks/pages.h"
#include "checks/reference.h"
#include "guest/guest.h"

enum {
	STOPPED_MS = 2500,
	LONGEST_MS = 30000,
	DEFAULT_CONFIRM_MS = 20,
	MAX_WAIT_MS = 250,
	TIME_LIMIT_MS = 12000,
	HELD = 16 << 20,
	HELD_WITHIN = 32 << 20, /* one check */
	SAME_LOOKS = 6,
	LIFE_WAIT_MS = 20,
	QUIET_MS =
		1000, /* a guest that takes less than 2 % of a processor for so long writes over nothing */
	QUIET_CPU_MS = QUIET_MS / 50,
	LIFE_LIMIT_MS = 12000, /* memory is searched for another kernel before that, see pulse.c */
};

/* One check in the course of a run. */
struct job {
	const struct ksma_check *check;
	struct ksma_findings findings; /* of the last look, the confirmed ones in front */
	size_t confirmed;	       /* how many of them the look before saw too */
	struct ksma_coverage coverage;
	uint64_t cost_ns, cpu_ns, pause_us;
	bool settled; /* nothing to look at again */
	bool passing; /* the last look's gaps are the moment's */
	unsigned
		same; /* looks in a row that were incomplete for the same reason as the one before */
	const char *reference; /* of the last look */
	struct ksma_names baselined;
	bool looked;
};

static void names_deinit(struct ksma_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
	*names = (struct ksma_names){ 0 };
}

/* A whole run. */
struct run {
	struct ksma_kernel *kernel;
	const struct ksma_check_options *options;
	struct job *jobs;
	size_t count;
	struct ksma_registers registers;
	bool have_registers;
	char *registers_problem;
	struct ksma_owners owners;
	struct ksma_pages pages;       /* walked by the first check of a pass that asks */
	struct ksma_patching patching; /* lock: NULL when the guest is not in the midst of it */
	bool booting;		       /* when it was first looked at */
	bool lifeless; /* nobody knows whether the kernel that was looked at still ran then */
};

static void run_deinit(struct run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		ksma_findings_deinit(&run->jobs[i].findings);
		ksma_coverage_deinit(&run->jobs[i].coverage);
		names_deinit(&run->jobs[i].baselined);
	}
	free(run->jobs);
	ksma_registers_free(&run->registers);
	free(run->registers_problem);
	ksma_owners_deinit(&run->owners);
	ksma_pages_deinit(&run->pages);
}

static bool selected(const struct ksma_check_options *options, const char *name)
{
	if (!options->names)
		return true;
	for (const char *const *n = options->names; *n; n++)
		if (strcmp(*n, name) == 0)
			return true;
	return false;
}

static bool is_more(const struct ksma_check_options *options, const char *name)
{
	return options->more && strcmp(options->more->check->info.name, name) == 0;
}

static struct ksma_error *select_checks(struct run *run)
{
	const struct ksma_more_checks *more = run->options->more;

	for (const char *const *n = run->options->names; n && *n; n++) {
		size_t i = 0;

		while (i < ksma_checks_count && strcmp(ksma_checks[i]->info.name, *n) != 0)
			i++;
		if (i == ksma_checks_count && !is_more(run->options, *n))
			return ksma_error_create(
				KSMA_ERROR_INVALID,
				"there is no check named %s: `ksma check --list` names them", *n);
	}
	run->jobs = calloc(ksma_checks_count + 1, sizeof(*run->jobs));
	if (!run->jobs)
		return ksma_error_nomem();
	for (size_t i = 0; i < ksma_checks_count; i++)
		if (selected(run->options, ksma_checks[i]->info.name))
			run->jobs[run->count++].check = ksma_checks[i];
	if (more && selected(run->options, more->check->info.name))
		run->jobs[run->count++].check = more->check;
	return NULL;
}

/* Reads the registers when a check that is not settled wants them. Not having them is no error: the checks say it. */
static struct ksma_error *take_registers(struct run *run)
{
	struct ksma_error *error;
	bool wanted = false;

	for (size_t i = 0; i < run->count; i++)
		wanted |= run->jobs[i].check->needs_registers && !run->jobs[i].settled;
	ksma_registers_free(&run->registers);
	run->registers = (struct ksma_registers){ 0 };
	run->have_registers = false;
	free(TAKE_PTR(run->registers_problem));
	if (!wanted)
		return NULL;
	if (run->options->memory_only)
		return ksma_strdup("registers were not read, as --memory-only asks",
				   &run->registers_problem);
	error = ksma_guest_registers(run->kernel->guest, KSMA_REGISTERS_MSRS, &run->registers);
	if (!error) {
		run->have_registers = true;
		return NULL;
	}
	if (error->code == KSMA_ERROR_LOST || error->code == KSMA_ERROR_NOMEM)
		return error;
	run->registers_problem = strdup(error->message);
	/* A dump has all but the MSRs. */
	if (error->code == KSMA_ERROR_UNSUPPORTED) {
		ksma_error_destroy(error);
		error = ksma_guest_registers(run->kernel->guest, KSMA_REGISTERS_BASIC,
					     &run->registers);
		run->have_registers = !error;
	}
	ksma_error_destroy(error);
	return run->registers_problem ? NULL : ksma_error_nomem();
}

struct ksma_error *ksma_look_baselined(struct ksma_look *look, const char *name)
{
	char **slot;

	KSMA_TRY(KSMA_ARRAY_PUSH(look->baselined, &slot));
	*slot = NULL;
	return ksma_strdup(name, slot);
}

static uint64_t cpu_now_ns(void)
{
	struct timespec t = { 0 };

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct ksma_error *look_once(struct run *run, struct job *job,
				    struct ksma_findings *ret_findings,
				    struct ksma_coverage *ret_coverage)
{
	uint64_t start = ksma_now_ns(), cpu = cpu_now_ns();
	struct ksma_look look = {
		.kernel = run->kernel,
		.registers = run->have_registers ? &run->registers : NULL,
		.registers_problem = run->registers_problem,
		.check = job->check->info.name,
		.attack = job->check->info.attack,
		.findings = ret_findings,
		.coverage = ret_coverage,
		.owners = &run->owners,
		.pages = &run->pages,
		.vendor = run->options->vendor,
		.baseline = run->options->baseline,
		.baselined = &job->baselined,
		.held = run->options->again ? 0 : HELD_WITHIN,
		.extra = run->options->more ? run->options->more->extra : NULL,
	};
	struct ksma_error *error;

	names_deinit(&job->baselined);
	error = job->check->run(&look);
	job->reference = look.reference;
	job->passing = look.passing;
	job->cost_ns += ksma_now_ns() - start;
	job->cpu_ns += cpu_now_ns() - cpu;
	if (job->check->needs_registers)
		job->pause_us += run->registers.pause_us;
	if (error && (error->code == KSMA_ERROR_LOST || error->code == KSMA_ERROR_NOMEM))
		return error;
	/* A check that found too much did look. */
	ksma_coverage_error(ret_coverage,
			    ret_findings->count ? KSMA_COVERAGE_PARTIAL : KSMA_COVERAGE_UNKNOWN,
			    error, job->check->info.name);
	return NULL;
}

static const struct ksma_finding *find(const struct ksma_findings *findings, const char *id)
{
	for (size_t i = 0; i < findings->count; i++)
		if (strcmp(findings->items[i].id, id) == 0)
			return &findings->items[i];
	return NULL;
}

static unsigned confirm_ms(const struct run *run)
{
	return run->options->confirm_ms ?: DEFAULT_CONFIRM_MS;
}

/* True when one task has held a lock for patching for as long as the finding is seen, or the guest stopped while one did. No honest
 * kernel that runs is at it for as long as LONGEST_MS, wherever its host left it without a processor. */
static bool is_on_its_way(const struct run *run, const struct ksma_finding *finding, uint64_t now)
{
	const struct ksma_patching *p = &run->patching;

	if (!p->lock)
		return false;
	if (p->stopped || now - finding->first_seen_ns < STOPPED_MS * 1000000ull)
		return true;
	return p->since_ns <= finding->first_seen_ns && now - p->since_ns < LONGEST_MS * 1000000ull;
}

static bool is_confirmed(const struct run *run, const struct ksma_finding *finding, uint64_t now)
{
	uint64_t age_ns = now - finding->first_seen_ns;

	if (finding->living && is_on_its_way(run, finding, now))
		return false;
	return finding->looks >= 2 && age_ns >= finding->persist_ms * 1000000ull &&
	       (finding->at_once || run->kernel->guest->info.kind != KSMA_GUEST_LIVE ||
		age_ns >= confirm_ms(run) * 1000000ull);
}

/* Counts in how many looks in a row each finding was seen, and puts those that are confirmed in front. */
static size_t confirm(const struct run *run, const struct ksma_findings *earlier,
		      struct ksma_findings *later)
{
	uint64_t now = ksma_now_ns();
	size_t confirmed = 0;

	for (size_t i = 0; i < later->count; i++) {
		struct ksma_finding finding = later->items[i];
		const struct ksma_finding *before = find(earlier, finding.id);

		finding.looks = before ? before->looks + 1 : 1;
		finding.first_seen_ns = before ? before->first_seen_ns : now;
		later->items[i] = finding;
		if (!is_confirmed(run, &finding, now))
			continue;
		later->items[i] = later->items[confirmed];
		later->items[confirmed++] = finding;
	}
	return confirmed;
}

/* Moves what was confirmed before and is not in the later look into it: it was there for long enough to be reported. */
static struct ksma_error *carry_over(struct job *job, struct ksma_findings *later,
				     size_t *confirmed)
{
	for (size_t i = 0; i < job->confirmed; i++) {
		struct ksma_finding *slot, kept;

		if (find(later, job->findings.items[i].id))
			continue;
		KSMA_TRY(KSMA_ARRAY_PUSH(later, &slot));
		kept = job->findings.items[i];
		job->findings.items[i] = (struct ksma_finding){ .id = strdup(kept.id) };
		if (!job->findings.items[i].id) {
			*slot = kept;
			return ksma_error_nomem();
		}
		*slot = later->items[*confirmed];
		later->items[(*confirmed)++] = kept;
	}
	return NULL;
}

/* How many signs of the look before the later one does not have. */
static size_t count_lost(const struct ksma_findings *earlier, const struct ksma_findings *later)
{
	size_t lost = 0;

	for (size_t i = 0; i < earlier->count; i++)
		lost += !find(later, earlier->items[i].id);
	return lost;
}

static bool has_reason(const struct ksma_coverage *coverage, const char *reason)
{
	return coverage->reason && reason && strcmp(coverage->reason, reason) == 0;
}

/* Takes the result of a look into a job, and with it the ownership of both, on errors too. The job is settled when all that the look
 * saw is confirmed, and it was complete, or has been incomplete for the same reason for so long that it will stay so. */
static struct ksma_error *absorb(const struct run *run, struct job *job,
				 struct ksma_findings *findings, struct ksma_coverage *coverage)
{
	bool complete = coverage->state == KSMA_COVERAGE_COMPLETE;
	size_t confirmed = confirm(run, &job->findings, findings);
	struct ksma_error *error = carry_over(job, findings, &confirmed);
	size_t lost = count_lost(&job->findings, findings);

	ksma_findings_deinit(&job->findings);
	job->findings = *findings;
	job->confirmed = confirmed;
	job->same = !complete && job->looked && has_reason(&job->coverage, coverage->reason)
			    ? job->same + 1
			    : 0;
	job->settled = (complete || (job->same >= SAME_LOOKS && !job->passing)) &&
		       confirmed == findings->count;
	/* The better of the looks counts: what was torn then may be whole now. */
	if (!job->looked || coverage->state <= job->coverage.state) {
		ksma_coverage_deinit(&job->coverage);
		job->coverage = *coverage;
	} else {
		ksma_coverage_deinit(coverage);
	}
	/* A look that saw less refutes nothing. A complete one later puts this right. */
	if (!complete && lost)
		ksma_coverage_gap(&job->coverage, KSMA_COVERAGE_PARTIAL,
				  "%zu signs of the look before could not be looked at again",
				  lost);
	job->looked = true;
	return error;
}

static struct ksma_error *look_at(struct run *run, struct job *job)
{
	struct ksma_findings findings = { 0 };
	struct ksma_coverage coverage = { 0 };
	struct ksma_error *error = look_once(run, job, &findings, &coverage);

	if (!error)
		return absorb(run, job, &findings, &coverage);
	ksma_findings_deinit(&findings);
	ksma_coverage_deinit(&coverage);
	return error;
}

/* True when a sign is new that need not wait for its second look: what is there for milliseconds only would be gone by then. */
static bool is_urgent(const struct job *job)
{
	for (size_t i = job->confirmed; i < job->findings.count; i++)
		if (job->findings.items[i].at_once && job->findings.items[i].looks == 1)
			return true;
	return false;
}

static struct ksma_error *look_at_all(struct run *run)
{
	bool first;

	KSMA_TRY(take_registers(run));
	ksma_pages_deinit(&run->pages);
	ksma_owners_deinit(&run->owners);
	KSMA_TRY(ksma_owners_init(run->kernel, &run->owners));
	for (size_t i = 0; i < run->count; i++) {
		struct job *job = &run->jobs[i];

		if (job->settled)
			continue;
		first = !job->looked;
		KSMA_TRY(look_at(run, job));
		/* A command that looks once holds no more of the guest than it has to. */
		if (first && !run->options->again)
			ksma_guest_forget_above(run->kernel->guest, HELD);
		if (!is_urgent(job) || run->kernel->guest->info.kind != KSMA_GUEST_LIVE)
			continue;
		KSMA_TRY(ksma_kernel_refresh(run->kernel));
		KSMA_TRY(look_at(run, job));
	}
	return NULL;
}

static bool all_settled(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		if (!run->jobs[i].settled)
			return false;
	return true;
}

static void wait_ms(unsigned ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

/* True when another look could tell more: a dump stays as it is, so that its second look is its last. */
static bool may_change(const struct run *run, unsigned looks, uint64_t start)
{
	if (run->kernel->guest->info.kind != KSMA_GUEST_LIVE)
		return looks < 2;
	/* A first look that took long, as a guest may see to, still gets its second. */
	return looks < 2 || ksma_now_ns() - start < TIME_LIMIT_MS * 1000000ull;
}

static bool found_any(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		if (run->jobs[i].findings.count)
			return true;
	return false;
}

/* A reset leaves the old kernel in memory, and firmware, a boot loader and the next kernel write over it piece by piece, which looks like
 * a thousand rootkits. A monitor tells of resets. Without one the old kernel's clock has to move after what was seen: then it was alive when it
 * was seen. A guest that is paused has no such clock, and nothing in it writes. The first refresh sets what is counted from. */
static struct ksma_error *wait_for_life(struct run *run)
{
	struct ksma_kernel *kernel = run->kernel;
	uint64_t since, until;

	if (kernel->guest->info.kind != KSMA_GUEST_LIVE || !found_any(run))
		return NULL;
	KSMA_TRY(ksma_kernel_refresh(kernel));
	if (!*kernel->guest->info.monitor_problem)
		return NULL;
	since = ksma_now_ns();
	until = since + LIFE_LIMIT_MS * 1000000ull;
	run->lifeless = true;
	while (run->lifeless && ksma_now_ns() < until) {
		wait_ms(LIFE_WAIT_MS);
		KSMA_TRY(ksma_kernel_refresh(kernel));
		run->lifeless = ksma_kernel_moved_ns(kernel) < since && !ksma_kernel_rests(kernel);
	}
	return NULL;
}

/* Looks until every check is settled, at growing intervals, for as long as that may help. */
static struct ksma_error *look(struct run *run)
{
	unsigned wait = confirm_ms(run);
	uint64_t start = ksma_now_ns();

	ksma_kernel_patching(run->kernel, &run->patching);
	run->booting = ksma_owners_is_booting(run->kernel);
	KSMA_TRY(look_at_all(run));
	for (unsigned looks = 1; !all_settled(run) && may_change(run, looks, start); looks++) {
		if (run->kernel->guest->info.kind == KSMA_GUEST_LIVE)
			wait_ms(wait);
		if (looks % 2 == 0 && wait * 2 <= MAX_WAIT_MS)
			wait *= 2;
		KSMA_TRY(ksma_kernel_refresh(run->kernel));
		ksma_kernel_patching(run->kernel, &run->patching);
		KSMA_TRY(look_at_all(run));
	}
	return wait_for_life(run);
}

/* A kernel that does not run any more can be found clean for ever. */
static void doubt_still(struct run *run, struct job *job)
{
	uint64_t still_s = ksma_kernel_still_s(run->kernel);

	if (still_s)
		ksma_coverage_gap(
			&job->coverage, KSMA_COVERAGE_PARTIAL,
			"the guest's clock stands still for %" PRIu64
			" s: it is paused, or another kernel runs in it; its monitor would know",
			still_s);
}

/* What was seen at the last look and never long enough is not a finding, and not a clean bill either. In a dump there is nothing
 * to wait for: what is there is there. */
static void settle_rest(struct run *run, struct job *job)
{
	size_t rest;

	if (run->booting || run->lifeless)
		job->confirmed = 0;
	rest = job->findings.count - job->confirmed;
	if (!rest)
		return;
	/* Much is in place at the end of the boot only, such as what protects the kernel's memory. */
	if (run->booting)
		ksma_coverage_gap(
			&job->coverage, KSMA_COVERAGE_PARTIAL,
			"the kernel still boots, so %zu signs cannot be judged, such as %s: look again once it runs",
			rest, job->findings.items[0].id);
	else if (run->lifeless)
		ksma_coverage_gap(
			&job->coverage, KSMA_COVERAGE_PARTIAL,
			"the guest's clock stands still, so %zu signs cannot be judged, such as %s: it hangs, or was reset and starts another kernel; "
			"look through its monitor, which would know",
			rest, job->findings.items[0].id);
	else if (run->kernel->guest->info.kind != KSMA_GUEST_LIVE)
		job->confirmed = job->findings.count;
	else if (run->patching.lock && job->findings.items[job->confirmed].living)
		ksma_coverage_gap(
			&job->coverage, KSMA_COVERAGE_PARTIAL,
			"the guest %s while it changes itself (%s is held%s), so %zu signs cannot be judged, such as %s",
			run->patching.stopped ? "stopped" : "was looked at", run->patching.lock,
			run->patching.stopped ? ", and its clock stands still" : "", rest,
			job->findings.items[job->confirmed].id);
	else
		ksma_coverage_gap(&job->coverage, KSMA_COVERAGE_PARTIAL,
				  "%zu signs came and went, such as %s", rest,
				  job->findings.items[job->confirmed].id);
}

static struct ksma_error *make_report(struct run *run, struct ksma_report *report)
{
	for (size_t i = 0; i < run->count; i++) {
		struct job *job = &run->jobs[i];
		struct ksma_check_coverage *coverage;

		settle_rest(run, job);
		doubt_still(run, job);
		KSMA_TRY(KSMA_ARRAY_PUSH(&report->coverage, &coverage));
		coverage->check = job->check->info.name;
		coverage->state = ksma_coverage_state_name(job->coverage.state);
		coverage->reference = job->reference;
		coverage->reason = TAKE_PTR(job->coverage.reason);
		coverage->baselined = job->baselined;
		job->baselined = (struct ksma_names){ 0 };
		coverage->cost_us = job->cost_ns / 1000;
		coverage->cpu_us = job->cpu_ns / 1000;
		coverage->pause_us = job->pause_us;
		for (size_t j = 0; j < job->confirmed; j++) {
			struct ksma_finding *finding;

			KSMA_TRY(KSMA_ARRAY_PUSH(&report->findings, &finding));
			*finding = job->findings.items[j];
			job->findings.items[j] = (struct ksma_finding){ 0 };
		}
	}
	return NULL;
}

/* What was looked at first is kept, where the caller wants that: not being able to is an error, for the next run would not know. */
static struct ksma_error *keep_first_look(const struct run *run, struct ksma_report *report)
{
	const struct ksma_reference *reference = run->kernel->reference;

	if (!reference)
		return NULL;
	report->first_look_ns = reference->first_look_ns;
	if (!run->options->baseline)
		return NULL;
	if (reference->kept_note)
		KSMA_TRY(ksma_strdup(reference->kept_note, &report->first_look_note));
	return ksma_reference_keep(run->kernel);
}

KSMA_API struct ksma_error *ksma_check_run(struct ksma_kernel *kernel,
					   const struct ksma_check_options *options,
					   struct ksma_report *ret_report)
{
	static const struct ksma_check_options defaults;
	_cleanup_(run_deinit) struct run run = { .kernel = kernel,
						 .options = options ?: &defaults };
	_cleanup_(ksma_report_free) struct ksma_report report = { 0 };

	KSMA_TRY(select_checks(&run));
	KSMA_TRY(ksma_kernel_refresh(kernel));
	KSMA_TRY(look(&run));
	/* A guest that went away while it was looked at was not found clean. */
	KSMA_TRY(ksma_kernel_refresh(kernel));
	KSMA_TRY(make_report(&run, &report));
	/* The rest of the boot changes much, and would be held against what was seen of it. */
	if (run.booting)
		ksma_kernel_forget(kernel);
	else
		KSMA_TRY(keep_first_look(&run, &report));
	*ret_report = report;
	report = (struct ksma_report){ 0 };
	return NULL;
}

KSMA_API void ksma_report_free(struct ksma_report *report)
{
	ksma_findings_deinit(&report->findings);
	for (size_t i = 0; i < report->excepted.count; i++)
		ksma_finding_deinit(&report->excepted.items[i].finding);
	free(report->excepted.items);
	for (size_t i = 0; i < report->coverage.count; i++) {
		free(report->coverage.items[i].reason);
		names_deinit(&report->coverage.items[i].baselined);
	}
	free(report->coverage.items);
	free(report->first_look_note);
	*report = (struct ksma_report){ 0 };
}

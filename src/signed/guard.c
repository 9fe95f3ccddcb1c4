/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ksma guard: stands between a guest and its files until it is told to end. */
#include <errno.h>
#include <signal.h>

#include "cli/output.h"
#include "cli/parse.h"
#include "guard/attach.h"
#include "signed/common.h"
#include "signed/guard.h"
#include "signed/run.h"
#include "vendor/signatures.h"

enum {
	LIMIT_MS = 2000, /* for one decision, unless --timeout says otherwise */
	SHARE_MILLIONTHS = 100000,
	TURN_MS = 500, /* between looks at the guest as a whole */
	TROUBLE_S = 5,
	BOOT_TURN_MS = 50, /* where a reset must be seen before the next kernel is there */
};

static volatile sig_atomic_t told_to_end;

static void on_signal(int number)
{
	told_to_end = number;
}

static struct ksma_error *choose(struct cli *cli, enum cli_option_id id, const char *no,
				 const char *yes, bool *ret_yes)
{
	const char *value = cli->values[id];

	*ret_yes = value && strcmp(value, yes) == 0;
	if (!value || *ret_yes || strcmp(value, no) == 0)
		return NULL;
	return ksma_error_create(KSMA_ERROR_INVALID, "--%s is %s or %s, and not '%s'",
				 cli_options[id].name, no, yes, value);
}

static struct ksma_error *need(struct cli *cli, enum cli_option_id id)
{
	if (cli_has(cli, id))
		return NULL;
	return ksma_error_create(KSMA_ERROR_INVALID, "guard needs --%s %s (or --off)",
				 cli_options[id].name, cli_options[id].value);
}

static struct ksma_error *read_options(struct signed_guard *guard)
{
	struct cli *cli = guard->cli;
	uint64_t ms = LIMIT_MS;

	KSMA_TRY(choose(cli, CLI_MODE, "log", "enforce", &guard->setup.enforce));
	KSMA_TRY(choose(cli, CLI_FAIL, "open", "closed", &guard->setup.fail_closed));
	KSMA_TRY(need(cli, CLI_MANIFEST));
	KSMA_TRY(need(cli, CLI_KEYS));
	if (cli_has(cli, CLI_TIMEOUT))
		KSMA_TRY(cli_parse_duration("--timeout", cli->values[CLI_TIMEOUT], &ms));
	guard->setup.limit_ms = ms > 60000 ? 60000 : (unsigned)ms;
	guard->setup.share_millionths = SHARE_MILLIONTHS;
	if (cli_has(cli, CLI_SHARE))
		KSMA_TRY(cli_parse_share("--share", cli->values[CLI_SHARE],
					 &guard->setup.share_millionths));
	guard->from_boot = cli_has(cli, CLI_FROM_BOOT);
	KSMA_TRY(ksma_policy_open(cli->values[CLI_POLICY] ?: "exec+modules", &guard->policy));
	KSMA_TRY(ksma_keys_open(cli->values[CLI_KEYS], &guard->keys));
	signed_warn_private(cli, guard->keys);
	return ksma_manifest_open_signed(cli->values[CLI_MANIFEST], guard->keys, &guard->manifest);
}

static void guard_deinit(struct signed_guard *guard)
{
	signed_guard_list_end(guard);
	ksma_engine_destroy(guard->engine);
	ksma_decider_destroy(guard->decider);
	ksma_guard_disk_destroy(guard->disk);
	ksma_manifest_close(guard->manifest);
	ksma_keys_close(guard->keys);
	ksma_policy_destroy(guard->policy);
}

/* Stands at the kernel that is open now; the guest stands. */
static struct ksma_error *arm(struct signed_guard *guard)
{
	struct ksma_decider_setup setup = { .kernel = guard->cli->kernel,
					    .policy = guard->policy,
					    .manifest = guard->manifest,
					    .keys = guard->keys,
					    .measurements = guard->list };
	struct ksma_decider *decider;
	struct ksma_error *error;

	if (!guard->disk)
		KSMA_TRY(ksma_guard_disk_create(guard->cli->kernel, &guard->disk));
	setup.disk = ksma_guard_disk_source(guard->disk);
	KSMA_TRY(ksma_decider_create(&setup, &decider));
	error = ksma_engine_arm(guard->engine, guard->cli->kernel, decider);
	if (error) {
		ksma_decider_destroy(decider);
		return error;
	}
	if (guard->distrusts)
		ksma_decider_trust(decider, NULL, guard->keys);
	ksma_decider_destroy(guard->decider);
	guard->decider = decider;
	return NULL;
}

/* The kernel that was open is gone, or too young to have told of its processors. */
static struct ksma_error *forget_kernel(struct signed_guard *guard)
{
	KSMA_TRY(ksma_engine_pause(guard->engine));
	KSMA_TRY(ksma_engine_disarm(guard->engine));
	ksma_decider_destroy(guard->decider);
	guard->decider = NULL;
	ksma_guard_disk_destroy(guard->disk);
	guard->disk = NULL;
	ksma_kernel_destroy(guard->cli->kernel);
	guard->cli->kernel = NULL;
	return NULL;
}

/* From a guest that stands to one that runs with the guard in place. */
static struct ksma_error *begin(struct signed_guard *guard, bool again)
{
	int64_t files;
	bool before_init;

	if (!guard->cli->kernel)
		KSMA_TRY(signed_guard_find_kernel(guard));
	KSMA_TRY(ksma_kernel_refresh(guard->cli->kernel));
	KSMA_TRY(signed_guard_list_begin(guard, again));
	KSMA_TRY(arm(guard));
	signed_guard_progress(guard->cli->kernel, &files, &before_init);
	guard->early = before_init;
	signed_guard_armed(guard, files, before_init);
	return ksma_engine_resume(guard->engine);
}

/* At the first stop of a guest that was armed early, its kernel knows more of itself. The guest comes to the same place again. */
static struct ksma_error *open_again(struct signed_guard *guard)
{
	struct ksma_error *error;

	guard->early = false;
	KSMA_TRY(forget_kernel(guard));
	error = ksma_guest_refresh(guard->cli->guest);
	ksma_error_destroy(error);
	KSMA_TRY(cli_open_guest_kernel(guard->cli));
	KSMA_TRY(arm(guard));
	return ksma_engine_resume(guard->engine);
}

/* Says once why what lies there does not count, when it has been so for longer than it takes to put a manifest and its signature there. */
static void tell_trouble(struct signed_guard *guard, const char *event, struct ksma_error *error)
{
	uint64_t now = ksma_now_ns();

	if (!guard->troubled_ns)
		guard->troubled_ns = now;
	if (!guard->troubled && now - guard->troubled_ns > TROUBLE_S * UINT64_C(1000000000)) {
		signed_guard_event(guard, event, error->message);
		guard->troubled = true;
	}
	ksma_error_destroy(error);
}

/* From now on this manifest counts, and these keys: they are taken over. NULL: none does, because of `why`. */
static void trust(struct signed_guard *guard, struct ksma_manifest *manifest,
		  struct ksma_keys *keys, struct ksma_error *why)
{
	bool signed_anew = guard->distrusts && keys == guard->keys;

	ksma_decider_trust(guard->decider, manifest, keys);
	ksma_engine_trust(guard->engine, manifest);
	if (keys != guard->keys) {
		signed_guard_event(guard, "keys", "other keys count from now on");
		ksma_keys_close(guard->keys);
		guard->keys = keys;
	}
	guard->distrusts = !manifest;
	guard->troubled = guard->distrusts;
	guard->troubled_ns = 0;
	if (!manifest) {
		signed_guard_event(guard, "distrusted", why->message);
		ksma_error_destroy(why);
		return; /* the old one says when there is another */
	}
	if (signed_anew || ksma_manifest_changed(guard->manifest))
		signed_guard_event(guard, "manifest", "another manifest counts from now on");
	ksma_manifest_close(guard->manifest);
	guard->manifest = manifest;
}

/* Another manifest, or other keys: what was found out before counts no more. What is no good leaves the old one in place, for it may be half
 * written; but where the keys are others, the manifest has to stand by them, or counts no more. */
static void trust_again(struct signed_guard *guard)
{
	bool other_keys = ksma_keys_changed(guard->keys);
	struct ksma_keys *keys = guard->keys;
	struct ksma_manifest *manifest = NULL;
	struct ksma_error *error = NULL;

	/* What was distrusted may have been signed anew, which leaves it as it is. */
	if (!other_keys && !guard->distrusts && !ksma_manifest_changed(guard->manifest))
		return;
	if (other_keys)
		error = ksma_keys_open(guard->cli->values[CLI_KEYS], &keys);
	if (error) {
		tell_trouble(guard, "keys", error);
		return;
	}
	error = ksma_manifest_open_signed(guard->cli->values[CLI_MANIFEST], keys, &manifest);
	if (error && !other_keys)
		tell_trouble(guard, "manifest", error);
	else
		trust(guard, manifest, keys, error);
}

/* One turn. @ret_lost the guest begins anew */
static struct ksma_error *turn(struct signed_guard *guard, bool *ret_lost)
{
	struct ksma_error *error;
	bool stopped;

	KSMA_TRY(ksma_engine_serve(guard->engine, guard->from_boot ? BOOT_TURN_MS : TURN_MS,
				   guard->early, &stopped));
	if (stopped)
		return open_again(guard);
	trust_again(guard);
	signed_guard_list_flush(guard);
	error = ksma_guest_refresh(guard->cli->guest);
	*ret_lost = error && error->code == KSMA_ERROR_LOST;
	if (!*ret_lost)
		return error;
	ksma_error_destroy(error);
	return NULL;
}

static struct ksma_error *stand(struct signed_guard *guard)
{
	KSMA_TRY(begin(guard, false));
	while (!told_to_end) {
		bool lost = false;

		KSMA_TRY(turn(guard, &lost));
		if (!lost)
			continue;
		signed_guard_event(guard, "reset", "the guest begins anew");
		KSMA_TRY(forget_kernel(guard));
		KSMA_TRY(begin(guard, true));
	}
	return NULL;
}

static struct ksma_error *off(struct cli *cli)
{
	_cleanup_free_ char *done = NULL;
	struct cli_json json;

	KSMA_TRY(cli_open_guest(cli));
	KSMA_TRY(ksma_engine_off(cli->guest, &done));
	cli_output_begin(cli);
	if (!cli_has(cli, CLI_JSON)) {
		cli_line(cli, CLI_PLAIN, "%s", done);
		return NULL;
	}
	cli_document_begin(cli, &json);
	cli_json_text(&json, "done", done);
	cli_document_end(&json);
	return NULL;
}

static struct ksma_error *run(struct signed_guard *guard)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct ksma_error *error;

	KSMA_TRY(read_options(guard));
	KSMA_TRY(cli_open_guest(guard->cli));
	if (!guard->from_boot)
		KSMA_TRY(cli_open_guest_kernel(guard->cli));
	guard->setup.guest = guard->cli->guest;
	guard->setup.policy = guard->policy;
	guard->setup.manifest = guard->manifest;
	guard->setup.from_start = guard->from_boot;
	guard->setup.on_decision = signed_guard_decision;
	guard->setup.on_event = signed_guard_event;
	guard->setup.arg = guard;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	KSMA_TRY(ksma_engine_create(&guard->setup, &guard->engine));
	error = stand(guard);
	if (error && error->code == KSMA_ERROR_LOST) {
		/* A guest that ends is no failure of the guard. */
		signed_guard_ended(guard, error->message);
		ksma_error_destroy(error);
		error = NULL;
	} else if (!error) {
		signed_guard_ended(guard, "told to end");
	}
	if (guard->denied)
		cli_status_raise(guard->cli, CLI_FINDINGS);
	if (ksma_engine_sites(guard->engine)->left_out)
		cli_status_raise(guard->cli, CLI_INCOMPLETE);
	return error;
}

struct ksma_error *signed_guard(struct cli *cli)
{
	_cleanup_(guard_deinit) struct signed_guard guard = { .cli = cli };

	if (cli_has(cli, CLI_OFF))
		return off(cli);
	return run(&guard);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A running QEMU as a guest: its process, its memory, its monitor. */
#include "guest/live.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <sys/syscall.h>

#include "guest/layout.h"
#include "guest/page_cache.h"
#include "guest/process.h"
#include "guest/runstate.h"

enum { LIVE_MAPPING_MIN = 64 << 10 };

static void live_free(struct ksma_live *live)
{
	if (!live)
		return;
	ksma_monitor_destroy(live->monitor);
	ksma_ram_deinit(&live->ram);
	ksma_cmdline_free(&live->cmdline);
	if (live->pidfd >= 0)
		close(live->pidfd);
	if (live->pagemap.fd >= 0)
		close(live->pagemap.fd);
	free(live->pagemap.entries);
	free(live->monitor_problem);
	free(live->binary);
	free(live);
}

static void live_destroy(struct ksma_guest *guest)
{
	live_free(guest->priv);
	guest->priv = NULL;
}

struct ksma_error *ksma_live_check(struct ksma_live *live)
{
	struct pollfd p = { .fd = live->pidfd, .events = POLLIN };

	if (poll(&p, 1, 0) > 0)
		return ksma_error_create(KSMA_ERROR_LOST, "the guest's QEMU (pid %d) has exited",
					 live->pid);
	return NULL;
}

/* A guest that stopped may have stopped because it moved to another host. */
static struct ksma_error *check_runstate(struct ksma_live *live)
{
	struct ksma_qmp_call call = { .command = "query-status" };
	struct ksma_error *error = ksma_monitor_run(live->monitor, &call, 1);

	if (error) {
		/* Not the guest's end, for its process is there; whoever needs the monitor next will hear of it. */
		ksma_error_destroy(error);
		return NULL;
	}
	error = ksma_runstate_check(call.result);
	ksma_qmp_calls_deinit(&call, 1);
	return error;
}

static struct ksma_error *live_refresh(struct ksma_guest *guest)
{
	struct ksma_live *live = guest->priv;
	struct ksma_qmp_events events;
	bool reset, migrated, seen;

	KSMA_TRY(ksma_live_check(live));
	if (ksma_ram_is_damaged(&live->ram))
		return ksma_error_create(KSMA_ERROR_LOST,
					 "the guest's memory file was cut short, or the host "
					 "could not give a page of it");
	if (!live->monitor)
		return NULL;
	ksma_monitor_poll(live->monitor);
	events = ksma_monitor_events(live->monitor, &seen);
	if (events.stops > events.resumes)
		KSMA_TRY(check_runstate(live));
	reset = events.resets != live->resets;
	migrated = events.migrations != live->migrations;
	live->resets = events.resets;
	live->migrations = events.migrations;
	if (migrated)
		return ksma_error_create(KSMA_ERROR_LOST, "the guest has migrated to another host");
	if (reset)
		return ksma_error_create(KSMA_ERROR_LOST, "the guest was reset");
	return NULL;
}

static const struct ksma_guest_ops live_ops = {
	.fetch_page = ksma_live_fetch_page,
	.fetch_pages = ksma_live_fetch_pages,
	.refresh = live_refresh,
	.registers = ksma_live_registers,
	.next_data = ksma_live_next_data,
	.destroy = live_destroy,
};

/* RAM backends as query-memdev names them; ROMs, pflash and video memory are none. */
struct memdevs {
	struct json_object *list;
};

static bool is_memdev(const char *backend, void *arg)
{
	struct memdevs *memdevs = arg;
	size_t count = json_object_array_length(memdevs->list);

	for (size_t i = 0; i < count; i++) {
		struct json_object *id;

		if (json_object_object_get_ex(json_object_array_get_idx(memdevs->list, i), "id",
					      &id) &&
		    strcmp(json_object_get_string(id) ?: "", backend) == 0)
			return true;
	}
	return false;
}

/* Backends may be larger than what the guest sees of them just now. */
static void take_sizes(struct ksma_ram *ram, struct json_object *memdevs)
{
	size_t count = json_object_array_length(memdevs);

	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(memdevs, i);
		struct json_object *id, *size;
		struct ksma_backing *b;

		if (!json_object_object_get_ex(item, "id", &id) ||
		    !json_object_object_get_ex(item, "size", &size))
			continue;
		b = ksma_ram_find(ram, json_object_get_string(id) ?: "");
		if (b && json_object_get_int64(size) > 0 &&
		    (uint64_t)json_object_get_int64(size) > b->size)
			b->size = (uint64_t)json_object_get_int64(size);
	}
}

/* Asks the monitor where in QEMU the backends lie that could not be told by their size. */
static struct ksma_error *ask_addresses(struct ksma_live *live, const struct ksma_host_maps *maps)
{
	struct ksma_qmp_call calls[KSMA_QMP_CALLS_MAX] = { 0 };
	struct ksma_backing *asked[KSMA_QMP_CALLS_MAX];
	char arguments[KSMA_QMP_CALLS_MAX][64];
	struct ksma_error *error = NULL;
	size_t count = 0;

	for (size_t i = 0; i < live->ram.count && count < KSMA_QMP_CALLS_MAX; i++) {
		if (live->ram.items[i].hva)
			continue;
		asked[count] = &live->ram.items[i];
		snprintf(arguments[count], sizeof(arguments[count]), KSMA_HMP("gpa2hva %llu"),
			 (unsigned long long)asked[count]->gpa);
		calls[count].command = "human-monitor-command";
		calls[count].arguments = arguments[count];
		count++;
	}
	if (count)
		KSMA_TRY(ksma_monitor_run(live->monitor, calls, count));
	for (size_t i = 0; i < count && !error; i++) {
		unsigned long long hva;
		const char *text, *at;
		size_t length;

		error = calls[i].error ? TAKE_PTR(calls[i].error)
				       : ksma_hmp_text(&calls[i], &text, &length);
		if (error)
			break;
		/* "Host virtual address for 0x100000000 (ram0) is 0x7feabffff000" */
		at = strstr(text, ") is 0x");
		if (!at || sscanf(at, ") is 0x%llx", &hva) != 1)
			error = ksma_error_create(
				KSMA_ERROR_BAD_DATA,
				"the monitor does not tell where memory is: %.100s", text);
		else
			error = ksma_backing_set_hva(asked[i], maps, hva);
	}
	ksma_qmp_calls_deinit(calls, count);
	return error;
}

/* Makes a layout of what the monitor said. */
static struct ksma_error *take_layout(struct ksma_live *live, const struct ksma_qmp_call *mtree,
				      const struct ksma_qmp_call *memdev, struct ksma_mtree *layout)
{
	struct memdevs memdevs = { memdev->result };
	const char *text;
	size_t length;

	KSMA_TRY(ksma_hmp_text(mtree, &text, &length));
	if (!json_object_is_type(memdev->result, json_type_array))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the answer to query-memdev is not a list");
	KSMA_TRY(ksma_mtree_parse(text, length, layout));
	ksma_mtree_filter(layout, is_memdev, &memdevs);
	KSMA_TRY(ksma_ram_init(layout, &live->ram));
	take_sizes(&live->ram, memdev->result);
	return NULL;
}

/* Learns the layout from the monitor. @ret_away set to an error where the guest is not in this QEMU at all */
static struct ksma_error *layout_from_monitor(struct ksma_live *live,
					      const struct ksma_host_maps *maps,
					      struct ksma_mtree *layout,
					      struct ksma_error **ret_away)
{
	struct ksma_qmp_call calls[] = {
		{ .command = "human-monitor-command", .arguments = KSMA_HMP("info mtree -f") },
		{ .command = "query-memdev" },
		{ .command = "query-status" },
	};
	struct ksma_error *error;

	KSMA_TRY(ksma_monitor_run(live->monitor, calls, ARRAY_SIZE(calls)));
	*ret_away = ksma_runstate_check(calls[2].result);
	error = calls[0].error	 ? TAKE_PTR(calls[0].error)
		: calls[1].error ? TAKE_PTR(calls[1].error)
				 : take_layout(live, &calls[0], &calls[1], layout);
	ksma_qmp_calls_deinit(calls, ARRAY_SIZE(calls));
	if (error)
		return error;
	ksma_ram_match_unique(&live->ram, maps);
	return ask_addresses(live, maps);
}

static struct ksma_error *layout_from_cmdline(struct ksma_live *live,
					      const struct ksma_host_maps *maps,
					      struct ksma_mtree *layout)
{
	ksma_mtree_free(layout);
	ksma_ram_deinit(&live->ram);
	KSMA_TRY(ksma_layout_from_cmdline(&live->cmdline, layout));
	KSMA_TRY(ksma_ram_init(layout, &live->ram));
	return ksma_ram_match_cmdline(&live->ram, live->pid, maps, &live->cmdline);
}

/* Goes on without a monitor, and keeps the reason. */
static void give_up_monitor(struct ksma_live *live, struct ksma_error *error)
{
	free(live->monitor_problem);
	live->monitor_problem = strdup(error->message); /* NULL is said in other words below */
	ksma_error_destroy(error);
	ksma_monitor_destroy(live->monitor);
	live->monitor = NULL;
}

static struct ksma_error *open_memory(struct ksma_live *live, const struct ksma_host_maps *maps,
				      struct ksma_guest *guest)
{
	struct ksma_mtree layout = { 0 };
	struct ksma_error *error = NULL, *away = NULL;

	guest->info.layout = KSMA_LAYOUT_COMMAND_LINE;
	if (live->monitor) {
		error = layout_from_monitor(live, maps, &layout, &away);
		if (!error)
			guest->info.layout = KSMA_LAYOUT_MONITOR;
		else if (error->code != KSMA_ERROR_NOMEM)
			give_up_monitor(live, TAKE_PTR(error));
	}
	if (away) {
		ksma_error_destroy(error);
		error = away;
	}
	if (!error && !live->monitor)
		error = layout_from_cmdline(live, maps, &layout);
	if (!error)
		error = ksma_ram_map(&live->ram, live->pid);
	if (!error)
		error = ksma_ram_regions(&live->ram, &layout, guest);
	ksma_mtree_free(&layout);
	if (!error && guest->region_count == 0)
		error = ksma_error_create(KSMA_ERROR_NOT_PRESENT, "process %d has no guest memory",
					  live->pid);
	return error;
}

static struct ksma_error *open_monitor(struct ksma_live *live,
				       const struct ksma_guest_options *options)
{
	struct ksma_monitor_options monitor_options = {
		.pid = live->pid,
		.path = options->monitor,
		.timeout_ms = options->monitor_timeout_ms,
	};
	struct ksma_error *error;

	if (options->memory_only)
		return ksma_strdup("memory-only mode was asked for", &live->monitor_problem);
	error = ksma_monitor_create(&live->cmdline, &monitor_options, &live->monitor);
	if (error && error->code == KSMA_ERROR_NOMEM)
		return error;
	if (error)
		give_up_monitor(live, error);
	return NULL;
}

static void fill_info(struct ksma_live *live, struct ksma_guest *guest)
{
	struct ksma_guest_info *info = &guest->info;
	bool seen;

	info->kind = KSMA_GUEST_LIVE;
	info->name = live->cmdline.name;
	info->uuid = live->cmdline.uuid;
	info->path = live->binary;
	info->machine = live->cmdline.machine;
	info->accelerator = live->cmdline.accelerator;
	info->pid = live->pid;
	info->vcpus = live->cmdline.vcpus;
	info->access = KSMA_RAM_MAPPED;
	info->ram_bytes = 0;
	for (size_t i = 0; i < guest->region_count; i++) {
		info->ram_bytes += guest->regions[i].size;
		if (!guest->regions[i].map)
			info->access = KSMA_RAM_COPIED;
	}
	info->monitor = live->monitor ? ksma_monitor_name(live->monitor) : "";
	info->monitor_problem = live->monitor ? "" : live->monitor_problem ?: "out of memory";
	if (live->monitor) {
		struct ksma_qmp_events events = ksma_monitor_events(live->monitor, &seen);

		live->resets = events.resets;
		live->migrations = events.migrations;
	}
}

static struct ksma_error *open_process(struct ksma_live *live, int pid)
{
	struct ksma_host_process process;

	live->pid = pid;
	live->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (live->pidfd < 0)
		return errno == ESRCH ? ksma_error_create(KSMA_ERROR_NOT_PRESENT,
							  "there is no process %d", pid)
				      : ksma_error_os(errno, "process %d", pid);
	KSMA_TRY(ksma_host_process_read(pid, &process));
	live->cmdline = process.cmdline;
	live->binary = process.binary;
	if (!process.x86)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "%s emulates another processor than x86", process.binary);
	if (live->cmdline.encrypted)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"the guest's memory is encrypted (confidential-guest-support): "
			"the host cannot look inside");
	return NULL;
}

/* What is not mapped is copied: is that allowed? Better to hear it now than in the middle of a walk. */
static struct ksma_error *open_copying(struct ksma_guest *guest)
{
	uint8_t page[KSMA_PAGE_SIZE];

	KSMA_TRY(ksma_page_cache_create(KSMA_PAGE_CACHE_DEFAULT, &guest->cache));
	for (size_t i = 0; i < guest->region_count; i++)
		if (!guest->regions[i].map)
			return ksma_live_fetch_page(guest, &guest->regions[i],
						    guest->regions[i].gpa, page);
	return NULL;
}

static struct ksma_error *open_all(struct ksma_live *live, int pid,
				   const struct ksma_guest_options *options,
				   struct ksma_guest *guest)
{
	struct ksma_error *error;
	struct ksma_host_maps maps;

	KSMA_TRY(open_process(live, pid));
	KSMA_TRY(ksma_host_maps_read(pid, LIVE_MAPPING_MIN, &maps));
	error = open_monitor(live, options);
	if (!error)
		error = open_memory(live, &maps, guest);
	ksma_host_maps_free(&maps);
	if (error)
		return error;
	fill_info(live, guest);
	if (guest->info.access == KSMA_RAM_COPIED)
		KSMA_TRY(open_copying(guest));
	/* All that was read under this pid was that process only if it still lives. */
	return ksma_live_check(live);
}

struct ksma_error *ksma_live_open(int pid, const struct ksma_guest_options *options,
				  struct ksma_guest **ret_guest)
{
	static const struct ksma_guest_options defaults;
	struct ksma_live *live = calloc(1, sizeof(*live));
	struct ksma_guest *guest = calloc(1, sizeof(*guest));
	struct ksma_error *error;

	if (!live || !guest) {
		free(live);
		free(guest);
		return ksma_error_nomem();
	}
	live->pidfd = live->pagemap.fd = -1;
	guest->ops = &live_ops;
	guest->priv = live;
	error = open_all(live, pid, options ? options : &defaults, guest);
	if (error) {
		ksma_guest_destroy(guest);
		return error;
	}
	*ret_guest = guest;
	return NULL;
}

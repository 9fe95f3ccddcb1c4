/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The registers of a running guest's vCPUs, through its monitor.
 *
 * `info registers` kicks each vCPU for some tens of microseconds and pauses nothing; what it takes is not known here and
 * not counted. MSRs are only in the device state, for which QEMU pauses the guest; that time is told by QEMU's STOP and
 * RESUME events. `live` is false there: with true, QEMU would take the disks away from a guest that is paused. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "guest/device_state.h"
#include "guest/info_registers.h"
#include "guest/live.h"
#include "guest/runstate.h"

enum { REGISTERS_TRIES = 3 };

static struct ksma_error *call_error(struct ksma_qmp_call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (calls[i].error)
			return TAKE_PTR(calls[i].error);
	return NULL;
}

static struct ksma_error *read_basic(struct ksma_live *live, struct ksma_registers *registers)
{
	struct ksma_qmp_call call = { .command = "human-monitor-command",
				      .arguments = KSMA_HMP("info registers -a") };
	struct ksma_error *error;
	const char *text;
	size_t length;

	KSMA_TRY(ksma_monitor_run(live->monitor, &call, 1));
	error = call.error ? TAKE_PTR(call.error) : ksma_hmp_text(&call, &text, &length);
	if (!error)
		error = ksma_info_registers_parse(text, length, registers);
	ksma_qmp_calls_deinit(&call, 1);
	return error;
}

static struct ksma_error *check_state(struct ksma_live *live)
{
	struct ksma_qmp_call calls[] = { { .command = "query-status" },
					 { .command = "query-migrate" } };
	struct ksma_error *error;

	KSMA_TRY(ksma_monitor_run(live->monitor, calls, ARRAY_SIZE(calls)));
	error = call_error(calls, ARRAY_SIZE(calls));
	if (!error)
		error = ksma_runstate_check(calls[0].result);
	if (!error)
		error = ksma_runstate_check_migration(calls[1].result);
	ksma_qmp_calls_deinit(calls, ARRAY_SIZE(calls));
	return error;
}

/* A file in memory and a second descriptor of it for writing only: QEMU takes the one of a set whose mode is that of its open. */
static struct ksma_error *make_file(int *ret_read, int *ret_write)
{
	_cleanup_close_ int fd = memfd_create("ksma-device-state", MFD_CLOEXEC);
	char path[64];

	if (fd < 0)
		return ksma_error_os(errno, "memfd for the device state");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	*ret_write = open(path, O_WRONLY | O_CLOEXEC);
	if (*ret_write < 0)
		return ksma_error_os(errno, "memfd for the device state");
	*ret_read = TAKE_FD(fd);
	return NULL;
}

/* Runs the save. Should we die in between, QEMU ends the set by itself when the monitor's client goes. */
static struct ksma_error *save_state(struct ksma_live *live, int fd,
				     struct ksma_registers *registers)
{
	char add[64], save[96], end[64], text_of_registers[] = KSMA_HMP("info registers -a");
	uint32_t set = 0;
	struct ksma_qmp_call calls[] = {
		{ .command = "add-fd", .arguments = add, .fd = fd },
		{ .command = "human-monitor-command", .arguments = text_of_registers },
		{ .command = "xen-save-devices-state", .arguments = save },
		{ .command = "remove-fd", .arguments = end },
	};
	struct ksma_error *error;
	const char *text;
	size_t length;

	/* A number of our own, so that all can be written at once; a set of another client will hardly have it. */
	if (getrandom(&set, sizeof(set), 0) != sizeof(set))
		set = (uint32_t)ksma_now_ns();
	set = (set & 0x3fffffff) | 0x40000000;
	snprintf(add, sizeof(add), "{\"fdset-id\":%u}", set);
	snprintf(save, sizeof(save), "{\"filename\":\"/dev/fdset/%u\",\"live\":false}", set);
	snprintf(end, sizeof(end), "{\"fdset-id\":%u}", set);
	KSMA_TRY(ksma_monitor_run(live->monitor, calls, ARRAY_SIZE(calls)));
	error = call_error(calls, ARRAY_SIZE(calls));
	if (!error)
		error = ksma_hmp_text(&calls[1], &text, &length);
	if (!error)
		error = ksma_info_registers_parse(text, length, registers);
	/* libvirt passes no events on; the guest was paused for no longer than this. */
	if (!error)
		registers->pause_us = calls[2].elapsed_us;
	ksma_qmp_calls_deinit(calls, ARRAY_SIZE(calls));
	return error;
}

static struct ksma_error *parse_file(int fd, struct ksma_registers *registers)
{
	struct ksma_error *error;
	struct stat st;
	void *map;

	if (fstat(fd, &st) < 0)
		return ksma_error_os(errno, "device state");
	if (st.st_size == 0 || st.st_size > KSMA_DEVICE_STATE_MAX)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "QEMU's device state has %lld bytes",
					 (long long)st.st_size);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return ksma_error_os(errno, "device state");
	error = ksma_device_state_parse(map, (size_t)st.st_size, registers);
	munmap(map, (size_t)st.st_size);
	return error;
}

/* The device state is one moment of all vCPUs; the text of a moment before only confirms it. */
static struct ksma_error *read_msrs_once(struct ksma_live *live,
					 struct ksma_registers *ret_registers)
{
	_cleanup_close_ int reader = -1;
	_cleanup_close_ int writer = -1;
	struct ksma_registers registers = { 0 };
	struct ksma_error *error;

	KSMA_TRY(make_file(&reader, &writer));
	error = save_state(live, writer, &registers);
	if (!error)
		error = parse_file(reader, &registers);
	if (error)
		ksma_registers_free(&registers);
	else
		*ret_registers = registers;
	return error;
}

static struct ksma_error *read_msrs(struct ksma_live *live, struct ksma_registers *ret_registers)
{
	struct ksma_qmp_events before, after;
	struct ksma_error *error = NULL;
	bool seen;

	KSMA_TRY(check_state(live));
	before = ksma_monitor_events(live->monitor, &seen);
	/* A vCPU that boots just now changes its tables between the two: BAD_DATA, and another try. */
	for (int i = 0; i < REGISTERS_TRIES; i++) {
		ksma_error_destroy(error);
		error = read_msrs_once(live, ret_registers);
		if (!error || error->code != KSMA_ERROR_BAD_DATA)
			break;
	}
	if (error)
		return ksma_error_prefix(error, "MSRs");
	ksma_monitor_poll(live->monitor);
	after = ksma_monitor_events(live->monitor, &seen);
	if (seen)
		ret_registers->pause_us = after.paused_us - before.paused_us;
	return NULL;
}

struct ksma_error *ksma_live_registers(struct ksma_guest *guest, unsigned flags,
				       struct ksma_registers *ret_registers)
{
	struct ksma_live *live = guest->priv;
	struct ksma_error *error, *gone;

	KSMA_TRY(ksma_live_check(live));
	if (!live->monitor)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "no registers without a monitor: %s",
					 guest->info.monitor_problem);
	error = flags & KSMA_REGISTERS_MSRS ? read_msrs(live, ret_registers)
					    : read_basic(live, ret_registers);
	if (!error)
		return NULL;
	if (error->code == KSMA_ERROR_INVALID) /* QEMU's own refusal */
		error->code = KSMA_ERROR_UNSUPPORTED;
	/* A monitor that ends is often a QEMU that ends; say so. */
	gone = ksma_live_check(live);
	if (!gone)
		return error;
	ksma_error_destroy(error);
	return gone;
}

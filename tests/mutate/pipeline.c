/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Everything that libksma can say of a guest, one after the other, whatever fails; and every byte of it is looked at. */
#include "base/budget.h"
#include <ksma/check.h>
#include <ksma/kernel.h>
#include <ksma/linux.h>
#include "mutate.h"

enum {
	PROCESSES_IN_FULL = 6, /* whose maps, files and mounts are read */
	STATUS_CLEAN = 0,
	STATUS_FINDINGS = 1,
	STATUS_INCOMPLETE = 3,
};

/* The sanitizer sees what this reads. */
static volatile size_t sink;

static void look(const char *string)
{
	sink += string ? strlen(string) : 0;
}

static void look_at(const char *array, size_t size)
{
	sink += strnlen(array, size);
}

/* An error is a reason not to be complete. */
static bool worked(struct ksma_error *error, struct progress *progress)
{
	if (!error)
		return true;
	progress->incomplete = 1;
	snprintf(progress->message, sizeof(progress->message), "%s", error->message);
	ksma_error_destroy(error);
	return false;
}

static void end_coverage(struct ksma_coverage *coverage, struct progress *progress)
{
	if (coverage->state != KSMA_COVERAGE_COMPLETE) {
		progress->incomplete = 1;
		look(coverage->reason);
		snprintf(progress->message, sizeof(progress->message), "%s",
			 coverage->reason ? coverage->reason : "");
	}
	ksma_coverage_deinit(coverage);
}

static void one_process(struct ksma_kernel *kernel, int32_t pid, struct progress *progress)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_process process;
	struct ksma_mounts mounts;
	struct ksma_files files;
	struct ksma_maps maps;

	if (worked(ksma_linux_process(kernel, pid, KSMA_PROCESS_ALL, &coverage, &process),
		   progress))
		ksma_process_deinit(&process);
	if (worked(ksma_linux_maps(kernel, pid, &coverage, &maps), progress)) {
		for (size_t i = 0; i < maps.count; i++)
			look(maps.items[i].path);
		ksma_maps_free(&maps);
	}
	if (worked(ksma_linux_files(kernel, pid, &coverage, &files), progress)) {
		for (size_t i = 0; i < files.count; i++)
			look(files.items[i].path);
		ksma_files_free(&files);
	}
	if (worked(ksma_linux_mounts(kernel, pid, &coverage, &mounts), progress)) {
		for (size_t i = 0; i < mounts.count; i++) {
			look(mounts.items[i].path);
			look(mounts.items[i].source);
			look(mounts.items[i].root);
			look_at(mounts.items[i].fstype, sizeof(mounts.items[i].fstype));
		}
		ksma_mounts_free(&mounts);
	}
	end_coverage(&coverage, progress);
}

static void all_processes(struct ksma_kernel *kernel, struct progress *progress)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_processes processes;

	if (worked(ksma_linux_processes(kernel, KSMA_PROCESS_ALL, &coverage, &processes),
		   progress)) {
		size_t step = processes.count / PROCESSES_IN_FULL + 1;

		progress->processes = (uint32_t)processes.count;
		for (size_t i = 0; i < processes.count; i++) {
			look_at(processes.items[i].comm, sizeof(processes.items[i].comm));
			look(processes.items[i].exe);
			look(processes.items[i].cgroup);
			for (size_t n = 0;
			     processes.items[i].cmdline && n < processes.items[i].cmdline_length;
			     n++)
				sink += (size_t)processes.items[i].cmdline[n];
		}
		for (size_t i = processes.count ? 1 : 0; i < processes.count; i += step)
			one_process(kernel, processes.items[i].pid, progress);
		one_process(kernel, 1, progress);
		ksma_processes_free(&processes);
	}
	end_coverage(&coverage, progress);
}

static void all_modules(struct ksma_kernel *kernel, struct progress *progress)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_modules modules;

	if (worked(ksma_linux_modules(kernel, &coverage, &modules), progress)) {
		progress->modules = (uint32_t)modules.count;
		for (size_t i = 0; i < modules.count; i++) {
			look_at(modules.items[i].name, sizeof(modules.items[i].name));
			look_at(modules.items[i].srcversion, sizeof(modules.items[i].srcversion));
		}
		ksma_modules_free(&modules);
	}
	end_coverage(&coverage, progress);
}

static void all_sockets(struct ksma_kernel *kernel, struct progress *progress)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_sockets sockets;

	if (worked(ksma_linux_sockets(kernel, &coverage, &sockets), progress)) {
		for (size_t i = 0; i < sockets.count; i++) {
			look(sockets.items[i].local);
			look(sockets.items[i].remote);
			look_at(sockets.items[i].comm, sizeof(sockets.items[i].comm));
		}
		ksma_sockets_free(&sockets);
	}
	end_coverage(&coverage, progress);
}

static void whole_log(struct ksma_kernel *kernel, struct progress *progress)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_log log;

	if (worked(ksma_linux_log(kernel, &coverage, &log), progress)) {
		for (size_t i = 0; i < log.count; i++)
			look(log.items[i].text);
		ksma_log_free(&log);
	}
	end_coverage(&coverage, progress);
}

static void all_checks(struct ksma_kernel *kernel, struct progress *progress)
{
	const struct ksma_check_options options = { .confirm_ms = 1 };
	struct ksma_report report;

	if (!worked(ksma_check_run(kernel, &options, &report), progress))
		return;
	progress->findings = (uint32_t)report.findings.count;
	for (size_t i = 0; i < report.findings.count; i++) {
		look(report.findings.items[i].id);
		look(report.findings.items[i].title);
		for (size_t n = 0; n < report.findings.items[i].count; n++)
			look(report.findings.items[i].items[n].value);
	}
	for (size_t i = 0; i < report.coverage.count; i++) {
		look(report.coverage.items[i].reason);
		if (strcmp(report.coverage.items[i].state, "complete") != 0) {
			progress->incomplete = 1;
			snprintf(progress->message, sizeof(progress->message), "%s: %s",
				 report.coverage.items[i].check,
				 report.coverage.items[i].reason ? report.coverage.items[i].reason
								 : "");
		}
	}
	ksma_report_free(&report);
}

int pipeline_run(struct ksma_guest *guest, struct progress *progress)
{
	struct ksma_kernel *kernel;
	char name[128];

	memset(progress, 0, sizeof(*progress));
	if (!worked(ksma_kernel_open(guest, NULL, &kernel), progress))
		return STATUS_INCOMPLETE;
	progress->kernel = 1;
	look(ksma_kernel_info(kernel)->banner);
	look(ksma_kernel_info(kernel)->command_line);
	progress->stage = 1;
	all_processes(kernel, progress);
	progress->stage = 2;
	all_modules(kernel, progress);
	progress->stage = 3;
	all_sockets(kernel, progress);
	progress->stage = 4;
	whole_log(kernel, progress);
	progress->stage = 5;
	all_checks(kernel, progress);
	progress->stage = 6;
	if (worked(ksma_kernel_refresh(kernel), progress))
		all_modules(kernel, progress);
	ksma_kernel_describe(kernel, ksma_gva_of(0xffffffff81234567), name, sizeof(name));
	look(name);
	ksma_kernel_destroy(kernel);
	progress->stage = 7;
	return progress->findings     ? STATUS_FINDINGS
	       : progress->incomplete ? STATUS_INCOMPLETE
				      : STATUS_CLEAN;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which sockets does nobody hold but a ring of io_uring? No tool of the guest tells whose they are. */
#include <inttypes.h>

#include "checks/check.h"
#include "linux/io_uring.h"
#include "linux/processes.h"
#include "linux/retry.h"
#include "linux/sockets.h"

enum { MAX_SOCKETS = 1 << 16 };

struct held {
	uint64_t sock, file;
	struct ksma_ring ring;
	uint32_t place;
	size_t process; /* index of who uses the ring */
};

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	struct ksma_budget budget;
	struct ksma_processes processes;
	size_t process; /* looked at now */
	const struct ksma_ring *ring;
	struct {
		struct held *items;
		size_t count, capacity;
	} sockets;
	struct ksma_error *error;
	size_t torn;
};

static bool take_file(void *arg, uint32_t place, uint64_t file)
{
	struct survey *s = arg;
	struct held *held;
	uint64_t sock;

	if (!ksma_socket_of_file(s->kernel, file, &sock) || !sock)
		return true;
	for (size_t i = 0; i < s->sockets.count; i++)
		if (s->sockets.items[i].file == file)
			return true;
	if (s->sockets.count == MAX_SOCKETS) {
		s->error = ksma_error_create(KSMA_ERROR_LIMIT, "rings hold more than %d sockets",
					     MAX_SOCKETS);
		return false;
	}
	s->error = KSMA_ARRAY_PUSH(&s->sockets, &held);
	if (s->error)
		return false;
	*held = (struct held){ sock, file, *s->ring, place, s->process };
	return true;
}

static bool take_ring(void *arg, const struct ksma_ring *ring)
{
	struct survey *s = arg;
	struct ksma_error *error;

	s->ring = ring;
	error = ksma_ring_files(s->kernel, ring, &s->budget, take_file, s);
	if (!s->error)
		s->error = error;
	else
		ksma_error_destroy(error);
	return !s->error;
}

static struct ksma_error *read_rings(struct survey *s)
{
	for (s->process = 0; s->process < s->processes.count; s->process++) {
		size_t before = s->sockets.count;
		struct ksma_error *error;
		unsigned attempt = 0;

		do {
			s->sockets.count = before;
			error = ksma_rings_of_task(s->kernel, s->processes.items[s->process].task,
						   &s->budget, take_ring, s);
			if (s->error) {
				ksma_error_destroy(error);
				error = TAKE_PTR(s->error);
			}
		} while (ksma_kernel_retry(s->kernel, &attempt, &error));
		if (!error)
			continue;
		if (error->code != KSMA_ERROR_BAD_DATA && error->code != KSMA_ERROR_FAULT)
			return error;
		ksma_error_destroy(error);
		s->torn++;
	}
	return NULL;
}

/* Forgets the sockets that a process has a descriptor of as well: that is how honest programs register them. */
static struct ksma_error *drop_described(struct survey *s)
{
	for (size_t i = 0; i < s->processes.count && s->sockets.count; i++) {
		struct ksma_fds fds = { 0 };
		struct ksma_error *error;

		if (s->processes.items[i].kernel_thread)
			continue;
		error = ksma_task_fds(s->kernel, s->processes.items[i].task, &fds);
		if (error && (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST))
			return error;
		ksma_error_destroy(error);
		for (size_t j = 0; j < fds.count; j++)
			for (size_t k = 0; k < s->sockets.count;)
				if (s->sockets.items[k].file == fds.items[j].file)
					s->sockets.items[k] = s->sockets.items[--s->sockets.count];
				else
					k++;
		free(fds.items);
	}
	return NULL;
}

static struct ksma_error *report(struct survey *s, const struct held *held)
{
	const struct ksma_process *process = &s->processes.items[held->process];
	struct ksma_socket_reader reader;
	struct ksma_socket socket = { 0 };
	struct ksma_finding *finding;
	struct ksma_error *error;

	KSMA_TRY(ksma_socket_reader_init(&reader, s->kernel));
	error = ksma_socket_read(&reader, held->sock, &socket, NULL);
	if (error) {
		if (error->code == KSMA_ERROR_NOMEM)
			return error;
		ksma_error_destroy(error);
		return NULL; /* it was closed meanwhile */
	}
	error = ksma_finding_add(s->look, KSMA_SEVERITY_LOW, &finding, "socket/%.16s/%s/%u",
				 process->comm, socket.protocol, held->place);
	if (!error)
		error = ksma_finding_title(
			finding, "a %s socket of process %d is held by a ring of io_uring alone",
			socket.protocol, process->pid);
	if (!error)
		error = ksma_finding_number(finding, "pid", (uint64_t)process->pid);
	if (!error)
		error = ksma_finding_text(finding, "command", "%.16s", process->comm);
	if (!error)
		error = ksma_finding_number(finding, "inode", socket.inode);
	if (!error)
		error = ksma_finding_text(finding, "state", "%s", socket.state);
	if (!error)
		error = ksma_finding_text(finding, "local", "%s", socket.local ?: "");
	if (!error)
		error = ksma_finding_text(finding, "remote", "%s", socket.remote ?: "");
	if (!error)
		error = ksma_finding_address(s->look, finding, "ring", held->ring.context);
	if (!error && held->ring.flags & KSMA_RING_SQPOLL)
		error = ksma_finding_number(finding, "polled_by", (uint64_t)held->ring.poller);
	free(socket.local);
	free(socket.remote);
	return error;
}

static struct ksma_error *check(struct survey *s)
{
	KSMA_TRY(ksma_linux_processes(s->kernel, KSMA_PROCESS_THREADS, s->look->coverage,
				      &s->processes));
	KSMA_TRY(read_rings(s));
	KSMA_TRY(drop_described(s));
	for (size_t i = 0; i < s->sockets.count; i++)
		KSMA_TRY(report(s, &s->sockets.items[i]));
	if (s->torn)
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "the rings of %zu tasks kept changing", s->torn);
	return NULL;
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel, .budget = ksma_budget_default() };
	struct ksma_error *error;

	if (look->kernel->off.task_struct__io_uring == KSMA_NO_MEMBER)
		return NULL; /* built without io_uring */
	if (!ksma_rings_known(look->kernel))
		return ksma_kernel_missing_member("io_ring_ctx as it is known here");
	error = check(&s);
	free(s.sockets.items);
	ksma_processes_free(&s.processes);
	return error;
}

const struct ksma_check ksma_check_io_uring = {
	.info = {
		.name = "io-uring",
		.title = "Sockets that only rings hold",
		.attack = "T1071",
		.needs = "memory",
		.structures = "task->io_uring (struct io_uring_task, io_ring_ctx) of every thread: registered files, polling threads; the files of all processes",
		.why = "A program may register a socket with a ring and close its descriptor: it goes on talking with no system call that anybody watches, and "
		       "/proc shows nobody who holds the socket.",
		.cost = "0.2 ms",
		.false_alarms = "A server that accepts into its ring's own table (direct descriptors) is reported as low: name it in an exception. One that "
				"registers sockets and keeps their descriptors is none.",
		.todo = "Look at the process that has the ring, with ksma ps and ksma files. An honest server holds such sockets by "
			"descriptors as well.",
	},
	.run = run,
};

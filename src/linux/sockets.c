/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All sockets of a guest: those that processes hold, and those that only the kernel's tables know. */
#include "linux/sockets.h"

#include "linux/io_uring.h"
#include "linux/processes.h"
#include "linux/retry.h"

enum {
	SOCKETS_MAX = 1 << 20,
	NETS_MAX = 1 << 16,
	READ_LOOKS = 4, /* at one socket, before the whole look counts as torn */
};

/* A set of addresses: open addressing, 0 is empty, at most half full. */
struct address_set {
	uint64_t *slots;
	size_t size, count;
};

struct addresses {
	uint64_t *items;
	size_t count, capacity;
};

/* One look. */
struct look {
	struct ksma_kernel *kernel;
	struct ksma_socket_reader reader;
	struct ksma_budget budget;
	struct ksma_coverage coverage;
	struct ksma_sockets sockets;
	struct address_set seen_socks, seen_files, seen_tables, seen_nets;
	struct addresses nets;
	struct ksma_error *error; /* what ends the look */
	struct ksma_error *torn;  /* the first that another look may mend */
};

static size_t slot_of(const struct address_set *set, uint64_t address)
{
	size_t slot = (address * 0x9e3779b97f4a7c15ull) >> 32 & (set->size - 1);

	while (set->slots[slot] && set->slots[slot] != address)
		slot = (slot + 1) & (set->size - 1);
	return slot;
}

/* Adds an address that is not 0. @ret_new whether it was not there */
static struct ksma_error *set_add(struct address_set *set, uint64_t address, bool *ret_new)
{
	size_t slot;

	if (set->count * 2 >= set->size) {
		struct address_set larger = { .size = set->size ? set->size * 2 : 256 };

		larger.slots = calloc(larger.size, sizeof(*larger.slots));
		if (!larger.slots)
			return ksma_error_nomem();
		for (size_t i = 0; i < set->size; i++)
			if (set->slots[i])
				larger.slots[slot_of(&larger, set->slots[i])] = set->slots[i];
		larger.count = set->count;
		free(set->slots);
		*set = larger;
	}
	slot = slot_of(set, address);
	*ret_new = !set->slots[slot];
	if (*ret_new) {
		set->slots[slot] = address;
		set->count++;
	}
	return NULL;
}

static void look_deinit(struct look *look)
{
	ksma_sockets_free(&look->sockets);
	ksma_coverage_deinit(&look->coverage);
	free(look->seen_socks.slots);
	free(look->seen_files.slots);
	free(look->seen_tables.slots);
	free(look->seen_nets.slots);
	free(look->nets.items);
	ksma_error_destroy(look->error);
	ksma_error_destroy(look->torn);
	*look = (struct look){ 0 };
}

/* Keeps the first error that another look may mend. */
static void note_torn(struct look *look, struct ksma_error *error)
{
	if (look->torn)
		ksma_error_destroy(error);
	else
		look->torn = error;
}

static struct ksma_error *add_net(struct look *look, uint64_t net)
{
	uint64_t *item;
	bool new;

	if (!net || look->nets.count >= NETS_MAX)
		return NULL;
	KSMA_TRY(set_add(&look->seen_nets, net, &new));
	if (!new)
		return NULL;
	KSMA_TRY(KSMA_ARRAY_PUSH(&look->nets, &item));
	*item = net;
	return NULL;
}

/* Reads a socket; what changes without end, or vanished, is left to the next look. */
static struct ksma_error *read_settled(struct look *look, uint64_t sock,
				       struct ksma_socket *ret_socket, uint64_t *ret_net)
{
	struct ksma_error *error = NULL;

	for (unsigned i = 0; i < READ_LOOKS; i++) {
		ksma_error_destroy(error);
		error = ksma_socket_read(&look->reader, sock, ret_socket, ret_net);
		if (!error || error->code != KSMA_ERROR_BAD_DATA)
			break;
	}
	return error;
}

/* Adds the socket if it is not there yet, with its holder if it has one. */
static struct ksma_error *add_socket(struct look *look, uint64_t sock,
				     const struct ksma_process *holder, int32_t fd)
{
	struct ksma_socket socket, *item;
	struct ksma_error *error;
	uint64_t net;
	bool new;

	if (!sock)
		return NULL;
	if (look->sockets.count >= SOCKETS_MAX)
		return ksma_error_create(KSMA_ERROR_LIMIT, "the guest has more than %d sockets",
					 SOCKETS_MAX);
	KSMA_TRY(set_add(&look->seen_socks, sock, &new));
	if (!new)
		return NULL;
	error = read_settled(look, sock, &socket, &net);
	if (error) {
		if (error->code == KSMA_ERROR_NOMEM)
			return error;
		note_torn(look, error);
		return NULL;
	}
	socket.fd = -1;
	if (holder) {
		socket.pid = holder->pid;
		socket.fd = fd;
		memcpy(socket.comm, holder->comm, sizeof(socket.comm));
	}
	error = KSMA_ARRAY_PUSH(&look->sockets, &item);
	if (!error) {
		*item = socket;
		return add_net(look, net);
	}
	free(socket.local);
	free(socket.remote);
	return error;
}

static bool on_table_socket(void *arg, uint64_t sock)
{
	struct look *look = arg;

	look->error = add_socket(look, sock, NULL, -1);
	return !look->error;
}

/* The sockets among the open files of one task. Children inherit files, so most were seen before. */
static struct ksma_error *look_at_fds(struct look *look, const struct ksma_process *process,
				      const struct ksma_fds *fds)
{
	for (size_t i = 0; i < fds->count; i++) {
		uint64_t sock;
		bool new;

		if (!ksma_budget_spend(&look->budget))
			return ksma_budget_error("open files");
		KSMA_TRY(set_add(&look->seen_files, fds->items[i].file, &new));
		if (!new)
			continue;
		if (!ksma_socket_of_file(look->kernel, fds->items[i].file, &sock)) {
			note_torn(look, ksma_error_create(KSMA_ERROR_BAD_DATA,
							  "file %d of process %d is not mapped",
							  fds->items[i].fd, process->pid));
			continue;
		}
		KSMA_TRY(add_socket(look, sock, process, fds->items[i].fd));
	}
	return NULL;
}

/* Threads mostly share one table of files with their process. */
static struct ksma_error *look_at_task(struct look *look, const struct ksma_process *process)
{
	struct ksma_fds fds = { 0 };
	struct ksma_error *error;
	uint64_t table;
	bool new = false;

	if (process->kernel_thread || look->kernel->off.task_struct__files < 0 ||
	    !ksma_kernel_u64(look->kernel,
			     process->task + (uint64_t)look->kernel->off.task_struct__files,
			     &table) ||
	    !table)
		return NULL;
	KSMA_TRY(set_add(&look->seen_tables, table, &new));
	if (!new)
		return NULL;
	error = ksma_task_fds(look->kernel, process->task, &fds);
	if (error && (error->code == KSMA_ERROR_BAD_DATA || error->code == KSMA_ERROR_FAULT)) {
		note_torn(look, ksma_error_prefix(error, "process %d", process->pid));
		return NULL;
	}
	if (!error)
		error = look_at_fds(look, process, &fds);
	free(fds.items);
	return error;
}

/* Sockets that are registered with a ring; most have a descriptor too, and were seen before. */
struct ring_look {
	struct look *look;
	const struct ksma_process *process;
};

static bool on_ring_file(void *arg, uint32_t place, uint64_t file)
{
	struct ring_look *r = arg;
	uint64_t sock;
	bool new = false;

	(void)place;
	r->look->error = set_add(&r->look->seen_files, file, &new);
	if (!r->look->error && new &&ksma_socket_of_file(r->look->kernel, file, &sock))
		r->look->error = add_socket(r->look, sock, r->process, -1);
	return !r->look->error;
}

static bool on_ring(void *arg, const struct ksma_ring *ring)
{
	struct ring_look *r = arg;
	struct ksma_error *error =
		ksma_ring_files(r->look->kernel, ring, &r->look->budget, on_ring_file, r);

	if (error && !r->look->error &&
	    (error->code == KSMA_ERROR_BAD_DATA || error->code == KSMA_ERROR_FAULT)) {
		note_torn(r->look, error);
		return true;
	}
	if (!r->look->error)
		r->look->error = error;
	else
		ksma_error_destroy(error);
	return !r->look->error;
}

static struct ksma_error *look_at_rings(struct look *look, const struct ksma_process *process)
{
	struct ring_look r = { look, process };
	struct ksma_error *error;

	if (process->kernel_thread || !ksma_rings_known(look->kernel))
		return NULL;
	error = ksma_rings_of_task(look->kernel, process->task, &look->budget, on_ring, &r);
	if (look->error) {
		ksma_error_destroy(error);
		return TAKE_PTR(look->error);
	}
	if (error && (error->code == KSMA_ERROR_BAD_DATA || error->code == KSMA_ERROR_FAULT)) {
		note_torn(look, error);
		return NULL;
	}
	return error;
}

static struct ksma_error *look_at_processes(struct look *look)
{
	_cleanup_(ksma_processes_free) struct ksma_processes processes = { 0 };

	KSMA_TRY(ksma_linux_processes(look->kernel, KSMA_PROCESS_THREADS, &look->coverage,
				      &processes));
	for (size_t i = 0; i < processes.count; i++)
		KSMA_TRY(look_at_task(look, &processes.items[i]));
	/* After all descriptors: a socket that has one is told by it. */
	for (size_t i = 0; i < processes.count; i++)
		KSMA_TRY(look_at_rings(look, &processes.items[i]));
	return NULL;
}

static bool on_net(void *arg, uint64_t entry)
{
	struct look *look = arg;

	look->error = add_net(look, entry - (uint64_t)look->kernel->off.net__list);
	return !look->error;
}

/* The list of network namespaces; one that was taken off it is still found if a process has a socket in it. */
static struct ksma_error *look_at_nets(struct look *look)
{
	struct ksma_error *error;
	uint64_t head;

	KSMA_TRY(KSMA_NEED(look->kernel, net__list));
	KSMA_TRY(ksma_kernel_need_symbol(look->kernel, "net_namespace_list", &head));
	error = ksma_kernel_list(look->kernel, head, &look->budget, on_net, look);
	if (look->error) {
		ksma_error_destroy(error);
		return TAKE_PTR(look->error);
	}
	if (error && (error->code == KSMA_ERROR_BAD_DATA || error->code == KSMA_ERROR_FAULT)) {
		note_torn(look, error);
		return NULL;
	}
	return error;
}

static struct ksma_error *look_at_tables(struct look *look)
{
	struct ksma_socket_tables tables = {
		.kernel = look->kernel,
		.budget = &look->budget,
		.coverage = &look->coverage,
		.fn = on_table_socket,
		.arg = look,
	};
	struct ksma_error *error = ksma_socket_tables_global(&tables);

	/* A socket in a table may name one more namespace. */
	for (size_t i = 0; !error && !look->error && i < look->nets.count; i++)
		error = ksma_socket_tables_of_net(&tables, look->nets.items[i]);
	free(tables.seen.items);
	if (look->error) {
		ksma_error_destroy(error);
		return TAKE_PTR(look->error);
	}
	if (!error && tables.torn)
		note_torn(
			look,
			ksma_error_create(
				KSMA_ERROR_BAD_DATA,
				"%u chains of sockets changed while they were read, or are damaged",
				tables.torn));
	return error;
}

static struct ksma_error *look_once(struct look *look, struct ksma_kernel *kernel)
{
	look_deinit(look);
	look->kernel = kernel;
	look->budget = ksma_budget_default();
	KSMA_TRY(ksma_socket_reader_init(&look->reader, kernel));
	KSMA_TRY(look_at_processes(look));
	KSMA_TRY(look_at_nets(look));
	KSMA_TRY(look_at_tables(look));
	return TAKE_PTR(look->torn);
}

KSMA_API struct ksma_error *ksma_linux_sockets(struct ksma_kernel *kernel,
					       struct ksma_coverage *coverage,
					       struct ksma_sockets *ret_sockets)
{
	_cleanup_(look_deinit) struct look look = { 0 };
	struct ksma_error *error;
	unsigned attempt = 0;

	do {
		error = look_once(&look, kernel);
	} while (ksma_kernel_retry(kernel, &attempt, &error));
	if (error) {
		if (error->code != KSMA_ERROR_BAD_DATA && error->code != KSMA_ERROR_FAULT &&
		    error->code != KSMA_ERROR_LIMIT)
			return error;
		ksma_coverage_error(&look.coverage, KSMA_COVERAGE_PARTIAL, error, "sockets");
	}
	ksma_coverage_merge(coverage, &look.coverage);
	*ret_sockets = look.sockets;
	look.sockets = (struct ksma_sockets){ 0 };
	return NULL;
}

KSMA_API void ksma_sockets_free(struct ksma_sockets *sockets)
{
	for (size_t i = 0; i < sockets->count; i++) {
		free(sockets->items[i].local);
		free(sockets->items[i].remote);
	}
	free(sockets->items);
	*sockets = (struct ksma_sockets){ 0 };
}

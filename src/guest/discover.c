/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every QEMU system emulator of the host, however started, found through /proc alone. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>

#include "guest/discover.h"
#include "guest/guest.h"

struct entries {
	struct ksma_host_process *items;
	size_t count, capacity;
};

void ksma_host_processes_free(struct ksma_host_process *processes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		ksma_host_process_free(&processes[i]);
	free(processes);
}

/* A QEMU that forks (-daemonize, helper scripts before their exec) shows the same command line twice: the one with the
 * threads is the guest. */
static bool is_double(const struct entries *entries, const struct ksma_host_process *p)
{
	for (size_t i = 0; i < entries->count; i++) {
		const struct ksma_host_process *other = &entries->items[i];
		bool kin = other->pid == p->parent || p->pid == other->parent;

		if (!kin || strcmp(other->cmdline.name, p->cmdline.name) != 0 ||
		    strcmp(other->cmdline.uuid, p->cmdline.uuid) != 0 ||
		    strcmp(other->binary, p->binary) != 0)
			continue;
		if (other->threads > p->threads ||
		    (other->threads == p->threads && other->pid == p->parent))
			return true;
	}
	return false;
}

static struct ksma_error *add_process(struct entries *entries, int pid)
{
	struct ksma_host_process process, *item;
	struct ksma_error *error = ksma_host_process_read(pid, &process);

	if (error && error->code == KSMA_ERROR_NOMEM)
		return error;
	if (error) {
		/* Gone meanwhile, or something else than a QEMU. */
		ksma_error_destroy(error);
		return NULL;
	}
	error = KSMA_ARRAY_PUSH(entries, &item);
	if (error)
		ksma_host_process_free(&process);
	else
		*item = process;
	return error;
}

static void drop_doubles(struct entries *entries)
{
	size_t kept = 0;

	/* Judged while all are still there; a double is never the reason to drop another, for it has fewer threads. */
	for (size_t i = 0; i < entries->count; i++)
		entries->items[i].running =
			entries->items[i].running && !is_double(entries, &entries->items[i]);
	for (size_t i = 0; i < entries->count; i++) {
		if (entries->items[i].running)
			entries->items[kept++] = entries->items[i];
		else
			ksma_host_process_free(&entries->items[i]);
	}
	entries->count = kept;
}

static int by_pid(const void *a, const void *b)
{
	const struct ksma_host_process *x = a, *y = b;

	return (x->pid > y->pid) - (x->pid < y->pid);
}

struct ksma_error *ksma_host_processes_discover(struct ksma_host_process **ret_processes,
						size_t *ret_count)
{
	struct entries entries = { 0 };
	struct ksma_error *error = NULL;
	struct dirent *entry;
	DIR *folder = opendir("/proc");

	if (!folder)
		return ksma_error_os(errno, "/proc");
	while (!error && (entry = readdir(folder)))
		if (isdigit((unsigned char)entry->d_name[0]))
			error = add_process(&entries, atoi(entry->d_name));
	closedir(folder);
	if (error) {
		ksma_host_processes_free(entries.items, entries.count);
		return error;
	}
	drop_doubles(&entries);
	if (entries.count)
		qsort(entries.items, entries.count, sizeof(*entries.items), by_pid);
	*ret_processes = entries.items;
	*ret_count = entries.count;
	return NULL;
}

/* Moves what an entry shows out of a process. */
static struct ksma_error *fill_entry(struct ksma_guest_entry *entry,
				     struct ksma_host_process *process)
{
	struct ksma_cmdline *c = &process->cmdline;

	entry->monitors = calloc(c->monitor_count + 1, sizeof(*entry->monitors));
	if (!entry->monitors)
		return ksma_error_nomem();
	for (size_t i = 0; i < c->monitor_count; i++)
		entry->monitors[i] = TAKE_PTR(c->monitors[i]);
	c->monitor_count = 0;
	entry->pid = process->pid;
	entry->name = TAKE_PTR(c->name);
	entry->uuid = TAKE_PTR(c->uuid);
	entry->binary = TAKE_PTR(process->binary);
	entry->machine = TAKE_PTR(c->machine);
	entry->accelerator = TAKE_PTR(c->accelerator);
	entry->ram_bytes = c->ram_bytes;
	entry->vcpus = c->vcpus;
	entry->running = process->running;
	return NULL;
}

KSMA_API struct ksma_error *ksma_guest_discover(struct ksma_guest_list *ret_list)
{
	struct ksma_host_process *processes;
	struct ksma_guest_list list = { 0 };
	struct ksma_error *error = NULL;
	size_t count;

	KSMA_TRY(ksma_host_processes_discover(&processes, &count));
	list.entries = calloc(count ? count : 1, sizeof(*list.entries));
	if (!list.entries)
		error = ksma_error_nomem();
	for (size_t i = 0; i < count && !error; i++) {
		list.count++;
		error = fill_entry(&list.entries[i], &processes[i]);
	}
	ksma_host_processes_free(processes, count);
	if (error) {
		ksma_guest_list_free(&list);
		return error;
	}
	*ret_list = list;
	return NULL;
}

KSMA_API void ksma_guest_list_free(struct ksma_guest_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct ksma_guest_entry *e = &list->entries[i];

		for (char **m = e->monitors; m && *m; m++)
			free(*m);
		free(e->monitors);
		free(e->name);
		free(e->uuid);
		free(e->binary);
		free(e->machine);
		free(e->accelerator);
	}
	free(list->entries);
	*list = (struct ksma_guest_list){ 0 };
}

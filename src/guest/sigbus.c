/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A shared mapping whose file is cut short, or whose page the host cannot give, must not end our process. */
#include "guest/sigbus.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

enum { GUARDS_MAX = 1024 };

/* The handler reads these while others may write them: `end` is 0 while an entry is not in use. */
static struct {
	atomic_uintptr_t start, end;
	atomic_size_t page_size;
	atomic_uint faults;
} guards[GUARDS_MAX];

static pthread_mutex_t guards_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;
static bool installed;

static bool patch(uintptr_t address)
{
	for (size_t i = 0; i < GUARDS_MAX; i++) {
		uintptr_t start = atomic_load(&guards[i].start);
		uintptr_t end = atomic_load(&guards[i].end);
		size_t size = atomic_load(&guards[i].page_size);
		uintptr_t page;

		if (address < start || address >= end)
			continue;
		page = address & ~(uintptr_t)(size - 1);
		/* mmap is no call that POSIX allows here, but on Linux it is a bare system call. */
		if (mmap((void *)page, size, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
			 0) == MAP_FAILED)
			return false;
		atomic_fetch_add(&guards[i].faults, 1);
		return true;
	}
	return false;
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	int saved = errno;

	if (info->si_code > 0 && patch((uintptr_t)info->si_addr)) {
		errno = saved;
		return;
	}
	errno = saved;
	if (before.sa_flags & SA_SIGINFO) {
		before.sa_sigaction(number, info, context);
	} else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
		before.sa_handler(number);
	} else {
		/* The instruction is run again and ends the process as it would have without us. */
		struct sigaction plain = { .sa_handler = SIG_DFL };

		sigaction(SIGBUS, &plain, NULL);
		if (info->si_code <= 0)
			raise(SIGBUS);
	}
}

static void install(void)
{
	struct sigaction action = { .sa_sigaction = on_sigbus,
				    .sa_flags = SA_SIGINFO | SA_NODEFER };

	if (installed)
		return;
	sigemptyset(&action.sa_mask);
	installed = sigaction(SIGBUS, &action, &before) == 0;
}

int ksma_sigbus_guard(const void *map, size_t length, size_t page_size)
{
	int found = -1;

	pthread_mutex_lock(&guards_lock);
	install();
	for (int i = 0; i < GUARDS_MAX && found < 0; i++) {
		if (atomic_load(&guards[i].end))
			continue;
		atomic_store(&guards[i].faults, 0);
		atomic_store(&guards[i].page_size, page_size);
		atomic_store(&guards[i].start, (uintptr_t)map);
		atomic_store(&guards[i].end, (uintptr_t)map + length);
		found = i;
	}
	pthread_mutex_unlock(&guards_lock);
	return found;
}

void ksma_sigbus_unguard(int guard)
{
	if (guard < 0)
		return;
	pthread_mutex_lock(&guards_lock);
	atomic_store(&guards[guard].end, 0);
	atomic_store(&guards[guard].start, UINTPTR_MAX);
	pthread_mutex_unlock(&guards_lock);
}

unsigned ksma_sigbus_faults(int guard)
{
	return guard < 0 ? 0 : atomic_load(&guards[guard].faults);
}

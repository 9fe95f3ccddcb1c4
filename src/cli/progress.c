/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thread that sleeps through every quick command and writes one line on standard error during a slow one. */
#include "cli/progress.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "base/util.h"

struct cli_progress {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const char *what;
	uint64_t started_ns;
	bool stop;
};

/* Sleeps until `ms` have passed or the end was asked for. Called with the lock held. */
static void wait_ms(struct cli_progress *p, unsigned ms)
{
	struct timespec until;
	int e = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)ms * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (!p->stop && e != ETIMEDOUT)
		e = pthread_cond_timedwait(&p->changed, &p->lock, &until);
}

static void *tell(void *arg)
{
	struct cli_progress *p = arg;
	bool said = false;

	pthread_mutex_lock(&p->lock);
	wait_ms(p, 1000);
	while (!p->stop) {
		fprintf(stderr, "\r\033[Kksma: %s … %.0f s", p->what,
			(double)(ksma_now_ns() - p->started_ns) / 1e9);
		fflush(stderr);
		said = true;
		wait_ms(p, 500);
	}
	if (said)
		fputs("\r\033[K", stderr);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct cli_progress *cli_progress_start(void)
{
	struct cli_progress *p;
	pthread_condattr_t attr;
	sigset_t all, old;
	int e;

	if (!isatty(STDERR_FILENO))
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->what = "working";
	p->started_ns = ksma_now_ns();
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&p->lock, NULL);
	/* Signals belong to the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	e = pthread_create(&p->thread, NULL, tell, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (e) {
		free(p);
		return NULL;
	}
	return p;
}

void cli_progress_say(struct cli_progress *p, const char *what)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->what = what;
	pthread_mutex_unlock(&p->lock);
}

void cli_progress_stop(struct cli_progress *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

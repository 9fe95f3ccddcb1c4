/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stands at a function of the payload as the guard stands at one of Linux: guard PID SERIAL-LOG GDB-SOCKET [ROUNDS], prints TAP.
 *
 * A breakpoint is hit, skipped, denied, stepped over; and a guard that is killed at any moment leaves a guest that runs and has no
 * breakpoint. The payload counts what became of each of its calls. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "guard/keeper.h"
#include "guest/gdb_server.h"
#include "guest/gdbstub.h"
#include "guest/live.h"

enum { HITS = 300, ROUNDS = 200, NOP_LENGTH = 5, WAIT_MS = 20000, LIMIT_MS = 1000 };

struct gate {
	uint64_t function, wanted_gpa;
	struct ksma_guest *guest;
	int pid;
	const char *socket;
	unsigned cases, failures;
};

struct counts {
	uint64_t wanted, allowed, denied, other;
};

static void die(struct ksma_error *error)
{
	if (!error)
		return;
	fprintf(stderr, "guard: %s\n", error->message);
	exit(3);
}

static void ok(struct gate *gate, bool good, const char *what)
{
	gate->cases++;
	gate->failures += !good;
	printf("%s %u - %s\n", good ? "ok" : "not ok", gate->cases, what);
	fflush(stdout);
}

static struct counts count(struct gate *gate)
{
	struct counts c;

	die(ksma_guest_refresh(gate->guest));
	die(ksma_guest_read(gate->guest, (ksma_gpa){ gate->wanted_gpa }, &c, sizeof(c)));
	return c;
}

/* The payload goes to its gate once this is set; the test may write to the guest, the guard never does. */
static void open_gate(struct gate *gate, uint32_t wanted)
{
	const struct ksma_ram_region *regions;
	char path[64];
	size_t n;
	int fd;

	ksma_guest_regions(gate->guest, &regions, &n);
	snprintf(path, sizeof(path), "/proc/%d/mem", gate->pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < n; i++) {
		if (gate->wanted_gpa - regions[i].gpa >= regions[i].size)
			continue;
		if (pwrite(fd, &wanted, sizeof(wanted),
			   (off_t)(regions[i].hva + gate->wanted_gpa - regions[i].gpa)) !=
		    sizeof(wanted))
			die(ksma_error_os(errno, "%s", path));
	}
	close(fd);
}

/* The call at which it stood when it was let go is counted, and none is under way. @return false when that does not happen in time */
static bool settles(struct gate *gate, uint64_t allowed)
{
	for (int i = 0; i < 1000; i++) {
		if (count(gate).allowed == allowed)
			return true;
		usleep(20000);
	}
	return false;
}

static struct ksma_gdb *attach(struct gate *gate)
{
	struct ksma_gdb *gdb;

	die(ksma_gdb_connect(gate->socket, 0, &gdb));
	die(ksma_gdb_hello(gdb));
	die(ksma_gdb_break(gdb, &gate->function, 1, true));
	return gdb;
}

static uint64_t return_address(struct gate *gate, const struct ksma_gdb_registers *r)
{
	uint64_t image = 0xffffffff80f00000, address;

	/* Mapped, as the engine has it: what stands need not be fetched anew. */
	die(ksma_guest_read(gate->guest, (ksma_gpa){ r->value[KSMA_RSP_RSP] - image }, &address,
			    8));
	return address;
}

enum deed { SKIP, DENY, STEP, DEEDS };

/* Waits until the vCPU stands at the gate. Now and then QEMU tells twice of one stop. @ret_since when it was heard of
 * @return false when it does not come in time */
static bool await_gate(struct gate *gate, struct ksma_gdb *gdb, struct ksma_keeper *keeper,
		       struct ksma_gdb_registers *r, uint64_t *ret_since)
{
	for (;;) {
		struct ksma_rsp_stop stop;
		bool ready;

		die(ksma_gdb_poll(gdb, WAIT_MS, &ready));
		*ret_since = ksma_now_ns();
		if (keeper)
			ksma_keeper_beat(keeper, true);
		die(ksma_gdb_wait(gdb, WAIT_MS, &stop));
		if (stop.kind != KSMA_RSP_STOPPED || stop.signal != 5)
			return false;
		die(ksma_gdb_read(gdb, stop.thread, r));
		if (r->value[KSMA_RSP_RIP] == gate->function)
			return true;
		die(ksma_gdb_resume(gdb, stop.thread, NULL, 0));
	}
}

/* One hit. @return false when none came in time */
static bool serve(struct gate *gate, struct ksma_gdb *gdb, struct ksma_keeper *keeper,
		  enum deed deed, uint64_t *ret_ns)
{
	struct ksma_gdb_change changes[3];
	struct ksma_gdb_registers r;
	struct ksma_rsp_stop stop;
	uint64_t start;
	size_t n = 0;

	if (!await_gate(gate, gdb, keeper, &r, &start))
		return false;
	switch (deed) {
	case SKIP:
		changes[n++] =
			(struct ksma_gdb_change){ KSMA_RSP_RIP, gate->function + NOP_LENGTH };
		break;
	case DENY:
		changes[n++] = (struct ksma_gdb_change){ KSMA_RSP_RAX, (uint64_t)-EACCES };
		changes[n++] = (struct ksma_gdb_change){ KSMA_RSP_RSP, r.value[KSMA_RSP_RSP] + 8 };
		changes[n++] = (struct ksma_gdb_change){ KSMA_RSP_RIP, return_address(gate, &r) };
		break;
	default:
		die(ksma_gdb_step(gdb, r.thread, gate->function, &stop));
	}
	die(ksma_gdb_resume(gdb, r.thread, changes, n));
	if (keeper)
		ksma_keeper_beat(keeper, false);
	*ret_ns = ksma_now_ns() - start;
	return true;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Each way to go on from a breakpoint does what it says, every time. */
static void deeds(struct gate *gate)
{
	static const char *const names[] = { "skipped", "denied", "stepped over" };

	for (enum deed deed = SKIP; deed < DEEDS; deed++) {
		struct counts before = count(gate), after;
		struct ksma_gdb *gdb = attach(gate);
		struct ksma_gdb_registers registers;
		uint64_t times[HITS], good = 0, expected, since;
		char text[160];

		die(ksma_gdb_resume(gdb, 1, NULL, 0));
		open_gate(gate, 1);
		while (good < HITS && serve(gate, gdb, NULL, deed, &times[good]))
			good++;
		/* It stands at the next one: what was begun has been counted. */
		if (!await_gate(gate, gdb, NULL, &registers, &since))
			good = 0;
		after = count(gate);
		open_gate(gate, 0);
		die(ksma_gdb_detach(gdb));
		ksma_gdb_destroy(gdb);
		expected = deed == DENY ? after.denied - before.denied
					: after.allowed - before.allowed;
		qsort(times, good, sizeof(*times), by_size);
		snprintf(text, sizeof(text),
			 "%" PRIu64 " of %d hits %s, %" PRIu64 " counted; stopped for %" PRIu64
			 " us at best, %" PRIu64 " us in the middle",
			 good, HITS, names[deed], expected, good ? times[0] / 1000 : 0,
			 good ? times[good / 2] / 1000 : 0);
		ok(gate,
		   good == HITS && expected == good && after.other == before.other &&
			   settles(gate, after.allowed + 1),
		   text);
	}
}

/* The guest runs, and passes the gate with nobody there. */
static bool runs_free(struct gate *gate)
{
	for (int i = 0; i < 1000; i++) {
		struct counts first = count(gate), now;

		usleep(20000);
		now = count(gate);
		/* A breakpoint with nobody there would let it pass at most once. */
		if (now.allowed - first.allowed > 50)
			return true;
	}
	return false;
}

/* A guard in a process of its own, that only a signal ends. */
static _Noreturn void stand_guard(struct gate *gate, int say)
{
	struct ksma_keeper *keeper;
	struct ksma_gdb *gdb;
	uint64_t ns;

	die(ksma_keeper_start(gate->socket, false, LIMIT_MS, &keeper));
	if (write(say, "k", 1) != 1)
		_exit(4);
	die(ksma_gdb_connect(gate->socket, 0, &gdb));
	die(ksma_keeper_show(keeper, ksma_gdb_fd(gdb)));
	die(ksma_gdb_hello(gdb));
	die(ksma_gdb_break(gdb, &gate->function, 1, true));
	die(ksma_gdb_resume(gdb, 1, NULL, 0));
	ksma_keeper_beat(keeper, false);
	for (enum deed deed = SKIP;; deed = (deed + 1) % DEEDS)
		if (!serve(gate, gdb, keeper, deed, &ns))
			_exit(5);
}

static void kill_rounds(struct gate *gate, unsigned rounds, int signal, const char *what)
{
	struct counts before = count(gate), after;
	unsigned free_after = 0, ended = 0;
	char text[200];

	open_gate(gate, 1);
	for (unsigned i = 0; i < rounds; i++) {
		int pipes[2], status;
		uint32_t random = 0;
		char byte;
		pid_t pid;

		if (pipe2(pipes, O_CLOEXEC) < 0)
			die(ksma_error_os(errno, "pipe"));
		pid = fork();
		if (pid == 0)
			stand_guard(gate, pipes[1]);
		close(pipes[1]);
		if (read(pipes[0], &byte, 1) != 1)
			byte = 0;
		close(pipes[0]);
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			random = i * 7919;
		usleep(random % 30000);
		kill(pid, signal);
		waitpid(pid, &status, 0);
		ended += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		free_after += runs_free(gate);
	}
	after = count(gate);
	open_gate(gate, 0);
	snprintf(text, sizeof(text),
		 "%s: %u of %u times it ran on with no breakpoint (%" PRIu64
		 " calls denied, %" PRIu64 " odd)",
		 what, free_after, rounds, after.denied - before.denied,
		 after.other - before.other);
	ok(gate, free_after == rounds && ended == rounds && after.other == before.other, text);
}

/* Both at once: the guest is left as it is, and the next to come cures it. */
static void both_killed(struct gate *gate)
{
	struct ksma_keeper *keeper;
	struct ksma_gdb *gdb;
	int status;
	pid_t pid;

	open_gate(gate, 1);
	pid = fork();
	if (pid == 0) {
		die(ksma_keeper_start(gate->socket, false, 0, &keeper));
		gdb = attach(gate);
		die(ksma_keeper_show(keeper, ksma_gdb_fd(gdb)));
		kill(ksma_keeper_pid(keeper), SIGKILL);
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	die(ksma_gdb_release(gate->socket, 0, true));
	ok(gate, runs_free(gate), "guard and keeper killed: the next one to connect lets it run");
	open_gate(gate, 0);
}

static void find_gate(struct gate *gate, const char *log)
{
	_cleanup_free_ char *text = NULL;
	const char *line;

	die(ksma_read_file(log, 1 << 20, &text, NULL));
	line = strstr(text, "\ngate");
	if (!line ||
	    sscanf(line, " gate %" SCNx64 " %" SCNx64, &gate->function, &gate->wanted_gpa) != 2)
		die(ksma_error_create(KSMA_ERROR_BAD_DATA, "%s does not tell of the gate", log));
}

int main(int argc, char **argv)
{
	struct gate gate = { 0 };
	struct ksma_gdb_server server;
	unsigned rounds;

	if (argc < 4)
		return 2;
	rounds = argc > 4 ? (unsigned)atoi(argv[4]) : ROUNDS;
	gate.pid = atoi(argv[1]);
	gate.socket = argv[3];
	find_gate(&gate, argv[2]);
	die(ksma_guest_open(argv[1], NULL, &gate.guest));
	die(ksma_gdb_server_open(((struct ksma_live *)gate.guest->priv)->monitor, gate.socket));
	deeds(&gate);
	kill_rounds(&gate, rounds, SIGKILL, "guard killed at a random moment");
	kill_rounds(&gate, 6, SIGSTOP, "guard that hangs, and is ended");
	both_killed(&gate);
	die(ksma_gdb_server_find(((struct ksma_live *)gate.guest->priv)->monitor, &server));
	ok(&gate, server.present && !server.connected && strcmp(server.status, "running") == 0,
	   "the monitor says that it runs, and that no debugger is there");
	ksma_gdb_server_deinit(&server);
	die(ksma_gdb_server_close(((struct ksma_live *)gate.guest->priv)->monitor));
	ksma_guest_destroy(gate.guest);
	printf("1..%u\n", gate.cases);
	return gate.failures != 0;
}

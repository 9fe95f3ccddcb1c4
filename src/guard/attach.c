/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way to a guest's debugger socket: one guard a guest, nobody's debugger is taken away, and what was opened is closed. */
#include "guard/attach.h"

#include <errno.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "guard/engine.h"

enum { OFF_WAIT_MS = 5000, OFF_STEP_MS = 20 };

#define SOCKET_NAME "ksma-guard"

/* A folder for what must outlive nothing but this boot of the host, and be written by nobody else. */
static struct ksma_error *runtime_folder(char **ret_path)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	_cleanup_free_ char *path = NULL;
	struct stat st;

	if (geteuid() == 0)
		KSMA_TRY(ksma_strdup("/run/ksma", &path));
	else if (xdg && xdg[0] == '/')
		KSMA_TRY(ksma_asprintf(&path, "%s/ksma", xdg));
	else
		KSMA_TRY(ksma_asprintf(&path, "/tmp/ksma-%u", geteuid()));
	if ((mkdir(path, 0700) < 0 && errno != EEXIST) || lstat(path, &st) < 0)
		return ksma_error_os(errno, "%s", path);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022))
		return ksma_error_create(KSMA_ERROR_PERMISSION,
					 "%s belongs to somebody else, or others may write to it",
					 path);
	*ret_path = TAKE_PTR(path);
	return NULL;
}

/* The guard's mark on a guest. @ret_pid of the guard that holds it, 0: we do now */
static struct ksma_error *take_lock(int qemu, int *ret_fd, int *ret_pid)
{
	_cleanup_free_ char *folder = NULL, *path = NULL;
	_cleanup_close_ int fd = -1;
	char text[16] = "";

	KSMA_TRY(runtime_folder(&folder));
	KSMA_TRY(ksma_asprintf(&path, "%s/%s-%d.pid", folder, SOCKET_NAME, qemu));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return ksma_error_os(errno, "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return ksma_error_os(errno, "%s", path);
		*ret_pid = pread(fd, text, sizeof(text) - 1, 0) > 0 ? atoi(text) : -1;
		return NULL;
	}
	snprintf(text, sizeof(text), "%d\n", getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, strlen(text), 0) < 0)
		return ksma_error_os(errno, "%s", path);
	*ret_pid = 0;
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

/* Has QEMU listen where it may: in our folder, else beside its monitor's socket, where it made one already. */
static struct ksma_error *open_server(struct ksma_attachment *a, int qemu)
{
	const char *monitor = ksma_monitor_name(a->monitor), *slash = strrchr(monitor, '/');
	_cleanup_free_ char *folder = NULL, *path = NULL;
	struct ksma_error *error;

	KSMA_TRY(runtime_folder(&folder));
	KSMA_TRY(ksma_asprintf(&path, "%s/%s-%d.gdb", folder, SOCKET_NAME, qemu));
	unlink(path);
	error = ksma_gdb_server_open(a->monitor, path);
	if (error && *monitor == '/' && slash) {
		ksma_error_destroy(error);
		free(TAKE_PTR(path));
		KSMA_TRY(ksma_asprintf(&path, "%.*s/%s-%d.gdb", (int)(slash - monitor), monitor,
				       SOCKET_NAME, qemu));
		error = ksma_gdb_server_open(a->monitor, path);
	}
	if (error)
		return error;
	a->ours = true;
	return ksma_asprintf(&a->address, "unix:%s", path);
}

/* From the moment of the connection the guest stands: the keeper is there before, and undoes it whatever becomes of us. */
static struct ksma_error *connect_kept(struct ksma_attachment *a)
{
	struct ksma_error *error;

	KSMA_TRY(ksma_keeper_start(a->address, a->paused, a->limit_ms, &a->keeper));
	error = ksma_gdb_connect(a->address, 0, &a->gdb);
	if (error) {
		ksma_keeper_stop(TAKE_PTR(a->keeper));
		return error;
	}
	KSMA_TRY(ksma_keeper_show(a->keeper, ksma_gdb_fd(a->gdb)));
	return ksma_gdb_hello(a->gdb);
}

static struct ksma_error *attach(struct ksma_attachment *a, int qemu, bool from_start)
{
	_cleanup_(ksma_gdb_server_deinit) struct ksma_gdb_server server = { 0 };

	KSMA_TRY(ksma_gdb_server_find(a->monitor, &server));
	if (server.connected)
		return ksma_error_create(
			KSMA_ERROR_PERMISSION,
			"a debugger is attached to the guest (%s): end it first, there can be one only",
			server.address ?: "not by a socket");
	a->paused = !from_start && strcmp(server.status, "running") != 0 &&
		    strcmp(server.status, "debug") != 0;
	if (server.present && server.address) {
		a->ours = strstr(server.address, "/" SOCKET_NAME "-") != NULL;
		a->address = TAKE_PTR(server.address);
		/* One that nobody holds may have been left by a guard: what it left is undone by the greeting. */
	} else {
		KSMA_TRY(open_server(a, qemu));
	}
	return connect_kept(a);
}

struct ksma_error *ksma_attachment_keep(struct ksma_attachment *a, bool standing)
{
	ksma_keeper_stop(TAKE_PTR(a->keeper));
	KSMA_TRY(ksma_keeper_start(a->address, a->paused, a->limit_ms, &a->keeper));
	ksma_keeper_beat(a->keeper, standing);
	return ksma_keeper_show(a->keeper, ksma_gdb_fd(a->gdb));
}

static struct ksma_error *monitor_of(struct ksma_guest *guest, struct ksma_monitor **ret_monitor)
{
	struct ksma_live *live = guest->priv;

	if (guest->info.kind != KSMA_GUEST_LIVE)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "a memory dump runs no more: there is nothing to guard");
	if (!live->monitor)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "the guard needs the guest's monitor: %s",
					 guest->info.monitor_problem);
	*ret_monitor = live->monitor;
	return NULL;
}

struct ksma_error *ksma_attach(struct ksma_guest *guest, unsigned limit_ms, bool from_start,
			       struct ksma_attachment *ret_attachment)
{
	struct ksma_attachment a = { .lock = -1, .limit_ms = limit_ms };
	struct ksma_error *error;
	int pid;

	KSMA_TRY(monitor_of(guest, &a.monitor));
	KSMA_TRY(take_lock(guest->info.pid, &a.lock, &pid));
	if (pid)
		return ksma_error_create(KSMA_ERROR_PERMISSION,
					 "process %d guards this guest already: end it with "
					 "'ksma guard VM --off'",
					 pid);
	error = attach(&a, guest->info.pid, from_start);
	if (error) {
		ksma_attachment_end(&a);
		return error;
	}
	ksma_monitor_rest(a.monitor);
	*ret_attachment = a;
	return NULL;
}

void ksma_attachment_end(struct ksma_attachment *a)
{
	bool attached = a->gdb;

	ksma_gdb_destroy(TAKE_PTR(a->gdb));
	/* The way out is the same for every end, so it is the keeper's; where there is none any more, it is ours. */
	if (!ksma_keeper_release(TAKE_PTR(a->keeper)) && attached)
		ksma_error_destroy(ksma_gdb_release(a->address, 0, !a->paused));
	if (a->ours && a->address) {
		ksma_error_destroy(ksma_gdb_server_close(a->monitor));
		unlink(a->address + strlen("unix:"));
	}
	free(TAKE_PTR(a->address));
	if (a->lock >= 0)
		close(a->lock);
	a->lock = -1;
}

/* Asks a guard to end, and then does not ask. Its keeper does the rest either way. */
static void end_guard(int pid, int qemu, int *fd)
{
	const struct timespec step = { .tv_nsec = OFF_STEP_MS * 1000000L };

	for (int i = 0, now = pid; i < 2 * OFF_WAIT_MS / OFF_STEP_MS && now; i++) {
		_cleanup_error_ struct ksma_error *error = NULL;

		if (i % (OFF_WAIT_MS / OFF_STEP_MS) == 0 && pid > 1)
			kill(pid, i ? SIGKILL : SIGTERM);
		nanosleep(&step, NULL);
		error = take_lock(qemu, fd, &now);
		if (error)
			return;
	}
}

static struct ksma_error *let_go(struct ksma_attachment *a, const char **ret_what)
{
	_cleanup_(ksma_gdb_server_deinit) struct ksma_gdb_server server = { 0 };
	const struct timespec step = { .tv_nsec = OFF_STEP_MS * 1000000L };
	bool paused;

	/* A keeper that is at work right now has it for a moment. */
	for (int i = 0; i < OFF_WAIT_MS / OFF_STEP_MS; i++) {
		ksma_gdb_server_deinit(&server);
		KSMA_TRY(ksma_gdb_server_find(a->monitor, &server));
		if (!server.connected)
			break;
		nanosleep(&step, NULL);
	}
	if (server.connected)
		return ksma_error_create(
			KSMA_ERROR_PERMISSION,
			"a debugger that is not ours is attached to the guest (%s): end it",
			server.address ?: "not by a socket");
	if (!server.present || !server.address) {
		*ret_what = "no debugger's socket was open";
		return NULL;
	}
	a->ours = strstr(server.address, "/" SOCKET_NAME "-") != NULL;
	paused = strcmp(server.status, "paused") == 0 && !a->ours;
	a->address = TAKE_PTR(server.address);
	if (!ksma_keeper_let_go(a->address, paused))
		KSMA_TRY(ksma_gdb_release(a->address, 0, !paused));
	*ret_what = paused    ? "breakpoints were removed; it is paused, as somebody wanted it"
		    : a->ours ? "breakpoints were removed, the guest runs, the socket is closed"
			      : "breakpoints were removed, the guest runs";
	return NULL;
}

struct ksma_error *ksma_engine_off(struct ksma_guest *guest, char **ret_done)
{
	struct ksma_attachment a = { .lock = -1 };
	struct ksma_error *error;
	const char *what = "";
	int pid;

	KSMA_TRY(monitor_of(guest, &a.monitor));
	KSMA_TRY(take_lock(guest->info.pid, &a.lock, &pid));
	/* The guard that is asked to end may want the monitor for it. */
	ksma_monitor_rest(a.monitor);
	if (pid)
		end_guard(pid, guest->info.pid, &a.lock);
	error = let_go(&a, &what);
	ksma_attachment_end(&a);
	if (error)
		return error;
	return ksma_asprintf(ret_done, "%s%s", pid ? "the guard was ended; " : "", what);
}

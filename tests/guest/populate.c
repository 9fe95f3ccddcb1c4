/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes, in the guest, one of each thing that the agreement tests compare: tasks, files, sockets, maps, namespaces.
 *
 * The same things come out each time; only process ids, inode numbers and addresses differ from one boot to the next.
 */
#define _GNU_SOURCE
#include "gtool.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define POP "/tmp/pop"
#define NOT_NEGATIVE(call)                                                                         \
	({                                                                                         \
		long r_ = (long)(call);                                                            \
		if (r_ < 0)                                                                        \
			GTOOL_DIE("%s", #call);                                                    \
		r_;                                                                                \
	})

static void rest(void)
{
	for (;;)
		pause();
}

/* A child runs its part, says so on the pipe, and rests. */
static void spawn(const char *name, void (*part)(int arg), int arg)
{
	int ready[2];
	char byte;
	pid_t pid;

	NOT_NEGATIVE(pipe(ready));
	pid = (pid_t)NOT_NEGATIVE(fork());
	if (pid == 0) {
		close(ready[0]);
		NOT_NEGATIVE(fcntl(ready[1], F_DUPFD_CLOEXEC, 900));
		close(ready[1]);
		setsid();
		prctl(PR_SET_NAME, name);
		if (part)
			part(arg);
		NOT_NEGATIVE(write(900, "", 1));
		close(900);
		rest();
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		GTOOL_DIE("part %s did not start", name);
	close(ready[0]);
}

/* For parts that never come back to spawn(). */
static void say_ready(void)
{
	NOT_NEGATIVE(write(900, "", 1));
	close(900);
}

static int file(const char *path, int flags, const char *text)
{
	int fd = (int)NOT_NEGATIVE(open(path, flags | O_CREAT, 0644));

	if (text)
		NOT_NEGATIVE(write(fd, text, strlen(text)));
	return fd;
}

static void *thread_rest(void *arg)
{
	char name[16];

	snprintf(name, sizeof(name), "pop-thread/%d", (int)(long)arg);
	prctl(PR_SET_NAME, name);
	rest();
	return NULL;
}

static void part_threads(int count)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	for (int i = 0; i < count; i++)
		if (pthread_create(&thread, &attr, thread_rest, (void *)(long)i) != 0)
			GTOOL_DIE("pthread_create");
}

static void part_files(int arg)
{
	struct epoll_event event = { .events = EPOLLIN };
	char name[256];
	sigset_t set;
	int p[2], fd;

	(void)arg;
	file(POP "/regular", O_RDWR, "regular\n");
	file(POP "/append only", O_WRONLY | O_APPEND, "space\n");
	file(POP "/new\nline", O_RDONLY, NULL);
	file(POP "/d1/d2/d3/d4/deep", O_RDWR, NULL);
	file(POP "/\xc3\xa4\xc3\xb6\xc3\xbc", O_RDWR, NULL);
	memset(name, 'n', sizeof(name));
	memcpy(name, POP "/", sizeof(POP));
	name[sizeof(name) - 1] = '\0';
	file(name, O_RDWR, NULL);
	fd = file(POP "/deleted", O_RDWR, "deleted\n");
	unlink(POP "/deleted");
	NOT_NEGATIVE(dup2(fd, 200));
	NOT_NEGATIVE(open(POP, O_RDONLY | O_DIRECTORY));
	NOT_NEGATIVE(open(POP "/regular", O_PATH));
	NOT_NEGATIVE(open("/dev/null", O_RDWR));
	NOT_NEGATIVE(open("/proc/self/stat", O_RDONLY));
	NOT_NEGATIVE(open("/sys/kernel/notes", O_RDONLY));
	NOT_NEGATIVE(pipe(p));
	mkfifo(POP "/fifo", 0600);
	NOT_NEGATIVE(open(POP "/fifo", O_RDWR));
	NOT_NEGATIVE(eventfd(3, 0));
	fd = (int)NOT_NEGATIVE(epoll_create1(0));
	NOT_NEGATIVE(epoll_ctl(fd, EPOLL_CTL_ADD, p[0], &event));
	NOT_NEGATIVE(timerfd_create(CLOCK_MONOTONIC, 0));
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	NOT_NEGATIVE(signalfd(-1, &set, 0));
	fd = (int)NOT_NEGATIVE(inotify_init());
	NOT_NEGATIVE(inotify_add_watch(fd, POP, IN_CREATE));
	NOT_NEGATIVE(memfd_create("pop-memfd", 0));
}

/* More open files than the table that a process is born with. */
static void part_many_files(int count)
{
	for (int i = 0; i < count; i++)
		NOT_NEGATIVE(open("/dev/zero", O_RDONLY));
}

static void part_unix(int arg)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int p[2], fd;

	(void)arg;
	strcpy(sa.sun_path, POP "/stream.sock");
	fd = (int)NOT_NEGATIVE(socket(AF_UNIX, SOCK_STREAM, 0));
	NOT_NEGATIVE(bind(fd, (struct sockaddr *)&sa, sizeof(sa)));
	NOT_NEGATIVE(listen(fd, 5));
	fd = (int)NOT_NEGATIVE(socket(AF_UNIX, SOCK_STREAM, 0));
	NOT_NEGATIVE(connect(fd, (struct sockaddr *)&sa, sizeof(sa)));
	strcpy(sa.sun_path, POP "/dgram.sock");
	fd = (int)NOT_NEGATIVE(socket(AF_UNIX, SOCK_DGRAM, 0));
	NOT_NEGATIVE(bind(fd, (struct sockaddr *)&sa, sizeof(sa)));
	memset(sa.sun_path, 0, sizeof(sa.sun_path));
	strcpy(sa.sun_path + 1, "pop-abstract");
	fd = (int)NOT_NEGATIVE(socket(AF_UNIX, SOCK_SEQPACKET, 0));
	NOT_NEGATIVE(
		bind(fd, (struct sockaddr *)&sa, sizeof(sa_family_t) + 1 + strlen("pop-abstract")));
	NOT_NEGATIVE(listen(fd, 5));
	NOT_NEGATIVE(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
}

static void part_inet(int arg)
{
	struct sockaddr_in in4 = { .sin_family = AF_INET,
				   .sin_port = htons(8001),
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(8003),
				    .sin6_addr = in6addr_loopback };
	int fd, one = 1;

	(void)arg;
	fd = (int)NOT_NEGATIVE(socket(AF_INET, SOCK_STREAM, 0));
	NOT_NEGATIVE(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	NOT_NEGATIVE(bind(fd, (struct sockaddr *)&in4, sizeof(in4)));
	NOT_NEGATIVE(listen(fd, 5));
	/* One connection accepted, one that still waits to be. */
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in from = in4;
		int to = (int)NOT_NEGATIVE(socket(AF_INET, SOCK_STREAM, 0));

		from.sin_port = htons((uint16_t)(8101 + i));
		NOT_NEGATIVE(bind(to, (struct sockaddr *)&from, sizeof(from)));
		NOT_NEGATIVE(connect(to, (struct sockaddr *)&in4, sizeof(in4)));
		if (i == 0)
			NOT_NEGATIVE(accept(fd, NULL, NULL));
	}
	in4.sin_port = htons(8002);
	fd = (int)NOT_NEGATIVE(socket(AF_INET, SOCK_DGRAM, 0));
	NOT_NEGATIVE(bind(fd, (struct sockaddr *)&in4, sizeof(in4)));
	in4.sin_port = htons(8004);
	fd = (int)NOT_NEGATIVE(socket(AF_INET, SOCK_DGRAM, 0));
	NOT_NEGATIVE(connect(fd, (struct sockaddr *)&in4, sizeof(in4)));
	NOT_NEGATIVE(socket(AF_INET, SOCK_STREAM, 0));
	NOT_NEGATIVE(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	NOT_NEGATIVE(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (fd < 0)
		return;
	NOT_NEGATIVE(bind(fd, (struct sockaddr *)&in6, sizeof(in6)));
	NOT_NEGATIVE(listen(fd, 5));
	in6.sin6_port = htons(8005);
	fd = (int)NOT_NEGATIVE(socket(AF_INET6, SOCK_DGRAM, 0));
	NOT_NEGATIVE(bind(fd, (struct sockaddr *)&in6, sizeof(in6)));
}

static void part_maps(int arg)
{
	const int rw = PROT_READ | PROT_WRITE;
	const size_t page = 4096;
	int fd = file(POP "/mapped", O_RDWR, NULL),
	    gone = file(POP "/mapped deleted", O_RDWR, NULL);
	char *p;

	(void)arg;
	NOT_NEGATIVE(ftruncate(fd, 64 * page));
	NOT_NEGATIVE(ftruncate(gone, page));
	unlink(POP "/mapped deleted");
	p = mmap(NULL, 16 * page, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(p, 1, 16 * page);
	NOT_NEGATIVE(mprotect(p + 4 * page, page, PROT_NONE));
	mmap(NULL, 3 * page, PROT_READ, MAP_PRIVATE, fd, (off_t)(2 * page));
	mmap(NULL, 5 * page, rw, MAP_SHARED, fd, 0);
	mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	mmap(NULL, page, rw, MAP_SHARED, gone, 0);
	mmap(NULL, 7 * page, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mmap(NULL, 9 * page, rw | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mmap(NULL, 4UL << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	mmap(NULL, 16 * page, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_STACK, -1, 0);
	mmap((void *)0x10000000, page, rw, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
	     0);
	sbrk(5 * (long)page);
}

/* Hundreds of mappings, so that the tree that holds them has levels. */
static void part_many_maps(int count)
{
	for (int i = 0; i < count; i++) {
		char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		NOT_NEGATIVE(mprotect(p + 4096, 4096, PROT_READ));
	}
}

static void part_uid(int uid)
{
	gid_t groups[2] = { 2000, 2001 };

	NOT_NEGATIVE(setgroups(2, groups));
	NOT_NEGATIVE(setresgid((gid_t)uid, (gid_t)uid + 1, (gid_t)uid + 2));
	NOT_NEGATIVE(setresuid((uid_t)uid, (uid_t)uid + 1, (uid_t)uid + 2));
	/* A change of user clears this, and the tests read /proc/PID/fd as root anyway. */
	prctl(PR_SET_DUMPABLE, 1);
}

static void part_mount_ns(int arg)
{
	(void)arg;
	NOT_NEGATIVE(unshare(CLONE_NEWNS));
	NOT_NEGATIVE(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	NOT_NEGATIVE(mount("pop-private", "/mnt", "tmpfs", 0, "size=64k"));
	file("/mnt/only here", O_RDWR, NULL);
	NOT_NEGATIVE(mkdir("/mnt/bind", 0755));
	NOT_NEGATIVE(mount(POP, "/mnt/bind", NULL, MS_BIND, NULL));
	NOT_NEGATIVE(open("/mnt/bind/regular", O_RDONLY));
}

static void part_other_ns(int arg)
{
	(void)arg;
	NOT_NEGATIVE(unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID));
	NOT_NEGATIVE(sethostname("pop-guest", 9));
	if (NOT_NEGATIVE(fork()) == 0) {
		prctl(PR_SET_NAME, "pop-nsinit");
		if (NOT_NEGATIVE(fork()) == 0)
			prctl(PR_SET_NAME, "pop-nschild");
		rest();
	}
}

static void part_user_ns(int arg)
{
	(void)arg;
	/* May be forbidden to this kernel's users, never to its root. */
	NOT_NEGATIVE(unshare(CLONE_NEWUSER));
}

static void part_chroot(int arg)
{
	(void)arg;
	NOT_NEGATIVE(chroot(POP "/jail"));
	NOT_NEGATIVE(chdir("/inner"));
	file("/inner/file", O_RDWR, NULL);
}

static void part_cgroup(int arg)
{
	FILE *f;

	(void)arg;
	mkdir("/sys/fs/cgroup/pop", 0755);
	mkdir("/sys/fs/cgroup/pop/inner", 0755);
	f = fopen("/sys/fs/cgroup/pop/inner/cgroup.procs", "w");
	if (f) {
		fprintf(f, "0\n");
		fclose(f);
	}
}

static void part_zombies(int count)
{
	for (int i = 0; i < count; i++)
		if (NOT_NEGATIVE(fork()) == 0) {
			prctl(PR_SET_NAME, "pop-zombie");
			_exit(0);
		}
}

/* The leader of this process has exited; a thread of it lives on. */
static void *thread_report(void *arg)
{
	(void)arg;
	usleep(50 * 1000);
	say_ready();
	rest();
	return NULL;
}

static void part_dead_leader(int arg)
{
	pthread_t thread;

	(void)arg;
	if (pthread_create(&thread, NULL, thread_report, NULL) != 0)
		GTOOL_DIE("pthread_create");
	pthread_exit(NULL);
}

static void part_stopped(int arg)
{
	(void)arg;
	say_ready();
	raise(SIGSTOP);
	rest();
}

static void copy_self(const char *to)
{
	char buf[65536];
	ssize_t n;
	int in = (int)NOT_NEGATIVE(open("/proc/self/exe", O_RDONLY));
	int out = (int)NOT_NEGATIVE(open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755));

	while ((n = read(in, buf, sizeof(buf))) > 0)
		NOT_NEGATIVE(write(out, buf, (size_t)n));
	close(in);
	close(out);
}

/* Programs of their own, started as a service would start them; the second one's file is gone afterwards. */
static void part_exec(int deleted)
{
	const char *path = deleted ? POP "/bin/gone" : POP "/bin/a worker with a long name";
	char *const argv[] = { (char *)path, "sleep", "--first=1", "two words", "", "last", NULL };
	char *const envp[] = { "POP=yes", "EMPTY=", NULL };

	copy_self(path);
	/* The pipe of spawn() closes at the exec, after which nothing is left to wait for but the exec itself. */
	NOT_NEGATIVE(write(900, "", 1));
	NOT_NEGATIVE(fcntl(900, F_SETFD, FD_CLOEXEC));
	execve(path, argv, envp);
	GTOOL_DIE("%s", path);
}

static int count_processes(void)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;
	int n = 0;

	while (proc && (d = readdir(proc)))
		n += d->d_name[0] >= '0' && d->d_name[0] <= '9';
	if (proc)
		closedir(proc);
	return n;
}

static void directories(void)
{
	static const char *const names[] = {
		POP,	     POP "/d1",		POP "/d1/d2", POP "/d1/d2/d3", POP "/d1/d2/d3/d4",
		POP "/jail", POP "/jail/inner", POP "/bin"
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		mkdir(names[i], 0755);
}

int gtool_populate(int argc, char **argv)
{
	int total = argc > 1 ? atoi(argv[1]) : 160, have;
	char name[16];

	signal(SIGHUP, SIG_IGN);
	directories();
	spawn("pop-threads", part_threads, 8);
	spawn("pop-files", part_files, 0);
	spawn("pop-manyfiles", part_many_files, 300);
	spawn("pop-unix", part_unix, 0);
	spawn("pop-inet", part_inet, 0);
	spawn("pop-maps", part_maps, 0);
	spawn("pop-manymaps", part_many_maps, 200);
	for (int i = 0; i < 4; i++)
		spawn("pop-uid", part_uid, 1000 + 10 * i);
	spawn("pop-mountns", part_mount_ns, 0);
	spawn("pop-ns", part_other_ns, 0);
	spawn("pop-userns", part_user_ns, 0);
	spawn("pop-chroot", part_chroot, 0);
	spawn("pop-cgroup", part_cgroup, 0);
	spawn("pop-zombies", part_zombies, 3);
	spawn("pop-deadleader", part_dead_leader, 0);
	spawn("pop-stopped", part_stopped, 0);
	spawn("a b)(\n\xff", NULL, 0);
	spawn("", NULL, 0);
	spawn("pop-exec", part_exec, 0);
	spawn("pop-gone", part_exec, 1);
	usleep(200 * 1000);
	unlink(POP "/bin/gone");
	have = count_processes() - 1;
	for (int i = have; i < total; i++) {
		snprintf(name, sizeof(name), "idle-%d", i - have);
		spawn(name, NULL, 0);
	}
	return 0;
}

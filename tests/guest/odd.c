/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Makes, in the guest, the files, maps, mounts and processes whose names in /proc follow rules of their own.
 *
 * What a kernel does not have is left out without a word: the host compares what there is. */
#define _GNU_SOURCE
#include "gtool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ODD "/tmp/odd"

enum { PAGE = 4096 };

static void rest(void)
{
	for (;;)
		pause();
}

static void spawn(const char *name, void (*part)(void))
{
	int ready[2];
	char byte;

	if (pipe(ready) < 0)
		GTOOL_DIE("pipe");
	if (fork() == 0) {
		close(ready[0]);
		fcntl(ready[1], F_DUPFD_CLOEXEC, 900);
		close(ready[1]);
		setsid();
		prctl(PR_SET_NAME, name);
		part();
		close(900);
		rest();
	}
	close(ready[1]);
	while (read(ready[0], &byte, 1) < 0 && errno == EINTR)
		;
	close(ready[0]);
}

static int make(const char *path, const char *text)
{
	int fd = open(path, O_RDWR | O_CREAT, 0755);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		GTOOL_DIE("%s", path);
	return fd;
}

static void map_file(int fd)
{
	mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
}

static void copy_self(const char *path)
{
	char buf[65536];
	int in = open("/proc/self/exe", O_RDONLY),
	    out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, (size_t)n) != n)
			GTOOL_DIE("%s", path);
	close(in);
	close(out);
}

/* An overlay: files of the lower and of the upper layer, mapped and removed; and a program run from it. */
static void overlay_files(void)
{
	int fd;

	map_file(open(ODD "/merged/lower file", O_RDONLY));
	map_file(make(ODD "/merged/upper file", "upper"));
	fd = open(ODD "/merged/lower gone", O_RDONLY);
	map_file(fd);
	unlink(ODD "/merged/lower gone");
	open(ODD "/merged", O_RDONLY | O_DIRECTORY);
}

static void overlay_program(void)
{
	char *const argv[] = { (char *)"odd program", (char *)"sleep", NULL };
	char *const envp[] = { NULL };

	execve(ODD "/merged/program", argv, envp);
}

static void overlay(void)
{
	mkdir(ODD "/lower", 0755);
	mkdir(ODD "/upper", 0755);
	mkdir(ODD "/work", 0755);
	mkdir(ODD "/merged", 0755);
	close(make(ODD "/lower/lower file", "lower"));
	close(make(ODD "/lower/lower gone", "gone"));
	copy_self(ODD "/lower/program");
	if (mount("overlay", ODD "/merged", "overlay", 0,
		  "lowerdir=" ODD "/lower,upperdir=" ODD "/upper,workdir=" ODD "/work") < 0)
		return;
	spawn("odd-overlay", overlay_files);
	spawn("odd-ovl-exec", overlay_program);
}

/* Mounts that are gone, or were never anywhere, while files of theirs are open. */
static void lost_mounts(void)
{
	int tree;

	mkdir(ODD "/lazy", 0755);
	mkdir(ODD "/lazy/sub", 0755);
	if (mount("odd lazy", ODD "/lazy", "tmpfs", 0, "size=64k") == 0) {
		mkdir(ODD "/lazy/sub", 0755);
		map_file(make(ODD "/lazy/sub/file", "x"));
		open(ODD "/lazy", O_RDONLY | O_DIRECTORY);
		umount2(ODD "/lazy", MNT_DETACH);
	}
	tree = (int)syscall(SYS_open_tree, AT_FDCWD, ODD "/lower",
			    1 /* OPEN_TREE_CLONE */ | O_CLOEXEC);
	if (tree >= 0)
		openat(tree, "lower file", O_RDONLY);
}

/* Directories and files that are removed, renamed, without a name. */
static void names(void)
{
	char deep[1024] = ODD "/deep";
	int fd;

	mkdir(ODD "/gone dir", 0755);
	open(ODD "/gone dir", O_RDONLY | O_DIRECTORY);
	rmdir(ODD "/gone dir");
	make(ODD "/old name", "x");
	rename(ODD "/old name", ODD "/new name");
	make(ODD "/ends with (deleted)", "x");
	make(ODD "/a\\b\tc\\012", "x");
	open(ODD, O_TMPFILE | O_RDWR, 0600);
	fd = make(ODD "/hard", "x");
	link(ODD "/hard", ODD "/hard 2");
	unlink(ODD "/hard");
	map_file(fd);
	for (int i = 0; i < 300; i++) {
		strcat(deep, "/d");
		mkdir(ODD "/deep", 0755);
		mkdir(deep, 0755);
	}
	open(deep, O_RDONLY | O_DIRECTORY);
	open("/", O_RDONLY | O_DIRECTORY);
}

/* Files that the kernel makes up. */
static void made_up(void)
{
	union bpf_attr bpf = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1
	};
	struct perf_event_attr perf = { .type = PERF_TYPE_SOFTWARE,
					.size = sizeof(perf),
					.config = PERF_COUNT_SW_CPU_CLOCK };
	char uring[256] = { 0 };
	int shm = shmget(IPC_PRIVATE, 3 * PAGE, IPC_CREAT | 0600), fd;
	void *at = shmat(shm, NULL, 0);

	if (at != (void *)-1)
		memset(at, 1, 3 * PAGE);
	shmctl(shm, IPC_RMID, NULL);
	syscall(SYS_bpf, BPF_MAP_CREATE, &bpf, sizeof(bpf));
	syscall(SYS_perf_event_open, &perf, 0, -1, -1, 0);
	syscall(SYS_userfaultfd, O_NONBLOCK);
	syscall(SYS_pidfd_open, getpid(), 0);
	syscall(425 /* io_uring_setup */, 4, uring);
	fanotify_init(FAN_CLASS_NOTIF, O_RDONLY);
	fd = (int)syscall(447 /* memfd_secret */, 0);
	if (fd >= 0 && ftruncate(fd, PAGE) == 0)
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	fd = memfd_create("odd (deleted) / name", MFD_ALLOW_SEALING);
	if (ftruncate(fd, PAGE) == 0)
		map_file(fd);
	open("/proc/self/ns/mnt", O_RDONLY);
	open("/proc/self/ns/pid_for_children", O_RDONLY);
	open(ODD "/netns", O_RDONLY);
	open("/proc/self", O_RDONLY | O_DIRECTORY);
	mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	prctl(0x53564d41 /* PR_SET_VMA */, 0,
	      mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), PAGE, "a name");
}

/* A file system of user space that nobody serves: its mount shows a type with a second half. */
static void unserved(void)
{
	char options[100];
	int fd = open("/dev/fuse", O_RDWR);

	mkdir(ODD "/fuse", 0755);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (fd >= 0)
		mount("odd fuse", ODD "/fuse", "fuse.odd", 0, options);
}

static void mounts(void)
{
	mkdir(ODD "/source", 0755);
	mkdir(ODD "/source/dir", 0755);
	mkdir(ODD "/target", 0755);
	mount(ODD "/source/dir", ODD "/target", NULL, MS_BIND, NULL);
	rmdir(ODD "/source/dir");
	close(make(ODD "/file a", "a"));
	close(make(ODD "/file b", "b"));
	mount(ODD "/file a", ODD "/file b", NULL, MS_BIND, NULL);
	close(make(ODD "/netns", ""));
	mount("/proc/self/ns/net", ODD "/netns", NULL, MS_BIND, NULL);
	mkdir(ODD "/new\nline and\ttab\\", 0755);
	mount("odd source\nwith \\012", ODD "/new\nline and\ttab\\", "tmpfs", MS_RDONLY | MS_NOSUID,
	      "size=64k");
	/* One over another: the lower one is hidden, but it is a mount. */
	mkdir(ODD "/twice", 0755);
	mount("first", ODD "/twice", "tmpfs", 0, "size=64k");
	mount("second", ODD "/twice", "tmpfs", 0, "size=64k");
	mount("", "/mnt", "tmpfs", 0, "size=64k");
	unserved();
}

static void *other_user(void *arg)
{
	/* The system call itself, for this thread alone. */
	syscall(SYS_setresgid, 2001, 2002, 2003);
	syscall(SYS_setresuid, 1001, 1002, 1003);
	prctl(PR_SET_NAME, "odd-other-user");
	*(volatile int *)arg = 1;
	rest();
	return NULL;
}

static void thread_users(void)
{
	volatile int ready = 0;
	pthread_t thread;

	pthread_create(&thread, NULL, other_user, (void *)&ready);
	while (!ready)
		usleep(1000);
}

static void exec_with(char *const argv[], char *const envp[])
{
	execve("/proc/self/exe", argv, envp);
}

/* Writes its title over its arguments and into its environment, as a daemon does. */
static void title(void)
{
	char *const argv[] = { (char *)"gtool", (char *)"odd", (char *)"title", NULL };
	char *const envp[] = { (char *)"ODD_A=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			       (char *)"ODD_B=bbbbbbbbbbbbb", NULL };

	exec_with(argv, envp);
}

static void long_arguments(void)
{
	static char word[50000];
	char *const argv[] = { (char *)"gtool", (char *)"sleep", word, word, word, NULL };

	memset(word, 'w', sizeof(word) - 1);
	exec_with(argv, argv + 5);
}

static void from_memory(void)
{
	char *const argv[] = { (char *)"from memory", (char *)"sleep", NULL };
	int in = open("/proc/self/exe", O_RDONLY), fd = memfd_create("odd program", MFD_CLOEXEC);
	struct stat st;

	if (fstat(in, &st) == 0 && st.st_size > 0)
		while (lseek(fd, 0, SEEK_CUR) < st.st_size) {
			char buf[65536];
			ssize_t n = read(in, buf, sizeof(buf));

			if (n <= 0 || write(fd, buf, (size_t)n) != n)
				return;
		}
	close(in);
	fexecve(fd, argv, argv + 2);
}

/* A zombie of a control group that is no more. */
static void gone_cgroup(void)
{
	FILE *f;

	if (mkdir("/sys/fs/cgroup/odd-gone", 0755) < 0 && errno != EEXIST)
		return;
	if (fork() == 0) {
		f = fopen("/sys/fs/cgroup/odd-gone/cgroup.procs", "w");
		if (f) {
			fprintf(f, "0\n");
			fclose(f);
		}
		prctl(PR_SET_NAME, "odd-zombie");
		_exit(0);
	}
	for (int i = 0; i < 200 && rmdir("/sys/fs/cgroup/odd-gone") < 0; i++)
		usleep(10000);
}

/* What another program wrote over: gtool odd title. */
static void run_title(char **argv)
{
	size_t room = strlen(argv[0]) + strlen(argv[1]) + strlen(argv[2]) + 3;

	memset(argv[0], 't', room + 20);
	argv[0][room + 20] = 0;
	rest();
}

int gtool_odd(int argc, char **argv)
{
	if (argc > 1)
		run_title(argv - 1);
	mkdir(ODD, 0755);
	mounts();
	overlay();
	spawn("odd-lost", lost_mounts);
	spawn("odd-names", names);
	spawn("odd-made-up", made_up);
	spawn("odd-users", thread_users);
	spawn("odd-title", title);
	spawn("odd-longargs", long_arguments);
	spawn("odd-memory", from_memory);
	spawn("odd-cgroup", gone_cgroup);
	return 0;
}

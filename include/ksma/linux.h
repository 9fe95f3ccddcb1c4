/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What runs inside a Linux guest: processes, modules, maps, files, sockets, mounts, the kernel log.
 *
 * Every function looks at a running guest without stopping it. What could not be read, or kept changing, is recorded in
 * `coverage`; a look whose coverage is not complete says nothing about what it did not see. Coverage is initialised by the
 * caller to zero and freed with ksma_coverage_deinit(). */
#ifndef KSMA_LINUX_H
#define KSMA_LINUX_H

#include <ksma/coverage.h>
#include <ksma/kernel.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	KSMA_PROCESS_EXE = 1 << 0,     /* exe path */
	KSMA_PROCESS_CMDLINE = 1 << 1, /* arguments, from user memory */
	KSMA_PROCESS_CGROUP = 1 << 2,
	KSMA_PROCESS_NAMESPACES = 1 << 3,
	KSMA_PROCESS_THREADS = 1 << 4, /* every thread is an entry, with tid != pid */
	KSMA_PROCESS_ALL = 31,
};

struct ksma_process {
	uint64_t task; /* address of the task_struct */
	uint64_t mm;   /* 0 for a kernel thread */
	uint64_t pgd;  /* physical address of the page tables, 0 for a kernel thread */
	int32_t pid;   /* as user space says: the thread group */
	int32_t tid;
	int32_t ppid;
	uint32_t uid, euid, suid, fsuid, gid, egid, sgid, fsgid;
	uint64_t cap_effective, cap_permitted;
	uint64_t start_ns; /* nanoseconds since boot, as the kernel counts it (boottime) */
	uint32_t threads;
	uint32_t flags; /* task->flags */
	uint32_t state; /* task->__state with exit_state or-ed in: 0 runs, 0x20 is a zombie */
	bool kernel_thread;
	char comm[16];
	char *exe; /* NULL when not asked for, none, or unreadable */
	bool exe_deleted;
	char *cmdline; /* arguments joined by NUL, cmdline_length bytes; NULL as above */
	size_t cmdline_length;
	char *cgroup; /* path in the default (v2) hierarchy, or the first one */
	uint32_t ns_pid, ns_mnt, ns_net, ns_user, ns_uts, ns_ipc, ns_cgroup,
		ns_time; /* inode numbers */
};

struct ksma_processes {
	struct ksma_process *items;
	size_t count, capacity;
};

/* The processes (with KSMA_PROCESS_THREADS, all threads), in the order of the kernel's task list. The swapper is not among them.
 * @ret_processes freed with ksma_processes_free() */
struct ksma_error *ksma_linux_processes(struct ksma_kernel *kernel, unsigned flags,
					struct ksma_coverage *coverage,
					struct ksma_processes *ret_processes) KSMA_MUST_CHECK;
void ksma_processes_free(struct ksma_processes *processes);

/* The process of a pid, a leader's in the initial namespace; one that hides from the task list is found too.
 * NOT_PRESENT when there is none. @ret_process freed with ksma_process_deinit() */
struct ksma_error *ksma_linux_process(struct ksma_kernel *kernel, int32_t pid, unsigned flags,
				      struct ksma_coverage *coverage,
				      struct ksma_process *ret_process) KSMA_MUST_CHECK;
void ksma_process_deinit(struct ksma_process *process);

enum { KSMA_MODULE_SECTIONS = 7 };

/* A piece of module memory. */
struct ksma_module_memory {
	uint64_t base;
	uint64_t size;
	bool text; /* holds code */
};

struct ksma_module {
	uint64_t address; /* of struct module */
	char name[64];
	char state[16];	     /* "live", "coming", "going", "unformed", or "unknown" */
	uint64_t base, size; /* as /proc/modules gives them: first address, total size */
	uint32_t refcount;
	uint32_t taints;
	char srcversion[36];
	struct ksma_build_id build_id; /* from the notes that sysfs shows, or struct module */
	struct ksma_module_memory memory[KSMA_MODULE_SECTIONS];
	size_t memory_count;
};

struct ksma_modules {
	struct ksma_module *items;
	size_t count, capacity;
};

/* The modules on the kernel's list. @ret_modules freed with ksma_modules_free() */
struct ksma_error *ksma_linux_modules(struct ksma_kernel *kernel, struct ksma_coverage *coverage,
				      struct ksma_modules *ret_modules) KSMA_MUST_CHECK;
void ksma_modules_free(struct ksma_modules *modules);

struct ksma_map {
	uint64_t start, end;
	uint64_t flags;	 /* vm_flags */
	uint64_t offset; /* in bytes */
	uint32_t major, minor;
	uint64_t inode;
	char perms[5]; /* "r-xp" */
	char *path; /* as /proc/PID/maps shows it: a path, "[heap]", "[stack]", "[vdso]", … or NULL */
};

struct ksma_maps {
	struct ksma_map *items;
	size_t count, capacity;
};

struct ksma_error *ksma_linux_maps(struct ksma_kernel *kernel, int32_t pid,
				   struct ksma_coverage *coverage,
				   struct ksma_maps *ret_maps) KSMA_MUST_CHECK;
void ksma_maps_free(struct ksma_maps *maps);

struct ksma_file {
	int32_t fd;
	uint64_t file;	/* address of struct file */
	uint32_t flags; /* f_flags */
	uint32_t mode;	/* inode i_mode */
	uint64_t position;
	uint64_t inode;
	uint32_t major, minor;
	char type[12]; /* "file", "dir", "char", "block", "pipe", "socket", "anon", "link" */
	char *path; /* as readlink of /proc/PID/fd/N shows it: "/a/b", "/a (deleted)", "pipe:[123]", "socket:[5]", "anon_inode:[eventpoll]" */
};

struct ksma_files {
	struct ksma_file *items;
	size_t count, capacity;
};

struct ksma_error *ksma_linux_files(struct ksma_kernel *kernel, int32_t pid,
				    struct ksma_coverage *coverage,
				    struct ksma_files *ret_files) KSMA_MUST_CHECK;
void ksma_files_free(struct ksma_files *files);

struct ksma_socket {
	uint64_t sock; /* address of struct sock */
	char protocol
		[12]; /* "tcp", "tcp6", "udp", "udp6", "raw", "raw6", "unix", "packet", "netlink", … */
	char state[16]; /* TCP and unix states as ss prints them: "LISTEN", "ESTAB", "UNCONN", … */
	char *local,
		*remote; /* "127.0.0.1:80", "[::1]:80", a unix path ("@name" when abstract), or "" */
	uint64_t inode;
	uint32_t uid;
	int32_t pid; /* a process that holds it, or 0 */
	int32_t fd;  /* its descriptor there, or -1: held by a ring of io_uring alone */
	char comm[16];
	uint32_t netns; /* inode number */
};

struct ksma_sockets {
	struct ksma_socket *items;
	size_t count, capacity;
};

/* Every socket that some process holds, by a descriptor or in a ring of io_uring, and TCP, UDP and raw sockets from the kernel's own hash tables that none holds. */
struct ksma_error *ksma_linux_sockets(struct ksma_kernel *kernel, struct ksma_coverage *coverage,
				      struct ksma_sockets *ret_sockets) KSMA_MUST_CHECK;
void ksma_sockets_free(struct ksma_sockets *sockets);

struct ksma_mount {
	int32_t id, parent;
	char *path;   /* mount point, as seen from the process's root directory */
	char *source; /* device name */
	char *root;   /* root of the mount inside its file system */
	char fstype[32];
	uint32_t major, minor;
	uint32_t flags; /* mnt_flags */
};

struct ksma_mounts {
	struct ksma_mount *items;
	size_t count, capacity;
};

/* The mounts that a process sees, as its /proc/PID/mountinfo lists them: those below its root directory. */
struct ksma_error *ksma_linux_mounts(struct ksma_kernel *kernel, int32_t pid,
				     struct ksma_coverage *coverage,
				     struct ksma_mounts *ret_mounts) KSMA_MUST_CHECK;
void ksma_mounts_free(struct ksma_mounts *mounts);

struct ksma_log_record {
	uint64_t sequence;
	uint64_t time_ns; /* since boot */
	uint8_t facility, level;
	uint32_t caller;
	char *text; /* NUL-terminated; control bytes as the guest wrote them */
};

struct ksma_log {
	struct ksma_log_record *items;
	size_t count, capacity;
};

/* The kernel log, oldest first, from the ring buffer itself. */
struct ksma_error *ksma_linux_log(struct ksma_kernel *kernel, struct ksma_coverage *coverage,
				  struct ksma_log *ret_log) KSMA_MUST_CHECK;
void ksma_log_free(struct ksma_log *log);

/* Helpers of BPF that change something outside of their program, and some that tell what it looks at. */
enum ksma_bpf_helper {
	KSMA_BPF_PROBE_WRITE_USER = 1 << 0, /* writes the memory of processes */
	KSMA_BPF_OVERRIDE_RETURN = 1
				   << 1, /* makes a function of the kernel return something else */
	KSMA_BPF_SEND_SIGNAL = 1 << 2,
	KSMA_BPF_SYS_BPF = 1 << 3, /* loads other programs */
	KSMA_BPF_KALLSYMS = 1 << 4,
	KSMA_BPF_PROBE_READ_USER = 1 << 5,
	KSMA_BPF_PROBE_READ_KERNEL = 1 << 6,
	KSMA_BPF_STORE_PACKET = 1 << 7,
	KSMA_BPF_REDIRECT = 1 << 8,
};

struct ksma_bpf_program {
	uint64_t address; /* of struct bpf_prog */
	uint32_t id;
	uint32_t type;	    /* enum bpf_prog_type: see ksma_bpf_type_name() */
	char name[16];	    /* NUL-terminated; the loader's choice */
	uint8_t tag[8];	    /* the kernel's hash of the instructions */
	uint64_t loaded_ns; /* since boot */
	uint32_t uid;	    /* of who loaded it */
	uint32_t instructions;
	uint64_t entry;		 /* the code that runs it */
	uint64_t code, code_end; /* the kernel's name for its code; 0: none */
	unsigned helpers;	 /* enum ksma_bpf_helper, called by its instructions or its code */
	uint32_t maps[16];	 /* ids; `map_count` may be larger */
	uint32_t map_count;
	uint32_t holders; /* processes that hold it by a descriptor */
	int32_t holder;	  /* one of them, or 0 */
};

/* A place from which a program is reached. */
struct ksma_bpf_attachment {
	uint64_t program; /* address of struct bpf_prog */
	char kind
		[16]; /* "link", "trampoline", "event", "perf", "xdp", "tc", "tcx", "cgroup", "socket", "name" */
	char where[96]; /* which of these: "kprobes/open", "eth0", "process 14" */
};

struct ksma_bpf {
	struct {
		struct ksma_bpf_program *items;
		size_t count, capacity;
	} programs; /* by the kernel's table of ids */
	struct {
		struct ksma_bpf_attachment *items;
		size_t count, capacity;
	} attachments; /* of programs that have an id, and of such that have none */
	struct {
		uint64_t *items;
		size_t count, capacity;
	} parts; /* struct bpf_prog of the functions that programs consist of: they have no id of their own */
};

/* The BPF programs of a kernel, what they call, and from where they are reached. A kernel without BPF has none. */
struct ksma_error *ksma_linux_bpf(struct ksma_kernel *kernel, struct ksma_coverage *coverage,
				  struct ksma_bpf *ret_bpf) KSMA_MUST_CHECK;
void ksma_bpf_free(struct ksma_bpf *bpf);

/* "kprobe", "xdp", … or "type 40". @return a name, valid for ever, or NULL for types not known here */
const char *ksma_bpf_type_name(uint32_t type);
/* The name of the helper of one bit, as BPF's own tools have it; NULL when there is none. */
const char *ksma_bpf_helper_name(unsigned bit);

#ifdef __cplusplus
}
#endif
#endif

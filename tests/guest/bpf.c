/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Loads BPF programs by bare system calls, hooks them in everywhere that they may be, and stays: gtool bpf KIND… */
#define _GNU_SOURCE
#include "gtool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/netlink.h>
#include <linux/perf_event.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_ATTACH_BPF
#define SO_ATTACH_BPF 50
#endif

#define INSN(c, d, s, o, i)                                                                        \
	{                                                                                          \
		.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)                \
	}
#define MOV(d, i) INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define CALL(f) INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)

static long bpf(int command, union bpf_attr *attr)
{
	return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load(unsigned type, const char *name, const struct bpf_insn *insns, size_t count)
{
	static char log[16384];
	union bpf_attr attr = { .prog_type = type,
				.insns = (uintptr_t)insns,
				.insn_cnt = (unsigned)count,
				.license = (uintptr_t) "GPL",
				.log_buf = (uintptr_t)log,
				.log_size = sizeof(log),
				.log_level = 1 };
	int fd;

	snprintf(attr.prog_name, sizeof(attr.prog_name), "%s", name);
	fd = (int)bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0) {
		fprintf(stderr, "%s\n", log);
		GTOOL_DIE("bpf: loading %s", name);
	}
	return fd;
}

/* Returns a number, and so lets everything pass. */
static int load_plain(unsigned type, const char *name, int result)
{
	const struct bpf_insn insns[] = { MOV(0, result), EXIT };

	return load(type, name, insns, 2);
}

/* Reads a map. */
static int load_with_map(unsigned type, const char *name)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 4
	};
	int map = (int)bpf(BPF_MAP_CREATE, &attr);
	const struct bpf_insn insns[] = {
		INSN(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4),
		INSN(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),
		CALL(BPF_FUNC_map_lookup_elem),
		MOV(0, 0),
		EXIT,
	};

	if (map < 0)
		GTOOL_DIE("bpf: making a map");
	return load(type, name, insns, sizeof(insns) / sizeof(insns[0]));
}

/* Calls a helper that writes the memory of the process: at address 0, where there is none. */
static int load_writer(unsigned type, const char *name)
{
	const struct bpf_insn insns[] = {
		INSN(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -8, 0),
		MOV(1, 0),
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
		INSN(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -8),
		MOV(3, 8),
		CALL(BPF_FUNC_probe_write_user),
		MOV(0, 0),
		EXIT,
	};

	return load(type, name, insns, sizeof(insns) / sizeof(insns[0]));
}

static int load_signaller(unsigned type, const char *name)
{
	/* Signal 0 is none. */
	const struct bpf_insn insns[] = { MOV(1, 0), CALL(BPF_FUNC_send_signal), MOV(0, 0), EXIT };

	return load(type, name, insns, 4);
}

static unsigned read_number(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned n;

	if (!f || fscanf(f, "%u", &n) != 1)
		GTOOL_DIE("bpf: %s", path);
	fclose(f);
	return n;
}

static void attach_perf(struct perf_event_attr *attr, int program)
{
	int fd;

	attr->size = sizeof(*attr);
	attr->sample_period = 1;
	attr->wakeup_events = 1;
	fd = (int)syscall(SYS_perf_event_open, attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0 || ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) < 0 ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0)
		GTOOL_DIE("bpf: a perf event");
}

static void attach_kprobe(int program, const char *function)
{
	struct perf_event_attr attr = { .type = read_number(
						"/sys/bus/event_source/devices/kprobe/type") };

	attr.kprobe_func = (uintptr_t)function;
	attach_perf(&attr, program);
}

static void attach_tracepoint(int program)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.config = read_number("/sys/kernel/tracing/events/sched/sched_process_exit/id"),
	};

	attach_perf(&attr, program);
}

/* A program that is called when a clock runs over. */
static void attach_clock(int program)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_SOFTWARE,
					.config = PERF_COUNT_SW_CPU_CLOCK,
					.size = sizeof(attr),
					.sample_period = 100000000 };
	int fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0 || (program >= 0 && ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) < 0))
		GTOOL_DIE("bpf: a perf event of this process");
}

static void attach_raw(int program)
{
	union bpf_attr attr = { .raw_tracepoint = { .name = (uintptr_t) "sched_process_exec",
						    .prog_fd = (unsigned)program } };

	if (bpf(BPF_RAW_TRACEPOINT_OPEN, &attr) < 0)
		GTOOL_DIE("bpf: a raw tracepoint");
}

static void attach_xdp(int program)
{
	union bpf_attr attr = { .link_create = { .prog_fd = (unsigned)program,
						 .attach_type = BPF_XDP,
						 .flags = 2 /* XDP_FLAGS_SKB_MODE */ } };

	attr.link_create.target_ifindex = if_nametoindex("lo");
	if (bpf(BPF_LINK_CREATE, &attr) < 0)
		GTOOL_DIE("bpf: XDP on lo");
}

/* A request to the routing tables, and what answers it. */
struct request {
	struct nlmsghdr header;
	struct tcmsg tc;
	char attributes[256];
};

static struct rtattr *add_attribute(struct request *request, int type, const void *data,
				    size_t length)
{
	struct rtattr *attribute =
		(void *)((char *)request + NLMSG_ALIGN(request->header.nlmsg_len));

	attribute->rta_type = (unsigned short)type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(length);
	memcpy(RTA_DATA(attribute), data, length);
	request->header.nlmsg_len =
		NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
	return attribute;
}

static void ask(int s, struct request *request, const char *what)
{
	char answer[4096];
	struct nlmsghdr *header = (void *)answer;
	ssize_t n;

	if (send(s, request, request->header.nlmsg_len, 0) < 0 ||
	    (n = recv(s, answer, sizeof(answer), 0)) < (ssize_t)sizeof(*header))
		GTOOL_DIE("bpf: %s", what);
	errno = header->nlmsg_type == NLMSG_ERROR ? -((struct nlmsgerr *)NLMSG_DATA(header))->error
						  : EINVAL;
	if (errno)
		GTOOL_DIE("bpf: %s", what);
}

static struct request tc_request(unsigned short type, unsigned parent, const char *kind)
{
	struct request request = {
		.header = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct tcmsg)),
			    .nlmsg_type = type,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL },
		.tc = { .tcm_family = AF_UNSPEC,
			.tcm_ifindex = (int)if_nametoindex("lo"),
			.tcm_parent = parent },
	};

	add_attribute(&request, TCA_KIND, kind, strlen(kind) + 1);
	return request;
}

/* A filter of traffic control, below a discipline of its own: it stays until this one is deleted, which its end does not do. */
static void attach_tc(int program, const char *discipline, unsigned parent, unsigned handle,
		      unsigned below, const char *name)
{
	int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct request request = tc_request(RTM_NEWQDISC, parent, discipline);
	unsigned flags = TCA_BPF_FLAG_ACT_DIRECT;
	struct rtattr *options;

	if (s < 0)
		GTOOL_DIE("bpf: a socket");
	request.tc.tcm_handle = handle;
	ask(s, &request, discipline);
	request = tc_request(RTM_NEWTFILTER, below, "bpf");
	request.tc.tcm_info = TC_H_MAKE(1u << 16, htons(ETH_P_ALL));
	options = add_attribute(&request, TCA_OPTIONS, "", 0);
	add_attribute(&request, TCA_BPF_FD, &program, sizeof(program));
	add_attribute(&request, TCA_BPF_NAME, name, strlen(name) + 1);
	add_attribute(&request, TCA_BPF_FLAGS, &flags, sizeof(flags));
	options->rta_len =
		(unsigned short)((char *)&request + request.header.nlmsg_len - (char *)options);
	ask(s, &request, "a filter on lo");
	close(s);
}

static void attach_direction(int program)
{
	attach_tc(program, "clsact", TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0),
		  TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), "ksma_tc");
}

/* Packets are asked about when they are queued. */
static void attach_queue(int program)
{
	attach_tc(program, "fq_codel", TC_H_ROOT, 1u << 16, 1u << 16, "ksma_queue");
}

static int udp_socket(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		GTOOL_DIE("bpf: a socket");
	return fd;
}

static void attach_socket(int program)
{
	if (setsockopt(udp_socket(), SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof(program)) < 0)
		GTOOL_DIE("bpf: a filter");
}

/* The filter that tcpdump has: a program with no id. */
static int attach_classic(void)
{
	struct sock_filter pass = BPF_STMT(BPF_RET | BPF_K, 0xffff);
	struct sock_fprog program = { .len = 1, .filter = &pass };

	if (setsockopt(udp_socket(), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0)
		GTOOL_DIE("bpf: a classic filter");
	return -1;
}

static int make(const char *kind)
{
	int fd = -1;

	if (strcmp(kind, "classic") == 0)
		return attach_classic();
	if (strcmp(kind, "clock") == 0) {
		attach_clock(-1);
		return -1;
	}
	if (strcmp(kind, "socket") == 0)
		attach_socket(fd = load_plain(BPF_PROG_TYPE_SOCKET_FILTER, "ksma_socket", 0xffff));
	else if (strcmp(kind, "kprobe") == 0)
		attach_kprobe(fd = load_with_map(BPF_PROG_TYPE_KPROBE, "ksma_kprobe"),
			      "tcp4_seq_show");
	else if (strcmp(kind, "write") == 0)
		attach_kprobe(fd = load_writer(BPF_PROG_TYPE_KPROBE, "ksma_write"),
			      "meminfo_proc_show");
	else if (strcmp(kind, "signal") == 0)
		attach_kprobe(fd = load_signaller(BPF_PROG_TYPE_KPROBE, "ksma_signal"),
			      "meminfo_proc_show");
	else if (strcmp(kind, "tracepoint") == 0)
		attach_tracepoint(fd = load_with_map(BPF_PROG_TYPE_TRACEPOINT, "ksma_tracepoint"));
	else if (strcmp(kind, "perf") == 0)
		attach_clock(fd = load_plain(BPF_PROG_TYPE_PERF_EVENT, "ksma_perf", 0));
	else if (strcmp(kind, "raw") == 0)
		attach_raw(fd = load_plain(BPF_PROG_TYPE_RAW_TRACEPOINT, "ksma_raw", 0));
	else if (strcmp(kind, "xdp") == 0)
		attach_xdp(fd = load_plain(BPF_PROG_TYPE_XDP, "ksma_xdp", 2 /* XDP_PASS */));
	else if (strcmp(kind, "tc") == 0)
		attach_direction(fd = load_plain(BPF_PROG_TYPE_SCHED_CLS, "ksma_tc", 0));
	else if (strcmp(kind, "queue") == 0)
		attach_queue(fd = load_plain(BPF_PROG_TYPE_SCHED_CLS, "ksma_queue", 0));
	else {
		errno = EINVAL;
		GTOOL_DIE("bpf: %s", kind);
	}
	return fd;
}

static void tell(const char *kind, int fd)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = { .info = { .bpf_fd = (unsigned)fd,
					  .info_len = sizeof(info),
					  .info = (uintptr_t)&info } };

	if (fd < 0)
		return;
	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) < 0)
		GTOOL_DIE("bpf: asking for %s", kind);
	printf("ksma-attack bpf kind=%s id=%u value=", kind, info.id);
	for (int i = 0; i < 8; i++)
		printf("%02x", info.tag[i]);
	printf("\n");
}

/* Says what it loaded when all of it is in place, and lives on in the background, as /tmp/gtool.pid. */
int gtool_bpf(int argc, char **argv)
{
	gtool_background();
	for (int i = 1; i < argc; i++)
		tell(argv[i], make(argv[i]));
	gtool_ready();
	return gtool_sleep(argc, argv);
}

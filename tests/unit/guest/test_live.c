/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A live guest without a QEMU: this program runs itself as one, with memory, a command line and a monitor that plays along.
 *
 * So every allocation of opening a guest and of reading registers can be made to fail, and a monitor can do what QEMU never would. */
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "fail_alloc.h"
#include "guest/guest.h"
#include "guest/sample.h"

enum { THP = 2 << 20, RAM = 32 << 20, MARK_AT = 0x123456 };

static const char mark[] = "here is guest memory";

/* --- the guest ---------------------------------------------------------------------------------------------------- */

struct pretender {
	uint8_t *ram;
	const char *mood; /* what the monitor does wrong */
	int client;
	int received; /* the descriptor that came last, or -1 */
};

static void say(struct pretender *p, const char *text)
{
	/* A client that has gone is noticed by the next read. */
	if (send(p->client, text, strlen(text), MSG_NOSIGNAL) < 0)
		errno = 0;
}

/* An answer whose result is text: newlines and quotes are escaped. */
static void say_text(struct pretender *p, const char *text, int id)
{
	char *out = malloc(2 * strlen(text) + 64), *o = out;

	if (!out)
		_exit(1);
	o += sprintf(o, "{\"return\": \"");
	for (; *text; text++) {
		if (*text == '\n' || *text == '"')
			*o++ = '\\';
		*o++ = *text == '\n' ? 'n' : *text;
	}
	sprintf(o, "\", \"id\": %d}\r\n", id);
	say(p, out);
	free(out);
}

static char *read_sample(const char *name, size_t *ret_length)
{
	char path[512], *data;

	snprintf(path, sizeof(path), "%s/%s", KSMA_SAMPLES, name);
	if (ksma_read_file(path, 1 << 20, &data, ret_length))
		_exit(1);
	return data;
}

static void save_state(struct pretender *p)
{
	size_t length;
	char *state = read_sample("device-state-2cpus.bin", &length);

	if (write(p->received, state, length) != (ssize_t)length)
		_exit(1);
	free(state);
}

static void answer_human(struct pretender *p, const char *command, int id)
{
	char text[512];
	char *sample;

	if (strstr(command, "info registers") && strstr(p->mood, "curt")) {
		shutdown(p->client, SHUT_RDWR);
	} else if (strstr(command, "info registers")) {
		sample = read_sample("registers-64bit-2cpus.txt", NULL);
		say_text(p, sample, id);
		free(sample);
	} else if (strstr(command, "gpa2hva")) {
		snprintf(text, sizeof(text), "Host virtual address for 0x0 (r) is %p\n",
			 (void *)p->ram);
		say_text(p,
			 strstr(p->mood, "liar") ? "Host virtual address for 0x0 (r) is 0x1000\n"
						 : text,
			 id);
	} else {
		snprintf(text, sizeof(text),
			 "FlatView #1\n AS \"memory\", root: system\n Root memory region: system\n"
			 "  0000000000000000-000000000009ffff (prio 0, ram): r\n"
			 "  00000000000a0000-00000000000bffff (prio 1, i/o): vga\n"
			 "  00000000000c0000-0000000001ffffff (prio 0, ram): r @00000000000c0000\n"
			 "  00000000fd000000-00000000fdffffff (prio 1, ram): vga.vram\n");
		say_text(p, strstr(p->mood, "unreadable") ? "nothing of the kind\n" : text, id);
	}
}

static void answer(struct pretender *p, const char *message)
{
	const char *at = strstr(message, "\"id\":");
	int id = at ? atoi(at + 5) : 0;
	char text[256];

	if (strstr(message, "human-monitor-command"))
		return answer_human(p, message, id);
	if (strstr(message, "xen-save-devices-state")) {
		say(p,
		    "{\"timestamp\": {\"seconds\": 5, \"microseconds\": 100}, \"event\": \"STOP\"}\r\n");
		save_state(p);
		say(p,
		    "{\"timestamp\": {\"seconds\": 5, \"microseconds\": 350}, \"event\": \"RESUME\"}\r\n");
	}
	if (strstr(message, "query-memdev"))
		snprintf(
			text, sizeof(text),
			"{\"return\": [{\"id\": \"r\", \"size\": %d}, {\"size\": 1}], \"id\": %d}\r\n",
			RAM, id);
	else if (strstr(message, "query-status"))
		snprintf(text, sizeof(text), "{\"return\": {\"status\": \"%s\"}, \"id\": %d}\r\n",
			 strstr(p->mood, "away") ? "postmigrate" : "running", id);
	else
		snprintf(text, sizeof(text), "{\"return\": {}, \"id\": %d}\r\n", id);
	say(p, text);
	if (strstr(p->mood, "restless") && strstr(message, "query-status"))
		say(p,
		    "{\"timestamp\": {\"seconds\": 6, \"microseconds\": 0}, \"event\": \"RESET\", \"data\": {\"guest\": true}}\r\n");
}

/* Serves one client: messages follow each other without a break, and each is one object. */
static void serve(struct pretender *p)
{
	char input[65536];
	size_t length = 0;

	say(p, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
	for (;;) {
		char control[CMSG_SPACE(sizeof(int))];
		struct iovec iov = { input + length, sizeof(input) - 1 - length };
		struct msghdr m = { .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof(control) };
		ssize_t n = recvmsg(p->client, &m, 0);

		if (n <= 0)
			return;
		if (CMSG_FIRSTHDR(&m)) {
			if (p->received >= 0)
				close(p->received);
			memcpy(&p->received, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
		}
		length += (size_t)n;
		input[length] = 0;
		for (char *start = input, *c = input, depth = 0; *c; c++) {
			depth = (char)(depth + (*c == '{') - (*c == '}'));
			if (*c == '}' && depth == 0) {
				char next = c[1];

				c[1] = 0;
				answer(p, start);
				c[1] = next;
				start = c + 1;
			}
			if (!c[1]) {
				length = strlen(start);
				memmove(input, start, length + 1);
				break;
			}
		}
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4) < 0)
		_exit(1);
	return fd;
}

/* As qemu_ram_mmap() does it: aligned for huge pages, with a guard behind. */
static uint8_t *map_anonymous(void)
{
	uint8_t *room = mmap(NULL, RAM + 2 * THP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *ram = (uint8_t *)ksma_align_up((uintptr_t)room, THP);

	return mprotect(ram, RAM, PROT_READ | PROT_WRITE) < 0 ? NULL : ram;
}

/* argv: qemu-system-x86_64 -name MOOD -qmp unix:PATH,server -object memory-backend-…; the rest is for the reader. */
static int pretend(char **argv)
{
	struct pretender p = { .mood = argv[2], .received = -1 };
	char path[108];
	int fd, listener;

	sscanf(argv[4], "unix:%107[^,]", path);
	if (strstr(p.mood, "anonymous")) {
		p.ram = map_anonymous();
	} else {
		fd = memfd_create("memory-backend-memfd", 0);
		if (ftruncate(fd, RAM) < 0)
			return 1;
		p.ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (strstr(p.mood, "twins") && mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED,
						    memfd_create("x", 0), 0) == MAP_FAILED)
			return 1;
	}
	memcpy(p.ram + MARK_AT, mark, sizeof(mark));
	listener = listen_at(path);
	if (write(STDOUT_FILENO, "!", 1) != 1)
		return 1;
	for (;;) {
		p.client = accept(listener, NULL, NULL);
		serve(&p);
		close(p.client);
	}
}

/* --- the tests ---------------------------------------------------------------------------------------------------- */

struct fixture {
	char folder[32], path[64], pid[16];
	const char *mood;
	pid_t child;
};

static void start(struct fixture *f, const char *mood)
{
	char qmp[128], name[64], object[128];
	const char *argv[] = {
		"qemu-system-x86_64",	"-name", name, "-qmp", qmp, "-object", object, "-machine",
		"q35,memory-backend=r", "-m",	 "32", "-smp", "2", NULL
	};
	int out[2];
	char ready;

	f->mood = mood;
	strcpy(f->folder, "/tmp/ksma-test-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/qmp", f->folder);
	snprintf(qmp, sizeof(qmp), "unix:%s,server=on,wait=off", f->path);
	snprintf(name, sizeof(name), "%s", mood);
	snprintf(object, sizeof(object), "memory-backend-%s,id=r,size=32M",
		 strstr(mood, "anonymous") ? "ram" : "memfd");
	assert_int_equal(pipe(out), 0);
	f->child = fork();
	if (f->child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		execv("/proc/self/exe", (char *const *)argv);
		_exit(1);
	}
	close(out[1]);
	assert_int_equal(read(out[0], &ready, 1), 1);
	close(out[0]);
	snprintf(f->pid, sizeof(f->pid), "%d", f->child);
}

static void end(struct fixture *f)
{
	if (f->child > 0) {
		kill(f->child, SIGKILL);
		waitpid(f->child, NULL, 0);
	}
	f->child = 0;
	unlink(f->path);
	rmdir(f->folder);
}

static void assert_mark(struct ksma_guest *guest)
{
	char text[sizeof(mark)];
	uint64_t gpa = 0x100000, length;

	assert_ok(ksma_guest_read(guest, ksma_gpa_of(MARK_AT), text, sizeof(text)));
	assert_string_equal(text, mark);
	assert_error(ksma_guest_read(guest, ksma_gpa_of(RAM - 1), text, 2), KSMA_ERROR_FAULT);
	assert_error(ksma_guest_read(guest, ksma_gpa_of(0x9ffff), text, 2), KSMA_ERROR_FAULT);
	assert_true(ksma_guest_next_data(guest, &gpa, &length));
	assert_int_equal(gpa, MARK_AT & ~0xfff);
	assert_true(length >= 4096);
}

static void assert_opens(const char *mood, enum ksma_ram_access access,
			 enum ksma_layout_source layout, const char *problem)
{
	const struct ksma_guest_info *info;
	struct ksma_guest *guest;
	struct fixture f;

	start(&f, mood);
	assert_ok(ksma_guest_open(f.pid, NULL, &guest));
	info = ksma_guest_info(guest);
	assert_string_equal(info->name, mood);
	assert_string_equal(info->machine, "q35");
	assert_int_equal(info->pid, f.child);
	assert_int_equal(info->vcpus, 2);
	assert_int_equal(info->ram_bytes, RAM - 0x20000);
	assert_int_equal(info->access, access);
	assert_int_equal(info->layout, layout);
	if (!strstr(info->monitor_problem, problem))
		fail_msg("the monitor's problem is '%s', not '%s'", info->monitor_problem, problem);
	assert_mark(guest);
	end(&f);
	assert_error_says(ksma_guest_refresh(guest), KSMA_ERROR_LOST, "has exited");
	ksma_guest_destroy(guest);
}

static void test_opens(void **state)
{
	assert_opens("plain", KSMA_RAM_MAPPED, KSMA_LAYOUT_MONITOR, "");
	assert_opens("anonymous", KSMA_RAM_COPIED, KSMA_LAYOUT_MONITOR, "");
	/* Two files of one size: the monitor must say which. */
	assert_opens("twins", KSMA_RAM_MAPPED, KSMA_LAYOUT_MONITOR, "");
}

static void test_opens_without_monitor(void **state)
{
	assert_opens("unreadable", KSMA_RAM_MAPPED, KSMA_LAYOUT_COMMAND_LINE, "no address space");
	assert_opens("anonymous liar", KSMA_RAM_COPIED, KSMA_LAYOUT_COMMAND_LINE,
		     "not where the monitor says");
}

static void test_away(void **state)
{
	struct ksma_guest *guest = NULL;
	struct fixture f;

	start(&f, "away");
	assert_error_says(ksma_guest_open("away", NULL, &guest), KSMA_ERROR_LOST, "migrated away");
	assert_null(guest);
	end(&f);
}

static void assert_registers(struct ksma_guest *guest)
{
	struct ksma_registers registers;

	assert_ok(ksma_guest_registers(guest, KSMA_REGISTERS_BASIC, &registers));
	assert_int_equal(registers.count, 2);
	assert_false(registers.vcpus[1].has_msrs);
	ksma_registers_free(&registers);
	assert_ok(ksma_guest_registers(guest, KSMA_REGISTERS_MSRS, &registers));
	assert_int_equal(registers.count, 2);
	assert_true(registers.vcpus[1].has_msrs);
	assert_int_equal(registers.vcpus[1].lstar, 0xffffffffa4800080);
	assert_int_equal(registers.pause_us, 250);
	ksma_registers_free(&registers);
}

static void test_registers(void **state)
{
	struct ksma_registers registers;
	struct ksma_guest *guest;
	struct fixture f;

	start(&f, "registers");
	assert_ok(ksma_guest_open("registers", NULL, &guest));
	assert_registers(guest);
	assert_error(ksma_guest_registers(guest, 0x100, &registers), KSMA_ERROR_INVALID);
	assert_ok(ksma_guest_refresh(guest));
	end(&f);
	assert_error_says(ksma_guest_registers(guest, 0, &registers), KSMA_ERROR_LOST,
			  "has exited");
	ksma_guest_destroy(guest);
}

/* A monitor that ends is not a guest that ends: what needs no registers goes on. */
static void test_hangs_up(void **state)
{
	struct ksma_registers registers;
	struct ksma_guest *guest;
	struct fixture f;

	start(&f, "curt");
	assert_ok(ksma_guest_open("curt", NULL, &guest));
	for (int i = 0; i < 2; i++) {
		assert_error_says(ksma_guest_registers(guest, KSMA_REGISTERS_BASIC, &registers),
				  KSMA_ERROR_UNSUPPORTED, "closed");
		assert_ok(ksma_guest_refresh(guest));
	}
	ksma_guest_destroy(guest);
	end(&f);
}

static void test_reset(void **state)
{
	struct ksma_guest *guest;
	struct fixture f;

	start(&f, "restless");
	assert_ok(ksma_guest_open(f.pid, NULL, &guest));
	/* The event comes right behind what open asked for last. */
	usleep(20000);
	assert_error_says(ksma_guest_refresh(guest), KSMA_ERROR_LOST, "was reset");
	assert_ok(ksma_guest_refresh(guest));
	ksma_guest_destroy(guest);
	end(&f);
}

static struct ksma_error *run_open(void *arg)
{
	struct fixture *f = arg;
	struct ksma_guest *guest = NULL;
	struct ksma_registers registers;
	struct ksma_error *error = ksma_guest_open(f->pid, NULL, &guest);

	if (error) {
		assert_null(guest);
		return error;
	}
	assert_int_equal(guest->info.layout, KSMA_LAYOUT_MONITOR);
	error = ksma_guest_registers(guest, KSMA_REGISTERS_MSRS, &registers);
	if (!error)
		ksma_registers_free(&registers);
	ksma_guest_destroy(guest);
	return error;
}

static void test_no_memory(void **state)
{
	struct fixture f;

	start(&f, "plain");
	assert_true(fail_alloc_each(run_open, &f, FAIL_ALLOC_STRICT) > 20);
	end(&f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_opens),	  cmocka_unit_test(test_opens_without_monitor),
		cmocka_unit_test(test_away),	  cmocka_unit_test(test_registers),
		cmocka_unit_test(test_hangs_up),  cmocka_unit_test(test_reset),
		cmocka_unit_test(test_no_memory),
	};

	if (argc > 4 && strcmp(argv[0], "qemu-system-x86_64") == 0)
		return pretend(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

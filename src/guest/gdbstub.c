/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client of QEMU's gdbstub: hardware breakpoints, registers of one vCPU, and the guest going on, in as few turns as there can be. */
#include "guest/gdbstub.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

enum {
	OUTPUT_MAX = 1024,	   /* below what QEMU takes at once (4 KiB) */
	DESCRIPTIONS_MAX = 16,	   /* documents that tell of registers */
	DESCRIPTION_MAX = 1 << 20, /* bytes of one */
	CHUNK = 0xffb,
	THREADS_MAX = 4096,
	STRANGE_MAX =
		64, /* packets that answer nothing, until the other side is none that we understand */
};

/* A question that only a guest that stands answers, and that changes nothing. */
#define STANDS "qC"

#define STOP_BYTE '\x03'

struct ksma_gdb {
	int fd;
	char *name;
	unsigned timeout_ms;
	unsigned threads;
	bool detached;
	struct ksma_rsp_layout layout;
	struct ksma_rsp_stop stray; /* a stop that came while an answer was awaited */
	size_t queued;
	size_t start, end;
	char output[OUTPUT_MAX];
	uint8_t input[8192];
	struct ksma_rsp_reader reader;
};

struct ksma_error *ksma_gdb_create(int fd, const char *name, unsigned timeout_ms,
				   struct ksma_gdb **ret_gdb)
{
	struct ksma_gdb *gdb = calloc(1, sizeof(*gdb));
	struct ksma_error *error;

	if (!gdb) {
		close(fd);
		return ksma_error_nomem();
	}
	gdb->fd = fd;
	gdb->timeout_ms = timeout_ms ? timeout_ms : KSMA_GDB_TIMEOUT_MS;
	gdb->stray.kind = KSMA_RSP_NO_STOP;
	error = ksma_strdup(name, &gdb->name);
	if (error) {
		ksma_gdb_destroy(gdb);
		return error;
	}
	*ret_gdb = gdb;
	return NULL;
}

void ksma_gdb_destroy(struct ksma_gdb *gdb)
{
	if (!gdb)
		return;
	close(gdb->fd);
	free(gdb->name);
	free(gdb);
}

int ksma_gdb_fd(const struct ksma_gdb *gdb)
{
	return gdb->fd;
}

unsigned ksma_gdb_threads(const struct ksma_gdb *gdb)
{
	return gdb->threads;
}

static uint64_t deadline_of(const struct ksma_gdb *gdb)
{
	return ksma_now_ns() + gdb->timeout_ms * UINT64_C(1000000);
}

static struct ksma_error *lost(const struct ksma_gdb *gdb)
{
	return ksma_error_create(KSMA_ERROR_LOST, "debugger %s closed the connection", gdb->name);
}

static struct ksma_error *strange(const struct ksma_gdb *gdb, const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "debugger %s: %s", gdb->name, what);
}

/* Adds a packet to what is said next. Somebody may have let the guest run meanwhile, and a running one would be stopped by the packet's first byte, and
 * the rest be lost: so first come an acknowledgement, where QEMU waits for one, and a byte to stop it. They do no harm to a guest that stands. */
static bool queue(struct ksma_gdb *gdb, const char *text)
{
	size_t length;

	if (gdb->queued == 0) {
		gdb->output[gdb->queued++] = '+';
		gdb->output[gdb->queued++] = STOP_BYTE;
	}
	length = ksma_rsp_frame(gdb->output + gdb->queued, OUTPUT_MAX - gdb->queued, text);
	gdb->queued += length;
	return length > 0;
}

/* What stops a running guest. The first byte does, unless QEMU waits for an acknowledgement: then it is passed over, the second one is the
 * acknowledgement, and the third stops the guest. What comes to a guest that stands does no harm. Only this byte is answered with how the guest
 * stopped; before QEMU 8.1 every one was. */
static void queue_stop(struct ksma_gdb *gdb)
{
	static const char stop[] = { STOP_BYTE, '+', STOP_BYTE };

	memcpy(gdb->output + gdb->queued, stop, sizeof(stop));
	gdb->queued += sizeof(stop);
}

/* Says what was queued, in one system call: QEMU then does it in one turn of its loop. */
static struct ksma_error *flush(struct ksma_gdb *gdb)
{
	size_t done = 0, length = gdb->queued;

	gdb->queued = 0;
	while (done < length) {
		ssize_t n = send(gdb->fd, gdb->output + done, length - done, MSG_NOSIGNAL);

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EPIPE || errno == ECONNRESET)
			return lost(gdb);
		else if (errno != EINTR)
			return ksma_error_os(errno, "debugger %s", gdb->name);
	}
	return NULL;
}

/* Waits for input. @return NULL, with *ret_ready false after the deadline or, where asked, at a signal */
static struct ksma_error *wait_input(struct ksma_gdb *gdb, uint64_t deadline, bool until_signal,
				     bool *ret_ready)
{
	struct pollfd p = { .fd = gdb->fd, .events = POLLIN };

	for (;;) {
		uint64_t now = ksma_now_ns();
		uint64_t left = deadline > now ? (deadline - now + 999999) / 1000000 : 0;
		int n = poll(&p, 1, deadline == UINT64_MAX ? -1 : left > 60000 ? 60000 : (int)left);

		*ret_ready = n > 0;
		if (n > 0 || (n < 0 && errno == EINTR && until_signal))
			return NULL;
		if (n < 0 && errno != EINTR)
			return ksma_error_os(errno, "debugger %s", gdb->name);
		if (ksma_now_ns() >= deadline)
			return NULL;
	}
}

/* The next packet, in gdb->reader. *ret_got false: none came in time */
static struct ksma_error *next_packet(struct ksma_gdb *gdb, uint64_t deadline, bool until_signal,
				      bool *ret_got)
{
	for (;;) {
		ssize_t n;
		bool ready;

		while (gdb->start < gdb->end) {
			switch (ksma_rsp_feed(&gdb->reader, gdb->input[gdb->start++])) {
			case KSMA_RSP_PACKET:
				*ret_got = true;
				return NULL;
			case KSMA_RSP_BAD:
				return strange(gdb, "says what is no debugger's protocol");
			case KSMA_RSP_MORE:
			case KSMA_RSP_ACK:
			case KSMA_RSP_NAK: /* of what somebody before us did not end */
				break;
			}
		}
		KSMA_TRY(wait_input(gdb, deadline, until_signal, &ready));
		if (!ready) {
			*ret_got = false;
			return NULL;
		}
		n = recv(gdb->fd, gdb->input, sizeof(gdb->input), MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno == ECONNRESET))
			return lost(gdb);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return ksma_error_os(errno, "debugger %s", gdb->name);
		gdb->start = 0;
		gdb->end = n > 0 ? (size_t)n : 0;
	}
}

/* The answer to the oldest question. Stops that come in between are kept. */
static struct ksma_error *answer(struct ksma_gdb *gdb, const char **ret_text)
{
	uint64_t deadline = deadline_of(gdb);

	for (unsigned i = 0; i < STRANGE_MAX; i++) {
		struct ksma_rsp_stop stop;
		bool got = false;

		KSMA_TRY(next_packet(gdb, deadline, false, &got));
		if (!got)
			return ksma_error_create(KSMA_ERROR_TIMEOUT,
						 "debugger %s did not answer within %u ms",
						 gdb->name, gdb->timeout_ms);
		stop = ksma_rsp_parse_stop(gdb->reader.data);
		if (stop.kind == KSMA_RSP_NO_STOP) {
			*ret_text = gdb->reader.data;
			return NULL;
		}
		if (stop.kind == KSMA_RSP_ENDED)
			return ksma_error_create(KSMA_ERROR_LOST, "the guest has ended");
		gdb->stray = stop;
	}
	return strange(gdb, "says that the guest stopped, again and again");
}

static struct ksma_error *expect_ok(struct ksma_gdb *gdb, const char *what)
{
	const char *text = "";

	KSMA_TRY(answer(gdb, &text));
	if (strcmp(text, "OK") == 0)
		return NULL;
	return ksma_error_create(*text ? KSMA_ERROR_INVALID : KSMA_ERROR_UNSUPPORTED,
				 "debugger %s refuses %s (%.40s)", gdb->name, what,
				 *text ? text : "it does not know it");
}

static struct ksma_error *ask(struct ksma_gdb *gdb, const char *question, const char **ret_text)
{
	queue(gdb, question);
	KSMA_TRY(flush(gdb));
	return answer(gdb, ret_text);
}

/* Fetches one of the documents that describe the registers. */
static struct ksma_error *fetch_description(struct ksma_gdb *gdb, const char *name, char **ret_xml,
					    size_t *ret_length)
{
	_cleanup_free_ char *xml = NULL;
	size_t length = 0;

	for (;;) {
		char question[128], *grown;
		const char *text = "";
		size_t more;

		snprintf(question, sizeof(question), "qXfer:features:read:%s:%zx,%x", name, length,
			 CHUNK);
		KSMA_TRY(ask(gdb, question, &text));
		if (*text != 'l' && *text != 'm')
			return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
						 "debugger %s does not describe its registers",
						 gdb->name);
		more = gdb->reader.length - 1;
		if (more > DESCRIPTION_MAX - length || (more == 0 && *text == 'm'))
			return strange(gdb, "describes its registers without end");
		grown = realloc(xml, length + more + 1);
		if (!grown)
			return ksma_error_nomem();
		xml = grown;
		memcpy(xml + length, text + 1, more);
		length += more;
		xml[length] = 0;
		if (*text == 'l')
			break;
	}
	*ret_xml = TAKE_PTR(xml);
	*ret_length = length;
	return NULL;
}

static bool plain_name(const char *name)
{
	return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					   "0123456789.-_")];
}

/* The registers, in the order of the documents: what the first one includes comes where it says so. It lists none itself. */
static struct ksma_error *read_descriptions(struct ksma_gdb *gdb, uint32_t *ret_size)
{
	_cleanup_free_ char *target = NULL;
	uint32_t number = 0, offset = 0;
	size_t length = 0, position = 0;
	char name[64];

	KSMA_TRY(fetch_description(gdb, "target.xml", &target, &length));
	for (unsigned i = 0; i < DESCRIPTIONS_MAX &&
			     ksma_rsp_next_include(target, length, &position, name, sizeof(name));
	     i++) {
		_cleanup_free_ char *xml = NULL;
		size_t size = 0;

		if (!plain_name(name))
			return strange(gdb, "describes registers in a document with an odd name");
		KSMA_TRY(fetch_description(gdb, name, &xml, &size));
		KSMA_TRY(ksma_rsp_parse_registers(xml, size, &number, &offset, &gdb->layout));
	}
	KSMA_TRY(ksma_rsp_parse_registers(target, length, &number, &offset, &gdb->layout));
	for (int i = 0; i < KSMA_RSP_REGISTERS; i++)
		if (!gdb->layout.registers[i].size)
			return ksma_error_create(
				KSMA_ERROR_UNSUPPORTED,
				"debugger %s: this processor has not the registers "
				"of an x86-64 guest",
				gdb->name);
	*ret_size = offset;
	return NULL;
}

/* Holds the description against what is really given. gdb-xml/i386-64bit.xml has three registers that x86_cpu_gdb_read_register() of QEMU 7.2 does
 * not know, so that all behind them lie elsewhere. */
static struct ksma_error *learn_registers(struct ksma_gdb *gdb)
{
	enum { SEGMENT_BASES = 3 * 8 };
	uint32_t size = 0, given;
	const char *text = "";

	memset(&gdb->layout, 0, sizeof(gdb->layout));
	KSMA_TRY(read_descriptions(gdb, &size));
	KSMA_TRY(ask(gdb, "g", &text));
	given = (uint32_t)gdb->reader.length / 2;
	if (given == size)
		return NULL;
	if (given + SEGMENT_BASES != size)
		return strange(gdb, "gives other registers than it describes");
	memset(&gdb->layout, 0, sizeof(gdb->layout));
	gdb->layout.no_segment_bases = true;
	return read_descriptions(gdb, &size);
}

struct ksma_error *ksma_gdb_count(struct ksma_gdb *gdb)
{
	const char *text = "";
	unsigned count = 0;

	KSMA_TRY(ask(gdb, "qfThreadInfo", &text));
	while (*text == 'm') {
		for (const char *p = text; p; p = strchr(p + 1, ','))
			if (++count > THREADS_MAX)
				return strange(gdb, "tells of too many processors");
		KSMA_TRY(ask(gdb, "qsThreadInfo", &text));
	}
	if (count == 0)
		return strange(gdb, "tells of no processor");
	gdb->threads = count;
	return NULL;
}

/* Ends the packet that a client before us may have left half-said, waits until the guest stands, and has all breakpoints removed, which
 * QEMU does at `?`. */
static struct ksma_error *begin(struct ksma_gdb *gdb)
{
	const char *text = "";

	if (gdb->detached)
		return ksma_error_create(KSMA_ERROR_INVALID, "debugger %s: it has been detached",
					 gdb->name);
	gdb->queued = (size_t)snprintf(gdb->output, OUTPUT_MAX, "+#00#00");
	queue(gdb, "?");
	queue(gdb, "qSupported:hwbreak+");
	KSMA_TRY(flush(gdb));
	KSMA_TRY(answer(gdb, &text));
	if (!strstr(text, "PacketSize="))
		return strange(gdb, "does not answer what it was asked");
	gdb->stray = (struct ksma_rsp_stop){ .kind = KSMA_RSP_NO_STOP };
	return NULL;
}

struct ksma_error *ksma_gdb_hello(struct ksma_gdb *gdb)
{
	KSMA_TRY(begin(gdb));
	KSMA_TRY(learn_registers(gdb));
	return ksma_gdb_count(gdb);
}

struct ksma_error *ksma_gdb_detach(struct ksma_gdb *gdb)
{
	/* A question after `D` makes QEMU 7.2 look at the processor that it has no longer. */
	gdb->detached = true;
	queue(gdb, "D");
	KSMA_TRY(flush(gdb));
	return expect_ok(gdb, "to detach");
}

/* Waits until the guest stands, after queue_stop() and STANDS. @ret_stop how it came to; NO_STOP: it stood, and that had been told before or never is */
static struct ksma_error *stands(struct ksma_gdb *gdb, struct ksma_rsp_stop *ret_stop)
{
	const char *text = "";

	KSMA_TRY(answer(gdb, &text));
	*ret_stop = gdb->stray;
	gdb->stray = (struct ksma_rsp_stop){ .kind = KSMA_RSP_NO_STOP };
	return NULL;
}

/* Lets the guest run with this vCPU as the chosen one, and stops it in the same breath.
 * @ret_stop how it stopped; NO_STOP: it does not run, as one that has panicked @ret_known false: there is no vCPU of this number */
static struct ksma_error *run_and_stop(struct ksma_gdb *gdb, unsigned thread,
				       struct ksma_rsp_stop *ret_stop, bool *ret_known)
{
	struct ksma_error *error;
	char text[32];

	snprintf(text, sizeof(text), "Hc%x", thread);
	queue(gdb, text);
	queue(gdb, "c");
	queue_stop(gdb);
	queue(gdb, STANDS);
	KSMA_TRY(flush(gdb));
	error = expect_ok(gdb, "to choose a processor");
	*ret_known = !error;
	if (error && error->code != KSMA_ERROR_INVALID)
		return error;
	ksma_error_destroy(error);
	return stands(gdb, ret_stop);
}

/* A client that died while it had a vCPU execute one instruction may have left it so: it stops the guest after every instruction from then on,
 * whoever lets it run. QEMU puts an end to that when the guest stops while this vCPU is the chosen one (gdb_vm_state_change()). */
static struct ksma_error *end_steps(struct ksma_gdb *gdb)
{
	KSMA_TRY(ksma_gdb_count(gdb));
	for (unsigned thread = 1; thread <= gdb->threads; thread++) {
		/* Another one may have stopped it first, and is rid of it now. */
		for (unsigned i = 0; i <= 2 * gdb->threads; i++) {
			struct ksma_rsp_stop stop;
			bool known;

			KSMA_TRY(run_and_stop(gdb, thread, &stop, &known));
			if (stop.kind == KSMA_RSP_NO_STOP)
				return NULL;
			if (!known || stop.thread == thread)
				break;
		}
	}
	return NULL;
}

static struct ksma_error *release_once(const char *address, unsigned timeout_ms, bool resume)
{
	struct ksma_error *error;
	struct ksma_gdb *gdb;

	KSMA_TRY(ksma_gdb_connect(address, timeout_ms, &gdb));
	error = begin(gdb);
	if (!error && resume)
		error = end_steps(gdb);
	if (!error && resume)
		error = ksma_gdb_detach(gdb);
	ksma_gdb_destroy(gdb);
	return error;
}

/* Two vCPUs may meet breakpoints at once. QEMU stops the guest for the first, and remembers the second's wish; it is granted in the next
 * turn of the main loop, after the guest was let go, and there is nobody left to let it go again. To take another connection QEMU has to
 * make that turn, and there are no breakpoints any more that could ask for another stop: so a second release is the last. */
struct ksma_error *ksma_gdb_release(const char *address, unsigned timeout_ms, bool resume)
{
	KSMA_TRY(release_once(address, timeout_ms, resume));
	return resume ? release_once(address, timeout_ms, true) : NULL;
}

struct ksma_error *ksma_gdb_break(struct ksma_gdb *gdb, const uint64_t *addresses, size_t count,
				  bool set)
{
	struct ksma_error *error = NULL;

	if (count > KSMA_GDB_BREAKPOINTS)
		return ksma_error_create(KSMA_ERROR_LIMIT, "the processor has %d breakpoints",
					 KSMA_GDB_BREAKPOINTS);
	for (size_t i = 0; i < count; i++) {
		char text[64];

		snprintf(text, sizeof(text), "%c1,%llx,1", set ? 'Z' : 'z',
			 (unsigned long long)addresses[i]);
		queue(gdb, text);
	}
	KSMA_TRY(flush(gdb));
	for (size_t i = 0; i < count; i++) {
		struct ksma_error *mine =
			expect_ok(gdb, set ? "a hardware breakpoint" : "to remove a breakpoint");

		if (mine && mine->code != KSMA_ERROR_INVALID) {
			ksma_error_destroy(error);
			return mine;
		}
		if (error)
			ksma_error_destroy(mine);
		else
			error = mine;
	}
	return error;
}

/* Has what follows be about this vCPU. It is named each time, though QEMU asks about the one that its last stop told of: if somebody let the guest
 * run meanwhile, another one may have stopped it, and what is read of one must not be written to another. */
static void queue_thread(struct ksma_gdb *gdb, unsigned thread)
{
	char text[32];

	snprintf(text, sizeof(text), "Hg%x", thread);
	queue(gdb, text);
}

struct ksma_error *ksma_gdb_read(struct ksma_gdb *gdb, unsigned thread,
				 struct ksma_gdb_registers *ret_registers)
{
	struct ksma_gdb_registers registers = { .thread = thread };
	const char *text = "";

	queue_thread(gdb, thread);
	queue(gdb, "g");
	KSMA_TRY(flush(gdb));
	KSMA_TRY(expect_ok(gdb, "to look at a processor"));
	KSMA_TRY(answer(gdb, &text));
	for (unsigned i = 0; i < KSMA_RSP_REGISTERS; i++)
		if (!ksma_rsp_register(&gdb->layout, text, gdb->reader.length, i,
				       &registers.value[i]))
			return strange(gdb, "gives fewer registers than it describes");
	*ret_registers = registers;
	return NULL;
}

/* A register's bytes as the protocol writes them: in the order in which they lie in memory. */
static void queue_change(struct ksma_gdb *gdb, const struct ksma_gdb_change *change)
{
	char text[64];
	int length =
		snprintf(text, sizeof(text), "P%x=", gdb->layout.registers[change->which].number);

	for (uint32_t i = 0; i < gdb->layout.registers[change->which].size; i++)
		length += snprintf(text + length, sizeof(text) - (size_t)length, "%02x",
				   (unsigned)(change->value >> (8 * i)) & 0xff);
	queue(gdb, text);
}

struct ksma_error *ksma_gdb_resume(struct ksma_gdb *gdb, unsigned thread,
				   const struct ksma_gdb_change *changes, size_t count)
{
	if (count)
		queue_thread(gdb, thread);
	for (size_t i = 0; i < count; i++)
		queue_change(gdb, &changes[i]);
	queue(gdb, "c");
	KSMA_TRY(flush(gdb));
	for (size_t i = 0; count && i < count + 1; i++)
		KSMA_TRY(expect_ok(gdb, "to change a register"));
	return NULL;
}

struct ksma_error *ksma_gdb_step(struct ksma_gdb *gdb, unsigned thread, uint64_t address,
				 struct ksma_rsp_stop *ret_stop)
{
	struct ksma_error *error;
	char text[32];

	KSMA_TRY(ksma_gdb_break(gdb, &address, 1, false));
	snprintf(text, sizeof(text), "vCont;s:%x", thread);
	queue(gdb, text);
	error = flush(gdb);
	if (!error)
		error = ksma_gdb_wait(gdb, (int)gdb->timeout_ms, ret_stop);
	if (!error && ret_stop->kind == KSMA_RSP_NO_STOP)
		error = ksma_gdb_interrupt(gdb, ret_stop);
	if (!error)
		error = ksma_gdb_break(gdb, &address, 1, true);
	return error;
}

static uint64_t deadline_in(int timeout_ms)
{
	return timeout_ms < 0 ? UINT64_MAX
			      : ksma_now_ns() + (unsigned)timeout_ms * UINT64_C(1000000);
}

struct ksma_error *ksma_gdb_poll(struct ksma_gdb *gdb, int timeout_ms, bool *ret_ready)
{
	*ret_ready = gdb->stray.kind != KSMA_RSP_NO_STOP || gdb->start < gdb->end;
	return *ret_ready ? NULL : wait_input(gdb, deadline_in(timeout_ms), true, ret_ready);
}

struct ksma_error *ksma_gdb_wait(struct ksma_gdb *gdb, int timeout_ms,
				 struct ksma_rsp_stop *ret_stop)
{
	uint64_t deadline = deadline_in(timeout_ms);

	ret_stop->kind = KSMA_RSP_NO_STOP;
	if (gdb->stray.kind != KSMA_RSP_NO_STOP) {
		*ret_stop = gdb->stray;
		gdb->stray.kind = KSMA_RSP_NO_STOP;
		return NULL;
	}
	for (unsigned i = 0; i < STRANGE_MAX; i++) {
		bool got = false;

		KSMA_TRY(next_packet(gdb, deadline, true, &got));
		if (!got)
			return NULL;
		*ret_stop = ksma_rsp_parse_stop(gdb->reader.data);
		if (ret_stop->kind == KSMA_RSP_ENDED)
			return ksma_error_create(KSMA_ERROR_LOST, "the guest has ended");
		if (ret_stop->kind == KSMA_RSP_STOPPED)
			return NULL;
	}
	return strange(gdb, "says what nobody asked");
}

struct ksma_error *ksma_gdb_interrupt(struct ksma_gdb *gdb, struct ksma_rsp_stop *ret_stop)
{
	queue_stop(gdb);
	queue(gdb, STANDS);
	KSMA_TRY(flush(gdb));
	return stands(gdb, ret_stop);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The debugger's client against a gdbstub that follows a script: as QEMU's does, interrupted, silent, lying, gone. */
#include "unit.h"

#include <json-c/json.h>
#include <pthread.h>
#include <sys/socket.h>

#include "guest/gdb_server.h"
#include "guest/gdbstub.h"

enum { PATIENT_MS = 5000, QUICK_MS = 50 };

static const char core_xml[] =
	"l<feature>"
	"<reg name=\"rax\" bitsize=\"64\"/><reg name=\"rbx\" bitsize=\"64\"/><reg name=\"rcx\" bitsize=\"64\"/>"
	"<reg name=\"rdx\" bitsize=\"64\"/><reg name=\"rsi\" bitsize=\"64\"/><reg name=\"rdi\" bitsize=\"64\"/>"
	"<reg name=\"rbp\" bitsize=\"64\"/><reg name=\"rsp\" bitsize=\"64\"/><reg name=\"r8\" bitsize=\"64\"/>"
	"<reg name=\"r9\" bitsize=\"64\"/><reg name=\"r10\" bitsize=\"64\"/><reg name=\"r11\" bitsize=\"64\"/>"
	"<reg name=\"r12\" bitsize=\"64\"/><reg name=\"r13\" bitsize=\"64\"/><reg name=\"r14\" bitsize=\"64\"/>"
	"<reg name=\"r15\" bitsize=\"64\"/><reg name=\"rip\" bitsize=\"64\"/><reg name=\"eflags\" bitsize=\"32\"/>"
	"<reg name=\"cs\" bitsize=\"32\"/><reg name=\"gs_base\" bitsize=\"64\"/><reg name=\"k_gs_base\" bitsize=\"64\"/>"
	"<reg name=\"cr0\" bitsize=\"64\"/><reg name=\"cr3\" bitsize=\"64\"/><reg name=\"cr4\" bitsize=\"64\"/></feature>";

enum { REGISTER_BYTES = 17 * 8 + 2 * 4 + 5 * 8 };

/* What the stub answers to what. An answer of NULL is none at all. */
struct line {
	const char *question;
	const char *answer;
};

static const struct line as_qemu[] = {
	{ "?", "T05thread:01;" },
	{ "qSupported:hwbreak+", "PacketSize=1000;qXfer:features:read+" },
	{ "qXfer:features:read:target.xml:0,ffb",
	  "l<target><xi:include href=\"i386-64bit.xml\"/></target>" },
	{ "qXfer:features:read:i386-64bit.xml:0,ffb", core_xml },
	{ "qfThreadInfo", "m01,02" },
	{ "qsThreadInfo", "l" },
	{ "qC", "QC01" },
	{ "D", "OK" },
	{ "z1,ffffffff81000000,1", "OK" },
	{ "Z1,ffffffff81000000,1", "OK" },
	{ "Z1,5,1", "E22" },
	{ "Hg2", "OK" },
	{ "g", "registers" },
	{ "P10=0500000000000000", "OK" },
	{ "P0=f3ffffffffffffff", "OK" },
	{ "c", NULL },
	{ "vCont;s:2", "T05thread:02;" },
	{ NULL, NULL },
};

struct stub {
	int fd;
	const struct line *first; /* looked at before as_qemu */
	const char *greeting;	  /* said unasked */
	enum {
		NEVER_RUNS,
		STOPS_AT_ANY_BYTE, /* QEMU before 8.1 */
		STOPS_AT_03,	   /* since: any other byte stops it too, and is not answered */
		WAS_PAUSED,	   /* and told so, and let run again by somebody else */
		STANDS_UNTOLD,
		IS_LET_RUN, /* by somebody else, after each answer: before what is said next */
	} guest;
	bool running, unacknowledged;
	char heard[8192];
	size_t length;
	pthread_t thread;
};

static void say(struct stub *s, const char *text)
{
	char buffer[8192];
	size_t length = ksma_rsp_frame(buffer, sizeof(buffer), text);

	if (send(s->fd, buffer, length, MSG_NOSIGNAL) < 0)
		return;
	s->unacknowledged = true;
}

/* What becomes of a byte before it is part of a packet, as in gdb_read_byte() of QEMU. @return it is none */
static bool stops(struct stub *s, uint8_t byte)
{
	if (s->unacknowledged) {
		s->unacknowledged = byte != '+' && byte != '$';
		if (byte != '$')
			return true;
	}
	if (!s->running)
		return false;
	s->running = false;
	if (byte == '\x03' || s->guest == STOPS_AT_ANY_BYTE)
		say(s, "T02thread:01;");
	return true;
}

static void runs(struct stub *s)
{
	s->running = s->guest != NEVER_RUNS && s->guest != STANDS_UNTOLD;
	if (s->guest == WAS_PAUSED)
		say(s, "T02thread:01;");
}

static const char *answer_of(struct stub *s, const char *question, bool *known)
{
	const struct line *lists[] = { s->first, as_qemu };

	*known = true;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (const struct line *l = lists[i]; l && l->question; l++)
			if (strcmp(l->question, question) == 0)
				return l->answer;
	*known = false;
	return "";
}

static void *serve(void *arg)
{
	static struct ksma_rsp_reader reader;
	struct stub *s = arg;
	uint8_t byte;

	memset(&reader, 0, sizeof(reader));
	if (s->greeting && send(s->fd, s->greeting, strlen(s->greeting), MSG_NOSIGNAL) < 0)
		return NULL;
	while (recv(s->fd, &byte, 1, 0) == 1) {
		enum ksma_rsp_event event;
		const char *text;
		bool known;

		if (s->guest != NEVER_RUNS && stops(s, byte))
			continue;
		event = ksma_rsp_feed(&reader, byte);
		if (event != KSMA_RSP_PACKET)
			continue;
		if (s->length < sizeof(s->heard) / 2)
			s->length +=
				(size_t)snprintf(s->heard + s->length, sizeof(s->heard) - s->length,
						 "%s ", reader.data);
		text = answer_of(s, reader.data, &known);
		if (send(s->fd, "+", 1, MSG_NOSIGNAL) < 0)
			return NULL;
		if (text && strcmp(text, "registers") == 0) {
			char hex[REGISTER_BYTES * 2 + 1];

			for (int i = 0; i < REGISTER_BYTES * 2; i++)
				hex[i] = i % 2 ? '1' : '0';
			hex[REGISTER_BYTES * 2] = 0;
			text = hex;
			say(s, text);
		} else if (text && strcmp(text, "hang up") == 0) {
			shutdown(s->fd, SHUT_RDWR);
			return NULL;
		} else if (text) {
			say(s, text);
		}
		if (strcmp(reader.data, "c") == 0 ||
		    (s->guest == IS_LET_RUN && strcmp(reader.data, "g") == 0))
			runs(s);
	}
	return NULL;
}

static struct ksma_gdb *start(struct stub *s, const struct line *first, const char *greeting,
			      unsigned timeout_ms)
{
	struct ksma_gdb *gdb;
	int fds[2];

	memset(s, 0, sizeof(*s));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	s->fd = fds[1];
	s->first = first;
	s->greeting = greeting;
	assert_ok(ksma_gdb_create(fds[0], "stub", timeout_ms, &gdb));
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	return gdb;
}

static void end(struct stub *s, struct ksma_gdb *gdb)
{
	ksma_gdb_destroy(gdb);
	pthread_join(s->thread, NULL);
	close(s->fd);
}

static void whole_session(void **state)
{
	const uint64_t address = 0xffffffff81000000;
	const struct ksma_gdb_change changes[] = { { KSMA_RSP_RIP, 5 },
						   { KSMA_RSP_RAX, (uint64_t)-13 } };
	struct ksma_gdb_registers registers;
	struct ksma_rsp_stop stop;
	struct stub s;
	struct ksma_gdb *gdb = start(&s, NULL, NULL, PATIENT_MS);

	assert_ok(ksma_gdb_hello(gdb));
	assert_int_equal(ksma_gdb_threads(gdb), 2);
	assert_ok(ksma_gdb_break(gdb, &address, 1, true));
	assert_ok(ksma_gdb_read(gdb, 2, &registers));
	assert_int_equal(registers.value[KSMA_RSP_RIP], 0x0101010101010101);
	assert_int_equal(registers.value[KSMA_RSP_EFLAGS], 0x01010101);
	assert_ok(ksma_gdb_step(gdb, 2, address, &stop));
	assert_int_equal(stop.thread, 2);
	assert_ok(ksma_gdb_resume(gdb, 2, changes, 2));
	assert_ok(ksma_gdb_wait(gdb, 0, &stop));
	assert_int_equal(stop.kind, KSMA_RSP_NO_STOP);
	assert_ok(ksma_gdb_detach(gdb));
	assert_error(ksma_gdb_hello(gdb), KSMA_ERROR_INVALID);
	end(&s, gdb);
	assert_non_null(strstr(s.heard, "z1,ffffffff81000000,1 vCont;s:2 Z1,ffffffff81000000,1 "));
	assert_non_null(strstr(s.heard, "Hg2 P10=0500000000000000 P0=f3ffffffffffffff c D "));
}

/* QEMU tells of the stop that the connection caused, and refuses the end of what another client had begun. */
static void begins(void **state)
{
	struct ksma_rsp_stop stop;
	struct stub s;
	struct ksma_gdb *gdb = start(&s, NULL, "-$T02thread:01;#04", PATIENT_MS);

	assert_ok(ksma_gdb_hello(gdb));
	assert_ok(ksma_gdb_wait(gdb, 0, &stop));
	assert_int_equal(stop.kind, KSMA_RSP_NO_STOP);
	assert_ok(ksma_gdb_detach(gdb));
	end(&s, gdb);
}

/* Whatever QEMU does with a byte while the guest runs: it stands afterwards, and how it came to stand is told where that is told. */
static void interrupts(void **state)
{
	static const struct {
		unsigned guest;
		bool told;
	} cases[] = { { STOPS_AT_ANY_BYTE, true },
		      { STOPS_AT_03, true },
		      { WAS_PAUSED, true },
		      { STANDS_UNTOLD, false } };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ksma_gdb_registers registers;
		struct ksma_rsp_stop stop;
		struct stub s;
		struct ksma_gdb *gdb = start(&s, NULL, NULL, PATIENT_MS);

		s.guest = cases[i].guest;
		assert_ok(ksma_gdb_hello(gdb));
		assert_ok(ksma_gdb_resume(gdb, 1, NULL, 0));
		assert_ok(ksma_gdb_interrupt(gdb, &stop));
		assert_int_equal(stop.kind, cases[i].told ? KSMA_RSP_STOPPED : KSMA_RSP_NO_STOP);
		assert_int_equal(stop.signal, cases[i].told ? 2 : 0);
		assert_ok(ksma_gdb_read(gdb, 2, &registers));
		assert_ok(ksma_gdb_wait(gdb, 0, &stop));
		assert_int_equal(stop.kind, KSMA_RSP_NO_STOP);
		assert_ok(ksma_gdb_detach(gdb));
		end(&s, gdb);
		assert_false(s.running);
	}
}

/* Somebody lets the guest run while it stands for us: it is stopped, and answers. */
static void is_let_run(void **state)
{
	const struct ksma_gdb_change change = { KSMA_RSP_RIP, 5 };
	struct ksma_gdb_registers registers;
	struct ksma_rsp_stop stop;
	struct stub s;
	struct ksma_gdb *gdb = start(&s, NULL, NULL, PATIENT_MS);

	assert_ok(ksma_gdb_hello(gdb));
	s.guest = IS_LET_RUN;
	assert_ok(ksma_gdb_read(gdb, 2, &registers));
	assert_ok(ksma_gdb_read(gdb, 2, &registers));
	assert_ok(ksma_gdb_wait(gdb, 0, &stop));
	assert_int_equal(stop.kind, KSMA_RSP_STOPPED);
	assert_int_equal(stop.signal, 2);
	assert_ok(ksma_gdb_resume(gdb, 2, &change, 1));
	assert_ok(ksma_gdb_detach(gdb));
	end(&s, gdb);
	assert_non_null(strstr(s.heard, " Hg2 g Hg2 g Hg2 P10=0500000000000000 c D "));
}

static void refusals(void **state)
{
	static const struct line unknown[] = { { "Z1,5,1", "" }, { NULL, NULL } };
	const uint64_t address = 5;
	struct stub s;
	struct ksma_gdb *gdb = start(&s, NULL, NULL, PATIENT_MS);

	assert_error_says(ksma_gdb_break(gdb, &address, 1, true), KSMA_ERROR_INVALID, "E22");
	assert_error(ksma_gdb_break(gdb, &address, 5, true), KSMA_ERROR_LIMIT);
	end(&s, gdb);
	gdb = start(&s, unknown, NULL, PATIENT_MS);
	assert_error(ksma_gdb_break(gdb, &address, 1, true), KSMA_ERROR_UNSUPPORTED);
	end(&s, gdb);
}

static void ends(void **state)
{
	static const struct line silent[] = { { "qSupported:hwbreak+", NULL }, { NULL, NULL } };
	static const struct line gone[] = { { "qSupported:hwbreak+", "hang up" }, { NULL, NULL } };
	static const struct line exited[] = { { "qSupported:hwbreak+", "W00" }, { NULL, NULL } };
	static const struct line plain[] = {
		{ "qXfer:features:read:target.xml:0,ffb", "l<target></target>" }, { NULL, NULL }
	};
	static const struct line odd[] = { { "qXfer:features:read:target.xml:0,ffb",
					     "l<target><xi:include href=\"a:b,c\"/></target>" },
					   { NULL, NULL } };
	static const struct line endless[] = { { "qfThreadInfo", "m01" },
					       { "qsThreadInfo", "m01" },
					       { NULL, NULL } };
	const struct {
		const struct line *first;
		const char *greeting;
		enum ksma_error_code code;
	} cases[] = {
		{ silent, NULL, KSMA_ERROR_TIMEOUT },
		{ gone, NULL, KSMA_ERROR_LOST },
		{ exited, NULL, KSMA_ERROR_LOST },
		{ plain, NULL, KSMA_ERROR_UNSUPPORTED },
		{ odd, NULL, KSMA_ERROR_BAD_DATA },
		{ endless, NULL, KSMA_ERROR_BAD_DATA },
		{ NULL, "HTTP/1.1 400", KSMA_ERROR_BAD_DATA },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct stub s;
		struct ksma_gdb *gdb = start(&s, cases[i].first, cases[i].greeting,
					     cases[i].first == silent ? QUICK_MS : PATIENT_MS);

		assert_error(ksma_gdb_hello(gdb), cases[i].code);
		end(&s, gdb);
	}
}

static void servers(void **state)
{
	static const struct {
		const char *chardevs;
		bool present, connected;
		const char *address;
	} cases[] = {
		{ "[{\"label\":\"serial\",\"filename\":\"file\"}]", false, false, NULL },
		{ "[1, {\"label\":\"gdb\",\"filename\":\"disconnected:unix:/a/g.sock,server=on\"}]",
		  true, false, "unix:/a/g.sock" },
		{ "[{\"label\":\"gdb\",\"filename\":\"unix:/a/g.sock,server=on\"}]", true, true,
		  "unix:/a/g.sock" },
		{ "[{\"label\":\"gdb\",\"filename\":\"tcp:127.0.0.1:1234,server=on <-> 127.0.0.1:4\"}]",
		  true, true, "tcp:127.0.0.1:1234" },
		{ "[{\"label\":\"gdb\",\"filename\":\"stdio\"}]", true, true, NULL },
		{ "[{\"label\":\"gdb\"}]", true, true, NULL },
	};
	struct json_object *status = json_tokener_parse("{\"status\":\"debug\"}");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct json_object *chardevs = json_tokener_parse(cases[i].chardevs);
		struct ksma_gdb_server server;

		assert_ok(ksma_gdb_server_parse(chardevs, status, &server));
		assert_int_equal(server.present, cases[i].present);
		assert_int_equal(server.connected, cases[i].connected);
		if (cases[i].address)
			assert_string_equal(server.address, cases[i].address);
		else
			assert_null(server.address);
		assert_string_equal(server.status, "debug");
		ksma_gdb_server_deinit(&server);
		json_object_put(chardevs);
	}
	json_object_put(status);
	struct ksma_gdb_server server;
	assert_error(ksma_gdb_server_parse(NULL, NULL, &server), KSMA_ERROR_BAD_DATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_session), cmocka_unit_test(begins),
		cmocka_unit_test(interrupts),	 cmocka_unit_test(is_let_run),
		cmocka_unit_test(refusals),	 cmocka_unit_test(ends),
		cmocka_unit_test(servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

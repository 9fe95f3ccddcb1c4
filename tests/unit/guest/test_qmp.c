/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QMP client against a server that follows a script: well-behaved, chatty, slow, lying, gone. */
#include "unit.h"

#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "guest/connect.h"

#define GREETING                                                                                   \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}}, \"capabilities\": [\"oob\"]}}\r\n"
#define CAPABLE "{\"return\": {}, \"id\": 0}\r\n"

enum { QUICK_MS = 200, PATIENT_MS = 5000 };

/* What the server does: writes `say`, then reads until `hear` has come; to the end of the list. */
struct step {
	const char *say;
	const char *hear;
	unsigned pause_ms; /* before saying */
	bool bytewise;	   /* says it a byte at a time */
};

struct server {
	int fd;
	const struct step *steps;
	size_t count;
	int received_fd;
	char heard[8192];
	size_t length;
	pthread_t thread;
};

static bool hear(struct server *s)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { s->heard + s->length, sizeof(s->heard) - 1 - s->length };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(s->fd, &m, 0);

	if (n <= 0)
		return false;
	if (CMSG_FIRSTHDR(&m))
		memcpy(&s->received_fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	s->length += (size_t)n;
	s->heard[s->length] = 0;
	return true;
}

static void *serve(void *arg)
{
	struct server *s = arg;

	for (size_t i = 0; i < s->count; i++) {
		const struct step *step = &s->steps[i];
		size_t length = step->say ? strlen(step->say) : 0;

		if (step->pause_ms)
			usleep(step->pause_ms * 1000);
		for (size_t done = 0; done < length;) {
			ssize_t n = send(s->fd, step->say + done,
					 step->bytewise ? 1 : length - done, MSG_NOSIGNAL);

			if (n <= 0)
				break;
			done += (size_t)n;
		}
		while (step->hear && !strstr(s->heard, step->hear))
			if (!hear(s))
				break;
	}
	shutdown(s->fd, SHUT_RDWR);
	close(s->fd);
	return NULL;
}

static struct ksma_qmp *start(struct server *s, const struct step *steps, size_t count,
			      unsigned timeout_ms)
{
	struct ksma_qmp *qmp;
	int fds[2];

	memset(s, 0, sizeof(*s));
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	s->fd = fds[1];
	s->steps = steps;
	s->count = count;
	s->received_fd = -1;
	assert_ok(ksma_qmp_create(fds[0], "test", timeout_ms, &qmp));
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
	return qmp;
}

static void stop(struct server *s, struct ksma_qmp *qmp)
{
	ksma_qmp_destroy(qmp);
	pthread_join(s->thread, NULL);
	if (s->received_fd >= 0)
		close(s->received_fd);
}

#define START(server, timeout, ...)                                                                \
	({                                                                                         \
		static const struct step steps_[] = { __VA_ARGS__ };                               \
		start(server, steps_, ARRAY_SIZE(steps_), timeout);                                \
	})

static void test_pipelined(void **state)
{
	struct ksma_qmp_call calls[] = { { .command = "query-name" },
					 { .command = "human-monitor-command",
					   .arguments = "{\"command-line\":\"info mtree -f\"}" } };
	struct server s;
	struct ksma_qmp *qmp =
		START(&s, PATIENT_MS, { .say = GREETING, .hear = "\"id\":2}" },
		      { .say = CAPABLE "{\"return\": {\"name\": \"a\"}, \"id\": 1}\r\n"
				       "{\"return\": \"text\\r\\nmore \\u0041\", \"id\": 2}\r\n" });

	assert_ok(ksma_qmp_run(qmp, calls, ARRAY_SIZE(calls)));
	assert_null(calls[0].error);
	assert_string_equal(json_object_get_string(calls[1].result), "text\r\nmore A");
	ksma_qmp_calls_deinit(calls, ARRAY_SIZE(calls));
	stop(&s, qmp);
	assert_string_equal(
		s.heard,
		"{\"execute\":\"qmp_capabilities\",\"id\":0}"
		"{\"execute\":\"query-name\",\"id\":1}"
		"{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"info mtree -f\"},\"id\":2}");
}

static void test_bytewise_with_events(void **state)
{
	struct ksma_qmp_call call = { .command = "stop" };
	struct server s;
	struct ksma_qmp *qmp = START(
		&s, PATIENT_MS, { .say = GREETING, .hear = "\"id\":1}", .bytewise = true },
		{ .say = "{\"timestamp\": {\"seconds\": 10, \"microseconds\": 999000}, \"event\": \"STOP\"}\r\n" CAPABLE
			 "{\"timestamp\": {\"seconds\": 11, \"microseconds\": 1500}, \"event\": \"RESUME\"}\r\n"
			 "{\"timestamp\": {\"seconds\": 12, \"microseconds\": 0}, \"event\": \"RESET\", \"data\": {\"guest\": true}}\r\n"
			 "{\n \"return\":\n {} ,\n \"id\" : 1 }\r\n"
			 "{\"event\": \"MIGRATION\", \"data\": {\"status\": \"completed\"}}\r\n"
			 "{\"event\": \"SOMETHING\"} {\"event\": 5}\r\n",
		  .hear = "never",
		  .bytewise = true });

	assert_ok(ksma_qmp_run(qmp, &call, 1));
	ksma_qmp_calls_deinit(&call, 1);
	for (int i = 0; i < 200 && ksma_qmp_events(qmp)->migrations == 0; i++) {
		assert_ok(ksma_qmp_poll(qmp));
		usleep(1000);
	}
	assert_int_equal(ksma_qmp_events(qmp)->migrations, 1);
	assert_int_equal(ksma_qmp_events(qmp)->resets, 1);
	assert_int_equal(ksma_qmp_events(qmp)->stops, 1);
	assert_int_equal(ksma_qmp_events(qmp)->paused_us, 2500);
	stop(&s, qmp);
}

static void test_refused_call(void **state)
{
	struct ksma_qmp_call calls[] = { { .command = "a" },
					 { .command = "b" },
					 { .command = "c" } };
	struct server s;
	struct ksma_qmp *qmp = START(
		&s, PATIENT_MS, { .say = GREETING, .hear = "\"id\":3}" },
		{ .say = CAPABLE
		  "{\"id\": 1, \"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command a has not been found\"}}\r\n"
		  "{\"id\": 2, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\r\n"
		  "{\"id\": 3, \"return\": 5}\r\n" });

	assert_ok(ksma_qmp_run(qmp, calls, ARRAY_SIZE(calls)));
	assert_error_says(calls[0].error, KSMA_ERROR_UNSUPPORTED, "not been found");
	assert_error_says(calls[1].error, KSMA_ERROR_INVALID, "b: no");
	assert_int_equal(json_object_get_int(calls[2].result), 5);
	calls[0].error = calls[1].error = NULL;
	ksma_qmp_calls_deinit(calls, ARRAY_SIZE(calls));
	stop(&s, qmp);
}

static void test_passes_descriptor(void **state)
{
	struct ksma_qmp_call calls[] = { { .command = "query-status" },
					 { .command = "add-fd", .fd = STDERR_FILENO },
					 { .command = "x" } };
	struct server s;
	struct ksma_qmp *qmp = START(
		&s, PATIENT_MS, { .say = GREETING, .hear = "\"id\":3}" },
		{ .say = CAPABLE
		  "{\"return\": {}, \"id\": 1}{\"return\": {}, \"id\": 2}{\"return\": {}, \"id\": 3}" });

	assert_ok(ksma_qmp_run(qmp, calls, ARRAY_SIZE(calls)));
	ksma_qmp_calls_deinit(calls, ARRAY_SIZE(calls));
	ksma_qmp_destroy(qmp);
	pthread_join(s.thread, NULL);
	assert_true(s.received_fd >= 0);
	close(s.received_fd);
}

/* Runs one call against a script, and requires its end. */
static void assert_ends(const struct step *steps, size_t count, enum ksma_error_code code,
			const char *words)
{
	struct ksma_qmp_call call = { .command = "query-status" };
	struct server s;
	struct ksma_qmp *qmp = start(&s, steps, count, QUICK_MS);

	assert_error_says(ksma_qmp_run(qmp, &call, 1), code, words);
	assert_null(call.result);
	assert_null(call.error);
	stop(&s, qmp);
}

#define ASSERT_ENDS(code, words, ...)                                                              \
	do {                                                                                       \
		static const struct step steps_[] = { __VA_ARGS__ };                               \
		assert_ends(steps_, ARRAY_SIZE(steps_), code, words);                              \
	} while (0)

static void test_ends(void **state)
{
	ASSERT_ENDS(KSMA_ERROR_LOST, "closed", { .say = "" });
	ASSERT_ENDS(KSMA_ERROR_LOST, "closed", { .say = "{\"QMP\": {" });
	ASSERT_ENDS(KSMA_ERROR_LOST, "closed", { .say = GREETING, .hear = "query-status" });
	ASSERT_ENDS(KSMA_ERROR_TIMEOUT, "in use by another client", { .hear = "never" });
	ASSERT_ENDS(KSMA_ERROR_TIMEOUT, "in use by another client",
		    { .say = "{\"QMP\": {", .hear = "never" });
	ASSERT_ENDS(KSMA_ERROR_TIMEOUT, "did not answer", { .say = GREETING, .hear = "never" });
	ASSERT_ENDS(KSMA_ERROR_TIMEOUT, "did not answer",
		    { .say = GREETING CAPABLE "{\"return\": {}, ", .hear = "never" });
	ASSERT_ENDS(KSMA_ERROR_BAD_DATA, "human monitor",
		    { .say = "QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ",
		      .hear = "never" });
	ASSERT_ENDS(KSMA_ERROR_BAD_DATA, "greet", { .say = "{\"return\": {}}", .hear = "never" });
	ASSERT_ENDS(KSMA_ERROR_BAD_DATA, "not an object", { .say = "[1] ", .hear = "never" });
	ASSERT_ENDS(KSMA_ERROR_BAD_DATA, "does not speak QMP",
		    { .say = GREETING "}{", .hear = "never" });
	ASSERT_ENDS(KSMA_ERROR_BAD_DATA, "not asked",
		    { .say = GREETING CAPABLE "{\"return\": {}, \"id\": 77}", .hear = "never" });
	ASSERT_ENDS(KSMA_ERROR_BAD_DATA, "not asked",
		    { .say = GREETING CAPABLE "{\"return\": {}}", .hear = "never" });
	ASSERT_ENDS(KSMA_ERROR_INVALID, "qmp_capabilities: no",
		    { .say = GREETING
		      "{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": 0}",
		      .hear = "never" });
}

/* An answer that is no answer is the call's, not the connection's. */
static void test_empty_answer(void **state)
{
	struct ksma_qmp_call call = { .command = "x" };
	struct server s;
	struct ksma_qmp *qmp =
		START(&s, PATIENT_MS, { .say = GREETING CAPABLE "{\"id\": 1}", .hear = "never" });

	assert_ok(ksma_qmp_run(qmp, &call, 1));
	assert_error(call.error, KSMA_ERROR_BAD_DATA);
	stop(&s, qmp);
}

static void test_message_without_end(void **state)
{
	static char huge[KSMA_QMP_MESSAGE_MAX + (128 << 10)];
	static struct step steps[] = { { .say = huge, .hear = "never" } };
	struct ksma_qmp_call call = { .command = "x" };
	struct ksma_qmp *qmp;
	struct server s;

	memset(huge, 'a', sizeof(huge) - 1);
	memcpy(huge, "{\"", 2);
	qmp = start(&s, steps, 1, 20000);
	assert_error(ksma_qmp_run(qmp, &call, 1), KSMA_ERROR_LIMIT);
	stop(&s, qmp);
}

/* What is left of a batch that ran out of time is not taken for the next one's. */
static void test_late_answer(void **state)
{
	struct ksma_qmp_call call = { .command = "slow" };
	struct server s;
	struct ksma_qmp *qmp = START(
		&s, QUICK_MS, { .say = GREETING CAPABLE, .hear = "slow" },
		{ .say = "{\"return\": 1, \"id\": 1}", .hear = "fast", .pause_ms = 2 * QUICK_MS },
		{ .say = "{\"return\": 2, \"id\": 2}" });

	assert_error(ksma_qmp_run(qmp, &call, 1), KSMA_ERROR_TIMEOUT);
	usleep(2 * QUICK_MS * 1000);
	call = (struct ksma_qmp_call){ .command = "fast" };
	assert_ok(ksma_qmp_run(qmp, &call, 1));
	assert_int_equal(json_object_get_int(call.result), 2);
	ksma_qmp_calls_deinit(&call, 1);
	stop(&s, qmp);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	assert_true(strlen(path) < sizeof(address.sun_path));
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static void *greet_one(void *arg)
{
	int client = accept(*(int *)arg, NULL, NULL);

	if (send(client, GREETING, strlen(GREETING), MSG_NOSIGNAL) > 0)
		usleep(50000);
	close(client);
	return NULL;
}

/* The first socket is busy (it takes the connection and stays silent), the second is gone, the third answers. */
static void test_connect_goes_on(void **state)
{
	char folder[] = "/tmp/ksma-test-XXXXXX", busy[64], gone[64], good[64];
	char *paths[] = { busy, gone, good, NULL }, *only_busy[] = { busy, NULL },
	     *only_gone[] = { gone, NULL };
	struct ksma_connect_options options = { .paths = paths,
						.timeout_ms = PATIENT_MS,
						.pid = getpid() };
	struct ksma_qmp *qmp;
	pthread_t thread;
	int busy_fd, good_fd;

	assert_non_null(mkdtemp(folder));
	snprintf(busy, sizeof(busy), "%s/busy", folder);
	snprintf(gone, sizeof(gone), "%s/gone", folder);
	snprintf(good, sizeof(good), "%s/good", folder);
	busy_fd = listen_at(busy);
	good_fd = listen_at(good);
	assert_int_equal(pthread_create(&thread, NULL, greet_one, &good_fd), 0);
	assert_ok(ksma_qmp_connect(&options, &qmp));
	assert_string_equal(ksma_qmp_name(qmp), good);
	ksma_qmp_destroy(qmp);
	pthread_join(thread, NULL);
	options.timeout_ms = QUICK_MS;
	options.paths = only_busy;
	assert_error_says(ksma_qmp_connect(&options, &qmp), KSMA_ERROR_TIMEOUT,
			  "in use by another client");
	options.paths = only_gone;
	assert_error_says(ksma_qmp_connect(&options, &qmp), KSMA_ERROR_OS, gone);
	/* What answers there is we, not the guest; but a person's word for it is taken, where it is no other guest. */
	options.paths = only_busy;
	options.pid = 1;
	assert_error_says(ksma_qmp_connect(&options, &qmp), KSMA_ERROR_INVALID,
			  "belongs to process");
	options.proxied = true;
	assert_error(ksma_qmp_connect(&options, &qmp), KSMA_ERROR_TIMEOUT);
	close(busy_fd);
	close(good_fd);
	unlink(busy);
	unlink(good);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_bytewise_with_events),
		cmocka_unit_test(test_refused_call),
		cmocka_unit_test(test_passes_descriptor),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_empty_answer),
		cmocka_unit_test(test_message_without_end),
		cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_connect_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

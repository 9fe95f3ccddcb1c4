/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client of QEMU's machine protocol (QMP) over a unix socket: pipelined calls, events in between, file descriptors along. */
#include "guest/qmp.h"

#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/send_fd.h"

enum { QMP_DEPTH = 64 };

struct ksma_qmp {
	int fd;
	char *name;
	unsigned timeout_ms;
	bool greeted, negotiated;
	int64_t next_id;
	struct json_tokener *tokener;
	size_t message; /* bytes of the message that the tokener is in */
	size_t start, end;
	struct ksma_qmp_events events;
	char input[64 << 10];
};

struct ksma_error *ksma_qmp_create(int fd, const char *name, unsigned timeout_ms,
				   struct ksma_qmp **ret_qmp)
{
	struct ksma_qmp *qmp = calloc(1, sizeof(*qmp));
	struct ksma_error *error;

	if (!qmp) {
		close(fd);
		return ksma_error_nomem();
	}
	qmp->fd = fd;
	qmp->timeout_ms = timeout_ms;
	qmp->next_id = 1;
	qmp->tokener = json_tokener_new_ex(QMP_DEPTH);
	error = ksma_strdup(name, &qmp->name);
	if (!qmp->tokener && !error)
		error = ksma_error_nomem();
	if (error) {
		ksma_qmp_destroy(qmp);
		return error;
	}
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	*ret_qmp = qmp;
	return NULL;
}

void ksma_qmp_destroy(struct ksma_qmp *qmp)
{
	if (!qmp)
		return;
	if (qmp->fd >= 0)
		close(qmp->fd);
	if (qmp->tokener)
		json_tokener_free(qmp->tokener);
	free(qmp->name);
	free(qmp);
}

const struct ksma_qmp_events *ksma_qmp_events(const struct ksma_qmp *qmp)
{
	return &qmp->events;
}

const char *ksma_qmp_name(const struct ksma_qmp *qmp)
{
	return qmp->name;
}

int ksma_qmp_fd(const struct ksma_qmp *qmp)
{
	return qmp->fd;
}

void ksma_qmp_calls_deinit(struct ksma_qmp_call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		json_object_put(calls[i].result);
		ksma_error_destroy(calls[i].error);
		calls[i].result = NULL;
		calls[i].error = NULL;
	}
}

static uint64_t deadline_of(const struct ksma_qmp *qmp)
{
	return ksma_now_ns() + qmp->timeout_ms * UINT64_C(1000000);
}

struct ksma_error *ksma_qmp_silent(const char *name)
{
	return ksma_error_create(
		KSMA_ERROR_TIMEOUT,
		"monitor %s does not greet: it is in use by another client (libvirt?); "
		"end that client, or give the guest a second -qmp socket",
		name);
}

/* Waits until the socket is ready for `events`. @return NULL or TIMEOUT */
static struct ksma_error *wait_for(struct ksma_qmp *qmp, short events, uint64_t deadline)
{
	struct pollfd p = { .fd = qmp->fd, .events = events };

	for (;;) {
		uint64_t now = ksma_now_ns();
		int n = poll(&p, 1,
			     now < deadline ? (int)((deadline - now + 999999) / 1000000) : 0);

		if (n > 0)
			return NULL;
		if (n < 0 && errno != EINTR)
			return ksma_error_os(errno, "monitor %s", qmp->name);
		if (ksma_now_ns() >= deadline)
			break;
	}
	if (!qmp->greeted)
		return ksma_qmp_silent(qmp->name);
	return ksma_error_create(KSMA_ERROR_TIMEOUT, "monitor %s did not answer within %u ms",
				 qmp->name, qmp->timeout_ms);
}

static struct ksma_error *lost(const struct ksma_qmp *qmp)
{
	return ksma_error_create(KSMA_ERROR_LOST, "monitor %s closed the connection", qmp->name);
}

/* Reads more input. @return NULL (maybe with nothing new, when nothing waits), LOST or OS */
static struct ksma_error *fill(struct ksma_qmp *qmp)
{
	ssize_t n;

	n = recv(qmp->fd, qmp->input, sizeof(qmp->input), MSG_DONTWAIT);
	if (n == 0)
		return lost(qmp);
	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return NULL;
		if (errno == ECONNRESET || errno == EPIPE)
			return lost(qmp);
		return ksma_error_os(errno, "monitor %s", qmp->name);
	}
	qmp->start = 0;
	qmp->end = (size_t)n;
	return NULL;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Parses on in what has been read. *ret_message is NULL where no message ended in it. */
static struct ksma_error *parse(struct ksma_qmp *qmp, struct json_object **ret_message)
{
	struct json_object *message;
	enum json_tokener_error status;
	size_t used;

	*ret_message = NULL;
	while (qmp->message == 0 && qmp->start < qmp->end && is_space(qmp->input[qmp->start]))
		qmp->start++;
	if (qmp->start == qmp->end)
		return NULL;
	message = json_tokener_parse_ex(qmp->tokener, qmp->input + qmp->start,
					(int)(qmp->end - qmp->start));
	status = json_tokener_get_error(qmp->tokener);
	used = json_tokener_get_parse_end(qmp->tokener);
	if (status == json_tokener_continue) {
		qmp->message += qmp->end - qmp->start;
		qmp->start = qmp->end;
		if (qmp->message > KSMA_QMP_MESSAGE_MAX)
			return ksma_error_create(KSMA_ERROR_LIMIT,
						 "monitor %s sent a message of over %d bytes",
						 qmp->name, KSMA_QMP_MESSAGE_MAX);
		return NULL;
	}
	if (status != json_tokener_success || !json_object_is_type(message, json_type_object)) {
		json_object_put(message);
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA, "monitor %s does not speak QMP (%s)%s", qmp->name,
			status == json_tokener_success ? "not an object"
						       : json_tokener_error_desc(status),
			qmp->greeted
				? ""
				: ": is it a human monitor? one with mode=control or -qmp is needed");
	}
	qmp->start += used;
	qmp->message = 0;
	json_tokener_reset(qmp->tokener);
	*ret_message = message;
	return NULL;
}

static uint64_t event_time_us(struct json_object *message)
{
	struct json_object *stamp, *seconds, *micros;

	if (!json_object_object_get_ex(message, "timestamp", &stamp) ||
	    !json_object_object_get_ex(stamp, "seconds", &seconds) ||
	    !json_object_object_get_ex(stamp, "microseconds", &micros))
		return 0;
	return (uint64_t)json_object_get_int64(seconds) * 1000000u +
	       (uint64_t)json_object_get_int64(micros);
}

static void note_event(struct ksma_qmp_events *events, struct json_object *message)
{
	struct json_object *object, *data, *status;
	const char *name;

	if (!json_object_object_get_ex(message, "event", &object) ||
	    !(name = json_object_get_string(object)))
		return;
	if (strcmp(name, "RESET") == 0) {
		events->resets++;
	} else if (strcmp(name, "SHUTDOWN") == 0) {
		events->shutdowns++;
	} else if (strcmp(name, "STOP") == 0) {
		events->stops++;
		events->stop_us = event_time_us(message);
	} else if (strcmp(name, "RESUME") == 0) {
		uint64_t now = event_time_us(message);

		events->resumes++;
		if (events->stop_us && now > events->stop_us)
			events->paused_us += now - events->stop_us;
		events->stop_us = 0;
	} else if (strcmp(name, "MIGRATION") == 0) {
		if (json_object_object_get_ex(message, "data", &data) &&
		    json_object_object_get_ex(data, "status", &status) &&
		    strcmp(json_object_get_string(status) ?: "", "completed") == 0)
			events->migrations++;
	}
}

/* The next message that is no event. With deadline 0 it does not wait, and *ret_message may be NULL. */
static struct ksma_error *next_message(struct ksma_qmp *qmp, uint64_t deadline,
				       struct json_object **ret_message)
{
	for (;;) {
		struct json_object *message;

		KSMA_TRY(parse(qmp, &message));
		if (message && json_object_object_get_ex(message, "event", NULL)) {
			note_event(&qmp->events, message);
			json_object_put(message);
			continue;
		}
		if (message) {
			*ret_message = message;
			return NULL;
		}
		qmp->start = qmp->end = 0;
		if (deadline)
			KSMA_TRY(wait_for(qmp, POLLIN, deadline));
		KSMA_TRY(fill(qmp));
		if (!deadline && qmp->end == 0) {
			*ret_message = NULL;
			return NULL;
		}
	}
}

struct ksma_error *ksma_qmp_greet(struct ksma_qmp *qmp)
{
	struct json_object *message;
	bool fits;

	if (qmp->greeted)
		return NULL;
	KSMA_TRY(next_message(qmp, deadline_of(qmp), &message));
	fits = json_object_object_get_ex(message, "QMP", NULL);
	json_object_put(message);
	if (!fits)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "monitor %s does not greet as QMP does", qmp->name);
	qmp->greeted = true;
	return NULL;
}

struct ksma_error *ksma_qmp_poll(struct ksma_qmp *qmp)
{
	struct json_object *message;

	for (;;) {
		KSMA_TRY(next_message(qmp, 0, &message));
		if (!message)
			return NULL;
		json_object_put(message); /* an answer that nobody waits for any more */
	}
}

static struct ksma_error *send_all(struct ksma_qmp *qmp, const char *data, size_t length, int fd,
				   uint64_t deadline)
{
	while (length) {
		ssize_t n = ksma_send_fd(qmp->fd, data, length, fd > 0 ? fd : -1, MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			KSMA_TRY(wait_for(qmp, POLLOUT, deadline));
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return lost(qmp);
		if (n < 0)
			return ksma_error_os(errno, "monitor %s", qmp->name);
		fd = -1;
		data += n;
		length -= (size_t)n;
	}
	return NULL;
}

struct text {
	char *items;
	size_t count, capacity;
};

static struct ksma_error *text_add(struct text *text, const char *s)
{
	size_t length = strlen(s);

	KSMA_TRY(ksma_array_grow(&text->items, &text->capacity, text->count + length, 1));
	memcpy(text->items + text->count, s, length);
	text->count += length;
	return NULL;
}

static struct ksma_error *text_add_call(struct text *text, const struct ksma_qmp_call *call,
					int64_t id)
{
	char number[32];

	/* QEMU takes the bytes of a monitor one by one through its main loop: short commands are fast commands. */
	snprintf(number, sizeof(number), "\"id\":%lld}", (long long)id);
	KSMA_TRY(text_add(text, "{\"execute\":\""));
	KSMA_TRY(text_add(text, call->command));
	KSMA_TRY(text_add(text, "\","));
	if (call->arguments) {
		KSMA_TRY(text_add(text, "\"arguments\":"));
		KSMA_TRY(text_add(text, call->arguments));
		KSMA_TRY(text_add(text, ","));
	}
	return text_add(text, number);
}

static struct ksma_error *send_calls(struct ksma_qmp *qmp, const struct ksma_qmp_call *calls,
				     size_t count, uint64_t deadline)
{
	_cleanup_free_ char *buffer = NULL;
	struct text text = { 0 };
	struct ksma_error *error = NULL;

	if (!qmp->negotiated)
		error = text_add(&text, "{\"execute\":\"qmp_capabilities\",\"id\":0}");
	for (size_t i = 0; i < count && !error; i++) {
		if (calls[i].fd > 0 && text.count) {
			error = send_all(qmp, text.items, text.count, -1, deadline);
			text.count = 0;
		}
		if (!error)
			error = text_add_call(&text, &calls[i], qmp->next_id + (int64_t)i);
		if (!error && calls[i].fd > 0) {
			error = send_all(qmp, text.items, text.count, calls[i].fd, deadline);
			text.count = 0;
		}
	}
	if (!error && text.count)
		error = send_all(qmp, text.items, text.count, -1, deadline);
	buffer = text.items;
	return error;
}

struct ksma_error *ksma_qmp_answer(struct json_object *answer, const char *command,
				   struct json_object **ret_result)
{
	struct json_object *result, *error, *class, *words;
	bool unknown;

	if (json_object_object_get_ex(answer, "return", &result)) {
		*ret_result = json_object_get(result);
		return NULL;
	}
	if (!json_object_object_get_ex(answer, "error", &error) ||
	    !json_object_object_get_ex(error, "class", &class) ||
	    !json_object_object_get_ex(error, "desc", &words))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the answer to %s is neither a result nor an error",
					 command);
	unknown = strcmp(json_object_get_string(class) ?: "", "CommandNotFound") == 0;
	return ksma_error_create(unknown ? KSMA_ERROR_UNSUPPORTED : KSMA_ERROR_INVALID,
				 "%s: %.400s", command, json_object_get_string(words) ?: "refused");
}

/* Files one answer under its call. */
static struct ksma_error *file_answer(struct ksma_qmp *qmp, struct json_object *message,
				      struct ksma_qmp_call *calls, size_t count, size_t *open)
{
	struct json_object *id, *result = NULL;
	int64_t number = -1;

	if (json_object_object_get_ex(message, "id", &id) && json_object_is_type(id, json_type_int))
		number = json_object_get_int64(id);
	if (number == 0 && !qmp->negotiated) {
		KSMA_TRY(ksma_qmp_answer(message, "qmp_capabilities", &result));
		json_object_put(result);
		qmp->negotiated = true;
		return NULL;
	}
	if (number < qmp->next_id || (uint64_t)(number - qmp->next_id) >= count) {
		/* What is left of a batch that ran out of time has a lower id. */
		if (number > 0 && number < qmp->next_id)
			return NULL;
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "monitor %s answered what was not asked", qmp->name);
	}
	calls += number - qmp->next_id;
	if (calls->result || calls->error)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "monitor %s answered twice",
					 qmp->name);
	(*open)--;
	calls->error = ksma_qmp_answer(message, calls->command, &calls->result);
	return NULL;
}

struct ksma_error *ksma_qmp_run(struct ksma_qmp *qmp, struct ksma_qmp_call *calls, size_t count)
{
	uint64_t deadline = deadline_of(qmp);
	struct ksma_error *error;
	size_t open = count;

	if (count > KSMA_QMP_CALLS_MAX)
		return ksma_error_create(KSMA_ERROR_INVALID, "too many monitor commands at once");
	KSMA_TRY(ksma_qmp_greet(qmp));
	error = send_calls(qmp, calls, count, deadline);
	while (!error && (open || !qmp->negotiated)) {
		struct json_object *message;

		error = next_message(qmp, deadline, &message);
		if (error)
			break;
		error = file_answer(qmp, message, calls, count, &open);
		json_object_put(message);
	}
	qmp->next_id += (int64_t)count;
	if (error)
		ksma_qmp_calls_deinit(calls, count);
	return error;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Exceptions: findings that somebody has looked into and accepts, for a reason and until a day. */
#include <errno.h>
#include <fnmatch.h>
#include <time.h>

#include <json-c/json.h>

#include "checks/check.h"

enum { MAX_FILE = 4 << 20, MAX_EXCEPTIONS = 10000, MAX_DEPTH = 8 };

static void exception_deinit(struct ksma_exception *e)
{
	for (size_t i = 0; i < e->count; i++) {
		free(e->items[i].key);
		free(e->items[i].value);
	}
	free(e->items);
	free(e->finding);
	free(e->reason);
	free(e->expires);
	*e = (struct ksma_exception){ 0 };
}

KSMA_API void ksma_exceptions_free(struct ksma_exceptions *exceptions)
{
	for (size_t i = 0; i < exceptions->count; i++)
		exception_deinit(&exceptions->items[i]);
	free(exceptions->items);
	*exceptions = (struct ksma_exceptions){ 0 };
}

/* Where in the file we are, for errors. */
struct source {
	const char *name;
	size_t record;
};

static struct ksma_error *bad(const struct source *source, const char *what)
{
	return ksma_error_create(KSMA_ERROR_INVALID, "%s: exception %zu: %s", source->name,
				 source->record + 1, what);
}

static struct ksma_error *take_text(const struct source *source, struct json_object *record,
				    const char *key, char **ret_text)
{
	struct json_object *value;
	char what[96];

	if (json_object_object_get_ex(record, key, &value) &&
	    json_object_is_type(value, json_type_string) && json_object_get_string_len(value) > 0)
		return ksma_strdup(json_object_get_string(value), ret_text);
	snprintf(what, sizeof(what), "it has no \"%s\"", key);
	return bad(source, what);
}

/* "2027-01-31" ends with that day, UTC; "2027-01-31T12:00:00Z" at that second. */
static struct ksma_error *take_expiry(const struct source *source, struct ksma_exception *e)
{
	struct tm tm = { 0 };
	const char *end = strptime(e->expires, "%Y-%m-%d", &tm);
	time_t seconds;

	if (end && !*end)
		tm.tm_mday++;
	else
		end = strptime(e->expires, "%Y-%m-%dT%H:%M:%SZ", &tm);
	seconds = timegm(&tm);
	if (!end || *end || seconds <= 0)
		return bad(source,
			   "\"expires\" is not a day, as in 2027-01-31 or 2027-01-31T12:00:00Z");
	e->expires_ns = (uint64_t)seconds * 1000000000u;
	return NULL;
}

static struct ksma_error *add_evidence(struct ksma_exception *e, const char *key,
				       struct json_object *value)
{
	struct ksma_evidence made = { .number = json_object_is_type(value, json_type_int) }, *slot;
	struct ksma_error *error;

	KSMA_TRY(ksma_strdup(key, &made.key));
	error = ksma_strdup(json_object_get_string(value), &made.value);
	if (!error)
		error = KSMA_ARRAY_PUSH(e, &slot);
	if (error) {
		free(made.key);
		free(made.value);
		return error;
	}
	*slot = made;
	return NULL;
}

static struct ksma_error *take_evidence(const struct source *source, struct json_object *record,
					struct ksma_exception *e)
{
	struct json_object *evidence;

	if (!json_object_object_get_ex(record, "evidence", &evidence))
		return NULL;
	if (!json_object_is_type(evidence, json_type_object))
		return bad(source, "\"evidence\" is not an object");
	json_object_object_foreach(evidence, key, value)
	{
		if (!json_object_is_type(value, json_type_string) &&
		    !json_object_is_type(value, json_type_int))
			return bad(source, "a value of \"evidence\" is neither text nor a number");
		KSMA_TRY(add_evidence(e, key, value));
	}
	return NULL;
}

static struct ksma_error *fill(const struct source *source, struct json_object *record,
			       struct ksma_exception *e)
{
	static const char *const known[] = { "finding", "evidence", "reason", "expires" };

	if (!json_object_is_type(record, json_type_object))
		return bad(source, "it is not an object");
	json_object_object_foreach(record, key, value)
	{
		bool is_known = false;

		(void)value;
		for (size_t i = 0; i < ARRAY_SIZE(known); i++)
			is_known |= strcmp(key, known[i]) == 0;
		if (!is_known)
			return bad(
				source,
				"it has a member that is none of finding, evidence, reason, expires");
	}
	KSMA_TRY(take_text(source, record, "finding", &e->finding));
	KSMA_TRY(take_text(source, record, "reason", &e->reason));
	KSMA_TRY(take_text(source, record, "expires", &e->expires));
	KSMA_TRY(take_expiry(source, e));
	KSMA_TRY(take_evidence(source, record, e));
	if (strpbrk(e->finding, "*?[") && !e->count)
		return bad(
			source,
			"a pattern of findings needs \"evidence\", or it hides what nobody has seen yet");
	return NULL;
}

static struct ksma_error *add(const struct source *source, struct json_object *record,
			      struct ksma_exceptions *exceptions)
{
	struct ksma_exception made = { 0 }, *slot;
	struct ksma_error *error;

	if (exceptions->count == MAX_EXCEPTIONS)
		return ksma_error_create(KSMA_ERROR_LIMIT, "%s: more than %d exceptions",
					 source->name, MAX_EXCEPTIONS);
	error = fill(source, record, &made);
	if (!error)
		error = KSMA_ARRAY_PUSH(exceptions, &slot);
	if (error) {
		exception_deinit(&made);
		return error;
	}
	*slot = made;
	return NULL;
}

static struct ksma_error *add_value(struct source *source, struct json_object *value,
				    struct ksma_exceptions *exceptions)
{
	if (!json_object_is_type(value, json_type_array)) {
		KSMA_TRY(add(source, value, exceptions));
		source->record++;
		return NULL;
	}
	for (size_t i = 0; i < json_object_array_length(value); i++, source->record++)
		KSMA_TRY(add(source, json_object_array_get_idx(value, i), exceptions));
	return NULL;
}

static void tokener_freep(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

KSMA_API struct ksma_error *ksma_exceptions_parse(const char *name, const char *text, size_t length,
						  struct ksma_exceptions *ret_exceptions)
{
	_cleanup_(ksma_exceptions_free) struct ksma_exceptions exceptions = { 0 };
	_cleanup_(tokener_freep) struct json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
	struct source source = { .name = name };
	size_t at = 0;

	if (!tokener)
		return ksma_error_nomem();
	if (length > MAX_FILE)
		return ksma_error_create(KSMA_ERROR_LIMIT, "%s: more than %d bytes", name,
					 MAX_FILE);
	for (;;) {
		struct json_object *value;
		struct ksma_error *error;

		while (at < length && strchr(" \t\r\n", text[at]) && text[at])
			at++;
		if (at == length)
			break;
		json_tokener_reset(tokener);
		value = json_tokener_parse_ex(tokener, text + at, (int)(length - at));
		if (json_tokener_get_error(tokener) != json_tokener_success || !value) {
			enum json_tokener_error why = json_tokener_get_error(tokener);

			json_object_put(value);
			return bad(&source, why == json_tokener_continue
						    ? "the file ends in the middle of it"
						    : json_tokener_error_desc(why));
		}
		at += json_tokener_get_parse_end(tokener);
		error = add_value(&source, value, &exceptions);
		json_object_put(value);
		KSMA_TRY(error);
	}
	*ret_exceptions = exceptions;
	exceptions = (struct ksma_exceptions){ 0 };
	return NULL;
}

KSMA_API struct ksma_error *ksma_exceptions_read(const char *path,
						 struct ksma_exceptions *ret_exceptions)
{
	_cleanup_free_ char *text = NULL;
	size_t length;

	KSMA_TRY(ksma_read_file(path, MAX_FILE, &text, &length));
	return ksma_exceptions_parse(path, text, length, ret_exceptions);
}

static bool has_evidence(const struct ksma_finding *finding, const struct ksma_evidence *wanted)
{
	for (size_t i = 0; i < finding->count; i++)
		if (strcmp(finding->items[i].key, wanted->key) == 0 &&
		    strcmp(finding->items[i].value, wanted->value) == 0)
			return true;
	return false;
}

static bool covers(const struct ksma_exception *e, const struct ksma_finding *finding)
{
	bool same = strcmp(e->finding, finding->id) == 0;

	if (!same && (!e->count || fnmatch(e->finding, finding->id, 0) != 0))
		return false;
	for (size_t i = 0; i < e->count; i++)
		if (!has_evidence(finding, &e->items[i]))
			return false;
	return true;
}

KSMA_API struct ksma_error *ksma_exceptions_apply(const struct ksma_exceptions *exceptions,
						  uint64_t now_ns, struct ksma_report *report)
{
	size_t kept = 0;

	/* Room first, so that nothing is half moved. */
	if (report->findings.count)
		KSMA_TRY(ksma_array_grow(&report->excepted.items, &report->excepted.capacity,
					 report->excepted.count + report->findings.count,
					 sizeof(*report->excepted.items)));
	for (size_t i = 0; i < report->findings.count; i++) {
		struct ksma_finding finding = report->findings.items[i];
		size_t k = 0;

		while (k < exceptions->count && (exceptions->items[k].expires_ns <= now_ns ||
						 !covers(&exceptions->items[k], &finding)))
			k++;
		if (k == exceptions->count)
			report->findings.items[kept++] = finding;
		else
			report->excepted.items[report->excepted.count++] =
				(struct ksma_excepted){ finding, k };
	}
	report->findings.count = kept;
	return NULL;
}

KSMA_API bool ksma_evidence_is_stable(const struct ksma_evidence *evidence)
{
	static const char *const moving[] = { "_code", "_frame", "pids" };
	size_t length = strlen(evidence->key);

	if (evidence->number || strncmp(evidence->value, "0x", 2) == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(moving); i++) {
		size_t end = strlen(moving[i]);

		if (length >= end && strcmp(evidence->key + length - end, moving[i]) == 0)
			return false;
	}
	return true;
}

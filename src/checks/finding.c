/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Findings are made here, so that every check words its evidence in the same way. */
#include <inttypes.h>

#include "checks/check.h"

/* Of one check in one look: nobody reads more, and a guest whose page tables are damaged offers a million. */
enum { MAX_FINDINGS = 1024 };

void ksma_finding_deinit(struct ksma_finding *finding)
{
	for (size_t i = 0; i < finding->count; i++) {
		free(finding->items[i].key);
		free(finding->items[i].value);
	}
	free(finding->items);
	free(finding->id);
	free(finding->title);
	*finding = (struct ksma_finding){ 0 };
}

void ksma_findings_deinit(struct ksma_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		ksma_finding_deinit(&findings->items[i]);
	free(findings->items);
	*findings = (struct ksma_findings){ 0 };
}

static KSMA_PRINTF(1, 0) struct ksma_error *format(const char *fmt, va_list args, char **ret_s)
{
	char *s;

	if (vasprintf(&s, fmt, args) < 0)
		return ksma_error_nomem();
	*ret_s = s;
	return NULL;
}

struct ksma_error *ksma_finding_add(struct ksma_look *look, enum ksma_severity severity,
				    struct ksma_finding **ret_finding, const char *id_format, ...)
{
	_cleanup_free_ char *tail = NULL;
	char *id = NULL, *title = NULL;
	struct ksma_finding *finding;
	struct ksma_error *error;
	va_list args;

	if (look->findings->count == MAX_FINDINGS)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "more than %d findings; the rest was not looked at",
					 MAX_FINDINGS);
	va_start(args, id_format);
	error = format(id_format, args, &tail);
	va_end(args);
	KSMA_TRY(error);
	KSMA_TRY(ksma_asprintf(&id, "%s/%s", look->check, tail));
	error = ksma_strdup("", &title);
	if (!error)
		error = KSMA_ARRAY_PUSH(look->findings, &finding);
	if (error) {
		free(id);
		free(title);
		return error;
	}
	finding->id = id;
	finding->title = title;
	finding->check = look->check;
	finding->attack = look->attack;
	finding->severity = severity;
	*ret_finding = finding;
	return NULL;
}

struct ksma_error *ksma_finding_title(struct ksma_finding *finding, const char *fmt, ...)
{
	struct ksma_error *error;
	va_list args;
	char *title;

	va_start(args, fmt);
	error = format(fmt, args, &title);
	va_end(args);
	KSMA_TRY(error);
	free(finding->title);
	finding->title = title;
	return NULL;
}

/* Takes ownership of `value`, on errors too. */
static struct ksma_error *add_evidence(struct ksma_finding *finding, const char *key, char *value,
				       bool number)
{
	struct ksma_evidence *evidence;
	char *name = strdup(key);
	struct ksma_error *error;

	error = name ? KSMA_ARRAY_PUSH(finding, &evidence) : ksma_error_nomem();
	if (error) {
		free(name);
		free(value);
		return error;
	}
	*evidence = (struct ksma_evidence){ .key = name, .value = value, .number = number };
	return NULL;
}

struct ksma_error *ksma_finding_text(struct ksma_finding *finding, const char *key, const char *fmt,
				     ...)
{
	struct ksma_error *error;
	va_list args;
	char *value;

	va_start(args, fmt);
	error = format(fmt, args, &value);
	va_end(args);
	KSMA_TRY(error);
	return add_evidence(finding, key, value, false);
}

struct ksma_error *ksma_finding_number(struct ksma_finding *finding, const char *key,
				       uint64_t value)
{
	char *text;

	KSMA_TRY(ksma_asprintf(&text, "%" PRIu64, value));
	return add_evidence(finding, key, text, true);
}

struct ksma_error *ksma_finding_address(struct ksma_look *look, struct ksma_finding *finding,
					const char *key, uint64_t gva)
{
	char symbol[256], name[64];

	KSMA_TRY(ksma_finding_text(finding, key, "0x%016" PRIx64, gva));
	if (!ksma_kernel_describe(look->kernel, ksma_gva_of(gva), symbol, sizeof(symbol)))
		return NULL;
	snprintf(name, sizeof(name), "%s_symbol", key);
	return ksma_finding_text(finding, name, "%s", symbol);
}

const char *ksma_finding_names(unsigned bits, const char *const *names, size_t count, char *buffer,
			       size_t size)
{
	buffer[0] = 0;
	for (size_t i = 0; i < count; i++)
		if (bits & (1u << i)) {
			size_t used = strlen(buffer);

			snprintf(buffer + used, size - used, "%s%s", used ? ", " : "", names[i]);
		}
	return buffer;
}

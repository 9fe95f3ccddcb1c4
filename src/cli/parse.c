/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Strict readers of operands: what is not understood is refused with an example of what would be. */
#include "cli/parse.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

/* Digits from `text` on; no sign, no blank. @return where they end, or NULL */
static const char *digits(const char *text, uint64_t *ret_value)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *start = hex ? text + 2 : text;
	char *end;

	if (!(hex ? isxdigit((unsigned char)*start) : isdigit((unsigned char)*start)))
		return NULL;
	errno = 0;
	*ret_value = strtoull(start, &end, hex ? 16 : 10);
	return errno ? NULL : end;
}

struct ksma_error *cli_parse_number(const char *what, const char *text, uint64_t *ret_value)
{
	uint64_t value;
	const char *end = digits(text, &value);

	if (!end || *end)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "%s is not a number: '%s' (such as 16 or 0x10)", what,
					 text);
	*ret_value = value;
	return NULL;
}

struct ksma_error *cli_parse_size(const char *what, const char *text, uint64_t *ret_bytes)
{
	static const char units[] = "KMGT";
	uint64_t value, factor = 1;
	const char *end = digits(text, &value), *unit;

	if (end && *end && (unit = strchr(units, toupper((unsigned char)*end)))) {
		factor = 1ull << (10 * (unit - units + 1));
		end++;
	}
	if (!end || *end)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "%s is not a size: '%s' (such as 64, 0x40 or 4K)", what,
					 text);
	if (__builtin_mul_overflow(value, factor, &value))
		return ksma_error_create(KSMA_ERROR_INVALID, "%s is too large: '%s'", what, text);
	*ret_bytes = value;
	return NULL;
}

/* "12.345": the whole part, and the rest in units of 1/scale. @return where it ends, or NULL */
static const char *decimal(const char *text, unsigned long *ret_whole, unsigned long *ret_fraction,
			   unsigned long *ret_scale)
{
	unsigned long fraction = 0, scale = 1;
	char *end;

	if (!isdigit((unsigned char)text[0]) || strlen(text) >= 20)
		return NULL;
	*ret_whole = strtoul(text, &end, 10);
	if (*end == '.')
		for (end++; isdigit((unsigned char)*end); end++)
			if (scale < 1000000) {
				fraction = fraction * 10 + (unsigned long)(*end - '0');
				scale *= 10;
			}
	*ret_fraction = fraction;
	*ret_scale = scale;
	return end;
}

struct ksma_error *cli_parse_duration(const char *what, const char *text, uint64_t *ret_ms)
{
	static const struct {
		const char *name;
		unsigned ms;
	} units[] = { { "", 1000 }, { "s", 1000 }, { "ms", 1 }, { "m", 60000 }, { "h", 3600000 } };
	unsigned long whole, fraction, scale;
	const char *end = decimal(text, &whole, &fraction, &scale);

	for (size_t i = 0; end && i < ARRAY_SIZE(units) && whole <= 86400000; i++) {
		uint64_t ms = (uint64_t)whole * units[i].ms + fraction * units[i].ms / scale;

		if (strcmp(end, units[i].name) == 0 && ms > 0 && ms <= 86400000) {
			*ret_ms = ms;
			return NULL;
		}
	}
	return ksma_error_create(KSMA_ERROR_INVALID,
				 "%s is not a time: '%s' (such as 2, 1.5s or 500ms; at most 24h)",
				 what, text);
}

struct ksma_error *cli_parse_share(const char *what, const char *text, uint64_t *ret_millionths)
{
	unsigned long whole, fraction, scale;
	const char *end = decimal(text, &whole, &fraction, &scale);

	if (end && strcmp(end, "%") == 0 && whole <= 100) {
		uint64_t millionths = (uint64_t)whole * 10000 + fraction * 10000 / scale;

		if (millionths > 0 && millionths <= 1000000) {
			*ret_millionths = millionths;
			return NULL;
		}
	}
	return ksma_error_create(KSMA_ERROR_INVALID,
				 "%s is not a share: '%s' (such as 1%% or 0.5%%; at most 100%%)",
				 what, text);
}

struct ksma_error *cli_parse_pid(const char *text, int32_t *ret_pid)
{
	uint64_t value;
	const char *end = digits(text, &value);

	if (!end || *end || value > INT32_MAX)
		return ksma_error_create(KSMA_ERROR_INVALID,
					 "'%s' is not a process id of the guest (see ksma ps)",
					 text);
	*ret_pid = (int32_t)value;
	return NULL;
}

static bool is_bare_address(const char *text)
{
	return strlen(text) == 16 && strspn(text, "0123456789abcdefABCDEF") == 16;
}

struct ksma_error *cli_parse_place(const char *text, char **ret_name, uint64_t *ret_value)
{
	size_t length = strcspn(text, "+-");
	uint64_t offset = 0;
	const char *end;
	char *name;

	if (is_bare_address(text)) {
		*ret_value = strtoull(text, NULL, 16);
		*ret_name = NULL;
		return NULL;
	}
	if (isdigit((unsigned char)text[0])) {
		KSMA_TRY(cli_parse_number("the address", text, ret_value));
		*ret_name = NULL;
		return NULL;
	}
	if (length == 0)
		return ksma_error_create(
			KSMA_ERROR_INVALID,
			"'%s' is no address (such as 0xffffffff81000000 or init_task+0x40)", text);
	if (text[length]) {
		end = digits(text + length + 1, &offset);
		if (!end || *end)
			return ksma_error_create(KSMA_ERROR_INVALID,
						 "'%s' is no offset (such as init_task+0x40)",
						 text + length);
		if (text[length] == '-')
			offset = -offset;
	}
	name = strndup(text, length);
	if (!name)
		return ksma_error_nomem();
	*ret_name = name;
	*ret_value = offset;
	return NULL;
}

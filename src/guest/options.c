/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The value of one QEMU option as keys and values: "a,b=c,,d,e=f" or a JSON object. */
#include "guest/options.h"

#include <json-c/json.h>

enum { OPTIONS_DEPTH = 8 };

void ksma_options_free(struct ksma_options *options)
{
	for (size_t i = 0; i < options->count; i++) {
		free(options->items[i].key);
		free(options->items[i].value);
	}
	options->count = 0;
}

static struct ksma_error *add(struct ksma_options *options, const char *key, const char *value,
			      bool bare)
{
	_cleanup_free_ char *k = NULL;
	char *v;

	if (options->count == KSMA_OPTIONS_MAX)
		return NULL;
	KSMA_TRY(ksma_strdup(key, &k));
	KSMA_TRY(ksma_strdup(value, &v));
	options->items[options->count].key = TAKE_PTR(k);
	options->items[options->count].value = v;
	options->items[options->count++].bare = bare;
	return NULL;
}

/* Cuts the part that ends at the next single comma off `rest`, in place, and makes doubled commas single. */
static char *next_part(char **rest)
{
	char *part = *rest, *in = part, *out = part;

	if (!part)
		return NULL;
	for (; *in; in++) {
		if (*in == ',' && in[1] != ',')
			break;
		if (*in == ',')
			in++;
		*out++ = *in;
	}
	*rest = *in ? in + 1 : NULL;
	*out = 0;
	return part;
}

static struct ksma_error *parse_words(char *text, const char *implied, struct ksma_options *options)
{
	char *part;

	for (bool first = true; (part = next_part(&text)); first = false) {
		char *equals = strchr(part, '=');

		if (equals) {
			*equals = 0;
			KSMA_TRY(add(options, part, equals + 1, false));
		} else if (first && implied) {
			KSMA_TRY(add(options, implied, part, false));
		} else if (*part) {
			KSMA_TRY(add(options, part, "", true));
		}
	}
	return NULL;
}

/* Members of objects in objects get dotted keys; the depth of the text is bounded where it was parsed. */
static struct ksma_error *parse_object(struct json_object *object, const char *prefix,
				       struct ksma_options *options)
{
	json_object_object_foreach(object, name, value)
	{
		_cleanup_free_ char *key = NULL;

		KSMA_TRY(ksma_asprintf(&key, "%s%s%s", prefix, *prefix ? "." : "", name));
		if (json_object_is_type(value, json_type_object))
			KSMA_TRY(parse_object(value, key, options));
		else if (json_object_is_type(value, json_type_boolean))
			KSMA_TRY(add(options, key, json_object_get_boolean(value) ? "on" : "off",
				     false));
		else if (!json_object_is_type(value, json_type_array))
			KSMA_TRY(add(options, key, json_object_get_string(value) ?: "", false));
	}
	return NULL;
}

static struct json_object *parse_json(const char *text)
{
	struct json_tokener *tokener = json_tokener_new_ex(OPTIONS_DEPTH);
	struct json_object *object = NULL;
	size_t length = strlen(text);

	if (tokener && length < INT32_MAX)
		object = json_tokener_parse_ex(tokener, text, (int)length);
	if (tokener)
		json_tokener_free(tokener);
	if (json_object_is_type(object, json_type_object))
		return object;
	json_object_put(object);
	return NULL;
}

struct ksma_error *ksma_options_parse(const char *text, const char *implied,
				      struct ksma_options *ret_options)
{
	struct ksma_options options = { .count = 0 };
	struct ksma_error *error;
	struct json_object *object = *text == '{' ? parse_json(text) : NULL;

	if (object) {
		error = parse_object(object, "", &options);
		json_object_put(object);
	} else {
		_cleanup_free_ char *copy = NULL;

		error = ksma_strdup(text, &copy);
		if (!error)
			error = parse_words(copy, implied, &options);
	}
	if (error) {
		ksma_options_free(&options);
		return error;
	}
	*ret_options = options;
	return NULL;
}

const char *ksma_options_get(const struct ksma_options *options, const char *key)
{
	for (size_t i = options->count; i-- > 0;)
		if (!options->items[i].bare && strcmp(options->items[i].key, key) == 0)
			return options->items[i].value;
	return NULL;
}

bool ksma_options_true(const struct ksma_options *options, const char *key, bool fallback)
{
	static const char *const yes[] = { "on", "yes", "true", "y" };

	for (size_t i = options->count; i-- > 0;) {
		const char *word = options->items[i].key;

		if (strcmp(word, key) == 0) {
			if (options->items[i].bare)
				return true;
			for (size_t j = 0; j < ARRAY_SIZE(yes); j++)
				if (strcmp(options->items[i].value, yes[j]) == 0)
					return true;
			return false;
		}
		if (options->items[i].bare && strncmp(word, "no", 2) == 0 &&
		    strcmp(word + 2, key) == 0)
			return false;
	}
	return fallback;
}

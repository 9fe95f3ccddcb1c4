/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The JSON writer: brackets, commas, escapes, and documents that an independent parser takes. */
#include "unit.h"

#include <json-c/json.h>

#include "cli/json.h"

struct buffer {
	char *data;
	size_t size;
	struct cli_json json;
};

static struct buffer begin(bool pretty)
{
	return (struct buffer){ .json.pretty = pretty };
}

#define WRITE(b, body)                                                                             \
	do {                                                                                       \
		struct cli_json *j = &(b)->json;                                                   \
		j->out = open_memstream(&(b)->data, &(b)->size);                                   \
		assert_non_null(j->out);                                                           \
		body;                                                                              \
		assert_int_equal(fclose(j->out), 0);                                               \
	} while (0)

static void document(struct cli_json *j)
{
	cli_json_object(j, NULL);
	cli_json_text(j, "text", "a");
	cli_json_text(j, "none", NULL);
	cli_json_array(j, "list");
	cli_json_number(j, NULL, UINT64_MAX);
	cli_json_signed(j, NULL, -1);
	cli_json_array(j, NULL);
	cli_json_close(j);
	cli_json_object(j, NULL);
	cli_json_close(j);
	cli_json_close(j);
	cli_json_bool(j, "yes", true);
	cli_json_hex(j, "address", 0xffffffff81000000);
	cli_json_close(j);
}

static void test_compact(void **state)
{
	struct buffer b = begin(false);

	WRITE(&b, document(j));
	assert_string_equal(
		b.data,
		"{\"text\":\"a\",\"none\":null,\"list\":[18446744073709551615,-1,[],{}],\"yes\":true,"
		"\"address\":\"0xffffffff81000000\"}\n");
	free(b.data);
}

static void test_several_documents(void **state)
{
	struct buffer b = begin(false);

	WRITE(&b, {
		cli_json_object(j, NULL);
		cli_json_close(j);
		cli_json_object(j, NULL);
		cli_json_number(j, "n", 1);
		cli_json_close(j);
	});
	assert_string_equal(b.data, "{}\n{\"n\":1}\n");
	free(b.data);
}

static void test_pretty_is_the_same_document(void **state)
{
	struct buffer a = begin(false), b = begin(true);
	struct json_object *x, *y;

	WRITE(&a, document(j));
	WRITE(&b, document(j));
	x = json_tokener_parse(a.data);
	y = json_tokener_parse(b.data);
	assert_non_null(x);
	assert_non_null(y);
	assert_true(json_object_equal(x, y));
	json_object_put(x);
	json_object_put(y);
	free(a.data);
	free(b.data);
}

static void test_escapes(void **state)
{
	static const char hostile[] = "\"\\\n\t\033\x7f\xc2\x9b\xff\xe2\x80\xae\xf0\x9f\x98\x80";
	struct buffer b = begin(false);

	WRITE(&b, {
		cli_json_array(j, NULL);
		cli_json_bytes(j, NULL, hostile, sizeof(hostile) - 1);
		cli_json_bytes(j, NULL, "a\0b", 3);
		cli_json_close(j);
	});
	assert_string_equal(
		b.data,
		"[\"\\\"\\\\\\n\\t\\u001b\\u007f\\u009b\\ufffd\\u202e\\ud83d\\ude00\",\"a\\u0000b\"]\n");
	free(b.data);
}

/* Every byte alone and every pair: ASCII only, and a parser gets a string from it. */
static void test_every_pair_parses(void **state)
{
	for (int a = 0; a < 256; a++)
		for (int c = 0; c < 256; c += 5) {
			struct buffer b = begin(false);
			char pair[] = { (char)a, (char)c };
			struct json_object *parsed;

			WRITE(&b, {
				cli_json_object(j, NULL);
				cli_json_bytes(j, "k", pair, 2);
				cli_json_close(j);
			});
			for (size_t i = 0; i + 1 < b.size; i++)
				assert_true(b.data[i] >= 0x20 && b.data[i] < 0x7f);
			parsed = json_tokener_parse(b.data);
			assert_non_null(parsed);
			json_object_put(parsed);
			free(b.data);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compact),
		cmocka_unit_test(test_several_documents),
		cmocka_unit_test(test_pretty_is_the_same_document),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_every_pair_parses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

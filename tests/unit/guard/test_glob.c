/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of paths: what they fit, against a matcher that is slow and plain, and how long the worst takes. */
#include "unit.h"

#include "guard/glob.h"

static void test_examples(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool fits;
	} cases[] = {
		{ "/usr/bin/true", "/usr/bin/true", true },
		{ "/usr/bin/true", "/usr/bin/true2", false },
		{ "/usr/bin/true", "/usr/bin/tru", false },
		{ "/usr/bin/*", "/usr/bin/true", true },
		{ "/usr/bin/*", "/usr/bin/", true },
		{ "/usr/bin/*", "/usr/bin/x/y", false },
		{ "/usr/**", "/usr/bin/x/y", true },
		{ "/usr/**", "/usr/", true },
		{ "/usr/**", "/usr", false },
		{ "**/python3*", "/opt/a/bin/python3.11", true },
		{ "**/python3*", "/opt/python3/bin", false },
		{ "/a?c", "/abc", true },
		{ "/a?c", "/a/c", false },
		{ "/a\\*c", "/a*c", true },
		{ "/a\\*c", "/abc", false },
		{ "/a\\\\c", "/a\\c", true },
		{ "/***", "/x/y", true },
		{ "**", "", true },
		{ "/home/*/.cache/**.so", "/home/joe/.cache/a/b.so", true },
		{ "/home/*/.cache/**.so", "/home/joe/x/.cache/a/b.so", false },
		{ "/memfd:*", "/memfd:jit (deleted)", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (ksma_glob_match(cases[i].pattern, cases[i].path) != cases[i].fits)
			fail_now("%s %s %s", cases[i].pattern, cases[i].fits ? "misses" : "fits",
				 cases[i].path);
}

static void test_complaints(void **state)
{
	char longest[KSMA_GLOB_MAX + 2];

	(void)state;
	assert_null(ksma_glob_complaint("/"));
	assert_null(ksma_glob_complaint("**x"));
	assert_non_null(ksma_glob_complaint(""));
	assert_non_null(ksma_glob_complaint("*x"));
	assert_non_null(ksma_glob_complaint("usr"));
	assert_non_null(ksma_glob_complaint("/a\\"));
	memset(longest, '/', sizeof(longest));
	longest[KSMA_GLOB_MAX + 1] = 0;
	assert_non_null(ksma_glob_complaint(longest));
	longest[KSMA_GLOB_MAX] = 0;
	assert_null(ksma_glob_complaint(longest));
	assert_true(ksma_glob_match(longest, longest));
}

static bool plainly(const char *pattern, const char *path)
{
	if (pattern[0] == '*' && pattern[1] == '*')
		return plainly(pattern + 2, path) || (*path && plainly(pattern, path + 1));
	if (pattern[0] == '*')
		return plainly(pattern + 1, path) ||
		       (*path && *path != '/' && plainly(pattern, path + 1));
	if (!*pattern || !*path)
		return !*pattern && !*path;
	if (*pattern == '?')
		return *path != '/' && plainly(pattern + 1, path + 1);
	if (*pattern == '\\')
		pattern++;
	return *pattern == *path && plainly(pattern + 1, path + 1);
}

/* Every pattern of up to five of the bytes that matter, against every path of up to five. */
static void test_against_the_plain_one(void **state)
{
	static const char of_pattern[] = "a/*?", of_path[] = "ab/";
	char pattern[8] = "/", path[8] = "";

	(void)state;
	for (unsigned p = 0; p < 1024; p++) {
		for (unsigned i = 0, rest = p; i < 5; i++, rest /= 4)
			pattern[1 + i] = of_pattern[rest % 4];
		for (unsigned t = 0; t < 729; t++) {
			path[0] = '/';
			for (unsigned i = 0, rest = t; i < 5; i++, rest /= 3)
				path[1 + i] = of_path[rest % 3];
			path[t % 7] = 0;
			if (ksma_glob_match(pattern, path) != plainly(pattern, path))
				fail_now("\"%s\" and \"%s\"", pattern, path);
		}
	}
}

/* A pattern full of stars and a path that nearly fits make other matchers run for years. */
static void test_the_worst(void **state)
{
	char pattern[KSMA_GLOB_MAX + 1] = "/", path[4096];
	uint64_t start = ksma_now_ns();

	(void)state;
	for (size_t i = 1; i + 1 < KSMA_GLOB_MAX; i += 2) {
		pattern[i] = '*';
		pattern[i + 1] = 'a';
	}
	pattern[KSMA_GLOB_MAX] = 0;
	pattern[KSMA_GLOB_MAX - 1] = 'b';
	memset(path, 'a', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = 0;
	assert_false(ksma_glob_match(pattern, path));
	assert_true(ksma_now_ns() - start < 1000000000u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_complaints),
		cmocka_unit_test(test_against_the_plain_one),
		cmocka_unit_test(test_the_worst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of paths, matched in time that the guest's paths cannot inflate; fnmatch() gives no such promise. */
#include <string.h>

#include "guard/glob.h"

const char *ksma_glob_complaint(const char *pattern)
{
	size_t length = strlen(pattern);

	if (!length)
		return "the pattern is empty";
	if (length > KSMA_GLOB_MAX)
		return "the pattern is longer than 255 bytes";
	if (pattern[0] != '/' && strncmp(pattern, "**", 2) != 0)
		return "a pattern begins with / or with **";
	for (const char *p = pattern; *p; p++)
		if (*p == '\\' && !*++p)
			return "the pattern ends with a backslash";
	return NULL;
}

/* The places of the pattern that the path so far may have come to. */
struct places {
	bool at[KSMA_GLOB_MAX + 2];
};

static size_t star_length(const char *pattern, size_t at)
{
	if (pattern[at] != '*')
		return 0;
	return pattern[at + 1] == '*' ? 2 : 1;
}

/* A star may stand for nothing: who stands before it stands behind it too. */
static void pass_stars(const char *pattern, struct places *places, size_t from, size_t end)
{
	for (size_t i = from; i < end; i++) {
		size_t star = places->at[i] ? star_length(pattern, i) : 0;

		if (star)
			places->at[i + star] = true;
	}
}

/* @return whether any place is left */
static bool step(const char *pattern, size_t end, char byte, const struct places *from,
		 struct places *to)
{
	bool any = false;

	memset(to->at, 0, end + 2);
	for (size_t i = 0; i < end; i++) {
		size_t star, literal = i + (pattern[i] == '\\');

		if (!from->at[i])
			continue;
		star = star_length(pattern, i);
		if (star) {
			if (star == 2 || byte != '/')
				to->at[i] = true;
		} else if (pattern[i] == '?' ? byte != '/' : pattern[literal] == byte) {
			to->at[literal + 1] = true;
		} else {
			continue;
		}
		any = true;
	}
	pass_stars(pattern, to, 0, end);
	return any;
}

bool ksma_glob_match(const char *pattern, const char *path)
{
	size_t plain = strcspn(pattern, "*?\\"), end;
	struct places places[2];
	unsigned now = 0;

	/* Nearly all paths are told apart before the first star. */
	if (strncmp(pattern, path, plain) != 0)
		return false;
	pattern += plain;
	path += plain;
	end = strlen(pattern);
	if (strcmp(pattern, "**") == 0)
		return true;
	memset(places[0].at, 0, end + 2);
	places[0].at[0] = true;
	pass_stars(pattern, &places[0], 0, end);
	for (; *path; path++, now ^= 1)
		if (!step(pattern, end, *path, &places[now], &places[now ^ 1]))
			return false;
	return places[now].at[end];
}

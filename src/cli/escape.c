/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one place where it is decided which bytes of a guest may be shown. */
#include "cli/escape.h"

#include <wctype.h>

#include "base/util.h"

size_t cli_utf8_decode(const void *bytes, size_t length, uint32_t *ret_character)
{
	static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *p = bytes;
	uint32_t c;
	size_t n;

	if (length == 0)
		return 0;
	if (p[0] < 0x80) {
		*ret_character = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n > length)
		return 0;
	c = p[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < lowest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret_character = c;
	return n;
}

/* Characters above ASCII that change how others are seen, or are not seen themselves. Source: Unicode's general category Cf,
 * Zl, Zp, the variation selectors, fillers, and the default-ignorable planes. */
static const struct {
	uint32_t first, last;
} deceptive[] = {
	{ 0x0080, 0x009f },    { 0x00ad, 0x00ad },   { 0x034f, 0x034f },   { 0x0600, 0x0605 },
	{ 0x061c, 0x061c },    { 0x06dd, 0x06dd },   { 0x070f, 0x070f },   { 0x115f, 0x1160 },
	{ 0x17b4, 0x17b5 },    { 0x180b, 0x180f },   { 0x200b, 0x200f },   { 0x2028, 0x202e },
	{ 0x2060, 0x206f },    { 0x3164, 0x3164 },   { 0xfdd0, 0xfdef },   { 0xfe00, 0xfe0f },
	{ 0xfeff, 0xfeff },    { 0xffa0, 0xffa0 },   { 0xfff0, 0xfffc },   { 0x110bd, 0x110bd },
	{ 0x13430, 0x1345f },  { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff },
	{ 0xf0000, 0x10ffff },
};

bool cli_is_printable(uint32_t character)
{
	if (character < 0x80)
		return character >= 0x20 && character != 0x7f;
	if ((character & 0xfffe) == 0xfffe)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(deceptive); i++)
		if (character >= deceptive[i].first && character <= deceptive[i].last)
			return false;
	/* And what the terminal's own tables do not know. */
	return iswprint((wint_t)character);
}

size_t cli_escape(const void *bytes, size_t length, bool utf8, char *out)
{
	static const char hex[] = "0123456789abcdef";
	const uint8_t *p = bytes;
	size_t o = 0;

	for (size_t i = 0; i < length;) {
		uint32_t character = 0;
		size_t n = cli_utf8_decode(p + i, length - i, &character);
		bool keep = n != 0 && (n == 1 || utf8) && cli_is_printable(character);

		if (n == 0)
			n = 1;
		if (keep && character == '\\')
			out[o++] = '\\';
		for (size_t k = 0; k < n; k++, i++) {
			if (keep) {
				out[o++] = (char)p[i];
				continue;
			}
			out[o++] = '\\';
			out[o++] = 'x';
			out[o++] = hex[p[i] >> 4];
			out[o++] = hex[p[i] & 15];
		}
	}
	out[o] = '\0';
	return o;
}

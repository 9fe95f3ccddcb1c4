/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes of GDB's remote serial protocol, as QEMU's gdbstub speaks it: packets, stop replies, and the description of registers. */
#include "guest/rsp.h"

enum { REGISTER_BITS_MAX = 1024, REGISTER_NUMBER_MAX = 4096, NAME_MAX_LENGTH = 64 };

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static bool append(struct ksma_rsp_reader *r, char c, unsigned times)
{
	if (times > KSMA_RSP_PACKET_MAX - r->length)
		return false;
	memset(r->data + r->length, c, times);
	r->length += times;
	return true;
}

static enum ksma_rsp_event outside(struct ksma_rsp_reader *r, uint8_t byte)
{
	switch (byte) {
	case '+':
		return KSMA_RSP_ACK;
	case '-':
		return KSMA_RSP_NAK;
	case '$':
		r->state = KSMA_RSP_BODY;
		r->sum = 0;
		r->length = 0;
		return KSMA_RSP_MORE;
	default:
		return KSMA_RSP_BAD;
	}
}

static enum ksma_rsp_event body(struct ksma_rsp_reader *r, uint8_t byte)
{
	if (byte == '#') {
		r->state = KSMA_RSP_SUM1;
		return KSMA_RSP_MORE;
	}
	r->sum = (uint8_t)(r->sum + byte);
	if (byte == '}')
		r->state = KSMA_RSP_ESCAPED;
	else if (byte == '*')
		r->state = KSMA_RSP_REPEAT;
	else if (!append(r, (char)byte, 1))
		return KSMA_RSP_BAD;
	return KSMA_RSP_MORE;
}

/* "0* " is 0000: the count's byte is 29 more than the repetitions. */
static enum ksma_rsp_event repeat(struct ksma_rsp_reader *r, uint8_t byte)
{
	r->sum = (uint8_t)(r->sum + byte);
	r->state = KSMA_RSP_BODY;
	if (byte < ' ' || byte > '~' || r->length == 0 ||
	    !append(r, r->data[r->length - 1], byte - 29U))
		return KSMA_RSP_BAD;
	return KSMA_RSP_MORE;
}

enum ksma_rsp_event ksma_rsp_feed(struct ksma_rsp_reader *r, uint8_t byte)
{
	int digit;

	switch (r->state) {
	case KSMA_RSP_OUTSIDE:
		return outside(r, byte);
	case KSMA_RSP_BODY:
		return body(r, byte);
	case KSMA_RSP_ESCAPED:
		r->sum = (uint8_t)(r->sum + byte);
		r->state = KSMA_RSP_BODY;
		return append(r, (char)(byte ^ 0x20), 1) ? KSMA_RSP_MORE : KSMA_RSP_BAD;
	case KSMA_RSP_REPEAT:
		return repeat(r, byte);
	case KSMA_RSP_SUM1:
	case KSMA_RSP_SUM2:
		break;
	}
	digit = digit_of((char)byte);
	if (digit < 0)
		return KSMA_RSP_BAD;
	if (r->state == KSMA_RSP_SUM1) {
		r->said = (uint8_t)(digit << 4);
		r->state = KSMA_RSP_SUM2;
		return KSMA_RSP_MORE;
	}
	r->state = KSMA_RSP_OUTSIDE;
	r->data[r->length] = 0;
	return (r->said | digit) == r->sum ? KSMA_RSP_PACKET : KSMA_RSP_BAD;
}

size_t ksma_rsp_frame(char *buffer, size_t size, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	size_t length = strlen(text);
	uint8_t sum = 0;

	if (size < 4 || length > size - 4)
		return 0;
	buffer[0] = '$';
	for (size_t i = 0; i < length; i++) {
		buffer[1 + i] = text[i];
		sum = (uint8_t)(sum + (uint8_t)text[i]);
	}
	buffer[length + 1] = '#';
	buffer[length + 2] = digits[sum >> 4];
	buffer[length + 3] = digits[sum & 15];
	return length + 4;
}

/* A thread's number: "1", or "p1.1" where processes are told apart. */
static unsigned parse_thread(const char *text)
{
	unsigned long value;
	const char *dot;
	char *end;

	if (*text == 'p') {
		dot = strchr(text, '.');
		if (!dot)
			return 0;
		text = dot + 1;
	}
	if (digit_of(*text) < 0)
		return 0;
	value = strtoul(text, &end, 16);
	return value <= UINT16_MAX ? (unsigned)value : 0;
}

struct ksma_rsp_stop ksma_rsp_parse_stop(const char *packet)
{
	struct ksma_rsp_stop stop = { .kind = KSMA_RSP_NO_STOP };
	const char *thread;

	switch (packet[0]) {
	case 'S':
	case 'T':
		stop.kind = KSMA_RSP_STOPPED;
		break;
	case 'W':
	case 'X':
		stop.kind = KSMA_RSP_ENDED;
		break;
	default:
		return stop;
	}
	if (digit_of(packet[1]) < 0 || digit_of(packet[2]) < 0)
		return (struct ksma_rsp_stop){ .kind = KSMA_RSP_NO_STOP };
	stop.signal = (unsigned)(digit_of(packet[1]) * 16 + digit_of(packet[2]));
	if (packet[0] == 'T') {
		thread = strstr(packet + 3, "thread:");
		if (thread)
			stop.thread = parse_thread(thread + strlen("thread:"));
	}
	return stop;
}

/* An attribute of the element that lies in [xml, end). @return false: it has none, or a longer one */
static bool attribute(const char *xml, const char *end, const char *name, char *value, size_t size)
{
	size_t name_length = strlen(name);

	for (const char *p = xml; (size_t)(end - p) > name_length + 2; p++) {
		const char *close;

		if (p == xml || (p[-1] != ' ' && p[-1] != '\t' && p[-1] != '\n') ||
		    memcmp(p, name, name_length) != 0 || p[name_length] != '=' ||
		    (p[name_length + 1] != '"' && p[name_length + 1] != '\''))
			continue;
		p += name_length + 2;
		close = memchr(p, p[-1], (size_t)(end - p));
		if (!close || (size_t)(close - p) >= size)
			return false;
		memcpy(value, p, (size_t)(close - p));
		value[close - p] = 0;
		return true;
	}
	return false;
}

/* The next element of that name from *position on: what lies between its '<' and its '>'. */
static bool next_element(const char *xml, size_t length, const char *name, size_t *position,
			 const char **ret_start, const char **ret_end)
{
	size_t name_length = strlen(name);

	while (*position < length) {
		const char *p = memchr(xml + *position, '<', length - *position);
		const char *end;

		if (!p)
			break;
		*position = (size_t)(p - xml) + 1;
		if (length - *position <= name_length || memcmp(p + 1, name, name_length) != 0 ||
		    (p[1 + name_length] != ' ' && p[1 + name_length] != '\t' &&
		     p[1 + name_length] != '\n'))
			continue;
		end = memchr(p, '>', length - (size_t)(p - xml));
		if (!end)
			break;
		*ret_start = p + 1;
		*ret_end = end;
		*position = (size_t)(end - xml);
		return true;
	}
	*position = length;
	return false;
}

bool ksma_rsp_next_include(const char *xml, size_t length, size_t *position, char *name,
			   size_t size)
{
	const char *start, *end;

	while (next_element(xml, length, "xi:include", position, &start, &end))
		if (attribute(start, end, "href", name, size))
			return true;
	return false;
}

static bool parse_number(const char *text, uint32_t limit, uint32_t *ret_value)
{
	unsigned long value;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	value = strtoul(text, &end, 10);
	if (*end || value > limit)
		return false;
	*ret_value = (uint32_t)value;
	return true;
}

static void take_register(struct ksma_rsp_layout *layout, const char *name, uint32_t number,
			  uint32_t offset, uint32_t size)
{
	static const char *const names[KSMA_RSP_REGISTERS] = {
		"rax", "rbx",	 "rcx", "rdx",	   "rsi",	"rdi", "rbp", "rsp",
		"r8",  "r9",	 "r10", "r11",	   "r12",	"r13", "r14", "r15",
		"rip", "eflags", "cs",	"gs_base", "k_gs_base", "cr0", "cr3", "cr4",
	};

	for (size_t i = 0; i < KSMA_RSP_REGISTERS; i++) {
		if (strcmp(name, names[i]) != 0 || layout->registers[i].size || size > 8)
			continue;
		layout->registers[i].offset = offset;
		layout->registers[i].size = size;
		layout->registers[i].number = number;
	}
}

struct ksma_error *ksma_rsp_parse_registers(const char *xml, size_t length, uint32_t *next_number,
					    uint32_t *next_offset, struct ksma_rsp_layout *layout)
{
	const char *start, *end;
	size_t position = 0;

	while (next_element(xml, length, "reg", &position, &start, &end)) {
		char name[NAME_MAX_LENGTH], bits_text[16], number_text[16];
		uint32_t bits, number = *next_number;

		if (!attribute(start, end, "name", name, sizeof(name)) ||
		    !attribute(start, end, "bitsize", bits_text, sizeof(bits_text)) ||
		    !parse_number(bits_text, REGISTER_BITS_MAX, &bits) || bits == 0 || bits % 8 ||
		    (attribute(start, end, "regnum", number_text, sizeof(number_text)) &&
		     !parse_number(number_text, REGISTER_NUMBER_MAX, &number)) ||
		    number > REGISTER_NUMBER_MAX ||
		    bits / 8 > KSMA_RSP_REGISTERS_MAX - *next_offset)
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "the debugger's description of registers is not "
						 "one that QEMU would give");
		if (layout->no_segment_bases &&
		    (strcmp(name, "ss_base") == 0 || strcmp(name, "ds_base") == 0 ||
		     strcmp(name, "es_base") == 0))
			continue;
		take_register(layout, name, number, *next_offset, bits / 8);
		*next_number = number + 1;
		*next_offset += bits / 8;
	}
	return NULL;
}

bool ksma_rsp_register(const struct ksma_rsp_layout *layout, const char *hex, size_t length,
		       enum ksma_rsp_register which, uint64_t *ret_value)
{
	uint32_t offset = layout->registers[which].offset, size = layout->registers[which].size;
	uint64_t value = 0;

	if (size == 0 || !ksma_in_range((size_t)offset * 2, (size_t)size * 2, length))
		return false;
	for (uint32_t i = 0; i < size; i++) {
		int high = digit_of(hex[(offset + i) * 2]),
		    low = digit_of(hex[(offset + i) * 2 + 1]);

		if (high < 0 || low < 0)
			return false;
		value |= (uint64_t)(high << 4 | low) << (8 * i);
	}
	*ret_value = value;
	return true;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The debugger's protocol as bytes: what QEMU says, and what it would not. */
#include "unit.h"

#include "guest/rsp.h"

/* What QEMU 7.2 sent, shortened. */
static const char core_xml[] =
	"<?xml version=\"1.0\"?>\n<feature name=\"org.gnu.gdb.i386.core\">\n"
	"  <flags id=\"x64_eflags\" size=\"4\">\n\t<field name=\"RF\" start=\"16\" end=\"16\"/>\n  </flags>\n"
	"  <reg name=\"rax\" bitsize=\"64\" type=\"int64\" regnum=\"0\"/>\n"
	"  <reg name=\"rbx\" bitsize=\"64\" type=\"int64\"/>\n"
	"  <reg name=\"rip\" bitsize=\"64\" type=\"code_ptr\"/>\n"
	"  <reg name=\"eflags\" bitsize=\"32\" type=\"x64_eflags\"/>\n"
	"  <reg name=\"st0\" bitsize=\"80\" type=\"i387_ext\"/>\n"
	"  <reg name=\"cs\" bitsize=\"32\" type=\"int32\"/>\n"
	"</feature>\n";

/* Feeds a text; the event of its last byte. */
static enum ksma_rsp_event feed(struct ksma_rsp_reader *reader, const char *text, size_t length)
{
	enum ksma_rsp_event event = KSMA_RSP_MORE;

	for (size_t i = 0; i < length; i++) {
		event = ksma_rsp_feed(reader, (uint8_t)text[i]);
		if (event == KSMA_RSP_BAD)
			break;
	}
	return event;
}

static struct ksma_rsp_reader *reader_of(void **state)
{
	struct ksma_rsp_reader *reader = *state;

	memset(reader, 0, sizeof(*reader));
	return reader;
}

static int setup(void **state)
{
	*state = malloc(sizeof(struct ksma_rsp_reader));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void packets(void **state)
{
	struct ksma_rsp_reader *reader = reader_of(state);

	assert_int_equal(feed(reader, "+", 1), KSMA_RSP_ACK);
	assert_int_equal(feed(reader, "-", 1), KSMA_RSP_NAK);
	assert_int_equal(feed(reader, "$OK#9a", 6), KSMA_RSP_PACKET);
	assert_string_equal(reader->data, "OK");
	assert_int_equal(feed(reader, "$#00", 4), KSMA_RSP_PACKET);
	assert_int_equal(reader->length, 0);
	/* '}' and '#' escaped, and four zeroes as one and a count. */
	assert_int_equal(feed(reader, "$}]}\x03#5a", 8), KSMA_RSP_PACKET);
	assert_string_equal(reader->data, "}#");
	assert_int_equal(feed(reader, "$0* #7a", 7), KSMA_RSP_PACKET);
	assert_string_equal(reader->data, "0000");
}

static void bad_packets(void **state)
{
	static const char *const bad[] = { "$OK#9b", "x",	   "$OK#zz",
					   "$* #4a", "$0*\x1f#79", "$0*\x7f#d9" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct ksma_rsp_reader *reader = reader_of(state);

		assert_int_equal(feed(reader, bad[i], strlen(bad[i])), KSMA_RSP_BAD);
	}
}

static void endless_packet(void **state)
{
	struct ksma_rsp_reader *reader = reader_of(state);
	size_t i;

	assert_int_equal(feed(reader, "$", 1), KSMA_RSP_MORE);
	for (i = 0; i < KSMA_RSP_PACKET_MAX; i++)
		assert_int_equal(ksma_rsp_feed(reader, 'a'), KSMA_RSP_MORE);
	assert_int_equal(ksma_rsp_feed(reader, 'a'), KSMA_RSP_BAD);
	/* The same by repetition. */
	reader = reader_of(state);
	assert_int_equal(feed(reader, "$a", 2), KSMA_RSP_MORE);
	for (i = 0; i < KSMA_RSP_PACKET_MAX; i++)
		if (feed(reader, "*~", 2) == KSMA_RSP_BAD)
			break;
	assert_true(i < KSMA_RSP_PACKET_MAX);
	assert_true(reader->length <= KSMA_RSP_PACKET_MAX);
}

static void framing(void **state)
{
	char buffer[16];

	assert_int_equal(ksma_rsp_frame(buffer, sizeof(buffer), "OK"), 6);
	assert_memory_equal(buffer, "$OK#9a", 6);
	assert_int_equal(ksma_rsp_frame(buffer, 6, "OK"), 6);
	assert_int_equal(ksma_rsp_frame(buffer, 5, "OK"), 0);
	assert_int_equal(ksma_rsp_frame(buffer, 3, ""), 0);
}

static void stops(void **state)
{
	struct ksma_rsp_stop stop = ksma_rsp_parse_stop("T05thread:02;");

	assert_int_equal(stop.kind, KSMA_RSP_STOPPED);
	assert_int_equal(stop.signal, 5);
	assert_int_equal(stop.thread, 2);
	stop = ksma_rsp_parse_stop("T02thread:p01.1a;");
	assert_int_equal(stop.signal, 2);
	assert_int_equal(stop.thread, 0x1a);
	stop = ksma_rsp_parse_stop("T05watch:1234;thread:01;");
	assert_int_equal(stop.thread, 1);
	assert_int_equal(ksma_rsp_parse_stop("S05").thread, 0);
	assert_int_equal(ksma_rsp_parse_stop("W00").kind, KSMA_RSP_ENDED);
	assert_int_equal(ksma_rsp_parse_stop("OK").kind, KSMA_RSP_NO_STOP);
	assert_int_equal(ksma_rsp_parse_stop("").kind, KSMA_RSP_NO_STOP);
	assert_int_equal(ksma_rsp_parse_stop("T0").kind, KSMA_RSP_NO_STOP);
	assert_int_equal(ksma_rsp_parse_stop("Txx").kind, KSMA_RSP_NO_STOP);
	assert_int_equal(ksma_rsp_parse_stop("T05thread:p01").thread, 0);
	assert_int_equal(ksma_rsp_parse_stop("T05thread:-1;").thread, 0);
	assert_int_equal(ksma_rsp_parse_stop("T05thread:fffffffff;").thread, 0);
}

static void registers(void **state)
{
	struct ksma_rsp_layout layout = { 0 };
	uint32_t number = 0, offset = 0;
	uint64_t value;
	char hex[81];

	assert_null(
		ksma_rsp_parse_registers(core_xml, strlen(core_xml), &number, &offset, &layout));
	assert_int_equal(number, 6);
	assert_int_equal(offset, 8 * 3 + 4 + 10 + 4);
	assert_int_equal(layout.registers[KSMA_RSP_RIP].number, 2);
	assert_int_equal(layout.registers[KSMA_RSP_RIP].offset, 16);
	assert_int_equal(layout.registers[KSMA_RSP_CS].offset, 38);
	assert_int_equal(layout.registers[KSMA_RSP_RSP].size, 0);
	memset(hex, '0', sizeof(hex));
	memcpy(hex + 32, "efcdab8967452301", 16);
	assert_true(ksma_rsp_register(&layout, hex, 80, KSMA_RSP_RIP, &value));
	assert_int_equal(value, 0x0123456789abcdef);
	assert_true(ksma_rsp_register(&layout, hex, 48, KSMA_RSP_RIP, &value));
	assert_false(ksma_rsp_register(&layout, hex, 47, KSMA_RSP_RIP, &value));
	assert_false(ksma_rsp_register(&layout, hex, 80, KSMA_RSP_RSP, &value));
	memcpy(hex + 32, "xxxxxxxxxxxxxxxx", 16);
	assert_false(ksma_rsp_register(&layout, hex, 80, KSMA_RSP_RIP, &value));
}

static void bad_registers(void **state)
{
	static const char *const bad[] = {
		"<reg name=\"rax\"/>",
		"<reg bitsize=\"64\"/>",
		"<reg name=\"rax\" bitsize=\"0\"/>",
		"<reg name=\"rax\" bitsize=\"7\"/>",
		"<reg name=\"rax\" bitsize=\"99999999999\"/>",
		"<reg name=\"rax\" bitsize=\"-64\"/>",
		"<reg name=\"rax\" bitsize=\"64\" regnum=\"4097\"/>",
	};
	struct ksma_rsp_layout layout = { 0 };
	uint32_t number = 0, offset = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_error(ksma_rsp_parse_registers(bad[i], strlen(bad[i]), &number, &offset,
						      &layout),
			     KSMA_ERROR_BAD_DATA);
	/* More than a packet could ever hold. */
	for (int i = 0; i < KSMA_RSP_REGISTERS_MAX / 128; i++)
		assert_null(ksma_rsp_parse_registers("<reg name=\"x\" bitsize=\"1024\"/>", 30,
						     &number, &offset, &layout));
	assert_error(ksma_rsp_parse_registers("<reg name=\"x\" bitsize=\"8\"/>", 27, &number,
					      &offset, &layout),
		     KSMA_ERROR_BAD_DATA);
	/* Cut off in the middle of an element: nothing there. */
	assert_null(ksma_rsp_parse_registers("<reg name=\"x\" bitsize=\"64\"", 26, &number, &offset,
					     &layout));
}

static void includes(void **state)
{
	static const char xml[] =
		"<target><architecture>i386</architecture>"
		"<xi:include href=\"i386-64bit.xml\"/><xi:include href='b.xml'/></target>";
	size_t position = 0;
	char name[32], tiny[4];

	assert_true(ksma_rsp_next_include(xml, strlen(xml), &position, name, sizeof(name)));
	assert_string_equal(name, "i386-64bit.xml");
	assert_true(ksma_rsp_next_include(xml, strlen(xml), &position, name, sizeof(name)));
	assert_string_equal(name, "b.xml");
	assert_false(ksma_rsp_next_include(xml, strlen(xml), &position, name, sizeof(name)));
	position = 0;
	assert_false(ksma_rsp_next_include(xml, strlen(xml), &position, tiny, sizeof(tiny)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets),	  cmocka_unit_test(bad_packets),
		cmocka_unit_test(endless_packet), cmocka_unit_test(framing),
		cmocka_unit_test(stops),	  cmocka_unit_test(registers),
		cmocka_unit_test(bad_registers),  cmocka_unit_test(includes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bytes of GDB's remote serial protocol, as QEMU's gdbstub speaks it: packets, stop replies, and the description of registers.
 *
 * What answers at a debugger's socket need not be QEMU: packets are bounded, a checksum that is wrong ends the conversation, and
 * offsets come out only where they lie inside of what they index. Source: gdbstub.c and gdb-xml/ of QEMU, "GDB Remote Serial
 * Protocol" of GDB's manual. */
#ifndef KSMA_GUEST_RSP_H
#define KSMA_GUEST_RSP_H

#include "base/util.h"

enum {
	KSMA_RSP_PACKET_MAX = 16 << 10, /* decoded bytes; QEMU's own limit is 4 KiB */
	KSMA_RSP_REGISTERS_MAX = 4096,	/* bytes of all registers of one vCPU */
};

/* What a fed byte completed. */
enum ksma_rsp_event {
	KSMA_RSP_MORE,
	KSMA_RSP_PACKET, /* `data` and `length` are valid until the next byte */
	KSMA_RSP_ACK,
	KSMA_RSP_NAK,
	KSMA_RSP_BAD, /* no such protocol, or too long */
};

/* A packet under way. Zero-initialised. */
struct ksma_rsp_reader {
	enum {
		KSMA_RSP_OUTSIDE,
		KSMA_RSP_BODY,
		KSMA_RSP_ESCAPED,
		KSMA_RSP_REPEAT,
		KSMA_RSP_SUM1,
		KSMA_RSP_SUM2
	} state;
	uint8_t sum, said;
	size_t length;
	char data[KSMA_RSP_PACKET_MAX + 1]; /* NUL after the end of a packet */
};

enum ksma_rsp_event ksma_rsp_feed(struct ksma_rsp_reader *reader, uint8_t byte);

/* Writes a packet with its checksum. The text has none of the bytes that want escaping.
 * @return its length, or 0 where it does not fit */
size_t ksma_rsp_frame(char *buffer, size_t size, const char *text);

enum ksma_rsp_stop_kind {
	KSMA_RSP_STOPPED, /* S, T */
	KSMA_RSP_ENDED,	  /* W, X: there is no more guest */
	KSMA_RSP_NO_STOP, /* another packet */
};

struct ksma_rsp_stop {
	enum ksma_rsp_stop_kind kind;
	unsigned signal; /* 5 is a breakpoint or a step, 2 that somebody paused the guest */
	unsigned thread; /* 0: not said */
};

/* Is this packet a stop reply? `packet` ends with NUL. */
struct ksma_rsp_stop ksma_rsp_parse_stop(const char *packet);

/* The registers that we look at, in the order in which ksma_gdb_registers has them. */
enum ksma_rsp_register {
	KSMA_RSP_RAX,
	KSMA_RSP_RBX,
	KSMA_RSP_RCX,
	KSMA_RSP_RDX,
	KSMA_RSP_RSI,
	KSMA_RSP_RDI,
	KSMA_RSP_RBP,
	KSMA_RSP_RSP,
	KSMA_RSP_R8,
	KSMA_RSP_R9,
	KSMA_RSP_R10,
	KSMA_RSP_R11,
	KSMA_RSP_R12,
	KSMA_RSP_R13,
	KSMA_RSP_R14,
	KSMA_RSP_R15,
	KSMA_RSP_RIP,
	KSMA_RSP_EFLAGS,
	KSMA_RSP_CS,
	KSMA_RSP_GS_BASE,
	KSMA_RSP_KERNEL_GS_BASE,
	KSMA_RSP_CR0,
	KSMA_RSP_CR3,
	KSMA_RSP_CR4,
	KSMA_RSP_REGISTERS,
};

/* Where a register lies in what `g` answers, and its number for `P`. */
struct ksma_rsp_layout {
	bool no_segment_bases; /* QEMU describes ss_base, ds_base and es_base, and does not give them: pass over them */
	struct {
		uint32_t offset, size; /* bytes; size 0: the guest has no such register */
		uint32_t number;
	} registers[KSMA_RSP_REGISTERS];
};

/* Adds the registers that a description lists (the <reg …/> of a document of gdb-xml/). *next_number and *next_offset go on from
 * document to document. @return NULL or BAD_DATA */
struct ksma_error *ksma_rsp_parse_registers(const char *xml, size_t length, uint32_t *next_number,
					    uint32_t *next_offset,
					    struct ksma_rsp_layout *layout) KSMA_MUST_CHECK;

/* The next document that a description includes (<xi:include href="…"/>), from *position on. @return false: none left */
bool ksma_rsp_next_include(const char *xml, size_t length, size_t *position, char *name,
			   size_t size);

/* The value of one register in the hex digits of `g`. @return false where it is not there, or "xxxx" */
bool ksma_rsp_register(const struct ksma_rsp_layout *layout, const char *hex, size_t length,
		       enum ksma_rsp_register which, uint64_t *ret_value);

#endif

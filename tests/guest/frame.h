/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The frames that the host's gsh and the guest's agent exchange over a serial port.
 *
 * A frame is a header line, "\2KSMA ID TYPE LENGTH\n" with ID and LENGTH in hexadecimal, and LENGTH bytes. Whatever lies
 * between frames is noise (a boot message, the tail of a request whose sender died) and is skipped.
 *
 *   host to guest: 'R' run the bytes as a shell script; 'P' a path, then 'A' bytes to append to it; 'G' read the file of this
 *                  path; 'N' answer at once
 *   guest to host: 'B' the request has come; 'O' output; 'X' done, with the exit status as text; 'U' the agent has started (ID 0)
 *
 * A serial port has no flow control here, so a sender to the guest never has more than FRAME_MAX bytes unanswered. What a client
 * left half sent may swallow the head of the next one's request, so a request without a 'B' is sent again; each has an ID of its
 * own, by which the agent knows one that it has had already.
 */
#ifndef FRAME_H
#define FRAME_H

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FRAME_MAGIC "\2KSMA "
#define FRAME_MAX (16 * 1024)

struct frame {
	uint32_t id;
	char type;
	uint32_t len;
	char data[FRAME_MAX + 1]; /* ends in a NUL that len does not count */
};

/* Reads one byte into a small buffer's front. Returns 1, 0 at the end of the stream, -1 on error, -2 when time is up. */
struct frame_reader {
	int fd;
	size_t at, len;
	char buf[4096];
};

static inline int frame_byte(struct frame_reader *r, int timeout_ms, char *ret)
{
	if (r->at == r->len) {
		struct pollfd p = { .fd = r->fd, .events = POLLIN };
		ssize_t n;
		int ready;

		do
			ready = poll(&p, 1, timeout_ms);
		while (ready < 0 && errno == EINTR);
		if (ready == 0)
			return -2;
		do
			n = read(r->fd, r->buf, sizeof(r->buf));
		while (n < 0 && errno == EINTR);
		if (n <= 0)
			return n == 0 ? 0 : -1;
		r->at = 0;
		r->len = (size_t)n;
	}
	*ret = r->buf[r->at++];
	return 1;
}

/* Reads the next frame, skipping noise. Waits at most timeout_ms (-1: for ever) for it to begin, and two seconds at any place inside it.
 * Returns as frame_byte() does. */
static inline int frame_read(struct frame_reader *r, int timeout_ms, struct frame *ret)
{
	bool begun =
		false; /* the header of one frame was cut short by the first byte of the next */

	for (;;) {
		char line[64];
		size_t n = begun;
		int e;

		begun = false;
		while (n < sizeof(FRAME_MAGIC) - 1) {
			e = frame_byte(r, timeout_ms, &line[n]);
			if (e <= 0)
				return e;
			if (line[n] == FRAME_MAGIC[n])
				n++;
			else if (line[n] == FRAME_MAGIC[0])
				n = 1;
			else
				n = 0;
		}
		for (n = 0; n < sizeof(line) - 1; n++) {
			e = frame_byte(r, 2000, &line[n]);
			if (e <= 0 || line[n] == '\n')
				break;
			if (line[n] == FRAME_MAGIC[0]) {
				r->at--;
				break;
			}
			begun = line[n] == FRAME_MAGIC[0];
			if (begun)
				break;
		}
		if (begun)
			continue;
		if (e <= 0) {
			if (e == -2)
				continue;
			return e;
		}
		line[n] = '\0';
		if (sscanf(line, "%x %c %x", &ret->id, &ret->type, &ret->len) != 3 ||
		    ret->len > FRAME_MAX)
			continue;
		for (n = 0; n < ret->len; n++) {
			e = frame_byte(r, 2000, &ret->data[n]);
			if (e <= 0)
				break;
		}
		if (n < ret->len) {
			if (e == -2)
				continue;
			return e;
		}
		ret->data[n] = '\0';
		return 1;
	}
}

static inline int frame_write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			poll(&p, 1, -1);
			continue;
		}
		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static inline int frame_write(int fd, uint32_t id, char type, const char *data, size_t len)
{
	char buf[FRAME_MAX + 64];
	int head = snprintf(buf, 64, FRAME_MAGIC "%x %c %zx\n", id, type, len);

	memcpy(buf + head, data, len);
	return frame_write_all(fd, buf, (size_t)head + len);
}

#endif

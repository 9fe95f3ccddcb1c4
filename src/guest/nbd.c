/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks that QEMU speaks for, read through its network block device protocol. */
#include "guest/nbd.h"

#include <errno.h>
#include <libnbd.h>

enum { NBD_TIMEOUT_MS = 10000, NBD_REQUEST_MAX = 1 << 20 };

struct nbd_block {
	struct ksma_block head;
	struct nbd_handle *nbd;
	unsigned timeout_ms;
};

static struct ksma_error *nbd_error(const char *what)
{
	int errnum = nbd_get_errno();
	enum ksma_error_code code = KSMA_ERROR_LOST;

	if (errnum == ENOMEM)
		return ksma_error_nomem();
	if (errnum == ENOENT || errnum == ENOTSUP)
		code = KSMA_ERROR_NOT_PRESENT;
	else if (errnum == EACCES || errnum == EPERM)
		code = KSMA_ERROR_PERMISSION;
	return ksma_error_create(code, "%s: %s", what, nbd_get_error() ? nbd_get_error() : "?");
}

/* One step of the connection's events. */
static struct ksma_error *wait_step(struct nbd_block *block, uint64_t until, const char *what)
{
	uint64_t now = ksma_now_ns();
	int n = now < until ? nbd_poll(block->nbd, (int)((until - now) / 1000000) + 1) : 0;

	if (n < 0)
		return nbd_error(what);
	if (n == 0)
		return ksma_error_create(KSMA_ERROR_TIMEOUT, "%s: QEMU did not answer in %u ms",
					 what, block->timeout_ms);
	return NULL;
}

static struct ksma_error *read_piece(struct nbd_block *block, uint64_t offset, void *buffer,
				     size_t length)
{
	uint64_t until = ksma_now_ns() + (uint64_t)block->timeout_ms * 1000000;
	int64_t cookie = nbd_aio_pread(block->nbd, buffer, length, offset, NBD_NULL_COMPLETION, 0);
	int done;

	if (cookie < 0)
		return nbd_error("reading a disk");
	while ((done = nbd_aio_command_completed(block->nbd, (uint64_t)cookie)) == 0) {
		struct ksma_error *error = wait_step(block, until, "reading a disk");

		if (error) {
			/* The request would write to the caller's buffer later: it ends with the connection. */
			nbd_close(block->nbd);
			block->nbd = NULL;
			return error;
		}
	}
	if (done < 0)
		return nbd_error("reading a disk");
	return NULL;
}

static struct ksma_error *nbd_read(struct ksma_block *head, uint64_t offset, void *buffer,
				   size_t length)
{
	struct nbd_block *block = (struct nbd_block *)head;

	while (length > 0) {
		size_t n = length < NBD_REQUEST_MAX ? length : NBD_REQUEST_MAX;

		if (!block->nbd)
			return ksma_error_create(KSMA_ERROR_LOST,
						 "the connection to the disk has ended");
		KSMA_TRY(read_piece(block, offset, buffer, n));
		buffer = (char *)buffer + n;
		offset += n;
		length -= n;
	}
	return NULL;
}

static void nbd_destroy(struct ksma_block *head)
{
	struct nbd_block *block = (struct nbd_block *)head;

	if (block->nbd) {
		nbd_shutdown(block->nbd, 0);
		nbd_close(block->nbd);
	}
}

static const struct ksma_block_ops nbd_ops = { .read = nbd_read, .destroy = nbd_destroy };

static struct ksma_error *create(unsigned timeout_ms, struct nbd_block **ret_block)
{
	struct nbd_block *block = calloc(1, sizeof(*block));

	if (!block)
		return ksma_error_nomem();
	block->head.ops = &nbd_ops;
	block->timeout_ms = timeout_ms ? timeout_ms : NBD_TIMEOUT_MS;
	block->nbd = nbd_create();
	if (!block->nbd) {
		free(block);
		return nbd_error("libnbd");
	}
	*ret_block = block;
	return NULL;
}

static struct ksma_error *take_size(struct nbd_block *block)
{
	int64_t size = nbd_get_size(block->nbd);

	if (size < 0)
		return nbd_error("the size of a disk");
	block->head.size = (uint64_t)size;
	return NULL;
}

static struct ksma_error *connect_unix(struct nbd_block *block, const char *socket,
				       const char *export_name)
{
	uint64_t until = ksma_now_ns() + (uint64_t)block->timeout_ms * 1000000;

	if (nbd_set_export_name(block->nbd, export_name) < 0 ||
	    nbd_aio_connect_unix(block->nbd, socket) < 0)
		return nbd_error(socket);
	while (nbd_aio_is_connecting(block->nbd) == 1)
		KSMA_TRY(wait_step(block, until, socket));
	if (nbd_aio_is_ready(block->nbd) != 1)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "%s: no export is called %s",
					 socket, export_name);
	return take_size(block);
}

struct ksma_error *ksma_nbd_open(const char *socket, const char *export_name, unsigned timeout_ms,
				 struct ksma_block **ret_block)
{
	struct nbd_block *block;
	struct ksma_error *error;

	KSMA_TRY(create(timeout_ms, &block));
	error = connect_unix(block, socket, export_name);
	if (error)
		ksma_block_destroy(&block->head);
	else
		*ret_block = &block->head;
	return error;
}

/* What formats start with: source, block/qcow2.h, block/vmdk.c, block/vpc.c, block/vhdx.h, block/vdi.c of QEMU. */
static const struct {
	const char *magic;
	size_t length, offset;
	const char *format;
} formats[] = {
	{ "QFI\xfb", 4, 0, "qcow2" },	  { "KDMV", 4, 0, "vmdk" },
	{ "COWD", 4, 0, "vmdk" },	  { "vhdxfile", 8, 0, "vhdx" },
	{ "conectix", 8, 0, "vpc" },	  { "\x7f\x10\xda\xbe", 4, 64, "vdi" },
	{ "QED\0", 4, 0, "qed" },	  { "# Disk Descriptor", 17, 0, "vmdk" },
	{ "LUKS\xba\xbe", 6, 0, "luks" },
};

static const char *format_of(const uint8_t *head)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (memcmp(head + formats[i].offset, formats[i].magic, formats[i].length) == 0)
			return formats[i].format;
	return "raw";
}

/* qemu-nbd takes a socket that libnbd made, serves one client on it, and ends with that. */
static struct ksma_error *serve(const char *path, struct ksma_block **ret_block)
{
	_cleanup_free_ char *absolute = realpath(path, NULL);
	/* An absolute path: QEMU would take "nbd:…" or "json:…" for something else. */
	char *argv[] = { (char *)"qemu-nbd",
			 (char *)"--read-only",
			 (char *)"--format=qcow2",
			 (char *)"--",
			 absolute,
			 NULL };
	struct nbd_block *block;
	struct ksma_error *error;

	if (!absolute)
		return ksma_error_os(errno, "%s", path);
	KSMA_TRY(create(0, &block));
	error = nbd_connect_systemd_socket_activation(block->nbd, argv) < 0
			? ksma_error_create(
				  KSMA_ERROR_UNSUPPORTED,
				  "%s: qemu-nbd (package qemu-utils) does not serve it: %s", path,
				  nbd_get_error() ? nbd_get_error() : "?")
			: take_size(block);
	if (error)
		ksma_block_destroy(&block->head);
	else
		*ret_block = &block->head;
	return error;
}

struct ksma_error *ksma_image_open(const char *path, struct ksma_block **ret_block)
{
	struct ksma_block *file;
	struct ksma_error *error = NULL;
	uint8_t head[512] = { 0 };
	const char *format;

	KSMA_TRY(ksma_block_open(path, &file));
	if (file->size < sizeof(head))
		error = ksma_error_create(KSMA_ERROR_BAD_DATA, "%s: too small to be a disk", path);
	else
		error = ksma_block_read(file, 0, head, sizeof(head));
	if (error) {
		ksma_block_destroy(file);
		return ksma_error_prefix(error, "%s", path);
	}
	format = format_of(head);
	if (strcmp(format, "raw") == 0) {
		*ret_block = file;
		return NULL;
	}
	ksma_block_destroy(file);
	if (strcmp(format, "qcow2") == 0)
		return serve(path, ret_block);
	return ksma_error_create(
		KSMA_ERROR_UNSUPPORTED,
		"%s: a disk of format %s is not read; `qemu-img convert -O qcow2` makes one that is",
		path, format);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opens a file of guest memory, whatever its form, as a guest that holds still. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "guest/dump.h"
#include "guest/dump_internal.h"
#include "guest/page_cache.h"
#include "guest/sigbus.h"

/* What people have at hand that looks like memory and is not. */
static const struct {
	const char *magic;
	size_t length;
	const char *what;
} refused[] = {
	{ "\x1f\x8b", 2, "is compressed (gzip): decompress it first" },
	{ "\xfd"
	  "7zXZ",
	  5, "is compressed (xz): decompress it first" },
	{ "\x28\xb5\x2f\xfd", 4, "is compressed (zstd): decompress it first" },
	{ "QFI\xfb", 4, "is a qcow2 disk image; memory comes from dump-guest-memory" },
	{ "QEVM", 4, "is a QEMU migration stream; memory comes from dump-guest-memory" },
	{ "LibvirtQemudSave", 16,
	  "is a libvirt save image; memory comes from `virsh dump --memory-only`" },
	{ "EMiL", 4,
	  "is a LiME image in its own format; LiME's format=padded gives one that can be read" },
};

/* LOST when the file became shorter than it was: its mapping must not be touched any more. */
static struct ksma_error *dump_refresh(struct ksma_guest *guest)
{
	const struct ksma_dump *dump = guest->priv;
	struct stat st;

	if (fstat(dump->file.fd, &st) < 0)
		return ksma_error_os(errno, "cannot look at %s", dump->name);
	if ((uint64_t)st.st_size < dump->file.file_size || ksma_sigbus_faults(dump->guard))
		return ksma_error_create(KSMA_ERROR_LOST, "%s became shorter while it was read",
					 dump->name);
	return NULL;
}

static struct ksma_error *dump_registers(struct ksma_guest *guest, unsigned flags,
					 struct ksma_registers *ret_registers)
{
	const struct ksma_dump *dump = guest->priv;
	struct ksma_vcpu *vcpus;

	if (!dump->vcpu_count)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "%s holds no vCPU state; dump-guest-memory writes it",
					 dump->name);
	if (flags & KSMA_REGISTERS_MSRS)
		return ksma_error_create(
			KSMA_ERROR_UNSUPPORTED,
			"%s holds no MSRs: no dump does; only a running guest tells LSTAR and the like",
			dump->name);
	vcpus = malloc(dump->vcpu_count * sizeof(*vcpus));
	if (!vcpus)
		return ksma_error_nomem();
	memcpy(vcpus, dump->vcpus, dump->vcpu_count * sizeof(*vcpus));
	*ret_registers = (struct ksma_registers){ .vcpus = vcpus, .count = dump->vcpu_count };
	return NULL;
}

static void dump_free(struct ksma_dump *dump)
{
	ksma_sigbus_unguard(dump->guard);
	if (dump->map)
		munmap(dump->map, dump->file.file_size);
	ksma_kdump_destroy(dump->kdump);
	free(dump->file.records);
	if (dump->file.fd >= 0)
		close(dump->file.fd);
	free(dump->vcpus);
	free(dump->name);
	free(dump);
}

static void dump_destroy(struct ksma_guest *guest)
{
	dump_free(guest->priv);
}

/* A sparse file: only where there is data. Runs are widened to whole guest pages, since memory lies unaligned in an ELF dump. */
static bool mapped_next_data(struct ksma_guest *guest, const struct ksma_ram_region *region,
			     uint64_t offset, uint64_t *ret_offset, uint64_t *ret_length)
{
	uint64_t start, length, end;

	if (!ksma_region_file_data(region, offset, &start, &length))
		return false;
	end = ksma_align_up(start + length, KSMA_PAGE_SIZE);
	start = ksma_align_down(start, KSMA_PAGE_SIZE);
	*ret_offset = start > offset ? start : offset;
	*ret_length = (end < region->size ? end : region->size) - *ret_offset;
	return true;
}

static const struct ksma_guest_ops mapped_ops = {
	.next_data = mapped_next_data,
	.refresh = dump_refresh,
	.registers = dump_registers,
	.destroy = dump_destroy,
};

static const struct ksma_guest_ops kdump_ops = {
	.fetch_page = ksma_kdump_fetch,
	.next_data = ksma_kdump_next_data,
	.refresh = dump_refresh,
	.registers = dump_registers,
	.destroy = dump_destroy,
};

struct ksma_error *ksma_dump_map(struct ksma_dump *dump)
{
	void *map = mmap(NULL, dump->file.file_size, PROT_READ, MAP_PRIVATE | MAP_NORESERVE,
			 dump->file.fd, 0);

	if (map == MAP_FAILED)
		return ksma_error_os(errno, "cannot map %s", dump->name);
	dump->map = map;
	dump->guard = ksma_sigbus_guard(map, dump->file.file_size, KSMA_PAGE_SIZE);
	if (dump->guard < 0)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "cannot map %s: too many guests are open in this process",
					 dump->name);
	return NULL;
}

struct ksma_error *ksma_dump_add_region(struct ksma_guest *guest,
					const struct ksma_ram_region *region)
{
	if (guest->region_count == KSMA_MAX_REGIONS)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "%s has more than %d separate runs of memory",
					 guest->info.path, KSMA_MAX_REGIONS);
	guest->regions[guest->region_count++] = *region;
	guest->info.ram_bytes += region->size;
	return NULL;
}

/* Bytes from physical address 0 on. */
static struct ksma_error *open_raw(struct ksma_guest *guest)
{
	struct ksma_dump *dump = guest->priv;
	struct ksma_ram_region region = { .size = dump->file.size, .fd = dump->file.fd };

	if (dump->file.size % KSMA_PAGE_SIZE)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"%s is not a dump: it is neither ELF nor kdump, and a raw image has whole pages of 4096 bytes, not %llu bytes",
			dump->name, (unsigned long long)dump->file.size);
	KSMA_TRY(ksma_dump_map(dump));
	region.map = dump->map;
	guest->info.kind = KSMA_GUEST_DUMP_RAW;
	return ksma_dump_add_region(guest, &region);
}

/* Looks at the first bytes and lets the reader of that format go on. */
static struct ksma_error *open_format(struct ksma_guest *guest)
{
	struct ksma_dump *dump = guest->priv;
	uint8_t magic[16] = { 0 };
	size_t length = dump->file.size < sizeof(magic) ? (size_t)dump->file.size : sizeof(magic);

	if (length == 0)
		return ksma_error_create(KSMA_ERROR_BAD_DATA, "%s is empty; take the dump again",
					 dump->name);
	KSMA_TRY(ksma_dump_file_read(&dump->file, 0, magic, length, "its start"));
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		if (memcmp(magic, refused[i].magic, refused[i].length) == 0)
			return ksma_error_create(KSMA_ERROR_UNSUPPORTED, "%s %s", dump->name,
						 refused[i].what);
	if (memcmp(magic, "\177ELF", 4) == 0)
		return ksma_dump_open_elf(guest);
	if (ksma_dump_is_flat(magic, length)) {
		KSMA_TRY(ksma_dump_file_index(&dump->file));
		return ksma_dump_open_kdump(guest);
	}
	if (memcmp(magic, "KDUMP   ", 8) == 0)
		return ksma_dump_open_kdump(guest);
	return open_raw(guest);
}

/* Makes what a dump guest consists of, with the file taken over. */
static struct ksma_error *dump_create(int fd, const char *name, struct ksma_dump **ret_dump)
{
	struct ksma_dump *dump = calloc(1, sizeof(*dump));
	struct ksma_error *error;
	struct stat st;

	if (!dump) {
		close(fd);
		return ksma_error_nomem();
	}
	dump->file.fd = fd;
	dump->guard = -1;
	error = ksma_strdup(name, &dump->name);
	if (!error && fstat(fd, &st) < 0)
		error = ksma_error_os(errno, "cannot look at %s", name);
	if (!error && !S_ISREG(st.st_mode))
		error = ksma_error_create(KSMA_ERROR_INVALID, "%s is not a regular file", name);
	if (error) {
		dump_free(dump);
		return error;
	}
	dump->file.name = dump->name;
	dump->file.file_size = dump->file.size = (uint64_t)st.st_size;
	*ret_dump = dump;
	return NULL;
}

/* No more pages than the guest has. */
static size_t cache_pages(const struct ksma_guest *guest)
{
	uint64_t pages = guest->info.ram_bytes / KSMA_PAGE_SIZE;

	return pages < KSMA_PAGE_CACHE_DEFAULT ? (size_t)pages : KSMA_PAGE_CACHE_DEFAULT;
}

struct ksma_error *ksma_dump_open_fd(int fd, const char *name, struct ksma_guest **ret_guest)
{
	struct ksma_guest *guest;
	struct ksma_dump *dump;
	struct ksma_error *error;

	KSMA_TRY(dump_create(fd, name, &dump));
	guest = calloc(1, sizeof(*guest));
	if (!guest) {
		dump_free(dump);
		return ksma_error_nomem();
	}
	guest->priv = dump;
	guest->ops = &mapped_ops;
	guest->info = (struct ksma_guest_info){ .name = "",
						.uuid = "",
						.path = dump->name,
						.machine = "",
						.accelerator = "",
						.pid = -1,
						.access = KSMA_RAM_MAPPED,
						.layout = KSMA_LAYOUT_FILE,
						.monitor = "",
						.monitor_problem = "" };
	error = open_format(guest);
	if (!error && dump->kdump) {
		guest->ops = &kdump_ops;
		guest->info.access = KSMA_RAM_COPIED;
		error = ksma_page_cache_create(cache_pages(guest), &guest->cache);
	}
	if (error) {
		dump_free(dump);
		free(guest);
		return error;
	}
	guest->info.vcpus = dump->vcpu_count;
	*ret_guest = guest;
	return NULL;
}

struct ksma_error *ksma_dump_open(const char *path, struct ksma_guest **ret_guest)
{
	/* Not blocking: a named pipe is refused later, and must not keep us waiting for a writer. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0 && errno == ENOENT)
		return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "there is no file %s", path);
	if (fd < 0)
		return ksma_error_os(errno, "cannot open %s", path);
	return ksma_dump_open_fd(fd, path, ret_guest);
}

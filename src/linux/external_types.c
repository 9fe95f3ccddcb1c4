/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the types that the operator gives with --types; the file is the operator's own, and still bounded. */
#include "linux/external_types.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>

#include "linux/btf.h"

enum { MAX_TYPES_FILE = 64 << 20, HEADER = 24 };

static void elf_endp(Elf **elf)
{
	elf_end(*elf);
}

static struct ksma_error *copy_section(Elf_Scn *section, const char *path, uint8_t **ret_data,
				       size_t *ret_size)
{
	const Elf_Data *data = elf_rawdata(section, NULL);
	uint8_t *copy;

	if (!data || !data->d_buf || !ksma_btf_header_size(data->d_buf, data->d_size))
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "the .BTF section of %s cannot be read", path);
	copy = malloc(data->d_size);
	if (!copy)
		return ksma_error_nomem();
	memcpy(copy, data->d_buf, data->d_size);
	*ret_data = copy;
	*ret_size = data->d_size;
	return NULL;
}

static struct ksma_error *read_elf(int fd, const char *path, uint8_t **ret_data, size_t *ret_size)
{
	_cleanup_(elf_endp) Elf *elf = NULL;
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_version(EV_CURRENT) == EV_NONE || !(elf = elf_begin(fd, ELF_C_READ_MMAP, NULL)) ||
	    elf_kind(elf) != ELF_K_ELF || elf_getshdrstrndx(elf, &names) < 0)
		return ksma_error_create(
			KSMA_ERROR_BAD_DATA,
			"%s is neither a BTF file nor an ELF file: give a vmlinux with a .BTF section",
			path);
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(section, &header))
			continue;
		name = elf_strptr(elf, names, header.sh_name);
		if (name && strcmp(name, ".BTF") == 0)
			return copy_section(section, path, ret_data, ret_size);
	}
	return ksma_error_create(KSMA_ERROR_BAD_DATA,
				 "%s has no .BTF section: make one with pahole -J", path);
}

struct ksma_error *ksma_external_types_read(const char *path, uint8_t **ret_data, size_t *ret_size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t header[HEADER];
	ssize_t n;
	char *data;
	size_t size;

	if (fd < 0)
		return ksma_error_os(errno, "cannot open %s", path);
	n = pread(fd, header, sizeof(header), 0);
	if (n < 0)
		return ksma_error_os(errno, "cannot read %s", path);
	if (!ksma_btf_header_size(header, (size_t)n))
		return read_elf(fd, path, ret_data, ret_size);
	KSMA_TRY(ksma_read_file(path, MAX_TYPES_FILE, &data, &size));
	*ret_data = (uint8_t *)data;
	*ret_size = size;
	return NULL;
}

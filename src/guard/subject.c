/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads inode, super block, mapping, credentials and names of one access. */
#include <sys/stat.h>

#include "guard/subject.h"

/* include/uapi/linux/capability.h */
enum { CAP_SETGID = 6, CAP_SETUID = 7 };

struct ksma_error *ksma_subject_reader_init(struct ksma_subject_reader *reader,
					    struct ksma_kernel *kernel)
{
	const struct ksma_offsets *off = &kernel->off;
	const int32_t ids[] = { off->cred__uid, off->cred__euid, off->cred__suid,
				off->cred__gid, off->cred__egid, off->cred__sgid };

	*reader = (struct ksma_subject_reader){ .kernel = kernel };
	KSMA_TRY(ksma_paths_init(&reader->paths, kernel));
	KSMA_TRY(ksma_page_cache_init(&reader->pages, kernel));
	KSMA_TRY(KSMA_NEED(kernel, inode__i_writecount));
	KSMA_TRY(KSMA_NEED(kernel, address_space__i_mmap_writable));
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		ksma_window_add(&reader->cred, ids[i], 4);
	ksma_window_add(&reader->cred, off->cred__cap_effective, 8);
	return ksma_window_check(&reader->cred, "cred");
}

void ksma_subject_cred(struct ksma_subject_reader *reader, uint64_t cred,
		       struct ksma_access *access)
{
	const struct ksma_offsets *off = &reader->kernel->off;
	const struct ksma_window *w = &reader->cred;
	uint8_t bytes[KSMA_WINDOW_MAX];
	uint64_t capabilities;

	access->known &= ~(unsigned)KSMA_KNOWN_CREDENTIALS;
	if (!cred || off->cred__uid < 0 || off->cred__cap_effective < 0 ||
	    !ksma_window_read(reader->kernel, w, cred, bytes))
		return;
	access->uid = ksma_window_u32(w, bytes, off->cred__uid);
	access->euid = ksma_window_u32(w, bytes, off->cred__euid);
	access->suid = ksma_window_u32(w, bytes, off->cred__suid);
	access->gid = ksma_window_u32(w, bytes, off->cred__gid);
	access->egid = ksma_window_u32(w, bytes, off->cred__egid);
	access->sgid = ksma_window_u32(w, bytes, off->cred__sgid);
	capabilities = ksma_window_u64(w, bytes, off->cred__cap_effective);
	access->setuid = capabilities >> CAP_SETUID & 1;
	access->setgid = capabilities >> CAP_SETGID & 1;
	access->known |= KSMA_KNOWN_CREDENTIALS;
}

static bool read_writers(struct ksma_subject_reader *reader, const struct ksma_inode_identity *file,
			 int32_t *ret_writers, int32_t *ret_maps)
{
	struct ksma_kernel *kernel = reader->kernel;
	uint32_t writers, maps;

	if (!ksma_kernel_u32(kernel, file->inode + (uint32_t)kernel->off.inode__i_writecount,
			     &writers) ||
	    !ksma_kernel_u32(kernel,
			     file->mapping + (uint32_t)kernel->off.address_space__i_mmap_writable,
			     &maps))
		return false;
	*ret_writers = (int32_t)writers;
	*ret_maps = (int32_t)maps;
	return true;
}

/* An overlay shows inodes of its own, and keeps the contents in those of other file systems; an overlay may lie on another one. */
static bool find_contents(struct ksma_subject_reader *reader, struct ksma_subject *subject)
{
	enum { DEEPEST = 4 }; /* FILESYSTEM_MAX_STACK_DEPTH is 2 */

	subject->file = subject->shown;
	for (unsigned depth = 0; strcmp(subject->file.fstype, "overlay") == 0; depth++) {
		uint64_t real;
		struct ksma_error *error =
			ksma_overlay_real(&reader->pages, subject->file.inode, &real);

		if (error || depth == DEEPEST ||
		    !ksma_inode_identify(&reader->pages, real, &subject->file)) {
			ksma_error_destroy(error);
			return false;
		}
	}
	return true;
}

static void read_subtype(struct ksma_subject_reader *reader, struct ksma_subject *subject)
{
	struct ksma_kernel *kernel = reader->kernel;
	uint64_t at;

	if (kernel->off.super_block__s_subtype < 0 ||
	    !ksma_kernel_u64(kernel,
			     subject->shown.sb + (uint32_t)kernel->off.super_block__s_subtype, &at))
		return;
	if (!at || ksma_kernel_string(kernel, at, subject->fs_subtype, sizeof(subject->fs_subtype)))
		subject->access.known |= KSMA_KNOWN_FS_SUBTYPE;
}

static void read_names(struct ksma_subject_reader *reader, const struct ksma_place *place,
		       struct ksma_subject *subject)
{
	struct ksma_path path;

	if (ksma_path_show(&reader->paths, place->mnt, place->dentry, &path)) {
		snprintf(subject->seen, sizeof(subject->seen), "%s", path.text);
		subject->deleted = path.deleted;
	}
	if (ksma_path_true(&reader->paths, place->mnt, place->dentry, &path)) {
		snprintf(subject->path, sizeof(subject->path), "%s", path.text);
		subject->access.known |= KSMA_KNOWN_PATH;
	}
}

static void fill_access(struct ksma_subject_reader *reader, const struct ksma_question *question,
			struct ksma_subject *subject)
{
	const struct ksma_inode_identity *shown = &subject->shown;
	struct ksma_access *access = &subject->access;

	access->func = question->func;
	access->mask = question->mask;
	access->known |=
		KSMA_KNOWN_OWNER | KSMA_KNOWN_FSMAGIC | KSMA_KNOWN_FSUUID | KSMA_KNOWN_FSNAME;
	access->fowner = shown->uid;
	access->fgroup = shown->gid;
	access->fsmagic = shown->magic;
	memcpy(access->fsuuid, shown->uuid, sizeof(access->fsuuid));
	access->fsname = shown->fstype;
	access->fs_subtype = *subject->fs_subtype ? subject->fs_subtype : NULL;
	access->path = subject->path;
	ksma_subject_cred(reader, question->cred, access);
}

enum ksma_subject_kind ksma_subject_read(struct ksma_subject_reader *reader,
					 const struct ksma_question *question,
					 struct ksma_subject *ret_subject)
{
	struct ksma_subject *subject = ret_subject;

	memset(subject, 0, sizeof(*subject));
	if (!question->place.inode ||
	    !ksma_inode_identify(&reader->pages, question->place.inode, &subject->shown))
		return KSMA_SUBJECT_UNREADABLE;
	if (!S_ISREG(subject->shown.mode))
		return KSMA_SUBJECT_OTHER;
	read_subtype(reader, subject);
	read_names(reader, &question->place, subject);
	fill_access(reader, question, subject);
	if (!find_contents(reader, subject) ||
	    !read_writers(reader, &subject->file, &subject->writers, &subject->writable_maps))
		return KSMA_SUBJECT_UNREADABLE;
	return KSMA_SUBJECT_FILE;
}

bool ksma_subject_is_same(struct ksma_subject_reader *reader, const struct ksma_subject *subject)
{
	struct ksma_inode_identity now;
	int32_t writers, maps;

	return ksma_inode_identify(&reader->pages, subject->file.inode, &now) &&
	       ksma_inode_is_same(&now, &subject->file) &&
	       read_writers(reader, &now, &writers, &maps) && writers == subject->writers &&
	       maps == subject->writable_maps;
}

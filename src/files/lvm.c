/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The logical volumes of LVM2: labels, the ring of texts, and where each linear segment lies. */
#include "files/lvm.h"

#include <zlib.h>

#include "base/bytes.h"
#include "files/lvm_text.h"

enum {
	SECTOR = 512,
	LABEL_SECTORS = 4,
	MDA_HEADER = 512,
	AREAS_MAX = 16,
	SEGMENTS_MAX = 4096,
	VOLUMES_MAX = 4096,
};

/* What a label says of a physical volume. */
struct pv {
	struct ksma_block *block;
	char uuid[KSMA_LVM_UUID];
	uint64_t area[AREAS_MAX][2]; /* metadata areas: offset and size */
	size_t areas;
};

/* One group's text, the newest that was found. */
struct group {
	char *bytes;
	struct ksma_lvm_text text;
	size_t node; /* its section */
	uint64_t seqno;
};

struct groups {
	struct group *items;
	size_t count, capacity;
};

/* CRC-32 that starts elsewhere and is not inverted at the end. */
static uint32_t lvm_crc(const void *data, size_t length)
{
	return ~(uint32_t)crc32(~0xf597a6cfU & 0xffffffff, data, (uInt)length);
}

/* Takes the label that begins this sector, where there is one. */
static bool take_label(const uint8_t *sector, uint64_t number, struct pv *pv)
{
	uint32_t at = ksma_le32(sector + 20);
	struct ksma_bytes b = ksma_bytes_of(sector, SECTOR);
	const uint8_t *uuid;

	if (memcmp(sector, "LABELONE", 8) != 0 || ksma_le64(sector + 8) != number ||
	    memcmp(sector + 24, "LVM2 001", 8) != 0 ||
	    lvm_crc(sector + 20, SECTOR - 20) != ksma_le32(sector + 16) || !ksma_bytes_seek(&b, at))
		return false;
	uuid = ksma_bytes_take(&b, KSMA_LVM_UUID);
	ksma_bytes_le64(&b);
	if (!uuid)
		return false;
	memcpy(pv->uuid, uuid, KSMA_LVM_UUID);
	/* The areas of data, up to an empty one; the text has them too. */
	while (ksma_bytes_le64(&b) && !b.failed)
		ksma_bytes_le64(&b);
	ksma_bytes_le64(&b);
	while (!b.failed && pv->areas < AREAS_MAX) {
		uint64_t offset = ksma_bytes_le64(&b), size = ksma_bytes_le64(&b);

		if (b.failed || !offset)
			break;
		pv->area[pv->areas][0] = offset;
		pv->area[pv->areas++][1] = size;
	}
	return true;
}

static struct ksma_error *read_label(struct ksma_block *block, struct pv *pv, bool *ret_is)
{
	uint8_t sectors[LABEL_SECTORS][SECTOR];

	*ret_is = false;
	if (block->size < sizeof(sectors))
		return NULL;
	KSMA_TRY(ksma_block_read(block, 0, sectors, sizeof(sectors)));
	for (unsigned i = 0; i < LABEL_SECTORS && !*ret_is; i++) {
		*pv = (struct pv){ .block = block };
		*ret_is = take_label(sectors[i], i, pv);
	}
	return NULL;
}

struct ksma_error *ksma_lvm_is_pv(struct ksma_block *block, bool *ret_is)
{
	struct pv pv;

	return read_label(block, &pv, ret_is);
}

static struct ksma_error *bad_area(const char *what)
{
	return ksma_error_create(KSMA_ERROR_BAD_DATA, "a metadata area of LVM %s", what);
}

/* The newest text of one metadata area, which is a ring behind its header. @ret_text NULL where there is none */
static struct ksma_error *read_area(const struct pv *pv, size_t i, char **ret_text,
				    size_t *ret_length)
{
	uint64_t at = pv->area[i][0], size = pv->area[i][1], offset, length, first;
	uint8_t header[MDA_HEADER];
	_cleanup_free_ char *text = NULL;

	if (size < sizeof(header) || !ksma_in_range(at, size, pv->block->size))
		return bad_area("leaves its disk");
	KSMA_TRY(ksma_block_read(pv->block, at, header, sizeof(header)));
	if (memcmp(header + 4, " LVM2 x[5A%r0N*>", 16) != 0 ||
	    lvm_crc(header + 4, sizeof(header) - 4) != ksma_le32(header) ||
	    ksma_le64(header + 24) != at || ksma_le64(header + 32) != size)
		return bad_area("has a damaged header");
	offset = ksma_le64(header + 40);
	length = ksma_le64(header + 48);
	if (!offset || !length)
		return NULL;
	if (offset < sizeof(header) || offset >= size || length > size - sizeof(header) ||
	    length > KSMA_LVM_TEXT_MAX)
		return bad_area("has its text in no possible place");
	text = malloc(length);
	if (!text)
		return ksma_error_nomem();
	first = length < size - offset ? length : size - offset;
	KSMA_TRY(ksma_block_read(pv->block, at + offset, text, first));
	KSMA_TRY(ksma_block_read(pv->block, at + sizeof(header), text + first, length - first));
	if (lvm_crc(text, length) != ksma_le32(header + 56))
		return bad_area("has a damaged text");
	*ret_text = TAKE_PTR(text);
	*ret_length = length;
	return NULL;
}

static void end_group(struct group *group)
{
	free(group->bytes);
	free(group->text.items);
}

static bool same_name(const struct group *a, const struct group *b)
{
	const struct ksma_lvm_node *x = &a->text.items[a->node], *y = &b->text.items[b->node];

	return x->name_length == y->name_length && memcmp(x->name, y->name, x->name_length) == 0;
}

/* Takes the group over. */
static struct ksma_error *keep_newest(struct groups *groups, struct group *group)
{
	struct ksma_error *error;
	struct group *item;

	for (size_t i = 0; i < groups->count; i++) {
		if (!same_name(&groups->items[i], group))
			continue;
		if (group->seqno > groups->items[i].seqno) {
			end_group(&groups->items[i]);
			groups->items[i] = *group;
		} else {
			end_group(group);
		}
		return NULL;
	}
	error = KSMA_ARRAY_PUSH(groups, &item);
	if (error)
		end_group(group);
	else
		*item = *group;
	return error;
}

static struct ksma_error *take_text(const struct pv *pv, size_t area, struct groups *groups)
{
	struct group group = { 0 };
	struct ksma_error *error;
	size_t length = 0;

	KSMA_TRY(read_area(pv, area, &group.bytes, &length));
	if (!group.bytes)
		return NULL;
	error = ksma_lvm_parse(group.bytes, length, &group.text);
	for (size_t i = 1; !error && i < group.text.count; i = ksma_lvm_next(&group.text, i))
		if (group.text.items[i].kind == KSMA_LVM_SECTION) {
			group.node = i;
			break;
		}
	if (!error &&
	    !(group.node && ksma_lvm_number(&group.text, group.node, "seqno", &group.seqno)))
		error = bad_area("describes no group");
	if (error) {
		end_group(&group);
		return error;
	}
	return keep_newest(groups, &group);
}

/* "abcdef-ghij-…" without its dashes. */
static bool plain_uuid(const struct ksma_lvm_text *text, size_t node, char *uuid)
{
	const char *s;
	size_t length, n = 0;

	if (!ksma_lvm_string(text, node, "id", &s, &length))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (s[i] == '-')
			continue;
		if (n == KSMA_LVM_UUID)
			return false;
		uuid[n++] = s[i];
	}
	return n == KSMA_LVM_UUID;
}

struct scan {
	const struct group *group;
	const struct pv *pvs;
	size_t pv_count;
	uint64_t extent_size; /* bytes */
	struct ksma_coverage *coverage;
	struct ksma_lvm_volumes *volumes;
};

/* The run of a physical volume that begins at its extent `first`. */
static bool find_run(const struct scan *scan, const struct ksma_lvm_node *name, uint64_t first,
		     uint64_t count, struct ksma_extent *ret)
{
	const struct ksma_lvm_text *text = &scan->group->text;
	size_t pvs = ksma_lvm_child(text, scan->group->node, "physical_volumes"), node = 0;
	char uuid[KSMA_LVM_UUID];
	uint64_t start, offset;

	for (size_t i = pvs + 1; pvs && i < text->items[pvs].end && !node;
	     i = ksma_lvm_next(text, i))
		if (text->items[i].name_length == name->text_length &&
		    memcmp(text->items[i].name, name->text, name->text_length) == 0)
			node = i;
	if (!node || !plain_uuid(text, node, uuid) ||
	    !ksma_lvm_number(text, node, "pe_start", &start) ||
	    __builtin_mul_overflow(start, SECTOR, &start) ||
	    __builtin_mul_overflow(first, scan->extent_size, &offset) ||
	    __builtin_add_overflow(start, offset, &ret->start) ||
	    __builtin_mul_overflow(count, scan->extent_size, &ret->length))
		return false;
	for (size_t i = 0; i < scan->pv_count; i++)
		if (memcmp(scan->pvs[i].uuid, uuid, sizeof(uuid)) == 0) {
			ret->block = scan->pvs[i].block;
			return ksma_in_range(ret->start, ret->length, ret->block->size);
		}
	return false;
}

/* Segment n of a volume. @return NULL, or what is in the way */
static const char *take_segment(const struct scan *scan, size_t volume, uint64_t n,
				uint64_t *expected, struct ksma_extent *ret)
{
	const struct ksma_lvm_text *text = &scan->group->text;
	const struct ksma_lvm_node *pv, *first;
	uint64_t start, count, stripes;
	char name[32];
	const char *type;
	size_t node, list, length;

	snprintf(name, sizeof(name), "segment%llu", (unsigned long long)n);
	node = ksma_lvm_child(text, volume, name);
	if (!node || !ksma_lvm_number(text, node, "start_extent", &start) ||
	    !ksma_lvm_number(text, node, "extent_count", &count) || start != *expected ||
	    count == 0 || !ksma_lvm_string(text, node, "type", &type, &length))
		return "its segments do not fit together";
	if (!(length == 7 && memcmp(type, "striped", 7) == 0) &&
	    !(length == 6 && memcmp(type, "linear", 6) == 0))
		return "it is not linear";
	if (!ksma_lvm_number(text, node, "stripe_count", &stripes) || stripes != 1)
		return "it is striped";
	list = ksma_lvm_child(text, node, "stripes");
	if (!list || text->items[list].end < list + 3)
		return "its segments do not fit together";
	pv = &text->items[list + 1];
	first = &text->items[list + 2];
	if (pv->kind != KSMA_LVM_STRING || first->kind != KSMA_LVM_NUMBER ||
	    !find_run(scan, pv, first->number, count, ret))
		return "a part of it lies on no disk that is here";
	*expected += count;
	return NULL;
}

static struct ksma_error *take_volume(const struct scan *scan, size_t node)
{
	const struct ksma_lvm_text *text = &scan->group->text;
	const struct ksma_lvm_node *group = &text->items[scan->group->node],
				   *v = &text->items[node];
	_cleanup_free_ struct ksma_extent *extents = NULL;
	const char *problem = NULL;
	struct ksma_lvm_volume *volume;
	uint64_t segments = 0, expected = 0;

	if (!ksma_lvm_number(text, node, "segment_count", &segments) || segments == 0 ||
	    segments > SEGMENTS_MAX || segments > text->count)
		problem = "it has no possible number of segments";
	else if (!(extents = calloc(segments, sizeof(*extents))))
		return ksma_error_nomem();
	for (uint64_t i = 0; !problem && i < segments; i++)
		problem = take_segment(scan, node, i + 1, &expected, &extents[i]);
	if (!problem && scan->volumes->count == VOLUMES_MAX)
		problem = "there are too many";
	if (problem) {
		ksma_coverage_gap(scan->coverage, KSMA_COVERAGE_PARTIAL,
				  "logical volume %.*s/%.*s is not read: %s",
				  (int)group->name_length, group->name, (int)v->name_length,
				  v->name, problem);
		return NULL;
	}
	KSMA_TRY(KSMA_ARRAY_PUSH(scan->volumes, &volume));
	KSMA_TRY(ksma_asprintf(&volume->group, "%.*s", (int)group->name_length, group->name));
	KSMA_TRY(ksma_asprintf(&volume->name, "%.*s", (int)v->name_length, v->name));
	if (!plain_uuid(text, scan->group->node, volume->uuid) ||
	    !plain_uuid(text, node, volume->uuid + KSMA_LVM_UUID))
		volume->uuid[0] = '\0';
	return ksma_block_join(extents, segments, &volume->block);
}

static struct ksma_error *take_group(struct scan *scan)
{
	const struct ksma_lvm_text *text = &scan->group->text;
	size_t list = ksma_lvm_child(text, scan->group->node, "logical_volumes");

	if (!ksma_lvm_number(text, scan->group->node, "extent_size", &scan->extent_size) ||
	    scan->extent_size == 0 ||
	    __builtin_mul_overflow(scan->extent_size, SECTOR, &scan->extent_size)) {
		ksma_coverage_gap(scan->coverage, KSMA_COVERAGE_PARTIAL,
				  "a volume group without an extent size");
		return NULL;
	}
	for (size_t i = list + 1; list && i < text->items[list].end; i = ksma_lvm_next(text, i))
		if (text->items[i].kind == KSMA_LVM_SECTION)
			KSMA_TRY(take_volume(scan, i));
	return NULL;
}

/* Damage of one text is a gap; what ends the reading of a disk is an error. */
static struct ksma_error *read_groups(const struct pv *pvs, size_t count,
				      struct ksma_coverage *coverage, struct groups *groups)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < pvs[i].areas; k++) {
			struct ksma_error *error = take_text(&pvs[i], k, groups);

			if (error && error->code != KSMA_ERROR_BAD_DATA &&
			    error->code != KSMA_ERROR_LIMIT)
				return error;
			if (error)
				ksma_coverage_error(coverage, KSMA_COVERAGE_PARTIAL, error, "LVM");
		}
	return NULL;
}

struct ksma_error *ksma_lvm_read(struct ksma_block *const *blocks, size_t count,
				 struct ksma_coverage *coverage,
				 struct ksma_lvm_volumes *ret_volumes)
{
	_cleanup_free_ struct pv *pvs = calloc(count ? count : 1, sizeof(*pvs));
	struct ksma_lvm_volumes volumes = { 0 };
	struct ksma_error *error = NULL;
	struct groups groups = { 0 };
	size_t n = 0;

	if (!pvs)
		return ksma_error_nomem();
	for (size_t i = 0; !error && i < count; i++) {
		bool is;

		error = read_label(blocks[i], &pvs[n], &is);
		n += !error && is;
	}
	if (!error)
		error = read_groups(pvs, n, coverage, &groups);
	for (size_t i = 0; !error && i < groups.count; i++) {
		struct scan scan = { .group = &groups.items[i],
				     .pvs = pvs,
				     .pv_count = n,
				     .coverage = coverage,
				     .volumes = &volumes };

		error = take_group(&scan);
	}
	for (size_t i = 0; i < groups.count; i++)
		end_group(&groups.items[i]);
	free(groups.items);
	if (error)
		ksma_lvm_free(&volumes);
	else
		*ret_volumes = volumes;
	return error;
}

void ksma_lvm_free(struct ksma_lvm_volumes *volumes)
{
	for (size_t i = 0; i < volumes->count; i++) {
		free(volumes->items[i].group);
		free(volumes->items[i].name);
		ksma_block_destroy(volumes->items[i].block);
	}
	free(volumes->items);
	*volumes = (struct ksma_lvm_volumes){ 0 };
}

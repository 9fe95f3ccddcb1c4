/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Remembers the SHA-256 of frames, and tells by a faster, keyed hash whether their bytes are still the same. */
#include "files/frames.h"

enum {
	FIRST_SLOTS = 1 << 12, /* a power of two, as all sizes are */
	SLOTS_MAX = 1 << 26,
	KEEP = 8, /* passes that a frame is remembered for without being asked for */
};

struct ksma_frames {
	struct ksma_page_mac_key key;
	struct ksma_sha256 *sha256;
	struct ksma_frame *slots; /* open addressing */
	size_t size, used;
	uint32_t pass;
	struct ksma_frames_cost cost;
};

void ksma_frames_destroy(struct ksma_frames *frames)
{
	if (!frames)
		return;
	ksma_sha256_destroy(frames->sha256);
	free(frames->slots);
	free(frames);
}

static void frames_destroyp(struct ksma_frames **frames)
{
	ksma_frames_destroy(*frames);
}

struct ksma_error *ksma_frames_create(struct ksma_frames **ret_frames)
{
	_cleanup_(frames_destroyp) struct ksma_frames *frames = calloc(1, sizeof(*frames));

	if (!frames)
		return ksma_error_nomem();
	frames->size = FIRST_SLOTS;
	frames->slots = calloc(frames->size, sizeof(*frames->slots));
	if (!frames->slots)
		return ksma_error_nomem();
	KSMA_TRY(ksma_sha256_create(&frames->sha256));
	KSMA_TRY(ksma_page_mac_init(&frames->key));
	*ret_frames = TAKE_PTR(frames);
	return NULL;
}

static struct ksma_frame *slot_of(struct ksma_frame *slots, size_t size, uint64_t gpa)
{
	size_t i = (size_t)((gpa >> 12) * 0x9e3779b97f4a7c15ull >> 20) & (size - 1);

	while (slots[i].pass && slots[i].gpa != gpa)
		i = (i + 1) & (size - 1);
	return &slots[i];
}

/* Moves what was asked for lately into a table that it fills by a quarter at most. */
static struct ksma_error *rebuild(struct ksma_frames *frames)
{
	struct ksma_frame *slots;
	size_t kept = 0, size = FIRST_SLOTS;

	for (size_t i = 0; i < frames->size; i++)
		kept += frames->slots[i].pass && frames->slots[i].pass + KEEP >= frames->pass;
	while (size < kept * 4 && size < SLOTS_MAX)
		size *= 2;
	slots = calloc(size, sizeof(*slots));
	if (!slots || kept * 2 > size) {
		free(slots);
		return ksma_error_nomem();
	}
	for (size_t i = 0; i < frames->size; i++)
		if (frames->slots[i].pass && frames->slots[i].pass + KEEP >= frames->pass)
			*slot_of(slots, size, frames->slots[i].gpa) = frames->slots[i];
	free(frames->slots);
	frames->slots = slots;
	frames->size = size;
	frames->used = kept;
	return NULL;
}

struct ksma_error *ksma_frames_begin(struct ksma_frames *frames)
{
	frames->pass++;
	return frames->pass % KEEP == 0 ? rebuild(frames) : NULL;
}

void ksma_frames_hash(struct ksma_frames *frames, const uint8_t page[KSMA_PAGE_SIZE],
		      uint8_t ret_hash[KSMA_SHA256])
{
	frames->cost.hashed++;
	ksma_sha256(frames->sha256, page, KSMA_PAGE_SIZE, ret_hash);
}

/* True when the bytes are still those that the hashes are of. They are taken as they lie there, each once: what the guest makes of them
 * meanwhile has another hash. */
static bool is_same(const struct ksma_frames *frames, const struct ksma_guest *guest,
		    const struct ksma_frame *frame)
{
	const uint8_t *bytes = ksma_guest_mapped(guest, frame->gpa, KSMA_PAGE_SIZE);

	return bytes && ksma_page_mac_same(ksma_page_mac(&frames->key, bytes), frame->mac);
}

struct ksma_error *ksma_frames_look(struct ksma_frames *frames, struct ksma_guest *guest,
				    uint64_t gpa, struct ksma_frame **ret_frame)
{
	struct ksma_frame *frame = slot_of(frames->slots, frames->size, gpa);
	uint8_t page[KSMA_PAGE_SIZE];
	struct ksma_page_mac mac;

	if (frame->pass == frames->pass) {
		*ret_frame = frame;
		return NULL;
	}
	if (frame->pass && is_same(frames, guest, frame)) {
		frames->cost.read++;
		frame->pass = frames->pass;
		*ret_frame = frame;
		return NULL;
	}
	*ret_frame = NULL;
	/* Both hashes are of one copy, which the guest cannot change. */
	if (!ksma_guest_try_read(guest, gpa, page, sizeof(page)))
		return NULL;
	mac = ksma_page_mac(&frames->key, page);
	frames->cost.read++;
	if (!frame->pass) {
		if (frames->used * 2 >= frames->size) {
			KSMA_TRY(rebuild(frames));
			frame = slot_of(frames->slots, frames->size, gpa);
		}
		frames->used++;
		*frame = (struct ksma_frame){ .gpa = gpa };
	}
	if (!frame->pass || !ksma_page_mac_same(mac, frame->mac)) {
		ksma_frames_hash(frames, page, frame->sha256);
		frame->mac = mac;
		frame->good_for = 0;
	}
	frame->pass = frames->pass;
	*ret_frame = frame;
	return NULL;
}

struct ksma_frames_cost ksma_frames_cost(const struct ksma_frames *frames)
{
	return frames->cost;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The SHA-256 of page frames, computed again only when a frame's bytes have changed since. See docs/decisions/0256. */
#ifndef KSMA_FILES_FRAMES_H
#define KSMA_FILES_FRAMES_H

#include "base/page_mac.h"
#include "guest/guest.h"
#include "vendor/digest.h"

struct ksma_frames;

/* What is known of one frame. */
struct ksma_frame {
	uint64_t gpa;
	struct ksma_page_mac mac; /* of the bytes that the SHA-256 is of */
	uint64_t
		good_for; /* the caller's: what these bytes were found to be; 0 when they changed */
	uint32_t pass;	  /* the last one that looked at it; 0: the slot is empty */
	uint8_t sha256[KSMA_SHA256];
};

/* @return NULL, NOMEM, OS (no random numbers for the key) */
struct ksma_error *ksma_frames_create(struct ksma_frames **ret_frames) KSMA_MUST_CHECK;
void ksma_frames_destroy(struct ksma_frames *frames);

/* Begins a pass: each frame that is asked for is read once in it. Frames that no pass asked for lately are forgotten. */
struct ksma_error *ksma_frames_begin(struct ksma_frames *frames) KSMA_MUST_CHECK;

/* The frame at `gpa` as its bytes are now. @ret_frame NULL when it is no RAM; valid until the next call
 * @return NULL or NOMEM */
struct ksma_error *ksma_frames_look(struct ksma_frames *frames, struct ksma_guest *guest,
				    uint64_t gpa, struct ksma_frame **ret_frame) KSMA_MUST_CHECK;

/* SHA-256 of a page that is no frame of the guest. */
void ksma_frames_hash(struct ksma_frames *frames, const uint8_t page[KSMA_PAGE_SIZE],
		      uint8_t ret_hash[KSMA_SHA256]);

/* Of all passes: pages read, and pages whose SHA-256 was computed. */
struct ksma_frames_cost {
	uint64_t read, hashed;
};
struct ksma_frames_cost ksma_frames_cost(const struct ksma_frames *frames);

#endif

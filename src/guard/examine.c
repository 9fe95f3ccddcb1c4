/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Is this file what it ought to be: its pages against the manifest, itself against its own signature. */
#include <openssl/evp.h>

#include "guard/examine.h"
#include "vendor/ima_sig.h"

static void settle(struct ksma_examined *examined, enum ksma_outcome outcome,
		   enum ksma_reason reason)
{
	examined->outcome = outcome;
	examined->reason = reason;
}

static void deny(struct ksma_examined *examined, enum ksma_reason reason)
{
	settle(examined, KSMA_OUTCOME_DENY, reason);
}

/* Why a walk through the contents ended before its end. */
static void settle_broken(struct ksma_examined *examined, enum ksma_page_state state)
{
	switch (state) {
	case KSMA_PAGE_TIMEOUT:
		settle(examined, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_TIMEOUT);
		break;
	case KSMA_PAGE_INCOMPLETE:
		settle(examined, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_INCOMPLETE);
		break;
	default:
		settle(examined, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_UNREADABLE);
	}
}

/* A manifest that cannot be read now vouches for nothing. */
static void settle_error(struct ksma_examined *examined, struct ksma_error *error)
{
	settle(examined, KSMA_OUTCOME_UNDECIDED,
	       error->code == KSMA_ERROR_NOMEM ? KSMA_REASON_INCOMPLETE
					       : KSMA_REASON_MANIFEST_LOST);
	snprintf(examined->detail, sizeof(examined->detail), "%s", error->message);
	ksma_error_destroy(error);
}

static bool open_contents(const struct ksma_examiner *examiner, const struct ksma_subject *subject,
			  uint64_t deadline_ns, struct ksma_file_pages *contents,
			  struct ksma_examined *examined)
{
	struct ksma_error *error = ksma_file_pages_init(examiner->reader, examiner->disk,
							&subject->file, deadline_ns, contents);

	if (!error)
		return true;
	settle(examined, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_UNREADABLE);
	snprintf(examined->detail, sizeof(examined->detail), "%s", error->message);
	ksma_error_destroy(error);
	return false;
}

/* Each page against the hash that the manifest has of it. The last one counts to its very end: what lies behind the end of the file
 * is mapped into processes too, and has to be zero. */
static void compare_pages(const struct ksma_examiner *examiner,
			  const struct ksma_manifest_entry *entry, struct ksma_file_pages *contents,
			  struct ksma_examined *examined)
{
	enum ksma_page_state state;
	const uint8_t *page, *expected;
	uint8_t found[KSMA_SHA256];

	while ((state = ksma_file_pages_next(contents, &page)) == KSMA_PAGE_HERE) {
		uint64_t index = contents->index - 1;
		struct ksma_error *error =
			ksma_manifest_page(examiner->manifest, entry, index, &expected);

		if (error) {
			settle_error(examined, error);
			return;
		}
		ksma_sha256(examiner->sha256, page, KSMA_PAGE_SIZE, found);
		if (memcmp(found, expected, sizeof(found)) != 0) {
			deny(examined, KSMA_REASON_CONTENTS);
			snprintf(examined->detail, sizeof(examined->detail), "page %llu of %llu",
				 (unsigned long long)index, (unsigned long long)contents->pages);
			return;
		}
		examined->macs[index] = ksma_verdicts_mac(examiner->verdicts, page);
	}
	if (state != KSMA_PAGE_END) {
		settle_broken(examined, state);
		return;
	}
	settle(examined, KSMA_OUTCOME_ALLOW, KSMA_REASON_MANIFEST);
	examined->hashed = true;
	memcpy(examined->sha256, entry->sha256, sizeof(examined->sha256));
}

/* Against what the manifest says of one name. @return whether it knows the name */
static bool examine_name(const struct ksma_examiner *examiner, const char *name,
			 struct ksma_file_pages *contents, struct ksma_examined *examined)
{
	struct ksma_manifest_entry entry;
	struct ksma_error *error;
	bool found;

	error = ksma_manifest_find(examiner->manifest, name, &found, &entry);
	if (error) {
		settle_error(examined, error);
		return true;
	}
	if (!found)
		return false;
	if (entry.type != KSMA_MANIFEST_FILE) {
		deny(examined, KSMA_REASON_NOT_A_FILE);
	} else if (entry.size != contents->file.size || entry.pages != contents->pages) {
		deny(examined, KSMA_REASON_SIZE);
		snprintf(examined->detail, sizeof(examined->detail), "%llu bytes, not %llu",
			 (unsigned long long)contents->file.size, (unsigned long long)entry.size);
	} else {
		ksma_file_pages_rewind(contents);
		compare_pages(examiner, &entry, contents, examined);
	}
	return true;
}

/* A file has the name where it lies, and may have another through which it was reached. Being what one of them ought to be is enough:
 * either way it is something that was signed under that name. */
static void examine_by_names(const struct ksma_examiner *examiner,
			     const struct ksma_subject *subject, struct ksma_file_pages *contents,
			     struct ksma_examined *examined)
{
	bool listed = examine_name(examiner, subject->path, contents, examined);

	if (listed && examined->outcome == KSMA_OUTCOME_ALLOW)
		return;
	if (strcmp(subject->path, subject->seen) != 0) {
		struct ksma_examined second = { .macs = examined->macs };

		if (examine_name(examiner, subject->seen, contents, &second) &&
		    (!listed || second.outcome == KSMA_OUTCOME_ALLOW)) {
			*examined = second;
			listed = true;
		}
	}
	if (!listed)
		deny(examined, KSMA_REASON_NOT_LISTED);
}

static bool is_zero(const uint8_t *bytes, size_t length)
{
	while (length && bytes[length - 1] == 0)
		length--;
	return length == 0;
}

/* The hashes of the whole, taken at once. */
struct whole {
	uint8_t sha256[KSMA_SHA256];
	const EVP_MD *second; /* NULL: no other */
	bool verity;	      /* `other` is the fs-verity digest */
	uint8_t other[KSMA_HASH_MAX];
};

struct hashing {
	EVP_MD_CTX *first, *second;
	bool good;
};

static struct hashing hashing_begin(const EVP_MD *second)
{
	struct hashing h = { .first = EVP_MD_CTX_new() };

	h.good = h.first && EVP_DigestInit_ex(h.first, EVP_sha256(), NULL);
	if (second) {
		h.second = EVP_MD_CTX_new();
		h.good = h.good && h.second && EVP_DigestInit_ex(h.second, second, NULL);
	}
	return h;
}

static void hashing_add(struct hashing *h, const uint8_t *data, size_t length)
{
	h->good = h->good && EVP_DigestUpdate(h->first, data, length) &&
		  (!h->second || EVP_DigestUpdate(h->second, data, length));
}

static bool hashing_end(struct hashing *h, struct whole *whole)
{
	h->good = h->good && EVP_DigestFinal_ex(h->first, whole->sha256, NULL) &&
		  (!h->second || EVP_DigestFinal_ex(h->second, whole->other, NULL));
	EVP_MD_CTX_free(h->first);
	EVP_MD_CTX_free(h->second);
	return h->good;
}

/* The fs-verity digest of a file whose pages have these hashes. Whether the guest keeps a Merkle tree of it does not matter: what is in
 * memory and on the disk now was hashed. */
static bool end_verity(const struct ksma_examiner *examiner, const uint8_t *leaves,
		       const struct ksma_file_pages *contents, struct whole *whole)
{
	uint8_t root[KSMA_SHA256];
	struct ksma_error *error =
		ksma_verity_root(examiner->sha256, leaves, contents->pages, root);

	if (!error)
		ksma_verity_digest(examiner->sha256, root, contents->file.size, whole->other);
	ksma_error_destroy(error);
	return !error;
}

/* Hashes the whole, and takes the fingerprints on the way where `macs` is given. */
static enum ksma_page_state hash_contents(const struct ksma_examiner *examiner,
					  struct ksma_file_pages *contents,
					  struct ksma_page_mac *macs, struct whole *whole)
{
	_cleanup_free_ uint8_t *leaves =
		whole->verity ? calloc(contents->pages + 1, KSMA_SHA256) : NULL;
	struct hashing hashing = hashing_begin(whole->second);
	uint64_t left = contents->file.size;
	enum ksma_page_state state;
	const uint8_t *page;

	hashing.good = hashing.good && (leaves || !whole->verity);
	ksma_file_pages_rewind(contents);
	while ((state = ksma_file_pages_next(contents, &page)) == KSMA_PAGE_HERE) {
		size_t length = left < KSMA_PAGE_SIZE ? (size_t)left : KSMA_PAGE_SIZE;

		if (macs)
			macs[contents->index - 1] = ksma_verdicts_mac(examiner->verdicts, page);
		if (leaves)
			ksma_sha256(examiner->sha256, page, KSMA_PAGE_SIZE,
				    leaves + (contents->index - 1) * KSMA_SHA256);
		left -= length;
		/* What lies behind the end is mapped into processes too: with something there, it is another file. */
		if (macs && !is_zero(page + length, KSMA_PAGE_SIZE - length))
			length = KSMA_PAGE_SIZE;
		hashing_add(&hashing, page, length);
	}
	if (!hashing_end(&hashing, whole) && state == KSMA_PAGE_END)
		return KSMA_PAGE_UNREADABLE;
	if (leaves && state == KSMA_PAGE_END && !end_verity(examiner, leaves, contents, whole))
		return KSMA_PAGE_UNREADABLE;
	return state;
}

/* Anything that was signed, under any name. */
static void examine_by_contents(const struct ksma_examiner *examiner,
				struct ksma_file_pages *contents, struct ksma_examined *examined)
{
	struct ksma_manifest_entry entry;
	struct whole whole = { 0 };
	enum ksma_page_state state = hash_contents(examiner, contents, examined->macs, &whole);
	struct ksma_error *error;
	bool found;

	if (state != KSMA_PAGE_END) {
		settle_broken(examined, state);
		return;
	}
	examined->hashed = true;
	memcpy(examined->sha256, whole.sha256, sizeof(examined->sha256));
	error = ksma_manifest_find_hash(examiner->manifest, examined->sha256, &found, &entry);
	if (error) {
		settle_error(examined, error);
	} else if (!found || entry.size != contents->file.size) {
		deny(examined, KSMA_REASON_NOT_LISTED);
	} else {
		settle(examined, KSMA_OUTCOME_ALLOW, KSMA_REASON_MANIFEST);
		snprintf(examined->detail, sizeof(examined->detail), "as %s", entry.path);
	}
}

/* What a folder of keys says of a signature, as a reason. */
static void settle_signer(struct ksma_examined *examined, const struct ksma_verdict *verdict)
{
	static const enum ksma_reason reasons[] = {
		[KSMA_TRUST_GOOD] = KSMA_REASON_IMA,
		[KSMA_TRUST_UNSIGNED] = KSMA_REASON_UNSIGNED,
		[KSMA_TRUST_UNKNOWN] = KSMA_REASON_UNKNOWN_KEY,
		[KSMA_TRUST_BAD] = KSMA_REASON_SIGNATURE,
		[KSMA_TRUST_EXPIRED] = KSMA_REASON_EXPIRED,
		[KSMA_TRUST_REVOKED] = KSMA_REASON_REVOKED,
		[KSMA_TRUST_USAGE] = KSMA_REASON_SIGNATURE,
		[KSMA_TRUST_WEAK] = KSMA_REASON_SIGNATURE,
	};

	if (verdict->trust == KSMA_TRUST_GOOD)
		settle(examined, KSMA_OUTCOME_ALLOW, KSMA_REASON_IMA);
	else
		deny(examined, verdict->trust < ARRAY_SIZE(reasons) ? reasons[verdict->trust]
								    : KSMA_REASON_SIGNATURE);
	snprintf(examined->detail, sizeof(examined->detail), "%s",
		 *verdict->why ? verdict->why : verdict->signer);
}

/* Does the rule take such a signature, and can it be verified? Of fs-verity, files have a SHA-256 tree by default, and no other is computed here. */
static bool is_taken(const struct ksma_ima *ima, const struct ksma_policy_verdict *asked)
{
	bool verity = ima->kind == KSMA_IMA_VERITY_SIG;

	if (asked->hashes && (ima->number >= 31 || !(asked->hashes >> ima->number & 1)))
		return false;
	if (asked->signatures &&
	    !(asked->signatures & (verity ? KSMA_SIGNATURE_VERITY : KSMA_SIGNATURE_FILE)))
		return false;
	return !verity || strcmp(ima->algorithm, "SHA256") == 0;
}

/* Reads the attribute and takes it apart. @return whether there is a signature to verify */
static bool take_signature(const struct ksma_examiner *examiner, const struct ksma_subject *subject,
			   const struct ksma_policy_verdict *asked, struct ksma_ima *ima,
			   struct ksma_examined *examined)
{
	const struct ksma_disk_source *disk = examiner->disk;
	struct ksma_error *error;

	if (!disk || !disk->signature) {
		settle(examined, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_INCOMPLETE);
		return false;
	}
	error = disk->signature(disk->arg, &subject->file, examined->signature,
				sizeof(examined->signature), &examined->signature_length);
	if (error) {
		settle(examined, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_INCOMPLETE);
	} else if (!examined->signature_length) {
		deny(examined, KSMA_REASON_UNSIGNED);
		return false;
	} else {
		error = ksma_ima_parse(examined->signature, examined->signature_length, ima);
		if (error)
			deny(examined, KSMA_REASON_SIGNATURE);
	}
	if (error) {
		snprintf(examined->detail, sizeof(examined->detail), "%s", error->message);
		ksma_error_destroy(error);
		return false;
	}
	if (ima->kind == KSMA_IMA_HASH) {
		deny(examined, KSMA_REASON_UNSIGNED);
		return false;
	}
	if (is_taken(ima, asked))
		return true;
	deny(examined, KSMA_REASON_SIGNATURE);
	snprintf(examined->detail, sizeof(examined->detail),
		 "a signature of this kind (%s%s) is not taken",
		 ima->kind == KSMA_IMA_SIGNATURE ? "" : "fs-verity, ", ima->algorithm);
	return false;
}

static void examine_signature(const struct ksma_examiner *examiner,
			      const struct ksma_subject *subject,
			      const struct ksma_policy_verdict *asked,
			      struct ksma_file_pages *contents, struct ksma_examined *examined)
{
	struct ksma_ima ima;
	struct ksma_verdict verdict;
	struct whole whole = { 0 };
	enum ksma_page_state state;
	struct ksma_error *error;

	if (!take_signature(examiner, subject, asked, &ima, examined))
		return;
	whole.verity = ima.kind == KSMA_IMA_VERITY_SIG;
	whole.second = whole.verity ? NULL : EVP_get_digestbyname(ima.algorithm);
	if ((!whole.second && !whole.verity) || !examiner->keys) {
		deny(examined, examiner->keys ? KSMA_REASON_SIGNATURE : KSMA_REASON_UNKNOWN_KEY);
		return;
	}
	state = hash_contents(examiner, contents, examined->macs, &whole);
	if (state != KSMA_PAGE_END) {
		settle_broken(examined, state);
		return;
	}
	examined->hashed = true;
	memcpy(examined->sha256, whole.sha256, sizeof(examined->sha256));
	error = ksma_ima_verify(&ima, examiner->keys, whole.other, &verdict);
	if (error) {
		ksma_error_destroy(error);
		settle(examined, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_INCOMPLETE);
		return;
	}
	settle_signer(examined, &verdict);
}

static void examine_manifest(const struct ksma_examiner *examiner,
			     const struct ksma_subject *subject,
			     const struct ksma_policy_verdict *asked,
			     struct ksma_file_pages *contents, struct ksma_examined *examined)
{
	if (examiner->distrusts)
		settle(examined, KSMA_OUTCOME_DENY, KSMA_REASON_REVOKED);
	else if (!examiner->manifest)
		settle(examined, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_MANIFEST_LOST);
	else if (asked->trust == KSMA_SUFFICES_CONTENTS)
		examine_by_contents(examiner, contents, examined);
	else if (!*subject->path)
		settle(examined, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_UNREADABLE);
	else
		examine_by_names(examiner, subject, contents, examined);
}

/* The manifest, the file's own signature, one of them, or both. */
static void examine_both(const struct ksma_examiner *examiner, const struct ksma_subject *subject,
			 const struct ksma_policy_verdict *asked, struct ksma_file_pages *contents,
			 struct ksma_examined *examined)
{
	struct ksma_examined second = { .macs = examined->macs };

	if (asked->trust == KSMA_SUFFICES_IMA) {
		examine_signature(examiner, subject, asked, contents, examined);
		return;
	}
	examine_manifest(examiner, subject, asked, contents, examined);
	if (asked->trust == KSMA_SUFFICES_BOTH) {
		if (examined->outcome != KSMA_OUTCOME_ALLOW)
			return;
		examine_signature(examiner, subject, asked, contents, &second);
		if (second.outcome == KSMA_OUTCOME_ALLOW)
			second.reason = KSMA_REASON_BOTH;
		*examined = second;
	} else if (asked->trust == KSMA_SUFFICES_EITHER &&
		   examined->outcome != KSMA_OUTCOME_ALLOW) {
		examine_signature(examiner, subject, asked, contents, &second);
		/* A refusal is one when both refuse. */
		if (second.outcome == KSMA_OUTCOME_ALLOW ||
		    (second.outcome == KSMA_OUTCOME_UNDECIDED &&
		     examined->outcome == KSMA_OUTCOME_DENY))
			*examined = second;
	}
}

static void examine_contents(const struct ksma_examiner *examiner,
			     const struct ksma_subject *subject,
			     const struct ksma_policy_verdict *asked,
			     struct ksma_file_pages *contents, struct ksma_examined *examined)
{
	examined->macs = calloc(contents->pages ? contents->pages : 1, sizeof(*examined->macs));
	if (!examined->macs)
		settle(examined, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_INCOMPLETE);
	else
		examine_both(examiner, subject, asked, contents, examined);
	if (examined->outcome == KSMA_OUTCOME_ALLOW && examiner->keys &&
	    ksma_keys_file_revoked(examiner->keys, examined->sha256))
		deny(examined, KSMA_REASON_REVOKED);
}

void ksma_examine(const struct ksma_examiner *examiner, const struct ksma_subject *subject,
		  const struct ksma_policy_verdict *asked, uint64_t deadline_ns,
		  struct ksma_examined *ret_examined)
{
	struct ksma_file_pages contents;

	memset(ret_examined, 0, sizeof(*ret_examined));
	if (subject->deleted && asked->trust != KSMA_SUFFICES_CONTENTS) {
		deny(ret_examined, KSMA_REASON_DELETED);
		return;
	}
	if (subject->file.size > (uint64_t)KSMA_EXAMINED_MAX * KSMA_PAGE_SIZE) {
		settle(ret_examined, KSMA_OUTCOME_UNDECIDED, KSMA_REASON_TOO_LARGE);
		return;
	}
	if (!open_contents(examiner, subject, deadline_ns, &contents, ret_examined))
		return;
	examine_contents(examiner, subject, asked, &contents, ret_examined);
	ret_examined->pages = contents.index;
	ret_examined->from_disk = contents.from_disk;
	ksma_file_pages_deinit(&contents);
	if (ret_examined->outcome != KSMA_OUTCOME_ALLOW) {
		free(ret_examined->macs);
		ret_examined->macs = NULL;
	}
}

bool ksma_examine_hash(const struct ksma_examiner *examiner, const struct ksma_subject *subject,
		       uint64_t deadline_ns, uint8_t ret_sha256[KSMA_SHA256])
{
	struct ksma_examined ignored = { 0 };
	struct ksma_file_pages contents;
	struct whole whole = { 0 };
	enum ksma_page_state state;

	if (subject->file.size > (uint64_t)KSMA_EXAMINED_MAX * KSMA_PAGE_SIZE ||
	    !open_contents(examiner, subject, deadline_ns, &contents, &ignored))
		return false;
	state = hash_contents(examiner, &contents, NULL, &whole);
	ksma_file_pages_deinit(&contents);
	if (state != KSMA_PAGE_END)
		return false;
	memcpy(ret_sha256, whole.sha256, sizeof(whole.sha256));
	return true;
}

enum ksma_again ksma_examine_again(const struct ksma_examiner *examiner,
				   const struct ksma_subject *subject,
				   const struct ksma_file_verdict *verdict, bool from_disk,
				   uint64_t deadline_ns, uint64_t *ret_pages,
				   uint64_t *ret_from_disk)
{
	struct ksma_examined ignored = { 0 };
	struct ksma_file_pages contents;
	enum ksma_again again = KSMA_AGAIN_SAME;
	enum ksma_page_state state;
	const uint8_t *page;

	*ret_pages = *ret_from_disk = 0;
	if (!open_contents(examiner, subject, deadline_ns, &contents, &ignored))
		return KSMA_AGAIN_UNKNOWN;
	contents.skip_missing = !from_disk;
	contents.in_place = true;
	if (contents.pages != verdict->pages)
		again = KSMA_AGAIN_CHANGED;
	while (again == KSMA_AGAIN_SAME &&
	       (state = ksma_file_pages_next(&contents, &page)) != KSMA_PAGE_END) {
		if (state == KSMA_PAGE_MISSING)
			continue;
		if (state != KSMA_PAGE_HERE)
			again = KSMA_AGAIN_UNKNOWN;
		else if (!ksma_verdicts_page(examiner->verdicts, verdict, contents.index - 1, page))
			again = KSMA_AGAIN_CHANGED;
		else
			++*ret_pages;
	}
	*ret_from_disk = contents.from_disk;
	ksma_file_pages_deinit(&contents);
	return again;
}

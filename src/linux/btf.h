/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* BPF Type Format as a guest gives it: a bounded, strict reader that answers "where in this struct is that member".
 *
 * Source: Documentation/bpf/btf.rst of the kernel. Hostile input: every offset, count and type chain is checked, types may be
 * cyclic, names may be unterminated. */
#ifndef KSMA_LINUX_BTF_H
#define KSMA_LINUX_BTF_H

#include "base/util.h"

struct ksma_btf;

enum ksma_btf_kind {
	KSMA_BTF_VOID = 0,
	KSMA_BTF_INT = 1,
	KSMA_BTF_PTR = 2,
	KSMA_BTF_ARRAY = 3,
	KSMA_BTF_STRUCT = 4,
	KSMA_BTF_UNION = 5,
	KSMA_BTF_ENUM = 6,
	KSMA_BTF_FWD = 7,
	KSMA_BTF_TYPEDEF = 8,
	KSMA_BTF_VOLATILE = 9,
	KSMA_BTF_CONST = 10,
	KSMA_BTF_RESTRICT = 11,
	KSMA_BTF_FUNC = 12,
	KSMA_BTF_FUNC_PROTO = 13,
	KSMA_BTF_VAR = 14,
	KSMA_BTF_DATASEC = 15,
	KSMA_BTF_FLOAT = 16,
	KSMA_BTF_DECL_TAG = 17,
	KSMA_BTF_TYPE_TAG = 18,
	KSMA_BTF_ENUM64 = 19,
	KSMA_BTF_KIND_MAX = 19,
};

/* Where a member lies. */
struct ksma_btf_member {
	uint64_t bit_offset; /* from the start of the outer struct */
	uint32_t bits;	     /* width of a bit field, else 0 */
	uint32_t type;	     /* type id of the member, modifiers and typedefs included */
	uint64_t size;	     /* bytes of the member's type (an array's whole size) */
};

/* The size that a header promises for the whole blob, or 0 when `data` does not start with a sane BTF header (magic 0xEB9F,
 * version 1, lengths within 64 MiB). Needs 24 bytes, or 32 for the header of 7.1. */
size_t ksma_btf_header_size(const void *data, size_t length);

/* Copies, reads and checks a BTF blob. `data` may change meanwhile, and may go away afterwards.
 * @return NULL, BAD_DATA, LIMIT or NOMEM */
struct ksma_error *ksma_btf_create(const void *data, size_t length,
				   struct ksma_btf **ret_btf) KSMA_MUST_CHECK;
void ksma_btf_destroy(struct ksma_btf *btf);

uint32_t ksma_btf_type_count(const struct ksma_btf *btf);
enum ksma_btf_kind ksma_btf_kind_of(const struct ksma_btf *btf, uint32_t id);
const char *ksma_btf_name_of(const struct ksma_btf *btf, uint32_t id); /* "" when it has none */

/* The id of a named struct, union, enum, typedef … or 0. STRUCT also finds a union and the other way round. */
uint32_t ksma_btf_find(const struct ksma_btf *btf, enum ksma_btf_kind kind, const char *name);

/* Size of a type in bytes after modifiers; false when it has none. */
bool ksma_btf_size_of(const struct ksma_btf *btf, uint32_t id, uint64_t *ret_size);

/* Follows typedef, const, volatile, restrict, type tags. 0 on a cycle. */
uint32_t ksma_btf_strip(const struct ksma_btf *btf, uint32_t id);

/* The type a pointer, array, typedef, var or func refers to, 0 when none. */
uint32_t ksma_btf_target(const struct ksma_btf *btf, uint32_t id);
/* Number of elements of an array type, 0 when it is not one. */
uint32_t ksma_btf_array_count(const struct ksma_btf *btf, uint32_t id);

/* Finds a member by path: "a.b", through anonymous structs and unions. @return false when there is none. */
bool ksma_btf_member(const struct ksma_btf *btf, uint32_t type, const char *path,
		     struct ksma_btf_member *ret_member);

/* Calls `fn` for each direct member of a struct or union; a member's name is "" when anonymous. fn returns false to stop. */
typedef bool (*ksma_btf_member_fn)(void *arg, const char *name,
				   const struct ksma_btf_member *member);
void ksma_btf_each_member(const struct ksma_btf *btf, uint32_t type, ksma_btf_member_fn fn,
			  void *arg);

/* True unless functions of the two prototypes (FUNC_PROTO, FUNC or pointers to them) surely want different things: another number of
 * parameters, other sizes, or pointers to structs of other names. What cannot be told counts as alike. */
bool ksma_btf_calls_alike(const struct ksma_btf *btf, uint32_t a, uint32_t b);

/* The value of an enumerator, searched in the named enum, or in all enums when `enum_name` is NULL (which makes an index of them
 * at the first call). 32 bits without a sign, which all enums were before pahole 1.24, come out as 0 to 2^32-1. */
bool ksma_btf_enumerator(const struct ksma_btf *btf, const char *enum_name, const char *enumerator,
			 int64_t *ret_value);

#endif

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the list of ftrace's users, their hashes of places, and the records of the places themselves.
 *
 * Source: kernel/trace/ftrace.c, include/linux/ftrace.h. */
#include "linux/ftrace.h"

#include "base/bytes.h"

enum {
	MAX_OPS = 1 << 16,
	MAX_BITS = 16, /* FTRACE_HASH_MAX_BITS is 12 */
	MAX_STRUCT = 512,
	MAX_PAGES = 1 << 14,
	PAGE_BYTES = 4096,
	MAX_ORDER = 10, /* of the pages of one group of records */
};

static void hash_deinit(struct ksma_ftrace_hash *hash)
{
	free(hash->items);
	*hash = (struct ksma_ftrace_hash){ 0 };
}

void ksma_ftrace_deinit(struct ksma_ftrace *ftrace)
{
	for (size_t i = 0; i < ftrace->count; i++) {
		hash_deinit(&ftrace->items[i].filter);
		hash_deinit(&ftrace->items[i].notrace);
	}
	free(ftrace->items);
	hash_deinit(&ftrace->direct);
	*ftrace = (struct ksma_ftrace){ 0 };
}

static struct ksma_error *torn(const char *what, uint64_t address)
{
	return ksma_error_create(
		KSMA_ERROR_BAD_DATA,
		"%s of ftrace at 0x%llx changed while it was read, or was tampered with", what,
		(unsigned long long)address);
}

static int by_ip(const void *a, const void *b)
{
	const struct ksma_ftrace_entry *x = a, *y = b;

	return x->ip < y->ip ? -1 : x->ip > y->ip;
}

/* One bucket: struct ftrace_func_entry { hlist; ip; direct }. */
static struct ksma_error *read_bucket(struct ksma_kernel *kernel, struct ksma_budget *budget,
				      uint64_t head, uint64_t first, uint64_t limit,
				      struct ksma_ftrace_hash *hash)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t pprev = head, node = first, links[2];

	while (node) {
		uint64_t at = node - (uint64_t)off->ftrace_func_entry__hlist;
		struct ksma_ftrace_entry *entry;

		if (!ksma_budget_spend(budget))
			return ksma_budget_error("the hashes of ftrace");
		if (hash->count >= limit)
			return torn("a hash", head);
		if (!ksma_kernel_bytes(kernel, node, links, sizeof(links)) || links[1] != pprev)
			return torn("an entry", node);
		KSMA_TRY(KSMA_ARRAY_PUSH(hash, &entry));
		if (!ksma_kernel_u64(kernel, at + (uint64_t)off->ftrace_func_entry__ip,
				     &entry->ip) ||
		    (off->ftrace_func_entry__direct != KSMA_NO_MEMBER &&
		     !ksma_kernel_u64(kernel, at + (uint64_t)off->ftrace_func_entry__direct,
				      &entry->direct)))
			return torn("an entry", node);
		pprev = node;
		node = links[0];
	}
	return NULL;
}

/* All the buckets of a struct ftrace_hash. NULL and one of count 0 are empty. */
static struct ksma_error *read_hash(struct ksma_kernel *kernel, struct ksma_budget *budget,
				    uint64_t address, struct ksma_ftrace_hash *hash)
{
	const struct ksma_offsets *off = &kernel->off;
	_cleanup_free_ uint8_t *heads = NULL;
	uint64_t bits, buckets, count, size;

	if (!address)
		return NULL;
	if (!ksma_kernel_u64(kernel, address + (uint64_t)off->ftrace_hash__size_bits, &bits) ||
	    !ksma_kernel_u64(kernel, address + (uint64_t)off->ftrace_hash__buckets, &buckets) ||
	    !ksma_kernel_u64(kernel, address + (uint64_t)off->ftrace_hash__count, &count))
		return torn("a hash", address);
	if (count == 0)
		return NULL;
	if (bits > MAX_BITS)
		return torn("a hash", address);
	size = 8ull << bits;
	heads = malloc(size);
	if (!heads)
		return ksma_error_nomem();
	if (!ksma_kernel_bytes(kernel, buckets, heads, size))
		return torn("a hash", address);
	for (uint64_t i = 0; i < size; i += 8)
		KSMA_TRY(read_bucket(kernel, budget, buckets + i, ksma_le64(heads + i), count,
				     hash));
	if (hash->count != count)
		return torn("a hash", address);
	qsort(hash->items, hash->count, sizeof(*hash->items), by_ip);
	return NULL;
}

static uint64_t word(const uint8_t *bytes, int32_t offset, uint32_t size)
{
	return offset != KSMA_NO_MEMBER && (uint32_t)offset + 8 <= size ? ksma_le64(bytes + offset)
									: 0;
}

/* What a user says of itself, its hashes not yet read. @ret_next the one after it */
static struct ksma_error *read_fields(struct ksma_kernel *kernel, uint64_t address,
				      struct ksma_ftrace_ops *ops, uint64_t *ret_next)
{
	const struct ksma_offsets *off = &kernel->off;
	uint32_t size = kernel->size.ftrace_ops;
	uint8_t bytes[MAX_STRUCT];
	uint64_t hashes;

	if (!ksma_kernel_bytes(kernel, address, bytes, size))
		return ksma_error_fault(address, "a user of ftrace at 0x%llx is not mapped",
					(unsigned long long)address);
	ops->address = address;
	ops->func = word(bytes, off->ftrace_ops__func, size);
	ops->saved_func = word(bytes, off->ftrace_ops__saved_func, size);
	ops->flags = word(bytes, off->ftrace_ops__flags, size);
	ops->trampoline = word(bytes, off->ftrace_ops__trampoline, size);
	ops->trampoline_size = word(bytes, off->ftrace_ops__trampoline_size, size);
	ops->direct_call = word(bytes, off->ftrace_ops__direct_call, size);
	hashes = word(bytes, off->ftrace_ops__func_hash, size);
	if (!ksma_kernel_u64(kernel, hashes + (uint64_t)off->ftrace_ops_hash__filter_hash,
			     &ops->filter_at) ||
	    !ksma_kernel_u64(kernel, hashes + (uint64_t)off->ftrace_ops_hash__notrace_hash,
			     &ops->notrace_at))
		return torn("the hashes of a user", address);
	if (ret_next)
		*ret_next = word(bytes, off->ftrace_ops__next, size);
	return NULL;
}

/* @ret_next NULL: not wanted */
static struct ksma_error *add_ops(struct ksma_kernel *kernel, struct ksma_budget *budget,
				  struct ksma_ftrace *ftrace, uint64_t address, uint64_t manager,
				  uint64_t *ret_next)
{
	struct ksma_ftrace_ops *ops;

	if (ftrace->count >= MAX_OPS)
		return ksma_budget_error("ftrace_ops_list");
	KSMA_TRY(KSMA_ARRAY_PUSH(ftrace, &ops));
	ops->manager = manager;
	KSMA_TRY(read_fields(kernel, address, ops, ret_next));
	KSMA_TRY(read_hash(kernel, budget, ops->filter_at, &ops->filter));
	return read_hash(kernel, budget, ops->notrace_at, &ops->notrace);
}

struct subops {
	struct ksma_kernel *kernel;
	struct ksma_budget *budget; /* of all entries of all hashes */
	struct ksma_ftrace *ftrace;
	uint64_t manager;
	struct ksma_error *error;
};

static bool take_subop(void *arg, uint64_t node)
{
	struct subops *s = arg;

	s->error = add_ops(s->kernel, s->budget, s->ftrace,
			   node - (uint64_t)s->kernel->off.ftrace_ops__list, s->manager, NULL);
	return !s->error;
}

/* The list is zero until a user first manages others. */
static struct ksma_error *add_subops(struct ksma_kernel *kernel, struct ksma_budget *budget,
				     struct ksma_ftrace *ftrace, uint64_t manager)
{
	struct subops s = { kernel, budget, ftrace, manager, NULL };
	struct ksma_error *error;
	uint64_t head, first;

	if (kernel->off.ftrace_ops__subop_list == KSMA_NO_MEMBER ||
	    kernel->off.ftrace_ops__list == KSMA_NO_MEMBER)
		return NULL;
	head = manager + (uint64_t)kernel->off.ftrace_ops__subop_list;
	if (!ksma_kernel_u64(kernel, head, &first) || !first)
		return NULL;
	error = ksma_kernel_list(kernel, head, budget, take_subop, &s);
	if (s.error) {
		ksma_error_destroy(error);
		return s.error;
	}
	return error;
}

static struct ksma_error *know_ops(const struct ksma_kernel *kernel)
{
	KSMA_TRY(KSMA_NEED(kernel, ftrace_ops__func));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_ops__next));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_ops__flags));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_ops__func_hash));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_ops_hash__filter_hash));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_ops_hash__notrace_hash));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_hash__size_bits));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_hash__buckets));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_hash__count));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_func_entry__hlist));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_func_entry__ip));
	if (!kernel->size.ftrace_ops || kernel->size.ftrace_ops > MAX_STRUCT)
		return ksma_kernel_missing_member("ftrace_ops as it is known here");
	return NULL;
}

static struct ksma_error *read_all(struct ksma_kernel *kernel, struct ksma_ftrace *ftrace)
{
	struct ksma_budget all = ksma_budget_default(), *budget = &all;
	uint64_t head, end, ops, next, direct_at = ksma_kernel_symbol(kernel, "direct_functions"),
				       direct;

	KSMA_TRY(know_ops(kernel));
	KSMA_TRY(ksma_kernel_need_symbol(kernel, "ftrace_ops_list", &head));
	KSMA_TRY(ksma_kernel_need_symbol(kernel, "ftrace_list_end", &end));
	if (!ksma_kernel_u64(kernel, head, &ops))
		return ksma_error_fault(head, "ftrace_ops_list is not mapped");
	for (; ops != end; ops = next) {
		if (!ops)
			return torn("the list of users", head);
		KSMA_TRY(add_ops(kernel, budget, ftrace, ops, 0, &next));
		KSMA_TRY(add_subops(kernel, budget, ftrace, ops));
	}
	if (direct_at && ksma_kernel_u64(kernel, direct_at, &direct))
		KSMA_TRY(read_hash(kernel, budget, direct, &ftrace->direct));
	if (!ksma_ftrace_is_current(kernel, ftrace))
		return torn("the list of users", head);
	return NULL;
}

struct ksma_error *ksma_linux_ftrace(struct ksma_kernel *kernel, struct ksma_ftrace *ret_ftrace)
{
	struct ksma_ftrace ftrace = { 0 };
	struct ksma_error *error = read_all(kernel, &ftrace);

	if (error) {
		ksma_ftrace_deinit(&ftrace);
		return error;
	}
	*ret_ftrace = ftrace;
	return NULL;
}

bool ksma_ftrace_is_current(struct ksma_kernel *kernel, const struct ksma_ftrace *ftrace)
{
	uint64_t head = ksma_kernel_symbol(kernel, "ftrace_ops_list"),
		 end = ksma_kernel_symbol(kernel, "ftrace_list_end"), ops;

	if (!head || !ksma_kernel_u64(kernel, head, &ops))
		return false;
	for (size_t i = 0; i < ftrace->count; i++) {
		const struct ksma_ftrace_ops *was = &ftrace->items[i];
		struct ksma_ftrace_ops now = { 0 };
		struct ksma_error *error;

		if (was->manager)
			continue;
		if (ops != was->address)
			return false;
		error = read_fields(kernel, ops, &now, &ops);
		ksma_error_destroy(error);
		if (error || now.flags != was->flags || now.func != was->func ||
		    now.filter_at != was->filter_at || now.notrace_at != was->notrace_at)
			return false;
	}
	return ops == end;
}

const struct ksma_ftrace_entry *ksma_ftrace_lookup(const struct ksma_ftrace_hash *hash, uint64_t ip)
{
	const struct ksma_ftrace_entry key = { .ip = ip };

	return hash->count ? bsearch(&key, hash->items, hash->count, sizeof(key), by_ip) : NULL;
}

unsigned ksma_ftrace_users(const struct ksma_ftrace *ftrace, uint64_t ip)
{
	unsigned users = 0;

	for (size_t i = 0; i < ftrace->count; i++) {
		const struct ksma_ftrace_ops *ops = &ftrace->items[i];

		if (!ops->manager && (!ops->filter.count || ksma_ftrace_lookup(&ops->filter, ip)) &&
		    !ksma_ftrace_lookup(&ops->notrace, ip))
			users++;
	}
	return users;
}

/* One struct ftrace_page { next; records; index; order }: a group of records. */
static struct ksma_error *read_group(struct ksma_kernel *kernel, uint64_t records, uint32_t count,
				     uint8_t *buffer, ksma_ftrace_record_fn fn, void *arg,
				     bool *ret_more)
{
	const struct ksma_offsets *off = &kernel->off;
	uint32_t size = kernel->size.dyn_ftrace, chunk = PAGE_BYTES / size;

	for (uint32_t done = 0; done < count && *ret_more; done += chunk) {
		uint32_t n = count - done < chunk ? count - done : chunk;

		if (!ksma_kernel_bytes(kernel, records + (uint64_t)done * size, buffer,
				       (size_t)n * size))
			return torn("a group of records", records);
		for (uint32_t i = 0; i < n && *ret_more; i++) {
			const uint8_t *record = buffer + (size_t)i * size;
			uint64_t flags = ksma_le64(record + off->dyn_ftrace__flags);

			if (flags & (KSMA_FTRACE_REC_ENABLED | KSMA_FTRACE_REC_COUNT))
				*ret_more = fn(arg, ksma_le64(record + off->dyn_ftrace__ip), flags);
		}
	}
	return NULL;
}

struct ksma_error *ksma_ftrace_records(struct ksma_kernel *kernel, ksma_ftrace_record_fn fn,
				       void *arg)
{
	const struct ksma_offsets *off = &kernel->off;
	uint64_t start, group;
	uint8_t buffer[PAGE_BYTES];
	bool more = true;

	KSMA_TRY(KSMA_NEED(kernel, dyn_ftrace__ip));
	KSMA_TRY(KSMA_NEED(kernel, dyn_ftrace__flags));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_page__next));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_page__records));
	KSMA_TRY(KSMA_NEED(kernel, ftrace_page__index));
	if (kernel->size.dyn_ftrace < 16 || kernel->size.dyn_ftrace > MAX_STRUCT ||
	    off->dyn_ftrace__ip > (int32_t)kernel->size.dyn_ftrace - 8 ||
	    off->dyn_ftrace__flags > (int32_t)kernel->size.dyn_ftrace - 8)
		return ksma_kernel_missing_member("dyn_ftrace as it is known here");
	KSMA_TRY(ksma_kernel_need_symbol(kernel, "ftrace_pages_start", &start));
	if (!ksma_kernel_u64(kernel, start, &group))
		return ksma_error_fault(start, "ftrace_pages_start is not mapped");
	for (unsigned i = 0; group && more; i++) {
		uint64_t records;
		uint32_t count;

		if (i == MAX_PAGES)
			return ksma_budget_error("ftrace_pages_start");
		if (!ksma_kernel_u64(kernel, group + (uint64_t)off->ftrace_page__records,
				     &records) ||
		    !ksma_kernel_u32(kernel, group + (uint64_t)off->ftrace_page__index, &count) ||
		    count > (PAGE_BYTES << MAX_ORDER) / kernel->size.dyn_ftrace)
			return torn("a group of records", group);
		KSMA_TRY(read_group(kernel, records, count, buffer, fn, arg, &more));
		if (!ksma_kernel_u64(kernel, group + (uint64_t)off->ftrace_page__next, &group))
			return torn("a group of records", group);
	}
	return NULL;
}

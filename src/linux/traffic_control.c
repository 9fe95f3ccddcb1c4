/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What traffic control does with the packets of a network device.
 *
 * The filters that see a packet first hang from a struct mini_Qdisc for each direction, since 6.6 by way of the struct that holds the device's
 * tcx programs (e420bed02507 "bpf: Add fd-based tcx multi-prog infra with link support"); it names its struct tcf_block too, and that all chains
 * (net/sched/sch_generic.c, mini_qdisc_pair_swap()). Other disciplines keep their block in data of their own, whose types are a module's: it is known
 * by pointing back to its discipline, which only blocks that are shared do not, and only the first kind of discipline shares (net/sched/cls_api.c,
 * tcf_block_create()). All but the root are in a hash table of the device. So it is in 5.10 to 7.2. */
#include "linux/traffic_control.h"

#include "base/bytes.h"
#include "linux/retry.h"

enum {
	HASH = 16, /* heads of net_device.qdisc_hash */
	MAX_QUEUES = 4096,
	MAX_OBJECTS = 4096,
	MAX_PRIVATE = 16384, /* bytes; htb has 2 KiB */
};

struct walk {
	struct ksma_kernel *kernel;
	struct ksma_budget budget;
	struct ksma_tc *tc;
	struct ksma_tc_objects chains; /* of one block */
	int32_t link;		       /* of the list that is walked */
	struct ksma_tc_objects *into;
	struct ksma_error *error;
};

static struct ksma_error *read_member(struct walk *w, uint64_t object, int32_t offset,
				      uint64_t *ret)
{
	*ret = 0;
	if (offset == KSMA_NO_MEMBER)
		return NULL;
	if (!ksma_budget_spend(&w->budget))
		return ksma_budget_error("traffic control");
	if (!ksma_kernel_u64(w->kernel, object + (uint64_t)offset, ret))
		return ksma_error_fault(object, "a part of traffic control is not in memory");
	return NULL;
}

/* Adds an object once. @ret_new may be NULL */
static struct ksma_error *add(struct ksma_tc_objects *objects, uint64_t object, bool *ret_new)
{
	uint64_t *slot;

	if (ret_new)
		*ret_new = false;
	for (size_t i = 0; i < objects->count; i++)
		if (objects->items[i] == object)
			return NULL;
	if (objects->count == MAX_OBJECTS)
		return ksma_error_create(KSMA_ERROR_LIMIT,
					 "more than %d disciplines or filters on a device",
					 MAX_OBJECTS);
	KSMA_TRY(KSMA_ARRAY_PUSH(objects, &slot));
	*slot = object;
	if (ret_new)
		*ret_new = true;
	return NULL;
}

static bool take(void *arg, uint64_t node)
{
	struct walk *w = arg;

	w->error = add(w->into, node - (uint64_t)w->link, NULL);
	return !w->error;
}

/* What is seen already is not followed again: filters in a circle end. */
static struct ksma_error *add_filters(struct walk *w, uint64_t filter)
{
	while (filter) {
		bool is_new;

		KSMA_TRY(add(&w->tc->filters, filter, &is_new));
		if (!is_new)
			return NULL;
		KSMA_TRY(read_member(w, filter, w->kernel->off.tcf_proto__next, &filter));
	}
	return NULL;
}

static struct ksma_error *add_block(struct walk *w, uint64_t block)
{
	const struct ksma_offsets *off = &w->kernel->off;
	uint64_t filter;

	if (off->tcf_block__chain_list == KSMA_NO_MEMBER || off->tcf_chain__list == KSMA_NO_MEMBER)
		return NULL;
	w->chains.count = 0;
	w->link = off->tcf_chain__list;
	w->into = &w->chains;
	KSMA_TRY(ksma_kernel_list(w->kernel, block + (uint64_t)off->tcf_block__chain_list,
				  &w->budget, take, w));
	KSMA_TRY(w->error);
	for (size_t i = 0; i < w->chains.count; i++) {
		KSMA_TRY(read_member(w, w->chains.items[i], off->tcf_chain__filter_chain, &filter));
		KSMA_TRY(add_filters(w, filter));
	}
	return NULL;
}

static struct ksma_error *add_mini(struct walk *w, uint64_t mini)
{
	uint64_t filter, block;

	KSMA_TRY(read_member(w, mini, w->kernel->off.mini_Qdisc__filter_list, &filter));
	KSMA_TRY(add_filters(w, filter));
	KSMA_TRY(read_member(w, mini, w->kernel->off.mini_Qdisc__block, &block));
	return block ? add_block(w, block) : NULL;
}

static struct ksma_error *add_minis(struct walk *w, uint64_t device)
{
	const struct ksma_offsets *off = &w->kernel->off;
	const int32_t direct[] = { off->net_device__miniq_ingress, off->net_device__miniq_egress },
		      by_tcx[] = { off->net_device__tcx_ingress, off->net_device__tcx_egress };

	for (size_t i = 0; i < ARRAY_SIZE(direct); i++) {
		uint64_t mini, entry, bundle;

		KSMA_TRY(read_member(w, device, direct[i], &mini));
		if (mini)
			KSMA_TRY(add_mini(w, mini));
		KSMA_TRY(read_member(w, device, by_tcx[i], &entry));
		if (!entry || off->tcx_entry__bundle == KSMA_NO_MEMBER)
			continue;
		KSMA_TRY(read_member(w, entry, off->bpf_mprog_entry__parent, &bundle));
		if (!bundle)
			continue;
		KSMA_TRY(read_member(w, bundle - (uint64_t)off->tcx_entry__bundle,
				     off->tcx_entry__miniq, &mini));
		if (mini)
			KSMA_TRY(add_mini(w, mini));
	}
	return NULL;
}

/* Is this word of a discipline's own data its block? */
static bool is_block_of(struct walk *w, uint64_t word, uint64_t qdisc)
{
	uint64_t back;

	return word && !(word & 7) &&
	       ksma_kernel_u64(w->kernel, word + (uint64_t)w->kernel->off.tcf_block__q, &back) &&
	       back == qdisc;
}

/* The filters of a discipline that may have some. */
static struct ksma_error *add_filters_of(struct walk *w, uint64_t qdisc)
{
	const struct ksma_offsets *off = &w->kernel->off;
	uint64_t ops, classes, has_block, has_change, word;
	uint32_t size;

	if (off->Qdisc__privdata == KSMA_NO_MEMBER || off->Qdisc_ops__priv_size == KSMA_NO_MEMBER ||
	    off->tcf_block__q == KSMA_NO_MEMBER)
		return NULL;
	KSMA_TRY(read_member(w, qdisc, off->Qdisc__ops, &ops));
	if (!ops)
		return NULL;
	KSMA_TRY(read_member(w, ops, off->Qdisc_ops__cl_ops, &classes));
	if (!classes)
		return NULL;
	KSMA_TRY(read_member(w, classes, off->Qdisc_class_ops__tcf_block, &has_block));
	KSMA_TRY(read_member(w, classes, off->Qdisc_class_ops__change, &has_change));
	if (!has_block)
		return NULL;
	if (!ksma_kernel_u32(w->kernel, ops + (uint64_t)off->Qdisc_ops__priv_size, &size))
		return ksma_error_fault(ops, "a discipline's table is not in memory");
	/* Classes that people make have blocks of their own, in hash tables of types that are the module's. */
	if (has_change && (off->Qdisc_ops__id == KSMA_NO_MEMBER ||
			   !ksma_kernel_string(w->kernel, ops + (uint64_t)off->Qdisc_ops__id,
					       w->tc->classful, sizeof(w->tc->classful)) ||
			   !*w->tc->classful))
		snprintf(w->tc->classful, sizeof(w->tc->classful), "classful");
	for (uint32_t at = 0; at + 8 <= size && at < MAX_PRIVATE; at += 8) {
		KSMA_TRY(read_member(w, qdisc + at, off->Qdisc__privdata, &word));
		if (is_block_of(w, word, qdisc))
			KSMA_TRY(add_block(w, word));
	}
	return NULL;
}

static struct ksma_error *add_qdisc_at(struct walk *w, uint64_t object, int32_t offset)
{
	uint64_t qdisc;

	KSMA_TRY(read_member(w, object, offset, &qdisc));
	return qdisc ? add(&w->tc->qdiscs, qdisc, NULL) : NULL;
}

static struct ksma_error *add_hashed(struct walk *w, uint64_t device)
{
	const struct ksma_offsets *off = &w->kernel->off;
	uint64_t node;

	if (off->net_device__qdisc_hash == KSMA_NO_MEMBER || off->Qdisc__hash == KSMA_NO_MEMBER)
		return NULL;
	for (uint64_t i = 0; i < HASH; i++) {
		KSMA_TRY(read_member(w, device + i * 8, off->net_device__qdisc_hash, &node));
		for (unsigned n = 0; node; n++) {
			if (n == MAX_OBJECTS)
				return ksma_error_create(KSMA_ERROR_BAD_DATA,
							 "a device's disciplines do not end");
			KSMA_TRY(add(&w->tc->qdiscs, node - (uint64_t)off->Qdisc__hash, NULL));
			KSMA_TRY(read_member(w, node, 0, &node));
		}
	}
	return NULL;
}

static struct ksma_error *add_qdiscs(struct walk *w, uint64_t device)
{
	const struct ksma_offsets *off = &w->kernel->off;
	uint32_t size = w->kernel->size.netdev_queue, count = 0;
	uint64_t queues, ingress;

	KSMA_TRY(read_member(w, device, off->net_device___tx, &queues));
	KSMA_TRY(read_member(w, device, off->net_device__ingress_queue, &ingress));
	if (queues && size && off->net_device__num_tx_queues != KSMA_NO_MEMBER &&
	    !ksma_kernel_u32(w->kernel, device + (uint64_t)off->net_device__num_tx_queues, &count))
		return ksma_error_fault(device, "a network device is not in memory");
	if (count > MAX_QUEUES)
		return ksma_error_create(KSMA_ERROR_LIMIT, "a device with %u queues", count);
	for (uint32_t i = 0; i < count; i++)
		KSMA_TRY(add_qdisc_at(w, queues + (uint64_t)i * size, off->netdev_queue__qdisc));
	KSMA_TRY(add_qdisc_at(w, device, off->net_device__qdisc));
	if (ingress)
		KSMA_TRY(add_qdisc_at(w, ingress, off->netdev_queue__qdisc));
	KSMA_TRY(add_hashed(w, device));
	for (size_t i = 0; i < w->tc->qdiscs.count; i++)
		KSMA_TRY(add_filters_of(w, w->tc->qdiscs.items[i]));
	return NULL;
}

struct ksma_error *ksma_tc_read(struct ksma_kernel *kernel, uint64_t device, struct ksma_tc *ret_tc)
{
	struct walk w = { .kernel = kernel, .tc = ret_tc, .budget = ksma_budget_default() };
	struct ksma_error *error;
	unsigned attempt = 0;

	*ret_tc = (struct ksma_tc){ 0 };
	do {
		ret_tc->qdiscs.count = ret_tc->filters.count = 0;
		*ret_tc->classful = '\0';
		error = add_minis(&w, device);
		if (!error)
			error = add_qdiscs(&w, device);
	} while (ksma_kernel_retry(kernel, &attempt, &error));
	free(w.chains.items);
	return error;
}

void ksma_tc_deinit(struct ksma_tc *tc)
{
	free(tc->qdiscs.items);
	free(tc->filters.items);
	*tc = (struct ksma_tc){ 0 };
}

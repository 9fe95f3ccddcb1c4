/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The prop that stands in for a guest's kernel where only a few of its structures matter. */
#include "fake_kernel.h"

#include "linux/module_symbols.h"

enum { TABLES = 3 * KSMA_PAGE_SIZE, ARENA_GPA = 1 << 30, SYMBOLS = 32, NAMES = 2048 };

struct names {
	struct ksma_symbol items[SYMBOLS];
	char names[NAMES];
};

static void put_entry(struct fake_guest *fake, uint64_t gpa, uint64_t entry)
{
	memcpy(fake_guest_at(fake, gpa, 8), &entry, 8);
}

/* One path through the tables: a page of 1 GiB, of which the guest's memory ends where the arena does. */
static void make_tables(struct fake_kernel *k)
{
	uint64_t flags = KSMA_PTE_P | KSMA_PTE_W;

	put_entry(k->fake, 8 * ((k->base >> 39) & 511), KSMA_PAGE_SIZE | flags);
	put_entry(k->fake, KSMA_PAGE_SIZE + 8 * ((k->base >> 30) & 511),
		  ARENA_GPA | flags | KSMA_PTE_PS);
}

struct fake_kernel *fake_kernel_create(uint64_t base, uint64_t size, enum fake_kind kind)
{
	struct fake_kernel *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	k->base = base;
	k->size = size;
	k->fake = fake_guest_create();
	k->fake->guest.info.kind = KSMA_GUEST_DUMP_RAW;
	k->fake->guest.info.access = kind == FAKE_COPIED ? KSMA_RAM_COPIED : KSMA_RAM_MAPPED;
	fake_guest_add(k->fake, 0, NULL, TABLES, kind);
	fake_guest_add(k->fake, ARENA_GPA, NULL, size, kind);
	make_tables(k);
	k->kernel.guest = &k->fake->guest;
	memset(&k->kernel.off, 0xff, sizeof(k->kernel.off));
	memset(&k->kernel.enums, 0xff, sizeof(k->kernel.enums));
	if (ksma_space_init(&k->kernel.space, k->kernel.guest, 0, 4))
		abort();
	return k;
}

void fake_kernel_destroy(struct fake_kernel *k)
{
	if (!k)
		return;
	ksma_module_symbols_destroy(k->kernel.module_symbols);
	ksma_symbols_deinit(&k->kernel.symbols);
	ksma_space_deinit(&k->kernel.space);
	fake_guest_destroy(k->fake);
	free(k);
}

static int compare(const void *a, const void *b)
{
	const struct ksma_symbol *x = a, *y = b;

	return x->address < y->address ? -1 : x->address > y->address;
}

void fake_kernel_symbol(struct fake_kernel *k, const char *name, uint64_t address)
{
	struct ksma_symbols symbols = { 0 };
	struct names *names = calloc(1, sizeof(*names));
	size_t count = k->kernel.symbols.count, used = k->kernel.symbols.names_size;

	if (!names || count == SYMBOLS || used + strlen(name) + 1 > NAMES)
		abort();
	if (count) {
		memcpy(names->items, k->kernel.symbols.items, count * sizeof(names->items[0]));
		memcpy(names->names, k->kernel.symbols.names, used);
	}
	memcpy(names->names + used, name, strlen(name) + 1);
	names->items[count] =
		(struct ksma_symbol){ .address = address, .name = (uint32_t)used, .type = 'D' };
	qsort(names->items, count + 1, sizeof(names->items[0]), compare);
	symbols.items = names->items;
	symbols.count = count + 1;
	symbols.names = names->names;
	symbols.names_size = used + strlen(name) + 1;
	symbols.owned[0] = names;
	ksma_symbols_deinit(&k->kernel.symbols);
	if (ksma_symbols_index(&symbols))
		abort();
	k->kernel.symbols = symbols;
}

uint8_t *fake_kernel_at(struct fake_kernel *k, uint64_t address, uint64_t size)
{
	uint8_t *bytes = fake_guest_at(k->fake, address - k->base + ARENA_GPA, size);

	if (!bytes || address - k->base > k->size)
		abort();
	return bytes;
}

uint64_t fake_kernel_alloc(struct fake_kernel *k, uint64_t size, uint64_t align)
{
	uint64_t at = ksma_align_up(k->used, align);

	if (!ksma_in_range(at, size, k->size))
		abort();
	k->used = at + size;
	return k->base + at;
}

void fake_kernel_put(struct fake_kernel *k, uint64_t address, uint64_t value, unsigned size)
{
	memcpy(fake_kernel_at(k, address, size), &value, size);
}

void fake_kernel_list(struct fake_kernel *k, uint64_t head, const uint64_t *entries, size_t count)
{
	uint64_t previous = head;

	for (size_t i = 0; i < count; i++) {
		fake_kernel_put64(k, previous, entries[i]);
		fake_kernel_put64(k, entries[i] + 8, previous);
		previous = entries[i];
	}
	fake_kernel_put64(k, previous, head);
	fake_kernel_put64(k, head + 8, previous);
}

void fake_layout_containers(struct ksma_kernel *kernel)
{
	kernel->off.xarray__xa_head = 8;
	kernel->off.xa_node__shift = 0;
	kernel->off.xa_node__offset = 1;
	kernel->off.xa_node__parent = 8;
	kernel->off.xa_node__slots = 40;
	kernel->off.xa_node__marks = 552;
	kernel->size.xa_node = 576;
	kernel->off.maple_tree__ma_root = 8;
	kernel->off.maple_range_64__pivot = 8;
	kernel->off.maple_range_64__slot = 128;
	kernel->off.maple_range_64__meta = 248;
	kernel->off.maple_arange_64__pivot = 8;
	kernel->off.maple_arange_64__slot = 80;
	kernel->off.maple_arange_64__gap = 160;
	kernel->off.maple_arange_64__meta = 240;
	kernel->off.maple_metadata__end = 0;
	kernel->size.maple_node = 256;
}

/* state, list, name, srcversion, refcnt, taints, kallsyms: 128 bytes, and then the memory. */
static void layout_module_head(struct ksma_kernel *kernel)
{
	kernel->off.module__state = 0;
	kernel->off.module__list = 8;
	kernel->off.module__name = 24;
	kernel->off.module__srcversion = 80;
	kernel->off.module__refcnt = 88;
	kernel->off.module__taints = 96;
	kernel->off.module__kallsyms = 104;
	kernel->off.mod_kallsyms__symtab = 0;
	kernel->off.mod_kallsyms__num_symtab = 8;
	kernel->off.mod_kallsyms__strtab = 16;
	kernel->off.mod_kallsyms__typetab = 24;
	kernel->enums.MODULE_STATE_LIVE = 0;
	kernel->enums.MODULE_STATE_COMING = 1;
	kernel->enums.MODULE_STATE_GOING = 2;
	kernel->enums.MODULE_STATE_UNFORMED = 3;
}

void fake_layout_modules(struct ksma_kernel *kernel)
{
	layout_module_head(kernel);
	kernel->off.module__mem = 128;
	kernel->off.module_memory__base = 0;
	kernel->off.module_memory__size = 8;
	kernel->size.module_memory = 16;
	kernel->size.module = 128 + 7 * 16;
	kernel->enums.MOD_TEXT = 0;
	kernel->enums.MOD_INIT_TEXT = 4;
	kernel->enums.MOD_MEM_NUM_TYPES = 7;
}

void fake_layout_old_modules(struct ksma_kernel *kernel)
{
	layout_module_head(kernel);
	kernel->off.module__core_layout = 128;
	kernel->off.module__init_layout = 144;
	kernel->off.module_layout__base = 0;
	kernel->off.module_layout__size = 8;
	kernel->off.module_layout__text_size = 12;
	kernel->size.module = 160;
}

void fake_layout_log(struct ksma_kernel *kernel)
{
	kernel->off.printk_ringbuffer__desc_ring = 0;
	kernel->off.printk_ringbuffer__text_data_ring = 40;
	kernel->size.printk_ringbuffer = 80;
	kernel->off.prb_desc_ring__count_bits = 0;
	kernel->off.prb_desc_ring__descs = 8;
	kernel->off.prb_desc_ring__infos = 16;
	kernel->off.prb_desc_ring__head_id = 24;
	kernel->off.prb_desc_ring__tail_id = 32;
	kernel->off.prb_data_ring__size_bits = 0;
	kernel->off.prb_data_ring__data = 8;
	kernel->off.prb_desc__state_var = 0;
	kernel->off.prb_desc__text_blk_lpos = 8;
	kernel->size.prb_desc = 24;
	kernel->off.prb_data_blk_lpos__begin = 0;
	kernel->off.prb_data_blk_lpos__next = 8;
	kernel->size.prb_data_blk_lpos = 16;
	kernel->off.printk_info__seq = 0;
	kernel->off.printk_info__ts_nsec = 8;
	kernel->off.printk_info__text_len = 16;
	kernel->off.printk_info__facility = 18;
	kernel->off.printk_info__caller_id = 20;
	kernel->size.printk_info = 24;
}

void fake_layout_clock(struct ksma_kernel *kernel)
{
	kernel->off.timekeeper__offs_real = 0;
	kernel->off.timekeeper__offs_boot = 8;
	kernel->off.timekeeper__wall_to_monotonic = 16;
	kernel->size.timekeeper = 32;
}

static void layout_sock(struct ksma_kernel *kernel)
{
	kernel->off.sock_common__skc_daddr = 0;
	kernel->off.sock_common__skc_rcv_saddr = 4;
	kernel->off.sock_common__skc_dport = 8;
	kernel->off.sock_common__skc_num = 10;
	kernel->off.sock_common__skc_family = 12;
	kernel->off.sock_common__skc_state = 14;
	kernel->off.sock_common__skc_net = 16;
	kernel->off.sock_common__skc_listener = 24;
	kernel->off.sock_common__skc_v6_daddr = 32;
	kernel->off.sock_common__skc_v6_rcv_saddr = 48;
	kernel->off.sock_common__skc_node = 64;
	kernel->off.sock_common__skc_bind_node = 80;
	kernel->off.sock____sk_common = 0;
	kernel->off.sock__sk_type = 96;
	kernel->off.sock__sk_protocol = 98;
	kernel->off.sock__sk_uid = 100;
	kernel->off.sock__sk_socket = 104;
	kernel->off.inet_timewait_sock____tw_common = 0;
	kernel->off.inet_timewait_sock__tw_substate = 96;
	kernel->off.unix_sock__addr = 112;
	kernel->off.unix_sock__peer = 120;
	kernel->off.unix_address__len = 0;
	kernel->off.unix_address__name = 8;
	kernel->off.netlink_sock__portid = 112;
	kernel->off.file__private_data = 0;
	kernel->off.file__f_inode = 8;
	kernel->off.socket__file = 0;
	kernel->off.socket__sk = 8;
	kernel->off.socket_alloc__vfs_inode = 16;
	kernel->off.inode__i_ino = 8;
}

void fake_layout_sockets(struct ksma_kernel *kernel)
{
	layout_sock(kernel);
	kernel->off.net__list = 0;
	kernel->off.net__ns_inum = 16;
	kernel->off.net__tcp_hashinfo = 24;
	kernel->off.net__udp_table = 32;
	kernel->off.net__unix_buckets = 40;
	kernel->off.net__packet_sklist = 48;
	kernel->off.inet_hashinfo__ehash = 0;
	kernel->off.inet_hashinfo__ehash_mask = 8;
	kernel->off.inet_hashinfo__lhash2_mask = 12;
	kernel->off.inet_hashinfo__lhash2 = 16;
	kernel->off.inet_hashinfo__bhash = 24;
	kernel->off.inet_hashinfo__bhash_size = 32;
	kernel->off.inet_ehash_bucket__chain = 0;
	kernel->size.inet_ehash_bucket = 8;
	kernel->off.inet_listen_hashbucket__nulls_head = 8;
	kernel->size.inet_listen_hashbucket = 16;
	kernel->off.inet_bind_hashbucket__chain = 8;
	kernel->size.inet_bind_hashbucket = 16;
	kernel->off.inet_bind_bucket__node = 0;
	kernel->off.inet_bind_bucket__bhash2 = 16;
	kernel->off.inet_bind2_bucket__bhash_node = 0;
	kernel->off.inet_bind2_bucket__owners = 16;
	kernel->off.udp_table__hash = 0;
	kernel->off.udp_table__mask = 8;
	kernel->off.udp_hslot__head = 0;
	kernel->size.udp_hslot = 16;
	kernel->off.raw_hashinfo__ht = 8;
}

/* struct page has 64 bytes; the number of pages of a large folio is in its second. */
void fake_layout_page_cache(struct ksma_kernel *kernel)
{
	struct ksma_offsets *off = &kernel->off;

	off->inode__i_mode = 0;
	off->inode__i_uid = 4;
	off->inode__i_sb = 8;
	off->inode__i_mapping = 16;
	off->inode__i_ino = 24;
	off->inode__i_size = 32;
	off->inode__i_generation = 40;
	off->inode__i_gid = 44;
	off->inode__i_version = 48;
	off->inode__i_ctime_sec = 56;
	off->inode__i_ctime_nsec = 64;
	kernel->size.inode = 128;
	off->super_block__s_dev = 0;
	off->super_block__s_magic = 8;
	off->super_block__s_type = 16;
	off->super_block__s_id = 24;
	off->super_block__s_uuid = 56;
	off->file_system_type__name = 0;
	off->address_space__host = 0;
	off->address_space__i_pages = 8;
	off->address_space__nrpages = 32;
	off->page__flags = 0;
	off->folio__mapping = 24;
	off->folio__index = 32;
	off->folio___nr_pages = 64 + 8;
	kernel->size.page = 64;
	kernel->enums.PG_locked = 0;
	kernel->enums.PG_writeback = 1;
	kernel->enums.PG_uptodate = 3;
	kernel->enums.PG_dirty = 4;
	kernel->enums.PG_head = 6;
	kernel->enums.PG_hwpoison = 22;
	off->dentry__d_inode = 0;
	off->dentry__d_sb = 8;
}

void fake_layout_traffic_control(struct ksma_kernel *kernel)
{
	struct ksma_offsets *off = &kernel->off;

	off->net_device__miniq_ingress = 0;
	off->net_device__tcx_egress = 8;
	off->net_device___tx = 16;
	off->net_device__num_tx_queues = 24;
	off->net_device__qdisc = 32;
	off->net_device__ingress_queue = 40;
	off->net_device__qdisc_hash = 48; /* 16 heads */
	off->netdev_queue__qdisc = 0;
	kernel->size.netdev_queue = 8;
	off->bpf_mprog_entry__parent = 0;
	off->tcx_entry__miniq = 0;
	off->tcx_entry__bundle = 8;
	off->mini_Qdisc__filter_list = 0;
	off->mini_Qdisc__block = 8;
	off->tcf_block__chain_list = 0;
	off->tcf_block__q = 16;
	off->tcf_chain__list = 0;
	off->tcf_chain__filter_chain = 16;
	off->tcf_proto__next = 0;
	off->Qdisc__ops = 0;
	off->Qdisc__hash = 8;
	off->Qdisc__privdata = 24;
	off->Qdisc_ops__cl_ops = 0;
	off->Qdisc_ops__priv_size = 8;
	off->Qdisc_ops__id = 16;
	off->Qdisc_class_ops__tcf_block = 0;
	off->Qdisc_class_ops__change = 8;
}

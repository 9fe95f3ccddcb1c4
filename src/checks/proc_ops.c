/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does /proc still call the functions that it was made with? Tools that hide processes and connections replace a pointer in one of
 * its tables. File systems in general are in vfs.c. */
#include <inttypes.h>

#include "base/bytes.h"
#include "checks/constants.h"
#include "checks/registry.h"
#include "linux/paths.h"
#include "linux/processes.h"
#include "linux/retry.h"

enum {
	LIST_TRIES = 16,
	MAX_ENTRIES = 1 << 16,
	NAME_LENGTH = 64,
	PATH_LENGTH = 256,
	TYPE_MASK = 0170000,
	TYPE_DIRECTORY = 0040000,
	MAX_EXPECTED = 3
};

/* Entries of /proc that hiding tools are after, and the kernel's own tables for them: a table of somebody else's is a finding even
 * where that somebody is a module on the list. */
struct known_entry {
	const char *path;
	bool seq; /* seq_ops, else proc_ops */
	const char *tables[MAX_EXPECTED];
};

static const struct known_entry known_entries[] = {
	{ "net/tcp", true, { "tcp4_seq_ops" } },
	{ "net/tcp6", true, { "tcp6_seq_ops" } },
	{ "net/udp", true, { "udp_seq_ops" } },
	{ "net/udp6", true, { "udp6_seq_ops" } },
	{ "net/raw", true, { "raw_seq_ops" } },
	{ "net/raw6", true, { "raw6_seq_ops" } },
	{ "net/unix", true, { "unix_seq_ops" } },
	{ "net/packet", true, { "packet_seq_ops" } },
	{ "modules", false, { "modules_proc_ops", "proc_modules_operations" } },
	{ "kallsyms", false, { "kallsyms_proc_ops", "kallsyms_operations" } },
	{ "kcore", false, { "kcore_proc_ops", "proc_kcore_operations" } },
	{ "kmsg", false, { "kmsg_proc_ops", "proc_kmsg_operations" } },
};

/* An entry of /proc that is still to be looked at. */
struct entry {
	uint64_t address;
	bool root; /* of a /proc/net: a directory, whatever its mode says */
	char path[PATH_LENGTH];
};

struct survey {
	struct ksma_look *look;
	struct ksma_kernel *kernel;
	struct ksma_sweep sweep;
	struct {
		struct entry *items;
		size_t count, capacity;
	} todo;
	const char *parent; /* of the entries that a walk adds */
	struct {
		uint64_t *items;
		size_t count, capacity;
	} supers; /* the instances of /proc that are mounted */
	struct ksma_error *error;
};

static struct ksma_error *add_entry(struct survey *s, uint64_t address, const char *path)
{
	struct entry *entry;

	if (s->todo.count == MAX_ENTRIES)
		return ksma_error_create(KSMA_ERROR_LIMIT, "more than %d entries in /proc",
					 MAX_ENTRIES);
	KSMA_TRY(KSMA_ARRAY_PUSH(&s->todo, &entry));
	entry->address = address;
	snprintf(entry->path, sizeof(entry->path), "%s", path);
	return NULL;
}

/* Names come from the guest: what is no plain character becomes a question mark, so that ids stay printable. */
static bool read_name(struct survey *s, uint64_t address, char *name, size_t size)
{
	uint64_t at;

	if (!ksma_kernel_u64(s->kernel, address + (uint64_t)s->kernel->off.proc_dir_entry__name,
			     &at) ||
	    !ksma_kernel_string(s->kernel, at, name, size))
		return false;
	for (char *c = name; *c; c++)
		if (*c < 0x21 || *c > 0x7e)
			*c = '?';
	return true;
}

static bool take_node(void *arg, uint64_t node)
{
	struct survey *s = arg;
	uint64_t address = node - (uint64_t)s->kernel->off.proc_dir_entry__subdir_node;
	char name[NAME_LENGTH], path[PATH_LENGTH];

	if (!read_name(s, address, name, sizeof(name))) {
		s->error = ksma_error_create(KSMA_ERROR_BAD_DATA, "an entry of /proc/%s vanished",
					     s->parent);
		return false;
	}
	snprintf(path, sizeof(path), "%.180s%s%s", s->parent, *s->parent ? "/" : "", name);
	s->error = add_entry(s, address, path);
	return !s->error;
}

/* Adds the entries of a directory. One that changes meanwhile is read again. */
static struct ksma_error *add_directory(struct survey *s, uint64_t address, const char *path)
{
	size_t before = s->todo.count;
	struct ksma_error *error;
	unsigned attempt = 0;

	do {
		struct ksma_budget budget = ksma_budget_default();

		s->todo.count = before;
		s->parent = path;
		error = ksma_kernel_rbtree(
			s->kernel, address + (uint64_t)s->kernel->off.proc_dir_entry__subdir,
			&budget, take_node, s);
		if (s->error) {
			ksma_error_destroy(error);
			error = TAKE_PTR(s->error);
		}
	} while (ksma_kernel_retry(s->kernel, &attempt, &error));
	if (error && (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST ||
		      error->code == KSMA_ERROR_LIMIT))
		return error;
	ksma_coverage_error(s->look->coverage, KSMA_COVERAGE_PARTIAL, error, "/proc");
	return NULL;
}

static struct ksma_error *report_replaced(struct survey *s, const struct known_entry *known,
					  uint64_t expected, uint64_t found, uint64_t place)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "/proc/%s",
				  known->path));
	KSMA_TRY(ksma_finding_title(finding,
				    "/proc/%s does not use the kernel's own table of operations",
				    known->path));
	KSMA_TRY(ksma_finding_address(s->look, finding, "place", place));
	KSMA_TRY(ksma_finding_address(s->look, finding, "found", found));
	return ksma_finding_address(s->look, finding, "expected", expected);
}

static struct ksma_error *check_known(struct survey *s, const struct entry *entry, uint64_t ops,
				      uint64_t seq)
{
	const struct ksma_offsets *off = &s->kernel->off;

	for (size_t i = 0; i < ARRAY_SIZE(known_entries); i++) {
		const struct known_entry *known = &known_entries[i];
		uint64_t found = known->seq ? seq : ops, expected = 0;
		bool same = false;

		if (strcmp(known->path, entry->path) != 0)
			continue;
		for (size_t j = 0; j < MAX_EXPECTED && known->tables[j]; j++) {
			uint64_t table = ksma_kernel_symbol(s->kernel, known->tables[j]);

			expected = expected ? expected : table;
			same |= table && table == found;
		}
		if (expected &&
		    !same) /* a module's own entry (packet, ipv6) has no table in the kernel */
			return report_replaced(
				s, known, expected, found,
				entry->address +
					(uint64_t)(known->seq ? off->proc_dir_entry__seq_ops
							      : off->proc_dir_entry__proc_ops));
		/* A sequence of the kernel's is read through the kernel's own table for sequences. */
		expected = ksma_kernel_symbol(s->kernel, "proc_net_seq_ops");
		if (known->seq && same && expected && ops != expected &&
		    ops != ksma_kernel_symbol(s->kernel, "proc_seq_ops"))
			return report_replaced(s, known, expected, ops,
					       entry->address +
						       (uint64_t)off->proc_dir_entry__proc_ops);
	}
	return NULL;
}

/* What the union in an entry holds follows from the table of the file: sequences and single files have tables of the kernel's own. */
static struct ksma_error *check_union(struct survey *s, const struct entry *entry, uint64_t ops,
				      uint64_t value, const char *holder)
{
	struct ksma_kernel *kernel = s->kernel;
	uint64_t place = entry->address + (uint64_t)kernel->off.proc_dir_entry__seq_ops;

	if (ops && (ops == ksma_kernel_symbol(kernel, "proc_seq_ops") ||
		    ops == ksma_kernel_symbol(kernel, "proc_net_seq_ops")))
		return ksma_sweep_table(&s->sweep, "seq_operations", value, holder);
	if (ops && (ops == ksma_kernel_symbol(kernel, "proc_single_ops") ||
		    ops == ksma_kernel_symbol(kernel, "proc_net_single_ops")))
		return ksma_sweep_pointer(&s->sweep, place, value, "single_show", holder);
	return NULL;
}

static struct ksma_error *check_entry(struct survey *s, const struct entry *entry)
{
	const struct ksma_offsets *off = &s->kernel->off;
	uint64_t iops, ops, seq, write;
	char holder[PATH_LENGTH + 8];
	bool directory;
	uint16_t mode;

	if (!ksma_kernel_bytes(s->kernel, entry->address + (uint64_t)off->proc_dir_entry__mode,
			       &mode, sizeof(mode)) ||
	    !ksma_kernel_u64(s->kernel, entry->address + (uint64_t)off->proc_dir_entry__proc_iops,
			     &iops) ||
	    !ksma_kernel_u64(s->kernel, entry->address + (uint64_t)off->proc_dir_entry__proc_ops,
			     &ops) ||
	    !ksma_kernel_u64(s->kernel, entry->address + (uint64_t)off->proc_dir_entry__seq_ops,
			     &seq) ||
	    !ksma_kernel_u64(s->kernel, entry->address + (uint64_t)off->proc_dir_entry__write,
			     &write)) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL,
				  "/proc/%s cannot be read", entry->path);
		return NULL;
	}
	directory = entry->root || (mode & TYPE_MASK) == TYPE_DIRECTORY;
	snprintf(holder, sizeof(holder), "/proc/%s", entry->path);
	KSMA_TRY(ksma_sweep_table(&s->sweep, "inode_operations", iops, holder));
	KSMA_TRY(ksma_sweep_table(&s->sweep, directory ? "file_operations" : "proc_ops", ops,
				  holder));
	if (directory)
		return add_directory(s, entry->address, entry->path);
	KSMA_TRY(check_union(s, entry, ops, seq, holder));
	KSMA_TRY(ksma_sweep_pointer(&s->sweep,
				    entry->address + (uint64_t)off->proc_dir_entry__write, write,
				    "write", holder));
	return check_known(s, entry, ops, seq);
}

/* Each network namespace has a /proc/net of its own. */
static bool take_net(void *arg, uint64_t node)
{
	struct survey *s = arg;
	uint64_t net = node - (uint64_t)s->kernel->off.net__list, directory;

	if (ksma_kernel_u64(s->kernel, net + (uint64_t)s->kernel->off.net__proc_net, &directory) &&
	    directory)
		s->error = add_entry(s, directory, "net");
	if (!s->error && s->todo.count > 1)
		s->todo.items[s->todo.count - 1].root = true;
	return !s->error;
}

static struct ksma_error *add_roots(struct survey *s)
{
	uint64_t root, nets = ksma_kernel_symbol(s->kernel, "net_namespace_list");
	struct ksma_error *error = NULL;
	unsigned attempt = 0;

	KSMA_TRY(ksma_kernel_need_symbol(s->kernel, "proc_root", &root));
	KSMA_TRY(add_entry(s, root, ""));
	if (!nets || s->kernel->off.net__list == KSMA_NO_MEMBER ||
	    s->kernel->off.net__proc_net == KSMA_NO_MEMBER)
		return NULL; /* built without networking */
	do {
		struct ksma_budget budget = ksma_budget_default();

		s->todo.count = 1;
		error = ksma_kernel_list(s->kernel, nets, &budget, take_net, s);
		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
	} while (ksma_kernel_retry(s->kernel, &attempt, &error));
	return ksma_coverage_take(s->look->coverage, KSMA_COVERAGE_PARTIAL, error,
				  "network namespaces");
}

static struct ksma_error *check_proc(struct survey *s)
{
	const struct ksma_offsets *off = &s->kernel->off;

	if (off->proc_dir_entry__name == KSMA_NO_MEMBER ||
	    off->proc_dir_entry__mode == KSMA_NO_MEMBER ||
	    off->proc_dir_entry__proc_iops == KSMA_NO_MEMBER ||
	    off->proc_dir_entry__proc_ops == KSMA_NO_MEMBER ||
	    off->proc_dir_entry__seq_ops == KSMA_NO_MEMBER ||
	    off->proc_dir_entry__subdir == KSMA_NO_MEMBER ||
	    off->proc_dir_entry__subdir_node == KSMA_NO_MEMBER ||
	    off->proc_dir_entry__write == KSMA_NO_MEMBER)
		return ksma_kernel_missing_member("proc_dir_entry as it is known here");
	KSMA_TRY(add_roots(s));
	/* The list grows as directories are found. Entries are copied out, because it may move. */
	for (size_t i = 0; i < s->todo.count; i++) {
		struct entry entry = s->todo.items[i];

		KSMA_TRY(check_entry(s, &entry));
	}
	return NULL;
}

static struct ksma_error *take_super(void *arg, const struct ksma_registry *row, uint64_t super)
{
	struct survey *s = arg;
	uint64_t *slot;
	char name[32];

	(void)row;
	if (!ksma_super_type(s->kernel, super, name, sizeof(name)) || strcmp(name, "proc") != 0)
		return NULL;
	KSMA_TRY(KSMA_ARRAY_PUSH(&s->supers, &slot));
	*slot = super;
	return NULL;
}

static struct ksma_error *report_inode(struct survey *s, uint64_t place, uint64_t found,
				       uint64_t number)
{
	struct ksma_finding *finding;

	KSMA_TRY(ksma_finding_add(s->look, KSMA_SEVERITY_CRITICAL, &finding, "/proc/inode/%" PRIu64,
				  number));
	KSMA_TRY(ksma_finding_title(finding,
				    "a file of /proc (inode %" PRIu64
				    ") has operations that are not the kernel's",
				    number));
	KSMA_TRY(ksma_finding_number(finding, "inode", number));
	KSMA_TRY(ksma_finding_address(s->look, finding, "place", place));
	KSMA_TRY(ksma_finding_address(s->look, finding, "found", found));
	return ksma_finding_text(finding, "expected",
				 "a table of the kernel: /proc is built into it");
}

/* In the read-only data of the kernel. */
static bool is_constant(const struct ksma_kernel *kernel, uint64_t gva)
{
	uint64_t start = ksma_kernel_symbol(kernel, "__start_rodata"),
		 end = ksma_kernel_symbol(kernel, "__end_rodata");

	return gva >= (start ?: kernel->image) && gva < (end ?: kernel->image_end);
}

/* An inode of /proc in memory. Entries of modules have their operations behind the kernel's own tables, so here only these occur. */
static bool take_proc_inode(void *arg, uint64_t node)
{
	struct survey *s = arg;
	const struct ksma_offsets *off = &s->kernel->off;
	const int32_t members[] = { off->inode__i_op, off->inode__i_fop };
	uint64_t inode = node - (uint64_t)off->inode__i_sb_list, number = 0, table;

	for (size_t i = 0; i < ARRAY_SIZE(members) && !s->error; i++) {
		if (!ksma_kernel_u64(s->kernel, inode + (uint64_t)members[i], &table))
			return true; /* it went away */
		if (!table || is_constant(s->kernel, table))
			continue;
		if (off->inode__i_ino != KSMA_NO_MEMBER &&
		    !ksma_kernel_u64(s->kernel, inode + (uint64_t)off->inode__i_ino, &number))
			number = 0;
		s->error = report_inode(s, inode + (uint64_t)members[i], table, number);
	}
	return !s->error;
}

/* Inodes of /proc come and go with every process: the list is looked through again until it holds still for as long as that takes. */
static struct ksma_error *check_proc_inodes(struct survey *s, uint64_t super)
{
	size_t before = s->look->findings->count;
	struct ksma_error *error = NULL;
	unsigned attempt = 0, tries = 0;

	do {
		struct ksma_budget budget = ksma_budget_default();

		while (s->look->findings->count > before)
			ksma_finding_deinit(&s->look->findings->items[--s->look->findings->count]);
		error = ksma_kernel_list(s->kernel,
					 super + (uint64_t)s->kernel->off.super_block__s_inodes,
					 &budget, take_proc_inode, s);
		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
		if (error && error->code == KSMA_ERROR_BAD_DATA &&
		    !ksma_kernel_is_copied(s->kernel) && ++tries < LIST_TRIES) {
			ksma_error_destroy(TAKE_PTR(error));
			continue;
		}
		if (!ksma_kernel_retry(s->kernel, &attempt, &error))
			break;
	} while (true);
	return ksma_coverage_take(s->look->coverage, KSMA_COVERAGE_PARTIAL, error,
				  "inodes of /proc");
}

/* The inodes of each mounted /proc, of which every pid namespace may have one. */
static struct ksma_error *check_mounted(struct survey *s)
{
	static const struct ksma_registry row = {
		"super_blocks", KSMA_REGISTRY_LIST, "super_block", "s_list", 0, true, NULL
	};
	const struct ksma_offsets *off = &s->kernel->off;

	if (off->inode__i_op == KSMA_NO_MEMBER || off->inode__i_fop == KSMA_NO_MEMBER ||
	    off->inode__i_sb_list == KSMA_NO_MEMBER || off->super_block__s_inodes == KSMA_NO_MEMBER)
		return ksma_kernel_missing_member("super_block or inode as they are known here");
	KSMA_TRY(ksma_registry_visit(&s->sweep, &row, take_super, s));
	for (size_t i = 0; i < s->supers.count; i++)
		KSMA_TRY(check_proc_inodes(s, s->supers.items[i]));
	return NULL;
}

static struct ksma_error *run(struct ksma_look *look)
{
	struct survey s = { .look = look, .kernel = look->kernel };
	struct ksma_error *error = ksma_sweep_init(look, &s.sweep);

	if (!error)
		error = check_proc(&s);
	if (!error)
		error = check_mounted(&s);
	if (!error)
		error = ksma_constants_check(look);
	free(s.todo.items);
	free(s.supers.items);
	ksma_sweep_deinit(&s.sweep);
	return error;
}

const struct ksma_check ksma_check_proc_ops = {
	.info = {
		.name = "proc-ops",
		.title = "Operations of /proc, and all constants",
		.attack = "T1564",
		.needs = "memory",
		.structures = "proc_root and /proc/net of every network namespace: proc_ops, seq_ops, inode operations; the inodes of every mounted /proc; "
			      "all constants of the kernel and of modules",
		.why = "One replaced pointer is enough to leave files, processes or connections out of what every tool in the guest is told.",
		.cost = "7.3 ms",
		.false_alarms = "None known: tables of the kernel are constant, and those of modules lead to functions of modules on the list. A constant "
				"of a module may point to code of the modules that it uses, and the kernel says which these are.",
		.todo = "What the guest shows through the file named is not to be believed: ask the same of ksma (ps, sockets, modules), and look at the "
			"owner of the function found.",
	},
	.run = run,
};

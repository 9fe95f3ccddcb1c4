/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Character devices by their numbers, and the trees behind /sys and /proc/sys. */
#include "checks/vfs.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "linux/retry.h"

enum {
	PROBES = 255, /* drivers/base/map.c */
	MAX_CHAIN = 4096,
	NODE_DIRECTORY = 1, /* KERNFS_DIR and KERNFS_FILE of include/linux/kernfs.h */
	NODE_FILE = 2,
	NODE_TYPE = 15,
	MAX_NODE = 512, /* bytes of a kernfs_node that are read */
	TYPE_MASK = 0170000,
	TYPE_DIRECTORY = 0040000,
};

static struct ksma_error *check_devices(struct ksma_vfs *v, const char *symbol, const char *type)
{
	struct ksma_sweep *s = v->sweep;
	uint64_t at = ksma_kernel_symbol(v->kernel, symbol), map, probe, get, data;
	uint64_t exact = ksma_kernel_symbol(v->kernel, "exact_match");
	int32_t probes = ksma_sweep_offset(s, "kobj_map", "probes"),
		next_at = ksma_sweep_offset(s, "probe", "next"),
		get_at = ksma_sweep_offset(s, "probe", "get"),
		data_at = ksma_sweep_offset(s, "probe", "data");

	if (!at)
		return NULL; /* this kernel keeps them elsewhere */
	if (probes < 0 || next_at < 0 || get_at < 0 || data_at < 0 ||
	    !ksma_kernel_u64(v->kernel, at, &map)) {
		ksma_coverage_gap(s->look->coverage, KSMA_COVERAGE_PARTIAL, "%s cannot be read",
				  symbol);
		return NULL;
	}
	for (unsigned i = 0; i < PROBES; i++) {
		if (!ksma_kernel_u64(v->kernel, map + (uint64_t)probes + 8ull * i, &probe))
			break;
		for (unsigned n = 0; probe && n < MAX_CHAIN; n++) {
			if (!ksma_kernel_u64(v->kernel, probe + (uint64_t)get_at, &get) ||
			    !ksma_kernel_u64(v->kernel, probe + (uint64_t)data_at, &data))
				break;
			KSMA_TRY(ksma_sweep_pointer(s, probe + (uint64_t)get_at, get, "get",
						    symbol));
			if (get == exact && *type)
				KSMA_TRY(ksma_sweep_object(s, type, data, symbol));
			if (!ksma_kernel_u64(v->kernel, probe + (uint64_t)next_at, &probe))
				break;
		}
	}
	return NULL;
}

/* --- /sys --- */

/* What an attribute of a directory is follows from the operations of the object that the directory stands for. */
static const struct {
	const char *symbol, *type;
} attributes[] = {
	{ "dev_sysfs_ops", "device_attribute" },    { "kobj_sysfs_ops", "kobj_attribute" },
	{ "driver_sysfs_ops", "driver_attribute" }, { "bus_sysfs_ops", "bus_attribute" },
	{ "class_sysfs_ops", "class_attribute" },   { "module_sysfs_ops", "module_attribute" },
	{ "slab_sysfs_ops", "slab_attribute" },	    { "queue_sysfs_ops", "queue_sysfs_entry" },
	{ "irq_sysfs_ops", "kobj_attribute" },
};

struct directory {
	uint64_t node;
	const char *attribute; /* type of its attributes, or NULL */
};

struct sysfs {
	struct ksma_vfs *vfs;
	int32_t rb, priv, flags, children, ops, name, ktype, sysfs_ops;
	uint32_t size;
	uint64_t binary[8]; /* kernfs_ops of binary attributes */
	size_t binary_count;
	uint64_t tables[ARRAY_SIZE(attributes)];
	struct {
		struct directory *items;
		size_t count, capacity;
	} todo;
	struct directory current;
	struct ksma_error *error;
};

static const char *attribute_of(const struct sysfs *s, uint64_t kobject)
{
	uint64_t ktype, ops;

	if (!kobject || !ksma_kernel_u64(s->vfs->kernel, kobject + (uint64_t)s->ktype, &ktype) ||
	    !ktype || !ksma_kernel_u64(s->vfs->kernel, ktype + (uint64_t)s->sysfs_ops, &ops) ||
	    !ops)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		if (s->tables[i] == ops)
			return attributes[i].type;
	return NULL;
}

static struct ksma_error *take_file(struct sysfs *s, uint64_t place, uint64_t ops,
				    uint64_t attribute)
{
	static const char holder[] = "a file of /sys";

	/* Unlike those of other users of kernfs, the tables of sysfs are all in one file of the kernel (fs/sysfs/file.c). */
	if (ops && !ksma_sweep_in_image(s->vfs->kernel, ops))
		KSMA_TRY(ksma_sweep_report_table(s->vfs->sweep, "ops", place, ops, holder,
						 "is a table outside the kernel",
						 "one of the kernel's own tables"));
	KSMA_TRY(ksma_sweep_table(s->vfs->sweep, "kernfs_ops", ops, holder));
	for (size_t i = 0; i < s->binary_count; i++)
		if (ops == s->binary[i])
			return ksma_sweep_object(s->vfs->sweep, "bin_attribute", attribute, holder);
	if (s->current.attribute)
		return ksma_sweep_object(s->vfs->sweep, s->current.attribute, attribute, holder);
	return NULL;
}

static struct ksma_error *take_directory(struct sysfs *s, uint64_t node, uint64_t kobject)
{
	struct directory *directory;

	KSMA_TRY(ksma_sweep_object(s->vfs->sweep, "kobject", kobject, "a directory of /sys"));
	KSMA_TRY(KSMA_ARRAY_PUSH(&s->todo, &directory));
	*directory = (struct directory){ node, attribute_of(s, kobject) };
	return NULL;
}

/* There are tens of thousands of files: only one that something was found of is asked for its name. */
static struct ksma_error *add_name(struct sysfs *s, uint64_t text)
{
	struct ksma_findings *findings = s->vfs->sweep->look->findings;
	char name[64] = "";

	ksma_kernel_string(s->vfs->kernel, text, name, sizeof(name));
	ksma_sweep_clean_name(name);
	return ksma_finding_text(&findings->items[findings->count - 1], "file", "%s", name);
}

static bool take_node(void *arg, uint64_t rb)
{
	struct sysfs *s = arg;
	struct ksma_vfs *v = s->vfs;
	uint64_t node = rb - (uint64_t)s->rb, priv;
	size_t findings = v->sweep->look->findings->count;
	uint8_t bytes[MAX_NODE];
	unsigned type;

	if (!v->nodes_left) {
		s->error = ksma_error_create(KSMA_ERROR_LIMIT, "too many files in /sys");
		return false;
	}
	v->nodes_left--;
	ksma_sweep_goes_on(v->sweep);
	if (!ksma_kernel_bytes(v->kernel, node, bytes, s->size))
		return true; /* it went away */
	type = ksma_le16(bytes + s->flags) & NODE_TYPE;
	priv = ksma_le64(bytes + s->priv);
	if (type == NODE_FILE)
		s->error = take_file(s, node + (uint64_t)s->ops, ksma_le64(bytes + s->ops), priv);
	else if (type == NODE_DIRECTORY)
		s->error = take_directory(s, node, priv);
	if (!s->error && v->sweep->look->findings->count > findings)
		s->error = add_name(s, ksma_le64(bytes + s->name));
	return !s->error;
}

/* The entries of one directory; one that changes meanwhile is read again. */
static struct ksma_error *walk_directory(struct sysfs *s)
{
	size_t before = s->todo.count;
	struct ksma_error *error;
	unsigned attempt = 0;

	do {
		struct ksma_budget budget = ksma_budget_default();

		s->todo.count = before;
		error = ksma_kernel_rbtree(s->vfs->kernel, s->current.node + (uint64_t)s->children,
					   &budget, take_node, s);
		if (s->error) {
			ksma_error_destroy(error);
			return TAKE_PTR(s->error);
		}
	} while (ksma_kernel_retry(s->vfs->kernel, &attempt, &error));
	return ksma_coverage_take(s->vfs->sweep->look->coverage, KSMA_COVERAGE_PARTIAL, error,
				  "/sys");
}

static struct ksma_error *sysfs_init(struct sysfs *s, struct ksma_vfs *v)
{
	static const char *const binary[] = {
		"sysfs_bin_kfops_ro",	"sysfs_bin_kfops_wo",	  "sysfs_bin_kfops_rw",
		"sysfs_bin_kfops_mmap", "sysfs_bin_kfops_ro_new", "sysfs_bin_kfops_rw_new",
	};
	struct ksma_sweep *sweep = v->sweep;

	*s = (struct sysfs){
		.vfs = v,
		.rb = ksma_sweep_offset(sweep, "kernfs_node", "rb"),
		.priv = ksma_sweep_offset(sweep, "kernfs_node", "priv"),
		.flags = ksma_sweep_offset(sweep, "kernfs_node", "flags"),
		.children = ksma_sweep_offset(sweep, "kernfs_node", "dir.children"),
		.ops = ksma_sweep_offset(sweep, "kernfs_node", "attr.ops"),
		.name = ksma_sweep_offset(sweep, "kernfs_node", "name"),
		.ktype = ksma_sweep_offset(sweep, "kobject", "ktype"),
		.sysfs_ops = ksma_sweep_offset(sweep, "kobj_type", "sysfs_ops"),
		.size = ksma_sweep_size(sweep, "kernfs_node"),
	};
	if (s->rb < 0 || s->priv < 0 || s->flags < 0 || s->children < 0 || s->ops < 0 ||
	    s->name < 0 || s->ktype < 0 || s->sysfs_ops < 0 || !s->size || s->size > MAX_NODE ||
	    (uint32_t)s->priv + 8 > s->size || (uint32_t)s->flags + 2 > s->size ||
	    (uint32_t)s->ops + 8 > s->size || (uint32_t)s->name + 8 > s->size)
		return ksma_kernel_missing_member("kernfs_node as it is known here");
	for (size_t i = 0; i < ARRAY_SIZE(binary); i++) {
		s->binary[s->binary_count] = ksma_kernel_symbol(v->kernel, binary[i]);
		s->binary_count += s->binary[s->binary_count] != 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++)
		s->tables[i] = ksma_kernel_symbol(v->kernel, attributes[i].symbol);
	return NULL;
}

static struct ksma_error *check_sysfs(struct ksma_vfs *v)
{
	uint64_t symbol = ksma_kernel_symbol(v->kernel, "sysfs_root_kn"), root;
	struct directory *directory;
	struct ksma_error *error;
	struct sysfs s;

	if (!symbol)
		return NULL; /* built without it */
	KSMA_TRY(sysfs_init(&s, v));
	if (!ksma_kernel_u64(v->kernel, symbol, &root) || !root)
		return ksma_error_fault(symbol, "sysfs_root_kn cannot be read");
	KSMA_TRY(KSMA_ARRAY_PUSH(&s.todo, &directory));
	directory->node = root;
	error = NULL;
	/* The last one found is looked at first, so that the list stays short. */
	while (s.todo.count && !error) {
		s.current = s.todo.items[--s.todo.count];
		error = walk_directory(&s);
	}
	free(s.todo.items);
	return error;
}

/* --- /proc/sys --- */

struct sysctls {
	struct ksma_vfs *vfs;
	int32_t node, header, head_node, head_table, root, mode, name;
	uint32_t table_size, node_size;
	struct {
		uint64_t *items;
		size_t count, capacity;
	} todo; /* struct ctl_dir */
	struct ksma_error *error;
};

static bool take_entry(void *arg, uint64_t rb)
{
	struct sysctls *s = arg;
	struct ksma_kernel *kernel = s->vfs->kernel;
	uint64_t node = rb - (uint64_t)s->node, head, nodes, tables, entry, text, *slot;
	char name[40] = "", holder[64];
	uint16_t mode;

	if (!s->vfs->nodes_left) {
		s->error = ksma_error_create(KSMA_ERROR_LIMIT, "too many files in /proc/sys");
		return false;
	}
	s->vfs->nodes_left--;
	ksma_sweep_goes_on(s->vfs->sweep);
	if (!ksma_kernel_u64(kernel, node + (uint64_t)s->header, &head) ||
	    !ksma_kernel_u64(kernel, head + (uint64_t)s->head_node, &nodes) ||
	    !ksma_kernel_u64(kernel, head + (uint64_t)s->head_table, &tables) || node < nodes)
		return true; /* it went away */
	entry = tables + (node - nodes) / s->node_size * s->table_size;
	if (!ksma_kernel_bytes(kernel, entry + (uint64_t)s->mode, &mode, sizeof(mode)) ||
	    !ksma_kernel_u64(kernel, entry + (uint64_t)s->name, &text))
		return true;
	if ((mode & TYPE_MASK) == TYPE_DIRECTORY) {
		s->error = KSMA_ARRAY_PUSH(&s->todo, &slot);
		if (!s->error)
			*slot = head; /* a ctl_dir begins with its header */
		return !s->error;
	}
	ksma_kernel_string(kernel, text, name, sizeof(name));
	ksma_sweep_clean_name(name);
	snprintf(holder, sizeof(holder), "/proc/sys file %s", name);
	s->error = ksma_sweep_object(s->vfs->sweep, "ctl_table", entry, holder);
	return !s->error;
}

static struct ksma_error *walk_sysctls(struct sysctls *s)
{
	while (s->todo.count) {
		uint64_t directory = s->todo.items[--s->todo.count];
		size_t before = s->todo.count;
		struct ksma_error *error;
		unsigned attempt = 0;

		do {
			struct ksma_budget budget = ksma_budget_default();

			s->todo.count = before;
			error = ksma_kernel_rbtree(s->vfs->kernel, directory + (uint64_t)s->root,
						   &budget, take_entry, s);
			if (s->error) {
				ksma_error_destroy(error);
				return TAKE_PTR(s->error);
			}
		} while (ksma_kernel_retry(s->vfs->kernel, &attempt, &error));
		if (error && (error->code == KSMA_ERROR_NOMEM || error->code == KSMA_ERROR_LOST))
			return error;
		ksma_coverage_error(s->vfs->sweep->look->coverage, KSMA_COVERAGE_PARTIAL, error,
				    "/proc/sys");
	}
	return NULL;
}

static struct ksma_error *take_net(void *arg, const struct ksma_registry *row, uint64_t net)
{
	struct sysctls *s = arg;
	int32_t at = ksma_sweep_offset(s->vfs->sweep, "net", "sysctls.dir");
	uint64_t *slot;

	(void)row;
	if (at == KSMA_NO_MEMBER)
		return NULL;
	KSMA_TRY(KSMA_ARRAY_PUSH(&s->todo, &slot));
	*slot = net + (uint64_t)at;
	return NULL;
}

static struct ksma_error *check_sysctls(struct ksma_vfs *v)
{
	static const struct ksma_registry nets = {
		"net_namespace_list", KSMA_REGISTRY_LIST, "net", "list", 0, false, NULL
	};
	struct ksma_sweep *sweep = v->sweep;
	struct sysctls s = {
		.vfs = v,
		.node = ksma_sweep_offset(sweep, "ctl_node", "node"),
		.header = ksma_sweep_offset(sweep, "ctl_node", "header"),
		.head_node = ksma_sweep_offset(sweep, "ctl_table_header", "node"),
		.head_table = ksma_sweep_offset(sweep, "ctl_table_header", "ctl_table"),
		.root = ksma_sweep_offset(sweep, "ctl_dir", "root"),
		.mode = ksma_sweep_offset(sweep, "ctl_table", "mode"),
		.name = ksma_sweep_offset(sweep, "ctl_table", "procname"),
		.table_size = ksma_sweep_size(sweep, "ctl_table"),
		.node_size = ksma_sweep_size(sweep, "ctl_node"),
	};
	uint64_t root = ksma_kernel_symbol(v->kernel, "sysctl_table_root"), *slot;
	int32_t set = ksma_sweep_offset(sweep, "ctl_table_root", "default_set.dir");
	struct ksma_error *error;

	if (!root)
		return NULL; /* built without it */
	if (s.node < 0 || s.header < 0 || s.head_node < 0 || s.head_table < 0 || s.root < 0 ||
	    s.mode < 0 || s.name < 0 || set < 0 || !s.table_size || !s.node_size)
		return ksma_kernel_missing_member("ctl_table as it is known here");
	KSMA_TRY(ksma_sweep_object(sweep, "ctl_table_root", root, "sysctl_table_root"));
	KSMA_TRY(KSMA_ARRAY_PUSH(&s.todo, &slot));
	*slot = root + (uint64_t)set;
	error = ksma_registry_visit(sweep, &nets, take_net, &s);
	if (!error)
		error = walk_sysctls(&s);
	free(s.todo.items);
	return error;
}

struct ksma_error *ksma_vfs_trees(struct ksma_vfs *v)
{
	KSMA_TRY(check_devices(v, "cdev_map", "cdev"));
	KSMA_TRY(check_devices(v, "bdev_map", ""));
	KSMA_TRY(check_sysfs(v));
	return check_sysctls(v);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A QEMU command line, as far as it tells what the guest is, how its memory is made, and where its monitors listen. */
#include "guest/cmdline.h"

#include <ctype.h>

#include "guest/options.h"

/* Options that take no argument; all others take the next word, whatever it looks like (DEF(…, 0, …) in qemu-options.hx,
 * those of older and newer releases too). */
static const char *const flag_options[] = {
	"h",
	"help",
	"version",
	"mem-prealloc",
	"audio-help",
	"snapshot",
	"usb",
	"nographic",
	"portrait",
	"full-screen",
	"win2k-hack",
	"no-fd-bootchk",
	"no-acpi",
	"no-hpet",
	"singlestep",
	"one-insn-per-tb",
	"preconfig",
	"S",
	"s",
	"enable-kvm",
	"no-kvm",
	"no-kvm-irqchip",
	"enable-hax",
	"enable-fips",
	"xen-attach",
	"xen-create",
	"xen-domid-restrict",
	"no-reboot",
	"no-shutdown",
	"daemonize",
	"only-migratable",
	"nodefaults",
	"nodefconfig",
	"semihosting",
	"old-param",
	"no-user-config",
	"async-teardown",
	"enable-sync-profile",
	"no-quit",
	"alt-grab",
	"ctrl-grab",
	"no-frame",
	"curses",
	"sdl",
};

/* Where the parse stands: chardevs and monitors are joined at the end, for they may come in any order. */
struct chardev {
	char *id;
	char *path;	/* a listening unix socket, or NULL */
	bool inherited; /* a socket passed by descriptor, as libvirt does */
};

struct parse {
	struct ksma_cmdline *out;
	struct chardev chardevs[64];
	size_t chardev_count;
	char *modes[KSMA_CMDLINE_MONITORS]; /* chardev ids of monitors with mode=control */
	size_t mode_count;
	struct {
		char *memdev;
		int node;
	} nodes[KSMA_CMDLINE_BACKENDS];
	size_t node_count;
	struct {
		char *memdev;
		uint64_t address;
	} dimms[KSMA_CMDLINE_BACKENDS];
	size_t dimm_count;
	char *smbios_uuid;
};

static struct ksma_error *set(char **field, const char *value)
{
	char *copy;

	KSMA_TRY(ksma_strdup(value, &copy));
	free(*field);
	*field = copy;
	return NULL;
}

bool ksma_cmdline_size(const char *text, uint64_t unit, uint64_t *ret_size)
{
	static const char suffixes[] = "bkmgtpe";
	const char *suffix;
	double fraction;
	uint64_t whole;
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	if (!isdigit((unsigned char)*text))
		return false;
	whole = strtoull(text, &end, 0);
	fraction = 0;
	if (*end == '.' && !(text[0] == '0' && (text[1] == 'x' || text[1] == 'X')))
		fraction = strtod(end, &end);
	if (*end) {
		suffix = strchr(suffixes, tolower((unsigned char)*end));
		if (!suffix || end[1])
			return false;
		unit = UINT64_C(1) << (10 * (suffix - suffixes));
	}
	if (unit && whole > UINT64_MAX / unit)
		return false;
	whole *= unit;
	if (fraction > 0) {
		uint64_t part = (uint64_t)(fraction * (double)unit);

		if (part > UINT64_MAX - whole)
			return false;
		whole += part;
	}
	*ret_size = whole;
	return true;
}

static bool is_socket_server(const struct ksma_options *options)
{
	return ksma_options_true(options, "server", false);
}

static struct ksma_error *add_monitor(struct ksma_cmdline *out, const char *path)
{
	for (size_t i = 0; i < out->monitor_count; i++)
		if (strcmp(out->monitors[i], path) == 0)
			return NULL;
	if (out->monitor_count == KSMA_CMDLINE_MONITORS)
		return NULL;
	KSMA_TRY(ksma_strdup(path, &out->monitors[out->monitor_count]));
	out->monitor_count++;
	return NULL;
}

/* -qmp unix:PATH,server=on and its kin; also "chardev:ID". */
static struct ksma_error *parse_qmp(struct parse *p, const char *value)
{
	struct ksma_options options;
	struct ksma_error *error = NULL;

	if (strncmp(value, "chardev:", 8) == 0) {
		if (p->mode_count == KSMA_CMDLINE_MONITORS)
			return NULL;
		KSMA_TRY(ksma_strdup(value + 8, &p->modes[p->mode_count]));
		p->mode_count++;
		return NULL;
	}
	if (strncmp(value, "unix:", 5) != 0)
		return NULL;
	KSMA_TRY(ksma_options_parse(value + 5, "path", &options));
	if (is_socket_server(&options) && *(ksma_options_get(&options, "path") ?: ""))
		error = add_monitor(p->out, ksma_options_get(&options, "path"));
	ksma_options_free(&options);
	return error;
}

static struct ksma_error *parse_mon(struct parse *p, const struct ksma_options *options)
{
	const char *id = ksma_options_get(options, "chardev");

	if (strcmp(ksma_options_get(options, "mode") ?: "readline", "control") != 0) {
		p->out->human_monitor = true;
		return NULL;
	}
	if (!id || p->mode_count == KSMA_CMDLINE_MONITORS)
		return NULL;
	KSMA_TRY(ksma_strdup(id, &p->modes[p->mode_count]));
	p->mode_count++;
	return NULL;
}

static struct ksma_error *parse_chardev(struct parse *p, const struct ksma_options *options)
{
	const char *backend = ksma_options_get(options, "backend");
	const char *id = ksma_options_get(options, "id");
	const char *path = ksma_options_get(options, "path");
	struct chardev *chardev = &p->chardevs[p->chardev_count];

	if (!backend || !id || strcmp(backend, "socket") != 0 ||
	    p->chardev_count == ARRAY_SIZE(p->chardevs))
		return NULL;
	KSMA_TRY(ksma_strdup(id, &chardev->id));
	p->chardev_count++;
	chardev->inherited = ksma_options_get(options, "fd") != NULL;
	if (path && is_socket_server(options))
		KSMA_TRY(ksma_strdup(path, &chardev->path));
	return NULL;
}

static struct ksma_error *parse_memory(struct parse *p, const struct ksma_options *options)
{
	const char *size = ksma_options_get(options, "size");
	uint64_t bytes;

	if (size && ksma_cmdline_size(size, 1 << 20, &bytes))
		p->out->ram_bytes = ksma_align_up(bytes, 8192);
	return NULL;
}

static struct ksma_error *parse_machine(struct parse *p, const struct ksma_options *options)
{
	const char *value;

	if ((value = ksma_options_get(options, "type")))
		KSMA_TRY(set(&p->out->machine, value));
	if ((value = ksma_options_get(options, "accel"))) {
		size_t n = strcspn(value, ":");
		_cleanup_free_ char *first = strndup(value, n);

		if (!first)
			return ksma_error_nomem();
		KSMA_TRY(set(&p->out->accelerator, first));
	}
	if ((value = ksma_options_get(options, "memory-backend")))
		KSMA_TRY(set(&p->out->machine_backend, value));
	if ((value = ksma_options_get(options, "max-ram-below-4g")))
		ksma_cmdline_size(value, 1, &p->out->max_ram_below_4g);
	/* The [type=]pc-q35-7.2,memory.size=… spelling of -m. */
	if ((value = ksma_options_get(options, "memory.size")))
		ksma_cmdline_size(value, 1, &p->out->ram_bytes);
	if (ksma_options_get(options, "confidential-guest-support") ||
	    ksma_options_get(options, "memory-encryption"))
		p->out->encrypted = true;
	return NULL;
}

static struct ksma_error *parse_smp(struct parse *p, const struct ksma_options *options)
{
	static const char *const parts[] = { "drawers",	 "books",   "sockets", "dies",
					     "clusters", "modules", "cores",   "threads" };
	const char *value = ksma_options_get(options, "cpus");
	uint64_t n = 1;

	if (value) {
		n = strtoull(value, NULL, 0);
	} else {
		for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
			const char *part = ksma_options_get(options, parts[i]);
			uint64_t v = part ? strtoull(part, NULL, 0) : 1;

			if (v > 0 && v < 65536 && n < 65536)
				n *= v;
		}
		/* Where only the most is given, all of them run. */
		value = ksma_options_get(options, "maxcpus");
		if (n == 1 && value)
			n = strtoull(value, NULL, 0);
	}
	if (n > 0 && n < 65536)
		p->out->vcpus = (unsigned)n;
	return NULL;
}

static struct ksma_error *add_backend(struct ksma_cmdline *out, const char *id,
				      enum ksma_backend_kind kind, uint64_t size,
				      struct ksma_cmdline_backend **ret_backend)
{
	struct ksma_cmdline_backend *backend = &out->backends[out->backend_count];

	*ret_backend = NULL;
	if (out->backend_count == KSMA_CMDLINE_BACKENDS)
		return NULL;
	KSMA_TRY(ksma_strdup(id, &backend->id));
	out->backend_count++;
	backend->kind = kind;
	backend->size = size;
	backend->node = -1;
	*ret_backend = backend;
	return NULL;
}

static struct ksma_error *parse_object_option(struct parse *p, const struct ksma_options *options)
{
	static const struct {
		const char *type;
		enum ksma_backend_kind kind;
		bool share; /* unless told otherwise */
	} types[] = {
		{ "memory-backend-ram", KSMA_BACKEND_RAM, false },
		{ "memory-backend-file", KSMA_BACKEND_FILE, false },
		{ "memory-backend-memfd", KSMA_BACKEND_MEMFD, true },
		{ "memory-backend-shm", KSMA_BACKEND_MEMFD, true },
		{ "memory-backend-epc", KSMA_BACKEND_OTHER, true },
	};
	const char *type = ksma_options_get(options, "qom-type") ?: "";
	const char *size = ksma_options_get(options, "size");
	const char *path = ksma_options_get(options, "mem-path");
	struct ksma_cmdline_backend *backend;
	uint64_t bytes = 0;

	if (strcmp(type, "sev-guest") == 0 || strcmp(type, "sev-snp-guest") == 0 ||
	    strcmp(type, "tdx-guest") == 0)
		p->out->encrypted = true;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (strcmp(type, types[i].type) != 0)
			continue;
		if (size)
			ksma_cmdline_size(size, 1, &bytes);
		KSMA_TRY(add_backend(p->out, ksma_options_get(options, "id") ?: "", types[i].kind,
				     bytes, &backend));
		if (!backend)
			return NULL;
		backend->share = ksma_options_true(options, "share", types[i].share);
		return path ? ksma_strdup(path, &backend->path) : NULL;
	}
	return NULL;
}

static struct ksma_error *parse_numa(struct parse *p, const struct ksma_options *options)
{
	const char *type = ksma_options_get(options, "type") ?: "";
	const char *memdev = ksma_options_get(options, "memdev");
	const char *node = ksma_options_get(options, "nodeid");

	if (strcmp(type, "node") != 0 || p->node_count == KSMA_CMDLINE_BACKENDS)
		return NULL;
	if (memdev) {
		KSMA_TRY(ksma_strdup(memdev, &p->nodes[p->node_count].memdev));
		p->out->numa_memdev = true;
	}
	p->nodes[p->node_count].node = node ? atoi(node) : (int)p->node_count;
	p->node_count++;
	return NULL;
}

static struct ksma_error *parse_device(struct parse *p, const struct ksma_options *options)
{
	const char *driver = ksma_options_get(options, "driver") ?: "";
	const char *memdev = ksma_options_get(options, "memdev");
	const char *address = ksma_options_get(options, "addr");

	if (strcmp(driver, "pc-dimm") != 0 || !memdev || p->dimm_count == KSMA_CMDLINE_BACKENDS)
		return NULL;
	KSMA_TRY(ksma_strdup(memdev, &p->dimms[p->dimm_count].memdev));
	p->dimms[p->dimm_count].address = address ? strtoull(address, NULL, 0) : 0;
	p->dimm_count++;
	return NULL;
}

static struct ksma_error *parse_name(struct parse *p, const struct ksma_options *options)
{
	const char *name = ksma_options_get(options, "guest");

	return name ? set(&p->out->name, name) : NULL;
}

static struct ksma_error *parse_accel(struct parse *p, const struct ksma_options *options)
{
	const char *accel = ksma_options_get(options, "accel");

	/* The first of several -accel is tried first; which one QEMU took in the end is not written here. */
	return accel && !*p->out->accelerator ? set(&p->out->accelerator, accel) : NULL;
}

static struct ksma_error *parse_smbios(struct parse *p, const struct ksma_options *options)
{
	const char *uuid = ksma_options_get(options, "uuid");

	return uuid ? set(&p->smbios_uuid, uuid) : NULL;
}

/* Options whose value is a list of keys. */
static const struct {
	const char *name;
	const char *implied;
	struct ksma_error *(*parse)(struct parse *p, const struct ksma_options *options);
} keyed_options[] = {
	{ "name", "guest", parse_name },
	{ "m", "size", parse_memory },
	{ "smp", "cpus", parse_smp },
	{ "machine", "type", parse_machine },
	{ "M", "type", parse_machine },
	{ "accel", "accel", parse_accel },
	{ "object", "qom-type", parse_object_option },
	{ "numa", "type", parse_numa },
	{ "device", "driver", parse_device },
	{ "chardev", "backend", parse_chardev },
	{ "mon", "chardev", parse_mon },
	{ "smbios", NULL, parse_smbios },
};

static struct ksma_error *parse_option(struct parse *p, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(keyed_options); i++) {
		struct ksma_options options;
		struct ksma_error *error;

		if (strcmp(name, keyed_options[i].name) != 0)
			continue;
		KSMA_TRY(ksma_options_parse(value, keyed_options[i].implied, &options));
		error = keyed_options[i].parse(p, &options);
		ksma_options_free(&options);
		return error;
	}
	if (strcmp(name, "uuid") == 0)
		return set(&p->out->uuid, value);
	if (strcmp(name, "qmp") == 0 || strcmp(name, "qmp-pretty") == 0)
		return parse_qmp(p, value);
	if (strcmp(name, "mem-path") == 0)
		return set(&p->out->mem_path, value);
	if (strcmp(name, "incoming") == 0)
		p->out->incoming = true;
	else if (strcmp(name, "monitor") == 0)
		p->out->human_monitor = strcmp(value, "none") != 0;
	return NULL;
}

static struct ksma_error *parse_flag(struct parse *p, const char *name)
{
	if (strcmp(name, "enable-kvm") == 0)
		return set(&p->out->accelerator, "kvm");
	if (strcmp(name, "S") == 0)
		p->out->stopped = true;
	return NULL;
}

static bool is_flag(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(flag_options); i++)
		if (strcmp(name, flag_options[i]) == 0)
			return true;
	return false;
}

static struct ksma_cmdline_backend *find_backend(struct ksma_cmdline *out, const char *id)
{
	for (size_t i = out->backend_count; i-- > 0;)
		if (strcmp(out->backends[i].id, id) == 0)
			return &out->backends[i];
	return NULL;
}

/* Which backends are the machine's main memory, and which are DIMMs. */
static struct ksma_error *join_memory(struct parse *p)
{
	struct ksma_cmdline *out = p->out;
	struct ksma_cmdline_backend *backend;

	for (size_t i = 0; i < p->dimm_count; i++) {
		backend = find_backend(out, p->dimms[i].memdev);
		if (!backend)
			continue;
		backend->dimm = true;
		backend->dimm_address = p->dimms[i].address;
	}
	for (size_t i = 0; i < p->node_count; i++) {
		backend = p->nodes[i].memdev ? find_backend(out, p->nodes[i].memdev) : NULL;
		if (!backend)
			continue;
		backend->in_machine = true;
		backend->node = p->nodes[i].node;
	}
	if (out->numa_memdev)
		return NULL;
	if (out->machine_backend) {
		backend = find_backend(out, out->machine_backend);
		if (backend)
			backend->in_machine = true;
		return NULL;
	}
	KSMA_TRY(add_backend(
		out, strncmp(out->machine, "microvm", 7) == 0 ? "microvm.ram" : "pc.ram",
		out->mem_path ? KSMA_BACKEND_FILE : KSMA_BACKEND_RAM, out->ram_bytes, &backend));
	if (!backend)
		return NULL;
	backend->in_machine = true;
	return out->mem_path ? ksma_strdup(out->mem_path, &backend->path) : NULL;
}

static struct ksma_error *join_monitors(struct parse *p)
{
	for (size_t i = 0; i < p->mode_count; i++) {
		for (size_t j = 0; j < p->chardev_count; j++) {
			const struct chardev *chardev = &p->chardevs[j];

			if (strcmp(chardev->id, p->modes[i]) != 0)
				continue;
			if (strcmp(chardev->id, "charmonitor") == 0)
				p->out->libvirt = true;
			else if (chardev->path)
				KSMA_TRY(add_monitor(p->out, chardev->path));
		}
	}
	return NULL;
}

static struct ksma_error *join(struct parse *p)
{
	struct ksma_cmdline *out = p->out;
	uint64_t in_machine = 0;

	if (!*out->uuid && p->smbios_uuid)
		KSMA_TRY(set(&out->uuid, p->smbios_uuid));
	if (!*out->machine)
		KSMA_TRY(set(&out->machine, "pc"));
	if (!*out->accelerator)
		KSMA_TRY(set(&out->accelerator, "tcg"));
	if (!out->ram_bytes && out->machine_backend && find_backend(out, out->machine_backend))
		out->ram_bytes = find_backend(out, out->machine_backend)->size;
	if (!out->ram_bytes)
		out->ram_bytes = 128 << 20; /* what QEMU gives where nobody asks for more */
	KSMA_TRY(join_memory(p));
	for (size_t i = 0; i < out->backend_count; i++)
		if (out->backends[i].in_machine && out->backends[i].size < UINT64_MAX - in_machine)
			in_machine += out->backends[i].size;
	if (out->numa_memdev && in_machine)
		out->ram_bytes = in_machine;
	return join_monitors(p);
}

static struct ksma_error *parse_words(struct parse *p, const char *words, size_t length)
{
	const char *end = words + length;
	const char *word = words + strnlen(words, length) + 1; /* argv[0] says nothing */

	while (word < end) {
		const char *next = word + strlen(word) + 1;
		const char *name = word;

		if (strstr(word, "/.config/libvirt/") || strstr(word, "/.local/share/libvirt/"))
			p->out->libvirt_session = true;
		if (*name++ != '-' || !*name) {
			word = next; /* a disk image */
			continue;
		}
		if (*name == '-')
			name++;
		if (is_flag(name)) {
			KSMA_TRY(parse_flag(p, name));
		} else if (next < end) {
			KSMA_TRY(parse_option(p, name, next));
			next += strlen(next) + 1;
		}
		word = next;
	}
	return NULL;
}

static void parse_free(struct parse *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(p->chardevs); i++) {
		free(p->chardevs[i].id);
		free(p->chardevs[i].path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(p->modes); i++)
		free(p->modes[i]);
	for (size_t i = 0; i < KSMA_CMDLINE_BACKENDS; i++) {
		free(p->nodes[i].memdev);
		free(p->dimms[i].memdev);
	}
	free(p->smbios_uuid);
	free(p);
}

static struct ksma_error *parse_all(struct parse *p, const char *words, size_t length)
{
	struct ksma_cmdline *out = p->out;
	_cleanup_free_ char *copy = NULL;

	if (length > KSMA_CMDLINE_MAX)
		length = KSMA_CMDLINE_MAX;
	copy = malloc(length + 1);
	if (!copy)
		return ksma_error_nomem();
	memcpy(copy, words, length);
	copy[length] = 0;
	out->vcpus = 1;
	KSMA_TRY(ksma_strdup("", &out->name));
	KSMA_TRY(ksma_strdup("", &out->uuid));
	KSMA_TRY(ksma_strdup("", &out->machine));
	KSMA_TRY(ksma_strdup("", &out->accelerator));
	KSMA_TRY(parse_words(p, copy, length));
	return join(p);
}

struct ksma_error *ksma_cmdline_parse(const char *words, size_t length,
				      struct ksma_cmdline *ret_cmdline)
{
	struct ksma_cmdline *out = calloc(1, sizeof(*out));
	struct parse *p = calloc(1, sizeof(*p));
	struct ksma_error *error;

	if (!out || !p) {
		free(out);
		free(p);
		return ksma_error_nomem();
	}
	p->out = out;
	error = parse_all(p, words, length);
	if (error)
		ksma_cmdline_free(out);
	else
		*ret_cmdline = *out;
	parse_free(p);
	free(out);
	return error;
}

void ksma_cmdline_free(struct ksma_cmdline *cmdline)
{
	free(cmdline->name);
	free(cmdline->uuid);
	free(cmdline->machine);
	free(cmdline->accelerator);
	free(cmdline->machine_backend);
	free(cmdline->mem_path);
	for (size_t i = 0; i < cmdline->monitor_count; i++)
		free(cmdline->monitors[i]);
	for (size_t i = 0; i < cmdline->backend_count; i++) {
		free(cmdline->backends[i].id);
		free(cmdline->backends[i].path);
	}
	*cmdline = (struct ksma_cmdline){ 0 };
}

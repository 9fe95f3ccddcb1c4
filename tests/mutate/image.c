/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A dump as a guest of our own making: mapped privately, so that damage costs a page and is gone with the process. */
#include <errno.h>
#include <sys/mman.h>

#include "guest/dump.h"
#include "guest/page_cache.h"
#include "linux/kallsyms.h"
#include "linux/kernel.h"
#include <ksma/linux.h>
#include "mutate.h"

enum { TABLES_MAX = 4096, PIECE_MAX = 32 << 20 };

static void die(struct ksma_error *error, const char *what)
{
	if (!error)
		return;
	fprintf(stderr, "mutate_dumps: %s: %s\n", what, error->message);
	exit(2);
}

uint8_t *image_at(struct image *image, uint64_t gpa, uint64_t length)
{
	for (size_t i = 0; i < image->region_count; i++) {
		const struct ksma_ram_region *region = &image->regions[i];

		if (ksma_in_range(gpa - region->gpa, length, region->size))
			return image->bytes + region->file_offset + (gpa - region->gpa);
	}
	return NULL;
}

static struct ksma_error *fetch_page(struct ksma_guest *guest, const struct ksma_ram_region *region,
				     uint64_t gpa, uint8_t *buffer)
{
	struct image *image = guest->priv;
	uint64_t offset = region->file_offset + (gpa - region->gpa);

	if (!ksma_in_range(offset, KSMA_PAGE_SIZE, image->size))
		return ksma_error_fault(gpa, "physical address 0x%llx is past the end",
					(unsigned long long)gpa);
	memcpy(buffer, image->bytes + offset, KSMA_PAGE_SIZE);
	if (image->touched)
		image->touched[offset / KSMA_PAGE_SIZE] = 1;
	return NULL;
}

static struct ksma_error *registers(struct ksma_guest *guest, unsigned flags,
				    struct ksma_registers *ret_registers)
{
	const struct image *image = guest->priv;
	struct ksma_vcpu *vcpus;

	vcpus = malloc(image->registers.count * sizeof(*vcpus));
	if (!vcpus)
		return ksma_error_nomem();
	memcpy(vcpus, image->registers.vcpus, image->registers.count * sizeof(*vcpus));
	*ret_registers = (struct ksma_registers){ .vcpus = vcpus, .count = image->registers.count };
	return NULL;
}

static const struct ksma_guest_ops image_ops = { .fetch_page = fetch_page, .registers = registers };

void image_copy(struct image *image)
{
	for (size_t i = 0; i < image->guest.region_count; i++)
		image->guest.regions[i].map = NULL;
	if (!image->guest.cache)
		die(ksma_page_cache_create(KSMA_PAGE_CACHE_DEFAULT, &image->guest.cache),
		    "page cache");
}

static void map_again(struct image *image)
{
	ksma_page_cache_destroy(TAKE_PTR(image->guest.cache));
	image->guest.epoch++;
	for (size_t i = 0; i < image->guest.region_count; i++)
		image->guest.regions[i].map = image->bytes + image->regions[i].file_offset;
}

static void add_piece(struct pieces *pieces, uint64_t gpa, uint64_t length)
{
	struct piece *piece = NULL;

	die(KSMA_ARRAY_PUSH(pieces, &piece), "pieces");
	*piece = (struct piece){ .gpa = gpa, .length = length };
}

/* Adds [gva, gva+length) of the kernel, a page at a time. */
static void add_kernel(struct image *image, struct ksma_kernel *kernel, enum part part,
		       uint64_t gva, uint64_t length)
{
	if (length > PIECE_MAX)
		length = PIECE_MAX;
	while (length) {
		uint64_t left = KSMA_PAGE_SIZE - gva % KSMA_PAGE_SIZE, gpa;

		if (left > length)
			left = length;
		if (ksma_space_try_translate(&kernel->space, gva, &gpa) &&
		    image_at(image, gpa, left))
			add_piece(&image->parts[part], gpa, left);
		gva += left;
		length -= left;
	}
}

static void add_symbols(struct image *image, struct ksma_kernel *kernel, enum part part,
			const char *first, const char *end)
{
	uint64_t start = ksma_kernel_symbol(kernel, first), stop = ksma_kernel_symbol(kernel, end);

	if (start && stop > start)
		add_kernel(image, kernel, part, start, stop - start);
	else if (start)
		add_kernel(image, kernel, part, start, KSMA_PAGE_SIZE);
}

/* The kernel does not name its symbol tables: they are found in its constants as the library finds them. */
static void add_kallsyms(struct image *image, struct ksma_kernel *kernel)
{
	uint64_t start = ksma_kernel_symbol(kernel, "__start_rodata"),
		 end = ksma_kernel_symbol(kernel, "__end_rodata");
	struct ksma_kallsyms tables;
	size_t position = 0;
	uint8_t *constants;

	if (!start || end <= start || end - start > PIECE_MAX)
		return;
	constants = malloc(end - start);
	if (!constants)
		die(ksma_error_nomem(), "memory");
	die(ksma_kernel_read(kernel, ksma_gva_of(start), constants, end - start),
	    "the kernel's constants");
	die(ksma_kallsyms_locate(constants, end - start, start, &position, &tables), "kallsyms");
	add_kernel(image, kernel, PART_KALLSYMS, start + tables.start, tables.end - tables.start);
	free(constants);
}

/* The pages that the page tables of `root` consist of, level by level. */
static void add_tables(struct image *image, uint64_t root)
{
	struct pieces *tables = &image->parts[PART_TABLES];
	size_t first = tables->count, end;

	if (!image_at(image, root, KSMA_PAGE_SIZE))
		return;
	add_piece(tables, root, KSMA_PAGE_SIZE);
	for (unsigned level = 4; level > 1; level--, first = end) {
		end = tables->count;
		for (size_t i = first; i < end; i++) {
			const uint8_t *table =
				image_at(image, tables->items[i].gpa, KSMA_PAGE_SIZE);

			for (unsigned n = 0; n < 512; n++) {
				uint64_t entry;

				memcpy(&entry, table + n * 8, 8);
				if ((entry & KSMA_PTE_P) && !(entry & KSMA_PTE_PS) &&
				    tables->count < TABLES_MAX &&
				    image_at(image, entry & KSMA_PTE_FRAME, KSMA_PAGE_SIZE))
					add_piece(tables, entry & KSMA_PTE_FRAME, KSMA_PAGE_SIZE);
			}
		}
	}
}

/* A member that the walks follow, where the kernel has it. */
static void add_link(struct image *image, struct ksma_kernel *kernel, uint64_t object,
		     int32_t offset, uint64_t size)
{
	if (offset != KSMA_NO_MEMBER)
		add_kernel(image, kernel, PART_LINKS, object + (uint64_t)offset, size);
}

static void add_task(struct image *image, struct ksma_kernel *kernel, uint64_t task)
{
	const struct ksma_offsets *off = &kernel->off;

	add_kernel(image, kernel, PART_TASKS, task, kernel->size.task_struct);
	add_link(image, kernel, task, off->task_struct__tasks, 16);
	add_link(image, kernel, task, off->task_struct__thread_node, 16);
	add_link(image, kernel, task, off->task_struct__children, 16);
	add_link(image, kernel, task, off->task_struct__sibling, 16);
	add_link(image, kernel, task, off->task_struct__cg_list, 16);
	add_link(image, kernel, task, off->task_struct__signal, 8);
	add_link(image, kernel, task, off->task_struct__files, 8);
	add_link(image, kernel, task, off->task_struct__mm, 8);
	add_link(image, kernel, task, off->task_struct__nsproxy, 8);
}

static void find_objects(struct image *image, struct ksma_kernel *kernel)
{
	struct ksma_coverage coverage = { 0 };
	struct ksma_processes processes;
	struct ksma_modules modules;

	die(ksma_linux_processes(kernel, KSMA_PROCESS_THREADS, &coverage, &processes), "processes");
	for (size_t i = 0; i < processes.count; i++)
		add_task(image, kernel, processes.items[i].task);
	ksma_processes_free(&processes);
	die(ksma_linux_modules(kernel, &coverage, &modules), "modules");
	for (size_t i = 0; i < modules.count; i++) {
		add_kernel(image, kernel, PART_MODULES, modules.items[i].address,
			   kernel->size.module);
		add_link(image, kernel, modules.items[i].address, kernel->off.module__list, 16);
	}
	ksma_modules_free(&modules);
	ksma_coverage_deinit(&coverage);
}

/* Adds the pages that were touched, and are not marked in `but`, to `pieces`. */
static void add_touched(struct image *image, const uint8_t *but, struct pieces *pieces)
{
	for (size_t i = 0; i < image->region_count; i++) {
		const struct ksma_ram_region *region = &image->regions[i];
		uint64_t first = region->file_offset / KSMA_PAGE_SIZE;

		for (uint64_t page = 0; page < region->size / KSMA_PAGE_SIZE; page++)
			if (image->touched[first + page] && !(but && but[first + page]))
				add_piece(pieces, region->gpa + page * KSMA_PAGE_SIZE,
					  KSMA_PAGE_SIZE);
	}
}

/* Which pages are read to understand the kernel, and which after that. */
static void record(struct image *image)
{
	size_t pages = image->size / KSMA_PAGE_SIZE + 1;
	struct ksma_kernel *kernel;
	struct progress progress;
	uint8_t *early;

	image->touched = calloc(pages, 1);
	early = malloc(pages);
	if (!image->touched || !early)
		die(ksma_error_nomem(), "memory");
	image_copy(image);
	die(ksma_kernel_open(&image->guest, NULL, &kernel), "the undamaged dump");
	ksma_kernel_destroy(kernel);
	memcpy(early, image->touched, pages);
	image->guest.epoch++;
	pipeline_run(&image->guest, &progress);
	if (!progress.kernel)
		die(ksma_error_create(KSMA_ERROR_BAD_DATA, "%s", progress.message),
		    "the undamaged dump");
	add_touched(image, NULL, &image->hot);
	add_touched(image, early, &image->late);
	printf("mutate_dumps: undamaged: %u processes, %u modules, %u findings, %zu pages read, %zu of them by walks%s%s\n",
	       progress.processes, progress.modules, progress.findings, image->hot.count,
	       image->late.count, progress.incomplete ? ", incomplete: " : "",
	       progress.incomplete ? progress.message : "");
	free(early);
	free(TAKE_PTR(image->touched));
}

/* A dump holds no MSRs: those of an honest guest are known all the same. */
static void make_msrs(struct image *image, const struct ksma_kernel *kernel)
{
	for (size_t i = 0; i < image->registers.count; i++) {
		struct ksma_vcpu *vcpu = &image->registers.vcpus[i];

		vcpu->lstar = ksma_kernel_symbol(kernel, "entry_SYSCALL_64");
		vcpu->cstar = ksma_kernel_symbol(kernel, "entry_SYSCALL_compat");
		vcpu->sysenter_eip = ksma_kernel_symbol(kernel, "entry_SYSENTER_compat");
		vcpu->sysenter_cs = 0x10;
		vcpu->has_msrs = true;
	}
}

/* Looks at the undamaged guest, and keeps where things are and which pages were read. */
static void learn(struct image *image)
{
	struct ksma_kernel *kernel;

	die(ksma_kernel_open(&image->guest, NULL, &kernel), "the undamaged dump");
	make_msrs(image, kernel);
	add_kallsyms(image, kernel);
	add_symbols(image, kernel, PART_BTF, "__start_BTF", "__stop_BTF");
	add_symbols(image, kernel, PART_LOG, "prb", "");
	add_symbols(image, kernel, PART_LOG, "_printk_rb_static_descs", "");
	add_symbols(image, kernel, PART_LOG, "_printk_rb_static_infos", "");
	add_tables(image, kernel->space.root);
	for (size_t i = 0; i < image->registers.count; i++)
		add_tables(image, image->registers.vcpus[i].cr3 & KSMA_PTE_FRAME);
	find_objects(image, kernel);
	ksma_kernel_destroy(kernel);
	for (size_t i = 0; i < PART_COUNT; i++)
		if (!image->parts[i].count)
			die(ksma_error_create(KSMA_ERROR_NOT_PRESENT, "part %zu is not there", i),
			    "the undamaged dump");

	record(image);
	map_again(image);
}

void image_open(struct image *image, const char *path)
{
	struct ksma_guest *dump;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	memset(image, 0, sizeof(*image));
	if (fd < 0)
		die(ksma_error_os(errno, "cannot open it"), path);
	die(ksma_dump_open(path, &dump), path);
	image->size = (size_t)lseek(fd, 0, SEEK_END);
	image->bytes =
		mmap(NULL, image->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	close(fd);
	if (image->bytes == MAP_FAILED)
		die(ksma_error_os(errno, "cannot map it"), path);
	die(ksma_guest_registers(dump, KSMA_REGISTERS_BASIC, &image->registers), path);
	image->guest.ops = &image_ops;
	image->guest.priv = image;
	image->guest.info = *ksma_guest_info(dump);
	image->guest.info.path = path;
	image->guest.region_count = image->region_count = dump->region_count;
	memcpy(image->regions, dump->regions, sizeof(image->regions));
	for (size_t i = 0; i < image->region_count; i++)
		image->regions[i].fd = -1;
	memcpy(image->guest.regions, image->regions, sizeof(image->regions));
	ksma_guest_destroy(dump);
	map_again(image);
	learn(image);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints what the BTF and kallsyms readers make of a kernel's tables, for tests that compare it with bpftool and with the guest's
 * own /proc/kallsyms, and measures them. */
#include <elf.h>
#include <inttypes.h>

#include "linux/btf.h"
#include "linux/kallsyms.h"

enum { RUNS = 21, FILE_MAX = 512 << 20 };

static const char *const kind_names[KSMA_BTF_KIND_MAX + 1] = {
	"VOID", "INT",	   "PTR",      "ARRAY",	   "STRUCT",   "UNION",	 "ENUM",
	"FWD",	"TYPEDEF", "VOLATILE", "CONST",	   "RESTRICT", "FUNC",	 "FUNC_PROTO",
	"VAR",	"DATASEC", "FLOAT",    "DECL_TAG", "TYPE_TAG", "ENUM64",
};

static int fail(struct ksma_error *error)
{
	fprintf(stderr, "tables: %s\n", error->message);
	ksma_error_destroy(error);
	return 1;
}

static struct ksma_error *open_btf(const char *path, char **ret_data, struct ksma_btf **ret_btf)
{
	size_t size;

	KSMA_TRY(ksma_read_file(path, FILE_MAX, ret_data, &size));
	return ksma_btf_create(*ret_data, size, ret_btf);
}

static const char *or_anonymous(const char *name)
{
	return *name ? name : "(anon)";
}

static bool print_member(void *arg, const char *name, const struct ksma_btf_member *member)
{
	printf("\t'%s' type_id=%u bits_offset=%" PRIu64, or_anonymous(name), member->type,
	       member->bit_offset);
	if (member->bits)
		printf(" bitfield_size=%u", member->bits);
	putchar('\n');
	return true;
}

static void print_type(const struct ksma_btf *btf, uint32_t id)
{
	enum ksma_btf_kind kind = ksma_btf_kind_of(btf, id);
	uint64_t size = 0;

	printf("[%u] %s '%s'", id, kind_names[kind], or_anonymous(ksma_btf_name_of(btf, id)));
	switch (kind) {
	case KSMA_BTF_FWD:
		break;
	case KSMA_BTF_ARRAY:
		printf(" type_id=%u nr_elems=%u", ksma_btf_target(btf, id),
		       ksma_btf_array_count(btf, id));
		break;
	case KSMA_BTF_INT:
	case KSMA_BTF_STRUCT:
	case KSMA_BTF_UNION:
	case KSMA_BTF_ENUM:
	case KSMA_BTF_ENUM64:
	case KSMA_BTF_FLOAT:
	case KSMA_BTF_DATASEC:
		ksma_btf_size_of(btf, id, &size);
		printf(" size=%" PRIu64, size);
		break;
	default:
		printf(" type_id=%u", ksma_btf_target(btf, id));
	}
	putchar('\n');
	if (kind == KSMA_BTF_STRUCT || kind == KSMA_BTF_UNION)
		ksma_btf_each_member(btf, id, print_member, NULL);
}

/* A struct whose members are looked up by name, through its anonymous ones. */
struct lookup {
	const struct ksma_btf *btf;
	uint32_t outer;
	uint64_t bit_offset;
	unsigned depth;
	uint64_t *checked, *wrong;
};

static bool look_up(void *arg, const char *name, const struct ksma_btf_member *member)
{
	struct lookup *lookup = arg;
	struct ksma_btf_member found;

	if (!*name) {
		struct lookup inner = *lookup;

		inner.bit_offset += member->bit_offset;
		if (inner.depth++ < 16)
			ksma_btf_each_member(lookup->btf, member->type, look_up, &inner);
		return true;
	}
	++*lookup->checked;
	if (!ksma_btf_member(lookup->btf, lookup->outer, name, &found) ||
	    found.bit_offset != lookup->bit_offset + member->bit_offset ||
	    found.type != member->type || found.bits != member->bits ||
	    found.size != member->size) {
		fprintf(stderr, "tables: [%u] %s.%s is found elsewhere\n", lookup->outer,
			ksma_btf_name_of(lookup->btf, lookup->outer), name);
		++*lookup->wrong;
	}
	return true;
}

/* Every type as bpftool has it, and every member by its name. */
static int do_btf(const char *path)
{
	_cleanup_free_ char *data = NULL;
	uint64_t checked = 0, wrong = 0;
	struct ksma_btf *btf;
	struct ksma_error *error = open_btf(path, &data, &btf);

	if (error)
		return fail(error);
	for (uint32_t id = 1; id <= ksma_btf_type_count(btf); id++) {
		struct lookup lookup = {
			.btf = btf, .outer = id, .checked = &checked, .wrong = &wrong
		};
		enum ksma_btf_kind kind = ksma_btf_kind_of(btf, id);

		print_type(btf, id);
		if (kind == KSMA_BTF_STRUCT || kind == KSMA_BTF_UNION)
			ksma_btf_each_member(btf, id, look_up, &lookup);
	}
	fprintf(stderr, "tables: %u types, %" PRIu64 " members found by name, %" PRIu64 " wrong\n",
		ksma_btf_type_count(btf), checked, wrong);
	ksma_btf_destroy(btf);
	return wrong != 0;
}

/* Reads "ENUM NAME VALUE" lines, ENUM being "-" for any, and prints those that we see otherwise. */
static int do_enumerators(const char *path)
{
	_cleanup_free_ char *data = NULL;
	char name[512], enumerator[512], expected[64];
	unsigned checked = 0, wrong = 0;
	struct ksma_btf *btf;
	struct ksma_error *error = open_btf(path, &data, &btf);

	if (error)
		return fail(error);
	for (; scanf("%511s %511s %63s", name, enumerator, expected) == 3; checked++) {
		bool any = strcmp(name, "-") == 0;
		int64_t value;

		/* strtoull takes negative numbers too: both are compared as 64 bits */
		if (ksma_btf_enumerator(btf, any ? NULL : name, enumerator, &value) &&
		    (uint64_t)value == strtoull(expected, NULL, 10))
			continue;
		printf("%s %s is not %s\n", name, enumerator, expected);
		wrong++;
	}
	printf("# %u enumerators, %u wrong\n", checked, wrong);
	ksma_btf_destroy(btf);
	return wrong || checked < 1000;
}

/* The part of a kernel file that is loaded at -2 GiB and holds kallsyms. */
struct piece {
	const uint8_t *data;
	size_t size;
	uint64_t gva;
	struct ksma_kallsyms tables;
};

static struct ksma_error *find_piece(const char *file, size_t size, struct piece *ret)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;

	if (size < sizeof(*header) || memcmp(file, ELFMAG, SELFMAG) != 0 ||
	    !ksma_in_range(header->e_phoff, header->e_phnum * sizeof(Elf64_Phdr), size))
		return ksma_error_create(KSMA_ERROR_INVALID, "not a kernel file");
	for (unsigned i = 0; i < header->e_phnum; i++) {
		const Elf64_Phdr *p = (const Elf64_Phdr *)(file + header->e_phoff) + i;
		struct ksma_error *error;
		size_t position = 0;

		if (p->p_type != PT_LOAD || p->p_vaddr < 0xffffffff80000000 ||
		    !ksma_in_range(p->p_offset, p->p_filesz, size))
			continue;
		ret->data = (const uint8_t *)file + p->p_offset;
		ret->size = p->p_filesz;
		ret->gva = p->p_vaddr;
		error = ksma_kallsyms_locate(ret->data, ret->size, ret->gva, &position,
					     &ret->tables);
		if (!error || error->code != KSMA_ERROR_NOT_PRESENT)
			return error;
		ksma_error_destroy(error);
	}
	return ksma_error_create(KSMA_ERROR_NOT_PRESENT, "no kallsyms in that file");
}

/* Every symbol as /proc/kallsyms has it, with the kernel moved up by `slide`. */
static int do_kallsyms(const char *path, uint64_t slide)
{
	_cleanup_free_ char *file = NULL;
	_cleanup_(ksma_symbols_deinit) struct ksma_symbols symbols = { 0 };
	struct piece piece;
	size_t size;
	struct ksma_error *error = ksma_read_file(path, FILE_MAX, &file, &size);

	error = error ?: find_piece(file, size, &piece);
	error = error ?: ksma_kallsyms_decode(piece.data, piece.size, &piece.tables, &symbols);
	error = error ?: ksma_kallsyms_verify(&piece.tables, &symbols);
	if (error)
		return fail(error);
	symbols.slide += slide;
	for (size_t i = 0; i < symbols.count; i++)
		printf("%016" PRIx64 " %c %s\n", ksma_symbol_address(&symbols, &symbols.items[i]),
		       symbols.items[i].type, ksma_symbol_name(&symbols, &symbols.items[i]));
	return 0;
}

/* Time of this thread: what else the machine does is not counted. */
static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *what, uint64_t *times)
{
	qsort(times, RUNS, sizeof(*times), by_value);
	printf("%-28s %9.3f ms (best %.3f)\n", what, (double)times[RUNS / 2] / 1e6,
	       (double)times[0] / 1e6);
}

static struct ksma_error *bench_kallsyms(const struct piece *piece)
{
	uint64_t locate[RUNS], decode[RUNS], find[RUNS];
	unsigned found = 0;

	for (unsigned i = 0; i < RUNS; i++) {
		struct ksma_symbols symbols;
		struct ksma_kallsyms tables;
		size_t position = 0;
		uint64_t start = cpu_ns();

		KSMA_TRY(ksma_kallsyms_locate(piece->data, piece->size, piece->gva, &position,
					      &tables));
		locate[i] = cpu_ns() - start;
		start = cpu_ns();
		KSMA_TRY(ksma_kallsyms_decode(piece->data, piece->size, &tables, &symbols));
		decode[i] = cpu_ns() - start;
		start = cpu_ns();
		for (size_t k = 0; k < symbols.count; k += 100)
			found += ksma_symbols_find(&symbols,
						   ksma_symbol_name(&symbols, &symbols.items[k])) !=
				 NULL;
		find[i] = (cpu_ns() - start) * 1000 / (symbols.count / 100 + 1);
		ksma_symbols_deinit(&symbols);
	}
	report("kallsyms: locate", locate);
	report("kallsyms: decode, index", decode);
	report("symbol by name, 1000 times", find);
	return found ? NULL : ksma_error_create(KSMA_ERROR_NOT_PRESENT, "nothing was found");
}

static struct ksma_error *bench_btf(const char *data, size_t size)
{
	uint64_t create[RUNS], member[RUNS], first[RUNS], again[RUNS];

	for (unsigned i = 0; i < RUNS; i++) {
		uint64_t start = cpu_ns();
		struct ksma_btf_member found;
		struct ksma_btf *btf;
		uint32_t task;
		int64_t value;
		bool ok = true;

		KSMA_TRY(ksma_btf_create(data, size, &btf));
		create[i] = cpu_ns() - start;
		task = ksma_btf_find(btf, KSMA_BTF_STRUCT, "task_struct");
		start = cpu_ns();
		for (unsigned k = 0; k < 1000; k++)
			ok = ok && ksma_btf_member(btf, task, "thread.sp", &found);
		member[i] = cpu_ns() - start;
		start = cpu_ns();
		ok = ok && ksma_btf_enumerator(btf, NULL, "PIDTYPE_MAX", &value);
		first[i] = cpu_ns() - start;
		start = cpu_ns();
		for (unsigned k = 0; k < 1000; k++)
			ok = ok && ksma_btf_enumerator(btf, NULL, "PIDTYPE_MAX", &value);
		again[i] = cpu_ns() - start;
		ksma_btf_destroy(btf);
		if (!ok)
			return ksma_error_create(KSMA_ERROR_NOT_PRESENT,
						 "no task_struct.thread.sp or PIDTYPE_MAX");
	}
	report("BTF: check and index", create);
	report("BTF: last member, 1000 times", member);
	report("BTF: first enumerator", first);
	report("BTF: enumerator, 1000 times", again);
	return NULL;
}

static int do_bench(const char *kernel, const char *btf)
{
	_cleanup_free_ char *file = NULL, *data = NULL;
	struct piece piece;
	size_t size, btf_size;
	struct ksma_error *error = ksma_read_file(kernel, FILE_MAX, &file, &size);

	error = error ?: find_piece(file, size, &piece);
	error = error ?: ksma_read_file(btf, FILE_MAX, &data, &btf_size);
	if (error)
		return fail(error);
	printf("%u symbols in %zu bytes, BTF of %zu bytes\n", piece.tables.num_syms, piece.size,
	       btf_size);
	error = bench_kallsyms(&piece);
	error = error ?: bench_btf(data, btf_size);
	return error ? fail(error) : 0;
}

int main(int argc, char **argv)
{
	const char *command = argc > 2 ? argv[1] : "";

	if (!strcmp(command, "btf"))
		return do_btf(argv[2]);
	if (!strcmp(command, "enumerators"))
		return do_enumerators(argv[2]);
	if (!strcmp(command, "kallsyms"))
		return do_kallsyms(argv[2], argc > 3 ? strtoull(argv[3], NULL, 16) : 0);
	if (!strcmp(command, "bench") && argc > 3)
		return do_bench(argv[2], argv[3]);
	fprintf(stderr,
		"usage: tables btf BTF | enumerators BTF <VALUES | kallsyms VMLINUX [SLIDE] | bench VMLINUX BTF\n");
	return 2;
}

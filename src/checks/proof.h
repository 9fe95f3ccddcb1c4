/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The proof of code: memory as the vendor's bytes and the kernel's own state say that it has to be, and how the guest's differs.
 *
 * A proof is made of units: the kernel's image, and each module. A unit's bytes are built once (vendor bytes, relocated, patched
 * as at boot); before each look the places that a running kernel changes are written anew from its state; then memory is compared. */
#ifndef KSMA_CHECKS_PROOF_H
#define KSMA_CHECKS_PROOF_H

#include "checks/check.h"
#include "checks/kept.h"
#include "checks/owners.h"
#include <ksma/vendor.h>
#include "vendor/image.h"
#include "vendor/patch.h"

/* A branch that a static key turns on and off. */
struct ksma_jump_site {
	uint64_t code, target, key;
	uint8_t size; /* 2 or 5; 0 in a baseline that was taken while the site was being patched */
	bool branch;  /* taken when the key is off */
};

/* A call whose target a key holds: at a site, or through the trampoline. */
struct ksma_call_site {
	uint64_t code, key; /* key 0: a trampoline is believed where it leads to a function */
	uint8_t vendor[2];  /* how it was built: a conditional jump stays one */
	bool tail;
};

/* A page of the kernel's ftrace records: what a unit's calls of __fentry__ hold. */
struct ksma_trace_site {
	uint64_t ip;
	bool enabled; /* in the look before: to be put back to a NOP */
};

/* A run of a unit that is compared. */
struct ksma_proof_range {
	uint64_t gva;
	size_t size;
	const char *name; /* ".text" */
	bool looked_at;
};

enum { KSMA_PROOF_TRACE_CALLS = 3, KSMA_PROOF_RANGES = 48, KSMA_PROOF_TABLES = 6 };

/* The areas of a module, in the order in which they are laid out. */
enum ksma_proof_area {
	KSMA_PROOF_AREA_TEXT,
	KSMA_PROOF_AREA_RODATA,
	KSMA_PROOF_AREA_AFTER_INIT,
	KSMA_PROOF_AREA_DATA,
	KSMA_PROOF_AREAS,
};

/* One body of code and constants. */
struct ksma_proof_unit {
	struct ksma_patch patch; /* its parts are the expected bytes */
	struct ksma_proof_range text[KSMA_PROOF_RANGES], data[KSMA_PROOF_RANGES],
		late[KSMA_PROOF_RANGES]; /* late: written by boot */
	size_t text_count, data_count, late_count;
	struct ksma_proof_range warnings; /* __bug_table, which is in `data` too; size 0: none */
	struct {
		uint64_t *
			items; /* words of `late` that are the guest's own, of the first look; by rising address */
		size_t count, capacity;
	} taken;
	struct {
		struct ksma_jump_site *items;
		size_t count, capacity;
	} jumps;
	struct {
		struct ksma_call_site *items;
		size_t count, capacity;
	} calls;
	struct {
		struct ksma_trace_site *items; /* sorted */
		size_t count, capacity;
	} traces;
	/* Tables whose entries name patch sites, by kind, for evidence. */
	struct {
		enum ksma_patch_kind kind;
		struct ksma_patch_table table;
	} tables[24];
	size_t table_count;
	struct ksma_kept_key key;
	size_t fresh;  /* runs whose first look is this process's: no earlier one was kept */
	bool baseline; /* the bytes are the guest's own, of the first look */
	/* Where ftrace_caller and ftrace_regs_caller call all tracers' function, and where the graph tracer is jumped to; 0: nowhere. */
	uint64_t trace_calls[KSMA_PROOF_TRACE_CALLS];
	size_t skipped; /* entries that name nothing that is still there */
	/* Bytes under breakpoints and jumps of kprobes, to be put back. */
	struct {
		struct ksma_probed {
			uint64_t gva;
			uint8_t bytes[5];
		} * items;
		size_t count, capacity;
	} probed;
};

/* A symbol that modules may link to. */
struct ksma_export {
	const char *name;
	uint64_t address;
};

/* A module, and the vendor's file of it. */
struct ksma_proof_module {
	uint64_t module; /* struct module */
	char name[64];
	uint8_t build_id[20];
	uint64_t instance;  /* which of those that were loaded at this place */
	uint64_t base;	    /* the module's first address, as the list gives it */
	bool has_reference; /* the store has it, and it fits */
	bool mismatch;	    /* the store has it, and it cannot be that */
	bool built, seen;
	bool torn;     /* built while it came or went: built anew at the next look */
	char *problem; /* why it could not be proved, or NULL */
	struct ksma_vendor_object object;
	struct ksma_elf elf;
	uint64_t *addresses; /* of each section, 0: not loaded, or gone */
	bool separate;	     /* each area is an allocation of its own */
	struct {
		uint64_t base, size;
	} areas[KSMA_PROOF_AREAS];
	uint64_t percpu;
	size_t unresolved; /* relocations against symbols that nobody known exports */
	struct ksma_proof_unit unit;
};

/* An ftrace record of a function that is traced. */
struct ksma_trace_record {
	uint64_t ip, flags;
};

/* An armed kprobe. */
struct ksma_armed {
	uint64_t address;
	uint64_t jump;		   /* where an optimised one leads, or 0 */
	uint64_t optimized;	   /* its struct optimized_kprobe */
	uint64_t step;		   /* the copy of its instruction, or 0 */
	bool has_opcode, leaving;  /* leaving: disabled, and perhaps there still */
	uint8_t opcode, copied[4]; /* what it stands on; copied: of an optimised one */
};

/* A table that the kernel sorts: each entry begins with `relative` fields of 32 bits, and then one of 64 if `wide`, which are
 * offsets from their own place. `ignored` bits of the last of them are the kernel's own marks. */
struct ksma_proof_layout {
	size_t entry, relative;
	bool wide;
	uint64_t ignored;
};

/* The kernel's own image, from the vendor's ELF. */
struct ksma_proof {
	struct ksma_kernel *kernel;
	const struct ksma_owners *owners; /* of the present look */
	const struct ksma_kept *kept;	  /* first looks of earlier commands, or NULL */
	struct ksma_vendor_object object;
	struct ksma_vendor_image image;
	uint8_t *bytes; /* the whole image as expected */
	uint64_t gva;
	size_t size;
	struct ksma_proof_unit unit;
	bool exports_stale;
	/* Baselines, whose sites of ftrace the guest's records name. */
	struct {
		struct ksma_proof_unit **items;
		size_t count, capacity;
	} wanting;
	bool calls_after_init; /* modules keep their static call sites with what is read-only after init */
	struct {
		struct ksma_export *items; /* open addressing by name; size is a power of two */
		size_t size, used;
	} exports;
	struct {
		struct ksma_proof_module **items;
		size_t count, capacity;
	} modules;
	/* State that was read for the present look, sorted by address. */
	struct {
		struct ksma_trace_record *items;
		size_t count, capacity;
	} records;
	struct {
		struct ksma_armed *items;
		size_t count, capacity;
	} probes;
};

/* Makes the proof of the kernel's image from the vendor's ELF, which the proof takes over.
 * @ret_proof ended with ksma_proof_destroy() */
struct ksma_error *ksma_proof_create(struct ksma_kernel *kernel, const struct ksma_owners *owners,
				     const struct ksma_kept *kept,
				     struct ksma_vendor_object *object,
				     struct ksma_proof **ret_proof) KSMA_MUST_CHECK;
/* The same from the guest's own bytes, as they are now. */
struct ksma_error *ksma_proof_create_baseline(struct ksma_kernel *kernel,
					      const struct ksma_owners *owners,
					      const struct ksma_kept *kept,
					      struct ksma_proof **ret_proof) KSMA_MUST_CHECK;
void ksma_proof_destroy(struct ksma_proof *proof);
void ksma_proof_unit_deinit(struct ksma_proof_unit *unit);

/* The sections that hold tables of patch sites. */
struct ksma_proof_table_name {
	const char *section;
	enum ksma_patch_kind kind;
};
extern const struct ksma_proof_table_name ksma_proof_tables[KSMA_PROOF_TABLES];
void ksma_proof_add_table(struct ksma_proof_unit *unit, enum ksma_patch_kind kind,
			  struct ksma_patch_table table);
/* Patches a unit as at boot or load. @lock_start, lock_end  where LOCK prefixes may go */
void ksma_proof_patch(struct ksma_proof *proof, struct ksma_proof_unit *unit, uint64_t lock_start,
		      uint64_t lock_end);
/* Gathers what is needed to patch: symbols, the processor's features, NOPs. */
struct ksma_error *ksma_proof_prepare(struct ksma_proof *proof) KSMA_MUST_CHECK;
/* The bytes between two symbols, as expected; size 0: there are none. */
struct ksma_patch_table ksma_proof_symbol_table(struct ksma_proof *proof, const char *start,
						const char *end);
/* The vDSO images become runs of the constants. */
void ksma_proof_vdso(struct ksma_proof *proof);
/* Adds a run to those that are compared; one without size is left out. */
void ksma_proof_add_range(struct ksma_proof_range *ranges, size_t *count, const char *name,
			  uint64_t gva, uint64_t size);
/* Where the guest's table holds the same entries in another order, the guest's order becomes the expected one. */
void ksma_proof_sorted(struct ksma_proof *proof, struct ksma_proof_unit *unit, uint64_t gva,
		       size_t size, const struct ksma_proof_layout *layout);

/* Finds the sites of a unit in its tables: bytes of the tables as expected in memory. */
struct ksma_error *ksma_proof_jumps(struct ksma_proof_unit *unit,
				    const struct ksma_patch_table *table) KSMA_MUST_CHECK;
uint8_t ksma_proof_jump_size(const uint8_t *code); /* of the site that begins with these 2 bytes */
struct ksma_error *ksma_proof_calls(struct ksma_proof_unit *unit,
				    const struct ksma_patch_table *table) KSMA_MUST_CHECK;
/* The image's trampolines of static calls. */
struct ksma_error *ksma_proof_trampolines(struct ksma_proof *proof,
					  struct ksma_proof_unit *unit) KSMA_MUST_CHECK;
struct ksma_error *ksma_proof_traces(struct ksma_proof_unit *unit,
				     const struct ksma_patch_table *table) KSMA_MUST_CHECK;

/* True while it is the module that it was when it was taken, neither on its way in nor out. */
bool ksma_proof_module_is_live(struct ksma_kernel *kernel, const struct ksma_proof_module *m);
uint64_t ksma_proof_module_instance(struct ksma_kernel *kernel, uint64_t module);
/* Modules: the build id that one bears in memory; what the kernel and a module export; sections to their places; then all bytes. */
size_t ksma_proof_module_build_id(struct ksma_kernel *kernel, uint64_t module, uint8_t *id,
				  size_t size);
struct ksma_error *ksma_proof_kernel_exports(struct ksma_proof *proof) KSMA_MUST_CHECK;
struct ksma_error *ksma_proof_module_place(struct ksma_proof *proof,
					   struct ksma_proof_module *m) KSMA_MUST_CHECK;
struct ksma_error *ksma_proof_module_exports(struct ksma_proof *proof,
					     struct ksma_proof_module *m) KSMA_MUST_CHECK;
struct ksma_error *ksma_proof_module_build(struct ksma_proof *proof,
					   struct ksma_proof_module *m) KSMA_MUST_CHECK;
/* The same from the guest's own bytes, for a module that has no reference. */
struct ksma_error *ksma_proof_module_baseline(struct ksma_proof *proof,
					      struct ksma_proof_module *m) KSMA_MUST_CHECK;
/* Where struct module says that its areas are. */
bool ksma_proof_module_areas(struct ksma_kernel *kernel, struct ksma_proof_module *m);
/* What all units of one kernel have in common. */
void ksma_proof_inherit(const struct ksma_proof *proof, struct ksma_patch *p);
void ksma_proof_module_deinit(struct ksma_proof_module *m);

/* What boot wrote: takes over from the guest what differs from the vendor's bytes, and makes the run one of `late`. */
struct ksma_error *ksma_proof_take_late(struct ksma_proof *proof, struct ksma_proof_unit *unit,
					const char *name, uint64_t gva,
					uint64_t size) KSMA_MUST_CHECK;
struct ksma_error *ksma_proof_late_kernel(struct ksma_proof *proof) KSMA_MUST_CHECK;
/* True for a byte that is expected because the first look found it there. */
bool ksma_proof_is_taken(const struct ksma_proof_unit *unit, uint64_t gva);
/* The table of warnings becomes one of the constants; those that were given are marked before each look. */
void ksma_proof_warnings(struct ksma_proof *proof, struct ksma_proof_unit *unit, uint64_t gva,
			 uint64_t size);
struct ksma_error *ksma_proof_update_warnings(struct ksma_look *look,
					      struct ksma_proof_unit *unit) KSMA_MUST_CHECK;

/* Reads what of the kernel's state concerns all units: traced functions, kprobes. */
struct ksma_error *ksma_proof_read_state(struct ksma_look *look,
					 struct ksma_proof *proof) KSMA_MUST_CHECK;
/* The armed kprobes alone. */
struct ksma_error *ksma_proof_read_probes(struct ksma_proof *proof) KSMA_MUST_CHECK;
/* Baselines (proof_baseline.c): code that was being patched at the first look is taken again, @return false while it still is;
 * and what a probe stands on is put back. */
bool ksma_baseline_settle(struct ksma_kernel *kernel, uint8_t *code, uint64_t gva, size_t length);
void ksma_baseline_unprobe(uint8_t *code, const struct ksma_armed *armed);
/* Writes what the kernel's state says into the expected bytes of a unit. */
struct ksma_error *ksma_proof_update(struct ksma_look *look, struct ksma_proof *proof,
				     struct ksma_proof_unit *unit) KSMA_MUST_CHECK;

/* Takes breakpoints and jumps of kprobes out of the expected bytes, until the next update. */
void ksma_proof_restore_probed(struct ksma_proof_unit *unit);
/* Code that the kernel makes while it runs: made again, and compared. Of all ftrace users; of the probes on one unit. */
struct ksma_error *ksma_proof_made_by_ftrace(struct ksma_look *look,
					     struct ksma_proof *proof) KSMA_MUST_CHECK;
struct ksma_error *ksma_proof_made_by_kprobes(struct ksma_look *look, struct ksma_proof *proof,
					      struct ksma_proof_unit *unit) KSMA_MUST_CHECK;

/* Differences that became findings. */
struct ksma_proof_differences {
	struct ksma_proof_difference {
		uint64_t start, end;
		size_t finding; /* its index in the look */
	} * items;
	size_t count, capacity;
};

/* Compares ranges of a unit with the guest; differences are findings of `look`.
 * @differences  takes what they are, or NULL */
struct ksma_error *ksma_proof_compare(struct ksma_look *look, struct ksma_proof_unit *unit,
				      bool code, struct ksma_proof_range *ranges, size_t count,
				      struct ksma_proof_differences *differences) KSMA_MUST_CHECK;

/* Writes the kernel's state into the code of a unit and compares it. State and code are read one after the other while the kernel may
 * change both, so what differs is looked at again at once, a few times: only what never fits its state is a finding. */
struct ksma_error *ksma_proof_compare_code(struct ksma_look *look, struct ksma_proof *proof,
					   struct ksma_proof_unit *unit) KSMA_MUST_CHECK;

#endif

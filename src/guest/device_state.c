/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state of the vCPUs out of QEMU's device state (`xen-save-devices-state`), for the MSRs that nothing else shows.
 *
 * Source: qemu_save_device_state() in migration/savevm.c, vmstate_x86_cpu in target/i386/machine.c; QEMU has kept the order
 * of the fields of version 12 from 2.0 to 10.1, and puts all that is new into subsections behind them. */
#include "guest/device_state.h"

#include "base/bytes.h"

enum {
	STATE_MAGIC = 0x5145564d, /* QEVM */
	STATE_VERSION = 3,
	STATE_EOF = 0,
	STATE_SECTION_FULL = 4,
	STATE_SUBSECTION = 5,
	STATE_FOOTER = 0x7e,
	CPU_VERSION = 12,
};

struct found {
	struct ksma_vcpu vcpu;
	bool seen, twice;
};

static void skip(struct ksma_bytes *b, size_t n)
{
	(void)ksma_bytes_take(b, n);
}

static struct ksma_segment take_segment(struct ksma_bytes *b)
{
	struct ksma_segment s = { 0 };
	uint32_t selector = ksma_bytes_be32(b);

	s.selector = (uint16_t)selector;
	s.base = ksma_bytes_be64(b);
	s.limit = ksma_bytes_be32(b);
	s.flags = ksma_bytes_be32(b);
	return s;
}

/* The fields of vmstate_x86_cpu, in their order, to their end. */
static void take_fields(struct ksma_bytes *b, struct ksma_vcpu *v)
{
	struct ksma_segment *const segments[] = { &v->es, &v->cs,  &v->ss, &v->ds,  &v->fs,
						  &v->gs, &v->ldt, &v->tr, &v->gdt, &v->idt };

	for (size_t i = 0; i < ARRAY_SIZE(v->gpr); i++)
		v->gpr[i] = ksma_bytes_be64(b);
	v->rip = ksma_bytes_be64(b);
	v->rflags = ksma_bytes_be64(b);
	skip(b, 4);	      /* hflags */
	skip(b, 2 * 4);	      /* fpuc, fpus, fptag, fpregs_format */
	skip(b, 8 * (8 + 2)); /* fpregs */
	for (size_t i = 0; i < ARRAY_SIZE(segments); i++)
		*segments[i] = take_segment(b);
	v->sysenter_cs = ksma_bytes_be32(b);
	v->sysenter_esp = ksma_bytes_be64(b);
	v->sysenter_eip = ksma_bytes_be64(b);
	v->cr0 = ksma_bytes_be64(b);
	v->cr2 = ksma_bytes_be64(b);
	v->cr3 = ksma_bytes_be64(b);
	v->cr4 = ksma_bytes_be64(b);
	for (size_t i = 0; i < ARRAY_SIZE(v->dr); i++)
		v->dr[i] = ksma_bytes_be64(b);
	skip(b, 4 + 4);	  /* a20_mask, mxcsr */
	skip(b, 16 * 16); /* xmm */
	v->efer = ksma_bytes_be64(b);
	v->star = ksma_bytes_be64(b);
	v->lstar = ksma_bytes_be64(b);
	v->cstar = ksma_bytes_be64(b);
	v->fmask = ksma_bytes_be64(b);
	v->kernel_gs_base = ksma_bytes_be64(b);
	skip(b, 4 + 8 + 4);		    /* smbase, pat, hflags2 */
	skip(b, 4 * 8 + 4 * 2 + 4 + 1);	    /* vm_hsave to intercept, intercept_*, v_tpr */
	skip(b, 11 * 8 + 8 + 8 * 16);	    /* mtrr_fixed, mtrr_deftype, mtrr_var */
	skip(b, 4 + 4 + 8 + 4 + 4 * 1 + 4); /* interrupt_injected to sipi_vector */
	skip(b, 3 * 8 + 10 * 4 * 8);	    /* mcg_*, mce_banks */
	skip(b, 3 * 8);			    /* tsc_aux, system_time_msr, wall_clock_msr */
	skip(b, 2 * 8 + 16 * 16);	    /* xcr0, xstate_bv, ymmh */
}

/* What may stand behind the fields: a subsection of this section, or the end of it. */
static bool ends_well(struct ksma_bytes *b, uint32_t section)
{
	uint8_t mark = ksma_bytes_u8(b);

	if (b->failed)
		return false;
	if (mark == STATE_FOOTER)
		return ksma_bytes_be32(b) == section && !b->failed;
	if (mark == STATE_SUBSECTION) {
		uint8_t length = ksma_bytes_u8(b);
		const uint8_t *name = ksma_bytes_take(b, length);

		return name && length > 4 && memcmp(name, "cpu/", 4) == 0;
	}
	/* Machine types older than 2.4 write no footers. */
	return mark == STATE_SECTION_FULL || mark == STATE_EOF;
}

/* Reads "cpu"'s section header at its type byte, if there is one. */
static bool take_header(struct ksma_bytes *b, uint32_t *ret_section, uint32_t *ret_instance,
			uint32_t *ret_version)
{
	const uint8_t *name;

	if (ksma_bytes_u8(b) != STATE_SECTION_FULL)
		return false;
	*ret_section = ksma_bytes_be32(b);
	name = ksma_bytes_take(b, 4);
	if (!name || memcmp(name, "\003cpu", 4) != 0)
		return false;
	*ret_instance = ksma_bytes_be32(b);
	*ret_version = ksma_bytes_be32(b);
	return !b->failed;
}

static struct found *find_vcpu(struct found *found, size_t count, uint32_t instance)
{
	for (size_t i = 0; i < count; i++)
		if (found[i].vcpu.index == instance)
			return &found[i];
	return NULL;
}

/* Looks for the vCPUs' sections. *ret_version is one that is not known, where there was one. */
static void scan(const uint8_t *data, size_t length, struct found *found, size_t count,
		 uint32_t *ret_version)
{
	const uint8_t *at = data, *end = data + length;

	while ((at = memmem(at, (size_t)(end - at), "\003cpu", 4))) {
		struct ksma_bytes b = ksma_bytes_of(data, length);
		size_t name = (size_t)(at - data);
		uint32_t section, instance, version;
		struct ksma_vcpu vcpu = { 0 };
		struct found *f;

		at++;
		if (name < 8 + 5 || !ksma_bytes_seek(&b, name - 5) ||
		    !take_header(&b, &section, &instance, &version) ||
		    !(f = find_vcpu(found, count, instance)))
			continue;
		if (version != CPU_VERSION) {
			*ret_version = version;
			continue;
		}
		take_fields(&b, &vcpu);
		if (b.failed || !ends_well(&b, section))
			continue;
		vcpu.index = instance;
		vcpu.halted = f->vcpu.halted;
		vcpu.has_general = vcpu.has_debug = vcpu.has_msrs = true;
		f->twice = f->seen;
		f->seen = true;
		if (!f->twice)
			f->vcpu = vcpu;
	}
}

/* Registers that a running kernel leaves alone must be the same as the monitor said a moment before. */
static const char *disagreement(const struct ksma_vcpu *a, const struct ksma_vcpu *b)
{
	if (a->efer != b->efer)
		return "EFER";
	if (a->gdt.base != b->gdt.base || a->gdt.limit != b->gdt.limit)
		return "GDT";
	if (a->idt.base != b->idt.base || a->idt.limit != b->idt.limit)
		return "IDT";
	if (a->tr.base != b->tr.base || a->tr.selector != b->tr.selector)
		return "TR";
	return NULL;
}

static struct ksma_error *judge(const struct found *found, const struct ksma_registers *registers,
				uint32_t version)
{
	for (size_t i = 0; i < registers->count; i++) {
		unsigned index = registers->vcpus[i].index;
		const char *what;

		if (!found[i].seen && version)
			return ksma_error_create(
				KSMA_ERROR_UNSUPPORTED,
				"this QEMU writes vCPU state of version %u, %d is known", version,
				CPU_VERSION);
		if (!found[i].seen)
			return ksma_error_create(KSMA_ERROR_BAD_DATA,
						 "the device state holds no vCPU %u", index);
		if (found[i].twice)
			return ksma_error_create(
				KSMA_ERROR_BAD_DATA,
				"the device state holds vCPU %u twice: one of them is forged",
				index);
		what = disagreement(&found[i].vcpu, &registers->vcpus[i]);
		if (what)
			return ksma_error_create(
				KSMA_ERROR_BAD_DATA,
				"%s of vCPU %u in the device state is not what the monitor shows",
				what, index);
	}
	return NULL;
}

struct ksma_error *ksma_device_state_parse(const void *data, size_t length,
					   struct ksma_registers *registers)
{
	struct ksma_bytes b = ksma_bytes_of(data, length);
	_cleanup_free_ struct found *found = NULL;
	uint32_t version = 0;

	if (ksma_bytes_be32(&b) != STATE_MAGIC || b.failed)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "QEMU's device state does not begin as one");
	if (ksma_bytes_be32(&b) != STATE_VERSION || b.failed)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED,
					 "QEMU's device state is of an unknown version");
	if (length > KSMA_DEVICE_STATE_MAX || ((const uint8_t *)data)[length - 1] != STATE_EOF)
		return ksma_error_create(KSMA_ERROR_BAD_DATA,
					 "QEMU's device state does not end as one");
	found = calloc(registers->count ? registers->count : 1, sizeof(*found));
	if (!found)
		return ksma_error_nomem();
	for (size_t i = 0; i < registers->count; i++) {
		found[i].vcpu.index = registers->vcpus[i].index;
		found[i].vcpu.halted = registers->vcpus[i].halted;
	}
	scan(data, length, found, registers->count, &version);
	KSMA_TRY(judge(found, registers, version));
	for (size_t i = 0; i < registers->count; i++)
		registers->vcpus[i] = found[i].vcpu;
	return NULL;
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The prop that stands in for a virtual machine where only its bytes matter. */
#include "fake_guest.h"
#include "guest/page_cache.h"

static struct fake_guest *fake_of(struct ksma_guest *guest)
{
	return guest->priv;
}

/* The bytes of a region lie at the index that its file offset keeps. */
static uint8_t *region_bytes(struct fake_guest *fake, const struct ksma_ram_region *region)
{
	return fake->memory[region->file_offset];
}

static struct ksma_error *fetch_page(struct ksma_guest *guest, const struct ksma_ram_region *region,
				     uint64_t gpa, uint8_t *buffer)
{
	struct fake_guest *fake = fake_of(guest);

	fake->fetches++;
	if (fake->on_fetch)
		fake->on_fetch(fake, gpa);
	if (fake->fetches == fake->fail_at)
		return ksma_error_fault(gpa, "fetch %lu was told to fail", fake->fetches);
	memcpy(buffer, region_bytes(fake, region) + (gpa - region->gpa), KSMA_PAGE_SIZE);
	return NULL;
}

static struct ksma_error *refresh(struct ksma_guest *guest)
{
	return TAKE_PTR(fake_of(guest)->refresh_error);
}

static struct ksma_error *registers(struct ksma_guest *guest, unsigned flags,
				    struct ksma_registers *ret_registers)
{
	struct fake_guest *fake = fake_of(guest);
	struct ksma_vcpu *vcpus;

	if (!fake->vcpus)
		return ksma_error_create(KSMA_ERROR_UNSUPPORTED, "a fake guest without registers");
	vcpus = calloc(fake->vcpu_count, sizeof(*vcpus));
	if (!vcpus)
		return ksma_error_nomem();
	memcpy(vcpus, fake->vcpus, fake->vcpu_count * sizeof(*vcpus));
	*ret_registers = (struct ksma_registers){ .vcpus = vcpus, .count = fake->vcpu_count };
	return NULL;
}

static const struct ksma_guest_ops ops = {
	.fetch_page = fetch_page,
	.refresh = refresh,
	.registers = registers,
};

static void *must_calloc(size_t size)
{
	void *p = calloc(1, size);

	if (!p)
		abort();
	return p;
}

struct fake_guest *fake_guest_create(void)
{
	struct fake_guest *fake = must_calloc(sizeof(*fake));

	fake->guest.ops = &ops;
	fake->guest.priv = fake;
	fake->guest.info = (struct ksma_guest_info){
		.name = "fake",
		.uuid = "",
		.path = "/nowhere",
		.machine = "",
		.accelerator = "",
		.pid = -1,
		.monitor = "",
		.monitor_problem = "it is a fake",
	};
	return fake;
}

void fake_guest_destroy(struct fake_guest *fake)
{
	if (!fake)
		return;
	ksma_page_cache_destroy(fake->guest.cache);
	for (size_t i = 0; i < fake->memory_count; i++)
		free(fake->memory[i]);
	ksma_error_destroy(fake->refresh_error);
	free(fake);
}

static void insert_region(struct ksma_guest *guest, const struct ksma_ram_region *region)
{
	size_t i = guest->region_count;

	for (; i > 0 && guest->regions[i - 1].gpa > region->gpa; i--)
		guest->regions[i] = guest->regions[i - 1];
	guest->regions[i] = *region;
	guest->region_count++;
	guest->info.ram_bytes += region->size;
}

uint8_t *fake_guest_add(struct fake_guest *fake, uint64_t gpa, const void *data, size_t size,
			enum fake_kind kind)
{
	struct ksma_guest *guest = &fake->guest;
	uint64_t start = kind == FAKE_COPIED ? ksma_align_down(gpa, KSMA_PAGE_SIZE) : gpa;
	uint64_t end = gpa + size;
	uint8_t *memory;

	if (kind == FAKE_COPIED)
		end = ksma_align_up(end, KSMA_PAGE_SIZE);
	if (guest->region_count == KSMA_MAX_REGIONS)
		abort();
	memory = must_calloc(end - start ? end - start : 1);
	if (data && size)
		memcpy(memory + (gpa - start), data, size);
	if (kind == FAKE_COPIED && !guest->cache)
		if (ksma_page_cache_create(KSMA_PAGE_CACHE_DEFAULT, &guest->cache))
			abort();
	insert_region(guest, &(struct ksma_ram_region){
				     .gpa = start,
				     .size = end - start,
				     .map = kind == FAKE_MAPPED ? memory : NULL,
				     .file_offset = fake->memory_count,
				     .fd = -1,
			     });
	fake->memory[fake->memory_count++] = memory;
	return memory + (gpa - start);
}

uint8_t *fake_guest_at(struct fake_guest *fake, uint64_t gpa, size_t length)
{
	for (size_t i = 0; i < fake->guest.region_count; i++) {
		const struct ksma_ram_region *region = &fake->guest.regions[i];

		if (gpa >= region->gpa && ksma_in_range(gpa - region->gpa, length, region->size))
			return region_bytes(fake, region) + (gpa - region->gpa);
	}
	return NULL;
}

void fake_guest_forget(struct fake_guest *fake)
{
	fake->guest.epoch++;
}

long fake_guest_fail_each(struct fake_guest *fake,
			  struct ksma_error *(*run)(struct fake_guest *fake, void *state),
			  void *state)
{
	for (unsigned long n = 1;; n++) {
		struct ksma_error *error;
		bool failed, bad;

		fake_guest_forget(fake);
		fake->fetches = 0;
		fake->fail_at = n;
		error = run(fake, state);
		failed = fake->fetches >= n;
		fake->fail_at = 0;
		bad = error != NULL;
		ksma_error_destroy(error);
		if (!failed)
			return bad ? -1 : (long)n - 1;
	}
}

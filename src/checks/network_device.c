/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One network device: its operations, what it does with each packet, and its queues. */
#include "checks/network.h"

#include "base/bytes.h"
#include "linux/module_symbols.h"
#include "linux/traffic_control.h"

/* A pointer at `object` + a member's offset; 0 when there is none. */
static uint64_t pointer(struct ksma_sweep *sweep, const char *type, const char *member,
			uint64_t object)
{
	int32_t at = ksma_sweep_offset(sweep, type, member);
	uint64_t value;

	return object && at != KSMA_NO_MEMBER &&
			       ksma_kernel_u64(sweep->kernel, object + (uint64_t)at, &value)
		       ? value
		       : 0;
}

/* The module of the driver: of the hardware below it, or of the kind of virtual device. @ret_known false when neither says it */
static const struct ksma_module *driver_of(struct ksma_sweep *sweep, uint64_t device,
					   bool *ret_known)
{
	uint64_t parent = pointer(sweep, "net_device", "dev.parent", device);
	uint64_t driver = pointer(sweep, "device", "driver", parent);
	uint64_t owner = pointer(sweep, "device_driver", "owner", driver);
	uint64_t link_ops = pointer(sweep, "net_device", "rtnl_link_ops", device);
	const struct ksma_module *module = NULL;

	*ret_known = driver || link_ops;
	if (driver)
		module = owner ? ksma_module_owner(sweep->kernel, owner) : NULL;
	else if (link_ops)
		module = ksma_module_owner(sweep->kernel, link_ops);
	return module;
}

static struct ksma_error *check_operations(struct ksma_sweep *sweep, uint64_t device,
					   const char *name, const char *holder)
{
	static const char *const members[] = { "netdev_ops", "ethtool_ops", "header_ops" };
	bool known, loopback = strcmp(name, "lo") == 0;
	const struct ksma_module *module = driver_of(sweep, device, &known);

	if (!known && !loopback)
		return NULL; /* virtual, and of nobody that it would name */
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		int32_t at = ksma_sweep_offset(sweep, "net_device", members[i]);

		if (at != KSMA_NO_MEMBER)
			KSMA_TRY(ksma_sweep_belongs(sweep, members[i], device + (uint64_t)at,
						    loopback ? NULL : module, holder));
	}
	return NULL;
}

/* Queueing disciplines, and the filters that see every packet before the protocols do. */
static struct ksma_error *sweep_traffic_control(struct ksma_sweep *sweep, const struct ksma_tc *tc,
						const char *holder)
{
	for (size_t i = 0; i < tc->qdiscs.count; i++)
		KSMA_TRY(ksma_sweep_object(sweep, "Qdisc", tc->qdiscs.items[i], holder));
	for (size_t i = 0; i < tc->filters.count; i++)
		KSMA_TRY(ksma_sweep_object(sweep, "tcf_proto", tc->filters.items[i], holder));
	if (*tc->classful)
		ksma_coverage_gap(
			sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
			"the filters of the classes of a queueing discipline (%s) are not seen",
			tc->classful);
	return NULL;
}

static struct ksma_error *check_traffic_control(struct ksma_sweep *sweep, uint64_t device,
						const char *holder)
{
	struct ksma_tc tc;
	struct ksma_error *error =
		ksma_coverage_take(sweep->look->coverage, KSMA_COVERAGE_PARTIAL,
				   ksma_tc_read(sweep->kernel, device, &tc), holder);

	/* What was reached is looked at, even where the rest was not. */
	if (!error)
		error = sweep_traffic_control(sweep, &tc, holder);
	ksma_tc_deinit(&tc);
	return error;
}

struct ksma_error *ksma_network_device(struct ksma_network *network, uint64_t device)
{
	static const char *const handlers[] = { "ptype_all", "ptype_specific" },
				 *const filters[] = { "nf_hooks_ingress", "nf_hooks_egress" };
	struct ksma_sweep *sweep = network->sweep;
	int32_t at = ksma_sweep_offset(sweep, "net_device", "name");
	char name[32] = "", holder[96];

	if (at != KSMA_NO_MEMBER)
		ksma_kernel_string(sweep->kernel, device + (uint64_t)at, name, sizeof(name));
	ksma_sweep_clean_name(name);
	snprintf(holder, sizeof(holder), "network device %s%s", name, network->net);
	KSMA_TRY(ksma_sweep_object(sweep, "net_device", device, holder));
	KSMA_TRY(check_operations(sweep, device, name, holder));
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		const struct ksma_registry row = {
			holder, KSMA_REGISTRY_LIST, "packet_type", "list", 0, false, NULL
		};

		at = ksma_sweep_offset(sweep, "net_device", handlers[i]);
		if (at != KSMA_NO_MEMBER)
			KSMA_TRY(ksma_registry_walk_at(sweep, &row, device + (uint64_t)at, NULL,
						       NULL));
	}
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		at = ksma_sweep_offset(sweep, "net_device", filters[i]);
		if (at != KSMA_NO_MEMBER)
			KSMA_TRY(ksma_network_filters(network, device + (uint64_t)at, holder));
	}
	return check_traffic_control(sweep, device, holder);
}

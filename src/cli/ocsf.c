/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* OCSF events. Source: the classes detection_finding, scan_activity and their objects in version 1.4.0 of the schema. */
#include "cli/ocsf.h"

#define OCSF_VERSION "1.4.0"

enum {
	CATEGORY_FINDINGS = 2,
	CATEGORY_APPLICATION = 6,
	CLASS_DETECTION_FINDING = 2004,
	CLASS_SCAN_ACTIVITY = 6007,
	ACTIVITY_CREATE = 1,
	ACTIVITY_COMPLETED = 2,
	STATUS_NEW = 1,
	STATUS_SUPPRESSED = 3,
	STATUS_SUCCESS = 1,
	STATUS_FAILURE = 2,
	SEVERITY_INFORMATIONAL = 1,
	CONFIDENCE_HIGH = 3,
	ANALYTIC_RULE = 1,
	SCAN_MANUAL = 1,
};

struct ocsf {
	struct cli *cli;
	struct cli_json json;
	uint64_t now_ms;
	uint64_t index; /* of this event in the report */
};

static void product(struct cli_json *json)
{
	cli_json_object(json, "product");
	cli_json_text(json, "name", "ksma");
	cli_json_text(json, "vendor_name", "kvm-sma");
	cli_json_text(json, "version", KSMA_VERSION);
	cli_json_close(json);
}

static void event_begin(struct ocsf *o, unsigned category, unsigned class, unsigned activity,
			unsigned severity)
{
	struct cli_json *json = &o->json;

	cli_json_object(json, NULL);
	cli_json_number(json, "category_uid", category);
	cli_json_number(json, "class_uid", class);
	cli_json_number(json, "activity_id", activity);
	cli_json_number(json, "type_uid", class * 100 + activity);
	cli_json_number(json, "severity_id", severity);
	cli_json_number(json, "time", o->now_ms);
	cli_json_object(json, "metadata");
	cli_json_text(json, "version", OCSF_VERSION);
	product(json);
	cli_json_number(json, "sequence", ++o->index);
	cli_json_close(json);
}

/* The guest: the resource that the finding is about. */
static void resources(struct ocsf *o)
{
	const struct ksma_guest_info *g = ksma_guest_info(o->cli->guest);
	const struct ksma_kernel_info *k = ksma_kernel_info(o->cli->kernel);
	struct cli_json *json = &o->json;

	cli_json_array(json, "resources");
	cli_json_object(json, NULL);
	cli_json_text(json, "type", "Virtual Machine");
	cli_json_text(json, "name", g->name[0] ? g->name : g->path);
	if (g->uuid[0])
		cli_json_text(json, "uid", g->uuid);
	if (k->nodename[0])
		cli_json_text(json, "hostname", k->nodename);
	cli_json_text(json, "version", k->release);
	cli_json_close(json);
	cli_json_close(json);
}

static const struct ksma_check_info *info_of(const char *check)
{
	for (size_t i = 0; i < ksma_check_count(); i++)
		if (strcmp(ksma_check_info(i)->name, check) == 0)
			return ksma_check_info(i);
	return NULL;
}

static void finding_info(struct ocsf *o, const struct ksma_finding *f)
{
	const struct ksma_check_info *check = info_of(f->check);
	struct cli_json *json = &o->json;

	cli_json_object(json, "finding_info");
	cli_json_text(json, "uid", f->id);
	cli_json_text(json, "title", f->title);
	if (check)
		cli_json_text(json, "desc", check->why);
	cli_json_number(json, "created_time", o->now_ms);
	cli_json_object(json, "analytic");
	cli_json_text(json, "name", f->check);
	cli_json_text(json, "type", "Rule");
	cli_json_number(json, "type_id", ANALYTIC_RULE);
	cli_json_close(json);
	if (f->attack && f->attack[0]) {
		cli_json_array(json, "attacks");
		cli_json_object(json, NULL);
		cli_json_object(json, "technique");
		cli_json_text(json, "uid", f->attack);
		cli_json_close(json);
		cli_json_close(json);
		cli_json_close(json);
	}
	cli_json_close(json);
}

/* KSMA_SEVERITY_INFO.. are OCSF's 1.. */
static void finding(struct ocsf *o, const struct ksma_finding *f,
		    const struct ksma_exception *exception)
{
	struct cli_json *json = &o->json;

	event_begin(o, CATEGORY_FINDINGS, CLASS_DETECTION_FINDING, ACTIVITY_CREATE,
		    (unsigned)f->severity + SEVERITY_INFORMATIONAL);
	cli_json_text(json, "message", f->title);
	cli_json_number(json, "status_id", exception ? STATUS_SUPPRESSED : STATUS_NEW);
	cli_json_number(json, "confidence_id", CONFIDENCE_HIGH);
	cli_json_bool(json, "is_alert", !exception);
	if (exception)
		cli_json_text(json, "comment", exception->reason);
	finding_info(o, f);
	resources(o);
	cli_json_array(json, "evidences");
	cli_json_object(json, NULL);
	cli_json_finding(json, "data", f);
	cli_json_close(json);
	cli_json_close(json);
	cli_json_close(json);
}

/* What was looked at; a check that could not look everywhere makes it a failure. */
static void scan(struct ocsf *o, const struct ksma_report *report)
{
	struct cli_json *json = &o->json;
	size_t complete = 0, n = report->coverage.count;

	for (size_t i = 0; i < n; i++)
		complete += strcmp(report->coverage.items[i].state, "complete") == 0;
	event_begin(o, CATEGORY_APPLICATION, CLASS_SCAN_ACTIVITY, ACTIVITY_COMPLETED,
		    SEVERITY_INFORMATIONAL);
	cli_json_number(json, "status_id", complete == n ? STATUS_SUCCESS : STATUS_FAILURE);
	cli_json_object(json, "scan");
	cli_json_text(json, "name", "integrity checks");
	cli_json_number(json, "type_id", SCAN_MANUAL);
	cli_json_close(json);
	cli_json_number(json, "duration", (ksma_now_ns() - o->cli->started_ns) / 1000000);
	cli_json_number(json, "num_detections", report->findings.count);
	cli_json_number(json, "num_trusted_items", report->excepted.count);
	cli_json_number(json, "num_skipped_items", n - complete);
	cli_json_number(json, "total", n);
	cli_json_object(json, "unmapped");
	cli_json_guest(json, ksma_guest_info(o->cli->guest));
	cli_json_array(json, "coverage");
	for (size_t i = 0; i < n; i++)
		cli_json_covered(json, NULL, &report->coverage.items[i]);
	cli_json_close(json);
	cli_json_close(json);
	cli_json_close(json);
}

void cli_ocsf_report(struct cli *cli, const struct ksma_exceptions *exceptions,
		     const struct ksma_report *report)
{
	struct ocsf o = { .cli = cli,
			  .json = { .out = stdout },
			  .now_ms = ksma_epoch_ns() / 1000000 };

	cli_output_begin(cli);
	for (size_t i = 0; i < report->findings.count; i++)
		finding(&o, &report->findings.items[i], NULL);
	for (size_t i = 0; i < report->excepted.count; i++)
		finding(&o, &report->excepted.items[i].finding,
			&exceptions->items[report->excepted.items[i].exception]);
	scan(&o, report);
}

/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers what would be decided about files of a guest, with no guard and nothing stopped: for tests of what decides.
 *
 *   judge PID POLICY LIST [KEYS]   LIST has a line for each file of the manifest: its path in the guest, a tab, a file of the host like it; with
 *                                  a folder of keys, the guest's disks are read too
 *
 * Reads lines, and answers each with one:
 *   FUNC[@PID] PATH  outcome reason known|new pages from-disk sha256 path seen-path|- [detail]; the path is the one that the process has
 *                    (1), or /proc/N/fd/N; FUNC is exec, mmap, module, read
 *   trust            the same keys and manifest, as if they had changed
 *   program PATH     the pages that were looked at for an exec, for the mapping by the same task, by another, and by the same some time later
 *   cost FUNC PATH   the least of 200 decisions, in nanoseconds
 */
#include <fcntl.h>
#include <inttypes.h>

#include "guard/disk.h"
#include "linux/processes.h"
#include "vendor/keys.h"
#include "vendor/manifest_write.h"

static struct ksma_kernel *kernel;
static struct ksma_decider *decider;
static struct ksma_manifest *manifest;

static void fail(struct ksma_error *error)
{
	if (!error)
		return;
	fprintf(stderr, "judge: %s\n", error->message);
	exit(2);
}

static void list_file(struct ksma_manifest_writer *writer, struct ksma_file_digest *digest,
		      const char *path, const char *host)
{
	struct ksma_manifest_entry entry = { .type = KSMA_MANIFEST_FILE,
					     .path = path,
					     .target = "",
					     .origin = "",
					     .mode = 0100755 };
	struct ksma_file_hashes hashes;
	char *data;
	size_t length;

	fail(ksma_read_file(host, 64 << 20, &data, &length));
	fail(ksma_file_digest_add(digest, data, length));
	fail(ksma_file_digest_end(digest, &hashes));
	entry.size = hashes.size;
	memcpy(entry.sha256, hashes.sha256, sizeof(entry.sha256));
	memcpy(entry.verity_root, hashes.verity_root, sizeof(entry.verity_root));
	fail(ksma_manifest_writer_add(writer, &entry, hashes.pages));
	free(data);
}

static void make_manifest(const char *list)
{
	char line[8192], name[] = "/tmp/ksma-judge-XXXXXX";
	struct ksma_manifest_writer *writer;
	struct ksma_file_digest *digest;
	int fd = mkstemp(name);
	FILE *f = fopen(list, "r");

	if (fd < 0 || !f)
		exit(2);
	fail(ksma_manifest_writer_create(&writer));
	fail(ksma_file_digest_create(&digest));
	while (fgets(line, sizeof(line), f)) {
		char *tab = strchr(line, '\t');

		line[strcspn(line, "\n")] = 0;
		if (!tab)
			exit(2);
		*tab = 0;
		list_file(writer, digest, line, tab + 1);
	}
	fail(ksma_manifest_writer_write(writer, fd, 1));
	fail(ksma_manifest_open(name, &manifest));
	ksma_file_digest_destroy(digest);
	ksma_manifest_writer_destroy(writer);
	unlink(name);
	fclose(f);
	close(fd);
}

static const struct {
	const char *name;
	enum ksma_access_func func;
} funcs[] = {
	{ "exec", KSMA_FUNC_BPRM_CHECK },
	{ "mmap", KSMA_FUNC_MMAP_CHECK },
	{ "module", KSMA_FUNC_MODULE_CHECK },
	{ "read", KSMA_FUNC_FILE_CHECK },
};

static bool find_opened(const char *path, struct ksma_question *question)
{
	struct ksma_fds fds = { 0 };
	int32_t pid, fd;
	uint64_t task, file = 0;

	if (sscanf(path, "/proc/%" SCNd32 "/fd/%" SCNd32, &pid, &fd) != 2)
		return false;
	fail(ksma_task_find(kernel, pid, &task));
	fail(ksma_task_fds(kernel, task, &fds));
	for (size_t i = 0; i < fds.count; i++)
		if (fds.items[i].fd == fd)
			file = fds.items[i].file;
	free(fds.items);
	return ksma_question_of_file(decider, file, question);
}

/* As the process `pid` names it. */
static struct ksma_error *find(int32_t pid, const char *path, struct ksma_question *question)
{
	struct ksma_page_cache_reader reader;
	struct ksma_paths paths;
	struct ksma_place root, cwd;
	uint64_t task;

	if (find_opened(path, question))
		return NULL;
	fail(ksma_paths_init(&paths, kernel));
	fail(ksma_page_cache_init(&reader, kernel));
	KSMA_TRY(ksma_task_find(kernel, pid, &task));
	KSMA_TRY(ksma_lookup_task(&paths, task, &root, &cwd));
	KSMA_TRY(ksma_lookup(&paths, &reader, &root, &cwd, path, &question->place));
	return ksma_kernel_u64(kernel, task + (uint32_t)kernel->off.task_struct__cred,
			       &question->cred)
		       ? NULL
		       : ksma_error_fault(task, "its credentials");
}

static void print_decision(const struct ksma_decision *d)
{
	printf("%s %s %s %" PRIu64 " %" PRIu64 " ", ksma_outcome_name(d->outcome),
	       ksma_reason_name(d->reason), d->known ? "known" : "new", d->pages, d->from_disk);
	for (size_t i = 0; d->hashed && i < sizeof(d->sha256); i++)
		printf("%02x", d->sha256[i]);
	printf("%s %s %s %s\n", d->hashed ? "" : "-", d->path, *d->seen ? d->seen : "-", d->detail);
}

/* The kernel asks twice about a program that is executed. */
static void answer_program(const char *path)
{
	static struct ksma_decision decision;
	static const struct {
		enum ksma_access_func func;
		uint64_t task;
		unsigned after_ms;
	} questions[] = { { KSMA_FUNC_BPRM_CHECK, 1, 0 },
			  { KSMA_FUNC_MMAP_CHECK, 1, 0 },
			  { KSMA_FUNC_MMAP_CHECK, 2, 0 },
			  { KSMA_FUNC_MMAP_CHECK, 1, 20 } };
	struct ksma_question question = { 0 };

	fail(find(1, path, &question));
	for (size_t i = 0; i < ARRAY_SIZE(questions); i++) {
		question.func = questions[i].func;
		question.task = questions[i].task;
		usleep(questions[i].after_ms * 1000);
		ksma_decide(decider, &question, &decision);
		printf("%s%s:%" PRIu64, i ? " " : "", ksma_outcome_name(decision.outcome),
		       decision.pages);
	}
	printf("\n");
}

static void answer(char *line)
{
	static struct ksma_decision decision;
	struct ksma_question question = { 0 };
	struct ksma_error *error;
	bool cost = strncmp(line, "cost ", 5) == 0;
	uint64_t least = UINT64_MAX;
	char *path, *at;
	int32_t pid = 1;

	line += cost ? 5 : 0;
	path = strchr(line, ' ');
	if (!path)
		exit(2);
	*path++ = 0;
	at = strchr(line, '@'); /* exec@PID: as this process names it */
	if (at) {
		pid = atoi(at + 1);
		*at = 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(funcs); i++)
		if (strcmp(funcs[i].name, line) == 0)
			question.func = funcs[i].func;
	error = find(pid, path, &question);
	if (error) {
		printf("error %s\n", error->message);
		ksma_error_destroy(error);
		return;
	}
	for (unsigned i = 0; i < (cost ? 200 : 1); i++) {
		ksma_decide(decider, &question, &decision);
		least = decision.cost_ns < least ? decision.cost_ns : least;
	}
	if (cost)
		printf("%" PRIu64 "\n", least);
	else
		print_decision(&decision);
}

int main(int argc, char **argv)
{
	struct ksma_guest_options options = { .memory_only = argc == 4 };
	struct ksma_decider_setup setup = { 0 };
	struct ksma_guard_disk *disk = NULL;
	struct ksma_keys *keys = NULL;
	struct ksma_policy *policy;
	struct ksma_guest *guest;
	char line[8192];

	if (argc != 4 && argc != 5)
		return 2;
	make_manifest(argv[3]);
	fail(ksma_policy_open(argv[2], &policy));
	fail(ksma_guest_open(argv[1], &options, &guest));
	fail(ksma_kernel_open(guest, NULL, &kernel));
	setup.kernel = kernel;
	setup.policy = policy;
	setup.manifest = manifest;
	if (argc == 5) {
		fail(ksma_keys_open(argv[4], &keys));
		fail(ksma_guard_disk_create(kernel, &disk));
		setup.keys = keys;
		setup.disk = ksma_guard_disk_source(disk);
	}
	fail(ksma_decider_create(&setup, &decider));
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		fail(ksma_kernel_refresh(kernel));
		if (strcmp(line, "trust") == 0) {
			ksma_decider_trust(decider, manifest, keys);
			printf("trusted\n");
		} else if (strncmp(line, "program ", 8) == 0) {
			answer_program(line + 8);
		} else {
			answer(line);
		}
		fflush(stdout);
	}
	ksma_decider_destroy(decider);
	ksma_guard_disk_destroy(disk);
	ksma_keys_close(keys);
	ksma_kernel_destroy(kernel);
	ksma_guest_destroy(guest);
	ksma_policy_destroy(policy);
	ksma_manifest_close(manifest);
	return 0;
}

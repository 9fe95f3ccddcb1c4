/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command lines as people, libvirt and Proxmox write them say the same to us as to QEMU. */
#include "unit.h"

#include "fail_alloc.h"
#include "guest/cmdline.h"
#include "guest/layout.h"

/* Joins words by NULs. The last is NULL. */
static char *join(const char *const *words, size_t *ret_length)
{
	size_t length = 0;
	char *text;

	for (const char *const *w = words; *w; w++)
		length += strlen(*w) + 1;
	text = malloc(length + 1);
	assert_non_null(text);
	length = 0;
	for (const char *const *w = words; *w; w++) {
		memcpy(text + length, *w, strlen(*w) + 1);
		length += strlen(*w) + 1;
	}
	*ret_length = length;
	return text;
}

static struct ksma_cmdline parse_words(const char *const *words)
{
	struct ksma_cmdline cmdline;
	size_t length;
	char *text = join(words, &length);

	assert_ok(ksma_cmdline_parse(text, length, &cmdline));
	free(text);
	return cmdline;
}

#define PARSE(...) parse_words((const char *const[]){ "qemu-system-x86_64", __VA_ARGS__, NULL })

static const char *const libvirt_words[] = {
	"/usr/bin/qemu-system-x86_64",
	"-name",
	"guest=web,,1,debug-threads=on",
	"-S",
	"-object",
	"{\"qom-type\":\"secret\",\"id\":\"masterKey0\",\"format\":\"raw\",\"file\":\"/var/lib/libvirt/qemu/domain-1-web/master-key.aes\"}",
	"-machine",
	"pc-q35-7.2,usb=off,vmport=off,dump-guest-core=off,memory-backend=pc.ram",
	"-accel",
	"kvm",
	"-cpu",
	"host,migratable=on",
	"-m",
	"size=4194304k",
	"-object",
	"{\"qom-type\":\"memory-backend-memfd\",\"id\":\"pc.ram\",\"share\":true,\"x-use-canonical-path-for-ramblock-id\":false,\"size\":4294967296}",
	"-overcommit",
	"mem-lock=off",
	"-smp",
	"2,sockets=2,cores=1,threads=1",
	"-uuid",
	"a75c9b2a-4b3c-4d6f-9f25-0f2d4a0bb7e1",
	"-no-user-config",
	"-nodefaults",
	"-chardev",
	"socket,id=charmonitor,fd=27,server=on,wait=off",
	"-mon",
	"chardev=charmonitor,id=monitor,mode=control",
	"-rtc",
	"base=utc,driftfix=slew",
	"-global",
	"kvm-pit.lost_tick_policy=delay",
	"-no-hpet",
	"-no-shutdown",
	"-device",
	"{\"driver\":\"pcie-root-port\",\"port\":16,\"chassis\":1,\"id\":\"pci.1\",\"bus\":\"pcie.0\",\"multifunction\":true,\"addr\":\"0x2\"}",
	"-sandbox",
	"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
	"-msg",
	"timestamp=on",
	NULL,
};

static void test_libvirt(void **state)
{
	struct ksma_cmdline c = parse_words(libvirt_words);

	assert_string_equal(c.name, "web,1");
	assert_string_equal(c.uuid, "a75c9b2a-4b3c-4d6f-9f25-0f2d4a0bb7e1");
	assert_string_equal(c.machine, "pc-q35-7.2");
	assert_string_equal(c.accelerator, "kvm");
	assert_int_equal(c.ram_bytes, 4ull << 30);
	assert_int_equal(c.vcpus, 2);
	assert_true(c.libvirt && !c.libvirt_session && c.stopped);
	assert_int_equal(c.monitor_count, 0);
	assert_int_equal(c.backend_count, 1);
	assert_string_equal(c.backends[0].id, "pc.ram");
	assert_int_equal(c.backends[0].kind, KSMA_BACKEND_MEMFD);
	assert_true(c.backends[0].share && c.backends[0].in_machine);
	ksma_cmdline_free(&c);
}

static void test_proxmox(void **state)
{
	struct ksma_cmdline c =
		PARSE("-id", "100", "-name", "vm-one,debug-threads=on", "-no-shutdown", "-chardev",
		      "socket,id=qmp,path=/var/run/qemu-server/100.qmp,server=on,wait=off", "-mon",
		      "chardev=qmp,mode=control", "-chardev",
		      "socket,id=qmp-event,path=/var/run/qmeventd.sock,reconnect=5", "-mon",
		      "chardev=qmp-event,mode=control", "-pidfile", "/var/run/qemu-server/100.pid",
		      "-daemonize", "-smbios", "type=1,uuid=0f6e1f3b-5a8d-4a43-a3c7-3d0f8c1b7d11",
		      "-smp", "4,sockets=1,cores=4,maxcpus=4", "-nodefaults", "-vnc",
		      "unix:/var/run/qemu-server/100.vnc,password=on", "-cpu", "host,+kvm_pv_eoi",
		      "-m", "2048", "-object", "memory-backend-ram,id=ram-node0,size=2048M",
		      "-numa", "node,nodeid=0,cpus=0-3,memdev=ram-node0", "-machine",
		      "type=pc-i440fx-8.1+pve0", "-enable-kvm");

	assert_string_equal(c.name, "vm-one");
	assert_string_equal(c.uuid, "0f6e1f3b-5a8d-4a43-a3c7-3d0f8c1b7d11");
	assert_string_equal(c.machine, "pc-i440fx-8.1+pve0");
	assert_string_equal(c.accelerator, "kvm");
	assert_int_equal(c.vcpus, 4);
	assert_int_equal(c.monitor_count, 1);
	assert_string_equal(c.monitors[0], "/var/run/qemu-server/100.qmp");
	assert_null(c.monitors[1]);
	assert_int_equal(c.ram_bytes, 2ull << 30);
	assert_true(c.backends[0].in_machine);
	assert_int_equal(c.backends[0].node, 0);
	ksma_cmdline_free(&c);
}

static void test_plain(void **state)
{
	struct ksma_cmdline c =
		PARSE("--name", "a", "disk.img", "-qmp", "unix:/run/a.sock,server,nowait", "-qmp",
		      "unix:rel.sock,server=yes", "-qmp", "tcp:localhost:4444,server", "-qmp",
		      "unix:/client.sock", "-monitor", "stdio", "-M", "q35,accel=kvm:tcg", "-m",
		      "1.5G", "-append", "-name evil");

	assert_string_equal(c.name, "a");
	assert_string_equal(c.machine, "q35");
	assert_string_equal(c.accelerator, "kvm");
	assert_int_equal(c.ram_bytes, 3ull << 29);
	assert_int_equal(c.monitor_count, 2);
	assert_string_equal(c.monitors[0], "/run/a.sock");
	assert_string_equal(c.monitors[1], "rel.sock");
	assert_true(c.human_monitor);
	assert_string_equal(c.backends[0].id, "pc.ram");
	assert_int_equal(c.backends[0].kind, KSMA_BACKEND_RAM);
	ksma_cmdline_free(&c);
}

static void test_defaults(void **state)
{
	struct ksma_cmdline c = PARSE("-S");

	assert_string_equal(c.name, "");
	assert_string_equal(c.uuid, "");
	assert_string_equal(c.machine, "pc");
	assert_string_equal(c.accelerator, "tcg");
	assert_int_equal(c.ram_bytes, 128 << 20);
	assert_int_equal(c.vcpus, 1);
	assert_true(c.stopped);
	ksma_cmdline_free(&c);
}

static void test_memory(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
		{ "512", 512ull << 20 },
		{ "1G", 1ull << 30 },
		{ "1g,slots=2,maxmem=4G", 1ull << 30 },
		{ "size=1048576k", 1ull << 30 },
		{ "0x200", 512ull << 20 },
		{ "size=0.5G", 1ull << 29 },
		{ "1073741824B", 1ull << 30 },
		{ "2T", 2ull << 40 },
		{ "nonsense", 128ull << 20 },
		{ "99999999999999999G", 128ull << 20 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ksma_cmdline c = PARSE("-m", cases[i].text);

		assert_int_equal(c.ram_bytes, cases[i].bytes);
		ksma_cmdline_free(&c);
	}
}

static void test_smp(void **state)
{
	static const struct {
		const char *text;
		unsigned cpus;
	} cases[] = {
		{ "4", 4 },
		{ "cpus=3,maxcpus=8", 3 },
		{ "sockets=2,cores=3,threads=2", 12 },
		{ "maxcpus=6", 6 },
		{ "2,maxcpus=4", 2 },
		{ "cpus=99999999", 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ksma_cmdline c = PARSE("-smp", cases[i].text);

		assert_int_equal(c.vcpus, cases[i].cpus);
		ksma_cmdline_free(&c);
	}
}

static void test_encrypted(void **state)
{
	struct ksma_cmdline c = PARSE("-machine", "q35,confidential-guest-support=sev0", "-object",
				      "sev-guest,id=sev0");

	assert_true(c.encrypted);
	ksma_cmdline_free(&c);
}

/* Nothing that stands in a command line may lead astray: odd ends, empty words, far too many of a kind. */
static void test_weird(void **state)
{
	static const char *const texts[] = { "",	"-",	    "--", "-m",	   "-name",
					     "-object", "-chardev", "{",  "-smp=", "=" };
	static const char *const values[] = { "",    ",",    ",,", "=",
					      ",=,", "{",    "{}", "{\"a\":{\"b\":{\"c\":1}}}",
					      "[]",  "a=b,c" };
	static const char *const options[] = { "-name",	  "-m",	   "-smp",    "-machine", "-accel",
					       "-object", "-numa", "-device", "-chardev", "-mon",
					       "-smbios", "-qmp",  "-uuid" };
	const char *many[401] = { "kvm" };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct ksma_cmdline c = PARSE(texts[i]);

		ksma_cmdline_free(&c);
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(values); j++) {
			struct ksma_cmdline c = PARSE(options[i], values[j]);

			ksma_cmdline_free(&c);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		struct ksma_cmdline c;

		for (size_t j = 1; j < 399; j += 2) {
			many[j] = options[i];
			many[j + 1] =
				"socket,id=a,driver=pc-dimm,memdev=m,mode=control,qom-type=memory-backend-ram,type=node,path=/x,server=on";
		}
		many[399] = NULL;
		c = parse_words(many);
		ksma_cmdline_free(&c);
	}
}

static struct ksma_error *run(void *unused)
{
	struct ksma_cmdline cmdline;
	struct ksma_error *error;
	static char text[4096];
	size_t length = 0;

	for (const char *const *w = libvirt_words; *w; w++) {
		memcpy(text + length, *w, strlen(*w) + 1);
		length += strlen(*w) + 1;
	}
	error = ksma_cmdline_parse(text, length, &cmdline);
	if (!error)
		ksma_cmdline_free(&cmdline);
	return error;
}

static void test_no_memory(void **state)
{
	/* json-c has allocations of its own, and a word that it cannot read is read as a list of keys. */
	assert_true(fail_alloc_each(run, NULL, FAIL_ALLOC_LENIENT) > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libvirt),	  cmocka_unit_test(test_proxmox),
		cmocka_unit_test(test_plain),	  cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_memory),	  cmocka_unit_test(test_smp),
		cmocka_unit_test(test_encrypted), cmocka_unit_test(test_weird),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

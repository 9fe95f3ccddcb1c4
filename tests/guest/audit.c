/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stands in for auditd: switches auditing on, receives its records and throws them away, until it is killed. */
#define _GNU_SOURCE
#include "gtool.h"

#include <linux/audit.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void set(int s, unsigned mask, struct audit_status status)
{
	struct {
		struct nlmsghdr header;
		struct audit_status status;
	} request = { .header = { .nlmsg_len = sizeof(request),
				  .nlmsg_type = AUDIT_SET,
				  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
				  .nlmsg_seq = mask },
		      .status = status };
	char answer[1024];

	request.status.mask = mask;
	if (send(s, &request, sizeof(request), 0) < 0 || recv(s, answer, sizeof(answer), 0) < 0)
		GTOOL_DIE("audit: setting %u", mask);
}

int gtool_audit(int argc, char **argv)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	char record[8192];
	int s;

	(void)argc;
	(void)argv;
	gtool_background();
	s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
	if (s < 0 || connect(s, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		GTOOL_DIE("audit: a socket");
	set(s, AUDIT_STATUS_PID, (struct audit_status){ .pid = (unsigned)getpid() });
	set(s, AUDIT_STATUS_ENABLED, (struct audit_status){ .enabled = 1 });
	printf("ksma-attack audit pid=%d\n", (int)getpid());
	gtool_ready();
	while (recv(s, record, sizeof(record), 0) >= 0)
		;
	return 1;
}

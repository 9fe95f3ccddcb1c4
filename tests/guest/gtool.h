/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of the guest's own test program share. */
#ifndef GTOOL_H
#define GTOOL_H

#include <stdio.h>
#include <stdlib.h>

#define GTOOL_DIE(...)                                                                             \
	do {                                                                                       \
		fprintf(stderr, "gtool: " __VA_ARGS__);                                            \
		fprintf(stderr, ": %m\n");                                                         \
		exit(1);                                                                           \
	} while (0)

/* For what stays: goes on as a child, whose parent waits until gtool_ready() and then exits. Its id is in /tmp/gtool.pid. */
void gtool_background(void);
void gtool_ready(void);

int gtool_agent(int argc, char **argv);
int gtool_audit(int argc, char **argv);
int gtool_bpf(int argc, char **argv);
int gtool_forge(int argc, char **argv);
int gtool_held(int argc, char **argv);
int gtool_intrude(int argc, char **argv);
int gtool_ring(int argc, char **argv);
int gtool_odd(int argc, char **argv);
int gtool_populate(int argc, char **argv);
int gtool_proc(int argc, char **argv);
int gtool_churn(int argc, char **argv);
int gtool_sleep(int argc, char **argv);
int gtool_user(int argc, char **argv);
int gtool_box(int argc, char **argv);
int gtool_work(int argc, char **argv);

#endif

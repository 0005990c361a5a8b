// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks of the kernel: modules, settings, the tables of IPVS. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "doctor.h"
#include "kernel/package.h"
#include "kernel/sysctl.h"

enum {
	FIXED_SERVICE_BUCKETS = 256, /* IP_VS_SVC_TAB_SIZE, before Linux 7.1 */
	LONG_CHAIN = 8,		     /* connections in a bucket, on average */
	LONG_SERVICE_CHAIN = 32,     /* virtual servers: looked up for new connections only */
	NEARLY_FULL_PERCENT = 90,
};

/* Modules */

void doctor_judge_modules(const struct doctor_facts *f, json_t *findings)
{
	char package[PACKAGE_NAME_SIZE];
	json_t *o;

	/* A daemon that runs has tried them, and reports what it lacks. */
	if (f->status)
		return;
	package_of_modules(&f->kernel, package);
	for (size_t i = 0; i < f->n_modules; i++) {
		const char *name = f->modules[i].name;

		if (f->modules[i].state != MODULE_MISSING)
			continue;
		o = doctor_finding(findings, "module",
			"The daemon cannot do with this kernel what its configuration asks for. With "
			"--backend=auto and --netfilter=auto it looks for another way.");
		doctor_say(o, "seen", "Linux %s has no module %s", f->kernel.release, name);
		if (*package)
			doctor_say(o, "remedy", "install the package %s", package);
		else
			doctor_say(o, "remedy",
				"install the package with all modules of this kernel, or boot "
				"another kernel");
		doctor_say(o, "command", "modinfo %s", name);
	}
}

/* Files that change settings back */

void doctor_judge_sysctl_files(const struct doctor_facts *f, json_t *findings)
{
	const bool ipv6 = doctor_number(f, "/proc/sys/net/ipv6/conf/all/forwarding") == 1;
	struct sysctl wanted[SYSCTL_MAX_WANTED];
	char *minor;
	const unsigned long major = strtoul(f->kernel.release, &minor, 10);
	const unsigned v[] = { (unsigned)major,
		*minor == '.' ? (unsigned)strtoul(minor + 1, NULL, 10) : 0 };
	const size_t n = f->backend == BACKEND_IPVS
		? sysctl_wanted(v[0], v[1], f->config.strict_arp, ipv6, wanted)
		: sysctl_wanted_without_ipvs(f->config.strict_arp, ipv6, false, wanted);

	for (size_t i = 0; i < n; i++) {
		_cleanup_(buf_done) struct buf path = { 0 }, value = { 0 };
		unsigned line;
		const char *file = doctor_sysctl_file(f, wanted[i].path, &value, &line);
		long is, will;
		json_t *o;

		buf_addf(&path, "/proc/sys/%s", wanted[i].path);
		is = doctor_number(f, buf_str(&path));
		will = strtol(buf_str(&value), NULL, 10);
		/* One that is wrong already is a finding of its own. */
		if (!file || is < wanted[i].value || will >= wanted[i].value)
			continue;
		o = doctor_finding(findings, "sysctl-file",
			"The setting is right now, but the next `sysctl --system` changes it, which "
			"the installation of a package may run.");
		doctor_say(o, "seen", "%s:%u sets %s to %s, and it must be %" PRId64, file, line,
			wanted[i].path, buf_str(&value), wanted[i].value);
		doctor_say(o, "remedy",
			"remove the line, or write %s = %" PRId64
			" into /etc/sysctl.d/zz-ipvsctl-svc.conf",
			wanted[i].path, wanted[i].value);
		doctor_say(o, "command", "sed -n %up %s; cat /proc/sys/%s", line, file,
			wanted[i].path);
	}
}

/* The tables of IPVS */

struct ipvs_fill {
	long connections, buckets, services, service_buckets;
};

/* "Conns:\t9401\nConn buckets:\t524288 (19 bits, lfactor -4)\n...": ip_vs_status_show() */
static long status_number(const char *status, const char *key)
{
	const size_t len = strlen(key);

	for (const char *line = status; line;
		line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, key, len) && line[len] == ':')
			return strtol(line + len + 1, NULL, 10);
	return 0;
}

/*
 * ip_vs_info_seq_show(): "IP Virtual Server version 1.2.1 (size=4096)", two lines of titles, then
 * "TCP  0A600001:01BB rr" and "  -> 0AF4010B:20FB      Masq    1      12         3"
 */
static void count_servers(const char *table, struct ipvs_fill *ret)
{
	const char *line = strchr(table, '\n'), *size = strstr(table, "(size=");

	ret->buckets = size ? strtol(size + strlen("(size="), NULL, 10) : 0;
	ret->service_buckets = FIXED_SERVICE_BUCKETS;
	for (; line && *++line; line = strchr(line, '\n')) {
		long active, inactive;

		if (sscanf(line, "  -> %*s %*s %*s %ld %ld", &active, &inactive) == 2)
			ret->connections += active + inactive;
		else if (*line != ' ' && strncmp(line, "Prot ", strlen("Prot ")) != 0)
			ret->services++;
	}
}

static void judge_connections(
	const struct doctor_facts *f, const struct ipvs_fill *t, bool resized, json_t *findings)
{
	const long max = doctor_number(f, "/proc/sys/net/ipv4/vs/conn_max");
	json_t *o;

	if (max > 0 && t->connections >= max / 100 * NEARLY_FULL_PERCENT) {
		o = doctor_finding(findings, "ipvs-full",
			"When the limit is reached, IPVS drops the first packets of new "
			"connections.");
		doctor_say(o, "seen",
			"IPVS has %ld of at most %ld connections "
			"(net.ipv4.vs.conn_max)",
			t->connections, max);
		doctor_say(o, "remedy",
			"raise net.ipv4.vs.conn_max, or shorten the timeouts of IPVS "
			"(--ipvs-tcp-timeout, --ipvs-udp-timeout)");
		doctor_say(o, "command", "%s",
			"grep Conns: /proc/net/ip_vs_status; sysctl net.ipv4.vs.conn_max");
	}
	if (t->buckets <= 0 || t->connections / t->buckets < LONG_CHAIN)
		return;
	o = doctor_finding(findings, "ipvs-table",
		"Each packet of a connection is looked up in a chain of that many, which costs CPU "
		"time and delays packets.");
	doctor_say(o, "seen", "IPVS has %ld connections in %ld buckets, %ld in each",
		t->connections, t->buckets, t->connections / t->buckets);
	if (resized)
		doctor_say(o, "remedy",
			"lower net.ipv4.vs.conn_lfactor; the parameter conn_tab_bits of the module "
			"ip_vs is the greatest size");
	else
		doctor_say(o, "remedy",
			"load the module with a larger table: \"options ip_vs conn_tab_bits=20\" in "
			"/etc/modprobe.d/ip_vs.conf, and reboot");
	doctor_say(o, "command", "%s",
		resized ? "cat /proc/net/ip_vs_status"
			: "head -1 /proc/net/ip_vs; wc -l /proc/net/ip_vs_conn");
}

void doctor_judge_ipvs_tables(const struct doctor_facts *f, json_t *findings)
{
	const char *status = doctor_text(f, "/proc/net/ip_vs_status"); /* Linux 7.1 */
	const char *table = doctor_text(f, "/proc/net/ip_vs");
	struct ipvs_fill t = { 0 };
	json_t *o;

	if (status)
		t = (struct ipvs_fill){ status_number(status, "Conns"),
			status_number(status, "Conn buckets"), status_number(status, "Services"),
			status_number(status, "Service buckets") };
	else if (table)
		count_servers(table, &t);
	else
		return;
	judge_connections(f, &t, status, findings);
	if (t.service_buckets <= 0 || t.services / t.service_buckets < LONG_SERVICE_CHAIN)
		return;
	o = doctor_finding(findings, "ipvs-services",
		"The first packet of each connection is looked up in a chain of that many virtual "
		"servers.");
	doctor_say(o, "seen", "IPVS has %ld virtual servers in %ld buckets, %ld in each",
		t.services, t.service_buckets, t.services / t.service_buckets);
	doctor_say(o, "remedy", "%s",
		status ? "lower net.ipv4.vs.svc_lfactor"
		       : "the number is fixed before Linux 7.1: use Linux 7.1, or "
			 "--backend=nftables");
	doctor_say(o, "command", "%s",
		status ? "cat /proc/net/ip_vs_status" : "grep -c '^[A-Z]' /proc/net/ip_vs");
}

/* Estimators, which Linux 6.2 runs in kernel threads */

enum { LISTED_CPUS = 4096 };

/* "0-3,8": sets bits. */
static void read_cpu_list(const char *text, bool ret[static LISTED_CPUS])
{
	for (const char *p = text; p && *p >= '0' && *p <= '9';) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (; first <= last && first < LISTED_CPUS; first++)
			ret[first] = true;
		p = *end == ',' ? end + 1 : NULL;
	}
}

void doctor_judge_estimators(const struct doctor_facts *f, json_t *findings)
{
	const char *list = doctor_text(f, "/proc/sys/net/ipv4/vs/est_cpulist");
	const char *isolated = doctor_text(f, "/sys/devices/system/cpu/isolated");
	const long nice = doctor_number(f, "/proc/sys/net/ipv4/vs/est_nice");
	bool used[LISTED_CPUS] = { 0 }, set_apart[LISTED_CPUS] = { 0 };
	json_t *o;

	if (doctor_number(f, "/proc/sys/net/ipv4/vs/run_estimation") == 0)
		return;
	read_cpu_list(list, used);
	read_cpu_list(isolated, set_apart);
	for (unsigned i = 0; i < LISTED_CPUS; i++) {
		if (!used[i] || !set_apart[i])
			continue;
		o = doctor_finding(findings, "estimators",
			"The kernel's threads that estimate the rates of virtual and real servers "
			"disturb what these CPUs are set apart for.");
		doctor_say(o, "seen",
			"net.ipv4.vs.est_cpulist has CPU %u, which isolcpus keeps free", i);
		doctor_say(o, "remedy", "%s",
			"take the CPU off net.ipv4.vs.est_cpulist, or set "
			"net.ipv4.vs.run_estimation to 0: top does not need the estimates");
		doctor_say(o, "command", "%s",
			"sysctl net.ipv4.vs.est_cpulist; cat /sys/devices/system/cpu/isolated");
		break;
	}
	if (nice != DOCTOR_UNKNOWN && nice < 0) {
		o = doctor_finding(findings, "estimators",
			"Estimating rates comes before the programs of this node.");
		doctor_say(o, "seen", "net.ipv4.vs.est_nice is %ld", nice);
		doctor_say(o, "remedy", "sysctl -w net.ipv4.vs.est_nice=0");
		doctor_say(o, "command", "sysctl net.ipv4.vs.est_nice");
	}
}

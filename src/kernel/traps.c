// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/traps.h"

#include <dirent.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/ipvs.h"

enum {
	/* Before Linux 6.2 all estimators run in one timer every two seconds: so many take
	 * milliseconds, in which the CPU handles no packet. */
	MANY_ESTIMATORS = 5000,
	FULL_PERCENT = 90, /* of the table of connections */
};

/* Reading */

static long setting(const char *path)
{
	long value;

	return sysctl_read(path, &value) < 0 ? TRAP_UNKNOWN : value;
}

static bool is_bridge(const char *interface)
{
	char path[sizeof("/sys/class/net//bridge") + NAME_MAX];

	snprintf(path, sizeof(path), "/sys/class/net/%s/bridge", interface);
	return !access(path, F_OK);
}

static bool any_bridge(void)
{
	DIR *dir = opendir("/sys/class/net");
	bool found = false;

	if (!dir)
		return false;
	for (const struct dirent *d; !found && (d = readdir(dir));)
		found = is_bridge(d->d_name);
	closedir(dir);
	return found;
}

/* The node has an address among those of its pods, as a bridge does that is their gateway. */
static int family_of_bridged_pods(const struct node_view *p)
{
	if (p->options->detect_local == DETECT_BRIDGE_INTERFACE)
		return AF_INET;
	for (size_t i = 0; i < p->n_local; i++) {
		const struct cidr *pods = node_view_local_cidr(p, p->local[i].family);

		if (pods && cidr_contains(pods, &p->local[i]))
			return p->local[i].family;
	}
	return 0;
}

static void read_bridge(const struct node_view *view, struct trap_facts *ret)
{
	int family = view ? family_of_bridged_pods(view) : 0;

	ret->pods_on_bridge = family && any_bridge();
	ret->bridge_nf_call = setting(family == AF_INET6 ? "net/bridge/bridge-nf-call-ip6tables"
							 : "net/bridge/bridge-nf-call-iptables");
}

static long ipvs_tcp_timeout(struct adapter *ipvs)
{
	struct ipvs_timeouts t;
	struct err err;

	return ipvs && !ipvs_get_timeouts(ipvs, &t, &err) ? (long)t.tcp : TRAP_UNKNOWN;
}

void traps_read(struct adapter *ipvs, const struct node_view *view, size_t n_estimated,
	struct trap_facts *ret)
{
	struct trap_facts f = { .n_estimated = n_estimated };

	sysctl_kernel_version(&f.major, &f.minor);
	f.n_wanted = view && view->backend == BACKEND_IPTABLES
		? sysctl_wanted_iptables(
			  false, view->ipv6, node_view_localhost_nodeports(view), f.wanted)
		: sysctl_wanted(f.major, f.minor, false, view && view->ipv6, f.wanted);
	for (size_t i = 0; i < f.n_wanted; i++)
		f.found[i] = setting(f.wanted[i].path);
	f.ipvs_tcp_timeout = ipvs_tcp_timeout(ipvs);
	f.tcp_keepalive_time = setting("net/ipv4/tcp_keepalive_time");
	f.rp_filter = setting("net/ipv4/conf/all/rp_filter");
	f.conntrack_count = setting("net/netfilter/nf_conntrack_count");
	f.conntrack_max = setting("net/netfilter/nf_conntrack_max");
	f.run_estimation = setting("net/ipv4/vs/run_estimation");
	read_bridge(view, &f);
	*ret = f;
}

/* Judging */

struct judge {
	const struct trap_facts *f;
	void (*fn)(const char *sentence, void *arg);
	void *arg;
};

static void __attribute__((format(printf, 2, 3))) tell(const struct judge *j, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) >= 0)
		j->fn(text, j->arg);
	va_end(ap);
}

static bool before(const struct trap_facts *f, unsigned major, unsigned minor)
{
	return f->major != major ? f->major < major : f->minor < minor;
}

struct wrong {
	const char *path, *name, *words;
};

/* What follows where a setting that the daemon made is not so any more. */
static const struct wrong *wrong_setting(const char *path)
{
	static const struct wrong known[] = {
		{ "net/ipv4/vs/conntrack", "conntrack-off", "nothing is masqueraded" },
		{ "net/ipv4/vs/conn_reuse_mode", "conn-reuse",
			"a client that uses a port again waits a second or is sent to an endpoint "
			"that is gone" },
		{ "net/ipv4/vs/expire_nodest_conn", "expire",
			"connections to an endpoint that is gone hang" },
		{ "net/ipv4/vs/expire_quiescent_template", "expire",
			"session affinity holds on to an endpoint that leaves" },
		{ "net/ipv4/conf/all/route_localnet", "route-localnet",
			"NodePorts do not answer on 127.0.0.1" },
		{ "net/ipv4/ip_forward", "ip-forward", "no packet reaches an endpoint" },
		{ "net/ipv6/conf/all/forwarding", "ip-forward",
			"no IPv6 packet reaches an endpoint" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(path, known[i].path))
			return &known[i];
	return NULL;
}

static void judge_settings(const struct judge *j)
{
	for (size_t i = 0; i < j->f->n_wanted; i++) {
		const struct sysctl *s = &j->f->wanted[i];
		const struct wrong *wrong = wrong_setting(s->path);
		long found = j->f->found[i];
		char dotted[64];

		if (!wrong || found == TRAP_UNKNOWN || found == s->value ||
			(s->at_least && found > s->value))
			continue;
		snprintf(dotted, sizeof(dotted), "%s", s->path);
		for (char *p = dotted; (p = strchr(p, '/'));)
			*p = '.';
		tell(j, "%s: %s is %ld and should be %ld: %s", wrong->name, dotted, found, s->value,
			wrong->words);
	}
}

static void judge_reuse(const struct judge *j)
{
	if (j->f->major && before(j->f, 5, 9))
		tell(j,
			"conn-reuse: Linux %u.%u is older than 5.9: a client that uses a port "
			"again comes to its old endpoint, even one that is leaving",
			j->f->major, j->f->minor);
}

static void judge_timeout(const struct judge *j)
{
	const struct trap_facts *f = j->f;

	if (f->ipvs_tcp_timeout > 0 && f->tcp_keepalive_time > 0 &&
		f->ipvs_tcp_timeout <= f->tcp_keepalive_time)
		tell(j,
			"tcp-timeout: IPVS forgets TCP connections that are idle for %ld s, and the "
			"first keep-alive comes after %ld s (net.ipv4.tcp_keepalive_time): "
			"connections that are idle break",
			f->ipvs_tcp_timeout, f->tcp_keepalive_time);
}

static void judge_estimators(const struct judge *j)
{
	const struct trap_facts *f = j->f;

	if (f->major && before(f, 6, 2) && f->run_estimation && f->n_estimated >= MANY_ESTIMATORS)
		tell(j,
			"estimators: Linux %u.%u counts the rates of %zu virtual and real servers "
			"at once every 2 s: packets are late then",
			f->major, f->minor, f->n_estimated);
}

static void judge_conntrack(const struct judge *j)
{
	const struct trap_facts *f = j->f;

	if (f->conntrack_max > 0 && f->conntrack_count > 0 &&
		f->conntrack_count >= f->conntrack_max / 100 * FULL_PERCENT)
		tell(j,
			"conntrack-full: %ld of %ld connections are tracked "
			"(net.netfilter.nf_conntrack_max): when it is full new ones are dropped",
			f->conntrack_count, f->conntrack_max);
}

static void judge_bridge(const struct judge *j)
{
	if (j->f->pods_on_bridge && j->f->bridge_nf_call != 1)
		tell(j,
			"bridge: pods are on a bridge, and %s: a pod that comes to a pod on the "
			"same bridge through a Service gets no answer",
			j->f->bridge_nf_call == TRAP_UNKNOWN
				? "the module br_netfilter is not loaded"
				: "net.bridge.bridge-nf-call-iptables is 0");
}

static void judge_rp_filter(const struct judge *j)
{
	if (j->f->rp_filter == 1)
		tell(j,
			"rp-filter: net.ipv4.conf.all.rp_filter is 1 (strict): packets that come in "
			"by another interface than answers would go out by are dropped");
}

void traps_judge(const struct trap_facts *f, void (*fn)(const char *sentence, void *arg), void *arg)
{
	const struct judge j = { .f = f, .fn = fn, .arg = arg };

	judge_settings(&j);
	judge_reuse(&j);
	judge_timeout(&j);
	judge_estimators(&j);
	judge_conntrack(&j);
	judge_bridge(&j);
	judge_rp_filter(&j);
}

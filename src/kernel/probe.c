// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "iptables_tool.h"
#include "kernel/exec.h"
#include "kernel/iptables_trial.h"
#include "kernel/ipvs.h"
#include "kernel/package.h"
#include "kernel/sysctl.h"

enum {
	PROBE_MARK = 0x7ffffffe, /* beside IPVS_SCHEDULER_MARK */
	PROBE_PORT = 20000,
	PROBE_MS = 30000, /* loading modules takes a while */
	PROBE_IPTABLES_MS = 60000,
};

/* include/linux/proc_ns.h, PROC_USER_INIT_INO; not for user space, but unchanged since 3.8 */
static const ino_t initial_user_namespace = 0xeffffffd;

#define HOW_TO_GET_THEM \
	"run as root, or with AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW in systemd"

static const struct {
	const char *name;
	unsigned number;
} needed[] = { { "CAP_NET_ADMIN", CAP_NET_ADMIN }, { "CAP_NET_RAW", CAP_NET_RAW } };

int probe_capabilities(struct err *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	uint32_t have = syscall(SYS_capget, &header, data) ? 0 : data[0].effective;
	bool is_root = geteuid() == 0;
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (!(have & 1u << needed[i].number))
			return err_set(
				err, -EPERM, "%s is missing: " HOW_TO_GET_THEM, needed[i].name);
	/* IPVS accepts capabilities only in the initial user namespace. */
	if (!stat("/proc/self/ns/user", &st) && st.st_ino != initial_user_namespace)
		return err_set(err, -EPERM,
			"CAP_NET_ADMIN is held in a user namespace only, which IPVS does not "
			"accept: run in the initial user namespace");
	for (size_t i = 0; !is_root && i < ARRAY_SIZE(needed); i++)
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, needed[i].number, 0, 0) != 1)
			return err_set(err, -EPERM,
				"%s is not ambient, so iptables would not have it: " HOW_TO_GET_THEM,
				needed[i].name);
	return 0;
}

/* The outcome of a trial, as it comes through the pipe. */
struct probe_answer {
	int result;
	unsigned mask;
	struct err err;
};

/* What is tried. Returns 0 or 1, or a negative errno with words in answer->err. */
struct probe_trial {
	int (*run)(const struct probe_trial *t, struct probe_answer *answer);
	const char *what; /* for messages: "IPVS" */
	int timeout_ms;
	const char *scheduler; /* one, or all that are known (NULL) */
	const struct adapter *iptables;
	const struct fact *facts;
	size_t n_facts;
	const struct rule_pool *pool;
};

_Noreturn static void probe_child(const struct probe_trial *trial, int fd)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	struct probe_answer answer;
	int any;

	memset(&answer, 0, sizeof(answer));
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* IPVS refuses real servers in a namespace that has no routes at all. */
	any = unshare(CLONE_NEWNET) ? -1 : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (any >= 0) {
		ioctl(any, SIOCSIFFLAGS, &lo);
		close(any);
	}

	answer.result = trial->run(trial, &answer);
	_exit(write(fd, &answer, sizeof(answer)) == sizeof(answer) ? 0 : 1);
}

static int probe_wait(
	const struct probe_trial *trial, int fd, struct probe_answer *ret, struct err *err)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do {
		n = poll(&p, 1, trial->timeout_ms);
	} while (n < 0 && errno == EINTR);
	if (!n)
		return err_set(err, -ETIMEDOUT,
			"%s did not answer within %d s, perhaps the kernel cannot load a module",
			trial->what, trial->timeout_ms / 1000);
	/* less than PIPE_BUF, so it comes as a whole */
	if (n < 0 || read(fd, ret, sizeof(*ret)) != sizeof(*ret))
		return err_set(err, -EIO, "the process that tries %s ended without an answer",
			trial->what);
	if (ret->result < 0)
		err_set(err, ret->result, "%s", ret->err.msg);
	return ret->result;
}

/* Runs the trial in a child process, so that our own network namespace stays the same. */
static int probe_run(const struct probe_trial *trial, struct probe_answer *ret, struct err *err)
{
	int fd[2], r;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC))
		return err_errno(err, -errno, "cannot create a pipe");
	pid = fork();
	if (pid < 0) {
		r = err_errno(err, -errno, "cannot create a process");
		close(fd[0]);
		close(fd[1]);
		return r;
	}
	if (!pid)
		probe_child(trial, fd[1]);
	close(fd[1]);
	r = probe_wait(trial, fd[0], ret, err);
	close(fd[0]);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return r;
}

/* The virtual server of the trial, and its real server, at an address of RFC 5737. */
static void trial_facts(struct fact *ret_vs, struct fact *ret_rs)
{
	const struct ip ip = ip_make(AF_INET, (const uint8_t[]){ 192, 0, 2, 1 });

	*ret_vs = fact_vs_fwmark(AF_INET, PROBE_MARK);
	strcpy(ret_vs->val.vs.scheduler, "rr");
	*ret_rs = fact_rs(&ret_vs->key, &ip, PROBE_PORT, 1);
}

static void find_foreign(const struct rs_conns *c, void *arg)
{
	bool *foreign = arg;
	struct fact vs, rs;

	trial_facts(&vs, &rs);
	*foreign |= !fact_key_eq(&c->key, &rs.key);
}

int probe_clean(struct adapter *ipvs, struct err *err)
{
	static const uint32_t marks[] = { PROBE_MARK, IPVS_SCHEDULER_MARK };

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		struct op vs = { .type = OP_DEL, .fact = fact_vs_fwmark(AF_INET, marks[i]) };
		bool foreign = false;
		int r = ipvs->conns(ipvs, &vs.fact.key, find_foreign, &foreign, err);

		if (r < 0)
			return r;
		if (foreign)
			continue;
		ipvs->apply(ipvs, &vs, 1); /* with its real server */
		if (vs.result && vs.result != -ENOENT)
			return err_errno(err, vs.result,
				"cannot delete the virtual server that a trial has left");
	}
	return 0;
}

int probe_servers(struct adapter *ipvs, const char *scheduler, struct err *err)
{
	struct op vs = { .type = OP_ADD }, rs = { .type = OP_ADD };
	struct err unused;

	trial_facts(&vs.fact, &rs.fact);
	probe_clean(ipvs, &unused);
	strcpy(vs.fact.val.vs.scheduler, scheduler);
	ipvs->apply(ipvs, &vs, 1);
	/* If somebody has one with this mark, the kernel has IPVS. */
	if (vs.result == -EEXIST)
		return 0;
	if (vs.result == -EPROTONOSUPPORT)
		return err_set(err, vs.result,
			"the kernel has no IPVS scheduler \"%s\" (module ip_vs_%s)", scheduler,
			scheduler);
	if (vs.result)
		return err_errno(err, vs.result, "IPVS refuses a virtual server");
	ipvs->apply(ipvs, &rs, 1);
	probe_clean(ipvs, &unused);
	return rs.result ? err_errno(err, rs.result, "IPVS refuses a real server") : 0;
}

/* The kernel loads ip_vs for whoever asks for its family; before Linux 5.14 nothing does that. */
static int try_servers(const struct probe_trial *t, struct probe_answer *answer)
{
	struct adapter *ipvs;
	int r = ipvs_new(&ipvs, &answer->err);

	if (r == -ENOENT && !exec_modprobe("ip_vs"))
		r = ipvs_new(&ipvs, &answer->err);
	return r ? r : probe_servers(ipvs, t->scheduler, &answer->err);
}

int probe_ipvs(const char *scheduler, struct err *err)
{
	const struct probe_trial trial = {
		.run = try_servers, .what = "IPVS", .timeout_ms = PROBE_MS, .scheduler = scheduler
	};
	struct probe_answer answer = { 0 };
	int r = probe_run(&trial, &answer, err);

	if (r == -ENOENT || r == -EPROTONOSUPPORT)
		package_suggest_modules(err);
	return r;
}

static int try_schedulers(const struct probe_trial *t, struct probe_answer *answer)
{
	struct adapter *ipvs;
	int r = ipvs_new(&ipvs, &answer->err);

	if (!r)
		r = probe_clean(ipvs, &answer->err);
	if (r >= 0 && t->scheduler)
		return ipvs_try_scheduler(ipvs, t->scheduler, &answer->err);
	for (unsigned i = 0; r >= 0 && known_schedulers[i]; i++) {
		r = ipvs_try_scheduler(ipvs, known_schedulers[i], &answer->err);
		if (r > 0)
			answer->mask |= 1u << i;
	}
	return r < 0 ? r : 0;
}

int probe_scheduler(const char *scheduler, struct err *err)
{
	const struct probe_trial trial = { .run = try_schedulers,
		.what = "IPVS",
		.timeout_ms = PROBE_MS,
		.scheduler = scheduler };
	struct probe_answer answer = { 0 };

	return probe_run(&trial, &answer, err);
}

int probe_schedulers(unsigned *ret_mask, struct err *err)
{
	const struct probe_trial trial = {
		.run = try_schedulers, .what = "IPVS", .timeout_ms = PROBE_MS
	};
	struct probe_answer answer = { 0 };
	int r = probe_run(&trial, &answer, err);

	if (!r)
		*ret_mask = answer.mask;
	return r;
}

static int try_iptables_rules(const struct probe_trial *t, struct probe_answer *answer)
{
	return iptables_trial(t->iptables, t->facts, t->n_facts, t->pool, &answer->err);
}

int probe_iptables_rules(const struct adapter *iptables, const struct fact *facts, size_t n,
	const struct rule_pool *pool, struct err *err)
{
	const struct probe_trial trial = {
		.run = try_iptables_rules,
		.what = "iptables",
		.timeout_ms = PROBE_IPTABLES_MS,
		.iptables = iptables,
		.facts = facts,
		.n_facts = n,
		.pool = pool,
	};
	struct probe_answer answer = { 0 };
	int r = probe_run(&trial, &answer, err);

	return r == -ETIMEDOUT ? IPTABLES_IPV4 | IPTABLES_IPV6 : r;
}

static int has_family(int family, struct err *err)
{
	long disabled;
	int r;

	if (family == AF_INET)
		return 1;
	r = sysctl_read("net/ipv6/conf/all/disable_ipv6", &disabled);
	if (err_is_shortage(r))
		return err_errno(err, r, "cannot find out whether IPv6 is disabled");
	return !r && !disabled;
}

int probe_iptables(int family, struct err *err)
{
	struct iptables_tool tool;
	int r = iptables_tool_find(family, &tool, err);

	if (r)
		return err_is_shortage(r) ? r : -ENOENT;
	r = iptables_tool_try(&tool, err);
	/* A family whose tables somebody holds, or which takes long to answer, exists. */
	return r == -EAGAIN || r == -ETIMEDOUT ? 0 : r;
}

int probe_family(enum netfilter netfilter, int family, struct err *err)
{
	int r = has_family(family, err);

	if (r <= 0 || netfilter == NETFILTER_NFTABLES)
		return r;
	r = probe_iptables(family, err);
	if (!r)
		return 1;
	return err_is_shortage(r) ? r : 0;
}

int probe_families(enum netfilter netfilter, bool *ret_ipv4, bool *ret_ipv6, struct err *err)
{
	int four = probe_family(netfilter, AF_INET, err), six;

	if (four < 0)
		return four;
	six = probe_family(netfilter, AF_INET6, err);
	if (six < 0)
		return six;
	*ret_ipv4 = four;
	*ret_ipv6 = six;
	return 0;
}

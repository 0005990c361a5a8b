// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "client.h"
#include "doctor.h"
#include "kernel/leftovers.h"
#include "kernel/sysctl.h"
#include "kernel/traps.h"

const char *const doctor_proxies[DOCTOR_PROXIES] = { "kube-proxy", "cilium-agent", "kube-router" };

void doctor_facts_init(struct doctor_facts *f)
{
	*f = (struct doctor_facts){
		.traps = json_array(), .leftovers = json_array(), .api.denied = json_array()
	};
	config_init(&f->config);
}

void doctor_facts_done(struct doctor_facts *f)
{
	for (size_t i = 0; i < f->n_files; i++) {
		free(f->files[i].path);
		free(f->files[i].text);
	}
	free(f->files);
	free(f->links);
	free(f->addresses);
	free(f->cilium_replaces);
	for (size_t i = 0; i < DOCTOR_PROXIES; i++)
		kube_proxy_done(&f->proxies[i]);
	kube_proxy_done(&f->daemon);
	config_done(&f->config);
	json_decref(f->status);
	json_decref(f->traps);
	json_decref(f->leftovers);
	json_decref(f->api.denied);
	json_decref(f->api.node);
}

/* Files */

void doctor_add_file(struct doctor_facts *f, const char *path, const char *text)
{
	mem_grow(f->files, f->n_files, f->cap_files);
	f->files[f->n_files++] = (struct doctor_file){ mem_strdup(path), mem_strdup(text),
		strstr(path, "/sysctl.") != NULL };
}

const char *doctor_text(const struct doctor_facts *f, const char *path)
{
	for (size_t i = 0; i < f->n_files; i++)
		if (!strcmp(f->files[i].path, path))
			return f->files[i].text;
	return NULL;
}

long doctor_number(const struct doctor_facts *f, const char *path)
{
	const char *text = doctor_text(f, path);
	char *end;
	long n = text ? strtol(text, &end, 10) : 0;

	return text && end != text ? n : DOCTOR_UNKNOWN;
}

/* Appends the file. False: it cannot be read. */
static bool read_text(const char *path, struct buf *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n = 0;

	if (fd < 0)
		return false;
	while (ret->len < DOCTOR_MAX_FILE && (n = read(fd, buf_reserve(ret, 65536), 65536)) > 0)
		ret->len += (size_t)n;
	buf_adds(ret, "");
	close(fd);
	return n >= 0;
}

static bool read_fact(struct doctor_facts *f, const char *path)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	if (!read_text(path, &text))
		return false;
	doctor_add_file(f, path, buf_str(&text));
	return true;
}

static int cmp_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
	char **v;
	size_t n, cap;
};

static void names_done(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
}

static bool names_have(const struct names *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i], name))
			return true;
	return false;
}

/* The names in the directory that match, once each. */
static void list_directory(const char *path, const char *pattern, struct names *ret)
{
	DIR *dir = opendir(path);

	if (!dir)
		return;
	for (const struct dirent *d; (d = readdir(dir));) {
		if (*d->d_name == '.' || fnmatch(pattern, d->d_name, 0) ||
			names_have(ret, d->d_name))
			continue;
		mem_grow(ret->v, ret->n, ret->cap);
		ret->v[ret->n++] = mem_strdup(d->d_name);
	}
	closedir(dir);
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), cmp_name);
}

static void read_directory(struct doctor_facts *f, const char *path)
{
	_cleanup_(names_done) struct names names = { 0 };

	list_directory(path, "*", &names);
	for (size_t i = 0; i < names.n; i++) {
		_cleanup_(buf_done) struct buf file = { 0 };

		buf_addf(&file, "%s/%s", path, names.v[i]);
		read_fact(f, buf_str(&file));
	}
}

/* sysctl.d(5): by name, and of two of one name that of the directory which comes first. `sysctl
 * --system` reads /etc/sysctl.conf last. */
static void read_sysctl_files(struct doctor_facts *f)
{
	static const char *const dirs[] = { "/etc/sysctl.d", "/run/sysctl.d",
		"/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d" };
	_cleanup_(names_done) struct names names = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		list_directory(dirs[i], "*.conf", &names);
	for (size_t i = 0; i < names.n; i++) {
		bool found = false;

		for (size_t d = 0; !found && d < ARRAY_SIZE(dirs); d++) {
			_cleanup_(buf_done) struct buf file = { 0 };

			buf_addf(&file, "%s/%s", dirs[d], names.v[i]);
			found = read_fact(f, buf_str(&file));
		}
	}
	read_fact(f, "/etc/sysctl.conf");
}

/* sysctl(8) takes '/' for '.' if the first of both is '/'. */
static void normalize_key(char *key)
{
	const char *first = strpbrk(key, "./");

	if (first && *first == '.')
		for (char *p = key; *p; p++)
			*p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
}

static char *strip(char *s)
{
	size_t len;

	s += strspn(s, " \t");
	len = strlen(s);
	while (len && strchr(" \t\r", s[len - 1]))
		s[--len] = '\0';
	return s;
}

const char *doctor_sysctl_file(
	const struct doctor_facts *f, const char *setting, struct buf *value, unsigned *ret_line)
{
	const char *file = NULL;
	bool by_name = false; /* which comes before a pattern */

	for (size_t i = 0; i < f->n_files; i++) {
		_cleanup_free_ char *text = mem_strdup(f->files[i].sysctls ? f->files[i].text : "");
		char *rest = text, *line;

		for (unsigned n = 1; (line = strsep(&rest, "\n")); n++) {
			char *key = strip(line), *equals = strchr(key, '=');
			bool named;

			if (!equals || strchr("#;", *key))
				continue;
			*equals = '\0';
			key = strip(key + (*key == '-'));
			normalize_key(key);
			named = !strcmp(key, setting);
			if (!named && (by_name || fnmatch(key, setting, FNM_PATHNAME)))
				continue;
			by_name |= named;
			file = f->files[i].path;
			buf_reset(value);
			buf_adds(value, strip(equals + 1));
			*ret_line = n;
		}
	}
	return file;
}

/* Links and addresses */

static void read_links(struct doctor_facts *f)
{
	if (interfaces_read(&f->links, &f->n_links, NULL) < 0)
		return;
	for (size_t i = 0; i < f->n_links; i++) {
		_cleanup_(buf_done) struct buf path = { 0 };

		buf_addf(&path, "/proc/sys/net/ipv4/conf/%s/rp_filter", f->links[i].name);
		read_fact(f, buf_str(&path));
	}
}

static void read_addresses(struct doctor_facts *f)
{
	struct ifaddrs *list;

	if (getifaddrs(&list))
		return;
	for (const struct ifaddrs *a = list; a; a = a->ifa_next) {
		struct doctor_address one = { 0 };
		uint16_t port;

		if (!a->ifa_addr || ip_of_sockaddr(a->ifa_addr, &one.ip, &port))
			continue;
		snprintf(one.link, sizeof(one.link), "%s", a->ifa_name);
		mem_grow(f->addresses, f->n_addresses, f->cap_addresses);
		f->addresses[f->n_addresses++] = one;
	}
	freeifaddrs(list);
}

const struct interface *doctor_default_link(const struct doctor_facts *f)
{
	static const char all[] = "00000000000000000000000000000000 00 ";
	const char *text = doctor_text(f, "/proc/net/route"), *line;
	char name[IFNAMSIZ] = "", candidate[IFNAMSIZ];
	unsigned long least = ULONG_MAX, destination, flags, metric, mask;

	/* Iface Destination Gateway Flags RefCnt Use Metric Mask */
	for (line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (sscanf(line, "%15s %lx %*s %lx %*s %*s %lu %lx", candidate, &destination,
			    &flags, &metric, &mask) == 5 &&
			!destination && !mask && metric < least) {
			least = metric;
			memcpy(name, candidate, sizeof(name));
		}
	text = doctor_text(f, "/proc/net/ipv6_route");
	for (line = text; line && !*name; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
		if (!strncmp(line, all, strlen(all)) &&
			sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %15s", candidate) == 1 &&
			strcmp(candidate, "lo") != 0)
			memcpy(name, candidate, sizeof(name));
	for (size_t i = 0; i < f->n_links; i++)
		if (*name && !strcmp(f->links[i].name, name))
			return &f->links[i];
	return NULL;
}

/* Modules */

/* Whether a list such as modules.dep has a line for "kernel/.../NAME.ko[.xz]". */
static bool list_has_module(const char *list, const char *name)
{
	const size_t len = strlen(name);

	for (const char *p = list; (p = strstr(p, name)); p += len)
		if (p > list && p[-1] == '/' && !strncmp(p + len, ".ko", strlen(".ko")))
			return true;
	return false;
}

static void read_modules(struct doctor_facts *f)
{
	static const char *const of_ipvs[] = { "ip_vs", "nf_conntrack" },
				 *const of_iptables[] = { "ip_set", "xt_set" },
				 *const of_nftables[] = { "nf_tables", "nf_conntrack" };
	const struct options *o = &f->config.options;
	_cleanup_(buf_done) struct buf path = { 0 }, loadable = { 0 }, builtin = { 0 };
	bool told;

	buf_addf(&path, "/lib/modules/%s/modules.dep", f->kernel.release);
	told = read_text(buf_str(&path), &loadable);
	buf_reset(&path);
	buf_addf(&path, "/lib/modules/%s/modules.builtin", f->kernel.release);
	told &= read_text(buf_str(&path), &builtin);
	for (size_t i = 0; i < 2; i++) {
		if (o->backend == BACKEND_IPVS || o->backend == BACKEND_AUTO)
			snprintf(f->modules[f->n_modules++].name, sizeof(f->modules->name), "%s",
				of_ipvs[i]);
		if (o->backend == BACKEND_NFTABLES || o->netfilter == NETFILTER_NFTABLES)
			snprintf(f->modules[f->n_modules++].name, sizeof(f->modules->name), "%s",
				of_nftables[i]);
		else if (o->netfilter == NETFILTER_IPTABLES)
			snprintf(f->modules[f->n_modules++].name, sizeof(f->modules->name), "%s",
				of_iptables[i]);
	}
	if (o->backend == BACKEND_IPVS || o->backend == BACKEND_AUTO)
		snprintf(f->modules[f->n_modules++].name, sizeof(f->modules->name), "ip_vs_%.16s",
			o->scheduler);
	for (size_t i = 0; i < f->n_modules; i++) {
		const char *name = f->modules[i].name;

		buf_reset(&path);
		buf_addf(&path, "/sys/module/%s", name);
		if (!access(buf_str(&path), F_OK) || list_has_module(buf_str(&loadable), name) ||
			list_has_module(buf_str(&builtin), name))
			f->modules[i].state = MODULE_THERE;
		else
			f->modules[i].state = told ? MODULE_MISSING : MODULE_UNKNOWN;
	}
}

/* The daemon and other proxies */

/* The file as the process calls it, as a path of ours. */
static void read_of_process(int pid, const char *path, struct buf *ret)
{
	_cleanup_(buf_done) struct buf file = { 0 };

	buf_addf(&file, "/proc/%d/root%s", pid, path);
	read_text(buf_str(&file), ret);
}

static void read_proxies(struct doctor_facts *f)
{
	const struct kube_proxy *cilium = &f->proxies[1];
	static const char option[] = "--kube-proxy-replacement=";
	_cleanup_(buf_done) struct buf text = { 0 };

	for (size_t i = 0; i < DOCTOR_PROXIES; i++)
		kube_proxy_find("/proc", doctor_proxies[i], &f->proxies[i], NULL);
	if (!cilium->pid)
		return;
	read_of_process(cilium->pid, "/tmp/cilium/config-map/kube-proxy-replacement", &text);
	for (size_t i = 0; i < cilium->n_options; i++)
		if (!strncmp(cilium->options[i], option, strlen(option))) {
			buf_reset(&text);
			buf_adds(&text, cilium->options[i] + strlen(option));
		}
	if (text.len)
		f->cilium_replaces = mem_strndup(buf_str(&text), strcspn(buf_str(&text), "\n"));
}

/* The options of the process, or else those with which the daemon would start here. */
static void read_configuration(struct doctor_facts *f)
{
	const struct kube_proxy *d = &f->daemon;
	_cleanup_free_ char **argv = mem_zalloc(d->n_options + 3, sizeof(*argv));
	_cleanup_(buf_done) struct buf file = { 0 };
	int argc = 0, rest;

	argv[argc++] = (char *)"ipvsctl-svcd";
	if (d->file) {
		buf_addf(&file, "--config=%s", d->file);
		argv[argc++] = file.data;
	}
	for (size_t i = 0; i < d->n_options; i++)
		argv[argc++] = d->options[i];
	f->config.default_dir = DEFAULT_CONFIG_DIR;
	config_parse(&f->config, OPTIONS_DAEMON | OPTIONS_INPUT | OPTIONS_POLICY, argc, argv, &rest,
		NULL);
}

static void add_trap(const char *sentence, void *arg)
{
	json_array_append_new(arg, json_string(sentence));
}

/* The daemon opens these chains of iptables itself, where it uses iptables. */
static void drop_gates_of_ours(struct trap_facts *t, const struct options *o)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n_foreign; i++) {
		const struct foreign_gate *g = &t->foreign[i];

		if (o->netfilter != NETFILTER_NFTABLES && g->place != PLACE_NFTABLES &&
			!strcmp(g->table, "filter") &&
			(g->hook == HOOK_INPUT || (g->hook == HOOK_FORWARD && t->ipvs)))
			continue;
		t->foreign[n++] = *g;
	}
	t->n_foreign = n;
}

/* What the daemon would tell if it ran. Settings that it makes at its start do not count. */
static void read_without_daemon(struct doctor_facts *f)
{
	_cleanup_(leftovers_done) struct leftovers left = { 0 };
	struct node_view view;
	struct trap_facts t;

	node_view_init(&view, &f->config.options);
	view.ipv4 = true;
	view.ipv6 = doctor_text(f, "/proc/net/if_inet6") != NULL;
	view.backend = f->backend;
	traps_read(NULL, NULL, &view, 0, false, &t);
	t.n_wanted = 0;
	drop_gates_of_ours(&t, &f->config.options);
	traps_judge(&t, add_trap, f->traps);
	node_view_done(&view);

	leftovers_find(true, view.ipv6, true, &left, NULL);
	for (size_t i = 0; i < left.n; i++) {
		_cleanup_(buf_done) struct buf line = { 0 };

		leftover_print(&line, &left.v[i]);
		json_array_append_new(f->leftovers, json_string(buf_str(&line)));
	}
}

/* A daemon in a container calls its kubeconfig by another path. */
static void read_api(struct doctor_facts *f)
{
	const struct config *c = &f->config;
	_cleanup_(buf_done) struct buf path = { 0 };

	if (config_input(c) != INPUT_API)
		return;
	buf_adds(&path, c->kubeconfig);
	if (path.len && f->daemon.pid && access(c->kubeconfig, R_OK)) {
		buf_reset(&path);
		buf_addf(&path, "/proc/%d/root%s", f->daemon.pid, c->kubeconfig);
	}
	doctor_api_ask(buf_str(&path), c->master, c->options.node_name, &f->api);
}

static enum backend backend_in_use(const struct doctor_facts *f)
{
	const char *name = json_string_value(json_object_get(f->status, "backend"));

	for (enum backend b = BACKEND_IPVS; name && b <= BACKEND_NFTABLES; b++)
		if (!strcmp(name, backend_name(b)))
			return b;
	return f->config.options.backend == BACKEND_AUTO ? BACKEND_IPVS : f->config.options.backend;
}

void doctor_facts_read(struct doctor_facts *f, const char *socket)
{
	static const char *const files[] = { "/etc/os-release", "/proc/version", "/proc/modules",
		"/proc/net/dev", "/proc/net/route", "/proc/net/ipv6_route", "/proc/net/if_inet6",
		"/proc/net/ip_vs", "/proc/net/ip_vs_stats", "/proc/net/ip_vs_status",
		"/sys/devices/system/cpu/isolated", "/sys/devices/system/cpu/online",
		"/sys/module/ip_vs/parameters/conn_tab_bits", "/proc/sys/net/ipv4/ip_forward",
		"/proc/sys/net/ipv6/conf/all/forwarding",
		"/proc/sys/net/ipv6/conf/all/disable_ipv6",
		"/proc/sys/net/ipv4/ip_local_port_range",
		"/proc/sys/net/ipv4/ip_local_reserved_ports",
		"/proc/sys/net/ipv4/tcp_keepalive_time", "/proc/sys/net/ipv4/conf/all/rp_filter",
		"/proc/sys/net/ipv4/conf/all/route_localnet",
		"/proc/sys/net/ipv4/conf/all/arp_ignore",
		"/proc/sys/net/ipv4/conf/all/arp_announce",
		"/proc/sys/net/ipv4/conf/all/src_valid_mark" };

	f->socket = socket;
	uname(&f->kernel);
	client_status(socket, true, &f->status, &f->no_status);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		read_fact(f, files[i]);
	read_directory(f, "/proc/sys/net/ipv4/vs");
	read_directory(f, "/proc/sys/net/netfilter");
	read_directory(f, "/proc/sys/net/bridge");
	read_sysctl_files(f);
	read_links(f);
	read_addresses(f);
	read_proxies(f);
	kube_proxy_find("/proc", "ipvsctl-svcd", &f->daemon, NULL);
	read_configuration(f);
	f->backend = backend_in_use(f);
	read_modules(f);
	read_api(f);
	if (!f->status)
		read_without_daemon(f);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_api [-1] DIRECTORY
 *
 * Serves the bodies that "bodies" wrote into DIRECTORY, follows that server as the daemon does until
 * all Services are resolved into facts, and prints the time and the memory as a table in Markdown.
 * Each row is measured in a process of its own; -1: only the first one. Nothing is written to the
 * kernel.
 */
#include <err.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "allocated.h"
#include "api/kube.h"
#include "base/buf.h"
#include "base/mem.h"
#include "core/engine.h"

/* The server: a process for each connection */

enum { MAX_REQUEST = 4096 };

static bool stream; /* it knows streaming lists */
static const char *directory;

static void send_text(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) < 0)
		exit(0);
}

static void send_file(int fd, const char *path, bool protobuf, bool watch)
{
	_cleanup_(buf_done) struct buf head = { 0 };
	int file = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st = { 0 };

	if (file < 0 || fstat(file, &st) < 0)
		err(1, "%s", path);
	buf_addf(&head, "HTTP/1.1 200 OK\r\nContent-Type: application/%s%s\r\n",
		protobuf ? "vnd.kubernetes.protobuf" : "json",
		protobuf && watch ? ";stream=watch" : "");
	if (!watch)
		buf_addf(&head, "Content-Length: %lld\r\n", (long long)st.st_size);
	buf_adds(&head, "\r\n");
	send_text(fd, buf_str(&head));
	for (off_t at = 0; at < st.st_size;)
		if (sendfile(fd, file, &at, (size_t)(st.st_size - at)) <= 0)
			exit(0);
	close(file);
	if (watch)
		pause();
}

static void answer(int fd, const char *request)
{
	static const char *const names[] = { "services", "endpointslices", "nodes" };
	static const char refusal[] = "HTTP/1.1 422 Invalid\r\nContent-Type: application/json\r\n"
				      "Content-Length: 2\r\n\r\n{}";
	_cleanup_(buf_done) struct buf path = { 0 };
	bool protobuf = strstr(request, "vnd.kubernetes.protobuf");
	const char *more = strstr(request, "continue="), *name = "";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strstr(request, names[i]))
			name = names[i];
	if (strstr(request, "watch=true") && !strstr(request, "sendInitialEvents"))
		pause();
	if (strstr(request, "sendInitialEvents") && !stream) {
		send_text(fd, refusal);
		return;
	}
	buf_addf(&path, "%s/%s.", directory, name);
	if (stream)
		buf_adds(&path, "watch");
	else
		buf_addf(&path, "page%d", more ? atoi(more + strlen("continue=")) : 0);
	buf_adds(&path, protobuf ? ".pb" : ".json");
	send_file(fd, buf_str(&path), protobuf, stream);
}

static void serve_connection(int fd)
{
	char request[MAX_REQUEST + 1];
	size_t len = 0;
	ssize_t n;

	while (len < MAX_REQUEST && (n = read(fd, request + len, MAX_REQUEST - len)) > 0) {
		len += (size_t)n;
		request[len] = '\0';
		if (!strstr(request, "\r\n\r\n"))
			continue;
		answer(fd, request);
		len = 0;
	}
	exit(0);
}

static void serve(int listener)
{
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0 && !fork())
			serve_connection(fd);
		close(fd);
	}
}

/* In a process group of its own, with all its connections. */
static pid_t start_server(unsigned *ret_port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pid_t pid;

	if (bind(fd, (struct sockaddr *)&sin, len) < 0 || listen(fd, 16) < 0 ||
		getsockname(fd, (struct sockaddr *)&sin, &len) < 0)
		err(1, "cannot serve");
	*ret_port = ntohs(sin.sin_port);
	pid = fork();
	if (!pid) {
		setpgid(0, 0);
		serve(fd);
	}
	setpgid(pid, pid);
	close(fd);
	return pid;
}

/* The client */

struct client {
	struct event_base *base;
	struct store store;
	struct engine *engine;
	struct kube *kube;
	struct event *step;
	double model; /* MB */
};

static void apply(struct adapter *a, struct op *ops, size_t n)
{
	(void)a;
	(void)ops;
	(void)n;
}

static int dump(struct adapter *a, enum fact_kind kind, dump_fn fn, void *arg, struct err *err)
{
	(void)a;
	(void)kind;
	(void)fn;
	(void)arg;
	(void)err;
	return 0;
}

static double allocated(void)
{
	return (double)allocated_bytes() / 1e6;
}

static void on_changed(void *arg)
{
	(void)arg;
}

static void on_fed(void *arg)
{
	struct client *c = arg;

	c->model = allocated() - c->model;
	engine_fed(c->engine);
	event_active(c->step, 0, 0);
}

static void on_trouble(const char *resource, const char *message, unsigned retry_ms, void *arg)
{
	(void)retry_ms;
	(void)arg;
	errx(1, "%s: %s", resource, message);
}

static void on_relist(const char *resource, const char *why, void *arg)
{
	(void)resource;
	(void)why;
	(void)arg;
}

static void on_problem(const char *message, void *arg)
{
	(void)arg;
	errx(1, "%s", message);
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;

	(void)fd;
	(void)what;
	while (engine_step(c->engine, 1) <= 1)
		;
	event_base_loopbreak(c->base);
}

static double seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* A line of /proc/self/status, in MB. */
static double resident(const char *what)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");
	double kb = 0;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, what, strlen(what)))
			kb = atof(line + strlen(what));
	if (f)
		fclose(f);
	return kb * 1024 / 1e6;
}

/* The view points to the options, which outlive it. */
static void set_node(struct options *o, struct node_view *view, const struct store *store)
{
	static struct ip node;

	options_init(o);
	if (cidr_parse("10.128.0.0/9", &o->cluster_cidr[0]) < 0 ||
		ip_parse("192.168.50.1", &node) < 0)
		errx(1, "cannot set up a node");
	strcpy(o->node_name, "node-1");
	node_view_init(view, o);
	view->ipv6 = false;
	strcpy(view->zone, "zone-a");
	view->node_ip[0] = node;
	view->local = &node;
	view->n_local = 1;
	view->store = store;
}

static void follow(unsigned port, bool json)
{
	struct client c = { .base = event_base_new() };
	struct adapter adapter = {
		.name = "none", .kinds = (1u << FACT_KINDS) - 1, .apply = apply, .dump = dump
	};
	struct kube_config config = { .base = c.base,
		.store = &c.store,
		.node_name = "node-1",
		.json = json,
		.changed = on_changed,
		.fed = on_fed,
		.trouble = on_trouble,
		.relist = on_relist,
		.problem = on_problem,
		.arg = &c };
	double start, cpu, memory, before;
	struct options options;
	struct node_view view;
	struct err e;
	char url[64];

	store_init(&c.store);
	set_node(&options, &view, &c.store);
	c.step = event_new(c.base, -1, 0, on_step, &c);
	c.engine = engine_new(
		&(struct engine_config){ .store = &c.store, .view = &view, .dry_run = true });
	engine_add_adapter(c.engine, &adapter);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
	if (auth_load(&(struct auth_config){ .master = url }, &config.auth, &e) < 0)
		errx(1, "%s", e.msg);
	start = seconds(CLOCK_MONOTONIC);
	cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	before = resident("VmRSS:");
	memory = c.model = allocated();
	if (kube_new(&config, &c.kube, &e) < 0)
		errx(1, "%s", e.msg);
	event_base_dispatch(c.base);
	memory = allocated() - memory;
	printf("| %zu Services in %s, %s | %.1f MB | %.2f s | %.2f s | %.1f MB | %.1f MB | %.1f MB | %.1f MB |\n",
		c.store.n_services, json ? "JSON" : "protobuf", stream ? "streamed" : "in pages",
		(double)kube_received(c.kube) / 1e6, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu,
		seconds(CLOCK_MONOTONIC) - start, c.model, memory, resident("VmRSS:") - before,
		resident("VmHWM:") - before);
	fflush(stdout);
	_exit(0);
}

static void bench(bool streamed, bool json)
{
	unsigned port;
	pid_t server, client;

	stream = streamed;
	server = start_server(&port);
	client = fork();
	if (!client)
		follow(port, json);
	waitpid(client, NULL, 0);
	kill(-server, SIGTERM);
	waitpid(server, NULL, 0);
}

int main(int argc, char **argv)
{
	const bool one = argc == 3 && !strcmp(argv[1], "-1");

	if (argc != 2 + one) {
		fprintf(stderr, "usage: bench_api [-1] DIRECTORY\n");
		return 2;
	}
	directory = argv[argc - 1];
	signal(SIGPIPE, SIG_IGN);
	puts("| followed | received | CPU | elapsed | model | model and facts | resident | peak |\n"
	     "| --- | --- | --- | --- | --- | --- | --- | --- |");
	fflush(stdout);
	for (int i = 0; i < (one ? 1 : 4); i++)
		bench(i & 1, i >> 1);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/exec.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
	READ_SIZE = 64 << 10,
	READS = 16, /* in one turn */
	REAP_MS = 1,
	MODPROBE_MS = 20000,
	NAME_SIZE = 64,
};

/*
 * The program's standard streams and the timer are in one epoll instance, which is readable when
 * any of them is. exec_advance() tries each of them instead of asking which one it was.
 */
struct exec {
	int epoll, timer;
	pid_t pid;	  /* also its process group; 0: none runs */
	int in, out, err; /* our ends of its standard streams; -1: closed */
	const char *input;
	size_t input_left;
	struct buf output, complaint;
	uint64_t deadline;
	int timeout_ms;
	int verdict; /* the program was killed for: -ETIMEDOUT, -EFBIG; 0: nothing */
	char name[NAME_SIZE];
};

static void exec_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void exec_close_streams(struct exec *x)
{
	exec_close(&x->in);
	exec_close(&x->out);
	exec_close(&x->err);
}

int exec_new(struct exec **ret, struct err *err)
{
	struct exec *x = new0(struct exec);

	x->in = x->out = x->err = -1;
	x->epoll = epoll_create1(EPOLL_CLOEXEC);
	x->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (x->epoll < 0 || x->timer < 0 ||
		epoll_ctl(x->epoll, EPOLL_CTL_ADD, x->timer,
			&(struct epoll_event){ .events = EPOLLIN })) {
		int code = errno;

		exec_free(x);
		return err_errno(err, -code, "cannot wait for programs");
	}
	*ret = x;
	return 0;
}

void exec_free(struct exec *x)
{
	if (!x)
		return;
	if (x->pid) {
		kill(-x->pid, SIGKILL);
		while (waitpid(x->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	exec_close_streams(x);
	exec_close(&x->timer);
	exec_close(&x->epoll);
	buf_done(&x->output);
	buf_done(&x->complaint);
	free(x);
}

int exec_fd(const struct exec *x)
{
	return x->epoll;
}

pid_t exec_running(const struct exec *x)
{
	return x->pid;
}

static bool is_program(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* A service's PATH often lacks the directories of administrative programs. */
static bool find_program(const char *name, char ret[static PATH_MAX])
{
	static const char fallback[] = "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin";
	const char *paths[] = { getenv("PATH"), fallback };

	if (strchr(name, '/'))
		return snprintf(ret, PATH_MAX, "%s", name) < PATH_MAX;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		for (const char *p = paths[i]; p && *p;) {
			size_t len = strcspn(p, ":");
			int n = snprintf(ret, PATH_MAX, "%.*s/%s", (int)len, p, name);

			if (len && n < PATH_MAX && is_program(ret))
				return true;
			p += len + (p[len] == ':');
		}
	return false;
}

/* Our environment, but with messages that can be told apart. The caller frees the array only. */
static char **make_environment(void)
{
	static char locale[] = "LC_ALL=C";
	size_t n = 0, kept = 0;
	char **env;

	while (environ[n])
		n++;
	env = mem_zalloc(n + 2, sizeof(*env));
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], "LC_ALL=", 7) != 0)
			env[kept++] = environ[i];
	env[kept] = locale;
	return env;
}

/* The child keeps no descriptor from `first` on. Returns 0, or an errno. */
static int close_others(posix_spawn_file_actions_t *actions, int first)
{
#ifdef HAVE_ADDCLOSEFROM_NP
	return posix_spawn_file_actions_addclosefrom_np(actions, first);
#else
	DIR *dir = opendir("/proc/self/fd");
	int r = 0;

	if (!dir)
		return errno;
	/* exec() closes the others. To close what is no descriptor any more is no failure. */
	for (const struct dirent *d; !r && (d = readdir(dir));) {
		const int fd = atoi(d->d_name);

		if (fd >= first && !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			r = posix_spawn_file_actions_addclose(actions, fd);
	}
	closedir(dir);
	return r;
#endif
}

/* Default signal handling, a process group of its own, fd[i] as descriptor i and no other one, also
 * none of those that libraries open without O_CLOEXEC. Returns 0, or an errno (positive, as the
 * calls of posix_spawn do). */
static int spawn(const char *path, const char *const argv[], const int fd[static 3], pid_t *ret)
{
	_cleanup_free_ char **env = make_environment();
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return r;
	r = posix_spawnattr_init(&attr);
	if (r) {
		posix_spawn_file_actions_destroy(&actions);
		return r;
	}
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setpgroup(&attr, 0);
	r = posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	for (int i = 0; !r && i < 3; i++)
		r = posix_spawn_file_actions_adddup2(&actions, fd[i], i);
	if (!r)
		r = close_others(&actions, 3);
	if (!r)
		r = posix_spawn(ret, path, &actions, &attr, (char *const *)argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

static void set_timer(const struct exec *x, int ms)
{
	struct itimerspec t = { .it_value = { ms / 1000, ms % 1000 * 1000000L } };

	timerfd_settime(x->timer, 0, &t, NULL);
}

/*
 * Opens the program's standard streams, of which `ret_theirs` are its ends, which the caller
 * closes. Standard input is a socket, not a pipe: send() can be told not to raise SIGPIPE when the
 * program ends without reading everything. Returns 0, or an errno (positive).
 */
static int open_streams(struct exec *x, int ret_theirs[static 3])
{
	int in[2], out[2], complaint[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in))
		return errno;
	x->in = in[0];
	ret_theirs[0] = in[1];
	if (pipe2(out, O_CLOEXEC))
		return errno;
	x->out = out[0];
	ret_theirs[1] = out[1];
	if (pipe2(complaint, O_CLOEXEC))
		return errno;
	x->err = complaint[0];
	ret_theirs[2] = complaint[1];
	if (fcntl(x->out, F_SETFL, O_NONBLOCK) || fcntl(x->err, F_SETFL, O_NONBLOCK))
		return errno;

	for (int i = 0; i < 3; i++) {
		const int ours[] = { x->in, x->out, x->err };
		struct epoll_event event = { .events = i ? EPOLLIN : EPOLLOUT };

		if (epoll_ctl(x->epoll, EPOLL_CTL_ADD, ours[i], &event))
			return errno;
	}
	return 0;
}

int exec_start(struct exec *x, const char *const argv[], const char *input, size_t input_len,
	int timeout_ms, struct err *err)
{
	int theirs[3] = { -1, -1, -1 };
	char path[PATH_MAX];
	int code;

	assert(!x->pid);
	if (!find_program(argv[0], path))
		return err_set(err, -ENOENT, "%s: no such program in PATH", argv[0]);
	code = open_streams(x, theirs);
	if (!code)
		code = spawn(path, argv, theirs, &x->pid);
	for (size_t i = 0; i < ARRAY_SIZE(theirs); i++)
		exec_close(&theirs[i]);
	if (code) {
		x->pid = 0;
		exec_close_streams(x);
		return err_errno(err, -code, "cannot run %s", path);
	}

	snprintf(x->name, sizeof(x->name), "%s", argv[0]);
	x->input = input;
	x->input_left = input_len;
	if (!input_len)
		exec_close(&x->in);
	buf_reset(&x->output);
	buf_reset(&x->complaint);
	x->verdict = 0;
	x->timeout_ms = timeout_ms;
	x->deadline = clock_ms() + (uint64_t)timeout_ms;
	set_timer(x, timeout_ms);
	return 0;
}

static void exec_feed(struct exec *x)
{
	ssize_t n = send(x->in, x->input, x->input_left, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		/* The program closed its standard input; its exit status tells whether that was
		 * wrong. */
		exec_close(&x->in);
		return;
	}
	x->input += n;
	x->input_left -= (size_t)n;
	if (!x->input_left)
		exec_close(&x->in);
}

/* Appends what there is to read, of which no more than `max` bytes are kept; closes *fd at the end
 * of file. Returns false when there was more. */
static bool exec_collect(int *fd, struct buf *b, size_t max)
{
	for (int i = 0; i < READS && *fd >= 0; i++) {
		char *room = buf_reserve(b, READ_SIZE);
		ssize_t n = read(*fd, room, READ_SIZE);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return true;
		if (n <= 0) {
			exec_close(fd);
			return true;
		}
		b->len += (size_t)n;
		if (b->len > max) {
			b->len = max;
			b->data[max] = '\0';
			return false;
		}
		b->data[b->len] = '\0';
	}
	return true;
}

/* The result of a program that has ended with the status of waitpid(), as exec_run() returns it. */
static int exec_result(struct exec *x, int status, struct buf *ret_out, struct err *err)
{
	struct buf *complaint = &x->complaint;

	if (x->verdict == -ETIMEDOUT)
		return err_set(err, x->verdict, "%s did not end within %d ms and was killed",
			x->name, x->timeout_ms);
	if (x->verdict)
		return err_set(err, x->verdict, "%s printed more than %d MiB and was killed",
			x->name, EXEC_MAX_OUTPUT >> 20);
	if (!WIFEXITED(status))
		return err_set(err, -ECHILD, "%s died of signal %d (%s)", x->name, WTERMSIG(status),
			strsignal(WTERMSIG(status)));

	/* Its standard error, on one line. */
	while (complaint->len && strchr(" \n", complaint->data[complaint->len - 1]))
		complaint->data[--complaint->len] = '\0';
	for (size_t i = 0; i < complaint->len; i++)
		if (complaint->data[i] == '\n')
			complaint->data[i] = ' ';
	if (WEXITSTATUS(status) && complaint->len)
		err_set(err, -EIO, "%s", complaint->data);
	else if (WEXITSTATUS(status))
		err_set(err, -EIO, "%s: exit status %d", x->name, WEXITSTATUS(status));
	if (ret_out) {
		buf_done(ret_out);
		*ret_out = x->output;
		x->output = (struct buf){ 0 };
	}
	return WEXITSTATUS(status);
}

/* The program closes its descriptors a moment before it can be reaped, so look in small steps. */
int exec_advance(struct exec *x, struct buf *ret_out, struct err *err)
{
	int status, verdict = 0;
	pid_t pid;

	if (x->in >= 0)
		exec_feed(x);
	if (!exec_collect(&x->out, &x->output, EXEC_MAX_OUTPUT))
		verdict = -EFBIG;
	exec_collect(&x->err, &x->complaint, EXEC_MAX_ERROR);
	if (!x->verdict && !verdict && clock_ms() >= x->deadline)
		verdict = -ETIMEDOUT;
	if (verdict) {
		x->verdict = verdict;
		kill(-x->pid, SIGKILL);
		exec_close_streams(x);
	}

	if (x->out >= 0 || x->err >= 0)
		return -EINPROGRESS;
	pid = waitpid(x->pid, &status, WNOHANG);
	if (!pid || (pid < 0 && errno == EINTR)) {
		set_timer(x, REAP_MS);
		return -EINPROGRESS;
	}
	x->pid = 0;
	exec_close_streams(x);
	set_timer(x, 0);
	return pid < 0 ? err_errno(err, -ECHILD, "%s ended unseen", x->name)
		       : exec_result(x, status, ret_out, err);
}

void exec_wait(const struct exec *x)
{
	poll(&(struct pollfd){ .fd = x->epoll, .events = POLLIN }, 1, -1);
}

int exec_run(const char *const argv[], const char *input, size_t input_len, int timeout_ms,
	struct buf *ret_out, struct err *err)
{
	struct exec *x = NULL;
	int r = exec_new(&x, err);

	if (!x)
		return r;
	r = exec_start(x, argv, input, input_len, timeout_ms, err);
	if (!r)
		while ((r = exec_advance(x, ret_out, err)) == -EINPROGRESS)
			exec_wait(x);
	exec_free(x);
	return r;
}

int exec_modprobe(const char *module)
{
	const char *const argv[] = { "modprobe", "-q", module, NULL };
	struct err unused;

	return exec_run(argv, NULL, 0, MODPROBE_MS, NULL, &unused);
}

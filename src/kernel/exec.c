// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum { READ_SIZE = 64 << 10 };

/* One running program and our ends of its standard streams; -1: closed. */
struct run {
	pid_t pid; /* also its process group; 0: none, or reaped */
	int in, out, err;
	const char *input;
	size_t input_left;
	struct buf output, complaint;
	uint64_t deadline;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void run_done(struct run *r)
{
	if (r->pid > 0) {
		kill(-r->pid, SIGKILL);
		while (waitpid(r->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close_fd(&r->in);
	close_fd(&r->out);
	close_fd(&r->err);
	buf_done(&r->output);
	buf_done(&r->complaint);
}

static bool try_dir(const char *dir, size_t len, const char *name, char ret[static PATH_MAX])
{
	int n = snprintf(ret, PATH_MAX, "%.*s/%s", (int)len, dir, name);

	return len && n < PATH_MAX && !access(ret, X_OK);
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

			if (try_dir(p, len, name, ret))
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

static int set_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(attr, &none);
	posix_spawnattr_setsigdefault(attr, &all);
	posix_spawnattr_setpgroup(attr, 0);
	return posix_spawnattr_setflags(
		attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

/* fd[i] becomes descriptor i of the program; all others are closed, also those of libraries that do
 * not set O_CLOEXEC. */
static int set_actions(posix_spawn_file_actions_t *actions, const int fd[static 3])
{
	for (int i = 0; i < 3; i++) {
		int r = posix_spawn_file_actions_adddup2(actions, fd[i], i);

		if (r)
			return r;
	}
	return posix_spawn_file_actions_addclosefrom_np(actions, 3);
}

/* Returns 0, or an errno (positive, as the calls of posix_spawn do). */
static int spawn(const char *path, const char *const argv[], const int fd[static 3], pid_t *ret)
{
	_cleanup_free_ char **env = make_environment();
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r;

	r = posix_spawn_file_actions_init(&actions);
	if (r)
		return r;
	r = posix_spawnattr_init(&attr);
	if (r) {
		posix_spawn_file_actions_destroy(&actions);
		return r;
	}
	r = set_attributes(&attr);
	if (!r)
		r = set_actions(&actions, fd);
	if (!r)
		r = posix_spawn(ret, path, &actions, &attr, (char *const *)argv, env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r;
}

/*
 * Standard input is a socket, not a pipe: send() can be told not to raise SIGPIPE when the program
 * ends without reading everything.
 */
static int start(struct run *r, const char *const argv[], struct err *err)
{
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, complaint[2] = { -1, -1 };
	char path[PATH_MAX];
	int code;

	if (!find_program(argv[0], path))
		return err_set(err, -ENOENT, "%s: no such program in PATH", argv[0]);
	code = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) ||
			pipe2(out, O_CLOEXEC | O_NONBLOCK) ||
			pipe2(complaint, O_CLOEXEC | O_NONBLOCK)
		? errno
		: 0;
	if (!code)
		code = fcntl(out[1], F_SETFL, 0) || fcntl(complaint[1], F_SETFL, 0) ? errno : 0;
	if (!code)
		code = spawn(path, argv, (const int[]){ in[1], out[1], complaint[1] }, &r->pid);
	r->in = in[0];
	r->out = out[0];
	r->err = complaint[0];
	close_fd(&in[1]);
	close_fd(&out[1]);
	close_fd(&complaint[1]);
	return code ? err_errno(err, -code, "cannot run %s", path) : 0;
}

static void feed(struct run *r)
{
	ssize_t n = send(r->in, r->input, r->input_left, MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		/* It closed its standard input; its exit status tells whether that was wrong. */
		close_fd(&r->in);
		return;
	}
	r->input += n;
	r->input_left -= (size_t)n;
	if (!r->input_left)
		close_fd(&r->in);
}

/* Appends what there is to read, of which no more than `max` bytes are kept; closes *fd at the end
 * of file. Returns false when there was more. */
static bool collect(int *fd, struct buf *b, size_t max)
{
	char *room = buf_reserve(b, READ_SIZE);
	ssize_t n = read(*fd, room, READ_SIZE);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		close_fd(fd);
		return true;
	}
	b->len += (size_t)n;
	if (b->len <= max) {
		b->data[b->len] = '\0';
		return true;
	}
	b->len = max;
	b->data[max] = '\0';
	return false;
}

static int time_left(const struct run *r)
{
	uint64_t now = clock_ms();

	return now < r->deadline ? (int)(r->deadline - now) : 0;
}

/* Until the program closed both its outputs. */
static int talk(struct run *r)
{
	while (r->out >= 0 || r->err >= 0) {
		struct pollfd fds[] = {
			{ .fd = r->in, .events = POLLOUT },
			{ .fd = r->out, .events = POLLIN },
			{ .fd = r->err, .events = POLLIN },
		};
		int n = poll(fds, ARRAY_SIZE(fds), time_left(r));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			return -ETIMEDOUT;
		if (n < 0)
			continue;
		if (fds[0].revents)
			feed(r);
		if (fds[1].revents && !collect(&r->out, &r->output, EXEC_MAX_OUTPUT))
			return -EFBIG;
		if (fds[2].revents)
			collect(&r->err, &r->complaint, EXEC_MAX_ERROR);
	}
	close_fd(&r->in);
	return 0;
}

/* The program closes its descriptors a moment before it can be reaped, so sleep in small steps. */
static int reap(struct run *r, const char *name, int *ret_status, struct err *err)
{
	for (;;) {
		pid_t pid = waitpid(r->pid, ret_status, WNOHANG);

		if (pid == r->pid) {
			r->pid = 0;
			return 0;
		}
		if (pid < 0 && errno != EINTR) {
			r->pid = 0;
			return err_errno(err, -ECHILD, "%s ended unseen", name);
		}
		if (!time_left(r))
			return -ETIMEDOUT;
		poll(NULL, 0, 1);
	}
}

/* What it printed on standard error, on one line. */
static void complain(struct buf *complaint, const char *name, int status, struct err *err)
{
	while (complaint->len && strchr(" \n", complaint->data[complaint->len - 1]))
		complaint->data[--complaint->len] = '\0';
	for (size_t i = 0; i < complaint->len; i++)
		if (complaint->data[i] == '\n')
			complaint->data[i] = ' ';
	if (complaint->len)
		err_set(err, -EIO, "%s", complaint->data);
	else
		err_set(err, -EIO, "%s: exit status %d", name, status);
}

static int finish(struct run *r, const char *name, struct buf *ret_out, struct err *err)
{
	int status;
	int code = reap(r, name, &status, err);

	if (code)
		return code;
	if (!WIFEXITED(status))
		return err_set(err, -ECHILD, "%s died of signal %d (%s)", name, WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status))
		complain(&r->complaint, name, WEXITSTATUS(status), err);
	if (ret_out) {
		buf_done(ret_out);
		*ret_out = r->output;
		r->output = (struct buf){ 0 };
	}
	return WEXITSTATUS(status);
}

int exec_run(const char *const argv[], const char *input, size_t input_len, int timeout_ms,
	struct buf *ret_out, struct err *err)
{
	_cleanup_(run_done) struct run r = {
		.in = -1,
		.out = -1,
		.err = -1,
		.input = input,
		.input_left = input_len,
		.deadline = clock_ms() + (uint64_t)timeout_ms,
	};
	int code = start(&r, argv, err);

	if (code)
		return code;
	if (!input_len)
		close_fd(&r.in);
	code = talk(&r);
	if (!code)
		code = finish(&r, argv[0], ret_out, err);
	if (code == -ETIMEDOUT)
		return err_set(err, code, "%s did not end within %d ms and was killed", argv[0],
			timeout_ms);
	if (code == -EFBIG)
		return err_set(err, code, "%s printed more than %d MiB and was killed", argv[0],
			EXEC_MAX_OUTPUT >> 20);
	if (code < 0 && code != -ECHILD)
		return err_errno(err, code, "cannot talk to %s", argv[0]);
	return code;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "api.h"

#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_SIZE = 1 << 22, MAX_FILE = 16 << 10 };

extern char **environ;

/* Runs the program with one end of `in` and `out` as its standard input and output. */
static pid_t spawn(char *const argv[], const int in[2], const int out[2])
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int r;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (r)
		errx(1, "cannot run %s: %s", argv[0], strerror(r));
	return pid;
}

void fake_api_start(struct fake_api *a, bool tls)
{
	int in[2], out[2];

	*a = (struct fake_api){ .tls = tls, .dir = "/tmp/fake-api-XXXXXX" };
	if (!mkdtemp(a->dir) || pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		err(1, "cannot start the fake API server");
	char *argv[] = { "python3", "tests/fake/apiserver", tls ? "--tls" : NULL, a->dir, NULL };

	a->pid = spawn(argv, in, out);
	close(in[0]);
	close(out[1]);
	a->orders = fdopen(in[1], "w");
	a->answers = fdopen(out[0], "r");
	if (!a->orders || !a->answers || fscanf(a->answers, "%u", &a->port) != 1 ||
		fgetc(a->answers) != '\n')
		errx(1, "the fake API server does not start");
}

static void remove_files(const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;

	while (d && (e = readdir(d)))
		unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
	rmdir(dir);
}

void fake_api_stop(struct fake_api *a)
{
	fclose(a->orders);
	fclose(a->answers);
	waitpid(a->pid, NULL, 0);
	remove_files(a->dir);
}

static json_t *read_answer(struct fake_api *a, const char *order)
{
	char *line = malloc(ANSWER_SIZE);
	json_t *answer;

	if (!line || !fgets(line, ANSWER_SIZE, a->answers))
		errx(1, "the fake API server does not answer to %s", order);
	answer = json_loads(line, 0, NULL);
	if (!json_is_true(json_object_get(answer, "ok")))
		errx(1, "the fake API server answers to %s: %s", order, line);
	free(line);
	return answer;
}

void fake_api_order(struct fake_api *a, const char *fmt, ...)
{
	va_list ap;
	char *order;

	va_start(ap, fmt);
	if (vasprintf(&order, fmt, ap) < 0)
		abort();
	va_end(ap);
	fprintf(a->orders, "%s\n", order);
	fflush(a->orders);
	json_decref(read_answer(a, order));
	free(order);
}

json_t *fake_api_get(struct fake_api *a, const char *what)
{
	fprintf(a->orders, "{\"get\": \"%s\"}\n", what);
	fflush(a->orders);
	return read_answer(a, what);
}

json_int_t fake_api_count(struct fake_api *a, const char *what)
{
	json_t *state = fake_api_get(a, "state");
	json_int_t n = json_integer_value(json_object_get(state, what));

	json_decref(state);
	return n;
}

json_t *fake_api_last_request(struct fake_api *a)
{
	json_t *answer = fake_api_get(a, "requests"), *all = json_object_get(answer, "requests");
	json_t *last = json_incref(json_array_get(all, json_array_size(all) - 1));

	json_decref(answer);
	return last;
}

const char *fake_api_path(const struct fake_api *a, const char *name, char ret[static 128])
{
	snprintf(ret, 128, "%s/%s", a->dir, name);
	return ret;
}

const char *fake_api_url(const struct fake_api *a, char ret[static 64])
{
	snprintf(ret, 64, "http%s://127.0.0.1:%u", a->tls ? "s" : "", a->port);
	return ret;
}

void fake_api_write(const struct fake_api *a, const char *name, const char *text)
{
	char path[128];
	FILE *f = fopen(fake_api_path(a, name, path), "we");

	if (!f || fputs(text, f) < 0 || fclose(f) < 0)
		err(1, "%s", path);
}

void fake_api_copy(const struct fake_api *a, const char *from, const char *to)
{
	char path[128], content[MAX_FILE];
	FILE *f = fopen(fake_api_path(a, from, path), "re");
	size_t n = f ? fread(content, 1, sizeof(content) - 1, f) : 0;

	if (!n)
		err(1, "%s", path);
	fclose(f);
	content[n] = '\0';
	fake_api_write(a, to, content);
}

void fake_api_write_kubeconfig(const struct fake_api *a, const char *cluster, const char *user)
{
	bool named = strstr(cluster, "insecure-skip-tls-verify") ||
		strstr(cluster, "certificate-authority");
	const char *authority = a->tls && !named ? "certificate-authority: ca.crt, " : "";
	char *text, url[64];

	if (asprintf(&text,
		    "apiVersion: v1\n"
		    "kind: Config\n"
		    "current-context: test\n"
		    "contexts: [{name: test, context: {cluster: fake, user: me}}]\n"
		    "clusters: [{name: fake, cluster: {server: '%s', %s%s}}]\n"
		    "users: [{name: me, user: {%s}}]\n",
		    fake_api_url(a, url), authority, cluster, user) < 0)
		abort();
	fake_api_write(a, "kubeconfig", text);
	free(text);
}

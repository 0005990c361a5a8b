// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/server.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/number.h"
#include "base/printable.h"
#include "http.h"

enum { UNIX_BACKLOG = 16, DIRECTORY_MODE = 0755, SOCKET_MODE = 0660 };
enum { SERVER_MAX_SECONDS = 366 * 24 * 3600 /* of an override */ };

struct server {
	struct server_config config;
	struct http *http;
	char *path;
	dev_t dev; /* of the socket's file */
	ino_t ino; /* 0: it was not made */
};

/* Answers */

static const char type_json[] = "application/json";

static void reply_json(struct http_request *req, int status, const json_t *body)
{
	struct buf text = { 0 };
	char *json = json_dumps(body, JSON_COMPACT);

	if (!json)
		abort(); /* out of memory, as in base/mem.h */
	buf_addf(&text, "%s\n", json);
	free(json);
	http_reply(req, status, type_json, buf_take(&text));
}

/* The words may hold a part of the request, even half a character of it. */
static const char *explain_error(int status, const char *words, struct buf *ret)
{
	_cleanup_(buf_done) struct buf clean = { 0 };
	json_t *body;
	char *json;

	(void)status;
	printable_add(&clean, words);
	body = json_pack("{s:s}", "error", buf_str(&clean));
	json = json_dumps(body, JSON_COMPACT);
	if (!json)
		abort(); /* out of memory, as in base/mem.h */
	buf_addf(ret, "%s\n", json);
	free(json);
	json_decref(body);
	return type_json;
}

static void reply_error(struct http_request *req, int status, const char *words)
{
	struct buf body = { 0 };
	const char *type = explain_error(status, words, &body);

	http_reply(req, status, type, buf_take(&body));
}

static void get_explain(struct http_request *req, const char *query, const struct server *s)
{
	struct err err = { .msg = "give what=IP:PORT or what=NAMESPACE/NAME" };
	_cleanup_(buf_done) struct buf what = { 0 }, from = { 0 };
	json_t *body = NULL;
	int has_what = http_query_get(query, "what", &what, &err);
	int has_from = has_what < 0 ? has_what : http_query_get(query, "from", &from, &err);

	if (has_what > 0 && has_from >= 0)
		body = s->config.explain(
			buf_str(&what), has_from ? buf_str(&from) : NULL, &err, s->config.arg);
	if (body)
		reply_json(req, 200, body);
	else
		reply_error(req, 400, err.msg);
	json_decref(body);
}

static void get_status(struct http_request *req, const char *query, const struct server *s)
{
	_cleanup_(buf_done) struct buf endpoints = { 0 };
	struct err err;
	const int has = http_query_get(query, "endpoints", &endpoints, &err);
	const bool without = has > 0 && !strcmp(buf_str(&endpoints), "false");

	if (has < 0) {
		reply_error(req, 400, err.msg);
		return;
	}
	if (has && !without && strcmp(buf_str(&endpoints), "true") != 0) {
		reply_error(req, 400, "endpoints must be true or false");
		return;
	}
	http_reply_pieces(req, type_json,
		&(struct http_pieces){ .next = s->config.status_next,
			.end = s->config.status_end,
			.arg = s->config.status_begin(!without, s->config.arg) });
}

/* A parameter that is a number; 0 where it is not there. Returns as http_query_get(). */
static int get_number(
	const char *query, const char *name, uint64_t max, uint64_t *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const int has = http_query_get(query, name, &text, err);

	*ret = 0;
	if (has > 0 && number_parse(buf_str(&text), max, ret) < 0)
		return err_set(err, -EINVAL, "%s must be a number from 0 to %" PRIu64, name, max);
	return has;
}

/* Reads the query. Returns 0 or -EINVAL with words. */
static int parse_override_query(const char *query, bool ends, struct buf *service,
	struct server_override *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf endpoint = { 0 };
	uint64_t weight = 0;
	int has = http_query_get(query, "endpoint", &endpoint, err);

	if (has >= 0)
		has = override_parse_endpoint(
			buf_str(&endpoint), &ret->wish.ip, &ret->wish.port, err);
	if (has >= 0)
		has = http_query_get(query, "service", service, err);
	if (has > 0 && !strchr(buf_str(service), '/'))
		has = err_set(err, -EINVAL, "service must be NAMESPACE/NAME");
	if (has >= 0 && !ends)
		has = get_number(query, "seconds", SERVER_MAX_SECONDS, &ret->seconds, err);
	if (has >= 0 && !ends) {
		has = get_number(query, "weight", OVERRIDE_MAX_WEIGHT, &weight, err);
		if (!has)
			has = err_set(err, -EINVAL, "give a weight");
	}
	ret->ends = ends;
	ret->wish.weight = (uint32_t)weight;
	ret->wish.service = (char *)buf_str(service);
	return has < 0 ? has : 0;
}

static void change_override(
	struct http_request *req, const char *query, bool ends, const struct server *s)
{
	_cleanup_(buf_done) struct buf service = { 0 };
	struct server_override ask = { .wish.by = http_peer(req) };
	struct err err;
	json_t *body = NULL;

	if (!parse_override_query(query, ends, &service, &ask, &err))
		body = s->config.override(&ask, &err, s->config.arg);
	if (body)
		reply_json(req, 200, body);
	else
		reply_error(req,
			err.code == -ENOENT	      ? 404
				: err.code == -ENOSPC ? 409
						      : 400,
			err.msg);
	json_decref(body);
}

/* One method of a path. */
struct server_route {
	const char *path, *method;
	void (*serve)(struct http_request *req, const char *query, const struct server *s);
};

static void post_override(struct http_request *req, const char *query, const struct server *s)
{
	change_override(req, query, false, s);
}

static void delete_override(struct http_request *req, const char *query, const struct server *s)
{
	change_override(req, query, true, s);
}

static const struct server_route server_routes[] = {
	{ "/v1/status", "GET", get_status },
	{ "/v1/explain", "GET", get_explain },
	{ "/v1/overrides", "POST", post_override },
	{ "/v1/overrides", "DELETE", delete_override },
};

static void on_server_request(struct http_request *req, const struct http_head *head, void *arg)
{
	_cleanup_(buf_done) struct buf allowed = { 0 }, words = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(server_routes); i++) {
		const struct server_route *route = &server_routes[i];

		if (strcmp(head->path, route->path) != 0)
			continue;
		if (!strcmp(head->method, route->method)) {
			route->serve(req, head->query, arg);
			return;
		}
		buf_addf(&allowed, "%s%s", allowed.len ? ", " : "", route->method);
	}
	if (!allowed.len) {
		reply_error(req, 404,
			"no such path; the paths are /v1/status, /v1/explain and /v1/overrides");
		return;
	}
	http_add_header(req, "Allow", buf_str(&allowed));
	buf_addf(&words, "the method must be %s", buf_str(&allowed));
	reply_error(req, 405, buf_str(&words));
}

/* The socket */

/* Removes the socket that a process which ended has left. */
static int remove_stale_socket(const struct sockaddr_un *un, struct err *err)
{
	struct stat st;
	int fd, r;

	if (lstat(un->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : err_errno(err, -errno, "%s", un->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "%s exists and is not a socket", un->sun_path);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, -errno, "cannot create a UNIX socket");
	r = connect(fd, (const struct sockaddr *)un, sizeof(*un)) < 0 ? -errno : 0;
	close(fd);
	if (!r || r == -EAGAIN) /* connected, or its queue is full */
		return err_set(err, -EADDRINUSE, "another process listens on %s", un->sun_path);
	if (r != -ECONNREFUSED)
		return err_errno(err, r, "cannot find out who listens on %s", un->sun_path);
	if (unlink(un->sun_path) < 0)
		return err_errno(err, -errno, "cannot remove the old socket %s", un->sun_path);
	return 0;
}

static int server_listen(struct server *s, struct err *err)
{
	_cleanup_free_ char *dir = mem_strdup(s->path);
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char *slash = strrchr(dir, '/');
	struct stat st;
	int fd, r;

	if (strlen(s->path) >= sizeof(un.sun_path))
		return err_set(err, -ENAMETOOLONG,
			"%s: the path of a socket must not be longer than %zu bytes", s->path,
			sizeof(un.sun_path) - 1);
	strcpy(un.sun_path, s->path);
	if (slash && slash != dir) {
		*slash = '\0';
		if (mkdir(dir, DIRECTORY_MODE) < 0 && errno != EEXIST)
			return err_errno(err, -errno, "cannot create the directory %s", dir);
	}
	r = remove_stale_socket(&un, err);
	if (r < 0)
		return r;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, -errno, "cannot create a UNIX socket");
	/* bind() creates the file with the socket's mode, so that it is never wider than this. */
	r = fchmod(fd, SOCKET_MODE);
	r = r ? r : bind(fd, (const struct sockaddr *)&un, sizeof(un));
	if (r < 0) {
		r = err_errno(err, -errno, "cannot create the socket %s", s->path);
		goto fail;
	}
	if (!lstat(s->path, &st)) {
		s->dev = st.st_dev;
		s->ino = st.st_ino;
	}
	/* The umask may have taken the group's right to write. */
	if (chmod(s->path, SOCKET_MODE) < 0 || listen(fd, UNIX_BACKLOG) < 0) {
		r = err_errno(err, -errno, "cannot listen on %s", s->path);
		goto fail;
	}
	http_serve(s->http, fd);
	return 0;
fail:
	close(fd);
	return r;
}

int server_new(struct event_base *base, const struct server_config *config, struct server **ret,
	struct err *err)
{
	struct server *s = new0(struct server);
	int r;

	s->config = *config;
	s->path = mem_strdup(config->socket_path);
	s->http = http_new(base,
		&(struct http_config){ .name = "status",
			.handle = on_server_request,
			.explain = explain_error,
			.arg = s,
			.timeout = SERVER_TIMEOUT,
			.pool = config->pool });
	r = server_listen(s, err);
	if (r < 0) {
		server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void server_free(struct server *s)
{
	struct stat st;

	if (!s)
		return;
	http_free(s->http);
	/* A newer server may have put its own in place of ours. */
	if (s->ino && !lstat(s->path, &st) && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(s->path);
	free(s->path);
	free(s);
}

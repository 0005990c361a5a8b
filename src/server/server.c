// SPDX-License-Identifier: GPL-2.0-or-later
#include "server/server.h"

#include <errno.h>
#include <event2/keyvalq_struct.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "http.h"

enum { BACKLOG = 16, DIRECTORY_MODE = 0755, SOCKET_MODE = 0660 };

struct server {
	struct server_config config;
	struct http *http;
	char *path;
	bool bound;
};

/* Answers */

static void reply(struct evhttp_request *req, int code, const json_t *body)
{
	char *text = json_dumps(body, JSON_COMPACT);
	size_t len;

	if (!text) {
		evhttp_send_reply(req, HTTP_INTERNAL, NULL, NULL);
		return;
	}
	len = strlen(text);
	text = mem_realloc(text, len + 2, 1);
	memcpy(text + len, "\n", 2);
	http_reply(req, code, "application/json", text);
}

static void reply_error(struct evhttp_request *req, int code, const char *message)
{
	json_t *body = json_pack("{s:s}", "error", message);

	reply(req, code, body);
	json_decref(body);
}

static void get_status(struct evhttp_request *req, const struct server *s)
{
	http_reply_pieces(req, "application/json",
		&(struct http_pieces){ .next = s->config.status_next,
			.end = s->config.status_end,
			.arg = s->config.status_begin(s->config.arg) });
}

static void explain_query(
	struct evhttp_request *req, const struct server *s, const struct evkeyvalq *query)
{
	const char *what = evhttp_find_header(query, "what");
	struct err err = { .msg = "give what=IP:PORT or what=NAMESPACE/NAME" };
	json_t *body = NULL;

	if (what)
		body = s->config.explain(
			what, evhttp_find_header(query, "from"), &err, s->config.arg);
	if (body)
		reply(req, HTTP_OK, body);
	else
		reply_error(req, HTTP_BADREQUEST, err.msg);
	json_decref(body);
}

static void get_explain(struct evhttp_request *req, const struct server *s)
{
	const char *text = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(req));
	struct evkeyvalq query;

	if (evhttp_parse_query_str(text ? text : "", &query) < 0) {
		reply_error(req, HTTP_BADREQUEST, "the query cannot be read");
		return;
	}
	explain_query(req, s, &query);
	evhttp_clear_headers(&query);
}

struct route {
	const char *path;
	void (*get)(struct evhttp_request *req, const struct server *s);
};

static const struct route routes[] = {
	{ "/v1/status", get_status },
	{ "/v1/explain", get_explain },
};

static const struct route *find_route(struct evhttp_request *req)
{
	const char *path = http_path(req);

	for (size_t i = 0; path && i < ARRAY_SIZE(routes); i++)
		if (!strcmp(path, routes[i].path))
			return &routes[i];
	return NULL;
}

static void on_request(struct evhttp_request *req, void *arg)
{
	const struct route *route = find_route(req);

	if (!route) {
		reply_error(
			req, HTTP_NOTFOUND, "no such path; there are /v1/status and /v1/explain");
	} else if (evhttp_request_get_command(req) != EVHTTP_REQ_GET) {
		http_header(req, "Allow", "GET");
		reply_error(req, HTTP_BADMETHOD, "only GET is allowed here");
	} else {
		route->get(req, arg);
	}
}

/* The socket */

static int make_address(const char *path, struct sockaddr_un *ret, struct err *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(un.sun_path))
		return err_set(err, -ENAMETOOLONG, "%s: the path of a socket has at most %zu bytes",
			path, sizeof(un.sun_path) - 1);
	strcpy(un.sun_path, path);
	*ret = un;
	return 0;
}

static int make_directory(const char *path, struct err *err)
{
	_cleanup_free_ char *dir = mem_strdup(path);
	char *slash = strrchr(dir, '/');

	if (!slash || slash == dir)
		return 0;
	*slash = '\0';
	if (mkdir(dir, DIRECTORY_MODE) < 0 && errno != EEXIST)
		return err_errno(err, -errno, "cannot make the directory %s", dir);
	return 0;
}

/* Of the mode nothing is ever wider than meant: bind() makes the file with that of the socket. */
static int open_socket(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || !fchmod(fd, SOCKET_MODE))
		return fd < 0 ? -errno : fd;
	close(fd);
	return -errno;
}

/* Returns 1 if somebody listens there, 0 if not, or a negative errno. */
static int is_live(const struct sockaddr_un *un)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;

	if (fd < 0)
		return -errno;
	r = connect(fd, (const struct sockaddr *)un, sizeof(*un)) < 0 ? -errno : 1;
	close(fd);
	if (r == -EAGAIN) /* its queue is full */
		return 1;
	return r == -ECONNREFUSED ? 0 : r;
}

/* Makes way for a new socket where the old one is of a process that is gone. */
static int remove_stale(const struct sockaddr_un *un, struct err *err)
{
	struct stat st;
	int r;

	if (lstat(un->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : err_errno(err, -errno, "%s", un->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "%s exists and is not a socket", un->sun_path);
	r = is_live(un);
	if (r > 0)
		return err_set(err, -EADDRINUSE, "another process listens on %s", un->sun_path);
	if (r < 0)
		return err_errno(err, r, "cannot find out who listens on %s", un->sun_path);
	if (unlink(un->sun_path) < 0)
		return err_errno(err, -errno, "cannot remove the old socket %s", un->sun_path);
	return 0;
}

static int bind_socket(struct server *s, int fd, const struct sockaddr_un *un, struct err *err)
{
	if (bind(fd, (const struct sockaddr *)un, sizeof(*un)) < 0)
		return err_errno(err, -errno, "cannot make the socket %s", un->sun_path);
	s->bound = true;
	/* The umask may have taken the group's right to write. */
	if (chmod(un->sun_path, SOCKET_MODE) < 0 || listen(fd, BACKLOG) < 0)
		return err_errno(err, -errno, "cannot listen on %s", un->sun_path);
	if (!http_serve(s->http, fd))
		return err_set(err, -ENOMEM, "cannot serve HTTP on %s", un->sun_path);
	return 0;
}

static int listen_unix(struct server *s, struct err *err)
{
	struct sockaddr_un un;
	int fd, r;

	r = make_address(s->path, &un, err);
	if (r < 0)
		return r;
	r = make_directory(s->path, err);
	if (r < 0)
		return r;
	r = remove_stale(&un, err);
	if (r < 0)
		return r;
	fd = open_socket();
	if (fd < 0)
		return err_errno(err, fd, "cannot make a UNIX socket");
	r = bind_socket(s, fd, &un, err);
	if (r < 0)
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
		&(struct http_config){ .handle = on_request, .arg = s, .timeout = SERVER_TIMEOUT });
	r = listen_unix(s, err);
	if (r < 0) {
		server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void server_free(struct server *s)
{
	if (!s)
		return;
	http_free(s->http);
	if (s->bound)
		unlink(s->path);
	free(s->path);
	free(s);
}

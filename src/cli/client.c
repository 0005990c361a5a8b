// SPDX-License-Identifier: GPL-2.0-or-later
#include "client.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/buf.h"
#include "base/mem.h"

static size_t client_receive(char *data, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;

	if (size * n > CLIENT_MAX_REPLY - b->len)
		return 0;
	buf_add(b, data, size * n);
	return size * n;
}

static void client_curl_freep(CURL **curl)
{
	curl_easy_cleanup(*curl);
}

/* What an answer says whose status is not 200: {"error": WORDS}. */
static int refusal(long status, const struct buf *body, struct err *err)
{
	json_t *tree = json_loadb(buf_str(body), body->len, 0, NULL);
	const char *words = json_string_value(json_object_get(tree, "error"));

	if (words)
		err_set(err, status == 404 ? -ENXIO : -EPROTO, "%s", words);
	else
		err_set(err, -EPROTO, "the answer has HTTP status %ld", status);
	json_decref(tree);
	return err->code;
}

/* Returns 0 with the body of an answer with status 200, or a negative errno with a text. */
static int client_transfer(
	CURL *curl, const char *socket_path, const char *path, struct buf *body, struct err *err)
{
	_cleanup_(buf_done) struct buf url = { 0 };
	long status = 0, os_errno = 0;
	CURLcode code;

	/* HTTP requires a host; it is not looked up. */
	buf_addf(&url, "http://localhost%s", path);
	curl_easy_setopt(curl, CURLOPT_URL, buf_str(&url));
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)CLIENT_TIMEOUT);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, client_receive);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);

	code = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_errno);
	if (code == CURLE_OPERATION_TIMEDOUT)
		return err_set(err, -ETIMEDOUT, "no answer within %d seconds", CLIENT_TIMEOUT);
	if (code == CURLE_WRITE_ERROR && body->len)
		return err_set(err, -EFBIG, "the answer is longer than %d bytes", CLIENT_MAX_REPLY);
	if (code == CURLE_COULDNT_CONNECT && os_errno > 0)
		return err_set(err, (int)-os_errno, "%s", strerror((int)os_errno));
	if (code != CURLE_OK)
		return err_set(err, -EPROTO, "%s", curl_easy_strerror(code));
	return status == 200 ? 0 : refusal(status, body, err);
}

int client_get(const char *socket_path, const char *path, json_t **ret, struct err *err)
{
	return client_send(socket_path, "GET", path, ret, err);
}

int client_send(const char *socket_path, const char *method, const char *path, json_t **ret,
	struct err *err)
{
	_cleanup_(client_curl_freep) CURL *curl = curl_easy_init();
	_cleanup_(buf_done) struct buf body = { 0 };
	json_t *tree;
	int r;

	if (!curl)
		return err_set(err, -ENOMEM, "cannot set up an HTTP client");
	if (strlen(socket_path) >= sizeof((struct sockaddr_un){ 0 }.sun_path))
		return err_set(
			err, -ENAMETOOLONG, "the path of the socket is longer than 107 bytes");
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	r = client_transfer(curl, socket_path, path, &body, err);
	if (r < 0)
		return r;
	tree = json_loadb(buf_str(&body), body.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(tree)) {
		json_decref(tree);
		return err_set(err, -EPROTO, "the answer is not a JSON object");
	}
	*ret = tree;
	return 0;
}

void client_escape(struct buf *path, const char *text)
{
	char *escaped = curl_easy_escape(NULL, text, 0);

	if (!escaped)
		abort(); /* out of memory, as in base/mem.h */
	buf_adds(path, escaped);
	curl_free(escaped);
}

int client_status(const char *socket_path, bool endpoints, json_t **ret, struct err *err)
{
	const char *path = endpoints ? "/v1/status" : "/v1/status?endpoints=false";
	json_t *reply = NULL;
	const char *kind;
	int r = client_get(socket_path, path, &reply, err);

	if (r < 0)
		return r;
	kind = json_string_value(json_object_get(reply, "kind"));
	if (!kind || strcmp(kind, "Status") != 0) {
		json_decref(reply);
		return err_set(err, -EPROTO, "the answer is not a Status");
	}
	*ret = reply;
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "api/auth.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "kubeconfig.h"
#include "url.h"

static const char service_account[] = "/var/run/secrets/kubernetes.io/serviceaccount";

struct auth {
	struct kubeconfig settings; /* of the kubeconfig, --master or the pod */
	struct credentials now;
	char *server, *proxy;
	uint64_t files_ms, token_ms; /* when they were read */
	bool due;		     /* all files are read again, however young */
	bool pod;		     /* the settings are those of a pod's service account */
};

static bool is_given(const char *s)
{
	return s && *s;
}

/* Sources */

/* A pod's environment and service account (k8s.io/client-go/rest InClusterConfig()) */
static int read_pod(struct auth *a, const char *dir, struct err *err)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	_cleanup_(buf_done) struct buf url = { 0 }, token = { 0 }, ca = { 0 };
	bool v6 = host && strchr(host, ':');
	struct kubeconfig *k = &a->settings;

	if (!is_given(host) || !is_given(port))
		return err_set(err, -ENOENT,
			"no API server is configured: give a kubeconfig or --master, or run in a pod, where KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are set");
	buf_addf(&url, "https://%s%s%s:%s", v6 ? "[" : "", host, v6 ? "]" : "", port);
	buf_addf(&token, "%s/token", dir);
	buf_addf(&ca, "%s/ca.crt", dir);
	a->pod = true;
	k->server = arena_strdup(&k->arena, buf_str(&url));
	k->server_key = "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT";
	k->token = (struct credential){
		.kind = CREDENTIAL_TOKEN,
		.key = "service account",
		.path = arena_strdup(&k->arena, buf_str(&token)),
	};
	k->ca = (struct credential){
		.kind = CREDENTIAL_PEM,
		.key = "service account",
		.path = arena_strdup(&k->arena, buf_str(&ca)),
	};
	return 0;
}

static int read_settings(struct auth *a, const struct auth_config *c, struct err *err)
{
	const char *dir = is_given(c->in_cluster) ? c->in_cluster : service_account;
	struct kubeconfig *k = &a->settings;
	int r = 0;

	if (is_given(c->kubeconfig)) {
		r = kubeconfig_read(c->kubeconfig, k, err);
		if (r < 0)
			return r;
	}
	if (is_given(c->master)) {
		/* The name in the certificate was that of the kubeconfig's server. */
		k->server = arena_strdup(&k->arena, c->master);
		k->server_key = "--master";
		k->server_name = NULL;
	} else if (!is_given(c->kubeconfig)) {
		r = read_pod(a, dir, err);
	} else if (k->empty) {
		r = read_pod(a, dir, err);
		if (r < 0)
			err_prefix(err, "%s: is empty", c->kubeconfig);
	}
	return r;
}

/* URLs */

static bool has_part(CURLU *u, CURLUPart part)
{
	_cleanup_(url_text_freep) char *text = NULL;

	return curl_url_get(u, part, &text, 0) == CURLUE_OK;
}

/* Messages do not show the URL: it may hold a password. */
static int parse_url(
	const char *key, const char *text, const char *const *schemes, CURLU **ret, struct err *err)
{
	_cleanup_(url_text_freep) char *scheme = NULL;
	_cleanup_(url_freep) CURLU *u = curl_url();
	const char *const *known = schemes;
	CURLUcode code;

	if (!u)
		abort(); /* out of memory, as in base/mem.h */
	code = curl_url_set(u, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME);
	if (code != CURLUE_OK)
		return err_set(err, -EINVAL, "%s: is not a URL: %s", key, url_failure(code));

	if (curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
		scheme = NULL;
	while (*known && (!scheme || strcmp(scheme, *known) != 0))
		known++;
	if (!*known)
		return err_set(err, -EINVAL, "%s: is not a URL of %s%s%s%s%s", key, schemes[0],
			schemes[2] ? ", " : " or ", schemes[1], schemes[2] ? " or " : "",
			schemes[2] ? schemes[2] : "");
	if (has_part(u, CURLUPART_QUERY) || has_part(u, CURLUPART_FRAGMENT))
		return err_set(err, -EINVAL, "%s: must not have a query or fragment", key);
	*ret = take(u);
	return 0;
}

static int set_server(struct auth *a, struct err *err)
{
	static const char *const schemes[] = { "http", "https", NULL };
	const struct kubeconfig *k = &a->settings;
	bool tls = k->insecure || credential_is_given(&k->ca) || credential_is_given(&k->cert);
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(url_freep) CURLU *u = NULL;
	_cleanup_(url_text_freep) char *url = NULL;
	size_t len;
	int r;

	if (!is_given(k->server))
		return err_set(err, -EINVAL, "%s: is missing", k->server_key);
	/* Without a scheme it is https exactly if TLS is configured (client-go: defaultTLS). */
	if (!strstr(k->server, "://"))
		buf_adds(&text, tls ? "https://" : "http://");
	buf_adds(&text, k->server);

	r = parse_url(k->server_key, buf_str(&text), schemes, &u, err);
	if (r < 0)
		return r;
	if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD))
		return err_set(err, -EINVAL, "%s: must not hold a user or password", k->server_key);
	if (curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK)
		return err_set(err, -EINVAL, "%s: is not a URL", k->server_key);
	len = strlen(url);
	while (len && url[len - 1] == '/')
		len--;
	a->server = mem_strndup(url, len);
	return 0;
}

/* Go lets a SOCKS proxy resolve the server's name, which libcurl calls socks5h. */
static int set_proxy(struct auth *a, struct err *err)
{
	static const char *const schemes[] = { "http", "https", "socks5", NULL };
	static const char socks[] = "socks5://";
	const char *text = a->settings.proxy;
	_cleanup_(url_freep) CURLU *u = NULL;
	struct buf b = { 0 };
	int r;

	if (!text)
		return 0;
	r = parse_url(a->settings.proxy_key, text, schemes, &u, err);
	if (r < 0)
		return r;
	if (!strncasecmp(text, socks, strlen(socks)))
		buf_addf(&b, "socks5h://%s", text + strlen(socks));
	else
		buf_adds(&b, text);
	a->proxy = buf_take(&b);
	return 0;
}

/* Credentials */

/* Fills in what auth_get() returns; credentials are for https only. */
static void publish_credentials(struct auth *a)
{
	static const char *const no_headers[] = { NULL };
	const struct kubeconfig *k = &a->settings;

	a->now = (struct credentials){
		.server = a->server,
		.proxy = a->proxy,
		.compression = !k->disable_compression,
		.headers = no_headers,
	};
	if (strncmp(a->server, "https:", strlen("https:")) != 0)
		return;
	a->now.server_name = k->server_name;
	a->now.insecure = k->insecure;
	a->now.ca = (struct pem){ k->ca.value.data, k->ca.value.len };
	a->now.cert = (struct pem){ k->cert.value.data, k->cert.value.len };
	a->now.key = (struct pem){ k->key.value.data, k->key.value.len };
	a->now.token = k->token.value.data;
	a->now.username = k->username;
	a->now.password = k->password;
	if (k->headers)
		a->now.headers = k->headers;
}

static int load_credentials(struct auth *a, struct err *err)
{
	struct credential *ca = &a->settings.ca;
	struct err words;
	int r = credential_load(ca, &words);

	if (r < 0 && !a->pod)
		return err_set(err, r, "%s", words.msg);
	/* A pod without ca.crt goes on with the system's roots, as client-go does. */
	if (r < 0)
		log_warn("no certificate authority for the API server, using the system's",
			"err=\"%s\"", words.msg);
	ca->failing = r < 0;

	r = credential_load(&a->settings.cert, err);
	if (!r)
		r = credential_load(&a->settings.key, err);
	if (!r)
		r = credential_load(&a->settings.token, err);
	return r;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	kubeconfig_done(&a->settings);
	free(a->server);
	free(a->proxy);
	free(a);
}

int auth_load(const struct auth_config *config, struct auth **ret, struct err *err)
{
	struct auth *a = new0(struct auth);
	int r = read_settings(a, config, err);

	if (!r)
		r = set_server(a, err);
	if (!r)
		r = set_proxy(a, err);
	if (!r)
		r = load_credentials(a, err);
	if (r < 0) {
		auth_free(a);
		return r;
	}
	publish_credentials(a);
	if (a->now.insecure)
		log_warn(
			"the API server's certificate will not be verified: anybody between it and this node can change what is proxied",
			"server=\"%s\"", a->server);
	*ret = a;
	return 0;
}

const struct credentials *auth_get(struct auth *a, uint64_t now_ms)
{
	if (a->due || now_ms - a->files_ms >= AUTH_FILES_AGE_MS) {
		credential_refresh(&a->settings.ca);
		credential_refresh(&a->settings.cert);
		credential_refresh(&a->settings.key);
		a->files_ms = now_ms;
	}
	if (a->due || now_ms - a->token_ms >= AUTH_TOKEN_AGE_MS) {
		credential_refresh(&a->settings.token);
		a->token_ms = now_ms;
	}
	a->due = false;
	publish_credentials(a);
	return &a->now;
}

void auth_rejected(struct auth *a)
{
	a->due = true;
}

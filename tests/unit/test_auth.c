// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "api/auth.h"
#include "base/mem.h"

#define PEM "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
/* That in base64 */
#define PEM_DATA                                                               \
	"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUIKLS0tLS1FTkQgQ0VSVElGSUNB" \
	"VEUtLS0tLQo="
#define OTHER_PEM "-----BEGIN CERTIFICATE-----\nOTHER\n-----END CERTIFICATE-----\n"

static char dir[] = "/tmp/test-auth-XXXXXX";

static const char *path_of(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_directory(void **state)
{
	static const char *const names[] = { "kubeconfig", "ca.crt", "client.crt", "client.key",
		"token" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unlink(path_of(names[i]));
	return rmdir(dir);
}

static int set_up(void **state)
{
	(void)state;
	put("ca.crt", PEM);
	put("client.crt", PEM);
	put("client.key", PEM);
	put("token", "  secret\n");
	unsetenv("KUBERNETES_SERVICE_HOST");
	unsetenv("KUBERNETES_SERVICE_PORT");
	return 0;
}

/* A kubeconfig of one cluster and one user, of which the members are given in flow style. */
static void put_kubeconfig(const char *cluster, const char *user)
{
	char *text;

	assert_true(asprintf(&text,
			    "apiVersion: v1\n"
			    "kind: Config\n"
			    "preferences: {}\n"
			    "current-context: here\n"
			    "contexts:\n"
			    "- {name: there, context: {cluster: other, user: other}}\n"
			    "- {name: here, context: {cluster: mine, user: me, namespace: x}}\n"
			    "clusters:\n"
			    "- {name: other, cluster: {server: 'https://other'}}\n"
			    "- {name: mine, cluster: {%s}}\n"
			    "users:\n"
			    "- {name: other, user: {exec: {command: aws}}}\n"
			    "- {name: me, user: {%s}}\n",
			    cluster, user) > 0);
	put("kubeconfig", text);
	free(text);
}

static struct auth *load(const char *master)
{
	struct auth_config config = { .kubeconfig = path_of("kubeconfig"), .master = master };
	struct auth *a = NULL;
	struct err err;

	if (auth_load(&config, &a, &err) < 0)
		fail_msg("%s", err.msg);
	return a;
}

static struct auth *load_one(const char *cluster, const char *user)
{
	put_kubeconfig(cluster, user);
	return load(NULL);
}

/* The error names the file, then comes `message`. */
static void refuse(const char *message)
{
	struct auth_config config = { .kubeconfig = path_of("kubeconfig") };
	char wanted[500];
	struct auth *a = NULL;
	struct err err;

	assert_true(auth_load(&config, &a, &err) < 0);
	assert_null(a);
	snprintf(wanted, sizeof(wanted), "%s: %s", config.kubeconfig, message);
	if (strncmp(err.msg, wanted, strlen(wanted)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", err.msg, wanted);
}

static void refuse_one(const char *cluster, const char *user, const char *message)
{
	put_kubeconfig(cluster, user);
	refuse(message);
}

static const struct credentials *now(struct auth *a)
{
	return auth_get(a, 1000000);
}

static void assert_pem(struct pem pem, const char *wanted)
{
	if (!wanted) {
		assert_null(pem.data);
		return;
	}
	assert_non_null(pem.data);
	assert_int_equal(pem.len, strlen(wanted));
	assert_memory_equal(pem.data, wanted, pem.len);
}

/* Sources */

static void the_current_context_says_which_cluster_and_user(void **state)
{
	struct auth *a = load_one("server: 'https://10.0.0.1:6443'", "token: abc");
	const struct credentials *c = now(a);

	(void)state;
	assert_string_equal(c->server, "https://10.0.0.1:6443");
	assert_string_equal(c->token, "abc");
	assert_null(c->server_name);
	assert_null(c->proxy);
	assert_null(c->username);
	assert_false(c->insecure);
	assert_true(c->compression);
	assert_pem(c->ca, NULL);
	assert_null(c->headers[0]);
	auth_free(a);
}

static void a_kubeconfig_may_be_json(void **state)
{
	struct auth *a;

	(void)state;
	put("kubeconfig",
		"{\"kind\": \"Config\", \"current-context\": \"a\","
		" \"contexts\": [{\"name\": \"a\", \"context\": {\"cluster\": \"b\", \"user\": \"c\"}}],"
		" \"clusters\": [{\"name\": \"b\", \"cluster\": {\"server\": \"https://b/\"}}],"
		" \"users\": [{\"name\": \"c\", \"user\": {\"token\": \"t\"}}]}");
	a = load(NULL);
	assert_string_equal(now(a)->server, "https://b");
	assert_string_equal(now(a)->token, "t");
	auth_free(a);
}

static void files_are_relative_to_the_kubeconfig(void **state)
{
	struct auth *a = load_one("server: 'https://b', certificate-authority: ca.crt",
		"client-certificate: ./client.crt, client-key: client.key, tokenFile: token");

	(void)state;
	assert_pem(now(a)->ca, PEM);
	assert_pem(now(a)->cert, PEM);
	assert_pem(now(a)->key, PEM);
	assert_string_equal(now(a)->token, "secret");
	auth_free(a);
}

static void inline_data_wins_over_files(void **state)
{
	struct auth *a = load_one("server: 'https://b', certificate-authority: none.crt, "
				  "certificate-authority-data: " PEM_DATA,
		"client-certificate: none, client-certificate-data: " PEM_DATA
		", client-key-data: " PEM_DATA);

	(void)state;
	assert_pem(now(a)->ca, PEM);
	assert_pem(now(a)->cert, PEM);
	assert_pem(now(a)->key, PEM);
	auth_free(a);
}

static void the_other_members_of_a_cluster_are_taken(void **state)
{
	struct auth *a = load_one("server: 'https://b', tls-server-name: api.example, "
				  "disable-compression: true, insecure-skip-tls-verify: true, "
				  "proxy-url: 'socks5://p:1080'",
		"username: me, password: 'pass word'");
	const struct credentials *c = now(a);

	(void)state;
	assert_string_equal(c->server_name, "api.example");
	assert_false(c->compression);
	assert_true(c->insecure);
	assert_string_equal(c->proxy, "socks5h://p:1080");
	assert_string_equal(c->username, "me");
	assert_string_equal(c->password, "pass word");
	auth_free(a);
}

static void impersonation_becomes_headers(void **state)
{
	static const char *const wanted[] = { "Impersonate-User: jane", "Impersonate-Uid: 7",
		"Impersonate-Group: a", "Impersonate-Group: b c", "Impersonate-Extra-x%2Fy%20z: 1",
		"Impersonate-Extra-x%2Fy%20z: 2" };
	struct auth *a = load_one("server: 'https://b'",
		"as: jane, as-uid: '7', as-groups: [a, b c], as-user-extra: {x/y z: ['1', '2']}");
	const char *const *headers = now(a)->headers;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_string_equal(headers[i], wanted[i]);
	assert_null(headers[ARRAY_SIZE(wanted)]);
	auth_free(a);
}

static void a_server_without_tls_gets_no_credentials(void **state)
{
	struct auth *a = load_one("server: 'http://b:8080/'", "token: abc, as: jane");

	(void)state;
	assert_string_equal(now(a)->server, "http://b:8080");
	assert_null(now(a)->token);
	assert_null(now(a)->headers[0]);
	auth_free(a);
}

static void a_server_without_a_scheme_is_https_where_tls_is_meant(void **state)
{
	struct auth *a = load_one("server: 'b:8080'", "");

	(void)state;
	assert_string_equal(now(a)->server, "http://b:8080");
	auth_free(a);
	a = load_one("server: 'b:8080', certificate-authority: ca.crt", "");
	assert_string_equal(now(a)->server, "https://b:8080");
	auth_free(a);
}

static void master_replaces_the_server_and_its_name(void **state)
{
	struct auth *a;

	(void)state;
	put_kubeconfig("server: 'https://b', tls-server-name: x, certificate-authority: ca.crt",
		"token: abc");
	a = load("https://[fd00::1]:6443");
	assert_string_equal(now(a)->server, "https://[fd00::1]:6443");
	assert_null(now(a)->server_name);
	assert_pem(now(a)->ca, PEM);
	assert_string_equal(now(a)->token, "abc");
	auth_free(a);
}

static void master_alone_is_a_server_without_credentials(void **state)
{
	struct auth_config config = { .master = "10.0.0.1:8080" };
	struct auth *a = NULL;

	(void)state;
	assert_int_equal(auth_load(&config, &a, NULL), 0);
	assert_string_equal(now(a)->server, "http://10.0.0.1:8080");
	assert_null(now(a)->token);
	auth_free(a);
}

static void a_pod_finds_its_service_account(void **state)
{
	struct auth_config config = { .in_cluster = dir };
	struct auth *a = NULL;

	(void)state;
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	assert_int_equal(auth_load(&config, &a, NULL), 0);
	assert_string_equal(now(a)->server, "https://[fd00::1]:443");
	assert_string_equal(now(a)->token, "secret");
	assert_pem(now(a)->ca, PEM);
	auth_free(a);
}

static void a_pod_without_an_authority_goes_on_with_the_systems(void **state)
{
	struct auth_config config = { .in_cluster = dir };
	struct auth *a = NULL;

	(void)state;
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	unlink(path_of("ca.crt"));
	assert_int_equal(auth_load(&config, &a, NULL), 0);
	assert_pem(now(a)->ca, NULL);
	auth_free(a);
}

static void an_empty_kubeconfig_stands_for_the_pods_environment(void **state)
{
	struct auth_config config = { .kubeconfig = path_of("kubeconfig"), .in_cluster = dir };
	struct auth *a = NULL;

	(void)state;
	put("kubeconfig", "apiVersion: v1\nkind: Config\nclusters: []\n");
	refuse("is empty: no API server is configured");
	setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	assert_int_equal(auth_load(&config, &a, NULL), 0);
	assert_string_equal(now(a)->server, "https://10.96.0.1:443");
	auth_free(a);
}

static void without_any_source_the_error_says_what_to_give(void **state)
{
	struct auth_config config = { 0 };
	struct auth *a = NULL;
	struct err err;

	(void)state;
	assert_int_equal(auth_load(&config, &a, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "--master"));
	assert_non_null(strstr(err.msg, "KUBERNETES_SERVICE_HOST"));
}

/* Refusals */

static void a_missing_kubeconfig_is_an_error(void **state)
{
	struct auth_config config = { .kubeconfig = "/nonexistent/kubeconfig" };
	struct auth *a = NULL;
	struct err err;

	(void)state;
	assert_int_equal(auth_load(&config, &a, &err), -ENOENT);
	assert_string_equal(
		err.msg, "cannot read /nonexistent/kubeconfig: No such file or directory");
}

static void a_broken_kubeconfig_is_named_with_line_and_column(void **state)
{
	struct auth_config config = { .kubeconfig = path_of("kubeconfig") };
	struct auth *a = NULL;
	struct err err;

	(void)state;
	put("kubeconfig", "kind: Config\nclusters: [\n");
	assert_int_equal(auth_load(&config, &a, &err), -EINVAL);
	assert_memory_equal(err.msg, config.kubeconfig, strlen(config.kubeconfig));
	assert_memory_equal(err.msg + strlen(config.kubeconfig), ":3:", 3);
}

static void a_kubeconfig_of_another_kind_is_refused(void **state)
{
	(void)state;
	put("kubeconfig", "kind: Pod\n");
	refuse("kind: must be Config");
	put("kubeconfig", "apiVersion: v2\n");
	refuse("apiVersion: must be v1");
	put("kubeconfig", "[1]\n");
	refuse("is not a kubeconfig");
	put("kubeconfig", "a: b\n---\nc: d\n");
	refuse("holds 2 documents");
}

static void what_the_context_names_must_be_there(void **state)
{
	(void)state;
	put("kubeconfig", "clusters: [{name: a}]\n");
	refuse("current-context: is missing");
	put("kubeconfig", "current-context: x\n");
	refuse("contexts: there is no context named \"x\"");
	put("kubeconfig", "current-context: x\ncontexts: [{name: x}]\n");
	refuse("contexts[0].context: is missing");
	put("kubeconfig", "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n");
	refuse("contexts[0].context.user: is missing");
	put("kubeconfig",
		"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n");
	refuse("clusters: there is no cluster named \"c\"");
	put("kubeconfig",
		"current-context: x\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
		"clusters: [{name: c, cluster: {server: 'https://a'}}]\n");
	refuse("users: there is no user named \"u\"");
}

static void a_bad_server_is_refused_by_its_key(void **state)
{
	(void)state;
	refuse_one("", "", "clusters[1].cluster.server: is missing");
	refuse_one("server: 'ftp://b'", "",
		"clusters[1].cluster.server: is not a URL of http or https");
	refuse_one("server: 'https://b:99999'", "", "clusters[1].cluster.server: is not a URL");
	refuse_one("server: 'https://me:pw@b'", "",
		"clusters[1].cluster.server: must not hold a user or password");
	refuse_one("server: 'https://b/?x=y'", "",
		"clusters[1].cluster.server: must not have a query or fragment");
	refuse_one("server: 17", "", "clusters[1].cluster.server: must be a string");
	refuse_one("server: 'https://b', proxy-url: 'ftp://p'", "",
		"clusters[1].cluster.proxy-url: is not a URL of http, https or socks5");
	refuse_one("server: 'https://b', insecure-skip-tls-verify: true, "
		   "certificate-authority: ca.crt",
		"",
		"clusters[1].cluster.insecure-skip-tls-verify: is true although a "
		"certificate-authority is given");
}

static void plugins_are_refused_with_what_to_do(void **state)
{
	(void)state;
	refuse_one("server: 'https://b'", "exec: {command: aws}",
		"users[1].user.exec: credential plugins are not supported; give");
	refuse_one("server: 'https://b'", "auth-provider: {name: gcp}",
		"users[1].user.auth-provider: credential plugins are not supported; give");
}

static void credentials_that_contradict_are_refused(void **state)
{
	(void)state;
	refuse_one("server: 'https://b'", "client-certificate: client.crt",
		"users[1].user.client-certificate: client-certificate and client-key must be given together");
	refuse_one("server: 'https://b'", "username: a",
		"users[1].user.username: username and password must be given together");
	refuse_one("server: 'https://b'", "username: a, password: b, token: c",
		"users[1].user.username: is given as well as a token");
	refuse_one("server: 'https://b'", "as-groups: [a]", "users[1].user.as: is missing");
	refuse_one("server: 'https://b'", "as: \"a\\nb: c\"",
		"users[1].user.as: holds a control character");
}

static void files_that_are_of_no_use_are_named_with_their_key(void **state)
{
	char message[200];

	(void)state;
	snprintf(message, sizeof(message),
		"clusters[1].cluster.certificate-authority: cannot read %s/no.crt: No such file",
		dir);
	refuse_one("server: 'https://b', certificate-authority: no.crt", "", message);
	snprintf(message, sizeof(message),
		"clusters[1].cluster.certificate-authority: %s/. is not a regular file", dir);
	refuse_one("server: 'https://b', certificate-authority: .", "", message);
	put("client.crt", "-----BEGIN CERTIFICATE-----\nMII");
	snprintf(message, sizeof(message),
		"users[1].user.client-certificate: %s/client.crt holds no PEM block", dir);
	refuse_one("server: 'https://b'", "client-certificate: client.crt, client-key: client.key",
		message);
	put("token", " \n");
	snprintf(message, sizeof(message), "users[1].user.tokenFile: %s/token is empty", dir);
	refuse_one("server: 'https://b'", "tokenFile: token", message);
}

/* As Go's decoder does; the last digit has four unused bits before "==", two before "=". */
static void unused_bits_of_inline_data_are_ignored(void **state)
{
	(void)state;
	refuse_one("server: 'https://b'", "client-key-data: aGVsbG9vb29==, client-key: client.key",
		"users[1].user.client-key-data: is not base64");
	refuse_one("server: 'https://b'",
		"client-certificate-data: aGVsbG9=, client-key: client.key",
		"users[1].user.client-certificate-data: the value holds no PEM block");
	refuse_one("server: 'https://b'",
		"client-certificate-data: aGVsbR==, client-key: client.key",
		"users[1].user.client-certificate-data: the value holds no PEM block");
}

static void broken_inline_data_is_refused(void **state)
{
	static const char *const broken[] = { "LS0", "LS0*", "LS0tLQ===", "=", "L===" };
	char user[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		snprintf(user, sizeof(user), "client-key-data: '%s'", broken[i]);
		refuse_one("server: 'https://b'", user,
			"users[1].user.client-key-data: is not base64");
	}
	refuse_one("server: 'https://b'",
		"client-certificate-data: aGVsbG8=, client-key: client.key",
		"users[1].user.client-certificate-data: the value holds no PEM block");
}

static void assert_hidden(const char *cluster, const char *user, const char *secret)
{
	struct auth_config config = { .kubeconfig = path_of("kubeconfig") };
	struct auth *a = NULL;
	struct err err;

	put_kubeconfig(cluster, user);
	assert_true(auth_load(&config, &a, &err) < 0);
	if (strstr(err.msg, secret))
		fail_msg("%s", err.msg);
}

static void errors_do_not_show_secrets(void **state)
{
	static const char *const users[] = { "token: 271828", "token: \"27 1828\"",
		"username: 'x', password: 271828", "client-key-data: '271828', token: a",
		"token: [271828]", "tokenFile: token" };

	(void)state;
	put("token", "27 1828");
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		assert_hidden("server: 'https://b'", users[i], "1828");
	assert_hidden("server: 'https://b', proxy-url: 'http://u:271828@p:99999'", "", "1828");
	assert_hidden("server: 'https://u:271828@b'", "", "1828");
}

/* Rotation */

static void a_token_file_is_read_again_when_it_is_old(void **state)
{
	struct auth *a = load_one("server: 'https://b'", "tokenFile: token");
	const uint64_t t = 1000000;

	(void)state;
	assert_string_equal(auth_get(a, t)->token, "secret");
	put("token", "next");
	assert_string_equal(auth_get(a, t + AUTH_TOKEN_AGE_MS - 1)->token, "secret");
	assert_string_equal(auth_get(a, t + AUTH_TOKEN_AGE_MS)->token, "next");
	auth_free(a);
}

static void a_token_file_that_cannot_be_read_keeps_the_token(void **state)
{
	struct auth *a = load_one("server: 'https://b'", "tokenFile: token");
	uint64_t t = 1000000;

	(void)state;
	auth_get(a, t);
	unlink(path_of("token"));
	assert_string_equal(auth_get(a, t += AUTH_TOKEN_AGE_MS)->token, "secret");
	put("token", "");
	assert_string_equal(auth_get(a, t += AUTH_TOKEN_AGE_MS)->token, "secret");
	put("token", "two words");
	assert_string_equal(auth_get(a, t += AUTH_TOKEN_AGE_MS)->token, "secret");
	put("token", "next");
	assert_string_equal(auth_get(a, t += AUTH_TOKEN_AGE_MS)->token, "next");
	auth_free(a);
}

static void the_files_token_replaces_the_one_given(void **state)
{
	struct auth *a;

	(void)state;
	unlink(path_of("token"));
	a = load_one("server: 'https://b'", "token: given, tokenFile: token");
	assert_string_equal(auth_get(a, 1000000)->token, "given");
	put("token", "next");
	assert_string_equal(auth_get(a, 1000000 + AUTH_TOKEN_AGE_MS)->token, "next");
	auth_free(a);
}

static void a_refusal_makes_all_files_due(void **state)
{
	struct auth *a = load_one("server: 'https://b', certificate-authority: ca.crt",
		"client-certificate: client.crt, client-key: client.key, tokenFile: token");

	(void)state;
	now(a);
	put("token", "next");
	put("ca.crt", OTHER_PEM);
	assert_string_equal(now(a)->token, "secret");
	auth_rejected(a);
	assert_string_equal(now(a)->token, "next");
	assert_pem(now(a)->ca, OTHER_PEM);
	assert_pem(now(a)->cert, PEM);
	put("token", "third");
	assert_string_equal(now(a)->token, "next");
	auth_free(a);
}

static void certificates_are_read_again_when_they_are_old(void **state)
{
	struct auth *a = load_one("server: 'https://b', certificate-authority: ca.crt",
		"client-certificate: client.crt, client-key: client.key");
	const uint64_t t = 1000000;

	(void)state;
	auth_get(a, t);
	put("client.crt", OTHER_PEM);
	put("client.key", OTHER_PEM);
	put("ca.crt", "-----BEGIN CERTIFICATE-----\nhalf writ");
	assert_pem(auth_get(a, t + AUTH_FILES_AGE_MS - 1)->cert, PEM);
	assert_pem(auth_get(a, t + AUTH_FILES_AGE_MS)->cert, OTHER_PEM);
	assert_pem(auth_get(a, t + AUTH_FILES_AGE_MS)->key, OTHER_PEM);
	assert_pem(auth_get(a, t + AUTH_FILES_AGE_MS)->ca, PEM);
	auth_free(a);
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_current_context_says_which_cluster_and_user),
		TEST(a_kubeconfig_may_be_json),
		TEST(files_are_relative_to_the_kubeconfig),
		TEST(inline_data_wins_over_files),
		TEST(the_other_members_of_a_cluster_are_taken),
		TEST(impersonation_becomes_headers),
		TEST(a_server_without_tls_gets_no_credentials),
		TEST(a_server_without_a_scheme_is_https_where_tls_is_meant),
		TEST(master_replaces_the_server_and_its_name),
		TEST(master_alone_is_a_server_without_credentials),
		TEST(a_pod_finds_its_service_account),
		TEST(a_pod_without_an_authority_goes_on_with_the_systems),
		TEST(an_empty_kubeconfig_stands_for_the_pods_environment),
		TEST(without_any_source_the_error_says_what_to_give),
		TEST(a_missing_kubeconfig_is_an_error),
		TEST(a_broken_kubeconfig_is_named_with_line_and_column),
		TEST(a_kubeconfig_of_another_kind_is_refused),
		TEST(what_the_context_names_must_be_there),
		TEST(a_bad_server_is_refused_by_its_key),
		TEST(plugins_are_refused_with_what_to_do),
		TEST(credentials_that_contradict_are_refused),
		TEST(files_that_are_of_no_use_are_named_with_their_key),
		TEST(unused_bits_of_inline_data_are_ignored),
		TEST(broken_inline_data_is_refused),
		TEST(errors_do_not_show_secrets),
		TEST(a_token_file_is_read_again_when_it_is_old),
		TEST(a_token_file_that_cannot_be_read_keeps_the_token),
		TEST(the_files_token_replaces_the_one_given),
		TEST(a_refusal_makes_all_files_due),
		TEST(certificates_are_read_again_when_they_are_old),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}

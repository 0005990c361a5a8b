// SPDX-License-Identifier: GPL-2.0-or-later
/* TLS, credentials and proxies against the fake API server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "http_fixture.h"

static int start(void **state)
{
	(void)state;
	fake_api_start(&api, true);
	return 0;
}

/* Each test has a client of its own and finds the server as it was at the beginning. */
static int make_caller(void **state)
{
	struct caller *c = new0(struct caller);

	fake_api_write_kubeconfig(&api, "", "");
	caller_init(c, &api);
	*state = c;
	return 0;
}

/* A new client after something has changed. */
static void renew_caller(struct caller *c, const char *cluster, const char *user)
{
	caller_done(c);
	fake_api_write_kubeconfig(&api, cluster, user);
	caller_init(c, &api);
}

/* The server */

static void the_servers_certificate_is_verified(void **state)
{
	struct call c = { 0 };

	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 200);
	call_done(&c);
}

static void the_servers_clock_and_the_time_of_its_certificate_are_told(void **state)
{
	const struct http_request_config config = { .path = "/version", .certificate = true };
	struct call c = { 0 };

	call_begin(&c, *state, &config);
	call_finish(&c);
	assert_int_equal(c.result.status, 200);
	assert_int_equal(c.head.certificate.until - c.head.certificate.from, 2 * 24 * 3600);
	assert_true(c.head.date >= c.head.certificate.from);
	assert_true(c.head.date < c.head.certificate.from + 3600);
	call_done(&c);
}

static void a_certificate_with_a_wrong_name_is_refused(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"set\": {\"tls\": \"wrong-name\"}}");
	call_get(&c, *state, "/version");
	assert_int_equal(c.heads, 0);
	assert_int_equal(c.result.end, HTTP_END_TLS);
	assert_contains(c.message, "127.0.0.1");
	call_done(&c);
}

static void a_certificate_of_another_authority_is_refused(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"set\": {\"tls\": \"other-ca\"}}");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.end, HTTP_END_TLS);
	call_done(&c);
}

static void without_an_authority_the_systems_are_asked(void **state)
{
	struct caller *caller = *state;
	struct call c = { 0 };
	char url[64];

	caller_done(caller);
	caller_init_with(caller, &(struct auth_config){ .master = fake_api_url(&api, url) });
	call_get(&c, caller, "/version");
	assert_int_equal(c.result.end, HTTP_END_TLS);
	call_done(&c);
}

static void an_insecure_client_takes_any_certificate(void **state)
{
	struct call c = { 0 };

	renew_caller(*state, "insecure-skip-tls-verify: true", "");
	fake_api_order(&api, "{\"set\": {\"tls\": \"wrong-name\"}}");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 200);
	call_done(&c);
}

static void another_name_can_be_wanted_in_the_certificate(void **state)
{
	struct call c = { 0 };
	char host[64];

	renew_caller(*state, "tls-server-name: wrong.example", "");
	fake_api_order(&api, "{\"set\": {\"tls\": \"wrong-name\"}}");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 200);
	snprintf(host, sizeof(host), "127.0.0.1:%u", api.port);
	assert_header("host", host);
	call_done(&c);
	fake_api_order(&api, "{\"set\": {\"tls\": \"good\"}}");
	renew_caller(*state, "tls-server-name: wrong.example", "");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.end, HTTP_END_TLS);
	call_done(&c);
}

static void a_client_certificate_is_shown(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"set\": {\"clientCert\": \"client\"}}");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 401);
	call_done(&c);
	renew_caller(*state, "", "client-certificate: client.crt, client-key: client.key");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 200);
	call_done(&c);
}

static void a_new_client_certificate_is_used_after_a_refusal(void **state)
{
	struct call c = { 0 };

	fake_api_copy(&api, "client.crt", "mine.crt");
	fake_api_copy(&api, "client.key", "mine.key");
	renew_caller(*state, "", "client-certificate: mine.crt, client-key: mine.key");
	fake_api_order(&api, "{\"set\": {\"clientCert\": \"client2\"}}");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 401);
	call_done(&c);
	fake_api_copy(&api, "client2.crt", "mine.crt");
	fake_api_copy(&api, "client2.key", "mine.key");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 200);
	call_done(&c);
}

static void a_certificate_without_its_key_is_an_error_until_it_comes(void **state)
{
	struct call c = { 0 };

	fake_api_copy(&api, "client.crt", "mine.crt");
	fake_api_copy(&api, "client2.key", "mine.key");
	renew_caller(*state, "", "client-certificate: mine.crt, client-key: mine.key");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.end, HTTP_END_TLS);
	call_done(&c);
	fake_api_copy(&api, "client.key", "mine.key");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 200);
	call_done(&c);
}

static void a_new_authority_is_used_after_a_refusal(void **state)
{
	struct call c = { 0 };

	fake_api_copy(&api, "ca.crt", "mine.crt");
	renew_caller(*state, "certificate-authority: mine.crt", "");
	fake_api_order(&api, "{\"set\": {\"tls\": \"other-ca\"}}");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.end, HTTP_END_TLS);
	call_done(&c);
	fake_api_copy(&api, "other-ca.crt", "mine.crt");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 200);
	call_done(&c);
}

/* Credentials */

static void a_token_is_sent(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"set\": {\"token\": \"secret-token\"}}");
	renew_caller(*state, "", "token: secret-token");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 200);
	assert_header("authorization", "Bearer secret-token");
	call_done(&c);
}

static void a_401_makes_the_next_request_read_the_token_again(void **state)
{
	struct call c = { 0 };

	fake_api_write(&api, "token", "old\n");
	fake_api_order(&api, "{\"set\": {\"token\": \"old\"}}");
	renew_caller(*state, "", "tokenFile: token");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 200);
	call_done(&c);
	fake_api_write(&api, "token", "new\n");
	fake_api_order(&api, "{\"set\": {\"token\": \"new\"}}");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 401);
	call_done(&c);
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 200);
	call_done(&c);
}

static void a_user_and_password_are_sent(void **state)
{
	struct call c = { 0 };

	fake_api_order(&api, "{\"set\": {\"basic\": \"me:it is secret\"}}");
	renew_caller(*state, "", "username: me, password: it is secret");
	call_get(&c, *state, "/version");
	assert_int_equal(c.result.status, 200);
	call_done(&c);
}

static void impersonation_is_asked_for(void **state)
{
	struct call c = { 0 };

	renew_caller(*state, "", "as: jane, as-groups: [devs], as-user-extra: {scope/a: [x]}");
	call_get(&c, *state, "/version");
	assert_header("impersonate-user", "jane");
	assert_header("impersonate-group", "devs");
	assert_header("impersonate-extra-scope%2fa", "x");
	call_done(&c);
}

static void messages_hold_no_secret(void **state)
{
	static const char *const faults[] = { "\"drop\": true", "\"cut\": 5", "\"silent\": true" };
	struct caller *caller = *state;

	renew_caller(caller, "", "token: sesame");
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct call c = { 0 };

		fake_api_order(&api, "{\"fault\": {%s}}", faults[i]);
		call_begin_get(&c, caller, "/version");
		elapse(caller, HTTP_IDLE_TIMEOUT_MS);
		assert_int_equal(c.ends, 1);
		assert_true(*c.message);
		assert_null(strstr(c.message, "sesame"));
		call_done(&c);
	}
}

static void compression_can_be_turned_off(void **state)
{
	struct call c = { 0 };

	renew_caller(*state, "disable-compression: true", "");
	call_get(&c, *state, "/version");
	assert_header("accept-encoding", NULL);
	call_done(&c);
}

/* Proxies */

static void note_line(struct bufferevent *bev, void *arg)
{
	size_t len = evbuffer_get_length(bufferevent_get_input(bev));
	static const char refusal[] = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";

	buf_add(arg, evbuffer_pullup(bufferevent_get_input(bev), -1), len);
	evbuffer_drain(bufferevent_get_input(bev), len);
	bufferevent_write(bev, refusal, strlen(refusal));
}

static void free_at_end(struct bufferevent *bev, short what, void *arg)
{
	(void)arg;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		bufferevent_free(bev);
}

static void accept_proxied(struct evconnlistener *listener, evutil_socket_t fd,
	struct sockaddr *address, int len, void *arg)
{
	struct bufferevent *bev = bufferevent_socket_new(
		evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);

	(void)address;
	(void)len;
	bufferevent_setcb(bev, note_line, NULL, free_at_end, arg);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

/* A proxy that refuses, and what it was asked for. Returns its port. */
static unsigned make_proxy(struct event_base *base, struct buf *seen, struct evconnlistener **ret)
{
	struct sockaddr_in sin = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(sin);

	*ret = evconnlistener_new_bind(base, accept_proxied, seen,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, -1, (struct sockaddr *)&sin,
		sizeof(sin));
	assert_non_null(*ret);
	getsockname(evconnlistener_get_fd(*ret), (struct sockaddr *)&sin, &len);
	return ntohs(sin.sin_port);
}

static void note_peer(const struct ip *ip, uint16_t port, bool open, void *arg)
{
	(void)ip;
	if (open)
		*(uint16_t *)arg = port;
}

static void a_proxy_is_asked_for_the_server_and_gets_no_credentials(void **state)
{
	struct event_base *base = event_base_new();
	struct evconnlistener *listener;
	struct buf seen = { 0 };
	char cluster[80], connect[80];
	struct call c = { 0 };
	const unsigned port = make_proxy(base, &seen, &listener);
	uint16_t peer = 0;

	snprintf(cluster, sizeof(cluster), "proxy-url: 'http://127.0.0.1:%u'", port);
	renew_caller(*state, cluster, "token: sesame");
	http_client_follow_peers(((struct caller *)*state)->client, note_peer, &peer);
	call_begin_get(&c, *state, "/version");
	while (!c.ends) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		event_base_loop(((struct caller *)*state)->base, EVLOOP_NONBLOCK);
	}
	snprintf(connect, sizeof(connect), "CONNECT 127.0.0.1:%u HTTP/1.1\r\n", api.port);
	assert_memory_equal(buf_str(&seen), connect, strlen(connect));
	assert_null(strstr(buf_str(&seen), "sesame"));
	assert_int_equal(peer, port);
	http_client_follow_peers(((struct caller *)*state)->client, NULL, NULL);
	assert_int_equal(c.heads, 0);
	assert_int_not_equal(c.result.end, HTTP_END_ANSWERED);
	evconnlistener_free(listener);
	event_base_loop(base, EVLOOP_NONBLOCK);
	event_base_free(base);
	buf_done(&seen);
	call_done(&c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_caller, drop_caller)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_servers_certificate_is_verified),
		TEST(the_servers_clock_and_the_time_of_its_certificate_are_told),
		TEST(a_certificate_with_a_wrong_name_is_refused),
		TEST(a_certificate_of_another_authority_is_refused),
		TEST(without_an_authority_the_systems_are_asked),
		TEST(an_insecure_client_takes_any_certificate),
		TEST(another_name_can_be_wanted_in_the_certificate),
		TEST(a_client_certificate_is_shown),
		TEST(a_new_client_certificate_is_used_after_a_refusal),
		TEST(a_certificate_without_its_key_is_an_error_until_it_comes),
		TEST(a_new_authority_is_used_after_a_refusal),
		TEST(a_token_is_sent),
		TEST(a_401_makes_the_next_request_read_the_token_again),
		TEST(a_user_and_password_are_sent),
		TEST(impersonation_is_asked_for),
		TEST(messages_hold_no_secret),
		TEST(compression_can_be_turned_off),
		TEST(a_proxy_is_asked_for_the_server_and_gets_no_credentials),
	};

	return cmocka_run_group_tests(tests, start, stop_server);
}

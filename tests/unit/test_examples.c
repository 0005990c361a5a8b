// SPDX-License-Identifier: GPL-2.0-or-later
/* What examples/ says is taken by the programs as it stands there, and hangs together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/auth.h"
#include "base/mem.h"
#include "config/config.h"
#include "yaml_file.h"

#define EXAMPLES "examples/"
#define SERVICE_ACCOUNT "/var/run/secrets/kubernetes.io/serviceaccount"
#define MOUNT "/etc/ipvsctl-svc/"

enum { MAX_ARGS = 16, OF_DAEMON = OPTIONS_POLICY | OPTIONS_INPUT | OPTIONS_DAEMON };

/* Files of the ConfigMap, a service account's among them, where the test can write them. */
struct bench {
	char dir[64];
	json_t *daemonset, *configmap;
};

static void path_of(const struct bench *b, const char *name, char ret[static 128])
{
	snprintf(ret, 128, "%s/%s", b->dir, name);
}

static void write_file(const struct bench *b, const char *name, const char *text)
{
	char path[128];
	FILE *f;

	path_of(b, name, path);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* With the directory of the test in place of the service account's. */
static void write_moved(const struct bench *b, const char *name, const char *text)
{
	_cleanup_(buf_done) struct buf moved = { 0 };
	const char *hit;

	for (; (hit = strstr(text, SERVICE_ACCOUNT)); text = hit + strlen(SERVICE_ACCOUNT)) {
		buf_add(&moved, text, (size_t)(hit - text));
		buf_adds(&moved, b->dir);
	}
	buf_adds(&moved, text);
	write_file(b, name, buf_str(&moved));
}

static int set_up(void **state)
{
	struct bench *b = new0(struct bench);
	const char *name;
	json_t *text;

	strcpy(b->dir, "/tmp/examples-XXXXXX");
	assert_non_null(mkdtemp(b->dir));
	b->daemonset = yaml_file(EXAMPLES "kubernetes/daemonset.yaml");
	b->configmap = yaml_file(EXAMPLES "kubernetes/configmap.yaml");
	json_object_foreach(at(b->configmap, "0.data"), name, text)
		write_moved(b, name, json_string_value(text));
	write_file(b, "token", "secret");
	write_file(b, "ca.crt", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const files[] = { "config.yaml", "kubeconfig.yaml", "token", "ca.crt" };
	struct bench *b = *state;
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		path_of(b, files[i], path);
		unlink(path);
	}
	rmdir(b->dir);
	json_decref(b->daemonset);
	json_decref(b->configmap);
	free(b);
	return 0;
}

static json_t *pod(const struct bench *b)
{
	return at(b->daemonset, "0.spec.template.spec");
}

/* The daemon takes these arguments, and has nothing to say of them. */
static void parse_args(struct config *c, int argc, char *argv[])
{
	struct err err;
	int rest;

	config_init(c);
	if (config_parse(c, OF_DAEMON, argc, argv, &rest, &err))
		fail_msg("%s", err.msg);
	if (c->warnings.n)
		fail_msg("%s", c->warnings.line[0]);
	assert_int_equal(rest, argc);
}

/* The same with arguments of a container, whose files are ours. */
static void parse_container(const struct bench *b, const char *container, struct config *c)
{
	char *argv[MAX_ARGS] = { (char *)"ipvsctl-svcd" }, config[140] = "--config=";
	json_t *args = at(pod(b), container), *arg;
	int argc = 1;
	size_t i;

	path_of(b, "config.yaml", config + strlen(config));
	json_array_foreach(args, i, arg) {
		const char *text = json_string_value(arg);

		assert_true(argc < MAX_ARGS);
		if (!strcmp(text, "--config=" MOUNT "config.yaml"))
			text = config;
		else if (!strcmp(text, "--hostname-override=$(NODE_NAME)"))
			text = "--hostname-override=node-a";
		argv[argc++] = (char *)text;
	}
	parse_args(c, argc, argv);
}

static void the_containers_arguments_and_configuration_are_taken(void **state)
{
	_cleanup_(config_done) struct config init, daemon;
	struct bench *b = *state;

	parse_container(b, "initContainers.0.args", &init);
	assert_true(init.init_only);
	parse_container(b, "containers.0.args", &daemon);
	assert_false(daemon.init_only);
	assert_string_equal(daemon.kubeconfig, MOUNT "kubeconfig.yaml");
	assert_int_equal(config_input(&daemon), INPUT_API);
	assert_int_equal(daemon.oom_score_adj, -997);
	assert_string_equal(daemon.options.node_name, "node-a");
}

static void the_kubeconfig_loads(void **state)
{
	_cleanup_free_ struct auth *auth = NULL;
	struct bench *b = *state;
	const struct credentials *c;
	struct err err;
	char path[128];

	path_of(b, "kubeconfig.yaml", path);
	if (auth_load(&(struct auth_config){ .kubeconfig = path }, &auth, &err))
		fail_msg("%s", err.msg);
	c = auth_get(auth, 0);
	assert_string_equal(c->token, "secret");
	assert_false(c->insecure);
	assert_non_null(c->ca.data);
	auth_free(take(auth));
}

/* The path where the container has that volume. */
static const char *mount_path(json_t *container, const char *volume)
{
	json_t *mount;
	size_t i;

	json_array_foreach(at(container, "volumeMounts"), i, mount)
		if (!strcmp(text_at(mount, "name"), volume))
			return text_at(mount, "mountPath");
	return "";
}

static bool has_volume(json_t *spec, const char *name)
{
	json_t *volume;
	size_t i;

	json_array_foreach(at(spec, "volumes"), i, volume)
		if (!strcmp(text_at(volume, "name"), name))
			return true;
	return false;
}

static void all_mounts_are_volumes(void **state)
{
	static const char *const containers[] = { "initContainers.0.volumeMounts",
		"containers.0.volumeMounts" };
	struct bench *b = *state;

	for (size_t k = 0; k < ARRAY_SIZE(containers); k++) {
		json_t *mount;
		size_t i;

		json_array_foreach(at(pod(b), containers[k]), i, mount)
			assert_true(has_volume(pod(b), text_at(mount, "name")));
	}
}

static void the_daemons_container_has_what_it_needs_and_no_more(void **state)
{
	struct bench *b = *state;
	json_t *spec = pod(b), *c = at(spec, "containers.0");
	_cleanup_free_ char *caps =
		json_dumps(at(c, "securityContext.capabilities"), JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(caps, "{\"add\":[\"NET_ADMIN\",\"NET_RAW\"],\"drop\":[\"ALL\"]}");
	assert_null(at(c, "securityContext.privileged"));
	assert_true(json_is_false(at(c, "securityContext.allowPrivilegeEscalation")));
	assert_true(json_is_true(at(spec, "hostNetwork")));
	assert_string_equal(text_at(spec, "priorityClassName"), "system-node-critical");
	assert_string_equal(text_at(spec, "tolerations.0.operator"), "Exists");
	assert_string_equal(mount_path(c, "xtables-lock"), "/run/xtables.lock");
	assert_string_equal(mount_path(c, "config"), "/etc/ipvsctl-svc");
	assert_string_equal(mount_path(c, "run"), "/run/ipvsctl-svc");
	assert_true(json_is_true(at(spec, "initContainers.0.securityContext.privileged")));
}

static void probes_ask_where_health_is_served(void **state)
{
	_cleanup_(config_done) struct config c;
	struct bench *b = *state;

	parse_container(b, "containers.0.args", &c);
	assert_int_equal(json_integer_value(at(pod(b), "containers.0.livenessProbe.httpGet.port")),
		c.healthz.port);
	assert_int_equal(json_integer_value(at(pod(b), "containers.0.readinessProbe.httpGet.port")),
		c.healthz.port);
	assert_string_equal(text_at(pod(b), "containers.0.livenessProbe.httpGet.path"), "/livez");
	assert_string_equal(
		text_at(pod(b), "containers.0.readinessProbe.httpGet.path"), "/healthz");
}

static void names_agree(void **state)
{
	struct bench *b = *state;
	json_t *rbac = yaml_file(EXAMPLES "kubernetes/rbac.yaml");

	assert_string_equal(
		text_at(pod(b), "serviceAccountName"), text_at(rbac, "0.metadata.name"));
	assert_string_equal(text_at(b->daemonset, "0.metadata.namespace"),
		text_at(rbac, "0.metadata.namespace"));
	assert_string_equal(
		text_at(rbac, "2.subjects.0.namespace"), text_at(rbac, "0.metadata.namespace"));
	assert_string_equal(text_at(rbac, "2.subjects.0.name"), text_at(rbac, "0.metadata.name"));
	assert_string_equal(text_at(rbac, "2.roleRef.name"), text_at(rbac, "1.metadata.name"));
	assert_string_equal(text_at(pod(b), "volumes.0.configMap.name"),
		text_at(b->configmap, "0.metadata.name"));
	assert_string_equal(text_at(b->configmap, "0.metadata.namespace"),
		text_at(b->daemonset, "0.metadata.namespace"));
	json_decref(rbac);
}

/* A host without Kubernetes */

static void the_hosts_configuration_is_taken(void **state)
{
	char *argv[] = { (char *)"ipvsctl-svcd", (char *)"--config",
		(char *)EXAMPLES "systemd/config.yaml", NULL };
	_cleanup_(config_done) struct config c;

	(void)state;
	parse_args(&c, 3, argv);
	assert_int_equal(config_input(&c), INPUT_MANIFESTS);
}

static char *unit_command(const char *unit, const char *key)
{
	const char *line = strstr(unit, key);

	assert_non_null(line);
	line += strlen(key);
	return mem_strndup(line, strcspn(line, "\n"));
}

static void parse_command(const char *unit, const char *key, struct config *c)
{
	_cleanup_free_ char *line = unit_command(unit, key);
	char *argv[MAX_ARGS], *save = NULL;
	int argc = 0;

	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		assert_true(argc < MAX_ARGS);
		argv[argc++] =
			strcmp(w, MOUNT "config.yaml") ? w : (char *)EXAMPLES "systemd/config.yaml";
	}
	parse_args(c, argc, argv);
}

static void the_units_commands_are_taken(void **state)
{
	_cleanup_(config_done) struct config init, daemon;
	_cleanup_(buf_done) struct buf unit = { 0 };

	(void)state;
	read_text(EXAMPLES "systemd/ipvsctl-svcd.service.in", &unit);
	parse_command(buf_str(&unit), "\nExecStartPre=+@sbindir@/", &init);
	assert_true(init.init_only);
	parse_command(buf_str(&unit), "\nExecStart=@sbindir@/", &daemon);
	assert_false(daemon.init_only);
	assert_non_null(strstr(buf_str(&unit), "\nType=notify\n"));
	assert_non_null(strstr(buf_str(&unit), "\nRestart=always\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
		TEST(the_containers_arguments_and_configuration_are_taken),
		TEST(the_kubeconfig_loads),
		TEST(all_mounts_are_volumes),
		TEST(the_daemons_container_has_what_it_needs_and_no_more),
		TEST(probes_ask_where_health_is_served),
		TEST(names_agree),
		cmocka_unit_test(the_hosts_configuration_is_taken),
		cmocka_unit_test(the_units_commands_are_taken),
	};

	return cmocka_run_group_tests_name("examples", tests, NULL, NULL);
}

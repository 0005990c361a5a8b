// SPDX-License-Identifier: GPL-2.0-or-later
#include "manifest_fixture.h"

#include <jansson.h>
#include <malloc.h>
#include <netinet/in.h>

/* What a load makes of files; test_manifest_watch.c has what happens while running. */

static size_t count_slices(struct fixture *f, const char *ns, const char *name)
{
	const struct slot *slot = store_find(&f->store, ns, name);

	return slot ? slot->n_slices : 0;
}

static void the_sample_manifests_load(void **state)
{
	static const char *const paths[] = { "tests/manifests" };
	static const char *const services[] = { "external-service", "kubia", "kubia-nodeport",
		"kubia-external", "kubia-headless", "my-service", "webapp", "webapp-multi",
		"mynginx", "first-deploy-whoami-svc-1", "first-deploy-whoami-svc-2",
		"first-deploy-whoami-svc-3" };
	struct fixture *f = *state;

	start_with(f, &(struct manifests_config){ 0 }, paths, 1);
	must_load(f);
	assert_problems(f, "");
	assert_int_equal(f->store.n_services, 13);
	for (size_t i = 0; i < ARRAY_SIZE(services); i++) {
		assert_non_null(service(f, services[i]));
		assert_int_equal(count_slices(f, "default", services[i]),
			strcmp(services[i], "kubia-headless") != 0);
	}
	assert_int_equal(
		store_find(&f->store, "prod", "my-service")->service->type, SERVICE_EXTERNAL_NAME);
}

static void only_manifests_of_the_directory_itself_are_read(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	write_file(f, "b.yml", SERVICE("b", "10.0.0.2", "80"));
	write_file(f, "c.json",
		"{\"apiVersion\": \"v1\", \"kind\": \"Service\", \"metadata\": {\"name\": \"c\"},"
		" \"spec\": {\"clusterIP\": \"10.0.0.3\", \"ports\": [{\"port\": 80}]}}");
	write_file(f, ".d.yaml", SERVICE("d", "10.0.0.4", "80"));
	write_file(f, "e.txt", SERVICE("e", "10.0.0.5", "80"));
	write_file(f, "f.yaml~", SERVICE("f", "10.0.0.6", "80"));
	assert_int_equal(mkdir(path(f, "sub.yaml"), 0755), 0);
	write_file(f, "sub.yaml/g.yaml", SERVICE("g", "10.0.0.7", "80"));
	start(f);
	must_load(f);
	assert_problems(f, "");
	assert_dirty(f, "default/a default/b default/c");
}

static void a_file_is_read_whatever_its_name(void **state)
{
	struct fixture *f = *state;
	const char *const paths[] = { path(f, ".services") };

	write_file(f, ".services", SERVICE("a", "10.0.0.1", "80"));
	write_file(f, "b.yaml", SERVICE("b", "10.0.0.2", "80"));
	start_with(f, &(struct manifests_config){ 0 }, paths, 1);
	must_load(f);
	assert_dirty(f, "default/a");
}

static void a_path_may_be_named_twice(void **state)
{
	struct fixture *f = *state;
	const char *const paths[] = { f->dir, path(f, ""), path(f, "a.yaml") };

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	start_with(f, &(struct manifests_config){ 0 }, paths, 3);
	must_load(f);
	assert_problems(f, "");
	assert_dirty(f, "default/a");
}

static void lists_are_taken_apart(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml",
		"apiVersion: v1\n"
		"kind: List\n"
		"items:\n"
		"- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {clusterIP: 10.0.0.1}}\n"
		"- {apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}\n"
		"---\n"
		"apiVersion: v1\n"
		"kind: ServiceList\n"
		"items:\n"
		"- {metadata: {name: b}, spec: {clusterIP: 10.0.0.2}}\n"
		"---\n"
		"{apiVersion: discovery.k8s.io/v1, kind: EndpointSliceList, items: null}\n"
		"---\n"
		"{apiVersion: v1, kind: PodList, items: [{metadata: {name: p}}]}\n");
	start(f);
	must_load(f);
	assert_problems(f, "");
	assert_dirty(f, "default/a default/b");
}

static void objects_of_others_are_passed_over_silently(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml",
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"
		"---\n"
		"apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: web}\n"
		"---\n"
		"apiVersion: example.com/v1\nkind: AllowList\nmetadata: {name: web}\n");
	start(f);
	must_load(f);
	assert_problems(f, "");
	assert_dirty(f, "");
}

static void bad_objects_are_told_with_place_object_field_and_words(void **state)
{
	static const struct {
		const char *text, *problems;
	} cases[] = {
		{ "a: [\n",
			"/a.yaml:2:1: : : did not find expected node content; nothing is taken from it\n" },
		{ "a: 1\na: 2\n",
			"/a.yaml:2:1: : : the key \"a\" occurs twice in one mapping; nothing is taken "
			"from it\n" },
		{ "ok: \xff\n",
			"/a.yaml:1:5: : : invalid leading UTF-8 octet; nothing is taken from it\n" },
		{ "- 1\n",
			"/a.yaml:1:1: : : must be a mapping with apiVersion, kind and metadata; the "
			"object is left out\n" },
		{ "metadata: {name: a}\n",
			"/a.yaml:1:1: : kind: is missing; the object is left out\n" },
		{ "apiVersion: v1\nkind: Service\nmetadata: {name: yes}\n",
			"/a.yaml:3:18: : metadata.name: must be a string, but is the boolean true; put "
			"it in quotes; the object is left out\n" },
		{ "apiVersion: v2\nkind: Service\nmetadata: {name: web}\n",
			"/a.yaml:1:13: : apiVersion: is \"v2\", must be \"v1\"; the object is "
			"left out\n" },
		{ "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
		  "spec: {clusterIP: '{{ .Values.ip }}'}\n",
			"/a.yaml:4:19: Service default/web: spec.clusterIP: is \"{{ .Values.ip }}\", "
			"which is not an IP address, a template that was not rendered; the object is "
			"left out\n" },
		{ "# first\n\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
		  "spec:\n  clusterIP: 10.0.0.1\n  ports:\n  - port: 80\n  - port: '81'\n",
			"/a.yaml:10:11: Service default/web: spec.ports[1].port: must be a number, but is "
			"the string \"81\"; the object is left out\n" },
		{ "---\na: 1\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
		  "spec:\n  ports: [{port: 80, protocol: HTTP}]\n",
			"/a.yaml:2:1: : kind: is missing; the object is left out\n"
			"/a.yaml:8:32: Service default/web: spec.ports[0].protocol: is \"HTTP\", must be "
			"TCP, UDP or SCTP; the object is left out\n" },
		{ "{apiVersion: v1, kind: Service, metadata: {name: web},\n"
		  " spec: {clusterIP: 10.0.0.1, ports: [{port: 0}]}}\n",
			"/a.yaml:2:45: Service default/web: spec.ports[0].port: is 0, must be 1..65535; "
			"the object is left out\n" },
		{ "{apiVersion: v1, kind: Service, metadata: {name: web},\n"
		  " spec: {clusterIP: 10.0.0.1, ports: [{port: 70000}]}}\n",
			"/a.yaml:2:45: Service default/web: spec.ports[0].port: is 70000, must be "
			"1..65535; the object is left out\n" },
		{ "{apiVersion: v1, kind: Service, metadata: {name: web},\n"
		  " spec: {clusterIP: 10.0.0, ports: [{port: 80}]}}\n",
			"/a.yaml:2:20: Service default/web: spec.clusterIP: is \"10.0.0\", which is not "
			"an IP address; the object is left out\n" },
		{ "{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: "
		  "80}]}}\n",
			"/a.yaml:1:62: Service default/web: spec.clusterIP: is missing: only an API "
			"server can allocate one; set it or use --service-cluster-ip-range; the object is "
			"left out\n" },
		{ "{apiVersion: v1, kind: Endpoints, metadata: {name: web},\n"
		  " subsets: [{addresses: [{ip: 10.0.0.1}, {ip: 127.0.0.1}]}]}\n",
			"/a.yaml:2:46: Endpoints default/web: subsets[0].addresses[1].ip: is 127.0.0.1, a "
			"loopback address, which cannot be used here; the object is left out\n" },
		{ "{apiVersion: v1, kind: Endpoints, metadata: {name: web},\n"
		  " subsets: [{addresses: [{ip: 169.254.0.1}]}]}\n",
			"/a.yaml:2:30: Endpoints default/web: subsets[0].addresses[0].ip: is 169.254.0.1, "
			"a link-local address, which cannot be used here; the object is left out\n" },
		{ "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web},\n"
		  " addressType: IPv4}\n",
			"/a.yaml:1:66: EndpointSlice default/web: "
			"metadata.labels[kubernetes.io/service-name]: is missing: it names the Service of "
			"the slice; the object is left out\n" },
		{ "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web},\n"
		  " addressType: FQDN}\n",
			"/a.yaml:2:15: EndpointSlice default/web: addressType: is FQDN: only IP addresses "
			"can be proxied to; the object is left out\n" },
		{ "apiVersion: v1\nkind: List\nitems:\n- 5\n"
		  "- apiVersion: v1\n  kind: Service\n  metadata: {name: web}\n  spec: {type: Web}\n"
		  "- {apiVersion: v1, kind: List, items: []}\n",
			"/a.yaml:4:3: : : must be a mapping with apiVersion, kind and metadata; the "
			"object is left out\n"
			"/a.yaml:8:16: Service default/web: spec.type: is \"Web\", must be ClusterIP, "
			"NodePort, LoadBalancer or ExternalName; the object is left out\n"
			"/a.yaml:9:3: : : is a list inside of a list, which is not read\n" },
		{ "{apiVersion: v1, kind: List, items: {}}\n",
			"/a.yaml:1:37: : items: must be a list; nothing is taken from it\n" },
		{ SERVICE("a", "10.0.0.1", "80") SERVICE("a", "10.0.0.2", "80"),
			"/a.yaml:7:1: Service default/a: : is defined twice in this file; the second "
			"definition is left out\n" },
	};
	struct fixture *f = *state;

	start(f);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		write_file(f, "a.yaml", cases[i].text);
		must_load(f);
		assert_problems(f, cases[i].problems);
		/* each begins with nothing known */
		write_file(f, "a.yaml", "");
		must_load(f);
		assert_problems(f, "");
	}
}

static void names_of_10000_characters_are_refused(void **state)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct fixture *f = *state;

	buf_adds(&text, "apiVersion: v1\nkind: Service\nmetadata: {name: ");
	for (int i = 0; i < 10000; i++)
		buf_addc(&text, 'a');
	buf_adds(&text, "}\n");
	write_file(f, "a.yaml", buf_str(&text));
	start(f);
	must_load(f);
	assert_problems(f,
		"/a.yaml:3:18: : metadata.name: is 10000 characters long, must be at most 253; the "
		"object is left out\n");
}

static void the_rest_of_a_file_is_used(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml",
		SERVICE("a", "10.0.0.1", "80") SERVICE("b", "nowhere", "80")
			SERVICE("c", "10.0.0.3", "80"));
	start(f);
	must_load(f);
	assert_dirty(f, "default/a default/c");
}

static void huge_files_are_not_read(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	assert_int_equal(truncate(path(f, "a.yaml"), 100 << 20), 0);
	start(f);
	must_load(f);
	assert_problems(f, "/a.yaml:0:0: : : is larger than 64 MiB; nothing is taken from it\n");
}

static void what_is_no_regular_file_is_not_waited_for(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkfifo(path(f, "a.yaml"), 0600), 0);
	start(f);
	must_load(f);
	assert_problems(f, "/a.yaml:0:0: : : is not a regular file; nothing is taken from it\n");
}

static void links_that_lead_nowhere_are_no_problem(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(symlink("nowhere", path(f, "a.yaml")), 0);
	assert_int_equal(symlink("b.yaml", path(f, "b.yaml")), 0);
	start(f);
	must_load(f);
	assert_problems(f,
		"/b.yaml:0:0: : : cannot be read: Too many levels of symbolic links; "
		"nothing is taken from it\n");
}

static void paths_that_cannot_be_read_fail_the_load(void **state)
{
	struct fixture *f = *state;
	const char *const paths[] = { path(f, "missing/dir"), path(f, "file/below"), f->dir };
	struct err err = { 0 };
	char words[200];

	write_file(f, "file", "");
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	start_with(f, &(struct manifests_config){ 0 }, paths, 3);
	assert_int_equal(manifests_load(f->m, &err), -ENOENT);
	snprintf(words, sizeof(words), "%s cannot be read: No such file or directory", paths[0]);
	assert_string_equal(err.msg, words);
	assert_problems(f,
		"/file/below:0:0: : : does not exist; nothing is taken from it until it does\n"
		"/missing/dir:0:0: : : does not exist; nothing is taken from it until it does\n");
	/* the others are there nevertheless */
	assert_dirty(f, "default/a");
}

/* Root may read everything, so the test stops being root for a while. */
static int load_as_nobody(struct fixture *f, struct err *err)
{
	bool root = !geteuid();
	int r;

	if (root)
		assert_int_equal(seteuid(65534), 0);
	r = manifests_load(f->m, err);
	if (root)
		assert_int_equal(seteuid(0), 0);
	return r;
}

static void an_unreadable_directory_fails_the_load_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	const char *const paths[] = { path(f, "d") };
	struct err err = { 0 };
	char words[200];

	assert_int_equal(mkdir(path(f, "d"), 0755), 0);
	write_file(f, "d/a.yaml", SERVICE("a", "10.0.0.1", "80"));
	start_with(f, &(struct manifests_config){ 0 }, paths, 1);
	must_load(f);
	assert_dirty(f, "default/a");
	assert_int_equal(chmod(path(f, "d"), 0), 0);
	assert_int_equal(load_as_nobody(f, &err), -EACCES);
	snprintf(words, sizeof(words), "%s cannot be read: Permission denied", paths[0]);
	assert_string_equal(err.msg, words);
	assert_problems(
		f, "/d:0:0: : : cannot be read: Permission denied; what it defined before stays\n");
	assert_dirty(f, "");
	assert_non_null(service(f, "a"));
	assert_int_equal(chmod(path(f, "d"), 0755), 0);
	must_load(f);
	assert_problems(f, "");
}

static void an_unreadable_file_is_a_problem_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	write_file(f, "b.yaml", SERVICE("b", "10.0.0.2", "80"));
	start(f);
	must_load(f);
	assert_dirty(f, "default/a default/b");
	assert_int_equal(chmod(path(f, "a.yaml"), 0), 0);
	assert_int_equal(load_as_nobody(f, &err), 0);
	assert_problems(f,
		"/a.yaml:0:0: : : cannot be read: Permission denied; what it defined "
		"before stays\n");
	assert_dirty(f, "");
	assert_non_null(service(f, "a"));
}

static void loading_again_touches_only_what_changed(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80") SERVICE("b", "10.0.0.2", "80"));
	write_file(f, "c.yaml", SERVICE("c", "10.0.0.3", "80"));
	start(f);
	must_load(f);
	assert_dirty(f, "default/a default/b default/c");
	must_load(f);
	assert_dirty(f, "");
	write_file(f, "a.yaml",
		"# a comment\n" SERVICE("b", "10.0.0.2", "81") SERVICE("a", "10.0.0.1", "80"));
	must_load(f);
	assert_dirty(f, "default/b");
	assert_int_equal(service(f, "b")->ports[0].port, 81);
	assert_int_equal(unlink(path(f, "c.yaml")), 0);
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	must_load(f);
	assert_dirty(f, "default/b default/c");
	assert_null(service(f, "b"));
	assert_null(service(f, "c"));
}

static void an_edit_of_one_object_in_a_thousand_dirties_one_slot(void **state)
{
	struct fixture *f = *state;
	start(f);
	for (int round = 0; round < 2; round++) {
		_cleanup_(buf_done) struct buf text = { 0 };

		for (int i = 0; i < 1000; i++)
			buf_addf(&text,
				"---\napiVersion: v1\nkind: Service\nmetadata: {name: s%d}\n"
				"spec: {clusterIP: 10.0.%d.%d, ports: [{port: %d}]}\n",
				i, i / 250, i % 250 + 1, round && i == 500 ? 81 : 80);
		write_file(f, "a.yaml", buf_str(&text));
		if (round)
			while (store_next_dirty(&f->store))
				;
		must_load(f);
	}
	assert_dirty(f, "default/s500");
}

static void a_broken_file_changes_nothing_that_was_good(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	start(f);
	must_load(f);
	assert_dirty(f, "default/a");
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "81") "---\nbroken: [\n");
	must_load(f);
	assert_dirty(f, "");
	assert_problems(f,
		"/a.yaml:8:1: : : did not find expected node content; what it defined before stays\n");
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "81"));
	must_load(f);
	assert_dirty(f, "default/a");
	assert_problems(f, "");
}

/* What jansson has allocated now, and the most that it ever had. */
static size_t trees, most_trees;

static void *allocate_tree(size_t size)
{
	void *p = malloc(size);

	trees += malloc_usable_size(p);
	most_trees = trees > most_trees ? trees : most_trees;
	return p;
}

static void free_tree(void *p)
{
	trees -= malloc_usable_size(p);
	free(p);
}

static void of_a_large_file_only_one_document_is_in_memory(void **state)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct fixture *f = *state;

	buf_adds(&text, SERVICE("a", "10.0.0.1", "80"));
	while (text.len < 2 << 20)
		buf_adds(&text, "---\napiVersion: apps/v1\nkind: Deployment\nspec: [a, b, c]\n");
	buf_adds(&text, "---\n" SERVICE("b", "10.0.0.2", "80"));
	write_file(f, "a.yaml", buf_str(&text));
	start(f);
	trees = most_trees = 0;
	json_set_alloc_funcs(allocate_tree, free_tree);
	must_load(f);
	json_set_alloc_funcs(malloc, free);
	assert_dirty(f, "default/a default/b");
	assert_in_range(most_trees, 1, 10000);

	/* All or nothing, as with a small one. */
	text.len -= strlen(SERVICE("b", "10.0.0.2", "80"));
	buf_adds(&text, "a: [\n");
	write_file(f, "a.yaml", buf_str(&text));
	must_load(f);
	assert_dirty(f, "");
	assert_non_null(service(f, "b"));
}

static void an_invalid_object_leaves_its_valid_version_in_place(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80") SERVICE("b", "10.0.0.2", "80"));
	start(f);
	must_load(f);
	assert_dirty(f, "default/a default/b");
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "99999") SERVICE("b", "10.0.0.2", "81"));
	must_load(f);
	assert_dirty(f, "default/b");
	assert_int_equal(service(f, "a")->ports[0].port, 80);
	assert_problems(f,
		"/a.yaml:5:44: Service default/a: spec.ports[0].port: is 99999, must be "
		"1..65535; the version read before stays\n");
	/* The same object without the fault is what is there already. */
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80") SERVICE("b", "10.0.0.2", "81"));
	must_load(f);
	assert_dirty(f, "");
	assert_problems(f, "");
}

/* Its name is not known, so it may be a version of any object of the file. */
static void an_object_without_a_name_deletes_none(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80") SERVICE("b", "10.0.0.2", "80"));
	start(f);
	must_load(f);
	assert_dirty(f, "default/a default/b");
	write_file(f, "a.yaml", SERVICE("yes", "10.0.0.1", "80") SERVICE("b", "10.0.0.2", "81"));
	must_load(f);
	assert_dirty(f, "default/b");
	assert_problems(f,
		"/a.yaml:4:18: : metadata.name: must be a string, but is the boolean true; put it "
		"in quotes; the object is left out, and what the file defined before stays\n");
	write_file(f, "a.yaml", SERVICE("b", "10.0.0.2", "81"));
	must_load(f);
	assert_dirty(f, "default/a");
	assert_null(service(f, "a"));
}

static void of_two_files_the_first_by_path_counts(void **state)
{
	struct fixture *f = *state;
	_cleanup_(buf_done) struct buf wanted = { 0 };

	write_file(f, "b.yaml", SERVICE("a", "10.0.0.2", "80"));
	start(f);
	must_load(f);
	assert_dirty(f, "default/a");
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	must_load(f);
	assert_dirty(f, "default/a");
	assert_int_equal(service(f, "a")->cluster_ips[0].bytes[3], 1);
	buf_addf(&wanted,
		"/b.yaml:2:0: Service default/a: : is defined in %s/a.yaml too, which comes first "
		"and counts; this definition is left out\n",
		f->dir);
	assert_problems(f, buf_str(&wanted));
	/* The loser may change, nobody sees it; */
	write_file(f, "b.yaml", SERVICE("a", "10.0.0.3", "80"));
	must_load(f);
	assert_dirty(f, "");
	/* when the winner goes, it is promoted as it is now; */
	assert_int_equal(unlink(path(f, "a.yaml")), 0);
	must_load(f);
	assert_dirty(f, "default/a");
	assert_int_equal(service(f, "a")->cluster_ips[0].bytes[3], 3);
	assert_problems(f, "");
	/* and the winner's return outranks it again, and so on. */
	write_file(f, "a.yaml", SERVICE("a", "10.0.0.1", "80"));
	must_load(f);
	assert_int_equal(service(f, "a")->cluster_ips[0].bytes[3], 1);
	assert_int_equal(unlink(path(f, "a.yaml")), 0);
	must_load(f);
	assert_int_equal(service(f, "a")->cluster_ips[0].bytes[3], 3);
}

static void the_same_content_in_another_file_is_no_change(void **state)
{
	struct fixture *f = *state;

	write_file(f, "b.yaml", SERVICE("a", "10.0.0.1", "80"));
	start(f);
	must_load(f);
	assert_dirty(f, "default/a");
	assert_int_equal(rename(path(f, "b.yaml"), path(f, "a.yaml")), 0);
	must_load(f);
	assert_dirty(f, "");
}

static void node_ports_that_are_missing_leave_the_cluster_ip(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml",
		"apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"
		"spec:\n  type: NodePort\n  clusterIP: 10.0.0.1\n  ports:\n"
		"  - {name: p, port: 80, nodePort: 30080}\n  - {name: q, port: 81}\n"
		"---\n"
		"{apiVersion: v1, kind: Service, metadata: {name: b},\n"
		" spec: {type: LoadBalancer, clusterIP: 10.0.0.2, ports: [{port: 80}],\n"
		" allocateLoadBalancerNodePorts: false}}\n");
	start(f);
	must_load(f);
	assert_problems(f,
		"/a.yaml:9:5: Service default/a: spec.ports[1].nodePort: is missing: only an API "
		"server can allocate one; the port is served at the other addresses only\n");
	assert_dirty(f, "default/a default/b");
	assert_int_equal(service(f, "a")->n_ports, 2);
}

static void problems_are_announced_once(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml", SERVICE("a", "x", "80") SERVICE("b", "y", "80"));
	start(f);
	must_load(f);
	assert_int_equal(f->announced, 2);
	must_load(f);
	assert_int_equal(f->announced, 2);
	/* The same problems, three lines further down */
	write_file(f, "a.yaml", "\n\n\n" SERVICE("a", "x", "80") SERVICE("b", "y", "80"));
	must_load(f);
	assert_int_equal(f->announced, 2);
	write_file(f, "a.yaml", SERVICE("a", "x", "80") SERVICE("b", "z", "80"));
	must_load(f);
	assert_int_equal(f->announced, 3);
	/* One that went is a new one when it comes back. */
	write_file(f, "a.yaml", SERVICE("b", "z", "80"));
	must_load(f);
	write_file(f, "a.yaml", SERVICE("a", "x", "80") SERVICE("b", "z", "80"));
	must_load(f);
	assert_int_equal(f->announced, 4);
}

static void of_many_problems_the_rest_is_counted(void **state)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	const struct manifest_problem *const *problems;
	struct fixture *f = *state;

	for (int i = 0; i < 150; i++)
		buf_addf(&text, "---\nkind: Service\nnumber: %d\n", i);
	write_file(f, "a.yaml", buf_str(&text));
	start(f);
	must_load(f);
	assert_int_equal(manifests_problems(f->m, &problems), MANIFEST_MAX_PROBLEMS + 1);
	assert_string_equal(problems[0]->message, "has 50 more problems, which are not listed");
}

static void more_files_than_the_limit_are_a_problem(void **state)
{
	struct fixture *f = *state;
	const struct manifest_problem *const *problems;

	for (int i = 0; i < MANIFEST_MAX_FILES + 5; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%05d.yaml", i);
		write_file(f, name, "");
	}
	start(f);
	must_load(f);
	assert_int_equal(manifests_problems(f->m, &problems), 1);
	assert_string_equal(
		problems[0]->message, "there are more than 10000 manifests; some are not read");
}

/* Addresses from a range */

#define BARE(name)                                                                        \
	"---\n{apiVersion: v1, kind: Service, metadata: {name: " name "}, spec: {ports: " \
	"[{port: 80}]}}\n"

static struct manifests_config ranges(const char *v4, const char *v6)
{
	struct manifests_config config = { 0 };

	if (v4)
		assert_int_equal(cidr_parse(v4, &config.service_range[0]), 0);
	if (v6)
		assert_int_equal(cidr_parse(v6, &config.service_range[1]), 0);
	return config;
}

static void start_with_ranges(struct fixture *f, const char *v4, const char *v6)
{
	const struct manifests_config config = ranges(v4, v6);
	const char *const paths[] = { f->dir };

	start_with(f, &config, paths, 1);
}

static void restart_with_ranges(struct fixture *f, const char *v4, const char *v6)
{
	manifests_free(f->m);
	store_done(&f->store);
	store_init(&f->store);
	start_with_ranges(f, v4, v6);
	must_load(f);
}

static void missing_cluster_ips_come_from_the_range(void **state)
{
	struct fixture *f = *state;
	struct ip before[3];
	struct cidr range;

	write_file(f, "a.yaml", BARE("a") BARE("b"));
	write_file(f, "c.yaml",
		BARE("c") "---\n{apiVersion: v1, kind: Service, metadata: {name: d},"
			  " spec: {clusterIP: None}}\n"
			  "---\n{apiVersion: v1, kind: Service, metadata: {name: e},"
			  " spec: {type: ExternalName}}\n");
	start_with_ranges(f, "10.96.0.0/16", NULL);
	must_load(f);
	assert_problems(f, "");
	cidr_parse("10.96.0.0/16", &range);
	for (int i = 0; i < 3; i++) {
		const char name[] = { (char)('a' + i), '\0' };

		assert_int_equal(service(f, name)->n_cluster_ips, 1);
		before[i] = service(f, name)->cluster_ips[0];
		assert_true(cidr_contains(&range, &before[i]));
	}
	assert_false(ip_eq(&before[0], &before[1]) || ip_eq(&before[0], &before[2]) ||
		ip_eq(&before[1], &before[2]));
	assert_int_equal(service(f, "d")->n_cluster_ips, 0);
	assert_int_equal(service(f, "e")->n_cluster_ips, 0);
	/* The same names in other files, in another order, after a restart */
	write_file(f, "a.yaml", BARE("c"));
	write_file(f, "c.yaml", BARE("b") BARE("a"));
	restart_with_ranges(f, "10.96.0.0/16", NULL);
	for (int i = 0; i < 3; i++) {
		const char name[] = { (char)('a' + i), '\0' };

		assert_true(ip_eq(&service(f, name)->cluster_ips[0], &before[i]));
	}
}

static unsigned last_byte(struct fixture *f, const char *name)
{
	return service(f, name)->cluster_ips[0].bytes[3];
}

static void all_addresses_of_a_range_are_used_but_the_first_and_the_last(void **state)
{
	struct fixture *f = *state;
	unsigned seen = 0;

	write_file(f, "a.yaml",
		BARE("a") BARE("b") BARE("c") BARE("d") BARE("e") SERVICE("own", "10.0.0.3", "80"));
	start_with_ranges(f, "10.0.0.0/29", NULL);
	must_load(f);
	assert_problems(f, "");
	for (int i = 0; i < 5; i++)
		seen |= 1u << last_byte(f, (const char[]){ (char)('a' + i), '\0' });
	assert_int_equal(seen, 1 << 1 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 6);
}

static void who_gets_no_address_gets_it_when_one_is_free(void **state)
{
	struct fixture *f = *state;
	unsigned a, b;

	write_file(f, "a.yaml", BARE("a") BARE("b") BARE("c"));
	start_with_ranges(f, "10.0.0.0/30", NULL);
	must_load(f);
	assert_problems(f,
		"/a.yaml:6:0: Service default/c: spec.clusterIP: is missing, and no "
		"address is left in 10.0.0.0/30; the Service is left out\n");
	a = last_byte(f, "a");
	b = last_byte(f, "b");
	assert_null(service(f, "c"));
	write_file(f, "a.yaml", BARE("b") BARE("c"));
	must_load(f);
	assert_problems(f, "");
	assert_int_equal(last_byte(f, "b"), b);
	assert_int_equal(last_byte(f, "c"), a);
}

static void addresses_never_move_while_running(void **state)
{
	struct fixture *f = *state;
	_cleanup_(buf_done) struct buf text = { 0 };
	unsigned before;

	write_file(f, "m.yaml", BARE("m"));
	start_with_ranges(f, "10.0.0.0/28", NULL);
	must_load(f);
	before = last_byte(f, "m");
	/* Names before and behind it, until the range is full; and it changes itself. */
	for (int i = 0; i < 6; i++)
		buf_addf(&text, BARE("a%d") BARE("z%d"), i, i);
	write_file(f, "a.yaml", buf_str(&text));
	write_file(f, "m.yaml",
		"{apiVersion: v1, kind: Service, metadata: {name: m}, spec: {ports: [{port: 81}]}}");
	must_load(f);
	assert_problems(f, "");
	assert_int_equal(service(f, "m")->ports[0].port, 81);
	assert_int_equal(last_byte(f, "m"), before);
}

static void dual_stack_services_get_both_families_in_their_order(void **state)
{
	static const struct {
		const char *spec;
		int families[2];
	} cases[] = {
		{ "", { AF_INET, 0 } },
		{ "ipFamilies: [IPv6]", { AF_INET6, 0 } },
		{ "ipFamilies: [IPv6, IPv4]", { AF_INET6, AF_INET } },
		{ "ipFamilyPolicy: SingleStack", { AF_INET, 0 } },
		{ "ipFamilyPolicy: PreferDualStack", { AF_INET, AF_INET6 } },
		{ "ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv6]", { AF_INET6, AF_INET } },
		{ "ipFamilyPolicy: PreferDualStack, clusterIP: 'fd01::1'", { AF_INET6, AF_INET } },
		{ "clusterIP: 'fd01::1'", { AF_INET6, 0 } },
	};
	struct fixture *f = *state;

	start_with_ranges(f, "10.0.0.0/8", "fd00::/64");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf text = { 0 };
		size_t n = cases[i].families[1] ? 2 : 1;
		const struct service *s;

		buf_addf(&text, "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {%s}}",
			cases[i].spec);
		write_file(f, "a.yaml", buf_str(&text));
		must_load(f);
		assert_problems(f, "");
		s = service(f, "a");
		assert_int_equal(s->n_cluster_ips, n);
		for (size_t k = 0; k < n; k++)
			assert_int_equal(s->cluster_ips[k].family, cases[i].families[k]);
	}
}

static void a_range_of_the_other_family_does_not_help(void **state)
{
	struct fixture *f = *state;

	write_file(f, "a.yaml",
		"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ipFamilies: [IPv6]}}\n");
	start_with_ranges(f, "10.0.0.0/8", NULL);
	must_load(f);
	assert_problems(f,
		"/a.yaml:1:60: Service default/a: spec.clusterIP: is missing: only an API server can "
		"allocate one; set it or use --service-cluster-ip-range; the object is left out\n");
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(the_sample_manifests_load),
		test(only_manifests_of_the_directory_itself_are_read),
		test(a_file_is_read_whatever_its_name),
		test(a_path_may_be_named_twice),
		test(lists_are_taken_apart),
		test(objects_of_others_are_passed_over_silently),
		test(bad_objects_are_told_with_place_object_field_and_words),
		test(names_of_10000_characters_are_refused),
		test(the_rest_of_a_file_is_used),
		test(huge_files_are_not_read),
		test(what_is_no_regular_file_is_not_waited_for),
		test(links_that_lead_nowhere_are_no_problem),
		test(paths_that_cannot_be_read_fail_the_load),
		test(an_unreadable_directory_fails_the_load_and_changes_nothing),
		test(an_unreadable_file_is_a_problem_and_changes_nothing),
		test(loading_again_touches_only_what_changed),
		test(an_edit_of_one_object_in_a_thousand_dirties_one_slot),
		test(a_broken_file_changes_nothing_that_was_good),
		test(of_a_large_file_only_one_document_is_in_memory),
		test(an_invalid_object_leaves_its_valid_version_in_place),
		test(an_object_without_a_name_deletes_none),
		test(of_two_files_the_first_by_path_counts),
		test(the_same_content_in_another_file_is_no_change),
		test(node_ports_that_are_missing_leave_the_cluster_ip),
		test(problems_are_announced_once),
		test(of_many_problems_the_rest_is_counted),
		test(more_files_than_the_limit_are_a_problem),
		test(missing_cluster_ips_come_from_the_range),
		test(all_addresses_of_a_range_are_used_but_the_first_and_the_last),
		test(who_gets_no_address_gets_it_when_one_is_free),
		test(addresses_never_move_while_running),
		test(dual_stack_services_get_both_families_in_their_order),
		test(a_range_of_the_other_family_does_not_help),
	};

	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs those above */
#include <cmocka.h>

#include <string.h>

#include "../../src/core/model_pack.h"
#include "same_object.h"

static const char service[] =
	"{\"kind\":\"Service\",\"apiVersion\":\"v1\",\"metadata\":{\"namespace\":\"shop\","
	"\"name\":\"web\",\"uid\":\"u\",\"resourceVersion\":\"7\",\"annotations\":{"
	"\"ipvsctl.io/scheduler\":\"wrr\",\"ipvsctl.io/drain-timeout\":\"5s\"}},"
	"\"spec\":{\"type\":\"LoadBalancer\",\"clusterIP\":\"10.96.0.1\",\"ports\":["
	"{\"name\":\"http\",\"port\":80},{\"name\":\"dns\",\"port\":53,\"protocol\":\"UDP\"}],"
	"\"externalIPs\":[\"50.0.0.1\",\"50.0.0.2\",\"50.0.0.3\"],"
	"\"loadBalancerSourceRanges\":[\"10.0.0.0/8\"]},"
	"\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"60.0.0.1\"}]}}}";

static const char slice[] =
	"{\"kind\":\"EndpointSlice\",\"apiVersion\":\"discovery.k8s.io/v1\",\"metadata\":{"
	"\"namespace\":\"shop\",\"name\":\"web-1\",\"labels\":{"
	"\"kubernetes.io/service-name\":\"web\"}},\"addressType\":\"IPv4\",\"ports\":["
	"{\"name\":\"http\",\"port\":80},{\"name\":\"\",\"port\":81}],\"endpoints\":["
	"{\"addresses\":[\"10.1.0.1\"],\"nodeName\":\"a\",\"hints\":{\"forZones\":["
	"{\"name\":\"x\"},{\"name\":\"y\"}],\"forNodes\":[{\"name\":\"a\"}]}},"
	"{\"addresses\":[\"10.1.0.2\"],\"nodeName\":\"a\"},{\"addresses\":[\"10.1.0.3\"]},"
	"{\"addresses\":[\"10.1.0.4\"],\"nodeName\":\"a\"}]}";

static const char endpoints[] =
	"{\"kind\":\"Endpoints\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"web\"},"
	"\"subsets\":[{\"addresses\":[{\"ip\":\"10.1.0.1\"}],\"ports\":["
	"{\"name\":\"odd\",\"port\":80}]},{\"addresses\":[{\"ip\":\"10.1.0.2\",\"nodeName\":\"a\"}],"
	"\"notReadyAddresses\":[{\"ip\":\"10.1.0.3\"}],\"ports\":["
	"{\"name\":\"longer\",\"port\":81}]},{}]}";

static struct object decode_json(const char *text)
{
	json_t *root = json_loads(text, 0, NULL);
	struct decode_error err = { 0 };
	struct object o;
	int e = decode_object(root, &o, &err);

	assert_string_equal(err.message, "");
	assert_int_equal(e, 0);
	json_decref(root);
	return o;
}

/* One piece, and none of it unused. */
static void assert_full(const struct arena *a)
{
	assert_int_equal(a->used, a->size);
}

static void a_packed_service_is_equal(void **state)
{
	struct object before = decode_json(service), packed = decode_json(service);

	(void)state;
	packed.service = service_pack(packed.service);
	assert_same_object(&before, &packed);
	assert_full(&packed.service->arena);
	object_done(&before);
	object_done(&packed);
}

static void packed_slices_are_equal(void **state)
{
	static const char *const texts[] = { slice, endpoints };
	struct place_pool places = { 0 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct object before = decode_json(texts[i]), packed = decode_json(texts[i]);

		packed.slice = slice_pack(packed.slice, &places);
		assert_same_object(&before, &packed);
		assert_full(&packed.slice->arena);
		object_done(&before);
		slice_packed_free(packed.slice, &places);
	}
	place_pool_done(&places);
}

static void endpoints_share_places_until_the_last_one_goes(void **state)
{
	struct object a = decode_json(slice), b = decode_json(slice);
	struct place_pool places = { 0 };
	const struct endpoint *ep, *of_b;

	(void)state;
	a.slice = slice_pack(a.slice, &places);
	b.slice = slice_pack(b.slice, &places);
	ep = a.slice->subsets[0].endpoints;
	of_b = b.slice->subsets[0].endpoints;
	assert_int_equal(places.places.count, 3);
	assert_ptr_equal(ep[1].place, ep[3].place);
	assert_ptr_equal(ep[0].place, of_b[0].place);
	assert_ptr_not_equal(ep[0].place, ep[1].place);
	slice_packed_free(a.slice, &places);
	assert_string_equal(of_b[0].place->zone_hints[1], "y");
	slice_packed_free(b.slice, &places);
	assert_int_equal(places.places.count, 0);
	place_pool_done(&places);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packed_service_is_equal),
		cmocka_unit_test(packed_slices_are_equal),
		cmocka_unit_test(endpoints_share_places_until_the_last_one_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

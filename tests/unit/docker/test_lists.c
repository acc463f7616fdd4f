/* What the Engine lists, as it is and as it should never be. */
#include "docker/docker.h"

#include "base/clock.h"
#include "tests/unit/docker/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CONTAINERS "GET /v1.41/containers/json"
#define IMAGES "GET /v1.41/images/json"
#define VOLUMES "GET /v1.41/volumes"
#define NETWORKS "GET /v1.41/networks"

struct fixture {
	struct engine *engine;
	struct docker *docker;
	struct arena arena;
	struct error err;
};

static int
set_up(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	f->engine = engine_start();
	*state = f;
	return docker_open(engine_path(f->engine), &f->docker, &f->err);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	docker_close(f->docker);
	engine_stop(f->engine);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

#define OK(call) assert_int_equal(call, 0)

static struct docker_image *
list_images(struct fixture *f, const char *answer, size_t expected)
{
	struct docker_image *images;
	size_t count;

	engine_answers_json(f->engine, IMAGES, "200 OK", answer);
	OK(docker_image_list(f->docker, &f->arena, &images, &count, &f->err));
	assert_int_equal(count, expected);
	return images;
}

static struct docker_volume *
list_volumes(struct fixture *f, const char *answer, size_t expected)
{
	struct docker_volume *volumes;
	size_t count;

	engine_answers_json(f->engine, VOLUMES, "200 OK", answer);
	OK(docker_volume_list(f->docker, &f->arena, &volumes, &count, &f->err));
	assert_int_equal(count, expected);
	return volumes;
}

static struct docker_network *
list_networks(struct fixture *f, const char *answer, size_t expected)
{
	struct docker_network *networks;
	size_t count;

	engine_answers_json(f->engine, NETWORKS, "200 OK", answer);
	OK(docker_network_list(
	    f->docker, NULL, &f->arena, &networks, &count, &f->err));
	assert_int_equal(count, expected);
	return networks;
}

static struct docker_container *
list_containers(struct fixture *f, const char *answer, size_t expected)
{
	struct docker_container *containers;
	size_t count;

	engine_answers_json(f->engine, CONTAINERS, "200 OK", answer);
	OK(docker_container_list(
	    f->docker, NULL, &f->arena, &containers, &count, &f->err));
	assert_int_equal(count, expected);
	return containers;
}

static void
images_have_their_names_and_no_others(void **state)
{
	struct docker_image *images = list_images(*state,
	    "[{\"Id\":\"sha256:aa\",\"RepoTags\":[\"a:1\",\"b/c:2\"],"
	    "\"RepoDigests\":[\"a@sha256:bb\"],\"Size\":77,\"Created\":1700,"
	    "\"Labels\":{\"k\":\"v\"}},"
	    "{\"Id\":\"sha256:cc\",\"RepoTags\":[\"<none>:<none>\"],"
	    "\"RepoDigests\":[\"<none>@<none>\"],\"Labels\":null}]",
	    2);

	assert_string_equal(images[0].id, "sha256:aa");
	assert_int_equal(images[0].tag_count, 2);
	assert_string_equal(images[0].tags[1], "b/c:2");
	assert_int_equal(images[0].digest_count, 1);
	assert_string_equal(images[0].digests[0], "a@sha256:bb");
	assert_int_equal(images[0].size_bytes, 77);
	assert_int_equal(images[0].created_at, 1700);
	assert_string_equal(json_text(images[0].labels, "k"), "v");
	assert_int_equal(images[1].tag_count, 0);
	assert_int_equal(images[1].digest_count, 0);
	assert_int_equal(json_object_object_length(images[1].labels), 0);
}

static void
volumes_have_their_time_and_options(void **state)
{
	struct docker_volume *volumes = list_volumes(*state,
	    "{\"Volumes\":[{\"Name\":\"data\",\"Driver\":\"local\","
	    "\"Mountpoint\":\"/var/lib/x\",\"Scope\":\"local\","
	    "\"CreatedAt\":\"2023-11-14T23:13:20+01:00\","
	    "\"Labels\":{\"k\":\"v\"},\"Options\":{\"type\":\"nfs\"}},"
	    "{\"Name\":\"old\",\"Labels\":null,\"Options\":null,"
	    "\"CreatedAt\":\"0001-01-01T00:00:00Z\"}],\"Warnings\":null}",
	    2);

	assert_string_equal(volumes[0].name, "data");
	assert_string_equal(volumes[0].driver, "local");
	assert_string_equal(volumes[0].mountpoint, "/var/lib/x");
	assert_string_equal(volumes[0].scope, "local");
	assert_int_equal(volumes[0].created_at, 1700000000);
	assert_string_equal(json_text(volumes[0].labels, "k"), "v");
	assert_string_equal(json_text(volumes[0].options, "type"), "nfs");
	assert_int_equal(volumes[1].created_at, 0);
	assert_int_equal(json_object_object_length(volumes[1].options), 0);
}

static void
without_volumes_there_is_none(void **state)
{
	list_volumes(*state, "{\"Volumes\":null,\"Warnings\":null}", 0);
	list_volumes(*state, "{\"Volumes\":[]}", 0);
	list_volumes(*state, "{}", 0);
}

static void
networks_have_their_first_address(void **state)
{
	struct docker_network *networks = list_networks(*state,
	    "[{\"Id\":\"n1\",\"Name\":\"blog\",\"Driver\":\"bridge\","
	    "\"Scope\":\"local\",\"Internal\":true,\"Attachable\":true,"
	    "\"EnableIPv6\":true,\"Created\":\"2023-11-14T22:13:20.5Z\","
	    "\"IPAM\":{\"Config\":[{\"Subnet\":\"10.1.0.0/16\","
	    "\"Gateway\":\"10.1.0.1\"},{\"Subnet\":\"fd00::/64\"}]},"
	    "\"Options\":{\"o\":\"1\"},\"Labels\":{\"k\":\"v\"}},"
	    "{\"Id\":\"n2\",\"Name\":\"none\",\"IPAM\":{\"Config\":null}}]",
	    2);

	assert_true(networks[0].internal);
	assert_true(networks[0].attachable);
	assert_true(networks[0].ipv6);
	assert_string_equal(networks[0].scope, "local");
	assert_string_equal(networks[0].subnet, "10.1.0.0/16");
	assert_string_equal(networks[0].gateway, "10.1.0.1");
	assert_int_equal(networks[0].created_at, 1700000000);
	assert_string_equal(json_text(networks[0].options, "o"), "1");
	assert_string_equal(json_text(networks[0].labels, "k"), "v");
	assert_false(networks[1].internal);
	assert_string_equal(networks[1].subnet, "");
	assert_string_equal(networks[1].gateway, "");
}

static void
containers_have_their_mounts_and_addresses(void **state)
{
	struct docker_container *rows = list_containers(*state,
	    "[{\"Id\":\"c1\",\"Mounts\":[{\"Type\":\"volume\",\"Name\":"
	    "\"data\","
	    "\"Source\":\"/var/x\",\"Destination\":\"/data\",\"RW\":true},"
	    "{\"Type\":\"bind\",\"Source\":\"/etc\",\"Destination\":\"/e\","
	    "\"RW\":false}],\"NetworkSettings\":{\"Networks\":{\"blog\":{"
	    "\"NetworkID\":\"n1\",\"EndpointID\":\"e1\",\"IPAddress\":"
	    "\"10.1.0.2\",\"IPPrefixLen\":16,\"MacAddress\":\"02:42\"},"
	    "\"idle\":{\"NetworkID\":\"n2\",\"EndpointID\":\"\","
	    "\"IPAddress\":\"\",\"IPPrefixLen\":0}}}}]",
	    1);

	assert_int_equal(rows[0].mount_count, 2);
	assert_string_equal(rows[0].mounts[0].type, "volume");
	assert_string_equal(rows[0].mounts[0].name, "data");
	assert_string_equal(rows[0].mounts[0].source, "/var/x");
	assert_string_equal(rows[0].mounts[0].destination, "/data");
	assert_true(rows[0].mounts[0].writable);
	assert_string_equal(rows[0].mounts[1].name, "");
	assert_false(rows[0].mounts[1].writable);
	assert_int_equal(rows[0].network_count, 2);
	assert_string_equal(rows[0].networks[0].network_id, "n1");
	assert_int_equal(rows[0].networks[0].prefix_length, 16);
	assert_string_equal(rows[0].networks[0].mac_address, "02:42");
	assert_true(rows[0].networks[0].attached);
	assert_false(rows[0].networks[1].attached);
}

/* A row without what names it is none. */
static void
rows_of_the_wrong_kind_are_skipped(void **state)
{
	struct docker_image *images = list_images(*state,
	    "[null,1,\"x\",[],{},{\"Id\":null},{\"Id\":3},{\"Id\":\"\"},"
	    "{\"Id\":\"sha256:aa\",\"RepoTags\":[1,null,\"\",{},\"a:1\"],"
	    "\"RepoDigests\":\"x\",\"Size\":-1,\"Created\":\"y\","
	    "\"Labels\":[]}]",
	    1);
	struct docker_volume *volumes = list_volumes(*state,
	    "{\"Volumes\":[null,1,\"x\",[],{},{\"Name\":{}},{\"Name\":\"v\","
	    "\"Driver\":1,\"CreatedAt\":12,\"Labels\":3,\"Options\":[1]},"
	    "{\"Name\":\"w\",\"CreatedAt\":\"yesterday\"}]}",
	    2);
	struct docker_network *networks = list_networks(*state,
	    "[null,1,\"x\",[],{},{\"Id\":[]},{\"Id\":\"n\",\"IPAM\":3,"
	    "\"Internal\":\"yes\",\"Created\":{},\"Labels\":\"x\"},"
	    "{\"Id\":\"m\",\"IPAM\":{\"Config\":[]}},"
	    "{\"Id\":\"o\",\"IPAM\":{\"Config\":[7]}}]",
	    3);
	struct docker_container *containers = list_containers(*state,
	    "[{\"Id\":\"c\",\"Mounts\":[null,3,{\"RW\":1,\"Name\":[]}],"
	    "\"NetworkSettings\":{\"Networks\":{\"a\":{\"IPPrefixLen\":\"x\","
	    "\"NetworkID\":1,\"EndpointID\":{}},"
	    "\"b\":{\"IPPrefixLen\":4294967297}}}},"
	    "{\"Id\":\"d\",\"Mounts\":{}}]",
	    2);

	assert_int_equal(images[0].tag_count, 1);
	assert_string_equal(images[0].tags[0], "a:1");
	assert_int_equal(images[0].digest_count, 0);
	assert_int_equal(images[0].size_bytes, 0);
	assert_int_equal(images[0].created_at, 0);
	assert_int_equal(json_object_object_length(images[0].labels), 0);
	assert_string_equal(volumes[0].driver, "");
	assert_int_equal(volumes[0].created_at, 0);
	assert_int_equal(json_object_object_length(volumes[0].options), 0);
	assert_int_equal(volumes[1].created_at, 0);
	assert_false(networks[0].internal);
	assert_int_equal(networks[0].created_at, 0);
	assert_string_equal(networks[2].subnet, "");
	assert_int_equal(containers[0].mount_count, 3);
	assert_string_equal(containers[0].mounts[2].name, "");
	assert_false(containers[0].mounts[2].writable);
	assert_int_equal(containers[0].networks[0].prefix_length, 0);
	assert_false(containers[0].networks[0].attached);
	assert_int_equal(containers[0].networks[1].prefix_length, 0);
	assert_int_equal(containers[1].mount_count, 0);
}

/* Taken for an empty list it would empty the mirror. */
static void
an_answer_that_is_no_list_is_the_engines_fault(void **state)
{
	static const char *const answers[] = { "null", "3", "\"x\"", "[" };
	struct fixture *f = *state;
	struct docker_image *images;
	struct docker_volume *volumes;
	struct docker_network *networks;
	size_t count, i;

	for (i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		engine_answers_json(f->engine, IMAGES, "200 OK", answers[i]);
		engine_answers_json(f->engine, VOLUMES, "200 OK", answers[i]);
		engine_answers_json(f->engine, NETWORKS, "200 OK", answers[i]);
		assert_int_equal(docker_image_list(f->docker, &f->arena,
				     &images, &count, &f->err),
		    -1);
		assert_string_equal(f->err.code, "DOCKER_ERROR");
		assert_int_equal(docker_volume_list(f->docker, &f->arena,
				     &volumes, &count, &f->err),
		    -1);
		assert_string_equal(f->err.code, "DOCKER_ERROR");
		assert_int_equal(docker_network_list(f->docker, NULL, &f->arena,
				     &networks, &count, &f->err),
		    -1);
		assert_string_equal(f->err.code, "DOCKER_ERROR");
	}
	engine_answers_json(f->engine, VOLUMES, "200 OK", "[]");
	assert_int_equal(
	    docker_volume_list(f->docker, &f->arena, &volumes, &count, &f->err),
	    -1);
}

static bool
stop_after_two(void *context, const struct docker_event *event)
{
	int *seen = context;

	if (++*seen == 1) {
		assert_string_equal(event->action, "connect");
		assert_string_equal(event->id, "n1");
		assert_string_equal(event->container, "c1");
		return true;
	}
	assert_string_equal(event->container, "");
	return false;
}

static void
events_name_the_container_that_is_connected(void **state)
{
	struct fixture *f = *state;
	int seen = 0;

	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "GET /v1.41/events",
		.bytes = "HTTP/1.1 200 OK\r\n\r\n"
			 "{\"Type\":\"network\",\"Action\":\"connect\","
			 "\"Actor\":{\"ID\":\"n1\",\"Attributes\":"
			 "{\"container\":\"c1\",\"name\":\"blog\"}}}"
			 "{\"Type\":\"network\",\"Action\":\"create\","
			 "\"Actor\":{\"ID\":\"n2\",\"Attributes\":"
			 "{\"container\":7}}}",
		.after = ENGINE_HOLD });
	OK(docker_events_follow(
	    f->docker, 0, stop_after_two, NULL, &seen, &f->err));
	assert_int_equal(seen, 2);
}

static void
a_container_is_settled_once_the_engine_answers(void **state)
{
	static const char *const ids[] = { "busy", "done", "gone", "../x" };
	static const char head[] = "HTTP/1.1 200 OK\r\n";
	struct fixture *f = *state;
	bool settled[4];
	int64_t started_ms = clock_monotonic_ms();
	struct docker_image *images;
	size_t count, i;

	engine_answers_json(f->engine, IMAGES, "200 OK", "[]");
	engine_answers(f->engine,
	    &(struct engine_answer){ .request = "GET /v1.41/containers/busy",
		.bytes = head,
		.after = ENGINE_HOLD });
	engine_answers_json(
	    f->engine, "GET /v1.41/containers/done", "200 OK", "{}");
	engine_answers_json(f->engine, "GET /v1.41/containers/gone",
	    "404 Not Found", "{\"message\":\"no such container\"}");
	/* Time that is up is no fault of the Engine: it stays in use. */
	for (i = 0; i < 4; i++) {
		docker_containers_settle(f->docker, ids, 3, 100, settled);
		assert_false(settled[0]);
		assert_true(settled[1]);
		assert_true(settled[2]);
	}
	assert_in_range(clock_monotonic_ms() - started_ms, 400, 2000);
	OK(docker_image_list(f->docker, &f->arena, &images, &count, &f->err));
	docker_containers_settle(f->docker, ids + 1, 2, 5000, settled);
	assert_true(settled[0] && settled[1]);
	assert_true(clock_monotonic_ms() - started_ms < 4000);
	docker_containers_settle(f->docker, ids + 3, 1, 100, settled);
	assert_false(settled[0]);
	docker_containers_settle(f->docker, ids, 0, 100, settled);
	assert_true(engine_wait_open(f->engine, 1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(images_have_their_names_and_no_others),
		TEST(volumes_have_their_time_and_options),
		TEST(without_volumes_there_is_none),
		TEST(networks_have_their_first_address),
		TEST(containers_have_their_mounts_and_addresses),
		TEST(rows_of_the_wrong_kind_are_skipped),
		TEST(an_answer_that_is_no_list_is_the_engines_fault),
		TEST(events_name_the_container_that_is_connected),
		TEST(a_container_is_settled_once_the_engine_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The mirror's images, volumes and networks, and who uses them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/mirror.h"
#include "store/samples.h"
#include "store/store.h"
#include "tests/unit/scratch.h"

#include <stdlib.h>
#include <string.h>

#define ID_A "aaaa1111"
#define ID_B "aaaa2222"

struct fixture {
	struct scratch scratch;
	struct store *store;
	struct arena arena;
	struct error err;
};

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	scratch_make(&f->scratch);
	*state = f;
	return store_open(f->scratch.path, STORE_AGENT, &f->store, &f->err);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	arena_clear(&f->arena);
	scratch_remove(&f->scratch);
	free(f);
	return 0;
}

#define OK(call) assert_int_equal(call, 0)
#define FAILS(call, code_)                                 \
	do {                                               \
		assert_int_equal(call, -1);                \
		assert_string_equal(f->err.code, (code_)); \
	} while (0)

static int64_t
generation(struct fixture *f)
{
	int64_t value;

	OK(mirror_generation(f->store, &value, &f->err));
	return value;
}

static const struct mirror_container some_container = {
	.id = "1111",
	.name = "blog-web-1",
	.image = "nginx:1",
	.image_id = "sha256:" ID_A,
	.state = "running",
	.status = "Up 1 minute",
	.health = "",
	.created_at = 1700000000,
	.project = "blog",
	.service = "web",
	.ports = "[]",
	.networks = "[{\"name\":\"blog\",\"network_id\":\"" ID_A "\",\"ipv4\":"
		    "\"10.0.0.2/24\",\"mac_address\":\"02:42\",\"attached\":"
		    "true},{\"name\":\"idle\",\"network_id\":\"" ID_B "\","
		    "\"ipv4\":\"\",\"mac_address\":\"\",\"attached\":false}]",
	.labels = "{}",
	.mounts = "[{\"type\":\"volume\",\"name\":\"data\"},"
		  "{\"type\":\"volume\",\"name\":\"data\"},"
		  "{\"type\":\"bind\",\"name\":\"other\"}]",
};

static const struct mirror_image some_image = {
	.id = "sha256:" ID_A,
	.tags = "[\"nginx:latest\",\"127.0.0.1:5000/team/web:1\"]",
	.digests = "[\"nginx@sha256:dd\"]",
	.size_bytes = 77,
	.created_at = 1700,
	.labels = "{\"k\":\"v\"}",
};

static const struct mirror_volume some_volume = {
	.name = "data",
	.driver = "local",
	.mountpoint = "/var/lib/x",
	.scope = "local",
	.created_at = 1700,
	.labels = "{}",
	.options = "{\"type\":\"nfs\"}",
};

static const struct mirror_network some_network = {
	.id = ID_A,
	.name = "blog",
	.driver = "bridge",
	.scope = "local",
	.internal = true,
	.attachable = false,
	.ipv6 = true,
	.subnet = "10.0.0.0/24",
	.gateway = "10.0.0.1",
	.created_at = 1700,
	.labels = "{}",
	.options = "{}",
};

/* Ends a transaction of one change; whether it was one. */
static bool
commit(struct fixture *f, bool changed)
{
	int64_t before = generation(f);

	OK(mirror_commit(f->store, changed, &f->err));
	assert_int_equal(generation(f), before + changed);
	return changed;
}

#define PUT(f, kind, object)                                      \
	({                                                        \
		bool changed_ = false;                            \
		OK(store_begin((f)->store, &(f)->err));           \
		OK(mirror_##kind##_put(                           \
		    (f)->store, (object), &changed_, &(f)->err)); \
		commit((f), changed_);                            \
	})

#define RETAIN(f, kinds, ids, count)                                    \
	({                                                              \
		bool changed_ = false;                                  \
		OK(store_begin((f)->store, &(f)->err));                 \
		OK(mirror_##kinds##_retain(                             \
		    (f)->store, (ids), (count), &changed_, &(f)->err)); \
		commit((f), changed_);                                  \
	})

static void
put_container(struct fixture *f, const char *id, const char *name)
{
	struct mirror_container container = some_container;

	container.id = id;
	container.name = name;
	assert_true(PUT(f, container, &container));
}

static void
the_generation_moves_with_each_member(void **state)
{
	struct fixture *f = *state;
	struct mirror_image image = some_image;
	struct mirror_volume volume = some_volume;
	struct mirror_network network = some_network;
	const char **texts[] = { &image.tags, &image.digests, &image.labels,
		&volume.driver, &volume.mountpoint, &volume.scope,
		&volume.labels, &volume.options, &network.name, &network.driver,
		&network.scope, &network.subnet, &network.gateway,
		&network.labels, &network.options };
	int64_t *numbers[] = { &image.size_bytes, &image.created_at,
		&volume.created_at, &network.created_at };
	bool *flags[] = { &network.internal, &network.attachable,
		&network.ipv6 };
	size_t i, moved, total = 0;

	for (i = 0; i <= 22; i++) {
		if (i > 0 && i <= 15)
			*texts[i - 1] = "changed";
		else if (i > 15 && i <= 19)
			++*numbers[i - 16];
		else if (i > 19)
			*flags[i - 20] = !*flags[i - 20];
		moved = PUT(f, image, &image) + PUT(f, volume, &volume) +
			PUT(f, network, &network);
		assert_int_equal(moved, i == 0 ? 3 : 1);
		total += moved;
		assert_false(PUT(f, image, &image) | PUT(f, volume, &volume) |
			     PUT(f, network, &network));
	}
	assert_int_equal(total, 25);
}

static void
what_was_put_comes_back(void **state)
{
	struct fixture *f = *state;
	struct mirror_image image;
	struct mirror_volume volume;
	struct mirror_network network;

	PUT(f, image, &some_image);
	PUT(f, volume, &some_volume);
	PUT(f, network, &some_network);
	OK(mirror_image_find(
	    f->store, some_image.id, &f->arena, &image, &f->err));
	assert_string_equal(image.id, some_image.id);
	assert_string_equal(image.tags, some_image.tags);
	assert_string_equal(image.digests, some_image.digests);
	assert_string_equal(image.labels, some_image.labels);
	assert_int_equal(image.size_bytes, 77);
	assert_int_equal(image.created_at, 1700);
	assert_string_equal(image.containers, "[]");
	OK(mirror_volume_get(f->store, "data", &f->arena, &volume, &f->err));
	assert_string_equal(volume.name, "data");
	assert_string_equal(volume.driver, "local");
	assert_string_equal(volume.mountpoint, "/var/lib/x");
	assert_string_equal(volume.scope, "local");
	assert_int_equal(volume.created_at, 1700);
	assert_string_equal(volume.labels, "{}");
	assert_string_equal(volume.options, some_volume.options);
	assert_string_equal(volume.containers, "[]");
	OK(mirror_network_find(f->store, "blog", &f->arena, &network, &f->err));
	assert_string_equal(network.id, ID_A);
	assert_string_equal(network.driver, "bridge");
	assert_string_equal(network.scope, "local");
	assert_true(network.internal);
	assert_false(network.attachable);
	assert_true(network.ipv6);
	assert_string_equal(network.subnet, "10.0.0.0/24");
	assert_string_equal(network.gateway, "10.0.0.1");
	assert_int_equal(network.created_at, 1700);
	assert_string_equal(network.containers, "[]");
}

static void
users_are_read_from_the_containers(void **state)
{
	struct fixture *f = *state;
	struct mirror_container container = some_container;
	struct mirror_image image;
	struct mirror_volume volume;
	struct mirror_network *networks;
	size_t count;

	PUT(f, image, &some_image);
	PUT(f, volume, &some_volume);
	PUT(f, network, &some_network);
	put_container(f, "1111", "b");
	put_container(f, "2222", "a");
	container.id = "3333";
	container.image_id = "sha256:other";
	container.networks = container.mounts = "[]";
	PUT(f, container, &container);
	OK(mirror_image_find(
	    f->store, some_image.id, &f->arena, &image, &f->err));
	assert_string_equal(image.containers, "[\"a\",\"b\"]");
	OK(mirror_volume_get(f->store, "data", &f->arena, &volume, &f->err));
	assert_string_equal(volume.containers, "[\"a\",\"b\"]");
	OK(mirror_network_list(
	    f->store, &f->arena, &networks, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(networks[0].containers,
	    "[{\"name\":\"a\",\"ipv4\":\"10.0.0.2/24\","
	    "\"mac_address\":\"02:42\"},"
	    "{\"name\":\"b\",\"ipv4\":\"10.0.0.2/24\","
	    "\"mac_address\":\"02:42\"}]");
}

static void
retaining_deletes_the_others(void **state)
{
	static const char *const kept[] = { ID_B, "sha256:" ID_B, "kept" };
	struct fixture *f = *state;
	struct mirror_image image = some_image, *images;
	struct mirror_volume volume = some_volume, *volumes;
	struct mirror_network network = some_network, *networks;
	size_t count;

	PUT(f, image, &some_image);
	PUT(f, volume, &some_volume);
	PUT(f, network, &some_network);
	image.id = "sha256:" ID_B;
	volume.name = "kept";
	network.id = ID_B;
	PUT(f, image, &image);
	PUT(f, volume, &volume);
	PUT(f, network, &network);
	assert_true(RETAIN(f, images, kept, 3));
	assert_true(RETAIN(f, volumes, kept, 3));
	assert_true(RETAIN(f, networks, kept, 3));
	assert_false(RETAIN(f, images, kept, 3));
	assert_false(RETAIN(f, volumes, kept, 3));
	assert_false(RETAIN(f, networks, kept, 3));
	OK(mirror_image_list(f->store, &f->arena, &images, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(images[0].id, "sha256:" ID_B);
	OK(mirror_volume_list(f->store, &f->arena, &volumes, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(volumes[0].name, "kept");
	OK(mirror_network_list(
	    f->store, &f->arena, &networks, &count, &f->err));
	assert_int_equal(count, 1);
	assert_string_equal(networks[0].id, ID_B);
	assert_true(RETAIN(f, images, NULL, 0));
	OK(mirror_image_list(f->store, &f->arena, &images, &count, &f->err));
	assert_int_equal(count, 0);
}

static void
images_are_found_by_all_their_names(void **state)
{
	static const char *const names[] = { "nginx", "nginx:latest",
		"docker.io/library/nginx", "docker.io/nginx:latest",
		"library/nginx", "127.0.0.1:5000/team/web:1", "nginx@sha256:dd",
		"docker.io/library/nginx@sha256:dd", "sha256:" ID_A,
		"sha256:aaaa1", "aaaa1", ID_A };
	static const char *const others[] = { "nginx:1", "nginx:lates",
		"127.0.0.1:5000/team/web", "team/web:1", "web:1", "aaa", "bbbb",
		"sha256:", "sha256:aaa", "sha256:bbbb", "sha256:AAAA1",
		"sha256:%", "%", "", "[", "\"", "nginx@sha256:d", "aaaa11112" };
	struct fixture *f = *state;
	struct mirror_image image = some_image;
	size_t i;

	PUT(f, image, &some_image);
	image.id = "sha256:" ID_B;
	image.tags = image.digests = "[]";
	PUT(f, image, &image);
	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		OK(mirror_image_find(
		    f->store, names[i], &f->arena, &image, &f->err));
		assert_string_equal(image.id, "sha256:" ID_A);
	}
	for (i = 0; i < sizeof others / sizeof others[0]; i++)
		FAILS(mirror_image_find(
			  f->store, others[i], &f->arena, &image, &f->err),
		    "IMAGE_NOT_FOUND");
	FAILS(mirror_image_find(f->store, "aaaa", &f->arena, &image, &f->err),
	    "AMBIGUOUS_ID");
	assert_int_equal(f->err.kind, ERR_CONFLICT);
}

/* As Docker has it: a tag that looks like an id is a tag. */
static void
a_name_comes_before_the_beginning_of_an_id(void **state)
{
	struct fixture *f = *state;
	struct mirror_image image = some_image;
	struct mirror_network network = some_network;
	struct mirror_container container;

	PUT(f, image, &some_image);
	image.id = "sha256:" ID_B;
	image.tags = "[\"aaaa1:latest\"]";
	PUT(f, image, &image);
	OK(mirror_image_find(f->store, "aaaa1", &f->arena, &image, &f->err));
	assert_string_equal(image.id, "sha256:" ID_B);
	PUT(f, network, &some_network);
	network.id = ID_B;
	network.name = "aaaa1";
	PUT(f, network, &network);
	OK(mirror_network_find(
	    f->store, "aaaa1", &f->arena, &network, &f->err));
	assert_string_equal(network.id, ID_B);
	put_container(f, ID_A, "first");
	put_container(f, ID_B, "aaaa1");
	OK(mirror_container_find(
	    f->store, "aaaa1", &f->arena, &container, &f->err));
	assert_string_equal(container.id, ID_B);
}

static void
containers_and_networks_are_found_by_id_and_name(void **state)
{
	static const char *const others[] = { "aaa", "bbbb", "", "%", "_",
		"AAAA1", "aaaa11112", "firs" };
	struct fixture *f = *state;
	struct mirror_container container;
	struct mirror_network network = some_network;
	size_t i;

	put_container(f, ID_A, "first");
	put_container(f, ID_B, "second");
	network.name = "first";
	PUT(f, network, &network);
	network.id = ID_B;
	network.name = "second";
	PUT(f, network, &network);
	for (i = 0; i < sizeof others / sizeof others[0]; i++) {
		FAILS(mirror_container_find(
			  f->store, others[i], &f->arena, &container, &f->err),
		    "CONTAINER_NOT_FOUND");
		FAILS(mirror_network_find(
			  f->store, others[i], &f->arena, &network, &f->err),
		    "NETWORK_NOT_FOUND");
	}
	OK(mirror_container_find(
	    f->store, ID_A, &f->arena, &container, &f->err));
	assert_string_equal(container.name, "first");
	OK(mirror_container_find(
	    f->store, "second", &f->arena, &container, &f->err));
	assert_string_equal(container.id, ID_B);
	assert_string_equal(container.mounts, some_container.mounts);
	OK(mirror_container_find(
	    f->store, "aaaa2", &f->arena, &container, &f->err));
	assert_string_equal(container.id, ID_B);
	OK(mirror_network_find(
	    f->store, "aaaa2", &f->arena, &network, &f->err));
	assert_string_equal(network.name, "second");
	FAILS(mirror_container_find(
		  f->store, "aaaa", &f->arena, &container, &f->err),
	    "AMBIGUOUS_ID");
	FAILS(
	    mirror_network_find(f->store, "aaaa", &f->arena, &network, &f->err),
	    "AMBIGUOUS_ID");
	/* Docker lets two networks have one name. */
	network.id = ID_A;
	network.name = "second";
	PUT(f, network, &network);
	FAILS(mirror_network_find(
		  f->store, "second", &f->arena, &network, &f->err),
	    "AMBIGUOUS_ID");
	OK(mirror_network_find(f->store, ID_A, &f->arena, &network, &f->err));
}

static void
what_is_not_there_is_not_found(void **state)
{
	struct fixture *f = *state;
	struct mirror_volume volume;

	PUT(f, volume, &some_volume);
	FAILS(mirror_volume_get(f->store, "dat", &f->arena, &volume, &f->err),
	    "VOLUME_NOT_FOUND");
	assert_int_equal(f->err.kind, ERR_NOT_FOUND);
	FAILS(mirror_volume_get(f->store, "%", &f->arena, &volume, &f->err),
	    "VOLUME_NOT_FOUND");
}

/* A name that has to be escaped stays one name. */
static void
names_are_never_more_than_text(void **state)
{
	struct fixture *f = *state;
	struct mirror_volume volume = some_volume;

	PUT(f, volume, &some_volume);
	put_container(f, "1111", "a\",\"b\\");
	OK(mirror_volume_get(f->store, "data", &f->arena, &volume, &f->err));
	assert_string_equal(volume.containers, "[\"a\\\",\\\"b\\\\\"]");
}

static void
samples_are_listed_of_all_or_found_by_container(void **state)
{
	struct fixture *f = *state;
	struct sample sample = { .container_id = "1111",
		.sampled_at_ms = 5,
		.cpu_percent = 1.5,
		.pids = 7 },
		      found = { 0 }, *samples;
	size_t count;

	put_container(f, "1111", "b");
	put_container(f, "2222", "a");
	OK(store_sample_put(f->store, &sample, &f->err));
	sample.container_id = "2222";
	sample.pids = 8;
	OK(store_sample_put(f->store, &sample, &f->err));
	OK(store_sample_list(
	    f->store, NULL, &f->arena, &samples, &count, &f->err));
	assert_int_equal(count, 2);
	assert_string_equal(samples[0].name, "a");
	assert_string_equal(samples[0].project, "blog");
	assert_int_equal(samples[0].pids, 8);
	OK(store_sample_find(f->store, "1111", &found, &f->err));
	assert_int_equal(found.pids, 7);
	assert_int_equal(found.sampled_at_ms, 5);
	assert_true(found.cpu_percent == 1.5);
	/* Without one nothing is touched. */
	OK(store_sample_find(f->store, "3333", &found, &f->err));
	assert_int_equal(found.pids, 7);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_generation_moves_with_each_member),
		TEST(what_was_put_comes_back),
		TEST(users_are_read_from_the_containers),
		TEST(retaining_deletes_the_others),
		TEST(images_are_found_by_all_their_names),
		TEST(a_name_comes_before_the_beginning_of_an_id),
		TEST(containers_and_networks_are_found_by_id_and_name),
		TEST(what_is_not_there_is_not_found),
		TEST(names_are_never_more_than_text),
		TEST(samples_are_listed_of_all_or_found_by_container),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

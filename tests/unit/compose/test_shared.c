/* What two deployments would have in common. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compose/document.h"

#include <string.h>

static const char *
shared(struct arena *arena, const char *volumes)
{
	const char *text = arena_printf(arena,
	    "services: {a: {image: x, container_name: c}, b: {image: x}}\n%s",
	    volumes);
	const char *const *names, *joined = "";
	struct document *document;
	struct error err;
	size_t count, i;

	assert_int_equal(
	    document_parse(text, strlen(text), arena, &document, &err), 0);
	names = document_shared_volumes(document, &count);
	for (i = 0; i < count; i++)
		joined = arena_printf(
		    arena, "%s%s%s", joined, i ? "|" : "", names[i]);
	return joined;
}

static void
volumes_with_a_name_of_their_own_are_shared(void **state)
{
	static const struct {
		const char *volumes, *names;
	} cases[] = {
		{ "", "" },
		{ "volumes:\n", "" },
		{ "volumes: {a: , b: {}, c: {driver: local}}\n", "" },
		{ "volumes: {a: {name: x}}\n", "x" },
		{ "volumes: {a: {external: true}, b: {}}\n", "a" },
		{ "volumes: {a: {external: false}}\n", "" },
		{ "volumes: {a: {external: true, name: n}}\n", "n" },
		{ "volumes: {a: {external: {name: e}}, b: {name: z}}\n",
		    "e|z" },
	};
	auto_arena struct arena arena = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_string_equal(
		    shared(&arena, cases[i].volumes), cases[i].names);
}

static void
services_say_what_their_containers_are_called(void **state)
{
	static const char text[] =
	    "services: {a: {image: x, container_name: c}, b: {image: x}}\n";
	auto_arena struct arena arena = { 0 };
	const struct compose_service *services;
	struct document *document;
	struct error err;
	size_t count;

	(void)state;
	assert_int_equal(
	    document_parse(text, sizeof text - 1, &arena, &document, &err), 0);
	services = document_services(document, &count);
	assert_int_equal(count, 2);
	assert_string_equal(services[0].container_name, "c");
	assert_string_equal(services[1].container_name, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(volumes_with_a_name_of_their_own_are_shared),
		cmocka_unit_test(services_say_what_their_containers_are_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

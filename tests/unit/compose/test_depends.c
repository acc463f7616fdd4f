/* Which service names which. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the above */
#include <cmocka.h>

#include "compose/document.h"

#include <string.h>

static const char text[] =
    "services:\n"
    "  a: {image: i}\n"
    "  list: {image: i, depends_on: [a]}\n"
    "  map: {image: i, depends_on: {a: {}}}\n"
    "  link: {image: i, links: [\"a:alias\"]}\n"
    "  volumes: {image: i, volumes_from: [\"a:ro\"]}\n"
    "  net: {image: i, network_mode: \"service:a\"}\n"
    "  ab: {image: i, depends_on: [aa], ipc: shareable}\n"
    "  odd: {image: i, depends_on: a, links: {}}\n";

static void
services_depend_on_what_they_name(void **state)
{
	static const char *const yes[] = { "list", "map", "link", "volumes",
		"net" };
	static const char *const no[] = { "a", "ab", "odd", "missing" };
	struct arena arena = { 0 };
	struct document *document;
	struct error err;
	size_t i;

	(void)state;
	assert_int_equal(
	    document_parse(text, strlen(text), &arena, &document, &err), 0);
	for (i = 0; i < sizeof yes / sizeof yes[0]; i++) {
		if (!document_depends(document, yes[i], "a"))
			fail_msg("%s does not", yes[i]);
		assert_false(document_depends(document, yes[i], "list"));
	}
	for (i = 0; i < sizeof no / sizeof no[0]; i++)
		if (document_depends(document, no[i], "a"))
			fail_msg("%s does", no[i]);
	assert_true(document_has_links(document, "link"));
	assert_false(document_has_links(document, "list"));
	assert_false(document_has_links(document, "odd"));
	assert_false(document_has_links(document, "missing"));
	arena_clear(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(services_depend_on_what_they_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Ports of the host that a document takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compose/document.h"

#include <stdio.h>
#include <string.h>

/* "service address:port/protocol" of each, in one line. */
static void
assert_ports(const char *services, const char *expected)
{
	auto_arena struct arena arena = { 0 };
	const char *text = arena_printf(&arena, "services:\n%s", services);
	const struct compose_host_port *ports;
	struct document *document;
	const char *found = "";
	struct error err;
	size_t count, i;

	assert_int_equal(
	    document_parse(text, strlen(text), &arena, &document, &err), 0);
	assert_int_equal(document_interpolate(document, NULL, 0, &err), 0);
	ports = document_host_ports(document, &count);
	for (i = 0; i < count; i++)
		found = arena_printf(&arena, "%s%s %s:%d/%s;", found,
		    ports[i].service, ports[i].address, ports[i].port,
		    ports[i].protocol);
	assert_string_equal(found, expected);
}

#define PORTS(list) "  a: {image: x, ports: [" list "]}\n"

static void
short_forms_are_read(void **state)
{
	(void)state;
	assert_ports(PORTS("'8080:80'"), "a :8080/tcp;");
	assert_ports(PORTS("'8080:80/udp'"), "a :8080/udp;");
	assert_ports(PORTS("'127.0.0.1:8080:80'"), "a 127.0.0.1:8080/tcp;");
	assert_ports(PORTS("'[::1]:8080:80'"), "a ::1:8080/tcp;");
	assert_ports(PORTS("'::1:8080:80'"), "a ::1:8080/tcp;");
	assert_ports(PORTS("'0.0.0.0:53:53/udp'"), "a 0.0.0.0:53/udp;");
}

static void
long_forms_are_read(void **state)
{
	(void)state;
	assert_ports(PORTS("{target: 80, published: 8080}"), "a :8080/tcp;");
	assert_ports(PORTS("{target: 80, published: '8080', protocol: udp, "
			   "host_ip: 127.0.0.1}"),
	    "a 127.0.0.1:8080/udp;");
	assert_ports(PORTS("{target: 80}"), "");
}

static void
ranges_are_ports_one_by_one(void **state)
{
	(void)state;
	assert_ports(
	    PORTS("'8000-8002:80-82'"), "a :8000/tcp;a :8001/tcp;a :8002/tcp;");
	assert_ports(
	    PORTS("{target: 80, published: '8000-8000'}"), "a :8000/tcp;");
}

static void
what_docker_chooses_is_nobodys(void **state)
{
	(void)state;
	assert_ports(PORTS("80"), "");
	assert_ports(PORTS("'80'"), "");
	assert_ports(PORTS("'127.0.0.1::80'"), "");
	/* Any of them will do. */
	assert_ports(PORTS("'8000-8002:80'"), "");
}

static void
what_is_no_port_is_left_out(void **state)
{
	(void)state;
	assert_ports(PORTS("'x:80', ':80', '0:80', '70000:80', '-:80'"), "");
	assert_ports(PORTS("'8002-8000:80-82', '8000-:80', {}, []"), "");
	assert_ports(PORTS("'99999999999999999999:80'"), "");
	assert_ports("  a: {image: x, ports: '8080:80'}\n", "");
	assert_ports("  a: {image: x, expose: ['8080']}\n", "");
}

static void
services_with_profiles_do_not_run_by_themselves(void **state)
{
	(void)state;
	assert_ports("  a: {image: x, ports: ['1:1'], profiles: [p]}\n"
		     "  b: {image: x, ports: ['2:2'], profiles: []}\n"
		     "  c: {extends: a, image: x}\n",
	    "b :2/tcp;");
}

static void
a_long_range_ends_somewhere(void **state)
{
	auto_arena struct arena arena = { 0 };
	static const char text[] = "services: {a: {image: x, ports: "
				   "['1-65535:1-65535', '1-65535:1-65535']}}";
	struct document *document;
	struct error err;
	size_t count;

	(void)state;
	assert_int_equal(
	    document_parse(text, strlen(text), &arena, &document, &err), 0);
	assert_int_equal(document_interpolate(document, NULL, 0, &err), 0);
	document_host_ports(document, &count);
	assert_int_equal(count, 4096);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_forms_are_read),
		cmocka_unit_test(long_forms_are_read),
		cmocka_unit_test(ranges_are_ports_one_by_one),
		cmocka_unit_test(what_docker_chooses_is_nobodys),
		cmocka_unit_test(what_is_no_port_is_left_out),
		cmocka_unit_test(
		    services_with_profiles_do_not_run_by_themselves),
		cmocka_unit_test(a_long_range_ends_somewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

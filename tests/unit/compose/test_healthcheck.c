#include "compose/healthcheck.h"

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* The metadata is kept until the next call, for the texts. */
static bool
read_text(const char *text, struct healthcheck *out)
{
	static struct json_object *metadata;
	struct error err;

	json_object_put(metadata);
	metadata = NULL;
	if (text == NULL)
		return false;
	assert_int_equal(
	    json_parse_trusted(text, strlen(text), &metadata, &err), 0);
	return healthcheck_read(metadata, 30000, out);
}

#define NETWORKING                                             \
	"\"networking\":{\"expose\":true,\"service\":\"web\"," \
	"\"domain\":\"blog.example.org\",\"container_port\":8080}"

static void
a_site_is_asked_at_its_port(void **state)
{
	struct healthcheck check;

	(void)state;
	assert_true(
	    read_text("{" NETWORKING ",\"healthcheck\":{\"path\":\"/up\","
		      "\"interval\":\"2m\"}}",
		&check));
	assert_false(check.is_tcp);
	assert_string_equal(check.path, "/up");
	assert_string_equal(check.service, "web");
	assert_string_equal(check.host, "blog.example.org");
	assert_int_equal(check.port, 8080);
	assert_int_equal(check.interval_ms, 120000);
	assert_int_equal(check.status_count, 0);
	assert_null(check.contains);
}

static void
the_check_may_say_it_all_itself(void **state)
{
	struct healthcheck check;

	(void)state;
	assert_true(
	    read_text("{\"healthcheck\":{\"type\":\"http\",\"path\":\"/\","
		      "\"service\":\"api\",\"port\":3000,\"interval\":\"1ms\","
		      "\"success_statuses\":[204,401,7],"
		      "\"response_contains\":\"ok\"}}",
		&check));
	assert_string_equal(check.service, "api");
	assert_int_equal(check.port, 3000);
	assert_int_equal(check.interval_ms, 1000);
	assert_int_equal(check.status_count, 2);
	assert_int_equal(check.statuses[1], 401);
	assert_string_equal(check.contains, "ok");
	assert_null(check.host);
	assert_true(read_text("{\"healthcheck\":{\"type\":\"tcp\","
			      "\"service\":\"db\",\"port\":5432}}",
	    &check));
	assert_true(check.is_tcp);
	assert_int_equal(check.interval_ms, 30000);
	read_text(NULL, &check);
}

static void
nothing_is_asked_of_others(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{" NETWORKING "}",
		/* What every default has: it is no site. */
		"{\"networking\":{\"expose\":false,\"service\":\"db\","
		"\"container_port\":5432},\"healthcheck\":{\"path\":\"/\"}}",
		"{\"networking\":{\"expose\":true,\"container_port\":80},"
		"\"healthcheck\":{\"path\":\"/\"}}",
		"{\"networking\":{\"expose\":true,\"service\":\"web\"},"
		"\"healthcheck\":{\"path\":\"/\"}}",
		"{" NETWORKING ",\"healthcheck\":{\"path\":\"\"}}",
		"{" NETWORKING ",\"healthcheck\":{\"path\":\"up\"}}",
		"{" NETWORKING ",\"healthcheck\":{\"path\":\"/a\\r\\nX: y\"}}",
		"{" NETWORKING ",\"healthcheck\":{\"path\":\"/a b\"}}",
		"{" NETWORKING ",\"healthcheck\":7}",
		"{" NETWORKING
		",\"healthcheck\":{\"path\":\"/\",\"type\":\"exec\"}}",
		"{" NETWORKING
		",\"healthcheck\":{\"path\":\"/\",\"port\":70000}}",
	};
	struct healthcheck check;
	size_t i;

	(void)state;
	for (i = 0; i < COUNT(texts); i++)
		if (read_text(texts[i], &check))
			fail_msg("%s", texts[i]);
	read_text(NULL, &check);
}

static void
a_domain_out_of_grammar_reaches_no_header(void **state)
{
	struct healthcheck check;

	(void)state;
	assert_true(
	    read_text("{\"networking\":{\"expose\":true,\"service\":\"web\","
		      "\"domain\":\"a\\r\\nX: y\",\"container_port\":80},"
		      "\"healthcheck\":{\"path\":\"/\"}}",
		&check));
	assert_null(check.host);
	read_text(NULL, &check);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_site_is_asked_at_its_port),
		cmocka_unit_test(the_check_may_say_it_all_itself),
		cmocka_unit_test(nothing_is_asked_of_others),
		cmocka_unit_test(a_domain_out_of_grammar_reaches_no_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

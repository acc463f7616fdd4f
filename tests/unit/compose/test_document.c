#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the above */
#include <cmocka.h>

#include "base/clock.h"
#include "compose/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

struct fixture {
	struct arena arena;
	struct document *document;
	struct error err;
	struct buffer out;
};

static int
setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof *f);

	f->out.maximum = (size_t)32 * 1024 * 1024;
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	arena_clear(&f->arena);
	buffer_clear(&f->out);
	free(f);
	return 0;
}

static int
parse_bytes(struct fixture *f, const char *text, size_t length)
{
	memset(&f->err, 0, sizeof f->err);
	return document_parse(text, length, &f->arena, &f->document, &f->err);
}

static int
parse(struct fixture *f, const char *text)
{
	return parse_bytes(f, text, strlen(text));
}

static void
assert_refused(struct fixture *f, const char *text, const char *message)
{
	assert_int_equal(parse(f, text), -1);
	assert_int_equal(f->err.kind, ERR_INVALID);
	assert_string_equal(f->err.code, "INVALID_COMPOSE");
	assert_string_equal(f->err.field, "compose_content");
	if (strstr(f->err.message, message) == NULL)
		fail_msg("'%s' is not in '%s'", message, f->err.message);
}

static const struct compose_variable variables[] = {
	{ "X", "ex" },
	{ "NUMBER", "8080" },
	{ "TRUTH", "true" },
	{ "EMPTY", "" },
	{ "DOLLAR", "a$b" },
	{ "LINES", "a\nb: c" },
};

static const char *
normalised(struct fixture *f, const char *text)
{
	buffer_truncate(&f->out, 0);
	if (parse(f, text) < 0 ||
	    document_interpolate(f->document, variables,
		sizeof variables / sizeof variables[0], &f->err) < 0 ||
	    document_normalise(f->document, &f->out, &f->err) < 0)
		fail_msg("%s", f->err.message);
	return buffer_string(&f->out);
}

/* What the value of the variable A in a service becomes. */
static void
assert_interpolated(struct fixture *f, const char *value, const char *expected)
{
	char text[512], line[512];

	snprintf(text, sizeof text,
	    "services:\n  app:\n    image: n\n    environment:\n      A: %s\n",
	    value);
	snprintf(line, sizeof line, "      A: %s\n", expected);
	if (strstr(normalised(f, text), line) == NULL)
		fail_msg("%s: not '%s' but:\n%s", value, line,
		    buffer_string(&f->out));
}

static void
assert_not_interpolated(
    struct fixture *f, const char *value, const char *message)
{
	char text[512];

	snprintf(text, sizeof text,
	    "services:\n  app:\n    image: n\n    environment:\n      A: %s\n",
	    value);
	assert_int_equal(parse(f, text), 0);
	assert_int_equal(document_interpolate(f->document, variables,
			     sizeof variables / sizeof variables[0], &f->err),
	    -1);
	assert_string_equal(f->err.code, "INVALID_COMPOSE");
	assert_non_null(strstr(f->err.message, "line 5, column 10: "));
	if (strstr(f->err.message, message) == NULL)
		fail_msg("'%s' is not in '%s'", message, f->err.message);
}

static void
what_two_readers_could_read_differently_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "\xef\xbb\xbfservices: {}", "byte order mark");
	assert_refused(f, "\xff\xfes", "byte order mark");
	assert_refused(f, "a: 1\n---\na: 2\n", "line 2, column 1: a second");
	assert_refused(
	    f, "a: 1\nb: 2\na: 3\n", "line 3, column 1: duplicate key 'a'");
	assert_refused(f, "a: {b: 1, \"b\": 2}\n", "duplicate key 'b'");
	assert_refused(f, "<<: {a: 1}\n<<: {b: 1}\n", "duplicate key '<<'");
	assert_refused(f, "\"<<\": {a: 1}\n", "quoted merge key");
	assert_refused(f, "a: !!python/object:os.system x\n", "tag");
	assert_refused(f, "a: !reset null\n", "tag");
	assert_refused(f, "a: !override [x]\n", "tag");
	assert_refused(f, "a: !!binary aGk=\n", "tag");
	assert_refused(f, "a: !!int text\n", "tag");
	assert_refused(f, "%TAG ! tag:x,2000:\n---\na: 1\n", "%TAG");
	assert_refused(f, "a: 1\r...\r%TAG ! tag:x,2000:\r---\r", "%TAG");
	assert_refused(f, "a: \"x\\0y\"\n", "NUL");
	assert_refused(f, "a: \xc0\xaf\n", "UTF-8");
	assert_refused(f, "1: a\n", "a key that is no string");
	assert_refused(f, "true: a\n", "a key that is no string");
	assert_refused(f, "~: a\n", "a key that is no string");
	assert_refused(f, "[a]: b\n", "a key that is no string");
	assert_refused(f, "a: &a x\n*a : y\n", "an alias as key");
	assert_refused(f, "", "empty");
	assert_refused(f, "# nothing\n", "empty");
	assert_refused(f, "[a]\n", "no mapping");
	assert_int_equal(parse_bytes(f, "a: 1\0b: 2\n", 10), -1);
	assert_int_equal(parse(f, "%YAML 1.2\n---\na: 1\n...\n"), 0);
}

static void
syntax_errors_say_line_and_column(void **state)
{
	struct fixture *f = *state;

	assert_refused(
	    f, "services:\n  app:\n\timage: x\n", "line 3, column 1");
	assert_refused(f, "a: 'x\n", "line ");
	assert_refused(f, "a: *nowhere\n", "line 1, column 4: an unknown");
}

static void
aliases_that_contain_themselves_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, "a: &a [*a]\n", "contains itself");
	assert_refused(f, "a: &a {b: {c: *a}}\n", "contains itself");
	assert_refused(f, "a: &a\n  <<: *a\n", "contains itself");
	assert_int_equal(parse(f, "a: &a 1\nb: &a 2\nc: *a\n"), 0);
}

static void
limits_hold(void **state)
{
	struct fixture *f = *state;
	struct buffer text = BUFFER(4 * 1024 * 1024);
	size_t i;

	for (i = 0; i < 101; i++)
		buffer_text(&text, i == 0 ? "a: &a x\nb: [*a" : ", *a");
	buffer_text(&text, "]\n");
	assert_refused(f, buffer_string(&text), "100 aliases");

	buffer_truncate(&text, 0);
	buffer_text(&text, "a: [");
	for (i = 0; i < 10000; i++)
		buffer_text(&text, "x,");
	buffer_text(&text, "]\n");
	assert_refused(f, buffer_string(&text), "10000 values");

	buffer_truncate(&text, 0);
	buffer_text(&text, "a: ");
	for (i = 0; i < 65537; i++)
		buffer_char(&text, 'x');
	assert_refused(f, buffer_string(&text), "65536 bytes");

	buffer_truncate(&text, 0);
	for (i = 0; i < 256; i++)
		buffer_char(&text, 'k');
	buffer_text(&text, ": v\n");
	assert_refused(f, buffer_string(&text), "255 bytes");

	while (text.length <= COMPOSE_TEXT_MAXIMUM)
		buffer_text(&text, "# a comment\n");
	assert_refused(f, buffer_string(&text), "1 MiB");
	buffer_clear(&text);
}

static void
depth_64_is_read_and_65_is_not(void **state)
{
	struct fixture *f = *state;
	char text[256];

	/* The document's own mapping is the first. */
	memset(text, '[', sizeof text);
	memcpy(text, "a: ", 3);
	memset(text + 3 + 63, ']', 63);
	text[3 + 126] = '\0';
	assert_int_equal(parse(f, text), 0);
	memset(text, '[', sizeof text);
	memcpy(text, "a: ", 3);
	memset(text + 3 + 64, ']', 64);
	text[3 + 128] = '\0';
	assert_refused(f, text, "nested deeper than 64");
}

static void
aliases_cannot_nest_deeper_than_64(void **state)
{
	struct fixture *f = *state;
	struct buffer text = BUFFER(64 * 1024);
	int i;

	buffer_text(&text, "a0: &a0 [x]\n");
	for (i = 1; i <= 70; i++)
		buffer_printf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	assert_refused(f, buffer_string(&text), "nested deeper than 64");
	buffer_clear(&text);
}

static void
assert_quick(struct fixture *f, const char *text, int64_t limit_ms)
{
	int64_t start = clock_monotonic_ms(), taken;

	parse(f, text);
	taken = clock_monotonic_ms() - start;
	if (taken > limit_ms)
		fail_msg("%lld ms", (long long)taken);
}

static void
bombs_are_refused_at_once(void **state)
{
	struct fixture *f = *state;
	char *text = xcalloc(1, 1000001);
	struct buffer laughs = BUFFER(64 * 1024);
	struct buffer tags = BUFFER(1024 * 1024);
	size_t i;
	int level;

	memset(text, '[', 100000);
	assert_quick(f, text, 100);
	assert_string_equal(f->err.code, "INVALID_COMPOSE");
	memset(text, '{', 1000000);
	assert_quick(f, text, 100);
	assert_string_equal(f->err.code, "INVALID_COMPOSE");
	for (i = 0; i < 1000000; i += 2)
		memcpy(text + i, "- ", 2);
	assert_quick(f, text, 200);
	assert_string_equal(f->err.code, "INVALID_COMPOSE");
	for (i = 0; i < 1000000; i += 2)
		memcpy(text + i, "? ", 2);
	assert_quick(f, text, 200);
	assert_string_equal(f->err.code, "INVALID_COMPOSE");
	for (i = 0; i < 40000; i++)
		buffer_printf(&tags, "%%TAG !a%zu! x%zu\n", i, i);
	assert_quick(f, buffer_string(&tags), 100);
	assert_non_null(strstr(f->err.message, "%TAG"));
	buffer_clear(&tags);
	/* The last byte of U+6028 is one of a line break's. */
	assert_int_equal(parse(f, "a: \"\xe6\x80\xa8%TAG\"\n"), 0);
	buffer_text(&laughs, "a0: &a0 lol\n");
	for (level = 1; level < 10; level++)
		buffer_printf(&laughs,
		    "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n",
		    level, level, level - 1, level - 1, level - 1, level - 1,
		    level - 1, level - 1, level - 1, level - 1);
	assert_quick(f, buffer_string(&laughs), 200);
	assert_non_null(strstr(f->err.message, "10000 values"));
	buffer_clear(&laughs);
	free(text);
}

/* Long texts that aliases and variables multiply. */
static void
the_largest_documents_are_bounded(void **state)
{
	struct fixture *f = *state;
	struct buffer text = BUFFER(2 * 1024 * 1024);
	struct compose_variable big = { "B", NULL };
	char *value = xcalloc(1, 60001);
	int64_t start = clock_monotonic_ms();
	struct rusage usage;
	int i;

	buffer_text(&text, "a: &a \"");
	for (i = 0; i < 60000; i++)
		buffer_char(&text, 'x');
	buffer_text(&text, "\"\nb: [");
	for (i = 0; i < 100; i++)
		buffer_text(&text, "*a,");
	buffer_text(&text, "]\n");
	assert_refused(f, buffer_string(&text), "4 MiB");

	buffer_truncate(&text, 0);
	buffer_text(&text, "services:\n  app:\n    command:\n");
	for (i = 0; i < 9000; i++)
		buffer_text(&text, "    - $B\n");
	assert_int_equal(parse(f, buffer_string(&text)), 0);
	memset(value, 'x', 60000);
	big.value = value;
	assert_int_equal(
	    document_interpolate(f->document, &big, 1, &f->err), -1);
	assert_non_null(strstr(f->err.message, "4 MiB"));

	buffer_truncate(&text, 0);
	buffer_text(&text, "services:\n  app:\n    command: $B$B\n");
	assert_int_equal(parse(f, buffer_string(&text)), 0);
	assert_int_equal(
	    document_interpolate(f->document, &big, 1, &f->err), -1);
	assert_non_null(strstr(f->err.message, "65536 bytes"));
	assert_true(clock_monotonic_ms() - start < 1000);
	getrusage(RUSAGE_SELF, &usage);
#ifndef __SANITIZE_ADDRESS__
	assert_true(usage.ru_maxrss < 64 * 1024);
#endif
	buffer_clear(&text);
	free(value);
}

static void
many_keys_are_compared_quickly(void **state)
{
	struct fixture *f = *state;
	struct buffer text = BUFFER(COMPOSE_TEXT_MAXIMUM);
	int64_t start;
	int i;

	buffer_text(&text, "services:\n");
	for (i = 0; i < 1200; i++)
		buffer_printf(&text,
		    "  s%d:\n    image: nginx\n    labels:\n      a: |\n"
		    "        %0790d\n",
		    i, 1);
	assert_true(text.length > 1000000);
	start = clock_monotonic_ms();
	assert_int_equal(parse(f, buffer_string(&text)), 0);
	assert_int_equal(
	    document_interpolate(f->document, NULL, 0, &f->err), 0);
	assert_int_equal(document_check(f->document, NULL, &f->err), 0);
#ifndef __SANITIZE_ADDRESS__
	assert_true(clock_monotonic_ms() - start < 150);
#else
	assert_true(clock_monotonic_ms() - start < 2000);
#endif
	buffer_clear(&text);
}

static void
merge_keys_are_merged_and_own_keys_win(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(
	    normalised(f, "x-a: &a {image: one, restart: always}\n"
			  "x-b: &b {image: two, tty: true}\n"
			  "services:\n"
			  "  app:\n"
			  "    <<: [*a, *b]\n"
			  "    hostname: own\n"
			  "  db:\n"
			  "    image: mine\n"
			  "    <<: *b\n"),
	    "services:\n"
	    "  app:\n"
	    "    hostname: own\n"
	    "    image: one\n"
	    "    restart: always\n"
	    "    tty: true\n"
	    "  db:\n"
	    "    image: mine\n"
	    "    tty: true\n");
	assert_refused(f, "a: &a x\nb: {<<: *a}\n", "merge");
}

static void
normalised_text_needs_no_further_reading(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(
	    normalised(f, "version: '3.8'\n"
			  "name: blog\n"
			  "x-any: ${not valid\n"
			  "services:\n"
			  "  app:\n"
			  "    image: 'nginx:1.25'\n"
			  "    x-note: dropped\n"
			  "    develop: {watch: []}\n"
			  "    command: [\"sh\", '-c', \"echo $$HOME\"]\n"
			  "    tty: yes\n"
			  "    ports: [8080:80, \"22:22\", 0o17]\n"
			  "    environment:\n"
			  "      on: null\n"
			  "      E:\n"
			  "      T: |\n"
			  "        a\n"
			  "        b\n"
			  "      U: \"\\u2028\\u00e9\\x01\\\"\\\\\"\n"
			  "      V: plain text, (with) colons\n"
			  "    labels:\n"
			  "      \"k$x\": v\n"
			  "networks:\n"
			  "  x:\n"
			  "  yy: {}\n"
			  "volumes: {}\n"),
	    "services:\n"
	    "  app:\n"
	    "    image: \"nginx:1.25\"\n"
	    "    command:\n"
	    "      - \"sh\"\n"
	    "      - \"-c\"\n"
	    "      - \"echo $$HOME\"\n"
	    "    tty: yes\n"
	    "    ports:\n"
	    "      - 8080:80\n"
	    "      - \"22:22\"\n"
	    "      - 0o17\n"
	    "    environment:\n"
	    "      \"on\": null\n"
	    "      E: null\n"
	    "      T: \"a\\nb\\n\"\n"
	    "      U: \"\\u2028\xc3\xa9\\x01\\\"\\\\\"\n"
	    "      V: \"plain text, (with) colons\"\n"
	    "    labels:\n"
	    "      \"k$x\": v\n"
	    "networks:\n"
	    "  x: null\n"
	    "  yy: {}\n"
	    "volumes: {}\n");
}

static void
variables_are_read_as_the_specification_says(void **state)
{
	struct fixture *f = *state;

	assert_interpolated(f, "$X", "\"ex\"");
	assert_interpolated(f, "${X}", "\"ex\"");
	assert_interpolated(f, "a-$X-${X}.b", "\"a-ex-ex.b\"");
	assert_interpolated(f, "${X:-no}", "\"ex\"");
	assert_interpolated(f, "${NONE}", "\"\"");
	assert_interpolated(f, "${NONE-d}", "\"d\"");
	assert_interpolated(f, "${NONE:-d}", "\"d\"");
	assert_interpolated(f, "${EMPTY-d}", "\"\"");
	assert_interpolated(f, "${EMPTY:-d}", "\"d\"");
	assert_interpolated(f, "${X+alt}", "\"alt\"");
	assert_interpolated(f, "${EMPTY+alt}", "\"alt\"");
	assert_interpolated(f, "${EMPTY:+alt}", "\"\"");
	assert_interpolated(f, "${NONE+alt}", "\"\"");
	assert_interpolated(f, "${NONE:+alt}", "\"\"");
	assert_interpolated(f, "${X?must}", "\"ex\"");
	assert_interpolated(f, "${NONE:-a${X}b}", "\"aexb\"");
	assert_interpolated(f, "${NONE:-${EMPTY:-${X}}}", "\"ex\"");
	assert_interpolated(f, "${NONE:-a:b?c-d}", "\"a:b?c-d\"");
	assert_interpolated(f, "'${NONE:-{\"a\":1}}'", "\"{\\\"a\\\":1}\"");
	assert_interpolated(f, "'${X:-{\"a\":1}}'", "\"ex\"");
	assert_interpolated(f, "\"$$X\"", "\"$$X\"");
	assert_interpolated(f, "${NONE:-$$X}", "\"$$X\"");
	assert_interpolated(f, "$$$X", "\"$$ex\"");
	assert_interpolated(f, "100$", "\"100$$\"");
	assert_interpolated(f, "\"$1 $-\"", "\"$$1 $$-\"");
	assert_interpolated(f, "$DOLLAR", "\"a$$b\"");
	/* A value never becomes structure. */
	assert_interpolated(f, "$LINES", "\"a\\nb: c\"");
	/* A value is a string, as it is to Compose. */
	assert_interpolated(f, "$NUMBER", "\"8080\"");
	assert_interpolated(f, "$TRUTH", "\"true\"");
}

static void
variables_that_cannot_be_read_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_not_interpolated(f, "${X", "without '}'");
	assert_not_interpolated(f, "${}", "without a variable's name");
	assert_not_interpolated(f, "${1}", "without a variable's name");
	assert_not_interpolated(f, "${X!y}", "not valid");
	assert_not_interpolated(f, "${X.y}", "not valid");
	assert_not_interpolated(f, "${X:}", "not valid");
	assert_not_interpolated(
	    f, "${NONE:?set it}", "variable 'NONE' is required: set it");
	assert_not_interpolated(f, "${NONE?}", "variable 'NONE' is required");
	assert_not_interpolated(
	    f, "${EMPTY:?not empty}", "variable 'EMPTY' is required");
}

static void
defaults_cannot_nest_without_end(void **state)
{
	struct fixture *f = *state;
	struct buffer text = BUFFER(64 * 1024);
	int i;

	buffer_text(&text, "services: {app: {image: n, hostname: \"");
	for (i = 0; i < 5000; i++)
		buffer_text(&text, "${N:-");
	for (i = 0; i < 5000; i++)
		buffer_text(&text, "}");
	buffer_text(&text, "\"}}\n");
	assert_int_equal(parse(f, buffer_string(&text)), 0);
	assert_int_equal(
	    document_interpolate(f->document, NULL, 0, &f->err), -1);
	assert_non_null(strstr(f->err.message, "deeper than 32"));
	buffer_clear(&text);
}

static void
variables_without_a_value_are_passed_on(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(
	    normalised(f, "services:\n"
			  "  a:\n"
			  "    image: n\n"
			  "    environment: [X, NONE, Y=1]\n"
			  "  b:\n"
			  "    build: {context: ., args: {X: , NONE: }}\n"
			  "    environment: {X: , NONE: }\n"),
	    "services:\n"
	    "  a:\n"
	    "    image: n\n"
	    "    environment:\n"
	    "      - \"X=ex\"\n"
	    "      - NONE\n"
	    "      - Y=1\n"
	    "  b:\n"
	    "    build:\n"
	    "      context: .\n"
	    "      args:\n"
	    "        X: \"ex\"\n"
	    "        NONE: null\n"
	    "    environment:\n"
	    "      X: \"ex\"\n"
	    "      NONE: null\n");
}

static void
services_are_listed_in_the_files_order(void **state)
{
	struct fixture *f = *state;
	const struct compose_service *services;
	size_t count;

	assert_int_equal(parse(f, "services:\n"
				  "  zebra: {image: z:1}\n"
				  "  web:\n"
				  "    build: .\n"
				  "    ports:\n"
				  "      - 127.0.0.1:8080:80/tcp\n"
				  "      - {target: 443, published: 8443}\n"
				  "      - {target: 9}\n"
				  "    expose: [90]\n"
				  "    networks: {proxy: , default: }\n"
				  "  copy: {extends: {service: zebra}}\n"),
	    0);
	services = document_services(f->document, &count);
	assert_int_equal(count, 3);
	assert_string_equal(services[0].name, "zebra");
	assert_string_equal(services[0].image, "z:1");
	assert_false(services[0].has_build);
	assert_int_equal(services[0].port_count, 0);
	assert_int_equal(services[0].container_port, 0);
	assert_string_equal(services[1].image, "");
	assert_true(services[1].has_build);
	assert_int_equal(services[1].port_count, 4);
	assert_string_equal(services[1].ports[0], "127.0.0.1:8080:80/tcp");
	assert_string_equal(services[1].ports[1], "8443:443");
	assert_string_equal(services[1].ports[2], "9");
	assert_string_equal(services[1].ports[3], "90");
	assert_int_equal(services[1].container_port, 80);
	assert_int_equal(services[1].network_count, 2);
	assert_string_equal(services[1].networks[0], "proxy");
	assert_string_equal(services[2].image, "z:1");
	assert_string_equal(document_primary_service(f->document)->name, "web");
}

static void
assert_primary(struct fixture *f, const char *text, const char *expected)
{
	assert_int_equal(parse(f, text), 0);
	assert_string_equal(
	    document_primary_service(f->document)->name, expected);
}

static void
the_primary_service_answers_for_the_deployment(void **state)
{
	struct fixture *f = *state;

	assert_primary(f, "services: {x: {image: n}}", "x");
	assert_primary(f,
	    "services: {a: {image: n, ports: [1]}, app: {image: n, ports: "
	    "[2]}}",
	    "app");
	assert_primary(
	    f, "services: {app: {image: n}, b: {image: n, expose: [1]}}", "b");
	assert_primary(f, "services: {q: {image: n}, app: {image: n}}", "q");
	assert_int_equal(parse(f, "services: {}"), 0);
	assert_null(document_primary_service(f->document));
	assert_int_equal(parse(f, "services: [x]"), 0);
	assert_null(document_primary_service(f->document));
}

static const char *
named(struct fixture *f, const char *text, const char *deployment)
{
	buffer_truncate(&f->out, 0);
	assert_int_equal(parse(f, text), 0);
	assert_int_equal(
	    document_name_containers(f->document, deployment, &f->out, &f->err),
	    0);
	return buffer_string(&f->out);
}

static void
containers_are_named_and_all_else_stays(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(named(f,
				"# head\n"
				"services:\n"
				"     app: # the site\n"
				"\n"
				"       # its image\n"
				"       image: nginx   # trailing\n"
				"       ports: [80]\n"
				"     db:\n"
				"            image: postgres\n"
				"     named:\n"
				"       container_name: mine\n"
				"       image: x\n"
				"volumes:\n"
				"  v:",
				"blog"),
	    "# head\n"
	    "services:\n"
	    "     app: # the site\n"
	    "\n"
	    "       # its image\n"
	    "       container_name: blog\n"
	    "       image: nginx   # trailing\n"
	    "       ports: [80]\n"
	    "     db:\n"
	    "            container_name: blog-db\n"
	    "            image: postgres\n"
	    "     named:\n"
	    "       container_name: mine\n"
	    "       image: x\n"
	    "volumes:\n"
	    "  v:");
}

static void
line_ends_of_windows_stay(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(
	    named(f, "services:\r\n  app:\r\n    image: n\r\n", "123"),
	    "services:\r\n  app:\r\n    container_name: \"123\"\r\n"
	    "    image: n\r\n");
}

static void
names_of_several_bytes_do_not_move_the_place(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(
	    named(f,
		"# \xc3\xa9\xe2\x82\xac\nx-t: \"\xc3\xa9\"\nservices:\n"
		"  app:\n    image: n\n",
		"blog"),
	    "# \xc3\xa9\xe2\x82\xac\nx-t: \"\xc3\xa9\"\nservices:\n"
	    "  app:\n    container_name: blog\n    image: n\n");
}

static void
assert_not_named(struct fixture *f, const char *text)
{
	assert_string_equal(named(f, text, "blog"), text);
}

static void
services_that_a_line_could_not_name_are_left_alone(void **state)
{
	struct fixture *f = *state;

	assert_not_named(f, "services:\n  app: {image: n}\n");
	assert_not_named(f, "services: {app: {image: n}}\n");
	assert_not_named(f, "services:\n  app:\n    image: n\n    scale: 2\n");
	assert_not_named(f, "services:\n  app:\n    image: n\n    deploy:\n"
			    "      replicas: ${N}\n");
	/* Whose name would appear in two places. */
	assert_not_named(f, "x-a: &a\n  image: n\nservices:\n  app: *a\n");
	assert_not_named(f,
	    "x-a: &a\n  image: n\n  container_name: c\nservices:\n"
	    "  app:\n    <<: *a\n    tty: true\n");
	assert_not_named(
	    f, "x-s: &s\n  app:\n    image: n\nservices:\n  <<: *s\n");
	assert_not_named(f, "services: &s\n  app:\n    image: n\nx-s: *s\n");
	/* One letter is no container's name. */
	assert_string_equal(named(f, "services:\n  app:\n    image: n\n", "b"),
	    "services:\n  app:\n    image: n\n");
}

static void
merging_services_are_named_and_merged_ones_are_not(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(named(f,
				"services:\n"
				"  app: &app\n"
				"    image: n\n"
				"  worker:\n"
				"    <<: *app\n"
				"    command: work\n"
				"  alone: &unused\n"
				"    image: n\n",
				"blog"),
	    "services:\n"
	    "  app: &app\n"
	    "    image: n\n"
	    "  worker:\n"
	    "    container_name: blog-worker\n"
	    "    <<: *app\n"
	    "    command: work\n"
	    "  alone: &unused\n"
	    "    image: n\n");
	assert_int_equal(parse(f, buffer_string(&f->out)), 0);
}

static void
anchors_and_tags_keep_their_mapping(void **state)
{
	struct fixture *f = *state;

	assert_not_named(f, "services:\n  app:\n    &a\n    image: n\n");
	assert_not_named(f, "services:\n  app:\n    !!map\n    image: n\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
		TEST(what_two_readers_could_read_differently_is_refused),
		TEST(syntax_errors_say_line_and_column),
		TEST(aliases_that_contain_themselves_are_refused),
		TEST(limits_hold),
		TEST(depth_64_is_read_and_65_is_not),
		TEST(aliases_cannot_nest_deeper_than_64),
		TEST(bombs_are_refused_at_once),
		TEST(the_largest_documents_are_bounded),
		TEST(many_keys_are_compared_quickly),
		TEST(merge_keys_are_merged_and_own_keys_win),
		TEST(normalised_text_needs_no_further_reading),
		TEST(variables_are_read_as_the_specification_says),
		TEST(variables_that_cannot_be_read_are_refused),
		TEST(defaults_cannot_nest_without_end),
		TEST(variables_without_a_value_are_passed_on),
		TEST(services_are_listed_in_the_files_order),
		TEST(the_primary_service_answers_for_the_deployment),
		TEST(containers_are_named_and_all_else_stays),
		TEST(line_ends_of_windows_stay),
		TEST(names_of_several_bytes_do_not_move_the_place),
		TEST(services_that_a_line_could_not_name_are_left_alone),
		TEST(merging_services_are_named_and_merged_ones_are_not),
		TEST(anchors_and_tags_keep_their_mapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

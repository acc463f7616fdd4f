/* multipart/form-data, in whatever pieces it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "http/multipart.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
	struct arena arena;
	const char *body;
	size_t length, piece; /* as many bytes are given at a time */
	struct error err;
};

static int
set_up(void **state)
{
	*state = xcalloc(1, sizeof(struct fixture));
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	arena_clear(&f->arena);
	free(f);
	return 0;
}

static int
give(
    void *context, char *bytes, size_t size, size_t *out_got, struct error *err)
{
	struct fixture *f = context;

	(void)err;
	*out_got = f->length < f->piece ? f->length : f->piece;
	if (*out_got > size)
		*out_got = size;
	memcpy(bytes, f->body, *out_got);
	f->body += *out_got;
	f->length -= *out_got;
	return 0;
}

/* "name(filename)=content;" of each part; NULL when it was refused. */
static const char *
parse(struct fixture *f, const char *type, const char *body, size_t length)
{
	auto_buffer struct buffer out = BUFFER(1024UL * 1024);
	struct multipart_part part;
	struct multipart *multipart;
	char chunk[1000];
	size_t got;
	bool found;

	f->body = body;
	f->length = length;
	if (multipart_open(type, give, f, &f->arena, &multipart, &f->err) < 0)
		return NULL;
	for (;;) {
		if (multipart_next(multipart, &part, &found, &f->err) < 0)
			return NULL;
		if (!found)
			return arena_strdup(&f->arena, buffer_string(&out));
		buffer_printf(&out, "%s(%s)=", part.name,
		    part.filename ? part.filename : "-");
		do {
			if (multipart_read(multipart, chunk, sizeof chunk, &got,
				&f->err) < 0)
				return NULL;
			buffer_append(&out, chunk, got);
		} while (got > 0);
		buffer_char(&out, ';');
	}
}

#define TYPE "multipart/form-data; boundary=xyz"
#define HEAD(rest) "Content-Disposition: form-data; " rest "\r\n\r\n"

static void
parts_come_whole_in_pieces_of_any_size(void **state)
{
	static const char body[] = "preamble\r\n--xyz  \r\n" HEAD(
	    "name=\"a\"") "one\r\n"
			  "--xyz\r\nX-Other: 1\r\ncontent-disposition: "
			  "form-data; "
			  "name=file; "
			  "filename=\"b;\\\"c.txt\"\r\nContent-Type: "
			  "a/b\r\n\r\n"
			  "\r\n--xy\r\n-\r\n--xy!\r\n--xyz\r\n" HEAD(
			      "name=\"empty\"") "\r\n--xyz--\r\nepilogue";
	struct fixture *f = *state;

	for (f->piece = 1; f->piece < sizeof body + 1; f->piece++)
		assert_string_equal(parse(f, TYPE, body, sizeof body - 1),
		    "a(-)=one;file(b;\"c.txt)=\r\n--xy\r\n-\r\n--xy!;"
		    "empty(-)=;");
}

static void
a_large_part_is_not_kept(void **state)
{
	struct fixture *f = *state;
	static const char begin[] = "--xyz\r\n" HEAD("name=\"f\"");
	size_t length = 300000, head = sizeof begin - 1, i;
	char *body = xmalloc(length + 200);
	const char *parsed;

	memcpy(body, begin, head);
	for (i = 0; i < length; i++)
		body[head + i] = "\r\n--xyz"[i % 6];
	memcpy(body + head + length, "\r\n--xyz--", 10);
	f->piece = 16384;
	parsed = parse(f, TYPE, body, strlen(body));
	assert_non_null(parsed);
	assert_int_equal(strlen(parsed), strlen("f(-)=;") + length);
	assert_memory_equal(parsed + strlen("f(-)="), body + head, length);
	free(body);
}

static void
names_are_as_clients_write_them(void **state)
{
	static const struct {
		const char *head, *wanted;
	} cases[] = {
		{ HEAD("name=\"a b\"; filename=\"x\""), "a b(x)=;" },
		{ HEAD("filename=\"name=q\"; name=\"n\""), "n(name=q)=;" },
		{ HEAD("filename=\"a; name=q\"; name=\"n\""),
		    "n(a; name=q)=;" },
		{ HEAD("NAME=n; FileName=f"), "n(f)=;" },
		{ HEAD("name=\"n\"; filename=\"C:\\x\\y\""), "n(C:\\x\\y)=;" },
		{ HEAD("name=\"n\"; filename*=UTF-8''x"), "n(-)=;" },
		{ HEAD("name=\"n"), "(-)=;" },
		{ HEAD("x"), "(-)=;" },
		{ "\r\n", "(-)=;" },
	};
	struct fixture *f = *state;
	size_t i;

	f->piece = 100;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *body = arena_printf(
		    &f->arena, "--xyz\r\n%s\r\n--xyz--", cases[i].head);
		const char *parsed = parse(f, TYPE, body, strlen(body));

		if (parsed == NULL || strcmp(parsed, cases[i].wanted) != 0)
			fail_msg("%s: %s", cases[i].head,
			    parsed ? parsed : f->err.message);
	}
}

static void
what_is_none_is_refused(void **state)
{
	static const char *const bodies[] = { "", "--xyz", "--xyz\r\n",
		"--xyz\r\n" HEAD("name=a") "x", "--xyz\r\n" HEAD("name=a"),
		"--xyz\r\n" HEAD("name=a") "x\r\n--xyz",
		"--xyz\r\n" HEAD("name=a") "x\r\n--xyz-",
		"--xyzz\r\n" HEAD("name=a") "x\r\n--xyz--",
		"--xyz\n" HEAD("name=a") "x\r\n--xyz--", "xyz--",
		"--xyz\r\nContent" };
	static const char *const types[] = { "multipart/form-data",
		"multipart/form-data; boundary=",
		"multipart/form-data; boundary=\"\"",
		"multipart/form-data; boundary=\"x",
		"multipart/form-data; boundary=a\x01",
		"multipart/form-data; xboundary=a",
		"multipart/form-data; boundary=\"a \"",
		"multipart/form-data; boundary="
		"0123456789012345678901234567890123456789"
		"0123456789012345678901234567890" };
	struct fixture *f = *state;
	size_t i;

	f->piece = 3;
	for (i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		if (parse(f, TYPE, bodies[i], strlen(bodies[i])) != NULL)
			fail_msg("%s", bodies[i]);
		assert_string_equal(error_code(&f->err), "INVALID_MULTIPART");
	}
	for (i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (parse(f, types[i], "--a--", 5) != NULL)
			fail_msg("%s", types[i]);
		assert_string_equal(error_code(&f->err), "INVALID_MULTIPART");
	}
}

static void
heads_and_parts_have_limits(void **state)
{
	struct fixture *f = *state;
	char *body = xmalloc(20000);
	size_t length = 0;
	int i;

	f->piece = 4096;
	memcpy(body, "--xyz\r\nX: ", 10);
	memset(body + 10, 'x', 19990);
	assert_null(parse(f, TYPE, body, 20000));
	assert_string_equal(error_code(&f->err), "INVALID_MULTIPART");
	for (i = 0; i <= MULTIPART_PARTS_MAXIMUM; i++) {
		memcpy(body + length, "--xyz\r\n\r\n\r\n", 11);
		length += 11;
	}
	memcpy(body + length, "--xyz--", 7);
	assert_null(parse(f, TYPE, body, length + 7));
	assert_non_null(parse(f, TYPE, body + 11, length + 7 - 11));
	free(body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(parts_come_whole_in_pieces_of_any_size),
		TEST(a_large_part_is_not_kept),
		TEST(names_are_as_clients_write_them),
		TEST(what_is_none_is_refused),
		TEST(heads_and_parts_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tokens: ours, and every way to make one up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/token.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW 1800000000
#define SECRET "0123456789abcdef0123456789abcdef"

static const struct token_key right_key = {
	.bytes = (const unsigned char *)SECRET,
	.length = sizeof SECRET - 1,
};

static const char right_header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";
static const char right_claims[] =
    "{\"iss\":\"flatrun-agent\",\"sub\":\"0123456789ab\","
    "\"username\":\"ci\",\"iat\":1799999000,\"nbf\":1799999000,"
    "\"exp\":1800003600}";

struct fixture {
	struct arena arena;
	struct token_claims claims;
	struct error err;
};

static int
set_up(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
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

/* RFC 7515: base64url without padding. */
static char *
encode(struct fixture *f, const void *bytes, size_t length)
{
	char *text = arena_alloc(&f->arena, length * 4 / 3 + 8), *at;

	EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
	for (at = text; *at != '\0'; at++) {
		if (*at == '+')
			*at = '-';
		else if (*at == '/')
			*at = '_';
		else if (*at == '=')
			*at = '\0';
	}
	return text;
}

static const char *
sign_with(struct fixture *f, const char *header, const char *claims,
    const EVP_MD *digest, const void *key, size_t key_length)
{
	const char *signed_part =
	    arena_printf(&f->arena, "%s.%s", encode(f, header, strlen(header)),
		encode(f, claims, strlen(claims)));
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned int size;

	assert_non_null(HMAC(digest, key, (int)key_length,
	    (const unsigned char *)signed_part, strlen(signed_part), mac,
	    &size));
	return arena_printf(
	    &f->arena, "%s.%s", signed_part, encode(f, mac, size));
}

static const char *
sign(struct fixture *f, const char *header, const char *claims)
{
	return sign_with(
	    f, header, claims, EVP_sha256(), right_key.bytes, right_key.length);
}

static int
verify(struct fixture *f, const char *token)
{
	memset(&f->err, 0, sizeof f->err);
	return token_verify(
	    &right_key, token, NOW, &f->arena, &f->claims, &f->err);
}

/* Refused with the one message that there is. */
static void
assert_refused(struct fixture *f, const char *token)
{
	if (verify(f, token) == 0)
		fail_msg("accepted: %s", token);
	assert_int_equal(f->err.kind, ERR_UNAUTHENTICATED);
	assert_string_equal(error_code(&f->err), "UNAUTHORIZED");
	assert_string_equal(f->err.message, "Invalid or expired token");
}

static void
assert_expired(struct fixture *f, const char *token)
{
	assert_int_equal(verify(f, token), -1);
	assert_int_equal(f->err.kind, ERR_UNAUTHENTICATED);
	assert_string_equal(error_code(&f->err), "TOKEN_EXPIRED");
	assert_string_equal(f->err.message, "Invalid or expired token");
}

/* The right claims with one in another way: "exp":"…", say. */
static const char *
with_claim(struct fixture *f, const char *name, const char *member)
{
	static const char *const members[] = { "\"iss\":\"flatrun-agent\"",
		"\"sub\":\"0123456789ab\"", "\"username\":\"ci\"",
		"\"iat\":1799999000", "\"nbf\":1799999000",
		"\"exp\":1800003600" };
	const char *claims = "{\"other\":[1]";
	size_t i;

	for (i = 0; i < sizeof members / sizeof members[0]; i++) {
		bool same = strncmp(members[i] + 1, name, strlen(name)) == 0;

		if (same && member == NULL)
			continue;
		claims = arena_printf(
		    &f->arena, "%s,%s", claims, same ? member : members[i]);
	}
	return sign(f, right_header, arena_printf(&f->arena, "%s}", claims));
}

static void
a_token_of_ours_says_whose_it_is(void **state)
{
	struct fixture *f = *state;
	struct token_claims claims = { .key_id = "0123456789ab",
		.username = "CI \"\xC3\xA4\"",
		.issued_at = NOW,
		.expires_at = NOW + 60 };
	const char *token;

	assert_int_equal(
	    token_issue(&right_key, &claims, &f->arena, &token, &f->err), 0);
	assert_int_equal(verify(f, token), 0);
	assert_string_equal(f->claims.key_id, "0123456789ab");
	assert_string_equal(f->claims.username, "CI \"\xC3\xA4\"");
	assert_int_equal(f->claims.issued_at, NOW);
	assert_int_equal(f->claims.expires_at, NOW + 60);
	/* And the ones made below by hand are right but for what they say. */
	assert_int_equal(verify(f, sign(f, right_header, right_claims)), 0);
	assert_int_equal(verify(f, with_claim(f, "none", NULL)), 0);
}

static void
the_algorithm_none_is_refused_however_it_is_spelled(void **state)
{
	static const char *const names[] = { "none", "None", "NONE", "nOnE",
		"none ", "", "null" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *header = arena_printf(
		    &f->arena, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", names[i]);
		const char *unsigned_token = arena_printf(&f->arena, "%s.%s",
		    encode(f, header, strlen(header)),
		    encode(f, right_claims, strlen(right_claims)));

		assert_refused(f, unsigned_token);
		assert_refused(
		    f, arena_printf(&f->arena, "%s.", unsigned_token));
		assert_refused(
		    f, arena_printf(&f->arena, "%s.AAAA", unsigned_token));
		assert_refused(f, sign(f, header, right_claims));
		assert_refused(
		    f, sign_with(f, header, right_claims, EVP_sha256(), "", 0));
	}
}

static void
other_algorithms_are_refused_even_with_the_right_key(void **state)
{
	static const char *const names[] = { "HS384", "HS512", "RS256", "RS512",
		"ES256", "PS256", "EdDSA", "HS257", "HS256,none", "SHA256" };
	static const char *const headers[] = { "{}", "{\"typ\":\"JWT\"}",
		"{\"alg\":null}", "{\"alg\":256}", "{\"alg\":[\"HS256\"]}",
		"{\"alg\":{\"x\":\"HS256\"}}", "{\"alg\":true}", "[]", "null",
		"\"HS256\"", "x", "{", "{\"alg\":\"HS256\"" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *header = arena_printf(
		    &f->arena, "{\"alg\":\"%s\",\"typ\":\"JWT\"}", names[i]);

		assert_refused(f, sign(f, header, right_claims));
		assert_refused(
		    f, sign_with(f, header, right_claims, EVP_sha384(),
			   right_key.bytes, right_key.length));
		assert_refused(
		    f, sign_with(f, header, right_claims, EVP_sha512(),
			   right_key.bytes, right_key.length));
	}
	for (i = 0; i < sizeof headers / sizeof headers[0]; i++)
		assert_refused(f, sign(f, headers[i], right_claims));
}

static void
other_secrets_are_refused(void **state)
{
	static const char *const secrets[] = { "", "secret", "changeme",
		"0123456789abcdef0123456789abcde",
		"0123456789abcdef0123456789abcdef0",
		"0123456789ABCDEF0123456789ABCDEF",
		"fedcba9876543210fedcba9876543210" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
		assert_refused(
		    f, sign_with(f, right_header, right_claims, EVP_sha256(),
			   secrets[i], strlen(secrets[i])));
}

static void
a_token_that_was_changed_is_refused(void **state)
{
	struct fixture *f = *state;
	const char *token = sign(f, right_header, right_claims);
	const char *other = with_claim(f, "sub", "\"sub\":\"ba9876543210\"");
	size_t head = strcspn(token, "."), i;
	size_t tail = (size_t)(strrchr(token, '.') - token);
	char *changed = arena_strdup(&f->arena, token);

	/* Claims of one, signature of another. */
	assert_refused(
	    f, arena_printf(&f->arena, "%.*s%s",
		   (int)(strrchr(other, '.') - other), other, token + tail));
	/*
	 * Every character counts. Of the last one of a part only the upper
	 * bits do: another spelling of the same bytes is no forgery.
	 */
	for (i = 0; token[i] != '\0'; i++) {
		if (token[i] == '.' || token[i + 1] == '.' ||
		    token[i + 1] == '\0')
			continue;
		changed[i] = token[i] == 'A' ? 'B' : 'A';
		assert_refused(f, changed);
		changed[i] = token[i];
	}
	for (i = 0; i < strlen(token); i++)
		assert_refused(
		    f, arena_printf(&f->arena, "%.*s", (int)i, token));
	assert_int_equal(verify(f, changed), 0);
	assert_true(head < tail);
}

static void
headers_that_bring_their_own_key_are_refused(void **state)
{
	static const char *const members[] = { "\"kid\":\"../../dev/null\"",
		"\"kid\":\"' UNION SELECT ''\"",
		"\"jku\":\"http://attacker/keys\"",
		"\"x5u\":\"http://attacker/keys\"",
		"\"jwk\":{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof members / sizeof members[0]; i++)
		assert_refused(
		    f, sign_with(f,
			   arena_printf(&f->arena,
			       "{\"alg\":\"HS256\",\"typ\":\"JWT\",%s}",
			       members[i]),
			   right_claims, EVP_sha256(), "secret", 6));
}

static void
extensions_that_must_be_understood_are_refused(void **state)
{
	struct fixture *f = *state;

	assert_refused(
	    f, sign(f,
		   "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"crit\":[\"b64\"],"
		   "\"b64\":false}",
		   right_claims));
	assert_refused(
	    f, sign(f, "{\"alg\":\"HS256\",\"crit\":[]}", right_claims));
}

static void
what_has_not_three_parts_is_refused(void **state)
{
	struct fixture *f = *state;
	const char *token = sign(f, right_header, right_claims);
	static const char *const texts[] = { "", ".", "..", "...", "a", "a.b",
		"a.b.c", "a.b.c.d", "a..c", ".b.c", "a.b.", "a b.c.d",
		"\xFF.\xFF.\xFF", "Bearer a.b.c", "{}.{}.{}" };
	size_t i;

	for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_refused(f, texts[i]);
	assert_refused(f, arena_printf(&f->arena, "%s.", token));
	assert_refused(f, arena_printf(&f->arena, ".%s", token));
	assert_refused(f, arena_printf(&f->arena, "%s.AAAA", token));
	assert_refused(f, arena_printf(&f->arena, "%s=", token));
	assert_refused(f, arena_printf(&f->arena, "%s ", token));
	assert_refused(f, arena_printf(&f->arena, " %s", token));
	assert_refused(f, arena_printf(&f->arena, "%s\n", token));
	assert_refused(f, arena_printf(&f->arena, "%s+", token));
}

static void
a_token_over_4096_bytes_is_refused(void **state)
{
	struct fixture *f = *state;
	char *padding = arena_alloc(&f->arena, 5001);
	const char *member;

	memset(padding, 'x', 5000);
	member = arena_printf(&f->arena, "\"username\":\"%.1000s\"", padding);
	assert_int_equal(verify(f, with_claim(f, "username", member)), 0);
	member = arena_printf(&f->arena, "\"username\":\"%.3200s\"", padding);
	assert_refused(f, with_claim(f, "username", member));
}

static void
an_expiry_is_an_integer_and_must_be_there(void **state)
{
	static const char *const members[] = { "\"exp\":\"1800003600\"",
		"\"exp\":1800003600.5", "\"exp\":1800003600.0", "\"exp\":1.8e9",
		"\"exp\":true", "\"exp\":null", "\"exp\":[]", "\"exp\":{}",
		"\"exp\":-1", "\"exp\":\"never\"",
		"\"exp\":99999999999999999999", "\"exp\":1e400",
		"\"exp\":9223372036854775807", "\"EXP\":1800003600" };
	struct fixture *f = *state;
	size_t i;

	assert_refused(f, with_claim(f, "exp", NULL));
	for (i = 0; i < sizeof members / sizeof members[0]; i++)
		assert_refused(f, with_claim(f, "exp", members[i]));
}

static void
a_token_whose_time_is_over_says_so(void **state)
{
	struct fixture *f = *state;

	assert_expired(f, with_claim(f, "exp", "\"exp\":0"));
	assert_expired(f, with_claim(f, "exp", "\"exp\":1"));
	assert_expired(f, with_claim(f, "exp", "\"exp\":1799999500"));
	/* Sixty seconds of another clock are forgiven, not sixty-one. */
	assert_expired(f, with_claim(f, "exp", "\"exp\":1799999940"));
	assert_int_equal(
	    verify(f, with_claim(f, "exp", "\"exp\":1799999941")), 0);
	assert_int_equal(
	    verify(f, with_claim(f, "exp", "\"exp\":999999999999999")), 0);
	/* Who cannot sign learns nothing. */
	assert_refused(
	    f, sign_with(f, right_header,
		   "{\"iss\":\"flatrun-agent\",\"sub\":\"0123456789ab\","
		   "\"username\":\"ci\",\"iat\":1,\"nbf\":1,\"exp\":2}",
		   EVP_sha256(), "secret", 6));
}

static void
a_token_from_the_future_is_refused(void **state)
{
	static const char *const names[] = { "nbf", "iat" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < 2; i++) {
		const char *early =
		    arena_printf(&f->arena, "\"%s\":1800000061", names[i]);
		const char *forgiven =
		    arena_printf(&f->arena, "\"%s\":1800000060", names[i]);

		assert_refused(f, with_claim(f, names[i], early));
		assert_int_equal(
		    verify(f, with_claim(f, names[i], forgiven)), 0);
		assert_refused(f, with_claim(f, names[i], NULL));
		assert_refused(
		    f, with_claim(f, names[i],
			   arena_printf(&f->arena, "\"%s\":\"1\"", names[i])));
	}
}

static void
claims_of_others_are_refused(void **state)
{
	static const struct {
		const char *name, *member;
	} cases[] = {
		{ "iss", NULL },
		{ "iss", "\"iss\":\"other\"" },
		{ "iss", "\"iss\":\"flatrun-agent2\"" },
		{ "iss", "\"iss\":1" },
		{ "iss", "\"iss\":[\"flatrun-agent\"]" },
		{ "sub", NULL },
		{ "sub", "\"sub\":1" },
		{ "sub", "\"sub\":null" },
		{ "username", NULL },
		{ "username", "\"username\":{}" },
	};
	static const char *const claims[] = { "{}", "[]", "null", "1", "x", "",
		"\"x\"", "{\"iss\":\"flatrun-agent\"" };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_refused(
		    f, with_claim(f, cases[i].name, cases[i].member));
	for (i = 0; i < sizeof claims / sizeof claims[0]; i++)
		assert_refused(f, sign(f, right_header, claims[i]));
}

/* With no key libjwt would take any token, and make unsigned ones. */
static void
without_a_good_key_nothing_is_issued_or_accepted(void **state)
{
	struct fixture *f = *state;
	struct token_claims claims = { .key_id = "0123456789ab",
		.username = "ci",
		.issued_at = NOW,
		.expires_at = NOW + 60 };
	const struct token_key keys[] = { { NULL, 0 }, { right_key.bytes, 0 },
		{ right_key.bytes, 31 } };
	const char *token = NULL;
	size_t i;

	for (i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		assert_int_equal(
		    token_issue(&keys[i], &claims, &f->arena, &token, &f->err),
		    -1);
		assert_null(token);
		assert_int_equal(token_verify(&keys[i],
				     sign_with(f, right_header, right_claims,
					 EVP_sha256(), SECRET, keys[i].length),
				     NOW, &f->arena, &f->claims, &f->err),
		    -1);
		assert_int_equal(token_verify(&keys[i],
				     "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.AAAA",
				     NOW, &f->arena, &f->claims, &f->err),
		    -1);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_token_of_ours_says_whose_it_is),
		TEST(the_algorithm_none_is_refused_however_it_is_spelled),
		TEST(other_algorithms_are_refused_even_with_the_right_key),
		TEST(other_secrets_are_refused),
		TEST(a_token_that_was_changed_is_refused),
		TEST(headers_that_bring_their_own_key_are_refused),
		TEST(extensions_that_must_be_understood_are_refused),
		TEST(what_has_not_three_parts_is_refused),
		TEST(a_token_over_4096_bytes_is_refused),
		TEST(an_expiry_is_an_integer_and_must_be_there),
		TEST(a_token_whose_time_is_over_says_so),
		TEST(a_token_from_the_future_is_refused),
		TEST(claims_of_others_are_refused),
		TEST(without_a_good_key_nothing_is_issued_or_accepted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

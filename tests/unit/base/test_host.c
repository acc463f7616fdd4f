#include "base/host.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool
is_refused(const char *text)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return host_address_is_refused((struct sockaddr *)&v4);
	assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
	return host_address_is_refused((struct sockaddr *)&v6);
}

static void
addresses_that_serve_nobody_are_refused(void **state)
{
	static const char *const refused[] = { "0.0.0.0", "0.1.2.3",
		"169.254.169.254", "169.254.0.1", "100.100.100.200",
		"168.63.129.16", "192.0.0.192", "224.0.0.1", "239.255.255.255",
		"240.0.0.1", "255.255.255.255", "::", "fe80::1", "febf::1",
		"ff02::1", "fd00:ec2::254", "::ffff:169.254.169.254",
		"::ffff:0.0.0.0", "::169.254.169.254", "64:ff9b::a9fe:a9fe",
		"2002:a9fe:a9fe::1" };
	static const char *const allowed[] = { "127.0.0.1", "10.0.0.1",
		"192.168.1.1", "1.1.1.1", "168.63.129.17", "169.253.255.255",
		"169.255.0.0", "223.255.255.255", "::1", "2001:db8::1",
		"fd00::1", "fec0::1", "::ffff:127.0.0.1", "64:ff9b::101:101" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (!is_refused(refused[i]))
			fail_msg("%s", refused[i]);
	for (i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
		if (is_refused(allowed[i]))
			fail_msg("%s", allowed[i]);
}

static void
hosts_are_judged_by_their_addresses(void **state)
{
	static const char *const refused[] = { "169.254.169.254",
		"169.254.169.254:5000", "[fe80::1]:5000", "[::]", "fe80::1",
		"0:80", "2852039166:80" };
	static const char *const allowed[] = { "127.0.0.1", "127.0.0.1:5000",
		"localhost:5000", "[::1]:5000", "no-such-host.invalid" };
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		if (host_check(refused[i], &err) == 0)
			fail_msg("%s", refused[i]);
		assert_int_equal(err.kind, ERR_FORBIDDEN);
		assert_string_equal(err.code, "HOST_NOT_ALLOWED");
	}
	for (i = 0; i < sizeof allowed / sizeof allowed[0]; i++)
		if (host_check(allowed[i], &err) < 0)
			fail_msg("%s: %s", allowed[i], err.message);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_that_serve_nobody_are_refused),
		cmocka_unit_test(hosts_are_judged_by_their_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

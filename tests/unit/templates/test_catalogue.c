/* Every template that is installed, checked as the agent does and more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs the above */
#include <cmocka.h>

#include "compose/metadata.h"
#include "templates/templates.h"
#include "tests/unit/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPLICATIONS_MINIMUM 22

struct fixture {
	struct scratch scratch;
	struct compose *compose;
	struct arena arena;
	struct template_texts texts;
	struct template *templates;
	struct error err;
};

static int
setup(void **state)
{
	static const char *const none[] = { NULL };
	static const struct compose_policy policy = { none, none };
	struct fixture *f = xcalloc(1, sizeof *f);
	const char *source = getenv("top_srcdir");
	size_t i;

	scratch_make(&f->scratch);
	assert_int_equal(
	    compose_open(f->scratch.path, &policy, false, &f->compose, &f->err),
	    0);
	assert_int_equal(template_read_directory(
			     arena_printf(&f->arena, "%s/config/templates",
				 source != NULL ? source : "."),
			     &f->arena, &f->texts, &f->err),
	    0);
	f->templates =
	    arena_array(&f->arena, f->texts.count + 1, sizeof *f->templates);
	for (i = 0; i < f->texts.count; i++)
		if (template_check(&f->texts.texts[i], TEMPLATE_BUILTIN,
			f->compose, &f->arena, &f->templates[i], &f->err) < 0)
			fail_msg(
			    "%s: %s", f->texts.texts[i].id, f->err.message);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	compose_close(f->compose);
	scratch_remove(&f->scratch);
	arena_clear(&f->arena);
	free(f);
	return 0;
}

static const struct template *
find(const struct fixture *f, const char *id)
{
	size_t i;

	for (i = 0; i < f->texts.count; i++)
		if (strcmp(f->templates[i].id, id) == 0)
			return &f->templates[i];
	return NULL;
}

static void
the_product_s_templates_and_more_are_there(void **state)
{
	static const char *const ids[] = { "astro", "ghost", "laravel", "minio",
		"nextcloud", "nextjs", "node", "php", "static", "wordpress",
		"infra/mariadb", "infra/mysql", "infra/nginx", "infra/postgres",
		"infra/redis", NULL };
	const struct fixture *f = *state;
	size_t i, applications = 0;

	for (i = 0; ids[i] != NULL; i++)
		if (find(f, ids[i]) == NULL)
			fail_msg("%s is not there", ids[i]);
	for (i = 0; i < f->texts.count; i++)
		applications +=
		    strcmp(f->templates[i].type, TEMPLATE_INFRASTRUCTURE) != 0;
	assert_true(applications >= APPLICATIONS_MINIMUM);
}

static void
each_says_what_it_is(void **state)
{
	static const char categories[] =
	    " application framework runtime infrastructure database basic ";
	const struct fixture *f = *state;
	size_t i;

	for (i = 0; i < f->texts.count; i++) {
		const struct template *one = &f->templates[i];
		struct json_object *metadata = NULL;

		assert_non_null(f->texts.texts[i].metadata);
		assert_int_equal(json_parse_trusted(one->metadata,
				     strlen(one->metadata), &metadata, NULL),
		    0);
		if (strlen(json_text(metadata, "description")) < 10 ||
		    one->priority <= 0 ||
		    json_int(metadata, "container_port", 0) == 0 ||
		    strstr(categories, arena_printf((struct arena *)&f->arena,
					   " %s ", one->category)) == NULL)
			fail_msg("%s does not say what it is", one->id);
		json_object_put(metadata);
	}
}

/* "nginx:1.28.0-alpine": a number with a dot, or a release's date. */
static bool
is_pinned(const char *image)
{
	const char *slash = strrchr(image, '/');
	const char *tag = strchr(slash != NULL ? slash : image, ':');
	const char *digit = tag != NULL ? strpbrk(tag, "0123456789") : NULL;

	return digit != NULL && strpbrk(digit, ".-") != NULL &&
	       strstr(tag, "latest") == NULL;
}

static bool
has_item(struct json_object *service, const char *name)
{
	struct json_object *value = json_member(service, name);

	return value != NULL && *json_object_to_json_string(value) != '\0';
}

/* NULL, or what it lacks. */
static const char *
fault_of(struct json_object *service)
{
	struct json_object *healthcheck = json_member(service, "healthcheck");

	if (json_text(service, "image") == NULL ||
	    !is_pinned(json_text(service, "image")))
		return "has an image without a pinned tag";
	if (json_object_array_length(json_member(healthcheck, "test")) < 2 ||
	    !has_item(healthcheck, "interval") ||
	    !has_item(healthcheck, "timeout") ||
	    !has_item(healthcheck, "retries"))
		return "has no complete healthcheck";
	if (!has_item(service, "mem_limit") || !has_item(service, "cpus"))
		return "has no limits";
	if (json_text(service, "restart") == NULL ||
	    strcmp(json_text(service, "restart"), "unless-stopped") != 0)
		return "does not restart";
	if (has_item(service, "ports"))
		return "publishes a port that nobody asked for";
	return NULL;
}

static void
each_service_is_pinned_limited_and_watched(void **state)
{
	const struct fixture *f = *state;
	size_t i;

	for (i = 0; i < f->texts.count; i++) {
		struct json_object *root = NULL;
		struct error err;

		assert_int_equal(
		    metadata_parse(f->texts.texts[i].compose,
			strlen(f->texts.texts[i].compose), &root, &err),
		    0);
		json_object_object_foreach(
		    json_member(root, "services"), name, service)
		{
			const char *fault = fault_of(service);

			if (fault != NULL)
				fail_msg("%s: service '%s' %s",
				    f->texts.texts[i].id, name, fault);
		}
		json_object_put(root);
	}
}

/* Its mounts are what the text has, so that choosing none changes nothing. */
static void
the_plain_choice_is_the_text_itself(void **state)
{
	static const struct template_place place = { "example", "proxy" };
	static const struct template_choice choice = { 0 };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < f->texts.count; i++) {
		const char *plain, *generated;

		assert_int_equal(template_compose(&f->templates[i], &place,
				     &f->arena, &plain, &f->err),
		    0);
		if (template_generate(&f->templates[i], &place, &choice,
			&f->arena, &generated, &f->err) < 0)
			fail_msg("%s: %s", f->templates[i].id, f->err.message);
		if (strcmp(plain, generated) != 0)
			fail_msg("%s: its mounts are not those of its text",
			    f->templates[i].id);
	}
}

/* With a published port, and all mounts taken to be directories. */
static void
a_choice_gives_a_text_that_can_be_used(void **state)
{
	static const struct template_place place = { "example", "proxy" };
	static const struct compose_port port = { .host = 8080,
		.published = true };
	const struct template_choice choice = { .ports = &port,
		.port_count = 1 };
	struct fixture *f = *state;
	size_t i;

	for (i = 0; i < f->texts.count; i++) {
		struct template template = f->templates[i];

		if (template_generate(&f->templates[i], &place, &choice,
			&f->arena, &template.content, &f->err) < 0)
			fail_msg("%s: %s", f->templates[i].id, f->err.message);
		assert_non_null(strstr(template.content, "- \"8080:"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_product_s_templates_and_more_are_there),
		cmocka_unit_test(each_says_what_it_is),
		cmocka_unit_test(each_service_is_pinned_limited_and_watched),
		cmocka_unit_test(the_plain_choice_is_the_text_itself),
		cmocka_unit_test(a_choice_gives_a_text_that_can_be_used),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

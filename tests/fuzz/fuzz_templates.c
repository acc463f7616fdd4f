/*
 * A Compose text, a NUL and metadata.yml: a template that passes the check can
 * be used for any choice, and never writes outside its deployment.
 */
#include "templates/templates.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static struct compose *
open_compose(void)
{
	static const char *const none[] = { NULL };
	static const struct compose_policy policy = { none, none };
	static struct compose *compose;
	struct error err;

	if (compose == NULL &&
	    compose_open("/", &policy, false, &compose, &err) < 0)
		abort();
	return compose;
}

static void
check_files(const struct template *template, struct arena *arena)
{
	static const struct template_place place = { "blog", "front" };
	struct compose_variable *variables;
	struct compose_file *files;
	size_t count, file_count, i;
	struct error err;

	if (template_environment(template, &place, NULL, 0, arena, &variables,
		&count, &err) < 0 ||
	    template_files(template, &place, variables, count, arena, &files,
		&file_count, &err) < 0)
		abort();
	for (i = 0; i < file_count; i++)
		if (*files[i].path == '/' || strstr(files[i].path, "//") ||
		    strncmp(files[i].path, "../", 3) == 0 ||
		    strstr(files[i].path, "/../") != NULL)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const struct template_place place = { "blog", "front" };
	static const struct compose_port port = { .host = 1,
		.published = true };
	static const struct template_choice choice = {
		.ports = &port, .port_count = 1, .image = "other:1"
	};
	auto_arena struct arena arena = { 0 };
	struct template_text text = { .id = "demo" };
	struct template template;
	struct error err;
	const char *generated;

	text.compose = arena_strndup(&arena, (const char *)bytes, length);
	if (strlen(text.compose) < length)
		text.metadata = text.compose + strlen(text.compose) + 1;
	if (template_check(
		&text, "fuzz", open_compose(), &arena, &template, &err) < 0)
		return 0;
	check_files(&template, &arena);
	if (template_generate(
		&template, &place, &choice, &arena, &generated, &err) < 0 &&
	    err.kind == ERR_INTERNAL)
		abort();
	return 0;
}

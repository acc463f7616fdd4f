/* Any bytes as config.yml: a tree or an error with a line, soon. */
#include "settings/config-text.h"
#include "settings/settings-private.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void
ignore_warning(void *context, unsigned int line, const char *text)
{
	(void)context;
	assert(line > 0 && *text != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_arena struct arena arena = { 0 };
	struct settings settings = { 0 };
	struct settings_reader reader = { .path = "f",
		.home = "/h",
		.arena = &arena,
		.settings = &settings,
		.on_warning = ignore_warning };
	struct error err = { 0 };
	struct config_node *root = NULL;

	if (config_text_parse(
		"f", (const char *)bytes, size, &arena, &root, &err) == 0 &&
	    settings_read_tree(&reader, root, &err) == 0)
		return 0;
	assert(strncmp(err.message, "f:", 2) == 0);
	return 0;
}

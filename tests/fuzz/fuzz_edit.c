/*
 * Edits of Compose texts. Whatever the text: no crash, and an edit that is
 * done gives a document that has what was asked for, and the same edit once
 * more changes nothing. (That all else is the same the edit looks at itself.)
 */
#include "base/arena.h"
#include "compose/adapt.h"
#include "compose/document.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *const fragments[] = { "a", "- \"80:80\"\n- b # c\n",
	"A: 1\nB:\n  - c\n", "[a, {b: c}]", "|\n  text\n\n  more\n", NULL,
	"&x [a]\n", "*x", "null" };

/* The same edit again finds nothing to do. */
static void
set_twice(
    struct compose_edit *edit, const char *const *path, const char *fragment)
{
	const char *text;
	struct error err = { .code = "" };

	if (compose_edit_set(edit, path, fragment, &err) < 0) {
		if (err.message[0] == '\0')
			abort();
		return;
	}
	if (!compose_edit_has(edit, path))
		abort();
	text = edit->text;
	if (compose_edit_set(edit, path, fragment, &err) < 0 ||
	    edit->text != text)
		abort();
}

static void
edit_service(struct compose_edit *edit, const char *service, unsigned int what)
{
	static const char *const keys[] = { "image", "ports", "environment",
		"new", "volumes" };
	const char *key = keys[what % 5];
	const char *fragment = fragments[what / 5 % 9];
	const char *const path[] = { "services", service, key, NULL };
	struct compose_edit removed = *edit;
	struct error ignored;

	set_twice(edit, path, fragment);
	if (compose_edit_remove(&removed, path, &ignored) == 0 &&
	    compose_edit_has(&removed, path))
		abort();
}

/* What was added is there, and can be taken out again. */
static void
edit_mounts(struct compose_edit *edit)
{
	static const struct adapt_mount mount = {
		.id = "more", .is_volume = true, .container_path = "/more"
	};
	struct error err = { .code = "" };

	if (compose_adapt_mount(edit, NULL, &mount, &err) < 0) {
		if (err.message[0] == '\0')
			abort();
		return;
	}
	if (compose_adapt_mount(edit, NULL, &mount, &err) == 0 ||
	    strcmp(err.code, "ALREADY_MOUNTED") != 0)
		abort();
	if (compose_adapt_unmount(edit, NULL, "/more", &err) == 0 &&
	    compose_adapt_unmount(edit, NULL, "/more", &err) == 0)
		abort();
}

static void
adapt(struct compose_edit *edit)
{
	static const struct adapt_port ports[] = { { 80, "8080" },
		{ 81, NULL } };
	static const struct adapt_mount mounts[] = { { "data", true, true,
							 false, "/data" },
		{ "logs", false, false, false, NULL } };
	static const struct adapt_database database = { .type = "postgres",
		.password = "p$" };
	struct error ignored;

	compose_adapt_ports(edit, ports, 2, &ignored);
	compose_adapt_mounts(edit, mounts, 2, &ignored);
	compose_adapt_database(edit, &database, &ignored);
	compose_edit_rename_network(edit, "database", "other", &ignored);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena arena = { 0 };
	const struct compose_service *services;
	struct document *document;
	struct compose_edit edit = { .arena = &arena };
	struct error ignored;
	size_t count, i;
	unsigned int what;

	if (size < 1)
		return 0;
	what = data[0];
	edit.text = arena_strndup(&arena, (const char *)data + 1, size - 1);
	edit.length = size - 1;
	if (document_parse(
		edit.text, edit.length, &arena, &document, &ignored) < 0)
		return 0;
	services = document_services(document, &count);
	for (i = 0; i < count && i < 3; i++)
		edit_service(&edit, services[i].name, what + (unsigned int)i);
	edit_mounts(&edit);
	adapt(&edit);
	if (edit.length != strlen(edit.text) ||
	    (edit.text != NULL && document_parse(edit.text, edit.length, &arena,
				      &document, &ignored) < 0))
		abort();
	return 0;
}

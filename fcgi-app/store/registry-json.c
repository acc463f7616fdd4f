/* Credentials and kinds of registries as clients see them. */
#include "base/clock.h"
#include "store/credentials.h"

#include <string.h>

static void
put_time(struct json_object *object, const char *name, int64_t at_s)
{
	char text[CLOCK_TEXT_SIZE];

	json_put_text(object, name,
	    at_s != 0 ? clock_format_ms(at_s * 1000, text) : NULL);
}

struct json_object *
credential_to_json(const struct credential *credential)
{
	struct json_object *object = json_object_new_object();

	json_put_text(object, "id", credential->id);
	json_put_text(object, "name", credential->name);
	json_put_text(object, "registry_type_slug", credential->registry_type);
	json_put_text(object, "registry_url", credential->host);
	json_put_text(object, "username", credential->username);
	json_put_text(object, "email", credential->email);
	json_put_boolean(object, "is_default", credential->is_default);
	put_time(object, "created_at", credential->created_at);
	put_time(object, "updated_at", credential->updated_at);
	return object;
}

struct json_object *
registry_type_to_json(const struct registry_type *type)
{
	struct json_object *object = json_object_new_object();
	struct json_object *patterns = NULL;
	struct error ignored;

	json_parse_trusted(type->url_patterns, strlen(type->url_patterns),
	    &patterns, &ignored);
	json_put_text(object, "slug", type->slug);
	json_put_text(object, "name", type->name);
	json_put(object, "url_patterns",
	    patterns != NULL ? patterns : json_object_new_array());
	json_put_text(object, "auth_type", type->auth_type);
	json_put_text(object, "login_url", type->login_url);
	json_put_text(object, "docs_url", type->docs_url);
	json_put_text(object, "icon", type->icon);
	json_put_text(object, "source", type->is_builtin ? "builtin" : "local");
	json_put_boolean(object, "is_official", type->is_builtin);
	put_time(object, "created_at", type->created_at);
	put_time(object, "updated_at", type->updated_at);
	return object;
}

#include "http/route.h"

#include "base/buffer.h"

#include <limits.h>
#include <string.h>

/* More than any other path has: those win. */
#define WILDCARD_VARIABLES ((size_t)SEGMENT_MAXIMUM)

#define REST_MAXIMUM ((size_t)1024)

/* Whether the pattern matches; counts its ":name" segments. */
static bool
matches(const char *pattern, const struct request *request, size_t *variables)
{
	size_t i;

	*variables = 0;
	for (i = 0; i < request->segment_count; i++) {
		size_t size;

		if (*pattern++ != '/')
			return false;
		size = strcspn(pattern, "/");
		if (*pattern == '*') {
			*variables += WILDCARD_VARIABLES;
			return true;
		}
		if (*pattern == ':') {
			if (request->segments[i][0] == '\0')
				return false;
			++*variables;
		} else if (strlen(request->segments[i]) != size ||
			   memcmp(request->segments[i], pattern, size) != 0) {
			return false;
		}
		pattern += size;
	}
	return *pattern == '\0';
}

static void
add_parameter(
    struct request *request, const char *name, size_t length, const char *value)
{
	if (request->parameter_count < PARAMETER_MAXIMUM)
		request->parameters[request->parameter_count++] = (struct pair){
			.name = arena_strndup(request->arena, name, length),
			.value = value,
		};
}

/* The segments from number first on as a path. */
static int
join_path(
    struct request *request, size_t first, const char **out, struct error *err)
{
	auto_buffer struct buffer path = BUFFER(REST_MAXIMUM);
	size_t i;

	for (i = first; i < request->segment_count; i++) {
		const char *step = request->segments[i];

		if (*step == '\0' || strcmp(step, ".") == 0 ||
		    strcmp(step, "..") == 0 || strchr(step, '/') != NULL ||
		    strlen(step) > NAME_MAX)
			return error_field(err, "path", "UNSAFE_PATH",
			    "the path must be of plain names");
		if (i > first)
			buffer_char(&path, '/');
		buffer_text(&path, step);
	}
	if (path.overflowed)
		return error_field(
		    err, "path", "UNSAFE_PATH", "the path is too long");
	*out = arena_strdup(request->arena, buffer_string(&path));
	return 0;
}

static int
fill_parameters(struct request *request, struct error *err)
{
	const char *pattern = request->route->path, *path;
	size_t i;

	for (i = 0; i < request->segment_count; i++) {
		size_t size = strcspn(++pattern, "/");

		if (*pattern == '*') {
			if (join_path(request, i, &path, err) < 0)
				return -1;
			add_parameter(request, pattern + 1, size - 1, path);
			return 0;
		}
		if (*pattern == ':')
			add_parameter(request, pattern + 1, size - 1,
			    request->segments[i]);
		pattern += size;
	}
	return 0;
}

/* Adds the method unless a row before this one did. */
static void
add_method(struct buffer *allow, const char *method)
{
	if (strstr(buffer_string(allow), method) != NULL)
		return;
	if (allow->length > 0)
		buffer_text(allow, ", ");
	buffer_text(allow, method);
}

int
route_find(const struct route *const *tables, struct request *request,
    const char **out_allow, struct error *err)
{
	auto_buffer struct buffer allow = BUFFER(128);
	size_t fewest = SIZE_MAX, variables;
	const struct route *route;

	/* The most exact path first, whatever the method: then its methods. */
	for (; *tables != NULL; tables++) {
		for (route = *tables; route->method != NULL; route++) {
			if (!matches(route->path, request, &variables) ||
			    variables > fewest)
				continue;
			if (variables < fewest) {
				fewest = variables;
				request->route = NULL;
				buffer_truncate(&allow, 0);
			}
			add_method(&allow, route->method);
			if (strcmp(route->method, request->method) == 0)
				request->route = route;
		}
	}
	if (request->route != NULL)
		return fill_parameters(request, err);
	if (allow.length == 0)
		return error_set(
		    err, ERR_NOT_FOUND, NULL, "there is nothing at this path");
	*out_allow = arena_strdup(request->arena, buffer_string(&allow));
	return error_set(err, ERR_METHOD, NULL, "this path answers %s only",
	    buffer_string(&allow));
}

#include "http/multipart.h"

#include <string.h>
#include <strings.h>

#define WINDOW_BYTES ((size_t)16 * 1024)
#define HEAD_MAXIMUM ((size_t)8 * 1024)
#define BOUNDARY_MAXIMUM 70
#define PARAMETER_BYTES_MAXIMUM 1024

struct multipart {
	multipart_source *source;
	void *context;
	struct arena *arena;
	/* What ends a part: CRLF, "--" and the boundary. */
	char delimiter[4 + BOUNDARY_MAXIMUM + 1];
	size_t delimiter_length;
	char window[WINDOW_BYTES];
	size_t length; /* bytes in the window */
	size_t parts;
	bool source_ended;
	bool in_part; /* the delimiter after it was not seen yet */
	bool ended;   /* the last delimiter was */
};

static int
fail(struct error *err, const char *text)
{
	return error_set(err, ERR_INVALID, "INVALID_MULTIPART",
	    "the body is no multipart/form-data: %s", text);
}

/* The value of a parameter such as boundary=…, quoted or not; NULL: none. */
static const char *
find_parameter(const char *at, const char *name, struct arena *arena)
{
	size_t name_length = strlen(name), length = 0;
	char value[PARAMETER_BYTES_MAXIMUM];
	bool quoted;

	for (at = strchr(at, ';'); at != NULL; at = strchr(at, ';')) {
		at++;
		at += strspn(at, " \t");
		if (strncasecmp(at, name, name_length) != 0 ||
		    at[name_length] != '=') {
			/* A ';' between quotes ends nothing. */
			at += strcspn(at, ";\"");
			if (*at == '"' && (at = strchr(at + 1, '"')) == NULL)
				return NULL;
			continue;
		}
		at += name_length + 1;
		quoted = *at == '"';
		at += quoted;
		while (*at != '\0' &&
		       (quoted ? *at != '"' : strchr("; \t", *at) == NULL)) {
			/* Not each '\\' is one: some names are paths. */
			if (quoted && *at == '\\' &&
			    (at[1] == '"' || at[1] == '\\'))
				at++;
			if (length + 1 == sizeof value)
				return NULL;
			value[length++] = *at++;
		}
		if (quoted && *at != '"')
			return NULL;
		return arena_strndup(arena, value, length);
	}
	return NULL;
}

static bool
boundary_is_valid(const char *boundary)
{
	size_t length = strspn(boundary,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789'()+_,-./:=? ");

	return length >= 1 && length <= BOUNDARY_MAXIMUM &&
	       boundary[length] == '\0' && boundary[length - 1] != ' ';
}

int
multipart_open(const char *content_type, multipart_source *source,
    void *context, struct arena *arena, struct multipart **out,
    struct error *err)
{
	const char *boundary = find_parameter(content_type, "boundary", arena);
	struct multipart *multipart;

	if (boundary == NULL || !boundary_is_valid(boundary))
		return fail(err, "it has no boundary");
	multipart = arena_alloc(arena, sizeof *multipart);
	multipart->source = source;
	multipart->context = context;
	multipart->arena = arena;
	memcpy(multipart->delimiter, "\r\n--", 4);
	memcpy(multipart->delimiter + 4, boundary, strlen(boundary) + 1);
	multipart->delimiter_length = strlen(multipart->delimiter);
	/* The first delimiter may be at the very beginning. What comes before
	 * it is a part that nobody reads. */
	memcpy(multipart->window, "\r\n", 2);
	multipart->length = 2;
	multipart->in_part = true;
	*out = multipart;
	return 0;
}

static void
consume(struct multipart *multipart, size_t length)
{
	multipart->length -= length;
	memmove(
	    multipart->window, multipart->window + length, multipart->length);
}

/* Reads more into the window, which has room. */
static int
fill(struct multipart *multipart, struct error *err)
{
	size_t got = 0;

	if (multipart->source_ended)
		return fail(err, "it ends early");
	if (multipart->source(multipart->context,
		multipart->window + multipart->length,
		sizeof multipart->window - multipart->length, &got, err) < 0)
		return -1;
	multipart->length += got;
	multipart->source_ended = got == 0;
	return 0;
}

/* How many bytes of the part are in the window; at its end *ended. */
static int
find_bytes(struct multipart *multipart, size_t *out_length, bool *ended,
    struct error *err)
{
	for (;;) {
		const char *found = memmem(multipart->window, multipart->length,
		    multipart->delimiter, multipart->delimiter_length);

		*out_length =
		    found != NULL ? (size_t)(found - multipart->window) : 0;
		*ended = found != NULL && *out_length == 0;
		if (found != NULL)
			return 0;
		/* The last ones may be the beginning of a delimiter. */
		if (multipart->length >= multipart->delimiter_length) {
			*out_length = multipart->length -
				      (multipart->delimiter_length - 1);
			return 0;
		}
		if (fill(multipart, err) < 0)
			return -1;
	}
}

int
multipart_read(struct multipart *multipart, char *bytes, size_t size,
    size_t *out_got, struct error *err)
{
	size_t length;
	bool ended;

	*out_got = 0;
	if (!multipart->in_part)
		return 0;
	if (find_bytes(multipart, &length, &ended, err) < 0)
		return -1;
	if (ended) {
		consume(multipart, multipart->delimiter_length);
		multipart->in_part = false;
		return 0;
	}
	*out_got = length < size ? length : size;
	memcpy(bytes, multipart->window, *out_got);
	consume(multipart, *out_got);
	return 0;
}

static int
need_bytes(struct multipart *multipart, size_t length, struct error *err)
{
	while (multipart->length < length)
		if (fill(multipart, err) < 0)
			return -1;
	return 0;
}

/* The rest of a delimiter's line; *last when it is the one that ends all. */
static int
end_line(struct multipart *multipart, bool *last, struct error *err)
{
	if (need_bytes(multipart, 2, err) < 0)
		return -1;
	*last = memcmp(multipart->window, "--", 2) == 0;
	if (*last)
		return 0;
	while (*multipart->window == ' ' || *multipart->window == '\t') {
		consume(multipart, 1);
		if (need_bytes(multipart, 2, err) < 0)
			return -1;
	}
	/* The line's end stays: it is also that of a part without a head. */
	if (memcmp(multipart->window, "\r\n", 2) != 0)
		return fail(err, "a boundary has something behind it");
	return 0;
}

/* The head with its lines ended by NULs; the empty line is taken off. */
static int
take_head(struct multipart *multipart, char **out, size_t *out_length,
    struct error *err)
{
	const char *end;

	while ((end = memmem(multipart->window, multipart->length, "\r\n\r\n",
		    4)) == NULL) {
		if (multipart->length >= HEAD_MAXIMUM)
			return fail(err, "a part has a head that is too long");
		if (fill(multipart, err) < 0)
			return -1;
	}
	*out_length = (size_t)(end - multipart->window);
	*out = arena_strndup(multipart->arena, multipart->window, *out_length);
	consume(multipart, *out_length + 4);
	return 0;
}

static int
read_head(
    struct multipart *multipart, struct multipart_part *out, struct error *err)
{
	static const char wanted[] = "content-disposition:";
	char *head, *line;
	size_t length;

	*out = (struct multipart_part){ .name = "" };
	if (take_head(multipart, &head, &length, err) < 0)
		return -1;
	if (strlen(head) != length)
		return fail(err, "a part's head has a NUL");
	while ((line = strstr(head, "\r\n")) != NULL) {
		*line = '\0';
		head = line + 2;
		if ((line = strstr(head, "\r\n")) != NULL)
			*line = '\0';
		if (strncasecmp(head, wanted, sizeof wanted - 1) == 0) {
			out->name =
			    find_parameter(head, "name", multipart->arena);
			out->filename =
			    find_parameter(head, "filename", multipart->arena);
		}
		if (line != NULL)
			*line = '\r';
	}
	if (out->name == NULL)
		out->name = "";
	return 0;
}

int
multipart_next(struct multipart *multipart, struct multipart_part *out,
    bool *found, struct error *err)
{
	char chunk[1024];
	size_t got = 1;
	bool last;

	*found = false;
	if (multipart->ended)
		return 0;
	while (got > 0)
		if (multipart_read(multipart, chunk, sizeof chunk, &got, err) <
		    0)
			return -1;
	if (end_line(multipart, &last, err) < 0)
		return -1;
	if (last) {
		multipart->ended = true;
		return 0;
	}
	if (++multipart->parts > MULTIPART_PARTS_MAXIMUM)
		return fail(err, "it has too many parts");
	if (read_head(multipart, out, err) < 0)
		return -1;
	multipart->in_part = true;
	*found = true;
	return 0;
}

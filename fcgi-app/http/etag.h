/*
 * Entity tags of objects that have a version: "VERSION.STATE". VERSION is that
 * of the object's own files, STATE stands for all else that the answer shows,
 * so that If-None-Match of a GET notices a change of either, and If-Match of
 * a change one of the version alone: whoever edits files does not mind that a
 * container was restarted meanwhile.
 */
#ifndef HTTP_ETAG_H
#define HTTP_ETAG_H

#include "http/reply.h"

#define ETAG_LIST_MAXIMUM 32

/* 200 with the payload and its ETag, or 304. Without a version ("", or NULL)
 * there is no ETag. Always returns 0. */
int etag_reply(const struct request *request, struct reply *reply,
    const char *version, const struct payload *payload);

/*
 * The versions that a header names, as a list of texts; "*" is one of them. A
 * weak tag counts as its strong one: nginx weakens those of answers that it
 * compresses. ERR_INVALID INVALID_PRECONDITION for what is no list of tags.
 */
int etag_versions(const char *header, const char *text,
    struct json_object **out, struct error *err);

#endif

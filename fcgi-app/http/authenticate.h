/*
 * Who is asking: a token from login, or an API key itself.
 *
 *   Authorization: Bearer TOKEN-OR-KEY
 *   Authorization: ApiKey KEY
 *   X-API-Key: KEY
 *
 * Nothing else identifies anybody: no cookie, no query, no other header. A
 * token lives as long as its key is in force. Failed keys are counted per
 * address (store/throttle.h), failed tokens are not: they cannot be guessed.
 */
#ifndef HTTP_AUTHENTICATE_H
#define HTTP_AUTHENTICATE_H

#include "base/error.h"
#include "http/request.h"

/* Fills request->identity. ERR_UNAUTHENTICATED or ERR_RATE_LIMITED. */
int authenticate(struct request *request, struct error *err);

/* Whether the text is an API key in force, of the store or config.yml. */
int authenticate_key(
    struct request *request, const char *text, struct error *err);

/* For answers that stay open: whether the request's key is still in force. */
bool authenticate_still(struct request *request);

#endif

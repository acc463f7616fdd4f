/*
 * From an accepted connection to its answer: authenticate, route, check
 * method, role and body, call the handler, write the reply, log the line.
 */
#ifndef HTTP_DISPATCH_H
#define HTTP_DISPATCH_H

#include "http/connection.h"
#include "http/route.h"

struct app;
struct store;

/*
 * Answers the one request of the connection. *store is this thread's
 * connection, opened here when it is NULL; it stays NULL, and the request is
 * answered 503, while the database cannot be opened.
 */
void dispatch(struct app *app, const struct route *const *tables,
    struct connection *connection, struct store **store);

#endif

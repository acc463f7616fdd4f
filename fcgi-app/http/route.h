/*
 * Route tables: which handler answers which method and path, for whom.
 *
 *	const struct route deployment_routes[] = {
 *		{ "GET", "/deployments", ROLE_VIEWER, list_deployments },
 *		{ "POST", "/deployments", ROLE_OPERATOR, create_deployment,
 *		    .body = create_fields },
 *		{ 0 },
 *	};
 *
 * A ":name" segment matches any one segment; fixed segments win over it. A
 * "*name" at the end matches one segment or more, and everything else wins
 * over it; the parameter is their path, "a/b/c", whose steps are names: what
 * has a '/' in it, "." and ".." are refused (UNSAFE_PATH). A row without a role
 * does not compile into access: 0 is ROLE_PUBLIC and must be written out, which
 * tests/api walks.
 */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "base/error.h"
#include "http/request.h"
#include "store/keys.h"
#include "json/fields.h"

struct reply;

typedef int route_handler(
    struct request *request, struct reply *reply, struct error *err);

struct route {
	const char *method;
	const char *path; /* below /api */
	enum role role;
	route_handler *handle;
	const struct field *body; /* NULL: a body is ignored */
	bool body_required;
	bool raw_body;      /* not JSON: the handler reads it by http/body.h */
	bool without_store; /* public, and answered even when the state is not
			       there; request->store is NULL */
};

/*
 * Finds the row for the request's method and segments in the tables
 * (NULL-ended) and fills route and parameters. ERR_NOT_FOUND, or ERR_METHOD
 * with *out_allow as the Allow header's text. With ERR_INVALID UNSAFE_PATH
 * the route is filled in: it has a role to check first.
 */
int route_find(const struct route *const *tables, struct request *request,
    const char **out_allow, struct error *err);

#endif

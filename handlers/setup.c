/* /setup: the installation is complete once the service answers. */

#include "handlers/routes.h"
#include "http/reply.h"

/* false would send the dashboard into its first-run wizard. */
static int
get_status(struct request *request, struct reply *reply, struct error *err)
{
	struct payload payload = { .data = json_object_new_object() };

	(void)err;
	json_put_boolean(payload.data, "initialized", true);
	return reply_payload(request, reply, 200, &payload);
}

const struct route setup_routes[] = {
	{ "GET", "/setup/status", ROLE_PUBLIC, get_status,
	    .without_store = true },
	{ 0 },
};

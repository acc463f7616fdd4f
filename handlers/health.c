/* /health: whether the service is well. Never waits for anything. */

#include "app.h"
#include "config.h"
#include "handlers/routes.h"
#include "http/reply.h"
#include "jobs/heartbeat.h"
#include "settings/settings.h"

/* Existing clients take "healthy" and a version object as being online. */
static int
get_health(struct request *request, struct reply *reply, struct error *err)
{
	struct json_object *data = json_object_new_object();
	struct json_object *version = json_object_new_object();
	struct payload payload = { .data = data };
	struct heartbeat heartbeat;

	(void)err;
	heartbeat_read(request->app->settings->run_directory, &heartbeat);
	json_put_text(data, "status",
	    heartbeat.stale || !heartbeat.docker_up ? "degraded" : "healthy");
	json_put_text(data, "agent", "flatrun");
	json_put_text(version, "version", PACKAGE_VERSION);
	json_put_text(version, "build_time", BUILD_TIME);
	json_put_text(version, "git_commit", GIT_COMMIT);
	json_put(data, "version", version);
	json_put_text(data, "agent_status", heartbeat.stale ? "down" : "up");
	json_put_text(data, "docker_status",
	    heartbeat.stale       ? "unknown"
	    : heartbeat.docker_up ? "up"
				  : "down");
	reply_header(reply, "Cache-Control", "no-store");
	return reply_payload(request, reply, 200, &payload);
}

const struct route health_routes[] = {
	{ "GET", "/health", ROLE_PUBLIC, get_health, .without_store = true },
	{ 0 },
};

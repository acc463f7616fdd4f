#include "handlers/routes.h"

const struct route *const route_tables[] = {
	auth_routes,
	container_routes,
	container_change_routes,
	container_log_routes,
	credential_routes,
	deployment_routes,
	deployment_change_routes,
	deployment_create_routes,
	deployment_log_routes,
	diagnostics_routes,
	event_routes,
	health_routes,
	image_routes,
	job_routes,
	job_stream_routes,
	network_routes,
	registry_routes,
	setup_routes,
	volume_routes,
	NULL,
};

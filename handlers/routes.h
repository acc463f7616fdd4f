/*
 * The API's resources: each file ends in its route table; together they are
 * what the service answers.
 */
#ifndef HANDLERS_ROUTES_H
#define HANDLERS_ROUTES_H

#include "http/route.h"

extern const struct route auth_routes[];
extern const struct route compose_edit_routes[];
extern const struct route container_routes[];
extern const struct route container_change_routes[];
extern const struct route container_log_routes[];
extern const struct route credential_routes[];
extern const struct route deployment_routes[];
extern const struct route deployment_change_routes[];
extern const struct route deployment_create_routes[];
extern const struct route deployment_image_routes[];
extern const struct route deployment_log_routes[];
extern const struct route deployment_service_routes[];
extern const struct route diagnostics_routes[];
extern const struct route environment_routes[];
extern const struct route event_routes[];
extern const struct route file_change_routes[];
extern const struct route file_routes[];
extern const struct route health_routes[];
extern const struct route image_routes[];
extern const struct route import_routes[];
extern const struct route job_routes[];
extern const struct route job_stream_routes[];
extern const struct route network_routes[];
extern const struct route registry_routes[];
extern const struct route revision_routes[];
extern const struct route setup_routes[];
extern const struct route template_routes[];
extern const struct route volume_routes[];

/* All of them, NULL-ended. */
extern const struct route *const route_tables[];

#endif

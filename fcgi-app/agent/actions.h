/*
 * Quick actions: commands that service.yml has for people to run in the
 * containers of their deployment.
 *
 *	quick_actions:
 *	  - id: migrate
 *	    name: Run the migrations
 *	    service: app            # else primary_service, networking.service,
 *	                            # the primary one of the document
 *	    command: php artisan migrate --force
 *	    timeout: 600            # seconds; else 300
 *
 * A command that is a list is run as it is; a text by the container's own
 * sh(1). Nothing of either is run on the host.
 */
#ifndef AGENT_ACTIONS_H
#define AGENT_ACTIONS_H

#include "agent/executor.h"

extern const struct job_kind action_jobs[];

#endif

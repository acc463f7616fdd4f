/*
 * What workers and the agent say to each other on RUN/agent/agent.sock.
 *
 * A frame is a length in four bytes, big-endian, and that many bytes of JSON,
 * at most FRAME_MAXIMUM. The worker sends one frame:
 *
 *   {"kind": "deployment.start", "subject": "blog", "actor": "key:…",
 *    "request_id": "…", "arguments": {…}, "idempotency_key": "…",
 *    "fingerprint": "…", "answer": "…",
 *    "conditions": {…}}                         submits a job (the three before
 *                                               the last together or not at
 *                                               all; the last may be left out),
 *   {"wait": "<job id>"}                        waits for one, or
 *   {"cancel": "<job id>"}                      ends one and waits for it.
 *
 * Conditions are about a deployment as it is when the job's turn comes:
 * "if_match" and "if_none_match" are lists of versions, or of "*" for any;
 * "plan_id" is the id of a plan of this very change.
 *
 * The agent answers a submission with {"job_id": "…"} or {"error": {"kind",
 * "code", "field", "message", "related", "retry_after_s"}}, and all three with
 * {"done": true} when the job is on record as finished. Either side may close
 * at any time: a job goes on without a listener.
 */
#ifndef JOBS_PROTOCOL_H
#define JOBS_PROTOCOL_H

#include "base/buffer.h"
#include "base/error.h"
#include "json/json.h"

#include <stdbool.h>
#include <stdint.h>

#define FRAME_MAXIMUM (4 * 1024 * 1024)

/* All of the bytes, on a blocking socket; -1 with errno set. */
int socket_send(int fd, const void *from, size_t length);

/* Sends an object as one frame on a blocking socket with a send timeout. */
int frame_send(int fd, struct json_object *object, struct error *err);

/* The same with a descriptor that the other side gets, too; -1: none. */
int frame_send_descriptor(
    int fd, struct json_object *object, int passed, struct error *err);

/*
 * Takes a complete frame off the front of received bytes. *out is NULL when
 * more bytes are needed; ERR_INVALID for what is no frame.
 */
int frame_take(
    struct buffer *received, struct json_object **out, struct error *err);

struct json_object *error_to_json(const struct error *err);
void error_from_json(struct json_object *object, struct error *err);

/* Kinds of jobs: "class.verb". */
#define JOB_COPY "deployment.copy"
#define JOB_DELETE_FILE "deployment.delete_file"
#define JOB_ENVIRONMENT "deployment.environment"
#define JOB_IMPORT "deployment.import" /* a new one, from an archive */
#define JOB_MAKE_DIRECTORY "deployment.make_directory"
#define JOB_METADATA "deployment.metadata"
#define JOB_PERMISSIONS "deployment.permissions"
#define JOB_PUSH_FILES "deployment.push_files"
#define JOB_TOUCH_FILE "deployment.touch_file"
#define JOB_WRITE_FILE "deployment.write_file"
#define JOB_CREATE "deployment.create"
#define JOB_UPDATE "deployment.update"
#define JOB_ROLLBACK "deployment.rollback"
#define JOB_START "deployment.start"
#define JOB_STOP "deployment.stop"
#define JOB_RESTART "deployment.restart"
#define JOB_DELETE "deployment.delete"
/* What a change would do: {"kind", "arguments"} are those of the change. */
#define JOB_PLAN "deployment.plan"
#define JOB_SET_IMAGE "deployment.set_image" /* of one service */
#define JOB_MOUNT "deployment.mount"
#define JOB_UNMOUNT "deployment.unmount"
#define JOB_REBUILD "deployment.rebuild"
#define JOB_DEPLOY "deployment.deploy"
#define JOB_PULL "deployment.pull"
#define JOB_CLEANUP "deployment.cleanup" /* of old images */
#define JOB_ACTION "deployment.action"   /* one of its quick actions */
/* On one service, which the arguments name. */
#define JOB_SERVICE_START "deployment.service_start"
#define JOB_SERVICE_STOP "deployment.service_stop"
#define JOB_SERVICE_RESTART "deployment.service_restart"
#define JOB_SERVICE_REBUILD "deployment.service_rebuild"
#define JOB_SERVICE_PULL "deployment.service_pull"
/* On containers, by their whole id. */
#define JOB_CONTAINER_START "container.start"
#define JOB_CONTAINER_STOP "container.stop"
#define JOB_CONTAINER_RESTART "container.restart"
#define JOB_CONTAINER_REMOVE "container.remove"
#define JOB_CONTAINER_UPDATE "container.update"
/* In a container, several at once and beside other changes of it. */
#define JOB_EXEC "exec.run"
/* On volumes, by name; a prune is about JOB_ALL_SUBJECT. */
#define JOB_VOLUME_CREATE "volume.create"
#define JOB_VOLUME_REMOVE "volume.remove"
#define JOB_VOLUME_PRUNE "volume.prune"
#define JOB_ALL_SUBJECT "*"
/* On networks, by name. */
#define JOB_NETWORK_CREATE "network.create"
#define JOB_NETWORK_REMOVE "network.remove"
#define JOB_NETWORK_CONNECT "network.connect"
#define JOB_NETWORK_DISCONNECT "network.disconnect"

#define JOB_IMAGE_PULL "image.pull"
#define JOB_IMAGE_REMOVE "image.remove"
#define JOB_IMAGE_CLEANUP "image.cleanup" /* subject IMAGE_CLEANUP_SUBJECT */
/* No image has this name. */
#define IMAGE_CLEANUP_SUBJECT "*"

#define JOB_CREDENTIAL_CREATE "credential.create"
#define JOB_CREDENTIAL_UPDATE "credential.update"
#define JOB_CREDENTIAL_DELETE "credential.delete"
#define JOB_CREDENTIAL_TEST "credential.test"

#define JOB_REGISTRY_CREATE "registry.create"
#define JOB_REGISTRY_UPDATE "registry.update"
#define JOB_REGISTRY_DELETE "registry.delete"

#define JOB_TEMPLATE_REFRESH "template.refresh" /* subject JOB_ALL_SUBJECT */

#endif

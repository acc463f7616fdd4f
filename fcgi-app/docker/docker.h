/*
 * The Docker Engine API over its Unix socket (libcurl).
 *
 * https://docs.docker.com/engine/api/ , version 1.41 and up; the version is
 * negotiated from /_ping (the Engine's own, at most 1.44) and put into every
 * path. Every call has a deadline (connect 1 s, lists 5 s, changes 120 s,
 * logs without follow 15 s) and bounded answers (32 MiB).
 *
 * Errors, by what the caller can do:
 *   ERR_UNAVAILABLE DOCKER_UNAVAILABLE  the socket does not answer
 *   ERR_TIMEOUT     DOCKER_TIMEOUT      it answers too slowly; after three in
 *                   a row calls fail at once for 5 s (the breaker)
 *   ERR_NOT_FOUND   CONTAINER_NOT_FOUND and the like
 *   ERR_CONFLICT    CONFLICT            Docker's 409, and its 403: a network
 *                   in use, or one of its own
 *   ERR_UPSTREAM    DOCKER_ERROR        anything else it refused; the message
 *                   is Docker's own, made printable and cut
 *
 * Ids and names are checked against docker_id_is_valid() before they reach a
 * path. One struct docker per process, callable from any thread.
 */
#ifndef DOCKER_DOCKER_H
#define DOCKER_DOCKER_H

#include "base/arena.h"
#include "base/error.h"
#include "docker/reference.h"
#include "json/json.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct docker;

/* socket_path is copied, nothing is connected yet; curl_global_init() is called
 * inside, once. The caller ends *out with docker_close(). */
int docker_open(
    const char *socket_path, struct docker **out, struct error *err);
void docker_close(struct docker *docker);

/*
 * Lets at most so many threads read logs (without follow) or inspect containers
 * at a time: further
 * ones get ERR_UNAVAILABLE OVERLOADED, so that an Engine that hangs does not
 * hold them all. Before threads call; 0, the default, is no limit.
 */
void docker_limit_readers(struct docker *docker, unsigned int maximum);

/* ^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$: ids and names of every kind. */
bool docker_id_is_valid(const char *id);
/* 64 lower-case hexadecimal digits: the whole id of a container. */
bool docker_id_is_whole(const char *id);
/* ^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}$: names of volumes, networks, containers.
 */
bool docker_name_is_valid(const char *name);
#define DOCKER_NAME_EXPECTED                                             \
	"2 to 128 of a-z, A-Z, 0-9, '_', '.' and '-', beginning with a " \
	"letter or digit"

/* Whether the Engine answers; at most timeout_ms. */
int docker_ping(struct docker *docker, int64_t timeout_ms, struct error *err);

struct docker_port {
	const char *address; /* host address, "" when not published */
	int public_port;     /* 0: not published */
	int private_port;
	const char *protocol; /* tcp, udp, sctp */
};

struct docker_network_address {
	const char *network, *network_id;
	const char *ipv4; /* without prefix length, "" when stopped */
	int prefix_length;
	const char *mac_address; /* "" when stopped */
	bool attached;           /* it runs there: not while stopped */
};

struct docker_mount {
	const char *type; /* volume, bind, tmpfs, … */
	const char *name; /* of the volume, else "" */
	const char *source, *destination;
	bool writable;
};

/* One row of GET /containers/json. */
struct docker_container {
	const char *id;    /* 64 hex */
	const char *name;  /* without the leading slash */
	const char *image; /* as given at creation */
	const char *image_id;
	/* created, running, paused, restarting, removing, exited, dead */
	const char *state;
	const char *status;            /* "Up 3 hours (healthy)" */
	const char *health;            /* healthy unhealthy starting, or "" */
	int64_t created_at;            /* Unix seconds */
	const char *project, *service; /* Compose labels, or "" */
	struct docker_port *ports;
	size_t port_count;
	struct docker_network_address *networks;
	size_t network_count;
	struct docker_mount *mounts;
	size_t mount_count;
	struct json_object *labels; /* object, owned by the arena */
};

struct docker_container_filter {
	const char *project;    /* NULL: any */
	const char *const *ids; /* NULL-ended; NULL: any */
};

/* All containers, running or not, that match; everything is in the arena. */
int docker_container_list(struct docker *docker,
    const struct docker_container_filter *filter, struct arena *arena,
    struct docker_container **out, size_t *out_count, struct error *err);

/*
 * Waits until the Engine is done with what it does to the containers: it
 * tells of a change and answers who asked for it before its list shows it.
 * settled has an element for each; true also for one that is gone.
 */
void docker_containers_settle(struct docker *docker, const char *const *ids,
    size_t count, int64_t timeout_ms, bool *settled);

/*
 * 304 (already so) is success for both. timeout_s < 0: Docker's default. When
 * *cancel becomes true the call returns within seconds, with ERR_CONFLICT,
 * although Docker goes on; cancel may be NULL.
 */
int docker_container_start(
    struct docker *docker, const char *id, struct error *err);
int docker_container_stop(struct docker *docker, const char *id, int timeout_s,
    const atomic_bool *cancel, struct error *err);
int docker_container_restart(struct docker *docker, const char *id,
    int timeout_s, const atomic_bool *cancel, struct error *err);
/*
 * force kills a running one; volumes removes its anonymous volumes.
 * ERR_CONFLICT: it runs, or is being removed already.
 */
int docker_container_remove(struct docker *docker, const char *id, bool force,
    bool volumes, struct error *err);

/* ERR_CONFLICT: another container has the name. */
int docker_container_rename(
    struct docker *docker, const char *id, const char *name, struct error *err);

/* What a container may use, and when it is started again. */
struct docker_limits {
	int64_t memory_bytes; /* 0: no limit */
	/* Memory and swap together; 0: the Engine's default, -1: no limit. */
	int64_t memory_swap_bytes;
	int64_t nano_cpus; /* billionths of a core, 0: no limit */
	/* The same in another way; a container has one of the two. */
	int64_t cpu_quota_us, cpu_period_us;
	int64_t cpu_shares;         /* 0: the Engine's default */
	const char *restart_policy; /* no, always, unless-stopped, on-failure */
};
/* How many cores that is; 0: no limit. */
double docker_limits_cpus(const struct docker_limits *limits);
/* {memory_limit, memory_swap, cpus, cpu_shares, restart_policy}, for clients;
 * the caller owns it. */
struct json_object *docker_limits_render(const struct docker_limits *limits);

/* Of GET /containers/{id}/json what the gate lets workers see as well. */
struct docker_inspection {
	const char *id;
	const char *name; /* without the leading slash */
	bool running, has_tty;
	struct docker_limits limits;
};
int docker_container_inspect(struct docker *docker, const char *id,
    struct arena *arena, struct docker_inspection *out, struct error *err);

/* What is 0 or NULL in limits stays as it is: the Engine takes none away. */
int docker_container_update(struct docker *docker, const char *id,
    const struct docker_limits *limits, struct error *err);

/*
 * A program run in a container that runs, without a terminal and without
 * input: created, run, then asked how it ended.
 */
struct docker_exec {
	const char *container;
	const char *const *arguments;   /* NULL-ended; the first: the program */
	const char *const *environment; /* NULL-ended "NAME=value"; or NULL */
	const char *user;               /* NULL: the container's */
	const char *directory;          /* NULL: the container's */
};
/* *out_id is in the arena. ERR_CONFLICT CONTAINER_NOT_RUNNING. */
int docker_exec_create(struct docker *docker, const struct docker_exec *exec,
    struct arena *arena, const char **out_id, struct error *err);
/*
 * Starts it and gives its output, both streams as they come, to on_bytes
 * until it ends. on_idle is called at least every 250 ms; false leaves the
 * program to itself, running or not, and is no failure.
 */
int docker_exec_run(struct docker *docker, const char *exec_id,
    void (*on_bytes)(void *context, const char *bytes, size_t length),
    bool (*on_idle)(void *context), void *context, struct error *err);

struct docker_exec_state {
	bool running;
	int exit_code; /* -1 while it runs */
	int64_t pid;   /* in the Engine's name space, 0: it never ran */
};
int docker_exec_inspect(struct docker *docker, const char *exec_id,
    struct docker_exec_state *out, struct error *err);

/* One row of GET /images/json: what has a tag, and what nothing builds on. */
struct docker_image {
	const char *id;                           /* sha256:64 hex */
	const char *const *tags, *const *digests; /* without <none> */
	size_t tag_count, digest_count;
	int64_t size_bytes;
	int64_t created_at;         /* Unix seconds */
	struct json_object *labels; /* object, owned by the arena */
};
int docker_image_list(struct docker *docker, struct arena *arena,
    struct docker_image **out, size_t *out_count, struct error *err);

/*
 * The image that a valid reference, or an id, stands for; created_at and
 * labels are left out. ERR_NOT_FOUND IMAGE_NOT_FOUND: it is not here.
 */
int docker_image_get(struct docker *docker, const char *image,
    struct arena *arena, struct docker_image *out, struct error *err);

/*
 * Lets the reference's name and tag stand for the image, whatever it stood
 * for before. id as above.
 */
int docker_image_tag(struct docker *docker, const char *id,
    const struct docker_reference *reference, struct error *err);

struct docker_image_use {
	struct docker_image image;
	int64_t shared_bytes; /* of its size, with other images; or 0 */
};
struct docker_image_usage {
	int64_t layer_bytes; /* all that images take on the disk */
	struct docker_image_use *images;
	size_t count;
};
/*
 * GET /system/df: may take many seconds. ERR_CONFLICT CONFLICT while another
 * is under way.
 */
int docker_image_usage(struct docker *docker, struct arena *arena,
    struct docker_image_usage *out, struct error *err);

/*
 * Removes a tag, and with its last tag the image, or by its id the image with
 * its only tag. image is a valid reference, or an id: hexadecimal digits after
 * "sha256:" or not. ERR_NOT_FOUND IMAGE_NOT_FOUND; ERR_CONFLICT CONFLICT: a
 * container uses it, it has several tags or others are built on it; force
 * overrules most of that. What went: names and ids, in the arena.
 */
struct docker_image_removal {
	const char **untagged, **deleted;
	size_t untagged_count, deleted_count;
};
int docker_image_remove(struct docker *docker, const char *image, bool force,
    struct arena *arena, struct docker_image_removal *out, struct error *err);

struct docker_login {
	const char *host; /* of the registry, as in struct docker_reference */
	const char *username, *password, *email;
};

/*
 * Registries. What they answer is told by the Engine's words; none of it
 * counts for the breaker.
 *   ERR_FORBIDDEN   REGISTRY_DENIED       wrong or no credentials
 *   ERR_UNAVAILABLE REGISTRY_UNAVAILABLE  no answer, or "not so many requests"
 *   ERR_NOT_FOUND   IMAGE_NOT_FOUND       no such image, tag or platform
 *   ERR_STORAGE_FULL
 *   ERR_INVALID     INVALID_IMAGE         a reference no registry could have
 */

/* What Docker's own files and calls name the host by. */
const char *docker_login_address(const char *host);

/* POST /auth: whether the registry takes the credentials. */
int docker_login_check(
    struct docker *docker, const struct docker_login *login, struct error *err);

struct docker_pull_progress {
	const char *id;         /* of the layer, or the tag, or "" */
	const char *status;     /* "Downloading", "Pull complete", … */
	int64_t current, total; /* bytes; 0: not said */
};

struct docker_pull {
	const struct docker_reference *reference;
	const struct docker_login *login; /* NULL: none */
	int64_t
	    idle_ms; /* without a byte that long it is broken off: 0: 120 s */
	int64_t total_ms;          /* the same for the whole; 0: one hour */
	const atomic_bool *cancel; /* looked at four times a second */
	void (*on_progress)(
	    void *context, const struct docker_pull_progress *progress);
	void *context;
};
/*
 * POST /images/create. Takes minutes. *out_is_new: layers or a newer image
 * were fetched. The Engine stops its work when this is broken off. An answer
 * that ends without the Engine's word that the image is there is an error.
 * ERR_CONFLICT JOB_CANCELLED.
 */
int docker_image_pull(struct docker *docker, const struct docker_pull *pull,
    bool *out_is_new, struct error *err);

/* One row of GET /volumes. */
struct docker_volume {
	const char *name, *driver, *mountpoint, *scope;
	int64_t created_at; /* Unix seconds, 0: the driver does not say */
	struct json_object *labels, *options; /* objects, owned by the arena */
};
int docker_volume_list(struct docker *docker, struct arena *arena,
    struct docker_volume **out, size_t *out_count, struct error *err);

/* Sizes: GET /system/df, for which the Engine looks at every file. */
struct docker_volume_size {
	const char *name;
	int64_t size_bytes;      /* -1: not known */
	int64_t reference_count; /* of containers, running or not; -1 */
};
int docker_volume_sizes(struct docker *docker, struct arena *arena,
    struct docker_volume_size **out, size_t *out_count, struct error *err);

struct docker_volume_options {
	const char *name, *driver;
	struct json_object *driver_options, *labels; /* objects or NULL */
};
/* One that has the name already is success, whatever else it is. */
int docker_volume_create(struct docker *docker,
    const struct docker_volume_options *options, struct error *err);
/* ERR_CONFLICT: a container has it. force: one that is gone is success. */
int docker_volume_remove(
    struct docker *docker, const char *name, bool force, struct error *err);

/* One row of GET /networks. */
struct docker_network {
	const char *id, *name, *driver, *scope;
	const char *project; /* Compose label, or "" */
	bool internal, attachable, ipv6;
	const char *subnet, *gateway; /* the first of its addresses, or "" */
	int64_t created_at;           /* Unix seconds */
	struct json_object *labels, *options; /* objects, owned by the arena */
};
/* project NULL: all. */
int docker_network_list(struct docker *docker, const char *project,
    struct arena *arena, struct docker_network **out, size_t *out_count,
    struct error *err);
/* ERR_CONFLICT: it has endpoints, or it is one of Docker's own. */
int docker_network_remove(
    struct docker *docker, const char *id, struct error *err);

struct docker_network_options {
	const char *name, *driver;
	const char *subnet, *gateway; /* NULL: the Engine chooses */
	bool internal, attachable, ipv6;
	struct json_object *labels; /* object or NULL */
};
/* ERR_CONFLICT: another has the name, or the addresses. */
int docker_network_create(struct docker *docker,
    const struct docker_network_options *options, struct error *err);

/*
 * ERR_NOT_FOUND is said of the network, whichever of both is missing.
 * ERR_CONFLICT: it is connected already, or never was.
 */
int docker_network_connect(struct docker *docker, const char *network,
    const char *container, struct error *err);
int docker_network_disconnect(struct docker *docker, const char *network,
    const char *container, bool force, struct error *err);

/* Counters of one moment: GET /containers/{id}/stats?stream=0&one-shot=1. */
struct docker_stats {
	uint64_t cpu_total_ns, system_cpu_ns;
	unsigned int online_cpus;
	uint64_t memory_usage; /* bytes, without inactive file cache */
	uint64_t memory_limit;
	uint64_t network_rx, network_tx, block_read, block_write; /* bytes */
	uint64_t pids;
	bool is_known; /* false: Docker had none of this one */
};
/*
 * Those of several running containers, into as many elements of out. Docker
 * answers only when its next round of measuring is done, up to a second later:
 * 64 are asked for at the same time. A container that is gone is left out; when
 * that leaves none of 64, it is the error.
 */
int docker_stats_read(struct docker *docker, const char *const *ids,
    size_t count, struct docker_stats *out, struct error *err);

struct docker_event {
	const char *type;   /* container, image, volume, network, daemon */
	const char *action; /* create, start, die, "health_status: healthy" … */
	const char *id;     /* of the object */
	const char *name;   /* attribute "name", or "" */
	/* The id of what was connected, disconnected or mounts it, or "". */
	const char *container;
	const char *project; /* attribute of the Compose label, or "" */
	int64_t time_ms;
};
/*
 * Follows GET /events (types container, image, volume, network) and calls
 * on_event for each, in the calling thread; and on_idle at least every
 * 250 ms. Either ends it by returning false (then 0 is returned). -1 when the
 * stream broke or could not be opened. since_s: Unix seconds, 0 for now.
 */
int docker_events_follow(struct docker *docker, int64_t since_s,
    bool (*on_event)(void *context, const struct docker_event *event),
    bool (*on_idle)(void *context), void *context, struct error *err);

enum docker_log_stream {
	DOCKER_LOG_BOTH,
	DOCKER_LOG_STDOUT, /* all there is of a TTY */
	DOCKER_LOG_STDERR,
};

struct docker_log_options {
	int tail;         /* lines, before all else is left out; -1 for all */
	int64_t since_ms; /* Unix milliseconds, 0: from the start */
	int64_t until_ms; /* the same, 0: to the end; not for following */
	enum docker_log_stream stream;
};

struct docker_log_line {
	size_t source;         /* index into ids, or number when followed */
	const char *stream;    /* "stdout" or "stderr" ("stdout" for a TTY) */
	const char *timestamp; /* RFC 3339 with nanoseconds, from Docker */
	const char *text;      /* without the line end; UTF-8, repaired; */
			       /* not ended by NUL but by its length */
	size_t length;
};

/*
 * Reads the logs of the containers (GET /containers/{id}/logs with
 * timestamps), demultiplexed, TTY or not, until all are read or on_line
 * returns false. Lines over 16 KiB are cut into several, which share their
 * timestamp. A container that vanishes, or whose log Docker refuses, ends its
 * own stream only; when no log could be read, that is the error. At most 256
 * containers.
 */
int docker_logs_read(struct docker *docker, const char *const *ids,
    size_t count, const struct docker_log_options *options,
    bool (*on_line)(void *context, const struct docker_log_line *line),
    void *context, struct error *err);

/* Logs that are followed: lines as they are written. */
struct docker_logs;

struct docker_log_listener {
	/* false: that was enough. */
	bool (*on_line)(void *context, const struct docker_log_line *line);
	/* A log has ended with its container, or (err) Docker refused it. */
	void (*on_end)(void *context, size_t number, const struct error *err);
	/* At the start and then every second. false: that was enough. */
	bool (*on_idle)(void *context, struct docker_logs *logs);
	void *context;
};

/*
 * Calls the listener until it has enough or wake_fd (-1: none) hangs up. There
 * is nothing to follow before on_idle has added it. -1 when a stream broke or
 * the Engine does not begin one: then all have ended, without on_end.
 */
int docker_logs_follow(struct docker *docker, int wake_fd,
    const struct docker_log_listener *listener, struct error *err);
/*
 * Within on_idle: follows one more container, number being what its lines are
 * known by. -1 when it cannot: the others go on.
 */
int docker_logs_add(struct docker_logs *logs, const char *id, size_t number,
    const struct docker_log_options *options, struct error *err);

#endif

/*
 * Passwords for registries, and the jobs that change who we are there.
 *
 * STATE/secrets/credentials/ is root's alone (0700); it has a file (0600) for
 * each row of store/credentials.h, named "<id>-<secret>". A new password is a
 * new file, to which the row then points: at any moment each row has its own
 * password or, should a file be lost, none. Passwords come over the agent's
 * socket and are in no answer, row, log or job's record.
 */
#ifndef AGENT_CREDENTIALS_H
#define AGENT_CREDENTIALS_H

#include "agent/executor.h"
#include "docker/docker.h"
#include "store/credentials.h"

struct credentials;
struct settings;

/* Makes the directory and removes files that no row points to. */
int credentials_open(const struct settings *settings, struct store *store,
    struct credentials **out, struct error *err);
void credentials_close(struct credentials *credentials);

/*
 * What the registry wants to know, the password too; in the arena, which
 * wipes the password. ERR_CONFLICT NO_PASSWORD: its file was lost.
 */
int credentials_login(const struct credentials *credentials,
    const struct credential *credential, struct arena *arena,
    struct docker_login *out, struct error *err);

extern const struct job_kind credential_jobs[];

#endif

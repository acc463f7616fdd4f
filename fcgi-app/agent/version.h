/*
 * The version of a deployment's files: another one whenever the Compose file,
 * service.yml or .env.flatrun is, the same for the same files. Nothing can be
 * told from it.
 */
#ifndef AGENT_VERSION_H
#define AGENT_VERSION_H

#include "agent/seal.h"

struct agent;
struct compose_files;

void version_of_files(const struct agent *agent,
    const struct compose_files *files, char out[SEAL_TEXT_SIZE]);

#endif

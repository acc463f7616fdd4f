/*
 * Files of an archive, put in their places beneath a deployment.
 */
#ifndef AGENT_FILE_PUSH_H
#define AGENT_FILE_PUSH_H

#include "agent/executor.h"

job_body push_files;

#endif

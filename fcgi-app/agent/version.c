#include "agent/version.h"

#include "agent/agent.h"

void
version_of_files(const struct agent *agent, const struct compose_files *files,
    char out[SEAL_TEXT_SIZE])
{
	auto_buffer struct buffer sealed = BUFFER(SEAL_MAXIMUM);

	seal_add(&sealed, "files");
	seal_add(&sealed, files->filename);
	seal_add(&sealed, files->compose);
	seal_add(&sealed, files->metadata);
	seal_add(&sealed, files->environment);
	seal_finish(&agent->seal_key, &sealed, out);
}

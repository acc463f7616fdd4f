/* What the bodies of jobs need of executor.h, and the executor does not. */
#include "agent/executor.h"
#include "json/fields.h"

int
run_decode(
    struct run *run, const struct field *fields, void *out, struct error *err)
{
	return fields_decode(fields, run->arguments, &run->arena, out, err);
}

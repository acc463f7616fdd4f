#include "archive/confine.h"

#include <grp.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534
#define CPU_SECONDS 600

static int
limit(int resource, rlim_t maximum)
{
	struct rlimit limits = { .rlim_cur = maximum, .rlim_max = maximum };

	return setrlimit((__rlimit_resource_t)resource, &limits);
}

/* Leaves the given capability alone; -1: none. */
static int
drop_capabilities(int kept)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3
	};
	struct __user_cap_data_struct data[2];

	memset(data, 0, sizeof data);
	if (kept >= 0)
		data[kept / 32].permitted = data[kept / 32].effective =
		    1U << (kept % 32);
	return (int)syscall(SYS_capset, &header, data);
}

int
confine_reader(struct error *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    limit(RLIMIT_CPU, CPU_SECONDS) < 0 || limit(RLIMIT_CORE, 0) < 0 ||
	    limit(RLIMIT_FSIZE, 0) < 0)
		return error_errno(err, "cannot give up rights");
	/* In tests it may be nobody special to begin with. */
	if (geteuid() == 0 &&
	    (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
		setresuid(NOBODY, NOBODY, NOBODY) < 0 ||
		drop_capabilities(-1) < 0))
		return error_errno(err, "cannot give up rights");
	/* The numbers below are taken already. */
	if (limit(RLIMIT_NOFILE, 5) < 0)
		return error_errno(err, "cannot give up rights");
	return 0;
}

int
confine_writer(struct error *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    limit(RLIMIT_CPU, CPU_SECONDS) < 0 || limit(RLIMIT_CORE, 0) < 0)
		return error_errno(err, "cannot give up rights");
	if (geteuid() == 0 && drop_capabilities(CAP_DAC_READ_SEARCH) < 0)
		return error_errno(err, "cannot give up rights");
	return 0;
}

-- One number that grows with every change of the mirror: the ETag of lists.
CREATE TABLE meta (
	key TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO meta VALUES ('generation', 1);

CREATE TABLE api_keys (
	id TEXT PRIMARY KEY,
	name TEXT NOT NULL,
	hash BLOB NOT NULL UNIQUE,
	prefix TEXT NOT NULL,
	role TEXT NOT NULL CHECK (role IN ('admin', 'operator', 'viewer')),
	created_at INTEGER NOT NULL,
	last_used_at INTEGER NOT NULL DEFAULT 0,
	revoked_at INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE login_failures (
	address TEXT NOT NULL,
	failed_at_ms INTEGER NOT NULL
);
CREATE INDEX login_failures_by_address ON login_failures (address, failed_at_ms);

-- Every change there ever was, until jobs.retention_days: the audit log too.
CREATE TABLE jobs (
	number INTEGER PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL UNIQUE,
	kind TEXT NOT NULL,
	subject TEXT NOT NULL,
	status TEXT NOT NULL
		CHECK (status IN ('pending', 'running', 'succeeded', 'failed')),
	actor TEXT NOT NULL,
	request_id TEXT NOT NULL,
	output TEXT NOT NULL DEFAULT '',
	result TEXT,
	error_kind TEXT,
	error_code TEXT,
	error_field TEXT,
	error_message TEXT,
	created_at_ms INTEGER NOT NULL,
	started_at_ms INTEGER NOT NULL DEFAULT 0,
	finished_at_ms INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX jobs_by_subject ON jobs (subject, number);
CREATE INDEX jobs_unfinished ON jobs (number)
	WHERE status IN ('pending', 'running');

-- What a deployment's files were before a change took their place.
CREATE TABLE revisions (
	deployment TEXT NOT NULL,
	number INTEGER NOT NULL,
	filename TEXT NOT NULL,
	compose TEXT NOT NULL,
	metadata TEXT,
	environment TEXT,
	actor TEXT NOT NULL,
	job_id TEXT NOT NULL,
	created_at_ms INTEGER NOT NULL,
	PRIMARY KEY (deployment, number)
) WITHOUT ROWID;

-- The mirror: what Docker and the deployments' directories hold.
CREATE TABLE containers (
	id TEXT PRIMARY KEY,
	name TEXT NOT NULL,
	image TEXT NOT NULL,
	image_id TEXT NOT NULL,
	state TEXT NOT NULL,
	status TEXT NOT NULL,
	health TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	project TEXT NOT NULL,
	service TEXT NOT NULL,
	ports TEXT NOT NULL,
	networks TEXT NOT NULL,
	labels TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX containers_by_project ON containers (project, service, name);

CREATE TABLE deployments (
	name TEXT PRIMARY KEY,
	path TEXT NOT NULL,
	filename TEXT NOT NULL,
	project TEXT NOT NULL,
	type TEXT NOT NULL,
	compose TEXT NOT NULL,
	services TEXT NOT NULL,
	metadata TEXT NOT NULL,
	problem TEXT NOT NULL,
	modified_at_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- The newest sample of each running container.
CREATE TABLE samples (
	container_id TEXT PRIMARY KEY,
	sampled_at_ms INTEGER NOT NULL,
	cpu_percent REAL NOT NULL,
	memory_usage INTEGER NOT NULL,
	memory_limit INTEGER NOT NULL,
	network_rx INTEGER NOT NULL,
	network_tx INTEGER NOT NULL,
	block_read INTEGER NOT NULL,
	block_write INTEGER NOT NULL,
	pids INTEGER NOT NULL
) WITHOUT ROWID;

-- Kinds of registries beside those that the program knows.
CREATE TABLE registry_types (
	slug TEXT PRIMARY KEY,
	name TEXT NOT NULL,
	url_patterns TEXT NOT NULL,
	auth_type TEXT NOT NULL,
	login_url TEXT NOT NULL,
	docs_url TEXT NOT NULL,
	icon TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Who we are at a registry. The password is in a file of root's, whose name
-- has the number in secret: a row never goes with another row's password.
CREATE TABLE credentials (
	id TEXT PRIMARY KEY,
	name TEXT NOT NULL UNIQUE,
	registry_type TEXT NOT NULL,
	host TEXT NOT NULL,
	username TEXT NOT NULL,
	email TEXT NOT NULL,
	is_default INTEGER NOT NULL,
	secret INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	updated_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX credentials_by_host ON credentials (host);

-- The rest of the mirror. The agent fills it as soon as Docker answers.
ALTER TABLE containers ADD COLUMN mounts TEXT NOT NULL DEFAULT '[]';
-- It was an object of addresses; now each is an object in an array.
UPDATE containers SET networks = '[]';

CREATE TABLE images (
	id TEXT PRIMARY KEY,
	tags TEXT NOT NULL,
	digests TEXT NOT NULL,
	size INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	labels TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE volumes (
	name TEXT PRIMARY KEY,
	driver TEXT NOT NULL,
	mountpoint TEXT NOT NULL,
	scope TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	labels TEXT NOT NULL,
	options TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE networks (
	id TEXT PRIMARY KEY,
	name TEXT NOT NULL,
	driver TEXT NOT NULL,
	scope TEXT NOT NULL,
	internal INTEGER NOT NULL,
	attachable INTEGER NOT NULL,
	ipv6 INTEGER NOT NULL,
	subnet TEXT NOT NULL,
	gateway TEXT NOT NULL,
	created_at INTEGER NOT NULL,
	labels TEXT NOT NULL,
	options TEXT NOT NULL
) WITHOUT ROWID;

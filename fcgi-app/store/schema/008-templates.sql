-- Templates as they were last read from each source that is configured. Of
-- one id in several sources the one of the highest rank counts.
CREATE TABLE templates (
	source TEXT NOT NULL,
	id TEXT NOT NULL,
	rank INTEGER NOT NULL,
	name TEXT NOT NULL,
	category TEXT NOT NULL,
	type TEXT NOT NULL,
	priority INTEGER NOT NULL,
	metadata TEXT NOT NULL,
	content TEXT NOT NULL,
	PRIMARY KEY (id, source)
) WITHOUT ROWID;

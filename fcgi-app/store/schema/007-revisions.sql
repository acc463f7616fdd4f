-- A revision is now one state of a deployment's files, not only what was there
-- before a change: the rows there are become "saved".
ALTER TABLE revisions ADD COLUMN state TEXT NOT NULL DEFAULT 'saved'
	CHECK (state IN ('saved', 'applied', 'failed'));
ALTER TABLE revisions ADD COLUMN reason TEXT NOT NULL DEFAULT '';
-- JSON array of {service, image, image_id, digests}, as they ran; or NULL.
ALTER TABLE revisions ADD COLUMN images TEXT;
-- The revision whose files it has again; 0 for none.
ALTER TABLE revisions ADD COLUMN restores INTEGER NOT NULL DEFAULT 0;
ALTER TABLE revisions ADD COLUMN applied_at_ms INTEGER NOT NULL DEFAULT 0;
-- Of one revision of a deployment: its files are on the disk.
ALTER TABLE revisions ADD COLUMN is_current INTEGER NOT NULL DEFAULT 0;

-- Changes under way: there from before the first file is written until the
-- deployment is the new version or the old one again.
CREATE TABLE updates (
	deployment TEXT PRIMARY KEY,
	job_id TEXT NOT NULL,
	revision INTEGER NOT NULL, -- the new one
	back INTEGER NOT NULL, -- the one to go back to
	phase TEXT NOT NULL, -- files, containers, back
	before TEXT NOT NULL, -- what the containers were: absent, stopped, running
	started_at_ms INTEGER NOT NULL
) WITHOUT ROWID;

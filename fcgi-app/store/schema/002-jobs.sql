-- How far a job is: a JSON object of its kind's own shape.
ALTER TABLE jobs ADD COLUMN progress TEXT;

-- Idempotency-Key: which request a job answers, so that a second one with the
-- same key gets the same answer. answer is how to render it.
ALTER TABLE jobs ADD COLUMN idempotency_key TEXT;
ALTER TABLE jobs ADD COLUMN fingerprint TEXT;
ALTER TABLE jobs ADD COLUMN answer TEXT;
CREATE UNIQUE INDEX jobs_by_idempotency_key ON jobs (actor, idempotency_key)
	WHERE idempotency_key IS NOT NULL;

-- What changed, in order: /events is replayed from here. The triggers write
-- it within the change's own transaction, so that none is missed.
CREATE TABLE events (
	number INTEGER PRIMARY KEY AUTOINCREMENT,
	at_ms INTEGER NOT NULL
		DEFAULT (CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)),
	type TEXT NOT NULL, -- deployment, container, job
	id TEXT NOT NULL DEFAULT '', -- of containers and jobs
	name TEXT NOT NULL, -- of the object; the subject of a job
	status TEXT NOT NULL, -- a container's state, or 'removed'
	health TEXT NOT NULL DEFAULT '', -- of containers
	deployment TEXT NOT NULL DEFAULT '', -- containers' project
	kind TEXT NOT NULL DEFAULT '', -- of jobs
	error_code TEXT NOT NULL DEFAULT '' -- of jobs
);

CREATE TRIGGER jobs_inserted AFTER INSERT ON jobs
BEGIN
	INSERT INTO events (type, id, kind, name, status) VALUES
		('job', new.id, new.kind, new.subject, new.status);
END;

CREATE TRIGGER jobs_changed AFTER UPDATE OF status ON jobs
	WHEN old.status <> new.status
BEGIN
	INSERT INTO events (type, id, kind, name, status, error_code) VALUES
		('job', new.id, new.kind, new.subject, new.status,
		coalesce(new.error_code, ''));
END;

-- What a deployment's containers come to: running, paused or stopped.
ALTER TABLE deployments ADD COLUMN status TEXT NOT NULL DEFAULT '';
CREATE INDEX deployments_by_project ON deployments (project);
CREATE VIEW project_states (project, status) AS
	SELECT project, CASE
		WHEN sum(state = 'running') > 0 THEN 'running'
		WHEN sum(state = 'paused') > 0 THEN 'paused'
		ELSE 'stopped' END
	FROM containers GROUP BY project;

CREATE TRIGGER deployments_inserted AFTER INSERT ON deployments
BEGIN
	UPDATE deployments SET status = coalesce((SELECT status FROM
		project_states WHERE project = new.project), 'stopped')
		WHERE name = new.name;
END;

CREATE TRIGGER deployments_moved AFTER UPDATE OF project ON deployments
	WHEN old.project <> new.project
BEGIN
	UPDATE deployments SET status = coalesce((SELECT status FROM
		project_states WHERE project = new.project), 'stopped')
		WHERE name = new.name;
END;

CREATE TRIGGER deployments_changed AFTER UPDATE ON deployments
	WHEN old.status <> new.status OR old.compose <> new.compose OR
	old.metadata <> new.metadata OR old.problem <> new.problem
BEGIN
	INSERT INTO events (type, name, status) VALUES
		('deployment', new.name, new.status);
END;

CREATE TRIGGER deployments_deleted AFTER DELETE ON deployments
BEGIN
	INSERT INTO events (type, name, status) VALUES
		('deployment', old.name, 'removed');
END;

CREATE TRIGGER containers_inserted AFTER INSERT ON containers
BEGIN
	INSERT INTO events (type, id, name, status, health, deployment) VALUES
		('container', new.id, new.name, new.state, new.health,
		new.project);
	UPDATE deployments SET status = coalesce((SELECT status FROM
		project_states WHERE project = new.project), 'stopped')
		WHERE project = new.project;
END;

CREATE TRIGGER containers_changed AFTER UPDATE ON containers
	WHEN old.state <> new.state OR old.health <> new.health OR
	old.name <> new.name
BEGIN
	INSERT INTO events (type, id, name, status, health, deployment) VALUES
		('container', new.id, new.name, new.state, new.health,
		new.project);
	UPDATE deployments SET status = coalesce((SELECT status FROM
		project_states WHERE project = new.project), 'stopped')
		WHERE project = new.project;
END;

CREATE TRIGGER containers_deleted AFTER DELETE ON containers
BEGIN
	INSERT INTO events (type, id, name, status, health, deployment) VALUES
		('container', old.id, old.name, 'removed', '',
		old.project);
	UPDATE deployments SET status = coalesce((SELECT status FROM
		project_states WHERE project = old.project), 'stopped')
		WHERE project = old.project;
END;

-- Rows from before this version have no status yet.
UPDATE deployments SET status = coalesce((SELECT s.status FROM
	project_states s WHERE s.project = deployments.project), 'stopped');
DELETE FROM events;

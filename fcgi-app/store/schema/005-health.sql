-- What the check of a deployment's service.yml last said.
CREATE TABLE checks (
	deployment TEXT PRIMARY KEY,
	container_id TEXT NOT NULL, -- which was asked
	status TEXT NOT NULL
		CHECK (status IN ('starting', 'healthy', 'unhealthy')),
	reason TEXT NOT NULL, -- why it is not healthy, or ''
	http_status INTEGER NOT NULL, -- 0: there was no answer
	duration_ms INTEGER NOT NULL,
	checked_at_ms INTEGER NOT NULL,
	changed_at_ms INTEGER NOT NULL
) WITHOUT ROWID;

-- What the checks of Docker and of service.yml come to for what runs.
ALTER TABLE deployments ADD COLUMN health TEXT NOT NULL DEFAULT 'none';

CREATE VIEW deployment_states (name, status, health) AS
	SELECT name, status, CASE
		WHEN EXISTS (SELECT 1
			FROM containers c WHERE c.project = x.project AND
			c.state IN ('restarting', 'dead')) THEN 'unhealthy'
		WHEN status <> 'running' THEN 'none'
		WHEN checked = 'unhealthy' OR EXISTS (SELECT 1
			FROM containers c WHERE c.project = x.project AND
			c.health = 'unhealthy') THEN 'unhealthy'
		WHEN checked = 'starting' OR EXISTS (SELECT 1
			FROM containers c WHERE c.project = x.project AND
			c.health = 'starting') THEN 'starting'
		WHEN checked = 'healthy' OR EXISTS (SELECT 1
			FROM containers c WHERE c.project = x.project AND
			c.health = 'healthy') THEN 'healthy'
		ELSE 'none' END
	FROM (SELECT d.name, d.project, coalesce((SELECT p.status FROM
		project_states p WHERE p.project = d.project), 'stopped')
		AS status, (SELECT k.status FROM checks k
		WHERE k.deployment = d.name) AS checked
		FROM deployments d) x;

-- Both change in one statement, so that it is one event.
DROP TRIGGER deployments_inserted;
CREATE TRIGGER deployments_inserted AFTER INSERT ON deployments
BEGIN
	UPDATE deployments SET (status, health) = (SELECT s.status, s.health
		FROM deployment_states s WHERE s.name = deployments.name)
		WHERE name = new.name;
END;

DROP TRIGGER deployments_moved;
CREATE TRIGGER deployments_moved AFTER UPDATE OF project ON deployments
	WHEN old.project <> new.project
BEGIN
	UPDATE deployments SET (status, health) = (SELECT s.status, s.health
		FROM deployment_states s WHERE s.name = deployments.name)
		WHERE name = new.name;
END;

DROP TRIGGER deployments_changed;
CREATE TRIGGER deployments_changed AFTER UPDATE ON deployments
	WHEN old.status <> new.status OR old.compose <> new.compose OR
	old.metadata <> new.metadata OR old.problem <> new.problem OR
	old.health <> new.health
BEGIN
	INSERT INTO events (type, name, status, health) VALUES
		('deployment', new.name, new.status, new.health);
END;

CREATE TRIGGER deployments_deleted_checks AFTER DELETE ON deployments
BEGIN
	DELETE FROM checks WHERE deployment = old.name;
END;

DROP TRIGGER containers_inserted;
CREATE TRIGGER containers_inserted AFTER INSERT ON containers
BEGIN
	INSERT INTO events (type, id, name, status, health, deployment) VALUES
		('container', new.id, new.name, new.state, new.health,
		new.project);
	UPDATE deployments SET (status, health) = (SELECT s.status, s.health
		FROM deployment_states s WHERE s.name = deployments.name)
		WHERE project = new.project;
END;

DROP TRIGGER containers_changed;
CREATE TRIGGER containers_changed AFTER UPDATE ON containers
	WHEN old.state <> new.state OR old.health <> new.health OR
	old.name <> new.name
BEGIN
	INSERT INTO events (type, id, name, status, health, deployment) VALUES
		('container', new.id, new.name, new.state, new.health,
		new.project);
	UPDATE deployments SET (status, health) = (SELECT s.status, s.health
		FROM deployment_states s WHERE s.name = deployments.name)
		WHERE project = new.project;
END;

DROP TRIGGER containers_deleted;
CREATE TRIGGER containers_deleted AFTER DELETE ON containers
BEGIN
	INSERT INTO events (type, id, name, status, health, deployment) VALUES
		('container', old.id, old.name, 'removed', '',
		old.project);
	UPDATE deployments SET (status, health) = (SELECT s.status, s.health
		FROM deployment_states s WHERE s.name = deployments.name)
		WHERE project = old.project;
END;

CREATE TRIGGER checks_inserted AFTER INSERT ON checks
BEGIN
	UPDATE deployments SET (status, health) = (SELECT s.status, s.health
		FROM deployment_states s WHERE s.name = deployments.name)
		WHERE name = new.deployment;
END;

CREATE TRIGGER checks_changed AFTER UPDATE OF status ON checks
	WHEN old.status <> new.status
BEGIN
	UPDATE deployments SET (status, health) = (SELECT s.status, s.health
		FROM deployment_states s WHERE s.name = deployments.name)
		WHERE name = new.deployment;
END;

CREATE TRIGGER checks_deleted AFTER DELETE ON checks
BEGIN
	UPDATE deployments SET (status, health) = (SELECT s.status, s.health
		FROM deployment_states s WHERE s.name = deployments.name)
		WHERE name = old.deployment;
END;

-- Rows from before this version have no health yet.
UPDATE deployments SET (status, health) = (SELECT s.status, s.health
	FROM deployment_states s WHERE s.name = deployments.name);
DELETE FROM events;

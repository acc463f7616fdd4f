-- Which files a deployment has: another text whenever one of them changes.
-- The agent makes it; '' until it has looked.
ALTER TABLE deployments ADD COLUMN version TEXT NOT NULL DEFAULT '';

-- The demo's tables. Electric sets their replica identity itself when a shape
-- of theirs is first asked for.

CREATE TABLE projects (
  id text PRIMARY KEY,
  name text NOT NULL,
  updated_at timestamptz NOT NULL
);

INSERT INTO projects (id, name, updated_at) VALUES
  ('atlas', 'Atlas', '2026-01-05 09:00:00+00'),
  ('borealis', 'Borealis', '2026-01-06 09:00:00+00'),
  ('comet', 'Comet', '2026-01-07 09:00:00+00');

CREATE TABLE documents (
  id uuid PRIMARY KEY,
  project_id text NOT NULL,
  title text NOT NULL,
  body text,
  tags text[] NOT NULL DEFAULT '{}',
  details jsonb NOT NULL DEFAULT '{}',
  revision int4 NOT NULL DEFAULT 1,
  archived bool NOT NULL DEFAULT false,
  updated_at timestamptz NOT NULL
);

INSERT INTO documents (id, project_id, title, body, tags, details, revision, archived, updated_at) VALUES
  ('d0c00000-0000-4000-8000-000000000001', 'atlas', 'Atlas charter', 'What Atlas is for.', '{plan}', '{"pages": 4}', 3, false, '2026-02-01 10:00:00+00'),
  ('d0c00000-0000-4000-8000-000000000002', 'atlas', 'Atlas budget', 'What Atlas costs.', '{plan,money}', '{"pages": 2}', 7, false, '2026-02-02 10:00:00+00'),
  ('d0c00000-0000-4000-8000-000000000003', 'atlas', 'Atlas, first draft', NULL, '{}', '{}', 1, true, '2026-01-15 10:00:00+00'),
  ('d0c00000-0000-4000-8000-000000000004', 'borealis', 'Borealis plan', 'Shared with alice.', '{plan}', '{"pages": 9}', 2, false, '2026-02-03 10:00:00+00'),
  ('d0c00000-0000-4000-8000-000000000005', 'borealis', 'Borealis review', 'Bob is not to read this.', '{people}', '{"pages": 1}', 1, false, '2026-02-04 10:00:00+00'),
  ('d0c00000-0000-4000-8000-000000000006', 'borealis', 'Borealis incident', 'For those with clearance.', '{security}', '{"pages": 3}', 5, false, '2026-02-05 10:00:00+00'),
  ('d0c00000-0000-4000-8000-000000000007', 'comet', 'Comet pitch', 'Why Comet.', '{plan}', '{"pages": 12}', 4, false, '2026-02-06 10:00:00+00'),
  ('d0c00000-0000-4000-8000-000000000008', 'comet', 'Comet contract', 'With whom Comet.', '{legal}', '{"pages": 30}', 2, false, '2026-02-07 10:00:00+00');

CREATE TABLE salaries (
  id uuid PRIMARY KEY,
  person text NOT NULL,
  amount int8 NOT NULL,
  currency text NOT NULL DEFAULT 'EUR'
);

INSERT INTO salaries (id, person, amount, currency) VALUES
  ('5a1a0000-0000-4000-8000-000000000001', 'alice', 84000, 'EUR'),
  ('5a1a0000-0000-4000-8000-000000000002', 'bob', 79000, 'EUR');

CREATE TABLE todos (
  id int4 PRIMARY KEY,
  list_id text NOT NULL,
  title text NOT NULL,
  done bool NOT NULL DEFAULT false
);

INSERT INTO todos (id, list_id, title, done) VALUES
  (1, 'home', 'Buy milk', false),
  (2, 'home', 'Fix the tap', false),
  (3, 'work', 'Write the report', false);

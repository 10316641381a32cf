-- Documents whose relationships are due: the row was written, and SpiceDB may not have
-- what it asks for yet.
CREATE TABLE IF NOT EXISTS demo_due (
  document_id uuid PRIMARY KEY,
  since timestamptz NOT NULL
);

-- Who has made which document, in which transaction: what a request that is sent again
-- is answered with.
CREATE TABLE IF NOT EXISTS demo_created (
  document_id uuid PRIMARY KEY,
  person text NOT NULL,
  txid int8 NOT NULL
);

-- The ledger of applied migrations (contract/data-model.md section 7). Executed on every run, before it is read.

CREATE TABLE IF NOT EXISTS "_migrations" (
    "id" INTEGER PRIMARY KEY AUTOINCREMENT,
    "hash" TEXT NOT NULL,
    "kind" TEXT NOT NULL DEFAULT 'schema',
    "details" TEXT,
    "created_at" INTEGER NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS "uq_migrations_hash" ON "_migrations" ("hash");

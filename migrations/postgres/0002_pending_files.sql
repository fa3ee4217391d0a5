-- docs/decisions/0006-pending-files.md
CREATE TABLE IF NOT EXISTS "pending_files" (
    "file_id" VARCHAR(64) NOT NULL,
    "uid" VARCHAR(64) NOT NULL,
    "path" TEXT NOT NULL,
    "location" TEXT NOT NULL,
    "attachment" TEXT,
    "collect_after" BIGINT NOT NULL,
    PRIMARY KEY ("file_id")
);

CREATE INDEX IF NOT EXISTS "idx_pending_files_collect_after" ON "pending_files" ("collect_after", "file_id");

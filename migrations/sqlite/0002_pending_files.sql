-- docs/decisions/0006-pending-files.md
CREATE TABLE IF NOT EXISTS "pending_files" (
    "file_id" TEXT NOT NULL,
    "uid" TEXT NOT NULL,
    "path" TEXT NOT NULL,
    "location" TEXT NOT NULL,
    "attachment" TEXT,
    "collect_after" INTEGER NOT NULL,
    PRIMARY KEY ("file_id")
);

CREATE INDEX IF NOT EXISTS "idx_pending_files_collect_after" ON "pending_files" ("collect_after", "file_id");

-- The hours whose pushes a run has begun to deliver (contract/push-rules-scheduler.md, required serverless
-- design); finished_at is NULL as long as something may be left.
CREATE TABLE IF NOT EXISTS "push_slots" (
    "slot" VARCHAR(16) NOT NULL,
    "scheduled_at" BIGINT NOT NULL,
    "finished_at" BIGINT,
    PRIMARY KEY ("slot")
);

CREATE INDEX IF NOT EXISTS "idx_push_slots_scheduled_at" ON "push_slots" ("scheduled_at");

-- The rules of an hour are read in pages, those of a user together.
DROP INDEX IF EXISTS "idx_push_rules_enabled_time";

CREATE INDEX "idx_push_rules_enabled_time" ON "push_rules" ("enabled", "push_time", "uid", "id");

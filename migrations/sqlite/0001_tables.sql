-- The tables of the product (contract/data-model.md, DESIGN section 5). No foreign keys.

CREATE TABLE IF NOT EXISTS "users" (
    "uid" TEXT NOT NULL,
    "email" TEXT,
    "phone" TEXT,
    "password" TEXT NOT NULL,
    "salt" TEXT NOT NULL,
    "nickname" TEXT,
    "avatar" TEXT,
    "status" INTEGER NOT NULL DEFAULT 1,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    PRIMARY KEY ("uid")
);

CREATE UNIQUE INDEX IF NOT EXISTS "uq_users_email" ON "users" ("email");

CREATE TABLE IF NOT EXISTS "memos" (
    "memo_id" TEXT NOT NULL,
    "uid" TEXT NOT NULL,
    "category_id" TEXT,
    "content" TEXT NOT NULL,
    "type" TEXT NOT NULL DEFAULT 'text',
    "source" TEXT,
    "is_public" INTEGER NOT NULL DEFAULT 0,
    "attachments" TEXT,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    PRIMARY KEY ("memo_id")
);

CREATE INDEX IF NOT EXISTS "idx_memos_uid_created_at" ON "memos" ("uid", "created_at", "memo_id");

CREATE INDEX IF NOT EXISTS "idx_memos_uid_updated_at" ON "memos" ("uid", "updated_at", "memo_id");

CREATE INDEX IF NOT EXISTS "idx_memos_uid_category_created" ON "memos" ("uid", "category_id", "created_at", "memo_id");

CREATE INDEX IF NOT EXISTS "idx_memos_uid_public_created" ON "memos" ("uid", "is_public", "created_at", "memo_id");

CREATE TABLE IF NOT EXISTS "memo_tags" (
    "memo_id" TEXT NOT NULL,
    "tag_id" TEXT NOT NULL,
    "uid" TEXT NOT NULL,
    "position" INTEGER NOT NULL,
    "created_at" INTEGER NOT NULL,
    PRIMARY KEY ("memo_id", "tag_id")
);

CREATE INDEX IF NOT EXISTS "idx_memo_tags_uid_tag_created" ON "memo_tags" ("uid", "tag_id", "created_at", "memo_id");

CREATE TABLE IF NOT EXISTS "memo_relations" (
    "relation_id" TEXT NOT NULL,
    "uid" TEXT NOT NULL,
    "source_memo_id" TEXT NOT NULL,
    "target_memo_id" TEXT NOT NULL,
    "created_at" INTEGER NOT NULL,
    PRIMARY KEY ("relation_id")
);

CREATE UNIQUE INDEX IF NOT EXISTS "uq_memo_relations_uid_source_target" ON "memo_relations" ("uid", "source_memo_id", "target_memo_id");

CREATE INDEX IF NOT EXISTS "idx_memo_relations_uid_target" ON "memo_relations" ("uid", "target_memo_id");

CREATE TABLE IF NOT EXISTS "attachments" (
    "attachment_id" TEXT NOT NULL,
    "uid" TEXT NOT NULL,
    "filename" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "size" INTEGER NOT NULL,
    "storage_type" TEXT NOT NULL,
    "path" TEXT NOT NULL,
    "bucket" TEXT,
    "prefix" TEXT,
    "endpoint" TEXT,
    "region" TEXT,
    "is_public_bucket" TEXT,
    "multimodal_model_hash" TEXT,
    "properties" TEXT,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    PRIMARY KEY ("attachment_id")
);

CREATE INDEX IF NOT EXISTS "idx_attachments_uid_created_at" ON "attachments" ("uid", "created_at", "attachment_id");

CREATE TABLE IF NOT EXISTS "categories" (
    "category_id" TEXT NOT NULL,
    "uid" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "name_key" TEXT NOT NULL,
    "color" TEXT,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    PRIMARY KEY ("category_id")
);

CREATE UNIQUE INDEX IF NOT EXISTS "uq_categories_uid_name_key" ON "categories" ("uid", "name_key");

CREATE TABLE IF NOT EXISTS "tags" (
    "tag_id" TEXT NOT NULL,
    "uid" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "name_key" TEXT NOT NULL,
    "color" TEXT,
    "usage_count" INTEGER NOT NULL DEFAULT 0,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    PRIMARY KEY ("tag_id")
);

CREATE UNIQUE INDEX IF NOT EXISTS "uq_tags_uid_name_key" ON "tags" ("uid", "name_key");

CREATE TABLE IF NOT EXISTS "ai_conversations" (
    "conversation_id" TEXT NOT NULL,
    "uid" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    PRIMARY KEY ("conversation_id")
);

CREATE INDEX IF NOT EXISTS "idx_ai_conversations_uid_updated_at" ON "ai_conversations" ("uid", "updated_at");

CREATE TABLE IF NOT EXISTS "ai_messages" (
    "message_id" TEXT NOT NULL,
    "conversation_id" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "content" TEXT NOT NULL,
    "sources" TEXT,
    "created_at" INTEGER NOT NULL,
    PRIMARY KEY ("message_id")
);

CREATE INDEX IF NOT EXISTS "idx_ai_messages_conversation_created" ON "ai_messages" ("conversation_id", "created_at");

CREATE TABLE IF NOT EXISTS "push_rules" (
    "id" TEXT NOT NULL,
    "uid" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "push_time" INTEGER NOT NULL,
    "content_type" TEXT NOT NULL,
    "channels" TEXT NOT NULL,
    "enabled" INTEGER NOT NULL DEFAULT 1,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    PRIMARY KEY ("id")
);

CREATE INDEX IF NOT EXISTS "idx_push_rules_uid" ON "push_rules" ("uid");

CREATE INDEX IF NOT EXISTS "idx_push_rules_enabled_time" ON "push_rules" ("enabled", "push_time");

CREATE TABLE IF NOT EXISTS "daily_recommendations" (
    "recommendation_id" TEXT NOT NULL,
    "uid" TEXT NOT NULL,
    "date" TEXT NOT NULL,
    "memo_ids" TEXT NOT NULL,
    "created_at" INTEGER NOT NULL,
    PRIMARY KEY ("recommendation_id")
);

CREATE UNIQUE INDEX IF NOT EXISTS "uq_daily_recommendations_uid_date" ON "daily_recommendations" ("uid", "date");

CREATE TABLE IF NOT EXISTS "vector_outbox" (
    "kind" TEXT NOT NULL,
    "entity_id" TEXT NOT NULL,
    "uid" TEXT NOT NULL,
    "op" TEXT NOT NULL,
    "enqueued_at" INTEGER NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_attempt_at" INTEGER NOT NULL,
    "last_error" TEXT,
    PRIMARY KEY ("kind", "entity_id")
);

CREATE INDEX IF NOT EXISTS "idx_vector_outbox_next_attempt" ON "vector_outbox" ("next_attempt_at");

CREATE INDEX IF NOT EXISTS "idx_vector_outbox_uid" ON "vector_outbox" ("uid", "next_attempt_at");

CREATE TABLE IF NOT EXISTS "push_deliveries" (
    "rule_id" TEXT NOT NULL,
    "slot" TEXT NOT NULL,
    "channel_index" INTEGER NOT NULL,
    "uid" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "claim" TEXT NOT NULL,
    "lease_until" INTEGER NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "last_error" TEXT,
    "created_at" INTEGER NOT NULL,
    "updated_at" INTEGER NOT NULL,
    PRIMARY KEY ("rule_id", "slot", "channel_index")
);

CREATE INDEX IF NOT EXISTS "idx_push_deliveries_slot_state" ON "push_deliveries" ("slot", "state");

CREATE INDEX IF NOT EXISTS "idx_push_deliveries_created_at" ON "push_deliveries" ("created_at");

-- SQLite gathers no statistics by itself, and takes 10 rows for what a user has in a table. These say that
-- it is a lot, so that rows are looked up by their own ids.
ANALYZE sqlite_schema;

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('memos', 'idx_memos_uid_created_at', '1000000 10000 2 1'),
    ('memos', 'idx_memos_uid_updated_at', '1000000 10000 2 1'),
    ('memos', 'idx_memos_uid_category_created', '1000000 10000 1000 2 1'),
    ('memos', 'idx_memos_uid_public_created', '1000000 10000 5000 2 1'),
    ('memo_tags', 'idx_memo_tags_uid_tag_created', '2000000 20000 200 2 1'),
    ('memo_tags', 'sqlite_autoindex_memo_tags_1', '2000000 2 1'),
    ('memo_relations', 'uq_memo_relations_uid_source_target', '1000000 10000 2 1'),
    ('memo_relations', 'idx_memo_relations_uid_target', '1000000 10000 2'),
    ('attachments', 'idx_attachments_uid_created_at', '1000000 10000 2 1'),
    ('categories', 'uq_categories_uid_name_key', '100000 1000 1'),
    ('tags', 'uq_tags_uid_name_key', '100000 1000 1'),
    ('ai_conversations', 'idx_ai_conversations_uid_updated_at', '100000 1000 1'),
    ('ai_messages', 'idx_ai_messages_conversation_created', '1000000 20 1');

ANALYZE sqlite_schema;

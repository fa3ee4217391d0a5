-- The tables of the product (contract/data-model.md, DESIGN section 5). No foreign keys.

CREATE TABLE IF NOT EXISTS "users" (
    "uid" VARCHAR(64) NOT NULL,
    "email" VARCHAR(255),
    "phone" TEXT,
    "password" VARCHAR(255) NOT NULL,
    "salt" VARCHAR(255) NOT NULL,
    "nickname" TEXT,
    "avatar" TEXT,
    "status" INTEGER NOT NULL DEFAULT 1,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    PRIMARY KEY ("uid")
);

CREATE UNIQUE INDEX IF NOT EXISTS "uq_users_email" ON "users" ("email");

CREATE TABLE IF NOT EXISTS "memos" (
    "memo_id" VARCHAR(64) NOT NULL,
    "uid" VARCHAR(64) NOT NULL,
    "category_id" VARCHAR(64),
    "content" TEXT NOT NULL,
    "type" VARCHAR(32) NOT NULL DEFAULT 'text',
    "source" TEXT,
    "is_public" INTEGER NOT NULL DEFAULT 0,
    "attachments" TEXT,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    PRIMARY KEY ("memo_id")
);

CREATE INDEX IF NOT EXISTS "idx_memos_uid_created_at" ON "memos" ("uid", "created_at", "memo_id");

CREATE INDEX IF NOT EXISTS "idx_memos_uid_updated_at" ON "memos" ("uid", "updated_at", "memo_id");

CREATE INDEX IF NOT EXISTS "idx_memos_uid_category_created" ON "memos" ("uid", "category_id", "created_at", "memo_id");

CREATE INDEX IF NOT EXISTS "idx_memos_uid_public_created" ON "memos" ("uid", "is_public", "created_at", "memo_id");

CREATE TABLE IF NOT EXISTS "memo_tags" (
    "memo_id" VARCHAR(64) NOT NULL,
    "tag_id" VARCHAR(64) NOT NULL,
    "uid" VARCHAR(64) NOT NULL,
    "position" INTEGER NOT NULL,
    "created_at" BIGINT NOT NULL,
    PRIMARY KEY ("memo_id", "tag_id")
);

CREATE INDEX IF NOT EXISTS "idx_memo_tags_uid_tag_created" ON "memo_tags" ("uid", "tag_id", "created_at", "memo_id");

CREATE TABLE IF NOT EXISTS "memo_relations" (
    "relation_id" VARCHAR(64) NOT NULL,
    "uid" VARCHAR(64) NOT NULL,
    "source_memo_id" VARCHAR(64) NOT NULL,
    "target_memo_id" VARCHAR(64) NOT NULL,
    "created_at" BIGINT NOT NULL,
    PRIMARY KEY ("relation_id")
);

CREATE UNIQUE INDEX IF NOT EXISTS "uq_memo_relations_uid_source_target" ON "memo_relations" ("uid", "source_memo_id", "target_memo_id");

CREATE INDEX IF NOT EXISTS "idx_memo_relations_uid_target" ON "memo_relations" ("uid", "target_memo_id");

CREATE TABLE IF NOT EXISTS "attachments" (
    "attachment_id" VARCHAR(64) NOT NULL,
    "uid" VARCHAR(64) NOT NULL,
    "filename" TEXT NOT NULL,
    "type" VARCHAR(255) NOT NULL,
    "size" BIGINT NOT NULL,
    "storage_type" VARCHAR(16) NOT NULL,
    "path" TEXT NOT NULL,
    "bucket" TEXT,
    "prefix" TEXT,
    "endpoint" TEXT,
    "region" TEXT,
    "is_public_bucket" VARCHAR(8),
    "multimodal_model_hash" VARCHAR(64),
    "properties" TEXT,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    PRIMARY KEY ("attachment_id")
);

CREATE INDEX IF NOT EXISTS "idx_attachments_uid_created_at" ON "attachments" ("uid", "created_at", "attachment_id");

CREATE TABLE IF NOT EXISTS "categories" (
    "category_id" VARCHAR(64) NOT NULL,
    "uid" VARCHAR(64) NOT NULL,
    "name" TEXT NOT NULL,
    "name_key" VARCHAR(255) NOT NULL,
    "color" TEXT,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    PRIMARY KEY ("category_id")
);

CREATE UNIQUE INDEX IF NOT EXISTS "uq_categories_uid_name_key" ON "categories" ("uid", "name_key");

CREATE TABLE IF NOT EXISTS "tags" (
    "tag_id" VARCHAR(64) NOT NULL,
    "uid" VARCHAR(64) NOT NULL,
    "name" TEXT NOT NULL,
    "name_key" VARCHAR(255) NOT NULL,
    "color" TEXT,
    "usage_count" INTEGER NOT NULL DEFAULT 0,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    PRIMARY KEY ("tag_id")
);

CREATE UNIQUE INDEX IF NOT EXISTS "uq_tags_uid_name_key" ON "tags" ("uid", "name_key");

CREATE TABLE IF NOT EXISTS "ai_conversations" (
    "conversation_id" VARCHAR(64) NOT NULL,
    "uid" VARCHAR(64) NOT NULL,
    "title" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    PRIMARY KEY ("conversation_id")
);

CREATE INDEX IF NOT EXISTS "idx_ai_conversations_uid_updated_at" ON "ai_conversations" ("uid", "updated_at");

CREATE TABLE IF NOT EXISTS "ai_messages" (
    "message_id" VARCHAR(64) NOT NULL,
    "conversation_id" VARCHAR(64) NOT NULL,
    "role" VARCHAR(16) NOT NULL,
    "content" TEXT NOT NULL,
    "sources" TEXT,
    "created_at" BIGINT NOT NULL,
    PRIMARY KEY ("message_id")
);

CREATE INDEX IF NOT EXISTS "idx_ai_messages_conversation_created" ON "ai_messages" ("conversation_id", "created_at");

CREATE TABLE IF NOT EXISTS "push_rules" (
    "id" VARCHAR(64) NOT NULL,
    "uid" VARCHAR(64) NOT NULL,
    "name" TEXT NOT NULL,
    "push_time" INTEGER NOT NULL,
    "content_type" VARCHAR(32) NOT NULL,
    "channels" TEXT NOT NULL,
    "enabled" INTEGER NOT NULL DEFAULT 1,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);

CREATE INDEX IF NOT EXISTS "idx_push_rules_uid" ON "push_rules" ("uid");

CREATE INDEX IF NOT EXISTS "idx_push_rules_enabled_time" ON "push_rules" ("enabled", "push_time");

CREATE TABLE IF NOT EXISTS "daily_recommendations" (
    "recommendation_id" VARCHAR(64) NOT NULL,
    "uid" VARCHAR(64) NOT NULL,
    "date" VARCHAR(10) NOT NULL,
    "memo_ids" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    PRIMARY KEY ("recommendation_id")
);

CREATE UNIQUE INDEX IF NOT EXISTS "uq_daily_recommendations_uid_date" ON "daily_recommendations" ("uid", "date");

CREATE TABLE IF NOT EXISTS "vector_outbox" (
    "kind" VARCHAR(16) NOT NULL,
    "entity_id" VARCHAR(64) NOT NULL,
    "uid" VARCHAR(64) NOT NULL,
    "op" VARCHAR(16) NOT NULL,
    "enqueued_at" BIGINT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_attempt_at" BIGINT NOT NULL,
    "last_error" TEXT,
    PRIMARY KEY ("kind", "entity_id")
);

CREATE INDEX IF NOT EXISTS "idx_vector_outbox_next_attempt" ON "vector_outbox" ("next_attempt_at");

CREATE INDEX IF NOT EXISTS "idx_vector_outbox_uid" ON "vector_outbox" ("uid", "next_attempt_at");

CREATE TABLE IF NOT EXISTS "push_deliveries" (
    "rule_id" VARCHAR(64) NOT NULL,
    "slot" VARCHAR(16) NOT NULL,
    "channel_index" INTEGER NOT NULL,
    "uid" VARCHAR(64) NOT NULL,
    "state" VARCHAR(16) NOT NULL,
    "claim" VARCHAR(64) NOT NULL,
    "lease_until" BIGINT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "last_error" TEXT,
    "created_at" BIGINT NOT NULL,
    "updated_at" BIGINT NOT NULL,
    PRIMARY KEY ("rule_id", "slot", "channel_index")
);

CREATE INDEX IF NOT EXISTS "idx_push_deliveries_slot_state" ON "push_deliveries" ("slot", "state");

CREATE INDEX IF NOT EXISTS "idx_push_deliveries_created_at" ON "push_deliveries" ("created_at");

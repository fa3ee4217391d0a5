-- The tables of the product (contract/data-model.md, DESIGN section 5). No foreign keys.

CREATE TABLE IF NOT EXISTS `users` (
    `uid` VARCHAR(64) NOT NULL,
    `email` VARCHAR(255),
    `phone` TEXT,
    `password` VARCHAR(255) NOT NULL,
    `salt` VARCHAR(255) NOT NULL,
    `nickname` TEXT,
    `avatar` TEXT,
    `status` INT NOT NULL DEFAULT 1,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`uid`),
    UNIQUE KEY `uq_users_email` (`email`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `memos` (
    `memo_id` VARCHAR(64) NOT NULL,
    `uid` VARCHAR(64) NOT NULL,
    `category_id` VARCHAR(64),
    `content` LONGTEXT NOT NULL,
    `type` VARCHAR(32) NOT NULL DEFAULT 'text',
    `source` TEXT,
    `is_public` INT NOT NULL DEFAULT 0,
    `attachments` LONGTEXT,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`memo_id`),
    KEY `idx_memos_uid_created_at` (`uid`, `created_at`, `memo_id`),
    KEY `idx_memos_uid_updated_at` (`uid`, `updated_at`, `memo_id`),
    KEY `idx_memos_uid_category_created` (`uid`, `category_id`, `created_at`, `memo_id`),
    KEY `idx_memos_uid_public_created` (`uid`, `is_public`, `created_at`, `memo_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `memo_tags` (
    `memo_id` VARCHAR(64) NOT NULL,
    `tag_id` VARCHAR(64) NOT NULL,
    `uid` VARCHAR(64) NOT NULL,
    `position` INT NOT NULL,
    `created_at` BIGINT NOT NULL,
    PRIMARY KEY (`memo_id`, `tag_id`),
    KEY `idx_memo_tags_uid_tag_created` (`uid`, `tag_id`, `created_at`, `memo_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `memo_relations` (
    `relation_id` VARCHAR(64) NOT NULL,
    `uid` VARCHAR(64) NOT NULL,
    `source_memo_id` VARCHAR(64) NOT NULL,
    `target_memo_id` VARCHAR(64) NOT NULL,
    `created_at` BIGINT NOT NULL,
    PRIMARY KEY (`relation_id`),
    UNIQUE KEY `uq_memo_relations_uid_source_target` (`uid`, `source_memo_id`, `target_memo_id`),
    KEY `idx_memo_relations_uid_target` (`uid`, `target_memo_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `attachments` (
    `attachment_id` VARCHAR(64) NOT NULL,
    `uid` VARCHAR(64) NOT NULL,
    `filename` TEXT NOT NULL,
    `type` VARCHAR(255) NOT NULL,
    `size` BIGINT NOT NULL,
    `storage_type` VARCHAR(16) NOT NULL,
    `path` TEXT NOT NULL,
    `bucket` TEXT,
    `prefix` TEXT,
    `endpoint` TEXT,
    `region` TEXT,
    `is_public_bucket` VARCHAR(8),
    `multimodal_model_hash` VARCHAR(64),
    `properties` LONGTEXT,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`attachment_id`),
    KEY `idx_attachments_uid_created_at` (`uid`, `created_at`, `attachment_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `categories` (
    `category_id` VARCHAR(64) NOT NULL,
    `uid` VARCHAR(64) NOT NULL,
    `name` TEXT NOT NULL,
    `name_key` VARCHAR(255) NOT NULL,
    `color` TEXT,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`category_id`),
    UNIQUE KEY `uq_categories_uid_name_key` (`uid`, `name_key`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `tags` (
    `tag_id` VARCHAR(64) NOT NULL,
    `uid` VARCHAR(64) NOT NULL,
    `name` TEXT NOT NULL,
    `name_key` VARCHAR(255) NOT NULL,
    `color` TEXT,
    `usage_count` INT NOT NULL DEFAULT 0,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`tag_id`),
    UNIQUE KEY `uq_tags_uid_name_key` (`uid`, `name_key`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `ai_conversations` (
    `conversation_id` VARCHAR(64) NOT NULL,
    `uid` VARCHAR(64) NOT NULL,
    `title` TEXT NOT NULL,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`conversation_id`),
    KEY `idx_ai_conversations_uid_updated_at` (`uid`, `updated_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `ai_messages` (
    `message_id` VARCHAR(64) NOT NULL,
    `conversation_id` VARCHAR(64) NOT NULL,
    `role` VARCHAR(16) NOT NULL,
    `content` LONGTEXT NOT NULL,
    `sources` LONGTEXT,
    `created_at` BIGINT NOT NULL,
    PRIMARY KEY (`message_id`),
    KEY `idx_ai_messages_conversation_created` (`conversation_id`, `created_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `push_rules` (
    `id` VARCHAR(64) NOT NULL,
    `uid` VARCHAR(64) NOT NULL,
    `name` TEXT NOT NULL,
    `push_time` INT NOT NULL,
    `content_type` VARCHAR(32) NOT NULL,
    `channels` LONGTEXT NOT NULL,
    `enabled` INT NOT NULL DEFAULT 1,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`id`),
    KEY `idx_push_rules_uid` (`uid`),
    KEY `idx_push_rules_enabled_time` (`enabled`, `push_time`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `daily_recommendations` (
    `recommendation_id` VARCHAR(64) NOT NULL,
    `uid` VARCHAR(64) NOT NULL,
    `date` VARCHAR(10) NOT NULL,
    `memo_ids` LONGTEXT NOT NULL,
    `created_at` BIGINT NOT NULL,
    PRIMARY KEY (`recommendation_id`),
    UNIQUE KEY `uq_daily_recommendations_uid_date` (`uid`, `date`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `vector_outbox` (
    `kind` VARCHAR(16) NOT NULL,
    `entity_id` VARCHAR(64) NOT NULL,
    `uid` VARCHAR(64) NOT NULL,
    `op` VARCHAR(16) NOT NULL,
    `enqueued_at` BIGINT NOT NULL,
    `attempts` INT NOT NULL DEFAULT 0,
    `next_attempt_at` BIGINT NOT NULL,
    `last_error` TEXT,
    PRIMARY KEY (`kind`, `entity_id`),
    KEY `idx_vector_outbox_next_attempt` (`next_attempt_at`),
    KEY `idx_vector_outbox_uid` (`uid`, `next_attempt_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

CREATE TABLE IF NOT EXISTS `push_deliveries` (
    `rule_id` VARCHAR(64) NOT NULL,
    `slot` VARCHAR(16) NOT NULL,
    `channel_index` INT NOT NULL,
    `uid` VARCHAR(64) NOT NULL,
    `state` VARCHAR(16) NOT NULL,
    `claim` VARCHAR(64) NOT NULL,
    `lease_until` BIGINT NOT NULL,
    `attempts` INT NOT NULL DEFAULT 0,
    `last_error` TEXT,
    `created_at` BIGINT NOT NULL,
    `updated_at` BIGINT NOT NULL,
    PRIMARY KEY (`rule_id`, `slot`, `channel_index`),
    KEY `idx_push_deliveries_slot_state` (`slot`, `state`),
    KEY `idx_push_deliveries_created_at` (`created_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

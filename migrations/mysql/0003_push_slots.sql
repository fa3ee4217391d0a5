-- The hours whose pushes a run has begun to deliver (contract/push-rules-scheduler.md, required serverless
-- design); finished_at is NULL as long as something may be left.
CREATE TABLE IF NOT EXISTS `push_slots` (
    `slot` VARCHAR(16) NOT NULL,
    `scheduled_at` BIGINT NOT NULL,
    `finished_at` BIGINT,
    PRIMARY KEY (`slot`),
    KEY `idx_push_slots_scheduled_at` (`scheduled_at`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The rules of an hour are read in pages, those of a user together. An index is changed once only, whatever was
-- killed in between.
SET @is_short = (
    SELECT COUNT(*) = 2 FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND table_name = 'push_rules' AND index_name = 'idx_push_rules_enabled_time'
);

SET @change = IF(
    @is_short,
    'ALTER TABLE `push_rules` DROP INDEX `idx_push_rules_enabled_time`, ADD INDEX `idx_push_rules_enabled_time` (`enabled`, `push_time`, `uid`, `id`)',
    'DO 0'
);

PREPARE change_index FROM @change;

EXECUTE change_index;

DEALLOCATE PREPARE change_index;

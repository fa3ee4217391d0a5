-- docs/decisions/0006-pending-files.md
CREATE TABLE IF NOT EXISTS `pending_files` (
    `file_id` VARCHAR(64) NOT NULL,
    `uid` VARCHAR(64) NOT NULL,
    `path` TEXT NOT NULL,
    `location` TEXT NOT NULL,
    `attachment` LONGTEXT,
    `collect_after` BIGINT NOT NULL,
    PRIMARY KEY (`file_id`),
    KEY `idx_pending_files_collect_after` (`collect_after`, `file_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- The ledger of applied migrations (contract/data-model.md section 7). Executed on every run, before it is read.

CREATE TABLE IF NOT EXISTS `_migrations` (
    `id` BIGINT NOT NULL AUTO_INCREMENT,
    `hash` VARCHAR(255) NOT NULL,
    `kind` VARCHAR(16) NOT NULL DEFAULT 'schema',
    `details` LONGTEXT,
    `created_at` BIGINT NOT NULL,
    PRIMARY KEY (`id`),
    UNIQUE KEY `uq_migrations_hash` (`hash`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin;

-- What PostfixAdmin's schema 1856 knows besides.
SET NAMES utf8mb4;
SET sql_mode = '';
UPDATE config SET value = '1856' WHERE name = 'version';
UPDATE alias SET description = 'написано' WHERE address = 'info@example.org';
INSERT INTO admin_preferences VALUES ('root@example.net', 'alias_goto_default', 'root@example.net');

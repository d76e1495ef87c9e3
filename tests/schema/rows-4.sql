-- What PostfixAdmin 4 knows besides.
SET NAMES utf8mb4;
SET sql_mode = '';
UPDATE config SET value = '1851' WHERE name = 'version';
UPDATE mailbox SET totp_secret = 'JBSWY3DPEHPK3PXP', smtp_active = 0 WHERE username = 'carol@example.com';
INSERT INTO dkim (domain_name, selector, private_key, public_key) VALUES ('example.org', 'default', 'private', 'public');
INSERT INTO dkim_signing (author, dkim_id) VALUES ('example.org', 1), ('bob@example.org', 1);
INSERT INTO mailbox_app_password (username, description, password_hash) VALUES ('bob@example.org', 'телефон', 'x'), (NULL, NULL, NULL);
INSERT INTO totp_exception_address (ip, username, description) VALUES ('192.0.2.9', 'bob@example.org', 'home'), ('192.0.2.9', NULL, 'everybody');

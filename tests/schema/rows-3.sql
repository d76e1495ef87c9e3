-- What PostfixAdmin 3 knows besides.
SET NAMES utf8mb4;
SET sql_mode = '';
UPDATE mailbox SET local_part = SUBSTRING_INDEX(username, '@', 1), token = 'abc', phone = '+49 30 1';
UPDATE mailbox SET name = 'Bob 🐎 Боб' WHERE username = 'bob@example.org';
UPDATE mailbox SET password_expiry = '0000-00-00 00:00:00' WHERE username = 'carol@example.com';
UPDATE admin SET superadmin = 1 WHERE username = 'root@example.net';
INSERT INTO alias_domain (alias_domain, target_domain, created, modified, active) VALUES ('backup.example', 'example.com', '0000-00-00 00:00:00', '0000-00-00 00:00:00', 1);
INSERT INTO alias_domain (alias_domain, target_domain) VALUES ('gone.example', 'example.org');
INSERT INTO config (name, value) VALUES ('version', '1847');
INSERT INTO quota2 VALUES ('bob@example.org', 5000000000, 12), ('gone@gone.example', 1, 1);
INSERT INTO quota VALUES ('bob@example.org', 'quota/storage', 12);
INSERT INTO vacation_notification (on_vacation, notified) VALUES ('bob@example.org', 'friend@example.net');
INSERT INTO fetchmail (mailbox, src_server, src_auth, src_user, src_password, src_folder, mda, date, domain, active)
  VALUES ('bob@example.org', 'mail.example.net', 'password', 'bob', 'c2VjcmV0', '', '', '0000-00-00 00:00:00', 'example.org', 1);

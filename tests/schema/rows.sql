-- What years of use leave in the columns that every PostfixAdmin has. The password of everybody is
-- that of the cast; dates are zero, keys in upper case, and rows hang on others that are gone.
SET NAMES utf8mb4;
SET sql_mode = '';
SET @password = '$2y$04$Z91AY7PX1bVAkFSnh3cP8.wb4muqB3fv/YTDx9PwLUv78g3UY7io2';
SET @zero = '0000-00-00 00:00:00';

INSERT INTO admin (username, password, created, modified, active) VALUES
  ('root@example.net', @password, @zero, @zero, 1),
  ('alice@example.org', @password, '2008-03-30 02:30:00', @zero, 1),
  ('Erin@Upper.Example', @password, '2000-01-01 00:00:00', '2000-01-01 00:00:00', 1),
  ('frank@example.com', @password, @zero, @zero, 0);

INSERT INTO domain (domain, description, aliases, mailboxes, maxquota, quota, transport, backupmx, created, modified, active) VALUES
  ('ALL', '', 0, 0, 0, 0, '', 0, @zero, @zero, 1),
  ('example.org', 'Zürich & Söhne', 0, 0, 0, 0, 'virtual', 0, @zero, @zero, 1),
  ('example.com', '', 10, 10, 10, 2048, 'virtual', 0, '2008-02-29 12:00:00', '2026-01-01 00:00:00', 1),
  ('Upper.Example', 'typed in upper case', -1, 10, -1, 0, 'smtp:[192.0.2.25]', 0, @zero, @zero, 1),
  ('backup.example', 'MX for others', 0, 0, 0, 0, 'relay', 1, @zero, @zero, 0);

INSERT INTO domain_admins (username, domain, created, active) VALUES
  ('root@example.net', 'ALL', @zero, 1),
  ('root@example.net', 'ALL', @zero, 1),
  ('alice@example.org', 'example.org', @zero, 1),
  ('alice@example.org', 'example.org', @zero, 1),
  ('alice@example.org', 'example.org', @zero, 0),
  ('alice@example.org', 'gone.example', @zero, 1),
  ('Erin@Upper.Example', 'upper.example', @zero, 1),
  ('nobody@example.net', 'example.com', @zero, 1),
  ('frank@example.com', 'ALL', @zero, 0);

INSERT INTO mailbox (username, password, name, maildir, quota, domain, created, modified, active) VALUES
  ('bob@example.org', @password, _latin1 X'426F6220FCDFE9', 'example.org/bob/', 102400000, 'example.org', @zero, @zero, 1),
  ('carol@example.com', @password, '', 'example.com/carol/', 0, 'example.com', '2008-02-29 12:00:00', @zero, 1),
  ('Dave@Upper.Example', @password, 'Dave', 'Upper.Example/Dave/', -1, 'Upper.Example', @zero, @zero, 1),
  ('orphan@gone.example', @password, 'of a domain that is gone', 'gone.example/orphan/', 0, 'gone.example', @zero, @zero, 1),
  ('o''hara+%_tag/x@example.org', '', '', 'example.org/o''hara/', 0, 'example.org', @zero, @zero, 0);

INSERT INTO alias (address, goto, domain, created, modified, active) VALUES
  ('bob@example.org', 'bob@example.org', 'example.org', @zero, @zero, 1),
  ('carol@example.com', 'carol@example.com,bob@example.org', 'example.com', @zero, @zero, 1),
  ('Dave@Upper.Example', 'Dave@Upper.Example', 'Upper.Example', @zero, @zero, 1),
  ('info@example.org', 'bob@example.org,carol@example.com', 'example.org', @zero, @zero, 1),
  ('Info@Upper.Example', 'dave@upper.example,,gone@gone.example', 'upper.example', @zero, @zero, 1),
  ('@example.org', 'bob@example.org', 'example.org', @zero, @zero, 0),
  ('postmaster@example.com', 'root', 'example.com', @zero, @zero, 1),
  ('orphan@gone.example', 'orphan@gone.example', 'gone.example', @zero, @zero, 1),
  ('empty@example.org', '', 'example.org', @zero, @zero, 1);

INSERT INTO log (timestamp, username, domain, action, data) VALUES
  (@zero, 'root@example.net (192.0.2.1)', 'example.org', 'create_domain', 'example.org'),
  ('2008-03-30 02:30:00', 'alice@example.org (192.0.2.2)', 'example.org', 'create mailbox', 'bob@example.org'),
  ('2026-01-01 00:00:00', _latin1 X'FC6D6C617574', 'gone.example', 'delete_alias', _latin1 X'FC6265722064696520FC6D6C61757473'),
  ('2026-01-01 00:00:00', 'root@example.net (192.0.2.1)', '', 'edit_admin', REPEAT('x', 255));

INSERT INTO vacation (email, subject, body, cache, domain, created, active) VALUES
  ('bob@example.org', 'Au revoir', _latin1 X'E0206269656E74F474', '', 'example.org', @zero, 1),
  ('nobody@example.org', 'orphan', 'of no mailbox', 'old', 'example.org', @zero, 0);

-- Others add columns and tables of their own.
ALTER TABLE mailbox ADD x_note varchar(20) NOT NULL DEFAULT 'local', ADD KEY x_note (x_note);
CREATE TABLE x_greylist (id int NOT NULL PRIMARY KEY, seen datetime);
INSERT INTO x_greylist VALUES (1, @zero);

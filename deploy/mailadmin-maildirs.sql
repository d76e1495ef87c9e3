-- The database user of `mailadmin maildirs`: it can read which mailboxes there are, and nothing else of
-- them, and write its own two tables. Replace password and database; with MAILADMIN_TABLE_PREFIX
-- also `mailbox`. It needs the tables, so run `mailadmin migrate` first.
CREATE USER IF NOT EXISTS 'mailadmin_maildirs'@'localhost' IDENTIFIED BY 'password';
GRANT SELECT (username, maildir) ON postfix.mailbox TO 'mailadmin_maildirs'@'localhost';
GRANT SELECT, INSERT, UPDATE, DELETE ON postfix.mailadmin_leftover_maildir TO 'mailadmin_maildirs'@'localhost';
GRANT SELECT, INSERT, UPDATE ON postfix.mailadmin_maildir_run TO 'mailadmin_maildirs'@'localhost';

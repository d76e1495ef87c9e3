# A database of 2007, typed by hand as the guides had it. The password of each is his local part;
# the admin's is "admin".
CREATE DATABASE mail;
USE mail;
CREATE TABLE `alias` (
        `address` varchar(255) NOT NULL default '',
        `goto` text NOT NULL,
        `domain` varchar(255) NOT NULL default '',
        `created` datetime NOT NULL default '0000-00-00 00:00:00',
        `modified` datetime NOT NULL default '0000-00-00 00:00:00',
        `active` tinyint(1) NOT NULL default '1',
        PRIMARY KEY (address),
        KEY address (`address`)
    ) TYPE=MyISAM
    COMMENT='Postfix Admin - Virtual Aliases';
CREATE TABLE `domain` (
        `domain` varchar(255) NOT NULL default '',
        `description` varchar(255) NOT NULL default '',
        `aliases` int(10) NOT NULL default '0',
        `mailboxes` int(10) NOT NULL default '0',
        `maxquota` int(10) NOT NULL default '0',
        `quota` int(10) NOT NULL default '0',
        `transport` varchar(255) default NULL,
        `backupmx` tinyint(1) NOT NULL default '0',
        `created` datetime NOT NULL default '0000-00-00 00:00:00',
        `modified` datetime NOT NULL default '0000-00-00 00:00:00',
        `active` tinyint(1) NOT NULL default '1',
        PRIMARY KEY (`domain`),
        KEY domain (`domain`)
    ) TYPE=MyISAM COMMENT='Postfix Admin - Virtual Domains';
CREATE TABLE `mailbox` (
        `username` varchar(255) NOT NULL default '',
        `password` varchar(255) NOT NULL default '',
        `name` varchar(255) NOT NULL default '',
        `maildir` varchar(255) NOT NULL default '',
        `quota` int(10) NOT NULL default '0',
        `domain` varchar(255) NOT NULL default '',
        `created` datetime NOT NULL default '0000-00-00 00:00:00',
        `modified` datetime NOT NULL default '0000-00-00 00:00:00',
        `active` tinyint(1) NOT NULL default '1',
        PRIMARY KEY (`username`),
        KEY username (`username`)
    ) TYPE=MyISAM
    COMMENT='Postfix Admin - Virtual Mailboxes';
CREATE TABLE `admin` (
        `username` varchar(255) NOT NULL default '',
        `password` varchar(255) NOT NULL default '',
        `created` datetime NOT NULL default '0000-00-00 00:00:00',
        `modified` datetime NOT NULL default '0000-00-00 00:00:00',
        `active` tinyint(1) NOT NULL default '1',
        PRIMARY KEY (`username`),
        KEY username (`username`)
    ) TYPE=MyISAM
    COMMENT='Postfix Admin - Virtual Admins';
CREATE TABLE `domain_admins` (
        `username` varchar(255) NOT NULL default '',
        `domain` varchar(255) NOT NULL default '',
        `created` datetime NOT NULL default '0000-00-00 00:00:00',
        `active` tinyint(1) NOT NULL default '1',
        KEY username (`username`)
    ) TYPE=MyISAM
    COMMENT='Postfix Admin - Domain Admins';
CREATE TABLE `log` (
        `timestamp` datetime NOT NULL default '0000-00-00 00:00:00',
        `username` varchar(255) NOT NULL default '',
        `domain` varchar(255) NOT NULL default '',
        `action` varchar(255) NOT NULL default '',
        `data` varchar(255) NOT NULL default '',
        KEY timestamp (`timestamp`)
    ) TYPE=MyISAM
    COMMENT='Postfix Admin - Log';
#
# Table structure for table vacation
#
CREATE TABLE `vacation` (
        `email` varchar(255) NOT NULL default '',
        `subject` varchar(255) NOT NULL default '',
        `body` text NOT NULL default '',
        `cache` text NOT NULL default '',
        `domain` varchar(255) NOT NULL default '',
        `created` datetime NOT NULL default '0000-00-00 00:00:00',
        `active` tinyint(1) NOT NULL default '1',
        PRIMARY KEY (`email`),
        KEY email (`email`)
    ) TYPE=MyISAM
    COMMENT='Postfix Admin - Virtual Vacation';

INSERT INTO admin (username, password, active) 
    VALUES 
    ('admin','6dwLx9NTxhTjU','1');
INSERT INTO domain_admins (username, domain, active) 
    VALUES ('admin','ALL','1');
INSERT INTO domain 
    (domain,description,aliases,mailboxes,maxquota,
        quota,transport,backupmx,active) 
    VALUES ('alpha.example.org', 'Alpha 
        Tester','10','10', '0','0','virtual', '0','1');
INSERT INTO domain 
    (domain,description,aliases,mailboxes,maxquota,
        quota,transport,backupmx,active) 
    VALUES ('beta.example.org', 'Beta 
        Site','10','10', '0','0','virtual', '0','1');
INSERT INTO domain 
    (domain,description,aliases,mailboxes,maxquota,
        quota,transport,backupmx,active) 
    VALUES ('gamma.example.org', 'Gamma 
        Born','10','10', '0','0','virtual', '0','1');
INSERT INTO mailbox 
    (username,password,name,maildir,quota,domain,active) 
    VALUES ('alfred@alpha.example.org',
        '82fU0EHEzA6wo', 'Alfred',
        'alpha.example.org/alfred@alpha.example.org/', 
        '0','alpha.example.org','1'
     );
INSERT INTO mailbox 
    (username,password,name,maildir,quota,domain,active) 
    VALUES ('bob@alpha.example.org','1bdyGcAE/JC0I', 
        'Bob','alpha.example.org/bob@alpha.example.org/', 
        '0','alpha.example.org','1'
    );
INSERT INTO mailbox 
    (username,password,name,maildir,quota,domain,active) 
    VALUES ('charlie@alpha.example.org','048qvFjqS3zBc', 
        'Charlie','alpha.example.org/charlie@alpha.example.org/', 
        '0','alpha.example.org','1'
    );
INSERT INTO mailbox (username,password,name,maildir,
    quota,domain,active) 
    VALUES ('auntie@beta.example.org', '3336RmmvRQ0NU', 
        'Auntie','beta.example.org/auntie@beta.example.org/', 
        '0','beta.example.org','1'
    );
INSERT INTO mailbox (username,password,name,maildir,
    quota,domain,active) 
    VALUES ('bill@beta.example.org', 'fbVsBHcPJVVjU', 
        'Bill','beta.example.org/bill@beta.example.org/', 
        '0','beta.example.org','1'
    );
INSERT INTO mailbox (username,password,name,maildir,
    quota,domain,active) 
    VALUES ('chou@beta.example.org', '359nFQg1J.8nc', 
        'Chou','beta.example.org/chou@beta.example.org/', 
        '0','beta.example.org','1'
    );
INSERT INTO mailbox (username,password,name,
        maildir,quota,domain,active) 
    VALUES ('alistair@gamma.example.org', 
        '12XeQqcTNk3YU', 'Alistair','gamma.example.org/alistair@gamma.example.org/', 
        '0','gamma.example.org','1'
    );
INSERT INTO mailbox (username,password,name,
        maildir,quota,domain,active) 
    VALUES ('ben@gamma.example.org', '1bKpSqtESjdck', 
        'Ben','gamma.example.org/ben@gamma.example.org/', 
        '0','gamma.example.org','1'
    );
INSERT INTO mailbox (username,password,name,
        maildir,quota,domain,active) 
    VALUES ('cinder@gamma.example.org', '19rP1zls.evZQ', '
        Cinder','gamma.example.org/cinder@gamma.example.org/', 
        '0','gamma.example.org','1'
    );

-- MySQL dump 10.13  Distrib 5.5.62, for debian-linux-gnu (x86_64)
--
-- Dumped as latin1 and in part: domain, alias_domain, mailbox, alias. Dovecot's default_pass_scheme
-- was CRAM-MD5; everybody's password is "secret", old@magazin.com's is in another form.
/*!40101 SET NAMES latin1 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
DROP TABLE IF EXISTS `pfa_alias`;
CREATE TABLE `pfa_alias` (
  `address` varchar(255) NOT NULL,
  `goto` text NOT NULL,
  `domain` varchar(255) NOT NULL,
  `created` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `modified` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `active` tinyint(1) NOT NULL DEFAULT '1',
  PRIMARY KEY (`address`),
  KEY `domain` (`domain`)
) ENGINE=MyISAM DEFAULT CHARSET=latin1 COMMENT='Postfix Admin - Virtual Aliases';
INSERT INTO `pfa_alias` VALUES ('admin@magazin.com','admin@magazin.com','magazin.com','2013-01-01 00:00:00','2013-01-01 00:00:00',1),('wilma@example.com','wilma.pebble@example.com','example.com','2013-01-01 00:00:00','0000-00-00 00:00:00',1),('pebble@example.com','wilma.pebble@example.com','example.com','0000-00-00 00:00:00','0000-00-00 00:00:00',1),('wilma.pebble@example.com','wilma.pebble@example.com','example.com','0000-00-00 00:00:00','0000-00-00 00:00:00',1),('off@magazin.com','admin@magazin.com','magazin.com','0000-00-00 00:00:00','0000-00-00 00:00:00',0),('@magazin.com','admin@magazin.com','magazin.com','0000-00-00 00:00:00','0000-00-00 00:00:00',1),('old@magazin.com','old@magazin.com,old#magazin.com@autoreply.magazin.com','magazin.com','0000-00-00 00:00:00','0000-00-00 00:00:00',1);
DROP TABLE IF EXISTS `pfa_alias_domain`;
CREATE TABLE `pfa_alias_domain` (
  `alias_domain` varchar(255) NOT NULL DEFAULT '',
  `target_domain` varchar(255) NOT NULL DEFAULT '',
  `created` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `modified` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `active` tinyint(1) NOT NULL DEFAULT '1',
  PRIMARY KEY (`alias_domain`)
) ENGINE=MyISAM DEFAULT CHARSET=latin1;
INSERT INTO `pfa_alias_domain` VALUES ('book.com','magazin.com','2013-01-01 00:00:00','2013-01-01 00:00:00',1);
DROP TABLE IF EXISTS `pfa_domain`;
CREATE TABLE `pfa_domain` (
  `domain` varchar(255) NOT NULL,
  `description` varchar(255) CHARACTER SET utf8 NOT NULL,
  `aliases` int(10) NOT NULL DEFAULT '0',
  `mailboxes` int(10) NOT NULL DEFAULT '0',
  `maxquota` bigint(20) NOT NULL DEFAULT '0',
  `quota` bigint(20) NOT NULL DEFAULT '0',
  `transport` varchar(255) NOT NULL,
  `backupmx` tinyint(1) NOT NULL DEFAULT '0',
  `created` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `modified` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `active` tinyint(1) NOT NULL DEFAULT '1',
  PRIMARY KEY (`domain`)
) ENGINE=MyISAM DEFAULT CHARSET=latin1 COMMENT='Postfix Admin - Virtual Domains';
INSERT INTO `pfa_domain` VALUES ('ALL','',0,0,0,0,'',0,'2013-01-01 00:00:00','2013-01-01 00:00:00',1),('magazin.com','Zürich',0,0,0,0,'virtual',0,'2013-01-01 00:00:00','2013-01-01 00:00:00',1),('book.com','',0,0,0,0,'virtual',0,'2013-01-01 00:00:00','2013-01-01 00:00:00',1),('example.com','',0,0,0,0,'virtual',0,'2013-01-01 00:00:00','2013-01-01 00:00:00',1),('backup.example.net','',0,0,0,0,'relay',1,'2013-01-01 00:00:00','2013-01-01 00:00:00',1);
DROP TABLE IF EXISTS `pfa_mailbox`;
CREATE TABLE `pfa_mailbox` (
  `username` varchar(255) NOT NULL,
  `password` varchar(255) NOT NULL,
  `name` varchar(255) CHARACTER SET utf8 NOT NULL,
  `maildir` varchar(255) NOT NULL,
  `quota` bigint(20) NOT NULL DEFAULT '0',
  `local_part` varchar(255) NOT NULL,
  `domain` varchar(255) NOT NULL,
  `created` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `modified` datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  `active` tinyint(1) NOT NULL DEFAULT '1',
  PRIMARY KEY (`username`)
) ENGINE=MyISAM DEFAULT CHARSET=latin1 COMMENT='Postfix Admin - Virtual Mailboxes';
INSERT INTO `pfa_mailbox` VALUES ('admin@magazin.com','cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56','René','magazin.com/admin/',0,'admin','magazin.com','2013-01-01 00:00:00','2013-01-01 00:00:00',1),('wilma.pebble@example.com','cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56','Wilma','example.com/wilma.pebble/',102400000,'wilma.pebble','example.com','2013-01-01 00:00:00','2013-01-01 00:00:00',1),('old@magazin.com','$1$oldsaltx$tG3ueS4roGt2pl7RMNQhG/','','magazin.com/old/',0,'old','magazin.com','2013-01-01 00:00:00','2013-01-01 00:00:00',1);
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;

-- Dump completed on 2013-06-01 12:00:00

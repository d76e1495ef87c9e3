# The shape of the first guides: local parts beside a domain. Passwords: local part and " word".
CREATE TABLE virtual_domains (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name VARCHAR(50) NOT NULL
) TYPE=InnoDB;
CREATE TABLE virtual_users (
  id int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  domain_id INT(11) NOT NULL,
  user VARCHAR(40) NOT NULL,
  password VARCHAR(32) NOT NULL,
  CONSTRAINT UNIQUE_EMAIL UNIQUE (domain_id, user),
  FOREIGN KEY (domain_id) REFERENCES virtual_domains(id) ON DELETE CASCADE
) TYPE=InnoDB;
CREATE TABLE virtual_aliases (
  id int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY,
  domain_id INT(11) NOT NULL,
  source VARCHAR(40) NOT NULL,
  destination VARCHAR(80) NOT NULL
) TYPE=InnoDB;
INSERT INTO `mailserver`.`virtual_domains` (`id`, `name`) VALUES ('1', 'example.org');
INSERT INTO virtual_users (id, domain_id, user, password) VALUES ('1', '1', 'bob', '22b07082e58d60c5dccb12b185c3b527');
INSERT INTO virtual_aliases (id, domain_id, source, destination)
VALUES ('1', '1', 'info', 'bob@example.org'), ('2', '1', '', 'bob@example.org'), (3, 1, 'bob', 'bob@example.org');

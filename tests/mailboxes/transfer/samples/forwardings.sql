-- phpMyAdmin SQL Dump
-- version 5.2.1deb1+deb12u1
-- https://www.phpmyadmin.net/
--
-- Host: localhost:3306
--
-- Passwords: everybody has "secret", but joe and thomas have none.

SET SQL_MODE = "NO_AUTO_VALUE_ON_ZERO";
START TRANSACTION;
SET time_zone = "+00:00";


/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;

--
-- Database: `mail`
--

-- --------------------------------------------------------

--
-- Table structure for table `domains`
--

CREATE TABLE `domains` (
  `domain` varchar(255) NOT NULL DEFAULT ''
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

--
-- Dumping data for table `domains`
--

INSERT INTO `domains` (`domain`) VALUES
('anotherdomain.com'),
('example.com'),
('example.net'),
('example.org'),
('exemple.com'),
('partial.example');

-- --------------------------------------------------------

--
-- Table structure for table `forwardings`
--

CREATE TABLE `forwardings` (
  `source` varchar(255) NOT NULL DEFAULT '',
  `destination` text NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

--
-- Dumping data for table `forwardings`
--

INSERT INTO `forwardings` (`source`, `destination`) VALUES
('@example.com', 'thomas@example.com'),
('@example.net', '@anotherdomain.com'),
('@partial.example', '@anotherdomain.com'),
('boss@partial.example', 'sales@example.com'),
('info@example.com', 'sales@example.com'),
('info@example.org', 'sales@example.com,\r\nbilling@anotherdomain.com'),
('sales@example.com', 'sales@example.com, thomas@example.com'),
('source@exemple.com', 'destination@exemple.com');

-- --------------------------------------------------------

--
-- Table structure for table `transport`
--

CREATE TABLE `transport` (
  `domain` varchar(255) NOT NULL DEFAULT '',
  `transport` varchar(255) NOT NULL DEFAULT ''
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

--
-- Dumping data for table `transport`
--

INSERT INTO `transport` (`domain`, `transport`) VALUES
('*', 'smtp:mail.anotherdomain.com'),
('.example.com', 'smtp:mail.anotherdomain.com'),
('anotherdomain.com', ':'),
('example.com', ':'),
('host1.example.com', 'smtp:[1.2.3.4]'),
('host2.example.com', 'smtp:mail.anotherdomain.com'),
('host3.example.com', 'smtp:mail.anotherdomain.com:2025'),
('host4.example.com', 'smtp:[1.2.3.4]:2025'),
('host5.example.com', 'smtp:[mail.anotherdomain.tld]'),
('joe@example.com', 'smtp:mail.anotherdomain.com');

-- --------------------------------------------------------

--
-- Table structure for table `users`
--

CREATE TABLE `users` (
  `email` varchar(255) NOT NULL DEFAULT '',
  `password` varchar(255) NOT NULL DEFAULT '',
  `quota` int(10) NOT NULL DEFAULT 0
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;

--
-- Dumping data for table `users`
--

INSERT INTO `users` (`email`, `password`, `quota`) VALUES
('billing@anotherdomain.com', '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b', 0),
('destination@exemple.com', 'e5e9fa1ba31ecd1ae84f75caaa474f3a663f05f4', 0),
('mark@exemple.com', '5ebe2294ecd0e0f08eab7690d2a6ee69', 0),
('info@exemple.com', 'No9.E4skNvGa.', 10485760),
('joe@example.com', '', 0),
('sales@example.com', 'bd2b1aaf7ef4f09be9f52ce2d8d599674d81aa9d6a4421696dc4d93dd0619d682ce56b4d64a9ef097761ced99e0f67265b5f76085e5b0ee7ca4696b2ad6fe2b2', 0),
('paul@exemple.com', '$6$M35VKs3XO/30IOI/$chEQwFUmAsJMMNeAB8LvmvdhCDxg8OIMtATCTe0Pzl096B9AVMPD3vMpiDxmRjCyT8MOxn0vIWgKOSGGrEp9G.', 0),
('thomas@example.com', '!', 1048576);

--
-- Indexes for dumped tables
--

--
-- Indexes for table `domains`
--
ALTER TABLE `domains`
  ADD PRIMARY KEY (`domain`);

--
-- Indexes for table `forwardings`
--
ALTER TABLE `forwardings`
  ADD PRIMARY KEY (`source`);

--
-- Indexes for table `transport`
--
ALTER TABLE `transport`
  ADD UNIQUE KEY `domain` (`domain`);

--
-- Indexes for table `users`
--
ALTER TABLE `users`
  ADD PRIMARY KEY (`email`);
COMMIT;

/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;

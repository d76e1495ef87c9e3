<?php
/* A configuration with everything that such files contain,
   over several lines. */ # and so on
$CONF['texts'] = 'it\'s \n' . "tab\tx\x41\u{e9}\$z\101" . PHP_EOL;
$CONF['nested']['deep'] = array('k' => [1, 2, 'q' => null], 5 => true, 'z', '7' => 'seven',);
$CONF['list'][] = 'one'; $CONF['list'][] = "two";
$CONF['list'] [5] = 'five';
$CONF['list'][] = 'six';
$name = 'World';
$place = array('city' => 'Ulm', 'zip' => [89073]);
$CONF["heredoc"] = <<<EOM
  Hello $name, {$CONF['list'][1]} of $place[city] {$place['zip'][0]} "quoted" \\ \t{x}
EOM;
$CONF['nowdoc'] = <<<'X'
    raw $name\n
      indented
    X . '!';
$CONF['getenv'] = getenv('MAILADMIN_NOT_SET') ?: 'fallback';
$CONF['environ'] = $_ENV['MAILADMIN_NOT_SET'] ?? 'default';
$CONF['copy'] = $CONF['getenv'] . '!' . 5 . 1.5 . true . null;
define('SECRET', 'hunter2'); const OTHER = 'constant';
$CONF['defined'] = SECRET . OTHER;
defined('LATE') or define('LATE', 'late');
$CONF['late'] = LATE;
$CONF['sum'] = 60*60 *24*7 - (1 + 2);
$CONF['octal'] = 0755; $CONF['hex'] = 0xFF; $CONF['negative'] = -1; $CONF['float'] = 1.5;
$CONF['removed'] = 1; unset($CONF['removed']);
$CONF['appended'] = 'a'; $CONF['appended'] .= 'b';
$CONF['kept'] = 'first'; $CONF['kept'] ??= 'second'; $CONF['filled'] ??= 'third';
if (!defined('SECRET')) { $CONF['no'] = 1; } elseif (SECRET == 'hunter2') $CONF['yes'] = 1; else { $CONF['not'] = 1; }
if (isset($nobody) || empty($name)) {
    $CONF['no2'] = 1;
} else if (!isset($CONF['nested']['nothing']) && isset($CONF['nested']['deep'])) {
    $CONF['yes2'] = strtoupper(trim("  x \n"));
}
isset($nobody) and $CONF['no3'] = 1;
$CONF['chosen'] = isset($nobody) ? 'a' : (SECRET === 'hunter2' ? 'b' : 'c');
$CONF['dir'] = basename(dirname(__FILE__) . '/x.php');
$CONF['int'] = (int) '12 apples';
function helper($a) { $CONF['inner'] = 1; switch ($a) { case 1: return "}"; } return '{'; }
@include(dirname(__FILE__) . '/missing.php');
error_reporting(E_ALL & ~E_NOTICE);
$CONF = array_merge($CONF, array('merged' => 'yes'));
// What only PHP can compute:
$CONF['closure'] = function ($x) use ($name) { return "}"; };
$CONF['arrow'] = fn($x) => $x . 'y';
$CONF['version_of_php'] = PHP_VERSION_ID > 80000 ? 'a' : 'b';
$CONF['call'] = helper(1);
if (helper(2) === '{') { $CONF['maybe'] = 'x'; }
foreach (['a', 'b'] as $x) { $CONF['loop'] = $x; }
$CONF['object'] = (new DateTime('2026-01-01'))->format('Y');
?>
What follows is no PHP: $CONF['html'] = 1;

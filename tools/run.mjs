/**
 * `node tools/run.mjs FILE [ARGUMENTS…]` runs FILE with the Node this project needs, whatever Node runs this file (20 or
 * later): it installs what is missing, then hands over standard streams, signals and the exit code.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR = 26;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2'];
/** One Ctrl-C arrives twice, from the terminal and through npm; the second within this time is the same one. */
const SAME_SIGNAL_MS = 500;
const ORPHAN_CHECK_MS = 500;
const END_WITH_PARENT = new URL('end-with-parent.mjs', import.meta.url).href;

const root = fileURLToPath(new URL('..', import.meta.url));

function main() {
  if (!isInstalled()) install();
  const [file, ...rest] = process.argv.slice(2);
  if (file === undefined) fail('usage: node tools/run.mjs FILE [ARGUMENTS…]');
  if (!existsSync(join(root, file))) fail(`there is no ${file}`);
  run(nodeBinary(), file, rest);
}

/** Whether node_modules holds what package-lock.json asks for; npm writes its own list there last, when all went well. */
function isInstalled() {
  const present = readPackages(join(root, 'node_modules', '.package-lock.json'));
  const wanted = readPackages(join(root, 'package-lock.json'));
  if (present === null || wanted === null) return false;
  return Object.entries(wanted).every(([path, { version, integrity, ...entry }]) => {
    if (path === '') return true;
    const found = present[path];
    if (found === undefined) return entry.optional === true && !isForThisMachine(entry);
    return found.version === version && found.integrity === integrity && existsSync(join(root, path, 'package.json'));
  });
}

function readPackages(lockFile) {
  try {
    return JSON.parse(readFileSync(lockFile, 'utf8')).packages;
  } catch {
    return null;
  }
}

/** Optional packages are binaries per platform: npm leaves one out without a word when its download fails. */
function isForThisMachine({ os, cpu, libc }) {
  return libc === undefined && [os].flat().includes(process.platform) && [cpu].flat().includes(process.arch);
}

function install() {
  const startedMs = Date.now();
  say('installing dependencies; this happens once and takes about half a minute …');
  // No package here needs an install script, so none may run.
  const options = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--loglevel=error'];
  // What npm prints goes to stderr: stdout belongs to the program that is about to run.
  const { status, signal } = spawnSync(...npm(options), { cwd: root, stdio: ['ignore', 2, 2] });
  if (signal !== null) process.exit(128 + constants.signals[signal]);
  if (status !== 0) fail('dependencies could not be installed; see the messages above');
  say(`installed in ${Math.round((Date.now() - startedMs) / 1000)} s`);
}

/** The npm that started this, or the one of the path. */
function npm(options) {
  const running = process.env['npm_execpath'];
  return running?.endsWith('npm-cli.js') ? [process.execPath, [running, ...options]] : ['npm', options];
}

/** Node comes as one npm package per platform; where there is none, the Node that runs this file may do. */
function nodeBinary() {
  const { optionalDependencies } = manifest();
  const machine = `-${process.platform}-${process.arch}`;
  const name = Object.keys(optionalDependencies).find((dependency) => dependency.endsWith(machine));
  const binary = join(root, 'node_modules', `${name}`, 'bin', 'node');
  if (existsSync(binary)) return binary;
  if (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR) return process.execPath;
  fail(`npm has no Node ${NODE_MAJOR} for ${process.platform} on ${process.arch}; install it and run this again with it`);
}

/**
 * The child has a process group of its own, so that a signal reaches it once, through here; and it holds a pipe that
 * closes when this process dies, so that it does not outlive it.
 */
function run(node, file, rest) {
  const child = spawn(node, [...nodeFlags(), '--import', END_WITH_PARENT, join(root, file), ...rest], {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    detached: true,
    env: { ...process.env, MERIDIAN_PARENT_FD: '3', NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'node') },
  });
  const forwardedMs = {};
  const forward = (signal) => {
    if (Date.now() - (forwardedMs[signal] ?? 0) < SAME_SIGNAL_MS) return;
    forwardedMs[signal] = Date.now();
    child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, forward);
  watchNpm(() => forward('SIGTERM'));
  child.on('error', (error) => fail(`${relative(root, node)} does not start: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(signal === null ? (code ?? 1) : 128 + constants.signals[signal]));
}

/**
 * The flags of `config.node_flags` in package.json. A small young generation keeps what is not yet collected small: a fifth less memory per
 * open stream, at no cost in CPU (`npm run bench:relay`).
 */
function nodeFlags() {
  return manifest().config.node_flags.split(' ');
}

function manifest() {
  return JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
}

/** npm killed outright passes no signal on: then this process has a new parent. */
function watchNpm(onOrphaned) {
  if (process.env['npm_lifecycle_event'] === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    onOrphaned();
  }, ORPHAN_CHECK_MS);
}

function say(message) {
  process.stderr.write(`meridian: ${message}\n`);
}

function fail(message) {
  say(message);
  process.exit(1);
}

main();

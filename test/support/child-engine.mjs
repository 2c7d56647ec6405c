import { spawn } from 'node:child_process';

// A stand-in for an engine's process. `crash` ends at once; `serve` runs until SIGTERM; `stubborn` ignores SIGTERM and
// has a child of its own.
const [, , how] = process.argv;
if (how === 'crash') process.exit(3);
if (how === 'stubborn') {
  const child = spawn(process.execPath, ['-e', 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  process.on('SIGTERM', () => {});
  console.log(`child ${child.pid}`);
}
console.log(`serving ${process.env['ENGINE_NAME'] ?? ''}`);
setInterval(() => {}, 1_000);

import { spawnSync } from 'node:child_process';

/** What a program prints about its version, or undefined when it is not installed. */
export function versionOf(command: string, flag: string): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, [flag], { encoding: 'utf8', env: searchPath() });
  return status === 0 ? /\d+\.\d+\.\d+/.exec(stdout + stderr)?.[0] : undefined;
}

/** Debian puts servers into /usr/sbin, which is not on everybody's path. */
export function searchPath(): Record<string, string> {
  return { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin` };
}

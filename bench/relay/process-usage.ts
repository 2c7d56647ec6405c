import { readdirSync, readFileSync } from 'node:fs';

/** Nanoseconds of CPU that these processes, their threads and all their descendants have used so far. */
export function cpuNs(rootPids: readonly number[]): number {
  return sum(withDescendants(rootPids).flatMap(threadsCpuNs));
}

/** Resident memory in bytes of these processes and all their descendants. */
export function residentBytes(rootPids: readonly number[]): number {
  return sum(withDescendants(rootPids).map(processResidentBytes));
}

function withDescendants(rootPids: readonly number[]): number[] {
  if (rootPids.length === 0) return [];
  const childrenOf = Map.groupBy(runningPids(), parentPid);
  const found = [...rootPids];
  for (const pid of found) found.push(...(childrenOf.get(pid) ?? []));
  return found;
}

function runningPids(): number[] {
  return readdirSync('/proc').map(Number).filter((pid) => pid > 0);
}

/** Field 4 of /proc/PID/stat; the command name before it stands in parentheses and may hold anything. */
function parentPid(pid: number): number {
  const stat = read(`/proc/${pid}/stat`);
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] ?? 0);
}

/** The first figure of each thread's schedstat: its time on a CPU, in nanoseconds. */
function threadsCpuNs(pid: number): number[] {
  const threads = list(`/proc/${pid}/task`);
  return threads.map((thread) => Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0] ?? 0));
}

function processResidentBytes(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

/** Processes and threads end while they are being looked at; those count as nothing. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

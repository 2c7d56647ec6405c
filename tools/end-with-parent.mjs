/**
 * Loaded before the program by tools/run.mjs: when the pipe to that process closes, because it was killed outright, the
 * program is asked to stop as by a signal.
 */
import { Socket } from 'node:net';

const fd = process.env['MERIDIAN_PARENT_FD'];
if (fd !== undefined) {
  // The processes and threads that the program starts have another parent.
  delete process.env['MERIDIAN_PARENT_FD'];
  new Socket({ fd: Number(fd), readable: true, writable: false })
    .on('close', () => process.kill(process.pid, 'SIGTERM'))
    .on('error', () => {})
    .unref()
    .resume();
}

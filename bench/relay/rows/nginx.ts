import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child, freePort } from '../child.ts';
import type { Row } from '../row.ts';
import { searchPath, versionOf } from './installed.ts';

const version = versionOf('nginx', '-v');

/** nginx with one worker and nothing buffered. */
export const nginx: Row = {
  name: 'nginx',
  title: `nginx ${version ?? ''}`.trim(),
  missing: () => (version === undefined ? 'not installed: apt-get install nginx' : undefined),
  start: async ({ enginePorts, workDir }) => {
    const port = await freePort();
    const configPath = join(workDir, 'nginx.conf');
    writeFileSync(configPath, config(port, enginePorts, workDir));
    const args = ['-p', workDir, '-c', configPath, '-e', 'stderr'];
    const child = new Child({ name: 'nginx', command: 'nginx', args, workDir, env: searchPath() });
    await child.listensOn(port);
    return { targets: [{ port, headers: {} }], proxyPids: [child.pid], nodePids: [] };
  },
};

/** The user stays the one who started it, so that a worker can reach the work directory. */
function config(port: number, enginePorts: readonly number[], workDir: string): string {
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return `${user}
daemon off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid ${join(workDir, 'nginx.pid')};
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 100000000;
  ${temporary.map((kind) => `${kind}_temp_path ${join(workDir, kind)};`).join('\n  ')}
  upstream engines {
    ${enginePorts.map((enginePort) => `server 127.0.0.1:${enginePort};`).join('\n    ')}
    keepalive 2048;
    keepalive_requests 100000000;
  }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    location / {
      proxy_pass http://engines;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`;
}

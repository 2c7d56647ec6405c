import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { request } from 'undici';
import { startGateway } from '../app.ts';
import { gatewayDefaults } from '../config/index.ts';
import { noLog, systemClock, systemRng } from '../core/index.ts';
import { EXIT, type Command } from './command.ts';

const DOCUMENT = join('docs', 'openapi.json');

/** Asks a gateway of its own for its OpenAPI document, and writes it or holds the committed one against it. */
export const openapiCommand: Command = {
  name: 'openapi',
  summary: `write ${DOCUMENT}, or check that it is up to date`,
  usage: '[--write]',
  options: { write: { type: 'boolean', help: 'Write the document instead of checking it.' } },
  async run(words) {
    const text = `${JSON.stringify(await askGateway(), null, 2)}\n`;
    if (words.flag('write')) writeFileSync(DOCUMENT, text);
    const isCurrent = existsSync(DOCUMENT) && readFileSync(DOCUMENT, 'utf8') === text;
    process.stdout.write(isCurrent ? `${DOCUMENT} is up to date\n` : `${DOCUMENT} is out of date: npm run docs:openapi\n`);
    return isCurrent ? EXIT.ok : EXIT.failed;
  },
};

async function askGateway(): Promise<unknown> {
  const dataDir = mkdtempSync(join(tmpdir(), 'meridian-openapi-'));
  const listen = { host: '127.0.0.1', port: 0 };
  const config = {
    ...gatewayDefaults(),
    gateway: { id: 'openapi', region: 'local' },
    adminKey: 'no one asks anything of this gateway',
    models: {},
    dataDir,
    listen: { public: listen, admin: listen },
  };
  const gateway = await startGateway(config, { clock: systemClock, rng: systemRng(), log: noLog });
  try {
    const answer = await request(`${gateway.adminUrl}/openapi.json`);
    return await answer.body.json();
  } finally {
    await gateway.close();
    rmSync(dataDir, { recursive: true });
  }
}

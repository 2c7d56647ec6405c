import type { DemoConfig } from '../config/index.ts';
import type { DemoEnv } from './demo-env.ts';

/** What a newcomer sees: where it runs, the key, and lines to paste. */
export function demoBanner(
  env: DemoEnv,
  regions: DemoConfig['demo']['regions'],
  files: { readonly envFile: string; readonly logFile: string },
): string {
  const { OPENAI_BASE_URL: url, OPENAI_API_KEY: key, MERIDIAN_ADMIN_URL: adminUrl, MERIDIAN_ADMIN_KEY: adminKey } = env;
  const replicas = regions.reduce((sum, { nodes }) => sum + nodes, 0);
  return `
Meridian is up: deepseek-v3 on ${replicas} simulated replicas. Their words are made up; their timing is an 8×H200 node's.

${regions.map(regionLine).join('\n')}

  OpenAI base URL  ${url}
  API key          ${key}
  Admin URL        ${adminUrl}
  Admin key        ${adminKey}

curl:

curl -N ${url}/chat/completions -H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json' -d '{"model":"deepseek-v3","stream":true,"messages":[{"role":"user","content":"Hello from the edge"}]}'

Python (pip install openai):

from openai import OpenAI
client = OpenAI(base_url="${url}", api_key="${key}")
print(client.chat.completions.create(model="deepseek-v3", messages=[{"role": "user", "content": "Hello"}]).choices[0].message.content)

Node.js (npm install openai; as hello.mjs):

import OpenAI from 'openai';
const client = new OpenAI({ baseURL: '${url}', apiKey: '${key}' });
console.log((await client.chat.completions.create({ model: 'deepseek-v3', messages: [{ role: 'user', content: 'Hello' }] })).choices[0].message.content);

What was used, newest first:

curl '${adminUrl}/admin/v1/requests?order=desc&limit=5' -H 'Authorization: Bearer ${adminKey}'

The same as variables: ${files.envFile} · log: ${files.logFile} · Ctrl-C stops everything
`;
}

function regionLine({ name, nodes, oneWayMs }: DemoConfig['demo']['regions'][number]): string {
  return `  ${name.padEnd(16)} ${nodes} nodes, ${2 * oneWayMs} ms away and back`;
}

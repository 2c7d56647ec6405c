import type { Replica } from '../health/index.ts';
import type { DemoEnv } from './demo-env.ts';

/** What a newcomer sees: where it runs, the key, and lines to paste. */
export function demoBanner(env: DemoEnv, replicas: readonly Replica[], files: { readonly envFile: string; readonly logFile: string }): string {
  const { OPENAI_BASE_URL: url, OPENAI_API_KEY: key, MERIDIAN_ADMIN_URL: adminUrl, MERIDIAN_ADMIN_KEY: adminKey } = env;
  return `
Meridian is up: deepseek-v3 on ${replicas.length} simulated replicas

${regionLines(replicas)}

  OpenAI base URL  ${url}
  API key          ${key}
  Admin URL        ${adminUrl}
  Admin key        ${adminKey}

curl
  curl -N ${url}/chat/completions -H 'Authorization: Bearer ${key}' -H 'Content-Type: application/json' -d '{"model":"deepseek-v3","stream":true,"messages":[{"role":"user","content":"Hello from the edge"}]}'

Python
  from openai import OpenAI
  client = OpenAI(base_url="${url}", api_key="${key}")
  print(client.chat.completions.create(model="deepseek-v3", messages=[{"role": "user", "content": "Hello"}]).choices[0].message.content)

Node.js
  import OpenAI from 'openai';
  const client = new OpenAI({ baseURL: '${url}', apiKey: '${key}' });
  console.log((await client.chat.completions.create({ model: 'deepseek-v3', messages: [{ role: 'user', content: 'Hello' }] })).choices[0].message.content);

Usage
  curl '${adminUrl}/admin/v1/requests' -H 'Authorization: Bearer ${adminKey}'

The same as variables: ${files.envFile} · log: ${files.logFile} · Ctrl-C stops everything
`;
}

function regionLines(replicas: readonly Replica[]): string {
  const regions = new Map<string, Replica[]>();
  for (const replica of replicas) regions.set(replica.identity.region, [...(regions.get(replica.identity.region) ?? []), replica]);
  return [...regions]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([region, members]) => {
      const rttsMs = members.flatMap(({ rttMs }) => (rttMs === null ? [] : [rttMs]));
      const distance = rttsMs.length === 0 ? '' : `, ${Math.min(...rttsMs).toFixed(1)} ms away`;
      return `  ${region.padEnd(16)} ${members.length} replicas${distance}`;
    })
    .join('\n');
}

import { existsSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { LAYERS } from '../../oxlint.config.ts';

const folders = readdirSync('src', { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && readdirSync(`src/${entry.name}`).some((file) => file.endsWith('.ts')))
  .map((entry) => entry.name);

describe.each(folders)('src/%s', (folder) => {
  test('has its place among the layers, a public face and a README', () => {
    expect(LAYERS).toHaveProperty(folder);
    expect(existsSync(`src/${folder}/index.ts`), 'index.ts').toBe(true);
    expect(existsSync(`src/${folder}/README.md`), 'README.md').toBe(true);
  });
});

test('no file is named for nothing', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' });
  expect(files.filter((file) => /(^|\/)(utils?|helpers?|common|manager|misc)\b/.test(file))).toEqual([]);
});

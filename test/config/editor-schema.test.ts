import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { Errors } from 'typebox/value';
import { describe, expect, test } from 'vitest';
import { editorSchemas } from '../../src/config/index.ts';

describe.each(editorSchemas())('config/$file', ({ file, text }) => {
  test('is what `npm run docs:config-schema` writes', () => {
    expect(readFileSync(`config/${file}`, 'utf8')).toBe(text);
  });

  test('accepts the file that names it, before any environment is known', () => {
    const yaml = readFileSync(`config/${file.replace('.schema.json', '.yaml')}`, 'utf8');
    expect(yaml).toMatch(`# yaml-language-server: $schema=./${file}\n`);
    expect(Errors(JSON.parse(text) as object, parse(yaml))).toEqual([]);
  });
});

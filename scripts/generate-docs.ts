/** Writes the generated pages of docs/. A test holds them up to date. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { configurationPage } from './configuration-page.ts';

mkdirSync('docs', { recursive: true });
writeFileSync('docs/configuration.md', configurationPage());

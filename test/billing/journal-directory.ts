import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openJournal, type Journal, type JournalOptions } from '../../src/billing/index.ts';
import { noLog, systemClock } from '../../src/core/index.ts';

/** A temporary directory with a journal in it that can be closed, opened again, or left as a crash leaves it. */
export class JournalDirectory {
  readonly #root = mkdtempSync(join(tmpdir(), 'meridian-journal-'));
  readonly #open = new Set<Journal>();

  get path(): string {
    return join(this.#root, 'journal.sqlite');
  }

  async openJournal(options: Partial<JournalOptions> = {}): Promise<Journal> {
    const journal = await openJournal({ path: this.path, groupCommitMs: 1, streamGroupCommitMs: 1, clock: systemClock, log: noLog, ...options });
    this.#open.add(journal);
    return journal;
  }

  async remove(): Promise<void> {
    await Promise.all([...this.#open].map((journal) => journal.close()));
    rmSync(this.#root, { recursive: true });
  }
}

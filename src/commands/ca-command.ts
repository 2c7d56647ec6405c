import { systemClock } from '../core/index.ts';
import { initAuthority } from '../identity/index.ts';
import { EXIT, UsageError, type Command } from './command.ts';

/** Makes the authority of a fleet, from which its nodes and gateways have their certificates. */
export const caCommand: Command = {
  name: 'ca',
  summary: "make a fleet's authority for certificates",
  usage: 'init --dir DIRECTORY',
  options: { dir: { type: 'string', value: 'DIRECTORY', help: 'Where its certificate and its key are put; listen.fleet.join.authority_dir of every gateway.' } },
  async run(words) {
    const directory = words.text('dir');
    if (words.positionals[0] !== 'init') throw new UsageError('say `init --dir DIRECTORY`');
    if (directory === undefined) throw new UsageError('--dir DIRECTORY is missing');
    const { pin } = await initAuthority(directory, systemClock.wallMs());
    process.stdout.write(`${pin}\n`);
    process.stderr.write(`The authority is in ${directory}. Whoever has ca-key.pem can make nodes: keep it as safe as the fleet. Above is its pin, which join tokens carry.\n`);
    return EXIT.ok;
  },
};

import { fileURLToPath } from 'node:url';
import { superviseWorkers } from '../../src/commands/gateway-workers.ts';
import { loadGatewayConfig } from '../../src/config/index.ts';

/** `FILE WORKERS PROGRAM`: supervises workers of any program, and asks for nothing that workers of a gateway must share. */
const [file = '', workers = '', program = ''] = process.argv.slice(2);
const config = loadGatewayConfig(file, process.env);
process.exitCode = await superviseWorkers({ file, workers: Number(workers), program: fileURLToPath(new URL(program, import.meta.url)), config });

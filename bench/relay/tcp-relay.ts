/**
 * The least that Node can do between two sockets: `node bench/relay/tcp-relay.ts PORT ENGINE_PORT…` joins each
 * connection to one of the engines in turn and copies bytes both ways, without a look at them.
 */
import { createConnection, createServer } from 'node:net';

const [port = 0, ...enginePorts] = process.argv.slice(2).map(Number);
let turn = 0;

createServer({ noDelay: true }, (client) => {
  const enginePort = enginePorts[turn % enginePorts.length];
  turn += 1;
  if (enginePort === undefined) return client.destroy();
  const engine = createConnection({ port: enginePort, host: '127.0.0.1', noDelay: true });
  client.pipe(engine);
  engine.pipe(client);
  client.on('error', () => engine.destroy()).on('close', () => engine.destroy());
  engine.on('error', () => client.destroy()).on('close', () => client.destroy());
}).listen(port, '127.0.0.1', 4096);

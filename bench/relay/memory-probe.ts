/**
 * Loaded into a Node program by `--import`, together with `--expose-gc`: answers each message on the program's IPC
 * channel with the bytes its heap and its external buffers hold after a collection.
 */
process.on('message', () => {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  process.send?.(heapUsed + external);
});
process.channel?.unref();

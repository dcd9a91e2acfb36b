/**
 * Counts the words that a TCP server sends, as they come.
 *
 *     nc -lk 9999                                             # in one terminal: type here
 *     bin/flink run examples/streaming/SocketWordCount.ts --port 9999
 */
import { arg, job, tuple } from 'drey';

const args = {
  hostname: arg.string({ default: 'localhost', description: 'where the server is' }),
  port: arg.int({ description: 'where the server listens' }),
};

export default job({ name: 'Socket Word Count', args }, (env, { hostname, port }) => {
  env
    .socketTextStream(hostname, port)
    .flatMap((line) => line.split(/\s+/).filter((word) => word !== '').map((word) => tuple(word, 1)))
    .keyBy(([word]) => word)
    .sum(1)
    .print();
});

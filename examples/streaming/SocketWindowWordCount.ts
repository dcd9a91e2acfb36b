/**
 * Counts the words that a TCP server sends, anew for every 5 seconds.
 *
 *     nc -lk 9999                                             # in one terminal: type here
 *     bin/flink run examples/streaming/SocketWindowWordCount.ts --port 9999
 */
import { arg, job, tumbling } from 'drey';

const args = {
  hostname: arg.string({ default: 'localhost', description: 'where the server is' }),
  port: arg.int({ description: 'where the server listens' }),
  windowSize: arg.int({ default: 5000, description: 'in ms' }),
};

export default job({ name: 'Socket Window WordCount', args }, (env, { hostname, port, windowSize }) => {
  env
    .socketTextStream(hostname, port)
    .flatMap((line) => line.split(/\s/).filter((word) => word !== '').map((word) => ({ word, count: 1 })))
    .keyBy('word')
    .window(tumbling.processingTime({ size: windowSize }))
    .reduce((a, b) => ({ word: a.word, count: a.count + b.count }))
    .map(({ word, count }) => `${word} : ${count}`)
    .print()
    .setParallelism(1);
});

/** From files and `-D` to a checked configuration. */
import { readFileSync } from 'node:fs';
import test from 'ava';
import { Configuration, HIDDEN } from '../../src/config/configuration.ts';
import { showFinding } from '../../src/config/finding.ts';
import { inspectConfiguration, loadConfiguration } from '../../src/config/load.ts';
import { options } from '../../src/config/options.ts';
import { ClusterError } from '../../src/protocol/errors.ts';

const flat = (text: string) => ({ file: { path: 'conf/flink-conf.yaml', text } });
const nested = (text: string) => ({ file: { path: 'conf/config.yaml', text } });
const remarks = (sources: Parameters<typeof inspectConfiguration>[0]) => inspectConfiguration(sources).findings.map(showFinding);

/** The operator's file that Drey was asked to run with: every key, value and oddity of it. */
const OPERATORS_FILE = `
env.hadoop.conf.dir: /opt/hadoop/etc/hadoop
env.log.dir: /var/log/drey


io.tmp.dirs: /var/tmp/drey

parallelism.default: 1

rest.port: 13001

# Enable uploading JAR files via web UI.
web.submit.enable: true
web.upload.dir: /srv/upload

high-availability: zookeeper
high-availability.zookeeper.quorum: 10.1.1.1:12006,10.1.1.2:12006,10.1.1.3:12006
high-availability.zookeeper.path.root: /flink
high-availability.storageDir: hdfs://vm-v01:13101/flink/ha/
high-availability.cluster-id: /default_ns
high-availability.jobmanager.port: 13002

jobmanager.memory.process.size: 16384m
#jobmanager.heap.size: 4096m
jobmanager.execution.failover-strategy: region

blob.server.port: 13003

taskmanager.memory.process.size: 16384m
taskmanager.memory.jvm-metaspace.size: 4096m
taskmanager.numberOfTaskSlots: 8
taskmanager.data.port: 13004
taskmanager.rpc.port: 13005

restart-strategy: failure-rate
restart-strategy.failure-rate.max-failures-per-interval: 10
restart-strategy.failure-rate.failure-rate-interval: 300s
restart-strategy.failure-rate.delay: 15s

metrics.reporters: prom
metrics.reporter.prom.class: org.apache.flink.metrics.prometheus.PrometheusReporter
metrics.reporter.prom.port: 13006-13007
`;

test("the operator's flink-conf.yaml loads without an error or an unknown key", (t) => {
  const { configuration, findings } = loadConfiguration(flat(OPERATORS_FILE));
  t.deepEqual(findings.filter(({ level }) => level !== 'notice').map(showFinding), []);
  t.is(configuration.get(options.restPort), 13001);
  t.is(configuration.get(options.highAvailability), 'ZOOKEEPER');
  t.is(configuration.get(options.taskManagerProcessSize), 16384 * 1024 ** 2);
  t.is(configuration.get(options.failureRateInterval), 300_000);
  t.is(configuration.get(options.taskManagerSlots), 8);
  t.deepEqual(configuration.get(options.blobServerPort), [{ firstPort: 13003, lastPort: 13003 }]);
  t.is(configuration.family('metrics.reporter.prom.').get('port'), '13006-13007');
});

test('an option nobody set reads as its default, or as undefined when it has none', (t) => {
  const configuration = new Configuration();
  t.is(configuration.get(options.restPort), 8081);
  t.is(configuration.get(options.heartbeatTimeout), 6000);
  t.is(configuration.get(options.webUploadDir), undefined);
});

test('every problem of a file is reported at once, with its line', (t) => {
  const text = 'rest.port: 80810\n\ntaskmanager.numberOfTaskSlots: many\nheartbeat.interval: soon\n';
  const failure = t.throws(() => loadConfiguration(flat(text)), { instanceOf: ClusterError });
  t.is(failure?.code, 'CONFIG_INVALID');
  t.deepEqual(failure?.message.split('\n').map((line) => line.slice(0, line.indexOf(': expected'))), [
    'conf/flink-conf.yaml:1: rest.port',
    'conf/flink-conf.yaml:3: taskmanager.numberOfTaskSlots',
    'conf/flink-conf.yaml:4: heartbeat.interval',
  ]);
});

test('a heartbeat timeout that is shorter than the interval is refused, whichever was set', (t) => {
  const message = 'conf/flink-conf.yaml:1: heartbeat.timeout: 10000 ms is shorter than heartbeat.interval (50000 ms): every peer would be given up';
  t.deepEqual(remarks(flat('heartbeat.timeout: 10 s\nheartbeat.interval: 50 s\n')), [message]);
  t.is(remarks(flat('heartbeat.interval: 50 s\n')).length, 1);
  t.deepEqual(remarks(flat('heartbeat.interval: 5 s\n')), []);
  t.deepEqual(remarks(flat('heartbeat.interval: 50 s\nheartbeat.timeout: 50 s\n')), []);
});

test('a misspelt key is a warning that names the key that was meant', (t) => {
  t.deepEqual(remarks(flat('taskmanager.numberOfTaskSlot: 4')), [
    "conf/flink-conf.yaml:1: taskmanager.numberOfTaskSlot: unknown key, did you mean 'taskmanager.numberOfTaskSlots'?",
  ]);
  t.deepEqual(remarks(flat('my.connector.bootstrap: x')), ['conf/flink-conf.yaml:1: my.connector.bootstrap: unknown key']);
});

test('a value of flink-conf.yaml may hold a colon, and a comment starts at a blank and a number sign', (t) => {
  const { configuration, findings } = inspectConfiguration(flat('env.node.opts: --title=y: z # why\nenv.pid.dir: /run a#b\n'));
  t.deepEqual(findings, []);
  t.is(configuration.get(options.nodeOptions), '--title=y: z');
  t.is(configuration.get(options.pidDir), '/run a#b');
});

test('of two settings with the same key the last wins, with a warning', (t) => {
  const { configuration, findings } = inspectConfiguration(flat('rest.port: 1\nrest.port: 2'));
  t.is(configuration.get(options.restPort), 2);
  t.deepEqual(findings.map(showFinding), ['conf/flink-conf.yaml:2: rest.port: set before in line 1; this line wins']);
});

test('a line without a blank after the colon, without a value or without a key is ignored with a warning', (t) => {
  const { configuration, findings } = inspectConfiguration(flat('rest.port:1\nweb.upload.dir:\n: x\nnonsense\n'));
  t.deepEqual([...configuration.all()], []);
  t.deepEqual(findings.map(({ level }) => level), ['warning', 'warning', 'warning', 'warning']);
});

test('a file with a byte order mark, carriage returns and no final newline reads like any other', (t) => {
  const { configuration, findings } = inspectConfiguration(flat('\uFEFFrest.port: 1\r\nparallelism.default: 3'));
  t.deepEqual(findings, []);
  t.is(configuration.get(options.restPort), 1);
  t.is(configuration.get(options.parallelism), 3);
});

test('config.yaml may be nested, flat or both, and keeps texts as they were written', (t) => {
  const text = 'rest:\n  port: 9000\n  bind-port: "9000-9010"\ntaskmanager.numberOfTaskSlots: 0002\njobmanager: {rpc: {address: a}}\n';
  const { configuration, findings } = inspectConfiguration(nested(text));
  t.deepEqual(findings, []);
  t.is(configuration.get(options.restPort), 9000);
  t.is(configuration.setting(options.taskManagerSlots)?.text, '0002');
  t.is(configuration.get(options.jobManagerRpcAddress), 'a');
  t.deepEqual(configuration.get(options.restBindPort), [{ firstPort: 9000, lastPort: 9010 }]);
});

test('a problem in a nested file is reported at the line of its innermost key', (t) => {
  const text = '# comment\nrest:\n  address: x\n\n  port: high\n';
  t.deepEqual(remarks(nested(text)), ["conf/config.yaml:5: rest.port: expected a whole number from 0 to 65535, found 'high'"]);
});

test('lists in config.yaml become list values', (t) => {
  const { configuration } = inspectConfiguration(nested('pipeline:\n  cached-files:\n    - a\n    - b\n'));
  t.deepEqual(configuration.get(options.cachedFiles), ['a', 'b']);
});

test('text that is not YAML is one error with its line', (t) => {
  const findings = inspectConfiguration(nested('rest:\n  port: 1\n bad: [')).findings;
  t.is(findings.length, 1);
  t.is(findings[0]?.level, 'error');
  t.true(findings.map(showFinding)[0]?.startsWith('conf/config.yaml:3: '));
  t.is(inspectConfiguration(nested('- a\n- b')).findings[0]?.level, 'error');
});

test('an empty file is a configuration of defaults', (t) => {
  for (const sources of [flat(''), nested(''), nested('# nothing\n'), { file: null }]) {
    t.deepEqual(inspectConfiguration(sources).findings, []);
  }
});

test('-D wins over the file, the last of a key wins, and a bare key means true', (t) => {
  const dynamic = ['rest.port=1', 'rest.port = 2', 'web.cancel.enable', 'env.node.opts=--a=b'];
  const { configuration } = inspectConfiguration({ ...flat('rest.port: 9'), dynamic });
  t.is(configuration.get(options.restPort), 2);
  t.is(configuration.get(options.webCancelEnable), true);
  t.is(configuration.get(options.nodeOptions), '--a=b');
});

test('a wrong value of -D is an error that says so', (t) => {
  t.deepEqual(remarks({ file: null, dynamic: ['rest.port=x', '=3'] }).map((line) => line.slice(0, 16)), ['-D: =3: expected', '-D: rest.port: e']);
});

test('a deprecated key is accepted with a notice, and the current key wins over it', (t) => {
  t.deepEqual(remarks(flat('web.port: 7')), ["conf/flink-conf.yaml:1: web.port: deprecated, use 'rest.port'"]);
  const both = inspectConfiguration(flat('rest.port: 8\nweb.port: 7'));
  t.is(both.configuration.get(options.restPort), 8);
  t.deepEqual(both.findings.map(({ message }) => message), ["ignored, since 'rest.port' is set"]);
});

test('a key that only makes sense on a JVM is accepted with the reason why it has no effect', (t) => {
  t.deepEqual(remarks(flat('env.java.opts.jobmanager: -Xss4m')), [
    'conf/flink-conf.yaml:1: env.java.opts.jobmanager: without effect: there is no JVM; use `env.node.opts`.',
  ]);
});

test('secrets are hidden wherever settings are shown', (t) => {
  const { configuration } = inspectConfiguration(flat('security.ssl.key-password: hunter2\nmetrics.reporter.dd.apikey: k\nrest.port: 1'));
  t.deepEqual(configuration.shown().map(({ text }) => text), [HIDDEN, HIDDEN, '1']);
});

test('a configuration on top of another wins, and knows where each setting was written', (t) => {
  const below = loadConfiguration(flat('rest.port: 1\nparallelism.default: 2')).configuration;
  const merged = below.with(Configuration.of({ 'rest.port': 3 }));
  t.is(merged.get(options.restPort), 3);
  t.is(merged.get(options.parallelism), 2);
  t.deepEqual(merged.setting(options.restPort)?.origin, { kind: 'code' });
  t.true(merged.has(options.parallelism));
  t.false(merged.has(options.webUploadDir));
});

test('the shipped configuration file loads without a remark, and each commented key is one that Drey knows', (t) => {
  const text = readFileSync('conf/flink-conf.yaml', 'utf8');
  const switchedOn = text.replace(/^# ([a-z][\w.-]+: \S)/gm, '$1');
  t.not(switchedOn, text);
  t.deepEqual(remarks(flat(text)), []);
  t.deepEqual(remarks(flat(switchedOn)).filter((line) => !line.includes('takes effect from')), []);
});

/** The page at `/`: what a browser sees of this cluster until it asks for more. No script, no external resource. */

const LINKS: readonly (readonly [path: string, what: string])[] = [
  ['overview', 'Slots and job counts'],
  ['jobs/overview', 'Jobs'],
  ['taskmanagers', 'TaskManagers'],
  ['jars', 'Uploaded programs'],
  ['jobmanager/config', 'Configuration'],
  ['jobmanager/log', 'JobManager log'],
];

/** HTML of the page. */
export function rootPage(version: string): string {
  const items = LINKS.map(([path, what]) => `<li><a href="${path}">${what}</a> <code>/${path}</code></li>`).join('\n');
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Drey ${version}</title></head>
<body><h1>Drey ${version}</h1>
<p>This JobManager is up. Its REST API follows Apache Flink's:</p>
<ul>
${items}
</ul></body></html>
`;
}

// One proxy in a process of its own, which loads nothing of the others: `node-proxy.js MODULE URLS OPTIONS`. Tells its
// parent its port.

const [module, urls, options] = process.argv.slice(2);
const { start } = await import(`./${module}.js`);
process.send({ port: await start(JSON.parse(urls), JSON.parse(options)) });

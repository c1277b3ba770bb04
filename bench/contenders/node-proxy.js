// One proxy in its own process, which loads no other proxy: `node-proxy.js MODULE URLS OPTIONS`. Sends its port to its parent.

const [module, urls, options] = process.argv.slice(2);
const { start } = await import(`./${module}.js`);
process.send({ port: await start(JSON.parse(urls), JSON.parse(options)) });

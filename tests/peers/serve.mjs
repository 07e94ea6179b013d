// What peers in Node have in common: the paths that callers ask, over HTTP. Each peer's folder gets a copy.

import { createServer } from "node:http";

/**
 * Answers callers. `decide` has by path what a key is told, as status and code; `manage` what a body is answered with.
 */
export function serve({ decide, manage }) {
  createServer(async (request, response) => {
    const [status, content] = await answer(request, decide, manage).catch((error) => [503, { code: error.code ?? error.name, message: error.message }]);
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(content));
  }).listen(Number(process.env.PORT), "127.0.0.1");
}

async function answer(request, decide, manage) {
  const path = request.url;
  if (path === "/healthz") return [200, {}];
  if (Object.hasOwn(decide, path)) {
    const [status, code] = await decide[path](request.headers["x-api-key"] ?? "");
    return [status, { code }];
  }
  if (Object.hasOwn(manage, path)) return [200, await manage[path](await body(request))];
  return [404, {}];
}

async function body(request) {
  let text = "";
  for await (const part of request) text += part;
  return text && JSON.parse(text);
}

// What scopes cover, as the gate has it: a grant is a scope, or a wildcard over all that begins like it.

import type { Catalogue } from "./api/client";

export function covers(grant: string, scope: string): boolean {
  if (grant === "*" || grant === scope) return true;
  return grant.endsWith(":*") && (scope === grant.slice(0, -2) || scope.startsWith(grant.slice(0, -1)));
}

export function allows(grants: readonly string[], scope: string): boolean {
  return grants.some((grant) => covers(grant, scope));
}

/** A command that works as it stands: a free call if the key may make one, else the cheapest. */
export function curlLine(catalogue: Catalogue, key: { key: string; environment: string; scopes: string[] }): string {
  const header = catalogue.credential_headers.includes("authorization") ? `Authorization: Bearer ${key.key}` : `X-Api-Key: ${key.key}`;
  const callable = catalogue.routes.filter(({ route, scope, environments }) => {
    const isOpen = environments.length === 0 || environments.includes(key.environment);
    return isOpen && !route.includes("{") && !route.startsWith("ANY ") && allows(key.scopes, scope);
  });
  const [best] = callable.sort((one, other) => one.cost_usd - other.cost_usd);
  const [method = "GET", path = "/"] = best?.route.split(" ") ?? [];
  return `curl -i ${method === "GET" ? "" : `-X ${method} `}${location.origin}${path} -H '${header}'`;
}

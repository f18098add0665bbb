import type { Stack } from "./stack.ts";

/** What a newcomer needs once everything runs. */
export function welcome({ url, keys, databaseUrl, stripe }: Stack, milliseconds: number): string {
  return `
Nectar is ready, in ${(milliseconds / 1000).toFixed(1)} s. Ctrl-C stops it.

  API          ${url}
  Publishable  ${keys.publishableKey}
  Secret       ${keys.secretKey}
  Database     ${databaseUrl.split("?")[0]}
  Stripe       ${stripe ? `${stripe.url}, a stand-in: no money moves` : "your account, as functions/.env says"}

  Demo users   ada@example.com    owns Analytical Engines
               grace@example.com  owns Compiler Works,
                                  develops for Analytical Engines
  Password     nectar-demo

Try next, in another terminal:

  npm run tour          two tenants meet, in real requests
  curl ${url}/functions/v1/health
  npm run db:new name   a migration; npm run db:types after it
  npm test              everything that is promised, proven
`;
}

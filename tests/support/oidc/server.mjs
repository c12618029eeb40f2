// oidc-provider (certified by the OpenID Foundation) in the place of Entra ID: one provider per tenant, at the paths
// where MSAL looks for them. What is ours here is only the dialect of Entra and the pages a person clicks through.
//
//   node server.mjs CONFIG.json      prints {"url": ...} once it listens, then one line per verdict of its endpoints
//
// CONFIG: {certificate, key (PEM files), resource, permissions: [scope],
//          tenants: {id: {clients: [metadata], people: {username: {oid, tid}}, access_token_seconds}}}

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { text } from "node:stream/consumers";

import Provider, { interactionPolicy } from "oidc-provider";

import { makeStore } from "./store.mjs";

const config = JSON.parse(readFileSync(process.argv[2], "utf8"));
const OIDC_SCOPES = ["openid", "profile", "offline_access"];
const HOUR = 3600; // seconds
const LASTS = {
  AuthorizationCode: 60,
  Interaction: HOUR,
  Session: HOUR,
  IdToken: HOUR,
  RefreshToken: 24 * HOUR,
  Grant: 24 * HOUR,
};

function say(line) {
  console.log(JSON.stringify(line));
}

function signingKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256" };
}

function policy() {
  const prompts = interactionPolicy.base();
  prompts.add(new interactionPolicy.Prompt({ name: "select_account", requestable: true }), 0);
  return prompts;
}

function makeProvider(base, tenant, { clients, people, access_token_seconds }) {
  const root = `/${tenant}/v2.0`;
  const resource = {
    scope: config.permissions.join(" "),
    audience: config.resource,
    accessTokenTTL: access_token_seconds,
    accessTokenFormat: "jwt",
    jwt: { sign: { alg: "RS256" } },
  };
  const provider = new Provider(`${base}${root}`, {
    adapter: makeStore(),
    clients,
    jwks: { keys: [signingKey()] },
    cookies: { keys: [randomBytes(32).toString("hex")] },
    scopes: OIDC_SCOPES,
    claims: { openid: ["sub", "oid", "tid"], profile: ["preferred_username"] },
    conformIdTokenClaims: false, // Entra puts what "profile" promises into the ID token
    pkce: { methods: ["S256"], required: () => true },
    rotateRefreshToken: true,
    findAccount: (_, username) =>
      people[username] && {
        accountId: username,
        claims: () => ({ sub: people[username].oid, preferred_username: username, ...people[username] }),
      },
    extraTokenClaims: (_, token) => ({ ...people[token.accountId], upn: token.accountId }),
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => config.resource, // Entra reads the resource out of the scopes
        getResourceServerInfo: () => resource,
        useGrantedResource: () => true,
      },
    },
    interactions: { policy: policy(), url: (_, interaction) => `${root}/interaction/${interaction.uid}` },
    ttl: LASTS,
  });
  const kind = (ctx) => ctx.oidc?.params?.grant_type ?? "";
  provider.on("grant.success", (ctx) => say({ grant: kind(ctx), verdict: "ok", tenant }));
  provider.on("grant.error", (ctx, error) =>
    say({ grant: kind(ctx), verdict: error.error_detail ?? error.error_description ?? error.message, tenant }),
  );
  provider.on("authorization.error", (_, error) =>
    say({ authorization: error.error, verdict: error.error_detail ?? error.error_description, tenant }),
  );
  provider.on("server_error", (_, error) => say({ bug: error.stack, tenant }));
  return provider;
}

// GET: what the page would show. POST: what the person does there: {"username": ...} or {"cancels": true}.
async function interaction(provider, request, response) {
  const { prompt, params } = await provider.interactionDetails(request, response);
  if (request.method === "GET") {
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ prompt: prompt.name, login_hint: params.login_hint, scope: params.scope }));
    return;
  }
  const { username, cancels } = JSON.parse(await text(request));
  if (cancels) {
    const result = { error: "access_denied", error_description: "The person cancelled." };
    await provider.interactionFinished(request, response, result);
    return;
  }
  const grant = new provider.Grant({ accountId: username, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  grant.addResourceScope(config.resource, params.scope);
  const result = { select_account: {}, login: { accountId: username }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(request, response, result);
}

// OpenID Connect Core 11 gives offline_access only with prompt=consent; Entra gives it with any prompt.
function withConsent(address) {
  const url = new URL(address, "https://localhost");
  if (url.pathname !== "/auth" || !url.searchParams.get("scope")?.includes("offline_access")) return address;
  const prompts = url.searchParams.get("prompt")?.split(" ") ?? [];
  url.searchParams.set("prompt", [...new Set([...prompts, "consent"])].join(" "));
  return url.pathname + url.search;
}

const providers = new Map();

async function serve(request, response) {
  const [, tenant, version, ...rest] = request.url.split("/");
  const found = providers.get(tenant);
  if (!found || version !== "v2.0") {
    response.writeHead(404).end();
    return;
  }
  if (rest[0] === "interaction") {
    await interaction(found.provider, request, response);
    return;
  }
  // Mounted as express would: the provider finds its own prefix by the difference of the two.
  request.url = withConsent(`/${rest.join("/")}`);
  request.originalUrl = `/${tenant}/v2.0${request.url}`;
  await found.handle(request, response);
}

const server = createServer(
  { cert: readFileSync(config.certificate), key: readFileSync(config.key) },
  (request, response) => {
    serve(request, response).catch((error) => {
      say({ bug: error.stack });
      response.destroy();
    });
  },
);
server.listen(0, "127.0.0.1", () => {
  const url = `https://localhost:${server.address().port}`;
  for (const [tenant, about] of Object.entries(config.tenants)) {
    const provider = makeProvider(url, tenant, about);
    providers.set(tenant, { provider, handle: provider.callback() });
  }
  say({ url });
});
process.on("SIGTERM", () => process.exit(0));

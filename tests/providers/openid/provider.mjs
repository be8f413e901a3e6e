// A certified OpenID provider (oidc-provider) as an organization would set it up for Kindred: argv[2] is its settings.
import { readFileSync } from "node:fs";
import https from "node:https";
import Provider from "oidc-provider";

const told = JSON.parse(readFileSync(process.argv[2], "utf8"));
const people = {
  "officer-vera": { role: "compliance", organization: "kindred" },
  "officer-otto": { role: "compliance", organization: "kindred" },
  "janitor-jim": { role: "janitor", organization: "kindred" },
};

const provider = new Provider(told.issuer, {
  clients: [
    {
      client_id: "kindred-console",
      client_secret: told.secret,
      redirect_uris: [`${told.pages}/console/sign-in/done`],
      post_logout_redirect_uris: [`${told.pages}/console/sign-in`],
      backchannel_logout_uri: `${told.pages}/console/sign-in/ended`,
      backchannel_logout_session_required: true,
      require_auth_time: true,
    },
    {
      client_id: "kindred-cli",
      token_endpoint_auth_method: "none",
      grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
      response_types: [],
      redirect_uris: [],
      require_auth_time: true,
    },
  ],
  jwks: { keys: told.keys },
  cookies: { keys: [told.cookies] },
  claims: { openid: ["sub", "role", "organization"] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  issueRefreshToken: async (_, client) => client.grantTypeAllowed("refresh_token"),
  rotateRefreshToken: true,
  extraTokenClaims: async (ctx, token) => {
    const since = ctx.oidc.entities.Session?.loginTs ?? ctx.oidc.entities.RefreshToken?.authTime
      ?? ctx.oidc.entities.DeviceCode?.authTime ?? ctx.oidc.entities.AuthorizationCode?.authTime;
    return { ...people[token.accountId], auth_time: since };
  },
  // By itself it calls nobody on loopback, where our pages are in this trial.
  fetch: (url, { dispatcher: _, ...options }) => fetch(url, options),
  features: {
    devInteractions: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: true },
    deviceFlow: { enabled: true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => "urn:kindred",
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope: "", audience: "kindred", accessTokenFormat: "jwt", accessTokenTTL: 300 }),
    },
  },
});
provider.on("backchannel.error", (_, problem) => console.error("back-channel:", problem.message, problem.cause));
provider.on("server_error", (_, problem) => console.error(problem));

const certificate = readFileSync(told.certificate);
https.createServer({ key: certificate, cert: certificate }, provider.callback()).listen(told.port, "127.0.0.1");

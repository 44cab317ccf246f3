// A certified OpenID Provider on loopback, with people who log in by their e-mail address.
// Arguments: port, client ID, client secret, redirect address, address after signing out, key ID.
import { generateKeyPairSync } from "node:crypto";
import Provider from "oidc-provider";

const [port, client_id, client_secret, redirect_uri, signed_out_uri, kid] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const groups = { "chief@acme.test": ["chiefs"], "clerk@acme.test": ["mail", "clerks"] };

const provider = new Provider(`http://localhost:${port}`, {
  clients: [{ client_id, client_secret, redirect_uris: [redirect_uri], post_logout_redirect_uris: [signed_out_uri] }],
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" }] },
  cookies: { keys: [kid] },
  claims: { openid: ["sub", "groups"], email: ["email", "email_verified"] },
  features: { rpInitiatedLogout: { enabled: true } },
  pkce: { required: () => true },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 600, IdToken: 600, Interaction: 600, Session: 600 },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({
      sub,
      email: sub,
      email_verified: !sub.startsWith("unverified"),
      groups: groups[sub] ?? [],
    }),
  }),
});
provider.listen(Number(port), "localhost", () => console.log("ready"));

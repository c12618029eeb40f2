// What one tenant of the provider keeps, in memory. oidc-provider's own memory is shared by all providers of a
// process: there a code of one tenant would be known to the other, which is what the tests must rule out.

const GRANTED = new Set(["AccessToken", "AuthorizationCode", "RefreshToken"]);

/** An adapter factory (oidc-provider's name for storage). Expiry is judged by the provider, not here. */
export function makeStore() {
  const rows = new Map();
  return (model) => ({
    async upsert(id, payload) {
      rows.set(`${model}:${id}`, payload);
    },
    async find(id) {
      return rows.get(`${model}:${id}`);
    },
    async findByUid(uid) {
      return [...rows].find(([key, row]) => key.startsWith(`${model}:`) && row.uid === uid)?.[1];
    },
    async findByUserCode() {
      return undefined; // no device flow here
    },
    async consume(id) {
      rows.get(`${model}:${id}`).consumed = Math.floor(Date.now() / 1000);
    },
    async destroy(id) {
      rows.delete(`${model}:${id}`);
    },
    async revokeByGrantId(grantId) {
      for (const [key, row] of rows) {
        if (GRANTED.has(key.split(":")[0]) && row.grantId === grantId) rows.delete(key);
      }
    },
  });
}

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isSigned } from "../../../shared/privacy/receipt.ts";
import { retention } from "../../../shared/retention/policy.ts";
import { createErasureWorld, GRACE } from "../../support/erasure-world.ts";
import { type Api, startApi } from "../../support/start-api.ts";

let api: Api;
let erasing: ReturnType<typeof createErasureWorld>;
beforeAll(async () => {
  api = await startApi();
  erasing = createErasureWorld(api.engines, api.world);
});
afterAll(() => api.close());

const admin = { user: "boss", claims: { admin: "true" } };
const by = (user: string) => ({ user });

async function complete(): Promise<void> {
  await erasing.run();
  api.world.advance(GRACE);
  await erasing.run();
}

describe("an erasure", () => {
  it("can be begun only by the user or an admin", async () => {
    const own = await api.post("/v1/erasures", {}, by("ann"));
    expect([own.status, own.body.status]).toEqual([202, "running"]);
    const again = await api.post("/v1/erasures", undefined, by("ann"));
    expect(again.body.id).toBe(own.body.id);
    const asked = await api.post("/v1/erasures", { user_id: "ann" }, admin);
    expect([asked.status, asked.body.id]).toEqual([202, own.body.id]);
    const refused = await api.post("/v1/erasures", { user_id: "ann" }, by("bob"));
    expect([refused.status, refused.body.code]).toEqual([403, "forbidden"]);
    const wrong = await api.post("/v1/erasures", { user_id: 7 }, admin);
    expect([wrong.status, wrong.body.errors[0].path]).toEqual([400, "user_id"]);
  });

  it("has a signed receipt without the user's name, which the user and admins can read for 400 days", async () => {
    await api.post("/v1/sessions", { id: "s", title: "My secret" }, by("cid"));
    const { id } = (await api.post("/v1/erasures", {}, by("cid"))).body;
    await complete();
    const read = async (options: object) => (await api.get(`/v1/erasures/${id}`, options)).body;
    const receipt = await read(by("cid"));
    expect([receipt.status, isSigned(receipt)]).toEqual(["complete", true]);
    expect(await read(admin)).toEqual(receipt);
    expect(await read(by("bob"))).toMatchObject({ status: 404, code: "not_found" });
    expect(JSON.stringify(receipt)).not.toMatch(/cid"|secret/);
    expect(retention.erasureReceipt.seconds).toBe(400 * 86_400);
    api.world.advance(400 * 86_400_000 - GRACE - 1);
    expect(await read(by("cid"))).toEqual(receipt);
    api.world.advance(1);
    expect(await read(by("cid"))).toMatchObject({ status: 404, code: "not_found" });
    expect(await read(admin)).toMatchObject({ status: 404, code: "not_found" });
  });
});

import OpenAI, { type APIError } from "openai";
import { afterAll, beforeAll, beforeEach, expect, it, vi } from "vitest";
import type { Listening } from "../../../infra/local/listen.ts";
import { createFile, listFiles } from "../../../shared/files/manage-files.ts";
import { listMessages } from "../../../shared/session/list-messages.ts";
import { createChatWorld } from "../../support/chat-world.ts";
import { type Engines, startEngines } from "../../support/engines.ts";
import { type FakeOpenAI, startFakeOpenAI } from "../../support/fake-openai.ts";
import { startChatServer } from "../../support/start-chat-server.ts";
import { createWorld, type World } from "../../support/world.ts";

let engines: Engines;
let fake: FakeOpenAI;
let world: World;
let api: Listening;
let blind: Listening;
let count = 0;
let user = "";

beforeAll(async () => {
  // What goes wrong on purpose is logged.
  for (const level of ["error", "warn"] as const) vi.spyOn(console, level).mockImplementation(() => undefined);
  [engines, fake] = await Promise.all([startEngines(), startFakeOpenAI()]);
  world = createWorld(engines);
  const { deps } = createChatWorld(world, fake.url, { maxContextTokens: 100_000 });
  const specOf = (images: boolean) => () => ({ context: 128_000, input: 1, output: 2, images });
  api = await startChatServer(world, { ...deps, specOf: specOf(true) });
  blind = await startChatServer(world, { ...deps, specOf: specOf(false) });
});
beforeEach(() => {
  fake.reset();
  user = `user-${count++}`;
});
afterAll(async () => {
  await Promise.all([api.close(), blind.close()]);
  await Promise.all([engines.close(), fake.close()]);
});

type Message = OpenAI.ChatCompletionMessageParam;
type Part = OpenAI.ChatCompletionContentPart;

const dataUrl = (text: string, type = "image/png") => `data:${type};base64,${Buffer.from(text).toString("base64")}`;
const image = (text: string): Part => ({ type: "image_url", image_url: { url: dataUrl(text), detail: "high" } });
const text = (said: string): Part => ({ type: "text", text: said });
const seen = (content: string) => ({ type: "image_url", image_url: { url: dataUrl(content) } });
const asks = (...content: Part[]): Message => ({ role: "user", content });

const create = (messages: Message[], { headers = {}, at = api, session = "s" } = {}) =>
  new OpenAI({ baseURL: `${at.url}/v1`, apiKey: user, maxRetries: 0 }).chat.completions.create(
    { model: "model-a", messages, ...(session ? { metadata: { session_id: session } } : {}) },
    { headers },
  );
const failure = (work: Promise<unknown>): Promise<APIError> =>
  work.then(
    () => Promise.reject(new Error("it did not fail")),
    (error) => error,
  );
const stored = async (id = "s") =>
  (await listMessages(world.stores, { user, id }, { order: "asc", limit: 100 })).messages;
const files = async () =>
  (
    await listFiles(
      { files: world.files, objects: world.fileObjects, sessions: world.stores.sessions, clock: world.stores.clock },
      user,
      { limit: 100 },
    )
  ).files;
const prompt = () =>
  fake.requests
    .at(-1)!
    .messages.filter(({ role }) => role !== "system")
    .map(({ content }) => content);

/** A file that was uploaded with POST /v1/files. */
async function upload(owner = user) {
  const input = { filename: "a.pdf", media_type: "application/pdf", bytes: 3 };
  const file = await createFile(world, owner, input, { seed: `upload ${owner}`, at: world.stores.clock() });
  await world.fileObjects.put(file, Buffer.from("pdf"));
  return file.id;
}

it("the model gets images and files at their places in the message, and the session keeps them", async () => {
  const pdf = await upload();
  const note: Part = { type: "file", file: { file_data: dataUrl("hello", "text/plain"), filename: "a.txt" } };
  await create([asks(text("Compare"), image("one"), note, { type: "file", file: { file_id: pdf } })]);
  const sent = [
    text("Compare"),
    seen("one"),
    { type: "text", text: 'File "a.txt":\nhello' },
    { type: "file", file: { filename: "a.pdf", file_data: dataUrl("pdf", "application/pdf") } },
  ];
  expect(prompt()).toEqual([sent]);
  const [question] = await stored();
  expect(question).toMatchObject({
    content: "Compare",
    parts: [
      { type: "text", text: "Compare" },
      { type: "file", media_type: "image/png", filename: "file" },
      { type: "file", media_type: "text/plain", filename: "a.txt" },
      { type: "file", file_id: pdf, media_type: "application/pdf", filename: "a.pdf" },
    ],
  });
  expect((await files()).map(({ session }) => session)).toEqual(["s", "s", "s"]);

  await create([{ role: "user", content: "And now?" }]);
  expect(prompt()).toEqual([sent, expect.any(String), "And now?"]);
});

it("a question may be only an image, in a session that the request does not name", async () => {
  const answer = (await create([asks(image("one"))], { session: "" })) as unknown as { session_id: string };
  expect(prompt()).toEqual([[seen("one")]]);
  expect((await stored(answer.session_id))[0]).toMatchObject({ content: "", parts: [{ type: "file" }] });
});

it("a history with images that the client sends again is stored once, with each image in its place", async () => {
  const history: Message[] = [
    asks(text("First"), image("one")),
    { role: "assistant", content: "Yes." },
    asks(text("Second"), image("two")),
  ];
  await create(history);
  const both = [[text("First"), seen("one")], "Yes.", [text("Second"), seen("two")]];
  expect(prompt()).toEqual(both);
  expect(await files()).toHaveLength(2);

  await create([...history, { role: "assistant", content: "It is." }, asks(text("Third"), image("three"))]);
  expect(prompt()).toEqual([...both, expect.any(String), [text("Third"), seen("three")]]);
  expect(await stored()).toHaveLength(6);
  expect(await files()).toHaveLength(3);
});

it("a request that is repeated with its Idempotency-Key stores its images once", async () => {
  const options = { headers: { "idempotency-key": `key-${user}` } };
  const messages: Message[] = [asks(image("one")), { role: "assistant", content: "Yes." }, asks(image("two"))];
  fake.always({ status: 429, headers: { "retry-after-ms": "10" } });
  expect(await failure(create(messages, options))).toMatchObject({ status: 503 });
  fake.always({});
  await create(messages, options);
  await create(messages, options);
  expect(prompt()).toEqual([[seen("one")], "Yes.", [seen("two")]]);
  expect((await stored()).map(({ role }) => role)).toEqual(["user", "assistant", "user", "assistant"]);
  expect(await files()).toHaveLength(2);
});

const file = (given: object) => ({ type: "file", file: given });
const url = (given: unknown) => ({ type: "image_url", image_url: { url: given } });

it.each<[string, object | null, string]>([
  ["type", { type: "input_audio", input_audio: {} }, '"input_audio" is not supported: must be text, image_url or file'],
  ["type", { type: 7 }, "must be text, image_url or file"],
  ["image_url.url", url("https://example.com/a.png"), "must be a data: URL, or upload the file with POST /v1/files"],
  ["image_url.url", url(7), "expected string"],
  ["image_url.url", url(dataUrl("x", "image/svg+xml")), "must be a data: URL with a PNG, JPEG, GIF or WebP image"],
  ["image_url.url", url("data:image/png;base64,###"), "must be a data: URL with a PNG, JPEG, GIF or WebP image"],
  ["image_url.url", url(`data:image/png;base64,${"A".repeat(3 * 1024 * 1024)}`), "must be at most 3145728 bytes"],
  ["file.file_data", file({ file_data: "JVBERi0=" }), "must be a data: URL"],
  ["file.file_data", file({ file_data: "data:text/plain," }), "must be a data: URL with a media type and content"],
  ["file.filename", file({ file_data: dataUrl("x"), filename: "a\r\n" }), "must have 1 to 255 characters"],
  ["file.file_id", file({ filename: "a.txt" }), "is missing: give file_id or file_data"],
  ["file.file_id", file({ file_id: "f", file_data: dataUrl("x") }), "cannot be given together with file_data"],
  ["file.file_id", file({ file_id: "unknown" }), "is not the id of a file of this user"],
])("a part whose %s is wrong is refused by its path, and nothing is stored: %j", async (field, part, message) => {
  const earlier: Message[] = [
    { role: "system", content: "Be kind." },
    asks(text("Before")),
    { role: "assistant", content: "Yes." },
  ];
  const error = await failure(create([...earlier, asks(text("Look"), part as Part)]));
  expect(error).toMatchObject({ status: 400, code: "validation_failed", param: `messages.3.content.1.${field}` });
  expect(error.message).toContain(`messages.3.content.1.${field}: `);
  expect(error.message).toContain(message);
  await expect(stored()).rejects.toMatchObject({ code: "not_found" });
  expect([fake.requests, await files()]).toEqual([[], []]);
});

it("a file of another user is refused by its path also in an earlier message", async () => {
  const foreign: Part = { type: "file", file: { file_id: await upload(`${user}-other`) } };
  const earlier: Message[] = [{ role: "system", content: "Be kind." }, asks(text("Look"), foreign)];
  const error = await failure(create([...earlier, { role: "user", content: "What is it?" }]));
  expect(error).toMatchObject({ status: 400, param: "messages.1.content.1.file.file_id" });
  expect(error.message).toContain("is not the id of a file of this user");
});

it("only the user's messages may have images", async () => {
  const result = { role: "tool", tool_call_id: "c", content: [text("Here"), image("one")] } as Message;
  const error = await failure(create([asks(text("Look")), result]));
  expect(error).toMatchObject({ status: 400, param: "messages.1.content.1.type" });
  expect(error.message).toContain("must be text in a message of the role tool");
});

it("a message has at most 20 files", async () => {
  const error = await failure(create([asks(...Array.from({ length: 21 }, (_, n) => image(`${n}`)))]));
  expect(error).toMatchObject({ status: 400, param: "messages.0.content" });
  expect(error.message).toContain("must hold at most 20 files");
});

it("a question with an image is refused for a model without images, also when it is repeated", async () => {
  const options = { at: blind, headers: { "idempotency-key": `key-${user}` } };
  const ask = () =>
    failure(create([{ role: "system", content: "Be kind." }, asks(text("Look"), image("one"))], options));
  for (const error of [await ask(), await ask()]) {
    expect(error).toMatchObject({ status: 400, param: "messages.1.content.1" });
    expect(error.message).toContain('messages.1.content.1: is an image, and the model "model-a" takes none');
  }
  await expect(stored()).rejects.toMatchObject({ code: "not_found" });
  expect(await files()).toEqual([]);
  await create([asks(image("one")), { role: "assistant", content: "Yes." }, asks(text("And?"))], { at: blind });
  expect(prompt()[0]).toEqual([{ type: "text", text: '[File "file" (image/png, 3 bytes), which you cannot read]' }]);
});

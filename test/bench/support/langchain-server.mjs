// A chat server as LangChain's documentation shows it: history in DynamoDB, one item per session. The benchmark copies this file into
// the folder in which it has installed LangChain.
import { createServer } from "node:http";
import { DynamoDBChatMessageHistory } from "@langchain/community/stores/message/dynamodb";
import { AIMessage, HumanMessage } from "@langchain/core/messages";

const [endpoint, provider, tableName] = process.argv.slice(2);

/** Messages that the model sees, as many as Memocha's default. */
const WINDOW = 30;

const config = { endpoint, region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "secret" } };
const histories = new Map();
function historyOf(sessionId) {
  const known = histories.get(sessionId) ?? new DynamoDBChatMessageHistory({ tableName, sessionId, config });
  // Keep it, because each one opens connections of its own.
  histories.set(sessionId, known);
  return known;
}

const roles = { human: "user", ai: "assistant" };

const server = createServer(async (request, response) => {
  try {
    const { session, content } = JSON.parse(Buffer.concat(await request.toArray()).toString());
    const history = historyOf(session);
    const question = new HumanMessage(content);
    const messages = [...(await history.getMessages()), question].slice(-WINDOW);
    const said = messages.map((message) => ({ role: roles[message.getType()], content: message.content }));
    const answer = await fetch(`${provider}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "bench", stream: true, messages: said }),
    });
    response.writeHead(200, { "content-type": "text/event-stream" });
    const decoder = new TextDecoder();
    let text = "";
    let rest = "";
    for await (const bytes of answer.body) {
      response.write(bytes);
      rest += decoder.decode(bytes, { stream: true });
      const lines = rest.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("data: {")) text += JSON.parse(line.slice(6)).choices[0]?.delta?.content ?? "";
      }
    }
    await history.addMessages([question, new AIMessage(text)]);
    response.end("data: stored\n\n");
  } catch (error) {
    process.stderr.write(`${error}\n`);
    response.destroy();
  }
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`http://127.0.0.1:${server.address().port}\n`));

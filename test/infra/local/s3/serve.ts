import { startS3 } from "../../../../infra/local/s3/s3-server.ts";
import { credentials } from "./s3-fixture.ts";

/** Runs a server in a process of its own, which a test can kill. `node serve.ts <directory>` prints its URL. */
const [directory = ""] = process.argv.slice(2);
const { url } = await startS3({ directory, ...credentials });
process.stdout.write(`${url}\n`);

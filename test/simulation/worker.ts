/** A thread that runs a share of the lives. */
import { parentPort, workerData } from "node:worker_threads";
import { runShare } from "./lives.ts";

await runShare(workerData, (news) => parentPort?.postMessage(news));

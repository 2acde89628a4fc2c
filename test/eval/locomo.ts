import { readFileSync } from "node:fs";

/** A conversation of two people over months, and what can be asked about it. */
export interface Sample {
  id: string;
  sessions: { id: string; messages: Turn[] }[];
  questions: Question[];
}

interface Turn {
  id: string;
  role: "user" | "assistant";
  name: string;
  content: string;
  created_at: string;
}

interface Question {
  text: string;
  category: number;
  /** Ids of the turns that answer it. */
  evidence: string[];
}

interface RawSample {
  sample_id: string;
  conversation: Record<string, unknown> & { speaker_a: string };
  qa: { question: string; evidence?: string[]; category: number }[];
}

interface RawTurn {
  speaker: string;
  dia_id: string;
  text: string;
  blip_caption?: string;
}

/** Categories that are scored; 5 asks about what was never said. */
const SCORED = [1, 2, 3, 4];

/** Milliseconds between two turns: the data has one time for a session. */
const TURN = 20_000;

/** Reads a file of the LoCoMo benchmark (https://github.com/snap-research/locomo, `locomo10.json`). */
export function readLocomo(file: string): Sample[] {
  const samples = JSON.parse(readFileSync(file, "utf8")) as RawSample[];
  return samples.map(({ sample_id, conversation, qa }) => {
    const sessions = sessionsOf(conversation);
    const known = new Set(sessions.flatMap(({ messages }) => messages.map(({ id }) => id)));
    const questions = qa
      .filter(({ category }) => SCORED.includes(category))
      .map(({ question, category, evidence = [] }) => ({
        text: question,
        category,
        evidence: [...new Set(evidence.flatMap(idsIn))].filter((id) => known.has(id)),
      }))
      .filter(({ evidence }) => evidence.length > 0);
    return { id: sample_id, sessions, questions };
  });
}

// Dates may be there for sessions that are not.
function sessionsOf(conversation: RawSample["conversation"]): Sample["sessions"] {
  const sessions: Sample["sessions"] = [];
  for (let n = 1; Array.isArray(conversation[`session_${n}`]); n++) {
    const began = parseTime(String(conversation[`session_${n}_date_time`]));
    const turns = conversation[`session_${n}`] as RawTurn[];
    const messages = turns.map(({ speaker, dia_id, text, blip_caption }, turn) => ({
      id: dia_id,
      role: speaker === conversation.speaker_a ? ("user" as const) : ("assistant" as const),
      name: speaker,
      content: blip_caption ? `${text} [image: ${blip_caption}]` : text,
      created_at: new Date(began + turn * TURN).toISOString(),
    }));
    sessions.push({ id: `session-${n}`, messages });
  }
  return sessions;
}

/** "1:56 pm on 8 May, 2023" as epoch milliseconds. */
function parseTime(text: string): number {
  const [, time, date] = /^(.*) on (.*)$/.exec(text) ?? [];
  const at = Date.parse(`${date} ${time} UTC`);
  if (Number.isNaN(at)) throw new Error(`not a time of LoCoMo: ${text}`);
  return at;
}

/** Evidence may be joined ("D8:6; D9:17") and malformed ("D:11:26", "D30:05"). */
const idsIn = (evidence: string): string[] =>
  [...evidence.matchAll(/D:?(\d+):(\d+)/g)].map(([, session, turn]) => `D${session}:${Number(turn)}`);

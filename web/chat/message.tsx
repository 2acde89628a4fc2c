import { Component } from "preact";
import { useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import { formatCost, formatDateTime, formatTime } from "../format.ts";
import { texts } from "../texts.ts";
import type { Message } from "../types.ts";
import { CopyButton } from "../ui/copy-button.tsx";
import { explain } from "../ui/failure.tsx";
import { IconButton } from "../ui/icon-button.tsx";
import { DownIcon, EditIcon, InfoIcon, LeftIcon, RetryIcon, RightIcon, UpIcon } from "../ui/icons.tsx";
import { Markdown } from "../ui/markdown.tsx";
import type { Conversation } from "./conversation.ts";
import { MessageEditor } from "./message-editor.tsx";
import { FileView, PartView } from "./parts.tsx";
import { filesOf } from "./use-uploads.ts";

interface MessageProps {
  message: Message;
  conversation: Conversation;
  /** All versions of this message, including itself; empty = there is only one. */
  versions: Message[];
  isHighlighted: boolean;
  isEditing: boolean;
  isLast: boolean;
  isBusy: boolean;
  onEdit: (isOn: boolean) => void;
  onWhy: () => void;
}

/** A stored message with its details and its actions. */
export class MessageView extends Component<MessageProps> {
  // Memoized, because a long transcript has thousands of messages, and a streaming answer changes none of them.
  override shouldComponentUpdate(next: MessageProps): boolean {
    const { message, versions, isHighlighted, isEditing, isLast, isBusy } = this.props;
    return (
      next.message !== message ||
      next.versions.length !== versions.length ||
      next.isHighlighted !== isHighlighted ||
      next.isEditing !== isEditing ||
      next.isLast !== isLast ||
      next.isBusy !== isBusy
    );
  }

  override render({ message, conversation, isHighlighted, isEditing, onEdit, ...rest }: MessageProps) {
    const { role } = message;
    const speaker = message.name ?? SPEAKERS[role];
    return (
      <article id={`m-${message.id}`} class={`message ${role}${isHighlighted ? " highlighted" : ""}`}>
        <h2 class={role === "user" || role === "assistant" ? "hidden" : "speaker"}>{speaker}</h2>
        {isEditing ? (
          <MessageEditor
            content={message.content}
            onCancel={() => onEdit(false)}
            onSave={(content) => {
              onEdit(false);
              conversation.edit(message, { content, files: filesOf(message) });
            }}
          />
        ) : (
          <>
            <Content message={message} />
            <Ending message={message} isLast={rest.isLast && !rest.isBusy} conversation={conversation} />
            <Line message={message} conversation={conversation} onEdit={onEdit} {...rest} />
          </>
        )}
      </article>
    );
  }
}

const SPEAKERS: Record<Message["role"], string> = {
  user: texts.chat.you,
  assistant: texts.chat.assistant,
  system: texts.chat.system,
  tool: texts.chat.tool,
};

function Content({ message: { role, content, parts = [] } }: { message: Message }) {
  if (role === "user") {
    return (
      <div class="bubble">
        {content}
        {parts.map((part, n) => (part.type === "file" ? <FileView key={n} file={part} /> : null))}
      </div>
    );
  }
  return (
    <>
      {parts.map((part, n) => (
        <PartView key={n} part={part} />
      ))}
      {role === "assistant" ? <Markdown text={content} /> : content && <p class="pre">{content}</p>}
    </>
  );
}

/** The end of an answer that is not complete. */
function Ending({ message, isLast, conversation }: { message: Message; isLast: boolean; conversation: Conversation }) {
  const { role, status, finish_reason, model } = message;
  if (role !== "assistant") return null;
  const text =
    status === "stopped"
      ? texts.message.stopped
      : finish_reason === "length"
        ? texts.message.tooLong
        : finish_reason === "content_filter"
          ? texts.message.filtered
          : status === "incomplete"
            ? texts.message.incomplete
            : undefined;
  return (
    <>
      {text && (
        <p class="ending">
          {text}{" "}
          {isLast && (
            <button
              type="button"
              class="text"
              onClick={() => conversation.send({ content: texts.message.goOnText, files: [] })}
            >
              {texts.message.goOn}
            </button>
          )}
        </p>
      )}
      {model === "offline" && isLast && <p class="ending">{texts.chat.offline}</p>}
    </>
  );
}

type LineProps = Pick<MessageProps, "message" | "conversation" | "versions" | "isBusy" | "onEdit" | "onWhy">;

/** Time, model, tokens, cost, versions and actions. */
function Line({ message, conversation, versions, isBusy, onEdit, onWhy }: LineProps) {
  const { role, content, created_at, model, usage, memory_ids = [] } = message;
  const isAnswer = role === "assistant";
  const canBranch = message.parent_id !== undefined && !isBusy;
  const { edit, regenerate } = texts.message;
  return (
    <footer class="line">
      <time dateTime={created_at} title={formatDateTime(created_at)}>
        {formatTime(created_at)}
      </time>
      {model && <span>{model}</span>}
      {usage && <span>{texts.message.tokens(usage.input_tokens, usage.output_tokens)}</span>}
      {usage?.cost_usd ? <span>{formatCost(usage.cost_usd)}</span> : null}
      {versions.length > 1 && <Versions message={message} versions={versions} conversation={conversation} />}
      <CopyButton text={content} label={texts.message.copy} />
      {role === "user" && canBranch && (
        <IconButton icon={EditIcon} label={edit} title={edit} onClick={() => onEdit(true)} />
      )}
      {isAnswer && canBranch && (
        <IconButton
          icon={RetryIcon}
          label={regenerate}
          title={regenerate}
          onClick={() => conversation.regenerate(message)}
        />
      )}
      {isAnswer && <Thumbs message={message} />}
      {isAnswer && <WhyButton count={memory_ids.length} onWhy={onWhy} />}
    </footer>
  );
}

function WhyButton({ count, onWhy }: { count: number; onWhy: () => void }) {
  const text = count > 0 ? texts.message.whyCount(count) : undefined;
  const label = text ? `${texts.message.why}: ${text}` : texts.message.why;
  return (
    <button type="button" class="icon wide" title={label} aria-label={label} onClick={onWhy}>
      <InfoIcon />
      {text && <span>{text}</span>}
    </button>
  );
}

function Versions({ message, versions, conversation }: Pick<MessageProps, "message" | "versions" | "conversation">) {
  const at = versions.findIndex(({ id }) => id === message.id);
  const step = (by: number, label: string, icon: typeof LeftIcon) => {
    const other = versions[at + by];
    const go = () => other && void conversation.switchTo(other);
    return <IconButton icon={icon} label={label} disabled={!other} onClick={go} />;
  };
  return (
    <fieldset class="versions">
      <legend class="hidden">{texts.message.branch(at + 1, versions.length)}</legend>
      {step(-1, texts.message.previous, LeftIcon)}
      {at + 1}/{versions.length}
      {step(1, texts.message.next, RightIcon)}
    </fieldset>
  );
}

function Thumbs({ message }: { message: Message }) {
  const { api, announce, notify } = useApp();
  const [given, setGiven] = useState<1 | -1>();
  const give = async (value: 1 | -1) => {
    setGiven(value);
    const body = {
      type: "feedback",
      name: value > 0 ? "thumbs_up" : "thumbs_down",
      value,
      session_id: message.session_id,
      message_id: message.id,
    } as const;
    try {
      await api.call("POST /v1/events", { body, headers: { "idempotency-key": `${message.id}:${value}` } });
      announce(texts.message.thanks);
    } catch (error) {
      setGiven(undefined);
      notify({ text: explain(error) });
    }
  };
  const thumb = (value: 1 | -1, label: string, icon: typeof UpIcon) => (
    <IconButton {...{ icon, label }} title={label} aria-pressed={given === value} onClick={() => void give(value)} />
  );
  return (
    <>
      {thumb(1, texts.message.up, UpIcon)}
      {thumb(-1, texts.message.down, DownIcon)}
    </>
  );
}

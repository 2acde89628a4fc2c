import { useState } from "preact/hooks";
import { useApp } from "../app-context.ts";
import { formatDateTime, formatNumber } from "../format.ts";
import { texts } from "../texts.ts";
import type { Session } from "../types.ts";
import { Confirm } from "../ui/dialog.tsx";
import { Drawer } from "../ui/drawer.tsx";
import { Facts } from "../ui/facts.tsx";
import { explain } from "../ui/failure.tsx";

interface DetailsProps {
  session: Session;
  onReset: () => Promise<void>;
  onClose: () => void;
}

/** The details of a conversation, and the button that empties it. */
export function DetailsDrawer({ session, onReset, onClose }: DetailsProps) {
  const { notify } = useApp();
  const [isAsking, setAsking] = useState(false);
  const { details } = texts;
  const rows: [string, string][] = [
    [details.messages, formatNumber(session.message_count)],
    [details.created, formatDateTime(session.created_at)],
    [details.updated, formatDateTime(session.updated_at)],
    session.archived_at
      ? [details.archived, formatDateTime(session.archived_at)]
      : [
          session.incognito ? details.deleted : details.expires,
          session.expires_at ? formatDateTime(session.expires_at) : details.never,
        ],
    [details.id, session.id],
  ];
  const reset = () => {
    setAsking(false);
    onReset().catch((error: unknown) => notify({ text: explain(error) }));
  };
  return (
    <Drawer title={details.title} onClose={onClose}>
      <Facts rows={rows} />
      <button type="button" class="danger" onClick={() => setAsking(true)}>
        {details.reset}
      </button>
      {isAsking && (
        <Confirm
          title={details.reset}
          text={details.resetAsk}
          yes={details.resetYes}
          no={details.resetNo}
          onYes={reset}
          onNo={() => setAsking(false)}
        />
      )}
    </Drawer>
  );
}

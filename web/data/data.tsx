import { useEffect, useState } from "preact/hooks";
import { texts } from "../texts.ts";
import { TopBar } from "../ui/top-bar.tsx";
import { DataErasure } from "./data-erasure.tsx";
import { DataExport } from "./data-export.tsx";
import { MemorySwitch } from "./memory-switch.tsx";
import { UsageToday } from "./usage-today.tsx";

/** The person's usage of today, and the controls of the person's data. */
export function Data({ onOpenSidebar }: { onOpenSidebar: () => void }) {
  /** The number of erasures. Everything is read again after each. */
  const [erasures, setErasures] = useState(0);
  const { data } = texts;
  useEffect(() => {
    document.title = `${data.title} · ${texts.name}`;
  }, [data.title]);
  return (
    <div class="view">
      <TopBar title={data.title} onOpenSidebar={onOpenSidebar} />
      <div class="page">
        <UsageToday key={`usage ${erasures}`} />
        <MemorySwitch key={`memory ${erasures}`} />
        <DataExport key={`export ${erasures}`} />
        <DataErasure onErased={() => setErasures((n) => n + 1)} />
      </div>
    </div>
  );
}

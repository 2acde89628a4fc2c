import { TopBar } from "../ui/top-bar.tsx";

interface OperationsProps {
  filters: URLSearchParams;
  onOpenSidebar: () => void;
}

/** The running system, for admins. */
export function Operations({ onOpenSidebar }: OperationsProps) {
  return <TopBar title="Operations" onOpenSidebar={onOpenSidebar} />;
}

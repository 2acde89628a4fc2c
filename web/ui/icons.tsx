// Drawn on a grid of 24, as lines in the colour of the text.

const icon = (path: string) =>
  function Icon() {
    return (
      <svg viewBox="0 0 24 24" width="18" height="18" aria-hidden="true" class="lines">
        <path d={path} />
      </svg>
    );
  };

export const MenuIcon = icon("M4 6h16M4 12h16M4 18h16");
export const CloseIcon = icon("M6 6l12 12M18 6L6 18");
export const PlusIcon = icon("M12 5v14M5 12h14");
export const SendIcon = icon("M12 19V5M6 11l6-6 6 6");
export const StopIcon = icon("M7 7h10v10H7z");
export const CopyIcon = icon("M9 9h10v11H9zM5 15V4h10");
export const CheckIcon = icon("M5 12l5 5 9-10");
export const EditIcon = icon("M4 20h4L19 9l-4-4L4 16v4z");
export const RetryIcon = icon("M19 12a7 7 0 1 1-2-5l2 2M19 4v5h-5");
export const UpIcon = icon("M7 20V10l5-7c2 0 2 2 1.5 4L13 9h6l-1.5 9.5-1.5 1.5zM7 10H4v10h3");
export const DownIcon = icon("M17 4v10l-5 7c-2 0-2-2-1.5-4L11 15H5l1.5-9.5L8 4zM17 14h3V4h-3");
export const MoreIcon = icon("M5 12h.01M12 12h.01M19 12h.01");
export const PinIcon = icon("M9 4h6l-1 6 3 4H7l3-4zM12 14v6");
export const LeftIcon = icon("M14 6l-6 6 6 6");
export const RightIcon = icon("M10 6l6 6-6 6");
export const PaperclipIcon = icon(
  "M19 11l-8 8a4.5 4.5 0 0 1-6.5-6.5l8.5-8.5a3 3 0 0 1 4.5 4.5l-8.5 8.5a1.5 1.5 0 0 1-2-2l7.5-7.5",
);
export const InfoIcon = icon("M12 11v6M12 7.5h.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z");
/** A hat above glasses. */
export const IncognitoIcon = icon(
  "M3 11h18M6 11l2-6h8l2 6M10 16.5a3 3 0 1 1-6 0 3 3 0 0 1 6 0zM20 16.5a3 3 0 1 1-6 0 3 3 0 0 1 6 0zM10 16h4",
);
export const SearchIcon = icon("M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM20 20l-4-4");

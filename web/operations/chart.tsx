import type { RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { DataTable } from "./data-table.tsx";
import { operationTexts } from "./operation-texts.ts";
import { endLabels, ticksOf } from "./scale.ts";
import type { Series, Span } from "./series.ts";

interface ChartProps {
  /** The title, with the unit. */
  title: string;
  kind: "lines" | "bars";
  span: Span;
  series: Series[];
  format: (value: number) => string;
  /** The text of a chart without values. */
  empty: string;
}

/** Width of the drawing in pixels before its place is measured. */
const FIRST_WIDTH = 480;
const HEIGHT = 200;
const LEFT = 56;
/** Pixels of a time below the chart, with a gap. */
const TIME_WIDTH = 76;
const TOP = 12;
const BOTTOM = 28;

/** Lines or stacked bars over time. The pointer and the keys show the values of a window, and a table shows all of them. */
export function Chart({ title, kind, span, series, format, empty }: ChartProps) {
  const [at, setAt] = useState<number>();
  const [isTable, setTable] = useState(false);
  const isEmpty = series.every(({ values }) => values.every((value) => !value));
  return (
    <figure class="chart">
      <figcaption>
        <h2>{title}</h2>
        {!isEmpty && (
          <button type="button" class="text" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
            {isTable ? operationTexts.asChart : operationTexts.asTable}
          </button>
        )}
      </figcaption>
      {isEmpty && <p class="empty">{empty}</p>}
      {!isEmpty && isTable && <DataTable title={title} span={span} series={series} format={format} />}
      {!isEmpty && !isTable && <Drawing {...{ title, kind, span, series, format, at }} onPoint={setAt} />}
    </figure>
  );
}

interface DrawingProps extends Omit<ChartProps, "empty"> {
  /** The window under the pointer. */
  at: number | undefined;
  onPoint: (at: number | undefined) => void;
}

function Drawing({ title, kind, span, series, format, at, onPoint }: DrawingProps) {
  const { starts } = span;
  const place = useRef<HTMLDivElement>(null);
  const width = useWidth(place);
  const right = labelRoom(series);
  const tops = starts.map((_, n) =>
    kind === "bars"
      ? series.reduce((sum, { values }) => sum + (values[n] ?? 0), 0)
      : Math.max(...series.map(({ values }) => values[n] ?? 0)),
  );
  const ticks = ticksOf(Math.max(...tops));
  const most = ticks.at(-1) ?? 1;
  const step = (width - LEFT - right) / starts.length;
  const x = (n: number) => LEFT + step * (n + 0.5);
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / most);
  const move = (by: number) => onPoint(Math.min(starts.length - 1, Math.max(0, (at ?? starts.length - 1) + by)));
  const point = (event: PointerEvent & { currentTarget: SVGSVGElement }) => {
    const n = Math.floor((event.clientX - event.currentTarget.getBoundingClientRect().left - LEFT) / step);
    onPoint(n >= 0 && n < starts.length ? n : undefined);
  };
  return (
    <div
      class="drawing"
      ref={place}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move through the windows
      tabIndex={0}
      role="img"
      aria-label={operationTexts.chartLabel(title)}
      onKeyDown={(event) => {
        if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
        event.preventDefault();
        move(event.key === "ArrowLeft" ? -1 : 1);
      }}
      onBlur={() => onPoint(undefined)}
    >
      <svg
        viewBox={`0 0 ${width} ${HEIGHT}`}
        aria-hidden="true"
        onPointerMove={point}
        onPointerLeave={() => onPoint(undefined)}
      >
        {ticks.map((tick) => (
          <g key={tick}>
            <line class="grid" x1={LEFT} x2={width - right} y1={y(tick)} y2={y(tick)} />
            <text x={LEFT - 8} y={y(tick) + 4} class="end">
              {format(tick)}
            </text>
          </g>
        ))}
        <TimeAxis span={span} x={x} most={Math.min(5, Math.floor((width - LEFT - right) / TIME_WIDTH))} />
        {at !== undefined && <line class="pointer" x1={x(at)} x2={x(at)} y1={TOP} y2={HEIGHT - BOTTOM} />}
        {kind === "bars" ? <Bars {...{ series, starts, x, y, step }} /> : <Lines {...{ series, x, y }} />}
        {endLabels(series, kind, y).map(({ name, y, index }) => (
          <text key={name} x={width - right + 8} y={y + 4} class={`s${index}`}>
            {name}
          </text>
        ))}
      </svg>
      {at !== undefined && <Tooltip {...{ span, series, format, at }} side={x(at) > width / 2 ? "left" : "right"} />}
    </div>
  );
}

/** The width of an element in pixels, so that texts keep their size on narrow screens. */
function useWidth(ref: RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(FIRST_WIDTH);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth || FIRST_WIDTH));
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref]);
  return width;
}

/** Pixels that the names at the ends of lines need. */
function labelRoom(series: Series[]): number {
  const longest = Math.max(0, ...series.map(({ name }) => name.length));
  return Math.min(120, 16 + longest * 7);
}

interface Scales {
  x: (n: number) => number;
  y: (value: number) => number;
}

function Lines({ series, x, y }: Scales & { series: Series[] }) {
  return (
    <>
      {series.map(({ name, values }, index) => (
        <path key={name} class={`curve s${index}`} d={pathOf(values, x, y)} />
      ))}
    </>
  );
}

function Bars({ series, starts, x, y, step }: Scales & { series: Series[]; starts: number[]; step: number }) {
  const below = starts.map(() => 0);
  return (
    <>
      {series.map(({ name, values }, index) => (
        <g key={name} class={`bar s${index}`}>
          {values.map((value, n) => {
            if (!value) return null;
            const from = below[n] ?? 0;
            below[n] = from + value;
            const height = Math.max(1, y(from) - y(from + value));
            return <rect key={n} x={x(n) - step * 0.4} width={step * 0.8} y={y(from + value)} height={height} />;
          })}
        </g>
      ))}
    </>
  );
}

/** A line with gaps where there is no value. A value between two gaps is a point. */
function pathOf(values: readonly (number | null)[], x: Scales["x"], y: Scales["y"]): string {
  return values
    .map((value, n) => {
      if (value === null) return "";
      const starts = n === 0 || values[n - 1] === null;
      return `${starts ? "M" : "L"}${x(n).toFixed(1)} ${y(value).toFixed(1)}${starts ? "h.1" : ""}`;
    })
    .join("");
}

/** The times below a chart, `most` at most. */
function TimeAxis({ span, x, most }: { span: Span; x: Scales["x"]; most: number }) {
  const every = Math.max(1, Math.ceil(span.starts.length / Math.max(1, most)));
  return (
    <>
      {span.starts.map((start, n) =>
        n % every === 0 ? (
          <text key={start} x={x(n)} y={HEIGHT - 8} class="middle">
            {operationTexts.axisTime(start, span.starts.length > 24)}
          </text>
        ) : null,
      )}
    </>
  );
}

interface TooltipProps extends Pick<ChartProps, "span" | "series" | "format"> {
  at: number;
  side: "left" | "right";
}

function Tooltip({ span, series, format, at, side }: TooltipProps) {
  const start = span.starts[at] ?? 0;
  return (
    <div class={`tooltip ${side}`} role="status">
      <p>{operationTexts.localTime(start)}</p>
      <p class="quiet">{operationTexts.utcTime(start)}</p>
      <dl>
        {series.map(({ name, values }, index) => {
          const value = values[at];
          return (
            <div key={name}>
              <dt class={`s${index}`}>{name}</dt>
              <dd>{value === null || value === undefined ? operationTexts.none : format(value)}</dd>
            </div>
          );
        })}
      </dl>
    </div>
  );
}

// Pictures of numbers over time: bars that stand on each other, or lines beside each other, that lead to what they are made
// of. The numbers stand in a table beside.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

export interface Series {
  name: string;
  /** One for each bucket; null where there is none. */
  values: (number | null)[];
  /** A place in the palette, or `refused`. */
  colour: number | "refused" | "other";
}

export interface ChartProps {
  label: string;
  /** When each bucket begins, in seconds since 1970. */
  starts: number[];
  /** How long a bucket is, in seconds. */
  bucket: number;
  series: Series[];
  format: (value: number) => string;
  title: (start: number) => string;
  onPick: (index: number) => void;
  tick: (ms: number) => string;
  /** Lines where the numbers are no parts of a whole. */
  as?: "bars" | "lines";
}

export function Chart({ label, starts, bucket, series, format, title, tick, onPick, as = "bars" }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const tip = useRef<HTMLDivElement>(null);
  const pick = useRef(onPick);
  pick.current = onPick;
  useEffect(() => {
    const element = place.current;
    if (!element || starts.length === 0) return;
    const { data, tops } = as === "bars" ? stacked(starts, series) : { data: [starts, ...series.map(({ values }) => values)] as uPlot.AlignedData, tops: series };
    const style = getComputedStyle(element);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const [ink, line] = [colour("--dim"), colour("--line")];
    const show = (plot: uPlot) => tell(plot, tip.current, { starts, series, format, title });
    const bars = uPlot.paths.bars?.({ size: [0.82, 60], align: 1, gap: 1 });
    const options: uPlot.Options = {
      width: element.clientWidth,
      height: HEIGHT,
      // Days are UTC; hours are the reader’s.
      tzDate: (second) => (bucket >= 86_400 ? uPlot.tzDate(new Date(second * 1_000), "Etc/UTC") : new Date(second * 1_000)),
      padding: [10, 8, 0, 0],
      legend: { show: false },
      cursor: {
        y: false,
        points: { show: as === "lines" },
        drag: { x: false, y: false },
        // A bar stands from where its bucket begins to where the next one does, so the pointer means what it is over.
        dataIdx: (_, __, closest, value) => (closest > 0 && value < (starts[closest] ?? 0) ? closest - 1 : closest),
      },
      scales: { x: { range: () => [starts[0] ?? 0, (starts.at(-1) ?? 0) + bucket] }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] } },
      axes: [
        { stroke: ink, font: FONT, grid: { show: false }, ticks: { stroke: line, width: 1, size: 4 }, space: 70, size: 30, values: (_, splits) => splits.map((second) => tick(second * 1_000)) },
        { stroke: ink, font: FONT, grid: { stroke: line, width: 1 }, ticks: { show: false }, size: 58, values: (_, values) => values.map(format) },
      ],
      series: [
        {},
        ...tops.map((one): uPlot.Series => {
          const drawn = colour(cssColour(one.colour));
          if (as === "lines") return { label: one.name, stroke: drawn, width: 2, points: { show: true, size: 7, fill: drawn, filter: () => dots(one.values) } };
          return { label: one.name, ...(bars ? { paths: bars } : {}), fill: drawn, width: 0, points: { show: false } };
        }),
      ],
      hooks: { setCursor: [show] },
    };
    const plot = new uPlot(options, data, element);
    const clicked = () => {
      const index = plot.cursor.idxs?.[1];
      if (index !== null && index !== undefined) pick.current(index);
    };
    plot.over.addEventListener("click", clicked);
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [starts, series, bucket, as]);
  return (
    <figure class="chart">
      <div ref={place} role="img" aria-label={label} />
      <div ref={tip} class="tip" hidden aria-hidden="true" />
    </figure>
  );
}

/** Each series on top of those before it; drawn from the tallest on, so that each covers what is below it. */
function stacked(starts: number[], series: Series[]): { data: uPlot.AlignedData; tops: Series[] } {
  const heights = starts.map(() => 0);
  const sums = series.map((one) => one.values.map((value, index) => (heights[index] = (heights[index] ?? 0) + (value ?? 0))));
  return { data: [starts, ...sums.reverse()], tops: [...series].reverse() };
}

/** Which values are drawn as dots: all where they are few, and else those that no line leads to. */
function dots(values: Series["values"]): number[] {
  const isThere = (index: number) => (values[index] ?? null) !== null;
  const all = values.map((_, index) => index).filter(isThere);
  return all.length <= MOST_DOTS ? all : all.filter((index) => !isThere(index - 1) && !isThere(index + 1));
}

function tell(plot: uPlot, tip: HTMLDivElement | null, { starts, series, format, title }: Pick<ChartProps, "starts" | "series" | "format" | "title">): void {
  if (!tip) return;
  const index = plot.cursor.idxs?.[1];
  const start = index === null || index === undefined ? undefined : starts[index];
  tip.hidden = start === undefined || plot.cursor.left === undefined || plot.cursor.left < 0;
  if (tip.hidden || start === undefined || index === null || index === undefined) return;
  const lines = series.filter((one) => (one.values[index] ?? 0) !== 0);
  tip.replaceChildren(text("strong", title(start)), ...lines.map((one) => text("span", `${one.name}: ${format(one.values[index] ?? 0)}`)));
  if (lines.length === 0) tip.append(text("span", "nothing"));
  const left = (plot.cursor.left ?? 0) + plot.bbox.left / devicePixelRatio;
  const isRight = left > plot.width / 2;
  tip.style.setProperty("left", `${isRight ? left - tip.offsetWidth - 12 : left + 12}px`);
}

function text(tag: "strong" | "span", content: string): HTMLElement {
  const element = document.createElement(tag);
  element.textContent = content;
  return element;
}

export function cssColour(colour: Series["colour"]): string {
  return typeof colour === "number" ? `--chart-${(colour % PALETTE) + 1}` : `--chart-${colour}`;
}

/** The colour of a series beside its name. */
export function Swatch({ of }: { of: Series["colour"] }) {
  return <i class={`swatch ${typeof of === "number" ? `c${(of % PALETTE) + 1}` : of}`} aria-hidden="true" />;
}

const PALETTE = 8;
const MOST_DOTS = 60;
const HEIGHT = 220;
const FONT = "11px system-ui, sans-serif";

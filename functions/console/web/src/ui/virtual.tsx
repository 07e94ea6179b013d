// Rows of a long table, of which only those in sight are there.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** A table body of rows of one height; what is above and below is a gap. */
export function VirtualRows<T>({ rows, height, columns, render }: { rows: readonly T[]; height: number; columns: number; render: (row: T, index: number) => ComponentChildren }) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [range, setRange] = useState<[number, number]>([0, FIRST]);
  const look = () => {
    const top = body.current?.getBoundingClientRect().top ?? 0;
    const from = Math.max(0, Math.floor(-top / height) - MARGIN);
    const to = Math.ceil((innerHeight - top) / height) + MARGIN;
    setRange(([first, last]) => (first === from && last === to ? [first, last] : [from, to]));
  };
  useLayoutEffect(look, [rows.length, height]);
  useEffect(() => {
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
    };
  }, [height]);
  const from = Math.min(range[0], Math.max(0, rows.length - 1));
  const to = Math.min(range[1], rows.length);
  return (
    <tbody ref={body}>
      <Gap height={from * height} columns={columns} />
      {rows.slice(from, to).map((row, index) => render(row, from + index))}
      <Gap height={(rows.length - to) * height} columns={columns} />
    </tbody>
  );
}

/** Space where rows would be; its height is set from here, as the pages' policy has it. */
function Gap({ height, columns }: { height: number; columns: number }) {
  const cell = useRef<HTMLTableCellElement>(null);
  useLayoutEffect(() => cell.current?.style.setProperty("height", `${height}px`), [height]);
  if (height <= 0) return null;
  return <tr class="gap" aria-hidden="true"><td ref={cell} colSpan={columns} /></tr>;
}

const FIRST = 30;
const MARGIN = 12;

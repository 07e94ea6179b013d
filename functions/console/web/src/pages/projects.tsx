// Projects: what keys belong to; each with its own money, gallery and rate.

import { useState } from "preact/hooks";

import { type Project, api, dataOf, freshName, onceUnder } from "../api/client";
import { useAsked, useDeed } from "../ask";
import { count, day, usd } from "../format";
import { readProjects } from "../projects";
import { link, narrow, query } from "../route";
import { me } from "../session";
import { FormDialog } from "../ui/dialog";
import { Input, Select } from "../ui/field";
import { Copy, Page, Shown, Table, Time } from "../ui/parts";
import { say } from "../ui/toast";

export function ProjectsPage() {
  const asked = useAsked(readProjects, []);
  const opened = query.value.get("project");
  const isNew = query.value.has("new");
  const close = () => narrow({ project: null, new: null }, "replace");
  const done = () => {
    close();
    asked.reload();
  };
  return (
    <Page title="Projects" lead="Keys of a project share its money, its gallery and its rate." actions={<button type="button" class="primary" onClick={() => narrow({ new: "1" })}>New project</button>}>
      <Shown of={asked}>
        {(projects) => (
          <>
            <Table label="Projects">
              <thead>
                <tr>
                  <th scope="col">Name</th>
                  <th scope="col">Gallery</th>
                  <th scope="col">Rate</th>
                  <th scope="col" class="num">Available</th>
                  <th scope="col" class="num">Allocated</th>
                  <th scope="col" class="mid">Made</th>
                  <th scope="col"><span class="hidden">What can be done</span></th>
                </tr>
              </thead>
              <tbody>
                {projects.map((one) => (
                  <tr key={one.id}>
                    <th scope="row">{one.name}{one.id === me.value?.default_project_id && <span class="sub">where keys go that name none</span>}</th>
                    <td>{one.gallery_mode}</td>
                    <td class="nowrap">{rateText(one.limits)}</td>
                    <td class="num">{usd(one.available_usd)}</td>
                    <td class="num">{usd(one.budget_usd)}</td>
                    <td class="mid nowrap"><Time at={one.created_at} as={day} /></td>
                    <td class="row-actions">
                      <button type="button" class="small" onClick={() => narrow({ project: one.id })}>Change<span class="hidden"> {one.name}</span></button>
                      <a class="button small" href={link("keys", { project_id: one.id })}>Keys<span class="hidden"> of {one.name}</span></a>
                      <a class="button small" href={link("usage", { project_id: one.id })}>Usage<span class="hidden"> of {one.name}</span></a>
                      <Copy text={one.id} label="Id" />
                    </td>
                  </tr>
                ))}
              </tbody>
            </Table>
            {isNew && <ProjectForm onClose={close} onDone={done} />}
            {projects.filter(({ id }) => id === opened).map((one) => <ProjectForm key={one.id} of={one} onClose={close} onDone={done} />)}
          </>
        )}
      </Shown>
    </Page>
  );
}

type Unit = "none" | "per_second" | "per_10_seconds" | "per_minute";

function ProjectForm({ of, onClose, onDone }: { of?: Project; onClose: () => void; onDone: () => void }) {
  const [name, setName] = useState(of?.name ?? "");
  const [gallery, setGallery] = useState<Project["gallery_mode"]>(of?.gallery_mode ?? "isolated");
  const [unit, setUnit] = useState<Unit>(unitOf(of?.limits));
  const [rate, setRate] = useState(of?.limits ? String(of.limits[unitOf(of.limits) as "per_second"] ?? "") : "");
  const [burst, setBurst] = useState(String(of?.limits?.burst ?? 0));
  const [once, setOnce] = useState(freshName);
  const deed = useDeed();
  const changed = <T,>(set: (value: T) => void) => (value: T) => {
    set(value);
    setOnce(freshName());
    deed.forget();
  };
  const isNumber = (text: string) => /^\d{1,7}$/.test(text);
  const isReady = name.trim() !== "" && (unit === "none" || (isNumber(rate) && isNumber(burst)));
  const submit = () =>
    deed.attempt(async () => {
      // Null takes the rate away; the generated type has no null where a schema names its members twice.
      const limits = (unit === "none" ? null : { [unit]: Number(rate), burst: Number(burst) }) as { burst: number };
      const body = { name: name.trim(), gallery_mode: gallery, limits };
      if (of) await dataOf(api.PATCH("/v1/projects/{id}", { params: { path: { id: of.id } }, body }));
      else await dataOf(api.POST("/v1/projects", { body, headers: onceUnder(once) }));
      say(of ? "Changed. It holds for the very next request of each of its keys." : "The project is there. Move money to it under Billing.");
      onDone();
    });
  const field = deed.problem?.field;
  return (
    <FormDialog title={of ? `Change “${of.name}”` : "New project"} verb={of ? "Change" : "Create the project"} isBusy={deed.isBusy} isReady={isReady} problem={deed.problem} onSubmit={() => void submit()} onClose={onClose}>
      <Input label="Name" value={name} required maxLength={100} error={field === "name" ? deed.problem?.message : null} onInput={changed(setName)} />
      <Select
        label="Gallery"
        value={gallery}
        options={[["isolated", "Isolated: the project’s own"], ["shared", "Shared: one with all shared projects"]]}
        hint="The API behind the gate is told which one a call may see."
        onChange={(value) => changed(setGallery)(value === "shared" ? "shared" : "isolated")}
      />
      <div class="columns">
        <Select label="Rate that all keys share" value={unit} options={UNITS} onChange={(value) => changed(setUnit)(value as Unit)} />
        {unit !== "none" && <Input label="Requests" value={rate} inputMode="numeric" required error={rate !== "" && !isNumber(rate) ? "A whole number." : null} onInput={changed(setRate)} />}
        {unit !== "none" && <Input label="Burst" value={burst} inputMode="numeric" hint="More than that after a quiet time." onInput={changed(setBurst)} />}
      </div>
    </FormDialog>
  );
}

function unitOf(limits: Project["limits"] | undefined): Unit {
  if (!limits) return "none";
  return (["per_second", "per_10_seconds", "per_minute"] as const).find((unit) => limits[unit] !== undefined) ?? "none";
}

function rateText(limits: Project["limits"]): string {
  const unit = unitOf(limits);
  if (!limits || unit === "none") return "no limit of its own";
  const burst = limits.burst > 0 ? ` + ${count(limits.burst)}` : "";
  return `${count(limits[unit] ?? 0)} ${UNIT_TEXT[unit]}${burst}`;
}

const UNITS = [["none", "None"], ["per_second", "Per second"], ["per_10_seconds", "Per ten seconds"], ["per_minute", "Per minute"]] as const;
const UNIT_TEXT = { per_second: "a second", per_10_seconds: "in ten seconds", per_minute: "a minute" };
